// SPDX-License-Identifier: MIT
#include "tests/unit/store/store_test.h"

#include <fcntl.h>
#include <unistd.h>

#include <ftw.h>

void place_init(struct place *place)
{
    (void)snprintf(place->dir, sizeof place->dir, "/tmp/cfgsync-store-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    (void)snprintf(place->path, sizeof place->path, "%s/index.db", place->dir);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

void place_fini(struct place *place)
{
    (void)nftw(place->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int room_open(void **state, const char *name)
{
    struct room *room = mem_zalloc(1, sizeof *room);
    place_init(&room->place);
    room->dir_fd = open(room->place.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(room->file, sizeof room->file, "%s/%s", room->place.dir, name);
    *state = room;
    return room->dir_fd < 0;
}

int room_close(void **state)
{
    struct room *room = *state;
    fd_close(&room->dir_fd);
    place_fini(&room->place);
    mem_free(&room);
    return 0;
}

struct store *open_store(const char *path)
{
    struct store *store = NULL;
    struct fault fault = {0};
    enum err err = store_open(path, &store, &fault);
    if (err) fail_msg("store_open: %s: %s", err_text(err), fault.what);
    return store;
}

void commit(struct store *store)
{
    assert_int_equal(store_commit(store), ERR_OK);
}

uint32_t add_folder(struct store *store, const char *name)
{
    struct folder_row row = {.name = slice_text(name), .inc = 77};
    store_folder_put(store, &row);
    assert_int_equal(store_error(store), ERR_OK);
    assert_true(row.folder > 0);
    return row.folder;
}

bool slice_is(struct slice slice, const char *text)
{
    return slice_equal(slice, slice_text(text));
}

struct digest digest_of(uint64_t number)
{
    struct digest digest = {0};
    memcpy(digest.bytes, &number, sizeof number);
    return digest;
}

struct version simple_version(struct arena *arena, const char *path, enum kind kind, uint64_t inc,
                              uint64_t counter)
{
    struct version version = {.path = slice_text(path)};
    version.vv = vv_with(arena, version.vv, (struct dot){inc, counter});
    version.dots = dots_copy(arena, (struct dots){version.vv.entries, version.vv.count});
    version.value.kind = kind;
    if (kind == KIND_FILE) {
        version.value.mode = 0644;
        version.value.size = 100 + counter;
        version.value.content = digest_of(counter);
    }
    version.birth = (struct birth){1700000000000, inc, counter};
    return version;
}

struct item simple_item(struct arena *arena, const char *path, enum kind kind, uint64_t inc,
                        uint64_t counter, bool here)
{
    struct item item = {.path = slice_text(path), .head_count = 1, .need = !here};
    item.heads = arena_alloc(arena, 1, sizeof *item.heads);
    item.heads[0] = simple_version(arena, path, kind, inc, counter);
    if (here) item.local = (struct local){.state = LOCAL_OK, .version = item.heads[0]};
    return item;
}

static void count_item(const struct item *item, struct folder_row *row)
{
    bool live = false;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < item->head_count; i++) {
        live = live || item->heads[i].value.kind != KIND_TOMB;
        bytes += item->heads[i].value.kind == KIND_FILE ? item->heads[i].value.size : 0;
    }
    bool first_file = item->head_count > 0 && item->heads[0].value.kind == KIND_FILE;
    row->items += live;
    row->bytes += bytes;
    row->blocked += item->need && item->blocked != BLOCKED_NONE;
    if (!item->need || item->blocked != BLOCKED_NONE) return;
    row->needs++;
    row->need_bytes += first_file ? item->heads[0].value.size : 0;
}

uint32_t check_counts(struct store *store, uint32_t folder)
{
    enum { PAGE = 100 };
    struct arena *arena = arena_new();
    struct folder_row sum = {0};
    struct folder_row said;
    struct item items[PAGE];
    struct slice after = {0};
    uint32_t total = 0;
    for (uint32_t got = PAGE; got == PAGE; total += got) {
        got = store_items_after(store, arena, folder, (struct slice){0}, after, total == 0, PAGE,
                                items);
        for (uint32_t i = 0; i < got; i++) {
            assert_true(i == 0 || path_compare(items[i - 1].path, items[i].path) < 0);
            assert_true(items[i].seq <= UINT32_MAX);
            count_item(&items[i], &sum);
        }
        if (got > 0) after = items[got - 1].path;
    }
    assert_true(store_folder_reload(store, arena, folder, &said));
    assert_int_equal(said.items, sum.items);
    assert_int_equal(said.bytes, sum.bytes);
    assert_int_equal(said.needs, sum.needs);
    assert_int_equal(said.need_bytes, sum.need_bytes);
    assert_int_equal(said.blocked, sum.blocked);
    arena_destroy(&arena);
    return total;
}
