// SPDX-License-Identifier: MIT
//
// What is left out changes while we run: the rules are read again when a file of them was looked at
// or put in place, nothing is published while that is under way, and then all is looked at again.
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { RULES_AGAIN_MS = 2100, RULES_FIRST_MS = 10 * 1000 };

static struct slice rules_path(void)
{
    return slice_text(RULES_FILE);
}

bool rules_is_file(struct slice path)
{
    return slice_equal(path, rules_path());
}

void rules_check(struct folder *folder)
{
    folder->rules_wanted = true;
    folder_check_root(folder);
}

bool rules_unsure(const struct folder *folder)
{
    const struct dirty *dirty = map_get(folder->dirty, rules_path());
    return folder->rules_wanted || (dirty != NULL && !dirty->awaits_content);
}

bool rules_settled(const struct folder *folder)
{
    return !folder->rules_wanted && folder->rules_again_ms == 0;
}

void rules_item_saved(struct folder *folder, const struct item *item)
{
    if (!rules_is_file(item->path)) return;
    folder->rules_need = item->need && item->blocked == BLOCKED_NONE;
    if (!folder->rules_need) folder->rules_first_ms = 0;
}

// Rules that came together with files they leave out are put in place before these. Not for ever:
// their content may be far away.
bool rules_come_first(struct folder *folder, struct slice path)
{
    int64_t now = folder->engine->now_ms;
    if (rules_is_file(path)) return false;
    if (folder->rules_wanted) return true;
    if (!folder->rules_need) return false;
    if (folder->rules_first_ms == 0) folder->rules_first_ms = now + RULES_FIRST_MS;
    if (now >= folder->rules_first_ms) return false;
    if (folder->wait_retry_ms == 0) folder->wait_retry_ms = folder->rules_first_ms;
    return true;
}

enum left_out left_out(const struct folder *folder, struct slice path, bool is_dir)
{
    const struct disk_port *disk = &folder->engine->o.disk;
    bool secret = false;
    if (disk->ignored(disk->self, folder->number, path, is_dir, &secret) == NULL)
        return LEFT_OUT_NOT;
    return secret ? LEFT_OUT_AS_SECRET : LEFT_OUT_BY_RULE;
}

static bool fault_equal(const struct rules_fault *a, const struct rules_fault *b)
{
    return a->file == b->file && a->line == b->line && a->what == b->what;
}

static void faults_take(struct folder *folder, const struct job_health *health)
{
    for (uint32_t i = 0; i < health->rules_fault_count; i++) {
        const struct rules_fault *fault = &health->rules_faults[i];
        bool known = i < folder->rules_fault_count && fault_equal(fault, &folder->rules_faults[i]);
        if (known) continue;
        log_warn(LOG_SYNC, "rules cannot be used", "folder=%s file=%s line=%u what=\"%s\"",
                 folder->name, fault->file, fault->line, fault->what);
        folder->rules_faults[i] = *fault;
        engine_changed(folder->engine);
    }
    if (folder->rules_fault_count != health->rules_fault_count) engine_changed(folder->engine);
    folder->rules_fault_count = health->rules_fault_count;
    if (folder->rules_fault_count > 0) problems_later(folder);
}

static void need_note(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct item item;
    index->item_get(index->self, folder->engine->scratch, folder->number, rules_path(), &item);
    rules_item_saved(folder, &item);
}

// What waited for the rules goes on; when they have changed, everything is looked at again.
static void go_on(struct folder *folder, bool changed)
{
    if (!folder_usable(folder)) return;
    if (changed) scan_start(folder);
    dirty_dispatch(folder);
    scan_continue(folder);
    work_again(folder);
}

void rules_read(struct folder *folder, const struct job *job)
{
    const struct job_health *health = &job->health;
    bool wanted = folder->rules_wanted;
    folder->rules_wanted = wanted && folder->health_wanted; // another look at them is to come
    folder->rules_again_ms = 0;
    if (job->err != ERR_OK) return;
    faults_take(folder, health);
    if (health->rules_again) folder->rules_again_ms = folder->engine->now_ms + RULES_AGAIN_MS;
    bool changed = health->rules_changed || folder->rules_left;
    folder->apply_stale |= changed;
    if (changed) {
        log_info(LOG_SYNC, "rules read", "folder=%s rules=%u", folder->name, health->rules_count);
        // What is still left out is blocked again when it is looked at.
        folder->rules_left = !unblock_all(folder, BLOCKED_IGNORED);
        if (folder->rules_left) folder->rules_again_ms = folder->engine->now_ms + INDEX_RETRY_MS;
        need_note(folder);
        engine_changed(folder->engine);
    }
    if (wanted || changed) go_on(folder, changed);
}

void rules_tick(struct folder *folder)
{
    if (folder->rules_again_ms == 0 || folder->engine->now_ms < folder->rules_again_ms) return;
    folder->rules_again_ms = 0;
    rules_check(folder);
}
