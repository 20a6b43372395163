// SPDX-License-Identifier: MIT
//
// jansson refuses strings that are not UTF-8, and a file name may be anything.
#include "agent/base/json.h"

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/base/utf8_priv.h"

void json_drop(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}

json_t *json_bytes(struct slice bytes)
{
    AUTO(buf_fini) struct buf text = {0};
    for (size_t at = 0; at < bytes.size;) {
        size_t length = utf8_printable(bytes, at);
        if (length == 0) {
            buf_printf(&text, "\\x%02x", (unsigned)bytes.data[at]);
            at++;
        } else {
            buf_append(&text, bytes.data + at, length);
            at += length;
        }
    }
    json_t *string = json_stringn(buf_text(&text), text.size);
    CHECK(string != NULL);
    return string;
}
