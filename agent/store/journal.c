// SPDX-License-Identifier: MIT
//
// A journal row: what apply was asked to do, as far as recovery has to know it. Results are not in
// it, because it is written before there are any.
//
//     form 1 | flags | count | count x (path, disk name, version, parent mode, before, flags,
//                                       what it was, if a flag says so)
#include <string.h>

#include "agent/core/job.h"
#include "agent/store/pack_priv.h"
#include "agent/store/store.h"

enum { JOURNAL_FORM = 1, STEP_BYTES_MIN = 16 };
enum { STEP_IMPLIED_MODE = 1, STEP_RACY = 2, STEP_FLAGS_END = 4 };

void journal_encode(const struct job_apply *apply, struct buf *out)
{
    pack_u64(out, JOURNAL_FORM);
    pack_u64(out, apply->all_or_none);
    pack_u64(out, apply->count);
    for (uint32_t i = 0; i < apply->count; i++) {
        const struct step *step = &apply->steps[i];
        pack_slice(out, step->path);
        pack_slice(out, step->disk_name);
        pack_version(out, &step->version);
        pack_u64(out, step->parent_mode);
        pack_print(out, &step->before);
        pack_u64(out, (step->dir_implied_mode ? STEP_IMPLIED_MODE : 0U) |
                          (step->before_racy ? STEP_RACY : 0U));
        if (!step->before_racy) continue;
        pack_slice(out, slice_of(step->was.id.bytes, sizeof step->was.id.bytes));
        pack_u64(out, step->was.size);
    }
}

static void unpack_was(struct unpack *in, struct step *out)
{
    struct slice id = unpack_slice(in);
    out->was.size = unpack_u64(in);
    if (id.size == sizeof out->was.id.bytes)
        memcpy(out->was.id.bytes, id.data, id.size);
    else
        in->bad = true;
}

static void unpack_step(struct unpack *in, struct arena *arena, struct step *out)
{
    out->path = unpack_slice(in);
    out->disk_name = unpack_slice(in);
    unpack_version(in, arena, &out->version);
    out->parent_mode = (uint32_t)unpack_below(in, UINT64_C(1) << 32);
    unpack_print(in, &out->before);
    uint64_t flags = unpack_below(in, STEP_FLAGS_END);
    out->dir_implied_mode = (flags & STEP_IMPLIED_MODE) != 0;
    out->before_racy = !in->bad && (flags & STEP_RACY) != 0;
    if (out->before_racy) unpack_was(in, out);
}

// The count is believed only as far as the bytes could hold so many steps.
enum err journal_decode(struct arena *arena, struct slice record, struct job_apply *out)
{
    struct unpack in = {.rest = arena_copy(arena, record)};
    *out = (struct job_apply){0};
    bool known = unpack_u64(&in) == JOURNAL_FORM;
    out->all_or_none = unpack_below(&in, 2) != 0;
    uint64_t count = unpack_u64(&in);
    if (in.bad || !known || count > in.rest.size / STEP_BYTES_MIN) return ERR_CORRUPT;
    out->steps = arena_alloc(arena, (size_t)count, sizeof *out->steps);
    out->count = (uint32_t)count;
    for (uint32_t i = 0; i < out->count && !in.bad; i++)
        unpack_step(&in, arena, &out->steps[i]);
    if (!in.bad && in.rest.size == 0) return ERR_OK;
    *out = (struct job_apply){0};
    return ERR_CORRUPT;
}
