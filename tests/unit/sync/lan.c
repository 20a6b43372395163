// SPDX-License-Identifier: MIT
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/core/job.h"
#include "agent/daemon/wire_rooms.h"
#include "tests/unit/sync/lan_priv.h"

enum { TURNS_MAX = 200000, REDIAL_MS = 1000, WAIT_STEPS = 100000 };

static struct lan *the_lan; // for ports that have no self
static uint64_t the_chance;

// ---- what goes wrong

void lan_arm(struct lan *lan, const struct lan_fault *fault)
{
    lan->fault = *fault;
    if (lan->fault.count == 0) lan->fault.count = 1;
    lan->seen = 0;
    lan->fired = false;
}

bool fault_now(struct lan *lan, const struct machine *m, enum lan_fault_kind kind)
{
    const struct lan_fault *f = &lan->fault;
    if (f->kind != kind || f->machine != m->index) return false;
    uint32_t number = ++lan->seen;
    bool now = number >= f->at && number < f->at + f->count;
    lan->fired |= now;
    return now;
}

// ---- the ports

static struct machine *machine_of(void *self)
{
    return self;
}

static struct machine *machine_with(const struct store *store)
{
    for (uint32_t i = 0; i < the_lan->count; i++) {
        if (the_lan->machines[i].store == store) return &the_lan->machines[i];
    }
    CHECK(false);
    return NULL;
}

static enum err port_commit(struct store *store)
{
    struct machine *m = machine_with(store);
    if (!fault_now(the_lan, m, FAULT_COMMIT)) return store_commit(store);
    store_rollback(store);
    return ERR_NO_SPACE;
}

static void port_submit(struct workers *workers, struct job *job)
{
    struct machine *m = machine_of(workers);
    assert_true(m->job_count < LAN_JOBS_MAX);
    m->jobs[m->job_count++] = job;
}

static const char *port_ignored(struct workers *workers, uint32_t folder, struct slice path,
                                bool is_dir, bool *out_secret)
{
    struct machine *m = machine_of(workers);
    enum ignored ignored = disk_ignored_path(m->disk, folder, path, is_dir, NULL);
    *out_secret = ignored == IGNORED_SECRET;
    return ignored == IGNORED_NO ? NULL : "left out";
}

static void port_random(void *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        the_chance = the_chance * UINT64_C(6364136223846793005) + 1442695040888963407u;
        ((uint8_t *)out)[i] = (uint8_t)(the_chance >> 33);
    }
}

static void on_decided(void *context, uint64_t ticket, const struct decision_result *result)
{
    struct machine *m = machine_of(context);
    (void)ticket;
    m->decided = *result;
    m->decisions++;
}

static void on_abandoned(void *context, uint64_t ticket, const struct abandon_result *result)
{
    struct machine *m = machine_of(context);
    (void)ticket;
    m->abandoned = *result;
    m->abandons++;
}

static void on_verified(void *context, uint64_t ticket, const struct verify_result *result)
{
    struct machine *m = machine_of(context);
    (void)ticket;
    m->verify_exit = result->exit;
    m->verifies++;
}

static void on_sync_done(void *context, uint64_t ticket, const struct sync_result *result)
{
    struct machine *m = machine_of(context);
    (void)ticket;
    m->sync_exit = result->exit;
    m->syncs++;
}

static void on_measured(void *context, uint64_t ticket, const struct bench_result *result)
{
    (void)context, (void)ticket, (void)result;
}

static void on_folder_id(void *context, struct slice name, struct folder_id id)
{
    (void)name;
    machine_of(context)->put.id = id;
}

static void on_changed(void *context)
{
    (void)context;
}

static void on_event(void *context, const char *name, struct slice json)
{
    (void)context, (void)name, (void)json;
}

static void on_dial(void *context, struct device_id device)
{
    (void)context, (void)device;
}

// ---- machines

static void machine_enter(struct machine *m)
{
    engine_now(m->engine, m->lan->now_ms, m->lan->wall_ms + m->lan->now_ms);
}

void machine_put(struct machine *m)
{
    assert_int_equal(engine_folder_put(m->engine, &m->put, &m->folder), ERR_OK);
}

void machine_start(struct machine *m)
{
    struct engine_options options = {
        .index = wire_index(m->store),
        .disk = {.self = (struct workers *)(void *)m,
                 .submit = port_submit,
                 .ignored = port_ignored},
        .net = {.self = (struct net *)(void *)m,
                .send = line_send,
                .queued = line_queued,
                .drop = line_drop},
        .keys = {.self = m->identity,
                 .sign = mark_sign,
                 .verify = mark_verify,
                 .approve = approval_sign,
                 .approved = approval_verify,
                 .random = port_random},
        .notify = {.context = m,
                   .sync_done = on_sync_done,
                   .verified = on_verified,
                   .measured = on_measured,
                   .abandoned = on_abandoned,
                   .decided = on_decided,
                   .folder_id = on_folder_id,
                   .changed = on_changed,
                   .event = on_event,
                   .dial = on_dial},
        .device = m->id,
        .name = m->name,
        .program = "lan",
    };
    options.index.commit = port_commit;
    m->disk = disk_new();
    m->engine = engine_new(&options);
    m->down = false;
    m->starts++;
    machine_enter(m);
    for (uint32_t i = 0; i < m->lan->count; i++) {
        const struct machine *other = &m->lan->machines[i];
        if (other != m) engine_peer_put(m->engine, other->id, other->name);
    }
    machine_put(m);
    m->put.new_root = false;
    const struct disk_root_options root = {.path = m->root};
    assert_int_equal(disk_root_add(m->disk, m->folder, &root), ERR_OK);
}

void machine_stop(struct machine *m)
{
    engine_destroy(&m->engine);
    for (uint32_t i = 0; i < m->job_count; i++) {
        mem_free(&m->jobs[i]->context);
        job_destroy(&m->jobs[i]);
    }
    m->job_count = 0;
    disk_close(&m->disk);
    m->down = true;
    lines_of_end(m);
}

void machine_restart(struct machine *m)
{
    machine_stop(m);
    machine_start(m);
}

static void machine_init(struct lan *lan, uint32_t index)
{
    const char *below = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    struct machine *m = &lan->machines[index];
    struct fault fault;
    uint8_t seed[32] = {(uint8_t)(index + 1), 77};
    *m = (struct machine){.lan = lan, .index = index, .name = {(char)('a' + index), 0}};
    (void)snprintf(m->root, sizeof m->root, "%s/cfgsync-lan-XXXXXX", below);
    assert_non_null(mkdtemp(m->root));
    m->identity = identity_from_seed(seed);
    m->id = identity_device(m->identity);
    assert_int_equal(store_open(NULL, &m->store, &fault), ERR_OK);
    m->put =
        (struct engine_folder){.name = "f", .path = m->root, .with_all = true, .new_root = true};
    m->put.id.bytes[0] = 0x80;
}

void lan_open_tuned(struct lan *lan, uint32_t count, void (*tune)(struct machine *))
{
    struct timespec now;
    crypto_init();
    log_set_sink(NULL);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *lan = (struct lan){.now_ms = 1000, .count = count, .queue_max = {8 << 20, 4 << 20}};
    lan->wall_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - lan->now_ms;
    lan->last = &lan->first;
    lan->arena = arena_new();
    the_lan = lan;
    the_chance = 7;
    for (uint32_t i = 0; i < count; i++)
        machine_init(lan, i);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = i + 1; k < count; k++)
            lan->lines[lan->line_count++] = (struct line){.ends = {i, k}};
    }
    for (uint32_t i = 0; i < count; i++) {
        if (tune != NULL) tune(&lan->machines[i]);
        machine_start(&lan->machines[i]);
    }
    lan_wait(lan, 2000);
    assert_true(lan_in_step(lan));
}

void lan_open(struct lan *lan, uint32_t count)
{
    lan_open_tuned(lan, count, NULL);
}

void lan_close(struct lan *lan)
{
    for (uint32_t i = 0; i < lan->count; i++) {
        struct machine *m = &lan->machines[i];
        if (!m->down) machine_stop(m);
        user_remove(m, "");
        store_close(&m->store);
        identity_destroy(&m->identity);
    }
    lines_clear(lan);
    arena_destroy(&lan->arena);
}

// ---- jobs

static void looks_fail(struct job_look *look, enum err err)
{
    // What a path is left alone for ends with a change of it.
    if (err_reaction(err) != REACT_TRY_LATER && err != ERR_CHANGED) err = ERR_IO;
    for (uint32_t i = 0; i < look->count; i++) {
        look->looks[i].result = err == ERR_CHANGED ? LOOK_MOVING : LOOK_PROBLEM;
        look->looks[i].err = err;
        look->looks[i].what = "cannot be read";
    }
}

static void steps_fail(struct job_apply *apply, enum err err)
{
    for (uint32_t i = 0; i < apply->count; i++) {
        struct step *step = &apply->steps[i];
        step->result = err == ERR_CHANGED     ? STEP_CHANGED
                       : err == ERR_BUSY      ? STEP_WAIT
                       : err == ERR_MALFORMED ? STEP_FAILED
                                              : STEP_BLOCKED;
        if (step->result != STEP_BLOCKED) continue;
        step->blocked = err == ERR_NO_SPACE ? BLOCKED_NO_SPACE
                        : err == ERR_ACCESS ? BLOCKED_PERMISSION
                                            : BLOCKED_IO;
    }
}

// The directory that is to be walked cannot be read.
static void scan_fail(struct job *job)
{
    struct job_scan *scan = &job->scan;
    scan->done = true;
    scan->unread = arena_alloc(job->arena, 1, sizeof *scan->unread);
    scan->problems = arena_alloc(job->arena, 1, sizeof *scan->problems);
    scan->unread_count = scan->problem_count = 1;
    scan->unread[0] = scan->prefix;
    scan->problems[0] = (struct scan_problem){scan->prefix, "cannot be read", ERR_IO};
}

// As its executor would say it, having done nothing.
static void job_fail(struct job *job, enum err err)
{
    if (err == ERR_UNREACHABLE) {
        job->err = err;
        return;
    }
    switch (job->kind) {
    case JOB_LOOK: looks_fail(&job->look, err); break;
    case JOB_APPLY: steps_fail(&job->apply, err); break;
    case JOB_STAGE:
        for (uint32_t i = 0; i < job->stage.count; i++)
            job->stage.entries[i].err = err;
        break;
    case JOB_READ:
        for (uint32_t i = 0; i < job->read.count; i++)
            job->read.entries[i].err = err;
        break;
    case JOB_BASE:
        for (uint32_t i = 0; i < job->base.keep_count; i++)
            job->base.keeps[i].err = err;
        for (uint32_t i = 0; i < job->base.put_count; i++)
            job->base.puts[i].err = err;
        break;
    case JOB_HEALTH: job->health.what = "root is missing"; break;
    case JOB_SCAN: scan_fail(job); break;
    case JOB_PART:
    case JOB_REUSE:
    case JOB_SIGN:
    case JOB_PATCH:
    case JOB_LEAF:
    case JOB_FINISH:
    case JOB_COPY:
    case JOB_DIFF:
    case JOB_RECOVER: job->err = err; break;
    }
}

static void edit_at(struct machine *m, const struct job *job)
{
    char path[256], text[32];
    struct slice at = job->kind == JOB_APPLY  ? job->apply.steps[0].path
                      : job->kind == JOB_LOOK ? job->look.looks[0].path
                                              : (struct slice){0};
    (void)snprintf(path, sizeof path, "%.*s", SLICE_ARG(at));
    (void)snprintf(text, sizeof text, "edit %u", ++m->lan->edits);
    struct stat st;
    bool dir = false;
    char whole[512];
    if (lstat(user_path(m, path, whole), &st) == 0) dir = S_ISDIR(st.st_mode);
    if (!dir) user_write(m, path, text);
}

// A job that can fail in the way that was asked for.
static bool job_counts(const struct lan *lan, const struct job *job)
{
    const struct lan_fault *f = &lan->fault;
    if (f->kind == FAULT_EDIT)
        return (job->kind == JOB_APPLY && job->apply.count > 0) || job->kind == JOB_LOOK;
    bool walks = job->kind == JOB_SCAN && (job->scan.prefix.size == 0 || job->scan.walk != NULL);
    if (walks && f->kind == FAULT_JOB) return false; // half of a walk does not fail
    return f->jobs == 0 || (f->jobs >> job->kind & 1) != 0;
}

static bool job_next(struct machine *m)
{
    uint32_t at = 0;
    while (at < m->job_count && (m->held >> m->jobs[at]->kind & 1) != 0)
        at++;
    if (at == m->job_count) return false;
    struct lan *lan = m->lan;
    struct job *job = m->jobs[at];
    bool counts = job_counts(lan, job);
    if (counts && fault_now(lan, m, FAULT_CRASH)) {
        machine_restart(m);
        return true;
    }
    m->job_count--;
    memmove(&m->jobs[at], &m->jobs[at + 1], (m->job_count - at) * sizeof m->jobs[0]);
    if (counts && fault_now(lan, m, FAULT_EDIT)) edit_at(m, job);
    if (counts && fault_now(lan, m, FAULT_JOB))
        job_fail(job, lan->fault.err);
    else
        disk_run(m->disk, job);
    engine_job_done(m->engine, job);
    return true;
}

// ---- time

// Where the system has no watches left all is walked, as the agent does.
static bool is_watched(const struct machine *m)
{
    return disk_watch_fd(m->disk) >= 0 && disk_unwatched(m->disk, m->folder) == 0;
}

static bool watches_drain(struct machine *m)
{
    struct watch_event event;
    bool any = m->touched && !is_watched(m);
    if (any) engine_watch(m->engine, m->folder, ENGINE_RESCAN, slice_text(""));
    m->touched = false;
    while (disk_watch_next(m->disk, &event)) {
        engine_watch(m->engine, event.folder, wire_watch(event.what), event.path);
        any = true;
    }
    return any;
}

static bool machine_turn(struct machine *m)
{
    if (m->down) return false;
    machine_enter(m);
    if (watches_drain(m) || job_next(m)) return true;
    if (engine_deadline(m->engine) > m->lan->now_ms) return false;
    engine_tick(m->engine);
    return true;
}

void lan_settle(struct lan *lan)
{
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        bool any = lines_turn(lan);
        for (uint32_t i = 0; i < lan->count; i++)
            any |= machine_turn(&lan->machines[i]);
        if (!any) return;
    }
    fail_msg("the machines do not come to rest");
}

void lan_wait(struct lan *lan, int64_t ms)
{
    int64_t end = lan->now_ms + ms;
    int steps = 0;
    for (lan_settle(lan); lan->now_ms < end; lan_settle(lan)) {
        int64_t next = lines_deadline(lan);
        for (uint32_t i = 0; i < lan->count; i++) {
            const struct machine *m = &lan->machines[i];
            int64_t due = m->down ? INT64_MAX : engine_deadline(m->engine);
            if (due < next) next = due;
        }
        lan->now_ms = next < end ? next : end;
        assert_true(++steps < WAIT_STEPS);
    }
}

const struct decision_result *decide(struct machine *m, const struct decision *decision)
{
    uint32_t before = m->decisions, starts = m->starts;
    machine_enter(m);
    engine_decide(m->engine, before + 1U, decision);
    for (int s = 0; s < 120 && m->decisions == before && m->starts == starts; s++)
        lan_wait(m->lan, 1000);
    if (m->starts != starts) m->decided = (struct decision_result){.err = ERR_UNREACHABLE};
    assert_true(m->decisions > before || m->starts != starts);
    return &m->decided;
}
