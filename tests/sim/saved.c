// SPDX-License-Identifier: MIT
//
// What people have saved and where, and which of it may be gone: somebody who saw it there took it
// away.
#include <stdio.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/map.h"
#include "agent/core/job.h"
#include "crypto/hash.h"
#include "proto/vv.h"
#include "tests/sim/sim.h"

bool path_internal(const char *path)
{
    return strncmp(path, ".cfgsync", 8) == 0 && (path[8] == 0 || path[8] == '/');
}

void saved_add(struct device *device, const char *path, uint64_t token)
{
    struct world *world = device->world;
    const char *slash = strrchr(path, '/');
    // What a cut left of a save moves with its directory, and is cleared away.
    bool left = strcmp(slash != NULL ? slash + 1 : path, USER_TEMPORARY) == 0;
    if (token == 0 || left) return;
    if (world->saved_count == world->saved_room) {
        world->saved_room = world->saved_room == 0 ? 256 : 2 * world->saved_room;
        world->saved = mem_realloc(world->saved, world->saved_room * sizeof *world->saved);
    }
    struct saved *saved = &world->saved[world->saved_count++];
    *saved = (struct saved){.token = token, .device = device->index, .at_us = world->now_us};
    saved_at(world, saved, path);
}

bool path_within(const char *path, const char *above)
{
    size_t size = strlen(above);
    return strncmp(path, above, size) == 0 && (path[size] == '/' || path[size] == 0);
}

// A conflict item is the content of some path; who takes it away has seen it there.
void saved_excuse(struct world *world, const char *path, uint64_t token)
{
    bool conflict = path_internal(path);
    char common[NAMES_PATH_MAX];
    names_common(world->o.names, path, common);
    for (size_t i = 0; token != 0 && i < world->saved_count; i++) {
        struct saved *saved = &world->saved[i];
        bool here = strcmp(saved->path, common) == 0 || strcmp(saved->also, common) == 0;
        if (saved->token == token && (conflict || here)) saved->excused = true;
    }
}

// What a step has just taken out of the way, and would put back, its user saw a moment ago at this
// path or below it; and so what recovery is to put back.
void saved_excuse_in_flight(struct device *device, const char *path)
{
    struct map *tokens = map_new();
    char common[NAMES_PATH_MAX];
    names_common(device->world->o.names, path, common);
    tokens_in_flight(device, tokens);
    for (size_t i = 0; map_count(tokens) > 0 && i < device->world->saved_count; i++) {
        struct saved *saved = &device->world->saved[i];
        bool there = map_get(tokens, slice_of(&saved->token, sizeof saved->token)) != NULL;
        if (there && saved->device == device->index && path_within(saved->path, common))
            saved->excused = true;
    }
    saved_excuse(device->world, common, token_taken_out(device, common));
    map_destroy(&tokens);
}

bool put_by_step(const struct device *device, const struct inode *inode)
{
    const struct job *job = device->job;
    const struct slice bytes = slice_of(inode->data, inode->size);
    bool steps = job != NULL && (job->kind == JOB_APPLY || job->kind == JOB_RECOVER);
    for (uint32_t i = 0; steps && i < job->apply.count; i++) {
        const struct value *value = &job->apply.steps[i].version.value;
        bool link = value->kind == KIND_SYMLINK && slice_equal(value->target, bytes);
        bool file = value->kind == KIND_FILE && value->size == bytes.size &&
                    digest_equal(value->content, hash_content(bytes));
        if ((link && S_ISLNK(inode->mode)) || (file && S_ISREG(inode->mode))) return true;
    }
    return false;
}

// A directory was moved in the instant in which a step had put something into it, and the step took
// that back: who moved it never made it, and it is the version that it was.
void saved_excuse_taken_back(struct device *device)
{
    struct world *world = device->world;
    for (size_t i = world->saved_count; i-- > 0 && world->saved[i].at_us == world->now_us;) {
        struct saved *saved = &world->saved[i];
        if (!saved->moved || !saved->by_step || saved->device != device->index) continue;
        const struct inode *inode = vfs_find(&device->vfs, saved->path);
        if (inode == NULL || token_of(inode) != saved->token) saved->excused = true;
    }
}

static void is_also_at(struct world *world, uint64_t token, const char *path)
{
    for (size_t i = 0; token != 0 && i < world->saved_count; i++) {
        struct saved *saved = &world->saved[i];
        if (saved->token == token) (void)snprintf(saved->also, sizeof saved->also, "%s", path);
    }
}

// A directory was moved in the instant in which a step replaced what was in it: its user has moved
// what the step put there, and the process that would have noticed is gone. From now on that is the
// user's, to be taken away where it is.
void saved_excuse_moved(struct device *device)
{
    struct world *world = device->world;
    struct map *tokens = map_new();
    tokens_in_flight(device, tokens);
    for (size_t i = world->saved_count; i-- > 0 && world->saved[i].at_us == world->now_us;) {
        struct saved *saved = &world->saved[i];
        bool there = map_get(tokens, slice_of(&saved->token, sizeof saved->token)) != NULL;
        if (!there || !saved->moved || saved->device != device->index) continue;
        const struct inode *inode = vfs_find(&device->vfs, saved->path);
        saved->excused = true;
        if (inode != NULL) is_also_at(world, token_of(inode), saved->path);
    }
    map_destroy(&tokens);
}
