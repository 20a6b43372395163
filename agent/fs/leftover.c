// SPDX-License-Identifier: MIT
//
// What is left in staging and kept, and goes: what the engine names, what nobody knows any more.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/fs/apply_priv.h"
#include "agent/fs/part_priv.h"

static bool is_older(int dir_fd, const char *name, int64_t seconds)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
    return clock_ns(CLOCK_REALTIME) / 1000000000 - (int64_t)st.st_mtime > seconds;
}

// Temporary names of another run, or of one with our process number.
static bool temp_is_left(struct group *group, const char *name)
{
    char *end = NULL;
    long pid = strtol(name + 2, &end, 10);
    if (pid != (long)getpid()) return true;
    return is_older(group->staging_fd, name, 3600);
}

// A small content is sooner fetched again than looked for; a large one is progress.
static bool is_small_content(const char *name)
{
    const char *size = strrchr(name, '-');
    char *end = NULL;
    if (size == NULL) return false;
    unsigned long long bytes = strtoull(size + 1, &end, 10);
    return *end == '\0' && bytes <= PROTO_PACK_CONTENT_BYTES_MAX;
}

// The leaves of a content that is whole by now: its process died before they went.
static bool map_is_left(const struct group *group, const char *name)
{
    char part[PART_NAME_MAX];
    struct stat st;
    const char *end = strrchr(name, '.');
    if (end == NULL || strcmp(end, ".map") != 0) return false;
    (void)snprintf(part, sizeof part, "%.*s.part", (int)(end - name), name);
    return fstatat(group->staging_fd, part, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
}

static void left_over(struct group *group, const char *name)
{
    const int64_t week = 7 * 24 * 3600;
    if (strncmp(name, "x-", 2) == 0) {
        if (unlinkat(group->staging_fd, name, AT_REMOVEDIR) == 0) return;
        // Nobody knows whose bytes these are, so they are kept.
        char *kept = NULL;
        errno = kept_as(group, group->staging_fd, name, name + 2, &kept);
        if (errno != 0)
            (void)log_errno(LOG_FS, "rename to kept", slice_text(name));
        else
            log_info(LOG_FS, "leftover of a step moved to kept", "name=%s", kept);
        return;
    }
    bool temp = strncmp(name, "t-", 2) == 0;
    // Of an intent, or of an open directory, that has no row any more.
    bool mark = strncmp(name, "r-", 2) == 0 || strncmp(name, "o-", 2) == 0;
    bool old = temp ? temp_is_left(group, name) : is_older(group->staging_fd, name, week);
    if (mark || old || map_is_left(group, name) || (!temp && is_small_content(name))) {
        (void)unlinkat(group->staging_fd, name, 0);
    }
}

// What a program that has one open writes next would be lost with it.
static void kept_drop(const struct group *group)
{
    for (uint32_t i = 0; i < group->apply->drop_kept_count; i++) {
        const char *name = arena_text(group->arena, group->apply->drop_kept[i]);
        bool plain = *name != '\0' && strchr(name, '/') == NULL && strcmp(name, "..") != 0;
        if (!plain) continue;
        errno = has_writer(group->kept_fd, name)         ? EBUSY
                : unlinkat(group->kept_fd, name, 0) == 0 ? 0
                                                         : errno;
        if (errno == 0 || errno == ENOENT) continue;
        (void)log_errno(LOG_FS, "unlink", slice_text(name));
        group->apply->drop_numbers[i] = 0;
    }
}

static void staging_drop(const struct group *group)
{
    for (uint32_t i = 0; i < group->apply->drop_count; i++) {
        char name[STAGE_NAME_MAX];
        stage_name(&group->apply->drop[i], name);
        bool gone = unlinkat(group->staging_fd, name, 0) == 0 || errno == ENOENT;
        group->apply->left_over |= !gone;
        part_drop(group->staging_fd, name);
    }
    for (uint32_t i = 0; i < group->apply->drop_mark_count; i++)
        mark_remove(group->staging_fd, group->apply->drop_marks[i]);
}

// What a process before this one has had of a large content.
static void part_left(struct group *group, const char *name)
{
    const char *end = strrchr(name, '.');
    struct stat st;
    if (end == NULL || (strcmp(end, ".part") != 0 && strcmp(end, ".map") != 0)) return;
    if (fstatat(group->staging_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return;
    if ((int64_t)st.st_mtime < group->apply->drop_parts_before_ms / 1000)
        (void)unlinkat(group->staging_fd, name, 0);
}

static void staging_clean(struct group *group)
{
    bool parts = group->apply->drop_parts_before_ms != 0;
    AUTO(dir_end) DIR *dir = dir_list(group->staging_fd);
    for (struct dirent *entry; dir != NULL && (entry = dir_next(dir)) != NULL;) {
        if (parts)
            part_left(group, entry->d_name);
        else
            left_over(group, entry->d_name);
    }
}

void left_over_drop(struct group *group)
{
    const struct job_apply *apply = group->apply;
    if (apply->drop_kept_count > 0)
        kept_drop(group);
    else if (apply->drop_count + apply->drop_mark_count > 0)
        staging_drop(group);
    else if (apply->journal == 0) // else a row that could not be read: others name what is there
        staging_clean(group);
}
