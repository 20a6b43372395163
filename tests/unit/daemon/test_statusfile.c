// SPDX-License-Identifier: MIT
//
// The prompt's icon: which one, and that the file is replaced, never seen half written.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/daemon/statusfile_priv.h"
#include "tests/unit/daemon/folder.h"

static void expect_icon(enum folder_state state, uint64_t count, const char *expected)
{
    char icon[STATUS_ICON_BYTES_MAX];
    status_icon(state, count, icon);
    assert_string_equal(icon, expected);
}

static void icons(void **state)
{
    (void)state;
    expect_icon(FOLDER_SYNCED, 0, "✓");
    expect_icon(FOLDER_SYNCED, 3, "✓");
    expect_icon(FOLDER_PENDING_OUT, 0, "↑");
    expect_icon(FOLDER_PENDING_IN, 0, "↓");
    expect_icon(FOLDER_SYNCING, 0, "⚡");
    expect_icon(FOLDER_CONFLICT, 2, "✗2");
    expect_icon(FOLDER_ERROR, 0, "✗");
    expect_icon(FOLDER_ERROR, UINT64_MAX, "✗18446744073709551615");
}

static void the_file_is_replaced(void **state)
{
    char text[64];
    char path[512];
    struct stat first;
    struct stat second;
    int dir_fd = open(*state, O_RDONLY | O_DIRECTORY);
    struct statusfile file = {.dir_fd = dir_fd, .name = "status"};
    folder_path(state, "status", path, sizeof path);

    assert_int_equal(statusfile_set(&file, "✓"), ERR_OK);
    folder_read(state, "status", text, sizeof text);
    assert_string_equal(text, "✓");
    assert_int_equal(stat(path, &first), 0);
    assert_int_equal(first.st_mode & 0777, 0600);

    assert_int_equal(statusfile_set(&file, "✓"), ERR_OK); // equal: not touched
    assert_int_equal(stat(path, &second), 0);
    assert_int_equal(second.st_ino, first.st_ino);

    folder_write(state, "status.new", "left by a crash");
    assert_int_equal(statusfile_set(&file, "✗2"), ERR_OK);
    assert_int_equal(stat(path, &second), 0);
    assert_int_not_equal(second.st_ino, first.st_ino);
    assert_int_equal(statusfile_set(&file, ""), ERR_OK);
    folder_read(state, "status", text, sizeof text);
    assert_string_equal(text, "");
    assert_int_equal(close(dir_fd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(icons),
        cmocka_unit_test_setup_teardown(the_file_is_replaced, folder_make, folder_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
