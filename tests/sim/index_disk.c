// SPDX-License-Identifier: MIT
//
// A file system for SQLite. One connection at a time has a file open; whoever is cut off by a crash
// is never heard of again. Deleting and creating a file is durable at once.
#include "tests/sim/index_disk.h"

#include <stddef.h>
#include <string.h>

#include <sqlite3.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "tests/sim/rng.h"

enum { FILES_MAX = 8, SHM_REGIONS_MAX = 64, NAME_MAX_HERE = 32 };

// A write that was not flushed, as what was there before.
struct undo {
    size_t offset, size, file_size;
    uint8_t *bytes;
};

struct index_file {
    char name[NAME_MAX_HERE];
    bool there;
    uint8_t *data;
    size_t size, capacity;
    struct undo *undos;
    uint32_t undo_count, undo_room;
};

struct handle {
    sqlite3_file base;
    struct index_disk *disk;
    struct index_file *file;
    void *shm[SHM_REGIONS_MAX];
};

static struct index_disk *disk_here; // whose files are opened

void index_disk_use(struct index_disk *disk)
{
    disk_here = disk;
}

static struct index_file *file_find(struct index_disk *disk, const char *path, bool make)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    if (disk->files == NULL) disk->files = mem_zalloc(FILES_MAX, sizeof *disk->files);
    for (uint32_t i = 0; i < disk->file_count; i++) {
        if (strcmp(disk->files[i].name, name) == 0) return &disk->files[i];
    }
    if (!make) return NULL;
    CHECK(disk->file_count < FILES_MAX && strlen(name) < NAME_MAX_HERE);
    struct index_file *file = &disk->files[disk->file_count++];
    memcpy(file->name, name, strlen(name) + 1);
    return file;
}

static void undos_drop(struct index_file *file)
{
    for (uint32_t i = 0; i < file->undo_count; i++)
        mem_free(&file->undos[i].bytes);
    file->undo_count = 0;
}

void index_disk_wipe(struct index_disk *disk)
{
    for (uint32_t i = 0; i < disk->file_count; i++) {
        undos_drop(&disk->files[i]);
        disk->files[i].there = false;
        disk->files[i].size = 0;
    }
}

// ---- changes

static void file_resize(struct index_file *file, size_t size)
{
    if (size > file->capacity) {
        file->capacity = 2 * size;
        file->data = mem_realloc(file->data, file->capacity);
    }
    if (size > file->size) memset(file->data + file->size, 0, size - file->size);
    file->size = size;
}

static void undo_note(struct index_file *file, size_t offset, size_t size)
{
    size_t end = offset + size < file->size ? offset + size : file->size;
    size_t kept = end > offset ? end - offset : 0;
    if (file->undo_count == file->undo_room) {
        file->undo_room = file->undo_room == 0 ? 32 : 2 * file->undo_room;
        file->undos = mem_realloc(file->undos, file->undo_room * sizeof *file->undos);
    }
    struct undo *undo = &file->undos[file->undo_count++];
    *undo = (struct undo){.offset = offset, .size = kept, .file_size = file->size};
    undo->bytes = mem_alloc(kept + 1);
    if (kept > 0) memcpy(undo->bytes, file->data + offset, kept);
}

// Of what was not flushed all survives, or nothing, or any part; then a file may have grown though
// its bytes are still what they were, or zeros.
static void file_cut(struct index_file *file, struct rng *rng)
{
    enum { NOTHING, ANY_PART, ALL } survives = rng_below(rng, 3);
    for (uint32_t i = file->undo_count; i-- > 0 && survives != ALL;) {
        const struct undo *undo = &file->undos[i];
        if (survives == ANY_PART && rng_below(rng, 2) == 0) continue;
        if (undo->offset + undo->size > file->size) file_resize(file, undo->offset + undo->size);
        if (undo->size > 0) memcpy(file->data + undo->offset, undo->bytes, undo->size);
        if (survives == NOTHING) file_resize(file, undo->file_size);
    }
    undos_drop(file);
}

void index_disk_cut(struct index_disk *disk, struct rng *rng)
{
    for (uint32_t i = 0; i < disk->file_count; i++)
        file_cut(&disk->files[i], rng);
}

static int failure(const struct handle *h, int broken)
{
    bool full = false;
    if (h->disk->fails == NULL || !h->disk->fails(h->disk->context, &full)) return SQLITE_OK;
    return full ? SQLITE_FULL : broken;
}

// ---- what SQLite calls

static int on_close(sqlite3_file *base)
{
    struct handle *h = (struct handle *)base;
    for (int i = 0; i < SHM_REGIONS_MAX; i++)
        mem_free(&h->shm[i]);
    return SQLITE_OK;
}

static int on_read(sqlite3_file *base, void *out, int size, sqlite3_int64 offset)
{
    const struct index_file *file = ((struct handle *)base)->file;
    size_t at = (size_t)offset, want = (size_t)size;
    size_t got = at >= file->size ? 0 : file->size - at < want ? file->size - at : want;
    if (got > 0) memcpy(out, file->data + at, got);
    if (got == want) return SQLITE_OK;
    memset((uint8_t *)out + got, 0, want - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int on_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 offset)
{
    struct handle *h = (struct handle *)base;
    size_t at = (size_t)offset, count = (size_t)size;
    int code = failure(h, SQLITE_IOERR_WRITE);
    if (code != SQLITE_OK) return code;
    undo_note(h->file, at, count);
    if (at + count > h->file->size) file_resize(h->file, at + count);
    memcpy(h->file->data + at, data, count);
    return SQLITE_OK;
}

static int on_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct index_file *file = ((struct handle *)base)->file;
    undo_note(file, (size_t)size, file->size);
    file_resize(file, (size_t)size);
    return SQLITE_OK;
}

static int on_sync(sqlite3_file *base, int flags)
{
    struct handle *h = (struct handle *)base;
    (void)flags;
    int code = failure(h, SQLITE_IOERR_FSYNC);
    if (code == SQLITE_OK) undos_drop(h->file);
    return code;
}

static int on_size(sqlite3_file *base, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((struct handle *)base)->file->size;
    return SQLITE_OK;
}

static int on_lock(sqlite3_file *base, int kind)
{
    (void)base, (void)kind;
    return SQLITE_OK;
}

static int on_reserved(sqlite3_file *base, int *out)
{
    (void)base;
    *out = 0;
    return SQLITE_OK;
}

static int on_control(sqlite3_file *base, int what, void *argument)
{
    (void)base, (void)what, (void)argument;
    return SQLITE_NOTFOUND;
}

static int on_sector(sqlite3_file *base)
{
    (void)base;
    return 4096;
}

static int on_device(sqlite3_file *base)
{
    (void)base;
    return 0;
}

static int on_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **out)
{
    struct handle *h = (struct handle *)base;
    CHECK(region < SHM_REGIONS_MAX);
    if (h->shm[region] == NULL && extend) h->shm[region] = mem_zalloc(1, (size_t)size);
    *out = h->shm[region];
    return SQLITE_OK;
}

static int on_shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
    (void)base, (void)offset, (void)count, (void)flags;
    return SQLITE_OK;
}

static void on_shm_barrier(sqlite3_file *base)
{
    (void)base;
}

static int on_shm_unmap(sqlite3_file *base, int delete)
{
    (void)base, (void)delete;
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_size,
    .xLock = on_lock,
    .xUnlock = on_lock,
    .xCheckReservedLock = on_reserved,
    .xFileControl = on_control,
    .xSectorSize = on_sector,
    .xDeviceCharacteristics = on_device,
    .xShmMap = on_shm_map,
    .xShmLock = on_shm_lock,
    .xShmBarrier = on_shm_barrier,
    .xShmUnmap = on_shm_unmap,
};

static int on_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *out)
{
    struct handle *h = (struct handle *)base;
    (void)vfs;
    CHECK(disk_here != NULL && path != NULL);
    *h = (struct handle){.base.pMethods = &methods, .disk = disk_here};
    h->file = file_find(disk_here, path, true);
    h->file->there = true;
    if (out != NULL) *out = flags;
    return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    struct index_file *file = file_find(disk_here, path, false);
    (void)vfs, (void)sync;
    if (file == NULL) return SQLITE_OK;
    undos_drop(file);
    file->there = false;
    file->size = 0;
    return SQLITE_OK;
}

static int on_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    const struct index_file *file = file_find(disk_here, path, false);
    (void)vfs, (void)flags;
    *out = file != NULL && file->there;
    return SQLITE_OK;
}

static int on_full_path(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
    (void)vfs;
    (void)sqlite3_snprintf(size, out, "%s", path);
    return SQLITE_OK;
}

static int on_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    memset(out, 0x5a, (size_t)size);
    return size;
}

static int on_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return microseconds;
}

static int on_time(sqlite3_vfs *vfs, double *out)
{
    (void)vfs;
    *out = 2460000;
    return SQLITE_OK;
}

static int on_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs, (void)size, (void)out;
    return 0;
}

void index_disk_register(void)
{
    static sqlite3_vfs vfs = {
        .iVersion = 1,
        .szOsFile = sizeof(struct handle),
        .mxPathname = 256,
        .zName = "sim",
        .xOpen = on_open,
        .xDelete = on_delete,
        .xAccess = on_access,
        .xFullPathname = on_full_path,
        .xRandomness = on_randomness,
        .xSleep = on_sleep,
        .xCurrentTime = on_time,
        .xGetLastError = on_error,
    };
    CHECK(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}
