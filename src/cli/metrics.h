/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLI_METRICS_H
#define CLI_METRICS_H

struct cli_ctx;
struct cli_out;
int cli_metrics(struct cli_ctx *x);
/* # TYPE, # UNIT (NULL: none) and # HELP of a family; its samples follow. */
void cli_metric_family(struct cli_out *o, const char *name, const char *type, const char *unit, const char *help);

#endif
