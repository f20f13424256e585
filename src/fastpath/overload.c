/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `overload <table> flush [global]`: a worker finds a source over its limit and tells the main lcore in a buffer of the
 * punt ring; the main lcore, the tables' only writer, adds the address and has the workers mark the source's states.
 */
#include <string.h>

#include "burst.h"
#include "pf_priv.h"

struct overload {
	uint32_t rule_uid;
	uint8_t af, half;
	uint8_t addr[16];
};

/* The address that source tracking counts: the opener of the connection. */
static void
opener(const struct fp_state *st, uint8_t addr[16])
{
	bool hi = st->flags & FP_SF_SRC_HI;

	memset(addr, 0, 16);
	if (st->key.af == FP_AF_INET6)
		memcpy(addr, hi ? ((const struct fp_state6 *)st)->addr_hi : ((const struct fp_state6 *)st)->addr_lo, 16);
	else
		memcpy(addr, hi ? &st->key.addr_hi : &st->key.addr_lo, 4);
}

/* Worker. */
void
fp_pf_overload(struct fp_worker *w, const struct fp_state *st, int half, struct fp_rule_rt *rt)
{
	struct overload o = { .rule_uid = rt->rule->uid, .af = st->key.af, .half = half };
	struct rte_mbuf *m;

	if (rt->rule->overload == NULL)
		return;
	if ((m = rte_pktmbuf_alloc(w->pool)) == NULL) {
		fp_count(&w->cnt.drops[FP_D_NOMBUF], 1);
		return;
	}
	opener(st, o.addr);
	memcpy(rte_pktmbuf_append(m, sizeof(o)), &o, sizeof(o));
	fp_punt(w, m, FP_PUNT_OVERLOAD, FP_IFID_NONE);
}

struct flush { struct overload o; const struct fp_rule_rt *rt; bool global; uint32_t cursor; struct fp_worker *w; uint64_t n; };

static void
flush_record(struct fp_state *st, void *arg)
{
	struct flush *f = arg;
	uint8_t addr[16];

	if (st->key.af != f->o.af)
		return;
	opener(st, addr);
	/*
	 * pf compares one end of the wire key: [0] if the trigger came in, [1] if it went out. [0] of an inbound state and
	 * [1] of an outbound one are the opener, so these states are of the trigger's direction; of the other direction
	 * they are the other end.
	 */
	for (int half = 0; half < 2; half++) {
		bool hit;

		if (!(st->halves >> half & 1) || (!f->global && fp_rule(f->w->box, st->rule[half]) != f->rt))
			continue;
		if (half == f->o.half)
			hit = memcmp(addr, f->o.addr, 16) == 0;
		else {
			uint8_t other[16] = { 0 };
			bool hi = !(st->flags & FP_SF_SRC_HI);

			if (st->key.af == FP_AF_INET6)
				memcpy(other, hi ? ((const struct fp_state6 *)st)->addr_hi : ((const struct fp_state6 *)st)->addr_lo, 16);
			else
				memcpy(other, hi ? &st->key.addr_hi : &st->key.addr_lo, 4);
			hit = memcmp(other, f->o.addr, 16) == 0;
		}
		if (!hit || st->hflags[half] & FP_HF_PURGE)
			continue;
		if (st->halves == FP_HALVES_BOTH)
			st = fp_state_part(f->w, st, half) ?: st;
		if (fp_state_half_open(st))
			fp_half_open_add(f->w, st->halves == FP_HALVES_BOTH ? -2 : -1);
		st->peer[0].state = st->peer[1].state = FP_TCPS_CLOSED;
		fp_state_purge(f->w, st, half);
		f->n++;
		break;	/* the other half, if there was one, is in a record of its own or went along */
	}
}

static bool
flush_step(struct fp_worker *w, void *arg)
{
	struct flush *f = arg;

	f->w = w;
	f->cursor = fp_table_walk(w->table, f->cursor, 256, flush_record, f);
	return f->cursor == 0;
}

/* Main lcore. */
void
fp_overload_punted(struct fp_box *box, struct rte_mbuf *m)
{
	struct pol_table_entry e = { .neg = false };
	struct flush f = { .cursor = 0 };
	struct fp_rule_rt *rt;
	const struct pol_rule *r;

	if (rte_pktmbuf_data_len(m) < sizeof(f.o)) {
		rte_pktmbuf_free(m);
		return;
	}
	memcpy(&f.o, rte_pktmbuf_mtod(m, void *), sizeof(f.o));
	rte_pktmbuf_free(m);
	rt = fp_rule(box, f.o.rule_uid);
	r = rt->rule;
	if (r->overload == NULL || fp_table_by_name(box, r->overload_name, false) != r->overload)
		return;		/* the rules have changed since */
	e.af = f.o.af;
	e.plen = f.o.af == FP_AF_INET ? 32 : 128;
	memcpy(e.addr.b, f.o.addr, 16);
	if (pol_table_add(r->overload, &e, 1, fp_box_reclaim(box)) > 0)
		fp_count(&box->main_cnt.lcounters[FP_LC_OVERLOAD_TABLE], 1);
	if (!(r->rf & (POL_RF_FLUSH | POL_RF_FLUSH_GLOBAL)))
		return;
	f.rt = rt;
	f.global = r->rf & POL_RF_FLUSH_GLOBAL;
	for (unsigned i = 0; i < box->n_workers; i++)
		if (box->workers[i]->table != NULL)
			fp_worker_call(box, box->workers[i], flush_step, &f);
	fp_count(&box->main_cnt.lcounters[FP_LC_OVERLOAD_FLUSH], f.n);
}
