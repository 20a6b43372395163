// SPDX-License-Identifier: MIT
#include <sys/stat.h>
#include <unistd.h>

#include <fts.h>
#include <ftw.h>

#include "agent/core/heads.h"
#include "crypto/hash.h"
#include "proto/vv.h"
#include "tests/unit/sync/lan_priv.h"

enum { ITEMS_MAX = 512 };

const char *user_path(const struct machine *m, const char *path, char out[512])
{
    (void)snprintf(out, 512, "%s%s%s", m->root, path[0] != 0 ? "/" : "", path);
    return out;
}

static void parents_make(char *at)
{
    for (char *slash = strchr(at + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)mkdir(at, 0755);
        *slash = '/';
    }
}

// As editors do: a new file is renamed into place.
void user_bytes(struct machine *m, const char *path, const uint8_t *bytes, size_t size)
{
    m->touched = true;
    char at[512], fresh[520];
    parents_make((char *)(uintptr_t)user_path(m, path, at));
    (void)snprintf(fresh, sizeof fresh, "%s.swp", m->root);
    FILE *file = fopen(fresh, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(fresh, at), 0);
}

void user_write(struct machine *m, const char *path, const char *text)
{
    user_bytes(m, path, (const uint8_t *)text, strlen(text));
}

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

void user_remove(struct machine *m, const char *path)
{
    m->touched = true;
    char at[512];
    assert_int_equal(nftw(user_path(m, path, at), entry_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void user_mkdir(struct machine *m, const char *path)
{
    m->touched = true;
    char at[512];
    parents_make((char *)(uintptr_t)user_path(m, path, at));
    assert_int_equal(mkdir(at, 0755), 0);
}

void user_rename(struct machine *m, const char *from, const char *to)
{
    m->touched = true;
    char at[512], there[512];
    parents_make((char *)(uintptr_t)user_path(m, to, there));
    assert_int_equal(rename(user_path(m, from, at), there), 0);
}

// ---- what is there

static bool file_stat(const struct machine *m, const char *path, struct stat *out)
{
    char at[512];
    return lstat(user_path(m, path, at), out) == 0 && S_ISREG(out->st_mode);
}

// False: there is no such file.
static bool read_all(const struct machine *m, const char *path, struct buf *out)
{
    char at[512];
    struct stat st;
    if (!file_stat(m, path, &st)) return false;
    FILE *file = fopen(user_path(m, path, at), "rb");
    assert_non_null(file);
    buf_reserve(out, (size_t)st.st_size + 1);
    out->size = fread(out->data, 1, (size_t)st.st_size, file);
    assert_int_equal(out->size, st.st_size);
    assert_int_equal(fclose(file), 0);
    return true;
}

bool shows_bytes(struct machine *m, const char *path, const uint8_t *bytes, size_t size)
{
    AUTO(buf_fini) struct buf is = {0};
    return read_all(m, path, &is) && slice_equal(buf_slice(&is), slice_of(bytes, size));
}

bool shows(struct machine *m, const char *path, const char *text)
{
    char at[512];
    struct stat st;
    if (text == NULL) return lstat(user_path(m, path, at), &st) != 0;
    return shows_bytes(m, path, (const uint8_t *)text, strlen(text));
}

static uint32_t items_of(struct machine *m, struct item **out)
{
    *out = arena_alloc(m->lan->arena, ITEMS_MAX, sizeof **out);
    uint32_t count = store_items_after(m->store, m->lan->arena, m->folder, slice_text(""),
                                       slice_text(""), true, ITEMS_MAX, *out);
    assert_true(count < ITEMS_MAX);
    return count;
}

// By what each index says of its disk, and the disk of it.
static bool disk_is_as_known(struct machine *m)
{
    struct item *items;
    uint32_t count = items_of(m, &items);
    for (uint32_t i = 0; i < count; i++) {
        char path[300];
        const struct value *value = &items[i].local.version.value;
        (void)snprintf(path, sizeof path, "%.*s", SLICE_ARG(items[i].path));
        bool live = item_local_live(&items[i]);
        if (!live && value->kind != KIND_DIR && !shows(m, path, NULL)) return false;
        struct stat st;
        if (!live || value->kind != KIND_FILE) continue;
        if (!file_stat(m, path, &st) || (uint64_t)st.st_size != value->size) return false;
    }
    return true;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

// All that is below a root and not our own, with contents, targets and modes, a line each. What is
// in .cfgsync is, but for conflicts.
static struct slice tree_of(struct machine *m)
{
    char *const roots[] = {m->root, NULL};
    AUTO(buf_fini) struct buf out = {0};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    assert_non_null(walk);
    for (FTSENT *e; (e = fts_read(walk)) != NULL;) {
        const char *path = e->fts_path + strlen(m->root);
        bool own = strncmp(path, "/.cfgsync/", 10) == 0 && strncmp(path + 10, "conflicts", 9) != 0;
        if (own) (void)fts_set(walk, e, FTS_SKIP);
        bool is_dir = e->fts_info == FTS_D;
        if (own || e->fts_info == FTS_DP || strcmp(path, "/.cfgsync/conflicts") == 0) continue;
        AUTO(buf_fini) struct buf bytes = {0};
        bool is_file = read_all(m, path[0] != 0 ? path + 1 : path, &bytes);
        char target[512];
        ssize_t size = e->fts_info == FTS_SL ? readlink(e->fts_accpath, target, sizeof target) : 0;
        if (size > 0) buf_append(&bytes, target, (size_t)size);
        struct digest id = hash_sha256(buf_slice(&bytes));
        // A directory that is nobody's has no mode that all agree on.
        unsigned mode = is_file ? (unsigned)e->fts_statp->st_mode & 0777 : 0;
        buf_printf(&out, "%s%s %o ", path, is_dir ? "/" : is_file ? "" : "@", mode);
        buf_append(&out, id.bytes, sizeof id.bytes);
    }
    (void)fts_close(walk);
    return arena_copy(m->lan->arena, buf_slice(&out));
}

bool trees_equal(struct lan *lan)
{
    struct slice first = tree_of(&lan->machines[0]);
    for (uint32_t i = 1; i < lan->count; i++) {
        if (!slice_equal(first, tree_of(&lan->machines[i]))) return false;
    }
    return true;
}

bool lan_in_step(struct lan *lan)
{
    struct vv first = {0};
    for (uint32_t i = 0; i < lan->line_count; i++) {
        if (lan->lines[i].stalled_ms > lan->now_ms) return false;
    }
    for (uint32_t i = 0; i < lan->count; i++) {
        struct machine *m = &lan->machines[i];
        struct folder_status status = status_of(m);
        struct vv k = store_k(m->store, lan->arena, m->folder);
        if (i == 0) first = k;
        if (status.pending_in > 0 || status.pending_out > 0 || status.blocked > 0) return false;
        if (!vv_equal(first, k) || !disk_is_as_known(m)) return false;
    }
    return true;
}

struct folder_status status_of(struct machine *m)
{
    struct engine_status status;
    engine_status(m->engine, m->lan->arena, &status);
    assert_int_equal(status.folder_count, 1);
    return status.folders[0];
}

struct engine_counters counters_of(struct machine *m)
{
    struct engine_status status;
    engine_status(m->engine, m->lan->arena, &status);
    return status.counters;
}

struct item item_of(struct machine *m, const char *path)
{
    struct item item;
    store_item_get(m->store, m->lan->arena, m->folder, slice_text(path), &item);
    return item;
}

uint32_t conflicts_of(struct machine *m, struct conflict *out, uint32_t max)
{
    return engine_conflicts(m->engine, m->lan->arena, NULL, max, out);
}
