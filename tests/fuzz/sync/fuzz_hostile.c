// SPDX-License-Identifier: MIT
//
// An engine, a disk, an honest peer, and one that says whatever the input says. In the end the
// index keeps its laws, and the honest peer is served as if nothing had been.
#include "agent/sync/known.h"
#include "tests/fuzz/sync/speech.h"

enum { STEPS_MAX = 48, HONEST_MAX = 8 };
// The first byte of an input. To see that the honest peer is served costs as much as all else.
enum { HOSTILE_OFFERS = 1, HONEST_IS_LEFT = 6 };

struct play {
    struct rig rig;
    struct script *hostile, *honest;
    struct feed feed;
    struct version published[HONEST_MAX]; // by the honest peer
    const char *texts[HONEST_MAX];
    uint32_t count;
    uint32_t told_ids; // before the hostile one said anything
};

static void send_raw(struct play *play, enum lane lane, struct slice bytes)
{
    struct script *script = play->hostile;
    if (!script->cut[lane]) engine_message(play->rig.engine, script->conns[lane], bytes);
}

static bool may_send(const struct script *script, enum lane lane)
{
    return !script->cut[lane] && script->lanes[lane].state == SESSION_OPEN;
}

// As it is meant, or with some bytes turned over.
static void say(struct play *play, bool spoil)
{
    AUTO(buf_fini) struct buf frame = {0};
    struct speech speech = {&play->rig, play->hostile, &play->feed};
    struct message m = speech_message(&speech);
    enum lane lane = speech_on_bulk(m.kind) ? LANE_BULK : LANE_CONTROL;
    if (!may_send(play->hostile, lane)) return;
    struct lane_state before = play->hostile->lanes[lane];
    lane_send(&play->hostile->lanes[lane], &m, &frame);
    play->hostile->lanes[lane] = before; // a BYE ends the other side only
    for (uint32_t i = spoil ? 1 + feed_below(&play->feed, 3) : 0; i > 0; i--) {
        size_t at = (size_t)(feed_number(&play->feed) % frame.size);
        frame.data[at] = feed_byte(&play->feed);
    }
    send_raw(play, lane, buf_slice(&frame));
}

static void honest_says(struct play *play, const char *path, const char *text)
{
    struct script *honest = play->honest;
    uint64_t after = honest->counter;
    play->published[play->count] = script_file(honest, path, text);
    play->texts[play->count++] = text;
    if (may_send(honest, LANE_CONTROL))
        script_push(honest, after, &play->published[play->count - 1], 1, text);
}

static void honest_answers(struct play *play)
{
    if (play->honest->counter == 0) return; // what it offered is still true
    (void)script_answer(play->honest, play->published, play->count, play->texts, play->count);
}

// Where a file can be saved: no directory is there, and above it is nothing else.
static bool may_save(struct rig *rig, struct slice path)
{
    const struct on_disk *at = disk_find(rig, path);
    if (at != NULL && at->value.kind == KIND_DIR) return false;
    for (struct slice p = path_parent(path); p.size > 0; p = path_parent(p)) {
        at = disk_find(rig, p);
        if (at != NULL && at->value.kind != KIND_DIR) return false;
    }
    return true;
}

static void tree_delete(struct rig *rig, const char *path)
{
    for (uint32_t i = rig->disk_count; i-- > 0;) {
        if (path_below(rig->disk[i].path, slice_text(path))) disk_remove(rig, rig->disk[i].path);
    }
    rig_write(rig, path, NULL);
}

static void user_does(struct play *play)
{
    struct rig *rig = &play->rig;
    struct slice path = speech_path(&play->feed);
    char name[64];
    (void)snprintf(name, sizeof name, "%.*s", SLICE_ARG(path));
    if (feed_byte(&play->feed) & 1) {
        if (rig_on_disk(rig, name)) tree_delete(rig, name);
        return;
    }
    const char *text = speech_text(&play->feed);
    if (!may_save(rig, path)) return;
    disk_parents(rig, path);
    rig_write(rig, name, text);
}

static void person_asks(struct play *play)
{
    struct engine *engine = play->rig.engine;
    struct engine_status status;
    struct path_status path;
    struct plan plan;
    struct sync_request sync = {.wait = true, .timeout_ms = 1000};
    struct verify_request verify = {.timeout_ms = 1000};
    struct decision decision = {.folder = "f", .path = speech_path(&play->feed)};
    switch (feed_below(&play->feed, 6)) {
    case 0: engine_status(engine, play->rig.arena, &status); break;
    case 1:
        (void)engine_path(engine, play->rig.arena, play->rig.folder, decision.path, &path);
        break;
    case 2: (void)engine_plan(engine, play->rig.arena, "f", &plan); break;
    case 3: engine_sync(engine, 1, &sync); break;
    case 4: engine_verify(engine, 2, &verify); break;
    default: // not WITH: it reads a file of this machine
        decision.kind =
            feed_below(&play->feed, 2) == 0
                ? DECIDE_TAKE
                : (enum decision_kind)(DECIDE_DISMISS + (int)feed_below(&play->feed, 5));
        engine_decide(engine, 3, &decision);
        break;
    }
}

// Either peer names some devices, or this one itself.
static void names_devices(struct play *play)
{
    AUTO(buf_fini) struct buf frame = {0};
    struct script *who = feed_byte(&play->feed) & 1 ? play->hostile : play->honest;
    struct named_device devices[4] = {{.device = identity_device(play->rig.identity)}};
    struct message m = {.kind = MSG_PEERS,
                        .peers = {.devices = devices, .count = feed_below(&play->feed, 4)}};
    struct known_device *known;
    for (uint32_t i = 0; i < m.peers.count; i++) {
        if (m.peers.count > 1) devices[i].device = (struct device_id){{(uint8_t)i}};
        devices[i].name = slice_text("x");
        devices[i].address_count = feed_below(&play->feed, PROTO_PEER_ADDRESSES_MAX + 1);
        for (uint32_t j = 0; j < devices[i].address_count; j++)
            devices[i].addresses[j] = slice_text("tcp://10.0.0.2:7575");
    }
    if (!may_send(who, LANE_CONTROL)) return;
    lane_send(&who->lanes[LANE_CONTROL], &m, &frame);
    engine_message(play->rig.engine, who->conns[LANE_CONTROL], buf_slice(&frame));
    uint32_t count = engine_known(play->rig.engine, play->rig.arena, &known);
    for (uint32_t i = 0; i < count; i++)
        CHECK(known[i].by_count >= ENGINE_KNOWN_BY);
}

static void time_passes(struct play *play)
{
    static const int64_t spans_ms[] = {0, 30, 100, 1000, 20000, 130000};
    rig_wait(&play->rig, spans_ms[feed_below(&play->feed, 6)]);
}

static void all_come_again(struct play *play)
{
    rig_fail_commits(0, 0); // a start on a full disk is refused as a whole
    rig_restart(&play->rig);
    engine_peer_put(play->rig.engine, play->hostile->device, "hostile");
    engine_peer_put(play->rig.engine, play->honest->device, "honest");
    script_reconnect(play->hostile);
    script_reconnect(play->honest);
}

static void step(struct play *play)
{
    struct rig *rig = &play->rig;
    uint8_t what = feed_byte(&play->feed);
    uint32_t after;
    switch (what % 16) {
    case 0: send_raw(play, what & 16 ? LANE_BULK : LANE_CONTROL, feed_record(&play->feed)); break;
    case 1: say(play, true); break;
    case 2: user_does(play); break;
    case 3: time_passes(play); break;
    case 4: rig->held = (uint32_t)feed_byte(&play->feed) << 2; break;
    case 5: rig->held = 0; break;
    case 6: rig_settle(rig); break;
    case 7:
        if (play->count < HONEST_MAX - 1) honest_says(play, "h", speech_text(&play->feed));
        break;
    case 8: honest_answers(play); break;
    case 9: person_asks(play); break;
    case 10:
        after = feed_below(&play->feed, 4);
        if (what & 16)
            rig_fail_commits(after, 1 + feed_below(&play->feed, 2));
        else if (script_is_cut(play->hostile) || what & 32)
            script_reconnect(play->hostile);
        break;
    case 11:
        if (what >= 224) all_come_again(play);
        if (what < 32) names_devices(play);
        break;
    default: say(play, false); break;
    }
}

// ---- the end

static void laws(struct play *play)
{
    struct rig *rig = &play->rig;
    struct folder_row row;
    CHECK(store_folder_reload(rig->store, rig->arena, rig->folder, &row));
    struct vv k = store_k(rig->store, rig->arena, rig->folder);
    CHECK(vv_get(k, row.inc) <= row.counter);
    struct item *items = arena_alloc(rig->arena, 256, sizeof *items);
    uint32_t count = store_items_after(rig->store, rig->arena, rig->folder, slice_text(""),
                                       slice_text(""), true, 256, items);
    for (uint32_t i = 0; i < count; i++) {
        const struct item *item = &items[i];
        CHECK(path_fault(item->path) == NULL && !heads_too_many(item));
        for (uint32_t j = 0; j < item->head_count; j++) {
            const struct version *head = &item->heads[j];
            CHECK(dots_covered(head->dots, head->vv) && vv_get(head->vv, row.inc) <= row.counter);
        }
        if (item->local.state != LOCAL_OK || item->local.version.value.kind != KIND_FILE) continue;
        const struct on_disk *at = disk_find(rig, item->path);
        bool same = at != NULL && at->print.ino == item->local.print.ino;
        if (same) CHECK(value_same_content(&at->value, &item->local.version.value));
    }
}

// Files of the honest peer come as if nobody else had been there.
static void honest_is_served(struct play *play)
{
    struct rig *rig = &play->rig;
    if (rig->told_ids > play->told_ids) return; // the folder is another one now
    struct script *honest = play->honest;
    for (int lane = 0; lane < 2; lane++) {
        honest->cut[lane] = true;
        engine_conn_down(rig->engine, honest->conns[lane]);
    }
    honest_says(play, "honest", "a file of the honest peer");
    honest_answers(play);
    for (int i = 0; i < 200; i++) {
        rig_wait(rig, 1000);
        honest_answers(play);
        if (rig_item(rig, "honest").local.state == LOCAL_OK) break;
    }
    // An adoption that could not be written may be caught up with only now.
    if (rig->told_ids > play->told_ids) return;
    CHECK(rig_item(rig, "honest").local.state == LOCAL_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct play *play = mem_zalloc(1, sizeof *play);
    play->feed = (struct feed){data, size};
    rig_open(&play->rig);
    play->honest = script_connect(&play->rig, 4);
    script_offer(play->honest, (struct vv){0});
    play->hostile = script_connect(&play->rig, 3);
    const uint8_t flags = feed_byte(&play->feed);
    if (flags & HOSTILE_OFFERS) script_offer(play->hostile, (struct vv){0});
    rig_settle(&play->rig);
    play->told_ids = play->rig.told_ids;
    for (int i = 0; i < STEPS_MAX && play->feed.size > 0; i++)
        step(play);
    play->rig.held = 0;
    rig_fail_commits(0, 0);
    rig_wait(&play->rig, 100);
    laws(play);
    if ((flags & HONEST_IS_LEFT) == 0) honest_is_served(play);
    laws(play);
    rig_close(&play->rig);
    mem_free(&play);
    return 0;
}
