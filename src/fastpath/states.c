/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listing and killing states from the main lcore. The work is done by the owner of each shard, FP_WALK_STEP records a
 * loop, so a listing of ten million states never holds up a burst; the views travel in a buffer that the main lcore
 * empties between steps.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"
#include "states.h"

#define FP_WALK_STEP 256

void
fp_state_totals(const struct fp_table *t, const struct fp_state *st, int half, int dir, uint64_t *packets, uint64_t *bytes)
{
	*packets = fp_state_packets(st, dir);
	*bytes = fp_state_bytes(st, dir);
	if (st->flags & FP_SF_EXT) {
		const struct fp_state_ext *x = fp_state_ext(t, st);

		*packets += x->extra_packets[half][dir];
		*bytes += x->extra_bytes[half][dir];
	}
}

static void
peer_view(const struct fp_table *t, const struct fp_state *st, int i, struct fp_peer_view *v)
{
	const struct fp_peer *p = &st->peer[i];

	*v = (struct fp_peer_view){ .seqlo = p->seqlo, .seqhi = p->seqhi, .max_win = p->max_win, .state = p->state,
		.wscale = p->wscale, .seqdiff = st->flags & FP_SF_SEQDIFF ? st->seqdiff[i] : 0 };
	if (st->flags & FP_SF_EXT) {
		const struct fp_state_ext *x = fp_state_ext(t, st);

		v->mss = x->mss[i];
		v->scrub = x->scrub[i].valid;
		v->scrub_flags = x->scrub[i].flags & FP_SCRUB_TIMESTAMP;
		v->scrub_ttl = x->scrub[i].ttl;
		v->ts_mod = x->scrub[i].ts_mod;
	}
}

void
fp_state_view_get(const struct fp_worker *w, const struct fp_state *st, int half, struct fp_state_view *v)
{
	const struct fp_rule_rt *rt = fp_rule(w->box, st->rule[half]);
	bool src_hi = st->flags & FP_SF_SRC_HI;
	/* [0] is the source of a packet travelling in: the creator for the IN half, the other endpoint for the OUT half */
	bool first_hi = half == FP_HALF_IN ? src_hi : !src_hi;

	memset(v, 0, sizeof(*v));
	v->id = st->id[half];
	v->creatorid = st->creatorid;
	v->af = st->key.af;
	v->proto = st->key.proto;
	v->direction = half == FP_HALF_IN ? 1 : 2;
	v->timeout = st->timeout;
	v->ifid = st->ifid[half];
	for (int i = 0; i < 2; i++) {
		bool hi = i == 0 ? first_hi : !first_hi;
		struct fp_endpoint *e = &v->wire[i];

		if (st->key.af == FP_AF_INET6)
			memcpy(e->addr, hi ? ((const struct fp_state6 *)st)->addr_hi : ((const struct fp_state6 *)st)->addr_lo, 16);
		else
			memcpy(e->addr, hi ? &st->key.addr_hi : &st->key.addr_lo, 4);
		e->port = ntohs(hi ? st->key.port_hi : st->key.port_lo);
		v->stack[i] = *e;
	}
	peer_view(w->table, st, 0, &v->src);
	peer_view(w->table, st, 1, &v->dst);
	v->age_sec = w->now_sec - st->created_sec;
	v->expires_sec = fp_state_expires_in(w, st, half);
	for (int d = 0; d < 2; d++)
		fp_state_totals(w->table, st, half, d, &v->packets[d], &v->bytes[d]);
	v->rule_uid = st->rule[half];
	/* a rule that is not in force any more has no number, as in pf */
	v->rule_nr = rt->rs == w->conf->rules_rt ? rt->rule->nr : UINT32_MAX;
	if (v->rule_nr != UINT32_MAX && rt->rule->parent != NULL) {
		/* both numbers count from the start of their own level: the rule's, and that of the anchor line around it */
		v->has_anchor = true;
		v->anchor_nr = rt->rule->parent->nr;
	}
	v->state_flags = (st->hflags[half] & FP_HF_ALLOW_OPTS ? 0x01 : 0) | (st->hflags[half] & FP_HF_SLOPPY ? 0x02 : 0) |
		(rt->rule->rf & POL_RF_PFLOW ? 0x04 : 0) | (st->hflags[half] & FP_HF_NO_SYNC ? 0x08 : 0) |
		(rt->rule->rf & POL_RF_NODF ? 0x20 : 0) | (rt->rule->rf & POL_RF_SET_TOS ? 0x40 : 0) |
		(rt->rule->rf & POL_RF_RANDOMID ? 0x80 : 0) | (st->hflags[half] & FP_HF_SCRUB_TCP ? 0x100 : 0) |
		(rt->rule->rf & POL_RF_SET_PRIO ? 0x200 : 0);
	if (st->hflags[half] & FP_HF_SRC_NODE)
		v->rule_rf_srctrack = rt->rule->rf & POL_RF_RULESRCTRACK ? 2 : 1;
	v->learned = st->flags & FP_SF_LEARNED;
	v->sync_pos = st->sync_pos;
	v->worker = w->id;
	v->purge = st->hflags[half] & FP_HF_PURGE;
	memcpy(v->label, rt->rule->label, sizeof(v->label));
}

/* ---- walking on the owner */
struct visit {
	void (*cb)(void *arg, const struct fp_worker *w, struct fp_state *st, int half);
	void *arg;
	uint32_t cursor;
	struct fp_worker *w;
};

static void
visit_record(struct fp_state *st, void *arg)
{
	struct visit *v = arg;
	unsigned halves = st->halves;

	for (int half = 0; half < 2; half++)
		if (halves >> half & 1)
			v->cb(v->arg, v->w, st, half);
}

static bool
visit_step(struct fp_worker *w, void *arg)
{
	struct visit *v = arg;

	v->w = w;
	v->cursor = fp_table_walk(w->table, v->cursor, FP_WALK_STEP, visit_record, v);
	return v->cursor == 0;
}

void
fp_states_visit(struct fp_box *box, void (*cb)(void *arg, const struct fp_worker *w, struct fp_state *st, int half), void *arg)
{
	for (unsigned i = 0; i < box->n_workers; i++) {
		struct visit v = { cb, arg, 0, NULL };

		if (box->workers[i]->table != NULL)
			fp_worker_call(box, box->workers[i], visit_step, &v);
	}
}

/* ---- filter */
static bool
addr_match(const struct pol_table_entry *e, uint8_t af, const uint8_t *addr)
{
	unsigned bits = e->plen;

	if (e->af != af)
		return false;
	for (unsigned i = 0; bits != 0; i++) {
		uint8_t mask = bits >= 8 ? 0xff : (uint8_t)(0xff << (8 - bits));

		if ((addr[i] ^ e->addr.b[i]) & mask)
			return false;
		bits -= bits >= 8 ? 8 : bits;
	}
	return true;
}

/*
 * `pfctl -k src -k dst`: the source of the connection is the endpoint that opened it, as pfctl compares: for an inbound
 * state key[0], for an outbound one key[1].
 */
static bool
filter_match(const struct fp_box *box, const struct fp_state_filter *f, const struct fp_state_view *v)
{
	const struct fp_endpoint *src = &v->wire[v->direction == 1 ? 0 : 1], *dst = &v->wire[v->direction == 1 ? 1 : 0];
	char name[FP_NAME_SIZE];

	if (f == NULL)
		return true;
	if (f->has_src && !addr_match(&f->src, v->af, src->addr))
		return false;
	if (f->has_dst && !addr_match(&f->dst, v->af, dst->addr))
		return false;
	if (f->has_proto && f->proto != v->proto)
		return false;
	if (f->af != 0 && f->af != v->af)
		return false;
	if (f->has_port && f->port != src->port && f->port != dst->port)
		return false;
	if (f->has_id && (f->id != v->id || (f->creatorid != 0 && f->creatorid != v->creatorid)))
		return false;
	if (f->has_label && strcmp(f->label, v->label) != 0)
		return false;
	if (f->has_origin && f->learned != v->learned)
		return false;
	if (f->has_if && (fp_if_name(box, v->ifid, name) != 0 || strcmp(name, f->ifname) != 0))
		return false;
	return true;
}

/* ---- listing: the worker fills the buffer, the main lcore empties it */
struct list {
	const struct fp_state_filter *f;
	uint32_t cursor;
	struct fp_worker *w;
	unsigned n;
	struct fp_state_view v[2 * FP_WALK_STEP];
};

static void
list_record(struct fp_state *st, void *arg)
{
	struct list *l = arg;
	unsigned halves = st->halves;

	for (int half = 0; half < 2; half++)
		if (halves >> half & 1) {
			fp_state_view_get(l->w, st, half, &l->v[l->n]);
			if (filter_match(l->w->box, l->f, &l->v[l->n]))
				l->n++;
		}
}

static bool
list_step(struct fp_worker *w, void *arg)
{
	struct list *l = arg;

	l->w = w;
	l->cursor = fp_table_walk(w->table, l->cursor, FP_WALK_STEP, list_record, l);
	return l->cursor == 0 || l->n != 0;
}

int
fp_states_foreach(struct fp_box *box, const struct fp_state_filter *f, int (*cb)(void *arg, const struct fp_state_view *v),
	void *arg)
{
	struct list *l = malloc(sizeof(*l));
	int rc = 0;

	if (l == NULL)
		return -ENOMEM;
	l->f = f;
	for (unsigned i = 0; i < box->n_workers && rc == 0; i++) {
		if (box->workers[i]->table == NULL)
			continue;
		l->cursor = 0;
		do {
			l->n = 0;
			fp_worker_call(box, box->workers[i], list_step, l);
			for (unsigned k = 0; k < l->n && rc == 0; k++)
				rc = cb(arg, &l->v[k]);
		} while (l->cursor != 0 && rc == 0);
	}
	free(l);
	return rc < 0 ? rc : 0;
}

/* ---- killing */
struct kill { const struct fp_state_filter *f; struct fp_worker *w; uint32_t cursor; int64_t n; bool all, silent; };

static void
kill_record(struct fp_state *st, void *arg)
{
	struct kill *k = arg;
	unsigned halves = st->halves;
	struct fp_state_view v;

	for (int half = 0; half < 2; half++)
		if (halves >> half & 1) {
			if (!k->all) {
				fp_state_view_get(k->w, st, half, &v);
				if (!filter_match(k->w->box, k->f, &v))
					continue;
			}
			k->n += !(st->hflags[half] & FP_HF_PURGE);
			if (k->silent)
				fp_state_hflags_set(st, half, FP_HF_NO_SYNC);
			fp_state_remove(k->w, st, half);
		}
}

static bool
kill_step(struct fp_worker *w, void *arg)
{
	struct kill *k = arg;

	k->w = w;
	k->cursor = fp_table_walk(w->table, k->cursor, FP_WALK_STEP, kill_record, k);
	return k->cursor == 0;
}

static int64_t
kill_matching(struct fp_box *box, const struct fp_state_filter *f, bool all, bool silent)
{
	struct kill k = { .f = f, .all = all, .silent = silent };

	for (unsigned i = 0; i < box->n_workers; i++)
		if (box->workers[i]->table != NULL)
			fp_worker_call(box, box->workers[i], kill_step, &k);
	return k.n;
}

int64_t
fp_states_kill(struct fp_box *box, const struct fp_state_filter *f)
{
	return kill_matching(box, f, false, false);
}

int64_t
fp_states_flush(struct fp_box *box, const char *ifname)
{
	struct fp_state_filter f = { .has_if = true };
	int64_t n;

	/* one CLR instead of a delete for each */
	if (ifname != NULL)
		snprintf(f.ifname, sizeof(f.ifname), "%s", ifname);
	n = kill_matching(box, ifname == NULL ? NULL : &f, ifname == NULL, true);
	if (box->sync_hooks != NULL)
		box->sync_hooks->cleared(box, ifname);
	return n;
}

const char *
fp_state_peer_name(uint8_t proto, uint8_t state)
{
	static const char *const tcp[] = { "CLOSED", "LISTEN", "SYN_SENT", "SYN_RCVD", "ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT_1",
		"CLOSING", "LAST_ACK", "FIN_WAIT_2", "TIME_WAIT", "PROXY_SRC", "PROXY_DST" };
	static const char *const other[] = { "NO_TRAFFIC", "SINGLE", "MULTIPLE" };
	static const char *const number[] = { "0", "1", "2" };

	if (proto == IPPROTO_TCP)
		return state < RTE_DIM(tcp) ? tcp[state] : "?";
	if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
		return state < RTE_DIM(number) ? number[state] : "?";
	return state < RTE_DIM(other) ? other[state] : "?";
}
