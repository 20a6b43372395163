// SPDX-License-Identifier: MIT
//
// People who give up contents that nobody has. What they have given up need be nowhere.
#include <stdio.h>
#include <string.h>

#include "crypto/hash.h"
#include "proto/vv.h"
#include "tests/sim/sim.h"

enum { TREE_DEPTH_MAX = 48, ITEMS_MAX = 400 };

struct asked {
    uint64_t ticket;
    char path[NAMES_PATH_MAX];
    struct content content;
};

// Whoever gives up a content that nobody could be asked for has decided about it, wherever it is.
static void gave_up(struct world *world, const char *path, const struct content *content)
{
    for (uint32_t i = 0; i < world->o.devices; i++) {
        const struct inode *stack[TREE_DEPTH_MAX] = {world->devices[i].vfs.root};
        uint32_t depth = 1;
        while (depth > 0) {
            const struct inode *dir = stack[--depth];
            for (uint32_t k = 0; k < dir->count; k++) {
                const struct inode *inode = dir->entries[k].inode;
                if (S_ISDIR(inode->mode) && depth < TREE_DEPTH_MAX) stack[depth++] = inode;
                if (!S_ISREG(inode->mode) || inode->size != content->size) continue;
                struct digest id = hash_content(slice_of(inode->data, inode->size));
                if (digest_equal(id, content->id)) saved_excuse(world, path, token_of(inode));
            }
        }
    }
}

static void asked_note(struct device *device, const struct item *item, uint64_t ticket)
{
    for (uint32_t i = 0; i < item->head_count; i++) {
        const struct value *value = &item->heads[i].value;
        struct asked asked = {.ticket = ticket, .content = value_content(value)};
        if (value->kind != KIND_FILE) continue;
        (void)snprintf(asked.path, sizeof asked.path, "%.*s", SLICE_ARG(item->path));
        buf_append(&device->asked, &asked, sizeof asked);
    }
}

// Whatever is needed, one by one: what does not wait for a content is refused.
void device_abandon(struct device *device)
{
    if (!device->running || device->world->current != NULL) return;
    struct arena *arena = arena_new();
    struct item *items = arena_alloc(arena, ITEMS_MAX, sizeof *items);
    device_watch(device);
    device_enter(device);
    uint32_t count = store_items_after(device->store, arena, device->folder, slice_text(""),
                                       slice_text(""), true, ITEMS_MAX, items);
    for (uint32_t i = 0; i < count; i++) {
        struct abandon_request request = {
            .folder = "f", .paths = &items[i].path, .count = 1, .now = true};
        if (!items[i].need || items[i].head_count == 0) continue;
        device->giving_up++;
        asked_note(device, &items[i], ++device->ticket);
        engine_abandon(device->engine, device->ticket, &request);
    }
    device_leave(device);
    arena_destroy(&arena);
}

static void asked_forget(struct device *device, uint64_t ticket)
{
    size_t left = 0;
    for (size_t at = 0; at < device->asked.size; at += sizeof(struct asked)) {
        struct asked asked;
        memcpy(&asked, device->asked.data + at, sizeof asked);
        if (asked.ticket == ticket) continue;
        memcpy(device->asked.data + left, &asked, sizeof asked);
        left += sizeof asked;
    }
    device->asked.size = left;
}

void device_abandoned(struct device *device, uint64_t ticket, const struct abandon_result *result)
{
    char path[NAMES_PATH_MAX];
    for (uint32_t i = 0; i < result->count; i++) {
        (void)snprintf(path, sizeof path, "%.*s", SLICE_ARG(result->list[i].path));
        gave_up(device->world, path, &result->list[i].content);
    }
    asked_forget(device, ticket);
    device->giving_up--;
}

static bool is_head(struct device *device, struct arena *arena, const struct asked *asked)
{
    struct item item;
    store_item_get(device->store, arena, device->folder, slice_text(asked->path), &item);
    for (uint32_t i = 0; i < item.head_count; i++) {
        if (digest_equal(item.heads[i].value.content, asked->content.id)) return true;
    }
    return false;
}

// It may have been given up, and the process was gone before it could say so.
void device_abandons_cut(struct device *device)
{
    if (device->giving_up == 0) return;
    struct arena *arena = arena_new();
    for (size_t at = 0; at < device->asked.size; at += sizeof(struct asked)) {
        struct asked asked;
        memcpy(&asked, device->asked.data + at, sizeof asked);
        if (!is_head(device, arena, &asked)) gave_up(device->world, asked.path, &asked.content);
    }
    arena_destroy(&arena);
    buf_clear(&device->asked);
    device->giving_up = 0;
}
