// SPDX-License-Identifier: MIT
//
// /v1/ignore: rules of what is left out, written for a person. The file stays his: comments, order
// and all that is not asked for are kept.
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/core/heads.h"
#include "agent/core/ignore.h"
#include "agent/daemon/locate_priv.h"
#include "proto/path.h"

enum { ITEMS_PAGE = 256, ITEMS_LOOKED_AT = 50000, EXAMPLES = 5 };

// ---- which folder, and what its file says

struct target {
    const struct registry_folder *folder;
    uint32_t number;
    bool local;
    struct buf text;
};

static void target_fini(struct target *target)
{
    buf_fini(&target->text);
}

static bool target_find(struct agent *agent, uint64_t request, const json_t *body,
                        struct target *out)
{
    const char *name = body_text(body, "folder"), *path = body_text(body, "path");
    struct located at;
    *out = (struct target){.local = body_bool(body, "local", false)};
    if (name == NULL && path != NULL && path[0] == '/' && locate_find(agent, path, &at))
        name = at.folder->name;
    if (name == NULL && agent->folder_count == 1) name = agent->folders[0].name;
    if (name == NULL) {
        control_refuse(agent, request, REFUSE_BAD_VALUE, "cfgsync-agent folder list shows them",
                       "there are %u folders: say which, or go there", agent->folder_count);
        return false;
    }
    out->folder = control_folder(agent, request, name);
    if (out->folder == NULL) return false;
    const struct live_folder *live = folders_find(agent, name);
    if (live != NULL) out->number = live->folder;
    return true;
}

static bool target_read(struct agent *agent, uint64_t request, struct target *target)
{
    enum err err =
        disk_rules_read(agent->workers.disk, target->number, target->local, &target->text);
    if (err == ERR_OK) return true;
    control_refuse(agent, request, REFUSE_FAILED, NULL, "%s/%s cannot be read: %s",
                   target->folder->path, disk_rules_file(target->local), err_text(err));
    return false;
}

// ---- lines

static bool line_next(struct slice text, size_t *at, struct slice *out)
{
    if (*at >= text.size) return false;
    const uint8_t *from = text.data + *at;
    const uint8_t *end = memchr(from, '\n', text.size - *at);
    size_t size = end != NULL ? (size_t)(end - from) : text.size - *at;
    *out = slice_of(from, size);
    *at += size + 1;
    return true;
}

static struct slice line_rule(struct slice line)
{
    if (line.size > 0 && line.data[line.size - 1] == '\r') line.size--;
    while (line.size > 0 && line.data[line.size - 1] == ' ' &&
           (line.size < 2 || line.data[line.size - 2] != '\\'))
        line.size--;
    return line;
}

static bool has_rule(struct slice text, struct slice rule)
{
    struct slice line;
    for (size_t at = 0; line_next(text, &at, &line);) {
        if (slice_equal(line_rule(line), rule)) return true;
    }
    return false;
}

static bool negates(struct slice rule)
{
    return rule.size > 0 && rule.data[0] == '!';
}

// The last rule that matches decides: one of the other kind further down may take it back.
static bool decides(struct slice text, struct slice rule)
{
    struct slice line;
    bool found = false;
    for (size_t at = 0; line_next(text, &at, &line);) {
        struct slice other = line_rule(line);
        if (slice_equal(other, rule))
            found = true;
        else if (other.size > 0 && other.data[0] != '#' && negates(other) != negates(rule))
            found = false;
    }
    return found;
}

// ---- what rules mean for what is synced

struct touched {
    uint64_t count;
    bool more; // not all was looked at
    json_t *examples;
};

static bool left_out(const struct ignore *rules, struct slice path, bool is_dir)
{
    struct ignore_match match;
    for (size_t at = 1; at < path.size; at++) {
        bool above = path.data[at] == '/' &&
                     ignore_match(rules, slice_of(path.data, at), true, &match) && !match.negated;
        if (above) return true;
    }
    return ignore_match(rules, path, is_dir, &match) && !match.negated;
}

static bool is_touched(const struct ignore *rules, const struct item *item)
{
    bool synced =
        heads_live(item) && item->blocked != BLOCKED_IGNORED && !path_is_conflict_item(item->path);
    return synced && left_out(rules, item->path, item->heads[0].value.kind == KIND_DIR);
}

static struct touched touched_by(struct agent *agent, uint32_t folder, const struct ignore *rules)
{
    struct touched out = {.examples = json_array()};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    AUTO(buf_fini) struct buf after = {0};
    uint32_t got = ITEMS_PAGE, looked = 0;
    for (; got == ITEMS_PAGE && looked < ITEMS_LOOKED_AT; looked += got) {
        struct item *page = arena_alloc(arena, ITEMS_PAGE, sizeof *page);
        got = store_items_after(agent->store, arena, folder, slice_text(""), buf_slice(&after),
                                looked == 0, ITEMS_PAGE, page);
        for (uint32_t i = 0; i < got; i++) {
            if (!is_touched(rules, &page[i])) continue;
            if (out.count++ < EXAMPLES)
                json_array_append_new(out.examples, json_bytes(page[i].path));
        }
        buf_clear(&after);
        if (got > 0) buf_append(&after, page[got - 1].path.data, page[got - 1].path.size);
        arena_reset(arena);
    }
    out.more = got == ITEMS_PAGE;
    return out;
}

// ---- the change

static bool parses(struct agent *agent, uint64_t request, const struct target *target,
                   struct slice text)
{
    struct ignore_fault fault;
    struct ignore *rules = ignore_parse(text, &fault);
    bool good = rules != NULL;
    ignore_destroy(&rules);
    if (!good)
        control_refuse(agent, request, REFUSE_NOT_POSSIBLE, "correct it by hand first",
                       "line %u of %s/%s %s", fault.line, target->folder->path,
                       disk_rules_file(target->local), fault.what);
    return good;
}

static bool target_write(struct agent *agent, uint64_t request, const struct target *target,
                         struct slice text)
{
    if (!parses(agent, request, target, text)) return false;
    enum err err = disk_rules_write(agent->workers.disk, target->number, target->local,
                                    buf_slice(&target->text), text);
    if (err != ERR_OK) {
        control_refuse(agent, request, err == ERR_CHANGED ? REFUSE_BUSY : REFUSE_FAILED, NULL,
                       "%s/%s %s", target->folder->path, disk_rules_file(target->local),
                       err == ERR_CHANGED ? "is being edited by somebody else" : err_text(err));
        return false;
    }
    // Whether it is watched or not.
    engine_watch(agent->engine, target->number, ENGINE_ROOT, slice_text(""));
    if (!target->local)
        engine_watch(agent->engine, target->number, ENGINE_WRITTEN,
                     slice_text(disk_rules_file(false)));
    return true;
}

// A rule is a line: nothing that is none, or that means nothing.
static const char *rule_fault(const char *rule)
{
    size_t size = strlen(rule);
    if (size == 0 || strspn(rule, " ") == size) return "is empty";
    if (strpbrk(rule, "\n\r") != NULL) return "has a line break";
    if (rule[0] == '#') return "begins with #, as a comment does; \\# is meant";
    return size > IGNORE_RULE_BYTES_MAX ? "is too long" : NULL;
}

static char **rules_asked(struct agent *agent, uint64_t request, const json_t *body,
                          uint32_t *out_count)
{
    char escaped[LOG_ESCAPED_MAX];
    char **rules = body_texts(agent, body, "rules", out_count);
    const char *fault = *out_count == 0 ? "is missing" : NULL;
    uint32_t i = 0;
    for (; i < *out_count && fault == NULL; i++)
        fault = rule_fault(rules[i]);
    if (fault == NULL) return rules;
    control_refuse(agent, request, REFUSE_BAD_VALUE, NULL, "the rule %s %s",
                   i > 0 ? log_escape(slice_text(rules[i - 1]), escaped) : "", fault);
    return NULL;
}

static json_t *answer_begin(const struct target *target)
{
    json_t *out = json_object();
    AUTO(buf_fini) struct buf file = {0};
    buf_printf(&file, "%s/%s", target->folder->path, disk_rules_file(target->local));
    json_object_set_new(out, "folder", json_bytes(slice_text(target->folder->name)));
    json_object_set_new(out, "file", json_bytes(buf_slice(&file)));
    return out;
}

static void answer_touched(struct agent *agent, uint64_t request, const struct target *target,
                           struct slice fresh, uint32_t added)
{
    struct ignore_fault fault;
    struct ignore *rules = ignore_parse(fresh, &fault);
    struct touched touched = touched_by(agent, target->number, rules);
    ignore_destroy(&rules);
    json_t *out = answer_begin(target);
    json_object_set_new(out, "added", json_integer(added));
    json_object_set_new(out, "touched", json_integer((json_int_t)touched.count));
    json_object_set_new(out, "touched_more", json_boolean(touched.more));
    json_object_set_new(out, "examples", touched.examples);
    control_answer(agent, request, out);
}

void control_ignore_add(struct agent *agent, uint64_t request, const json_t *body)
{
    uint32_t count, added = 0;
    AUTO(target_fini) struct target target = {0};
    AUTO(buf_fini) struct buf text = {0};
    AUTO(buf_fini) struct buf fresh = {0};
    char **rules = rules_asked(agent, request, body, &count);
    if (rules == NULL || !target_find(agent, request, body, &target) ||
        !target_read(agent, request, &target))
        return;
    struct slice before = buf_slice(&target.text);
    if (before.size > 0) buf_append(&text, before.data, before.size);
    if (before.size > 0 && before.data[before.size - 1] != '\n') buf_append_text(&text, "\n");
    for (uint32_t i = 0; i < count; i++) {
        if (decides(buf_slice(&text), line_rule(slice_text(rules[i])))) continue;
        buf_printf(&text, "%s\n", rules[i]);
        buf_printf(&fresh, "%s\n", rules[i]);
        added++;
    }
    if (added > 0 && !target_write(agent, request, &target, buf_slice(&text))) return;
    answer_touched(agent, request, &target, slice_text(buf_text(&fresh)), added);
}

void control_ignore_remove(struct agent *agent, uint64_t request, const json_t *body)
{
    uint32_t count, removed = 0;
    AUTO(target_fini) struct target target = {0};
    AUTO(buf_fini) struct buf text = {0};
    char **rules = rules_asked(agent, request, body, &count);
    if (rules == NULL || !target_find(agent, request, body, &target) ||
        !target_read(agent, request, &target))
        return;
    for (uint32_t i = 0; i < count; i++) {
        if (has_rule(buf_slice(&target.text), line_rule(slice_text(rules[i])))) continue;
        char escaped[LOG_ESCAPED_MAX];
        control_refuse(agent, request, REFUSE_NOT_POSSIBLE, "cfgsync-agent ignore list shows all",
                       "no line of %s/%s is %s", target.folder->path, disk_rules_file(target.local),
                       log_escape(slice_text(rules[i]), escaped));
        return;
    }
    struct slice line;
    for (size_t at = 0; line_next(buf_slice(&target.text), &at, &line);) {
        bool goes = false;
        for (uint32_t i = 0; i < count && !goes; i++)
            goes = slice_equal(line_rule(line), line_rule(slice_text(rules[i])));
        removed += goes;
        if (goes) continue;
        buf_append(&text, line.data, line.size);
        buf_append_text(&text, "\n");
    }
    if (!target_write(agent, request, &target, buf_slice(&text))) return;
    json_t *out = answer_begin(&target);
    json_object_set_new(out, "removed", json_integer(removed));
    control_answer(agent, request, out);
}

// ---- list

static void list_file(json_t *list, const struct target *target)
{
    struct slice line;
    uint32_t number = 0;
    for (size_t at = 0; line_next(buf_slice(&target->text), &at, &line);) {
        struct slice rule = line_rule(line);
        number++;
        if (rule.size == 0 || rule.data[0] == '#') continue;
        json_t *one = json_object();
        json_object_set_new(one, "folder", json_bytes(slice_text(target->folder->name)));
        json_object_set_new(one, "file", json_string(disk_rules_file(target->local)));
        json_object_set_new(one, "line", json_integer(number));
        json_object_set_new(one, "rule", json_bytes(rule));
        json_object_set_new(one, "local", json_boolean(target->local));
        json_array_append_new(list, one);
    }
}

void control_ignore_list(struct agent *agent, uint64_t request, const json_t *body)
{
    AUTO(json_drop) json_t *list = json_array();
    for (int local = 0; local < 2; local++) {
        AUTO(target_fini) struct target target = {0};
        if (!target_find(agent, request, body, &target)) return;
        target.local = local == 1;
        if (!target_read(agent, request, &target)) return;
        list_file(list, &target);
    }
    json_t *out = json_object();
    json_object_set(out, "rules", list);
    control_answer(agent, request, out);
}
