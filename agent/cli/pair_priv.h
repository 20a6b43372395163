// SPDX-License-Identifier: MIT
//
// agent/cli/pair — what pairing with a code and over ssh have in common.
#ifndef AGENT_CLI_PAIR_PRIV_H
#define AGENT_CLI_PAIR_PRIV_H

#include <signal.h>

#include "agent/base/json.h"
#include "agent/cli/args_priv.h"
#include "agent/cli/cli.h"

// Shows who the other one is (an answer of the agent with state "met"), and asks, unless --yes.
bool pair_confirm(const struct cli_context *context, const struct args *args, const json_t *met,
                  const char *question);
// What is said in the end, and asked at a terminal.
int pair_done(const struct cli_context *context, const struct args *args, const json_t *done);
// Asks which folders of this device to share with it; at a terminal, once.
int pair_share(const struct cli_context *context, const char *peer);
// What is said beforehand instead ("a,b"; "all"), before there is such a peer: *out are names of
// folders, for pair_share_all.
int pair_share_choose(const struct cli_context *context, const char *peer, const char *line,
                      json_t **out);
int pair_share_all(const struct cli_context *context, const char *peer, const json_t *names);
int pair_bad_text(void); // CLI_USAGE
// One line of standard input without its end, whatever that is. False: there is none.
bool pair_read_line(struct buf *out);

// SIGINT, SIGTERM and SIGHUP wait until pair_read_answer waits, and end that; *before is what was
// blocked.
void pair_hold_signals(sigset_t *before);
void pair_release_signals(const sigset_t *before);
// One line, as pair_read_line. False: also when a signal came, or nobody answers in time.
bool pair_read_answer(const sigset_t *before, struct buf *out);

// Takes back what POST /v1/pair/introduce has made, if that was new.
void pair_undo(const struct cli_context *context, const json_t *introduced);

// Where somebody on the local network shows a code: HOST:PORT in *out_at. It stays empty if nobody
// does, unless there `must` be somebody. Anything but CLI_DONE was explained.
int pair_find(const struct cli_context *context, bool must, struct buf *out_at);

int pair_ssh(const struct cli_context *context, const struct args *args, const char *url);
int pair_stdio(const struct cli_context *context); // the other end of pair_ssh

#endif
