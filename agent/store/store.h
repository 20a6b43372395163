// SPDX-License-Identifier: MIT
//
// agent/store/store — the index: one SQLite file (WAL, synchronous=FULL, strict tables).
//
// One writer, one thread. All calls but the opening ones remember their first error: inside a
// transaction reads after an error find nothing, writes do nothing, and store_commit reports it and
// rolls back. Arrays in results live on the arena handed in. docs/STORAGE.md has the schema.
#ifndef AGENT_STORE_STORE_H
#define AGENT_STORE_STORE_H

#include "agent/base/err.h"
#include "agent/core/index.h"
#include "proto/message.h"

struct store;

// `path` NULL: in memory. CONFIG: made by a newer program; CORRUPT; ACCESS; IO. The file and its
// -wal and -shm are 0600 from the moment they exist.
enum err store_open(const char *path, struct store **out, struct fault *fault) MUST_USE;
void store_close(struct store **store);
// In memory, outside a transaction; for tests.
struct store *store_copy(const struct store *store);
// In memory, for tests: as it was when it was opened, but that its statements stay prepared.
void store_clear(struct store *store);
#define STORE_SCHEMA_VERSION 5

// Looks through the whole file, beside an agent that may have it open. CORRUPT, with what is wrong
// in *out_problem: damaged, or not to be read.
enum err store_inspect(const char *path, struct buf *out_problem) MUST_USE;
const char *store_library(void); // SQLite's version

void store_begin(struct store *store);
enum err store_commit(struct store *store) MUST_USE;
void store_rollback(struct store *store);
// The error remembered outside a transaction, and forgets it.
enum err store_error(struct store *store);
// Whether something was not read outside a transaction, and looked as if it was not there. Forgets
// it.
bool store_unread(struct store *store);

// ---- the index as a whole
bool store_meta_get(struct store *store, struct arena *arena, const char *key,
                    struct slice *out_value);
void store_meta_put(struct store *store, const char *key, struct slice value);

// ---- folders. `folder` below is the number given here, stable while the folder exists.
bool store_folder_get(struct store *store, struct arena *arena, struct slice name,
                      struct folder_row *out);
// Inserts (row->folder == 0; set on return) or updates id, inc, nonce, counter, base, flags,
// witness. Not the counts or seq.
void store_folder_put(struct store *store, struct folder_row *row);
void store_folders_renew(struct store *store); // sets `renew` of all
void store_folder_remove(struct store *store, uint32_t folder);
// Empties everything of the folder but its row, its marks and its owners (a new life under another
// id removes these, too: with_marks).
void store_folder_clear(struct store *store, uint32_t folder, bool with_marks);
// Fresh numbers of one folder.
bool store_folder_reload(struct store *store, struct arena *arena, uint32_t folder,
                         struct folder_row *out);

// ---- items
// Always fills *out (path set, no heads, LOCAL_NONE when not stored).
void store_item_get(struct store *store, struct arena *arena, uint32_t folder, struct slice path,
                    struct item *out);
// Writes heads, local, blocked, need, own_last; maintains dots, counts and, if heads_changed,
// raises seq. An item without heads and with LOCAL_NONE is deleted.
void store_item_put(struct store *store, uint32_t folder, struct item *item, bool heads_changed);

// Up to `max` items in tree order strictly after `after` (empty with from_start: from the first),
// at or below `prefix` when that is not empty. Full records.
uint32_t store_items_after(struct store *store, struct arena *arena, uint32_t folder,
                           struct slice prefix, struct slice after, bool from_start, uint32_t max,
                           struct item *out);
// Any live head strictly below / any local with a non-tombstone strictly below.
bool store_live_below(struct store *store, uint32_t folder, struct slice path);
bool store_local_below(struct store *store, uint32_t folder, struct slice path);
// Paths of live items strictly below, up to max.
uint32_t store_live_paths_below(struct store *store, struct arena *arena, uint32_t folder,
                                struct slice path, uint32_t max, struct slice *out);
// Live conflict items that were made of the path.
uint32_t store_conflicts_of(struct store *store, struct arena *arena, uint32_t folder,
                            struct slice path, uint32_t max, struct slice *out);

// An item whose local (LOCAL_OK, LOCAL_OBSOLETE) has this content; *after (may be empty) to see the
// next one.
bool store_local_by_content(struct store *store, struct arena *arena, uint32_t folder,
                            const struct digest *content, struct slice after, struct item *out);

// Items with a dot (inc, n), after < n <= upto, in order of n. Up to max.
uint32_t store_dots_after(struct store *store, struct arena *arena, uint32_t folder, uint64_t inc,
                          uint64_t after, uint64_t upto, uint32_t max, struct path_row *out);
// Items whose heads changed with seq > after, in order of seq.
uint32_t store_seq_after(struct store *store, struct arena *arena, uint32_t folder, uint64_t after,
                         uint32_t max, struct path_row *out);
// The same with seq < before, the highest first.
uint32_t store_seq_before(struct store *store, struct arena *arena, uint32_t folder,
                          uint64_t before, uint32_t max, struct path_row *out);
// Unblocked needs in tree order strictly after `after` (from_start: from the first).
uint32_t store_needs_after(struct store *store, struct arena *arena, uint32_t folder,
                           struct slice after, bool from_start, uint32_t max, struct slice *out);
// Blocked items (any need with a reason), tombstones first, then tree order; only those with
// `reason` unless BLOCKED_NONE; from the one behind the first `skip` on.
uint32_t store_blocked(struct store *store, struct arena *arena, uint32_t folder,
                       enum blocked reason, uint32_t skip, uint32_t max, struct slice *out);
// Smallest counter of inc among dots of unblocked needs.
bool store_need_min(struct store *store, uint32_t folder, uint64_t inc, uint64_t *out);
// Incarnations among dots of unblocked needs.
uint32_t store_need_incs(struct store *store, uint32_t folder, uint32_t max, uint64_t *out);
// How many items have a dot not covered by k, and the bytes of their live heads; counts at most
// `max` items (0: all). Costs what is owed.
void store_owed(struct store *store, uint32_t folder, struct vv k, uint64_t max,
                uint64_t *out_changes, uint64_t *out_bytes);
// Every incarnation that has a dot among the heads.
uint32_t store_dot_incs(struct store *store, struct arena *arena, uint32_t folder, uint64_t **out);

// What was minted here was minted by another life: no item has an own_last.
void store_own_forget(struct store *store, uint32_t folder);
// Items of which only tombstones are known: those that have become so since the last call are noted
// with this time.
void store_tombs_note(struct store *store, uint32_t folder, int64_t now_ms);
// Of them those noted at noted_ms or before; `counter` of a row is where to go on after.
uint32_t store_tombs_after(struct store *store, struct arena *arena, uint32_t folder,
                           int64_t noted_ms, uint64_t after, uint32_t max, struct path_row *out);
// A needed item whose content is sought in vain: since when, noted once, or (0) not any more. Goes
// by itself when it is not needed any more, or something else is known of it.
void store_sought_note(struct store *store, uint32_t folder, struct slice path, int64_t since_ms);
int64_t store_sought_since(struct store *store, uint32_t folder, struct slice path); // 0: it is not
// In tree order, `counter` of a row is since when.
uint32_t store_sought(struct store *store, struct arena *arena, uint32_t folder, struct slice after,
                      uint32_t max, struct path_row *out);

// ---- knowledge
struct vv store_k(struct store *store, struct arena *arena, uint32_t folder);
void store_k_set(struct store *store, uint32_t folder,
                 struct dot entry); // any value; raising is the caller's duty
struct vv store_gcfloor(struct store *store, struct arena *arena, uint32_t folder);
void store_gcfloor_put(struct store *store, uint32_t folder, struct vv floor);

// ---- owners and marks. Of each of the last INDEX_MARK_EPOCHS epochs of an incarnation the highest
// mark is kept.
bool store_owner_get(struct store *store, struct arena *arena, uint32_t folder, uint64_t inc,
                     struct owner *out);
void store_owner_put(struct store *store, uint32_t folder, const struct owner *owner);
uint32_t store_owner_count(struct store *store, uint32_t folder);
uint32_t store_owner_count_of(struct store *store, uint32_t folder, struct device_id device);
bool store_mark_get(struct store *store, uint32_t folder, uint64_t inc,
                    struct mark *out); // the highest
// Highest counter first.
uint32_t store_marks(struct store *store, uint32_t folder, uint64_t inc, uint32_t max,
                     struct mark *out);
// Of all incarnations of a device, highest counter first.
uint32_t store_marks_of(struct store *store, uint32_t folder, struct device_id device, uint32_t max,
                        struct mark *out);
void store_mark_put(struct store *store, uint32_t folder,
                    const struct mark *mark); // ignored unless higher

// ---- approvals, oldest first; the newest PROTO_APPROVALS_MAX of a folder are kept.
bool store_approval_put(struct store *store, uint32_t folder, const struct approval_row *row);
uint32_t store_approvals(struct store *store, struct arena *arena, uint32_t folder, uint64_t after,
                         uint32_t max, struct approval_row *out);

// ---- incarnations that ended before their time. Put twice, the first one stays.
void store_rollback_put(struct store *store, uint32_t folder, const struct rollback *rollback);
// `fresh` 0: any.
bool store_rollback_has(struct store *store, uint32_t folder, uint64_t old, uint64_t fresh);
uint32_t store_rollbacks_after(struct store *store, uint32_t folder, uint64_t after, uint32_t max,
                               struct rollback *out);

// ---- what peers said (device key -> K, A, blocked list, needs)
bool store_peer_get(struct store *store, struct arena *arena, uint32_t folder,
                    struct device_id device, struct peer_row *out);
void store_peer_put(struct store *store, uint32_t folder, struct device_id device,
                    const struct peer_row *row);
void store_peer_remove(struct store *store, struct device_id device); // in every folder

// ---- journal of disk steps under way
uint64_t store_journal_add(struct store *store, uint32_t folder, struct slice record); // its number
void store_journal_remove(struct store *store, uint32_t folder, uint64_t number);
uint32_t store_journal_list(struct store *store, struct arena *arena, uint32_t folder, uint32_t max,
                            struct journal_row *out);

// ---- kept versions; see struct kept_row
void store_kept_add(struct store *store, uint32_t folder, const struct kept_row *row);
bool store_kept_by_content(struct store *store, struct arena *arena, uint32_t folder,
                           const struct digest *content, struct slice *out_file);
bool store_kept_get(struct store *store, struct arena *arena, uint32_t folder, uint64_t number,
                    struct kept_row *out);
bool store_kept_by_file(struct store *store, struct arena *arena, uint32_t folder,
                        struct slice file, struct kept_row *out);
// Another version of the row's path is in its file now; its place in the order and its batch stay.
void store_kept_put(struct store *store, uint32_t folder, uint64_t number,
                    const struct version *version);
void store_kept_remove(struct store *store, uint32_t folder, uint64_t number);
// Rows with a file, newest first, of the path and what is below it (empty: all), with numbers below
// `before` (at most INT64_MAX).
uint32_t store_kept_list(struct store *store, struct arena *arena, uint32_t folder,
                         struct slice path, uint64_t before, uint32_t max, struct kept_row *out);
// The same of the path alone, at the cost of what is returned.
uint32_t store_kept_of(struct store *store, struct arena *arena, uint32_t folder, struct slice path,
                       uint64_t before, uint32_t max, struct kept_row *out);
// Rows with a file, oldest first, with numbers above `after`.
uint32_t store_kept_oldest(struct store *store, struct arena *arena, uint32_t folder,
                           uint64_t after, uint32_t max, struct kept_row *out);
uint64_t store_kept_batch_last(struct store *store, uint32_t folder); // 0: none
// Forgets the rows without a file: only the last batch can be undone.
void store_kept_batch_begin(struct store *store, uint32_t folder);
// Newest first, with numbers below `before`; cheap for the last batch alone.
uint32_t store_kept_batch(struct store *store, struct arena *arena, uint32_t folder, uint64_t batch,
                          uint64_t before, uint32_t max, struct kept_row *out);
uint64_t store_kept_bytes(struct store *store, uint32_t folder);

// ---- leaf lists of large contents that are or were on this disk
void store_leaves_put(struct store *store, uint32_t folder, const struct content *content,
                      const struct digest *leaves, uint32_t count);
bool store_leaves_get(struct store *store, struct arena *arena, uint32_t folder,
                      const struct content *content, struct digest **out, uint32_t *out_count);

// A row of the journal: steps and flags in a form of this room's own, for apply and recover.
struct job_apply;
void journal_encode(const struct job_apply *apply, struct buf *out);
enum err journal_decode(struct arena *arena, struct slice record, struct job_apply *out) MUST_USE;

#endif
