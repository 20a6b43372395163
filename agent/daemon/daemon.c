// SPDX-License-Identifier: MIT
//
// The order of start and end:
//
//     directories -> lock -> identity -> config -> registry -> index -> machine -> limits
//       -> wire -> local socket -> disk and workers -> engine -> peers, folders -> loop
//
// The lock comes before the socket, because binding a Unix path takes it from whoever has it. The
// end runs backwards: the engine says BYE, the wire lingers for it, workers finish what they have
// in hand, then the index closes.
#include "agent/daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/agent_priv.h"
#include "agent/daemon/invites_priv.h"
#include "agent/daemon/links_priv.h"
#include "agent/daemon/logsink_priv.h"
#include "agent/daemon/nearby_priv.h"
#include "agent/daemon/notify_priv.h"
#include "agent/daemon/pairing_priv.h"
#include "agent/daemon/pausing_priv.h"
#include "agent/daemon/process_priv.h"
#include "agent/daemon/reload_priv.h"
#include "agent/daemon/roots_priv.h"
#include "agent/daemon/sleep_priv.h"

enum {
    DESCRIPTORS_WANTED = 8192,
    LINGER_MS = 500,
    LOCK_TRIES = 20,
    LOCK_PAUSE_MS = 50,
    ROOM_RETRY_MS = 10 * 1000,
    ROOM_BYTES_MIN = 1 << 20,
};

// A signal handler has no argument: the stop flag, as a descriptor to write to.
static volatile sig_atomic_t signal_fd = -1;

static void on_signal(int number)
{
    int saved = errno;
    char byte = number == SIGHUP;
    ssize_t ignored = write((int)signal_fd, &byte, 1);
    (void)ignored;
    errno = saved;
}

int64_t agent_clock_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

// ---- steps of the start; each fills *out when it fails

// Whoever was killed a moment ago has the lock until the kernel is done with it.
static enum err take_lock(struct agent *agent, pid_t *out_owner)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
    enum err err = home_lock(&agent->home, &agent->lock_fd, out_owner);
    for (int tries = 1; err == ERR_BUSY && tries < LOCK_TRIES; tries++) {
        (void)nanosleep(&pause, NULL);
        err = home_lock(&agent->home, &agent->lock_fd, out_owner);
    }
    return err;
}

static enum err take_home(struct agent *agent, struct buf *out)
{
    pid_t owner = 0;
    // Before anything is made: who has not run init wants no directories either.
    if (access(agent->home.identity, F_OK) != 0 && errno == ENOENT) {
        buf_printf(out, "there is no identity %s; make one with: cfgsync-agent init",
                   agent->home.identity);
        return ERR_CONFIG;
    }
    enum err err = home_make(&agent->home, out);
    if (err) return err;
    err = take_lock(agent, &owner);
    if (err == ERR_BUSY && owner > 0) {
        buf_printf(out, "another agent is running here, pid %ld; end it with: cfgsync-agent stop",
                   (long)owner);
    } else if (err == ERR_BUSY) {
        buf_append_text(out, "another agent is running here; end it with: cfgsync-agent stop");
    } else if (err) {
        buf_printf(out, "the lock %s cannot be taken: %s", agent->home.lock, err_text(err));
    }
    if (err) return err;
    agent->state_fd = open(agent->home.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (agent->state_fd < 0) {
        buf_printf(out, "%s cannot be opened: %s", agent->home.state_dir, strerror(errno));
        return ERR_IO;
    }
    return ERR_OK;
}

// After all that may refuse: a start that ends there has changed nothing.
static enum err open_witnesses(struct agent *agent, struct buf *out)
{
    bool made = mkdir(agent->home.witness_dir, 0700) == 0 || errno == EEXIST;
    if (made) agent->witness_fd = open(agent->home.witness_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (agent->witness_fd >= 0) return ERR_OK;
    buf_printf(out, "%s cannot be used: %s", agent->home.witness_dir, strerror(errno));
    return ERR_IO;
}

static enum err load_identity(struct agent *agent, struct buf *out)
{
    struct fault fault = {0};
    enum err err = identity_load(agent->state_fd, HOME_IDENTITY_NAME, &agent->identity, &fault);
    if (err) {
        buf_printf(out, "the identity %s cannot be used: %s", agent->home.identity,
                   fault.what != NULL ? fault.what : err_text(err));
        return err;
    }
    agent->device = identity_device(agent->identity);
    return ERR_OK;
}

static void choose_name(struct agent *agent)
{
    char host[256] = "";
    if (agent->config.name != NULL) {
        agent->name = mem_strdup(agent->config.name);
        return;
    }
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') {
        (void)snprintf(host, sizeof host, "unnamed");
    }
    host[strcspn(host, ".")] = '\0';
    agent->name = mem_strdup(host);
}

static enum err load_registry(struct agent *agent, struct buf *out)
{
    struct fault fault = {0};
    enum err err = registry_open(agent->state_fd, HOME_REGISTRY_NAME, &agent->registry, &fault);
    if (!err) return ERR_OK;
    buf_printf(out, "%s cannot be used: %s", agent->home.registry,
               fault.what != NULL ? fault.what : err_text(err));
    return err;
}

// SQLite says of a full disk that a file cannot be opened.
static bool open_in_room(struct agent *agent, struct fault *fault, enum err *out)
{
    struct statvfs space;
    *out = store_open(agent->home.index, &agent->store, fault);
    bool passes = *out != ERR_OK && err_reaction(*out) == REACT_TRY_LATER;
    // The last blocks are no file's.
    bool full = passes && fstatvfs(agent->state_fd, &space) == 0 &&
                (uint64_t)space.f_bavail * space.f_frsize < ROOM_BYTES_MIN;
    if (full) *out = ERR_NO_SPACE;
    return !full;
}

// A full disk ends no start: no service manager would begin it again when there is room.
static enum err wait_for_room(struct agent *agent, struct fault *fault)
{
    enum err err;
    if (open_in_room(agent, fault, &err)) return err;
    log_error(LOG_DAEMON, "waits for space", "index=\"%s\"", agent->home.index);
    struct pollfd ends = {.fd = agent->signals.read_fd, .events = POLLIN};
    while (poll(&ends, 1, ROOM_RETRY_MS) == 0 && !open_in_room(agent, fault, &err))
        continue;
    return err;
}

static enum err open_index(struct agent *agent, struct buf *out)
{
    struct fault fault = {0};
    enum err err = wait_for_room(agent, &fault);
    if (!err) return ERR_OK;
    const char *what = fault.what != NULL ? fault.what : err_text(err);
    if (err == ERR_CORRUPT) {
        buf_printf(out,
                   "the index %s is damaged: %s. Move index.db away and start again: it is made "
                   "anew from the folders and the peers",
                   agent->home.index, what);
    } else {
        buf_printf(out, "the index %s cannot be opened: %s", agent->home.index,
                   err == ERR_NO_SPACE ? err_text(err) : what);
    }
    return err;
}

static void raise_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS_WANTED) return;
    rlim_t wanted = DESCRIPTORS_WANTED;
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < wanted) wanted = limit.rlim_max;
    limit.rlim_cur = wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        log_warn(LOG_DAEMON, "descriptor limit not raised", "error=\"%s\"", strerror(errno));
    } else if (wanted < DESCRIPTORS_WANTED) {
        log_warn(LOG_DAEMON, "few descriptors", "limit=%llu wanted=%llu",
                 (unsigned long long)wanted, (unsigned long long)DESCRIPTORS_WANTED);
    }
}

static enum err open_wire(struct agent *agent, struct buf *out)
{
    static const char *const standard[] = {CONFIG_LISTEN_DEFAULT};
    const struct config *config = &agent->config;
    struct fault fault = {0};
    agent->trust = trust_new();
    peers_trust(agent);
    struct net_options options = {
        .identity = agent->identity,
        .listen = config->has_listen ? (const char *const *)config->listen : standard,
        .listen_count = config->has_listen ? config->listen_count : 1,
        .trusted = trust_has,
        .context = agent->trust,
        .socks_proxy = config->socks_proxy,
    };
    enum err err = net_open(&options, &agent->net, &fault);
    if (!err) return ERR_OK;
    buf_append_text(out, "cannot listen on");
    for (uint32_t i = 0; i < options.listen_count; i++)
        buf_printf(out, " %s", options.listen[i]);
    buf_printf(out, ": %s; choose another address with `listen` in %s",
               fault.what != NULL ? fault.what : err_text(err), agent->home.config);
    return err;
}

static enum err open_socket(struct agent *agent, struct buf *out)
{
    struct fault fault = {0};
    agent->inbox = mailbox_new(wake_up, &agent->wake);
    enum err err = api_server_open(agent->home.socket, agent->inbox, &agent->api, &fault);
    if (!err) return ERR_OK;
    buf_printf(out, "the local socket %s cannot be made: %s", agent->home.socket,
               fault.what != NULL ? fault.what : err_text(err));
    return err;
}

static void run_job(void *disk, struct job *job)
{
    disk_run(disk, job);
}

static void open_workers(struct agent *agent)
{
    agent->results = mailbox_new(wake_up, &agent->wake);
    agent->workers.disk = disk_new();
    agent->workers.pool =
        pool_new(0, agent->config.bulk_low, run_job, agent->workers.disk, agent->results);
}

static enum err catch_signals(struct agent *agent, struct buf *out)
{
    enum err err = wake_init(&agent->wake);
    if (!err) err = wake_init(&agent->signals);
    if (err) {
        buf_printf(out, "no pipe: %s", err_text(err));
        return err;
    }
    signal_fd = agent->signals.write_fd;
    struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    CHECK(sigaction(SIGTERM, &stop, NULL) == 0);
    CHECK(sigaction(SIGHUP, &stop, NULL) == 0);
    CHECK(sigaction(SIGINT, &stop, NULL) == 0);
    CHECK(sigaction(SIGPIPE, &ignore, NULL) == 0);
    return ERR_OK;
}

static enum err start(struct agent *agent, struct buf *out)
{
    agent->wall_ms = clock_ms(CLOCK_REALTIME);
    agent->now_ms = agent_clock_ms();
    agent->started_ms = agent->now_ms;
    agent->born_ms = agent->wall_ms;
    enum err err = catch_signals(agent, out);
    if (!err) err = take_home(agent, out);
    if (!err) err = load_identity(agent, out);
    if (!err) err = config_read(agent->home.config, &agent->config, out);
    if (!err) err = load_registry(agent, out);
    if (!err) err = invites_start(agent, out);
    if (!err) err = pausing_open(agent, out);
    if (!err) err = open_index(agent, out);
    if (!err) err = machine_check(agent, out);
    if (!err) err = config_declare(&agent->config, agent->device, agent->registry, out);
    if (err) return err;
    logsink_choose(&agent->config);
    choose_name(agent);
    raise_limits();
    err = open_wire(agent, out);
    if (!err) err = open_socket(agent, out);
    if (!err) err = open_witnesses(agent, out);
    if (err) return err;

    open_workers(agent);
    agent->pairing = pairing_new(agent);
    struct engine_options options = wire_options(agent);
    agent->engine = engine_new(&options);
    engine_now(agent->engine, agent->now_ms, agent->wall_ms);
    engine_rates(agent->engine, agent->config.upload_rate, agent->config.download_rate);
    agent->statusfile = (struct statusfile){.dir_fd = agent->state_fd, .name = HOME_STATUS_NAME};
    show_dirty(agent);
    nearby_start(agent);
    peers_start(agent);
    redeem_start(agent);
    err = folders_start(agent, out);
    if (err) return err;
    pausing_changed(agent);
    reload_start(agent);
    return ERR_OK;
}

// ---- the end

static void close_workers(struct agent *agent)
{
    if (agent->workers.disk != NULL) disk_halt(agent->workers.disk);
    pool_destroy(&agent->workers.pool);
    if (agent->results != NULL) {
        for (struct job *job; (job = mailbox_try(agent->results)) != NULL;)
            job_destroy(&job);
        mailbox_destroy(&agent->results);
    }
    disk_close(&agent->workers.disk);
}

static void close_socket(struct agent *agent)
{
    control_end(agent);
    api_server_close(&agent->api);
    if (agent->inbox == NULL) return;
    for (struct api_request *r; (r = mailbox_try(agent->inbox)) != NULL;)
        api_request_destroy(&r);
    mailbox_destroy(&agent->inbox);
}

static void status_off(struct agent *agent)
{
    if (agent->engine == NULL) return;
    enum err err = statusfile_set(&agent->statusfile, "");
    if (err) log_warn(LOG_DAEMON, "status file not emptied", "error=\"%s\"", err_text(err));
}

static void end(struct agent *agent)
{
    status_off(agent);
    control_pair_end(agent);
    redeem_end(agent);
    nearby_end(agent);
    engine_destroy(&agent->engine);
    if (agent->net != NULL) net_close(&agent->net, LINGER_MS);
    close_workers(agent);
    close_socket(agent);
    store_close(&agent->store);
    for (uint32_t i = 0; i < agent->folder_count; i++)
        free(agent->folders[i].name);
    free(agent->folders);
    attempts_end(agent);
    invites_end(agent);
    pausing_end(agent);
    reload_end(agent);
    events_end(agent);
    registry_close(&agent->registry);
    trust_destroy(&agent->trust);
    config_fini(&agent->config);
    identity_destroy(&agent->identity);
    free(agent->name);
    arena_destroy(&agent->scratch);
    signal_fd = -1;
    wake_fini(&agent->signals);
    wake_fini(&agent->wake);
    fd_close(&agent->sleep_fd);
    fd_close(&agent->witness_fd);
    fd_close(&agent->state_fd);
    fd_close(&agent->lock_fd); // last: whoever waits for the lock finds everything closed
}

static void say(const struct buf *message)
{
    fprintf(stderr, "cfgsync-agent: %.*s\n", SLICE_ARG(buf_slice(message)));
}

static void log_started(const struct agent *agent)
{
    const char *const *endpoints;
    char id[DEVICE_ID_TEXT_MAX];
    uint32_t count = net_endpoints(agent->net, &endpoints);
    log_info(LOG_DAEMON, "agent started", "name=\"%s\" id=%s pid=%ld version=%s", agent->name,
             device_id_short(agent->device, id), (long)getpid(), CFGSYNC_VERSION);
    for (uint32_t i = 0; i < count; i++) {
        log_info(LOG_DAEMON, "listening", "address=%s", endpoints[i]);
    }
}

int daemon_run(const struct home *home)
{
    struct agent agent = {
        .home = *home, // borrowed
        .state_fd = -1,
        .witness_fd = -1,
        .lock_fd = -1,
        .config_fd = -1,
        .config_due_ms = INT64_MAX,
        .sleep_fd = sleep_open(),
        .slept_ms = sleep_total_ms(),
        .wake = WAKE_NONE,
        .signals = WAKE_NONE,
        .scratch = arena_new(),
        .rescan_due_ms = INT64_MAX,
        .renew_due_ms = INT64_MAX,
        .slim_due_ms = INT64_MAX,
    };
    AUTO(buf_fini) struct buf message = {0};
    // All that is made here is made with the mode that it is to have.
    agent.umask = umask(0);
    process_memory_keep();
    logsink_install();
    crypto_init();
    enum err err = start(&agent, &message);
    if (err) {
        say(&message);
    } else {
        log_started(&agent);
        notify_send("READY=1");
        loop_run(&agent);
        notify_send("STOPPING=1");
        log_info(LOG_DAEMON, "agent ends", " ");
    }
    end(&agent);
    return err ? 1 : 0;
}

// ---- config check

int daemon_config_check(const struct home *home, bool json)
{
    struct config config;
    AUTO(buf_fini) struct buf message = {0};
    AUTO(registry_close) struct registry *registry = NULL;
    AUTO(fd_close) int dir_fd = open(home->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct fault fault = {0};
    struct device_id nobody = {0};
    crypto_init();
    enum err err = config_read(home->config, &config, &message);
    // Peers and folders of the CLI count, if there are any: a folder may be shared with such a
    // peer.
    if (dir_fd < 0 || registry_open(dir_fd, HOME_REGISTRY_NAME, &registry, &fault) != ERR_OK) {
        registry = registry_new();
    }
    if (!err) err = config_declare(&config, nobody, registry, &message);
    const struct registry_folder *folders;
    uint32_t count = registry_folders(registry, &folders);
    for (uint32_t i = 0; i < count && !err; i++) {
        AUTO(buf_fini) struct buf why = {0};
        if (folders[i].declared_at == NULL) continue;
        err = root_allowed(registry, home, folders[i].name, folders[i].path, &why);
        if (err) {
            buf_printf(&message, "%s: folder %s: path: %s", folders[i].declared_at, folders[i].name,
                       buf_text(&why));
        }
    }
    config_fini(&config);
    if (json) {
        AUTO(json_drop) json_t *out = json_object();
        json_object_set_new(out, "ok", json_boolean(err == ERR_OK));
        if (err) json_object_set_new(out, "error", json_bytes(buf_slice(&message)));
        AUTO(mem_free) char *text = json_dumps(out, JSON_INDENT(2));
        puts(text);
    } else if (err) {
        say(&message);
    } else {
        printf("%s: ok\n", home->config);
    }
    return err ? 1 : 0;
}
