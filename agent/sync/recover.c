// SPDX-License-Identifier: MIT
//
// After a start, or when a group of steps ended in doubt: is the index of the root's time
// (witness), and what does the journal say was under way.
#include <string.h>

#include "agent/base/planted.h"
#include "agent/sync/folder_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { JOURNAL_ROWS_MAX = 256 };

static const uint8_t NO_WITNESS[16];

static bool is_ours(const struct folder *folder, const uint8_t witness[16])
{
    return memcmp(witness, folder->row.witness_current, 16) == 0 ||
           memcmp(witness, folder->row.witness_next, 16) == 0;
}

// Index and root must be of the same time: the root's witness, and its twin beside the index, are
// the one the index wrote last, or was about to.
bool witness_fits(const struct folder *folder, const struct job_health *health)
{
    if (PLANTED(dots_reused) || PLANTED(witness_not_checked)) return true;
    const struct witness_answered *answered = &folder->witness_answered;
    if (answered->is && answered->had == health->has_witness && answered->twin == health->twin &&
        memcmp(answered->witness, health->witness, sizeof answered->witness) == 0)
        return true;
    // A new index: nothing was surely written yet.
    if (memcmp(folder->row.witness_current, NO_WITNESS, sizeof NO_WITNESS) == 0) return true;
    if (!health->has_witness || !is_ours(folder, health->witness)) return false;
    return health->twin == TWIN_NONE ||
           (health->twin == TWIN_THERE && is_ours(folder, health->twin_witness));
}

// With a new life: recovery, after which a new witness is written, may take more than one try.
void witness_answer(struct folder *folder, const struct job_health *health)
{
    folder->witness_answered =
        (struct witness_answered){.is = true, .had = health->has_witness, .twin = health->twin};
    memcpy(folder->witness_answered.witness, health->witness, sizeof health->witness);
}

// One that was drawn and perhaps not written everywhere is written first: until then the one of
// before is valid, too, however often we die in between.
void witness_write(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct folder_row *row = &folder->row;
    bool unfinished = memcmp(row->witness_next, NO_WITNESS, sizeof NO_WITNESS) != 0 &&
                      memcmp(row->witness_next, row->witness_current, sizeof NO_WITNESS) != 0;
    if (!unfinished) {
        txn_begin(folder);
        folder->engine->o.keys.random(row->witness_next, sizeof row->witness_next);
        index->folder_put(index->self, row);
        if (txn_end(folder) != ERR_OK) return;
    }
    struct job *job = job_new(JOB_HEALTH, folder->number);
    job->health.id = row->id;
    job->health.set_witness = true;
    memcpy(job->health.witness_next, row->witness_next, sizeof row->witness_next);
    folder->health_out = folder->witness_out = true;
    folder->witness_again = unfinished;
    submit(folder, job);
}

void witness_written(struct folder *folder)
{
    txn_begin(folder);
    memcpy(folder->row.witness_current, folder->row.witness_next, sizeof folder->row.witness_next);
    INDEX(folder)->folder_put(INDEX(folder)->self, &folder->row);
    if (txn_end(folder) != ERR_OK) {
        log_warn(LOG_SYNC, "witness not noted", "folder=%s", folder->name);
        return;
    }
    if (folder->witness_again) witness_write(folder);
}

void witness_renew(struct folder *folder)
{
    bool fit = folder->root == ROOT_OK && folder->witness_checked && !folder->health_out;
    if (fit && !folder->gone) witness_write(folder);
}

void witness_forget(struct folder *folder)
{
    memset(folder->row.witness_current, 0, sizeof folder->row.witness_current);
    memset(folder->row.witness_next, 0, sizeof folder->row.witness_next);
    folder->witness_checked = false;
    folder->witness_answered.is = false;
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
    if (index_unread(folder->engine)) {
        // Staging is not to be cleaned of what belongs to a row.
        folder_set_root_missing(folder, "the index cannot be read");
        return;
    }
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
    base_list_again(folder);
    base_tick(folder);
    folder->new_root = false;
    if (!folder->witness_checked) {
        folder->witness_checked = true;
        folder->witness_answered.is = false;
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
    if (job->apply.left_over || (job->apply.journal == 0 && job->err != ERR_OK))
        staging_unclean(folder);
    // Its row stays, what lies in staging is its own, and no step may be done, nor its mark
    // removed, before it has been looked at: the whole is tried again.
    if (job->apply.journal != 0) {
        if (job->err != ERR_OK) {
            late_writes_failed(folder, job); // what is in kept now the next try does not look for
            folder_set_root_missing(folder, err_text(job->err));
            buf_append(&folder->unread, job->apply.unread.data, job->apply.unread.size);
        } else if (job->apply.all_or_none)
            resolve_done(folder, job);
        else
            apply_done(folder, job);
    }
    if (folder->recover_jobs > 0 || folder->recover_wanted || folder->root != ROOT_RECOVERING)
        return;
    if (job->apply.journal != 0) {
        // There may be more rows: what is in staging or marked may be of their steps.
        recover_start(folder);
        return;
    }
    staged_cleared(folder);
    recovered(folder);
}
