// SPDX-License-Identifier: MIT
//
// The file itself: private from the start, refused when it is not ours, whole after every end.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/store/store_priv.h"
#include "tests/unit/store/store_test.h"

static int setup(void **state)
{
    struct place *place = mem_zalloc(1, sizeof *place);
    place_init(place);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    place_fini(*state);
    free(*state);
    return 0;
}

static int mode_of(const struct place *place, const char *suffix)
{
    char path[128];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s%s", place->path, suffix);
    return stat(path, &st) == 0 ? (int)(st.st_mode & 07777) : -1;
}

static enum err refused(const char *path)
{
    struct store *store = NULL;
    struct fault fault = {0};
    enum err err = store_open(path, &store, &fault);
    assert_null(store);
    assert_int_equal(fault.code, err);
    assert_non_null(fault.what);
    return err;
}

static void write_text(const char *path, const char *text, off_t at)
{
    AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
}

static void put_one(struct store *store, uint32_t folder, const char *path, uint64_t counter)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct item item = simple_item(arena, path, KIND_FILE, 1, counter, true);
    store_item_put(store, folder, &item, true);
}

static void test_private_from_the_start(void **state)
{
    struct place *place = *state;
    mode_t old = umask(0);
    AUTO(store_close) struct store *store = open_store(place->path);
    put_one(store, add_folder(store, "f"), "x", 1);
    (void)umask(old);
    assert_int_equal(mode_of(place, ""), 0600);
    assert_int_equal(mode_of(place, "-wal"), 0600);
    assert_int_equal(mode_of(place, "-shm"), 0600);
}

static void test_strange_umask(void **state)
{
    struct place *place = *state;
    mode_t old = umask(0777);
    AUTO(store_close) struct store *store = open_store(place->path);
    put_one(store, add_folder(store, "f"), "x", 1);
    (void)umask(old);
    assert_int_equal(mode_of(place, ""), 0600);
    assert_int_equal(mode_of(place, "-wal"), 0600);
}

static void test_open_to_others_is_closed(void **state)
{
    struct place *place = *state;
    struct store *store = open_store(place->path);
    store_close(&store);
    assert_int_equal(chmod(place->path, 0644), 0);
    store = open_store(place->path);
    put_one(store, add_folder(store, "f"), "x", 1);
    assert_int_equal(mode_of(place, ""), 0600);
    assert_int_equal(mode_of(place, "-wal"), 0600);
    store_close(&store);
}

static void test_newer_schema_is_refused(void **state)
{
    struct place *place = *state;
    struct store *store = open_store(place->path);
    store_close(&store);
    // user_version stands at byte 60 of a database, big-endian.
    write_text(place->path, "\x7f", 63);
    assert_int_equal(refused(place->path), ERR_CONFIG);
    write_text(place->path, "\x05", 63);
    store = open_store(place->path);
    store_close(&store);
}

// An index of before marks had epochs: they stay what they were.
static void test_older_schema_is_brought_up_to_date(void **state)
{
    struct place *place = *state;
    struct mark got[2], more = {.inc = 5, .counter = 9, .first = 8, .epoch = UINT64_MAX};
    struct rollback rollback;
    struct store *store = open_store(place->path);
    assert_int_equal(sqlite3_exec(store->db,
                                  "DROP TABLE mark;"
                                  "CREATE TABLE mark(folder INTEGER NOT NULL, inc INTEGER NOT NULL,"
                                  " counter INTEGER NOT NULL, signature BLOB NOT NULL,"
                                  " PRIMARY KEY(folder, inc)) STRICT, WITHOUT ROWID;"
                                  "INSERT INTO mark VALUES(1, 5 - 9223372036854775807 - 1, 7,"
                                  " zeroblob(64));"
                                  "ALTER TABLE rollback DROP COLUMN first;"
                                  "ALTER TABLE rollback DROP COLUMN epoch;"
                                  "INSERT INTO rollback(folder, old, fresh, counter, signature)"
                                  " VALUES(1, 6, 7, 3, zeroblob(64));"
                                  "PRAGMA user_version = 2",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    store_close(&store);
    store = open_store(place->path);
    assert_int_equal(store_marks(store, 1, 5, 2, got), 1);
    assert_true(got[0].counter == 7 && got[0].first == 7 && got[0].epoch == 0);
    assert_int_equal(store_rollbacks_after(store, 1, 0, 1, &rollback), 1);
    assert_true(rollback.end.counter == 3 && rollback.end.first == 3 && rollback.end.epoch == 0);
    store_begin(store);
    store_mark_put(store, 1, &more);
    assert_int_equal(store_commit(store), ERR_OK);
    assert_int_equal(store_marks(store, 1, 5, 2, got), 2);
    assert_true(got[0].counter == 9 && got[0].epoch == UINT64_MAX && got[1].counter == 7);
    store_close(&store);
}

static void test_damage_is_refused(void **state)
{
    struct place *place = *state;
    write_text(place->path, "this is a file of somebody else, and it is no database at all", 0);
    assert_int_equal(refused(place->path), ERR_CORRUPT);
    assert_int_equal(unlink(place->path), 0);
    assert_int_equal(mkdir(place->path, 0700), 0);
    assert_true(refused(place->path) != ERR_OK);
    assert_int_equal(rmdir(place->path), 0);
    struct store *store = open_store(place->path);
    store_close(&store);
    write_text(place->path, "othr", 68); // the application's id
    assert_int_equal(refused(place->path), ERR_CORRUPT);
}

static void test_damage_inside_is_reported(void **state)
{
    struct place *place = *state;
    struct store *store = open_store(place->path);
    uint32_t folder = add_folder(store, "f");
    store_close(&store);
    struct stat empty;
    assert_int_equal(stat(place->path, &empty), 0);
    store = open_store(place->path);
    store_begin(store);
    char name[16];
    for (uint64_t i = 1; i <= 500; i++) {
        (void)snprintf(name, sizeof name, "%u", (unsigned)i);
        put_one(store, folder, name, i);
    }
    commit(store);
    store_close(&store);
    struct stat st;
    assert_int_equal(stat(place->path, &st), 0);
    // What was written since; before it is what opening needs.
    assert_true(st.st_size > empty.st_size);
    for (off_t at = empty.st_size; at < st.st_size; at += 64)
        write_text(place->path, "XXXXXXXX", at);
    store = open_store(place->path);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    static struct item items[500];
    struct slice none = {0};
    (void)store_items_after(store, arena, folder, none, none, true, 500, items);
    assert_int_equal(store_error(store), ERR_CORRUPT);
    assert_int_equal(store_error(store), ERR_OK);
    assert_true(store_unread(store));
    assert_false(store_unread(store));
    // In a transaction its end says so.
    store_begin(store);
    (void)store_items_after(store, arena, folder, none, none, true, 500, items);
    assert_int_equal(store_commit(store), ERR_CORRUPT);
    assert_false(store_unread(store));
    store_close(&store);
}

static void test_rollback_leaves_nothing(void **state)
{
    struct place *place = *state;
    AUTO(store_close) struct store *store = open_store(place->path);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = add_folder(store, "f");
    put_one(store, folder, "x", 1);
    store_begin(store);
    put_one(store, folder, "y", 2);
    store_k_set(store, folder, (struct dot){1, 2});
    assert_true(store_journal_add(store, folder, slice_text("r")) > 0);
    assert_int_equal(check_counts(store, folder), 2);
    store_rollback(store);
    assert_int_equal(check_counts(store, folder), 1);
    assert_int_equal(store_k(store, arena, folder).count, 0);
    struct journal_row row;
    assert_int_equal(store_journal_list(store, arena, folder, 1, &row), 0);
    put_one(store, folder, "z", 3);
    assert_int_equal(check_counts(store, folder), 2);
}

static void test_close_inside_a_transaction(void **state)
{
    struct place *place = *state;
    struct store *store = open_store(place->path);
    uint32_t folder = add_folder(store, "f");
    store_begin(store);
    put_one(store, folder, "x", 1);
    store_close(&store);
    store = open_store(place->path);
    assert_int_equal(check_counts(store, folder), 0);
    store_close(&store);
}

// A file-size limit makes writes fail as a broken disk does.
static void test_failed_write_is_reported(void **state)
{
    struct place *place = *state;
    AUTO(store_close) struct store *store = open_store(place->path);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = add_folder(store, "f");
    put_one(store, folder, "before", 1);
    (void)signal(SIGXFSZ, SIG_IGN);
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = {.rlim_cur = 200 << 10, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    store_begin(store);
    char name[32];
    for (uint64_t i = 2; i < 15000; i++) { // more than the page cache holds
        (void)snprintf(name, sizeof name, "dir/%u", (unsigned)i);
        put_one(store, folder, name, i);
    }
    // The disk is well again, but SQLite has rolled back: what follows must not stand alone.
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    store_k_set(store, folder, (struct dot){1, 15000});
    assert_int_equal(store_k(store, arena, folder).count, 0);
    assert_int_equal(store_commit(store), ERR_IO);
    assert_int_equal(check_counts(store, folder), 1);
    assert_int_equal(store_k(store, arena, folder).count, 0);
    put_one(store, folder, "after", 20000);
    assert_int_equal(store_error(store), ERR_OK);
    assert_int_equal(check_counts(store, folder), 2);
}

static void test_failed_commit_is_reported(void **state)
{
    struct place *place = *state;
    AUTO(store_close) struct store *store = open_store(place->path);
    uint32_t folder = add_folder(store, "f");
    (void)signal(SIGXFSZ, SIG_IGN);
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = {.rlim_cur = 200 << 10, .rlim_max = old.rlim_max};
    store_begin(store);
    char name[32];
    for (uint64_t i = 1; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "dir/%u", (unsigned)i);
        put_one(store, folder, name, i);
    }
    assert_int_equal(check_counts(store, folder), 999);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum err err = store_commit(store);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(err, ERR_IO);
    assert_int_equal(check_counts(store, folder), 0);
    put_one(store, folder, "after", 20000);
    assert_int_equal(check_counts(store, folder), 1);
}

// Somebody else holds the file: nothing waits for ever, and nothing is done by halves.
static void test_locked_by_another(void **state)
{
    struct place *place = *state;
    AUTO(store_close) struct store *store = open_store(place->path);
    AUTO(store_close) struct store *other = open_store(place->path);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t folder = add_folder(store, "f");
    store_begin(other);
    store_begin(store);
    put_one(store, folder, "x", 1);
    struct item item;
    store_item_get(store, arena, folder, slice_text("x"), &item);
    assert_int_equal(item.head_count, 0);
    assert_int_equal(store_commit(store), ERR_BUSY);
    commit(other);
    assert_int_equal(store_error(store), ERR_OK);
    put_one(store, folder, "x", 1);
    assert_int_equal(check_counts(store, folder), 1);
}

// ---- kill -9

enum { GROUP = 7, PATHS = 60 };

// One transaction: some items, K, a journal row, all telling the same number.
static void write_generation(struct store *store, uint32_t folder, uint64_t generation)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    store_begin(store);
    for (uint64_t i = 0; i < GROUP; i++) {
        char name[32];
        uint64_t counter = generation * GROUP + i;
        (void)snprintf(name, sizeof name, "d%u/f%u", (unsigned)(counter % 3),
                       (unsigned)(counter * 31 % PATHS));
        bool here = counter % 2;
        enum kind kind = counter % 5 ? KIND_FILE : KIND_TOMB;
        struct item item = simple_item(arena, name, kind, 1, counter, here);
        store_item_put(store, folder, &item, true);
    }
    store_k_set(store, folder, (struct dot){1, generation});
    store_meta_put(store, "generation", slice_of(&generation, sizeof generation));
    commit(store);
}

static _Noreturn void write_for_ever(const char *path, int fd)
{
    struct store *store = NULL;
    struct fault fault = {0};
    if (store_open(path, &store, &fault)) _exit(1);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct folder_row row;
    if (!store_folder_get(store, arena, slice_text("f"), &row)) _exit(1);
    for (uint64_t generation = row.seq / GROUP + 1;; generation++) {
        write_generation(store, row.folder, generation);
        if (write(fd, &generation, sizeof generation) != sizeof generation) _exit(1);
    }
}

// Kills the writer after a while; returns the last generation whose commit it had reported.
static uint64_t kill_a_writer(const char *path, long delay_us)
{
    int pipe_fd[2];
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t pid = fork();
    if (pid == 0) write_for_ever(path, pipe_fd[1]);
    (void)close(pipe_fd[1]);
    uint64_t told = 0;
    uint64_t first = 0;
    assert_int_equal(read(pipe_fd[0], &first, sizeof first), sizeof first);
    struct timespec delay = {.tv_nsec = delay_us * 1000};
    (void)nanosleep(&delay, NULL);
    assert_int_equal(kill(pid, SIGKILL), 0);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    told = first;
    while (read(pipe_fd[0], &first, sizeof first) == sizeof first)
        told = first;
    (void)close(pipe_fd[0]);
    return told;
}

static void check_generation(const char *path, uint64_t told)
{
    AUTO(store_close) struct store *store = open_store(path);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct folder_row row;
    assert_true(store_folder_get(store, arena, slice_text("f"), &row));
    (void)check_counts(store, row.folder);
    struct slice value;
    uint64_t generation = 0;
    assert_true(store_meta_get(store, arena, "generation", &value));
    assert_int_equal(value.size, sizeof generation);
    memcpy(&generation, value.data, sizeof generation);
    assert_true(generation == told || generation == told + 1);
    assert_int_equal(row.seq, generation * GROUP);
    assert_int_equal(vv_get(store_k(store, arena, row.folder), 1), generation);
    struct path_row last[GROUP + 1];
    uint32_t got =
        store_dots_after(store, arena, row.folder, 1, generation * GROUP - 1, UINT64_MAX, 8, last);
    assert_int_equal(got, GROUP);
    assert_int_equal(store_error(store), ERR_OK);
}

static void test_kill_9(void **state)
{
    struct place *place = *state;
    struct store *store = open_store(place->path);
    uint32_t folder = add_folder(store, "f");
    write_generation(store, folder, 1);
    store_close(&store);
    for (int i = 0; i < 25; i++) {
        uint64_t told = kill_a_writer(place->path, 1000 + i * 977 % 20000);
        check_generation(place->path, told);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_private_from_the_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strange_umask, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_to_others_is_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer_schema_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_older_schema_is_brought_up_to_date, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_inside_is_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rollback_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_inside_a_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_write_is_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_commit_is_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(test_locked_by_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill_9, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
