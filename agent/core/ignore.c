// SPDX-License-Identifier: MIT
//
// A file of rules: its lines, and which of them is the last to match.
#include "agent/core/ignore.h"

#include <string.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/core/pattern_priv.h"
#include "proto/path.h"

struct rule {
    bool negated;
    bool dir_only;
    bool base_only; // no '/' in it: looks at the last component only
    uint32_t line;
    struct slice text;
    struct pattern pattern;
};

struct ignore {
    struct arena *arena;
    struct slice text;
    struct rule *rules;
    uint32_t count;
};

void ignore_destroy(struct ignore **ignore)
{
    if (*ignore == NULL) return;
    arena_destroy(&(*ignore)->arena);
    mem_free(ignore);
}

struct slice ignore_text(const struct ignore *ignore)
{
    return ignore->text;
}

uint32_t ignore_count(const struct ignore *ignore)
{
    return ignore->count;
}

// Spaces at the end do not count unless a backslash protects them.
static struct slice spaces_trim(struct slice line)
{
    size_t end = 0;
    for (size_t i = 0; i < line.size; i++) {
        if (line.data[i] == ' ') continue;
        if (line.data[i] == '\\') i++;
        end = i < line.size ? i + 1 : line.size;
    }
    return slice_of(line.data, end);
}

// The line without its end; *at moves behind it.
static struct slice line_next(struct slice text, size_t *at)
{
    const uint8_t *start = text.data + *at;
    const uint8_t *end = memchr(start, '\n', text.size - *at);
    size_t size = end != NULL ? (size_t)(end - start) : text.size - *at;
    *at += size + (end != NULL ? 1 : 0);
    if (size > 0 && start[size - 1] == '\r') size--;
    return slice_of(start, size);
}

static void rule_parse(struct arena *arena, struct slice line, uint32_t number, struct rule *out)
{
    struct slice p = line;
    *out = (struct rule){.line = number, .text = line};
    if (p.data[0] == '!') {
        out->negated = true;
        p = slice_of(p.data + 1, p.size - 1);
    }
    if (p.size > 0 && p.data[p.size - 1] == '/') {
        out->dir_only = true;
        p.size--;
    }
    out->base_only = p.size == 0 || memchr(p.data, '/', p.size) == NULL;
    if (p.size > 0 && p.data[0] == '/') p = slice_of(p.data + 1, p.size - 1);
    pattern_compile(arena, p, &out->pattern);
}

static const char *line_take(struct ignore *ignore, struct slice line, uint32_t number)
{
    struct slice normal;
    if (memchr(line.data, '\0', line.size) != NULL) return "has a NUL byte";
    // Also in a comment: what an editor cannot show is not what its author meant.
    if (path_normalize(ignore->arena, line, &normal) != ERR_OK) return "is not UTF-8";
    if (line.data[0] == '#') return NULL;
    normal = spaces_trim(normal);
    if (normal.size == 0) return NULL;
    if (normal.size > IGNORE_RULE_BYTES_MAX) return "is longer than 1,024 bytes";
    if (ignore->count == IGNORE_RULES_MAX) return "is one rule more than 2,048";
    rule_parse(ignore->arena, normal, number, &ignore->rules[ignore->count++]);
    return NULL;
}

static size_t lines_in(struct slice text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    return lines;
}

struct ignore *ignore_parse(struct slice text, struct ignore_fault *out_fault)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    *out_fault = (struct ignore_fault){0};
    if (text.size > IGNORE_FILE_BYTES_MAX) {
        out_fault->what = "is larger than 128 KiB";
        return NULL;
    }
    struct ignore *ignore = mem_zalloc(1, sizeof *ignore);
    ignore->arena = arena_new();
    ignore->text = arena_copy(ignore->arena, text);
    size_t lines = lines_in(text);
    size_t room = lines < IGNORE_RULES_MAX ? lines : IGNORE_RULES_MAX;
    ignore->rules = arena_alloc(ignore->arena, room, sizeof *ignore->rules);
    size_t at = 0;
    if (text.size >= sizeof mark && memcmp(text.data, mark, sizeof mark) == 0) at = sizeof mark;
    for (uint32_t number = 1; at < text.size && out_fault->what == NULL; number++) {
        struct slice line = line_next(ignore->text, &at);
        if (line.size > 0) out_fault->what = line_take(ignore, line, number);
        if (out_fault->what != NULL) out_fault->line = number;
    }
    if (out_fault->what != NULL) ignore_destroy(&ignore);
    return ignore;
}

static bool rule_matches(const struct rule *rule, struct slice path, struct slice base, bool is_dir)
{
    if (rule->dir_only && !is_dir) return false;
    return pattern_matches(&rule->pattern, rule->base_only ? base : path);
}

bool ignore_match(const struct ignore *ignore, struct slice path, bool is_dir,
                  struct ignore_match *out)
{
    struct slice base = path_base(path);
    for (uint32_t i = ignore->count; i-- > 0;) {
        const struct rule *rule = &ignore->rules[i];
        if (!rule_matches(rule, path, base, is_dir)) continue;
        *out =
            (struct ignore_match){.negated = rule->negated, .line = rule->line, .rule = rule->text};
        return true;
    }
    return false;
}
