// SPDX-License-Identifier: MIT
//
// Which of the folders here a new peer is to have: asked at a terminal, or said beforehand.
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/folder_priv.h"
#include "agent/cli/pair_priv.h"
#include "agent/cli/print_priv.h"

enum { ANSWER_S = 60 };

static bool has_name(const json_t *names, struct slice name)
{
    size_t at;
    json_t *one;
    json_array_foreach((json_t *)(uintptr_t)names, at, one)
    {
        if (slice_equal(slice_text(json_string_value(one)), name)) return true;
    }
    return false;
}

// Those that it does not have yet and that are not the config file's to share.
static json_t *candidates(const json_t *answer, const char *peer)
{
    json_t *names = json_array();
    size_t at;
    json_t *folder;
    json_array_foreach(json_object_get(answer, "folders"), at, folder)
    {
        bool shared = field_true(folder, "with_all") ||
                      has_name(json_object_get(folder, "with"), slice_text(peer));
        if (!shared && field_text(folder, "declared_at", NULL) == NULL)
            (void)json_array_append(names, json_object_get(folder, "name"));
    }
    return names;
}

static int share_one(const struct cli_context *context, const char *name, const char *peer)
{
    AUTO(json_drop) json_t *answer = NULL;
    json_t *body = json_pack("{s:s, s:[s]}", "name", name, "with", peer);
    int result = agent_ask(context, "POST", "/v1/folders/share", body, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    printf("%s: ", name);
    folder_print_shared(answer);
    return CLI_DONE;
}

// The names of the line that are folders; "all": every one. NULL, and said: one is none.
static json_t *chosen(const char *line, const json_t *names)
{
    json_t *out = json_array();
    while (*line != '\0') {
        struct slice word = slice_of(line, strcspn(line, ", \t"));
        line += word.size;
        line += strspn(line, ", \t");
        if (word.size == 0) continue;
        if (slice_equal(word, slice_text("all")) && !has_name(names, word)) {
            (void)json_array_extend(out, (json_t *)(uintptr_t)names);
        } else if (has_name(names, word)) {
            (void)json_array_append_new(out, json_bytes(word));
        } else {
            cli_error("%.*s is none of these that can be shared; nothing was shared, "
                      "cfgsync-agent folder share NAME --with PEER does",
                      (int)word.size, (const char *)word.data);
            json_drop(&out);
            return NULL;
        }
    }
    return out;
}

int pair_share_choose(const struct cli_context *context, const char *peer, const char *line,
                      json_t **out)
{
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "GET", "/v1/folders", NULL, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    AUTO(json_drop) json_t *names = candidates(answer, peer);
    *out = chosen(line, names);
    return *out != NULL ? CLI_DONE : CLI_FAILED;
}

int pair_share_all(const struct cli_context *context, const char *peer, const json_t *names)
{
    size_t at;
    json_t *name;
    json_array_foreach((json_t *)(uintptr_t)names, at, name)
    {
        int result = share_one(context, json_string_value(name), peer);
        if (result != CLI_DONE) return result;
    }
    return CLI_DONE;
}

int pair_share(const struct cli_context *context, const char *peer)
{
    AUTO(json_drop) json_t *answer = NULL;
    AUTO(buf_fini) struct buf question = {0};
    AUTO(buf_fini) struct buf line = {0};
    int result = agent_ask(context, "GET", "/v1/folders", NULL, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    AUTO(json_drop) json_t *names = candidates(answer, peer);
    size_t at;
    json_t *name;
    if (json_array_size(names) == 0) return CLI_DONE;
    buf_printf(&question, "Share which folders with %s? (", peer);
    json_array_foreach(names, at, name)
        buf_printf(&question, "%s%s", at > 0 ? ", " : "", json_string_value(name));
    buf_append_text(&question, "; all; nothing: none)");
    if (!ask_line(buf_text(&question), &line)) return CLI_DONE;
    AUTO(json_drop) json_t *list = chosen(buf_text(&line), names);
    return list != NULL ? pair_share_all(context, peer, list) : CLI_FAILED;
}
