// SPDX-License-Identifier: MIT
//
// agent/daemon/trust — which CURVE keys are whose, for the wire; asked from two threads.
#ifndef AGENT_DAEMON_TRUST_PRIV_H
#define AGENT_DAEMON_TRUST_PRIV_H

#include <stdbool.h>

#include "agent/base/err.h"
#include "proto/types.h"

struct trust;

struct trust *trust_new(void);
void trust_destroy(struct trust **trust);

// Replaces the table. Devices whose id is no curve point are left out: nobody has such a key.
void trust_set(struct trust *trust, const struct device_id *devices, uint32_t count);

// Slot of net_options. Any thread.
bool trust_has(void *trust, const uint8_t curve_key[32], struct device_id *out_device);

#endif
