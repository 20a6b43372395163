// SPDX-License-Identifier: MIT
//
// Invitations: what is given survives, uses are counted by device, and a bad file is refused.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/store/invites.h"
#include "tests/unit/store/store_test.h"

static int setup(void **state)
{
    return room_open(state, "invites.json");
}

static struct invites *open_invites(const struct room *room)
{
    struct invites *invites = NULL;
    struct fault fault = {0};
    assert_int_equal(invites_open(room->dir_fd, "invites.json", &invites, &fault), ERR_OK);
    return invites;
}

static struct device_id device(uint8_t first)
{
    return (struct device_id){{first, 0xff}};
}

static struct invite example(uint8_t first)
{
    static char notes[] = "notes";
    struct invite invite = {.key = device(first), .made_ms = 5, .expires_ms = 1700000000000};
    invite.uses = 2;
    invite.folders[invite.folder_count++] = notes;
    return invite;
}

static void what_is_given_survives(void **state)
{
    struct room *room = *state;
    struct stat st;
    AUTO(invites_close) struct invites *invites = open_invites(room);
    struct invite one = example(1), two = example(2);
    assert_int_equal(invites_add(invites, &one), ERR_OK);
    assert_int_equal(invites_add(invites, &two), ERR_OK);
    assert_int_equal(invites_use(invites, device(1), device(9)), ERR_OK);
    invites_close(&invites);
    assert_int_equal(stat(room->file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);

    invites = open_invites(room);
    const struct invite *list;
    assert_int_equal(invites_all(invites, &list), 2);
    const struct invite *found = invites_find(invites, device(1));
    assert_non_null(found);
    assert_int_equal(found->made_ms, 5);
    assert_int_equal(found->expires_ms, 1700000000000);
    assert_int_equal(found->uses, 2);
    assert_int_equal(found->used_count, 1);
    assert_int_equal(found->folder_count, 1);
    assert_string_equal(found->folders[0], "notes");
    assert_int_equal(invites_remove(invites, device(1)), ERR_OK);
    assert_int_equal(invites_remove(invites, device(1)), ERR_OK);
    invites_close(&invites);

    invites = open_invites(room);
    assert_null(invites_find(invites, device(1)));
    assert_non_null(invites_find(invites, device(2)));
}

static void uses_are_counted_by_device(void **state)
{
    AUTO(invites_close) struct invites *invites = open_invites(*state);
    struct invite one = example(1);
    assert_int_equal(invites_add(invites, &one), ERR_OK);
    for (int again = 0; again < 3; again++) {
        assert_int_equal(invites_use(invites, device(1), device(10)), ERR_OK);
        assert_int_equal(invites_use(invites, device(1), device(11)), ERR_OK);
    }
    assert_int_equal(invites_use(invites, device(1), device(12)), ERR_DENIED);
    assert_int_equal(invites_find(invites, device(1))->used_count, 2);
}

// Another folder of that name is not the one that was meant.
static void a_folder_that_goes_is_shared_no_more(void **state)
{
    AUTO(invites_close) struct invites *invites = open_invites(*state);
    static char other[] = "other";
    struct invite one = example(1), two = example(2), three = example(3);
    one.folders[one.folder_count++] = other;
    two.folders[0] = other;
    three.folders[three.folder_count++] = three.folders[0]; // named twice
    assert_int_equal(invites_add(invites, &one), ERR_OK);
    assert_int_equal(invites_add(invites, &two), ERR_OK);
    assert_int_equal(invites_add(invites, &three), ERR_OK);
    assert_int_equal(invites_drop_folder(invites, "notes"), ERR_OK);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(invites_find(invites, device(1))->folder_count, 1);
        assert_string_equal(invites_find(invites, device(1))->folders[0], "other");
        assert_string_equal(invites_find(invites, device(2))->folders[0], "other");
        assert_int_equal(invites_find(invites, device(3))->folder_count, 0);
        invites_close(&invites);
        invites = open_invites(*state);
    }
    assert_int_equal(invites_drop_folder(invites, "nowhere"), ERR_OK);
}

static void there_is_an_end_of_them(void **state)
{
    AUTO(invites_close) struct invites *invites = open_invites(*state);
    for (uint8_t i = 0; i < INVITES_MAX; i++) {
        struct invite one = example(i);
        assert_int_equal(invites_add(invites, &one), ERR_OK);
    }
    struct invite more = example(200);
    assert_int_equal(invites_add(invites, &more), ERR_LIMIT);
    assert_null(invites_find(invites, device(200)));
}

// A use that cannot be written down is none.
static void what_cannot_be_written_is_not_done(void **state)
{
    struct room *room = *state;
    AUTO(invites_close) struct invites *invites = open_invites(room);
    struct invite one = example(1), two = example(2);
    char aside[110];
    log_set_sink(NULL);
    assert_int_equal(invites_add(invites, &one), ERR_OK);
    // A directory in the place of the file that is written aside.
    (void)snprintf(aside, sizeof aside, "%s.new", room->file);
    assert_int_equal(mkdir(aside, 0700), 0);
    assert_int_not_equal(invites_use(invites, device(1), device(9)), ERR_OK);
    assert_int_not_equal(invites_add(invites, &two), ERR_OK);
    assert_int_not_equal(invites_remove(invites, device(1)), ERR_OK);
    assert_int_not_equal(invites_drop_folder(invites, "notes"), ERR_OK);
    assert_string_equal(invites_find(invites, device(1))->folders[0], "notes");
    assert_int_equal(invites_find(invites, device(1))->used_count, 0);
    assert_null(invites_find(invites, device(2)));
    assert_int_equal(rmdir(aside), 0);
    assert_int_equal(invites_use(invites, device(1), device(9)), ERR_OK);
}

static void a_damaged_file_is_refused(void **state)
{
    struct room *room = *state;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"version\": 2, \"invites\": []}",
        "{\"version\": 1}",
        "{\"version\": 1, \"invites\": [{}]}",
        "{\"version\": 1, \"invites\": [{\"key\": \"00\", \"uses\": 1, \"used\": [], \"folders\": "
        "[]}]}",
        "{\"version\": 1, \"invites\": [{\"key\": "
        "\"0101010101010101010101010101010101010101010101010101010101010101\", \"uses\": 65, "
        "\"used\": [], \"folders\": []}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct invites *invites = NULL;
        struct fault fault = {0};
        FILE *file = fopen(room->file, "w");
        assert_non_null(file);
        assert_true(fputs(bad[i], file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(invites_open(room->dir_fd, "invites.json", &invites, &fault), ERR_CONFIG);
        assert_non_null(fault.what);
        assert_null(invites);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_given_survives, setup, room_close),
        cmocka_unit_test_setup_teardown(uses_are_counted_by_device, setup, room_close),
        cmocka_unit_test_setup_teardown(a_folder_that_goes_is_shared_no_more, setup, room_close),
        cmocka_unit_test_setup_teardown(there_is_an_end_of_them, setup, room_close),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_not_done, setup, room_close),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_refused, setup, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
