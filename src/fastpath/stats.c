/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Figures of a box: sums over the workers and the main lcore, minus the baseline that `clear` saved. Workers only ever
 * add; the reader loads each word once, so a sum may be a few packets old but never torn.
 *
 * Cycles: fp_lcore_info() gives counts since the last clear; its three ratios are of the last full second in which there
 * were packets, else of all the time since the clear.
 */
#include <errno.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "box_priv.h"
#include "burst.h"
#include "srcnode.h"

static inline uint64_t
get(const uint64_t *c)
{
	return __atomic_load_n(c, __ATOMIC_RELAXED);
}

static void
add(struct fp_counters *sum, const struct fp_counters *c)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)c;

	for (size_t i = 0; i < sizeof(*c) / sizeof(uint64_t); i++)
		to[i] += get(&from[i]);
}

static void
sum_all(const struct fp_box *box, struct fp_counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	add(sum, &box->main_cnt);
	sum->totals[FP_T_STATE_INSERTS] += get(&box->learned);
	for (unsigned i = 0; i < box->n_workers; i++)
		if (box->workers[i] != NULL)
			add(sum, &box->workers[i]->cnt);
}

void
fp_stats_get(struct fp_box *box, struct fp_stats *s)
{
	const struct fp_counters *base = &box->priv->base;
	struct fp_counters sum;

	memset(s, 0, sizeof(*s));
	sum_all(box, &sum);
	for (unsigned i = 0; i < FP_T_MAX; i++)
		s->totals[i] = sum.totals[i] - base->totals[i];
	for (unsigned i = 0; i < FP_D_MAX; i++)
		s->drops[i] = sum.drops[i] - base->drops[i];
	for (unsigned i = 0; i < FP_R_MAX; i++)
		s->reasons[i] = sum.reasons[i] - base->reasons[i];
	for (unsigned i = 0; i < FP_LC_MAX; i++)
		s->lcounters[i] = sum.lcounters[i] - base->lcounters[i];
	for (unsigned i = 0; i < box->n_workers; i++) {
		const struct fp_worker *w = box->workers[i];

		s->states += fp_table_halves(w->table);
		s->half_open += __atomic_load_n(&w->half_open, __ATOMIC_RELAXED);
		if (w->reass != NULL)
			s->frags += fp_reass_held(w->reass);
	}
	s->srcnodes = fp_srcnodes_count(box);
	s->srcnode_searches = s->totals[FP_T_SRCNODE_SEARCHES];
	s->srcnode_inserts = s->totals[FP_T_SRCNODE_INSERTS];
	s->srcnode_removals = s->totals[FP_T_SRCNODE_REMOVALS];
	s->hostid = box->hostid;
	s->enabled = box->conf != NULL && box->conf->pf_enabled;
	s->since_sec = box->enabled_sec != 0 ? fp_box_now_us(box) / 1000000 - box->enabled_sec : 0;
}

static void
cyc_get(struct fp_cycle_stats *to, const struct fp_cycle_stats *c)
{
	const uint64_t *from = (const uint64_t *)c;

	for (size_t i = 0; i < sizeof(*c) / sizeof(uint64_t); i++)
		((uint64_t *)to)[i] = get(&from[i]);
}

static bool
clear_stall(struct fp_worker *w, void *arg)
{
	__atomic_store_n(&w->cyc.stall_max_cycles, 0, __ATOMIC_RELAXED);
	return true;
}

void
fp_stats_clear(struct fp_box *box)
{
	struct fp_box_priv *pv = box->priv;

	sum_all(box, &pv->base);
	pv->base_us = fp_box_now_us(box);
	for (unsigned i = 0; i < box->n_workers; i++) {
		cyc_get(&pv->cyc_base[i], &box->workers[i]->cyc);
		memset(&pv->samples[i].delta, 0, sizeof(pv->samples[i].delta));
		fp_worker_call(box, box->workers[i], clear_stall, NULL);
	}
	cyc_get(&pv->main_base, &pv->main_cyc);
}

static void
cyc_sub(struct fp_cycle_stats *a, const struct fp_cycle_stats *b)
{
	uint64_t stall = a->stall_max_cycles;

	for (size_t i = 0; i < sizeof(*a) / sizeof(uint64_t); i++)
		((uint64_t *)a)[i] -= ((const uint64_t *)b)[i];
	a->stall_max_cycles = stall; /* a maximum, not a sum */
}

void
fp_stats_sample(struct fp_box *box, uint64_t now_us)
{
	struct fp_box_priv *pv = box->priv;

	for (unsigned i = 0; i <= box->n_workers; i++) {
		struct fp_sample *s = i < box->n_workers ? &pv->samples[i] : &pv->main_sample;
		struct fp_cycle_stats now;

		cyc_get(&now, i < box->n_workers ? &box->workers[i]->cyc : &pv->main_cyc);
		s->delta = now;
		cyc_sub(&s->delta, &s->at);
		s->at = now;
	}
}

unsigned
fp_lcore_count(const struct fp_box *box)
{
	bool on_main = box->n_workers != 0 && box->workers[0]->ctl->on_main;

	return box->n_workers + (on_main ? 0 : 1);
}

static void
fill(const struct fp_box *box, struct fp_lcore_info *info, struct fp_cycle_stats c, const struct fp_cycle_stats *base,
	const struct fp_cycle_stats *second)
{
	const struct fp_cycle_stats *r;
	uint64_t all;

	cyc_sub(&c, base);
	info->loops = c.loops;
	info->busy_cycles = c.busy_cycles;
	info->idle_cycles = c.idle_cycles;
	info->packets = c.packets;
	info->bursts = c.bursts;
	memcpy(info->burst_hist, c.burst_hist, sizeof(info->burst_hist));
	info->stall_max_us = c.stall_max_cycles * 1000000 / box->tsc_hz;
	r = second->packets != 0 || (base == &box->priv->main_base && second->loops != 0) ? second : &c;
	all = r->busy_cycles + r->idle_cycles;
	info->cycles_per_packet = r->packets != 0 ? (double)r->busy_cycles / r->packets : 0;
	info->busy_share = all != 0 ? (double)r->busy_cycles / all : 0;
	info->burst_mean = r->bursts != 0 ? (double)r->packets / r->bursts : 0;
}

int
fp_lcore_info(struct fp_box *box, unsigned i, struct fp_lcore_info *info)
{
	struct fp_box_priv *pv = box->priv;
	struct fp_cycle_stats c;
	struct fp_table_info ti;
	const struct fp_worker *w;

	memset(info, 0, sizeof(*info));
	if (i >= fp_lcore_count(box))
		return -ENOENT;
	if (i == box->n_workers) {
		info->lcore = rte_get_main_lcore();
		info->worker = UINT32_MAX;
		info->socket = rte_lcore_to_socket_id(info->lcore);
		snprintf(info->role, sizeof(info->role), "main");
		cyc_get(&c, &pv->main_cyc);
		fill(box, info, c, &pv->main_base, &pv->main_sample.delta);
		return 0;
	}
	w = box->workers[i];
	info->lcore = w->lcore;
	info->worker = i;
	info->socket = w->socket;
	snprintf(info->role, sizeof(info->role), "%s", w->ctl->on_main ? "main+worker" : "worker");
	cyc_get(&c, &w->cyc);
	fill(box, info, c, &pv->cyc_base[i], &pv->samples[i].delta);
	fp_table_info(w->table, &ti);
	info->states = fp_table_halves(w->table);
	info->table_records = ti.records;
	info->handed_over = get(&w->cnt.totals[FP_T_HANDED_OVER]);
	info->rx_handover = get(&w->cnt.totals[FP_T_RX_HANDOVER]);
	return 0;
}
