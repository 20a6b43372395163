// SPDX-License-Identifier: MIT
//
// agent/net/pair_priv — what the parts of a pairing share. All of it is the pairing thread's but
// for the two mailboxes.
//
//     pair.c        the door, the thread, what both sides have in common once they have met
//     pair_offer.c  listens; who comes with the right code gets on
//     pair_join.c   dials
//     pair_link.c   frames over a connection
#ifndef AGENT_NET_PAIR_PRIV_H
#define AGENT_NET_PAIR_PRIV_H

#include "agent/net/net_priv.h"
#include "agent/net/pair.h"
#include "crypto/cpace.h"
#include "crypto/pairing.h"
#include "crypto/words.h"

enum {
    PAIR_VERSION = 1,
    PAIR_FRAME_MAX = 1024, // kind and payload
    PAIR_NONCE_BYTES = 16,
    PAIR_LISTEN_MAX = 4,
    PAIR_ATTEMPTS_MAX = 8, // connections while nobody has shown the code
};

enum pair_kind {
    PAIR_BEGIN = 1,  // joiner: version, nonce
    PAIR_SHARE = 2,  // offerer: version, nonce, share
    PAIR_PROOF = 3,  // joiner: share, tag, sealed card; offerer: tag, sealed card
    PAIR_ACCEPT = 4, // sealed: its person said yes
    PAIR_STORED = 5, // sealed: it trusts us now
    PAIR_BYE = 6,    // enum pair_end
};

enum pair_order { ORDER_YES, ORDER_NO, ORDER_STORED, ORDER_NOT_STORED, ORDER_CLOSE, ORDER_COUNT };

struct pair {
    const struct identity *identity;
    struct buf card;
    char code[CODE_TEXT_MAX];
    struct address at;
    bool offers;
    struct pair_times times;
    struct mailbox *events;
    struct mailbox *orders; // enum pair_order, allocated
    int wake[2];
    pthread_t thread;
    int listeners[PAIR_LISTEN_MAX];
    uint32_t listener_count;
    char *endpoints[PAIR_LISTEN_MAX];
};

// ---- pair_link.c: one connection

struct pair_link {
    int fd;
    uint8_t in[2 + PAIR_FRAME_MAX];
    size_t in_size;
    struct cpace *cpace;
    uint8_t nonces[2 * PAIR_NONCE_BYTES]; // the joiner's, the offerer's
    uint8_t seal_key[SEAL_KEY_BYTES];
    uint8_t open_key[SEAL_KEY_BYTES];
    uint64_t sealed_count;
    uint64_t opened_count;
    struct buf other_card;
    char host[PAIR_HOST_MAX];
};

enum link_state { LINK_FRAME, LINK_MORE, LINK_CLOSED, LINK_MALFORMED, LINK_LATE, LINK_ORDER };

struct pair_frame {
    enum pair_kind kind;
    struct slice payload; // valid until the next call on the link
};

void link_init(struct pair_link *link, int fd);
void link_fini(struct pair_link *link);
void link_send(struct pair_link *link, enum pair_kind kind, struct slice payload);
void link_bye(struct pair_link *link, enum pair_end end);
enum pair_end link_reason(struct slice payload); // of a BYE; what no side may say is MALFORMED
// Drops the frame handed out before, reads without waiting. FRAME, MORE, CLOSED, MALFORMED.
enum link_state link_read(struct pair_link *link, struct pair_frame *out);
// Waits for a frame until then, or for an order.
enum link_state link_wait(struct pair *pair, struct pair_link *link, int64_t until_ms,
                          struct pair_frame *out);

// ---- the exchange on a link

// Both nonces and the code are known: the key exchange begins.
void link_cpace(struct pair *pair, struct pair_link *link);
// Takes the other's share. False: it is none.
bool link_share(struct pair *pair, struct pair_link *link, const uint8_t *share);
// Tag and sealed card, to send and as received. False: the codes differ.
void link_proof_write(struct pair *pair, struct pair_link *link, struct buf *out);
bool link_proof_read(struct pair *pair, struct pair_link *link, struct slice proof);

// ---- pair.c

int64_t pair_now_ms(void);
bool pair_take_order(struct pair *pair, enum pair_order *out);
void pair_ended(struct pair *pair, enum pair_end end, bool by_other);
// Both have shown that they know the code: asks, answers, stores.
void pair_settle(struct pair *pair, struct pair_link *link);

// ---- pair_offer.c, pair_join.c

enum err offer_listen(struct pair *pair, const struct pair_options *options,
                      struct fault *fault) MUST_USE;
void offer_run(struct pair *pair);
void join_run(struct pair *pair);

#endif
