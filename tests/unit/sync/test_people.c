// SPDX-License-Identifier: MIT
//
// What a person may look at: conflicts, kept versions, what became of one file, and what is seen of
// folders that are not shared with a peer, or are going.
#include "agent/core/job.h"
#include "agent/sync/changes.h"
#include "tests/unit/sync/brake_test.h"

enum { MAX = 64 };

static uint32_t changes(struct rig *rig, const char *path, struct change *out)
{
    const struct change_filter filter = {.folder = "f", .path = slice_text(path)};
    uint64_t before;
    return engine_changes(rig->engine, rig->arena, &filter, MAX, out, &before);
}

static const struct change *change_of(const struct change *list, uint32_t count, const char *what)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(list[i].what, what) == 0) return &list[i];
    }
    fail_msg("nothing was %s", what);
    return NULL;
}

static uint32_t conflicts(struct rig *rig, struct conflict *out)
{
    return engine_conflicts(rig->engine, rig->arena, "f", MAX, out);
}

// Both have made "x", and neither knew of the other's.
static struct script *open_conflict(struct rig *rig)
{
    rig_open(rig);
    rig_write(rig, "x", "ours");
    rig_wait(rig, 1000);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    struct version theirs = script_file(peer, "x", "theirs");
    script_push(peer, 0, &theirs, 1, "theirs");
    return peer;
}

static void test_conflict(void **state)
{
    (void)state;
    struct rig rig;
    struct conflict found[MAX];
    struct change list[MAX];
    struct script *peer = open_conflict(&rig);
    rig_wait(&rig, 5000);
    assert_int_equal(conflicts(&rig, found), 1);
    assert_true(slice_equal(found[0].folder, slice_text("f")));
    assert_true(slice_equal(found[0].path, slice_text("x")));
    assert_true(path_is_conflict_item(found[0].item));
    assert_true(device_equal(found[0].by, peer->device)); // ours is later
    assert_true(digest_equal(found[0].value.content, hash_sha256(slice_text("theirs"))));
    assert_true(found[0].live);
    assert_true(digest_equal(found[0].winner.content, hash_sha256(slice_text("ours"))));
    assert_true(device_equal(found[0].winner_by, identity_device(rig.identity)));
    assert_true(found[0].winner_when_ms > found[0].when_ms);
    assert_int_equal(engine_conflicts(rig.engine, rig.arena, NULL, MAX, found), 1);
    assert_int_equal(engine_conflicts(rig.engine, rig.arena, "g", MAX, found), 0);
    assert_int_equal(engine_conflicts(rig.engine, rig.arena, NULL, 0, found), 0);

    uint32_t count = changes(&rig, "x", list);
    assert_int_equal(count, 2);
    const struct change *aside = change_of(list, count, "set-aside");
    assert_string_equal(aside->outcome, "conflict");
    assert_true(slice_equal(aside->path, slice_text("x")));
    assert_true(slice_equal(aside->by, slice_text("peer3")));
    struct path_status path;
    assert_true(engine_path(rig.engine, rig.arena, rig.folder, slice_text("x"), &path));
    assert_int_equal(path.conflict_count, 1);

    rig_write(&rig, "x", NULL);
    rig_wait(&rig, 5000);
    assert_int_equal(conflicts(&rig, found), 1);
    assert_false(found[0].live);
    char *item = arena_text(rig.arena, found[0].item);
    rig_write(&rig, item, NULL);
    rig_wait(&rig, 5000);
    assert_int_equal(conflicts(&rig, found), 0);
    count = changes(&rig, "", list);
    assert_string_equal(change_of(list, count, "settled")->outcome, "here");
    rig_close(&rig);
}

static void test_not_resolved_yet(void **state)
{
    (void)state;
    struct rig rig;
    struct change list[MAX];
    (void)open_conflict(&rig);
    rig.held = 1u << JOB_APPLY;
    rig_wait(&rig, 1000);
    assert_int_equal(changes(&rig, "x", list), 1);
    assert_string_equal(list[0].outcome, "unresolved");
    assert_true(slice_equal(list[0].by, slice_text("me"))); // the later one
    struct path_status path;
    assert_true(engine_path(rig.engine, rig.arena, rig.folder, slice_text("x"), &path));
    assert_int_equal(path.heads, 2);
    rig.held = 0;
    rig_wait(&rig, 5000);
    assert_int_equal(changes(&rig, "x", list), 2);
    rig_close(&rig);
}

// Who is a peer no more is called as when it came.
static void test_of_a_stranger(void **state)
{
    (void)state;
    struct rig rig;
    struct change list[MAX];
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version theirs = script_file(peer, "x", "theirs");
    script_push(peer, 0, &theirs, 1, "theirs");
    rig_wait(&rig, 1000);
    engine_peer_put(rig.engine, peer->device, "renamed");
    assert_int_equal(changes(&rig, "x", list), 1);
    assert_true(slice_equal(list[0].by, slice_text("renamed")));
    engine_peer_remove(rig.engine, peer->device);
    assert_int_equal(changes(&rig, "x", list), 1);
    assert_true(slice_equal(list[0].by, slice_text("peer3")));
    struct path_status path;
    assert_true(engine_path(rig.engine, rig.arena, rig.folder, slice_text("x"), &path));
    assert_true(slice_equal(path.author, slice_text("peer3")));
    assert_int_equal(path.peer_count, 0);
    rig_close(&rig);
}

static bool keeps(struct rig *rig, struct job *job)
{
    if (job->kind != JOB_APPLY) return false;
    for (uint32_t i = 0; i < job->apply.count; i++) {
        struct step *step = &job->apply.steps[i];
        disk_step(rig, step);
        step->kept = step->before.present;
        step->kept_name = slice_text("1-x");
    }
    return true;
}

static void test_kept(void **state)
{
    (void)state;
    struct rig rig;
    struct change list[MAX];
    struct kept_row rows[MAX];
    rig_open(&rig);
    rig.instead = keeps;
    rig.kept[rig.kept_count++] = slice_text("1-x");
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version v = script_file(peer, "x", "one");
    script_push(peer, 0, &v, 1, "one");
    rig_wait(&rig, 1000);
    struct version next = changed(peer, &v, "two");
    next.has_parent = true;
    next.parent = v.value.content;
    script_push(peer, 1, &next, 1, "two");
    rig_wait(&rig, 1000);
    uint32_t count = changes(&rig, "x", list);
    assert_int_equal(count, 2);
    assert_string_equal(change_of(list, count, "changed")->outcome, "here");
    const struct change *replaced = change_of(list, count, "created");
    assert_string_equal(replaced->outcome, "replaced");
    assert_true(replaced->replaced_ms > replaced->when_ms);
    count = engine_kept(rig.engine, rig.arena, "f", slice_text("x"), 0, MAX, rows);
    assert_int_equal(count, 1);
    assert_int_equal(
        engine_kept(rig.engine, rig.arena, "f", slice_text("x"), rows[0].number, MAX, rows), 0);
    assert_int_equal(engine_kept(rig.engine, rig.arena, "g", slice_text("x"), 0, MAX, rows), 0);
    rig_close(&rig);
}

static void test_held_and_blocked(void **state)
{
    (void)state;
    static struct rig rig;
    static struct theirs theirs;
    struct change list[MAX];
    struct script *peer = open_theirs(&rig, &theirs);
    (void)push_changes(peer, &theirs, 0, 80, NULL);
    rig_wait(&rig, 60 * 1000);
    assert_int_equal(changes(&rig, name(0), list), 1);
    assert_string_equal(list[0].outcome, "held");
    assert_string_equal(list[0].reason, "mass-delete");
    rig.left_out = name(99);
    (void)push_changes(peer, &theirs, 99, 100, "other");
    rig_wait(&rig, 1000);
    assert_int_equal(changes(&rig, name(99), list), 1);
    assert_string_equal(list[0].outcome, "blocked");
    assert_string_equal(list[0].reason, "ignored");
    rig_close(&rig);
}

// ---- several folders

static uint32_t put_folder(struct rig *rig, const char *folder_name, const struct script *with)
{
    struct engine_folder folder = {.name = folder_name, .path = "/g", .with_count = 1};
    uint32_t number;
    folder.id.bytes[0] = 0x81;
    folder.with = &with->device;
    assert_int_equal(engine_folder_put(rig->engine, &folder, &number), ERR_OK);
    return number;
}

// Of two folders one is not shared with a peer; then it goes, while a job of it is under way.
static void test_folders(void **state)
{
    (void)state;
    static struct rig rig;
    struct engine_status status;
    struct path_status path;
    struct conflict found[MAX];
    struct orphan orphans[MAX];
    rig_open(&rig);
    struct script *one = script_connect(&rig, 3), *other = script_connect(&rig, 4);
    struct device_id never = {{7}};
    engine_peer_put(rig.engine, never, "never came");
    uint32_t g = put_folder(&rig, "g", other);
    script_offer(one, (struct vv){0});
    rig_wait(&rig, 1000);

    engine_status(rig.engine, rig.arena, &status);
    assert_int_equal(status.folder_count, 2);
    assert_int_equal(status.peer_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        const struct peer_status *p = &status.peers[i];
        bool is_other = device_equal(p->device, other->device);
        assert_int_equal(p->folder_count, is_other ? 2 : 1);
        assert_int_equal(p->connected, !device_equal(p->device, never));
        assert_int_equal(p->address.size > 0, p->connected);
    }
    assert_true(engine_path(rig.engine, rig.arena, g, slice_text("x"), &path));
    assert_int_equal(path.peer_count, 1);
    assert_false(path.known || path.looking);

    rig.held = 1u << JOB_SCAN;
    engine_watch(rig.engine, g, ENGINE_RESCAN, slice_text(""));
    rig_wait(&rig, 100);
    assert_int_equal(rig_jobs(&rig, JOB_SCAN), 1);
    engine_folder_remove(rig.engine, "no such folder");
    engine_folder_remove(rig.engine, "g");
    engine_status(rig.engine, rig.arena, &status);
    assert_int_equal(status.folder_count, 1);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(status.peers[i].folder_count, 1);
    assert_false(engine_path(rig.engine, rig.arena, g, slice_text("x"), &path));
    assert_int_equal(engine_conflicts(rig.engine, rig.arena, NULL, MAX, found), 0);
    assert_int_equal(engine_orphans(rig.engine, rig.arena, NULL, MAX, orphans), 0);
    assert_int_equal(engine_orphans(rig.engine, rig.arena, "g", MAX, orphans), 0);
    engine_watch(rig.engine, g, ENGINE_RESCAN, slice_text(""));
    engine_pause(rig.engine, true);
    engine_pause(rig.engine, false);
    engine_compare(rig.engine, NULL);
    engine_peer_put(rig.engine, one->device, "renamed");
    rig.held = 0;
    rig_wait(&rig, 1000);
    assert_int_equal(rig_jobs(&rig, JOB_SCAN), 0);
    assert_string_equal(folder_state_text(rig_status(&rig).state), "synced");
    // It may come again.
    assert_int_not_equal(put_folder(&rig, "g", other), g);
    rig_wait(&rig, 1000);
    engine_status(rig.engine, rig.arena, &status);
    assert_int_equal(status.folder_count, 2);
    engine_peer_remove(rig.engine, other->device);
    engine_peer_remove(rig.engine, other->device);
    engine_status(rig.engine, rig.arena, &status);
    assert_int_equal(status.peer_count, 2);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conflict),         cmocka_unit_test(test_not_resolved_yet),
        cmocka_unit_test(test_of_a_stranger),    cmocka_unit_test(test_kept),
        cmocka_unit_test(test_held_and_blocked), cmocka_unit_test(test_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
