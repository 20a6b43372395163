// SPDX-License-Identifier: MIT
//
// What the engine's files call of each other; the structs are in engine_priv.h.
#ifndef AGENT_SYNC_CALLS_PRIV_H
#define AGENT_SYNC_CALLS_PRIV_H

#include "agent/sync/engine_priv.h"

struct problem; // problems.c

// ---- engine.c
void vvbox_set(struct vvbox *box, struct vv v);
void vvbox_raise(struct vvbox *box, struct dot d);
void vvbox_fini(struct vvbox *box);
void engine_changed(struct engine *engine);
struct peer *peer_find(struct engine *engine, struct device_id device);
struct folder *folder_by_number(struct engine *engine, uint32_t number);
struct folder *folder_by_id(struct engine *engine, struct folder_id id);
struct folder *folder_by_name(struct engine *engine, struct slice name);
bool folder_id_equal(struct folder_id a, struct folder_id b);
bool folder_shared_with(const struct folder *folder, struct device_id device);
struct slice content_key(const struct content *content, uint8_t out[40]);
void content_of_key(struct slice key, struct content *out);
void submit(struct folder *folder, struct job *job);

// ---- txn.c: transactions of one folder, and everything that changes an item
void txn_begin(struct folder *folder);
enum err
txn_end(struct folder *folder) MUST_USE; // signs the mark, commits; on failure memory is reloaded
void txn_undo(struct folder *folder);    // what was done since txn_begin
void folder_reload(struct folder *folder);
void item_save(struct folder *folder, struct item *item, bool heads_changed, bool was_live);
bool item_refresh_need(struct folder *folder, struct item *item);
// A new version of item from `from` (value, birth unless wall 0, parent, flags, ...): draws the
// dot, joins heads, makes it local. False: INV-OwnChain would break.
bool item_mint(struct folder *folder, struct item *item, const struct version *from,
               struct vv context, const struct fingerprint *print, struct dots bundle);
struct dot folder_draw(struct folder *folder);
void k_raise(struct folder *folder, struct dot entry);
void floor_raise(struct folder *folder, struct vv v);

void txn_submit(struct folder *folder, struct job *job); // goes out when the transaction is durable

// ---- folder.c
void folder_check_root(struct folder *folder);
void witness_renew(struct folder *folder);  // if the root is there
void folder_recover(struct folder *folder); // a group ended in doubt: the journal decides
void folder_health_done(struct folder *folder, struct job *job);
void folder_recover_go_on(struct folder *folder); // what waited for steps under way
void folder_recover_done(struct folder *folder, struct job *job);
void folder_tick(struct folder *folder);
int64_t folder_deadline(const struct folder *folder);
void folder_set_root_missing(struct folder *folder, const char *what);
bool folder_usable(const struct folder *folder); // root there, not about to turn
bool folder_start_life(struct folder *folder, struct folder_id id, bool first, bool write_marker);
void folder_destroy(struct folder *folder);

// ---- unsettled.c: what could not be looked at in time
enum unsettled { UNSETTLED_CRASH = 1, UNSETTLED_DOUBT = 2, UNSETTLED_FIRST = 4 };
// That is over for all but what is still to be looked at, and what could not be. False: those are
// more than can be remembered, and it had better not be over.
bool unsettled_note(struct folder *folder, enum unsettled what);
bool is_unsettled(const struct folder *folder, struct slice path, enum unsettled what);
void unsettled_unread(struct folder *folder, struct slice path); // it could not be looked at
void unsettled_looked(struct folder *folder, struct slice path); // and the index has what it is
void unsettled_walked(struct folder *folder);                    // by the walk that ends
void unsettled_load(struct folder *folder);
void unsettled_write(struct folder *folder); // with the transaction that ends
void unsettled_written(struct folder *folder);

// ---- problems.c: what of the tree cannot be read or be an item
void problem_note(struct folder *folder, struct slice path, enum err err, const char *what);
void problem_clear(struct folder *folder, struct slice path, bool is_dir); // it could be read
void problems_drop(struct folder *folder, struct slice prefix);
enum blocked problem_blocked(const struct problem *problem); // NONE: it is only not synced
const char *problem_what(const struct problem *problem);
void problems_later(struct folder *folder);
void problems_tick(struct folder *folder); // tries to read what could not be read
int64_t problems_deadline(const struct folder *folder);

// ---- rules.c: what is left out
void rules_check(struct folder *folder);                    // read them again
void rules_read(struct folder *folder, const struct job *); // a JOB_HEALTH has
void rules_tick(struct folder *folder);
bool rules_is_file(struct slice path);
bool rules_unsure(const struct folder *folder);  // nothing is looked at meanwhile
bool rules_settled(const struct folder *folder); // none are to be read again
void rules_item_saved(struct folder *folder, const struct item *item);
bool rules_come_first(struct folder *folder, struct slice path);
// A file that looks like a secret is left out here though no rule says so; one of others is not.
enum left_out { LEFT_OUT_NOT, LEFT_OUT_BY_RULE, LEFT_OUT_AS_SECRET };
enum left_out left_out(const struct folder *folder, struct slice path, bool is_dir);
enum look_verdict { LOOK_SETTLED, LOOK_AGAIN_LATER };

// ---- brake*.c, approvals.c, holds.c: what waits for a person
void brake_open(struct folder *folder);
void brake_close(struct folder *folder);
void brake_clear(struct folder *folder); // another life
void brake_txn_begin(struct folder *folder);
void brake_txn_undone(struct folder *folder);
void brake_set(struct folder *folder, const struct engine_brake *limits);
void brake_tick(struct folder *folder);
int64_t brake_deadline(const struct folder *folder);
bool brake_has(const struct folder *folder, struct slice path); // a change found here waits
bool brake_counting(const struct folder *folder);               // some are not decided yet
uint64_t brake_held(const struct folder *folder);               // found here
uint64_t brake_in_held(const struct folder *folder);            // of others
const char *brake_code(const struct folder *folder);            // "": nothing is held
const char *brake_in_text(const struct folder *folder);         // of others; "": nothing is held
const char *brake_of(const struct folder *folder, struct slice path); // NULL: not held
// A look at a path, in this order.
bool brake_look_begin(struct folder *folder, struct slice path); // true: it was waiting
bool brake_gone(struct folder *folder, const struct item *item); // true: it waits, as below
bool brake_gone_with(struct folder *folder, struct slice path);  // a directory, and its content
bool brake_changed(struct folder *folder, const struct item *item, const struct look *look);
bool brake_below(struct folder *folder, const struct look *look); // what was below it is gone
void brake_look_end(struct folder *folder, struct slice path, enum look_verdict verdict);
void brake_publish(struct folder *folder);   // at the end of the transaction
void brake_published(struct folder *folder); // after it, before the pushes
void brake_minting(struct folder *folder);
void brake_scan_begin(struct folder *folder);
void brake_scan_present(struct folder *folder, const struct item *item,
                        const struct scan_entry *entry);
void brake_item_saved(struct folder *folder, const struct item *item);
void brake_undone(struct folder *folder);
bool brake_lets_in(struct folder *folder, struct slice path);
void brake_decide(struct folder *folder, uint64_t ticket, bool approves);
void brake_decide_cancel(struct folder *folder, uint64_t ticket);
void brake_decide_end(struct folder *folder, enum err err, const char *what); // if there is one
void brake_sign(struct folder *folder, uint64_t first, uint64_t last);        // own counters
void brake_signed(struct folder *folder);
void approvals_open(struct folder *folder);
void approvals_review(struct engine *engine);                         // others are believed now
void approvals_trust(struct engine *engine, struct device_id device); // it is a peer again
bool device_distrusted(const struct engine *engine, struct device_id device);
void approvals_send(struct share *share);
void approvals_handle(struct share *share, const struct msg_approvals *approvals);
void holds_show(struct share *share);
void holds_forget(struct share *share);
void hold_handle(struct share *share, const struct msg_hold *hold);

// ---- reinc.c: a new incarnation of the same index
void reinc_want(struct folder *folder, const char *why); // as soon as no job is under way
bool reinc_allowed(struct folder *folder);               // once a day, for what is no proof
bool reinc_wanted(const struct folder *folder);
void reinc_step(struct folder *folder);
bool in_doubt(const struct folder *folder, struct slice path);
bool doubt_older(const struct folder *folder, const struct item *item,
                 const struct fingerprint *print); // it is no edit of what the index says
void doubt_step(struct folder *folder); // that something is gone may mean something again
int64_t reinc_deadline(const struct folder *folder);
// Now: the old one ends at `end`, whatever was drawn above it is drawn again. False: not written.
bool reinc_now(struct folder *folder, uint64_t end, const char *why);
void folder_met(struct folder *folder); // a peer's counters were compared with ours
void rollbacks_tell(struct share *share);
void rollback_handle(struct share *share, const struct msg_rollback *rollback);
bool rolled_back(struct folder *folder, uint64_t inc);
struct vv k_beyond_ends(struct folder *folder);

// ---- collide.c: two different things under one dot
// Inside a transaction, before w is stored. True: it is evidence against this index.
bool collision_is_evidence(struct folder *folder, const struct item *item, const struct version *w);
bool collision_of(struct folder *folder, const struct version *w, struct device_id maker);
bool collision_elsewhere(struct folder *folder, const struct version *w); // on another path

// ---- audit.c: all that two peers have is compared
enum audit_result { AUDIT_DONE, AUDIT_MOVED };
struct audit_report {
    enum audit_result result;
    uint64_t items; // here
    uint64_t moved; // versions that came here though K covered them
    uint64_t given; // items that the other lacked something of
};
void audit_start(struct share *share, bool reconcile);
bool audit_possible(const struct share *share); // both know the same, and nothing is under way
void audit_soon(struct share *share);
void audits_drop(struct share *share);
void audits_tick(struct share *share);
int64_t audits_deadline(const struct share *share);
void ranges_handle(struct share *share, const struct msg_ranges *ranges);
// ---- forget.c
void forget_tick(struct folder *folder);
int64_t forget_deadline(const struct folder *folder);
// ---- verify.c
void verify_note(struct share *share, const struct audit_report *report);
void verifies_check(struct engine *engine);
int64_t verifies_deadline(const struct engine *engine);
void verifies_destroy(struct engine *engine);
void verifies_forget(struct folder *folder);
// For abandon_compared, with the peers that can be reached now.
void verify_for(struct folder *folder, struct abandon *abandon, int64_t timeout_ms);
void verify_drop(struct engine *engine, const struct abandon *abandon);

// ---- orphans.c, abandon.c: contents that nobody has
bool head_missing(const struct folder *folder, const struct item *item, const struct version *head);
const struct version *orphan_head(const struct folder *folder, const struct item *item); // NULL
// At most `max`, in tree order.
// `due`: only those that have been sought for so long that they count.
uint32_t orphans_of(struct folder *folder, struct arena *arena, bool due, uint32_t max,
                    struct orphan *out);
bool orphan_of(struct folder *folder, struct arena *arena, struct slice path, struct orphan *out);
const char *orphan_sought(struct arena *arena, const struct orphan *orphan); // for how long
void orphans_note(struct folder *folder); // not inside a transaction
void abandon_compared(struct abandon *abandon, bool all);
void abandons_check(struct engine *engine);
int64_t abandons_deadline(const struct engine *engine);
void abandons_destroy(struct engine *engine);
void abandons_forget(struct folder *folder);

// ---- session.c
struct conn *session_conn(struct engine *engine, uint64_t id);
bool session_stuck(const struct session *session); // to be ended: it reads nothing any more
bool session_send(struct session *session, enum lane lane, struct message *message);
void session_end(struct session *session, enum bye_code code, const char *text);
// The peer broke a rule: `what` goes to the log and to the peer.
void session_refuse(struct session *session, const char *what);
void session_tick(struct session *session);
struct session *peer_session(struct engine *engine, struct device_id device);

// ---- hello.c: the same device twice
void hello_handle(struct engine *engine, struct conn *conn, const struct msg_hello *hello);
void hello_probed(struct session *session, uint64_t token); // a PONG came
void hello_refused(struct engine *engine, struct peer *peer, const struct msg_bye *bye);
void hellos_tick(struct engine *engine);
int64_t hellos_deadline(const struct engine *engine);

// ---- share.c: owners, marks, NEWS, APPLIED
void share_join(struct share *share, const struct msg_offer *offer);
struct share *share_find(struct session *session, const struct folder *folder);
bool share_any_joined(const struct folder *folder); // somebody could be asked for a content
struct share *share_get(struct session *session, struct folder *folder);
void share_destroy(struct share *share);
void share_start_anew(struct share *share); // what was said so far was said of another life
void share_retire(struct share *share);     // in a spare session: contents asked for still come
bool share_ready(const struct share *share);
void share_due(struct folder *folder); // K or A may have changed
void share_needs_changed(struct folder *folder);
void share_flush(struct share *share, bool force);
int64_t share_deadline(const struct share *share);
void news_handle(struct share *share, const struct msg_news *news);
void applied_handle(struct share *share, const struct msg_applied *applied);
uint64_t sum_shown(uint64_t sum); // applied.c
void applied_send(struct share *share);
struct vv folder_applied(struct folder *folder, struct arena *arena);
struct bond *bond_get(struct folder *folder, struct device_id device);
void bond_join(struct folder *folder, struct device_id device); // it has the folder
void bond_destroy(struct bond **bond);
void bond_save(struct folder *folder, struct bond *bond);
void share_said_k(struct share *share, struct vv k, bool replace);
void share_check_caught(struct share *share);

// ---- epochs.c
void epochs_load(struct folder *folder); // memory is what the index says
void epoch_begin(struct folder *folder); // something is minted; inside a transaction
struct mark own_mark(const struct folder *folder, struct dot own);
bool own_epoch(const struct folder *folder, const struct mark *mark); // an own one: of our history
// The counter up to which the history that made this own mark can be ours: nothing above it is. Of
// several such marks the lowest counts. UINT64_MAX: it does not say.
uint64_t own_sound(const struct folder *folder, const struct mark *mark);
uint64_t epoch_counter(const struct folder *folder, uint64_t inc, uint64_t epoch); // 0: not known
bool epoch_contradicted(const struct folder *folder, const struct mark *mark); // by one kept here
bool epoch_has_room(const struct folder *folder, const struct mark *mark);     // it would be kept
void epochs_to_show(struct share *share, struct vv k, struct marks *marks);
// All that is kept of it goes to its owner, who may be the one who does not know it, though he may
// have shown the last of it; if he is not there, with the next tick to everyone.
void epochs_pass_on(struct folder *folder, uint64_t inc);
void epochs_tick(struct folder *folder);
int64_t epochs_deadline(const struct folder *folder);

// ---- marks.c
bool inc_is_of(struct folder *folder, uint64_t inc, struct device_id device); // it is known to be
const struct marks *marks_of(const struct message *m);
void own_told(struct folder *folder, const struct mark *mark); // it is about to leave
struct vv own_hidden(struct share *share, struct vv v);        // without what is not to be told yet
struct marks marks_to_show(struct share *share, struct arena *arena, struct vv vv);
struct vv versions_vv(struct arena *arena, const struct versions *versions, struct vv also);
// What of `vv` our marks bear out: no unknown incarnations, no counters above their marks.
struct vv marked_part(struct folder *folder, struct vv vv);
void owners_show(struct share *share, struct vv vv); // sends OWNERS for what was not shown
void marks_write(struct folder *folder);             // those learned since, inside a transaction
void marks_written(struct folder *folder);           // it is durable
void marks_reload(struct folder *folder); // memory is what the index says, and what was learned
void marks_show(struct share *share, struct vv a); // those that APPLIED needs
// A message that is dropped: its sender shows each mark once in a session, listened to or not.
void marks_of_dropped(struct session *session, struct folder *folder, const struct message *m);
// False: the session was ended, or the share waits for a new incarnation of this index.
bool marks_learn(struct share *share, const struct marks *marks);
bool counters_marked(struct share *share, struct vv vv); // false: the session was ended
// ---- people.c
struct device_id version_author(struct folder *folder, const struct version *v); // zeros: unknown

// ---- bounds.c: what a peer may make us hold
const char *item_over(const struct item *item);                              // NULL: within limits
bool versions_bounded(struct share *share, const struct versions *versions); // else session ended

// ---- round.c, push.c
void pull_start(struct share *share);
void pull_tick(struct share *share); // rounds that do not go on, rounds that were put off
int64_t pull_deadline(const struct share *share);
bool pull_is_young(const struct share *share); // under way, and not for very long
void pull_handle(struct share *share, const struct msg_pull *pull);
void ack_handle(struct share *share, const struct msg_ack *ack);
void versions_handle(struct share *share, const struct msg_versions *page);
void done_handle(struct share *share, const struct msg_done *done);
// Inside a transaction. NULL, or why the peer's versions are not taken: the caller rolls back.
const char *ingest_versions(struct share *share, const struct versions *versions);
// What was said by it, when the transaction is undone.
void ingest_refused(struct share *share, const char *what);
void push_all(struct folder *folder);
// push_in.c
void push_handle(struct share *share, const struct msg_push *push, struct slice frame);
void push_staged(struct folder *folder, struct job *job);
void ride_remember(struct folder *folder, const struct look *look); // before it is minted
struct slice ride_find(const struct engine *engine, const struct content *content);
void rides_drop(struct engine *engine);

// ---- record.c: what the index remembers of a folder under a name of its own
void record_put(struct folder *folder, const char *what, struct slice record);
bool record_get(struct folder *folder, const char *what, struct slice *out); // in the scratch
void record_add(struct buf *record, struct slice value, struct slice path);  // of many paths
bool record_next(struct slice *rest, size_t value_size, struct slice *value, struct slice *path);

// ---- blocked.c
void unblock(struct folder *folder, struct arena *arena, struct slice path); // in a transaction
bool unblock_all(struct folder *folder, enum blocked reason); // false: the index is not written
void blocked_retry(struct folder *folder);                    // it may not be any more

// ---- work.c, apply.c, resolve.c: from heads to disk
void work_item(struct folder *folder, struct slice path);
void work_versions(struct folder *folder, const struct versions *versions);
void work_more(struct folder *folder);  // needs from the store, as long as there is room
void work_again(struct folder *folder); // something changed: look at all needs again
// The same in a while: the index could not be written, or something is in the way for a moment.
void work_later(struct folder *folder, int64_t ms);
// The same, twice as late with each of `times` in a row, up to `max` times: each try writes and
// flushes, and what is in its way may stay there.
void work_later_still(struct folder *folder, int64_t ms, uint32_t *times, uint32_t max);
void staging_unclean(struct folder *folder); // something could not leave it
bool work_left(const struct folder *folder);
bool work_left_out(struct folder *folder, const struct item *item);
bool work_below_leaf(struct folder *folder, struct slice path); // where a directory has to be
void apply_add(struct folder *folder, struct slice path);
void apply_prepare(struct folder *folder); // inside a transaction
void apply_abandoned(struct folder *folder, struct job *job);
void apply_submit(struct folder *folder, struct job *job);
void apply_flush(struct folder *folder);
void step_expect(const struct folder *folder, struct step *step, const struct item *item);
bool step_lacks_directory(const struct step *step); // a file or a link is in its place
void apply_staged(struct folder *folder, const struct job *job);
void apply_done(struct folder *folder, struct job *job);
void resolve_item(struct folder *folder, struct item *item);
void resolve_clash_above(struct folder *folder, struct slice path);
bool resolve_clash_at(struct folder *folder,
                      struct item *item); // true: a resolution is under way or must be waited for
void resolve_done(struct folder *folder, struct job *job);
void resolve_final(struct folder *folder, struct job_apply *apply, bool decided);

struct resolution;
void intent_start(struct folder *folder, const struct resolution *plan, bool decided);

// ---- decide.c, decide_make.c: what a person decides
void decide_step(struct folder *folder);
void decide_leave(struct folder *folder, uint64_t ticket);
int64_t decide_deadline(const struct folder *folder);
void decide_ran(struct folder *folder, bool done);         // its intent came to an end
bool decide_minted(struct folder *folder, uint64_t first); // true: brake_signed when it is durable
void decide_file_done(struct folder *folder, struct job *job);
bool decide_copied(struct folder *folder, const struct job_copy *copy); // it is staged now
void decide_clear(struct folder *folder);
// An edit of this device that comes from elsewhere than a look: a file with that content, staged
// already, as a conflict item of `origin`. late_write_published hears of `kept_file`, if any.
void decide_put(struct folder *folder, struct slice path, struct slice origin,
                const struct value *value, int64_t mtime_ns, struct slice kept_file);

// ---- late_write.c: programs that still write into what a step took away
enum { LATE_WRITE_QUIET_MS = 2000 };
void late_write_mark(struct folder *folder, struct slice file, int64_t delay_ms);
void late_writes_since(struct folder *folder); // by looking at all that was kept lately
void late_writes_raced(struct folder *folder, const struct job *job);
void late_writes_during(struct folder *folder, const struct job_apply *apply); // its rows are there
void late_writes_failed(struct folder *folder, const struct job *job); // not in a transaction
void late_write_tick(struct folder *folder);
int64_t late_write_deadline(const struct folder *folder);
void late_write_done(struct folder *folder, struct job *job);
// The name may be taken for what is in that file: nothing of somebody's would be covered.
bool late_write_fits(struct folder *folder, struct slice file, const struct item *item);
void late_write_published(struct folder *folder, struct slice file, const struct value *value,
                          int64_t mtime_ns, bool done);
void late_write_row(struct folder *folder, struct slice file, const struct value *value,
                    int64_t mtime_ns);
bool late_write_waits(struct folder *folder, struct slice file); // it may hold what nobody else has
void late_writes_clear(struct folder *folder);

// ---- kept.c
// Before item.local becomes what the step has put in its place.
void kept_note(struct folder *folder, const struct item *item, const struct step *step,
               struct dot after, struct device_id by);
// Likewise of a directory that was made on the way, and is that version as it stands.
void kept_note_made(struct folder *folder, struct slice path, const struct version *version);
void kept_set(struct folder *folder, uint64_t bytes_max, uint32_t days);
// What an edit found here has replaced is in that kept file, or will be.
void kept_own(struct folder *folder, const struct version *version, int64_t when_ms,
              struct dot after, struct slice file);
bool kept_has(struct folder *folder, struct slice path, const struct value *value); // lately
// Of one path at most the first and the last of each ten minutes.
void kept_thin(struct folder *folder, struct slice path);
void kept_tick(struct folder *folder);
int64_t kept_deadline(const struct folder *folder);
void kept_dropped(struct folder *folder, const struct job *job);

// ---- base.c, base_keep.c: contents as they are now, for when they are overwritten
void base_open(struct folder *folder);
void base_close(struct folder *folder);
void base_limit(struct folder *folder, uint64_t bytes_max); // 0: nothing is stored
void base_empty(struct folder *folder);                     // it is no folder any more
void base_list_again(struct folder *folder);
bool base_has(const struct folder *folder, const struct content *content);
void base_spoilt(struct folder *folder, const struct content *content);
void base_quiet(struct folder *folder);                          // something has changed: not now
void base_doubt(struct folder *folder, const struct value *was); // perhaps no file has it any more
// A version found here is in the place of what the item was. Inside a transaction.
void base_replaced(struct folder *folder, const struct item *was, const struct value *now,
                   struct dot after);
void base_begin(struct folder *folder);  // a transaction
void base_undone(struct folder *folder); // it has failed
void base_job_done(struct folder *folder, const struct job *job);
bool base_keeping(const struct folder *folder, const struct content *content); // a file of it
bool base_keeps(const struct folder *folder);                                  // some file
bool base_awaited(const struct folder *folder);
void base_rest(struct folder *folder); // before an orderly end
bool base_rested(const struct folder *folder);
void base_save(struct folder *folder); // not inside a transaction
void base_tick(struct folder *folder);
int64_t base_deadline(const struct folder *folder);

// ---- below.c: the items below a path in tree order, page by page; "": all there are. Each is
// valid until the next one is asked for. The index may be written meanwhile.
struct item_walk {
    struct folder *folder;
    struct arena *arena;
    struct buf path, after;
    struct item *page;
    uint32_t at, count;
    bool ended;
};
void item_walk_begin(struct item_walk *walk, struct folder *folder, struct slice path);
struct item *item_walk_next(struct item_walk *walk); // NULL: those were all
void item_walk_end(struct item_walk *walk);          // for AUTO

// ---- fetch.c, serve.c: contents
bool content_staged(const struct folder *folder, const struct content *content);
enum staged { STAGED_NOT, STAGED_THERE, STAGED_PERHAPS };
void staged_set(struct folder *folder, const struct content *content, enum staged state);
void staged_cleared(struct folder *folder);
void content_want(struct folder *folder, const struct content *content, struct slice path);
// Adds what is here of the contents of a push and does not come with it. Room for one more each.
void copies_stage(struct folder *folder, const struct versions *versions, struct job *job);
void fetch_step(struct folder *folder);
void fetch_share_gone(struct share *share);
void fetch_share_retired(struct share *share); // whoever was asked there is not asked any more
void fetch_retry_sources(struct folder *folder);
void fetch_source_came(struct folder *folder); // somebody has joined
void fetch_job_done(struct folder *folder, struct job *job);
void fetch_clear(struct folder *folder); // no job of it is under way
int64_t fetch_deadline(const struct folder *folder);
void data_handle(struct share *share, const struct msg_data *data);
void pack_handle(struct share *share, const struct msg_pack *pack);
void not_held_handle(struct share *share, const struct msg_not_held *not_held);
void want_refuse(struct session *session, const struct msg_want *want);
void want_handle(struct share *share, const struct msg_want *want, struct slice frame);
void serve_job_done(struct folder *folder, struct job *job);
void serve_more(struct share *share);
void serve_clear(struct share *share);
void serve_whole(struct share *share, const struct ask *asks, uint32_t count);
void serve_leaf(struct share *share, const struct ask *ask);
bool late_add(struct share *share, const struct ask *ask); // false: no use
void late_serve(struct share *share);
int64_t late_deadline(const struct share *share);
void late_clear(struct share *share);
struct item *item_with_content(struct folder *folder, struct arena *arena,
                               const struct content *content,
                               bool *out_busy); // *out_busy: a step has one

// ---- status.c
const char *status_hint(enum blocked reason);
const char *status_share(const struct peer *peer, const struct folder *folder);

// ---- wait.c
void waits_check(struct engine *engine);
int64_t waits_deadline(const struct engine *engine);
void waits_pong(struct session *session, uint64_t token);
void waits_round_done(struct share *share, struct vv k);
void waits_destroy(struct engine *engine);
void waits_forget(struct folder *folder);

#endif
