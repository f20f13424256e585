/* SPDX-License-Identifier: BSD-2-Clause */
/* pf on one packet: see pf.h. Rules and state creation are in pf_rules.c, ICMP errors in pf_icmp.c. */
#include <netinet/in.h>
#include <string.h>

#include "icmp_map.h"
#include "make.h"
#include "parse.h"
#include "pf_priv.h"
#include "tcp_norm.h"
#include "tcp_track.h"

#define ND_SOLICIT 135	/* RFC 4861 4.3, 4.4: both have the target behind 8 bytes */
#define ND_ADVERT 136

/* ---- keys */
void
fp_pf_key(struct fp_worker *w, struct fp_pkt *p, const uint8_t *src, const uint8_t *dst, uint16_t sport, uint16_t dport,
	uint8_t proto)
{
	bool hi;

	if (p->af == FP_AF_INET) {
		uint32_t s, d;

		memcpy(&s, src, 4);
		memcpy(&d, dst, 4);
		fp_key_make4(&p->key, s, d, sport, dport, proto, &hi);
		p->hash = fp_key_hash4(&p->key, w->box->hash_secret);
	} else
		p->hash = fp_key_make6(&p->key, p->addr6, src, dst, sport, dport, proto, &hi, w->box->hash_secret);
	p->flags = (p->flags & ~FP_PF_SRC_HI) | (hi ? FP_PF_SRC_HI : 0);
	p->hint = FP_STATE_NONE;
}

bool
fp_pkt_pullup(struct fp_pkt *p, unsigned len)
{
	unsigned off = p->l3 - rte_pktmbuf_mtod(p->m, uint8_t *);

	if (off + len > UINT16_MAX || !fp_pullup(&p->m, off + len))
		return false;
	p->l3 = rte_pktmbuf_mtod_offset(p->m, uint8_t *, off);
	return true;
}

enum fp_drop
fp_pf_classify(struct fp_worker *w, struct fp_pkt *p)
{
	struct fp_icmp_map map;
	enum fp_drop d;

	p->reason = FP_R_NONE;
	if ((d = fp_parse_l4(p)) != FP_D_NONE)
		return d;
	p->flags |= FP_PF_PARSED;
	if (p->flags & FP_PF_FRAGMENT) {
		p->flags |= FP_PF_KEYLESS;
		fp_pf_key(w, p, fp_pkt_src(p), fp_pkt_dst(p), 0, 0, 0);
		return FP_D_NONE;
	}
	if (p->proto == (p->af == FP_AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		uint8_t *l4 = p->l3 + p->l4_off;
		unsigned need = fp_icmp_hlen(p->af, p->icmp_type);

		if (p->l4_off + need > p->ip_len || !fp_pkt_contiguous(p, p->l4_off + need)) {
			p->reason = FP_R_SHORT;
			return FP_D_L4_SHORT;
		}
		l4 = p->l3 + p->l4_off;
		if (!fp_icmp_map(&map, p->af, l4, p->ip_len - p->l4_off)) {
			p->reason = FP_R_SHORT;
			return FP_D_L4_SHORT;
		}
		if (map.error) {
			p->flags |= FP_PF_ICMP_ERROR | FP_PF_NO_STATE;
			fp_pf_icmp_quote_key(w, p);
			return FP_D_NONE;
		}
		p->flags |= (map.reply ? FP_PF_ICMP_REPLY : 0) | (map.never_state ? FP_PF_NO_STATE : 0);
		/*
		 * A neighbour is asked for by a group and answers by itself: what both messages have in common is the target, which
		 * stands in the key where the question was sent to and where the answer comes from. Only a bridge sees these cross.
		 */
		const uint8_t *src = fp_pkt_src(p), *dst = fp_pkt_dst(p);

		if (p->af == FP_AF_INET6 && p->icmp_type == ND_SOLICIT)
			dst = l4 + 8;
		else if (p->af == FP_AF_INET6 && p->icmp_type == ND_ADVERT)
			src = l4 + 8;
		fp_pf_key(w, p, src, dst, map.sport_be, map.dport_be, p->proto);
		return FP_D_NONE;
	}
	fp_pf_key(w, p, fp_pkt_src(p), fp_pkt_dst(p), p->sport_be, p->dport_be, p->proto);
	return FP_D_NONE;
}

/* ---- joint processing of a shared record */
static bool
bad_options(const struct fp_pkt *p)
{
	return (p->flags & (FP_PF_OPTIONS | FP_PF_ROUTER_ALERT)) == FP_PF_OPTIONS;
}

/*
 * Both halves live in c->st. Decide whether this pass may speak for both; if not, give the half that this packet does
 * not speak to a record of its own, so that only this one changes. Without memory for that both change: better than to
 * lose the connection.
 */
static void
couple_or_part(struct pf_ctx *c)
{
	struct fp_worker *w = c->w;
	struct fp_state *st = c->st, *other;
	int oh = !c->half;

	c->joint = false;
	if (st->halves != FP_HALVES_BOTH)
		return;
	if (st->hflags[oh] & FP_HF_PURGE)	/* nothing will be tracked there any more */
		return;
	if (!c->out && c->joint_if != NULL && (st->ifid[oh] == FP_IFID_ALL || st->ifid[oh] == c->joint_if->ifid) &&
	    (!bad_options(c->p) || (st->hflags[0] & st->hflags[1] & FP_HF_ALLOW_OPTS))) {
		c->joint = true;
		return;
	}
	if ((other = fp_state_part(w, st, oh)) == NULL) {
		c->joint = !c->out && c->joint_if != NULL;
		return;
	}
	fp_count(&w->cnt.totals[FP_T_UNCOUPLED], 1);
}

static void
count_halves(struct pf_ctx *c)
{
	struct fp_state *st = c->st;
	int dir = c->half == FP_HALF_IN ? c->out : !c->out;	/* pf: 0 if pd->dir == state's direction */

	fp_state_count(st, dir, c->p->ip_len);
	if (st->halves == FP_HALVES_BOTH && !c->joint && !(st->hflags[!c->half] & FP_HF_PURGE)) {
		/* only one half saw it, yet the record is still shared (no memory to part): keep the sums right */
		struct fp_state_ext *x = fp_state_ext_get(c->w->table, st);

		if (x != NULL) {
			x->extra_packets[!c->half][dir]--;
			x->extra_bytes[!c->half][dir] -= c->p->ip_len;
		}
	}
}

/*
 * A packet that the first pass drops is never seen by the second: the other half leaves the shared record with what it
 * had before the packet.
 */
void
fp_pf_part(struct pf_ctx *c)
{
	struct fp_state *other;

	if (c->st->halves != FP_HALVES_BOTH || (other = fp_state_part(c->w, c->st, !c->half)) == NULL)
		return;
	memcpy(other->peer, c->before.peer, sizeof(other->peer));
	other->last_sec = c->before.last_sec;
	other->timeout = c->before.timeout;
	if (fp_state_half_open(other) && !fp_state_half_open(c->st))
		fp_half_open_add(c->w, 1);
	fp_count(&c->w->cnt.totals[FP_T_UNCOUPLED], 1);
}

/* The packet was accepted: the peer has to know, sooner or later. */
static void
announce(struct pf_ctx *c)
{
	struct fp_worker *w = c->w;
	struct fp_state *st = c->st;
	bool transition = st->peer[0].state != c->before.peer[0].state || st->peer[1].state != c->before.peer[1].state ||
		st->timeout != c->before.timeout;

	if (!(st->flags & FP_SF_FIGHT))
		st->sync_updates++;
	w->sync->touched(w, st, c->joint ? st->halves : 1u << c->half, transition);
}

/* Answer to the sender (RST) or on behalf of the receiver (challenge ACK), as tracking asked. */
static void
send_segment(struct pf_ctx *c, const struct fp_track_out *o)
{
	struct fp_pkt *p = c->p;
	struct fp_tcp_make t = { .af = p->af, .src = fp_pkt_dst(p), .dst = fp_pkt_src(p), .sport_be = p->dport_be,
		.dport_be = p->sport_be, .seq = o->seq, .ack = o->ack };
	struct rte_mbuf *m;

	if (o->send_challenge)
		t.flags = FP_TH_ACK;
	else if (o->send_rst)
		t.flags = FP_TH_RST;
	else
		return;
	if ((m = fp_make_tcp(c->w, &t)) != NULL)
		fp_originate(c->w, m, p->af, c->ifp, true);
}

static enum pf_res
track_tcp(struct pf_ctx *c)
{
	struct fp_worker *w = c->w;
	struct fp_state *st = c->st;
	struct fp_pkt *p = c->p;
	uint8_t *th = p->l3 + p->l4_off;
	struct fp_tcp_seg seg;
	struct fp_track_out o = { .reason = FP_R_NONE };
	bool was_half_open = fp_state_half_open(st);
	unsigned halves;
	enum fp_verdict v;
	enum pf_res res;

	if (st->peer[0].state >= FP_TCPS_PROXY_SRC)
		return fp_pf_synproxy(c);
	couple_or_part(c);
	halves = c->joint ? 2 : 1;
	fp_tcp_seg_read(&seg, th, p->l4_hlen, p->ip_len - p->l4_off - p->l4_hlen);
	v = fp_pf_tcp_step(c, &seg, &o);
	if (was_half_open && !fp_state_half_open(st))
		fp_half_open_add(w, -(int)halves);
	if (v == FP_V_NO_STATE) {	/* each pass finds out for itself: a new connection on the addresses and ports of a finished one */
		fp_state_remove(w, st, c->half);
		c->joint = false;
		c->st = NULL;
		return PF_NOSTATE;
	}
	if (v == FP_V_DROP) {
		fp_reason(w, o.reason);
		/* pf's second half never saw this packet: if the first one changed it goes its own way now */
		if (c->joint && memcmp(c->before.peer, st->peer, sizeof(st->peer)) != 0)
			fp_pf_part(c);
		send_segment(c, &o);
		c->drop = o.reason == FP_R_BAD_TIMESTAMP ? FP_D_BAD_TIMESTAMP : FP_D_STATE_MISMATCH;
		return PF_DROP;
	}
	if (o.modulate)
		fp_tcp_write_modulated(th, p->l4_hlen, &o);
	res = PF_PASS;
	if (o.established)
		res = fp_pf_established(c);
	return res;
}

/* ---- a packet that may have a state */
static bool
find(struct pf_ctx *c)
{
	struct fp_pkt *p = c->p;
	bool hi = p->flags & FP_PF_SRC_HI;

	fp_count(&c->w->cnt.totals[FP_T_STATE_SEARCHES], 1);
	c->st = fp_table_find(c->w->table, &p->key, p->addr6, p->hash, c->out, hi, c->ifp->ifid, p->hint);
	if (c->st == NULL)
		return false;
	c->half = fp_state_half(c->st, c->out, hi);
	c->rev = hi != !!(c->st->flags & FP_SF_SRC_HI);
	return true;
}

static enum pf_res
with_state(struct pf_ctx *c)
{
	struct fp_state *st = c->st;
	struct fp_pkt *p = c->p;

	if (st->flags & FP_SF_SLOW && !c->rev && !fp_pf_pktrate_ok(c)) {
		/* pf: it finds no state then; a rule that would make it one finds the place taken ("state-insert") */
		c->st = NULL;
		return PF_NOSTATE;
	}
	memcpy(c->before.peer, st->peer, sizeof(st->peer));
	c->before.last_sec = st->last_sec;
	c->before.timeout = st->timeout;
	c->tracked = true;
	switch (p->proto) {
	case IPPROTO_TCP:
		return track_tcp(c);
	case IPPROTO_UDP:
		couple_or_part(c);
		fp_udp_track(st, c->rev, c->w->now_sec);
		return PF_PASS;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		/*
		 * An answer must travel opposite to the question, a question along with it; pf counts no reason. A sloppy state
		 * may have been made by an answer.
		 */
		if (!!(p->flags & FP_PF_ICMP_REPLY) != c->rev && !(st->hflags[c->half] & FP_HF_SLOPPY)) {
			c->drop = FP_D_ICMP_MISMATCH;
			return PF_DROP;
		}
		couple_or_part(c);
		fp_icmp_track(st, c->w->now_sec);
		return PF_PASS;
	default:
		couple_or_part(c);
		fp_other_track(st, c->rev, c->w->now_sec);
		return PF_PASS;
	}
}

static enum pf_res
test(struct pf_ctx *c)
{
	struct fp_pkt *p = c->p;
	enum pf_res res;
	bool found;

	if (p->flags & FP_PF_KEYLESS) {
		res = fp_pf_rules(c);
		if (res == PF_DROP)	/* pf_test(): a fragment that the rules refuse counts as one, whatever else it counted as */
			fp_reason(c->w, FP_R_FRAGMENT);
		return res;
	}
	if (p->proto == (p->af == FP_AF_INET ? IPPROTO_ICMPV6 : IPPROTO_ICMP)) {
		fp_reason(c->w, FP_R_NORMALIZE);	/* ICMP of the other family: no rule is asked */
		c->drop = FP_D_L4_LENGTH;
		return PF_DROP;
	}
	if (p->flags & FP_PF_ICMP_ERROR) {
		res = fp_pf_icmp_error(c);
		return res == PF_NOSTATE ? fp_pf_rules(c) : res;
	}
	if (p->proto == IPPROTO_TCP) {
		if (!c->out && (p->tcp_flags & (FP_TH_SYN | FP_TH_ACK)) == FP_TH_SYN && fp_pf_syncookie_send(c))
			return PF_DROP;
		switch (fp_tcp_normalize(p->l3 + p->l4_off)) {
		case FP_TCP_NORM_DROP:
			fp_reason(c->w, FP_R_NORMALIZE);
			c->drop = FP_D_TCP_FLAGS;
			return PF_DROP;
		case FP_TCP_NORM_CHANGED:
			p->tcp_flags = p->l3[p->l4_off + 13];
			break;
		case FP_TCP_NORM_OK:
			break;
		}
	}
	if (p->af == FP_AF_INET6 && p->proto == IPPROTO_ICMPV6) {
		uint8_t r = fp_icmp6_link_check(p->icmp_type, p->ttl, fp_pkt_src(p));

		if (r != FP_R_NONE) {
			fp_reason(c->w, r);
			c->drop = r == FP_R_NORMALIZE ? FP_D_ND_HOPLIMIT : FP_D_MLD;
			return PF_DROP;
		}
	}
	found = find(c);
	/* the answer to a cookie: of no state, or on the addresses and ports of a finished one */
	if (!c->out && p->proto == IPPROTO_TCP && (p->tcp_flags & (FP_TH_SYN | FP_TH_RST | FP_TH_ACK)) == FP_TH_ACK &&
	    (!found || (c->st->peer[0].state >= FP_TCPS_FIN_WAIT_2 && c->st->peer[1].state >= FP_TCPS_FIN_WAIT_2))) {
		res = fp_pf_syncookie_answer(c);
		if (res != PF_NOSTATE)
			return res;
	}
	if (found) {
		res = with_state(c);
		if (res != PF_NOSTATE)
			return res;
	}
	return fp_pf_rules(c);
}

/* ---- after the decision */
/*
 * The tag that a state gives its packets: of the rule that made it, or one that match rules gave. Tags are numbered by rule
 * set, so a state of rules that are not in force any more gives none.
 */
uint16_t
fp_pf_state_tag(const struct fp_worker *w, const struct fp_state *st, int half)
{
	const struct fp_rule_rt *rt = fp_rule(w->box, st->rule[half]);

	if (rt->rs != w->conf->rules_rt)
		return 0;
	if (rt->rule->tag == 0 && st->flags & FP_SF_EXT)
		return fp_state_ext(w->table, st)->tag;
	return rt->rule->tag;
}

static void
log_packet(struct pf_ctx *c, bool pass, enum fp_drop why)
{
	const struct fp_box *box = c->w->box;
	struct fp_mbuf_priv *priv;
	struct rte_mbuf *copy;

	if (__atomic_load_n(&box->pflog, __ATOMIC_RELAXED) == NULL)
		return;
	copy = rte_pktmbuf_copy(c->p->m, c->w->pool, c->p->l2_len, box->params->log_snaplen);
	if (copy == NULL) {
		fp_count(&c->w->cnt.totals[FP_T_LOG_LOST], 1);
		return;
	}
	priv = fp_priv(copy);
	memset(priv, 0, sizeof(*priv));
	priv->dir = c->out;
	priv->af = c->p->af;
	priv->rule_uid = c->rt->rule->uid;
	priv->action = pass ? 0 : 1;
	priv->reason = pass ? FP_R_MATCH : why == FP_D_RULE ? FP_R_MATCH : c->p->reason;
	fp_punt(c->w, copy, FP_PUNT_PFLOG, c->ifp->ifid);
}

bool
fp_pf(struct fp_worker *w, struct fp_pkt *p, bool out, const struct fp_ifnet *ifp, const struct fp_ifnet *joint_if)
{
	struct pf_ctx c = { .w = w, .p = p, .conf = w->conf, .out = out, .ifp = ifp, .joint_if = joint_if,
		.drop = FP_D_RULE };
	enum pf_res res;

	if (!w->conf->pf_enabled || ifp->pf_skip)
		return true;
	p->ifid = ifp->ifid;
	if (out && p->flags & FP_PF_JOINT)
		return true;
	if (!(p->flags & FP_PF_PARSED)) {
		enum fp_drop d = fp_pf_classify(w, p);

		if (d != FP_D_NONE) {
			fp_reason(w, p->reason);
			fp_drop(w, p->m, d);
			return false;
		}
	}
	c.rt = fp_rule(w->box, FP_RULE_NONE);
	res = test(&c);
	if (res == PF_CONSUMED)
		return false;
	/* options that the rule (or the rule of the state) does not allow: the state has moved already, as in pf */
	if (res == PF_PASS && bad_options(p)) {
		bool ok = c.st != NULL ? c.st->hflags[c.half] & FP_HF_ALLOW_OPTS : c.match.rule->rf & POL_RF_ALLOW_OPTS;

		if (!ok) {
			fp_reason(w, FP_R_IP_OPTION);
			c.drop = FP_D_IP_OPTIONS;
			res = PF_DROP;
		}
	}
	if (res == PF_PASS) {
		fp_pf_scrub(&c);
		if (c.st != NULL) {
			uint16_t tag = c.joint ? 0 : fp_pf_state_tag(w, c.st, c.half);

			if (tag != 0)
				p->tag = tag;
			if (!c.joined)
				count_halves(&c);
			if (w->sync != NULL && c.tracked && !c.fresh)
				announce(&c);
			else if (out && c.fresh && w->sync_defer)
				p->deferrable = c.st;
		}
		else
			fp_rule_count_packet(w, c.rt, out, p->ip_len);
		if (c.log || (c.st != NULL && c.st->hflags[c.half] & FP_HF_LOG_ALL))
			log_packet(&c, true, FP_D_NONE);
		if (c.joint)
			p->flags |= FP_PF_JOINT;
		for (unsigned i = 0; i < c.match.n_matched; i++)
			fp_rule_count_packet(w, fp_rule(w->box, c.match.matched[i]->uid), out, p->ip_len);
		return true;
	}
	if (c.st == NULL && c.rt->rule->action == POL_BLOCK)
		fp_rule_count_packet(w, c.rt, out, p->ip_len);
	if (c.log)
		log_packet(&c, false, c.drop);
	fp_drop(w, p->m, c.drop);
	return false;
}
