// SPDX-License-Identifier: MIT
//
// agent/cli/service — what both kinds of services have in common.
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/cli/service_priv.h"

extern char **environ;

enum { COMMAND_WORDS_MAX = 8, OUTPUT_MAX = 4096, NOT_FOUND = 127 };

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

void service_name(const struct service *service, struct buf *out)
{
    const struct home *home = &service->context->home;
    buf_append_text(out, "cfgsync-agent");
    if (!home->single) return;
    const char *base = strrchr(home->state_dir, '/') + 1;
    buf_append_text(out, "-");
    for (; *base != '\0'; base++)
        buf_append(out, is_plain(*base) ? base : "_", 1);
}

static const char *value_of(const char *const *pairs, const char *key, size_t size)
{
    for (; pairs[0] != NULL; pairs += 2)
        if (strlen(pairs[0]) == size && memcmp(pairs[0], key, size) == 0) return pairs[1];
    return NULL;
}

static void fill_line(const char *line, size_t size, const char *const *pairs, struct buf *out)
{
    for (const char *end = line + size; line < end;) {
        const char *at = memchr(line, '@', (size_t)(end - line));
        const char *close = at != NULL ? memchr(at + 1, '@', (size_t)(end - at - 1)) : NULL;
        const char *value =
            close != NULL ? value_of(pairs, at + 1, (size_t)(close - at - 1)) : NULL;
        const char *upto = value != NULL ? at : at != NULL ? at + 1 : end;
        buf_append(out, line, (size_t)(upto - line));
        if (value != NULL) buf_append_text(out, value);
        line = value != NULL ? close + 1 : upto;
    }
}

void service_fill(const char *template, const char *const *pairs, struct buf *out)
{
    while (*template != '\0') {
        size_t size = strcspn(template, "\n");
        AUTO(buf_fini) struct buf line = {0};
        fill_line(template, size, pairs, &line);
        if (line.size > 0 || size == 0) buf_printf(out, "%s\n", buf_text(&line));
        template += size + (template[size] == '\n');
    }
}

static void read_output(int fd, struct buf *out)
{
    char piece[512];
    for (ssize_t got; (got = read(fd, piece, sizeof piece)) != 0;) {
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return;
        if (out->size < OUTPUT_MAX) buf_append(out, piece, (size_t)got);
    }
}

int service_command(const char *const *words, struct buf *out)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    char *argv[COMMAND_WORDS_MAX + 1] = {NULL};
    for (size_t i = 0; words[i] != NULL && i < COMMAND_WORDS_MAX; i++)
        argv[i] = arena_text(arena, slice_text(words[i]));
    int ends[2] = {-1, -1};
    if (out != NULL && pipe(ends) != 0) return NOT_FOUND;
    if (out != NULL) (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) return NOT_FOUND;
    (void)posix_spawn_file_actions_adddup2(&actions, out != NULL ? ends[1] : STDERR_FILENO,
                                           STDOUT_FILENO);
    if (out != NULL) (void)posix_spawn_file_actions_addclose(&actions, ends[1]);
    if (out != NULL) // a question: that nobody can be asked is no error
        (void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    (void)fflush(stdout);
    pid_t pid = 0;
    int number = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    fd_close(&ends[1]);
    if (number == 0 && out != NULL) read_output(ends[0], out);
    fd_close(&ends[0]);
    if (number != 0) return NOT_FOUND;
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
