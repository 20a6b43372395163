// SPDX-License-Identifier: MIT
//
// What the parts of lan share.
#ifndef TESTS_UNIT_SYNC_LAN_PRIV_H
#define TESTS_UNIT_SYNC_LAN_PRIV_H

#include "tests/unit/sync/lan.h"

// Whether what is just about to happen is what goes wrong.
bool fault_now(struct lan *lan, const struct machine *m, enum lan_fault_kind kind);

// ---- lan_line.c
enum err line_send(struct net *net, uint64_t conn, struct slice bytes);
size_t line_queued(const struct net *net, uint64_t conn);
void line_drop(struct net *net, uint64_t conn);
bool lines_turn(struct lan *lan); // false: nothing to do
int64_t lines_deadline(const struct lan *lan);
void lines_of_end(struct machine *m); // its process is gone
void lines_clear(struct lan *lan);

// ---- lan_user.c
const char *user_path(const struct machine *m, const char *path, char out[512]);

#endif
