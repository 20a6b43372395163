// SPDX-License-Identifier: MIT
//
// agent/fs inside: a group of steps under way. Every step has a name of its own in staging,
// `x-<journal>-<index>`, and whatever the step displaces or puts in place passes through that name:
//
//     prepared         x = the new content          path = what was there
//     exchanged        x = what was there           path = the new content
//     finished         x moved to kept/             path = the new content
//
// So after a crash what lies under x tells how far the step had come, and no byte is without a name
// at any time. Only of a content that was to be created nothing is left under x, as if it had never
// been prepared: for an intent a mark, `r-<journal>`, stands in staging from when all its contents
// are under their x until the index has it, or until it was taken back.
#ifndef AGENT_FS_APPLY_PRIV_H
#define AGENT_FS_APPLY_PRIV_H

#include "agent/fs/disk_priv.h"

// The end of the name in kept of a save that met a step: after a crash recovery tells the index.
#define KEPT_MET "-met"

enum { SWAP_NAME_MAX = 64, TOUCHED_MAX = 16, TIME_TEXT_MAX = 24 };

enum did {
    DID_NOTHING,
    DID_CREATE,   // x went to the path
    DID_EXCHANGE, // x and the path changed places
    DID_OVER,     // x went over the path, which is in kept (no exchange on this file system)
    DID_REMOVE,   // the path went to x
    DID_MKDIR,
    DID_RMDIR,
    DID_MODE,
    DID_FILE_TO_DIR, // the path went to x, a directory took its place
    DID_DIR_TO_FILE, // an empty directory went, x took its place
};

struct act {
    char swap[SWAP_NAME_MAX];
    bool ready; // x holds what the version says
    bool out;   // x holds what was at the path
    enum did did;
    struct fingerprint ours; // what the step puts, or put, in place
    uint32_t old_mode;       // before DID_MODE
    int fd;                  // of the new file, when it is to be flushed on its own; else -1
    bool unflushed;          // that failed: what the kernel holds of it may never reach the disk
    bool was_open;           // recovery: the crash came while its directory was open for it
};

struct group {
    const struct grip *grip;
    struct job_apply *apply;
    struct arena *arena;
    int staging_fd;
    int kept_fd;
    struct act *acts; // one per step
    char time[TIME_TEXT_MAX];
    int touched[TOUCHED_MAX]; // directories to be synced, O_PATH
    uint64_t touched_ino[TOUCHED_MAX];
    uint32_t touched_count;
    bool touched_more; // more than fit: everything is synced
    bool marked;       // recovery: the intent had begun
    int unseen;        // an errno instead of what is there; nothing may follow from it
};

int group_open(const struct grip *grip, struct job *job, struct group *out);
void group_close(struct group *group);
void group_touch(struct group *group, int dir_fd);
// True: no descriptors were left, and there are some now. All is flushed in the end, not only what
// was touched.
bool group_let_go(struct group *group, int code);
int group_sync(struct group *group);
bool group_unseen(struct group *group, int code); // true: it says nothing of what is there

// prepare.c
void group_prepare(struct group *group);
void swap_return(struct group *group, uint32_t index); // x back to staging's own names
// x to kept; the step tells under which name. 0, or an errno. Nothing is moved while something is
// unseen.
int swap_to_kept(struct group *group, uint32_t index);
// The last of all steps: what each displaced is in kept, and the step tells whether it was written
// to on the way there. From then on the watch does. An error: some of it is under x still, and the
// journal row must stay, for no row of kept would lead to it.
enum err steps_finish(struct group *group);
// To kept, under the job's time and this, and a number if that name is taken.
int kept_as(struct group *group, int dir_fd, const char *name, const char *as, char **out);
int kept_take(struct group *group, uint32_t index, int dir_fd, const char *name);
bool step_has_content(const struct step *step); // needs a swap file

// act.c
void step_run(struct group *group, uint32_t index);
void step_blocked(struct step *step, int code);
void step_failed(struct step *step, int code); // its content is to come again
bool step_left_alone(const struct step *step, const struct fingerprint *now);
bool step_mode_stands(const struct step *step, const struct fingerprint *now);
int look_out(const struct group *group, uint32_t index, struct fingerprint *out); // at x
bool out_is_before(const struct group *group, uint32_t index, const struct fingerprint *out);

// The file or directory itself: a flush of the directory it is in leaves out a mode that was set
// since it was made. What cannot be flushed alone group_sync flushes.
int place_sync(struct group *group, const struct place *place);
// 0: what is there is what the step expected to replace; ESTALE: it is not; else an errno.
int before_look(const struct step *step, const struct fingerprint *print, int dir_fd,
                const char *name);
bool print_is_before(const struct step *step, const struct fingerprint *print, int dir_fd,
                     const char *name);

// recover_kept.c
// What had already gone to kept comes back to `to`, so that there is one case less. `between` the
// two moves of a replacement without an exchange: also what cannot be told from a file of an older
// journal.
void kept_back(struct group *group, uint32_t index, int to_fd, const char *to, bool between);
bool lacks_exchange(struct group *group); // also true if it cannot be said: group->unseen
// True: a save that met the step was moved there, and the crash came before the index heard of it.
bool met_is_kept(struct group *group, uint32_t index);

// parents.c
// With its mode from the start: a power cut between the two would leave another, which passes for
// an edit, and so would a want of descriptors. An agent has no umask.
int dir_create(struct group *group, const struct place *place, uint32_t mode);
int mode_put(const struct grip *grip, int dir_fd, const char *name, uint32_t mode);
bool mode_is(const struct grip *grip, uint32_t mode, uint32_t wanted); // true where there are none
int parent_open(struct group *group, const struct step *step, bool make, struct place *out);

// opened.c
// For the moment of a step a directory that forbids writing does not. 0: it did, and is to be
// locked again with that mode; EACCES: that is not it, or it is not ours; else an errno.
int dir_unlock(struct group *group, uint32_t index, const struct place *place, uint32_t *mode);
void dir_lock(struct group *group, uint32_t index, const struct place *place, uint32_t mode);
void dir_lock_after(struct group *group, uint32_t index);      // after a crash, if it was open
void opened_forget(const struct group *group, uint32_t index); // it has its mode again

// over.c
int replace_over(struct group *group, uint32_t index, const struct place *place);

// intent.c
int mark_put(struct group *group);
int mark_drop(struct group *group);
bool mark_there(struct group *group);
void mark_remove(int staging_fd, uint64_t journal);

// leftover.c
void left_over_drop(struct group *group); // what a job without steps says is to go

// merge.c
// What is in a directory goes into another, as far as names are free there, and so on below. 0: all
// of it did, and the directory is gone; ENOTDIR: one of them is none; else the first errno.
int dirs_merge(struct group *group, int from_fd, const char *from, int to_fd, const char *to);

// undo.c
// To kept: a save that met the step, or what nobody can tell from one. Unseen: it is not there yet.
void swap_unsorted(struct group *group, uint32_t index);
void step_undo(struct group *group, uint32_t index);
bool step_take_back(struct group *group, uint32_t index, const struct place *place);
void put_back(struct group *group, uint32_t index,
              const struct place *place); // x to the path, else to kept
int version_look(int dir_fd, const char *name, const struct value *value); // as content_look
bool holds_version(int dir_fd, const char *name, const struct value *value);
// x changes places with the path, which should have what the step put there. 0: that is under x
// now. ESTALE: the path has what was saved last, x something older. EISDIR: the path has a
// directory that was saved, x a later leaf. EIO: x is what nobody can tell from a later save. Else
// an errno; group->unseen: of what came out nobody can say which of these it is.
int exchange_newest(struct group *group, uint32_t index, const struct place *place);

#endif
