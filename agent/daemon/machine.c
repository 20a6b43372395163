// SPDX-License-Identifier: MIT
//
// Is this the machine the index was made on? A restored or cloned home would count on under
// another's name, so it must not run until a person has said which it is: adopt (the old machine is
// gone) or rekey (this is a second one). Both leave a request file, carried out here, and give
// every folder a new incarnation, which the engine draws when it sees the root.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/flush.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/agent_priv.h"
#include "agent/daemon/machine_id_priv.h"
#include "crypto/hash.h"

#define MACHINE_META_KEY "machine-id"
#define IDENTITY_NEW     "identity.new"

static bool machine_digest(struct digest *out)
{
    AUTO(buf_fini) struct buf text = {0};
    buf_append_text(&text, "cfgsync-machine1");
    if (!machine_id_read(&text)) return false;
    *out = hash_sha256(buf_slice(&text));
    return true;
}

static void meta_put(struct agent *agent)
{
    struct digest now;
    if (!machine_digest(&now)) return;
    store_meta_put(agent->store, MACHINE_META_KEY, slice_of(now.bytes, sizeof now.bytes));
}

// New incarnations for all folders, wherever they are declared, in one transaction with the machine
// they belong to.
static enum err renew(struct agent *agent)
{
    store_begin(agent->store);
    store_folders_renew(agent->store);
    meta_put(agent);
    return store_commit(agent->store);
}

// The new key is complete under another name before it takes the place of the old one, which stays
// as identity.old-TIME. Done twice after a crash in between, it makes one more key, no damage.
static enum err new_identity(struct agent *agent)
{
    char old[64];
    AUTO(identity_destroy) struct identity *made = NULL;
    if (unlinkat(agent->state_fd, IDENTITY_NEW, 0) != 0 && errno != ENOENT) {
        return log_errno(LOG_DAEMON, "unlink", slice_text(IDENTITY_NEW));
    }
    enum err err = identity_create(agent->state_fd, IDENTITY_NEW, &made);
    if (err) return err;
    (void)snprintf(old, sizeof old, HOME_IDENTITY_NAME ".old-%" PRId64, agent->wall_ms / 1000);
    if (linkat(agent->state_fd, HOME_IDENTITY_NAME, agent->state_fd, old, 0) != 0 &&
        errno != EEXIST) {
        return log_errno(LOG_DAEMON, "link", slice_text(old));
    }
    if (renameat(agent->state_fd, IDENTITY_NEW, agent->state_fd, HOME_IDENTITY_NAME) != 0) {
        return log_errno(LOG_DAEMON, "rename", slice_text(HOME_IDENTITY_NAME));
    }
    if (flush_file(agent->state_fd) != 0) return log_errno(LOG_DAEMON, "fsync", slice_text(""));
    identity_destroy(&agent->identity);
    agent->identity = TAKE(made);
    agent->device = identity_device(agent->identity);
    return ERR_OK;
}

static enum err carry_out(struct agent *agent, bool rekey, struct buf *out_message)
{
    enum err err = rekey ? new_identity(agent) : ERR_OK;
    if (!err) err = renew(agent);
    if (err) {
        buf_printf(out_message, "%s could not be carried out: %s", rekey ? "rekey" : "adopt",
                   err_text(err));
        return err;
    }
    const char *request = rekey ? agent->home.rekey : agent->home.adopt;
    if (unlink(request) != 0) return log_errno(LOG_DAEMON, "unlink", slice_text(request));
    char id[DEVICE_ID_TEXT_MAX];
    log_info(LOG_DAEMON, rekey ? "new device key" : "index adopted", "id=%s",
             device_id_text(agent->device, id));
    return ERR_OK;
}

static enum err compare(struct agent *agent, struct buf *out_message)
{
    struct digest now;
    struct slice kept;
    if (!machine_digest(&now)) return ERR_OK;
    if (!store_meta_get(agent->store, agent->scratch, MACHINE_META_KEY, &kept)) {
        store_begin(agent->store);
        meta_put(agent);
        return store_commit(agent->store);
    }
    if (slice_equal(kept, slice_of(now.bytes, sizeof now.bytes))) return ERR_OK;
    buf_append_text(out_message,
                    "this agent's state was made on another machine. If that machine is gone and "
                    "this one replaces it: cfgsync-agent adopt. If this is a copy and both go on: "
                    "cfgsync-agent rekey");
    return ERR_CONFIG;
}

enum err machine_check(struct agent *agent, struct buf *out_message)
{
    enum err err;
    if (access(agent->home.rekey, F_OK) == 0) {
        err = carry_out(agent, true, out_message);
        // Whoever asked for both has said the more thorough one.
        if (!err && unlink(agent->home.adopt) == 0) log_debug(LOG_DAEMON, "adopt not needed", " ");
    } else if (access(agent->home.adopt, F_OK) == 0) {
        err = carry_out(agent, false, out_message);
    } else {
        err = compare(agent, out_message);
    }
    if (err && out_message->size == 0) {
        buf_printf(out_message, "the index cannot be used: %s", err_text(err));
    }
    return err;
}
