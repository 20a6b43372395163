// SPDX-License-Identifier: MIT
#include "agent/core/incarnation.h"
#include "tests/unit/sync/rig.h"

void rig_measured(void *context, uint64_t ticket, const struct bench_result *result)
{
    struct rig *rig = context;
    rig->measured = ticket;
    rig->bench = *result;
}

static void say_hello(struct script *script, enum lane lane)
{
    struct message hello = {.kind = MSG_HELLO};
    hello.hello.protocol = PROTO_VERSION;
    hello.hello.program = slice_text("script");
    hello.hello.name = slice_text("script");
    hello.hello.boot = script->boot;
    hello.hello.features = script->features;
    hello.hello.wall_ms = 1700000000000 + script->rig->now_ms;
    script_send(script, lane, &hello);
}

static void lane_up(struct script *script, enum lane lane, enum conn_way way, uint64_t number)
{
    struct rig *rig = script->rig;
    script->conns[lane] = ++rig->last_conn;
    script->cut[lane] = false;
    lane_init(&script->lanes[lane], lane, way == CONN_ACCEPTED, number);
    engine_conn_up(rig->engine, script->conns[lane], script->device, way, lane,
                   slice_text("tcp://script"));
}

void script_open(struct script *script, enum lane lane, uint64_t number)
{
    lane_up(script, lane, CONN_ACCEPTED, number);
    say_hello(script, lane);
}

void script_dialled_half(struct script *script, enum conn_way way)
{
    uint64_t number = 1000 + script->rig->last_conn;
    lane_up(script, LANE_CONTROL, way, number);
    lane_up(script, LANE_BULK, way, number);
    say_hello(script, LANE_CONTROL);
}

void script_dialled_rest(struct script *script)
{
    say_hello(script, LANE_BULK);
}

void script_dialled(struct script *script, enum conn_way way)
{
    script_dialled_half(script, way);
    script_dialled_rest(script);
}

void script_dialled_apart(struct script *script)
{
    script_dialled_half(script, CONN_DIALLED);
    script->boot++;
    script_dialled_rest(script);
}

void script_reconnect(struct script *script)
{
    uint64_t number = 1000 + script->rig->last_conn;
    script->boot = number; // another process
    script_open(script, LANE_CONTROL, number);
    script_open(script, LANE_BULK, number);
}

void script_down(const struct script *script)
{
    for (int lane = 0; lane < 2; lane++)
        engine_conn_down(script->rig->engine, script->conns[lane]);
}

struct script *script_connect(struct rig *rig, uint8_t seed)
{
    struct script *script = mem_zalloc(1, sizeof *script);
    assert_true(rig->script_count < sizeof rig->scripts / sizeof rig->scripts[0]);
    rig->scripts[rig->script_count++] = script;
    script->rig = rig;
    script->identity = rig_identity(seed, 99);
    script->device = identity_device(script->identity);
    script->nonce[0] = seed;
    script->inc = incarnation_of(script->device, rig->id, script->nonce);
    char name[16];
    (void)snprintf(name, sizeof name, "peer%u", seed);
    engine_peer_put(rig->engine, script->device, name);
    script_reconnect(script);
    return script;
}

void script_send(struct script *script, enum lane lane, struct message *message)
{
    AUTO(buf_fini) struct buf frame = {0};
    if (script->cut[lane]) return;
    lane_send(&script->lanes[lane], message, &frame);
    engine_message(script->rig->engine, script->conns[lane], buf_slice(&frame));
}

bool script_is_cut(const struct script *script)
{
    return script->cut[LANE_CONTROL] && script->cut[LANE_BULK];
}

uint32_t script_heard(const struct script *script, enum message_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < script->heard_count; i++)
        count += script->heard[i]->kind == kind;
    return count;
}

const struct message *script_last(const struct script *script, enum message_kind kind)
{
    for (uint32_t i = script->heard_count; i-- > 0;) {
        if (script->heard[i]->kind == kind) return script->heard[i];
    }
    fail_msg("no %s was heard", message_kind_text(kind));
    return NULL;
}

// ---- what an honest device says

struct owner owner_of(struct rig *rig, struct device_id device, uint64_t seed)
{
    struct owner owner = {.device = device, .name = slice_text("x")};
    memcpy(owner.nonce, &seed, sizeof seed);
    owner.inc = incarnation_of(device, rig->id, owner.nonce);
    return owner;
}

void script_applied(struct script *script, struct vv a, const char *path, const char *reason)
{
    struct message m = {.kind = MSG_APPLIED, .applied = {.folder = script->rig->id, .a = a}};
    struct blocked_item item;
    if (path != NULL) {
        item = (struct blocked_item){.path = slice_text(path), .reason = slice_text(reason)};
        m.applied.blocked = &item;
        m.applied.blocked_count = 1;
        m.applied.blocked_total = 1;
    }
    script_send(script, LANE_CONTROL, &m);
}

struct mark script_mark(const struct script *script, uint64_t counter)
{
    struct mark mark = {.inc = script->inc, .counter = counter, .first = 1, .epoch = 1};
    mark_sign(script->identity, script->rig->id, &mark);
    return mark;
}

void script_offer_as(struct script *script, struct folder_id id, bool used, enum offer_state state,
                     struct vv k)
{
    struct message m = {.kind = MSG_OFFER, .offer = {.folder = id, .has_items = used}};
    struct mark mark;
    m.offer.name = slice_text("f");
    m.offer.state = state;
    memcpy(m.offer.nonce, script->nonce, sizeof m.offer.nonce);
    m.offer.inc = incarnation_of(script->device, id, script->nonce);
    m.offer.k = k;
    if (k.count > 0) {
        mark = script_mark(script, vv_get(k, script->inc));
        m.offer.marks = (struct marks){&mark, 1};
    }
    script_send(script, LANE_CONTROL, &m);
}

void script_offer(struct script *script, struct vv k)
{
    script_offer_as(script, script->rig->id, true, OFFER_READY, k);
}

struct version script_file(struct script *script, const char *path, const char *text)
{
    struct arena *arena = script->rig->arena;
    struct dot dot = {script->inc, ++script->counter};
    struct version v = {.path = slice_of(arena_text(arena, slice_text(path)), strlen(path))};
    v.vv = vv_with(arena, (struct vv){0}, dot);
    v.dots = dots_copy(arena, (struct dots){v.vv.entries, 1});
    v.value = (struct value){.kind = KIND_FILE, .mode = 0644, .size = strlen(text)};
    v.value.content = hash_sha256(slice_text(text));
    v.birth = (struct birth){1600000000000 + (int64_t)dot.counter, dot.inc, dot.counter};
    return v;
}

struct version script_link(struct script *script, const char *path, const char *target)
{
    struct version v = script_file(script, path, target);
    v.value = (struct value){.kind = KIND_SYMLINK, .target = slice_text(target)};
    v.value.content = hash_sha256(v.value.target);
    return v;
}

void script_push(struct script *script, uint64_t after, struct version *versions, uint32_t count,
                 const char *ride)
{
    struct message m = {.kind = MSG_PUSH};
    struct ride one = {.content = {.size = 0}};
    m.push.folder = script->rig->id;
    m.push.inc = script->inc;
    m.push.after = after;
    m.push.upto = script_mark(script, script->counter);
    m.push.versions = (struct versions){versions, count};
    if (ride != NULL) {
        one.bytes = slice_text(ride);
        one.content = (struct content){hash_sha256(one.bytes), one.bytes.size};
        m.push.rides = &one;
        m.push.ride_count = 1;
    }
    script_send(script, LANE_CONTROL, &m);
}

// ---- an honest device that answers

static void answer_pull(struct script *script, const struct msg_pull *pull,
                        struct version *versions, uint32_t count)
{
    struct message page = {.kind = MSG_VERSIONS}, done = {.kind = MSG_DONE};
    struct dot k = {script->inc, script->counter};
    done.done.folder = script->rig->id;
    done.done.round = pull->round;
    done.done.k = (struct vv){&k, script->counter > 0 ? 1 : 0};
    if (count > 0) {
        struct mark mark = script_mark(script, script->counter);
        page.versions.folder = script->rig->id;
        page.versions.round = pull->round;
        page.versions.page = done.done.pages = 1;
        page.versions.marks = (struct marks){&mark, 1};
        page.versions.versions = (struct versions){versions, count};
        script_send(script, LANE_CONTROL, &page);
    }
    script_send(script, LANE_CONTROL, &done);
}

static void answer_content(struct script *script, struct content *content, struct slice text)
{
    struct message m = {.kind = MSG_PACK};
    m.pack.folder = script->rig->id;
    m.pack.contents = content;
    m.pack.count = 1;
    m.pack.bytes = text;
    script_send(script, LANE_BULK, &m);
}

static void answer_not_held(struct script *script, const struct content *content)
{
    struct digest id = content->id;
    struct message m = {.kind = MSG_NOT_HELD};
    m.not_held.folder = script->rig->id;
    m.not_held.ids = &id;
    m.not_held.count = 1;
    script_send(script, LANE_CONTROL, &m);
}

static void answer_want(struct script *script, const struct msg_want *want,
                        const char *const *texts, uint32_t count)
{
    for (uint32_t i = 0; i < want->id_count; i++) {
        bool held = false;
        for (uint32_t t = 0; t < count; t++) {
            struct slice text = slice_text(texts[t]);
            bool same = digest_equal(hash_sha256(text), want->ids[i].id);
            if (!same || want->ids[i].size != text.size) continue;
            held = true;
            answer_content(script, &want->ids[i], text);
        }
        if (!held) answer_not_held(script, &want->ids[i]);
    }
}

static void answer_ping(struct script *script, const struct msg_ping *ping)
{
    struct message pong = {.kind = MSG_PONG, .ping = *ping};
    script_send(script, LANE_CONTROL, &pong);
}

bool script_answer(struct script *script, struct version *versions, uint32_t count,
                   const char *const *texts, uint32_t text_count)
{
    if (script_is_cut(script)) {
        script_reconnect(script);
        script->answered = script->heard_count;
        struct dot k = {script->inc, script->counter};
        script_offer(script, (struct vv){&k, script->counter > 0 ? 1 : 0});
    }
    bool any = false;
    while (script->answered < script->heard_count) {
        const struct message *m = script->heard[script->answered++];
        if (m->kind == MSG_PULL) answer_pull(script, &m->pull, versions, count);
        if (m->kind == MSG_PING) answer_ping(script, &m->ping);
        if (m->kind == MSG_WANT) answer_want(script, &m->want, texts, text_count);
        any = true;
    }
    return any;
}

void script_pong(struct script *script)
{
    while (script->answered < script->heard_count) {
        const struct message *m = script->heard[script->answered++];
        if (m->kind == MSG_PING) answer_ping(script, &m->ping);
    }
}
