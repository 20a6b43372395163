// SPDX-License-Identifier: MIT
//
// Any bytes as they are shown: in a line of the log, and as a JSON text.
#include "agent/base/json.h"
#include "agent/base/log.h"
#include "tests/fuzz/fuzz.h"

static void no_controls(const char *text)
{
    for (; *text != '\0'; text++)
        CHECK((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void sink(enum log_level level, enum log_area area, const char *line)
{
    CHECK(level <= LOG_DEBUG && area <= LOG_CLI);
    no_controls(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    char escaped[LOG_ESCAPED_MAX];
    (void)log_escape(text, escaped);
    CHECK(strlen(escaped) < LOG_ESCAPED_MAX);
    no_controls(escaped);
    AUTO(json_drop) json_t *string = json_bytes(text);
    CHECK(json_is_string(string));
    CHECK(json_string_length(string) == strlen(json_string_value(string)));
    no_controls(json_string_value(string));
    AUTO(json_drop)
    json_t *again = json_bytes(slice_of(json_string_value(string), json_string_length(string)));
    CHECK(json_equal(string, again));
    log_set_sink(sink);
    log_set_level(LOG_DEBUG);
    log_info(LOG_NET, "a peer's text", "text=%.*s", (int)(size < 4096 ? size : 4096),
             size > 0 ? (const char *)data : "");
    log_set_sink(NULL);
    return 0;
}
