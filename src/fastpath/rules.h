/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rule sets at run time: which one is in force, which older ones states still refer to, and what each rule counted.
 *
 * States outlive rule sets: a state keeps the rule that made it (its timeouts, its label, its counters), as in pf. So
 * every rule gets a box-wide number, the uid, that a state stores. The registry maps it to the rule. Uids of a rule set
 * are consecutive; the set is freed, and its uids are given out again, when it is not in force, no state refers to any
 * of its rules and a grace period is over.
 *
 * Writers: the main lcore publishes and retires rule sets. Counters are per worker (fp_rule_count), one writer each.
 * states_cur is the one shared number, changed by an atomic add when a state is made or removed, never on the
 * established path: `max` of a rule must hold over all workers.
 */
#ifndef FP_RULES_H
#define FP_RULES_H

#include "box.h"
#include "burst.h"

struct fp_rule_count { uint64_t packets[2], bytes[2]; };	/* [in, out]; matched without a state, or by states gone */

struct fp_rule_rate { uint32_t count, last_sec; };	/* max-pkt-rate: thousandths of packets, box clock */

struct fp_rule_rt;
struct fp_rs_rt {			/* a rule set that was in force at some time */
	struct fp_rs_rt *next;		/* main */
	struct pol_ruleset *rs;
	struct pol_compiled *compiled;
	uint32_t uid_base, n;		/* uids uid_base .. uid_base + n - 1 */
	uint32_t generation;
	struct fp_rule_rt *rules;	/* [n] */
	struct fp_rule_count *count[FP_MAX_WORKERS];	/* [worker][n], writer: that worker */
	struct fp_rule_rate *rate[FP_MAX_WORKERS];	/* [worker][n], writer: that worker; others read */
	uint64_t *evals[FP_MAX_WORKERS];		/* [worker][n], writer: that worker */
	struct rte_rcu_qsbr *qs;
	uint64_t retire_token;
	bool retired;
};
struct fp_rule_rt {
	const struct pol_rule *rule;
	struct fp_rs_rt *rs;
	uint32_t states_cur;		/* atomic add by any worker; new and removed states only */
	uint64_t states_total;		/* likewise */
	uint32_t src_nodes;		/* likewise: addresses tracked by this rule (srcnode.c) */
};

/* `evaluations auto`: count them, by a plain walk for every new state, up to so many rules. */
#define FP_EVAL_COUNTS_AUTO 32
#define FP_RULE_CHUNK 4096
#define FP_RULE_CHUNKS 4096
struct fp_rules {			/* owner: main */
	struct fp_rule_rt **chunks[FP_RULE_CHUNKS]; /* [uid / CHUNK][uid % CHUNK]; workers read, entries set before publication */
	struct fp_rs_rt *active, *old;
	struct fp_rule_rt default_rt;
	struct fp_rs_rt default_rs;
	struct pol_rule default_rule;
	struct pol_table **tables;
	unsigned n_tables;
	struct { uint32_t base, n; } *free_uids;
	unsigned n_free_uids;
	uint32_t next_uid;
	uint32_t min_timeout[POL_TM_MAX];	/* smallest over all living rule sets: what expiry may skip without looking at the rule */
	bool enabled;
	int reassemble, syncookies, debug;
	bool reassemble_nodf;
	uint8_t syncookies_start_pct, syncookies_end_pct;
	struct pol_reclaim reclaim;
	uint32_t generation;
};

/* The rule of a state. Any worker; never NULL. */
static inline struct fp_rule_rt *
fp_rule(const struct fp_box *box, uint32_t uid)
{
	return box->rules->chunks[uid / FP_RULE_CHUNK][uid % FP_RULE_CHUNK];
}

/* A timeout of a state by its rule, else the rule set in force. Seconds. */
static inline uint32_t
fp_rule_timeout(const struct fp_conf *c, const struct pol_rule *r, unsigned idx)
{
	return r->timeout_set[idx] ? r->timeout[idx] : c->timeout[idx];
}

static inline void
fp_rule_count_packet(struct fp_worker *w, struct fp_rule_rt *rt, bool out, uint32_t len)
{
	struct fp_rule_count *c = rt->rs->count[w->id];

	if (c == NULL)		/* the default rule: counts nothing, as in pf */
		return;
	c += rt - rt->rs->rules;
	fp_count(&c->packets[out], 1);
	fp_count(&c->bytes[out], len);
}

/* Free old rule sets that nothing refers to; called now and then by fp_box_poll(). */
void fp_rules_poll(struct fp_box *box);
/* n_workers is set: make room for their counters. 0 or -ENOMEM. Workers are stopped. */
int fp_rules_prepare_workers(struct fp_box *box);
/* After interfaces or addresses changed: names and (dynamic) addresses in the rules mean something else. */
int fp_rules_recompile(struct fp_box *box);
void fp_conf_policy_get(struct fp_box *box, struct fp_conf *c);
bool fp_conf_policy_skip(struct fp_box *box, const char *ifname);

#endif
