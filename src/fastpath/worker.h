/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker's turn for a program that brings its own bursts: begin, fp_burst() as often as wanted, end. worker.c */
#ifndef FP_WORKER_H
#define FP_WORKER_H

#include "box.h"

void fp_worker_begin(struct fp_worker *w);
void fp_worker_end(struct fp_worker *w, bool housekeeping);

#endif
