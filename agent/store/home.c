// SPDX-License-Identifier: MIT
//
// agent/store/home — paths come from the environment once; the rest of the program is handed them.
//
// The lock file holds "PID\nSOCKET\n" of its last owner. Its content is a hint for messages and for
// clients in another environment (a cron job has no XDG_RUNTIME_DIR); who owns the home is decided
// by flock alone.
#include "agent/store/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"

static char *join(const char *dir, const char *name)
{
    size_t dir_size = strlen(dir);
    size_t name_size = strlen(name);
    char *path = mem_alloc(dir_size + name_size + 2);

    memcpy(path, dir, dir_size);
    while (dir_size > 1 && path[dir_size - 1] == '/')
        dir_size--;
    if (path[dir_size - 1] != '/') path[dir_size++] = '/';
    memcpy(path + dir_size, name, name_size + 1);
    return path;
}

// The environment's value if it is an absolute path; the XDG rules ignore relative ones.
static const char *env_path(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] == '/' ? value : NULL;
}

static const char *user_home(void)
{
    const char *home = env_path("HOME");
    if (home != NULL) return home;
    const struct passwd *user = getpwuid(geteuid());
    return user != NULL && user->pw_dir != NULL && user->pw_dir[0] == '/' ? user->pw_dir : NULL;
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static enum err absolute(const char *dir, char **out, struct buf *out_message)
{
    if (dir[0] == '/') {
        *out = mem_strdup(dir);
        return ERR_OK;
    }
    AUTO(mem_free) char *cwd = getcwd(NULL, 0);
    if (cwd == NULL) {
        buf_append_text(out_message,
                        "the working directory cannot be named; give --home an absolute path");
        return ERR_CONFIG;
    }
    *out = join(cwd, dir);
    return ERR_OK;
}

static enum err place_single(struct home *home, const char *dir, struct buf *out_message)
{
    home->single = true;
    enum err err = absolute(dir, &home->state_dir, out_message);
    if (err) return err;
    home->config_dir = mem_strdup(home->state_dir);
    home->socket_dir = mem_strdup(home->state_dir);
    return ERR_OK;
}

static char *xdg_dir(const char *variable, const char *user, const char *below)
{
    const char *base = env_path(variable);
    if (base != NULL) return join(base, "cfgsync");
    AUTO(mem_free) char *standard = join(user, below);
    return join(standard, "cfgsync");
}

static enum err place_xdg(struct home *home, struct buf *out_message)
{
    const char *user = user_home();
    if (user == NULL) {
        buf_append_text(out_message, "HOME is not set; set it or give --home DIR");
        return ERR_CONFIG;
    }
    home->config_dir = xdg_dir("XDG_CONFIG_HOME", user, ".config");
    home->state_dir = xdg_dir("XDG_STATE_HOME", user, ".local/state");
    const char *runtime = env_path("XDG_RUNTIME_DIR");
    home->socket_dir =
        runtime != NULL && is_dir(runtime) ? join(runtime, "cfgsync") : mem_strdup(home->state_dir);
    return ERR_OK;
}

enum err home_init(struct home *home, const char *dir, struct buf *out_message)
{
    memset(home, 0, sizeof *home);
    if (dir == NULL) dir = getenv("CFGSYNC_HOME");
    bool single = dir != NULL && dir[0] != '\0';
    enum err err = single ? place_single(home, dir, out_message) : place_xdg(home, out_message);
    if (err) return err;

    home->config = join(home->config_dir, "config");
    home->socket = join(home->socket_dir, "agent.sock");
    home->identity = join(home->state_dir, HOME_IDENTITY_NAME);
    home->registry = join(home->state_dir, HOME_REGISTRY_NAME);
    home->index = join(home->state_dir, "index.db");
    home->witness_dir = join(home->state_dir, "witness");
    home->status = join(home->state_dir, HOME_STATUS_NAME);
    home->lock = join(home->state_dir, "lock");
    home->adopt = join(home->state_dir, "adopt");
    home->rekey = join(home->state_dir, "rekey");
    home->join = join(home->state_dir, HOME_JOIN_NAME);
    if (strlen(home->socket) <= HOME_SOCKET_BYTES_MAX) return ERR_OK;

    buf_printf(out_message, "path too long for a socket (%zu bytes, at most %d): %s; %s",
               strlen(home->socket), HOME_SOCKET_BYTES_MAX, home->socket,
               single ? "use a shorter --home" : "set XDG_RUNTIME_DIR to a shorter directory");
    return ERR_CONFIG;
}

void home_fini(struct home *home)
{
    char **paths[] = {
        &home->config_dir, &home->state_dir, &home->socket_dir, &home->config,      &home->socket,
        &home->identity,   &home->registry,  &home->index,      &home->witness_dir, &home->status,
        &home->lock,       &home->adopt,     &home->rekey,      &home->join,
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        mem_free(paths[i]);
    memset(home, 0, sizeof *home);
}

// mkdir -p, every new component 0700.
static int make_path(const char *path)
{
    AUTO(mem_free) char *part = mem_strdup(path);
    for (char *at = part + 1; *at != '\0'; at++) {
        if (*at != '/') continue;
        *at = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST && !is_dir(part)) return -1;
        *at = '/';
    }
    if (mkdir(part, 0700) == 0) return 0;
    if (errno != EEXIST) return -1;
    if (is_dir(part)) return 0;
    errno = ENOTDIR;
    return -1;
}

static bool is_ours(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) return false;
    bool empty = true;
    bool known = false;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        empty = false;
        if (strcmp(entry->d_name, HOME_IDENTITY_NAME) == 0 ||
            strcmp(entry->d_name, "config") == 0) {
            known = true;
        }
    }
    closedir(dir);
    return empty || known;
}

static enum err make_private(const char *path, struct buf *out_message)
{
    struct stat st;
    if (make_path(path) != 0 || stat(path, &st) != 0) {
        int number = errno;
        buf_printf(out_message, "cannot make the directory %s: %s", path, strerror(number));
        return err_from_errno(number);
    }
    if (st.st_uid != geteuid()) {
        buf_printf(out_message, "the directory %s belongs to another user (uid %u)", path,
                   (unsigned)st.st_uid);
        return ERR_CONFIG;
    }
    if ((st.st_mode & 077) == 0) return ERR_OK;
    if (is_ours(path) && chmod(path, 0700) == 0) return ERR_OK;
    buf_printf(out_message,
               "others can read the directory %s, and it holds other things; "
               "use another one, or: chmod 700 %s",
               path, path);
    return ERR_CONFIG;
}

enum err home_make(const struct home *home, struct buf *out_message)
{
    const char *dirs[] = {home->state_dir, home->config_dir, home->socket_dir};
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        enum err err = make_private(dirs[i], out_message);
        if (err) return err;
    }
    return ERR_OK;
}

// Content of the lock file; cut at the end of `out`.
static void lock_text(int fd, char *out, size_t size)
{
    ssize_t got = pread(fd, out, size - 1, 0);
    out[got > 0 ? got : 0] = '\0';
}

enum { LOCK_BYTES_MAX = 32 + HOME_SOCKET_BYTES_MAX };

static pid_t lock_owner(int fd)
{
    char text[LOCK_BYTES_MAX];
    lock_text(fd, text, sizeof text);
    long pid = strtol(text, NULL, 10);
    return pid > 0 && pid < INT_MAX ? (pid_t)pid : 0;
}

enum err home_lock(const struct home *home, int *out_fd, pid_t *out_owner)
{
    *out_owner = 0;
    AUTO(fd_close) int fd = open(home->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return log_errno(LOG_STORE, "open", slice_text(home->lock));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return log_errno(LOG_STORE, "flock", slice_text(home->lock));
        *out_owner = lock_owner(fd);
        return ERR_BUSY;
    }
    AUTO(buf_fini) struct buf text = {0};
    buf_printf(&text, "%ld\n%s\n", (long)getpid(), home->socket);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text.data, text.size, 0) != (ssize_t)text.size) {
        return log_errno(LOG_STORE, "write", slice_text(home->lock));
    }
    *out_fd = fd;
    fd = -1; // handed out
    return ERR_OK;
}

void home_agent_socket(const struct home *home, struct buf *out)
{
    AUTO(fd_close) int fd = open(home->lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char text[LOCK_BYTES_MAX] = "";
    if (fd >= 0) lock_text(fd, text, sizeof text);
    const char *line = strchr(text, '\n');
    size_t size = line != NULL ? strcspn(line + 1, "\n") : 0;
    buf_clear(out);
    // A home that was moved names a socket that is not there: ours is the better guess then.
    if (size > 0 && line[1] == '/' && line[1 + size] == '\n') buf_append(out, line + 1, size);
    if (out->size == 0 || access(buf_text(out), F_OK) != 0) {
        buf_clear(out);
        buf_append_text(out, home->socket);
    }
    (void)buf_text(out);
}

pid_t home_owner(const struct home *home)
{
    AUTO(fd_close) int fd = open(home->lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    // The number outlives the agent, and may be anybody's by then: the lock alone says.
    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0) return 0;
    return lock_owner(fd);
}
