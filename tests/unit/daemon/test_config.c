// SPDX-License-Identifier: MIT
//
// The config file: what it means, and that every mistake is named with file, line and key.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "agent/daemon/config_priv.h"
#include "crypto/identity.h"
#include "tests/unit/daemon/folder.h"

static struct device_id device_of(uint8_t seed_byte, char text[DEVICE_ID_TEXT_MAX])
{
    uint8_t seed[32];
    memset(seed, seed_byte, sizeof seed);
    struct identity *identity = identity_from_seed(seed);
    struct device_id device = identity_device(identity);
    identity_destroy(&identity);
    device_id_text(device, text);
    return device;
}

// Reads `text` as the config file; the message is left in *out.
static enum err read_text(void **state, const char *text, struct config *config, struct buf *out)
{
    char path[512];
    folder_write(state, "config", text);
    return config_read(folder_path(state, "config", path, sizeof path), config, out);
}

static void expect_error(void **state, const char *text, const char *line_and_what)
{
    struct config config;
    AUTO(buf_fini) struct buf message = {0};
    char path[512];
    char expected[1024];
    assert_int_equal(read_text(state, text, &config, &message), ERR_CONFIG);
    (void)snprintf(expected, sizeof expected, "%s:%s",
                   folder_path(state, "config", path, sizeof path), line_and_what);
    assert_string_equal(buf_text(&message), expected);
    config_fini(&config);
}

static void everything_is_read(void **state)
{
    char id[DEVICE_ID_TEXT_MAX];
    char text[2048];
    char expected[600];
    char path[512];
    struct device_id device = device_of(7, id);
    (void)snprintf(text, sizeof text,
                   "# mine\n"
                   "name = \"laptop\"\n"
                   "listen = {\"tcp://*:7575\", \"tcp://[::1]:0\"}\n"
                   "\n"
                   "peer hub {\n  id = \"%s\"\n  address = {\"tcp://hub:7575\"}\n"
                   "  approves = false\n}\n"
                   "folder etc {\n  path = \"/srv/etc\"\n  with = {hub, all}\n"
                   "  include_secrets = true\n}\n"
                   "folder \"b\" { path = \"/srv/b\" }\n",
                   id);
    struct config config;
    AUTO(buf_fini) struct buf message = {0};
    assert_int_equal(read_text(state, text, &config, &message), ERR_OK);
    assert_string_equal(config.name, "laptop");
    assert_true(config.has_listen);
    assert_int_equal(config.listen_count, 2);
    assert_string_equal(config.listen[1], "tcp://[::1]:0");

    assert_int_equal(config.peer_count, 1);
    assert_string_equal(config.peers[0].name, "hub");
    assert_memory_equal(config.peers[0].device.bytes, device.bytes, sizeof device.bytes);
    assert_int_equal(config.peers[0].address_count, 1);
    assert_false(config.peers[0].approves);
    folder_path(state, "config", path, sizeof path);
    (void)snprintf(expected, sizeof expected, "%s:5", path);
    assert_string_equal(config.peers[0].declared_at, expected);

    assert_int_equal(config.folder_count, 2);
    assert_true(config.folders[0].with_all);
    assert_int_equal(config.folders[0].with_count, 1);
    assert_true(config.folders[0].include_secrets);
    assert_false(config.folders[0].include_vcs);
    (void)snprintf(expected, sizeof expected, "%s:15", path);
    assert_string_equal(config.folders[1].declared_at, expected);
    config_fini(&config);
}

static void rates_logs_and_hours(void **state)
{
    struct config config;
    AUTO(buf_fini) struct buf message = {0};
    const char *text = "upload_rate = \"500K\"\ndownload_rate = \"2M\"\nlog_level = debug\n"
                       "log_format = json\nquiet = \"22:30-07:05\"\n";
    assert_int_equal(read_text(state, text, &config, &message), ERR_OK);
    assert_int_equal(config.upload_rate, 500 << 10);
    assert_int_equal(config.download_rate, 2 << 20);
    assert_int_equal(config.log_level, LOG_DEBUG);
    assert_true(config.log_json && config.has_quiet);
    assert_int_equal(config.quiet_from, 22 * 60 + 30);
    assert_int_equal(config.quiet_to, 7 * 60 + 5);
    config_fini(&config);
    assert_int_equal(read_text(state, "upload_rate = off\n", &config, &message), ERR_OK);
    assert_true(config.upload_rate == 0 && !config.has_quiet && !config.log_json);
    assert_int_equal(config.log_level, LOG_INFO);
    config_fini(&config);
    static const char *const rates[] = {"", "0K", "5", "5T", "5KB", "-5K", "9999999K", "K", "127K"};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "upload_rate = \"%s\"\n", rates[i]);
        expect_error(
            state, line,
            "1: upload_rate: must be off, or at least 128K bytes a second: \"500K\", \"2M\"");
    }
    expect_error(state, "log_level = loud\n", "1: log_level: must be error, warn, info or debug");
    expect_error(state, "bulk_priority = high\n", "1: bulk_priority: must be normal or low");
    expect_error(state, "log_format = xml\n", "1: log_format: must be text or json");
    static const char *const hours[] = {
        "", "22:00", "22:00-22:00", "24:00-07:00", "22:60-07:00", "22:00-07:00x", " 22:00-07:00"};
    for (size_t i = 0; i < sizeof hours / sizeof hours[0]; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "quiet = \"%s\"\n", hours[i]);
        expect_error(state, line, "1: quiet: must be like \"22:00-07:00\"");
    }
}

static void a_missing_file_is_an_empty_one(void **state)
{
    struct config config;
    AUTO(buf_fini) struct buf message = {0};
    char path[512];
    assert_int_equal(config_read(folder_path(state, "none", path, sizeof path), &config, &message),
                     ERR_OK);
    assert_null(config.name);
    assert_false(config.has_listen);
    assert_int_equal(config.peer_count, 0);
    config_fini(&config);
}

static void an_empty_listen_list_means_dial_only(void **state)
{
    struct config config;
    AUTO(buf_fini) struct buf message = {0};
    assert_int_equal(read_text(state, "listen = {}\n", &config, &message), ERR_OK);
    assert_true(config.has_listen);
    assert_int_equal(config.listen_count, 0);
    config_fini(&config);
}

static void comments_are_lines_like_others(void **state)
{
    expect_error(state,
                 "# one\n// two\n\nname = \"a # b\" # three\n/* four\n five */\nnmae = \"b\"\n",
                 "7: no such option 'nmae'; did you mean name?");
    expect_error(state, "name = 'it\\'s // none' /* */ /* \n */\nnmae = \"b\"\n",
                 "3: no such option 'nmae'; did you mean name?");
}

static void mistakes_name_line_and_key(void **state)
{
    char id[DEVICE_ID_TEXT_MAX];
    char text[1024];
    (void)device_of(7, id);
    expect_error(state, "name = \"x\"\nfoo = 3\n", "2: no such option 'foo'");
    expect_error(state, "name = \"\"\n", "1: name: must have 1 to 64 bytes and no control bytes");
    expect_error(state, "\nlisten = {\"tcp://*:7575\",\n\"here\"}\n",
                 "3: listen: \"here\" is not tcp://host:port");
    expect_error(state, "name = \"x\n", "2: premature end of file");
    (void)snprintf(text, sizeof text, "peer hub {\n id = \"%s\"\n bar = 1\n}\n", id);
    expect_error(state, text, "3: peer hub: no such option 'bar'");
    (void)snprintf(text, sizeof text, "peer hub {\n id = \"%s\"\n approves = maybe\n}\n", id);
    expect_error(state, text, "3: peer hub: invalid boolean value for option 'approves'");
    (void)snprintf(text, sizeof text, "peer hub {\n id = \"%s\"\n address = {\"tcp://*:1\"}\n}\n",
                   id);
    expect_error(state, text, "3: peer hub: address: \"tcp://*:1\" is not tcp://host:port");
    (void)snprintf(text, sizeof text, "peer hub {\n id = \"%s\"\n}\npeer hub {\n id = \"%s\"\n}\n",
                   id, id);
    expect_error(state, text, "4: found duplicate title 'hub'");
    (void)snprintf(text, sizeof text, "peer \"a b\" {\n id = \"%s\"\n}\n", id);
    expect_error(state, text, "3: peer: \"a b\" is not a name (letters, digits, '.', '_', '-')");
    expect_error(state, "peer hub {\n}\n", "2: peer hub: id: is missing");
    expect_error(state, "folder f {\n with = {a}\n}\n", "3: folder f: path: is missing");
    expect_error(state, "folder f {\n path = \"etc\"\n}\n", "2: folder f: path: must be absolute");
    expect_error(state, "folder f {\n path = \"/etc\"\n with = {\"a b\"}\n}\n",
                 "3: folder f: with: \"a b\" is not a peer's name");
    id[0] = id[0] == 'A' ? 'B' : 'A';
    (void)snprintf(text, sizeof text, "peer hub {\n id = \"%s\"\n}\n", id);
    expect_error(state, text, "2: peer hub: id: group 1 of the device id is mistyped");
    expect_error(state, "peer hub {\n id = \"ABC\"\n}\n",
                 "2: peer hub: id: this is no whole device id");
}

static void what_is_no_text_file_is_refused(void **state)
{
    struct config config;
    AUTO(buf_fini) struct buf message = {0};
    assert_int_equal(config_read(*state, &config, &message), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&message), "is not a file"));
    config_fini(&config);
}

// ---- into the registry

static enum err declare(void **state, const char *text, struct device_id own,
                        struct registry *registry, struct buf *message)
{
    struct config config;
    assert_int_equal(read_text(state, text, &config, message), ERR_OK);
    enum err err = config_declare(&config, own, registry, message);
    config_fini(&config);
    return err;
}

static void declared_ones_enter_the_registry(void **state)
{
    char id[DEVICE_ID_TEXT_MAX];
    char own_id[DEVICE_ID_TEXT_MAX];
    char text[1024];
    AUTO(buf_fini) struct buf message = {0};
    AUTO(registry_close) struct registry *registry = registry_new();
    (void)device_of(7, id);
    struct device_id own = device_of(8, own_id);
    (void)snprintf(text, sizeof text,
                   "peer hub { id = \"%s\" }\nfolder f {\n path = \"/f\"\n with = {hub}\n}\n", id);
    assert_int_equal(declare(state, text, own, registry, &message), ERR_OK);
    assert_non_null(registry_peer(registry, "hub")->declared_at);
    assert_non_null(registry_folder(registry, "f")->declared_at);
    assert_int_equal(registry_remove_peer(registry, "hub", false), ERR_DENIED);
}

static void what_does_not_fit_changes_nothing(void **state)
{
    char id[DEVICE_ID_TEXT_MAX];
    char other_id[DEVICE_ID_TEXT_MAX];
    char text[1024];
    AUTO(buf_fini) struct buf message = {0};
    AUTO(registry_close) struct registry *registry = registry_new();
    struct device_id device = device_of(7, id);
    struct device_id own = device_of(8, other_id);

    (void)snprintf(text, sizeof text,
                   "peer hub { id = \"%s\" }\nfolder f { path = \"/f\" with = {hubb} }\n", id);
    assert_int_equal(declare(state, text, own, registry, &message), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&message), ":2: folder f: with: no peer is called hubb"));
    assert_null(registry_peer(registry, "hub"));

    (void)snprintf(text, sizeof text, "peer me { id = \"%s\" }\n", other_id);
    buf_clear(&message);
    assert_int_equal(declare(state, text, own, registry, &message), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&message), ":1: peer me: id: this is this device's own id"));

    struct registry_peer added = {.name = (char[]){"box"}, .device = device};
    assert_int_equal(registry_put_peer(registry, &added), ERR_OK);
    (void)snprintf(text, sizeof text, "peer hub { id = \"%s\" }\n", id);
    buf_clear(&message);
    assert_int_equal(declare(state, text, own, registry, &message), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&message), "the same device was added as box by command"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_read),
        cmocka_unit_test(rates_logs_and_hours),
        cmocka_unit_test(a_missing_file_is_an_empty_one),
        cmocka_unit_test(an_empty_listen_list_means_dial_only),
        cmocka_unit_test(comments_are_lines_like_others),
        cmocka_unit_test(mistakes_name_line_and_key),
        cmocka_unit_test(what_is_no_text_file_is_refused),
        cmocka_unit_test(declared_ones_enter_the_registry),
        cmocka_unit_test(what_does_not_fit_changes_nothing),
    };
    crypto_init();
    return cmocka_run_group_tests(tests, folder_make, folder_drop);
}
