// SPDX-License-Identifier: MIT
//
// Files that are empty and were not: an editor that is half way through, or what a power cut left,
// which on some file systems is as many zeros as were saved.
#include "agent/core/index.h"
#include "agent/sync/age_priv.h"
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

static const int64_t WEEK_MS = INT64_C(7) * 24 * 3600 * 1000;

bool local_emptied(const struct item *item, const struct look *look)
{
    const struct local *local = &item->local;
    return look->value.kind == KIND_FILE && look->value.size == 0 && local->state != LOCAL_NONE &&
           local->version.value.kind == KIND_FILE && local->version.value.size > 0;
}

static bool zeroed(const struct item *item, const struct look *look)
{
    const struct local *local = &item->local;
    return look->value.kind == KIND_FILE && local->state != LOCAL_NONE &&
           local->version.value.kind == KIND_FILE && local->version.value.size > 0 &&
           !digest_equal(local->version.value.content, look->value.content) && look->zeros;
}

// What is blocked there counts as applied: it has said which items that are, or not of all.
static bool is_blocked_there(struct folder *folder, const struct bond *bond, struct slice path)
{
    struct msg_applied said;
    if (bond->blocked_total == 0) return false;
    if (!bond_blocked(folder->engine->scratch, bond, &said)) return true;
    return said.blocked_count < bond->blocked_total || applied_names(&said, path) != NULL;
}

static bool is_week_off(int64_t now_ms, int64_t seen_ms)
{
    return now_ms - seen_ms >= WEEK_MS || now_ms - seen_ms <= -WEEK_MS;
}

// Who was here may have taken it just before the cut, and said so too late. Clocks may have been
// years ahead.
static bool may_tell_yet(const struct folder *folder, const struct peer *peer,
                         const struct bond *bond)
{
    // The power may have taken the clock with it: he was here before that, or since.
    int64_t seen_ms = peer->last_seen_wall_ms;
    bool away = is_week_off(folder->engine->wall_ms, seen_ms) &&
                is_week_off(wall_unless_behind(folder->engine), seen_ms);
    if (!bond->joined || away) return false;
    const struct share *share = peer->in_use != NULL ? share_find(peer->in_use, folder) : NULL;
    if (share_paused_there(share)) return true;
    if (share == NULL || !share->offer_heard)
        return peer->in_use == NULL || !peer->in_use->folders_said;
    return !share->joined;
}

// A peer has it on its disk, or may have it, or it was kept here: it can be had again. A row of
// what is kept may have lost its file.
static bool held_elsewhere(struct folder *folder, struct slice path, const struct version *v,
                           bool kept_gone)
{
    const struct index_port *index = INDEX(folder);
    struct slice name;
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        const struct bond *bond = bond_get(folder, p->device); // also: when he was last here
        if (!folder_shared_with(folder, p->device)) continue;
        if (may_tell_yet(folder, p, bond)) return true;
        if (!dots_covered(v->dots, bond->a.v)) continue;
        if (!is_blocked_there(folder, bond, path)) return true;
    }
    const struct content content = value_content(&v->value);
    if (base_has(folder, &content)) return true;
    return !kept_gone && index->kept_by_content(index->self, folder->engine->scratch,
                                                folder->number, &content.id, &name);
}

// The same version: of the names that it has here one may have been superseded since.
static bool is_left_of(const struct version *head, const struct version *version)
{
    for (uint32_t i = 0; i < head->dots.count; i++) {
        if (!dots_contain(version->dots, head->dots.entries[i])) return false;
    }
    return true;
}

// All have been asked for what it was, and it is looked at again.
static bool has_stayed_empty(const struct item *item)
{
    bool is_head = false;
    for (uint32_t i = 0; i < item->head_count && !is_head; i++)
        is_head = is_left_of(&item->heads[i], &item->local.version);
    return is_head && item->local.state == LOCAL_DIRTY;
}

// After a power cut a file that was saved without a flush may be empty or hold zeros. Nothing is
// lost by putting back what it last was; much would be by telling everybody that it is empty.
bool local_emptied_by_crash(struct folder *folder, struct item *item, const struct look *look)
{
    char escaped[LOG_ESCAPED_MAX];
    bool crash = folder->after_crash || is_unsettled(folder, item->path, UNSETTLED_CRASH);
    if (!crash || (!local_emptied(item, look) && !zeroed(item, look))) return false;
    // Who is here may have more than its A says, where something before it is still to come.
    bool asks = !has_stayed_empty(item) && share_any_joined(folder);
    if (!asks && !held_elsewhere(folder, item->path, &item->local.version, false)) return false;
    log_warn(LOG_SYNC, "content lost in a crash, to be put back", "folder=%s path=\"%s\"",
             folder->name, log_escape(item->path, escaped));
    item->local.state = LOCAL_OBSOLETE;
    item->local.version.value = look->value;
    item->local.print = look->print;
    item->local.racy = false;
    item_save(folder, item, false, heads_live(item));
    return true;
}

// What it was before it was found so, if that is to be put back.
static const struct version *put_back(const struct item *item)
{
    const struct local *local = &item->local;
    const struct value *value = &local->version.value;
    if (local->state != LOCAL_OBSOLETE || value->kind != KIND_FILE) return NULL;
    for (uint32_t i = 0; i < item->head_count; i++) {
        const struct version *head = &item->heads[i];
        bool same = digest_equal(head->value.content, value->content);
        if (is_left_of(head, &local->version) && head->value.size > 0 && !same) return head;
    }
    return NULL;
}

bool emptied_wants(const struct item *item, struct content *out)
{
    const struct version *was = put_back(item);
    if (was != NULL) *out = value_content(&was->value);
    return was != NULL;
}

// Its user has removed what the power cut left of it. It is put back all the same, as long as
// somebody may have the content: what is gone is not what was saved.
bool local_emptied_gone(struct folder *folder, struct item *item)
{
    if (in_doubt(folder, item->path) || put_back(item) == NULL) return false;
    if (!item->local.print.present) return true;
    item->local.print = (struct fingerprint){0};
    item_save(folder, item, false, heads_live(item));
    work_again(folder);
    return true;
}

static void stays_empty(struct folder *folder, struct item *item, const struct version *was)
{
    char escaped[LOG_ESCAPED_MAX];
    item->local.state = LOCAL_DIRTY;
    item->local.version = *was;
    txn_begin(folder);
    item_save(folder, item, false, heads_live(item));
    if (txn_end(folder) != ERR_OK) return;
    log_warn(LOG_SYNC, "what it was cannot be put back", "folder=%s path=\"%s\"", folder->name,
             log_escape(item->path, escaped));
    dirty_mark(folder, item->path, 0, true);
}

static void review(struct folder *folder, struct item *item, bool kept_gone)
{
    const struct version *was = put_back(item);
    if (was != NULL && !held_elsewhere(folder, item->path, was, kept_gone))
        stays_empty(folder, item, was);
}

static void review_below(struct folder *folder, struct slice path, bool kept_gone)
{
    AUTO(item_walk_end) struct item_walk walk;
    item_walk_begin(&walk, folder, path);
    for (struct item *item; (item = item_walk_next(&walk)) != NULL;)
        review(folder, item, kept_gone);
}

// What was stored of it here may be spoilt, too, or be gone from where it was. Then the file is
// empty, or gone, and that is published, or everybody would want the content for ever. Where a file
// and what is below it clash, the contents below are wanted for the file's path.
void emptied_review(struct folder *folder, const struct slice *paths, uint32_t count,
                    bool kept_gone)
{
    const struct index_port *index = INDEX(folder);
    for (uint32_t i = 0; i < count; i++) {
        struct item item;
        index->item_get(index->self, folder->engine->scratch, folder->number, paths[i], &item);
        review(folder, &item, kept_gone);
        if (index->live_below(index->self, folder->number, paths[i]))
            review_below(folder, paths[i], kept_gone);
    }
}
