// SPDX-License-Identifier: MIT
//
// The registry: what is put survives, what is declared is never written, and a bad file is refused.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/json.h"
#include "agent/base/log.h"
#include "agent/store/registry.h"
#include "tests/unit/store/store_test.h"

static int setup(void **state)
{
    return room_open(state, "registry.json");
}

static struct registry *open_registry(const struct room *room)
{
    struct registry *registry = NULL;
    struct fault fault = {0};
    assert_int_equal(registry_open(room->dir_fd, "registry.json", &registry, &fault), ERR_OK);
    return registry;
}

static struct registry_peer laptop(void)
{
    static char name[] = "laptop";
    static char first[] = "tcp://10.0.0.1:7575";
    static char second[] = "tcp://[::1]:7575";
    static char *addresses[] = {first, second};
    return (struct registry_peer){
        .name = name,
        .device = {{0xab, 1, 2}},
        .addresses = addresses,
        .address_count = 2,
        .approves = true,
    };
}

static void put_laptop(struct registry *registry)
{
    char name[] = "laptop";
    struct registry_peer peer = laptop();
    peer.name = name;
    assert_int_equal(registry_put_peer(registry, &peer), ERR_OK);
    memset(name, 'x', sizeof name - 1); // the copy is deep
}

static void put_folder(struct registry *registry, const char *name, const char *with)
{
    char name_copy[32];
    char with_copy[32];
    char path[] = "/srv/dots";
    char from[] = "laptop";
    char *list[] = {with_copy};
    (void)snprintf(name_copy, sizeof name_copy, "%s", name);
    (void)snprintf(with_copy, sizeof with_copy, "%s", with ? with : "");
    struct registry_folder folder = {
        .name = name_copy,
        .path = path,
        .with_all = with == NULL,
        .with = list,
        .with_count = with != NULL,
        .include_vcs = true,
        .id = {{1, 2, 3}},
        .accept_from = from,
    };
    assert_int_equal(registry_put_folder(registry, &folder), ERR_OK);
}

static void check_content(const struct registry *registry)
{
    const struct registry_peer *peer = registry_peer(registry, "laptop");
    const struct registry_folder *dots = registry_folder(registry, "dots");
    const struct registry_folder *all = registry_folder(registry, "all");
    assert_non_null(peer);
    assert_non_null(dots);
    assert_non_null(all);
    assert_int_equal(peer->device.bytes[0], 0xab);
    assert_int_equal(peer->address_count, 2);
    assert_string_equal(peer->addresses[1], "tcp://[::1]:7575");
    assert_true(peer->approves);
    assert_null(peer->declared_at);
    assert_ptr_equal(registry_peer_by_device(registry, peer->device), peer);
    assert_null(registry_peer_by_device(registry, (struct device_id){{9}}));
    assert_string_equal(dots->path, "/srv/dots");
    assert_true(!dots->with_all && dots->with_count == 1 && all->with_all);
    assert_string_equal(dots->with[0], "laptop");
    assert_true(dots->include_vcs && !dots->include_secrets);
    assert_int_equal(dots->id.bytes[2], 3);
    assert_string_equal(dots->accept_from, "laptop");
}

static void test_round_trip(void **state)
{
    struct room *room = *state;
    mode_t old = umask(0);
    struct registry *registry = open_registry(room);
    put_laptop(registry);
    put_folder(registry, "dots", "laptop");
    put_folder(registry, "all", NULL);
    put_laptop(registry);
    (void)umask(old);
    check_content(registry);
    registry_close(&registry);
    struct stat st;
    assert_int_equal(stat(room->file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    registry = open_registry(room);
    check_content(registry);
    const struct registry_peer *peers;
    const struct registry_folder *folders;
    assert_int_equal(registry_peers(registry, &peers), 1);
    assert_int_equal(registry_folders(registry, &folders), 2);
    registry_close(&registry);
}

static void test_remove_and_rename(void **state)
{
    struct room *room = *state;
    struct registry *registry = open_registry(room);
    put_laptop(registry);
    put_folder(registry, "dots", "laptop");
    assert_int_equal(registry_rename_peer(registry, "laptop", "desk"), ERR_OK);
    assert_null(registry_peer(registry, "laptop"));
    assert_string_equal(registry_folder(registry, "dots")->with[0], "desk");
    assert_string_equal(registry_folder(registry, "dots")->accept_from, "desk");
    put_laptop(registry);
    assert_int_equal(registry_rename_peer(registry, "laptop", "desk"), ERR_IN_THE_WAY);
    assert_int_equal(registry_rename_peer(registry, "nobody", "x"), ERR_CONFIG);
    assert_int_equal(registry_remove_peer(registry, "desk", false), ERR_OK);
    registry_close(&registry);
    registry = open_registry(room);
    assert_null(registry_peer(registry, "desk"));
    assert_non_null(registry_peer(registry, "laptop"));
    assert_int_equal(registry_folder(registry, "dots")->with_count, 0);
    assert_null(registry_folder(registry, "dots")->accept_from);
    assert_int_equal(registry_remove_folder(registry, "dots"), ERR_OK);
    assert_int_equal(registry_remove_folder(registry, "dots"), ERR_OK);
    registry_close(&registry);
    registry = open_registry(room);
    assert_null(registry_folder(registry, "dots"));
    registry_close(&registry);
}

// A peer of that name stood in the config file and is gone from there.
static void test_another_of_the_same_name(void **state)
{
    struct room *room = *state;
    struct registry *registry = open_registry(room);
    put_folder(registry, "dots", "laptop");
    put_laptop(registry);
    assert_int_equal(registry_folder(registry, "dots")->with_count, 0);
    assert_null(registry_folder(registry, "dots")->accept_from);
    // Its addresses change: nothing else does.
    put_folder(registry, "dots", "laptop");
    put_laptop(registry);
    assert_int_equal(registry_folder(registry, "dots")->with_count, 1);
    registry_close(&registry);
}

static struct device_id device_of(unsigned number)
{
    return (struct device_id){{(uint8_t)(number >> 8), (uint8_t)number}};
}

// Who was removed is remembered until it is a peer again; of many the last.
static void test_removed(void **state)
{
    struct room *room = *state;
    struct registry *registry = open_registry(room);
    assert_false(registry_was_removed(registry, device_of(1)));
    for (unsigned i = 0; i < REGISTRY_REMOVED_MAX + 2U; i++)
        assert_int_equal(registry_note_removed(registry, device_of(i)), ERR_OK);
    assert_int_equal(registry_note_removed(registry, device_of(2)), ERR_OK); // the last now
    registry_close(&registry);
    registry = open_registry(room);
    assert_false(registry_was_removed(registry, device_of(1)));
    assert_true(registry_was_removed(registry, device_of(2)));
    struct registry_peer peer = laptop();
    peer.device = device_of(2);
    peer.unconfirmed = true;
    assert_int_equal(registry_put_peer(registry, &peer), ERR_OK);
    assert_false(registry_was_removed(registry, device_of(2)));
    registry_close(&registry);
    registry = open_registry(room);
    assert_false(registry_was_removed(registry, device_of(2)));
    assert_true(registry_was_removed(registry, device_of(REGISTRY_REMOVED_MAX + 1U)));
    assert_true(registry_peer(registry, peer.name)->unconfirmed);
    peer.unconfirmed = false;
    assert_int_equal(registry_put_peer(registry, &peer), ERR_OK);
    registry_close(&registry);
    registry = open_registry(room);
    assert_false(registry_peer(registry, peer.name)->unconfirmed);
    registry_close(&registry);
}

// The config file has other names than before, two of them changed places.
static void test_names_of_the_config_file_change(void **state)
{
    struct room *room = *state;
    char at[] = "config:12", old_names[3][8] = {"a", "b", "c"}, new_names[3][8] = {"b", "a", "c"};
    struct registry *both[2] = {open_registry(room), NULL};
    put_folder(both[0], "dots", "a");
    put_folder(both[0], "notes", "c");
    both[1] = open_registry(room);
    for (int i = 0; i < 6; i++) {
        struct registry_peer peer = laptop();
        peer.device = device_of((unsigned)i % 3);
        peer.name = i < 3 ? old_names[i] : new_names[i % 3];
        peer.declared_at = at;
        assert_int_equal(registry_put_peer(both[i / 3], &peer), ERR_OK);
    }
    assert_int_equal(registry_follow_names(both[1], both[0]), ERR_OK);
    assert_string_equal(registry_folder(both[1], "dots")->with[0], "b");
    assert_string_equal(registry_folder(both[1], "notes")->with[0], "c");
    registry_close(&both[0]);
    registry_close(&both[1]);
    both[0] = open_registry(room);
    assert_string_equal(registry_folder(both[0], "dots")->with[0], "b");
    registry_close(&both[0]);
}

static void declare_peer(struct registry *registry, const char *name, unsigned device)
{
    char at[] = "config:12", text[16];
    struct registry_peer peer = laptop();
    (void)snprintf(text, sizeof text, "%s", name);
    peer.name = text;
    peer.device = device_of(device);
    peer.declared_at = at;
    assert_int_equal(registry_put_peer(registry, &peer), ERR_OK);
}

// The config file names other devices by the same names than when the agent last ran: a folder is
// shared with whom it was, under the new name, and not with who has the old one.
static void test_names_change_while_stopped(void **state)
{
    struct room *room = *state;
    struct registry *registry = open_registry(room);
    declare_peer(registry, "a", 1);
    declare_peer(registry, "b", 2);
    declare_peer(registry, "c", 3);
    put_folder(registry, "dots", "a");
    put_folder(registry, "notes", "c");
    registry_close(&registry);
    registry = open_registry(room);
    declare_peer(registry, "a", 2);
    declare_peer(registry, "b", 1);
    declare_peer(registry, "c", 4); // 3 is gone
    assert_int_equal(registry_follow_names(registry, NULL), ERR_OK);
    assert_int_equal(registry_follow_names(registry, NULL), ERR_OK);
    assert_string_equal(registry_folder(registry, "dots")->with[0], "b");
    assert_int_equal(registry_folder(registry, "notes")->with_count, 0);
    registry_close(&registry);
}

// Behind what the config file says of a folder waits what a command has said.
static void test_removed_behind_a_declaration(void **state)
{
    struct room *room = *state;
    char at[] = "config:12";
    struct registry *registry = open_registry(room);
    put_laptop(registry);
    put_folder(registry, "dots", "laptop");
    struct registry_folder folder = *registry_folder(registry, "dots");
    folder.declared_at = at;
    folder.with_count = 0;
    assert_int_equal(registry_put_folder(registry, &folder), ERR_OK);
    assert_int_equal(registry_remove_peer(registry, "laptop", false), ERR_OK);
    put_laptop(registry);
    registry_close(&registry);
    registry = open_registry(room);
    assert_int_equal(registry_folder(registry, "dots")->with_count, 0);
    registry_close(&registry);
}

// Whoever gets a name that a folder still has of somebody else gets no folder with it.
static void test_renamed_to_one_that_was(void **state)
{
    struct room *room = *state;
    struct registry *registry = open_registry(room);
    put_laptop(registry);
    put_folder(registry, "dots", "bob"); // who was declared once
    assert_int_equal(registry_rename_peer(registry, "laptop", "bob"), ERR_OK);
    assert_int_equal(registry_folder(registry, "dots")->with_count, 0);
    registry_close(&registry);
}

static void test_declared_is_not_written(void **state)
{
    struct room *room = *state;
    struct registry *registry = open_registry(room);
    put_laptop(registry);
    char at[] = "config:12";
    char server_name[] = "server";
    struct registry_peer server = laptop();
    server.name = server_name;
    server.declared_at = at;
    assert_int_equal(registry_put_peer(registry, &server), ERR_OK);
    // What stands in both is the config file's now, and waits in ours.
    struct registry_peer declared = laptop();
    declared.declared_at = at;
    declared.approves = false;
    assert_int_equal(registry_put_peer(registry, &declared), ERR_OK);
    assert_string_equal(registry_peer(registry, "server")->declared_at, "config:12");
    put_folder(registry, "dots", "server"); // writes the file
    server.declared_at = NULL;
    assert_int_equal(registry_put_peer(registry, &server), ERR_DENIED);
    assert_int_equal(registry_remove_peer(registry, "server", false), ERR_DENIED);
    assert_int_equal(registry_rename_peer(registry, "server", "s"), ERR_DENIED);
    assert_non_null(registry_peer(registry, "server"));
    registry_close(&registry);
    registry = open_registry(room);
    assert_null(registry_peer(registry, "server"));
    assert_non_null(registry_peer(registry, "laptop"));
    assert_true(registry_peer(registry, "laptop")->approves);
    struct registry_folder folder = *registry_folder(registry, "dots");
    folder.declared_at = at;
    assert_int_equal(registry_put_folder(registry, &folder), ERR_OK);
    assert_int_equal(registry_remove_folder(registry, "dots"), ERR_DENIED);
    registry_close(&registry);
}

static void write_file(const struct room *room, const char *text)
{
    AUTO(fd_close) int fd = open(room->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

#define ID_64 "0000000000000000000000000000000000000000000000000000000000000001"

static void test_unknown_keys_stay(void **state)
{
    struct room *room = *state;
    write_file(room, "{\"version\": 1, \"colour\": \"blue\", \"folders\": [], \"peers\": [\n"
                     "{\"name\": \"desk\", \"id\": \"" ID_64 "\", \"shape\": [1]}]}");
    struct registry *registry = open_registry(room);
    struct stat st;
    assert_int_equal(stat(room->file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600); // was open to others
    put_laptop(registry);
    assert_int_equal(registry_rename_peer(registry, "desk", "table"), ERR_OK);
    registry_close(&registry);
    AUTO(json_drop) json_t *root = json_load_file(room->file, 0, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "colour")), "blue");
    json_t *peer = json_array_get(json_object_get(root, "peers"), 0);
    assert_string_equal(json_string_value(json_object_get(peer, "name")), "table");
    assert_string_equal(json_string_value(json_object_get(peer, "id")), ID_64);
    assert_true(json_is_array(json_object_get(peer, "shape")));
}

static char logged[1024];

static void record_log(enum log_level level, enum log_area area, const char *line)
{
    (void)level;
    (void)area;
    (void)snprintf(logged, sizeof logged, "%s", line);
}

static void test_bad_files_are_refused(void **state)
{
    struct room *room = *state;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"version\": 1, \"version\": 1}",
        "{\"version\": 2}",
        "{\"peers\": []}",
        "{\"version\": 1, \"peers\": {}}",
        "{\"version\": 1, \"peers\": [7]}",
        "{\"version\": 1, \"peers\": [{\"id\": \"" ID_64 "\"}]}",
        "{\"version\": 1, \"peers\": [{\"name\": \"\", \"id\": \"" ID_64 "\"}]}",
        "{\"version\": 1, \"peers\": [{\"name\": \"x\", \"id\": \"12\"}]}",
        "{\"version\": 1, \"peers\": [{\"name\": \"x\", \"id\": \"" ID_64 "\", \"approves\": 1}]}",
        "{\"version\": 1, \"peers\": [{\"name\": \"x\", \"id\": \"" ID_64
        "\", \"addresses\": [1]}]}",
        "{\"version\": 1, \"peers\": [{\"name\": \"x\", \"id\": \"" ID_64
        "\"}, {\"name\": \"x\", \"id\": \"" ID_64 "\"}]}",
        "{\"version\": 1, \"folders\": [{\"name\": \"x\"}]}",
        "{\"version\": 1, \"folders\": [{\"name\": \"x\", \"path\": \"relative\"}]}",
        "{\"version\": 1, \"folders\": [{\"name\": \"x\", \"path\": \"/x\", \"with\": \"some\"}]}",
        "{\"version\": 1, \"folders\": [{\"name\": \"x\", \"path\": \"/x\", \"id\": \"GG\"}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct registry *registry = NULL;
        struct fault fault = {0};
        write_file(room, bad[i]);
        enum err err = registry_open(room->dir_fd, "registry.json", &registry, &fault);
        if (err != ERR_CONFIG) fail_msg("accepted: %s", bad[i]);
        assert_null(registry);
        assert_int_equal(fault.code, ERR_CONFIG);
        assert_non_null(fault.what);
    }
}

static void test_syntax_error_names_the_line(void **state)
{
    struct room *room = *state;
    struct registry *registry = NULL;
    struct fault fault = {0};
    write_file(room, "{\"version\": 1,\n\"peers\": [\n}\n");
    log_set_sink(record_log);
    enum err err = registry_open(room->dir_fd, "registry.json", &registry, &fault);
    log_set_sink(NULL);
    assert_int_equal(err, ERR_CONFIG);
    assert_non_null(strstr(logged, "registry.json:3"));
}

static void test_values_that_cannot_be(void **state)
{
    struct room *room = *state;
    struct registry *registry = open_registry(room);
    put_laptop(registry);
    char bad_name[] = "caf\xe9";
    char empty[] = "";
    char relative[] = "srv";
    struct registry_peer peer = laptop();
    peer.name = bad_name;
    assert_int_equal(registry_put_peer(registry, &peer), ERR_UNREPRESENTABLE);
    assert_null(registry_peer(registry, bad_name));
    peer.name = empty;
    assert_int_equal(registry_put_peer(registry, &peer), ERR_CONFIG);
    peer = laptop();
    peer.address_count = REGISTRY_ADDRESSES_MAX + 1;
    assert_int_equal(registry_put_peer(registry, &peer), ERR_CONFIG);
    struct registry_folder folder = {.name = bad_name, .path = relative};
    assert_int_equal(registry_put_folder(registry, &folder), ERR_CONFIG);
    registry_close(&registry);
    registry = open_registry(room);
    assert_non_null(registry_peer(registry, "laptop"));
    registry_close(&registry);
}

// A failed write changes nothing, in the file and in memory.
static void test_failed_write_changes_nothing(void **state)
{
    struct room *room = *state;
    struct registry *registry = open_registry(room);
    put_folder(registry, "dots", NULL);
    char fresh[128];
    (void)snprintf(fresh, sizeof fresh, "%s.new", room->file);
    assert_int_equal(mkdir(fresh, 0700), 0); // cannot be unlinked nor created
    struct registry_peer peer = laptop();
    assert_true(registry_put_peer(registry, &peer) != ERR_OK);
    assert_null(registry_peer(registry, "laptop"));
    assert_true(registry_remove_folder(registry, "dots") != ERR_OK);
    assert_non_null(registry_folder(registry, "dots"));
    assert_int_equal(rmdir(fresh), 0);
    // A leftover of a run that was cut off is no obstacle.
    AUTO(fd_close) int fd = open(fresh, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(registry_put_peer(registry, &peer), ERR_OK);
    assert_int_equal(access(fresh, F_OK), -1);
    registry_close(&registry);
}

static void test_in_memory(void **state)
{
    (void)state;
    AUTO(registry_close) struct registry *registry = registry_new();
    put_laptop(registry);
    assert_non_null(registry_peer(registry, "laptop"));
    assert_int_equal(registry_remove_peer(registry, "laptop", false), ERR_OK);
    assert_null(registry_peer(registry, "laptop"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, room_close),
        cmocka_unit_test_setup_teardown(test_remove_and_rename, setup, room_close),
        cmocka_unit_test_setup_teardown(test_another_of_the_same_name, setup, room_close),
        cmocka_unit_test_setup_teardown(test_removed, setup, room_close),
        cmocka_unit_test_setup_teardown(test_names_of_the_config_file_change, setup, room_close),
        cmocka_unit_test_setup_teardown(test_names_change_while_stopped, setup, room_close),
        cmocka_unit_test_setup_teardown(test_removed_behind_a_declaration, setup, room_close),
        cmocka_unit_test_setup_teardown(test_renamed_to_one_that_was, setup, room_close),
        cmocka_unit_test_setup_teardown(test_declared_is_not_written, setup, room_close),
        cmocka_unit_test_setup_teardown(test_unknown_keys_stay, setup, room_close),
        cmocka_unit_test_setup_teardown(test_bad_files_are_refused, setup, room_close),
        cmocka_unit_test_setup_teardown(test_syntax_error_names_the_line, setup, room_close),
        cmocka_unit_test_setup_teardown(test_values_that_cannot_be, setup, room_close),
        cmocka_unit_test_setup_teardown(test_failed_write_changes_nothing, setup, room_close),
        cmocka_unit_test(test_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
