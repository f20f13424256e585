/* SPDX-License-Identifier: BSD-2-Clause */
/* A half of a record as pfsync says it (spec/pfsync-wire.md 7, 8). On the worker that owns the record. */
#include <netinet/in.h>
#include <string.h>

#include "fastpath/rules.h"
#include "fastpath/states.h"
#include "sync/engine.h"

static void
export_peer(const struct fp_worker *w, const struct fp_state *st, int i, struct sync_peer *q)
{
	const struct fp_peer *p = &st->peer[i];

	*q = (struct sync_peer){ .seqlo = p->seqlo, .seqhi = p->seqhi, .max_win = p->max_win, .state = p->state,
		.wscale = p->wscale, .seqdiff = st->flags & FP_SF_SEQDIFF ? st->seqdiff[i] : 0 };
	if (st->flags & FP_SF_EXT) {
		const struct fp_state_ext *x = fp_state_ext(w->table, st);

		q->mss = x->mss[i];
		if (x->scrub[i].valid) {
			q->scrub_valid = 1;
			q->scrub_flags = x->scrub[i].flags & FP_SCRUB_TIMESTAMP;
			q->scrub_ttl = x->scrub[i].ttl;
			q->ts_mod = x->scrub[i].ts_mod;
		}
	}
}

void
sync_export_upd_c(const struct fp_worker *w, const struct fp_state *st, int half, struct sync_upd_c *out)
{
	memset(out, 0, sizeof(*out));
	out->id = st->id[half];
	out->creatorid = st->creatorid;
	export_peer(w, st, 0, &out->peer[0]);
	export_peer(w, st, 1, &out->peer[1]);
	out->timeout = st->timeout;
	out->state_flags = (st->hflags[half] & FP_HF_ALLOW_OPTS ? SYNC_F_ALLOWOPTS : 0) |
		(st->hflags[half] & FP_HF_SLOPPY ? SYNC_F_SLOPPY : 0);
}

const char *
sync_run_ifname(const struct sync_run *run, uint16_t ifid)
{
	for (unsigned i = 0; i < run->n_map; i++)
		if (run->map[i].ifid == ifid)
			return run->map[i].name;
	return NULL;
}

void
sync_export_ifname(const struct fp_worker *w, uint16_t ifid, char name[16])
{
	const struct sync_run *run = w->box->sync != NULL ? sync_run_get(w->box->sync) : NULL;
	const char *n = "all";

	if (ifid != FP_IFID_ALL) {
		const char *mapped = run != NULL ? sync_run_ifname(run, ifid) : NULL;

		if (mapped != NULL)
			n = mapped;
		else if (ifid < w->conf->n_ifs)
			n = w->conf->ifs[ifid].name;
		else if (ifid >= FP_IFID_FOREIGN && w->box->foreign_if != NULL)
			n = w->box->foreign_if(w->box, ifid);
	}
	memset(name, 0, 16);
	if (n != NULL)
		memcpy(name, n, strnlen(n, 15));
}

void
sync_export(const struct fp_worker *w, const struct fp_state *st, int half, struct sync_state *out)
{
	const struct fp_rule_rt *rt = fp_rule(w->box, st->rule[half]);
	const struct pol_rule *r = rt->rule;
	const struct fp_state_ext *x = st->flags & FP_SF_EXT ? fp_state_ext(w->table, st) : NULL;
	bool src_hi = st->flags & FP_SF_SRC_HI, first_hi = half == FP_HALF_IN ? src_hi : !src_hi;
	struct sync_key *k = &out->key[SYNC_WIRE];
	uint8_t hf = st->hflags[half];

	memset(out, 0, sizeof(*out));
	out->id = st->id[half];
	out->creatorid = st->creatorid;
	sync_export_ifname(w, st->ifid[half], out->ifname);
	for (int i = 0; i < 2; i++) {
		bool hi = i == 0 ? first_hi : !first_hi;

		if (st->key.af == FP_AF_INET6)
			memcpy(k->addr[i], hi ? ((const struct fp_state6 *)st)->addr_hi : ((const struct fp_state6 *)st)->addr_lo, 16);
		else
			memcpy(k->addr[i], hi ? &st->key.addr_hi : &st->key.addr_lo, 4);
		k->port[i] = ntohs(hi ? st->key.port_hi : st->key.port_lo);
	}
	k->af = out->af = st->key.af;
	out->key[SYNC_STACK] = *k;
	out->proto = out->stack_proto = st->key.proto;
	out->direction = half == FP_HALF_IN ? SYNC_DIR_IN : SYNC_DIR_OUT;
	export_peer(w, st, 0, &out->peer[0]);
	export_peer(w, st, 1, &out->peer[1]);
	/* a rule that is not in force any more has no number, nor has the default rule */
	out->rule = rt->rs == w->conf->rules_rt && st->rule[half] != FP_RULE_NONE && r->parent == NULL ? r->nr : SYNC_NO_RULE;
	out->anchor = out->nat_rule = SYNC_NO_RULE;
	out->creation_sec = w->now_sec - st->created_sec;
	out->expire_sec = fp_state_expires_in(w, st, half);
	for (int d = 0; d < 2; d++)
		fp_state_totals(w->table, st, half, d, &out->packets[d], &out->bytes[d]);
	out->rtableid[0] = half == FP_HALF_OUT ? 0 : -1;
	out->rtableid[1] = half == FP_HALF_OUT ? -1 : 0;
	out->log = r->log | (hf & FP_HF_LOG_ALL ? POL_LOG | POL_LOG_ALL : 0);
	out->timeout = st->timeout;
	out->sync_flags = hf & FP_HF_SRC_NODE ? SYNC_SF_SRC_NODE : 0;
	out->state_flags = (hf & FP_HF_ALLOW_OPTS ? SYNC_F_ALLOWOPTS : 0) | (hf & FP_HF_SLOPPY ? SYNC_F_SLOPPY : 0) |
		(hf & FP_HF_SCRUB_TCP ? SYNC_F_SCRUB_TCP : 0) | (r->rf & POL_RF_PFLOW ? SYNC_F_PFLOW : 0);
	if (x != NULL) {
		out->max_mss = x->max_mss;
		out->min_ttl = x->min_ttl;
		out->state_flags |= (x->scrub_rf & POL_RF_NODF ? SYNC_F_NODF : 0) | (x->scrub_rf & POL_RF_RANDOMID ? SYNC_F_RANDOMID : 0);
		if (x->scrub_rf & POL_RF_SET_TOS) {
			out->state_flags |= SYNC_F_SETTOS;
			out->set_tos = x->set_tos;
		}
		if (x->scrub_rf & POL_RF_SET_PRIO) {
			out->state_flags |= SYNC_F_SETPRIO;
			memcpy(out->set_prio, x->set_prio, 2);
		}
	}
	if (half == FP_HALF_OUT && st->flags & FP_SF_DEFERRED)
		out->state_flags |= SYNC_F_ACK;
}
