// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "crypto/identity.h"

#define HEAD  "cfgsync identity 1\n"
#define HEX32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

struct folder {
    char path[64];
    int fd;
};

static int set_up(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    if (!folder) return -1;
    (void)snprintf(folder->path, sizeof folder->path, "/tmp/cfgsync-identity-XXXXXX");
    if (!mkdtemp(folder->path)) return -1;
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = folder;
    return folder->fd < 0 ? -1 : 0;
}

// Calls `visit` (or none) for every name and returns how many there are.
static int for_names(int dir_fd, void (*visit)(int dir_fd, const char *name))
{
    int count = 0;
    DIR *dir = fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        count++;
        if (visit) visit(dir_fd, entry->d_name);
    }
    (void)closedir(dir);
    return count;
}

static void remove_name(int dir_fd, const char *name)
{
    (void)unlinkat(dir_fd, name, 0);
    (void)unlinkat(dir_fd, name, AT_REMOVEDIR);
}

static int tear_down(void **state)
{
    struct folder *folder = *state;
    (void)for_names(folder->fd, remove_name);
    fd_close(&folder->fd);
    (void)rmdir(folder->path);
    free(folder);
    return 0;
}

static void write_file(int dir_fd, const char *text, mode_t mode)
{
    (void)unlinkat(dir_fd, "identity", 0);
    AUTO(fd_close) int fd = openat(dir_fd, "identity", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
}

static void assert_refused(int dir_fd, const char *part)
{
    AUTO(identity_destroy) struct identity *identity = NULL;
    struct fault fault;
    assert_int_equal(identity_load(dir_fd, "identity", &identity, &fault), ERR_CONFIG);
    assert_int_equal(fault.code, ERR_CONFIG);
    assert_non_null(strstr(fault.what, part));
    assert_null(identity);
}

static void what_was_created_is_loaded(void **state)
{
    int dir_fd = ((struct folder *)*state)->fd;
    AUTO(identity_destroy) struct identity *created = NULL;
    AUTO(identity_destroy) struct identity *loaded = NULL;
    struct fault fault;
    assert_int_equal(identity_create(dir_fd, "identity", &created), ERR_OK);
    assert_int_equal(for_names(dir_fd, NULL), 1); // no temporary file is left
    assert_int_equal(identity_load(dir_fd, "identity", &loaded, &fault), ERR_OK);
    struct device_id a = identity_device(created);
    struct device_id b = identity_device(loaded);
    assert_memory_equal(&a, &b, sizeof a);
    uint8_t secret_a[CURVE_KEY_BYTES];
    uint8_t secret_b[CURVE_KEY_BYTES];
    identity_curve_secret(created, secret_a);
    identity_curve_secret(loaded, secret_b);
    assert_memory_equal(secret_a, secret_b, sizeof secret_a);
}

static void its_mode_does_not_depend_on_the_umask(void **state)
{
    int dir_fd = ((struct folder *)*state)->fd;
    static const mode_t masks[] = {0, 022, 0277, 0777};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        AUTO(identity_destroy) struct identity *identity = NULL;
        struct stat st;
        mode_t before = umask(masks[i]);
        enum err err = identity_create(dir_fd, "identity", &identity);
        (void)umask(before);
        assert_int_equal(err, ERR_OK);
        assert_int_equal(fstatat(dir_fd, "identity", &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0600);
        assert_int_equal(st.st_nlink, 1);
        assert_int_equal(unlinkat(dir_fd, "identity", 0), 0);
    }
}

static void an_existing_one_is_never_replaced(void **state)
{
    int dir_fd = ((struct folder *)*state)->fd;
    AUTO(identity_destroy) struct identity *identity = NULL;
    AUTO(identity_destroy) struct identity *second = NULL;
    AUTO(identity_destroy) struct identity *loaded = NULL;
    struct fault fault;
    assert_int_equal(identity_create(dir_fd, "identity", &identity), ERR_OK);
    assert_int_equal(identity_create(dir_fd, "identity", &second), ERR_CHANGED);
    assert_null(second);
    assert_int_equal(for_names(dir_fd, NULL), 1);
    assert_int_equal(identity_load(dir_fd, "identity", &loaded, &fault), ERR_OK);
    struct device_id a = identity_device(identity);
    struct device_id b = identity_device(loaded);
    assert_memory_equal(&a, &b, sizeof a);
}

static void a_dangling_symlink_is_in_the_way_too(void **state)
{
    int dir_fd = ((struct folder *)*state)->fd;
    AUTO(identity_destroy) struct identity *identity = NULL;
    assert_int_equal(symlinkat("elsewhere", dir_fd, "identity"), 0);
    assert_int_equal(identity_create(dir_fd, "identity", &identity), ERR_CHANGED);
    assert_int_equal(faccessat(dir_fd, "elsewhere", F_OK, 0), -1);
    assert_refused(dir_fd, "symbolic link");
}

static void an_identity_others_can_reach_is_refused(void **state)
{
    int dir_fd = ((struct folder *)*state)->fd;
    static const mode_t modes[] = {0640, 0620, 0610, 0604, 0602, 0601, 0666};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        write_file(dir_fd, HEAD HEX32 "\n", modes[i]);
        assert_refused(dir_fd, "chmod 600");
    }
    AUTO(identity_destroy) struct identity *identity = NULL;
    struct fault fault;
    write_file(dir_fd, HEAD HEX32 "\n", 0400);
    assert_int_equal(identity_load(dir_fd, "identity", &identity, &fault), ERR_OK);
}

static void an_identity_of_another_user_is_refused(void **state)
{
    int dir_fd = ((struct folder *)*state)->fd;
    if (geteuid() != 0) skip();
    write_file(dir_fd, HEAD HEX32 "\n", 0600);
    assert_int_equal(fchownat(dir_fd, "identity", 1, 1, 0), 0);
    assert_refused(dir_fd, "another user");
}

static void only_a_regular_file_is_an_identity(void **state)
{
    int dir_fd = ((struct folder *)*state)->fd;
    assert_refused(dir_fd, "no identity");
    assert_int_equal(mkdirat(dir_fd, "identity", 0700), 0);
    assert_refused(dir_fd, "regular file");
    assert_int_equal(unlinkat(dir_fd, "identity", AT_REMOVEDIR), 0);
    assert_int_equal(mkfifoat(dir_fd, "identity", 0600), 0);
    assert_refused(dir_fd, "regular file"); // and does not hang
    assert_int_equal(unlinkat(dir_fd, "identity", 0), 0);
    write_file(dir_fd, HEAD HEX32 "\n", 0600);
    assert_int_equal(renameat(dir_fd, "identity", dir_fd, "real"), 0);
    assert_int_equal(symlinkat("real", dir_fd, "identity"), 0);
    assert_refused(dir_fd, "symbolic link");
}

static void the_format_is_exact(void **state)
{
    int dir_fd = ((struct folder *)*state)->fd;
    static const char *const texts[] = {
        "",
        HEAD,
        HEAD HEX32,
        HEAD HEX32 "\n\n",
        HEAD HEX32 "00\n",
        "cfgsync identity 2\n" HEX32 "\n",
        HEAD "0001020304050607 8090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
        HEAD "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_file(dir_fd, texts[i], 0600);
        assert_refused(dir_fd, "unknown format");
    }
}

static void a_file_written_by_hand_is_read_as_documented(void **state)
{
    int dir_fd = ((struct folder *)*state)->fd;
    AUTO(identity_destroy) struct identity *identity = NULL;
    struct fault fault;
    char text[DEVICE_ID_TEXT_MAX];
    uint8_t seed[32];
    for (uint8_t i = 0; i < 32; i++)
        seed[i] = i;
    AUTO(identity_destroy) struct identity *same = identity_from_seed(seed);
    write_file(dir_fd, HEAD HEX32 "\n", 0600);
    assert_int_equal(identity_load(dir_fd, "identity", &identity, &fault), ERR_OK);
    struct device_id a = identity_device(identity);
    struct device_id b = identity_device(same);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(strlen(device_id_text(a, text)), 67);
}

// The seed is drawn, not derived from anything of the machine.
static void two_creations_make_two_devices(void **state)
{
    int dir_fd = ((struct folder *)*state)->fd;
    AUTO(identity_destroy) struct identity *one = NULL;
    AUTO(identity_destroy) struct identity *two = NULL;
    assert_int_equal(identity_create(dir_fd, "one", &one), ERR_OK);
    assert_int_equal(identity_create(dir_fd, "two", &two), ERR_OK);
    struct device_id a = identity_device(one);
    struct device_id b = identity_device(two);
    assert_memory_not_equal(&a, &b, sizeof a);
}

static void a_folder_that_is_gone_is_an_error(void **state)
{
    struct folder *folder = *state;
    AUTO(identity_destroy) struct identity *identity = NULL;
    assert_int_equal(rmdir(folder->path), 0);
    assert_int_not_equal(identity_create(folder->fd, "identity", &identity), ERR_OK);
    assert_null(identity);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_was_created_is_loaded),
        IN_FOLDER(its_mode_does_not_depend_on_the_umask),
        IN_FOLDER(an_existing_one_is_never_replaced),
        IN_FOLDER(a_dangling_symlink_is_in_the_way_too),
        IN_FOLDER(an_identity_others_can_reach_is_refused),
        IN_FOLDER(an_identity_of_another_user_is_refused),
        IN_FOLDER(only_a_regular_file_is_an_identity),
        IN_FOLDER(the_format_is_exact),
        IN_FOLDER(a_file_written_by_hand_is_read_as_documented),
        IN_FOLDER(two_creations_make_two_devices),
        IN_FOLDER(a_folder_that_is_gone_is_an_error),
    };
    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
