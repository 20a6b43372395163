// SPDX-License-Identifier: MIT
//
// Directories that steps make on the way to their paths are nobody's. They are noted with the end
// that is known of them; where nothing is known of them yet, or only what lives there by now, they
// are remembered here, or they would pass for somebody's: the path's own step then takes them for
// what it has to replace. What is remembered is lost with the process; recovery tells it again.
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { MADE_PERHAPS = 1 << 16, MADE_MODE = 0755 };

static bool is_settled(const struct item *item)
{
    return item_local_live(item) && item->head_count == 1 &&
           dots_equal(item->local.version.dots, item->heads[0].dots) && !local_implied(item);
}

static void note(struct folder *folder, struct slice path, uint32_t what)
{
    (void)map_put(folder->made, path, (void *)(uintptr_t)(what + 1));
}

// Before the step, and for one that may have been cut off.
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
    if (map_count(folder->made) > 0) (void)map_remove(folder->made, path);
}

bool made_here(const struct folder *folder, struct slice path, uint32_t *out_mode)
{
    uintptr_t what = (uintptr_t)map_get(folder->made, path);
    *out_mode = (uint32_t)(what - 1) & 07777;
    return what != 0 && what - 1 != MADE_PERHAPS;
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
        apply_add(folder, item->path);
        return true;
    }
    if (item->head_count == 0 && !applied && is_left_over(folder, item->path)) {
        made_forget(folder, item->path);
        return false;
    }
    if (ended || applied) {
        struct version tomb = ended ? item->heads[0] : item->local.version;
        local_implied_now(folder, item, &tomb, mode & 0777);
    } else {
        note(folder, item->path, mode & 07777);
    }
    if (item->need) work_again(folder);
    return true;
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
    for (struct slice p = path_parent(path); p.size > 0; p = path_parent(p)) {
        struct item item;
        index->item_get(index->self, folder->engine->scratch, folder->number, p, &item);
        // Above what is live here a leaf may have ended since the step began.
        if (is_settled(&item)) return;
        if (item_local_live(&item)) continue;
        if (map_get(folder->made, p) == NULL) note(folder, p, MADE_PERHAPS);
        dirty_overtake(folder, p);
        (void)made_found(folder, &item, MADE_MODE);
    }
}
