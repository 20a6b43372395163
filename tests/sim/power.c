// SPDX-License-Identifier: MIT
//
// What a disk has forgotten when the power comes back. Changes of names are noted until they are
// durable; at a cut a part of the others is undone, each as a whole, in an order that keeps what a
// later one builds on. Of a file's bytes, mode and times that were not flushed either all is there,
// or what was flushed last, or as many zeros.
//
// As ext4, XFS and btrfs do it, and not as POSIX says least: who flushes a file flushes the names
// it has got, and what those build on; the system itself writes back what is half a minute old.
#include <string.h>

#include "agent/base/check.h"
#include "tests/sim/rng.h"
#include "tests/sim/vfs.h"

enum { ENTRIES_PER_OP = 4, DEPTH_MAX = 64 };

#define WRITE_BACK_NS INT64_C(35000000000)

struct change {
    struct inode *dir, *before, *after;
    char *name;
};

struct op {
    struct change changes[ENTRIES_PER_OP];
    uint32_t count;
    int64_t at_ns;
    bool durable, lost;
};

struct power {
    struct op *ops;
    uint32_t count, room;
};

void power_init(struct vfs *vfs)
{
    vfs->power = mem_zalloc(1, sizeof *vfs->power);
}

void power_op(struct vfs *vfs)
{
    struct power *power = vfs->power;
    if (power == NULL) return;
    if (power->count == power->room) {
        power->room = power->room == 0 ? 64 : 2 * power->room;
        power->ops = mem_realloc(power->ops, power->room * sizeof *power->ops);
    }
    power->ops[power->count++] = (struct op){.at_ns = vfs->now_ns};
}

void power_entry(struct vfs *vfs, struct inode *dir, const char *name, struct inode *before,
                 struct inode *after)
{
    struct power *power = vfs->power;
    if (power == NULL) return;
    CHECK(power->count > 0);
    struct op *op = &power->ops[power->count - 1];
    CHECK(op->count < ENTRIES_PER_OP);
    op->changes[op->count++] =
        (struct change){.dir = dir, .before = before, .after = after, .name = mem_strdup(name)};
}

// ---- what builds on what

static bool same_inode(const struct inode *a, const struct inode *b)
{
    return a != NULL && a == b;
}

static bool change_touches(const struct change *a, const struct change *b)
{
    if (a->dir == b->dir && names_same(a->dir->names, a->name, b->name)) return true;
    return same_inode(a->before, b->before) || same_inode(a->before, b->after) ||
           same_inode(a->after, b->before) || same_inode(a->after, b->after) ||
           same_inode(a->dir, b->before) || same_inode(a->dir, b->after) ||
           same_inode(b->dir, a->before) || same_inode(b->dir, a->after);
}

static bool op_touches(const struct op *a, const struct op *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        for (uint32_t k = 0; k < b->count; k++) {
            if (change_touches(&a->changes[i], &b->changes[k])) return true;
        }
    }
    return false;
}

// ---- flushing

static bool op_is_of(const struct op *op, const struct inode *inode)
{
    for (uint32_t i = 0; i < op->count; i++) {
        const struct change *c = &op->changes[i];
        if (c->dir == inode || c->after == inode) return true;
    }
    return false;
}

// With what they build on, latest first.
static void ops_close(struct power *power)
{
    for (uint32_t i = power->count; i-- > 0;) {
        for (uint32_t k = i + 1; k < power->count && !power->ops[i].durable; k++) {
            if (power->ops[k].durable && op_touches(&power->ops[i], &power->ops[k]))
                power->ops[i].durable = true;
        }
    }
}

static void ops_settle(struct power *power)
{
    uint32_t kept = 0;
    ops_close(power);
    for (uint32_t i = 0; i < power->count; i++) {
        if (!power->ops[i].durable) power->ops[kept++] = power->ops[i];
    }
    power->count = kept;
}

static void image_take(struct inode *inode, bool all)
{
    mode_t mode = !all && inode->image != NULL ? inode->image->mode : inode->mode;
    struct image *image = mem_zalloc(1, sizeof *image);
    *image = (struct image){.size = inode->size,
                            .mode = mode,
                            .mtime_ns = inode->mtime_ns,
                            .ctime_ns = inode->ctime_ns};
    if (!S_ISDIR(inode->mode) && inode->size > 0) {
        image->data = mem_alloc(inode->size);
        memcpy(image->data, inode->data, inode->size);
    }
    inode->image = image;
    inode->dirty = inode->mode != mode;
    inode->written = false;
}

static bool written_back(const struct vfs *vfs, const struct inode *inode)
{
    return vfs->now_ns - inode->dirty_ns > WRITE_BACK_NS;
}

void power_change(struct vfs *vfs, struct inode *inode)
{
    if (vfs->power == NULL) return;
    if (inode->dirty && written_back(vfs, inode)) image_take(inode, true);
    if (!inode->dirty) inode->dirty_ns = vfs->now_ns;
    inode->dirty = true;
}

void power_sync(struct vfs *vfs, struct inode *inode, bool all)
{
    struct power *power = vfs->power;
    if (power == NULL) return;
    if (inode->dirty || inode->image == NULL) image_take(inode, all);
    bool any = false;
    for (uint32_t i = 0; i < power->count; i++) {
        power->ops[i].durable = op_is_of(&power->ops[i], inode);
        any |= power->ops[i].durable;
    }
    if (any) ops_settle(power);
}

// ---- everything below a root

static void each_below(struct vfs *vfs, void (*visit)(struct vfs *, struct inode *, struct rng *),
                       struct rng *rng)
{
    struct inode *stack[DEPTH_MAX];
    uint32_t depth = 0;
    stack[depth++] = vfs->root;
    while (depth > 0) {
        struct inode *dir = stack[--depth];
        visit(vfs, dir, rng);
        for (uint32_t i = 0; i < dir->count; i++) {
            struct inode *inode = dir->entries[i].inode;
            if (S_ISDIR(inode->mode)) {
                CHECK(depth < DEPTH_MAX);
                inode->parent = dir;
                stack[depth++] = inode;
            } else {
                visit(vfs, inode, rng);
            }
        }
    }
}

static void flush_one(struct vfs *vfs, struct inode *inode, struct rng *rng)
{
    (void)vfs, (void)rng;
    if (inode->dirty || inode->image == NULL) image_take(inode, true);
}

void power_sync_all(struct vfs *vfs)
{
    if (vfs->power == NULL) return;
    vfs->power->count = 0;
    each_below(vfs, flush_one, NULL);
}

// ---- the cut

static void entry_set(struct inode *dir, const char *name, struct inode *inode)
{
    uint32_t at = 0;
    while (at < dir->count && strcmp(dir->entries[at].name, name) < 0)
        at++;
    bool found = at < dir->count && strcmp(dir->entries[at].name, name) == 0;
    if (found && inode == NULL) {
        memmove(dir->entries + at, dir->entries + at + 1,
                (dir->count - at - 1) * sizeof *dir->entries);
        dir->count--;
        return;
    }
    if (inode == NULL) return;
    if (!found) {
        if (dir->count == dir->room) {
            dir->room = dir->room == 0 ? 8 : 2 * dir->room;
            dir->entries = mem_realloc(dir->entries, dir->room * sizeof *dir->entries);
        }
        memmove(dir->entries + at + 1, dir->entries + at, (dir->count - at) * sizeof *dir->entries);
        dir->entries[at].name = mem_strdup(name);
        dir->count++;
    }
    dir->entries[at].inode = inode;
}

// Lost is also what builds on what is lost.
static void ops_lose(struct power *power, int64_t now_ns, struct rng *rng)
{
    uint32_t survive = rng_below(rng, 5) * 250000; // of a million
    for (uint32_t i = 0; i < power->count; i++) {
        struct op *op = &power->ops[i];
        op->durable = now_ns - op->at_ns > WRITE_BACK_NS;
    }
    ops_settle(power);
    for (uint32_t i = 0; i < power->count; i++) {
        struct op *op = &power->ops[i];
        op->lost = !rng_chance(rng, survive);
        for (uint32_t k = 0; k < i && !op->lost; k++)
            op->lost = power->ops[k].lost && op_touches(&power->ops[k], op);
    }
    for (uint32_t i = power->count; i-- > 0;) {
        const struct op *op = &power->ops[i];
        for (uint32_t k = op->count; k-- > 0 && op->lost;)
            entry_set(op->changes[k].dir, op->changes[k].name, op->changes[k].before);
    }
    power->count = 0;
}

static void links_none(struct vfs *vfs, struct inode *inode, struct rng *rng)
{
    (void)vfs, (void)rng;
    inode->links = 0;
}

static void links_count(struct vfs *vfs, struct inode *inode, struct rng *rng)
{
    (void)vfs, (void)rng;
    inode->links++;
}

static void image_put_back(struct inode *inode)
{
    static const struct image none;
    const struct image *image = inode->image != NULL ? inode->image : &none;
    inode->data = NULL;
    inode->size = inode->capacity = image->size;
    if (image->size > 0) {
        inode->data = mem_alloc(image->size);
        memcpy(inode->data, image->data, image->size);
    }
    if (inode->image == NULL) return;
    inode->mode = image->mode;
    inode->mtime_ns = image->mtime_ns;
    inode->ctime_ns = image->ctime_ns;
}

static void bytes_lose(struct vfs *vfs, struct inode *inode, struct rng *rng)
{
    uint32_t dice = inode->dirty && !written_back(vfs, inode) ? rng_below(rng, 4) : 0;
    if (dice == 0 || S_ISLNK(inode->mode)) return;
    if (S_ISDIR(inode->mode)) {
        if (inode->image != NULL) inode->mode = inode->image->mode;
    } else if (dice == 1 && inode->written && inode->size > 0) {
        inode->data = mem_zalloc(1, inode->size);
        inode->capacity = inode->size;
    } else {
        image_put_back(inode);
    }
}

void power_cut(struct vfs *vfs, struct rng *rng)
{
    ops_lose(vfs->power, vfs->now_ns, rng);
    each_below(vfs, bytes_lose, rng);
    each_below(vfs, links_none, NULL);
    each_below(vfs, links_count, NULL);
    power_sync_all(vfs);
}
