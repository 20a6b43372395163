// SPDX-License-Identifier: MIT
//
// After a start, or when a group of steps ended in doubt: is the index of the root's time
// (witness), and what does the journal say was under way.
#include <string.h>

#include "agent/sync/folder_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { JOURNAL_ROWS_MAX = 256, CHAINS_PAGE = 256 };

// Index and root must be of the same time: the root's witness is the one the index wrote last, or
// was about to.
bool witness_fits(const struct folder *folder, const struct job_health *health)
{
    static const uint8_t zero[16];
    bool none_written = memcmp(folder->row.witness_current, zero, sizeof zero) == 0;
    if (none_written && !health->has_witness) return true; // died before the first one was
    if (none_written && memcmp(folder->row.witness_next, zero, sizeof zero) == 0)
        return true; // a new index: nothing was written yet
    return health->has_witness &&
           (memcmp(health->witness, folder->row.witness_current, sizeof zero) == 0 ||
            memcmp(health->witness, folder->row.witness_next, sizeof zero) == 0);
}

// What was minted here was minted by another life, whose versions bind nobody's chain.
static void own_chains_end(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct slice after = {0};
    uint32_t got = CHAINS_PAGE;
    for (bool first = true; got == CHAINS_PAGE; first = false) {
        struct item *page = arena_alloc(folder->engine->scratch, CHAINS_PAGE, sizeof *page);
        got = index->items_after(index->self, folder->engine->scratch, folder->number,
                                 slice_of("", 0), after, first, CHAINS_PAGE, page);
        for (uint32_t i = 0; i < got; i++) {
            if (page[i].own_last == 0) continue;
            page[i].own_last = 0;
            index->item_put(index->self, folder->number, &page[i], false);
        }
        if (got > 0) after = page[got - 1].path;
    }
}

void renew_incarnation(struct folder *folder, const char *why)
{
    log_warn(LOG_SYNC, "new incarnation", "folder=%s why=\"%s\"", folder->name, why);
    txn_begin(folder);
    draw_incarnation(folder);
    own_chains_end(folder);
    INDEX(folder)->folder_put(INDEX(folder)->self, &folder->row);
    if (txn_end(folder) == ERR_OK) folder_reload(folder);
}

// What the root has now stays valid until the new one is written there, however often we die
// before.
void witness_write(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    txn_begin(folder);
    memcpy(folder->row.witness_current, folder->root_witness, sizeof folder->row.witness_current);
    folder->engine->o.keys.random(folder->row.witness_next, sizeof folder->row.witness_next);
    index->folder_put(index->self, &folder->row);
    if (txn_end(folder) != ERR_OK) return;
    struct job *job = job_new(JOB_HEALTH, folder->number);
    job->health.id = folder->row.id;
    job->health.set_witness = true;
    memcpy(job->health.witness_next, folder->row.witness_next, sizeof folder->row.witness_next);
    folder->health_out = true;
    submit(folder, job);
}

void witness_written(struct folder *folder)
{
    txn_begin(folder);
    memcpy(folder->row.witness_current, folder->row.witness_next, sizeof folder->row.witness_next);
    INDEX(folder)->folder_put(INDEX(folder)->self, &folder->row);
    if (txn_end(folder) != ERR_OK)
        log_warn(LOG_SYNC, "witness not noted", "folder=%s", folder->name);
}

void folder_recover(struct folder *folder)
{
    if (folder->root == ROOT_RECOVERING) {
        // Its row stays; the whole is tried again.
        folder_set_root_missing(folder, "the index cannot be written");
        return;
    }
    if (folder->root != ROOT_OK) return;
    folder->root = ROOT_CHECKING;
    scan_stop(folder);
    folder_check_root(folder);
}

static struct errand *errand_none(enum purpose purpose)
{
    struct errand *errand = mem_zalloc(1, sizeof *errand);
    errand->purpose = purpose;
    return errand;
}

static bool steps_under_way(const struct folder *folder)
{
    return folder->apply_jobs + folder->resolve_jobs + folder->recover_jobs > 0;
}

// Finishes or forgets what a crash interrupted; the last job cleans staging.
void recover_start(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    folder->root = ROOT_RECOVERING;
    // What is under way still has its row: it is not in doubt.
    folder->recover_wanted = steps_under_way(folder);
    if (folder->recover_wanted) return;
    struct journal_row *rows = arena_alloc(arena, JOURNAL_ROWS_MAX, sizeof *rows);
    uint32_t count =
        index->journal_list(index->self, arena, folder->number, JOURNAL_ROWS_MAX, rows);
    for (uint32_t i = 0; i <= count; i++) {
        struct job *job = job_new(JOB_RECOVER, folder->number);
        if (i < count) {
            struct slice record = arena_copy(job->arena, rows[i].record);
            if (index->journal_decode(job->arena, record, &job->apply) != ERR_OK) {
                log_error(LOG_SYNC, "journal row not readable", "folder=%s number=%llu",
                          folder->name, (unsigned long long)rows[i].number);
                job->apply.count = 0;
            }
            job->apply.journal = rows[i].number;
        }
        if (i == count && count > 0) {
            job_destroy(&job); // staging is cleaned when the rows are done
            break;
        }
        job->context = errand_none(FOR_APPLY);
        folder->recover_jobs++;
        submit(folder, job);
    }
}

void folder_recover_go_on(struct folder *folder)
{
    bool waits = folder->recover_wanted && folder->root == ROOT_RECOVERING;
    if (waits && !steps_under_way(folder)) recover_start(folder);
}

static void recovered(struct folder *folder)
{
    folder->root = ROOT_OK;
    folder->new_root = false;
    if (!folder->witness_checked) {
        folder->witness_checked = true;
        late_writes_since(folder);
        witness_write(folder);
    }
    folder_offer_all(folder);
    scan_start(folder);
    engine_changed(folder->engine);
}

void folder_recover_done(struct folder *folder, struct job *job)
{
    folder->recover_jobs--;
    if (folder->gone) return;
    if (job->apply.drop_kept_count > 0) {
        kept_dropped(folder, job);
        return;
    }
    if (job->apply.journal != 0 && job->err == ERR_OK) {
        if (job->apply.all_or_none) {
            resolve_done(folder, job);
        } else {
            apply_done(folder, job);
        }
    }
    if (folder->recover_jobs > 0 || folder->recover_wanted || folder->root != ROOT_RECOVERING)
        return;
    if (job->apply.journal != 0) {
        struct job *clean = job_new(JOB_RECOVER, folder->number);
        clean->context = errand_none(FOR_APPLY);
        folder->recover_jobs++;
        submit(folder, clean);
        return;
    }
    recovered(folder);
}
