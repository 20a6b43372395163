// SPDX-License-Identifier: MIT
//
// agent/cli/agent — one question to the running agent, and what its answer means for the exit code.
#ifndef AGENT_CLI_AGENT_PRIV_H
#define AGENT_CLI_AGENT_PRIV_H

#include "agent/base/json.h"
#include "agent/cli/cli.h"

// Sends `body` (consumed; NULL: none) and parses the answer. Anything but CLI_DONE was explained on
// stderr (with --json the error object is on stdout, too). `timeout_s` 0: as long as it takes.
int agent_ask(const struct cli_context *context, const char *method, const char *path, json_t *body,
              long timeout_s, json_t **out);
// POST, for what may take long: until then a terminal shows what is under way.
int agent_await(const struct cli_context *context, const char *path, json_t *body, json_t **out);
// The answer, or NULL if there is none within two seconds or it is a refusal; says nothing.
json_t *agent_peek(const struct cli_context *context, const char *method, const char *path,
                   json_t *body);
// agent_ask for an answer in pieces; ends when the stream does.
int agent_listen(const struct cli_context *context, const char *path,
                 void (*on_bytes)(void *context, struct slice piece), void *receiver);

// Fields of an answer, with a default instead of an error.
const char *field_text(const json_t *object, const char *key, const char *missing);
uint64_t field_number(const json_t *object, const char *key);
bool field_true(const json_t *object, const char *key);

#endif
