/* SPDX-License-Identifier: BSD-2-Clause */
/* What the scenarios of the pair share. */
#ifndef BENCH_SYNC_H
#define BENCH_SYNC_H

#include "rig.h"

/* Records of a box in random order; st is the caller's to free. */
struct bench_states { struct fp_state **st; uint64_t n, size; };
int bench_states_get(struct bench_rig *r, uint64_t max, struct bench_states *v);
/* Nothing waits for company: what is queued goes out in the next turn. 0, or 1 after a message. */
int bench_sync_hurry(struct bench_rig *r);
/* As if a packet had made, changed (UPD_C) or ended both halves of the record; UPD: as if the peer had asked for it. */
void bench_queue(struct bench_rig *r, struct fp_state *st, enum sync_kind kind);
/* Turns of the slice until all that waits has gone to the link. */
void bench_flush(struct bench_rig *r);

#endif
