// SPDX-License-Identifier: MIT
//
// Names, addresses, roots that may not contain each other, and the trust table.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "agent/daemon/left_out_priv.h"
#include "agent/daemon/logsink_priv.h"
#include "agent/daemon/names_priv.h"
#include "agent/daemon/roots_priv.h"
#include "agent/daemon/trust_priv.h"
#include "crypto/identity.h"
#include "tests/unit/daemon/folder.h"

static void names(void **state)
{
    (void)state;
    assert_true(name_valid("hub-1.example_x"));
    assert_false(name_valid(""));
    assert_false(name_valid("all"));
    assert_false(name_valid("a b"));
    assert_false(name_valid("a/b"));
    char long_name[66];
    memset(long_name, 'a', sizeof long_name);
    long_name[65] = '\0';
    assert_false(name_valid(long_name));
    long_name[64] = '\0';
    assert_true(name_valid(long_name));
    assert_true(device_name_valid("Zoë's laptop"));
    assert_false(device_name_valid("a\nb"));
}

static void addresses(void **state)
{
    (void)state;
    assert_true(address_valid("tcp://hub:7575", false));
    assert_true(address_valid("tcp://192.168.1.5:1", false));
    assert_true(address_valid("tcp://[fe80::1%eth0]:7575", false));
    assert_true(address_valid("tcp://[fe80::1%25eth0:1]:7575", false));
    assert_true(address_valid("tcp://*:7575", true));
    assert_true(address_valid("tcp://127.0.0.1:0", true));
    static const char *const wrong[] = {
        "hub:7575",        "tcp://hub",       "tcp://hub:",         "tcp://:7575",
        "tcp://*:7575",    "tcp://hub:0",     "tcp://hub:65536",    "tcp://hub:7575/x",
        "ipc://x:1",       "tcp://[::1:1",    "tcp://a;b:7575",     "tcp://hub: 75",
        "tcp://[zz]:7575", "tcp://hub:75a75", "tcp://[fe80::1%]:1", "tcp://[fe80::1%$(x)]:1",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(address_valid(wrong[i], false));
    }
    assert_true(address_is_local("tcp://127.0.0.1:1"));
    assert_true(address_is_local("tcp://192.168.1.5:7575"));
    assert_true(address_is_local("tcp://172.31.0.1:7575"));
    assert_false(address_is_local("tcp://172.32.0.1:7575"));
    assert_true(address_is_local("tcp://[fe80::1]:7575"));
    assert_true(address_is_local("tcp://[::ffff:10.0.0.1]:7575"));
    assert_false(address_is_local("tcp://[2001:db8::1]:7575"));
    assert_false(address_is_local("tcp://8.8.8.8:7575"));
    assert_true(address_is_local("tcp://hub.local:7575"));
}

static void containing(void **state)
{
    (void)state;
    assert_true(root_contains("/a", "/a"));
    assert_true(root_contains("/a", "/a/b"));
    assert_false(root_contains("/a", "/ab"));
    assert_false(root_contains("/a/b", "/a"));
    assert_true(root_contains("/", "/a"));
}

static void make_dir(void **state, const char *name)
{
    char path[512];
    assert_int_equal(mkdir(folder_path(state, name, path, sizeof path), 0700), 0);
}

static void expect_root(void **state, const struct registry *registry, const struct home *home,
                        const char *name, const char *below, const char *complaint)
{
    char path[512];
    AUTO(buf_fini) struct buf message = {0};
    folder_path(state, below, path, sizeof path);
    enum err err = root_allowed(registry, home, name, path, &message);
    assert_int_equal(err, complaint != NULL ? ERR_CONFIG : ERR_OK);
    if (complaint != NULL) assert_non_null(strstr(buf_text(&message), complaint));
}

static void roots_stay_apart(void **state)
{
    char state_dir[512];
    char root[512];
    char link[512];
    make_dir(state, "home");
    make_dir(state, "root");
    make_dir(state, "root/below");
    folder_path(state, "home", state_dir, sizeof state_dir);
    folder_path(state, "root", root, sizeof root);
    assert_int_equal(symlink(root, folder_path(state, "alias", link, sizeof link)), 0);
    struct home home = {.state_dir = state_dir, .socket_dir = state_dir};
    AUTO(registry_close) struct registry *registry = registry_new();
    struct registry_folder folder = {.name = (char[]){"one"}, .path = root};
    assert_int_equal(registry_put_folder(registry, &folder), ERR_OK);

    expect_root(state, registry, &home, "one", "root", NULL); // itself
    expect_root(state, registry, &home, "two", "other", NULL);
    expect_root(state, registry, &home, "two", "root2", NULL);
    expect_root(state, registry, &home, "two", "root/", "is the root of folder one");
    expect_root(state, registry, &home, "two", "alias", "is the root of folder one");
    expect_root(state, registry, &home, "two", "root/below", "is inside the root of folder one");
    expect_root(state, registry, &home, "two", "alias/not/yet", "is inside the root of folder one");
    expect_root(state, registry, &home, "two", "home/x", "is inside the agent's own directory");
    expect_root(state, registry, &home, "two", "", "contains the agent's own directory");
}

static void left_out_is_listed(void **state)
{
    make_dir(state, ".git");
    make_dir(state, "work");
    make_dir(state, "work/.git");
    make_dir(state, "work/.git/objects");
    make_dir(state, ".cfgsync");
    folder_write(state, "work/notes~", "");
    folder_write(state, "work/notes", "");
    folder_write(state, "work/.env", "");
    folder_write(state, "work/.git/x~", "");
    uint64_t total;
    AUTO(disk_close) struct disk *disk = disk_new();
    struct disk_root_options options = {.path = *state};
    assert_int_equal(disk_root_add(disk, 1, &options), ERR_OK);
    AUTO(json_drop) json_t *list = left_out_list(disk, 1, *state, &total);
    assert_int_equal(total, 3); // not what is inside .git, not the secret, not our own
    assert_int_equal(json_array_size(list), 3);
    const char *rule = json_string_value(json_object_get(json_array_get(list, 0), "pattern"));
    assert_string_equal(rule, "default: .git");
    disk_root_set(disk, 1, false, true);
    AUTO(json_drop) json_t *with_vcs = left_out_list(disk, 1, *state, &total);
    assert_int_equal(total, 2); // work/notes~ and now work/.git/x~
    assert_int_equal(json_array_size(with_vcs), 2);
}

static void trust_table(void **state)
{
    (void)state;
    AUTO(trust_destroy) struct trust *trust = trust_new();
    uint8_t seed[32] = {1};
    AUTO(identity_destroy) struct identity *identity = identity_from_seed(seed);
    uint8_t key[CURVE_KEY_BYTES];
    struct device_id found;
    struct device_id device = identity_device(identity);
    identity_curve_public(identity, key);
    assert_false(trust_has(trust, key, &found));
    struct device_id devices[] = {{{0}}, device}; // the first is no point of the curve
    trust_set(trust, devices, 2);
    assert_true(trust_has(trust, key, &found));
    assert_memory_equal(found.bytes, device.bytes, sizeof device.bytes);
    trust_set(trust, NULL, 0);
    assert_false(trust_has(trust, key, &found));
}

static void log_lines(void **state)
{
    (void)state;
    char out[256];
    logsink_format(1700000000045, LOG_WARN, LOG_NET, "net: peer lost name=hub", out, sizeof out);
    assert_string_equal(out, "[2023-11-14T22:13:20.045Z] [warn] [net] peer lost name=hub\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(addresses),
        cmocka_unit_test(containing),
        cmocka_unit_test_setup_teardown(roots_stay_apart, folder_make, folder_drop),
        cmocka_unit_test_setup_teardown(left_out_is_listed, folder_make, folder_drop),
        cmocka_unit_test(trust_table),
        cmocka_unit_test(log_lines),
    };
    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
