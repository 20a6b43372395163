// SPDX-License-Identifier: MIT
//
// agent/daemon/pairing — the one pairing that may be under way, and what becomes of a device that
// has shown who it is.
#ifndef AGENT_DAEMON_PAIRING_PRIV_H
#define AGENT_DAEMON_PAIRING_PRIV_H

#include "agent/daemon/control_priv.h"
#include "agent/net/pair.h"

enum pairing_state {
    PAIRING_NONE,
    PAIRING_OPEN,   // nobody has come yet, or it is dialled
    PAIRING_MET,    // the people are asked
    PAIRING_AGREED, // stored here, not there yet
    PAIRING_DONE,
    PAIRING_ENDED,
};

struct pairing {
    enum pairing_state state;
    struct pair *pair;
    struct mailbox *events;
    uint64_t waiter; // a request that is answered with what comes next; 0: none
    bool answered;   // the person here has
    char *at;        // NULL: offers
    char *name;      // what the other one shall be called here; NULL: as it calls itself
    struct buf card; // the other's, from MET on
    char host[PAIR_HOST_MAX];
    char *peer;  // under which name it was stored
    bool is_new; // and goes again if it is not stored there
    enum pair_end end;
    bool by_other;
};

struct pairing *pairing_new(struct agent *agent);
void pairing_destroy(struct pairing **pairing);

// This device's card, encoded.
void introduce_self(struct agent *agent, struct buf *out);

// What a device with this card would be called: its name here if it has one, else `wanted`, else
// its own made to fit. On the agent's scratch arena.
const char *introduce_name(const struct agent *agent, const struct card *card, const char *wanted);

// Makes it a peer, with the addresses it names and the one it was seen at. *out_new: it was none.
enum err introduce(struct agent *agent, const struct card *card, const char *host,
                   const char *wanted, char **out_name, bool *out_new) MUST_USE;

// ---- as JSON, and refusals that all ways of pairing share

json_t *introduce_own_json(const struct agent *agent); // name and fingerprint
// The other device for a person to look at: docs/API.md, POST /v1/pair/wait.
json_t *introduce_json(const struct agent *agent, const struct card *card, const char *host,
                       const char *wanted);
// `name` (may be NULL) can be given to a new peer.
bool introduce_name_fits(struct agent *agent, uint64_t request, const char *name);

#endif
