// SPDX-License-Identifier: MIT
//
// agent/cli/ssh — no shell is started here; the one on the other machine gets a fixed command. What
// ssh says and asks goes to the terminal by itself.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/cli/ssh_priv.h"

// The environment of the process, as POSIX has it.
extern char **environ;

static bool is_plain(const char *text, size_t size, const char *also)
{
    if (size == 0 || text[0] == '-') return false;
    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)text[i]) && strchr(also, text[i]) == NULL) return false;
    }
    return true;
}

bool ssh_parse(const char *url, struct ssh *out)
{
    memset(out, 0, sizeof *out);
    if (strncmp(url, "ssh://", 6) != 0) return false;
    const char *user = url + 6;
    const char *at = strchr(user, '@');
    const char *host = at != NULL ? at + 1 : user;
    if (at != NULL && !is_plain(user, (size_t)(at - user), "._-")) return false;
    bool is_six = host[0] == '[';
    const char *end = is_six ? strchr(host, ']') : host + strcspn(host, ":/");
    if (end == NULL) return false;
    const char *inner = is_six ? host + 1 : host;
    size_t size = (size_t)(end - inner);
    if (size > 250 || !is_plain(inner, size, is_six ? ":%." : "._-")) return false;
    const char *rest = is_six ? end + 1 : end;
    if (*rest == ':') {
        size_t digits = strspn(rest + 1, "0123456789");
        if (digits == 0 || digits > 5) return false;
        memcpy(out->port, rest + 1, digits);
        rest += 1 + digits;
    }
    if (*rest == '/') rest++;
    if (*rest != '\0' || (at != NULL && at - user > 60)) return false;
    (void)snprintf(out->host, sizeof out->host, "%s%.*s%s", is_six ? "[" : "", (int)size, inner,
                   is_six ? "]" : "");
    (void)snprintf(out->target, sizeof out->target, "%.*s%.*s",
                   (int)(at != NULL ? at - user + 1 : 0), user, (int)size, inner);
    return true;
}

static bool spawn(struct ssh *ssh, const char *command, int in, int out)
{
    char program[] = "ssh", quiet[] = "-T", p[] = "-p", end[] = "--";
    AUTO(mem_free) char *line = strdup(command);
    char *plain[] = {program, quiet, end, ssh->target, line, NULL};
    char *with_port[] = {program, quiet, p, ssh->port, end, ssh->target, line, NULL};
    posix_spawn_file_actions_t actions;
    if (line == NULL || posix_spawn_file_actions_init(&actions) != 0) return false;
    (void)posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    int number = posix_spawnp(&ssh->pid, program, &actions, NULL,
                              ssh->port[0] != '\0' ? with_port : plain, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    errno = number;
    return number == 0;
}

static bool open_pipe(int ends[2])
{
    if (pipe(ends) != 0) return false;
    return fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0;
}

bool ssh_start(struct ssh *ssh, const char *command)
{
    int to[2] = {-1, -1};
    int from[2] = {-1, -1};
    (void)signal(SIGPIPE, SIG_IGN); // an ssh that has gone is seen at its exit code
    bool ok = open_pipe(to) && open_pipe(from) && spawn(ssh, command, to[0], from[1]);
    int number = errno;
    fd_close(&to[0]);
    fd_close(&from[1]);
    if (ok) {
        ssh->to = fdopen(to[1], "w");
        ssh->from = fdopen(from[0], "r");
        return ssh->to != NULL && ssh->from != NULL;
    }
    fd_close(&to[1]);
    fd_close(&from[0]);
    errno = number;
    return false;
}

bool ssh_line(struct ssh *ssh, struct buf *out)
{
    for (int byte; (byte = fgetc(ssh->from)) != EOF;) {
        char one = (char)byte;
        if (one == '\n') return true;
        if (out->size == SSH_LINE_MAX) return false;
        buf_append(out, &one, 1);
    }
    return false;
}

void ssh_say(struct ssh *ssh, const char *line)
{
    (void)fprintf(ssh->to, "%s\n", line);
    (void)fflush(ssh->to);
}

int ssh_end(struct ssh *ssh)
{
    int status = 0;
    if (ssh->to != NULL) (void)fclose(ssh->to);
    if (ssh->from != NULL) (void)fclose(ssh->from);
    while (waitpid(ssh->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
