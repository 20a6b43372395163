// SPDX-License-Identifier: MIT
//
// A real engine over a real index for the model beside it, with one peer, which is the model's.
// After each question it comes to rest; the answer is what it then has:
//
//     {"do": "open"}                      from the beginning; also tells both incarnations
//     {"do": "save", "path": P, "text": T, "mode": M}   by a user; no "text": deletes
//     {"do": "cut"}, {"do": "restart"}    the connection, the process; "meet" is to follow
//     {"do": "meet", PEER}                they connect
//     {"do": "push", "after": N, "upto": N, "versions": [{"path": P, "origin": P, "w": V}...],
//     PEER}
//     {"do": "name", "path": P, "w": V}
//
// PEER is what the peer has: "k": vector, "all": versions as above, "texts": all contents there
// are.
#include "agent/core/resolve.h"
#include "tests/model/exchange_json.h"
#include "tests/unit/sync/rig.h"

enum {
    QUIET_S = 62, // the longest that a file that is saved again and again waits
    ANSWERS_MAX = 400,
    VERSIONS_MAX = 256,
    TEXTS_MAX = 512,
    ITEMS_MAX = 256,
};

struct play {
    struct rig *rig;
    struct script *peer;
    // what the peer has
    struct vv k;
    struct version *all;
    const char **texts;
    uint32_t count, text_count;
    bool mute; // answers no request
};

// ---- the peer

static struct versions versions_of(struct arena *arena, const json_t *list)
{
    struct versions out = {NULL, (uint32_t)json_array_size(list)};
    CHECK(out.count <= VERSIONS_MAX);
    out.entries = arena_alloc(arena, out.count + 1U, sizeof *out.entries);
    for (uint32_t i = 0; i < out.count; i++) {
        const json_t *one = json_array_get(list, i);
        const char *origin = json_string_value(json_object_get(one, "origin"));
        const char *path = json_string_value(json_object_get(one, "path"));
        out.entries[i] = version_of(arena, arena_copy(arena, slice_text(path)),
                                    arena_copy(arena, slice_text(origin != NULL ? origin : "")),
                                    json_object_get(one, "w"));
    }
    return out;
}

static void peer_has(struct play *play, const json_t *question)
{
    struct arena *arena = play->rig->arena;
    const json_t *texts = json_object_get(question, "texts");
    struct versions all = versions_of(arena, json_object_get(question, "all"));
    play->all = all.entries;
    play->count = all.count;
    play->k = vv_of(arena, json_object_get(question, "k"));
    play->peer->counter = vv_get(play->k, play->peer->inc);
    play->text_count = (uint32_t)json_array_size(texts);
    CHECK(play->text_count <= TEXTS_MAX);
    play->texts = arena_alloc(arena, play->text_count + 1U, sizeof *play->texts);
    for (uint32_t i = 0; i < play->text_count; i++)
        play->texts[i] = arena_text(arena, slice_text(json_string_value(json_array_get(texts, i))));
}

static struct marks own_mark(const struct play *play, struct mark *room)
{
    if (play->peer->counter == 0) return (struct marks){NULL, 0};
    *room = script_mark(play->peer, play->peer->counter);
    return (struct marks){room, 1};
}

static void answer_pull(struct play *play, const struct msg_pull *pull)
{
    struct mark mark;
    struct marks marks = own_mark(play, &mark);
    struct version owed[VERSIONS_MAX];
    struct message page = {.kind = MSG_VERSIONS}, done = {.kind = MSG_DONE};
    page.versions = (struct msg_versions){.folder = play->rig->id, .round = pull->round, .page = 1};
    page.versions.marks = marks;
    page.versions.versions = (struct versions){owed, 0};
    for (uint32_t i = 0; i < play->count; i++) {
        if (!dots_covered(play->all[i].dots, pull->k))
            owed[page.versions.versions.count++] = play->all[i];
    }
    bool any = page.versions.versions.count > 0;
    done.done = (struct msg_done){.folder = play->rig->id, .round = pull->round, .pages = any};
    done.done.k = play->k;
    done.done.marks = marks;
    if (any) script_send(play->peer, LANE_CONTROL, &page);
    script_send(play->peer, LANE_CONTROL, &done);
}

static void answer_want(struct play *play, const struct msg_want *want)
{
    for (uint32_t i = 0; i < want->id_count; i++) {
        for (uint32_t t = 0; t < play->text_count; t++) {
            struct slice text = slice_text(play->texts[t]);
            if (!digest_equal(hash_sha256(text), want->ids[i].id)) continue;
            struct message m = {.kind = MSG_PACK};
            m.pack = (struct msg_pack){play->rig->id, &want->ids[i], 1, false, text};
            script_send(play->peer, LANE_BULK, &m);
            break;
        }
    }
}

static void peer_answers(struct play *play)
{
    struct script *peer = play->peer;
    for (; peer->answered < peer->heard_count; peer->answered++) {
        const struct message *m = peer->heard[peer->answered];
        struct message pong = {.kind = MSG_PONG, .ping = m->ping};
        if (script_is_cut(peer)) continue;
        if (m->kind == MSG_PULL && !play->mute) answer_pull(play, &m->pull);
        if (m->kind == MSG_WANT && !play->mute) answer_want(play, &m->want);
        if (m->kind == MSG_PING) script_send(peer, LANE_CONTROL, &pong);
    }
}

static void rest(struct play *play)
{
    uint32_t turns = 0;
    for (int s = 0; s < QUIET_S; s++) {
        do {
            peer_answers(play);
            rig_settle(play->rig);
            CHECK(turns++ < ANSWERS_MAX);
        } while (play->peer->answered < play->peer->heard_count);
        rig_wait(play->rig, 1000);
    }
    peer_answers(play);
    rig_settle(play->rig);
}

// ---- what happens

static void cut(struct play *play)
{
    for (int lane = 0; lane < 2; lane++) {
        if (!play->peer->cut[lane]) engine_conn_down(play->rig->engine, play->peer->conns[lane]);
        play->peer->cut[lane] = true;
    }
}

static void meet(struct play *play)
{
    struct mark mark;
    struct message m = {.kind = MSG_OFFER};
    cut(play);
    play->mute = false;
    script_reconnect(play->peer);
    m.offer = (struct msg_offer){.folder = play->rig->id, .name = slice_text("f")};
    m.offer.inc = play->peer->inc;
    memcpy(m.offer.nonce, play->peer->nonce, sizeof m.offer.nonce);
    m.offer.state = OFFER_READY;
    m.offer.has_items = true;
    m.offer.k = play->k;
    m.offer.marks = own_mark(play, &mark);
    script_send(play->peer, LANE_CONTROL, &m);
}

static void push(struct play *play, const json_t *question)
{
    struct message m = {.kind = MSG_PUSH};
    m.push.folder = play->rig->id;
    m.push.inc = play->peer->inc;
    m.push.after = number_of(json_object_get(question, "after"));
    m.push.upto = script_mark(play->peer, number_of(json_object_get(question, "upto")));
    m.push.versions = versions_of(play->rig->arena, json_object_get(question, "versions"));
    if (json_is_true(json_object_get(question, "mute"))) play->mute = true;
    script_send(play->peer, LANE_CONTROL, &m);
}

static void open_new(struct play *play)
{
    if (play->rig != NULL) rig_close(play->rig);
    mem_free(&play->rig);
    play->rig = mem_zalloc(1, sizeof *play->rig);
    rig_open(play->rig);
    play->peer = script_connect(play->rig, 3);
    play->k = (struct vv){0};
    play->count = play->text_count = 0;
    play->mute = false;
}

static void save(struct play *play, const json_t *question)
{
    const char *path = json_string_value(json_object_get(question, "path"));
    const char *text = json_string_value(json_object_get(question, "text"));
    rig_write(play->rig, arena_text(play->rig->arena, slice_text(path)), text);
    if (text == NULL) return;
    struct on_disk *at = disk_find(play->rig, slice_text(path));
    at->value.mode = at->print.mode = (uint32_t)number_of(json_object_get(question, "mode"));
}

static void restart(struct play *play)
{
    cut(play);
    rig_restart(play->rig);
    engine_peer_put(play->rig->engine, play->peer->device, "peer3");
}

// ---- what there is

static json_t *items_json(const struct rig *rig, struct arena *arena)
{
    json_t *out = json_array();
    struct item *items = arena_alloc(arena, ITEMS_MAX, sizeof *items);
    uint32_t count = store_items_after(rig->store, arena, rig->folder, slice_text(""),
                                       slice_text(""), true, ITEMS_MAX, items);
    for (uint32_t i = 0; i < count; i++) {
        json_t *heads = json_array();
        for (uint32_t j = 0; j < items[i].head_count; j++)
            json_array_append_new(heads, version_json(&items[i].heads[j]));
        bool here = items[i].local.state == LOCAL_OK;
        json_array_append_new(
            out, json_pack("{s:o, s:o, s:o}", "path", json_bytes(items[i].path), "heads", heads,
                           "local", here ? version_json(&items[i].local.version) : json_null()));
    }
    return out;
}

static json_t *disk_json(const struct rig *rig)
{
    json_t *out = json_array();
    for (uint32_t i = 0; i < rig->disk_count; i++) {
        if (rig->disk[i].value.kind != KIND_FILE) continue;
        json_array_append_new(out, json_pack("[o, o, i]", json_bytes(rig->disk[i].path),
                                             digest_json(&rig->disk[i].value.content),
                                             (int)rig->disk[i].value.mode));
    }
    return out;
}

static json_t *state_json(const struct play *play, struct arena *arena)
{
    const struct rig *rig = play->rig;
    struct folder_row row;
    CHECK(store_folder_reload(rig->store, arena, rig->folder, &row));
    struct vv k = store_k(rig->store, arena, rig->folder);
    return json_pack("{s:I, s:I, s:I, s:b, s:o, s:o, s:o}", "inc", (json_int_t)row.inc, "peer",
                     (json_int_t)play->peer->inc, "now", (json_int_t)(1700000000000 + rig->now_ms),
                     "connected", (int)!script_is_cut(play->peer), "k",
                     pairs_json(k.entries, k.count), "items", items_json(rig, arena), "disk",
                     disk_json(rig));
}

static json_t *name(const struct play *play, struct arena *arena, const json_t *question)
{
    struct slice path = slice_text(json_string_value(json_object_get(question, "path")));
    struct version w = version_of(arena, path, slice_of(NULL, 0), json_object_get(question, "w"));
    return json_pack("{s:o}", "name", json_bytes(conflict_name(arena, play->rig->id, path, &w)));
}

static json_t *answer(void *context, struct arena *arena, const json_t *question)
{
    struct play *play = context;
    const char *what = json_string_value(json_object_get(question, "do"));
    CHECK(what != NULL);
    if (strcmp(what, "name") == 0) return name(play, arena, question);
    if (strcmp(what, "open") == 0) open_new(play);
    if (json_object_get(question, "k") != NULL) peer_has(play, question);
    if (strcmp(what, "save") == 0) save(play, question);
    if (strcmp(what, "cut") == 0) cut(play);
    if (strcmp(what, "restart") == 0) restart(play);
    if (strcmp(what, "meet") == 0) meet(play);
    if (strcmp(what, "push") == 0) push(play, question);
    rest(play);
    return state_json(play, arena);
}

int main(void)
{
    struct play play = {.rig = NULL};
    talk(answer, &play);
    if (play.rig != NULL) rig_close(play.rig);
    mem_free(&play.rig);
    return 0;
}
