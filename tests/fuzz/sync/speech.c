// SPDX-License-Identifier: MIT
#include "tests/fuzz/sync/speech.h"

enum { LIST_MAX = 4, COUNTER_SMALL = 6 };

static const char *const paths[SPEECH_PATHS] = {
    "a",       "b", "a/x", "a/y", "d/e/f", "b/z", ".cfgsync/conflicts/c", "d", ".cfgsyncignore",
    "\xc3\xa9"};
static const char *const texts[SPEECH_TEXTS] = {"", "one", "two", "three", "*.log\n"};

struct slice speech_path(struct feed *feed)
{
    return slice_text(paths[feed_below(feed, SPEECH_PATHS)]);
}

const char *speech_text(struct feed *feed)
{
    return texts[feed_below(feed, SPEECH_TEXTS)];
}

// ---- incarnations, counters and what is signed

static uint64_t inc_any(struct speech *s)
{
    struct folder_row row = {.inc = 0};
    struct script *other = s->rig->scripts[0] == s->who ? s->rig->scripts[1] : s->rig->scripts[0];
    switch (feed_below(s->feed, OFFER_PAUSED)) {
    case 0:
    case 1: return s->who->inc;
    case 2: return other->inc;
    case 3:
        (void)store_folder_reload(s->rig->store, s->rig->arena, s->rig->folder, &row);
        return row.inc;
    default: return 5;
    }
}

static uint64_t counter_any(struct speech *s, uint64_t inc)
{
    uint8_t how = feed_byte(s->feed);
    if (how == 255) return PROTO_COUNTER_MAX;
    if (how >= 128 && inc == s->who->inc) return s->who->counter > 0 ? s->who->counter : 1;
    return 1 + how % COUNTER_SMALL;
}

static struct vv vv_any(struct speech *s)
{
    struct vv v = {0};
    for (uint32_t i = feed_below(s->feed, LIST_MAX); i > 0; i--) {
        uint64_t inc = inc_any(s);
        v = vv_with(s->rig->arena, v, (struct dot){inc, counter_any(s, inc)});
    }
    return v;
}

static const struct marks *heard_marks(const struct message *m)
{
    switch ((int)m->kind) {
    case MSG_OFFER: return &m->offer.marks;
    case MSG_PUSH: return &m->push.marks;
    case MSG_NEWS: return &m->news.marks;
    case MSG_DONE: return &m->done.marks;
    case MSG_VERSIONS: return &m->versions.marks;
    default: return NULL;
    }
}

// The last mark of another's that was heard.
static struct mark heard_mark(const struct speech *s, uint64_t inc, uint64_t counter)
{
    struct mark forged = {.inc = inc, .counter = counter, .first = counter};
    for (uint32_t i = s->who->heard_count; i-- > 0;) {
        const struct message *m = s->who->heard[i];
        if (m->kind == MSG_PUSH && m->push.upto.inc == inc) return m->push.upto;
        const struct marks *marks = heard_marks(m);
        for (uint32_t j = 0; marks != NULL && j < marks->count; j++) {
            if (marks->entries[j].inc == inc) return marks->entries[j];
        }
    }
    return forged;
}

static struct mark mark_of(const struct speech *s, struct dot dot)
{
    if (dot.inc != s->who->inc) return heard_mark(s, dot.inc, dot.counter);
    return script_mark(s->who, dot.counter);
}

// Of all counters of v, and now and then one more, or none.
static struct marks marks_of(struct speech *s, struct vv v)
{
    struct marks marks = {arena_alloc(s->rig->arena, v.count + 1U, sizeof *marks.entries), 0};
    uint8_t how = feed_byte(s->feed);
    if (how == 254) return marks;
    for (uint32_t i = 0; i < v.count; i++)
        marks.entries[marks.count++] = mark_of(s, v.entries[i]);
    if (how == 255) marks.entries[marks.count++] = mark_of(s, (struct dot){inc_any(s), 1});
    return marks;
}

// ---- versions

static void value_any(struct speech *s, struct value *out)
{
    const char *text = speech_text(s->feed);
    *out = (struct value){.kind = KIND_FILE, .mode = 0644, .size = strlen(text)};
    out->content = hash_sha256(slice_text(text));
    switch (feed_below(s->feed, 8)) {
    case 0: *out = (struct value){.kind = KIND_TOMB}; break;
    case 1: *out = (struct value){.kind = KIND_DIR, .mode = 0755}; break;
    case 2:
        out->kind = KIND_SYMLINK;
        out->mode = 0;
        out->size = 0;
        out->target = slice_text("../x");
        out->content = hash_sha256(slice_text(feed_byte(s->feed) == 0 ? "y" : "../x"));
        break;
    case 3: out->size = feed_number(s->feed) >> 1; break; // not what the content has
    case 4: out->mode = 0600; break;
    default: break;
    }
}

// Of when, and from what it was made, a peer may say anything.
static void event_any(struct speech *s, struct version *v)
{
    uint8_t how = feed_byte(s->feed);
    if (how < 192) return;
    if (how & 1) v->birth.inc = inc_any(s);
    if (how & 2) v->birth.counter = feed_below(s->feed, COUNTER_SMALL);
    if (how & 4) {
        v->has_parent = true;
        v->parent = v->value.content;
    }
    if (how & 8) v->parent_mode = 0600;
}

struct version speech_version(struct speech *s)
{
    struct arena *arena = s->rig->arena;
    uint8_t how = feed_byte(s->feed);
    struct version v = {.path = speech_path(s->feed)};
    struct dot dot = {s->who->inc, s->who->counter + 1};
    if (how & 1) {
        dot.inc = inc_any(s);
        dot.counter = counter_any(s, dot.inc);
    } else {
        s->who->counter++;
    }
    v.vv = how & 2 ? vv_any(s) : (struct vv){0};
    if (how & 4) { // made from what the other has
        struct item item = {.path = v.path};
        store_item_get(s->rig->store, arena, s->rig->folder, v.path, &item);
        v.vv = vv_join(arena, v.vv, heads_join(arena, &item));
        v.has_parent = item.head_count > 0;
        if (v.has_parent) v.parent = item.heads[0].value.content;
    }
    v.vv = vv_with(arena, v.vv, dot);
    v.dots = dots_copy(arena, (struct dots){&dot, 1});
    if (how & 8) v.dots = dots_union(arena, v.dots, (struct dots){v.vv.entries, v.vv.count});
    value_any(s, &v.value);
    v.birth = (struct birth){1600000000000 + (int64_t)feed_byte(s->feed), dot.inc, dot.counter};
    event_any(s, &v);
    if (how & 16) v.flags = feed_byte(s->feed);
    if (how & 32) v.bundle = v.dots;
    if (how & 64) v.origin = speech_path(s->feed);
    if (how & 128) v.mtime_ns = (int64_t)feed_number(s->feed);
    return v;
}

static struct versions versions_any(struct speech *s, struct vv *out_joined)
{
    struct arena *arena = s->rig->arena;
    struct versions all = {NULL, feed_below(s->feed, LIST_MAX)};
    all.entries = arena_alloc(arena, all.count + 1U, sizeof *all.entries);
    *out_joined = (struct vv){0};
    for (uint32_t i = 0; i < all.count; i++) {
        all.entries[i] = speech_version(s);
        *out_joined = vv_join(arena, *out_joined, all.entries[i].vv);
    }
    return all;
}

// ---- messages

static uint64_t round_any(struct speech *s)
{
    for (uint32_t i = s->who->heard_count; i-- > 0 && feed_byte(s->feed) < 250;) {
        const struct message *m = s->who->heard[i];
        if (m->kind == MSG_PULL) return m->pull.round;
    }
    return feed_number(s->feed);
}

static uint64_t audit_any(struct speech *s)
{
    for (uint32_t i = s->who->heard_count; i-- > 0 && feed_byte(s->feed) < 200;) {
        const struct message *m = s->who->heard[i];
        if (m->kind == MSG_RANGES) return m->ranges.audit;
    }
    return feed_number(s->feed);
}

static struct content content_any(struct speech *s, struct slice *out_bytes)
{
    *out_bytes = slice_text(speech_text(s->feed));
    struct content content = {hash_sha256(*out_bytes), out_bytes->size};
    for (uint32_t i = s->who->heard_count; i-- > 0 && feed_byte(s->feed) < 100;) {
        const struct message *m = s->who->heard[i];
        if (m->kind == MSG_WANT) return m->want.ids[0]; // with bytes that may be others
    }
    return content;
}

static void push_any(struct speech *s, struct msg_push *out)
{
    struct vv joined;
    struct slice bytes;
    out->versions = versions_any(s, &joined);
    out->inc = s->who->inc;
    out->upto = script_mark(s->who, s->who->counter > 0 ? s->who->counter : 1);
    if (feed_byte(s->feed) == 255) {
        out->inc = inc_any(s);
        out->upto = mark_of(s, (struct dot){out->inc, counter_any(s, out->inc)});
    }
    out->after = feed_below(s->feed, 4);
    if (out->after > out->upto.counter) out->after = out->upto.counter;
    out->marks = marks_of(s, joined);
    out->ride_count = feed_below(s->feed, 3);
    out->rides = arena_alloc(s->rig->arena, 3, sizeof *out->rides);
    for (uint32_t i = 0; i < out->ride_count; i++) {
        struct content content = content_any(s, &bytes);
        out->rides[i] = (struct ride){content, content.size != bytes.size, bytes};
        if (bytes.size == 0) out->rides[i] = (struct ride){{content.id, 0}, false, bytes};
        if (out->rides[i].content.size > PROTO_RIDE_CONTENT_BYTES_MAX) out->ride_count = i;
    }
    if (out->versions.count == 0 || feed_byte(s->feed) < 250) return;
    const struct value *value = &out->versions.entries[0].value; // whatever its kind is
    if (value->size > PROTO_PATCH_CONTENT_BYTES_MAX) return;
    out->patch_count = 1;
    out->patches = arena_alloc(s->rig->arena, 1, sizeof *out->patches);
    *out->patches = (struct patch){{value->content, value->size},
                                   {hash_sha256(slice_text("")), feed_byte(s->feed)},
                                   slice_text(speech_text(s->feed))};
    if (out->patches[0].bytes.size == 0) out->patch_count = 0;
}

static void want_any(struct speech *s, struct msg_want *out)
{
    struct slice bytes;
    out->id_count = 1 + feed_below(s->feed, LIST_MAX);
    out->ids = arena_alloc(s->rig->arena, out->id_count, sizeof *out->ids);
    for (uint32_t i = 0; i < out->id_count; i++)
        out->ids[i] = content_any(s, &bytes);
    if (feed_byte(s->feed) & 1) out->path = speech_path(s->feed);
    out->leaf_count = out->id_count == 1 ? feed_below(s->feed, LIST_MAX) : 0;
    out->leaves = arena_alloc(s->rig->arena, LIST_MAX, sizeof *out->leaves);
    for (uint32_t i = 0; i < out->leaf_count; i++) {
        uint8_t leaf = feed_byte(s->feed);
        out->leaves[i] = leaf == 255 ? PROTO_LEAF_LIST : leaf;
    }
}

static void data_any(struct speech *s, struct msg_data *out)
{
    struct slice bytes;
    out->content = content_any(s, &bytes).id;
    out->leaf = feed_byte(s->feed) < 128 ? 0 : PROTO_LEAF_LIST;
    out->bytes = bytes;
    out->offset = feed_below(s->feed, 8);
    out->size = (uint32_t)bytes.size;
}

static void pack_any(struct speech *s, struct msg_pack *out)
{
    struct slice bytes;
    out->contents = arena_alloc(s->rig->arena, 1, sizeof *out->contents);
    out->count = 1;
    *out->contents = content_any(s, &bytes);
    if (out->contents->size > PROTO_PACK_CONTENT_BYTES_MAX) out->contents->size = bytes.size;
    out->bytes = bytes;
    out->compressed = out->contents->size != bytes.size;
    if (bytes.size > 0) return;
    out->compressed = false;
    out->contents->size = 0;
}

static void ranges_any(struct speech *s, struct msg_ranges *out)
{
    struct vv joined;
    out->audit = audit_any(s);
    out->step = (enum ranges_step)(RANGES_OPEN + (int)feed_below(s->feed, RANGES_LIST));
    out->reconcile = (feed_byte(s->feed) & 1) != 0;
    out->k = vv_any(s);
    if (feed_byte(s->feed) & 1) out->k = store_k(s->rig->store, s->rig->arena, s->rig->folder);
    out->gcfloor = vv_any(s);
    out->versions = versions_any(s, &joined);
    out->marks = marks_of(s, vv_join(s->rig->arena, joined, out->k));
    out->range_count = feed_below(s->feed, LIST_MAX);
    out->ranges = arena_alloc(s->rig->arena, LIST_MAX, sizeof *out->ranges);
    for (uint32_t i = 0; i < out->range_count; i++) {
        struct range *range = &out->ranges[i];
        range->what = (enum range_what)(RANGE_SUM + (int)feed_below(s->feed, 3));
        if (feed_byte(s->feed) & 1) range->from = speech_path(s->feed);
        if (feed_byte(s->feed) & 1) range->to = speech_path(s->feed);
        if (range->what == RANGE_SUM) range->count = feed_below(s->feed, 100);
    }
}

static void offer_any(struct speech *s, struct msg_offer *out)
{
    out->name = slice_text("f");
    out->inc = s->who->inc;
    memcpy(out->nonce, s->who->nonce, sizeof out->nonce);
    out->state = (enum offer_state)(OFFER_SCANNING + (int)feed_below(s->feed, 5));
    out->has_items = (feed_byte(s->feed) & 1) != 0;
    out->k = vv_any(s);
    out->marks = marks_of(s, out->k);
    out->a = vv_any(s);
    out->gcfloor = vv_any(s);
    out->heard = (feed_byte(s->feed) & 1) != 0;
}

static void applied_any(struct speech *s, struct msg_applied *out)
{
    out->a = vv_any(s);
    out->blocked_count = feed_below(s->feed, 2);
    out->blocked = arena_alloc(s->rig->arena, 1, sizeof *out->blocked);
    out->blocked[0].path = speech_path(s->feed);
    out->blocked[0].reason = slice_text("no-space");
    struct vv v = vv_any(s);
    out->blocked[0].dots = (struct dots){v.entries, v.count};
    out->blocked_total = out->blocked_count + feed_below(s->feed, 3);
}

static void owners_any(struct speech *s, struct msg_owners *out)
{
    out->count = feed_below(s->feed, 3);
    out->owners = arena_alloc(s->rig->arena, 3, sizeof *out->owners);
    for (uint32_t i = 0; i < out->count; i++) {
        struct device_id device = s->who->device;
        if (feed_byte(s->feed) & 1) device = identity_device(s->rig->identity);
        out->owners[i] = owner_of(s->rig, device, feed_byte(s->feed));
    }
}

static void spans_any(struct speech *s, struct span *out)
{
    *out = (struct span){.inc = inc_any(s), .from = 1 + feed_below(s->feed, 4)};
    out->to = out->from + feed_below(s->feed, 9);
}

static void body_any(struct speech *s, struct message *m)
{
    struct arena *arena = s->rig->arena;
    struct vv joined;
    switch ((int)m->kind) {
    case MSG_OFFER: offer_any(s, &m->offer); break;
    case MSG_OWNERS: owners_any(s, &m->owners); break;
    case MSG_PULL:
        m->pull.round = feed_number(s->feed);
        m->pull.k = vv_any(s);
        m->pull.token = feed_slice(s->feed, feed_below(s->feed, 20));
        break;
    case MSG_ACK:
        m->ack.round = feed_byte(s->feed);
        m->ack.page = 1 + feed_below(s->feed, 3);
        break;
    case MSG_DONE:
        m->done.round = round_any(s);
        m->done.pages = feed_below(s->feed, 3);
        m->done.k = vv_any(s);
        m->done.marks = marks_of(s, m->done.k);
        m->done.gcfloor = vv_any(s);
        break;
    case MSG_VERSIONS:
        m->versions.round = round_any(s);
        m->versions.page = 1 + feed_below(s->feed, 3);
        m->versions.versions = versions_any(s, &joined);
        m->versions.marks = marks_of(s, joined);
        break;
    case MSG_PUSH: push_any(s, &m->push); break;
    case MSG_NEWS:
        m->news.k = vv_any(s);
        m->news.marks = marks_of(s, m->news.k);
        m->news.gcfloor = vv_any(s);
        break;
    case MSG_APPLIED: applied_any(s, &m->applied); break;
    case MSG_WANT: want_any(s, &m->want); break;
    case MSG_NOT_HELD:
        m->not_held.count = 1;
        m->not_held.ids = arena_alloc(arena, 1, sizeof *m->not_held.ids);
        *m->not_held.ids = content_any(s, &(struct slice){NULL, 0}).id;
        break;
    case MSG_DATA: data_any(s, &m->data); break;
    case MSG_PACK: pack_any(s, &m->pack); break;
    default: break;
    }
}

static uint64_t delta_round_any(struct speech *s)
{
    if (script_heard(s->who, MSG_SIGNATURE) == 0) return feed_byte(s->feed);
    return script_last(s->who, MSG_SIGNATURE)->signature.round;
}

static void signature_any(struct speech *s, struct msg_signature *out)
{
    struct slice bytes;
    *out = (struct msg_signature){.round = feed_byte(s->feed), .id_count = 1, .run_count = 2};
    out->ids = arena_alloc(s->rig->arena, 1, sizeof *out->ids);
    out->ids[0] = content_any(s, &bytes);
    out->ids[0].size |= 1;
    out->runs = arena_alloc(s->rig->arena, 2, sizeof *out->runs);
    out->runs[0] = 0;
    out->runs[1] = 1;
    out->bytes = feed_slice(s->feed, feed_below(s->feed, 40));
    out->offset = feed_byte(s->feed) & 1 ? feed_byte(s->feed) : 0;
    out->size = out->offset + (uint32_t)out->bytes.size + 1;
}

static void delta_any(struct speech *s, struct msg_delta *out)
{
    out->round = delta_round_any(s);
    out->page = 1 + feed_below(s->feed, 4);
    out->end = (enum delta_end)feed_below(s->feed, 3);
    out->bytes = feed_slice(s->feed, feed_below(s->feed, 40));
    out->size = (uint32_t)out->bytes.size;
}

static void body_more(struct speech *s, struct message *m)
{
    switch ((int)m->kind) {
    case MSG_RANGES: ranges_any(s, &m->ranges); break;
    case MSG_ROLLBACK:
        m->rollback.old = inc_any(s);
        m->rollback.fresh = inc_any(s);
        m->rollback.end.entries = arena_alloc(s->rig->arena, 1, sizeof(struct mark));
        m->rollback.end.count = feed_below(s->feed, 2);
        *m->rollback.end.entries =
            mark_of(s, (struct dot){m->rollback.old, counter_any(s, m->rollback.old)});
        break;
    case MSG_HELD:
        m->hold.brake = slice_text(feed_byte(s->feed) & 1 ? "mass-delete" : "");
        m->hold.changes = feed_byte(s->feed);
        m->hold.spans = arena_alloc(s->rig->arena, 1, sizeof *m->hold.spans);
        m->hold.span_count = feed_below(s->feed, 2);
        spans_any(s, m->hold.spans);
        break;
    case MSG_APPROVALS: {
        struct span span;
        spans_any(s, &span);
        m->approvals.count = 1;
        m->approvals.approvals = arena_alloc(s->rig->arena, 1, sizeof *m->approvals.approvals);
        *m->approvals.approvals = approval_sign(s->who->identity, s->rig->id, span);
        break;
    }
    case MSG_PING:
    case MSG_PONG:
        m->ping.token = feed_number(s->feed);
        m->ping.wall_ms = (int64_t)feed_number(s->feed);
        break;
    case MSG_PROBE:
        m->probe.token = feed_number(s->feed);
        m->probe.reply = feed_byte(s->feed) & 1;
        m->probe.want = m->probe.reply ? 0 : feed_below(s->feed, PROTO_CHUNK_BYTES_MAX);
        break;
    case MSG_BYE: m->bye.code = (enum bye_code)(BYE_STOPPING + (int)feed_below(s->feed, 6)); break;
    case MSG_SIGNATURE: signature_any(s, &m->signature); break;
    case MSG_DELTA: delta_any(s, &m->delta); break;
    default: break;
    }
}

bool speech_on_bulk(enum message_kind kind)
{
    return kind == MSG_DATA || kind == MSG_PACK || kind == MSG_SIGNATURE || kind == MSG_DELTA ||
           kind == MSG_PROBE;
}

// What came later is rare, so that older inputs keep their meaning.
static enum message_kind kind_any(struct speech *s)
{
    uint8_t byte = feed_byte(s->feed);
    if (byte >= 250) return byte % 2 == 0 ? MSG_SIGNATURE : MSG_DELTA;
    return (enum message_kind)(MSG_OFFER + byte % (MSG_SIGNATURE - MSG_OFFER));
}

struct message speech_message(struct speech *s)
{
    struct message m = {.kind = kind_any(s)};
    bool of_folder =
        m.kind != MSG_PING && m.kind != MSG_PONG && m.kind != MSG_PROBE && m.kind != MSG_BYE;
    body_any(s, &m);
    body_more(s, &m);
    if (!of_folder) return m;
    m.offer.folder = s->rig->id; // it stands first in all of them
    if (feed_byte(s->feed) == 255) m.offer.folder.bytes[1] = 1;
    return m;
}
