/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of the pair: pfsync0 (pfsync_if.c), its figures (pfsync_show.c), actions and monitor (pfsync.c). */
#ifndef CLI_PFSYNC_H
#define CLI_PFSYNC_H

#include "cli_priv.h"
#include "sync/sync.h"

/* The pair of the box; NULL when it was made without one, told with cli_err() by the second. */
struct sync *cli_sync_of(struct cli_ctx *x);
struct sync *cli_sync(struct cli_ctx *x);

/* pfsync_if.c. `ifconfig pfsync...`: all of it, with x->check too. */
int cli_pfsync_ifconfig(struct cli_ctx *x);
bool cli_pfsync_configured(struct cli_ctx *x);	/* anything but defaults */
void cli_pfsync_print(struct cli_ctx *x);	/* as ifconfig, text or a JSON object */
void cli_pfsync_config(struct cli_ctx *x);	/* its lines of `show config` */

/* pfsync_show.c */
int cli_show_sync(struct cli_ctx *x);
void cli_sync_metrics(struct cli_ctx *x);
const char *cli_ago(char buf[32], uint64_t us);	/* "12 us", "0.4 ms", "3.1 s" */

/* pfsync.c */
int cli_monitor_sync(struct cli_ctx *x);

/* states.c: the word for enum fp_sync_pos of the half that v is: none ins upd_c upd dirty dead. */
const char *cli_sync_word(const struct fp_state_view *v);

#endif
