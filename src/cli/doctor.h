/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of `doctor` share. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli_priv.h"

enum doctor_level { PROBLEM, ADVICE, NOTE };

struct doctor { struct cli_ctx *x; unsigned n[3]; };

/* todo: what to do about it, or NULL. */
void cli_doctor_finding(struct doctor *d, enum doctor_level level, const char *topic, const char *todo, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
void cli_doctor_pair(struct doctor *d);	/* doctor_pair.c */

#endif
