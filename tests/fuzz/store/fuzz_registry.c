// SPDX-License-Identifier: MIT
//
// The registry's file, whatever is in it: refused with a word why, or written again alike.
#include "agent/store/registry_priv.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_fini) struct buf once = {0};
    AUTO(buf_fini) struct buf twice = {0};
    AUTO(tables_destroy) struct tables *first = NULL;
    AUTO(tables_destroy) struct tables *second = NULL;
    struct fault fault = {0};
    enum err err = tables_load(slice_of(data, size), "registry.json", &first, &fault);
    CHECK(err == ERR_OK || (err == ERR_CONFIG && fault.what != NULL && first == NULL));
    if (err != ERR_OK) return 0;
    CHECK(tables_dump(first, &once) == ERR_OK);
    CHECK(tables_load(buf_slice(&once), "registry.json", &second, &fault) == ERR_OK);
    CHECK(second->peer_count == first->peer_count && second->folder_count == first->folder_count);
    CHECK(tables_dump(second, &twice) == ERR_OK);
    CHECK(slice_equal(buf_slice(&once), buf_slice(&twice)));
    return 0;
}
