/* SPDX-License-Identifier: BSD-2-Clause */
/* What the rules say of a packet without a state, and the states they make. spec/tcp-state.md 2, 7, 8. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "icmp_map.h"
#include "make.h"
#include "parse.h"
#include "pf_priv.h"
#include "srcnode.h"
#include "tcp_norm.h"
#include "tcp_scrub.h"

/* ---- questions of the classifier */
static bool
urpf_ok(void *arg, const struct pol_pkt *p)
{
	struct fp_worker *w = arg;
	const struct fp_nexthop *nh;

	if (p->af == POL_AF_INET)
		nh = fp_route4(w->conf, p->src.w[0]);
	else if (p->src.b[0] == 0xfe && (p->src.b[1] & 0xc0) == 0x80)
		return true;	/* link-local is on every link */
	else
		nh = fp_route6(w->conf, p->src.b);
	return nh != NULL && nh->kind != FP_NH_NONE && nh->ifid == p->ifid;
}

static bool
has_route(void *arg, uint8_t af, const union pol_ip *addr)
{
	struct fp_worker *w = arg;

	return (af == POL_AF_INET ? fp_route4(w->conf, addr->w[0]) : fp_route6(w->conf, addr->b)) != NULL;
}

static uint32_t
random32(void *arg)
{
	return fp_random(arg) >> 32;
}

static void
fill(struct pol_pkt *q, const struct pf_ctx *c)
{
	const struct fp_pkt *p = c->p;
	unsigned alen = p->af == FP_AF_INET ? 4 : 16;

	memset(q, 0, sizeof(*q));
	q->af = p->af;
	q->dir = c->out ? POL_DIR_OUT : POL_DIR_IN;
	q->proto = p->proto;
	q->tcp_flags = p->tcp_flags;
	q->icmp_type = p->icmp_type;
	q->icmp_code = p->icmp_code;
	q->tos = p->tos & 0xfc;	/* rules look at the six bits of DSCP: ECN is none of their business */
	q->fragment = (p->flags & FP_PF_KEYLESS) != 0;
	q->ifid = c->ifp->ifid;
	q->rcvif = c->out && p->rcvif != FP_IFID_NONE ? p->rcvif : 0xffff;
	q->sport_be = p->sport_be;
	q->dport_be = p->dport_be;
	q->tag = p->tag;
	q->prio = p->prio;
	q->icmp_reply = (p->flags & FP_PF_ICMP_REPLY) != 0;
	q->icmp_error = (p->flags & FP_PF_ICMP_ERROR) != 0;
	memcpy(q->src.b, fp_pkt_src(p), alen);
	memcpy(q->dst.b, fp_pkt_dst(p), alen);
}

/* ---- block return */
static void
block_return(struct pf_ctx *c)
{
	const struct pol_rule *r = c->rt->rule;
	struct fp_pkt *p = c->p;
	struct rte_mbuf *m = NULL;
	uint16_t code = p->af == FP_AF_INET ? r->return_icmp : r->return_icmp6;

	if (r->ret == POL_RETURN_NONE || p->flags & FP_PF_KEYLESS)
		return;
	if (p->proto == IPPROTO_TCP && r->ret != POL_RETURN_ICMP && !(p->tcp_flags & FP_TH_RST)) {
		struct fp_tcp_seg seg;
		struct fp_tcp_make t = { .af = p->af, .flags = FP_TH_RST | FP_TH_ACK, .src = fp_pkt_dst(p),
			.dst = fp_pkt_src(p), .sport_be = p->dport_be, .dport_be = p->sport_be, .ttl = r->return_ttl };

		if (!fp_l4_cksum_ok(p)) {
			fp_reason(c->w, FP_R_PROTO_CKSUM);
			return;
		}
		fp_tcp_seg_read(&seg, p->l3 + p->l4_off, p->l4_hlen, p->ip_len - p->l4_off - p->l4_hlen);
		t.seq = seg.ack;
		t.ack = seg.seq + seg.len + !!(seg.flags & FP_TH_SYN) + !!(seg.flags & FP_TH_FIN);
		m = fp_make_tcp(c->w, &t);
	} else if (r->ret != POL_RETURN_RST && code != 0 && !(p->flags & FP_PF_ICMP_ERROR)) {
		/*
		 * The source address is the one that the packet was for, if it was for the box, else the box's on the interface
		 * the packet came in on; fp_make_icmp_error() looks that up.
		 */
		m = fp_make_icmp_error(c->w, p, code >> 8, code & 0xff, 0,
			p->nh != NULL && p->nh->kind == FP_NH_LOCAL ? fp_pkt_dst(p) : NULL, true);
	}
	if (m != NULL)
		fp_originate(c->w, m, p->af, c->ifp, true);
}

/* ---- per-packet options of rules: scrub and set */
static void
apply(struct pf_ctx *c, uint32_t rf, uint8_t min_ttl, uint8_t set_tos, uint16_t max_mss)
{
	struct fp_pkt *p = c->p;
	uint8_t *ip = p->l3;

	if (p->af == FP_AF_INET) {
		uint16_t old, v;

		memcpy(&old, ip + 6, 2);
		if (rf & POL_RF_NODF && old & htons(0x4000)) {
			v = old & ~htons(0x4000);
			memcpy(ip + 6, &v, 2);
			fp_cksum_fix16(ip + 10, old, v);
			old = v;
		}
		if (rf & POL_RF_RANDOMID && !(old & ~htons(0x4000))) {
			uint16_t id;

			memcpy(&id, ip + 4, 2);
			v = fp_random(c->w) >> 48;
			v = v == 0 ? 1 : v;
			memcpy(ip + 4, &v, 2);
			fp_cksum_fix16(ip + 10, id, v);
		}
		if (ip[8] < min_ttl || (rf & POL_RF_SET_TOS && ip[1] != set_tos)) {
			uint16_t a, b;

			memcpy(&a, ip, 2);
			if (rf & POL_RF_SET_TOS)
				ip[1] = (set_tos & 0xfc) | (ip[1] & 0x03);
			memcpy(&b, ip, 2);
			fp_cksum_fix16(ip + 10, a, b);
			memcpy(&a, ip + 8, 2);
			if (ip[8] < min_ttl)
				ip[8] = min_ttl;
			memcpy(&b, ip + 8, 2);
			fp_cksum_fix16(ip + 10, a, b);
			p->tos = ip[1];
		}
	} else {
		if (ip[7] < min_ttl)
			ip[7] = min_ttl;
		if (rf & POL_RF_SET_TOS) {
			uint8_t tc = (set_tos & 0xfc) | (p->tos & 0x03);

			ip[0] = (ip[0] & 0xf0) | tc >> 4;
			ip[1] = (ip[1] & 0x0f) | (uint8_t)(tc << 4);
			p->tos = tc;
		}
	}
	if (min_ttl > p->ttl)
		p->ttl = min_ttl;
	if (max_mss != 0 && p->proto == IPPROTO_TCP && !(p->flags & FP_PF_KEYLESS))	/* the option alone counts, not SYN */
		fp_tcp_clamp_mss(p->l3 + p->l4_off, p->l4_hlen, max_mss);
}

void
fp_pf_scrub(struct pf_ctx *c)
{
	if (c->st != NULL) {
		const struct fp_state_ext *x;

		if (!(c->st->flags & FP_SF_EXT))
			return;
		x = fp_state_ext(c->w->table, c->st);
		if (x->scrub_rf != 0 || x->min_ttl != 0 || x->max_mss != 0)
			apply(c, x->scrub_rf, x->min_ttl, x->set_tos, x->max_mss);
	} else if (c->match.rule != NULL) {
		/* without a state only the rule that decided counts: what match rules said is kept in states */
		const struct pol_rule *r = c->match.rule;

		if (r->rf & (POL_RF_NODF | POL_RF_RANDOMID | POL_RF_SET_TOS) || r->min_ttl != 0 || r->max_mss != 0)
			apply(c, r->rf, r->min_ttl, r->set_tos, r->max_mss);
	}
}

/* What is left of a count at now: it decays linearly over the period. pf_add_threshold() */
static uint32_t
decayed(const struct fp_rule_rate *t, uint32_t now_sec, uint32_t period_sec)
{
	uint32_t count = __atomic_load_n(&t->count, __ATOMIC_RELAXED);
	uint32_t age = now_sec - __atomic_load_n(&t->last_sec, __ATOMIC_RELAXED);

	return age >= period_sec ? 0 : count - (uint32_t)((uint64_t)count * age / period_sec);
}

/*
 * `max-pkt-rate`: count one packet of the rule, in thousandths; is it within the rate? Each worker has a count of its
 * own, the rate holds for their sum.
 */
static bool
rate_ok(void *arg, const struct pol_rule *r)
{
	struct fp_worker *w = arg;
	struct fp_rule_rt *rt = fp_rule(w->box, r->uid);
	size_t i = rt - rt->rs->rules;
	struct fp_rule_rate *own;
	uint64_t sum = 0;

	if (rt->rs->rate[w->id] == NULL)
		return true;
	own = &rt->rs->rate[w->id][i];
	__atomic_store_n(&own->count, decayed(own, w->now_sec, r->max_pkt_rate_sec) + 1000, __ATOMIC_RELAXED);
	__atomic_store_n(&own->last_sec, w->now_sec, __ATOMIC_RELAXED);
	for (unsigned k = 0; k < w->n_workers; k++)
		if (rt->rs->rate[k] != NULL)
			sum += decayed(&rt->rs->rate[k][i], w->now_sec, r->max_pkt_rate_sec);
	return sum <= (uint64_t)r->max_pkt_rate * 1000;
}

bool
fp_pf_pktrate_ok(struct pf_ctx *c)
{
	const struct pol_rule *r = fp_rule(c->w->box, c->st->rule[c->half])->rule;

	return r->max_pkt_rate == 0 || rate_ok(c->w, r);
}

/* ---- creation */
static uint64_t
next_id(struct fp_worker *w, const struct fp_state *st)
{
	w->state_id_counter = (w->state_id_counter + 1) & 0xffffff;
	return fp_id_make(w->state_id_counter, w->id, fp_table_index(w->table, st));
}

/* Fill tracking of a new state from its first packet; the packet may get a new sequence number. */
static void
init_tracking(struct pf_ctx *c, struct fp_state *st, uint32_t seqdiff)
{
	struct fp_pkt *p = c->p;
	struct fp_tcp_seg seg;

	switch (p->proto) {
	case IPPROTO_TCP:
		fp_tcp_seg_read(&seg, p->l3 + p->l4_off, p->l4_hlen, p->ip_len - p->l4_off - p->l4_hlen);
		fp_tcp_create(st, &seg, c->w->now_sec, seqdiff);
		break;
	case IPPROTO_UDP:
		fp_udp_create(st, c->w->now_sec);
		break;
	default:
		if (p->proto == (p->af == FP_AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
			fp_icmp_create(st, c->w->now_sec);
		else
			fp_other_create(st, c->w->now_sec);
	}
}

static uint8_t
half_flags(const struct pf_ctx *c)
{
	const struct pol_rule *r = c->rt->rule;
	uint32_t rf = r->rf | c->match.rf;

	return (rf & POL_RF_ALLOW_OPTS ? FP_HF_ALLOW_OPTS : 0) | (rf & POL_RF_SLOPPY ? FP_HF_SLOPPY : 0) |
		(rf & POL_RF_NO_SYNC ? FP_HF_NO_SYNC : 0) | (rf & POL_RF_REASS_TCP && c->p->proto == IPPROTO_TCP ? FP_HF_SCRUB_TCP : 0) |
		((r->log | c->match.log) & POL_LOG_ALL ? FP_HF_LOG_ALL : 0);
}

/* Does the rule give its states something that only a record of their own can hold? */
static bool
needs_own_record(const struct pf_ctx *c)
{
	const struct pol_rule *r = c->rt->rule;
	const struct pol_match *m = &c->match;

	return r->keep_state != POL_STATE_KEEP || r->max_pkt_rate != 0 || m->max_mss != 0 || m->min_ttl != 0 ||
		m->rf & (POL_RF_NODF | POL_RF_RANDOMID | POL_RF_REASS_TCP | POL_RF_SET_TOS | POL_RF_SET_PRIO);
}

static uint16_t
bound_to(const struct pf_ctx *c)
{
	const struct pol_rule *r = c->rt->rule;

	if (r->rf & POL_RF_FLOATING)
		return FP_IFID_ALL;
	return r->rf & POL_RF_IF_BOUND || c->conf->ruleset->opt.if_bound ? c->ifp->ifid : FP_IFID_ALL;
}

static void
half_init(struct pf_ctx *c, struct fp_state *st, int half)
{
	/* published already, perhaps: the sync thread may still look for a half that was here before */
	fp_store(&st->id[half], next_id(c->w, st));
	st->rule[half] = c->rt->rule->uid;
	st->ifid[half] = bound_to(c);
	fp_store(&st->hflags[half], half_flags(c));
	if (st->ifid[half] != FP_IFID_ALL || st->hflags[half] & (FP_HF_SLOPPY | FP_HF_SCRUB_TCP | FP_HF_LOG_ALL))
		fp_state_flags_set(st, FP_SF_SLOW); /* may be published already */
}

/*
 * The OUT half of a forwarded connection joins the record that this packet made on the way in, if the two would track
 * alike from here on: same windows, same flags, nothing of their own.
 */
static bool
join(struct pf_ctx *c)
{
	struct fp_state *in = c->p->made, t;

	if (!c->out || in == NULL || in->halves != 1u << FP_HALF_IN || in->flags & (FP_SF_DEAD | FP_SF_SEQDIFF) ||
	    needs_own_record(c) || c->p->own_in || memcmp(&in->key, &c->p->key, sizeof(in->key)) != 0 ||
	    !!(in->flags & FP_SF_SRC_HI) != !!(c->p->flags & FP_PF_SRC_HI) ||
	    (half_flags(c) ^ in->hflags[FP_HALF_IN]) & FP_HF_SLOPPY)
		return false;
	memset(&t, 0, sizeof(t));
	t.key = in->key;
	t.flags = in->flags;
	init_tracking(c, &t, 0);
	if (memcmp(t.peer, in->peer, sizeof(t.peer)) != 0 || t.timeout != in->timeout || in->packets[0] != 1)
		return false;
	half_init(c, in, FP_HALF_OUT);
	if (fp_table_add_half(c->w->table, in, FP_HALF_OUT) != 0)
		return false; /* a record of its own will be refused, and say why */
	c->st = in;
	c->half = FP_HALF_OUT;
	return true;
}

static bool
superseded(const struct fp_state *st, int half)
{
	return st->hflags[half] & FP_HF_PURGE || (st->key.proto == IPPROTO_TCP &&
		st->peer[0].state >= FP_TCPS_FIN_WAIT_2 && st->peer[0].state <= FP_TCPS_TIME_WAIT &&
		st->peer[1].state >= FP_TCPS_FIN_WAIT_2);
}

static enum pf_res
refuse(struct pf_ctx *c, uint32_t reason, enum fp_drop drop)
{
	fp_reason(c->w, reason);
	c->drop = drop;
	c->st = NULL;
	return PF_DROP;
}

enum pf_res
fp_pf_create(struct pf_ctx *c)
{
	struct fp_worker *w = c->w;
	struct fp_pkt *p = c->p;
	const struct pol_rule *r = c->rt->rule;
	int half = c->out ? FP_HALF_OUT : FP_HALF_IN, lc;
	uint32_t seqdiff = 0, nodes = UINT32_MAX;
	struct fp_state *st = NULL, *other;
	bool tcp_syn = p->proto == IPPROTO_TCP && (p->tcp_flags & (FP_TH_SYN | FP_TH_ACK)) == FP_TH_SYN;
	enum fp_drop bad;
	int rc;

	if (r->rf & POL_RF_SRCTRACK && (lc = fp_srcnode_admit(w, c->rt, p->af, fp_pkt_src(p), &nodes)) >= 0) {
		fp_count(&w->cnt.lcounters[lc], 1);
		return refuse(c, FP_R_SRC_LIMIT, FP_D_SRC_LIMIT);
	}
	if (r->max_states != 0 && __atomic_load_n(&c->rt->states_cur, __ATOMIC_RELAXED) >= r->max_states) {
		fp_srcnode_admit_undo(w, nodes);
		fp_count(&w->cnt.lcounters[FP_LC_STATES], 1);
		return refuse(c, FP_R_STATE_LIMIT, FP_D_RULE_LIMIT);
	}
	if (fp_states_total(w->box) >= c->conf->limit[POL_LIMIT_STATES]) {
		fp_srcnode_admit_undo(w, nodes);
		return refuse(c, FP_R_MEMORY, FP_D_STATE_LIMIT);
	}
	if (nodes == UINT32_MAX && join(c))
		goto made;
	if ((st = fp_table_alloc(w->table, &p->key, p->addr6, false)) == NULL) {
		fp_srcnode_admit_undo(w, nodes);
		return refuse(c, FP_R_MEMORY, FP_D_STATE_NOMEM);
	}
	st->flags |= p->flags & FP_PF_SRC_HI ? FP_SF_SRC_HI : 0;
	st->halves = 1 << half;
	st->creatorid = w->box->hostid;
	st->created_sec = w->now_sec;
	half_init(c, st, half);
	if (needs_own_record(c) || nodes != UINT32_MAX || (c->match.tag != 0 && r->tag == 0)) {
		struct fp_state_ext *x = fp_state_ext_get(w->table, st);

		if (x == NULL) {
			fp_table_alloc_cancel(w->table, st, false);
			fp_srcnode_admit_undo(w, nodes);
			return refuse(c, FP_R_MEMORY, FP_D_STATE_NOMEM);
		}
		x->scrub_rf = c->match.rf & (POL_RF_NODF | POL_RF_RANDOMID | POL_RF_SET_TOS | POL_RF_SET_PRIO);
		x->min_ttl = c->match.min_ttl;
		x->set_tos = c->match.set_tos;
		x->max_mss = c->match.max_mss;
		x->tag = c->match.tag;
		x->srcnode[half] = nodes;
		x->srcnode[!half] = UINT32_MAX;
		if (nodes != UINT32_MAX)
			st->hflags[half] |= FP_HF_SRC_NODE;
		if (needs_own_record(c)) {
			st->flags |= FP_SF_SLOW;
			p->own_in = !c->out;
		}
	}
	if (r->keep_state == POL_STATE_MODULATE && tcp_syn) {
		uint32_t seq = fp_get32(p->l3 + p->l4_off + 4);

		seqdiff = (uint32_t)(fp_random(w) >> 32) - seq;
		seqdiff = seqdiff == 0 ? 1 : seqdiff;
	}
	init_tracking(c, st, seqdiff);
	if (seqdiff != 0) {
		st->flags |= FP_SF_SEQDIFF | FP_SF_SLOW;
		fp_tcp_patch32(p->l3 + p->l4_off, 4, fp_get32(p->l3 + p->l4_off + 4) + seqdiff);
	}
	if (st->hflags[half] & FP_HF_SCRUB_TCP && (bad = fp_pf_scrub_init(c, st)) != FP_D_NONE) {
		fp_table_alloc_cancel(w->table, st, false);
		fp_srcnode_admit_undo(w, nodes);
		return refuse(c, bad == FP_D_BAD_TIMESTAMP ? FP_R_BAD_TIMESTAMP : FP_R_MEMORY, bad);
	}
	rc = fp_table_insert(w->table, st, p->hash, false, &other);
	if (rc == -EEXIST && superseded(other, half)) {
		/* what is finished or marked for removal makes room at once (pf_state_key_attach()) */
		fp_state_remove(w, other, half);
		rc = fp_table_insert(w->table, st, p->hash, false, &other);
	}
	if (rc != 0) {
		fp_table_alloc_cancel(w->table, st, false);
		fp_srcnode_admit_undo(w, nodes);
		return rc == -EEXIST ? refuse(c, FP_R_STATE_INSERT, FP_D_STATE_INSERT) :
			refuse(c, FP_R_MEMORY, FP_D_STATE_NOMEM);
	}
	c->st = st;
	c->half = half;
	if (!c->out)
		p->made = st;
made:
	c->rev = false;
	if (fp_state_half_open(c->st))
		fp_half_open_add(w, 1);
	__atomic_fetch_add(&c->rt->states_cur, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&c->rt->states_total, 1, __ATOMIC_RELAXED);
	fp_count(&w->cnt.totals[FP_T_STATE_INSERTS], 1);
	fp_event_state(w, c->st, c->half, FP_EV_STATE_NEW);
	c->fresh = true;
	if (w->sync != NULL)
		w->sync->inserted(w, c->st, c->half);
	if (st == NULL) {	/* joined: the packet is counted in the shared record already */
		c->joined = true;
		return PF_PASS;
	}
	if (r->keep_state == POL_STATE_SYNPROXY && tcp_syn && !c->out)
		return fp_pf_synproxy_start(c);
	return PF_PASS;
}

/* `once`: the first packet that the rule decides puts it out of force. False: it was not the first. */
static bool
expire_once(const struct pol_rule *r)
{
	return __atomic_exchange_n((uint8_t *)(uintptr_t)&r->expired, 1, __ATOMIC_RELAXED) == 0;
}

enum pf_res
fp_pf_rules(struct pf_ctx *c)
{
	struct fp_worker *w = c->w;
	struct fp_pkt *p = c->p;
	struct pol_pkt q;
	const struct pol_pkt *qp = &q;
	struct pol_match_env env = { .urpf_ok = urpf_ok, .has_route = has_route, .random = random32,
		.pkt_rate_ok = rate_ok, .arg = w };
	const struct pol_rule *r;

	fill(&q, c);
	if (c->conf->eval_counts)
		pol_match_counted(c->conf->rules, &env, &q, &c->match, c->conf->rules_rt->evals[w->id]);
	else
		pol_match_burst(c->conf->rules, &env, &qp, 1, &c->match);
	r = c->match.rule;
	c->rt = fp_rule(w->box, r->uid);
	c->log = (r->log | c->match.log) != 0;
	p->tag = c->match.tag;
	fp_reason(w, FP_R_MATCH);
	if (r->rf & POL_RF_ONCE && !expire_once(r)) {
		/* another worker was faster: for this packet the rule is gone already */
		pol_match_burst(c->conf->rules, &env, &qp, 1, &c->match);
		r = c->match.rule;
		c->rt = fp_rule(w->box, r->uid);
	}
	if (r->action == POL_BLOCK) {
		block_return(c);
		c->drop = FP_D_RULE;
		return PF_DROP;
	}
	if (r->keep_state == POL_STATE_NONE || p->flags & (FP_PF_KEYLESS | FP_PF_NO_STATE | FP_PF_ICMP_ERROR))
		return PF_PASS;
	if (p->flags & FP_PF_OPTIONS && !(p->flags & FP_PF_ROUTER_ALERT) && !((r->rf | c->match.rf) & POL_RF_ALLOW_OPTS))
		return refuse(c, FP_R_IP_OPTION, FP_D_IP_OPTIONS);	/* pf makes no state of a packet it will drop */
	return fp_pf_create(c);
}
