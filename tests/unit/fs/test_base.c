// SPDX-License-Identifier: MIT
//
// The base store on a disk: what it holds comes back whole or not at all, and nobody else reads it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/check.h"
#include "crypto/hash.h"
#include "fs_test.h"

#define MTIME_NS (INT64_C(1700000000) * 1000000000 + 5)

static struct content content_of(struct slice bytes)
{
    return (struct content){hash_content(bytes), bytes.size};
}

static struct content content_text(const char *text)
{
    return content_of(slice_text(text));
}

static const char *name_of(const struct content *content, char out[192])
{
    char name[STAGE_NAME_MAX];
    stage_name(content, name);
    (void)snprintf(out, 192, ".cfgsync/base/%s", name);
    return out;
}

static enum err put(struct world *w, const struct content *content, const char *path,
                    struct slice bytes, uint64_t *out_room)
{
    struct base_put one = {
        .content = *content, .path = slice_text(path), .bytes = bytes, .mtime_ns = MTIME_NS};
    struct job *job = job_for(JOB_BASE);
    job->base.puts = &one;
    job->base.put_count = 1;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    job_end(&job);
    if (out_room != NULL) *out_room = one.room;
    return one.err;
}

// Into out the text of the kept file.
static enum err keep(struct world *w, const struct content *content, uint32_t mode, char out[256])
{
    char path[192];
    static uint32_t count;
    (void)snprintf(path, sizeof path, ".cfgsync/kept/own-%u", count++);
    struct base_keep one = {.file = slice_text(path + strlen(".cfgsync/kept/")),
                            .content = *content,
                            .mode = mode,
                            .mtime_ns = MTIME_NS};
    struct job *job = job_for(JOB_BASE);
    job->base.keeps = &one;
    job->base.keep_count = 1;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    if (one.err == ERR_OK) {
        assert_non_null(text_of(w, path, out));
        assert_int_equal(mode_of(w, path), mode & 0777);
        assert_int_equal(print_at(w, path).mtime_ns, MTIME_NS);
    }
    job_end(&job);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 0);
    return one.err;
}

static void drop(struct world *w, struct content content)
{
    struct job *job = job_for(JOB_BASE);
    job->base.drops = &content;
    job->base.drop_count = 1;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    job_end(&job);
}

static void test_there_and_back(void **state)
{
    struct world *w = *state;
    char text[256], name[192];
    uint64_t room = 0;
    put_file(w, "d/f", "a secret of its owner");
    struct content content = content_text("a secret of its owner");
    assert_int_equal(put(w, &content, "d/f", slice_of("", 0), &room), ERR_OK);
    assert_int_equal(room, BASE_BLOCK_BYTES);
    assert_int_equal(mode_of(w, ".cfgsync/base"), 0700);
    assert_int_equal(mode_of(w, name_of(&content, name)), 0600);
    assert_int_equal(keep(w, &content, 0640, text), ERR_OK);
    assert_string_equal(text, "a secret of its owner");
    assert_int_equal(keep(w, &content, 0400, text), ERR_OK); // another file of the same content
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 2);
    drop(w, content);
    assert_false(exists(w, name));
    assert_int_equal(keep(w, &content, 0640, text), ERR_CHANGED);
    drop(w, content); // nothing is there: nothing is to be done
    // The file is not that any more.
    struct content other = content_text("something else");
    assert_int_equal(put(w, &other, "d/f", slice_of("", 0), NULL), ERR_CHANGED);
    assert_int_equal(put(w, &other, "d/none", slice_of("", 0), NULL), ERR_CHANGED);
    assert_int_equal(put(w, &other, "d/f", slice_text("something Else"), NULL), ERR_CHANGED);
    assert_int_equal(count_in(w, ".cfgsync/base", ""), 0);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 0);
}

static void test_compressed(void **state)
{
    struct world *w = *state;
    char name[192];
    uint64_t room = 0;
    static uint8_t bytes[BASE_CONTENT_BYTES_MAX + 1];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t) "line after line\n"[i % 16];
    struct slice most = slice_of(bytes, sizeof bytes - 1);
    struct content content = content_of(most);
    assert_int_equal(put(w, &content, "", most, &room), ERR_OK);
    assert_int_equal(room, BASE_BLOCK_BYTES);
    assert_true(print_at(w, name_of(&content, name)).size < BASE_BLOCK_BYTES);
    struct job *job = job_for(JOB_COPY);
    job->copy = (struct job_copy){.content = content, .base = true};
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    job_end(&job);
    struct read_entry entry = {.content = content, .staged = true};
    job = job_for(JOB_READ);
    job->read = (struct job_read){&entry, 1, 0};
    disk_run(w->disk, job);
    assert_true(entry.err == ERR_OK && slice_equal(entry.bytes, most));
    job_end(&job);
    // What is larger is none of its business.
    struct slice more = slice_of(bytes, sizeof bytes);
    content = content_of(more);
    assert_int_equal(put(w, &content, "", more, NULL), ERR_TOO_BIG);
}

static void test_damaged(void **state)
{
    struct world *w = *state;
    char text[256], name[192];
    uint8_t bytes[8192];
    memset(bytes, 'a', sizeof bytes);
    struct slice all = slice_of(bytes, sizeof bytes);
    struct content content = content_of(all);
    assert_int_equal(put(w, &content, "", all, NULL), ERR_OK);
    name_of(&content, name);
    static const char *const faults[] = {
        "printf x | dd of=$f bs=1 seek=9 conv=notrunc status=none", // other bytes
        "truncate -s 9 $f",                                         // half of it
        "truncate -s 0 $f",                                         // never flushed
        "truncate -s 8192 $f",                                      // as if it were not compressed
        "truncate -s 1G $f",
        "rm $f; mkfifo -m 600 $f",
        "rm $f; mkdir $f",
        "rmdir $f; ln -s /etc/hostname $f",
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        shell("f=%s/%s; %s", w->root, name, faults[i]);
        assert_int_equal(keep(w, &content, 0600, text), ERR_CHANGED);
    }
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 0);
}

static void test_not_removed(void **state)
{
    struct world *w = *state;
    char name[192];
    struct content contents[] = {content_text("one"), content_text("two"), content_text("three")};
    assert_int_equal(put(w, &contents[0], "", slice_text("one"), NULL), ERR_OK);
    shell("mkdir '%s/%s'", w->root, name_of(&contents[1], name));
    struct job *job = job_for(JOB_BASE);
    job->base.drops = contents;
    job->base.drop_count = 3;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(job->base.drop_count, 1);
    struct content two = content_text("two");
    assert_memory_equal(&job->base.drops[0], &two, sizeof two);
    assert_int_equal(count_in(w, ".cfgsync/base", ""), 1);
    job_end(&job);
}

static void test_list(void **state)
{
    struct world *w = *state;
    struct content one = content_text("one"), two = content_text("two");
    assert_int_equal(put(w, &one, "", slice_text("one"), NULL), ERR_OK);
    assert_int_equal(put(w, &two, "", slice_text("two"), NULL), ERR_OK);
    put_file(w, ".cfgsync/base/readme", "none of ours");
    shell("touch %s/.cfgsync/base/%064d-1x %s/.cfgsync/base/%064d-999999999", w->root, 0, w->root,
          0);
    put_file(w, ".cfgsync/kept/own-there", "");
    struct base_keep keeps[] = {{.file = slice_text("own-there")},
                                {.file = slice_text("own-away")}};
    struct job *job = job_for(JOB_BASE);
    job->base.list = true;
    job->base.keeps = keeps;
    job->base.keep_count = 2;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(job->base.stored_count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct base_stored *stored = &job->base.stored[i];
        assert_true(memcmp(&stored->content, &one, sizeof one) == 0 ||
                    memcmp(&stored->content, &two, sizeof two) == 0);
        assert_int_equal(stored->mtime_ns, MTIME_NS);
        assert_int_equal(stored->room, BASE_BLOCK_BYTES);
    }
    assert_int_equal(keeps[0].err, ERR_OK);
    assert_int_equal(keeps[1].err, ERR_CHANGED);
    job_end(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there_and_back, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_compressed, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_damaged, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_not_removed, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_list, world_open, world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
