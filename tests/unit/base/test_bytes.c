// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/bytes.h"
#include "agent/base/check.h"
#include "agent/base/own.h"

static void slices_order_like_memcmp_then_by_length(void **state)
{
    (void)state;
    assert_true(slice_compare(slice_text("a"), slice_text("b")) < 0);
    assert_true(slice_compare(slice_text("ab"), slice_text("a")) > 0);
    assert_true(slice_compare(slice_text("a"), slice_text("ab")) < 0);
    assert_true(slice_compare(slice_text("\xff"), slice_text("a")) > 0);
    assert_int_equal(slice_compare((struct slice){0}, slice_text("")), 0);
    assert_true(slice_equal((struct slice){0}, slice_text("")));
    assert_false(slice_equal(slice_text("a"), slice_text("b")));
    assert_false(slice_equal(slice_text("a"), slice_text("ab")));
}

static void buf_grows_and_keeps_what_it_has(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf buf = {0};
    for (unsigned i = 0; i < 5000; i++) {
        uint8_t byte = (uint8_t)(i * 7);
        buf_append(&buf, &byte, 1);
    }
    assert_int_equal(buf.size, 5000);
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(buf.data[i], (uint8_t)(i * 7));
    buf_append(&buf, NULL, 0);
    assert_int_equal(buf_slice(&buf).size, 5000);
    size_t capacity = buf.capacity;
    buf_clear(&buf);
    assert_int_equal(buf.size, 0);
    assert_int_equal(buf.capacity, capacity);
}

static void buf_prints_text(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf buf = {0};
    assert_string_equal(buf_text(&buf), "");
    buf_append_text(&buf, "n=");
    buf_printf(&buf, "%d %s", 42, "and a tail that is longer than the first capacity of a buffer");
    assert_string_equal(buf_text(&buf),
                        "n=42 and a tail that is longer than the first capacity of a buffer");
    assert_int_equal(buf.size, strlen(buf_text(&buf)));
    buf_fini(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.capacity, 0);
}

static void assert_zeroed(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(bytes[i], 0);
}

static void arena_memory_is_zeroed_and_aligned_even_after_reset(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    for (int round = 0; round < 4; round++) {
        for (size_t size = 1; size < 3000; size += 61) {
            uint8_t *bytes = arena_alloc(arena, 1, size);
            assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
            assert_zeroed(bytes, size);
            memset(bytes, 0xaa, size);
        }
        arena_reset(arena);
    }
}

static void arena_pieces_do_not_overlap(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t **all = mem_zalloc(COUNT, sizeof *all);
    for (uint32_t i = 0; i < COUNT; i++) {
        all[i] = arena_alloc(arena, 1 + i % 40, sizeof **all);
        for (uint32_t k = 0; k < 1 + i % 40; k++)
            all[i][k] = i;
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        for (uint32_t k = 0; k < 1 + i % 40; k++)
            assert_int_equal(all[i][k], i);
    }
    mem_free(&all);
    assert_null(all);
}

static void arena_reset_keeps_the_block_it_needs(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    arena_reset(arena); // nothing there yet
    for (int i = 0; i < 100; i++)
        arena_alloc(arena, 1, 700);
    arena_reset(arena);
    void *first = arena_alloc(arena, 1, 700);
    arena_reset(arena);
    assert_ptr_equal(arena_alloc(arena, 1, 700), first);
}

static void arena_serves_large_and_empty_requests(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint8_t *large = arena_alloc(arena, 3 << 20, 1);
    assert_zeroed(large, 3 << 20);
    assert_non_null(arena_alloc(arena, 0, 16));
    assert_non_null(arena_alloc(arena, 16, 0));
    arena_reset(arena);
    assert_string_equal(arena_text(arena, (struct slice){0}), "");
    assert_int_equal(arena_copy(arena, (struct slice){0}).size, 0);
    arena_destroy(&arena);
    assert_null(arena);
    arena_destroy(&arena);
}

static void arena_copies(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    char original[] = "a\0b";
    struct slice copy = arena_copy(arena, slice_of(original, 3));
    char *text = arena_text(arena, slice_of(original, 3));
    original[0] = 'x';
    assert_memory_equal(copy.data, "a\0b", 3);
    assert_memory_equal(text, "a\0b", 4);
    assert_string_equal(arena_printf(arena, "%s-%03u", "n", 7U), "n-007");
}

static void take_and_fd_close(void **state)
{
    (void)state;
    char *text = mem_strdup("kept");
    AUTO(mem_free) char *taken = TAKE(text);
    assert_null(text);
    assert_string_equal(taken, "kept");
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    int number = fd;
    errno = ENOSPC;
    fd_close(&fd);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(fd, -1);
    assert_int_equal(fcntl(number, F_GETFD), -1);
    fd_close(&fd);
}

// Runs `fatal` in a child with a silent stderr and tells whether it aborted.
static bool aborts(void (*fatal)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit none = {0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGABRT, SIG_DFL);
        (void)close(STDERR_FILENO);
        fatal();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void check_true(void)
{
    CHECK(1 + 1 == 2);
}

static void check_false(void)
{
    CHECK(1 + 1 == 3);
}

static void arena_overflow(void)
{
    struct arena *arena = arena_new();
    arena_alloc(arena, SIZE_MAX / 2, 4);
}

static void buf_overflow(void)
{
    struct buf buf = {0};
    buf_reserve(&buf, SIZE_MAX);
}

static void broken_assertions_abort(void **state)
{
    (void)state;
    assert_false(aborts(check_true));
    assert_true(aborts(check_false));
    assert_true(aborts(arena_overflow));
    assert_true(aborts(buf_overflow));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_order_like_memcmp_then_by_length),
        cmocka_unit_test(buf_grows_and_keeps_what_it_has),
        cmocka_unit_test(buf_prints_text),
        cmocka_unit_test(arena_memory_is_zeroed_and_aligned_even_after_reset),
        cmocka_unit_test(arena_pieces_do_not_overlap),
        cmocka_unit_test(arena_reset_keeps_the_block_it_needs),
        cmocka_unit_test(arena_serves_large_and_empty_requests),
        cmocka_unit_test(arena_copies),
        cmocka_unit_test(take_and_fd_close),
        cmocka_unit_test(broken_assertions_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
