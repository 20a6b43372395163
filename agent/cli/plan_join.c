// SPDX-License-Identifier: MIT
//
// What joining a folder with a peer's of the same name would meet.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/plan_priv.h"
#include "agent/cli/print_priv.h"

enum { ANSWER_MS = 500 };

struct kind {
    const char *key, *what, *bytes;
};

static const struct kind kinds[] = {
    {"equal", "equal", "bytes_here"},
    {"only_here", "only here", "bytes_here"},
    {"only_there", "only there", "bytes_there"},
    {"different", "different", "bytes_here"},
    {"only_permissions", "different in permissions only", NULL},
    {"left_out", "only there, left out here by a rule", "bytes_there"},
};

static void names_print(const json_t *names, uint64_t total)
{
    size_t at;
    json_t *name;
    json_array_foreach((json_t *)(uintptr_t)names, at, name)
        printf("      %s\n", json_string_value(name));
    if (at > 0 && total > at) printf("      ... and %" PRIu64 " more\n", total - at);
}

static void part_print(const json_t *comparison, const struct kind *kind)
{
    const json_t *part = json_object_get(comparison, kind->key);
    uint64_t items = field_number(part, "items");
    if (items == 0) return;
    AUTO(buf_fini) struct buf line = {0};
    print_count(&line, items, "item");
    if (kind->bytes != NULL) {
        buf_append_text(&line, ", ");
        print_bytes(&line, field_number(part, kind->bytes));
    }
    printf("    %s: %s\n", kind->what, buf_text(&line));
    names_print(json_object_get(part, "first"), items);
}

static void secrets_print(const json_t *folder)
{
    const json_t *secrets = json_object_get(folder, "secrets");
    uint64_t items = field_number(secrets, "items");
    if (items == 0) return;
    printf("    held here, look like secrets: %" PRIu64 "\n", items);
    names_print(json_object_get(secrets, "first"), items);
}

void plan_join_print(const json_t *folder, const json_t *peer)
{
    const char *name = field_text(folder, "folder", "?"), *who = field_text(peer, "name", "?");
    const json_t *comparison = json_object_get(peer, "comparison");
    const char *state = field_text(comparison, "state", "");
    AUTO(buf_fini) struct buf size = {0};
    print_count(&size, field_number(peer, "items"), "item");
    buf_append_text(&size, ", ");
    print_bytes(&size, field_number(peer, "bytes"));
    printf("  %s has another folder of this name, with %s.\n", who, buf_text(&size));
    if (strcmp(state, "done") == 0) {
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
            part_print(comparison, &kinds[i]);
        secrets_print(folder);
    } else {
        printf("    not compared: %s\n",
               field_text(comparison, "why", "it is not connected, or has just come; try again"));
    }
    printf("    cfgsync-agent folder accept %s --from %s makes them one: what is equal joins,\n"
           "    what is only here or only there goes to the other side, of what differs the\n"
           "    edit of this device is set aside as a conflict. Nothing is deleted, and\n"
           "    cfgsync-agent undo %s takes it back on this device.\n",
           name, who, name);
}

// ---- waiting for it

// False: nothing is being compared.
static bool progress_print(const json_t *answer, bool quiet)
{
    size_t at, peer_at;
    json_t *folder, *peer;
    json_array_foreach(json_object_get(answer, "folders"), at, folder)
    {
        json_array_foreach(json_object_get(folder, "peers"), peer_at, peer)
        {
            const json_t *comparison = json_object_get(peer, "comparison");
            if (strcmp(field_text(comparison, "state", ""), "running") != 0) continue;
            if (!quiet)
                (void)fprintf(stderr, "\rcomparing %s with %s: %" PRIu64 " of %" PRIu64 " items ",
                              field_text(folder, "folder", "?"), field_text(peer, "name", "?"),
                              field_number(comparison, "listed"), field_number(peer, "items"));
            return true;
        }
    }
    return false;
}

int plan_ask(const struct cli_context *context, const char *folder, json_t **out)
{
    bool quiet = isatty(STDERR_FILENO) == 0, shown = false;
    for (bool more = false;; more = true) {
        json_t *body = json_pack("{s:s*, s:i, s:b}", "folder", folder, "wait_ms", ANSWER_MS,
                                 "go_on", (int)more);
        if (body == NULL) {
            cli_error("names are UTF-8 text");
            return CLI_USAGE;
        }
        json_drop(out);
        int result = agent_ask(context, "POST", "/v1/plan", body, 0, out);
        if (result != CLI_DONE) return result;
        if (!progress_print(*out, quiet)) break;
        shown = !quiet;
    }
    if (shown) (void)fprintf(stderr, "\r\033[K");
    return CLI_DONE;
}
