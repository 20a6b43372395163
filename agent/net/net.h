// SPDX-License-Identifier: MIT
//
// agent/net/net — the wire: ZeroMQ over CURVE, moving whole messages of known keys in and out.
//
// One ROUTER when listening; for each dialled peer a link of two DEALERs (control and bulk lane),
// for a while a second one when a nearer way was found. A `conn` is one of those pipes to one peer:
// a DEALER, or one routing id on the ROUTER. This room decides no policy: it asks `trusted` and
// reports. It does not decode messages. Back-off by its own timer (net_next_ms). Threads: one (the
// engine's); libzmq's own I/O thread and the ZAP thread are inside. Source: RFC 23/ZMTP 3.0, RFC
// 26/CurveZMQ, RFC 27/ZAP; pitfalls: docs/ARCHITECTURE.md "ZeroMQ".
#ifndef AGENT_NET_NET_H
#define AGENT_NET_NET_H

#include "agent/base/err.h"
#include "proto/message.h"

struct net;
struct identity;

// A number never used again in this process; 0 is none.
typedef uint64_t conn_id;

enum net_event_kind {
    NET_UP, // dialled: handshake of both lanes done, control first. Accepted: its first message
            // (NET_MESSAGE follows)
    NET_MESSAGE, // bytes
    NET_DOWN,    // gone: closed, heartbeat lost, replaced
    NET_DRAINED, // the send queue of this conn has fallen below half its budget after it was above
    NET_FAILED,  // a dial attempt failed; `failure` says why
    NET_CHANGED, // the system says that the network has; net_changed was done
};

// Why a dial attempt failed, the more telling ones last.
enum net_failure {
    NET_NO_FAILURE,
    NET_NO_MEANS, // no descriptors or sockets left
    NET_BAD_ADDRESS,
    NET_NAME_UNKNOWN,
    NET_NO_ROUTE,
    NET_TIMED_OUT,
    NET_REFUSED,
    NET_NOT_AN_AGENT,
    NET_SOMEBODY_ELSE, // another device or program
    NET_KEY_REFUSED,   // that device does not trust this one
};
const char *net_failure_text(enum net_failure failure); // "refused", ...; NULL of none

struct net_event {
    enum net_event_kind kind;
    conn_id conn;
    struct device_id device;
    bool dialled;
    bool is_near;   // dialled: on a network this machine is itself on
    enum lane lane; // dialled only; an accepted conn learns its lane from HELLO
    struct slice
        address;        // "tcp://10.0.0.2:7575": dialled: as dialled; accepted: the peer's address
    struct slice bytes; // NET_MESSAGE; valid until the next net_next
    enum net_failure failure; // NET_FAILED
};

struct net_options {
    const struct identity *identity;
    const char *const *listen; // "tcp://*:7575", "tcp://127.0.0.1:0", ...; none: dial only
    uint32_t listen_count;
    // Answers for the ZAP thread and for every message; called from two threads, must be
    // thread-safe.
    bool (*trusted)(void *context, const uint8_t curve_key[32], struct device_id *out_device);
    void *context;
    const char *socks_proxy; // "tcp://HOST:PORT" for dialling what is not near; NULL: none
};

void net_library(struct buf *out); // libzmq's version

// Binds after the ZAP self-test (a random key must be refused). CONFIG: address in use or not
// parseable (fault->what static; the log names the address). ERR_VERSION: libzmq without CURVE or
// older than 4.3.3.
enum err net_open(const struct net_options *options, struct net **out,
                  struct fault *fault) MUST_USE;
// Lets queued messages go for up to linger_ms.
void net_close(struct net **net, int linger_ms);

// The endpoints really listened on ("tcp://127.0.0.1:45123"), for port 0 and for people.
uint32_t net_endpoints(const struct net *net, const char *const **out);

// Keeps a link to a peer at one of the addresses: tried in this order, the next one 250 ms later
// whether the one before has failed or not; names are looked up at each round. A far one moves to a
// near one when that can be reached. Replaces an earlier list; a link at an address that is still
// in it stays. count 0: stop dialling and close.
void net_dial(struct net *net, struct device_id device, const char *const *addresses,
              uint32_t count);
void net_redial_now(struct net *net, struct device_id device); // forget the back-off
// The network may be another one than before: ends what was connected from an address that is gone,
// forgets every back-off, and looks for near ways to those that are up and far.
void net_changed(struct net *net);
// Drops every conn of a device that is not trusted any more, now.
void net_forget(struct net *net, struct device_id device);

// Queues one message. The bytes are copied or taken at once. BUSY: over the budget of this conn (8
// MiB control, 4 MiB bulk): the caller waits for NET_DRAINED; UNREACHABLE: conn is gone.
enum err net_send(struct net *net, conn_id conn, struct slice bytes) MUST_USE;
size_t net_queued(const struct net *net, conn_id conn); // bytes not yet handed to libzmq
void net_drop(struct net *net,
              conn_id conn); // closes it (an accepted one: by descriptor); NET_DOWN follows

// Waits for the sockets, the given descriptors (POLLIN) or timeout_ms; then work is fetched with
// net_next until false. ready[i] says which descriptors are readable.
void net_poll(struct net *net, const int *fds, bool *ready, uint32_t fd_count, int timeout_ms);
// Drains: messages, monitor events, timers.
bool net_next(struct net *net, int64_t now_ms, struct net_event *out);
int64_t net_next_ms(const struct net *net); // monotonic ms of its next timer, INT64_MAX: none

// What stands between "tcp://" and the port; IPv6 keeps its brackets.
struct slice address_host(struct slice address);

#endif
