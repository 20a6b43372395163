// SPDX-License-Identifier: MIT
//
// proto/record — a struct as a msgpack map: one table of fields serves encoder and decoder.
//
// A record is written with its fields in the order of the table; read, its keys may come in any
// order, each once. Keys that are not in the table are passed over, or kept if the caller asks.
#ifndef PROTO_RECORD_PRIV_H
#define PROTO_RECORD_PRIV_H

#include <stddef.h>

#include "proto/reader_priv.h"
#include "proto/types.h"
#include "proto/writer_priv.h"

struct field;

// How a field of one type is read into, and written from, the record it is part of.
struct field_type {
    void (*read)(struct reader *r, const struct field *field, void *record);
    void (*write)(struct writer *w, const struct field *field, const void *record);
    bool (*is_empty)(const struct field *field, const void *record);
};

// ALWAYS: a record without it is refused. OPTIONAL: left out when empty or zero. BY_KIND: there if
// and only if the version's kind is in `kinds`.
enum presence { ALWAYS, OPTIONAL, BY_KIND };

struct field {
    const char *key;
    const struct field_type *type;
    size_t offset;       // in the record
    size_t count_offset; // lists: of their count
    uint64_t min;
    uint64_t max; // value, bytes or entries
    enum presence presence;
    uint32_t kinds; // BY_KIND: bits 1 << enum kind
};

struct record {
    const struct field *fields;
    uint32_t count;
};

#define RECORD(table)                                                                              \
    {                                                                                              \
        table, sizeof table / sizeof table[0]                                                      \
    }

// Pairs with unknown keys, as they stood in the input.
struct unknown {
    struct slice pairs[PROTO_MAP_ENTRIES_MAX];
    uint32_t count;
};

// Returns which fields were there, a bit each. `unknown` may be NULL.
uint32_t record_read(struct reader *r, const struct record *record, void *out,
                     struct unknown *unknown);

// `kind`: bit that selects BY_KIND fields. `extra_count` pairs follow as they are in `extra`.
void record_write(struct writer *w, const struct record *record, const void *from, uint32_t kind,
                  uint32_t extra_count, struct slice extra);

void *field_at(const struct field *field, void *record);
const void *field_in(const struct field *field, const void *record);

extern const struct field_type type_u64, type_u32, type_i64, type_bool;
extern const struct field_type type_text, type_path, type_bin; // slices
extern const struct field_type type_fixed;                     // `max` bytes inside the record

#endif
