// SPDX-License-Identifier: MIT
#include "proto/card.h"

#include <string.h>

#include "agent/base/check.h"
#include "proto/record_priv.h"

// ---- a list of short texts inside the record

static uint32_t texts_count(const struct field *field, const void *record)
{
    return *(const uint32_t *)(const void *)((const char *)record + field->count_offset);
}

static void texts_read(struct reader *r, const struct field *field, void *record)
{
    struct slice *out = field_at(field, record);
    uint32_t *out_count = (uint32_t *)(void *)((char *)record + field->count_offset);
    uint32_t count = reader_array(r, (uint32_t)field->max, 1);
    for (uint32_t i = 0; i < count && reader_ok(r); i++)
        out[i] = reader_text(r, CARD_TEXT_MAX);
    reader_leave(r);
    *out_count = reader_ok(r) ? count : 0;
}

static void texts_write(struct writer *w, const struct field *field, const void *record)
{
    const struct slice *texts = field_in(field, record);
    uint32_t count = texts_count(field, record);
    CHECK(count <= field->max);
    writer_array(w, count);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(texts[i].size <= CARD_TEXT_MAX);
        writer_text(w, texts[i]);
    }
}

static bool texts_empty(const struct field *field, const void *record)
{
    return texts_count(field, record) == 0;
}

static const struct field_type type_texts = {texts_read, texts_write, texts_empty};

// ---- the card

#define AT(member)   offsetof(struct card, member)
#define TEXT(member) &type_text, AT(member), 0
#define ID_BYTES     sizeof(struct device_id)

static const struct field card_fields[] = {
    {"device", &type_fixed, AT(device), 0, ID_BYTES, ID_BYTES, ALWAYS, 0},
    {"name", TEXT(name), 1, CARD_TEXT_MAX, ALWAYS, 0},
    {"platform", TEXT(platform), 0, CARD_TEXT_MAX, OPTIONAL, 0},
    {"program", TEXT(program), 0, CARD_TEXT_MAX, OPTIONAL, 0},
    {"port", &type_u32, AT(port), 0, 0, 65535, OPTIONAL, 0},
    {"addresses", &type_texts, AT(addresses), AT(address_count), 0, CARD_ADDRESSES_MAX, OPTIONAL,
     0},
};

static const struct record card_record = RECORD(card_fields);

void card_write(const struct card *card, struct buf *out)
{
    struct writer w;
    writer_init(&w, out);
    record_write(&w, &card_record, card, 0, 0, slice_of(NULL, 0));
    CHECK(w.size <= CARD_BYTES_MAX);
}

static enum err whole_read(const struct record *record, struct slice bytes, void *out,
                           struct fault *out_fault)
{
    struct reader r;
    reader_init(&r, NULL, bytes, 0);
    if (bytes.size > CARD_BYTES_MAX) reader_fail(&r, ERR_LIMIT, 0, "too long");
    (void)record_read(&r, record, out, NULL);
    reader_end(&r);
    *out_fault = r.fault;
    return r.fault.code;
}

enum err card_read(struct slice bytes, struct card *out, struct fault *out_fault)
{
    memset(out, 0, sizeof *out);
    return whole_read(&card_record, bytes, out, out_fault);
}

// ---- the ticket

#define IN(member) offsetof(struct ticket, member)

static const struct field ticket_fields[] = {
    {"device", &type_fixed, IN(device), 0, ID_BYTES, ID_BYTES, ALWAYS, 0},
    {"seed", &type_fixed, IN(seed), 0, 32, 32, ALWAYS, 0},
    {"addresses", &type_texts, IN(addresses), IN(address_count), 0, CARD_ADDRESSES_MAX, ALWAYS, 0},
};

static const struct record ticket_record = RECORD(ticket_fields);

void ticket_write(const struct ticket *ticket, struct buf *out)
{
    struct writer w;
    writer_init(&w, out);
    record_write(&w, &ticket_record, ticket, 0, 0, slice_of(NULL, 0));
    CHECK(w.size <= CARD_BYTES_MAX);
}

enum err ticket_read(struct slice bytes, struct ticket *out, struct fault *out_fault)
{
    memset(out, 0, sizeof *out);
    return whole_read(&ticket_record, bytes, out, out_fault);
}
