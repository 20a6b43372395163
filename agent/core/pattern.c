// SPDX-License-Identifier: MIT
//
// Wildcards as git reads them. Whatever stands before the first one is compared first, and git
// reads the rest as if it began there: in "a**/b" the stars count as if a '/' were before them.
//
// Matching goes back to the last run of each sort only. That is enough: a run that may cross '/'
// always does best by ending early, and one that may not has no choice of directory.
#include <string.h>

#include "agent/core/pattern_priv.h"

static bool is_wild(uint8_t byte)
{
    return byte == '*' || byte == '?' || byte == '[' || byte == '\\';
}

// ---- sets

static void set_add(struct byte_set *set, uint8_t first, uint8_t last)
{
    for (unsigned byte = first; byte <= last; byte++)
        set->bits[byte / 64] |= UINT64_C(1) << (byte % 64);
}

static bool set_has(const struct byte_set *set, uint8_t byte)
{
    return (set->bits[byte / 64] >> (byte % 64) & 1) != 0;
}

struct byte_class {
    const char *name;
    const char *ranges; // pairs of first and last
};

// ASCII only, as in git: what a name means must not depend on the locale.
static const struct byte_class classes[] = {
    {"alnum", "09AZaz"},   {"alpha", "AZaz"},
    {"blank", "\t\t  "},   {"cntrl", "\001\037\177\177"},
    {"digit", "09"},       {"graph", "!~"},
    {"lower", "az"},       {"print", " ~"},
    {"punct", "!/:@[`{~"}, {"space", "\t\n\r\r  "},
    {"upper", "AZ"},       {"xdigit", "09AFaf"},
};

static bool set_add_class(struct byte_set *set, struct slice name)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (!slice_equal(name, slice_text(classes[i].name))) continue;
        for (const char *range = classes[i].ranges; *range != '\0'; range += 2)
            set_add(set, (uint8_t)range[0], (uint8_t)range[1]);
        return true;
    }
    return false;
}

// What stands at p[*at] within brackets; *at moves to its last byte. *before is where a range would
// begin (0: nowhere). False: there is no end to it.
static bool set_member(struct slice p, size_t *at, struct byte_set *set, uint8_t *before)
{
    uint8_t byte = p.data[*at];
    bool more = *at + 1 < p.size;
    if (byte == '\\') {
        if (!more) return false;
        byte = p.data[++*at];
    } else if (byte == '-' && *before != 0 && more && p.data[*at + 1] != ']') {
        byte = p.data[++*at];
        if (byte == '\\' && ++*at >= p.size) return false;
        byte = p.data[*at];
        if (*before <= byte) set_add(set, *before, byte);
        *before = 0;
        return true;
    } else if (byte == '[' && more && p.data[*at + 1] == ':') {
        size_t start = *at + 2;
        size_t end = start;
        while (end < p.size && p.data[end] != ']')
            end++;
        if (end >= p.size) return false;
        if (end > start && p.data[end - 1] == ':') {
            *at = end;
            *before = 0;
            return set_add_class(set, slice_of(p.data + start, end - 1 - start));
        }
    }
    set_add(set, byte, byte);
    *before = byte;
    return true;
}

// p[*at] is '['; *at moves behind the ']'.
static bool set_parse(struct slice p, size_t *at, struct byte_set *set)
{
    size_t i = *at + 1;
    uint8_t before = 0;
    bool negated = i < p.size && (p.data[i] == '!' || p.data[i] == '^');
    if (negated) i++;
    for (bool first = true;; first = false) {
        if (i >= p.size) return false;
        if (!first && p.data[i] == ']') break;
        if (!set_member(p, &i, set, &before)) return false;
        i++;
    }
    for (size_t word = 0; negated && word < 4; word++)
        set->bits[word] = ~set->bits[word];
    set->bits['/' / 64] &= ~(UINT64_C(1) << ('/' % 64));
    *at = i + 1;
    return true;
}

// ---- compiling

// p[*at] is the first of some stars. Two and more cross '/' where they stand for whole components.
static struct token star_parse(struct slice p, size_t *at)
{
    size_t start = *at;
    size_t end = start;
    while (end < p.size && p.data[end] == '*')
        end++;
    *at = end;
    bool alone = start == 0 || p.data[start - 1] == '/';
    if (end - start < 2 || !alone) return (struct token){.op = OP_STAR};
    if (end == p.size) return (struct token){.op = OP_TREE};
    if (p.data[end] == '/') {
        *at = end + 1;
        return (struct token){.op = OP_DIRS};
    }
    bool escaped_slash = p.data[end] == '\\' && end + 1 < p.size && p.data[end + 1] == '/';
    return (struct token){.op = escaped_slash ? OP_TREE : OP_STAR};
}

static bool token_parse(struct pattern *pattern, struct slice p, size_t *at)
{
    struct token *token = &pattern->tokens[pattern->count++];
    switch (p.data[*at]) {
    case '*': *token = star_parse(p, at); return true;
    case '?': *token = (struct token){.op = OP_ANY}; break;
    case '[':
        *token = (struct token){.op = OP_SET, .set = (uint16_t)pattern->set_count};
        return set_parse(p, at, &pattern->sets[pattern->set_count++]);
    case '\\':
        if (++*at >= p.size) return false;
        *token = (struct token){.op = OP_BYTE, .byte = p.data[*at]};
        break;
    default: *token = (struct token){.op = OP_BYTE, .byte = p.data[*at]}; break;
    }
    ++*at;
    return true;
}

void pattern_compile(struct arena *arena, struct slice text, struct pattern *out)
{
    *out = (struct pattern){0};
    size_t literal = 0;
    while (literal < text.size && !is_wild(text.data[literal]))
        literal++;
    out->prefix = slice_of(text.data, literal);
    struct slice rest = slice_of(text.data + literal, text.size - literal);
    size_t brackets = 0;
    for (size_t i = 0; i < rest.size; i++)
        brackets += rest.data[i] == '[';
    if (rest.size > 0) out->tokens = arena_alloc(arena, rest.size, sizeof *out->tokens);
    if (brackets > 0) out->sets = arena_alloc(arena, brackets, sizeof *out->sets);
    for (size_t at = 0; at < rest.size && !out->never;)
        out->never = !token_parse(out, rest, &at);
}

// ---- matching

static bool token_takes(const struct pattern *pattern, const struct token *token, uint8_t byte)
{
    if (token->op == OP_BYTE) return byte == token->byte;
    if (token->op == OP_ANY) return byte != '/';
    return set_has(&pattern->sets[token->set], byte);
}

// Where a run began, and the token behind it.
struct run {
    bool set;
    uint32_t next;
    size_t at;
};

// The run takes one step more; false if it cannot.
static bool run_grow(const struct pattern *pattern, struct run *run, struct slice text)
{
    if (!run->set || run->at >= text.size) return false;
    switch (pattern->tokens[run->next - 1].op) {
    case OP_STAR: return text.data[run->at++] != '/';
    case OP_TREE: run->at++; return true;
    default: break;
    }
    const uint8_t *slash = memchr(text.data + run->at, '/', text.size - run->at);
    if (slash == NULL) return false;
    run->at = (size_t)(slash - text.data) + 1;
    return true;
}

static bool tokens_match(const struct pattern *pattern, struct slice text)
{
    struct run star = {0};
    struct run tree = {0};
    uint32_t next = 0;
    size_t at = 0;
    for (;;) {
        if (next == pattern->count && at == text.size) return true;
        const struct token *token = next < pattern->count ? &pattern->tokens[next] : NULL;
        if (token != NULL && token->op >= OP_STAR) {
            struct run run = {.set = true, .next = ++next, .at = at};
            if (token->op == OP_STAR) {
                star = run;
                continue;
            }
            tree = run;
            star.set = false;
            if (token->op == OP_TREE && next == pattern->count) return true;
        } else if (token != NULL && at < text.size && token_takes(pattern, token, text.data[at])) {
            next++;
            at++;
        } else if (run_grow(pattern, &star, text)) {
            next = star.next;
            at = star.at;
        } else if (run_grow(pattern, &tree, text)) {
            star.set = false;
            next = tree.next;
            at = tree.at;
        } else {
            return false;
        }
    }
}

bool pattern_matches(const struct pattern *pattern, struct slice text)
{
    size_t size = pattern->prefix.size;
    if (pattern->never || text.size < size) return false;
    if (size > 0 && memcmp(text.data, pattern->prefix.data, size) != 0) return false;
    if (pattern->count == 0) return text.size == size;
    return tokens_match(pattern, slice_of(text.data + size, text.size - size));
}
