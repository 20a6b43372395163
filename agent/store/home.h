// SPDX-License-Identifier: MIT
//
// agent/store/home — where the agent's files are, and the lock that only one agent holds.
//
// By default the XDG directories (docs/STORAGE.md): config ~/.config/cfgsync/config, state in
// ~/.local/state/cfgsync/, socket in $XDG_RUNTIME_DIR/cfgsync/ when that directory exists, else in
// the state directory. With a home directory everything is below it. Directories are 0700.
#ifndef AGENT_STORE_HOME_H
#define AGENT_STORE_HOME_H

#include <stdbool.h>
#include <sys/types.h>

#include "agent/base/bytes.h"
#include "agent/base/err.h"

struct home {
    bool single;      // everything is below one directory (--home or CFGSYNC_HOME)
    char *config_dir; // absolute, as all below
    char *state_dir;
    char *socket_dir;
    char *config;   // the user's file
    char *socket;   // short enough for a Unix socket, see HOME_SOCKET_BYTES_MAX
    char *identity; // in the state directory, as all below
    char *registry;
    char *index;
    char *witness_dir;
    char *status; // one icon for the shell prompt
    char *lock;
    char *adopt; // requests left for the next run
    char *rekey;
    char *join; // an invitation, likewise
};

// Names inside the state directory, for calls that take a directory descriptor.
#define HOME_IDENTITY_NAME "identity"
#define HOME_REGISTRY_NAME "registry.json"
#define HOME_INVITES_NAME  "invites.json"
#define HOME_PAUSES_NAME   "pauses.json"
#define HOME_JOIN_NAME     "join"
#define HOME_STATUS_NAME   "status"

enum { HOME_SOCKET_BYTES_MAX = 103 }; // macOS has 104 with the NUL, Linux 108

// Works out the paths; touches nothing. `dir` is --home; NULL: CFGSYNC_HOME, else XDG. CONFIG with
// a sentence for people in *out_message: no home directory, or the socket's path is too long.
enum err home_init(struct home *home, const char *dir, struct buf *out_message) MUST_USE;
void home_fini(struct home *home);

// Makes the three directories, parents included, 0700. One that exists and is open to others is
// closed if it is ours by content (empty, or with an identity or config in it), else CONFIG. Fills
// *out_message whenever it does not return OK.
enum err home_make(const struct home *home, struct buf *out_message) MUST_USE;

// Takes the lock without waiting; it is held while *out_fd is open. BUSY: another process has it,
// *out_owner is its pid (0 if it cannot be told). ACCESS, IO: logged.
enum err home_lock(const struct home *home, int *out_fd, pid_t *out_owner) MUST_USE;

// The socket of the agent that has the lock or had it last (its environment may differ from ours),
// else home->socket. NUL-terminated in *out.
void home_agent_socket(const struct home *home, struct buf *out);

// The process that has the lock, as its content says, if it is alive; else 0. Takes no lock, so it
// never gets in the way of a start.
pid_t home_owner(const struct home *home);

#endif
