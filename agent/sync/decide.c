// SPDX-License-Identifier: MIT
//
// Carrying out what a person decided: the same journaled intents as a resolution, some paths at a
// time, in the order of the decision. What comes out is an ordinary change of this device, made by
// somebody who had seen all there was.
#include "agent/core/resolve.h"
#include "agent/sync/decide_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum {
    TARGETS_PER_INTENT = 16,
    TRIES_MAX = 20,
    POLL_MS = 50,
    TIMEOUT_MS = 60 * 1000,
    MANY = 16,
    LEAVE_OUT_MS = 5 * 1000
};

static void decide_free(struct decide **slot)
{
    struct decide *decide = *slot;
    arena_destroy(&decide->arena);
    mem_free(slot);
}

static void decide_end(struct folder *folder, enum err err, const char *what)
{
    struct decide *decide = folder->decides;
    const struct notify_port *notify = &folder->engine->o.notify;
    folder->decides = decide->next;
    folder->batch = 0;
    if (decide->result.err == ERR_OK) {
        decide->result.err = err;
        decide->result.what = what;
    }
    log_info(LOG_SYNC, "decided", "folder=%s changed=%llu result=\"%s\"", folder->name,
             (unsigned long long)decide->result.changed,
             decide->result.what != NULL ? decide->result.what : "done");
    decide->result.apart = decide->leaves;
    if (decide->ticket != 0) notify->decided(notify->context, decide->ticket, &decide->result);
    if (decide->leaves) join_restored(folder);
    if (decide->kept_file.size > 0)
        late_write_published(folder, decide->kept_file, &decide->targets[0].value,
                             decide->targets[0].mtime_ns, decide->result.err == ERR_OK);
    decide_free(&decide);
}

static void refuse(struct engine *engine, uint64_t ticket, enum err err, const char *what)
{
    const struct decision_result result = {.err = err, .what = what};
    engine->o.notify.decided(engine->o.notify.context, ticket, &result);
}

void decide_clear(struct folder *folder)
{
    static const char closed[] = "the folder is being closed";
    if (join_ending(folder) && folder->join.ticket != 0)
        refuse(folder->engine, folder->join.ticket, ERR_BUSY, closed);
    brake_decide_end(folder, ERR_BUSY, closed);
    while (folder->decides != NULL) {
        folder->decides->leaves = false;
        decide_end(folder, ERR_BUSY, closed);
    }
}

static struct decide *decide_new(struct folder *folder, uint64_t ticket)
{
    struct decide *decide = mem_zalloc(1, sizeof *decide);
    decide->ticket = ticket;
    decide->arena = arena_new();
    decide->deadline_ms = folder->engine->now_ms + TIMEOUT_MS;
    return decide;
}

static void decide_add(struct folder *folder, struct decide *decide)
{
    struct decide **end = &folder->decides;
    while (*end != NULL)
        end = &(*end)->next;
    *end = decide;
}

void engine_decide(struct engine *engine, uint64_t ticket, const struct decision *decision)
{
    arena_reset(engine->scratch);
    struct folder *folder = folder_by_name(engine, slice_text(decision->folder));
    if (folder == NULL || !folder_usable(folder) || join_leaving(folder)) {
        refuse(engine, ticket, ERR_UNREACHABLE,
               "the folder is not ready: see cfgsync-agent status");
        return;
    }
    if (decision->kind == DECIDE_UNDO && join_undoable(folder)) {
        if (join_undo(folder, ticket) != ERR_OK)
            refuse(engine, ticket, ERR_IO, "the index cannot be written");
        engine_tick(engine);
        return;
    }
    const char *refused = mode_refuses(folder, decision->kind);
    if (refused != NULL) {
        refuse(engine, ticket, ERR_DENIED, refused);
        return;
    }
    if (decision->kind == DECIDE_OVERRIDE || decision->kind == DECIDE_RESET) {
        mode_decide(folder, ticket, decision->kind);
        engine_tick(engine);
        return;
    }
    if (decision->kind == DECIDE_APPROVE || decision->kind == DECIDE_REVERT) {
        brake_decide(folder, ticket, decision->kind == DECIDE_APPROVE);
        engine_tick(engine);
        return;
    }
    struct decide *decide = decide_new(folder, ticket);
    const char *what = decide_make(folder, decision, decide);
    if (what != NULL) {
        decide_free(&decide);
        refuse(engine, ticket, ERR_DENIED, what);
        return;
    }
    join_close(folder);
    decide_add(folder, decide);
}

void decide_leave(struct folder *folder, uint64_t ticket)
{
    struct decide *decide = decide_new(folder, ticket);
    decide->leaves = true;
    decide_make_leave(folder, decide);
    decide_add(folder, decide);
}

void decide_put(struct folder *folder, struct slice path, struct slice origin,
                const struct value *value, int64_t mtime_ns, struct slice kept_file)
{
    struct decide *decide = decide_new(folder, 0);
    const struct version version = {.value = *value, .mtime_ns = mtime_ns};
    struct target *t = target_add(decide, path, &version);
    t->origin = arena_copy(decide->arena, origin);
    decide->kept_file = arena_copy(decide->arena, kept_file);
    decide_add(folder, decide);
}

void engine_decide_cancel(struct engine *engine, uint64_t ticket)
{
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        brake_decide_cancel(f, ticket);
        join_cancel(f, ticket);
        for (struct decide *d = f->decides; d != NULL; d = d->next) {
            if (d->ticket == ticket) d->ticket = 0;
        }
    }
}

// ---- one target

enum fit { FIT_READY, FIT_WAIT, FIT_DONE, FIT_SKIP, FIT_HOLDS, FIT_UNSEEN };

static bool settled(struct folder *folder, const struct item *item)
{
    bool known = item->local.state == LOCAL_OK || item->local.state == LOCAL_NONE;
    return known && !dirty_has(folder, item->path) && map_get(folder->busy, item->path) == NULL &&
           map_get(folder->step_paths, item->path) == NULL;
}

static bool content_ready(struct folder *folder, const struct item *item, const struct target *t)
{
    bool same = item_local_live(item) && value_same_content(&item->local.version.value, &t->value);
    if (t->value.kind != KIND_FILE || same) return true;
    struct content content = value_content(&t->value);
    if (content_staged(folder, &content)) return true;
    content_want(folder, &content, t->path);
    return false;
}

static bool holds_something(struct folder *folder, const struct item *item, const struct target *t)
{
    bool is_dir = item_local_live(item) && item->local.version.value.kind == KIND_DIR;
    if (!is_dir || t->value.kind == KIND_DIR) return false;
    return INDEX(folder)->local_below(INDEX(folder)->self, folder->number, item->path);
}

static enum fit target_fit(struct folder *folder, const struct target *t, struct item *out)
{
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, t->path,
                            out);
    if (!settled(folder, out)) return FIT_WAIT;
    bool expected =
        out->local.state != LOCAL_NONE && dots_contain(out->local.version.dots, t->after);
    if (t->only_if && !expected) return FIT_SKIP;
    if (!item_local_live(out) && t->value.kind == KIND_TOMB)
        return t->known && heads_live(out) ? FIT_UNSEEN : FIT_DONE;
    bool same = item_local_live(out) && value_equal(&out->local.version.value, &t->value);
    if (same && out->head_count == 1) return FIT_DONE;
    if (holds_something(folder, out, t)) return FIT_HOLDS;
    return content_ready(folder, out, t) ? FIT_READY : FIT_WAIT;
}

// Made by somebody who saw all heads, and what is on the disk.
static void member_fill(struct folder *folder, struct member *m, const struct item *item,
                        const struct target *t)
{
    struct arena *arena = folder->engine->scratch;
    struct vv seen = heads_join(arena, item);
    if (item->local.state != LOCAL_NONE) seen = vv_join(arena, seen, item->local.version.vv);
    *m = (struct member){.path = t->path, .item = *item};
    m->version = (struct version){.path = t->path, .value = t->value, .mtime_ns = t->mtime_ns};
    m->version.vv = seen;
    m->version.birth.wall_ms = folder->engine->wall_ms;
    m->version.origin = t->origin;
    if (path_is_conflict_item(t->path) && item->head_count > 0)
        m->version.origin = item->heads[0].origin;
    if (!item_local_live(item) || item->local.version.value.kind == KIND_DIR) return;
    m->version.has_parent = true;
    m->version.parent = item->local.version.value.content;
    m->version.parent_mode = item->local.version.value.mode;
}

// ---- the next intent

static void wait_a_little(struct folder *folder, struct decide *decide)
{
    decide->next_ms = folder->engine->now_ms + POLL_MS;
    if (folder_usable(folder)) fetch_step(folder);
}

static void file_fetch(struct folder *folder, struct decide *decide)
{
    struct job *job = job_new(JOB_COPY, folder->number);
    job->copy.path = arena_copy(job->arena, decide->file);
    job->copy.outside = true;
    struct errand *errand = mem_zalloc(1, sizeof *errand);
    errand->purpose = FOR_DECIDE;
    job->context = errand;
    decide->file_out = true;
    submit(folder, job);
}

// Whoever wants a large content asks for its leaves first.
bool decide_copied(struct folder *folder, const struct job_copy *copy)
{
    const struct index_port *index = INDEX(folder);
    staged_set(folder, &copy->content, STAGED_THERE);
    if (copy->leaf_count == 0) return true;
    txn_begin(folder);
    index->leaves_put(index->self, folder->number, &copy->content, copy->leaves, copy->leaf_count);
    return txn_end(folder) == ERR_OK;
}

void decide_file_done(struct folder *folder, struct job *job)
{
    struct decide *decide = folder->decides;
    if (folder->gone || decide == NULL || !decide->file_out) return;
    decide->file_out = false;
    if (job->err != ERR_OK) {
        decide_end(folder, job->err, "the file it is to be resolved with cannot be read");
        return;
    }
    if (!decide_copied(folder, &job->copy)) {
        decide_end(folder, ERR_IO, "the index cannot be written");
        return;
    }
    decide->file_wanted = false;
    decide->targets[0].value.content = job->copy.content.id;
    decide->targets[0].value.size = job->copy.content.size;
    decide->targets[0].value.mode = job->copy.mode;
    decide->targets[0].mtime_ns = folder->engine->wall_ms * 1000000;
}

// What is to end has not come to this disk, and may never: there is no step to wait for.
static void end_unseen(struct folder *folder, struct decide *decide, const struct item *item,
                       const struct target *t)
{
    struct member m;
    uint64_t first = folder->row.counter + 1;
    member_fill(folder, &m, item, t);
    if (decide->result.changed == 0) folder->batch = 0;
    txn_begin(folder);
    bool minted = item_mint(folder, &m.item, &m.version, m.version.vv, NULL, (struct dots){0});
    bool is_signed = minted && decide_minted(folder, first);
    if (txn_end(folder) != ERR_OK) {
        decide_end(folder, ERR_IO, "the index cannot be written");
        return;
    }
    if (is_signed) brake_signed(folder);
    decide->done++;
    decide->result.changed += minted;
    decide->result.left_alone += !minted;
    decide->deadline_ms = folder->engine->now_ms + TIMEOUT_MS;
    push_all(folder);
    share_due(folder);
}

static void start(struct folder *folder, struct decide *decide)
{
    struct resolution plan = {0};
    uint32_t at = decide->done;
    plan.members = arena_alloc(folder->engine->scratch, TARGETS_PER_INTENT, sizeof *plan.members);
    for (; at < decide->count && plan.count < TARGETS_PER_INTENT; at++) {
        struct item item;
        enum fit fit = target_fit(folder, &decide->targets[at], &item);
        if (fit == FIT_HOLDS && at == 0 && decide->first_counts) {
            decide_end(
                folder, ERR_DENIED,
                "a directory with something in it has that name: rename the directory first");
            return;
        }
        // What is in a directory may be leaving it with this very intent.
        bool alone = fit == FIT_HOLDS || fit == FIT_UNSEEN;
        if (fit == FIT_WAIT || (alone && plan.count > 0)) break;
        if (fit == FIT_UNSEEN) {
            decide->done = at;
            end_unseen(folder, decide, &item, &decide->targets[at]);
            return;
        }
        bool late = fit == FIT_READY && decide->kept_file.size > 0;
        if (late && !late_write_fits(folder, decide->kept_file, &item)) {
            decide_end(folder, ERR_CHANGED, "the name was taken meanwhile");
            return;
        }
        if (fit == FIT_SKIP || fit == FIT_HOLDS) decide->result.left_alone++;
        if (fit == FIT_READY)
            member_fill(folder, &plan.members[plan.count++], &item, &decide->targets[at]);
    }
    if (plan.count == 0) {
        bool moved = at > decide->done;
        decide->done = at;
        if (!moved) wait_a_little(folder, decide);
        return;
    }
    if (decide->result.changed == 0) folder->batch = 0; // what is decided is a batch of its own
    decide->running = at - decide->done;
    decide->members = plan.count;
    txn_begin(folder);
    intent_start(folder, &plan, true);
    if (txn_end(folder) == ERR_OK) return;
    decide->running = 0;
    if (decide->leaves)
        decide->next_ms = folder->engine->now_ms + INDEX_RETRY_MS;
    else
        decide_end(folder, ERR_IO, "the index cannot be written");
}

// Whoever takes a join back gets what can be had, and is told how much could not.
static void leave_out(struct folder *folder, struct decide *decide, uint32_t count)
{
    decide->result.left_alone += count;
    decide->done += count;
    decide->deadline_ms = folder->engine->now_ms + LEAVE_OUT_MS;
}

void decide_step(struct folder *folder)
{
    struct decide *decide = folder->decides;
    int64_t now = folder->engine->now_ms;
    if (decide == NULL || decide->running > 0 || decide->file_out || now < decide->next_ms) return;
    if (decide->done == decide->count) {
        decide_end(folder, ERR_OK, NULL);
    } else if (decide->leaves && !folder_usable(folder)) {
        decide->deadline_ms = now + TIMEOUT_MS;
        wait_a_little(folder, decide);
    } else if (decide->leaves && now >= decide->deadline_ms) {
        leave_out(folder, decide, 1);
    } else if (now >= decide->deadline_ms) {
        decide_end(folder, ERR_BUSY,
                   "not possible now: what is to be changed is being changed, or a content is not "
                   "here and no connected peer has it");
    } else if (!folder_usable(folder)) {
        wait_a_little(folder, decide);
    } else if (decide->file_wanted) {
        file_fetch(folder, decide);
    } else {
        start(folder, decide);
    }
}

// Inside the transaction that mints: what a person decided about many paths at once is signed for,
// so that no brake holds it elsewhere.
bool decide_minted(struct folder *folder, uint64_t first)
{
    struct decide *decide = folder->decides;
    if (decide != NULL && decide->kept_file.size > 0)
        late_write_row(folder, decide->kept_file, &decide->targets[0].value,
                       decide->targets[0].mtime_ns);
    if (decide == NULL || decide->count <= MANY) return false;
    if (decide->first == 0) decide->first = first;
    brake_sign(folder, decide->first, folder->row.counter);
    return true;
}

// The members of an intent are all done or none is.
void decide_ran(struct folder *folder, bool done)
{
    struct decide *decide = folder->decides;
    if (decide == NULL || decide->running == 0) return;
    if (done) {
        decide->done += decide->running;
        decide->result.changed += decide->members;
        decide->tries = 0;
        decide->deadline_ms = folder->engine->now_ms + TIMEOUT_MS;
    } else {
        decide->next_ms = folder->engine->now_ms + POLL_MS;
        decide->tries++;
    }
    uint32_t failed = decide->tries > TRIES_MAX ? decide->running : 0;
    decide->running = 0;
    if (failed > 0 && decide->leaves) {
        decide->tries = 0;
        leave_out(folder, decide, failed);
    } else if (failed > 0)
        decide_end(folder, ERR_CHANGED, "what is to be changed is being changed by somebody else");
}

int64_t decide_deadline(const struct folder *folder)
{
    const struct decide *decide = folder->decides;
    if (decide == NULL || decide->running > 0 || decide->file_out) return INT64_MAX;
    return decide->next_ms;
}
