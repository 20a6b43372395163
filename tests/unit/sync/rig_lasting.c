// SPDX-License-Identifier: MIT
//
// What outlasts a rig: making tables, preparing statements and drawing keys is most of what one
// costs. An index serves many, one after the other; keys are those of a seed, and are made once.
#include "tests/unit/sync/rig.h"

static struct store *spare;

struct store *rig_store_take(void)
{
    struct store *store = spare;
    struct fault fault;
    spare = NULL;
    if (store == NULL) assert_int_equal(store_open(NULL, &store, &fault), ERR_OK);
    store_clear(store);
    return store;
}

void rig_store_give(struct store **store)
{
    if (spare != NULL) store_close(&spare);
    spare = *store;
    *store = NULL;
}

static struct made {
    uint8_t seed[32];
    struct identity *identity;
    struct made *next;
} * made_all;

const struct identity *rig_identity(uint8_t first, uint8_t second)
{
    struct made *made = made_all;
    while (made != NULL && (made->seed[0] != first || made->seed[1] != second))
        made = made->next;
    if (made != NULL) return made->identity;
    made = mem_zalloc(1, sizeof *made);
    made->seed[0] = first;
    made->seed[1] = second;
    made->identity = identity_from_seed(made->seed);
    made->next = made_all;
    made_all = made;
    return made->identity;
}
