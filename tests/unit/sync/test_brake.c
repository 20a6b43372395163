// SPDX-License-Identifier: MIT
//
// Brakes: what is held and what passes, on both sides; what approving and reverting lead to.
#include "agent/core/index.h"
#include "tests/unit/sync/rig.h"

enum { FILES = 100, NOW_MS = 2000 };

static char names[FILES][16];
static char texts[FILES][32];

static const char *name(int i)
{
    (void)snprintf(names[i], sizeof names[i], "f%03d", i);
    return names[i];
}

static const char *text(int i)
{
    (void)snprintf(texts[i], sizeof texts[i], "content %d", i);
    return texts[i];
}

static void rescan(struct rig *rig)
{
    engine_watch(rig->engine, rig->folder, ENGINE_RESCAN, slice_text(""));
    rig_wait(rig, 100);
}

static void open_full(struct rig *rig)
{
    rig_open(rig);
    for (int i = 0; i < FILES; i++)
        rig_save(rig, name(i), text(i), NOW_MS);
    rescan(rig);
    assert_int_equal(rig_status(rig).items, FILES);
}

static uint64_t counter(struct rig *rig)
{
    struct folder_row row;
    assert_true(store_folder_reload(rig->store, rig->arena, rig->folder, &row));
    return row.counter;
}

static void remove_some(struct rig *rig, int from, int to)
{
    for (int i = from; i < to; i++) {
        rig_delete(rig, name(i));
        engine_watch(rig->engine, rig->folder, ENGINE_GONE, slice_text(name(i)));
    }
}

static void decide(struct rig *rig, enum decision_kind kind)
{
    const struct decision decision = {.kind = kind, .folder = "f"};
    uint32_t before = rig->decisions;
    engine_decide(rig->engine, 7, &decision);
    rig_wait(rig, 5000);
    assert_int_equal(rig->decisions, before + 1);
}

static void assert_held(struct rig *rig, const char *code, uint64_t count)
{
    struct folder_status status = rig_status(rig);
    assert_int_equal(status.state, FOLDER_HELD);
    assert_string_equal(status.code, code);
    assert_int_equal(status.held, count);
}

static void assert_free(struct rig *rig)
{
    assert_int_equal(rig_status(rig).held, 0);
    assert_string_equal(rig_status(rig).code, "");
}

// ---- found here

static void test_few_at_once(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    remove_some(&rig, 0, 20);
    rig_wait(&rig, 310);
    assert_int_equal(counter(&rig), before + 20);
    remove_some(&rig, 20, 25);
    rig_wait(&rig, 310);
    assert_int_equal(counter(&rig), before + 20); // they wait for others
    rig_wait(&rig, 1100);
    assert_int_equal(counter(&rig), before + 25); // there were none
    assert_free(&rig);
    remove_some(&rig, 25, 26);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 1); // more than a quarter in ten minutes
    rig_close(&rig);
}

static void test_window_ends(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    for (int i = 0; i < 60; i += 20) {
        remove_some(&rig, i, i + 20);
        rig_wait(&rig, 11 * 60 * 1000);
    }
    assert_int_equal(counter(&rig), before + 60);
    assert_free(&rig);
    rig_close(&rig);
}

static void test_held(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    remove_some(&rig, 0, 60);
    rig_wait(&rig, 60 * 1000);
    assert_held(&rig, "mass-delete", 60);
    assert_int_equal(counter(&rig), before);
    assert_true(rig_logged("deleted=60"));
    // Nothing wakes it up while it waits.
    assert_true(engine_deadline(rig.engine) > rig.now_ms + 5000);
    // Other edits go on, and do not let it go, however many there are.
    for (int i = 60; i < FILES; i++)
        rig_save(&rig, name(i), i % 2 ? "edited" : text(i), NOW_MS + 5000);
    for (int i = 0; i < 400; i++) {
        char more[16];
        (void)snprintf(more, sizeof more, "g%03d", i);
        rig_save(&rig, more, more, NOW_MS + 5000);
    }
    rescan(&rig);
    rig_wait(&rig, 60 * 1000);
    assert_int_equal(counter(&rig), before + 420);
    assert_held(&rig, "mass-delete", 60);
    rig_close(&rig);
}

static void test_nothing_left(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_save(&rig, "a", "1", NOW_MS);
    rescan(&rig);
    rig_delete(&rig, "a");
    rescan(&rig);
    assert_free(&rig); // one item is nobody's mass
    rig_save(&rig, "a", "1", NOW_MS);
    rig_save(&rig, "b", "2", NOW_MS);
    rescan(&rig);
    rig_delete(&rig, "a");
    rig_delete(&rig, "b");
    rescan(&rig);
    rig_wait(&rig, 2000);
    assert_held(&rig, "mass-delete", 2);
    rig_close(&rig);
}

static void test_moved(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    for (int i = 0; i < 60; i++) {
        char there[24];
        (void)snprintf(there, sizeof there, "moved-%03d", i);
        rig_delete(&rig, name(i));
        rig_save(&rig, there, text(i), NOW_MS);
    }
    rescan(&rig);
    rig_wait(&rig, 3000);
    assert_int_equal(counter(&rig), before + 120);
    assert_free(&rig);
    rig_close(&rig);
}

// One new file excuses one deletion of the same content, not sixty.
static void test_moved_one_for_one(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    for (int i = 0; i < FILES; i++)
        rig_save(&rig, name(i), "", NOW_MS);
    rescan(&rig);
    for (int i = 0; i < 60; i++)
        rig_delete(&rig, name(i));
    rig_save(&rig, "new", "", NOW_MS);
    rig_wait(&rig, 11 * 60 * 1000); // what was there before is of an earlier window
    rescan(&rig);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 60);
    rig_close(&rig);
}

static void test_back(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    remove_some(&rig, 0, 60);
    rig_wait(&rig, 5000);
    assert_held(&rig, "mass-delete", 60);
    for (int i = 0; i < 60; i++)
        rig_save(&rig, name(i), text(i), NOW_MS);
    rescan(&rig);
    rig_wait(&rig, 2000);
    assert_free(&rig);
    assert_int_equal(counter(&rig), before);
    rig_close(&rig);
}

static void test_rewritten(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    for (int i = 0; i < FILES; i++)
        rig_save(&rig, name(i), "encrypted", NOW_MS + 5000);
    rescan(&rig);
    rig_wait(&rig, 3000);
    assert_int_equal(counter(&rig), before + 50);
    assert_held(&rig, "mass-rewrite", 50);
    // The same file again and again is one.
    rig_close(&rig);
    open_full(&rig);
    for (int i = 0; i < 200; i++) {
        char again[16];
        (void)snprintf(again, sizeof again, "%d", i);
        rig_save(&rig, name(0), again, NOW_MS + 5000 + i);
        rescan(&rig);
        rig_wait(&rig, 2500);
    }
    assert_free(&rig);
    rig_close(&rig);
}

static void test_restore(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    for (int i = 0; i < 30; i++)
        rig_save(&rig, name(i), "as it once was", NOW_MS - 1000);
    for (int i = 90; i < 95; i++)
        rig_delete(&rig, name(i));
    rescan(&rig);
    rig_wait(&rig, 3000);
    assert_held(&rig, "restore", 35); // with what was made since
    assert_int_equal(counter(&rig), before);
    decide(&rig, DECIDE_APPROVE);
    assert_int_equal(counter(&rig), before + 35);
    assert_free(&rig);
    // Some files that go back are somebody's edits.
    for (int i = 30; i < 49; i++)
        rig_save(&rig, name(i), "as it once was", NOW_MS - 1000);
    rescan(&rig);
    rig_wait(&rig, 3000);
    assert_int_equal(counter(&rig), before + 54);
    rig_close(&rig);
}

static void test_off_and_limits(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    struct engine_folder folder = {.name = "f", .path = "/f", .with_all = true};
    folder.brake = (struct engine_brake){.deleted = 3, .deleted_percent = 5};
    assert_int_equal(engine_folder_put(rig.engine, &folder, &rig.folder), ERR_OK);
    remove_some(&rig, 0, 6);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 6);
    decide(&rig, DECIDE_APPROVE);
    folder.brake = (struct engine_brake){.off = true};
    assert_int_equal(engine_folder_put(rig.engine, &folder, &rig.folder), ERR_OK);
    remove_some(&rig, 6, FILES);
    rig_wait(&rig, 3000);
    assert_int_equal(counter(&rig), before + FILES);
    rig_close(&rig);
}

static void join(struct script *peer)
{
    script_offer(peer, (struct vv){0});
    rig_settle(peer->rig);
}

static void test_approved(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    struct script *peer = script_connect(&rig, 3);
    join(peer);
    uint64_t before = counter(&rig);
    remove_some(&rig, 0, 60);
    rig_wait(&rig, 5000);
    const struct msg_hold *hold = &script_last(peer, MSG_HOLD)->hold;
    assert_true(hold->unpublished && hold->changes == 60);
    assert_true(slice_equal(hold->brake, slice_text("mass-delete")));
    decide(&rig, DECIDE_APPROVE);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig.decided.changed, 60);
    assert_int_equal(counter(&rig), before + 60);
    assert_int_equal(script_last(peer, MSG_HOLD)->hold.changes, 0);
    // Every tombstone comes after an approval that covers it.
    const struct msg_approvals *said = NULL;
    uint64_t deleted = 0;
    for (uint32_t i = 0; i < peer->heard_count; i++) {
        const struct message *m = &peer->heard[i];
        if (m->kind == MSG_APPROVALS) said = &m->approvals;
        for (uint32_t v = 0; m->kind == MSG_PUSH && v < m->push.versions.count; v++) {
            const struct version *w = &m->push.versions.entries[v];
            if (w->value.kind != KIND_TOMB) continue;
            deleted++;
            assert_non_null(said);
            const struct approval *last = &said->approvals[said->count - 1];
            assert_true(approval_verify(rig.id, last));
            assert_true(last->span.inc == w->dots.entries[0].inc);
            assert_in_range(w->dots.entries[0].counter, last->span.from, last->span.to);
        }
    }
    assert_int_equal(deleted, 60);
    // What comes afterwards is not approved.
    remove_some(&rig, 60, 90);
    rig_wait(&rig, 5000);
    assert_held(&rig, "mass-delete", 30);
    rig_close(&rig);
}

// ---- a peer's files, which it deletes or rewrites

struct theirs {
    struct version files[FILES];
    const char *texts[FILES];
};

static void answer_all(struct rig *rig, struct script *peer, struct theirs *theirs)
{
    for (int64_t waited = 0; waited < 5000; waited += 500) {
        rig_wait(rig, 500);
        while (script_answer(peer, theirs->files, FILES, theirs->texts, FILES))
            rig_settle(rig);
    }
}

static struct script *open_theirs(struct rig *rig, struct theirs *theirs)
{
    rig_open(rig);
    struct script *peer = script_connect(rig, 3);
    for (int i = 0; i < FILES; i++) {
        theirs->texts[i] = text(i);
        theirs->files[i] = script_file(peer, name(i), text(i));
    }
    struct dot k = {peer->inc, peer->counter};
    script_offer(peer, (struct vv){&k, 1});
    answer_all(rig, peer, theirs);
    assert_int_equal(rig_status(rig).items, FILES);
    for (int i = 0; i < FILES; i++)
        assert_true(rig_on_disk(rig, name(i)));
    return peer;
}

static struct version changed(struct script *peer, const struct version *was, const char *to)
{
    struct version v = script_file(peer, "x", to != NULL ? to : "");
    v.path = was->path;
    v.vv = vv_join(peer->rig->arena, v.vv, was->vv);
    if (to == NULL) v.value = (struct value){.kind = KIND_TOMB};
    return v;
}

static uint64_t push_changes(struct script *peer, struct theirs *theirs, int from, int to,
                             const char *text_to)
{
    uint64_t after = peer->counter;
    for (int i = from; i < to; i++)
        theirs->files[i] = changed(peer, &theirs->files[i], text_to);
    script_push(peer, after, theirs->files + from, (uint32_t)(to - from), NULL);
    rig_settle(peer->rig);
    return after;
}

static uint32_t on_disk(struct rig *rig)
{
    uint32_t count = 0;
    for (int i = 0; i < FILES; i++)
        count += rig_on_disk(rig, name(i));
    return count;
}

static void test_in_few(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    push_changes(peer, &theirs, 0, 10, NULL);
    assert_int_equal(on_disk(&rig), FILES - 10); // at once
    assert_free(&rig);
    push_changes(peer, &theirs, 10, 25, NULL);
    rig_wait(&rig, 2000);
    assert_int_equal(on_disk(&rig), FILES - 25);
    push_changes(peer, &theirs, 25, 26, NULL);
    rig_wait(&rig, 2000);
    assert_held(&rig, "mass-delete", 1); // one too many
    assert_int_equal(on_disk(&rig), FILES - 25);
    rig_close(&rig);
}

static void test_in_held_and_approved(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    uint64_t after = push_changes(peer, &theirs, 0, 60, NULL);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 60);
    assert_int_equal(on_disk(&rig), FILES);
    assert_true(rig_logged("of=others deleted=60"));
    const struct msg_hold *hold = &script_last(peer, MSG_HOLD)->hold;
    assert_true(!hold->unpublished && hold->changes == 60 && hold->span_count == 1);
    assert_true(hold->spans[0].inc == peer->inc && hold->spans[0].from == after + 1);
    assert_true(hold->spans[0].to == after + 60);
    assert_true(engine_deadline(rig.engine) > rig.now_ms + 1000);
    decide(&rig, DECIDE_APPROVE);
    assert_int_equal(on_disk(&rig), FILES - 60);
    assert_free(&rig);
    assert_int_equal(script_last(peer, MSG_HOLD)->hold.changes, 0);
    const struct approval *said = &script_last(peer, MSG_APPROVALS)->approvals.approvals[0];
    assert_true(approval_verify(rig.id, said));
    assert_true(said->span.inc == peer->inc && said->span.from == after + 1);
    rig_close(&rig);
}

static void test_in_reverted(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    push_changes(peer, &theirs, 0, 60, NULL);
    rig_wait(&rig, 3000);
    uint64_t before = counter(&rig);
    decide(&rig, DECIDE_REVERT);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig.decided.changed, 60);
    assert_int_equal(counter(&rig), before + 60);
    assert_int_equal(on_disk(&rig), FILES);
    assert_int_equal(rig_status(&rig).items, FILES);
    assert_free(&rig);
    struct item item = rig_item(&rig, name(0));
    assert_true(item.head_count == 1 && version_live(&item.heads[0]) && !item.need);
    assert_true(vv_le(theirs.files[0].vv, item.heads[0].vv));
    assert_int_equal(item.heads[0].flags & VERSION_AUTO, 0);
    rig_close(&rig);
}

static void approve_as(struct script *signer, struct script *sender, struct span span)
{
    struct message m = {.kind = MSG_APPROVALS};
    struct approval approval = approval_sign(signer->identity, signer->rig->id, span);
    m.approvals.folder = signer->rig->id;
    m.approvals.approvals = &approval;
    m.approvals.count = 1;
    script_send(sender, LANE_CONTROL, &m);
    rig_settle(signer->rig);
}

static void test_in_approved_before(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    approve_as(peer, peer, (struct span){peer->inc, peer->counter + 1, peer->counter + 60});
    push_changes(peer, &theirs, 0, 60, NULL);
    assert_int_equal(on_disk(&rig), FILES - 60); // at once
    push_changes(peer, &theirs, 60, 90, NULL);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 30); // the next thirty were not meant
    rig_close(&rig);
}

static void test_in_not_believed(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    struct script *other = script_connect(&rig, 4);
    join(other);
    engine_peer_approves(rig.engine, peer->device, false);
    struct span span = {peer->inc, peer->counter + 1, peer->counter + 60};
    approve_as(peer, peer, span);
    push_changes(peer, &theirs, 0, 60, NULL);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 60);
    // Nor if somebody else passes it on; but it is passed on.
    const struct approval *said = &script_last(other, MSG_APPROVALS)->approvals.approvals[0];
    assert_true(approval_verify(rig.id, said) && said->span.to == span.to);
    approve_as(peer, other, span);
    assert_held(&rig, "mass-delete", 60);
    approve_as(other, other, span);
    rig_wait(&rig, 1000);
    assert_free(&rig);
    assert_int_equal(on_disk(&rig), FILES - 60);
    rig_close(&rig);
}

static void test_forged_approval(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    struct message m = {.kind = MSG_APPROVALS};
    struct approval approval =
        approval_sign(peer->identity, rig.id, (struct span){peer->inc, 1, 9});
    approval.span.to = 900;
    m.approvals.folder = rig.id;
    m.approvals.approvals = &approval;
    m.approvals.count = 1;
    script_send(peer, LANE_CONTROL, &m);
    rig_settle(&rig);
    assert_true(script_is_cut(peer));
    assert_true(rig_logged("an approval that its signer has not signed"));
    struct approval_row rows[4];
    assert_int_equal(store_approvals(rig.store, rig.arena, rig.folder, 0, 4, rows), 0);
    rig_close(&rig);
}

static void test_in_rewritten(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    push_changes(peer, &theirs, 0, 80, "encrypted");
    answer_all(&rig, peer, &theirs);
    assert_held(&rig, "mass-rewrite", 80);
    for (int i = 0; i < 80; i++) {
        struct item item = rig_item(&rig, name(i));
        assert_true(
            digest_equal(item.local.version.value.content, hash_sha256(slice_text(text(i)))));
    }
    rig_close(&rig);
}

static void test_in_moved(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    static struct version both[2 * FILES];
    struct script *peer = open_theirs(&rig, &theirs);
    uint64_t after = peer->counter;
    for (int i = 0; i < 60; i++) {
        char there[24];
        (void)snprintf(there, sizeof there, "moved-%03d", i);
        both[2 * i] = changed(peer, &theirs.files[i], NULL);
        both[2 * i + 1] = script_file(peer, there, text(i));
    }
    script_push(peer, after, both, 120, NULL);
    answer_all(&rig, peer, &theirs);
    assert_int_equal(on_disk(&rig), FILES - 60);
    assert_free(&rig);
    assert_false(rig_logged("of=others"));
    rig_close(&rig);
}

// Deletions of a year, seen at once: none of its days was too much.
static void test_in_long_ago(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    uint64_t after = peer->counter;
    for (int i = 0; i < 60; i++) {
        theirs.files[i] = changed(peer, &theirs.files[i], NULL);
        theirs.files[i].birth.wall_ms += INT64_C(3600) * 1000 * i;
    }
    script_push(peer, after, theirs.files, 60, NULL);
    rig_wait(&rig, 3000);
    assert_int_equal(on_disk(&rig), FILES - 60);
    assert_free(&rig);
    rig_close(&rig);
}

// ---- putting back

static void test_reverted(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    uint64_t before = counter(&rig);
    remove_some(&rig, 0, 60);
    rig_wait(&rig, 5000);
    assert_held(&rig, "mass-delete", 60);
    const struct decision revert = {.kind = DECIDE_REVERT, .folder = "f"};
    engine_decide(rig.engine, 7, &revert);
    answer_all(&rig, peer, &theirs);
    assert_int_equal(rig.decisions, 1);
    assert_int_equal(rig.decided.changed, 60);
    assert_int_equal(rig.decided.left_alone, 0);
    assert_int_equal(on_disk(&rig), FILES);
    assert_int_equal(counter(&rig), before); // nothing has happened
    assert_free(&rig);
    rig_close(&rig);
}

// Nobody has them: they stay held, and come back when somebody has.
static void test_not_to_be_had(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    remove_some(&rig, 0, 60);
    rig_wait(&rig, 5000);
    decide(&rig, DECIDE_REVERT);
    assert_int_equal(rig.decided.changed, 0);
    assert_int_equal(rig.decided.left_alone, 60);
    assert_held(&rig, "mass-delete", 60);
    rig_save(&rig, name(0), "written again", NOW_MS + 9000);
    for (int i = 1; i < 58; i++)
        rig_save(&rig, name(i), text(i), NOW_MS);
    rescan(&rig);
    rig_wait(&rig, 5000);
    assert_int_equal(counter(&rig), before + 1);
    assert_held(&rig, "mass-delete", 2); // not let go because they are few
    assert_false(rig_logged("own chain broken"));
    rig_close(&rig);
}

// A file that is saved again while it is being put back is an edit of what was there.
static void test_saved_meanwhile(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    remove_some(&rig, 0, 60);
    rig_wait(&rig, 5000);
    const struct decision revert = {.kind = DECIDE_REVERT, .folder = "f"};
    engine_decide(rig.engine, 7, &revert);
    rig_save(&rig, name(5), "saved again", NOW_MS + 9000);
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text(name(5)));
    answer_all(&rig, peer, &theirs);
    struct item item = rig_item(&rig, name(5));
    assert_true(item.head_count == 1 && !item.need);
    assert_true(vv_le(theirs.files[5].vv, item.heads[0].vv));
    assert_true(digest_equal(item.heads[0].value.content, hash_sha256(slice_text("saved again"))));
    assert_false(rig_logged("own chain broken"));
    rig_close(&rig);
}

static void test_nothing_to_decide(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    decide(&rig, DECIDE_APPROVE);
    assert_int_equal(rig.decided.err, ERR_DENIED);
    decide(&rig, DECIDE_REVERT);
    assert_int_equal(rig.decided.err, ERR_DENIED);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_at_once),
        cmocka_unit_test(test_window_ends),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_nothing_left),
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_moved_one_for_one),
        cmocka_unit_test(test_back),
        cmocka_unit_test(test_rewritten),
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_off_and_limits),
        cmocka_unit_test(test_approved),
        cmocka_unit_test(test_in_few),
        cmocka_unit_test(test_in_held_and_approved),
        cmocka_unit_test(test_in_reverted),
        cmocka_unit_test(test_in_approved_before),
        cmocka_unit_test(test_in_not_believed),
        cmocka_unit_test(test_forged_approval),
        cmocka_unit_test(test_in_rewritten),
        cmocka_unit_test(test_in_moved),
        cmocka_unit_test(test_in_long_ago),
        cmocka_unit_test(test_reverted),
        cmocka_unit_test(test_not_to_be_had),
        cmocka_unit_test(test_saved_meanwhile),
        cmocka_unit_test(test_nothing_to_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
