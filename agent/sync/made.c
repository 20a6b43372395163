// SPDX-License-Identifier: MIT
//
// Directories that steps make on the way to their paths are nobody's. They are noted with the end
// that is known of them; where nothing is known of them yet, or only what lives there by now, they
// are remembered here, or they would pass for somebody's: the path's own step then takes them for
// what it has to replace. Those that are there are in the index, too, noted with what was made in
// them; those that a step under way may make are told again by its recovery.
#include "agent/sync/awaited_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { MADE_PERHAPS = 1 << 16, MADE_MODE = 0755, MODE_BYTES = 2, RECORD_BYTES_MAX = 1 << 16 };

static bool is_settled(const struct item *item)
{
    return item_local_live(item) && item->head_count == 1 &&
           dots_equal(item->local.version.dots, item->heads[0].dots) && !local_implied(item);
}

static void *value_of(uint32_t what)
{
    return (void *)(uintptr_t)(what + 1);
}

static void note(struct folder *folder, struct slice path, uint32_t what)
{
    void *was = map_put(folder->made, path, value_of(what));
    if (was == value_of(what)) return;
    folder->made_unsaved |= what != MADE_PERHAPS || (was != NULL && was != value_of(MADE_PERHAPS));
}

// ---- in the index: of each its mode in two bytes and its path; of very many only some, since all
// is written again with each change

void made_write(struct folder *folder)
{
    AUTO(buf_fini) struct buf record = {0};
    size_t at = 0;
    struct slice path;
    void *value;
    if (!folder->made_unsaved) return;
    while (record.size < RECORD_BYTES_MAX && map_next(folder->made, &at, &path, &value)) {
        uint32_t mode;
        if (!made_here(folder, path, &mode)) continue;
        const uint8_t bytes[MODE_BYTES] = {(uint8_t)(mode >> 8), (uint8_t)mode};
        record_add(&record, slice_of(bytes, sizeof bytes), path);
    }
    record_put(folder, "made", buf_slice(&record));
}

void made_written(struct folder *folder)
{
    folder->made_unsaved = false;
}

void made_load(struct folder *folder)
{
    struct slice rest, mode, path;
    if (!record_get(folder, "made", &rest)) return;
    while (record_next(&rest, MODE_BYTES, &mode, &path))
        note(folder, path, (uint32_t)(mode.data[0] << 8 | mode.data[1]) & 07777);
    folder->made_unsaved = false;
}

// What has gone while nobody looked.
void made_look_all(struct folder *folder)
{
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(folder->made, &at, &path, &value))
        dirty_mark(folder, path, 0, true);
}

// ---- when steps run

// Before a step, and for one that may have been cut off.
void made_perhaps(struct folder *folder, struct slice path)
{
    const struct index_port *index = INDEX(folder);
    for (struct slice p = path_parent(path); p.size > 0; p = path_parent(p)) {
        struct item item;
        index->item_get(index->self, folder->engine->scratch, folder->number, p, &item);
        if (is_settled(&item)) return;
        if (!item_local_live(&item) && map_get(folder->made, p) == NULL)
            note(folder, p, MADE_PERHAPS);
    }
}

// After a step that did not happen: are they there?
void made_look(struct folder *folder, struct slice path)
{
    if (map_count(folder->made) == 0) return;
    for (struct slice p = path_parent(path); p.size > 0; p = path_parent(p)) {
        if (map_get(folder->made, p) != NULL) dirty_mark(folder, p, 0, true);
    }
}

void made_forget(struct folder *folder, struct slice path)
{
    if (map_count(folder->made) == 0) return;
    void *was = map_remove(folder->made, path);
    folder->made_unsaved |= was != NULL && was != value_of(MADE_PERHAPS);
}

// The step that makes it on its way may not be there yet.
void made_gone(struct folder *folder, struct slice path)
{
    if (map_get(folder->made, path) == NULL) return;
    if (local_step_below(folder, path))
        note(folder, path, MADE_PERHAPS);
    else
        made_forget(folder, path);
}

// It is what everyone has by now: the step of its own that it does not need would have been noted.
void made_becomes_head(struct folder *folder, const struct item *item)
{
    if (item_local_live(item) || map_get(folder->made, item->path) == NULL) return;
    kept_note_made(folder, item->path, &item->heads[0]);
}

bool made_here(const struct folder *folder, struct slice path, uint32_t *out_mode)
{
    uintptr_t what = (uintptr_t)map_get(folder->made, path);
    if (what == 0 || what - 1 == MADE_PERHAPS) return false;
    *out_mode = (uint32_t)(what - 1) & 07777;
    return true;
}

static bool holds_something(struct folder *folder, struct slice path)
{
    const struct index_port *index = INDEX(folder);
    return index->live_below(index->self, folder->number, path) ||
           index->local_below(index->self, folder->number, path);
}

// What it was made for has ended, and nobody knows of it: it is whose disk it is on.
static bool is_left_over(struct folder *folder, struct slice path)
{
    return !holds_something(folder, path) && !more_may_come(folder);
}

// What lived in it has ended here, and of its own end nothing is known, or no longer: it goes, too.
bool made_is_left(struct folder *folder, const struct item *item)
{
    uint32_t mode;
    // Where conflict items are is no item, and stays.
    return item->head_count == 0 && item->local.state == LOCAL_NONE &&
           made_here(folder, item->path, &mode) && path_fault(item->path) == NULL &&
           !holds_something(folder, item->path);
}

void made_left_above(struct folder *folder, struct slice path)
{
    struct item item;
    struct slice parent = path_parent(path);
    if (map_count(folder->made) == 0 || parent.size == 0) return;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, parent,
                            &item);
    if (made_is_left(folder, &item)) apply_add(folder, parent);
}

// True: the directory is there and nobody's.
bool made_found(struct folder *folder, struct item *item, uint32_t mode)
{
    if (item_local_live(item) || map_get(folder->made, item->path) == NULL) return false;
    bool ended = item->head_count == 1 && !version_live(&item->heads[0]);
    bool applied = item->local.state != LOCAL_NONE;
    if (made_is_left(folder, item)) {
        note(folder, item->path, mode & 07777); // the step looks for what is there
        apply_add(folder, item->path);
        return true;
    }
    if (item->head_count == 0 && !applied && is_left_over(folder, item->path)) {
        made_forget(folder, item->path);
        return false;
    }
    // An end that another life has forgotten is nothing to go by: who bears it takes no version.
    bool known = applied && item->local.state != LOCAL_OBSOLETE;
    if (ended || known) {
        struct version tomb = ended ? item->heads[0] : item->local.version;
        local_implied_now(folder, item, &tomb, mode);
    } else {
        note(folder, item->path, mode & 07777);
    }
    if (item->need) work_again(folder);
    return true;
}

// An end of its path was made here, without a step: the directory is that end's to remove.
void made_ended(struct folder *folder, struct item *item)
{
    uint32_t mode;
    if (item_local_shown(item) || !made_here(folder, item->path, &mode)) return;
    struct version tomb = item->local.version;
    local_implied_now(folder, item, &tomb, mode);
}

// By a process before this one, as far as is known.
void made_before(struct folder *folder, struct item *item, uint32_t mode)
{
    if (map_get(folder->made, item->path) == NULL) note(folder, item->path, MADE_PERHAPS);
    (void)made_found(folder, item, mode);
}

// What was created here has all its directories now.
void made_parents(struct folder *folder, struct slice path)
{
    const struct index_port *index = INDEX(folder);
    dirty_found_below(folder, path);
    for (struct slice p = path_parent(path); p.size > 0; p = path_parent(p)) {
        struct item item;
        index->item_get(index->self, folder->engine->scratch, folder->number, p, &item);
        // Above what is live here a leaf may have ended since the step began.
        if (is_settled(&item)) return;
        if (item_local_live(&item)) continue;
        uint32_t mode; // it may have been there before, and seen
        if (!made_here(folder, p, &mode)) mode = MADE_MODE;
        if (map_get(folder->made, p) == NULL) note(folder, p, MADE_PERHAPS);
        dirty_overtake(folder, p);
        (void)made_found(folder, &item, mode);
    }
}
