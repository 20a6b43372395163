// SPDX-License-Identifier: MIT
//
// Shared by folder.c (a folder's life), marker.c (its id on the disk) and recover.c (its start).
#ifndef AGENT_SYNC_FOLDER_PRIV_H
#define AGENT_SYNC_FOLDER_PRIV_H

#include "agent/sync/engine_priv.h"

bool id_is_zero(struct folder_id id);
void draw_incarnation(struct folder *folder); // inside a transaction
bool witness_fits(const struct folder *folder, const struct job_health *health);
void witness_answer(struct folder *folder, const struct job_health *health);
void witness_write(struct folder *folder);
void witness_written(struct folder *folder);
void witness_forget(struct folder *folder); // another life begins; inside a transaction
void recover_start(struct folder *folder);

void marker_put(struct folder *folder, struct folder_id before);
void marker_load(struct folder *folder);
void marker_write(struct folder *folder);
bool marker_is_behind(const struct folder *folder, const struct job_health *health);
void marker_seen(struct folder *folder);

#endif
