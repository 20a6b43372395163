// SPDX-License-Identifier: MIT
//
// A peer list has tens of entries: they are compared one by one, under a mutex because the ZAP
// thread asks, too.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/daemon/trust_priv.h"
#include "crypto/identity.h"

struct entry {
    uint8_t key[CURVE_KEY_BYTES];
    struct device_id device;
};

struct trust {
    pthread_mutex_t mutex;
    struct entry *entries;
    uint32_t count;
};

struct trust *trust_new(void)
{
    struct trust *trust = mem_zalloc(1, sizeof *trust);
    CHECK(pthread_mutex_init(&trust->mutex, NULL) == 0);
    return trust;
}

void trust_destroy(struct trust **trust)
{
    if (*trust == NULL) return;
    CHECK(pthread_mutex_destroy(&(*trust)->mutex) == 0);
    free((*trust)->entries);
    free(*trust);
    *trust = NULL;
}

void trust_set(struct trust *trust, const struct device_id *devices, uint32_t count)
{
    struct entry *entries = mem_zalloc((size_t)count + 1, sizeof *entries);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (device_curve_key(devices[i], entries[kept].key) != ERR_OK) continue;
        entries[kept++].device = devices[i];
    }
    CHECK(pthread_mutex_lock(&trust->mutex) == 0);
    struct entry *old = trust->entries;
    trust->entries = entries;
    trust->count = kept;
    CHECK(pthread_mutex_unlock(&trust->mutex) == 0);
    free(old);
}

bool trust_has(void *trust, const uint8_t curve_key[32], struct device_id *out_device)
{
    struct trust *self = trust;
    bool found = false;
    CHECK(pthread_mutex_lock(&self->mutex) == 0);
    for (uint32_t i = 0; i < self->count && !found; i++) {
        if (memcmp(self->entries[i].key, curve_key, CURVE_KEY_BYTES) != 0) continue;
        *out_device = self->entries[i].device;
        found = true;
    }
    CHECK(pthread_mutex_unlock(&self->mutex) == 0);
    return found;
}
