// SPDX-License-Identifier: MIT
//
// The engine's door: its life, the clock of a turn, and where each event goes.
#include <stdlib.h>
#include <string.h>

#include "agent/delta/compress.h"
#include "agent/sync/bench_priv.h"

void vvbox_set(struct vvbox *box, struct vv v)
{
    struct arena *fresh = arena_new();
    box->v = vv_copy(fresh, v);
    arena_destroy(&box->arena);
    box->arena = fresh;
}

// In place unless the incarnation is new.
void vvbox_raise(struct vvbox *box, struct dot d)
{
    for (uint32_t i = 0; i < box->v.count; i++) {
        if (box->v.entries[i].inc != d.inc) continue;
        if (box->v.entries[i].counter < d.counter) box->v.entries[i].counter = d.counter;
        return;
    }
    struct arena *fresh = arena_new();
    box->v = vv_with(fresh, box->v, d);
    arena_destroy(&box->arena);
    box->arena = fresh;
}

void vvbox_fini(struct vvbox *box)
{
    arena_destroy(&box->arena);
    box->v = (struct vv){0};
}

bool folder_id_equal(struct folder_id a, struct folder_id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

struct slice content_key(const struct content *content, uint8_t out[40])
{
    memcpy(out, content->id.bytes, 32);
    for (int i = 0; i < 8; i++)
        out[32 + i] = (uint8_t)(content->size >> (8 * i));
    return slice_of(out, 40);
}

void content_of_key(struct slice key, struct content *out)
{
    memcpy(out->id.bytes, key.data, 32);
    out->size = 0;
    for (int i = 0; i < 8; i++)
        out->size |= (uint64_t)key.data[32 + i] << (8 * i);
}

void engine_changed(struct engine *engine)
{
    engine->changed = true;
}

// The index remembers whether the last run came to its end.
static void run_note(struct engine *engine, bool running)
{
    const struct index_port *index = &engine->o.index;
    const uint8_t byte = running;
    index->begin(index->self);
    index->meta_set(index->self, "running", slice_of(&byte, 1));
    if (index->commit(index->self) != ERR_OK)
        log_warn(LOG_SYNC, "run not noted", "running=%d", running);
}

static bool last_run_crashed(struct engine *engine)
{
    const struct index_port *index = &engine->o.index;
    struct slice value;
    return index->meta_get(index->self, engine->scratch, "running", &value) && value.size == 1 &&
           value.data[0] != 0;
}

struct engine *engine_new(const struct engine_options *options)
{
    struct engine *engine = mem_zalloc(1, sizeof *engine);
    engine->o = *options;
    engine->name = mem_strdup(options->name);
    engine->program = mem_strdup(options->program);
    engine->o.keys.random(&engine->boot, sizeof engine->boot);
    engine->scratch = arena_new();
    engine->compressor = compressor_new();
    engine->rides = map_new();
    engine->after_crash = last_run_crashed(engine);
    run_note(engine, true);
    return engine;
}

static void peer_free(struct peer *peer)
{
    mem_free(&peer->name);
    mem_free(&peer->address);
    mem_free(&peer->clone_text);
    known_forget(peer);
    mem_free(&peer);
}

static void conns_free(struct engine *engine)
{
    while (engine->conns != NULL) {
        struct conn *conn = engine->conns;
        engine->conns = conn->next;
        mem_free(&conn->address);
        mem_free(&conn);
    }
}

void engine_destroy(struct engine **slot)
{
    struct engine *engine = *slot;
    if (engine == NULL) return;
    while (engine->sessions != NULL)
        session_end(engine->sessions, BYE_STOPPING, "stopping");
    waits_destroy(engine);
    abandons_destroy(engine);
    verifies_destroy(engine);
    mem_free(&engine->bench);
    conns_free(engine);
    bool unwalked = false; // since a crash: the next run is after it, too
    while (engine->folders != NULL) {
        struct folder *folder = engine->folders;
        engine->folders = folder->next;
        unwalked |= folder->after_crash && !folder->gone && folder->root == ROOT_OK;
        for (struct bond *b = folder->bonds; b != NULL; b = b->next)
            bond_save(folder, b);
        if (!folder->gone) base_save(folder);
        folder_destroy(folder);
    }
    while (engine->peers != NULL) {
        struct peer *peer = engine->peers;
        engine->peers = peer->next;
        peer_free(peer);
    }
    mem_free(&engine->distrusted);
    rides_drop(engine);
    map_destroy(&engine->rides);
    compressor_destroy(&engine->compressor);
    if (!unwalked) run_note(engine, false);
    arena_destroy(&engine->scratch);
    mem_free(&engine->name);
    mem_free(&engine->program);
    mem_free(slot);
}

void engine_slim(struct engine *engine)
{
    rides_drop(engine);
    compressor_destroy(&engine->compressor);
    engine->compressor = compressor_new();
    arena_destroy(&engine->scratch);
    engine->scratch = arena_new();
}

void engine_rest(struct engine *engine)
{
    arena_reset(engine->scratch);
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        witness_renew(f);
        if (!f->gone) base_rest(f);
    }
}

bool engine_rested(const struct engine *engine)
{
    for (const struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (!f->gone && (f->witness_out || !base_rested(f))) return false;
    }
    return true;
}

void engine_now(struct engine *engine, int64_t monotonic_ms, int64_t wall_ms)
{
    engine->now_ms = monotonic_ms;
    engine->wall_ms = wall_ms;
    if (engine->started_wall_ms == 0) engine->started_wall_ms = wall_ms;
}

// Every event ends here: what can go on goes on, and the owner hears that something changed.
static void turn_end(struct engine *engine)
{
    unread_settle(engine);
    waits_check(engine);
    verifies_check(engine);
    abandons_check(engine);
    if (!engine->changed) return;
    engine->changed = false;
    engine->o.notify.changed(engine->o.notify.context);
}

static void folders_sweep(struct engine *engine)
{
    for (struct folder **at = &engine->folders; *at != NULL;) {
        struct folder *folder = *at;
        if (folder->gone && folder->jobs == 0) {
            *at = folder->next;
            folder_destroy(folder);
        } else {
            at = &folder->next;
        }
    }
}

// From the one at that place on, and in the second round those before it.
static bool is_its_round(uint32_t at, uint32_t first, int round)
{
    return (at >= first) == (round == 0);
}

static void folders_tick(struct engine *engine, uint32_t first)
{
    for (int round = 0; round < 2; round++) {
        uint32_t at = 0;
        for (struct folder *f = engine->folders; f != NULL; f = f->next) {
            if (is_its_round(at++, first, round) && !f->gone) folder_tick(f);
        }
    }
}

static void sessions_tick(struct engine *engine, uint32_t first)
{
    for (int round = 0; round < 2; round++) {
        uint32_t at = 0;
        for (struct session *s = engine->sessions, *next; s != NULL; s = next) {
            next = s->next;
            if (is_its_round(at++, first, round)) session_tick(s);
        }
    }
}

// Where so much a second is the limit, the first takes what there is: each is the first in its
// turn.
static uint32_t first_place(const struct engine *engine, const struct rate *rate, uint32_t count)
{
    return rate->per_s > 0 && count > 0 ? engine->turns % count : 0;
}

void engine_tick(struct engine *engine)
{
    uint32_t folders = 0, sessions = 0;
    arena_reset(engine->scratch);
    folders_sweep(engine);
    engine->ticked_ms = engine->now_ms;
    engine->turns++;
    unread_tick(engine);
    for (const struct folder *f = engine->folders; f != NULL; f = f->next)
        folders++;
    for (const struct session *s = engine->sessions; s != NULL; s = s->next)
        sessions++;
    folders_tick(engine, first_place(engine, &engine->down, folders));
    sessions_tick(engine, first_place(engine, &engine->up, sessions));
    hellos_tick(engine);
    known_tick(engine);
    bench_tick(engine);
    turn_end(engine);
}

// A spare session is not pinged, whatever it was due before another took its place.
static int64_t session_deadline(const struct session *session)
{
    if (session_stuck(session)) return 0;
    bool pings = session->open && session->peer->in_use == session;
    int64_t at = pings ? session->next_ping_ms : INT64_MAX;
    if (session->ping_sent_ms != 0 && session->pong_by_ms < at) at = session->pong_by_ms;
    for (const struct share *share = session->shares; share != NULL; share = share->next) {
        int64_t due = share_deadline(share);
        if (due < at) at = due;
    }
    return at;
}

int64_t engine_deadline(const struct engine *engine)
{
    int64_t at = waits_deadline(engine), verify = verifies_deadline(engine);
    if (verify < at) at = verify;
    int64_t unread = unread_deadline(engine);
    if (unread < at) at = unread;
    int64_t abandon = abandons_deadline(engine);
    if (abandon < at) at = abandon;
    int64_t hello = hellos_deadline(engine);
    if (hello < at) at = hello;
    int64_t bench = bench_deadline(engine);
    if (bench < at) at = bench;
    int64_t known = known_deadline(engine);
    if (known < at) at = known;
    for (const struct folder *f = engine->folders; f != NULL; f = f->next) {
        int64_t due = f->gone ? INT64_MAX : folder_deadline(f);
        if (due < at) at = due;
    }
    for (const struct session *s = engine->sessions; s != NULL; s = s->next) {
        int64_t due = session_deadline(s);
        if (due < at) at = due;
    }
    return at;
}

// ---- peers

struct peer *peer_find(struct engine *engine, struct device_id device)
{
    struct peer *peer = engine->peers;
    while (peer != NULL && !device_equal(peer->device, device))
        peer = peer->next;
    return peer;
}

void engine_peer_put(struct engine *engine, struct device_id device, const char *name)
{
    arena_reset(engine->scratch);
    struct peer *peer = peer_find(engine, device);
    if (peer == NULL) {
        peer = mem_zalloc(1, sizeof *peer);
        peer->device = device;
        peer->rtt_ms = -1;
        peer->next = engine->peers;
        engine->peers = peer;
        approvals_trust(engine, device);
    }
    mem_free(&peer->name);
    peer->name = mem_strdup(name);
    known_dirty(engine);
    engine_changed(engine);
    turn_end(engine);
}

static void bonds_forget(struct folder *folder, struct device_id device)
{
    for (struct bond **at = &folder->bonds; *at != NULL;) {
        struct bond *bond = *at;
        if (!device_equal(bond->device, device)) {
            at = &bond->next;
            continue;
        }
        *at = bond->next;
        bond_destroy(&bond);
    }
}

void engine_peer_remove(struct engine *engine, struct device_id device)
{
    arena_reset(engine->scratch);
    for (struct session *s = engine->sessions, *next; s != NULL; s = next) {
        next = s->next;
        if (device_equal(s->peer->device, device))
            session_end(s, BYE_DENIED, "not trusted any more");
    }
    for (struct folder *f = engine->folders; f != NULL; f = f->next)
        bonds_forget(f, device);
    for (struct peer **at = &engine->peers; *at != NULL; at = &(*at)->next) {
        struct peer *peer = *at;
        if (!device_equal(peer->device, device)) continue;
        *at = peer->next;
        peer_free(peer);
        break;
    }
    known_dirty(engine);
    engine_changed(engine);
    engine_peer_distrust(engine, device);
    turn_end(engine);
}

// ---- folders

struct folder *folder_by_number(struct engine *engine, uint32_t number)
{
    struct folder *f = engine->folders;
    while (f != NULL && f->number != number)
        f = f->next;
    return f;
}

struct folder *folder_by_id(struct engine *engine, struct folder_id id)
{
    struct folder *f = engine->folders;
    while (f != NULL && (f->gone || !f->id_known || !folder_id_equal(f->row.id, id)))
        f = f->next;
    return f;
}

struct folder *folder_by_name(struct engine *engine, struct slice name)
{
    struct folder *f = engine->folders;
    while (f != NULL && (f->gone || !slice_equal(slice_text(f->name), name)))
        f = f->next;
    return f;
}

bool folder_shared_with(const struct folder *folder, struct device_id device)
{
    if (folder->with_all) return true;
    for (uint32_t i = 0; i < folder->with_count; i++) {
        if (device_equal(folder->with[i], device)) return true;
    }
    return false;
}

static bool stages(const struct job *job)
{
    return job->kind == JOB_STAGE || job->kind == JOB_COPY || job->kind == JOB_FINISH;
}

void submit(struct folder *folder, struct job *job)
{
    folder->jobs++;
    if (stages(job)) folder->staging_jobs++;
    if (job->kind == JOB_APPLY) ((struct errand *)job->context)->stagings = folder->stagings;
    folder->engine->o.disk.submit(folder->engine->o.disk.self, job);
}

// ---- results of jobs

static void errand_dispatch(struct folder *folder, struct job *job)
{
    const struct errand *errand = job->context;
    switch (errand->purpose) {
    case FOR_TRANSFER: fetch_job_done(folder, job); break;
    case FOR_PUSH: push_staged(folder, job); break;
    case FOR_SERVE:
    case FOR_DELTA: serve_job_done(folder, job); break;
    case FOR_RESOLVE: resolve_done(folder, job); break;
    case FOR_APPLY: apply_done(folder, job); break;
    case FOR_DECIDE: decide_file_done(folder, job); break;
    case FOR_LATE_WRITE: late_write_done(folder, job); break;
    }
}

static void job_dispatch(struct folder *folder, struct job *job)
{
    switch (job->kind) {
    case JOB_SCAN: scan_job_done(folder, job); break;
    case JOB_LOOK: dirty_look_done(folder, job); break;
    case JOB_HEALTH: folder_health_done(folder, job); break;
    case JOB_RECOVER: folder_recover_done(folder, job); break;
    case JOB_BASE: base_job_done(folder, job); break;
    case JOB_STAGE:
    case JOB_PART:
    case JOB_REUSE:
    case JOB_SIGN:
    case JOB_PATCH:
    case JOB_DIFF:
    case JOB_LEAF:
    case JOB_FINISH:
    case JOB_COPY:
    case JOB_READ:
    case JOB_APPLY: errand_dispatch(folder, job); break;
    }
}

void engine_job_done(struct engine *engine, struct job *job)
{
    arena_reset(engine->scratch);
    struct folder *folder = folder_by_number(engine, job->folder);
    CHECK(folder != NULL && folder->jobs > 0);
    folder->jobs--;
    if (stages(job)) {
        folder->staging_jobs--;
        folder->stagings++;
    }
    bool root_lost = job->err == ERR_UNREACHABLE && job->kind != JOB_HEALTH;
    if (root_lost && !folder->gone) folder_set_root_missing(folder, "the root is not there");
    job_dispatch(folder, job);
    job_destroy(&job);
    if (!folder->gone) {
        folder_recover_go_on(folder);
        folder_turn(folder);
        reinc_step(folder);
    }
    folders_sweep(engine);
    turn_end(engine);
}

void engine_watch(struct engine *engine, uint32_t number, enum engine_watch what, struct slice path)
{
    arena_reset(engine->scratch);
    struct folder *folder = folder_by_number(engine, number);
    if (folder == NULL || folder->gone) return;
    switch (what) {
    case ENGINE_WRITTEN: dirty_written(folder, path); break;
    case ENGINE_MODIFIED: dirty_mark(folder, path, OPEN_QUIET_MS, false); break;
    case ENGINE_GONE:
        dirty_mark(folder, path, GONE_DELAY_MS, false);
        dirty_gone_expected(folder, path);
        break;
    case ENGINE_TREE: scan_tree(folder, path); break;
    case ENGINE_RESCAN: scan_start(folder); break;
    case ENGINE_MISSED: scan_missed(folder); break;
    case ENGINE_ROOT: rules_check(folder); break;
    case ENGINE_KEPT: late_write_mark(folder, path, LATE_WRITE_QUIET_MS); break;
    }
    if (folder_usable(folder)) dirty_dispatch(folder);
    turn_end(engine);
}
