// SPDX-License-Identifier: MIT
//
// What is said of a folder, of its peers and of one path when something is not in sync.
#include "agent/core/job.h"
#include "tests/unit/sync/brake_test.h"
#include "tests/unit/sync/status_test.h"

static void say_k(struct script *peer, struct vv k)
{
    struct message news = {.kind = MSG_NEWS, .news = {.folder = peer->rig->id, .k = k}};
    script_send(peer, LANE_CONTROL, &news);
}

// ---- what cannot be put in place

static enum blocked blocked_by;

static bool never_puts(struct rig *rig, struct job *job)
{
    if (job->kind != JOB_APPLY) return false;
    for (uint32_t i = 0; i < job->apply.count; i++) {
        struct step *step = &job->apply.steps[i];
        if (slice_equal(step->path, slice_text("theirs"))) {
            step->result = STEP_BLOCKED;
            step->blocked = blocked_by;
        } else {
            disk_step(rig, step);
        }
    }
    return true;
}

static void test_blocked(void **state)
{
    (void)state;
    static const struct {
        enum blocked reason;
        const char *hint;
        bool tried_again;
    } cases[] = {
        {BLOCKED_NO_SPACE, "make room", true},
        {BLOCKED_PERMISSION, "allow this user", true},
        {BLOCKED_IO, "check the disk", true},
        {BLOCKED_NAME_TOO_LONG, "rename it", false},
        {BLOCKED_BUSY, "it is tried", true},
        {BLOCKED_NOT_EMPTY, "remove what is left", true},
        {BLOCKED_CASE, "", true},
        {BLOCKED_NORMALIZATION, "", false},
        {BLOCKED_TYPE, "", false},
        {BLOCKED_NO_SOURCE, "connect a peer", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig rig;
        rig_open(&rig);
        blocked_by = cases[i].reason;
        rig.instead = never_puts;
        struct script *peer = peer_with(&rig, "theirs", "t");
        const char *have[] = {"t"};
        for (int turn = 0; turn < 4; turn++) {
            rig_wait(&rig, 500);
            (void)script_answer(peer, NULL, 0, have, 1);
        }
        rig_settle(&rig);
        assert_state(&rig, FOLDER_ERROR, "blocked");
        struct folder_status status = rig_status(&rig);
        char code[64];
        (void)snprintf(code, sizeof code, "blocked:%s", blocked_text(blocked_by));
        const struct status_error *error = error_of(&status, code);
        assert_int_equal(status.blocked, 1);
        assert_true(slice_equal(error->path, slice_text("theirs")));
        assert_int_equal(strncmp(error->hint, cases[i].hint, strlen(cases[i].hint)), 0);
        assert_int_equal(error->hint[0] == 0, cases[i].hint[0] == 0);
        struct path_status path = why(&rig, "theirs");
        assert_true(path.known && path.need && !path.deleted);
        assert_string_equal(path.blocked, blocked_text(blocked_by));
        assert_string_equal(path.hint, error->hint);
        assert_int_equal(sync_wait(&rig, 1000), 4); // and it had not been asked whether it has ours
        uint32_t asked = script_heard(peer, MSG_WANT);
        rig_wait(&rig, 60 * 1000);
        assert_int_equal(script_heard(peer, MSG_WANT), asked); // it is tried with what is here
        rig.instead = NULL;
        rig_wait(&rig, 120 * 1000);
        assert_int_equal(rig_on_disk(&rig, "theirs"), cases[i].tried_again);
        assert_int_equal(script_heard(peer, MSG_WANT), asked);
        rig_close(&rig);
    }
}

// Of two names that a disk takes for one, the one that is there; also among very many.
static void test_clash(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    for (int i = 0; i < 300; i++) {
        char path[16];
        (void)snprintf(path, sizeof path, "dir/%03d", i);
        rig_save(&rig, path, path, NOW_MS);
    }
    rig_save(&rig, "dir/Name", "here", NOW_MS);
    rescan(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    blocked_by = BLOCKED_CASE;
    rig.instead = never_puts;
    struct version versions[] = {script_file(peer, "theirs", "t"), script_file(peer, "u", "t")};
    script_push(peer, 0, versions, 2, "t");
    rig_wait(&rig, 1000);
    assert_int_equal(why(&rig, "theirs").clash.size, 0);
    struct item item = rig_item(&rig, "theirs");
    item.path = slice_text("dir/name");
    item.row = 0;
    store_begin(rig.store);
    store_item_put(rig.store, rig.folder, &item, true);
    assert_int_equal(store_commit(rig.store), ERR_OK);
    assert_true(slice_equal(why(&rig, "dir/name").clash, slice_text("dir/Name")));
    assert_true(slice_equal(why(&rig, "dir/name").author, slice_text("peer3")));
    rig_close(&rig);
}

// Nobody minds what a rule leaves out; should the rule go, it comes.
static void test_left_out(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.left_out = "theirs";
    struct script *peer = peer_with(&rig, "theirs", "t");
    rig_wait(&rig, 1000);
    assert_state(&rig, FOLDER_SYNCED, "");
    struct folder_status status = rig_status(&rig);
    assert_int_equal(status.blocked, 0);
    assert_non_null(error_of(&status, "blocked:ignored"));
    assert_string_equal(why(&rig, "theirs").hint, "left out here by a rule");
    const struct msg_applied *applied = &script_last(peer, MSG_APPLIED)->applied;
    assert_int_equal(applied->blocked_count, 1);
    assert_true(slice_equal(applied->blocked[0].reason, slice_text("ignored")));
    assert_false(rig_on_disk(&rig, "theirs"));
    rig_close(&rig);
}

// ---- what cannot be read

enum { MANY = 250 };

static bool many_problems(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_SCAN || job->scan.entries_max == 0) return false;
    struct job_scan *scan = &job->scan;
    scan->problems = arena_alloc(job->arena, MANY, sizeof *scan->problems);
    for (uint32_t i = 0; i < MANY; i++) {
        static const enum err errs[] = {ERR_IO, ERR_BUSY, ERR_ACCESS};
        scan->problems[i].path = slice_text(arena_printf(job->arena, "p%03u", i));
        scan->problems[i].what = "cannot be read";
        scan->problems[i].code = errs[i % 3];
    }
    scan->problem_count = MANY;
    scan->done = true;
    return true;
}

static void test_problems(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    rig.instead = many_problems;
    rescan(&rig);
    struct folder_status status = rig_status(&rig);
    assert_state(&rig, FOLDER_ERROR, "blocked");
    assert_int_equal(status.error_count, 200);
    assert_int_equal(status.blocked, 167); // not those that were refused
    assert_string_equal(error_of(&status, "blocked:io")->message, "cannot be read");
    assert_string_equal(error_of(&status, "blocked:busy")->hint,
                        "it is tried again within a minute");
    assert_string_equal(error_of(&status, "not-synced")->hint, "");
    assert_string_equal(why(&rig, "p000").problem, "cannot be read");
    assert_null(why(&rig, "q").problem);
    assert_int_equal(sync_wait(&rig, 1000), 1);
    // They are looked at again, and are well.
    rig.instead = NULL;
    rig_wait(&rig, 10 * 1000);
    assert_state(&rig, FOLDER_SYNCED, "");
    assert_int_equal(rig_status(&rig).error_count, 0);
    rig_close(&rig);
}

// ---- the folder

static const char *root_fault;
static struct rules_fault rules_fault;

static bool health_says(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_HEALTH) return false;
    struct job_health *health = &job->health;
    health->rules_fault_count = rules_fault.what != NULL ? 1 : 0;
    health->rules_faults[0] = rules_fault;
    health->what = root_fault;
    return root_fault != NULL;
}

static void look_at_root(struct rig *rig)
{
    engine_watch(rig->engine, rig->folder, ENGINE_ROOT, slice_text(""));
    rig_wait(rig, 100);
}

static void test_root(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.instead = health_says;
    root_fault = "marker is missing";
    look_at_root(&rig);
    assert_state(&rig, FOLDER_ERROR, "root-missing");
    struct folder_status status = rig_status(&rig);
    assert_string_equal(error_of(&status, "root-missing")->message, "marker is missing");
    assert_int_equal(sync_wait(&rig, 1000), 1);
    struct plan plan;
    assert_true(engine_plan(rig.engine, rig.arena, "f", &plan));
    root_fault = NULL;
    rig_wait(&rig, 6000);
    assert_state(&rig, FOLDER_SYNCED, "");
    rig_close(&rig);
}

static bool recovery_reads_nothing(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_RECOVER || job->apply.count == 0) return false;
    job->err = ERR_IO;
    job->apply.unread = job->apply.steps[0].path;
    return true;
}

// What an interrupted step did is not guessed: the folder stands still, and says for which file.
static void test_recovery(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig.held = 1U << JOB_APPLY;
    struct version v = script_file(peer, "theirs", "x");
    script_push(peer, 0, &v, 1, "x");
    rig_wait(&rig, 1000);
    rig.held = 0;
    rig.instead = recovery_reads_nothing;
    rig_restart(&rig);
    rig_wait(&rig, 1000);
    assert_state(&rig, FOLDER_ERROR, "recovery");
    struct folder_status status = rig_status(&rig);
    assert_true(slice_equal(error_of(&status, "recovery")->path, slice_text("theirs")));
    assert_int_equal(sync_wait(&rig, 1000), 1);
    assert_non_null(strstr(rig.sync_said, "f: stopped: theirs: "));
    root_fault = "marker is missing";
    rig.instead = health_says;
    rig_wait(&rig, 6000);
    assert_state(&rig, FOLDER_ERROR, "root-missing"); // nobody knows any more
    root_fault = NULL;
    rig_wait(&rig, 6000);
    assert_state(&rig, FOLDER_SYNCED, "");
    assert_true(rig_on_disk(&rig, "theirs"));
    rig_close(&rig);
}

static void test_rules_cannot_be_used(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.instead = health_says;
    rules_fault = (struct rules_fault){.file = ".cfgsyncignore", .line = 7, .what = "is odd"};
    look_at_root(&rig);
    assert_state(&rig, FOLDER_ERROR, "rules");
    struct folder_status status = rig_status(&rig);
    const struct status_error *error = error_of(&status, "rules");
    assert_string_equal(error->message, "line 7 of .cfgsyncignore is odd");
    assert_string_equal(error->hint, "the rules of before stay in force until it is corrected");
    assert_true(rig_logged("rules cannot be used"));
    // The same once more is not said once more.
    rig_log_clear();
    look_at_root(&rig);
    assert_false(rig_logged("rules cannot be used"));
    rules_fault.line = 0;
    look_at_root(&rig);
    assert_true(rig_logged("rules cannot be used"));
    status = rig_status(&rig);
    assert_string_equal(error_of(&status, "rules")->message, ".cfgsyncignore is odd");
    // With no rules of before it does not begin.
    root_fault = "rules cannot be used";
    look_at_root(&rig);
    status = rig_status(&rig);
    assert_int_equal(strncmp(error_of(&status, "rules")->hint, "correct it:", 11), 0);
    root_fault = NULL;
    rules_fault = (struct rules_fault){0};
    rig_wait(&rig, 11 * 1000); // nobody says that they are well
    assert_state(&rig, FOLDER_SYNCED, "");
    rig_close(&rig);
}

static void test_index_cannot_be_written(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "x", "X");
    rig_fail_commits(0, 3);
    rig_wait(&rig, 1000);
    assert_state(&rig, FOLDER_ERROR, "index");
    struct folder_status status = rig_status(&rig);
    assert_non_null(strstr(error_of(&status, "index")->hint, "disk of the agent's own files"));
    rig_fail_commits(0, 0);
    rig_wait(&rig, 60 * 1000);
    assert_state(&rig, FOLDER_SYNCED, "");
    assert_int_equal(rig_status(&rig).items, 1);
    rig_close(&rig);
}

static void test_pauses_and_work(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    assert_state(&rig, FOLDER_SYNCED, "");
    engine_pause(rig.engine, true);
    assert_state(&rig, FOLDER_PAUSED, "");
    engine_pause(rig.engine, false);
    engine_folder_pause(rig.engine, "f", true);
    assert_state(&rig, FOLDER_PAUSED, "");
    engine_folder_pause(rig.engine, "f", false);
    assert_state(&rig, FOLDER_SYNCED, "");
    rig.held = 1u << JOB_SCAN;
    rescan(&rig);
    assert_state(&rig, FOLDER_SYNCING, "");
    assert_true(rig_status(&rig).scanning);
    assert_true(why(&rig, "x").looking);
    rig.held = 1u << JOB_APPLY;
    struct script *peer = peer_with(&rig, "theirs", "t");
    rig_wait(&rig, 1000);
    assert_state(&rig, FOLDER_SYNCING, "");
    assert_true(why(&rig, "theirs").looking); // or put in place
    rig.held = 0;
    rig_wait(&rig, 1000);
    assert_state(&rig, FOLDER_SYNCED, "");
    struct version lost = script_file(peer, "lost", "nobody has it");
    script_push(peer, 1, &lost, 1, NULL);
    rig_wait(&rig, 1000);
    assert_state(&rig, FOLDER_SYNCING, "");
    struct path_status path = why(&rig, "lost");
    assert_true(path.awaits_content && path.no_source && path.need);
    say_applied(peer);
    path = why(&rig, "lost");
    assert_true(path.awaits_content && !path.no_source);
    rig_write(&rig, "mine", "m");
    rig_wait(&rig, 1000);
    assert_int_equal(why(&rig, "mine").peers[0].has, PATH_UNKNOWN);
    assert_true(slice_equal(why(&rig, "mine").author, slice_text("me")));
    rig_close(&rig);
}

static bool always_later(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_APPLY) return false;
    for (uint32_t i = 0; i < job->apply.count; i++)
        job->apply.steps[i].result = STEP_WAIT;
    return true;
}

static void test_pending(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.instead = always_later;
    struct script *peer = peer_with(&rig, "theirs", "t");
    rig_wait(&rig, 1000);
    assert_state(&rig, FOLDER_PENDING_IN, "");
    assert_int_equal(rig_status(&rig).pending_in, 1);
    rig.instead = NULL;
    rig_wait(&rig, 1000);
    assert_state(&rig, FOLDER_SYNCED, "");
    rig_write(&rig, "mine", "m");
    rig_wait(&rig, 1000);
    assert_state(&rig, FOLDER_PENDING_OUT, "");
    assert_int_equal(rig_status(&rig).pending_out, 1);
    rig_close(&rig);
    (void)peer;
}

// All is known there; what is not on its disk is minded, or not.
static void test_blocked_there(void **state)
{
    (void)state;
    static const struct {
        const char *path, *reason;
        enum folder_state state;
        int exit;
    } cases[] = {
        {"mine", "no-space", FOLDER_PENDING_OUT, 1},
        {"mine", "ignored", FOLDER_SYNCED, 0},
        {NULL, NULL, FOLDER_SYNCED, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig rig;
        rig_open(&rig);
        rig_write(&rig, "mine", "m");
        struct script *peer = peer_with(&rig, "theirs", "t");
        rig_wait(&rig, 1000);
        struct vv all = store_k(rig.store, rig.arena, rig.folder);
        say_k(peer, all);
        say_applied(peer);
        assert_int_equal(why(&rig, "mine").peers[0].has, PATH_KNOWN);
        script_applied(peer, all, cases[i].path, cases[i].reason);
        assert_state(&rig, cases[i].state, "");
        struct path_status path = why(&rig, "mine");
        assert_int_equal(path.peer_count, 1);
        assert_true(path.peers[0].connected);
        assert_string_equal(path.peers[0].share, "joined");
        assert_int_equal(path.peers[0].has, cases[i].path != NULL ? PATH_BLOCKED : PATH_ON_DISK);
        if (cases[i].path != NULL)
            assert_true(slice_equal(path.peers[0].reason, slice_text(cases[i].reason)));
        assert_int_equal(why(&rig, "theirs").peers[0].has, PATH_ON_DISK);
        rig_close(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocked),
        cmocka_unit_test(test_clash),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_root),
        cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_rules_cannot_be_used),
        cmocka_unit_test(test_index_cannot_be_written),
        cmocka_unit_test(test_pauses_and_work),
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_blocked_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
