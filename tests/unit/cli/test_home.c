// SPDX-License-Identifier: MIT
//
// Where the files are, that directories are private, and that one process has the lock.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/store/home.h"

static char root[64];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/cfgsync-test-home-XXXXXX");
    if (mkdtemp(root) == NULL) return -1;
    (void)unsetenv("CFGSYNC_HOME");
    (void)unsetenv("XDG_CONFIG_HOME");
    (void)unsetenv("XDG_STATE_HOME");
    (void)unsetenv("XDG_RUNTIME_DIR");
    return setenv("HOME", root, 1);
}

static int tear_down(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        (void)execlp("rm", "rm", "-rf", root, (char *)NULL);
        _exit(127);
    }
    return waitpid(child, NULL, 0) == child ? 0 : -1;
}

static void below(const char *path, const char *name)
{
    AUTO(buf_fini) struct buf want = {0};
    buf_printf(&want, "%s/%s", root, name);
    assert_string_equal(path, buf_text(&want));
}

static void xdg_defaults(void **state)
{
    (void)state;
    struct home home;
    AUTO(buf_fini) struct buf message = {0};
    assert_int_equal(home_init(&home, NULL, &message), ERR_OK);
    assert_false(home.single);
    below(home.config, ".config/cfgsync/config");
    below(home.registry, ".local/state/cfgsync/registry.json");
    below(home.index, ".local/state/cfgsync/index.db");
    below(home.socket, ".local/state/cfgsync/agent.sock");
    home_fini(&home);
}

static void xdg_variables(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf runtime = {0};
    AUTO(buf_fini) struct buf config = {0};
    buf_printf(&runtime, "%s/run", root);
    buf_printf(&config, "%s/conf/", root);
    assert_int_equal(setenv("XDG_CONFIG_HOME", buf_text(&config), 1), 0);
    assert_int_equal(setenv("XDG_STATE_HOME", "relative/is/ignored", 1), 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", buf_text(&runtime), 1), 0);
    struct home home;
    AUTO(buf_fini) struct buf message = {0};
    assert_int_equal(home_init(&home, NULL, &message), ERR_OK);
    below(home.config, "conf/cfgsync/config");
    below(home.socket, ".local/state/cfgsync/agent.sock"); // the runtime directory is missing
    home_fini(&home);
    assert_int_equal(mkdir(buf_text(&runtime), 0700), 0);
    assert_int_equal(home_init(&home, NULL, &message), ERR_OK);
    below(home.socket, "run/cfgsync/agent.sock");
    home_fini(&home);
}

static void one_directory(void **state)
{
    (void)state;
    struct home home;
    AUTO(buf_fini) struct buf message = {0};
    assert_int_equal(setenv("CFGSYNC_HOME", root, 1), 0);
    assert_int_equal(home_init(&home, NULL, &message), ERR_OK);
    assert_true(home.single);
    below(home.config, "config");
    below(home.identity, "identity");
    below(home.socket, "agent.sock");
    home_fini(&home);
    assert_int_equal(home_init(&home, "/other/", &message), ERR_OK); // --home wins
    assert_string_equal(home.status, "/other/status");
    home_fini(&home);
    assert_int_equal(chdir(root), 0);
    assert_int_equal(home_init(&home, "rel", &message), ERR_OK);
    below(home.lock, "rel/lock");
    home_fini(&home);
    assert_int_equal(chdir("/"), 0);
}

static void a_long_path_is_refused(void **state)
{
    (void)state;
    struct home home;
    AUTO(buf_fini) struct buf message = {0};
    AUTO(buf_fini) struct buf dir = {0};
    buf_append_text(&dir, "/");
    while (dir.size + strlen("/agent.sock") < HOME_SOCKET_BYTES_MAX)
        buf_append_text(&dir, "x");
    assert_int_equal(home_init(&home, buf_text(&dir), &message), ERR_OK);
    home_fini(&home);
    buf_append_text(&dir, "x");
    assert_int_equal(home_init(&home, buf_text(&dir), &message), ERR_CONFIG);
    assert_non_null(strstr(buf_text(&message), "too long"));
    assert_non_null(strstr(buf_text(&message), "--home"));
    home_fini(&home);
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void directories_are_private(void **state)
{
    (void)state;
    (void)umask(0);
    struct home home;
    AUTO(buf_fini) struct buf message = {0};
    assert_int_equal(home_init(&home, NULL, &message), ERR_OK);
    assert_int_equal(home_make(&home, &message), ERR_OK);
    assert_int_equal(mode_of(home.state_dir), 0700);
    assert_int_equal(mode_of(home.config_dir), 0700);
    assert_int_equal(home_make(&home, &message), ERR_OK); // again
    home_fini(&home);

    AUTO(buf_fini) struct buf open_dir = {0};
    buf_printf(&open_dir, "%s/open", root);
    assert_int_equal(mkdir(buf_text(&open_dir), 0755), 0);
    assert_int_equal(home_init(&home, buf_text(&open_dir), &message), ERR_OK);
    assert_int_equal(home_make(&home, &message), ERR_OK); // empty: ours to close
    assert_int_equal(mode_of(buf_text(&open_dir)), 0700);

    assert_int_equal(chmod(buf_text(&open_dir), 0755), 0);
    AUTO(buf_fini) struct buf other = {0};
    buf_printf(&other, "%s/holiday.jpg", buf_text(&open_dir));
    AUTO(fd_close) int fd = open(buf_text(&other), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(home_make(&home, &message), ERR_CONFIG); // somebody's own directory
    assert_non_null(strstr(buf_text(&message), "chmod 700"));
    assert_int_equal(mode_of(buf_text(&open_dir)), 0755);
    home_fini(&home);
}

static void one_process_has_the_lock(void **state)
{
    (void)state;
    struct home home;
    AUTO(buf_fini) struct buf message = {0};
    assert_int_equal(home_init(&home, root, &message), ERR_OK);
    assert_int_equal(home_owner(&home), 0);
    AUTO(fd_close) int lock = -1;
    AUTO(fd_close) int second = -1;
    pid_t owner = 1;
    assert_int_equal(home_lock(&home, &lock, &owner), ERR_OK);
    assert_int_equal(mode_of(home.lock), 0600);
    assert_int_equal(home_owner(&home), getpid());
    assert_int_equal(home_lock(&home, &second, &owner), ERR_BUSY);
    assert_int_equal(owner, getpid());
    fd_close(&lock);
    assert_int_equal(home_owner(&home), 0); // though the file still names a process that lives
    assert_int_equal(home_lock(&home, &second, &owner), ERR_OK);
    home_fini(&home);
}

// A client in another environment finds the socket of who has the lock.
static void the_owner_names_its_socket(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf runtime = {0};
    buf_printf(&runtime, "%s/run", root);
    assert_int_equal(mkdir(buf_text(&runtime), 0700), 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", buf_text(&runtime), 1), 0);
    struct home agent;
    struct home client;
    AUTO(buf_fini) struct buf message = {0};
    AUTO(buf_fini) struct buf socket = {0};
    AUTO(fd_close) int lock = -1;
    pid_t owner = 0;
    assert_int_equal(home_init(&agent, NULL, &message), ERR_OK);
    assert_int_equal(home_make(&agent, &message), ERR_OK);
    assert_int_equal(home_lock(&agent, &lock, &owner), ERR_OK);
    AUTO(fd_close) int fd = open(agent.socket, O_WRONLY | O_CREAT | O_CLOEXEC, 0600); // any file
    assert_true(fd >= 0);

    assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
    assert_int_equal(home_init(&client, NULL, &message), ERR_OK);
    assert_string_not_equal(client.socket, agent.socket);
    home_agent_socket(&client, &socket);
    assert_string_equal(buf_text(&socket), agent.socket);
    assert_int_equal(unlink(agent.socket), 0);
    home_agent_socket(&client, &socket);
    assert_string_equal(buf_text(&socket), client.socket);
    home_fini(&agent);
    home_fini(&client);
}

int main(void)
{
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(xdg_defaults),
        IN_A_FOLDER(xdg_variables),
        IN_A_FOLDER(one_directory),
        IN_A_FOLDER(a_long_path_is_refused),
        IN_A_FOLDER(directories_are_private),
        IN_A_FOLDER(one_process_has_the_lock),
        IN_A_FOLDER(the_owner_names_its_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
