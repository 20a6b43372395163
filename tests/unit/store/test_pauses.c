// SPDX-License-Identifier: MIT
//
// Pauses survive, replace each other, and a bad file is refused.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/store/pauses.h"
#include "tests/unit/store/store_test.h"

static struct pauses *reopen(const struct place *place, struct pauses *pauses)
{
    struct fault fault = {0};
    pauses_close(&pauses);
    AUTO(fd_close) int dir_fd = open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(pauses_open(dir_fd, "pauses.json", &pauses, &fault), ERR_OK);
    return pauses;
}

static void they_survive(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    struct pauses *pauses = reopen(&place, NULL);
    struct pause all = {.kind = PAUSE_ALL}, etc = {.kind = PAUSE_FOLDER, .folder = "etc"};
    struct pause hub = {.kind = PAUSE_PEER, .device = {{7}}, .until_ms = 1700000000000};
    assert_int_equal(pauses_put(pauses, &all), ERR_OK);
    assert_int_equal(pauses_put(pauses, &etc), ERR_OK);
    assert_int_equal(pauses_put(pauses, &hub), ERR_OK);
    etc.until_ms = 5;
    assert_int_equal(pauses_put(pauses, &etc), ERR_OK); // another of the same
    pauses = reopen(&place, pauses);
    const struct pause *list;
    assert_int_equal(pauses_all(pauses, &list), 3);
    assert_int_equal(pauses_find(pauses, &etc)->until_ms, 5);
    assert_int_equal(pauses_find(pauses, &hub)->until_ms, 1700000000000);
    assert_null(pauses_find(pauses, &(struct pause){.kind = PAUSE_FOLDER, .folder = "other"}));
    assert_null(pauses_find(pauses, &(struct pause){.kind = PAUSE_PEER, .device = {{8}}}));
    assert_int_equal(pauses_remove(pauses, pauses_find(pauses, &etc)), ERR_OK);
    assert_int_equal(pauses_remove(pauses, &etc), ERR_OK); // it is not there
    pauses = reopen(&place, pauses);
    assert_int_equal(pauses_all(pauses, &list), 2);
    assert_int_equal(pauses_clear(pauses), ERR_OK);
    pauses = reopen(&place, pauses);
    assert_int_equal(pauses_all(pauses, &list), 0);
    pauses_close(&pauses);
    place_fini(&place);
}

static void a_bad_file_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"version\": 2, \"pauses\": []}",
        "{\"version\": 1, \"pauses\": 3}",
        "{\"version\": 1, \"pauses\": [3]}",
        "{\"version\": 1, \"pauses\": [{\"folder\": 3}]}",
        "{\"version\": 1, \"pauses\": [{\"peer\": \"zz\"}]}",
        "{\"version\": 1, \"pauses\": [{\"peer\": \"zz\", \"folder\": \"a\"}]}"};
    struct place place;
    place_init(&place);
    AUTO(fd_close) int dir_fd = open(place.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct pauses *pauses = NULL;
        struct fault fault = {0};
        AUTO(fd_close)
        int fd = openat(dir_fd, "pauses.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
        assert_int_equal(pauses_open(dir_fd, "pauses.json", &pauses, &fault), ERR_CONFIG);
        assert_non_null(fault.what);
        assert_null(pauses);
    }
    place_fini(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(they_survive),
                                       cmocka_unit_test(a_bad_file_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
