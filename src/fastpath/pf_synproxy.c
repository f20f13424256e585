/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where pf's optional TCP machines meet the packet: timestamp scrubbing, SYN proxy, SYN cookies, connection limits. The
 * machines are pure (tcp_scrub.c, synproxy.c, syncookie.c, srcnode.c); here they get their packets and send theirs.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "forward.h"
#include "make.h"
#include "parse.h"
#include "pf_priv.h"
#include "srcnode.h"
#include "syncookie.h"
#include "synproxy.h"
#include "tcp_norm.h"
#include "tcp_scrub.h"

/* ---- scrub reassemble tcp */
static void
ttl_write(struct fp_pkt *p, uint8_t ttl)
{
	uint8_t *at = p->l3 + (p->af == FP_AF_INET ? 8 : 7);

	if (*at == ttl)
		return;
	if (p->af == FP_AF_INET) {
		uint16_t a, b;

		memcpy(&a, at, 2);
		*at = ttl;
		memcpy(&b, at, 2);
		fp_cksum_fix16(p->l3 + 10, a, b);
	} else
		*at = ttl;
	p->ttl = ttl;
}

static struct fp_scrub_pkt
scrub_pkt(const struct fp_pkt *p)
{
	return (struct fp_scrub_pkt){ .th = p->l3 + p->l4_off, .hlen = p->l4_hlen,
		.len = p->ip_len - p->l4_off - p->l4_hlen, .ttl = p->l3[p->af == FP_AF_INET ? 8 : 7] };
}

enum fp_drop
fp_pf_scrub_init(struct pf_ctx *c, struct fp_state *st)
{
	struct fp_state_ext *x = fp_state_ext_get(c->w->table, st);
	struct fp_scrub_pkt sp = scrub_pkt(c->p);

	if (x == NULL)
		return FP_D_STATE_NOMEM;
	fp_scrub_init(&x->scrub[0], &sp, fp_random(c->w) >> 32, c->w->now_us);
	if (!fp_scrub_packet(x->scrub, st, 0, &sp, c->w->now_us, 0, c->conf->timeout[POL_TM_TCP_TSDIFF]))
		return FP_D_BAD_TIMESTAMP;
	ttl_write(c->p, sp.ttl);
	return FP_D_NONE;
}

/* One segment of an established or growing connection; may edit the timestamps of the packet. */
enum fp_verdict
fp_pf_tcp_step(struct pf_ctx *c, struct fp_tcp_seg *seg, struct fp_track_out *o)
{
	struct fp_worker *w = c->w;
	struct fp_state *st = c->st;
	struct fp_state_ext *x;
	struct fp_tcp_verdict v;
	struct fp_scrub_pkt sp;
	enum fp_verdict res;

	if (st->hflags[c->half] & FP_HF_SLOPPY)
		return fp_tcp_track_sloppy(st, c->rev, seg, w->now_sec, o);
	if (!(st->hflags[c->half] & FP_HF_SCRUB_TCP))
		return fp_tcp_track(st, c->rev, seg, w->now_sec, fp_random(w) >> 32, o);
	res = fp_tcp_check(st, c->rev, seg, fp_random(w) >> 32, &v, o);
	x = fp_state_ext(w->table, st);
	sp = scrub_pkt(c->p);
	if (o->first)
		fp_scrub_init(&x->scrub[c->rev], &sp, fp_random(w) >> 32, w->now_us);
	if (res != FP_V_PASS)
		return res;
	if (!fp_scrub_packet(x->scrub, st, c->rev, &sp, w->now_us, w->now_sec - st->created_sec,
		fp_rule_timeout(c->conf, fp_rule(w->box, st->rule[c->half])->rule, POL_TM_TCP_TSDIFF))) {
		o->reason = FP_R_BAD_TIMESTAMP;
		return FP_V_DROP;
	}
	ttl_write(c->p, sp.ttl);
	fp_tcp_commit(st, c->rev, seg, &v, w->now_sec, o);
	return FP_V_PASS;
}

/* ---- limits of established connections */
/* One half has come up: max-src-conn and max-src-conn-rate. True: over the limit, killed. */
static bool
over_limit(struct pf_ctx *c, int half)
{
	struct fp_worker *w = c->w;
	struct fp_state *st = c->st;
	struct fp_rule_rt *rt = fp_rule(w->box, st->rule[half]);
	int lc;

	if (!(st->halves >> half & 1) || !(st->hflags[half] & FP_HF_SRC_NODE) ||
	    (lc = fp_srcnode_established(w, st, half, rt)) < 0)
		return false;
	fp_count(&w->cnt.lcounters[lc], 1);
	fp_reason(w, FP_R_SRC_LIMIT);
	c->drop = FP_D_SRC_LIMIT;
	fp_pf_overload(w, st, half, rt);
	return true;
}

/*
 * A connection has come up. Excess kills the state that noticed, and more if the rule says so. On the way in of a shared
 * record the IN half is asked first: what it refuses the OUT half never sees.
 */
enum pf_res
fp_pf_established(struct pf_ctx *c)
{
	struct fp_worker *w = c->w;
	struct fp_state *st = c->st;
	int half = c->half;

	if (over_limit(c, half)) {
		if (c->joint)
			fp_pf_part(c);
	} else if (c->joint && over_limit(c, !half)) {
		struct fp_state *other = fp_state_part(w, st, !half);

		if (other != NULL) {
			/* the first half lives on: this packet has passed it */
			fp_state_count(st, c->rev, c->p->ip_len);
			st = other;
		}
		half = !half;
	} else
		return PF_PASS;
	/* marked, gone at the next look at the table */
	st->peer[0].state = st->peer[1].state = FP_TCPS_CLOSED;
	fp_state_purge(w, st, half);
	return PF_DROP;
}

/* ---- SYN proxy */
static void
endpoint(const struct fp_state *st, bool src, uint8_t addr[16], uint16_t *port_be)
{
	bool hi = src == !!(st->flags & FP_SF_SRC_HI);

	if (st->key.af == FP_AF_INET6)
		memcpy(addr, hi ? ((const struct fp_state6 *)st)->addr_hi : ((const struct fp_state6 *)st)->addr_lo, 16);
	else
		memcpy(addr, hi ? &st->key.addr_hi : &st->key.addr_lo, 4);
	*port_be = hi ? st->key.port_hi : st->key.port_lo;
}

static void
send_proxy(struct fp_worker *w, const struct fp_state *st, int rev, const struct fp_synproxy_seg *s,
	const struct fp_ifnet *ifp)
{
	uint8_t a[16], b[16];
	/* who gets it: the sender of the packet in hand, or one of the two sides by name */
	bool to_src = s->to == FP_SYNPROXY_TO_CLIENT || (s->to == FP_SYNPROXY_TO_SENDER && !rev);
	struct fp_tcp_make t = { .af = st->key.af, .flags = s->flags, .src = a, .dst = b, .win = s->win, .seq = s->seq,
		.ack = s->ack, .mss = s->mss };
	struct rte_mbuf *m;

	endpoint(st, !to_src, a, &t.sport_be);
	endpoint(st, to_src, b, &t.dport_be);
	if ((m = fp_make_tcp(w, &t)) == NULL)
		return;
	/*
	 * What goes to the server on behalf of the client passes the outbound rules, as the client's own packet would; it
	 * makes the outbound state.
	 */
	if (s->to == FP_SYNPROXY_TO_SERVER || (s->to == FP_SYNPROXY_TO_SENDER && rev))
		fp_originate_tagged(w, m, st->key.af, NULL, false, fp_pf_state_tag(w, st, FP_HALF_IN));
	else
		fp_originate(w, m, st->key.af, ifp, true);
}

static uint16_t
route_mtu(const struct fp_worker *w, uint8_t af, const uint8_t *dst)
{
	const struct fp_nexthop *nh;
	uint32_t d;

	if (af == FP_AF_INET6)
		nh = fp_route6(w->conf, dst);
	else {
		memcpy(&d, dst, 4);
		nh = fp_route4(w->conf, d);
	}
	return nh == NULL || nh->ifid >= w->conf->n_ifs ? 0 : w->conf->ifs[nh->ifid].mtu;
}

enum pf_res
fp_pf_synproxy_start(struct pf_ctx *c)
{
	struct fp_pkt *p = c->p;
	struct fp_state_ext *x = fp_state_ext(c->w->table, c->st);
	struct fp_synproxy_out o = { 0 };
	bool was_half_open = fp_state_half_open(c->st);
	uint16_t mss = fp_synproxy_mss(p->af, fp_tcp_mss(p->l3 + p->l4_off, p->l4_hlen), route_mtu(c->w, p->af, fp_pkt_src(p)),
		route_mtu(c->w, p->af, fp_pkt_dst(p)));

	fp_synproxy_start(c->st, x, mss, fp_random(c->w) >> 32, &o);
	if (was_half_open && !fp_state_half_open(c->st))
		fp_half_open_add(c->w, -1);
	for (unsigned i = 0; i < o.n; i++)
		send_proxy(c->w, c->st, 0, &o.seg[i], c->ifp);
	fp_reason(c->w, FP_R_SYNPROXY);
	c->drop = FP_D_SYNPROXY;
	return PF_DROP;
}

enum pf_res
fp_pf_synproxy(struct pf_ctx *c)
{
	struct fp_pkt *p = c->p;
	struct fp_state_ext *x = fp_state_ext_get(c->w->table, c->st);
	struct fp_synproxy_out o = { 0 };
	struct fp_tcp_seg seg;

	c->drop = FP_D_SYNPROXY;
	if (x == NULL) {
		fp_reason(c->w, FP_R_MEMORY);
		c->drop = FP_D_STATE_NOMEM;
		return PF_DROP;
	}
	fp_tcp_seg_read(&seg, p->l3 + p->l4_off, p->l4_hlen, p->ip_len - p->l4_off - p->l4_hlen);
	fp_synproxy(c->st, x, c->rev, &seg, fp_random(c->w) >> 32, &o);
	if (c->st->seqdiff[0] | c->st->seqdiff[1])
		c->st->flags |= FP_SF_SEQDIFF;
	if (o.check_limits && fp_pf_established(c) != PF_PASS)
		return PF_DROP;	/* counted as what it is, not as the proxy's */
	fp_reason(c->w, FP_R_SYNPROXY);
	for (unsigned i = 0; i < o.n; i++)
		send_proxy(c->w, c->st, c->rev, &o.seg[i], c->ifp);
	return PF_DROP;
}

void
fp_synproxy_abandon(struct fp_worker *w, struct fp_state *st, int half)
{
	struct fp_synproxy_seg seg;
	const struct fp_ifnet *ifp = NULL;

	(void)half;
	if (w->conf != NULL && fp_synproxy_abort(st, &seg))
		send_proxy(w, st, 0, &seg, ifp);
}

/* ---- SYN cookies */
struct cookies {
	struct fp_syncookie sc;
	uint32_t generation;	/* of the configuration that sc was set up for */
	uint32_t tick_sec;
	uint64_t floods;
};

/* Keys change every 15 s at most; getrandom() does not block once the machine has booted. */
static uint64_t
crypto_random(void *arg)
{
	uint64_t r;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		r = fp_random(arg);
	return r;
}

static uint32_t
half_open_total(const struct fp_box *box)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < box->n_workers; i++)
		n += __atomic_load_n(&box->workers[i]->half_open, __ATOMIC_RELAXED);
	return n;
}

static uint32_t
inflight_total(const struct fp_box *box)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < box->n_workers; i++) {
		const struct cookies *k = box->workers[i]->cookies;

		n += __atomic_load_n(&k->sc.inflight[0], __ATOMIC_RELAXED) + __atomic_load_n(&k->sc.inflight[1], __ATOMIC_RELAXED);
	}
	return n;
}

static struct cookies *
cookies_ready(struct fp_worker *w)
{
	struct cookies *k = w->cookies;

	if (unlikely(k->generation != w->conf->generation)) {
		k->generation = w->conf->generation;
		fp_syncookie_config(&k->sc, w->conf->syncookies, w->conf->limit[POL_LIMIT_STATES], w->conf->syncookies_start_pct,
			w->conf->syncookies_end_pct, w->now_sec, crypto_random, w);
	}
	return k;
}

static struct fp_syncookie_flow
flow_of(const struct fp_pkt *p, uint32_t seq)
{
	return (struct fp_syncookie_flow){ .src = fp_pkt_src(p), .dst = fp_pkt_dst(p),
		.addr_len = p->af == FP_AF_INET ? 4 : 16, .sport_be = p->sport_be, .dport_be = p->dport_be, .seq = seq };
}

/* True: the SYN was answered with a cookie and is to be dropped. */
bool
fp_pf_syncookie_send(struct pf_ctx *c)
{
	struct fp_worker *w = c->w;
	struct fp_pkt *p = c->p;
	const uint8_t *th = p->l3 + p->l4_off;
	struct fp_tcp_make t = { .af = p->af, .flags = FP_TH_SYN | FP_TH_ACK, .src = fp_pkt_dst(p), .dst = fp_pkt_src(p),
		.sport_be = p->dport_be, .dport_be = p->sport_be };
	struct fp_syncookie_flow flow;
	struct cookies *k;
	struct rte_mbuf *m;
	uint32_t seq = fp_get32(th + 4);
	uint8_t ws;

	if (likely(c->conf->syncookies == FP_SYNCOOKIE_NEVER))
		return false;
	k = cookies_ready(w);
	if (!fp_syncookie_wanted(&k->sc, half_open_total(w->box), w->now_sec, crypto_random, w))
		return false;
	if (k->sc.floods != k->floods) {
		k->floods = k->sc.floods;
		fp_count(&w->cnt.lcounters[FP_LC_SYNFLOODS], 1);
	}
	flow = flow_of(p, seq);
	ws = fp_tcp_wscale(th, p->l4_hlen) & FP_WSCALE_MASK;
	t.mss = fp_syncookie_mss(fp_tcp_mss(th, p->l4_hlen));
	t.seq = fp_syncookie_make(&k->sc, &flow, t.mss, ws);
	t.ack = seq + 1;
	if ((m = fp_make_tcp(w, &t)) != NULL) {
		fp_count(&w->cnt.lcounters[FP_LC_SYNCOOKIES_SENT], 1);
		fp_originate(w, m, p->af, c->ifp, true);
	}
	c->drop = FP_D_SYNCOOKIE;
	return true;
}

/* An ACK without a state, inbound. PF_NOSTATE: not an answer to a cookie. */
enum pf_res
fp_pf_syncookie_answer(struct pf_ctx *c)
{
	struct fp_worker *w = c->w;
	struct fp_pkt *p = c->p, syn_pkt;
	struct fp_tcp_seg seg;
	struct fp_syncookie_flow flow;
	struct fp_syncookie_syn syn;
	struct fp_synproxy_out o = { 0 };
	struct fp_tcp_make t;
	struct cookies *k;
	struct pf_ctx sub;
	struct fp_state_ext *x;
	enum pf_res res;
	bool was_half_open;

	if (likely(c->conf->syncookies == FP_SYNCOOKIE_NEVER && fp_syncookie_inflight(&((struct cookies *)w->cookies)->sc) == 0))
		return PF_NOSTATE;
	k = cookies_ready(w);
	fp_tcp_seg_read(&seg, p->l3 + p->l4_off, p->l4_hlen, p->ip_len - p->l4_off - p->l4_hlen);
	flow = flow_of(p, seg.seq);
	if (!fp_syncookie_check(&k->sc, &flow, seg.ack, &syn))
		return PF_NOSTATE;
	fp_count(&w->cnt.lcounters[FP_LC_SYNCOOKIES_VALID], 1);
	/* the SYN as it may have been, for the rules */
	t = (struct fp_tcp_make){ .af = p->af, .flags = FP_TH_SYN, .src = fp_pkt_src(p), .dst = fp_pkt_dst(p),
		.sport_be = p->sport_be, .dport_be = p->dport_be, .seq = syn.seq, .mss = syn.mss, .win = syn.wscale, .ttl = p->ttl };
	memset(&syn_pkt, 0, sizeof(syn_pkt));
	if ((syn_pkt.m = fp_make_tcp(w, &t)) == NULL) {
		fp_reason(w, FP_R_MEMORY);
		c->drop = FP_D_NOMBUF;
		return PF_DROP;
	}
	syn_pkt.ifid = p->ifid;
	syn_pkt.rcvif = p->rcvif;
	c->drop = FP_D_SYNPROXY;
	if (fp_parse_ip(&syn_pkt, 0, p->af) != FP_D_NONE || fp_pf_classify(w, &syn_pkt) != FP_D_NONE) {
		rte_pktmbuf_free(syn_pkt.m);
		return PF_DROP;
	}
	sub = *c;
	sub.p = &syn_pkt;
	sub.joint_if = NULL;
	sub.st = NULL;
	sub.cookie = true;
	res = fp_pf_rules(&sub);
	/* a rule with synproxy has answered the rebuilt SYN once more, and consumed it: it has made its state all the same */
	if (sub.st != NULL && (x = fp_state_ext_get(w->table, sub.st)) != NULL) {
		was_half_open = fp_state_half_open(sub.st);
		if (res == PF_PASS)
			fp_state_count(sub.st, 0, syn_pkt.ip_len);
		sub.st->flags |= FP_SF_SLOW;
		fp_synproxy_cookie(sub.st, x, &seg, &o);
		if (was_half_open && !fp_state_half_open(sub.st))
			fp_half_open_add(w, -1);
		c->st = sub.st;
		c->half = sub.half;
		c->rev = false;
		fp_reason(w, FP_R_SYNPROXY);
		if (!o.check_limits || fp_pf_established(c) == PF_PASS)
			for (unsigned i = 0; i < o.n; i++)
				send_proxy(w, sub.st, 0, &o.seg[i], c->ifp);
	} else if (res != PF_PASS)
		c->drop = sub.drop;
	c->rt = sub.rt;
	rte_pktmbuf_free(syn_pkt.m);
	return PF_DROP;
}

/* ---- life with the worker */
int
fp_worker_init(struct fp_worker *w, struct fp_err *err)
{
	struct timespec ts;
	const struct fp_reass_conf rc = { .max_frags = 4096, .timeout_sec = 60 };

	if ((w->cookies = calloc(1, sizeof(struct cookies))) == NULL || fp_events_worker_init(w) != 0 ||
	    fp_srcnode_worker_init(w) != 0 || (w->reass = fp_reass_create(&rc, w->socket)) == NULL) {
		fp_worker_fini(w);
		return fp_err_set(err, -ENOMEM, "worker %u: no memory for fragments, sources and events", w->id);
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	w->wall_offset_ms = ts.tv_sec * 1000ll + ts.tv_nsec / 1000000 - (int64_t)(fp_box_now_us(w->box) / 1000);
	w->state_id_counter = fp_random(w) >> 40;
	w->sync_maxupd = 256;
	return 0;
}

void
fp_worker_fini(struct fp_worker *w)
{
	fp_reass_destroy(w->reass);
	w->reass = NULL;
	fp_srcnode_worker_fini(w);
	fp_events_worker_fini(w);
	free(w->cookies);
	w->cookies = NULL;
}

void
fp_pf_reass_configure(struct fp_worker *w)
{
	const struct fp_conf *c = w->conf;
	const struct fp_reass_conf rc = { .max_frags = c->limit[POL_LIMIT_FRAGS], .timeout_sec = c->timeout[POL_TM_FRAG],
		.no_df = c->reassemble_nodf, .off = !c->reassemble };

	fp_reass_configure(w->reass, &rc);
}

void
fp_pf_housekeeping(struct fp_worker *w)
{
	struct cookies *k = w->cookies;

	if (k->tick_sec == w->now_sec)
		return;
	k->tick_sec = w->now_sec;
	cookies_ready(w);
	fp_syncookie_tick(&k->sc, half_open_total(w->box), inflight_total(w->box), w->now_sec, crypto_random, w);
	fp_pf_reass_configure(w);
	fp_srcnode_expire(w);
}
