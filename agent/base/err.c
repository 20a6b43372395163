// SPDX-License-Identifier: MIT
//
// The tables behind enum err. The switches name every code and have no default, so that a new code
// does not compile until someone has decided its reaction and its text.
#include "agent/base/err.h"

#include <errno.h>

enum reaction err_reaction(enum err code)
{
    switch (code) {
    case ERR_OK: return REACT_NONE;
    case ERR_ACCESS:
    case ERR_CHANGED:
    case ERR_UNREPRESENTABLE:
    case ERR_TOO_BIG:
    case ERR_IN_THE_WAY:
    case ERR_NOT_EMPTY: return REACT_SKIP_PATH;
    case ERR_NO_SPACE:
    case ERR_IO:
    case ERR_UNREACHABLE:
    case ERR_BUSY: return REACT_TRY_LATER;
    case ERR_MALFORMED:
    case ERR_LIMIT:
    case ERR_VERSION:
    case ERR_DENIED:
    case ERR_ILLEGAL: return REACT_DROP_PEER;
    case ERR_CONFIG:
    case ERR_CORRUPT: return REACT_STOP;
    }
    return REACT_STOP;
}

const char *err_text(enum err code)
{
    switch (code) {
    case ERR_OK: return "ok";
    case ERR_ACCESS: return "permission denied";
    case ERR_CHANGED: return "changed on disk meanwhile";
    case ERR_UNREPRESENTABLE: return "name or type cannot be synced";
    case ERR_TOO_BIG: return "too big";
    case ERR_IN_THE_WAY: return "something untracked is in the way";
    case ERR_NOT_EMPTY: return "directory not empty";
    case ERR_NO_SPACE: return "no space left";
    case ERR_IO: return "input/output error";
    case ERR_UNREACHABLE: return "unreachable";
    case ERR_BUSY: return "busy";
    case ERR_MALFORMED: return "malformed message";
    case ERR_LIMIT: return "message over a limit";
    case ERR_VERSION: return "other protocol version";
    case ERR_DENIED: return "not allowed";
    case ERR_ILLEGAL: return "message not allowed now";
    case ERR_CONFIG: return "configuration must be changed";
    case ERR_CORRUPT: return "own state is damaged";
    }
    return "unknown error";
}

// A failure with errno 0 is still a failure, so nothing here maps to ERR_OK.
enum err err_from_errno(int number)
{
    switch (number) {
    case EACCES:
    case EPERM:
    case EROFS: return ERR_ACCESS;
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP: // O_NOFOLLOW met a symlink where a file or directory was expected
    case EXDEV: // a mount has appeared inside the root
    case ESTALE: return ERR_CHANGED;
    case EEXIST: return ERR_IN_THE_WAY;
    case ENOTEMPTY: return ERR_NOT_EMPTY;
    case EINVAL: // how vfat and its like refuse a name
    case ENOSYS: // it never will
    case EILSEQ:
    case ENAMETOOLONG:
    case ENXIO:
    case ENODEV:
    case EOPNOTSUPP: return ERR_UNREPRESENTABLE;
    case EFBIG:
    case EOVERFLOW:
    case EMLINK: return ERR_TOO_BIG;
    case ENOSPC:
    case EDQUOT: return ERR_NO_SPACE;
    case EBUSY:
    case ETXTBSY:
    case EAGAIN:
    case EINTR:
    case EMFILE:
    case ENFILE:
    case ENOMEM: return ERR_BUSY;
    default: return ERR_IO;
    }
}
