// SPDX-License-Identifier: MIT
//
// A file of rules and a path: what the file says is what the last of its rules that speaks alone
// says.
#include "agent/core/ignore.h"
#include "tests/fuzz/fuzz.h"

static bool alone(struct slice rule, struct slice path, bool is_dir, struct ignore_match *out)
{
    struct ignore_fault fault;
    AUTO(ignore_destroy) struct ignore *one = ignore_parse(rule, &fault);
    CHECK(one != NULL && ignore_count(one) <= 1);
    return ignore_match(one, path, is_dir, out);
}

static bool by_lines(struct slice text, struct slice path, bool is_dir, bool *out_negated)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    struct ignore_match match;
    bool found = false;
    bool marked = text.size >= 3 && memcmp(text.data, mark, 3) == 0;
    for (size_t at = marked ? 3 : 0; at < text.size;) {
        const uint8_t *end = memchr(text.data + at, '\n', text.size - at);
        size_t size = end != NULL ? (size_t)(end - text.data) - at : text.size - at;
        // Not the first line: no byte order mark is taken off it.
        AUTO(buf_fini) struct buf line = {0};
        buf_append_text(&line, "\n");
        buf_append(&line, text.data + at, size);
        if (alone(buf_slice(&line), path, is_dir, &match)) {
            found = true;
            *out_negated = match.negated;
        }
        at += size + 1;
    }
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct feed feed = {data, size};
    struct ignore_fault fault;
    struct ignore_match match = {.negated = false};
    bool is_dir = (feed_byte(&feed) & 1) != 0, negated = false;
    struct slice path = feed_slice(&feed, feed_byte(&feed));
    struct slice text = slice_of(feed.data, feed.size);
    AUTO(ignore_destroy) struct ignore *rules = ignore_parse(text, &fault);
    if (rules == NULL) {
        CHECK(fault.what != NULL);
        return 0;
    }
    CHECK(slice_equal(ignore_text(rules), text));
    bool found = ignore_match(rules, path, is_dir, &match);
    if (ignore_count(rules) > 64) return 0; // the other way is slow
    CHECK(found == by_lines(text, path, is_dir, &negated));
    if (found) CHECK(match.negated == negated && match.line > 0 && match.rule.size > 0);
    return 0;
}
