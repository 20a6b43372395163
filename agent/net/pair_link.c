// SPDX-License-Identifier: MIT
//
// Frames: two bytes of length (big-endian, of all that follows), one byte that says what it is, the
// payload. And what the two sides do with a link: CPace, tags, sealed and signed cards.
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/net/pair_priv.h"

#define CHANNEL      "cfgsync-pair1"
#define DATA_OFFERER "offer"
#define DATA_JOINER  "join"
#define KEY_OFFERER  "cfgsync-pair1 key of the offerer"
#define KEY_JOINER   "cfgsync-pair1 key of the joiner"
#define SIGN_OFFERER "cfgsync-pair1 card of the offerer"
#define SIGN_JOINER  "cfgsync-pair1 card of the joiner"

void link_init(struct pair_link *link, int fd)
{
    *link = (struct pair_link){.fd = fd};
}

void link_fini(struct pair_link *link)
{
    fd_close(&link->fd);
    cpace_destroy(&link->cpace);
    buf_fini(&link->other_card);
    crypto_wipe(link->seal_key, sizeof link->seal_key);
    crypto_wipe(link->open_key, sizeof link->open_key);
}

// ---- frames

// A few frames always fit into the buffer of a fresh socket; if not, the connection is of no use.
// The process ignores SIGPIPE.
void link_send(struct pair_link *link, enum pair_kind kind, struct slice payload)
{
    uint8_t frame[2 + PAIR_FRAME_MAX];
    size_t size = payload.size + 1;
    CHECK(size <= PAIR_FRAME_MAX);
    frame[0] = (uint8_t)(size >> 8);
    frame[1] = (uint8_t)size;
    frame[2] = (uint8_t)kind;
    if (payload.size > 0) memcpy(frame + 3, payload.data, payload.size);
    ssize_t sent = send(link->fd, frame, size + 2, MSG_DONTWAIT);
    if (sent != (ssize_t)size + 2) (void)shutdown(link->fd, SHUT_RDWR);
}

void link_bye(struct pair_link *link, enum pair_end end)
{
    uint8_t word = (uint8_t)end;
    link_send(link, PAIR_BYE, slice_of(&word, 1));
}

enum pair_end link_reason(struct slice payload)
{
    bool is_known = payload.size == 1 && payload.data[0] >= PAIR_END_BUSY &&
                    payload.data[0] <= PAIR_END_MALFORMED;
    return is_known ? (enum pair_end)payload.data[0] : PAIR_END_MALFORMED;
}

static size_t frame_size(const struct pair_link *link)
{
    return link->in_size < 2 ? 0 : (size_t)link->in[0] << 8 | link->in[1];
}

static enum link_state frame_take(struct pair_link *link, struct pair_frame *out)
{
    size_t size = frame_size(link);
    if (link->in_size >= 2 && (size == 0 || size > PAIR_FRAME_MAX)) return LINK_MALFORMED;
    if (link->in_size < 2 || link->in_size < size + 2) return LINK_MORE;
    out->kind = (enum pair_kind)link->in[2];
    out->payload = slice_of(link->in + 3, size - 1);
    return LINK_FRAME;
}

// Reads no further than one frame, so that there is never anything behind it.
enum link_state link_read(struct pair_link *link, struct pair_frame *out)
{
    struct pair_frame old;
    if (frame_take(link, &old) == LINK_FRAME) link->in_size = 0;
    for (;;) {
        size_t wanted = link->in_size < 2 ? 2 : frame_size(link) + 2;
        ssize_t size =
            recv(link->fd, link->in + link->in_size, wanted - link->in_size, MSG_DONTWAIT);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return LINK_MORE;
        if (size <= 0) return LINK_CLOSED;
        link->in_size += (size_t)size;
        enum link_state state = frame_take(link, out);
        if (state != LINK_MORE) return state;
    }
}

enum link_state link_wait(struct pair *pair, struct pair_link *link, int64_t until_ms,
                          struct pair_frame *out)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = link->fd, .events = POLLIN},
                               {.fd = pair->wake[0], .events = POLLIN}};
        int64_t left = until_ms - pair_now_ms();
        if (left <= 0) return LINK_LATE;
        if (poll(fds, 2, (int)left) < 0) continue;
        if (fds[0].revents != 0) {
            enum link_state state = link_read(link, out);
            if (state != LINK_MORE) return state;
        }
        if (fds[1].revents != 0) return LINK_ORDER;
    }
}

// ---- the exchange

void link_cpace(struct pair *pair, struct pair_link *link)
{
    struct cpace_input input = {
        .code = slice_text(pair->code),
        .channel = slice_text(CHANNEL),
        .session = slice_of(link->nonces, sizeof link->nonces),
        .own_data = slice_text(pair->offers ? DATA_OFFERER : DATA_JOINER),
        .other_data = slice_text(pair->offers ? DATA_JOINER : DATA_OFFERER),
    };
    link->cpace = cpace_new(pair->offers ? CPACE_INITIATOR : CPACE_RESPONDER, &input);
}

bool link_share(struct pair *pair, struct pair_link *link, const uint8_t *share)
{
    if (cpace_finish(link->cpace, share) != ERR_OK) return false;
    cpace_key(link->cpace, pair->offers ? KEY_OFFERER : KEY_JOINER, link->seal_key);
    cpace_key(link->cpace, pair->offers ? KEY_JOINER : KEY_OFFERER, link->open_key);
    return true;
}

// The device's own signature over what both have seen: a card cannot be another device's.
void link_proof_write(struct pair *pair, struct pair_link *link, struct buf *out)
{
    uint8_t tag[CPACE_TAG_BYTES];
    uint8_t transcript[STATEMENT_CONTEXT_BYTES];
    AUTO(buf_fini) struct buf text = {0};
    cpace_tag(link->cpace, tag);
    cpace_transcript(link->cpace, transcript);
    struct signature signature =
        statement_sign(pair->identity, pair->offers ? SIGN_OFFERER : SIGN_JOINER, transcript,
                       buf_slice(&pair->card));
    buf_append(&text, signature.bytes, sizeof signature.bytes);
    buf_append(&text, pair->card.data, pair->card.size);
    buf_append(out, tag, sizeof tag);
    seal_close(link->seal_key, link->sealed_count++, buf_slice(&text), out);
}

static bool card_fits(struct pair *pair, struct pair_link *link, struct slice text)
{
    struct signature signature;
    struct card card;
    struct fault fault;
    uint8_t transcript[STATEMENT_CONTEXT_BYTES];
    if (text.size < sizeof signature.bytes) return false;
    memcpy(signature.bytes, text.data, sizeof signature.bytes);
    struct slice bytes =
        slice_of(text.data + sizeof signature.bytes, text.size - sizeof signature.bytes);
    if (card_read(bytes, &card, &fault) != ERR_OK) return false;
    cpace_transcript(link->cpace, transcript);
    if (!statement_verify(card.device, pair->offers ? SIGN_JOINER : SIGN_OFFERER, transcript, bytes,
                          &signature)) {
        return false;
    }
    buf_append(&link->other_card, bytes.data, bytes.size);
    return true;
}

bool link_proof_read(struct pair *pair, struct pair_link *link, struct slice proof)
{
    AUTO(buf_fini) struct buf text = {0};
    if (proof.size < CPACE_TAG_BYTES || !cpace_check(link->cpace, proof.data)) return false;
    struct slice sealed = slice_of(proof.data + CPACE_TAG_BYTES, proof.size - CPACE_TAG_BYTES);
    if (!seal_open(link->open_key, link->opened_count++, sealed, &text)) return false;
    return card_fits(pair, link, buf_slice(&text));
}
