// SPDX-License-Identifier: MIT
//
// agent/cli/agent — the socket's address, the error object, and what to do when nobody answers.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/api/server.h"
#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/progress_priv.h"

enum { PEEK_S = 2 };

const char *field_text(const json_t *object, const char *key, const char *missing)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : missing;
}

uint64_t field_number(const json_t *object, const char *key)
{
    json_int_t number = json_integer_value(json_object_get(object, key));
    return number > 0 ? (uint64_t)number : 0;
}

bool field_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

// An object like the agent's own, for failures that the agent cannot report.
static int fail(const struct cli_context *context, const char *code, const char *message,
                const char *hint, int result)
{
    if (context->json) {
        AUTO(json_drop)
        json_t *error = json_pack("{s:{s:s, s:s, s:s*, s:i}}", "error", "code", code, "message",
                                  message, "hint", hint, "exit", result);
        if (error != NULL) print_json(error);
    }
    cli_error("%s", message);
    if (hint != NULL) (void)fprintf(stderr, "  %s\n", hint);
    return result;
}

static int no_agent(const struct cli_context *context)
{
    AUTO(buf_fini) struct buf hint = {0};
    bool is_new = access(context->home.identity, F_OK) != 0;
    AUTO(buf_fini) struct buf home = {0};
    if (context->home_option != NULL) buf_printf(&home, " --home %s", context->home_option);
    if (is_new) buf_printf(&hint, "first: cfgsync-agent%s init; then ", buf_text(&home));
    buf_printf(&hint, "start it: cfgsync-agent%s run", buf_text(&home));
    return fail(context, "no-agent", "no agent is running", buf_text(&hint), CLI_NO_AGENT);
}

static int explain(const struct cli_context *context, enum err err)
{
    if (err == ERR_UNREACHABLE) return no_agent(context);
    if (err == ERR_BUSY) {
        return fail(context, "no-answer", "the agent does not answer in time", NULL, CLI_FAILED);
    }
    return fail(context, "lost", "the connection to the agent was lost", "is it still running?",
                CLI_FAILED);
}

static int explain_error(const struct cli_context *context, int status, const json_t *answer)
{
    const json_t *error = json_object_get(answer, "error");
    if (error == NULL) {
        char message[64];
        (void)snprintf(message, sizeof message, "the agent answered with HTTP status %d", status);
        return fail(context, "bad-answer", message, NULL, CLI_FAILED);
    }
    if (context->json) print_json(answer);
    cli_error("%s", field_text(error, "message", "failed"));
    const char *hint = field_text(error, "hint", NULL);
    if (hint != NULL) (void)fprintf(stderr, "  %s\n", hint);
    uint64_t result = field_number(error, "exit");
    return result > 0 && result < 126 ? (int)result : CLI_FAILED;
}

// *out: what is in the answer, whatever the status; NULL: that is not JSON.
static enum err call(const struct cli_context *context, const char *method, const char *path,
                     json_t *body, long timeout_s, const struct api_watch *watch, int *out_status,
                     json_t **out)
{
    AUTO(mem_free) char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    AUTO(buf_fini) struct buf socket = {0};
    AUTO(buf_fini) struct buf answer = {0};
    home_agent_socket(&context->home, &socket);
    struct slice bytes = text != NULL ? slice_text(text) : slice_of(NULL, 0);
    enum err err =
        api_call(buf_text(&socket), method, path, bytes, timeout_s, out_status, &answer, watch);
    if (!err) *out = json_loadb(buf_text(&answer), answer.size, JSON_REJECT_DUPLICATES, NULL);
    return err;
}

json_t *agent_peek(const struct cli_context *context, const char *method, const char *path,
                   json_t *body)
{
    int status = 0;
    AUTO(json_drop) json_t *value = NULL;
    enum err err = call(context, method, path, body, PEEK_S, NULL, &status, &value);
    return !err && status / 100 == 2 ? TAKE(value) : NULL;
}

static int ask(const struct cli_context *context, const char *method, const char *path,
               json_t *body, long timeout_s, struct progress *progress, json_t **out)
{
    int status = 0;
    AUTO(json_drop) json_t *value = NULL;
    const struct api_watch watch = {.on_wait = progress_wait, .context = progress};
    enum err err = call(context, method, path, body, timeout_s, progress != NULL ? &watch : NULL,
                        &status, &value);
    if (progress != NULL) progress_end(progress);
    if (err) return explain(context, err);
    if (status / 100 != 2) return explain_error(context, status, value);
    if (!json_is_object(value)) {
        return fail(context, "bad-answer", "the agent's answer is not JSON", NULL, CLI_FAILED);
    }
    *out = TAKE(value);
    return CLI_DONE;
}

int agent_ask(const struct cli_context *context, const char *method, const char *path, json_t *body,
              long timeout_s, json_t **out)
{
    return ask(context, method, path, body, timeout_s, NULL, out);
}

int agent_await(const struct cli_context *context, const char *path, json_t *body, json_t **out)
{
    struct progress progress;
    progress_begin(&progress, context);
    return ask(context, "POST", path, body, 0, &progress, out);
}

int agent_listen(const struct cli_context *context, const char *path,
                 void (*on_bytes)(void *context, struct slice piece), void *receiver)
{
    AUTO(buf_fini) struct buf socket = {0};
    AUTO(buf_fini) struct buf unused = {0};
    int status = 0;
    home_agent_socket(&context->home, &socket);
    const struct api_watch watch = {.on_bytes = on_bytes, .context = receiver};
    enum err err =
        api_call(buf_text(&socket), "GET", path, slice_of(NULL, 0), 0, &status, &unused, &watch);
    if (err) return explain(context, err);
    return status / 100 == 2 ? CLI_DONE : explain_error(context, status, NULL);
}
