/* SPDX-License-Identifier: BSD-2-Clause */
/* What pf.c, pf_rules.c, pf_icmp.c and pf_synproxy.c share: one packet's pass. On the stack of the worker. */
#ifndef FP_PF_PRIV_H
#define FP_PF_PRIV_H

#include "events.h"
#include "pf.h"
#include "rules.h"
#include "states.h"
#include "tcp_track.h"

enum pf_res {
	PF_PASS,
	PF_DROP,	/* c->drop says why; reasons are counted already */
	PF_NOSTATE,	/* no state speaks for it: ask the rules */
	PF_CONSUMED,	/* the mbuf is gone and counted */
};

struct pf_ctx {
	struct fp_worker *w;
	struct fp_pkt *p;
	const struct fp_conf *conf;
	const struct fp_ifnet *ifp, *joint_if;
	struct fp_rule_rt *rt;		/* rule that decided */
	struct fp_state *st;		/* state, found or made */
	enum fp_drop drop;
	int half;			/* of st */
	bool out, rev, joint, log;
	bool cookie;			/* the packet is a SYN rebuilt from a cookie */
	bool joined;			/* this pass put its half into the record of the first pass */
	bool tracked;			/* the state took this packet in: before is valid */
	bool fresh;			/* this packet made the half of this pass */
	struct { struct fp_peer peer[2]; uint32_t last_sec; uint8_t timeout; } before; /* tracking before this packet */
	struct pol_match match;		/* after fp_pf_rules() */
};

enum pf_res fp_pf_rules(struct pf_ctx *c);			/* pf_rules.c */
enum pf_res fp_pf_create(struct pf_ctx *c);
enum pf_res fp_pf_established(struct pf_ctx *c);		/* connection limits */
void fp_pf_part(struct pf_ctx *c);				/* pf.c */
uint16_t fp_pf_state_tag(const struct fp_worker *w, const struct fp_state *st, int half);
void fp_pf_scrub(struct pf_ctx *c);
enum fp_drop fp_pf_scrub_init(struct pf_ctx *c, struct fp_state *st);	/* pf_synproxy.c: timestamps of scrub reassemble tcp */
bool fp_pf_pktrate_ok(struct pf_ctx *c);
enum pf_res fp_pf_icmp_error(struct pf_ctx *c);		/* pf_icmp.c */
void fp_pf_icmp_quote_key(struct fp_worker *w, struct fp_pkt *p);
enum fp_verdict fp_pf_tcp_step(struct pf_ctx *c, struct fp_tcp_seg *seg, struct fp_track_out *o); /* pf_synproxy.c */
enum pf_res fp_pf_synproxy(struct pf_ctx *c);
enum pf_res fp_pf_synproxy_start(struct pf_ctx *c);
void fp_pf_overload(struct fp_worker *w, const struct fp_state *st, int half, struct fp_rule_rt *rt);
bool fp_pf_syncookie_send(struct pf_ctx *c);
enum pf_res fp_pf_syncookie_answer(struct pf_ctx *c);
void fp_pf_key(struct fp_worker *w, struct fp_pkt *p, const uint8_t *src, const uint8_t *dst, uint16_t sport, uint16_t dport,
	uint8_t proto);

bool fp_pkt_pullup(struct fp_pkt *p, unsigned len);	/* pf.c */
/* Are len bytes from l3 in the first segment? Pulls them together if not; false: not that many. */
static inline bool
fp_pkt_contiguous(struct fp_pkt *p, unsigned len)
{
	unsigned off = p->l3 - rte_pktmbuf_mtod(p->m, uint8_t *);

	if (likely(off + len <= p->m->data_len))
		return true;
	return fp_pkt_pullup(p, len);
}

#endif
