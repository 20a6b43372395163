// SPDX-License-Identifier: MIT
#include "agent/store/setting.h"

#include <string.h>

#include "agent/base/check.h"

enum { COUNT_MAX = 1000000, DAYS_MAX = 3650, SPACE_PERCENT_MAX = 90 };

#define BYTES_MAX      (UINT64_C(1) << 60)
#define BASE_BYTES_MAX (UINT64_C(1) << 30) // memory grows with it

enum form { FORM_BRAKE, FORM_COUNT, FORM_PERCENT, FORM_DAYS, FORM_SPACE, FORM_BASE, FORM_MODE };

static const struct {
    const char *name;
    enum form form;
    const char *usual;
} table[] = {
    [SETTING_BRAKE] = {"brake", FORM_BRAKE, "normal"},
    [SETTING_BRAKE_DELETES] = {"brake_deletes", FORM_COUNT, "20"},
    [SETTING_BRAKE_DELETES_PERCENT] = {"brake_deletes_percent", FORM_PERCENT, "25"},
    [SETTING_BRAKE_REWRITES] = {"brake_rewrites", FORM_COUNT, "50"},
    [SETTING_BRAKE_REWRITES_PERCENT] = {"brake_rewrites_percent", FORM_PERCENT, "50"},
    [SETTING_KEEP_DAYS] = {"keep_days", FORM_DAYS, "30"},
    [SETTING_KEEP_SPACE] = {"keep_space", FORM_SPACE, "10%"},
    [SETTING_BASE_SPACE] = {"base_space", FORM_BASE, "64M"},
    [SETTING_MODE] = {"mode", FORM_MODE, "two-way"},
};

const char *setting_name(enum setting setting)
{
    CHECK((unsigned)setting < SETTING_COUNT);
    return table[setting].name;
}

const char *setting_default(enum setting setting)
{
    CHECK((unsigned)setting < SETTING_COUNT);
    return table[setting].usual;
}

bool setting_find(struct slice name, enum setting *out)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (!slice_equal(name, slice_text(table[i].name))) continue;
        *out = (enum setting)i;
        return true;
    }
    return false;
}

// Digits, at the beginning; *out_rest is what follows. False: none, or too many.
static bool number(const char *text, uint64_t *out, const char **out_rest)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (value > BYTES_MAX) return false;
        value = 10 * value + (uint64_t)(*at - '0');
    }
    *out = value;
    *out_rest = at;
    return at > text;
}

static bool number_in(const char *text, uint64_t max, uint32_t *out)
{
    uint64_t value;
    const char *rest;
    if (!number(text, &value, &rest) || *rest != '\0' || value < 1 || value > max) return false;
    *out = (uint32_t)value;
    return true;
}

static bool space(const char *text, uint32_t *out_percent, uint64_t *out_bytes)
{
    static const char units[] = "KMGT";
    uint64_t value;
    const char *rest;
    *out_percent = 0;
    *out_bytes = 0;
    if (!number(text, &value, &rest) || value < 1) return false;
    if (strcmp(rest, "%") == 0) {
        *out_percent = (uint32_t)value;
        return value <= SPACE_PERCENT_MAX;
    }
    const char *unit = rest[0] != '\0' && rest[1] == '\0' ? strchr(units, rest[0]) : NULL;
    if (unit == NULL) return false;
    unsigned shift = 10 * (unsigned)(unit - units + 1);
    if (value > BYTES_MAX >> shift) return false;
    *out_bytes = value << shift;
    return true;
}

static bool base(const char *text, uint64_t *out_bytes)
{
    uint32_t percent;
    *out_bytes = 0;
    if (strcmp(text, "off") == 0) return true;
    return space(text, &percent, out_bytes) && percent == 0 && *out_bytes <= BASE_BYTES_MAX;
}

const char *setting_fault(enum setting setting, const char *text)
{
    uint32_t count;
    uint64_t bytes;
    switch (table[setting].form) {
    case FORM_BRAKE:
        if (strcmp(text, "off") == 0 || strcmp(text, "normal") == 0 || strcmp(text, "strict") == 0)
            return NULL;
        return "must be off, normal or strict";
    case FORM_COUNT: return number_in(text, COUNT_MAX, &count) ? NULL : "must be 1 to 1000000";
    case FORM_PERCENT:
        return number_in(text, 100, &count) ? NULL : "must be 1 to 100, without a sign";
    case FORM_DAYS: return number_in(text, DAYS_MAX, &count) ? NULL : "must be 1 to 3650";
    case FORM_SPACE:
        return space(text, &count, &bytes) ? NULL
                                           : "must be a part of the disk (1% to 90%), or a size "
                                             "with a unit (500M, 2G)";
    case FORM_BASE:
        return base(text, &bytes) ? NULL : "must be off, or a size with a unit, at most 1G (64M)";
    case FORM_MODE:
        if (strcmp(text, "two-way") == 0 || strcmp(text, "send-only") == 0 ||
            strcmp(text, "receive-only") == 0)
            return NULL;
        return "must be two-way, send-only or receive-only";
    }
    return "is unknown";
}

static uint32_t count_of(char *const texts[SETTING_COUNT], enum setting setting)
{
    uint32_t count = 0;
    const char *text = texts[setting] != NULL ? texts[setting] : table[setting].usual;
    CHECK(number_in(text, COUNT_MAX, &count));
    return count;
}

struct settings settings_read(char *const texts[SETTING_COUNT])
{
    const char *brake = texts[SETTING_BRAKE] != NULL ? texts[SETTING_BRAKE] : "normal";
    const char *mode = texts[SETTING_MODE] != NULL ? texts[SETTING_MODE] : "";
    const char *keep = texts[SETTING_KEEP_SPACE], *aside = texts[SETTING_BASE_SPACE];
    struct settings out = {
        .brake_off = strcmp(brake, "off") == 0,
        .brake_strict = strcmp(brake, "strict") == 0,
        .deletes = count_of(texts, SETTING_BRAKE_DELETES),
        .deletes_percent = count_of(texts, SETTING_BRAKE_DELETES_PERCENT),
        .rewrites = count_of(texts, SETTING_BRAKE_REWRITES),
        .rewrites_percent = count_of(texts, SETTING_BRAKE_REWRITES_PERCENT),
        .keep_days = count_of(texts, SETTING_KEEP_DAYS),
        .send_only = strcmp(mode, "send-only") == 0,
        .receive_only = strcmp(mode, "receive-only") == 0,
    };
    CHECK(space(keep != NULL ? keep : table[SETTING_KEEP_SPACE].usual, &out.keep_percent,
                &out.keep_bytes));
    CHECK(base(aside != NULL ? aside : table[SETTING_BASE_SPACE].usual, &out.base_bytes));
    return out;
}
