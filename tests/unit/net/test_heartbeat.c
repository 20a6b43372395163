// SPDX-License-Identifier: MIT
//
// A process that is stopped answers nothing, but its connections stay: only heartbeats tell. The
// one that dialled it notices by the missing PONG, the one that it dialled by the TTL of its last
// PING.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net_test.h"

enum { PARENT = 1, DIALLED = 2, DIALLER = 3, PING_MS = 2200, NOTICED_MS_MAX = 9000 };

struct child {
    pid_t pid;
    char endpoint[64]; // where it listens
};

static void endpoint_of(const struct device *device, char out[64])
{
    snprintf(out, 64, "%s", device_endpoint(device));
}

// Listens, tells where, and dials if it has an address.
static _Noreturn void child_run(uint8_t number, int to_parent, const char *address)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); // a stopped one would stay after a failed test
    struct device *child = device_new(number);
    struct device *parent = device_new(PARENT);
    char endpoint[64] = "";
    device_trust(child, parent);
    device_open(child, true);
    endpoint_of(child, endpoint);
    if (write(to_parent, endpoint, sizeof endpoint) != (ssize_t)sizeof endpoint) _exit(1);
    if (address) net_dial(child->net, parent->id, &address, 1);
    for (uint32_t greeted = 0;;) {
        device_pump(child, 10);
        const struct seen *up = device_seen(child, NET_UP, greeted);
        if (up) greeted += device_send(child, up->conn, "hello");
    }
}

static struct child child_start(uint8_t number, const char *address)
{
    int ends[2];
    struct child child;
    assert_int_equal(pipe(ends), 0);
    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) child_run(number, ends[1], address);
    assert_int_equal(read(ends[0], child.endpoint, sizeof child.endpoint), 64);
    close(ends[0]);
    close(ends[1]);
    return child;
}

static void child_end(const struct child *child)
{
    kill(child->pid, SIGKILL);
    assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
}

static uint32_t downs(const struct device *device, bool dialled)
{
    uint32_t count = 0;
    const struct seen *down;
    for (uint32_t i = 0; (down = device_seen(device, NET_DOWN, i)); i++) {
        count += down->dialled == dialled;
    }
    return count;
}

static void stopped_peers_are_noticed(void **state)
{
    (void)state;
    struct fault fault = {0};
    char endpoint[64];
    struct device *parent = device_new(PARENT);
    struct device *dialled = device_new(DIALLED);
    struct device *dialler = device_new(DIALLER);
    device_trust(parent, dialled);
    device_trust(parent, dialler);
    // Children are forked while there are no threads, so the port is chosen before.
    device_open(parent, true);
    endpoint_of(parent, endpoint);
    net_close(&parent->net, 0);
    struct child first = child_start(DIALLED, NULL);
    struct child second = child_start(DIALLER, endpoint);

    assert_int_equal(device_open_at(parent, endpoint, &fault), ERR_OK);
    const char *address = first.endpoint;
    net_dial(parent->net, dialled->id, &address, 1);
    assert_true(pump_until(parent, NULL, parent, NET_UP, 4, 5000));
    kill(first.pid, SIGSTOP);
    pump_for(parent, NULL, PING_MS); // the second one's first PING
    kill(second.pid, SIGSTOP);
    assert_int_equal(device_count(parent, NET_DOWN), 0);
    // both lanes that we dialled, and the control lane of the second
    assert_true(pump_until(parent, NULL, parent, NET_DOWN, 3, NOTICED_MS_MAX - PING_MS));
    assert_int_equal(downs(parent, true), 2);
    assert_int_equal(downs(parent, false), 1);
    child_end(&second);
    assert_true(pump_until(parent, NULL, parent, NET_DOWN, 4, 1000));
    child_end(&first);
    device_destroy(&parent);
    device_destroy(&dialled);
    device_destroy(&dialler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stopped_peers_are_noticed)};
    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
