// SPDX-License-Identifier: MIT
//
// Shared by folder.c (a folder's life) and recover.c (its start).
#ifndef AGENT_SYNC_FOLDER_PRIV_H
#define AGENT_SYNC_FOLDER_PRIV_H

#include "agent/sync/engine_priv.h"

void draw_incarnation(struct folder *folder); // inside a transaction
bool witness_fits(const struct folder *folder, const struct job_health *health);
void witness_write(struct folder *folder);
void witness_written(struct folder *folder);
void witness_forget(struct folder *folder); // another life begins; inside a transaction
void recover_start(struct folder *folder);

#endif
