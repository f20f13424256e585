/* SPDX-License-Identifier: BSD-2-Clause */
/* Defaults of what other files of this room provide; a file that defines one of these names wins. */
#include <errno.h>
#include <stdlib.h>

#include "box_priv.h"
#include "burst.h"
#include "conf.h"

#define WEAK __attribute__((weak))

WEAK void fp_proto_punted(struct fp_box *box, struct rte_mbuf *m) { rte_pktmbuf_free(m); }
WEAK const uint32_t pol_limit_defaults[POL_LIMIT_MAX] = { [POL_LIMIT_FRAGS] = 8192 };
/* The published configuration keeps pf's defaults and no rules. */
WEAK void fp_conf_policy_get(struct fp_box *box, struct fp_conf *c) { }
WEAK bool fp_conf_policy_skip(struct fp_box *box, const char *ifname) { return false; }
WEAK const uint32_t pol_timeout_defaults[POL_TM_MAX] = { 120, 30, 86400, 900, 45, 90, 60, 30, 60, 20, 10, 60, 30, 60, 60, 10,
	60000, 120000, 0, 30 };
