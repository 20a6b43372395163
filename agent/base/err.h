// SPDX-License-Identifier: MIT
//
// agent/base/err — every way a function here can fail, grouped by what the caller does about it.
//
// A code is a reaction: a second code with the same reaction exists only because a person must be
// told something different. "Not found" is a result (bool *out_found), never an error.
#ifndef AGENT_BASE_ERR_H
#define AGENT_BASE_ERR_H

#include <stdint.h>

enum err {
    ERR_OK = 0,
    // skip the path: it becomes a problem shown to the user, the rest goes on
    ERR_ACCESS,          // permission denied
    ERR_CHANGED,         // the disk no longer holds what was expected; nothing was touched
    ERR_UNREPRESENTABLE, // a name or type that cannot be synced
    ERR_TOO_BIG,         // over a limit of this file system or of ours
    ERR_IN_THE_WAY,      // something untracked has the name
    ERR_NOT_EMPTY,       // a directory that still holds untracked things
    // try later
    ERR_NO_SPACE,
    ERR_IO,
    ERR_UNREACHABLE,
    ERR_BUSY,
    // drop the peer
    ERR_MALFORMED, // bytes that are not a message
    ERR_LIMIT,     // a message over a limit of docs/PROTOCOL.md
    ERR_VERSION,   // speaks another protocol version
    ERR_DENIED,    // not trusted, or not shared
    ERR_ILLEGAL,   // a message that is not allowed in this state
    // stop the program
    ERR_CONFIG,  // the user must change something
    ERR_CORRUPT, // our own state is broken
};

enum reaction { REACT_NONE, REACT_SKIP_PATH, REACT_TRY_LATER, REACT_DROP_PEER, REACT_STOP };

#define MUST_USE __attribute__((warn_unused_result))

// Where a decoder stopped and why. `what` is static text.
struct fault {
    enum err code;
    uint32_t offset; // byte in the input
    const char *what;
};

enum reaction err_reaction(enum err code);

// Static lower-case text, e.g. "no space left".
const char *err_text(enum err code);

// The code for an errno of a file-system call.
enum err err_from_errno(int number);

#endif
