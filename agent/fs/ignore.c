// SPDX-License-Identifier: MIT
//
// What is left out: our own directory always, editors' leavings by default, version-control
// directories and secrets unless the folder includes them. Pure.
#include "agent/fs/disk_priv.h"
#include "proto/path.h"

static const char *const leavings[] = {".*.sw?", "4913",      "*~",        ".#*",
                                       "#*#",    ".~lock.*#", ".DS_Store", "*.local"};
static const char *const vcs_dirs[] = {".git", ".hg",    ".svn", ".bzr",
                                       "CVS",  "_darcs", ".jj",  ".pijul"};
static const char *const secrets[] = {".env", ".env.*",       "*.pem",  "*.key",
                                      "id_*", "credentials*", ".netrc", "*.kdbx"};

// '*' is any run of bytes, '?' one byte. Backtracks to the last star only, which is enough for one
// component.
static bool glob(const char *pattern, struct slice name)
{
    const char *star = NULL;
    size_t star_at = 0;
    size_t at = 0;
    while (at < name.size) {
        if (*pattern == '*') {
            star = pattern++;
            star_at = at;
        } else if (*pattern != '\0' && (*pattern == '?' || (uint8_t)*pattern == name.data[at])) {
            pattern++;
            at++;
        } else if (star != NULL) {
            pattern = star + 1;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool any(const char *const *patterns, size_t count, struct slice name,
                const char **out_pattern)
{
    for (size_t i = 0; i < count; i++) {
        if (!glob(patterns[i], name)) continue;
        *out_pattern = patterns[i];
        return true;
    }
    return false;
}

#define ANY(patterns, name, out) any(patterns, sizeof(patterns) / sizeof *(patterns), name, out)

// Folding is not cheap; only a name that starts with a dot or has non-ASCII bytes can fold to ours.
static bool is_internal(struct slice name)
{
    if (name.size < sizeof FS_INTERNAL - 1) return false;
    bool plain = name.data[0] != '.';
    for (size_t i = 0; plain && i < name.size; i++)
        plain = name.data[i] < 0x80;
    return !plain && path_is_internal(name);
}

enum ignored disk_ignored(struct slice path, bool is_dir, bool include_secrets, bool include_vcs,
                          const char **out_pattern)
{
    *out_pattern = NULL;
    struct slice name = path_base(path);
    if (name.size == 0 || path_is_conflict_item(path)) return IGNORED_NO;
    if (is_internal(name)) {
        *out_pattern = FS_INTERNAL;
        return IGNORED_ALWAYS;
    }
    if (ANY(leavings, name, out_pattern)) return IGNORED_DEFAULT;
    if (is_dir) {
        return !include_vcs && ANY(vcs_dirs, name, out_pattern) ? IGNORED_VCS : IGNORED_NO;
    }
    if (include_secrets || glob("*.pub", name) || !ANY(secrets, name, out_pattern))
        return IGNORED_NO;
    return IGNORED_SECRET;
}

enum ignored disk_ignored_path(const struct disk *disk, uint32_t folder, struct slice path,
                               bool is_dir, const char **out_pattern)
{
    bool include_secrets = false;
    bool include_vcs = false;
    *out_pattern = NULL;
    if (path_is_conflict_item(path)) return IGNORED_NO;
    for (uint32_t i = 0; i < disk->root_count; i++) {
        if (disk->roots[i]->folder != folder) continue;
        include_secrets = disk->roots[i]->include_secrets;
        include_vcs = disk->roots[i]->include_vcs;
    }
    for (size_t at = 1; at <= path.size; at++) {
        bool whole = at == path.size;
        if (!whole && path.data[at] != '/') continue;
        enum ignored result = disk_ignored(slice_of(path.data, at), whole ? is_dir : true,
                                           include_secrets, include_vcs, out_pattern);
        if (result != IGNORED_NO) return result;
    }
    return IGNORED_NO;
}
