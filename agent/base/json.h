// SPDX-License-Identifier: MIT
//
// agent/base/json — the one door to jansson, used by the registry, the local API and the CLI.
#ifndef AGENT_BASE_JSON_H
#define AGENT_BASE_JSON_H

#include <jansson.h>

#include "agent/base/bytes.h"

// json_decref for AUTO(json_drop) json_t *j = NULL.
void json_drop(json_t **value);

// A JSON string of any bytes: invalid UTF-8 and control bytes are escaped as \xNN first.
json_t *json_bytes(struct slice bytes);

#endif
