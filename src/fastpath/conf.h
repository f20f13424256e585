/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Publication of struct fp_conf (box.h): conf.c puts together what ifnet.c, route.c and the rules have.
 */
#ifndef FP_CONF_H
#define FP_CONF_H

#include "box.h"

/*
 * Fill c's fields that follow from rules and parameters: rules, ruleset, timeout, limit, pf_enabled, reassemble,
 * reassemble_nodf, eval_counts, forward4, forward6, syncookies, syncookies_*_pct. What it does not know keeps the defaults
 * that conf.c has put there. Main lcore; called once box->rules is there, so is the next one. (rules.c)
 */
void fp_conf_policy_get(struct fp_box *box, struct fp_conf *c);
/* `set skip on` names this interface or its group. */
bool fp_conf_policy_skip(struct fp_box *box, const char *ifname);

/* The published configuration on the main lcore; NULL before the first publication. */
static inline const struct fp_conf *
fp_conf(const struct fp_box *box)
{
	return __atomic_load_n(&box->conf, __ATOMIC_ACQUIRE);
}

/* Interface by id in a configuration; NULL: none. Any reader. */
static inline const struct fp_ifnet *
fp_conf_if(const struct fp_conf *c, uint16_t ifid)
{
	return ifid < c->n_ifs && c->ifs[ifid].exists ? &c->ifs[ifid] : NULL;
}

/* Is addr one of this interface's own addresses? NULL: no. Any reader. */
const struct fp_ifaddr *fp_ifnet_own(const struct fp_ifnet *i, uint8_t af, const void *addr);
/* Own address to speak from to dst out of this interface (same network first, then the first of its scope). NULL: none. */
const struct fp_ifaddr *fp_ifnet_source(const struct fp_ifnet *i, uint8_t af, const void *dst);

#endif
