// SPDX-License-Identifier: MIT
#include "tests/unit/sync/rig.h"

#include "agent/base/log.h"
#include "agent/core/job.h"

enum { TURNS_MAX = 100000 };

static uint64_t random_state; // what a function without a context has to reach

static void chance(void *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        ((uint8_t *)out)[i] = (uint8_t)(random_state >> 33);
    }
}

// ---- the disk: a list of paths; contents are staged and put in place without a fault

static struct rig *rig_of(struct workers *workers)
{
    return (struct rig *)(void *)workers;
}

static void disk_submit(struct workers *workers, struct job *job)
{
    struct rig *rig = rig_of(workers);
    assert_true(rig->job_count < RIG_JOBS_MAX);
    rig->jobs[rig->job_count++] = job;
}

static const char *disk_ignored(struct workers *workers, uint32_t folder, struct slice path,
                                bool is_dir, bool *out_secret)
{
    const struct rig *rig = rig_of(workers);
    (void)folder;
    (void)is_dir;
    struct slice rule = slice_text(rig->left_out != NULL ? rig->left_out : "");
    bool out = rig->left_out != NULL && (slice_equal(path, rule) || path_below(path, rule));
    *out_secret = out && rig->left_out_secret;
    return out ? "left out" : NULL;
}

static void scan_do(struct rig *rig, struct job *job)
{
    struct job_scan *scan = &job->scan;
    scan->done = true;
    scan->folds = rig->folds;
    scan->complete = rig->unread == NULL;
    scan->unread = arena_alloc(job->arena, 1, sizeof *scan->unread);
    scan->problems = arena_alloc(job->arena, rig->names_wrong + 1U, sizeof *scan->problems);
    for (; scan->problem_count < rig->names_wrong; scan->problem_count++) {
        struct slice wrong = slice_text(arena_printf(job->arena, "\xff%u", scan->problem_count));
        scan->problems[scan->problem_count] =
            (struct scan_problem){wrong, "not UTF-8", ERR_UNREPRESENTABLE};
    }
    scan->unread_count = rig->unread != NULL;
    scan->unread[0] = slice_text(rig->unread != NULL ? rig->unread : "");
    struct slice name = rig->unread_name != NULL ? slice_text(rig->unread_name) : scan->unread[0];
    enum err err = rig->unread_err != ERR_OK ? rig->unread_err : ERR_IO;
    scan->problems[scan->problem_count] = (struct scan_problem){name, "cannot be read", err};
    scan->problem_count += scan->unread_count;
    scan->entries = arena_alloc(job->arena, rig->disk_count + 1U, sizeof *scan->entries);
    for (uint32_t i = 0; i < rig->disk_count; i++) {
        const struct on_disk *at = &rig->disk[i];
        if (path_fault(at->path) != NULL) continue; // our own directory
        bool within = path_below(at->path, scan->prefix) || slice_equal(at->path, scan->prefix);
        if (!within) continue;
        if (rig->unread != NULL && path_below(at->path, slice_text(rig->unread))) continue;
        bool secret;
        if (disk_ignored((struct workers *)(void *)rig, 0, at->path, false, &secret)) continue;
        scan->entries[scan->entry_count++] =
            (struct scan_entry){.path = at->path, .print = at->print};
    }
}

static void copy_do(struct rig *rig, struct job *job)
{
    const struct job_copy *copy = &job->copy;
    const struct on_disk *at =
        copy->outside || copy->kept || copy->base ? NULL : disk_find(rig, copy->path);
    bool here = at != NULL && at->print.ino == copy->before.ino;
    here = here && digest_equal(at->value.content, copy->content.id);
    job->err = here || rig_base_copy(rig, copy) ? ERR_OK : ERR_CHANGED;
}

static void stage_do(struct rig *rig, struct stage_entry *entry)
{
    const struct on_disk *at = NULL;
    const struct job_copy aside = {.content = entry->content,
                                   .path = entry->path,
                                   .kept = entry->from == STAGE_KEPT,
                                   .base = entry->from == STAGE_STORED};
    bool right = false;
    switch (entry->from) {
    case STAGE_GIVEN:
    case STAGE_PATCH:
        right = digest_equal(hash_sha256(entry->bytes), entry->content.id);
        entry->err = right ? ERR_OK : ERR_MALFORMED;
        return;
    case STAGE_ITEM:
        at = disk_find(rig, entry->path);
        right = at != NULL && digest_equal(at->value.content, entry->content.id);
        break;
    case STAGE_KEPT:
    case STAGE_STORED: right = rig_base_copy(rig, &aside); break;
    }
    entry->err = right ? ERR_OK : ERR_CHANGED;
}

static void job_carry_out(struct rig *rig, struct job *job)
{
    if (rig->away) {
        job->err = ERR_UNREACHABLE;
        return;
    }
    rig->walks += job->kind == JOB_SCAN;
    if (rig->instead != NULL && rig->instead(rig, job)) return;
    switch (job->kind) {
    case JOB_HEALTH:
        job->health.healthy = true;
        job->health.has_id = true;
        job->health.found = job->health.id;
        if (job->health.set_witness)
            memcpy(rig->witness, job->health.witness_next, sizeof rig->witness);
        job->health.has_witness = true;
        memcpy(job->health.witness, rig->witness, sizeof rig->witness);
        break;
    case JOB_SCAN:
        if (job->scan.entries_max > 0) scan_do(rig, job);
        job->scan.done = true;
        break;
    case JOB_LOOK:
        job->look.folds = rig->folds;
        for (uint32_t i = 0; i < job->look.count; i++)
            disk_look(rig, &job->look.looks[i]);
        break;
    case JOB_STAGE:
        for (uint32_t i = 0; i < job->stage.count; i++)
            stage_do(rig, &job->stage.entries[i]);
        break;
    case JOB_APPLY:
    case JOB_RECOVER:
        for (uint32_t i = 0; i < job->apply.count; i++)
            disk_step(rig, &job->apply.steps[i]);
        break;
    case JOB_COPY: copy_do(rig, job); break;
    case JOB_READ:
        for (uint32_t i = 0; i < job->read.count; i++)
            job->read.entries[i].err = ERR_CHANGED;
        break;
    case JOB_LEAF:
        if (!digest_equal(hash_sha256(job->leaf.bytes), job->leaf.expected))
            job->err = ERR_MALFORMED;
        break;
    case JOB_BASE: rig_base_do(rig, job); break;
    case JOB_PART:
    case JOB_REUSE:
    case JOB_SIGN:
    case JOB_PATCH:
    case JOB_DIFF:
    case JOB_FINISH: break;
    }
}

uint32_t rig_jobs(const struct rig *rig, enum job_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rig->job_count; i++)
        count += rig->jobs[i]->kind == kind;
    return count;
}

static struct job *job_take(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->job_count; i++) {
        struct job *job = rig->jobs[i];
        if (rig->held >> job->kind & 1) continue;
        if (rig->large_held && job->kind == JOB_LOOK && job->look.large) continue;
        rig->job_count--;
        memmove(&rig->jobs[i], &rig->jobs[i + 1], (rig->job_count - i) * sizeof rig->jobs[0]);
        return job;
    }
    return NULL;
}

void rig_settle(struct rig *rig)
{
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        engine_now(rig->engine, rig->now_ms, 1700000000000 + rig->now_ms + rig->skew_ms);
        struct job *job = job_take(rig);
        bool due = engine_deadline(rig->engine) <= rig->now_ms;
        if (job == NULL && !due) return;
        if (job != NULL) {
            job_carry_out(rig, job);
            engine_job_done(rig->engine, job);
        } else {
            engine_tick(rig->engine);
        }
    }
    fail_msg("the engine does not come to rest");
}

void rig_wait(struct rig *rig, int64_t ms)
{
    int64_t end = rig->now_ms + ms;
    for (rig_settle(rig); rig->now_ms < end; rig_settle(rig)) {
        int64_t next = engine_deadline(rig->engine);
        rig->now_ms = next < end ? next : end;
    }
}

// ---- the wire

static struct script *script_of(struct rig *rig, uint64_t conn, enum lane *out)
{
    for (uint32_t i = 0; i < rig->script_count; i++) {
        for (int lane = 0; lane < 2; lane++) {
            if (rig->scripts[i]->conns[lane] != conn) continue;
            *out = (enum lane)lane;
            return rig->scripts[i];
        }
    }
    return NULL;
}

static enum err net_send(struct net *net, uint64_t conn, struct slice bytes)
{
    struct rig *rig = (struct rig *)(void *)net;
    enum lane lane;
    struct script *script = script_of(rig, conn, &lane);
    assert_true(bytes.size <= PROTO_MESSAGE_BYTES_MAX);
    if (script == NULL || script->cut[lane]) return ERR_UNREACHABLE;
    if (script->full) return ERR_BUSY;
    assert_true(script->heard_count < RIG_HEARD_MAX);
    script->heard_on[script->heard_count] = lane;
    struct message *m = arena_alloc(rig->arena, 1, sizeof *m);
    script->heard[script->heard_count++] = m;
    struct fault fault;
    bool stale;
    struct slice copy = arena_copy(rig->arena, bytes);
    assert_int_equal(lane_receive(&script->lanes[lane], rig->arena, copy, m, &stale, &fault),
                     ERR_OK);
    assert_false(stale);
    return ERR_OK;
}

static size_t net_queued(const struct net *net, uint64_t conn)
{
    (void)net;
    (void)conn;
    return 0;
}

static void net_drop(struct net *net, uint64_t conn)
{
    enum lane lane;
    struct script *script = script_of((struct rig *)(void *)net, conn, &lane);
    if (script != NULL) script->cut[lane] = true;
}

// ---- the engine

static void on_decided(void *context, uint64_t ticket, const struct decision_result *result)
{
    struct rig *rig = context;
    (void)ticket;
    rig->decided = *result;
    rig->decisions++;
}

static void on_verified(void *context, uint64_t ticket, const struct verify_result *result)
{
    struct rig *rig = context;
    rig->verified = ticket;
    rig->verify_exit = result->exit;
    rig->verify_came = rig->verify_went = 0;
    for (uint32_t i = 0; i < result->count; i++) {
        rig->verify_came += result->lines[i].came;
        rig->verify_went += result->lines[i].went;
    }
}

static void on_abandoned(void *context, uint64_t ticket, const struct abandon_result *result)
{
    struct rig *rig = context;
    rig->abandoned = ticket;
    rig->abandon = *result;
}

static void on_sync_done(void *context, uint64_t ticket, const struct sync_result *result)
{
    struct rig *rig = context;
    rig->synced = ticket;
    rig->sync_exit = result->exit;
    AUTO(buf_fini) struct buf said = {0};
    for (uint32_t i = 0; i < result->count; i++)
        buf_printf(&said, "%s%.*s\n", result->lines[i].problem ? "! " : "",
                   SLICE_ARG(result->lines[i].text));
    rig->sync_said = arena_text(rig->arena, buf_slice(&said));
}

static void on_folder_id(void *context, struct slice name, struct folder_id id)
{
    struct rig *rig = context;
    (void)name;
    rig->told_id = id;
    rig->told_ids++;
}

static void on_changed(void *context)
{
    (void)context;
}

static void on_event(void *context, const char *name, struct slice json)
{
    (void)context;
    (void)name;
    (void)json;
}

static void on_dial(void *context, struct device_id device)
{
    (void)context;
    (void)device;
}

static struct engine *engine_of(struct rig *rig)
{
    struct engine_options options = {
        .index = rig_index(rig->store),
        .disk = {.self = (struct workers *)(void *)rig,
                 .submit = disk_submit,
                 .ignored = disk_ignored},
        .net = {.self = (struct net *)(void *)rig,
                .send = net_send,
                .queued = net_queued,
                .drop = net_drop},
        .keys = {.self = rig->identity,
                 .sign = mark_sign,
                 .verify = mark_verify,
                 .approve = approval_sign,
                 .approved = approval_verify,
                 .random = chance},
        .notify = {.context = rig,
                   .sync_done = on_sync_done,
                   .verified = on_verified,
                   .measured = rig_measured,
                   .abandoned = on_abandoned,
                   .decided = on_decided,
                   .folder_id = on_folder_id,
                   .changed = on_changed,
                   .event = on_event,
                   .dial = on_dial},
        .device = identity_device(rig->identity),
        .name = "me",
        .program = "rig",
    };
    return engine_new(&options);
}

static void engine_start(struct rig *rig)
{
    rig->engine = engine_of(rig);
    engine_now(rig->engine, rig->now_ms, 1700000000000 + rig->now_ms + rig->skew_ms);
    struct engine_folder folder = {.name = "f",
                                   .path = "/f",
                                   .id = rig->id,
                                   .with_all = true,
                                   .mode = rig->mode,
                                   .base_bytes_max = rig->base_bytes_max};
    assert_int_equal(engine_folder_put(rig->engine, &folder, &rig->folder), ERR_OK);
}

static void engine_end(struct rig *rig)
{
    engine_destroy(&rig->engine);
    for (uint32_t i = 0; i < rig->job_count; i++) {
        mem_free(&rig->jobs[i]->context);
        job_destroy(&rig->jobs[i]);
    }
    rig->job_count = 0;
}

void rig_restart(struct rig *rig)
{
    engine_end(rig);
    for (uint32_t i = 0; i < rig->script_count; i++)
        rig->scripts[i]->cut[LANE_CONTROL] = rig->scripts[i]->cut[LANE_BULK] = true;
    engine_start(rig);
}

void rig_open_raw(struct rig *rig)
{
    crypto_init();
    *rig = (struct rig){.now_ms = 1000};
    rig_fail_commits(0, 0);
    rig_fail_reads(false);
    random_state = 7;
    rig_log_begin();
    rig->arena = arena_new();
    rig->identity = rig_identity(1, 0);
    rig->store = rig_store_take();
    rig->id.bytes[0] = 0x80;
    engine_start(rig);
}

void rig_open(struct rig *rig)
{
    rig_open_raw(rig);
    rig_settle(rig);
    assert_true(engine_folder_scanned(rig->engine, rig->folder));
    rig_log_clear();
}

void rig_close(struct rig *rig)
{
    engine_end(rig);
    for (uint32_t i = 0; i < rig->script_count; i++)
        mem_free(&rig->scripts[i]);
    rig_store_give(&rig->store);
    arena_destroy(&rig->arena);
    log_set_sink(NULL);
}

struct item rig_item(struct rig *rig, const char *path)
{
    struct item item;
    store_item_get(rig->store, rig->arena, rig->folder, slice_text(path), &item);
    return item;
}

void rig_write(struct rig *rig, const char *path, const char *text)
{
    if (text == NULL) {
        disk_remove(rig, slice_text(path));
        engine_watch(rig->engine, rig->folder, ENGINE_GONE, slice_text(path));
        return;
    }
    struct on_disk *at = disk_put(rig, slice_text(path));
    at->value = (struct value){.kind = KIND_FILE, .mode = 0644, .size = strlen(text)};
    at->value.content = hash_sha256(slice_text(text));
    at->print = (struct fingerprint){.present = true, .kind = KIND_FILE, .mode = 0644};
    at->print.size = at->value.size;
    at->print.ino = ++rig->last_ino;
    at->print.mtime_ns = rig->now_ms * 1000000;
    engine_watch(rig->engine, rig->folder, ENGINE_WRITTEN, slice_text(path));
    rig->now_ms += RIG_NEW_QUIET_MS;
}
