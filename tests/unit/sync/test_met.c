// SPDX-License-Identifier: MIT
//
// A save that met a step and could not be given its name back, because another save has it: it is
// in kept, and becomes a conflict item of the path, whatever goes wrong on the way.
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

// What the disk does with the next step of "x", and with the copy of what the step has kept.
static struct {
    bool meets;
    bool late;          // it could not go back, and was written to in kept
    const char *target; // it was a link
    const char *text;   // it was a file with this
    enum err copy_err;
    uint32_t copy_fails; // times
    uint32_t copies;
    bool fails; // the job: recovery meets the save again
} met;

static void meet(struct step *step)
{
    met.meets = false;
    step->result = STEP_CHANGED;
    step->kept = true;
    step->unsorted = !met.late;
    step->written_late = met.late;
    step->kept_name = slice_text("7-x");
}

static void copy_kept(struct job_copy *copy, struct job *job)
{
    assert_true(slice_equal(copy->path, slice_text("7-x")));
    met.copies++;
    if (met.copy_fails > 0) {
        met.copy_fails--;
        job->err = met.copy_err;
        return;
    }
    if (met.target != NULL) {
        copy->target = slice_text(met.target);
        return;
    }
    copy->content = (struct content){hash_sha256(slice_text(met.text)), strlen(met.text)};
    copy->mtime_ns = 1;
}

static bool meets(struct rig *rig, struct job *job)
{
    if (job->kind == JOB_COPY && job->copy.outside) {
        copy_kept(&job->copy, job);
        return true;
    }
    bool again = job->kind == JOB_RECOVER && job->apply.count > 0;
    if (job->kind != JOB_APPLY && !again) return false;
    if (met.meets && met.fails) {
        job->err = ERR_IO;
        meet(&job->apply.steps[0]);
        met.meets = true;
        met.fails = false;
        return true;
    }
    for (uint32_t i = 0; i < job->apply.count; i++) {
        struct step *step = &job->apply.steps[i];
        if (met.meets && slice_equal(step->path, slice_text("x")))
            meet(step);
        else
            disk_step(rig, step);
    }
    return true;
}

// "x" is "one" here; the peer makes it "two", and the step meets two saves: what `met` says, and
// "by hand", which has the name.
static struct script *open_met(struct rig *rig)
{
    rig_open(rig);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    struct version one = script_file(peer, "x", "one");
    script_push(peer, 0, &one, 1, "one");
    rig_wait(rig, 1000);
    assert_true(rig_on_disk(rig, "x"));
    met.meets = true;
    met.copies = 0;
    rig->instead = meets;
    struct version two = script_file(peer, "x", "two");
    two.vv = vv_join(rig->arena, two.vv, one.vv);
    rig_save(rig, "x", "by hand", rig->now_ms);
    script_push(peer, 1, &two, 1, "two");
    return peer;
}

static struct value set_aside(struct rig *rig, const char *text)
{
    struct conflict list[8];
    uint32_t count = engine_conflicts(rig->engine, rig->arena, "f", 8, list);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(slice_equal(list[i].path, slice_text("x")));
        if (digest_equal(list[i].value.content, hash_sha256(slice_text(text))))
            return list[i].value;
    }
    return (struct value){.kind = KIND_TOMB};
}

static bool on_disk(struct rig *rig, const char *text)
{
    uint32_t times = 0;
    for (uint32_t i = 0; i < rig->disk_count; i++)
        times += digest_equal(rig->disk[i].value.content, hash_sha256(slice_text(text)));
    return times == 1;
}

static void test_a_file(void **state)
{
    (void)state;
    struct rig rig;
    memset(&met, 0, sizeof met);
    met.text = "saved";
    (void)open_met(&rig);
    rig_wait(&rig, 60 * 1000);
    assert_int_equal(set_aside(&rig, "saved").kind, KIND_FILE);
    assert_true(on_disk(&rig, "saved"));
    assert_true(on_disk(&rig, "by hand")); // an edit of its own
    assert_true(on_disk(&rig, "two"));
    rig_close(&rig);
}

static void test_a_file_that_is_written_to(void **state)
{
    (void)state;
    struct rig rig;
    memset(&met, 0, sizeof met);
    met.text = "saved";
    met.late = true;
    (void)open_met(&rig);
    rig_wait(&rig, 60 * 1000);
    assert_int_equal(set_aside(&rig, "saved").kind, KIND_FILE);
    assert_true(on_disk(&rig, "saved"));
    rig_close(&rig);
}

static void test_a_link(void **state)
{
    (void)state;
    struct rig rig;
    memset(&met, 0, sizeof met);
    met.target = "elsewhere";
    met.copy_err = ERR_IO;
    met.copy_fails = 1;
    (void)open_met(&rig);
    rig_wait(&rig, 60 * 1000);
    assert_int_equal(set_aside(&rig, "elsewhere").kind, KIND_SYMLINK);
    assert_true(on_disk(&rig, "elsewhere"));
    assert_true(on_disk(&rig, "by hand"));
    rig_close(&rig);
}

// A disk that is full, or broken, for a while: it is tried until it is set aside, more seldom in
// the end.
static void test_until_it_can_be_read(void **state)
{
    (void)state;
    struct rig rig;
    memset(&met, 0, sizeof met);
    met.text = "saved";
    met.copy_err = ERR_IO;
    met.copy_fails = 18;
    (void)open_met(&rig);
    rig_wait(&rig, 60 * 1000);
    assert_int_equal(met.copies, 17);
    assert_int_equal(set_aside(&rig, "saved").kind, KIND_TOMB);
    rig_wait(&rig, 30 * 60 * 1000);
    assert_int_equal(met.copies, 19);
    assert_int_equal(set_aside(&rig, "saved").kind, KIND_FILE);
    rig_close(&rig);
}

// Somebody has removed it from kept: there is nothing to set aside, and nothing to try.
static void test_it_is_gone(void **state)
{
    (void)state;
    struct rig rig;
    memset(&met, 0, sizeof met);
    met.copy_err = ERR_CHANGED;
    met.copy_fails = 1;
    (void)open_met(&rig);
    rig_wait(&rig, 60 * 60 * 1000);
    assert_int_equal(met.copies, 1);
    assert_true(on_disk(&rig, "by hand"));
    rig_close(&rig);
}

// The process ends before it is set aside; another one remembers, and does not wait with it.
static void test_another_process(void **state)
{
    (void)state;
    struct rig rig;
    memset(&met, 0, sizeof met);
    met.text = "saved";
    struct script *peer = open_met(&rig);
    rig.held = 1U << JOB_COPY;
    rig_wait(&rig, 10 * 1000);
    assert_int_equal(set_aside(&rig, "saved").kind, KIND_TOMB);
    rig_restart(&rig);
    engine_peer_put(rig.engine, peer->device, "peer3");
    rig.held = 0;
    rig_wait(&rig, 1000);
    assert_int_equal(set_aside(&rig, "saved").kind, KIND_FILE);
    assert_true(on_disk(&rig, "saved"));
    rig_close(&rig);
}

static uint32_t kept_as(struct rig *rig, const char *file)
{
    struct kept_row rows[8];
    uint32_t times = 0, count = store_kept_list(rig->store, rig->arena, rig->folder,
                                                slice_text("x"), INT64_MAX, 8, rows);
    for (uint32_t i = 0; i < count; i++)
        times += slice_equal(rows[i].file, slice_text(file));
    return times;
}

// The job fails after it has moved the save to kept, and recovery, which finds it there, says it
// once more.
static void test_told_twice(void **state)
{
    (void)state;
    struct rig rig;
    memset(&met, 0, sizeof met);
    met.text = "saved";
    met.fails = true;
    (void)open_met(&rig);
    rig_wait(&rig, 60 * 1000);
    assert_false(met.fails || met.meets);
    assert_int_equal(kept_as(&rig, "7-x"), 1);
    assert_int_equal(set_aside(&rig, "saved").kind, KIND_FILE);
    assert_true(on_disk(&rig, "saved"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file),     cmocka_unit_test(test_a_file_that_is_written_to),
        cmocka_unit_test(test_a_link),     cmocka_unit_test(test_until_it_can_be_read),
        cmocka_unit_test(test_it_is_gone), cmocka_unit_test(test_another_process),
        cmocka_unit_test(test_told_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
