// SPDX-License-Identifier: MIT
//
// agent/cli/device — loads or makes the identity and says what to do when it cannot be used.
#include <fcntl.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/cli/device_priv.h"
#include "agent/cli/print_priv.h"

static int explain(const struct cli_context *context, enum err err, const struct fault *fault)
{
    const char *path = context->home.identity;
    if (err == ERR_CONFIG && fault->what != NULL) {
        cli_error("%s: %s", path, fault->what);
    } else {
        cli_error("%s: %s", path, err_text(err));
    }
    return CLI_FAILED;
}

int device_read(const struct cli_context *context, char out[DEVICE_ID_TEXT_MAX], bool *out_made)
{
    crypto_init();
    AUTO(fd_close)
    int dir = open(context->home.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_new = dir < 0 || faccessat(dir, HOME_IDENTITY_NAME, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
    if (is_new && out_made == NULL) {
        cli_error("this device has no identity yet; make one: cfgsync-agent init");
        return CLI_FAILED;
    }
    struct fault fault = {0};
    AUTO(identity_destroy) struct identity *identity = NULL;
    enum err err = is_new ? identity_create(dir, HOME_IDENTITY_NAME, &identity)
                          : identity_load(dir, HOME_IDENTITY_NAME, &identity, &fault);
    if (err) return explain(context, err, &fault);
    if (out_made != NULL) *out_made = is_new;
    (void)device_id_text(identity_device(identity), out);
    return CLI_DONE;
}
