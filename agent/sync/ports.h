// SPDX-License-Identifier: MIT
//
// agent/sync/ports — the only ways by which the engine reaches the world.
//
// Tables of functions over types that others define: `struct store` is agent/store's or a test's,
// `struct workers` is the daemon's pool or a simulated disk, `struct net` is agent/net's or a
// simulated one. Each slot has the contract of the function of that name in the room that usually
// fills it.
#ifndef AGENT_SYNC_PORTS_H
#define AGENT_SYNC_PORTS_H

#include "agent/core/item.h"
#include "agent/core/job.h"
#include "proto/message.h"

struct store;
struct workers;
struct net;
struct identity;
struct folder_row;
struct path_row;
struct peer_row;
struct journal_row;
struct kept_row;
struct approval_row;
struct rollback;

// ---- the index: see agent/core/index.h for the rows and agent/store/store.h for each function.
struct index_port {
    struct store *self;
    void (*begin)(struct store *);
    enum err (*commit)(struct store *) MUST_USE;
    void (*rollback)(struct store *);
    bool (*unread)(struct store *);
    bool (*folder_get)(struct store *, struct arena *, struct slice name, struct folder_row *out);
    void (*folder_put)(struct store *, struct folder_row *);
    void (*folder_remove)(struct store *, uint32_t folder);
    void (*folder_clear)(struct store *, uint32_t folder, bool with_marks);
    bool (*folder_reload)(struct store *, struct arena *, uint32_t folder, struct folder_row *out);
    void (*item_get)(struct store *, struct arena *, uint32_t folder, struct slice path,
                     struct item *out);
    void (*item_put)(struct store *, uint32_t folder, struct item *, bool heads_changed);
    uint32_t (*items_after)(struct store *, struct arena *, uint32_t folder, struct slice prefix,
                            struct slice after, bool from_start, uint32_t max, struct item *out);
    bool (*live_below)(struct store *, uint32_t folder, struct slice path);
    bool (*local_below)(struct store *, uint32_t folder, struct slice path);
    uint32_t (*live_paths_below)(struct store *, struct arena *, uint32_t folder, struct slice path,
                                 uint32_t max, struct slice *out);
    uint32_t (*conflicts_of)(struct store *, struct arena *, uint32_t folder, struct slice path,
                             uint32_t max, struct slice *out);
    bool (*local_by_content)(struct store *, struct arena *, uint32_t folder,
                             const struct digest *content, struct slice after, struct item *out);
    uint32_t (*dots_after)(struct store *, struct arena *, uint32_t folder, uint64_t inc,
                           uint64_t after, uint64_t upto, uint32_t max, struct path_row *out);
    uint32_t (*seq_after)(struct store *, struct arena *, uint32_t folder, uint64_t after,
                          uint32_t max, struct path_row *out);
    uint32_t (*seq_before)(struct store *, struct arena *, uint32_t folder, uint64_t before,
                           uint32_t max, struct path_row *out);
    uint32_t (*needs_after)(struct store *, struct arena *, uint32_t folder, struct slice after,
                            bool from_start, uint32_t max, struct slice *out);
    uint32_t (*blocked)(struct store *, struct arena *, uint32_t folder, enum blocked reason,
                        uint32_t skip, uint32_t max, struct slice *out);
    bool (*need_min)(struct store *, uint32_t folder, uint64_t inc, uint64_t *out);
    uint32_t (*need_incs)(struct store *, uint32_t folder, uint32_t max, uint64_t *out);
    void (*owed)(struct store *, uint32_t folder, struct vv k, uint64_t max, uint64_t *out_changes,
                 uint64_t *out_bytes);
    uint32_t (*dot_incs)(struct store *, struct arena *, uint32_t folder, uint64_t **out);
    struct vv (*k)(struct store *, struct arena *, uint32_t folder);
    void (*k_set)(struct store *, uint32_t folder, struct dot entry);
    struct vv (*gcfloor)(struct store *, struct arena *, uint32_t folder);
    void (*gcfloor_put)(struct store *, uint32_t folder, struct vv floor);
    bool (*owner_get)(struct store *, struct arena *, uint32_t folder, uint64_t inc,
                      struct owner *out);
    void (*owner_put)(struct store *, uint32_t folder, const struct owner *);
    uint32_t (*owner_count)(struct store *, uint32_t folder);
    uint32_t (*owner_count_of)(struct store *, uint32_t folder, struct device_id device);
    bool (*mark_get)(struct store *, uint32_t folder, uint64_t inc, struct mark *out);
    uint32_t (*marks)(struct store *, uint32_t folder, uint64_t inc, uint32_t max,
                      struct mark *out);
    uint32_t (*marks_of)(struct store *, uint32_t folder, struct device_id device, uint32_t max,
                         struct mark *out);
    void (*mark_put)(struct store *, uint32_t folder, const struct mark *);
    bool (*approval_put)(struct store *, uint32_t folder, const struct approval_row *);
    uint32_t (*approvals)(struct store *, struct arena *, uint32_t folder, uint64_t after,
                          uint32_t max, struct approval_row *out);
    void (*own_forget)(struct store *, uint32_t folder);
    void (*tombs_note)(struct store *, uint32_t folder, int64_t now_ms);
    uint32_t (*tombs_after)(struct store *, struct arena *, uint32_t folder, int64_t noted_ms,
                            uint64_t after, uint32_t max, struct path_row *out);
    void (*sought_note)(struct store *, uint32_t folder, struct slice path, int64_t since_ms);
    int64_t (*sought_since)(struct store *, uint32_t folder, struct slice path);
    uint32_t (*sought)(struct store *, struct arena *, uint32_t folder, struct slice after,
                       uint32_t max, struct path_row *out);
    void (*rollback_put)(struct store *, uint32_t folder, const struct rollback *);
    bool (*rollback_has)(struct store *, uint32_t folder, uint64_t old, uint64_t fresh);
    uint32_t (*rollbacks_after)(struct store *, uint32_t folder, uint64_t after, uint32_t max,
                                struct rollback *out);
    bool (*peer_get)(struct store *, struct arena *, uint32_t folder, struct device_id,
                     struct peer_row *out);
    void (*peer_put)(struct store *, uint32_t folder, struct device_id, const struct peer_row *);
    uint64_t (*journal_add)(struct store *, uint32_t folder, struct slice record);
    void (*journal_remove)(struct store *, uint32_t folder, uint64_t number);
    uint32_t (*journal_list)(struct store *, struct arena *, uint32_t folder, uint32_t max,
                             struct journal_row *out);
    void (*kept_add)(struct store *, uint32_t folder, const struct kept_row *);
    bool (*kept_get)(struct store *, struct arena *, uint32_t folder, uint64_t number,
                     struct kept_row *out);
    bool (*kept_by_file)(struct store *, struct arena *, uint32_t folder, struct slice file,
                         struct kept_row *out);
    void (*kept_put)(struct store *, uint32_t folder, uint64_t number, const struct version *);
    void (*kept_remove)(struct store *, uint32_t folder, uint64_t number);
    uint32_t (*kept_list)(struct store *, struct arena *, uint32_t folder, struct slice path,
                          uint64_t before, uint32_t max, struct kept_row *out);
    uint32_t (*kept_of)(struct store *, struct arena *, uint32_t folder, struct slice path,
                        uint64_t before, uint32_t max, struct kept_row *out);
    uint32_t (*kept_oldest)(struct store *, struct arena *, uint32_t folder, uint64_t after,
                            uint32_t max, struct kept_row *out);
    uint64_t (*kept_batch_last)(struct store *, uint32_t folder);
    void (*kept_batch_begin)(struct store *, uint32_t folder);
    uint32_t (*kept_batch)(struct store *, struct arena *, uint32_t folder, uint64_t batch,
                           uint64_t before, uint32_t max, struct kept_row *out);
    uint64_t (*kept_bytes)(struct store *, uint32_t folder);
    bool (*kept_by_content)(struct store *, struct arena *, uint32_t folder,
                            const struct digest *content, struct slice *out_file);
    void (*leaves_put)(struct store *, uint32_t folder, const struct content *,
                       const struct digest *leaves, uint32_t count);
    bool (*leaves_get)(struct store *, struct arena *, uint32_t folder, const struct content *,
                       struct digest **out, uint32_t *out_count);
    bool (*meta_get)(struct store *, struct arena *, const char *key, struct slice *out_value);
    void (*meta_set)(struct store *, const char *key, struct slice value);
    void (*journal_encode)(const struct job_apply *, struct buf *out);
    enum err (*journal_decode)(struct arena *, struct slice record, struct job_apply *out) MUST_USE;
};

// ---- the disk: jobs go out, and come back by engine_job_done, in any order.
struct disk_port {
    struct workers *self;
    void (*submit)(struct workers *, struct job *); // takes the job
    // Whether a path is left out here: static text, or NULL. *out_secret: it only looks like a
    // secret, which holds it back from being published, not from being received. Quick: by the
    // rules that the last JOB_HEALTH has read.
    const char *(*ignored)(struct workers *, uint32_t folder, struct slice path, bool is_dir,
                           bool *out_secret);
};

// ---- the wire
struct net_port {
    struct net *self;
    enum err (*send)(struct net *, uint64_t conn, struct slice bytes) MUST_USE;
    size_t (*queued)(const struct net *, uint64_t conn);
    void (*drop)(struct net *, uint64_t conn);
};

// ---- keys and chance
struct key_port {
    const struct identity *self;
    void (*sign)(const struct identity *, struct folder_id, struct mark *);
    bool (*verify)(struct device_id, struct folder_id, const struct mark *);
    struct approval (*approve)(const struct identity *, struct folder_id, struct span);
    bool (*approved)(struct folder_id, const struct approval *); // its signature is its signer's
    void (*random)(void *out, size_t size);
};

// ---- what the engine tells its owner, at any time during a call into it; must not call back.
struct sync_result;
struct verify_result;
struct decision_result;
struct abandon_result;
struct bench_result;
struct notify_port {
    void *context;
    void (*sync_done)(void *context, uint64_t ticket, const struct sync_result *);
    void (*verified)(void *context, uint64_t ticket, const struct verify_result *);
    void (*abandoned)(void *context, uint64_t ticket, const struct abandon_result *);
    void (*measured)(void *context, uint64_t ticket, const struct bench_result *);
    void (*decided)(void *context, uint64_t ticket, const struct decision_result *);
    void (*folder_id)(void *context, struct slice name,
                      struct folder_id id); // drawn or adopted: to be kept in the registry
    void (*changed)(void *context);         // something that status shows has changed
    // For /v1/events and the log of what happened. `json` is one object.
    void (*event)(void *context, const char *name, struct slice json);
    void (*dial)(void *context, struct device_id device); // try now, forget the back-off
};

#endif
