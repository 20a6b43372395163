// SPDX-License-Identifier: MIT
//
// What the engine knows of peers: connections, sessions (a pair of lanes), what is remembered of a
// peer and a folder (bond), a folder within a session (share).
#ifndef AGENT_SYNC_PEER_STATE_PRIV_H
#define AGENT_SYNC_PEER_STATE_PRIV_H

#include "agent/sync/engine_priv.h"

struct peer {
    struct device_id device;
    char *name;
    struct session *in_use;
    int64_t last_seen_wall_ms;
    int64_t rtt_ms;
    int64_t clock_ms; // its clock, less ours, when rtt_ms was measured
    char *address;    // of the last session
    bool dialled;
    bool approves_not; // what it approves is not believed
    bool paused;
    bool version_differs; // it speaks another version of the protocol
    bool folders_said;    // to this process: its OFFERs come before its first PONG
    // A second session of another process of it: the old one is asked whether it lives.
    int64_t probe_until_ms; // 0: nobody is asked
    uint64_t probe_token;
    bool probe_answered;
    bool refused_us;  // as another process of this device, since the last session with it
    char *clone_text; // it runs twice: when that was last seen, and where
    int64_t clone_ms;
    char **addresses; // that others may be told
    uint32_t address_count;
    struct buf said_peers; // its last PEERS as it came
    struct peer *next;
};

struct conn {
    uint64_t id;
    struct device_id device;
    bool dialled;
    bool near; // dialled so
    char *address;
    struct lane_state lane;
    struct session *session;
    bool held;         // its HELLO waits for a probe
    int64_t doomed_ms; // refused: when it is dropped; 0: not
    struct msg_hello hello;
    bool stuck; // it takes nothing any more, its queue is full
    struct conn *next;
};

struct session {
    struct engine *engine;
    struct peer *peer;
    struct conn *lanes[2];
    uint64_t own_number;
    uint64_t other_number;
    uint64_t other_boot;
    uint64_t features; // the peer's
    bool dialled;
    bool open;            // both lanes said HELLO
    bool folders_said;    // all its OFFERs have come: so has a PONG
    bool near;            // its dialler's word
    int64_t ping_sent_ms; // 0: none on the way
    int64_t pong_by_ms;
    uint64_t ping_token;
    int64_t next_ping_ms;
    struct share *shares;
    struct offered *offers; // what the peer has said, at most PROTO_FOLDERS_MAX
    uint32_t offer_count;
    struct buf told_peers; // the last PEERS to it
    struct session *next;
};

// What we remember of a peer and a folder for longer than a session.
struct bond {
    struct device_id device;
    struct vvbox k, a;
    uint64_t need_changes, need_bytes, blocked_total;
    struct buf blocked; // the encoded APPLIED it came in, for its list
    uint64_t told;      // struct rollback
    int64_t audit_ms;   // when all was last compared, by age_now
    bool audit_due;
    uint64_t left_audit; // in which versions under used dots were left to their maker, and when
    int64_t left_ms;
    bool joined;  // it has once shown this folder
    bool joining; // its own is empty, and it is about to take this one's id
    bool unsaved;
    int64_t save_at_ms;
    struct buf token; // of an interrupted round
    bool catching;    // it is owed what it missed while it was away; the log says when that is done
    int64_t caught_from_ms;
    uint64_t caught_changes, caught_bytes;
    struct vvbox caught_k;
    bool not_carried; // it said nothing of this folder when asked
    struct bond *next;
};

// Sending side of a round.
struct serving {
    bool active;
    uint64_t round;
    struct vvbox k;
    bool catching_up;
    uint64_t inc, counter; // scan position
    uint64_t s0;
    struct map *ahead; // versions sent with their bundle before their turn; see page.c
    uint32_t page, acked;
    uint32_t control_page;  // the first by the control lane after the last marks
    uint64_t control_shows; // how often they had been shown by then
    bool ended;
};

// Receiving side.
struct pulling {
    bool active;
    uint64_t round;
    int64_t begun_ms, heard_ms;
    uint32_t contiguous; // pages ingested without a gap
    bool ahead;          // page contiguous + 2 came before contiguous + 1
    struct buf ahead_token;
    bool done_came;
    uint32_t done_pages;
    struct vvbox done_k;
    struct vvbox done_floor;
    struct vvbox dropped; // by its reconciliation: covers the versions
    bool again;
    bool reconciling;
    int64_t delayed_until_ms; // a pull that NEWS asked for
};

struct waiting_push { // a PUSH whose contents are being staged
    struct buf frame;
    size_t bytes; // with what is being staged
    bool staged;
    uint64_t ticket; // of the job that does it
    struct waiting_push *next;
};

#define ASK_DELTA (UINT32_MAX - 2)
struct ask { // one content a peer wants
    struct content content;
    uint32_t leaf; // JOB_READ_WHOLE, PROTO_LEAF_LIST, ASK_DELTA or a leaf
    uint8_t tries;
};

struct brake;
struct audit;
struct compare;
struct late;
struct delta_out;
struct waiting_want { // a WANT that waits for room
    struct buf frame;
    uint32_t at; // its first id or leaf that has not been served
    struct waiting_want *next;
};

struct peer_hold { // what a peer holds
    char brake[32];
    uint64_t changes; // 0: nothing
    struct span *spans;
    uint32_t span_count;
};

struct told { // of what is held here
    const char *brake;
    uint64_t changes;
};

struct claim { // that a life is of a device other than the one that says so
    struct owner owner;
    uint8_t *name;
};

struct share {
    struct folder *folder;
    struct session *session;
    bool offer_sent;
    bool told_paused; // in it
    bool offer_heard;
    bool compared; // the own counters that it shows with ours
    bool joined;
    bool retired; // another session is used: contents that were asked for still come
    bool pending; // same name, other id, both with items
    enum offer_state offer_state; // theirs
    struct folder_id offered_id;
    uint64_t offered_inc;
    bool offered_items;
    uint64_t offered_count, offered_bytes;
    uint64_t told_items, told_bytes; // by our last offer
    int64_t told_ms;
    struct peer_hold holds[2]; // changes of others, changes that are not published
    struct told told_holds[2];
    uint64_t approvals_sent; // up to this row
    struct vvbox said_k;     // what it said of its K in this session
    struct vvbox said_floor; // likewise
    int64_t said_ms;         // when that grew last
    struct vvbox applied_a;  // A of its last APPLIED, which says what of it is blocked
    struct vvbox told_k;
    struct vvbox shown; // highest mark shown per incarnation
    struct vvbox owners_shown;
    struct claim *claims; // not confirmed yet
    uint32_t claim_count, claim_capacity;
    uint64_t shows;      // messages that showed marks, all on the control lane
    uint64_t shows_sure; // so many of them have been received
    uint64_t pushed;
    uint64_t push_mark; // what was pushed when push_open was 0
    uint32_t push_open; // messages since
    struct serving serving;
    struct pulling pulling;
    struct waiting_push *pushes, **pushes_end;
    size_t pushes_bytes;
    bool push_dropped;             // a round gets what it had
    struct job *push_job;          // being filled, with room for push_room; NULL: none
    uint32_t push_room, push_jobs; // jobs under way
    uint64_t push_ticket;          // of the one that is being filled
    struct buf applied_sent;
    int64_t flushed_ms;
    bool news_due, applied_due;
    size_t wanted_bytes;     // asked for and not answered
    int64_t silent_until_ms; // it did not answer: nothing is asked of it before
    uint32_t silences;
    uint32_t serving_jobs; // also those whose outcome nobody waits for any more
    struct waiting_want *wants, **wants_end;
    size_t wants_bytes;
    struct late *late, **late_end; // asked for and not at hand right now
    uint32_t late_count;
    struct delta_out *deltas; // on their way to the peer
    uint64_t diffs;           // jobs that were ever begun for them
    struct audit *asking, *answering;
    struct compare *compare; // NULL: not asked for
    int64_t audit_at_ms;
    struct share *next;
};

#endif
