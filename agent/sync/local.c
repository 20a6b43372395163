// SPDX-License-Identifier: MIT
//
// The local change rule: what a look at the disk means for the index. A local edit descends from
// what was on this disk, never from what is merely known.
#include <string.h>

#include "agent/base/planted.h"
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum {
    BELOW_PAGE = 256,
    PARENT_WAIT_MS = 10,
    PARENT_WAITS_MAX = 20,
    WRITER_WAITS_MAX = 5, // a log is published, too
    WRITER_QUIET_MS = 100,
    STEP_WAIT_MS = 20,
    BELOW_WAIT_MS = 20,
};

static struct vv context_of(const struct item *item)
{
    bool known = item->local.state != LOCAL_NONE && !version_is_of_nothing(&item->local.version);
    return known ? item->local.version.vv : (struct vv){0};
}

static struct version version_from_disk(const struct folder *folder, const struct item *item,
                                        const struct value *value, const struct fingerprint *print)
{
    struct version v = {.value = *value, .mtime_ns = print->mtime_ns};
    int64_t mtime_ms = print->mtime_ns / 1000000;
    int64_t wall = mtime_ms > folder->verified_wall_ms ? mtime_ms : folder->verified_wall_ms;
    v.birth.wall_ms = wall < folder->engine->wall_ms ? wall : folder->engine->wall_ms;
    if (item_local_live(item)) {
        v.has_parent = item->local.version.value.kind != KIND_DIR;
        v.parent = item->local.version.value.content;
        v.parent_mode = item->local.version.value.mode;
    }
    // What the first scan finds; an edit of what it has found to be everyone's is an edit.
    const struct local *local = &item->local;
    bool found = local->state == LOCAL_NONE || (local->version.flags & VERSION_FIRST) != 0;
    bool now = !folder->row.scanned || is_unsettled(folder, item->path, UNSETTLED_FIRST);
    if (folder->row.first && now && found) v.flags |= VERSION_FIRST;
    if (path_is_conflict_item(item->path)) v.origin = item->local.version.origin;
    return v;
}

bool local_left_out(struct folder *folder, const struct item *item, bool is_dir)
{
    enum left_out verdict = left_out(folder, item->path, is_dir);
    // What is synced already is never held for looking like a secret.
    return verdict == LEFT_OUT_BY_RULE || (verdict == LEFT_OUT_AS_SECRET && item->head_count == 0);
}

// A rule leaves out what was synced: what the disk shows counts for nothing any more, neither an
// edit nor that it is gone. Should the rule go, it is compared with what is known then.
static void leave_out(struct folder *folder, struct item *item)
{
    if (!item_local_live(item) || item->local.state == LOCAL_OBSOLETE) return;
    item->local.state = LOCAL_OBSOLETE;
    item_save(folder, item, false, heads_live(item));
    base_doubt(folder, &item->local.version.value);
}

static void mint_found(struct folder *folder, struct item *item, const struct version *found,
                       const struct fingerprint *print)
{
    const struct item was = *item;
    if (mode_keeps(folder, item, found, print)) return;
    if (!item_mint(folder, item, found, context_of(item), print, (struct dots){0})) return;
    const struct dot dot = {.inc = folder->row.inc, .counter = item->own_last};
    if (item_local_live(&was)) base_replaced(folder, &was, &found->value, dot);
}

// `counted`: with others, by whoever calls.
static void gone(struct folder *folder, struct item *item, bool counted)
{
    if (!item_local_live(item)) return;
    if (local_left_out(folder, item, item->local.version.value.kind == KIND_DIR)) {
        leave_out(folder, item);
        return;
    }
    bool doubt = in_doubt(folder, item->path);
    if (!doubt && local_implied(item)) {
        item->local.version = item->heads[0];
        item_save(folder, item, false, false);
        return;
    }
    if (local_emptied_gone(folder, item)) return;
    if (doubt || item->local.state == LOCAL_OBSOLETE) {
        // What was minted here for the path must stay covered, or it takes no version any more.
        item->local.state = item->own_last == 0 ? LOCAL_NONE : LOCAL_OBSOLETE;
        item->local.version.value = (struct value){.kind = KIND_TOMB};
        item->local.print = (struct fingerprint){0};
        item_save(folder, item, false, heads_live(item));
        work_again(folder);
        return;
    }
    if (!counted && brake_gone(folder, item)) return;
    struct value tomb = {.kind = KIND_TOMB};
    struct fingerprint absent = {0};
    struct version v = version_from_disk(folder, item, &tomb, &absent);
    v.birth.wall_ms = folder->engine->wall_ms;
    v.flags = 0;
    mint_found(folder, item, &v, &absent);
}

// A path that is no directory any more proves that all that was below it is gone; children first.
static void gone_below(struct folder *folder, struct slice path)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct item **found = NULL;
    size_t count = 0, capacity = 0;
    struct slice after = path;
    for (;;) {
        struct item *page = arena_alloc(arena, BELOW_PAGE, sizeof *page);
        uint32_t got = index->items_after(index->self, arena, folder->number, path, after, false,
                                          BELOW_PAGE, page);
        for (uint32_t i = 0; i < got; i++) {
            if (count == capacity) {
                capacity = capacity == 0 ? 64 : 2 * capacity;
                found = mem_realloc(found, capacity * sizeof(struct item *));
            }
            found[count++] = &page[i];
        }
        if (got < BELOW_PAGE) break;
        after = page[got - 1].path;
    }
    while (count-- > 0)
        gone(folder, found[count], true);
    mem_free(&found);
}

// The end of a file above: its path is a directory now, or there would be nothing below it.
static void gone_above(struct folder *folder, struct slice path)
{
    const struct index_port *index = INDEX(folder);
    for (struct slice p = path_parent(path); p.size > 0; p = path_parent(p)) {
        struct item item;
        index->item_get(index->self, folder->engine->scratch, folder->number, p, &item);
        if (!item_local_live(&item)) continue; // what ended there says nothing of what is above
        if (item.local.version.value.kind == KIND_DIR || mode_has_as(folder, p, KIND_DIR)) return;
        gone(folder, &item, true);
        dirty_mark(folder, p, 0, true); // a leaf may have come there since this look
        return;
    }
}

// A lost index finds what everyone has: no dot is drawn for it.
static bool is_the_head(const struct item *item, const struct value *value)
{
    return item->head_count == 1 && value_equal(&item->heads[0].value, value) &&
           vv_le(context_of(item), item->heads[0].vv);
}

// It was left out, and is what everyone has.
static bool is_back(const struct item *item, const struct value *value)
{
    return item->local.state == LOCAL_OBSOLETE && is_the_head(item, value);
}

static void become_head(struct folder *folder, struct item *item, const struct fingerprint *print)
{
    item->local.state = LOCAL_OK;
    item->local.version = item->heads[0];
    item->local.print = *print;
    item_save(folder, item, false, heads_live(item));
}

static bool is_implied(struct folder *folder, const struct item *item)
{
    if (item_local_live(item) || item->head_count > 1) return false;
    if (item->head_count == 1 && version_live(&item->heads[0])) return false;
    return INDEX(folder)->live_below(INDEX(folder)->self, folder->number, item->path);
}

// Known as something else and never seen here, over items that are: it was made on the way to them.
static bool is_on_the_way(struct folder *folder, const struct item *item)
{
    return item->head_count > 0 && item->local.state == LOCAL_NONE &&
           local_below(folder, item->path, BELOW_ANY);
}

void local_implied_now(struct folder *folder, struct item *item, const struct version *tomb,
                       uint32_t mode)
{
    mode &= 0777; // what a step made on its way may have set-id bits; no version has
    item->local.state = LOCAL_OK;
    item->local.version = *tomb;
    item->local.version.value = (struct value){.kind = KIND_DIR, .mode = mode};
    item->local.print = (struct fingerprint){.present = true, .kind = KIND_DIR, .mode = mode};
    item->local.racy = false;
    item_save(folder, item, false, false);
}

// Where the disk has no permissions those that are known stay.
static uint32_t mode_of(const struct folder *folder, const struct item *item, enum kind kind,
                        uint32_t mode)
{
    if (!folder->modeless) return mode & 0777;
    if (item_local_live(item) && item->local.version.value.kind == kind)
        return item->local.version.value.mode;
    if (item->head_count > 0 && item->heads[0].value.kind == kind) return item->heads[0].value.mode;
    return kind == KIND_DIR ? 0755 : 0644;
}

void local_directory(struct folder *folder, struct item *item, const struct fingerprint *print)
{
    struct value value = {.kind = KIND_DIR};
    value.mode = mode_of(folder, item, KIND_DIR, print->mode);
    if (is_back(item, &value)) {
        become_head(folder, item, print);
        return;
    }
    if (item_local_live(item) && value_equal(&item->local.version.value, &value)) {
        bool stale = item->local.state == LOCAL_DIRTY || item->local.print.ino != print->ino ||
                     item->local.print.device != print->device ||
                     item->local.print.mode != print->mode;
        if (!stale) return;
        item->local.print = *print;
        if (item->local.state == LOCAL_DIRTY) item->local.state = LOCAL_OK;
        item_save(folder, item, false, heads_live(item));
        return;
    }
    // Nobody's directory has nobody's mode: a step that failed half way may have left it another.
    if (item_local_live(item) && local_implied(item)) {
        local_implied_now(folder, item, &item->heads[0], value.mode);
        return;
    }
    if (is_the_head(item, &value)) {
        made_becomes_head(folder, item);
        become_head(folder, item, print);
        return;
    }
    if (made_found(folder, item, print->mode)) return;
    if (is_implied(folder, item) || is_on_the_way(folder, item)) {
        made_before(folder, item, print->mode);
        return;
    }
    gone_above(folder, item->path);
    struct version v = version_from_disk(folder, item, &value, print);
    mint_found(folder, item, &v, print);
}

static void remember_content(struct folder *folder, const struct look *look)
{
    const struct index_port *index = INDEX(folder);
    if (look->value.kind != KIND_FILE) return;
    struct content content = value_content(&look->value);
    if (look->leaf_count > 0) {
        index->leaves_put(index->self, folder->number, &content, look->leaves, look->leaf_count);
    }
    if (look->bytes.size > 0) ride_remember(folder, look);
}

static void same_value(struct folder *folder, struct item *item, const struct look *look)
{
    item->local.print = look->print;
    item->local.racy = look->racy;
    item->local.disk_name = look->disk_name;
    if (item->local.state == LOCAL_DIRTY) item->local.state = LOCAL_OK;
    item_save(folder, item, false, heads_live(item));
}

// An editor that truncates and writes again must not be caught in between.
static bool wait_for_content(struct folder *folder, const struct item *item,
                             const struct look *look, struct dirty *dirty)
{
    if (!local_emptied(item, look) || dirty->now) return false;
    int64_t now = folder->engine->now_ms;
    if (dirty->empty_since_ms == 0) dirty->empty_since_ms = now;
    if (now - dirty->empty_since_ms >= EMPTY_WAIT_MS) return false;
    dirty->due_ms = dirty->empty_since_ms + EMPTY_WAIT_MS;
    dirty->awaits_content = !dirty->again;
    return true;
}

// A program has begun to write the file anew while it was looked at: what was read may be half of
// that, also if it has been closed since.
static bool wait_for_writer(struct folder *folder, struct dirty *dirty)
{
    if (!dirty->written || dirty->now || dirty->writer_waits >= WRITER_WAITS_MAX) return false;
    dirty->writer_waits++;
    dirty->due_ms = folder->engine->now_ms + WRITER_QUIET_MS;
    return true;
}

// A directory is published before what is in it, so that it is somebody's version and does not
// vanish with its last child.
static bool wait_for_parent(struct folder *folder, struct slice path, struct dirty *dirty)
{
    struct slice parent = path_parent(path);
    if (parent.size == 0 || dirty->parent_waits >= PARENT_WAITS_MAX) return false;
    struct item item;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, parent,
                            &item);
    bool known = item_local_live(&item) && item.local.version.value.kind == KIND_DIR;
    if (known || mode_has_as(folder, parent, KIND_DIR) || is_implied(folder, &item)) return false;
    dirty_mark(folder, parent, 0, false);
    dirty->parent_waits++;
    dirty->due_ms = folder->engine->now_ms + PARENT_WAIT_MS;
    return true;
}

// What a change of type proves of paths above and below it waits for the steps that they have under
// way: a version minted for one of them would be overwritten by what its step did.
static bool wait_for_steps(struct folder *folder, const struct item *item, struct dirty *dirty)
{
    if (!local_step_above(folder, item->path) && !local_step_below(folder, item->path))
        return false;
    if (PLANTED(type_change_during_step)) return false;
    dirty->due_ms = folder->engine->now_ms + STEP_WAIT_MS;
    return true;
}

// A directory that forbids writing is opened for the moment of a step in it.
static bool is_open_for_step(const struct item *item, const struct value *found)
{
    uint32_t mode = item->local.version.value.mode;
    return (mode & 0300) != 0300 && found->mode == (mode | 0300);
}

static enum look_verdict look_value(struct folder *folder, struct item *item,
                                    const struct look *look, struct dirty *dirty)
{
    if (look->value.kind == KIND_DIR) {
        bool apart = !item_local_live(item) || is_open_for_step(item, &look->value);
        if (apart && wait_for_steps(folder, item, dirty)) return LOOK_AGAIN_LATER;
        bool was_leaf = item_local_live(item) && item->local.version.value.kind != KIND_DIR;
        local_directory(folder, item, &look->print);
        // A look that was overtaken by the change of type may have ended what had come into it.
        if (was_leaf && !dirty->known_dir) scan_tree(folder, item->path);
        return LOOK_SETTLED;
    }
    if (!is_back(item, &look->value) && item->local.state != LOCAL_NONE &&
        value_equal(&item->local.version.value, &look->value)) {
        same_value(folder, item, look);
        return LOOK_SETTLED;
    }
    if (local_emptied_by_crash(folder, item, look)) return LOOK_SETTLED;
    if (wait_for_writer(folder, dirty)) return LOOK_AGAIN_LATER;
    if (wait_for_content(folder, item, look, dirty)) return LOOK_AGAIN_LATER;
    if (is_the_head(item, &look->value)) {
        remember_content(folder, look);
        item->local.racy = look->racy;
        item->local.disk_name = look->disk_name;
        become_head(folder, item, &look->print);
        return LOOK_SETTLED;
    }
    if (wait_for_steps(folder, item, dirty)) return LOOK_AGAIN_LATER;
    // What this life has published of the path came after whatever root there was.
    bool older = item->own_last == 0 && doubt_older(folder, item, &look->print);
    // Also where the directory was only implied by what was in it.
    if (INDEX(folder)->local_below(INDEX(folder)->self, folder->number, item->path)) {
        if (brake_below(folder, look)) return LOOK_SETTLED;
        gone_below(folder, item->path);
    } else if (!older && brake_changed(folder, item, look)) {
        return LOOK_SETTLED;
    }
    gone_above(folder, item->path);
    remember_content(folder, look);
    if (older) item->local.state = LOCAL_NONE;
    struct version v = version_from_disk(folder, item, &look->value, &look->print);
    item->local.racy = look->racy;
    item->local.disk_name = look->disk_name;
    mint_found(folder, item, &v, &look->print);
    dirty_note_published(folder, item->path, look->hash_ms);
    if (look->print.links > 1) links_look(folder);
    return LOOK_SETTLED;
}

static enum look_verdict look_gone(struct folder *folder, struct item *item, struct dirty *dirty)
{
    const struct index_port *index = INDEX(folder);
    made_gone(folder, item->path);
    local_gone_below(folder, item->path);
    if (!item_local_live(item) && item->blocked == BLOCKED_IN_THE_WAY) {
        item->blocked = BLOCKED_NONE;
        index->item_put(index->self, folder->number, item, false);
    }
    // Nothing is there, and nothing should be: what made it doubtful is over.
    if (!item_local_live(item)) {
        // A directory that was nobody's may have gone with what was in it.
        if (local_below(folder, item->path, BELOW_ANY)) scan_tree(folder, item->path);
        if (item->local.state != LOCAL_DIRTY) return LOOK_SETTLED;
        item->local.state = LOCAL_OK;
        item_save(folder, item, false, heads_live(item));
        return LOOK_SETTLED;
    }
    // A leaf may have been a directory for a while, into which something came before anybody
    // looked.
    if (item->local.version.value.kind == KIND_DIR ||
        index->local_below(index->self, folder->number, item->path)) {
        if (brake_gone_with(folder, item->path)) return LOOK_SETTLED;
        if (local_below(folder, item->path, BELOW_UNMARKED)) {
            scan_tree(folder, item->path); // which marks it again
            return LOOK_SETTLED;
        }
        if (local_below(folder, item->path, BELOW_ANY)) {
            dirty->due_ms = folder->engine->now_ms + BELOW_WAIT_MS;
            return LOOK_AGAIN_LATER;
        }
    }
    gone(folder, item, false);
    return LOOK_SETTLED;
}

// Where a rename leaves no trace in the fingerprint.
static void follow_name(struct folder *folder, struct item *item, const struct look *look)
{
    if (!item_local_live(item) || slice_equal(item->local.disk_name, look->disk_name)) return;
    item->local.disk_name = look->disk_name;
    item_save(folder, item, false, heads_live(item));
}

static void look_same(struct folder *folder, struct item *item, const struct look *look)
{
    bool is_dir = look->print.present && look->print.kind == KIND_DIR;
    if (local_left_out(folder, item, is_dir))
        leave_out(folder, item);
    else if (is_dir)
        local_directory(folder, item, &look->print);
    else if (is_back(item, &item->local.version.value))
        become_head(folder, item, &look->print);
    else
        follow_name(folder, item, look);
}

// A directory that is not in the index as it is here is looked at after each walk: were what is in
// it walked after each such look, too, they would go on for ever. It is tried again in a while.
static void look_is_well(struct folder *folder, const struct item *item, bool is_dir,
                         const struct dirty *dirty)
{
    bool known = item->local.state == LOCAL_OK && !dirty->unpublished;
    if ((!is_dir || known) && !dirty->unread) problem_clear(folder, item->path, is_dir);
}

static enum look_verdict judge(struct folder *folder, struct look *look, struct dirty *dirty)
{
    const struct index_port *index = INDEX(folder);
    struct item item;
    index->item_get(index->self, folder->engine->scratch, folder->number, look->path, &item);
    if (look->result == LOOK_VALUE && look->value.kind == KIND_FILE)
        look->value.mode = mode_of(folder, &item, KIND_FILE, look->value.mode);
    switch (look->result) {
    case LOOK_SAME:
        look_is_well(folder, &item, look->print.kind == KIND_DIR, dirty);
        look_same(folder, &item, look);
        return LOOK_SETTLED;
    case LOOK_VALUE:
        look_is_well(folder, &item, look->value.kind == KIND_DIR, dirty);
        if (local_left_out(folder, &item, look->value.kind == KIND_DIR)) {
            leave_out(folder, &item);
            return LOOK_SETTLED;
        }
        if (wait_for_parent(folder, look->path, dirty)) return LOOK_AGAIN_LATER;
        return look_value(folder, &item, look, dirty);
    case LOOK_GONE:
        look_is_well(folder, &item, false, dirty);
        if (look->other.size > 0) dirty_mark(folder, look->other, 0, false);
        return look_gone(folder, &item, dirty);
    case LOOK_MOVING:
        if (dirty_moved(folder, dirty))
            problem_note(folder, look->path, ERR_BUSY, "changes while it is read");
        return LOOK_AGAIN_LATER;
    case LOOK_LARGE:
        dirty->due_ms = folder->engine->now_ms + dirty->again_delay_ms;
        return LOOK_AGAIN_LATER;
    case LOOK_PROBLEM:
        problem_note(folder, look->path, look->err,
                     look->what != NULL ? look->what : err_text(look->err));
        unsettled_unread(folder, look->path);
        // In doubt it stays dirty, and the next step waits for a look that says something.
        if (item.local.state != LOCAL_DIRTY) return LOOK_SETTLED;
        dirty->due_ms = folder->engine->now_ms + BLOCKED_RETRY_MS;
        return LOOK_AGAIN_LATER;
    }
    return LOOK_SETTLED;
}

enum look_verdict local_look(struct folder *folder, struct look *look, struct dirty *dirty)
{
    if (map_get(folder->busy, look->path) != NULL && !PLANTED(look_during_step)) {
        dirty->due_ms = folder->engine->now_ms + 20;
        return LOOK_AGAIN_LATER;
    }
    bool was_held = brake_look_begin(folder, look->path);
    dirty->known_dir = mode_has_as(folder, look->path, KIND_DIR);
    bool was_changed = mode_leave(folder, look->path);
    dirty->unpublished |= was_held || was_changed;
    enum look_verdict verdict = judge(folder, look, dirty);
    brake_look_end(folder, look->path, verdict);
    // Also when the transaction of the look before failed.
    if (dirty->unpublished) mode_looked(folder, look->path);
    return verdict;
}
