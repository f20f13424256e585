/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLI_METRICS_H
#define CLI_METRICS_H

struct cli_ctx;
int cli_metrics(struct cli_ctx *x);

#endif
