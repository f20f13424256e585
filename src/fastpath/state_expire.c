/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of states: timeouts, adaptive scaling, removal. spec/tcp-state.md 8. All on the owning worker. */
#include <netinet/in.h>

#include "rules.h"
#include "events.h"
#include "srcnode.h"
#include "states.h"
#include "pf.h"

uint32_t
fp_states_total(const struct fp_box *box)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < box->n_workers; i++)
		n += fp_table_halves(box->workers[i]->table);
	return n;
}

/*
 * pf_state_expires(): when the timeout of the rule or of the rule set is over, scaled down as the table fills. `states`
 * is the rule's own count if the rule brings adaptive.start, else the whole box's.
 */
static uint32_t
effective_timeout(const struct fp_conf *c, const struct fp_rule_rt *rt, unsigned idx, uint32_t total)
{
	const struct pol_rule *r = rt->rule;
	uint32_t timeout = fp_rule_timeout(c, r, idx), start, end, states;

	if (r->timeout_set[POL_TM_ADAPTIVE_START] && r->timeout[POL_TM_ADAPTIVE_START] != 0) {
		start = r->timeout[POL_TM_ADAPTIVE_START];
		end = fp_rule_timeout(c, r, POL_TM_ADAPTIVE_END);
		states = __atomic_load_n(&rt->states_cur, __ATOMIC_RELAXED);
	} else {
		start = c->timeout[POL_TM_ADAPTIVE_START];
		end = c->timeout[POL_TM_ADAPTIVE_END];
		states = total;
	}
	if (end != 0 && states > start && start < end) {
		if (states >= end)
			return 0;
		timeout = (uint64_t)timeout * (end - states) / (end - start);
	}
	return timeout;
}

uint32_t
fp_state_expires_with(const struct fp_worker *w, const struct fp_state *st, int half, uint32_t total)
{
	const struct fp_rule_rt *rt;
	uint32_t timeout, idle;

	if (st->hflags[half] & FP_HF_PURGE || st->timeout >= POL_TM_MAX)
		return 0;
	rt = fp_rule(w->box, st->rule[half]);
	timeout = effective_timeout(w->conf, rt, st->timeout, total);
	idle = w->now_sec - st->last_sec;
	return (int32_t)idle < 0 ? timeout : idle >= timeout ? 0 : timeout - idle;
}

uint32_t
fp_state_expires_in(const struct fp_worker *w, const struct fp_state *st, int half)
{
	return fp_state_expires_with(w, st, half, fp_states_total(w->box));
}

void
fp_state_purge(struct fp_worker *w, struct fp_state *st, int half)
{
	(void)w;
	st->hflags[half] |= FP_HF_PURGE;
	st->flags |= FP_SF_SLOW;
	w->purge_pending = true;
}

void
fp_state_remove(struct fp_worker *w, struct fp_state *st, int half)
{
	struct fp_rule_rt *rt = fp_rule(w->box, st->rule[half]);
	struct fp_rule_count *c = rt->rs->count[w->id];

	/* pf_remove_state(): a client that waits for its server through the proxy is told */
	if (st->key.proto == IPPROTO_TCP && st->peer[0].state == FP_TCPS_PROXY_DST)
		fp_synproxy_abandon(w, st, half);
	if (c != NULL) {	/* what the state counted stays with its rule */
		c += rt - rt->rs->rules;
		for (int d = 0; d < 2; d++) {
			uint64_t p, b;
			int io = half == FP_HALF_OUT ? !d : d;

			fp_state_totals(w->table, st, half, d, &p, &b);
			fp_count(&c->packets[io], p);
			fp_count(&c->bytes[io], b);
		}
	}
	if (st->hflags[half] & FP_HF_SRC_NODE)
		fp_srcnode_state_gone(w, st, half);
	if (fp_state_half_open(st))
		fp_half_open_add(w, -1);
	__atomic_fetch_sub(&rt->states_cur, 1, __ATOMIC_RELEASE);
	fp_count(&w->cnt.totals[FP_T_STATE_REMOVALS], 1);
	fp_event_state(w, st, half, FP_EV_STATE_DEL);
	if (w->sync != NULL)
		w->sync->removed(w, st, half);
	fp_table_remove_half(w->table, st, half);
}

struct fp_state *
fp_state_part(struct fp_worker *w, struct fp_state *st, int half)
{
	struct fp_state *n = fp_state_uncouple(w->table, st, half);

	if (n != NULL && n != st && w->sync != NULL)
		w->sync->moved(w, n, half, st);
	return n;
}

struct scan { struct fp_worker *w; uint32_t total; uint32_t min[POL_TM_MAX]; bool all, grace; };

static void
scan_one(struct fp_state *st, void *arg)
{
	struct scan *s = arg;
	unsigned halves = st->halves;

	/* line 0 says for nearly all states that no rule could have them expire now */
	if (!s->all && st->timeout < POL_TM_MAX && s->w->now_sec - st->last_sec < s->min[st->timeout] &&
	    !((st->hflags[0] | st->hflags[1]) & FP_HF_PURGE))
		return;
	/* just taken over: the peer's last news of idle connections may be as old as their timeouts */
	if (s->grace && st->flags & FP_SF_LEARNED && !((st->hflags[0] | st->hflags[1]) & FP_HF_PURGE))
		return;
	for (int half = 0; half < 2; half++)
		if (halves >> half & 1 && fp_state_expires_with(s->w, st, half, s->total) == 0)
			fp_state_remove(s->w, st, half);
}

/*
 * A whole round takes `interval` seconds (pf looks at states/interval entries each second); the share is spread evenly
 * over loops and bounded, so that no loop stalls.
 */
void
fp_state_expire(struct fp_worker *w)
{
	const struct fp_conf *c = w->conf;
	uint64_t interval = c->timeout[POL_TM_INTERVAL] ? c->timeout[POL_TM_INTERVAL] : 1, want, dt;
	struct scan s = { .w = w };

	dt = w->now_us - w->scan_last_us;
	if (dt < 1000 && !w->purge_pending)
		return;
	want = (uint64_t)fp_table_slots(w->table) * dt / (interval * 1000000) + 1;
	w->scan_last_us = w->now_us;
	w->purge_pending = false;
	s.total = fp_states_total(w->box);
	s.grace = (int32_t)(__atomic_load_n(&w->box->grace_until_sec, __ATOMIC_RELAXED) - w->now_sec) > 0;
	s.all = c->rule_adaptive || (s.total > c->timeout[POL_TM_ADAPTIVE_START] && c->timeout[POL_TM_ADAPTIVE_END] != 0);
	for (unsigned i = 0; i < POL_TM_MAX; i++) {
		uint32_t m = __atomic_load_n(&w->box->rules->min_timeout[i], __ATOMIC_RELAXED);

		s.min[i] = RTE_MIN(m, c->timeout[i]);
	}
	fp_table_scan(w->table, RTE_MIN(want, (uint64_t)w->box->params->scan_max), scan_one, &s);
}
