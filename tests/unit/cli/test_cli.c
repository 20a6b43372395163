// SPDX-License-Identifier: MIT
//
// cli_main as a person meets it: exit codes and both outputs, alone and against a real server that
// gives prepared answers.
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/api/server.h"
#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/cli/cli.h"

struct fixture {
    const char *program; // this one
    char dir[64];
    char home[80];
    struct mailbox *inbox;
    struct api_server *server;
    pthread_t engine;
    // The prepared answer, and the last request. The engine has them while a verb runs, the test
    // before and after.
    pthread_mutex_t turn;
    int status;
    const char *answer;
    struct buf asked; // "POST /v1/sync {...}"
    struct buf out;   // what the verb printed
    struct buf err;
};

static int set_up(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    f->program = *state;
    if (pthread_mutex_init(&f->turn, NULL) != 0 || pthread_mutex_lock(&f->turn) != 0) return -1;
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/cfgsync-test-cli-XXXXXX");
    if (mkdtemp(f->dir) == NULL) return -1;
    (void)snprintf(f->home, sizeof f->home, "%s/h", f->dir);
    (void)unsetenv("CFGSYNC_HOME");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pthread_mutex_unlock(&f->turn);
    if (f->inbox != NULL) {
        mailbox_close(f->inbox);
        pthread_join(f->engine, NULL);
        api_server_close(&f->server);
        for (struct api_request *late; (late = mailbox_try(f->inbox)) != NULL;)
            api_request_destroy(&late);
        mailbox_destroy(&f->inbox);
    }
    pid_t child = fork();
    if (child == 0) {
        (void)execlp("rm", "rm", "-rf", f->dir, (char *)NULL);
        _exit(127);
    }
    int failed = waitpid(child, NULL, 0) != child;
    (void)pthread_mutex_destroy(&f->turn);
    buf_fini(&f->asked);
    buf_fini(&f->out);
    buf_fini(&f->err);
    free(f);
    return failed;
}

static void carry_out(struct fixture *f, struct api_request *request)
{
    buf_clear(&f->asked);
    buf_printf(&f->asked, "%s %s %s", request->method, request->path, buf_text(&request->body));
    if (strcmp(request->path, "/v1/events") != 0) {
        api_answer(f->server, request->number, f->status, "application/json",
                   slice_text(f->answer));
        return;
    }
    api_stream(f->server, request->number);
    api_event(f->server, request->number, "status", "", slice_text(f->answer));
    api_event(f->server, request->number, "", "", slice_text(""));
    api_answer(f->server, request->number, 0, "", slice_text(""));
}

static void *engine(void *context)
{
    struct fixture *f = context;
    for (struct api_request *request; (request = mailbox_wait(f->inbox)) != NULL;) {
        pthread_mutex_lock(&f->turn);
        if (!request->gone) carry_out(f, request);
        pthread_mutex_unlock(&f->turn);
        api_request_destroy(&request);
    }
    return NULL;
}

static void start_agent(struct fixture *f)
{
    AUTO(buf_fini) struct buf socket = {0};
    struct fault fault = {0};
    buf_printf(&socket, "%s/agent.sock", f->home);
    f->inbox = mailbox_new(NULL, NULL);
    assert_int_equal(api_server_open(buf_text(&socket), f->inbox, &f->server, &fault), ERR_OK);
    assert_int_equal(pthread_create(&f->engine, NULL, engine, f), 0);
}

static void read_back(const char *path, struct buf *out)
{
    char bytes[4096];
    buf_clear(out);
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) > 0;)
        buf_append(out, bytes, (size_t)got);
    (void)buf_text(out);
}

// The child is this same program, started afresh (see main): in one that merely forks, a lock that
// a thread of the server or the allocator held at that moment would stay locked for ever.
static pid_t spawn(char **argv, const char *out, const char *err)
{
    const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    AUTO(fd_close) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    AUTO(fd_close) int out_fd = open(out, flags, 0600);
    AUTO(fd_close) int err_fd = open(err, flags, 0600);
    assert_true(null >= 0 && out_fd >= 0 && err_fd >= 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (dup2(null, 0) == 0 && dup2(out_fd, 1) == 1 && dup2(err_fd, 2) == 2)
            (void)execv(argv[0], argv);
        _exit(126);
    }
    return child;
}

// Runs the verb in a child with `--home` and its outputs in files.
static int cli(struct fixture *f, const char *const *words)
{
    char out[96];
    char err[96];
    (void)snprintf(out, sizeof out, "%s/out", f->dir);
    (void)snprintf(err, sizeof err, "%s/err", f->dir);
    char *argv[24] = {(char *)(uintptr_t)f->program, (char *)(uintptr_t) "--home", f->home};
    for (int argc = 3; *words != NULL; argc++, words++) {
        assert_true(argc < 23);
        argv[argc] = (char *)(uintptr_t)*words;
    }
    pthread_mutex_unlock(&f->turn);
    pid_t child = spawn(argv, out, err);
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    pthread_mutex_lock(&f->turn);
    assert_true(WIFEXITED(result));
    read_back(out, &f->out);
    read_back(err, &f->err);
    return WEXITSTATUS(result);
}

#define CLI(f, ...)      cli(f, (const char *const[]){__VA_ARGS__, NULL})
#define OUT_HAS(f, text) assert_non_null(strstr(buf_text(&(f)->out), text))
#define ERR_HAS(f, text) assert_non_null(strstr(buf_text(&(f)->err), text))

static void wrong_usage_is_2(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(CLI(f, "statsu"), 2);
    ERR_HAS(f, "did you mean status?");
    assert_int_equal(CLI(f, "peer", "ad"), 2);
    ERR_HAS(f, "did you mean peer add?");
    assert_int_equal(CLI(f, "peer"), 2);
    assert_int_equal(CLI(f, "pair", "--offer", "--at", "hub:7576"), 2);
    assert_int_equal(CLI(f, "sync", "--wiat"), 2);
    ERR_HAS(f, "did you mean --wait?");
    assert_int_equal(CLI(f, "sync", "a", "b"), 2);
    assert_int_equal(CLI(f, "sync", "--timeout", "5"), 2);
    assert_int_equal(CLI(f, "sync", "--wait", "--timeout", "soon"), 2);
    assert_int_equal(CLI(f, "peer", "add", "hub"), 2);
    assert_int_equal(CLI(f, "--nonsense", "status"), 2);
    assert_int_equal(CLI(f, "status", "--prompt", "--json"), 2);
    assert_int_equal(CLI(f, "init", "--name", "a b"), 2);
    assert_int_equal(CLI(f, "init", "--listen", "tcp://*:99999"), 2);
    assert_int_equal(CLI(f, "init", "--listen", "tcp://\"}:1"), 2);
    assert_int_equal(CLI(f, "init", "--listen", "tcp://*:7575", "--no-listen"), 2);
    assert_int_equal(access(f->home, F_OK), -1); // nothing was made
}

static void help_needs_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(CLI(f, "help"), 0);
    OUT_HAS(f, "folder accept");
    assert_int_equal(CLI(f, "--help"), 0);
    assert_int_equal(CLI(f, "folder", "add", "--help"), 0);
    OUT_HAS(f, "--include-secrets");
    assert_int_equal(CLI(f, "help", "folder", "add"), 0);
    OUT_HAS(f, "usage: cfgsync-agent folder add NAME PATH");
    assert_int_equal(CLI(f, "help", "peer"), 0);
    OUT_HAS(f, "peer rename");
    assert_int_equal(CLI(f, "peer", "--help"), 0);
    assert_int_equal(CLI(f, "help", "nonsense"), 2);
    assert_int_equal(CLI(f, "--version"), 0);
    OUT_HAS(f, "protocol 1, schema ");
    assert_int_equal(CLI(f, "version", "--json"), 0);
    OUT_HAS(f, "\"protocol\": 1");
    assert_int_equal(CLI(f, "run"), 0);
    OUT_HAS(f, "/h/config");
    assert_int_equal(CLI(f, "config", "check"), 0);
    OUT_HAS(f, "hook");
}

static void init_twice_changes_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(CLI(f, "id"), 1);
    ERR_HAS(f, "init");
    assert_int_equal(CLI(f, "init", "--name", "laptop", "--listen", "tcp://[::1]:7001", "--listen",
                         "tcp://10.0.0.1:7002"),
                     0);
    OUT_HAS(f, "made");
    assert_int_equal(CLI(f, "id"), 0);
    AUTO(buf_fini) struct buf id = {0};
    buf_append_text(&id, buf_text(&f->out));
    assert_true(id.size > 60 && id.data[id.size - 1] == '\n');

    AUTO(buf_fini) struct buf path = {0};
    AUTO(buf_fini) struct buf config = {0};
    AUTO(buf_fini) struct buf again = {0};
    buf_printf(&path, "%s/config", f->home);
    struct stat st;
    assert_int_equal(stat(buf_text(&path), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    read_back(buf_text(&path), &config);
    assert_non_null(strstr(buf_text(&config), "name = \"laptop\"\n"));
    assert_non_null(
        strstr(buf_text(&config), "listen = {\"tcp://[::1]:7001\", \"tcp://10.0.0.1:7002\"}\n"));
    assert_int_equal(CLI(f, "init", "--name", "other", "--no-listen"), 0);
    OUT_HAS(f, "unchanged");
    assert_null(strstr(buf_text(&f->out), "made"));
    read_back(buf_text(&path), &again);
    assert_string_equal(buf_text(&config), buf_text(&again));
    assert_int_equal(CLI(f, "id"), 0);
    assert_string_equal(buf_text(&f->out), buf_text(&id));
    assert_int_equal(CLI(f, "id", "--json"), 0);
    OUT_HAS(f, "{\n  \"id\": \"");
}

static void no_agent_is_6(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(CLI(f, "status"), 6);
    ERR_HAS(f, "init");
    assert_int_equal(CLI(f, "init"), 0);
    assert_int_equal(CLI(f, "status"), 6);
    ERR_HAS(f, "run");
    assert_int_equal(CLI(f, "sync", "--wait"), 6);
    assert_int_equal(CLI(f, "stop"), 6);
    assert_int_equal(CLI(f, "status", "--watch"), 6);
    assert_int_equal(CLI(f, "folder", "add", "a", f->dir), 6);
    assert_int_equal(CLI(f, "status", "--prompt"), 0);
    assert_int_equal(f->out.size, 0);
    assert_int_equal(CLI(f, "peer", "list", "--json"), 6);
    OUT_HAS(f, "\"code\": \"no-agent\"");
}

static void requests_need_the_lock(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(CLI(f, "adopt"), 1); // no device
    assert_int_equal(CLI(f, "init"), 0);
    assert_int_equal(CLI(f, "rekey"), 2); // not at a terminal
    struct home home;
    AUTO(buf_fini) struct buf message = {0};
    assert_int_equal(home_init(&home, f->home, &message), ERR_OK);
    AUTO(fd_close) int lock = -1;
    pid_t owner = 0;
    assert_int_equal(home_lock(&home, &lock, &owner), ERR_OK);
    assert_int_equal(CLI(f, "adopt"), 1);
    char pid[32];
    (void)snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
    ERR_HAS(f, pid);
    assert_int_equal(CLI(f, "rekey", "--yes"), 1);
    assert_int_equal(access(home.adopt, F_OK) + access(home.rekey, F_OK), -2);

    // The icon shows while its agent lives.
    AUTO(fd_close) int status = open(home.status, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(status, "✓", 3), 3);
    assert_int_equal(CLI(f, "status", "--prompt"), 0);
    assert_string_equal(buf_text(&f->out), "✓");

    fd_close(&lock);
    assert_int_equal(CLI(f, "adopt"), 0);
    assert_int_equal(CLI(f, "rekey", "--yes"), 0);
    assert_int_equal(access(home.adopt, F_OK) + access(home.rekey, F_OK), 0);
    assert_int_equal(CLI(f, "status", "--prompt"), 0);
    assert_int_equal(f->out.size, 0); // the last owner is dead
    home_fini(&home);
}

static const char status_text[] =
    "{\"device\": {\"name\": \"laptop\", \"id\": \"X\"}, \"state\": \"pending-out\", \"now_ms\": "
    "100000,"
    "\"folders\": [{\"name\": \"etc\", \"path\": \"/e\", \"state\": \"pending-out\", \"code\": "
    "null,"
    " \"items\": 1200, \"bytes\": 5000000, \"pending_in\": {\"changes\": 0, \"bytes\": 0},"
    " \"pending_out\": {\"changes\": 3, \"bytes\": 900}, \"conflicts\": %d, \"held\": %d}],"
    "\"peers\": [{\"name\": \"hub\", \"connected\": false, \"address\": null, \"rtt_ms\": null,"
    " \"last_seen\": 40000, \"folders\": [\"etc\"], \"pending_out\": {\"changes\": 3, \"bytes\": "
    "900}}],"
    "\"errors\": [{\"code\": \"blocked:no-space\", \"folder\": \"etc\", \"path\": \"big\", "
    "\"peer\": null,"
    " \"message\": \"no space left\", \"hint\": \"make room\"}]}";

static void status_tells_people_and_scripts(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(CLI(f, "init"), 0);
    start_agent(f);
    char answer[1400];
    const int cases[][3] = {{0, 0, 0}, {0, 2, 5}, {1, 2, 3}};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(answer, sizeof answer, status_text, cases[i][0], cases[i][1]);
        f->status = 200;
        f->answer = answer;
        assert_int_equal(CLI(f, "status"), cases[i][2]);
        OUT_HAS(f, "laptop  pending-out\n");
        OUT_HAS(f, "  etc  pending-out  1200 items, 5.0 MB  ↑3 (900 B)");
        OUT_HAS(f, "  hub  away  ↑3 (900 B)  etc  last seen 60 s ago\n");
        OUT_HAS(f, "  blocked:no-space etc/big: no space left\n    make room\n");
        assert_null(strchr(buf_text(&f->out), '\033'));
        assert_int_equal(CLI(f, "--json", "status"), cases[i][2]);
        OUT_HAS(f, "\"items\": 1200");
    }
    assert_int_equal(CLI(f, "status", "--watch"), 6); // the stream ended: so has the agent
    OUT_HAS(f, "laptop  pending-out\n");
}

static void errors_carry_their_exit(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(CLI(f, "init"), 0);
    start_agent(f);
    f->status = 404;
    f->answer = "{\"error\": {\"code\": \"unknown-folder\", \"message\": \"no folder is called x\","
                " \"hint\": \"folder list\", \"exit\": 1}}";
    assert_int_equal(CLI(f, "folder", "remove", "x"), 1);
    ERR_HAS(f, "cfgsync-agent: no folder is called x\n  folder list\n");
    assert_string_equal(buf_text(&f->asked), "POST /v1/folders/remove {\"name\":\"x\"}");
    f->answer = "{\"error\": {\"code\": \"bad-value\", \"message\": \"no\", \"exit\": 2}}";
    assert_int_equal(CLI(f, "folder", "remove", "x", "--json"), 2);
    OUT_HAS(f, "\"bad-value\"");
    f->status = 500;
    f->answer = "not json";
    assert_int_equal(CLI(f, "folder", "remove", "x"), 1);
    f->status = 200;
    assert_int_equal(CLI(f, "peer", "list"), 1);
}

static void sync_asks_and_reports(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(CLI(f, "init"), 0);
    start_agent(f);
    f->status = 200;
    f->answer =
        "{\"exit\": 4, \"lines\": [{\"level\": \"error\", \"text\": \"hub: not connected\"},"
        "{\"level\": \"info\", \"text\": \"nas: done\"}], \"elapsed_ms\": 10}";
    assert_int_equal(CLI(f, "sync", "etc", "--wait", "--timeout", "7", "--peer", "hub"), 4);
    assert_string_equal(buf_text(&f->asked),
                        "POST /v1/sync {\"folder\":\"etc\",\"peer\":\"hub\",\"wait\":true,"
                        "\"timeout_s\":7}");
    ERR_HAS(f, "hub: not connected");
    assert_string_equal(buf_text(&f->out), "nas: done\n");
    f->answer = "{\"exit\": 0, \"lines\": [], \"elapsed_ms\": 1200}";
    assert_int_equal(CLI(f, "sync"), 0);
    assert_int_equal(f->out.size, 0);
    assert_string_equal(buf_text(&f->asked), "POST /v1/sync {\"wait\":false,\"timeout_s\":60}");
}

static void folder_add_says_what_stays_behind(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(CLI(f, "init"), 0);
    start_agent(f);
    f->status = 200;
    f->answer = "{\"folder\": {\"name\": \"a\", \"path\": \"/a\", \"items\": 2, \"bytes\": 12},"
                "\"left_out\": [{\"path\": \"x/.git\", \"pattern\": \"default: .git\"}],"
                "\"left_out_total\": 1, \"held\": [\".env\"], \"held_total\": 1,"
                "\"shared_with\": [\"hub\"]}";
    assert_int_equal(CLI(f, "folder", "add", "a", f->dir, "--with", "hub,nas", "--vcs"), 5);
    assert_non_null(strstr(buf_text(&f->asked), "\"with\":[\"hub\",\"nas\"],\"with_all\":false"));
    assert_non_null(strstr(buf_text(&f->asked), "\"include_vcs\":true"));
    OUT_HAS(f, "a: 2 items, 12 B in /a; shared with hub");
    OUT_HAS(f, "x/.git (default: .git)");
    OUT_HAS(f, "--include-secrets");
    assert_int_equal(CLI(f, "folder", "add", "a", f->dir, "--with", "all", "--json"), 5);
    assert_non_null(strstr(buf_text(&f->asked), "\"with\":[],\"with_all\":true"));
    assert_int_equal(CLI(f, "folder", "add", "a", "/nowhere/at/all"), 1);
}

static void peer_add_checks_the_id(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(CLI(f, "init"), 0);
    assert_int_equal(CLI(f, "id"), 0);
    char id[96];
    (void)snprintf(id, sizeof id, "%.*s", (int)strcspn(buf_text(&f->out), "\n"), buf_text(&f->out));
    start_agent(f);
    f->status = 200;
    f->answer = "{}";
    assert_int_equal(CLI(f, "peer", "add", "hub", id, "--at", "10.0.0.2:7575", "--at",
                         "tcp://hub:1", "--no-approve"),
                     0);
    assert_non_null(strstr(buf_text(&f->asked), "[\"tcp://10.0.0.2:7575\",\"tcp://hub:1\"]"));
    assert_non_null(strstr(buf_text(&f->asked), "\"approves\":false"));
    id[10] = id[10] == 'A' ? 'B' : 'A'; // in the second group
    assert_int_equal(CLI(f, "peer", "add", "hub", id), 2);
    ERR_HAS(f, "group 2");
}

static void the_very_name_is_no_pattern(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(CLI(f, "init"), 0);
    start_agent(f);
    f->status = 200;
    f->answer =
        "{\"conflicts\": [{\"path\": \"/r/x1\"}, {\"path\": \"/r/x[1]\"}, {\"path\": \"/r/x2\"},"
        " {\"path\": \"/r/a1/y\"}, {\"path\": \"/r/a[1]/y\"}, {\"path\": \"/r/a[1]/z\"}]}";
    assert_int_equal(CLI(f, "conflicts", "dismiss", "/r/x[1]"), 0);
    assert_int_equal(strncmp(buf_text(&f->out), "/r/x[1]: ", 9), 0);
    assert_null(strstr(buf_text(&f->out), "/r/x1: "));
    assert_int_equal(CLI(f, "conflicts", "resolve", "/r/x[1]", "--with", f->dir), 0);
    assert_non_null(strstr(buf_text(&f->asked), "/r/x[1]"));
    assert_int_equal(CLI(f, "conflicts", "resolve", "/r/x[12]", "--with", f->dir), 2);
    assert_int_equal(CLI(f, "conflicts", "take", "/r/x[12]"), 0);
    OUT_HAS(f, "/r/x2: ");
    assert_int_equal(CLI(f, "conflicts", "take", "/r/a[1]/*"), 0);
    OUT_HAS(f, "/r/a[1]/y: ");
    OUT_HAS(f, "/r/a[1]/z: ");
    assert_null(strstr(buf_text(&f->out), "/r/a1/y: "));
}

// Whatever it is shown as.
static void what_is_left_alone_is_1(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(CLI(f, "init"), 0);
    start_agent(f);
    f->status = 200;
    f->answer = "{\"conflicts\": [{\"path\": \"/r/x\"}], \"changed\": 1, \"left_alone\": 1}";
    assert_int_equal(CLI(f, "conflicts", "dismiss", "/r/x"), 1);
    ERR_HAS(f, "/r/x: 1 left alone");
    assert_int_equal(CLI(f, "conflicts", "dismiss", "/r/x", "--json"), 1);
    OUT_HAS(f, "\"left_alone\": 1");
    assert_int_equal(CLI(f, "restore", "/r/x", "--json"), 1);
    assert_int_equal(CLI(f, "undo", "--json"), 1);
    assert_int_equal(CLI(f, "approve", "--yes", "--json"), 1);
    assert_int_equal(CLI(f, "revert", "--json"), 1);
}

static int hook(const struct cli_context *context)
{
    printf("hook %s\n", context->home.config);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct cli_hooks hooks = {hook, hook, hook, NULL};
    if (argc > 1) return cli_main(argc, argv, &hooks);

#define IN_A_HOME(test) cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, argv[0])
    const struct CMUnitTest tests[] = {
        IN_A_HOME(wrong_usage_is_2),
        IN_A_HOME(help_needs_nothing),
        IN_A_HOME(init_twice_changes_nothing),
        IN_A_HOME(no_agent_is_6),
        IN_A_HOME(requests_need_the_lock),
        IN_A_HOME(status_tells_people_and_scripts),
        IN_A_HOME(errors_carry_their_exit),
        IN_A_HOME(sync_asks_and_reports),
        IN_A_HOME(folder_add_says_what_stays_behind),
        IN_A_HOME(peer_add_checks_the_id),
        IN_A_HOME(the_very_name_is_no_pattern),
        IN_A_HOME(what_is_left_alone_is_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
