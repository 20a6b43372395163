// SPDX-License-Identifier: MIT
//
// A small edit as a patch: made of what the base store holds when the file is looked at, applied to
// the file that has the base elsewhere, and verified like anything that comes.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/delta/compress.h"
#include "crypto/hash.h"
#include "fs_test.h"

static struct content content_of(struct slice bytes)
{
    return (struct content){hash_content(bytes), bytes.size};
}

static void text_make(struct buf *out, size_t size, const char *edit)
{
    for (unsigned i = 0; out->size < size; i++)
        buf_printf(out, "%08x\n", (i + 1) * 2654435761U);
    out->size = size;
    memcpy(out->data + size / 2, edit, strlen(edit));
}

static void save(struct world *w, const char *name, struct slice bytes)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", w->root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    assert_int_equal(fclose(file), 0);
}

static void base_put(struct world *w, struct slice bytes)
{
    struct base_put one = {.content = content_of(bytes), .path = slice_text("f"), .bytes = bytes};
    struct job *job = job_for(JOB_BASE);
    job->base.puts = &one;
    job->base.put_count = 1;
    disk_run(w->disk, job);
    assert_int_equal(one.err, ERR_OK);
    job_end(&job);
}

// The patch by which `f` differs from `was`, into out.
static void patch_of(struct world *w, struct content was, struct buf *out)
{
    struct look look = {.path = slice_text("f"), .force = true, .was = was};
    struct job *job = job_for(JOB_LOOK);
    job->look = (struct job_look){.looks = &look, .count = 1};
    disk_run(w->disk, job);
    assert_int_equal(look.result, LOOK_VALUE);
    buf_clear(out);
    buf_append(out, look.patch.data, look.patch.size);
    job_end(&job);
}

static enum err stage(struct world *w, struct content content, const char *path,
                      struct content base, struct slice patch)
{
    struct stage_entry entry = {.content = content,
                                .from = STAGE_PATCH,
                                .path = slice_text(path),
                                .base = base,
                                .patch = patch};
    struct job *job = job_for(JOB_STAGE);
    job->stage = (struct job_stage){&entry, 1};
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    job_end(&job);
    return entry.err;
}

static void an_edit_of(struct world *w, size_t size)
{
    AUTO(buf_fini) struct buf was = {0};
    AUTO(buf_fini) struct buf now = {0};
    AUTO(buf_fini) struct buf patch = {0};
    text_make(&was, size, "one thing");
    text_make(&now, size, "something else");
    struct content before = content_of(buf_slice(&was)), after = content_of(buf_slice(&now));
    save(w, "f", buf_slice(&now));
    patch_of(w, before, &patch);
    assert_int_equal(patch.size, 0); // the base is not stored
    base_put(w, buf_slice(&was));
    patch_of(w, (struct content){0}, &patch);
    assert_int_equal(patch.size, 0); // it was not here before
    patch_of(w, after, &patch);
    assert_int_equal(patch.size, 0); // it is the same
    patch_of(w, before, &patch);
    assert_true(patch.size > 0 && patch.size < 1000);

    assert_int_equal(stage(w, after, "none", before, buf_slice(&patch)), ERR_MALFORMED);
    save(w, "f", slice_of(was.data, was.size - 1));
    assert_int_equal(stage(w, after, "f", before, buf_slice(&patch)), ERR_MALFORMED);
    save(w, "f", buf_slice(&was));
    struct content wrong = {after.id, after.size + 1};
    assert_int_equal(stage(w, wrong, "f", before, buf_slice(&patch)), ERR_MALFORMED);
    wrong = (struct content){before.id, after.size};
    assert_int_equal(stage(w, wrong, "f", before, buf_slice(&patch)), ERR_MALFORMED);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 0);
    assert_int_equal(stage(w, after, "f", before, buf_slice(&patch)), ERR_OK);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 1);
}

static void small_edits_travel_as_patches(void **state)
{
    an_edit_of(*state, 20000);
}

static void up_to_a_size(void **state)
{
    an_edit_of(*state, BASE_CONTENT_BYTES_MAX);
}

static void what_is_mostly_new_is_sent_as_it_is(void **state)
{
    struct world *w = *state;
    AUTO(buf_fini) struct buf was = {0};
    AUTO(buf_fini) struct buf patch = {0};
    text_make(&was, 20000, "");
    struct content before = content_of(buf_slice(&was));
    base_put(w, buf_slice(&was));
    for (size_t i = 0; i < was.size; i++)
        was.data[i] = (uint8_t)(was.data[i] * 7 + i * i);
    save(w, "f", buf_slice(&was));
    patch_of(w, before, &patch);
    assert_int_equal(patch.size, 0);
    save(w, "f", slice_of(was.data, 100)); // soon sent
    patch_of(w, before, &patch);
    assert_int_equal(patch.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(small_edits_travel_as_patches, world_open, world_close),
        cmocka_unit_test_setup_teardown(up_to_a_size, world_open, world_close),
        cmocka_unit_test_setup_teardown(what_is_mostly_new_is_sent_as_it_is, world_open,
                                        world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
