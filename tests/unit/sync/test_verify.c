// SPDX-License-Identifier: MIT
//
// Whom `verify` asks, and how it ends when somebody or something goes meanwhile.
#include "tests/unit/sync/sweep.h"

enum { TICKET = 9, TIMEOUT_MS = 30000 };

static void ask(struct machine *m, const struct verify_request *request)
{
    m->verifies = 0;
    engine_verify(m->engine, TICKET, request);
}

static void have_some(struct lan *lan)
{
    lan_open(lan, 3);
    user_write(a_of(lan), "x", "X");
    lan_wait(lan, 5000);
    assert_true(lan_in_step(lan));
}

// One that is away makes all of it fail, unless it is not asked.
static void test_one_of_them(void **state)
{
    (void)state;
    struct lan lan;
    have_some(&lan);
    machine_stop(&lan.machines[2]);
    lan_wait(&lan, 1000);
    struct machine *a = a_of(&lan);
    ask(a, &(struct verify_request){.timeout_ms = TIMEOUT_MS});
    lan_wait(&lan, 2 * TIMEOUT_MS);
    assert_true(a->verifies == 1 && a->verify_exit == 4);
    ask(a, &(struct verify_request){
               .folder = "f", .has_peer = true, .peer = b_of(&lan)->id, .timeout_ms = TIMEOUT_MS});
    lan_wait(&lan, 2 * TIMEOUT_MS);
    assert_true(a->verifies == 1 && a->verify_exit == 0);
    // Another folder is not asked about.
    ask(a, &(struct verify_request){.folder = "g", .timeout_ms = TIMEOUT_MS});
    lan_wait(&lan, 1000);
    assert_true(a->verifies == 1 && a->verify_exit == 0);
    lan_close(&lan);
}

// Nobody waits for the one; the other goes on.
static void test_nobody_waits(void **state)
{
    (void)state;
    struct lan lan;
    have_some(&lan);
    lan_cut(&lan);
    struct machine *a = a_of(&lan);
    ask(a, &(struct verify_request){.timeout_ms = TIMEOUT_MS});
    engine_verify(a->engine, TICKET + 1, &(struct verify_request){.timeout_ms = TIMEOUT_MS});
    engine_verify_cancel(a->engine, TICKET);
    engine_verify_cancel(a->engine, TICKET);
    lan_wait(&lan, 2 * TIMEOUT_MS);
    assert_int_equal(a->verifies, 1);
    assert_int_equal(a->verify_exit, 4);
    // What a process was asked for ends with it.
    ask(a, &(struct verify_request){.timeout_ms = TIMEOUT_MS});
    machine_restart(a);
    lan_wait(&lan, 2 * TIMEOUT_MS);
    assert_int_equal(a->verifies, 0);
    lan_close(&lan);
}

static void test_gone_meanwhile(void **state)
{
    (void)state;
    struct lan lan;
    have_some(&lan);
    lan_cut(&lan);
    struct machine *a = a_of(&lan);
    ask(a, &(struct verify_request){.timeout_ms = TIMEOUT_MS});
    engine_peer_remove(a->engine, b_of(&lan)->id);
    engine_peer_remove(a->engine, lan.machines[2].id);
    lan_wait(&lan, 2 * TIMEOUT_MS);
    assert_true(a->verifies == 1 && a->verify_exit == 0); // there is nobody to differ from
    lan_close(&lan);
    have_some(&lan);
    lan_cut(&lan);
    ask(a, &(struct verify_request){.timeout_ms = TIMEOUT_MS});
    engine_folder_remove(a->engine, "f");
    lan_settle(&lan);
    assert_true(a->verifies == 1 && a->verify_exit == 0);
    lan_close(&lan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_of_them),
        cmocka_unit_test(test_nobody_waits),
        cmocka_unit_test(test_gone_meanwhile),
    };
    return cmocka_run_group_tests_name("sync/verify", tests, NULL, NULL);
}
