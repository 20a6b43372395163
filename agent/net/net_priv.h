// SPDX-License-Identifier: MIT
//
// agent/net/net_priv — what the files of this room share.
//
//     peer (dial.c)      one device that is dialled: see dial_priv.h
//     conn (conn.c)      one pipe: a DEALER of a pair (dealer.c), or one routing id (accept.c)
//     source             something net_poll found readable; net_next serves them in turn
//
// An accepted conn outlives its NET_DOWN as a muted one until the monitor has seen its descriptor
// close, because ZeroMQ may still hand out messages of its routing id. Then the routing id is put
// into a small ring ("graves") for the last stragglers. Routing ids are never used twice.
#ifndef AGENT_NET_NET_PRIV_H
#define AGENT_NET_NET_PRIV_H

#include <sys/socket.h>

#include <zmq.h>

#include "agent/base/map.h"
#include "agent/net/net.h"
#include "crypto/identity.h"

enum {
    NET_ADDRESS_BYTES = 320, // "tcp://", a DNS name, a port, NUL
    NET_CONTROL_BUDGET = 8 << 20,
    NET_BULK_BUDGET = 4 << 20,
    NET_QUEUED_OVERHEAD = 128, // counted per queued message, so that empty ones are bounded too
    NET_DEVICE_CONNS_MAX = 6,
    NET_DEVICES_MAX = 64,
    NET_CANDIDATES_MAX = 4, // addresses used of one DNS name
    NET_ROUTING_ID_BYTES = 5,
    NET_GRAVES = 64,
    NET_CONNECT_MS = 3000,
    NET_HANDSHAKE_MS = 3000,
    // The router carries both lanes. Its kernel of trouble is a slow peer with large messages:
    // 128 x 128 KiB is 16 MiB, 128 small ones keep the I/O thread busy until the next retry.
    NET_ROUTER_HWM = 128,
    NET_RECEIVE_HWM = 32, // messages of up to 1 MiB that were not read yet, per connection
    NET_CONTROL_HWM = 1000,
    NET_BULK_HWM = 32,
};

// ---- queue.c: messages of one conn that ZeroMQ did not take yet

struct queued {
    struct queued *next;
    size_t size; // sending empties the message
    zmq_msg_t message;
};

struct queue {
    struct queued *first;
    struct queued *last;
    size_t bytes;
    size_t count;
    bool was_high; // over half the budget since the last NET_DRAINED
};

void queue_fini(struct queue *queue);
void queue_put(struct queue *queue, zmq_msg_t *message); // takes the message
void queue_pop(struct queue *queue);                     // the first was sent
bool queue_fits(const struct queue *queue, size_t size, size_t budget);

// ---- sources, in net.c

enum source_kind {
    SOURCE_ROUTER,
    SOURCE_ROUTER_MONITOR,
    SOURCE_DEALER,
    SOURCE_RESOLVER,
    SOURCE_NETWORK
};

struct source {
    struct source *next;
    enum source_kind kind;
    struct conn *conn; // SOURCE_DEALER
    bool is_queued;
};

void source_ready(struct net *net, struct source *source);
void source_forget(struct net *net, struct source *source);

// ---- conns

enum conn_state { CONN_OPENING, CONN_UP, CONN_MUTED };

struct candidate;

// See pace.c.
struct pace {
    uint64_t acknowledged; // bytes, when it was last looked at
    int64_t full_ms;       // that was then, and more waited to be sent; 0: nothing did
    unsigned empty_looks;  // in a row
    uint64_t rate;         // bytes a second that may be sent; 0: any
    uint64_t best;         // of what arrived while it was limited
    int64_t little_ms;     // since when less than a fair part of that did; 0: it does not
    int64_t pardon_ms;     // until then it is not limited
};

struct conn {
    conn_id id;
    enum conn_state state;
    bool dialled;
    bool is_gone; // accepted: the monitor saw its descriptor close
    bool is_near;
    enum lane lane;
    struct device_id device;
    uint8_t key[CURVE_KEY_BYTES];
    char address[NET_ADDRESS_BYTES];
    struct queue queue;
    // dialled
    struct link *link;
    char endpoint[NET_ADDRESS_BYTES]; // numeric, or what a proxy looks up
    void *socket;
    void *monitor;
    struct source source;
    int fd;                                         // -1: unknown
    uint64_t message_count, flow_count, flow_bytes; // see flow.c
    unsigned flow_strikes;
    struct pace pace;
    // accepted
    uint8_t routing_id[NET_ROUTING_ID_BYTES];
    struct sockaddr_storage remote; // at the first message; guards fd against reuse
    socklen_t remote_size;
    int64_t last_ms; // its last message; the start while it opens
};

struct grave {
    uint8_t routing_id[NET_ROUTING_ID_BYTES];
};

struct event_node {
    struct event_node *next;
    struct net_event event;
    zmq_msg_t message; // of a NET_MESSAGE
    char address[NET_ADDRESS_BYTES];
};

struct net {
    void *context;
    const struct identity *identity;
    bool (*trusted)(void *context, const uint8_t curve_key[32], struct device_id *out_device);
    void *trusted_context;
    struct zap *zap;
    struct resolver *resolver;     // NULL until a name has to be looked up
    char proxy[NET_ADDRESS_BYTES]; // "tcp://HOST:PORT"; "": none
    char **endpoints;
    uint32_t endpoint_count;

    void *router; // NULL: dial only
    void *router_monitor;
    struct source router_source;
    struct source router_monitor_source;
    struct source resolver_source;
    struct source network_source;
    int network_fd;           // -1: changes are not seen
    uint64_t network_print;   // as last seen
    uint64_t route_print;     // of the last change of a default route
    bool route_changed;       // since then
    int64_t network_due_ms;   // the rest of a burst; INT64_MAX: none
    struct open_fd *open_fds; // at [fd]: accepted and not seen closed; accepted.c
    size_t open_fds_size;
    uint64_t dry_count; // how often the ROUTER had nothing more to read
    struct grave graves[NET_GRAVES];
    uint32_t grave_count;
    uint32_t ending_count;  // accepted conns with is_gone
    int64_t ending_ms;      // when the first of them did so
    uint32_t blocked_count; // accepted conns with a queue
    int retry_ms;           // pause until their next try
    bool retry_due;

    struct map *conns;      // conn_id -> struct conn
    struct map *by_routing; // routing id -> struct conn
    struct map *peers;      // device id -> struct peer
    conn_id last_id;
    uint64_t monitor_count;
    int64_t now_ms;
    int64_t flow_ms;       // next look at who sends without end
    int64_t pace_ms;       // and at how what is sent arrives; INT64_MAX: little is
    int64_t pace_until_ms; // that ends

    struct source *ready_first;
    struct source *ready_last;
    struct event_node *event_first;
    struct event_node *event_last;
    struct event_node *event_current; // handed out by the last net_next
    zmq_pollitem_t *items;
    struct source **item_sources;
    uint32_t item_capacity;
};

struct slice conn_key(const conn_id *id);
struct conn *conn_new(struct net *net, bool dialled);
struct conn *conn_find(const struct net *net, conn_id id);
void conn_free(struct net *net, struct conn *conn); // forgets it without an event
enum err conn_send(struct net *net, struct conn *conn, struct slice bytes) MUST_USE;
// Hands queued messages to ZeroMQ. False: the conn is gone; NET_DOWN is on its way.
bool conn_flush(struct net *net, struct conn *conn);
void conn_drop(struct net *net, struct conn *conn); // NET_DOWN; its pair too if it is dialled
// The address is copied.
void conn_event(struct net *net, const struct conn *conn, enum net_event_kind kind,
                enum net_failure failure);
void conn_message(struct net *net, struct conn *conn, zmq_msg_t *message); // takes it
// Receives and drops what is left of a multipart message.
void conn_discard_rest(void *socket);

// ---- event.c

void event_put(struct net *net, const struct net_event *event, zmq_msg_t *message);
bool event_take(struct net *net, struct net_event *out); // frees the one handed out before
void event_forget_messages(struct net *net, conn_id id);
void event_fini(struct net *net);

// ---- accept.c: the ROUTER side

bool accept_receive(struct net *net); // one message; false: nothing more to read
void accept_monitor(struct net *net); // all monitor events
void accept_bury(struct net *net);    // ends the conns whose descriptor was seen closed
void accept_mute(struct net *net, struct conn *conn); // cuts it off without an event
bool accept_transmit(struct net *net, struct conn *conn, zmq_msg_t *message, bool *out_gone);
void accept_gone(struct net *net, struct conn *conn); // ended; NET_DOWN
void accept_flush(struct net *net);                   // tries all queues

// ---- dealer.c: one lane that we dialled

// NULL: no descriptors left.
struct conn *dealer_open(struct net *net, struct link *link, struct device_id device,
                         enum lane lane, const struct candidate *candidate, const char *address);
void dealer_serve(struct net *net, struct conn *conn); // flush, one message or its monitor
bool dealer_transmit(struct conn *conn, zmq_msg_t *message);

// ---- dial.c, link.c: peers

void dial_tick(struct net *net); // runs due timers
int64_t dial_next_ms(const struct net *net);
void dial_resolved(struct net *net); // answers of the resolver
void dial_lane_up(struct net *net, struct conn *conn);
void dial_lane_failed(struct net *net, struct conn *conn, enum net_failure failure); // opening
void dial_lane_down(struct net *net, struct conn *conn); // after it was up; closes the link
void dial_forget(struct net *net, struct device_id device);
void dial_redial_all(struct net *net);
void dial_fini(struct net *net);

// ---- flow.c: messages without end

void flow_tick(struct net *net);
int64_t flow_next_ms(const struct net *net);
uint64_t flow_received(int fd); // bytes; flow_linux.c. 0: not known

// What the system knows of what was sent; flow_linux.c, flow_macos.c. False: nothing.
struct flow_sent {
    uint64_t acknowledged; // bytes
    uint64_t round_trip_us, shortest_us;
    bool is_full; // more waits to be sent
};
bool flow_sent(int fd, struct flow_sent *out);
void flow_limit(int fd, uint64_t rate); // so many bytes a second are sent at most; 0: any

// ---- pace.c: bulk leaves the queues on the way short

void pace_begin(struct net *net, size_t sent); // so many bytes were, in one message
void pace_tick(struct net *net);

// ---- alive_linux.c, alive_macos.c

// The system's own knowledge of whether the other side is there. Unlike heartbeats it has some
// behind bulk, too, and on the side that has accepted, where ZeroMQ forgets a heartbeat's TTL with
// the next message. Gone is noticed within 6 s, or 30 s if it is far.
void alive_watch(int fd, bool is_near);   // has the system ask while nothing is said
bool alive_is_gone(int fd, bool is_near); // what was said is not acknowledged

// ---- address.c

struct address {
    char host[NET_ADDRESS_BYTES]; // without brackets; "*" for any
    char port[6];
};

bool address_parse(const char *text, struct address *out); // "tcp://HOST:PORT", "tcp://[V6]:PORT"
bool address_is_numeric(const struct address *address);
// "tcp://10.0.0.2:7575"; a v4-mapped address is written as v4. False: not an internet address.
bool address_text(const struct sockaddr *from, socklen_t size, char out[NET_ADDRESS_BYTES]);
bool address_is_near(const char *endpoint); // interface_near of a numeric one
bool address_has_route(const char *endpoint);
// Up to NET_CANDIDATES_MAX numeric endpoints. May block on DNS unless the host is numeric.
uint32_t address_resolve(const struct address *address,
                         char out[NET_CANDIDATES_MAX][NET_ADDRESS_BYTES]);

// ---- interfaces.c

bool interface_near(const struct sockaddr *to); // this machine is itself on that network
bool interface_has(const struct sockaddr *own); // one of ours, or not known
uint64_t interfaces_print(void);                // another one when addresses come or go

// ---- network.c

void network_open(struct net *net);
void network_close(struct net *net);
void network_serve(struct net *net);
void network_tick(struct net *net);

// ---- rtnetlink_linux.c, pf_route_macos.c: what the system says of its network

int network_watch_open(void); // readable when something may have changed; -1: there is none
// Reads all. True: a default route came or went that *last_print is not of.
bool network_watch_read(int fd, uint64_t *last_print);

// ---- socks.c

// Has a thread connect to the target ("tcp://HOST:PORT") through the proxy (the same, numeric).
// *out is where to dial instead. False: no threads or descriptors left.
bool socks_open(const char *proxy, const char *target, char out[NET_ADDRESS_BYTES]);

// ---- resolve.c: DNS in a thread of its own

struct resolved {
    struct device_id device;
    uint64_t ticket;
    uint32_t rank;
    uint32_t count;
    char endpoints[NET_CANDIDATES_MAX][NET_ADDRESS_BYTES];
};

struct resolver *resolver_new(void);               // NULL: no descriptors or threads left
void resolver_destroy(struct resolver **resolver); // does not wait for a lookup under way
void resolver_ask(struct resolver *resolver, struct device_id device, uint64_t ticket,
                  uint32_t rank, const struct address *address);
struct resolved *resolver_next(struct resolver *resolver); // the caller frees; NULL: none
int resolver_fd(const struct resolver *resolver);          // readable when an answer is there

// ---- listen.c, listen_linux.c

enum err listen_all(struct net *net, const struct net_options *options,
                    struct fault *fault) MUST_USE;
// A bound, listening, non-blocking descriptor, silent strangers kept out of accept; -1: errno.
int listen_descriptor(const struct sockaddr *address, socklen_t size, bool dual_stack);
// The same for a host (or "*") and port; *out_known: the host is one.
int listen_address(const struct address *address, bool *out_known);
void listen_endpoint(int fd, bool is_any, char out[NET_ADDRESS_BYTES]); // as people write it

// ---- zap.c, selftest.c

struct zap *zap_start(struct net *net); // NULL: could not start
void zap_join(struct zap **zap);        // after the context was shut down
enum err selftest_run(struct net *net, struct fault *fault) MUST_USE;

// ---- socket.c: options every socket of ours has

void *socket_new(struct net *net, int type, int hwm);
void socket_set(void *socket, int option, int value);
bool socket_admission(struct net *net, void *socket); // CURVE server, ZAP enforced
void socket_keys(struct net *net, void *socket);      // our own key pair

// ---- monitor.c

struct monitor_event {
    unsigned event; // ZMQ_EVENT_*
    uint32_t value;
};

void *monitor_open(struct net *net, void *socket, int events);
void monitor_close(void *socket, void **monitor);
bool monitor_next(void *monitor, struct monitor_event *out);

#endif
