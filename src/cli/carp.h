/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of CARP: carpN (carp_if.c), figures and settings (carp_show.c). */
#ifndef CLI_CARP_H
#define CLI_CARP_H

#include "cli_priv.h"
#include "failover/failover.h"
#include "failover/role.h"

/* The box's CARP; NULL when it was made without, told with cli_err() by the second. */
struct fo *cli_fo_of(struct cli_ctx *x);
struct fo *cli_fo(struct cli_ctx *x);

/* carp_if.c. `ifconfig carpN ...` and `ifconfig -g GROUP ...`: all of it, with x->check too. */
int cli_carp_ifconfig(struct cli_ctx *x);
int cli_carp_group(struct cli_ctx *x);
/* name NULL: all. The number shown. */
unsigned cli_carp_print(struct cli_ctx *x, const char *name);
void cli_carp_config(struct cli_ctx *x);	/* its lines of `show config` */

/* carp_show.c */
void cli_carp_metrics(struct cli_ctx *x);

/* ifconfig.c: "255.255.255.0", "0xffffff00"; -1: neither, or with holes */
int cli_netmask_plen(const char *s);

#endif
