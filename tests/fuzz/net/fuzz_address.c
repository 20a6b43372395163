// SPDX-License-Identifier: MIT
//
// Addresses as people and peers write them.
#include "agent/net/net_priv.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_fini) struct buf text = {0};
    struct address address;
    buf_append(&text, data, size);
    if (!address_parse(buf_text(&text), &address)) return 0;
    AUTO(buf_fini) struct buf again = {0};
    bool six = strchr(address.host, ':') != NULL;
    buf_printf(&again, "tcp://%s%s%s:%s", six ? "[" : "", address.host, six ? "]" : "",
               address.port);
    struct address second;
    CHECK(address_parse(buf_text(&again), &second));
    CHECK(strcmp(address.host, second.host) == 0 && strcmp(address.port, second.port) == 0);
    bool numeric = address_is_numeric(&address);
    if (address_is_near(buf_text(&text))) CHECK(numeric);
    return 0;
}
