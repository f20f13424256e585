/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors: find the state of the packet that they quote. spec/tcp-state.md 7, table of ICMP errors.
 *
 * The quote is parsed twice: once without judgement, to steer the error to the worker that owns the quoted flow
 * (fp_pf_icmp_quote_key()), once on that worker with pf's verdicts.
 */
#include <netinet/in.h>
#include <string.h>

#include "icmp_map.h"
#include "parse.h"
#include "pf_priv.h"
#include "tcp_norm.h"

struct quote {
	const uint8_t *ip, *src, *dst;	/* inner header */
	unsigned off, l4_off;		/* from the outer l3 */
	uint16_t sport, dport;		/* as fp_icmp_map() gives them for queries */
	uint8_t proto;
	bool fragment, shorted, reply;
	bool keyless;			/* quotes something that has no state of its own */
	unsigned have;			/* bytes of the quote from l4_off on */
};

/* False: not even an inner IP header. */
static bool
quote_parse(struct fp_pkt *p, struct quote *q)
{
	unsigned end = p->ip_len, off = p->l4_off + 8, need, n;
	const uint8_t *b;

	memset(q, 0, sizeof(*q));
	q->off = off;
	need = p->af == FP_AF_INET ? 20 : 40;
	if (off + need > end)
		return false;
	/* what pf looks at: header with extension headers and 24 bytes behind; a quote may be in several segments */
	n = RTE_MIN(end, off + 512u);
	if (!fp_pkt_contiguous(p, n))
		return false;
	b = p->l3 + off;
	q->ip = b;
	if (p->af == FP_AF_INET) {
		unsigned hlen = (b[0] & 15) * 4;

		q->src = b + 12;
		q->dst = b + 16;
		if (hlen < 20 || off + hlen > end)
			return false;
		q->proto = b[9];
		q->l4_off = off + hlen;
		q->fragment = (fp_get16(b + 6) & 0x1fff) != 0;
	} else {
		unsigned o = off + 40;
		uint8_t nh = b[6];

		q->src = b + 8;
		q->dst = b + 24;
		for (unsigned i = 0; i < 20; i++) {
			unsigned len;

			if (nh != IPPROTO_HOPOPTS && nh != IPPROTO_ROUTING && nh != IPPROTO_DSTOPTS && nh != IPPROTO_AH &&
			    nh != IPPROTO_FRAGMENT)
				break;
			if (o + 8 > n)
				return false;
			if (nh == IPPROTO_FRAGMENT) {
				if (fp_get16(p->l3 + o + 2) & 0xfff8) {
					q->keyless = true;	/* pf looks for a state of protocol 44 then: none */
					break;
				}
				len = 8;
			} else if (nh == IPPROTO_AH)
				len = (p->l3[o + 1] + 2u) * 4;
			else
				len = (p->l3[o + 1] + 1u) * 8;
			nh = p->l3[o];
			o += len;
		}
		if (o > end)
			return false;
		q->proto = nh;
		q->l4_off = o;
	}
	q->have = end - q->l4_off;
	if (q->fragment || q->keyless)
		return true;
	switch (q->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		if (q->have < 8 || q->l4_off + 8 > n) {
			q->shorted = true;
			break;
		}
		memcpy(&q->sport, p->l3 + q->l4_off, 2);
		memcpy(&q->dport, p->l3 + q->l4_off + 2, 2);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (q->proto == (p->af == FP_AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
			struct fp_icmp_map map;

			if (q->have < 8 || q->l4_off + 8 > n) {
				q->shorted = true;
				break;
			}
			/* a folded address that the quote does not hold any more reads as no state */
			if (!fp_icmp_map(&map, p->af, p->l3 + q->l4_off, n - q->l4_off) || map.error) {
				q->keyless = true;
				break;
			}
			q->sport = map.sport_be;
			q->dport = map.dport_be;
			q->reply = map.reply;
		}
		break;
	default:
		break;
	}
	return true;
}

void
fp_pf_icmp_quote_key(struct fp_worker *w, struct fp_pkt *p)
{
	struct quote q;

	if (quote_parse(p, &q))
		fp_pf_key(w, p, q.src, q.dst, q.sport, q.dport, q.proto);
	else	/* no flow to go to: any worker, always the same */
		fp_pf_key(w, p, fp_pkt_src(p), fp_pkt_dst(p), 0, 0, p->proto);
}

/* Write 32 bits inside the quote and keep the outer ICMP checksum right. */
static void
quote_patch32(struct fp_pkt *p, unsigned off, uint32_t host_value)
{
	uint32_t old, new = htonl(host_value);

	memcpy(&old, p->l3 + off, 4);
	memcpy(p->l3 + off, &new, 4);
	/* an odd offset inside the ICMP message cannot be: IP and TCP headers are multiples of four bytes */
	fp_cksum_fix32(p->l3 + p->l4_off + 2, old, new);
}

enum pf_res
fp_pf_icmp_error(struct pf_ctx *c)
{
	struct fp_worker *w = c->w;
	struct fp_pkt *p = c->p;
	unsigned alen = p->af == FP_AF_INET ? 4 : 16;
	bool hi, inner_out = !c->out;
	struct fp_state *st;
	struct quote q;
	int quoted_rev;

	if (!quote_parse(p, &q)) {
		fp_reason(w, FP_R_SHORT);
		return PF_NOSTATE;
	}
	if (q.fragment) {
		fp_reason(w, FP_R_FRAGMENT);
		return PF_NOSTATE;
	}
	if (memcmp(fp_pkt_dst(p), q.src, alen) != 0) {
		fp_reason(w, FP_R_STATE_MISMATCH);
		return PF_NOSTATE;
	}
	if (q.shorted) {
		fp_reason(w, FP_R_SHORT);
		return PF_NOSTATE;
	}
	if (q.proto == (p->af == FP_AF_INET ? IPPROTO_ICMPV6 : IPPROTO_ICMP)) {
		fp_reason(w, FP_R_NORMALIZE);
		return PF_NOSTATE;
	}
	if (q.keyless)
		return PF_NOSTATE;
	hi = p->flags & FP_PF_SRC_HI;
	fp_count(&w->cnt.totals[FP_T_STATE_SEARCHES], 1);
	st = fp_table_find(w->table, &p->key, p->addr6, p->hash, inner_out, hi, c->ifp->ifid, p->hint);
	if (st == NULL)
		return PF_NOSTATE;
	c->half = fp_state_half(st, inner_out, hi);
	quoted_rev = hi != !!(st->flags & FP_SF_SRC_HI);
	if (q.proto == (p->af == FP_AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6) && q.reply != quoted_rev &&
	    !(st->hflags[c->half] & FP_HF_SLOPPY)) {
		c->drop = FP_D_ICMP_MISMATCH;	/* quotes an answer from the side that asked: no reason is counted */
		return PF_DROP;
	}
	if (q.proto == IPPROTO_TCP && !(st->hflags[c->half] & FP_HF_SLOPPY)) {
		if (!fp_tcp_quote_ok(st, quoted_rev, fp_get32(p->l3 + q.l4_off + 4))) {
			fp_reason(w, FP_R_STATE_MISMATCH);
			c->drop = FP_D_ICMP_MISMATCH;
			return PF_DROP;
		}
	}
	if (q.proto == IPPROTO_TCP && st->flags & FP_SF_SEQDIFF && st->seqdiff[quoted_rev] != 0)
		quote_patch32(p, q.l4_off + 4, fp_tcp_quote_seq(st, quoted_rev, fp_get32(p->l3 + q.l4_off + 4)));
	/*
	 * Nothing is tracked, the packet is only counted, opposite to the quoted one. A shared record counts for both halves
	 * if the error passes both; one that is made or ends here is counted by one.
	 */
	c->st = st;
	c->rev = !quoted_rev;
	c->joint = st->halves == FP_HALVES_BOTH && !c->out && c->joint_if != NULL &&
		!(st->hflags[!c->half] & FP_HF_PURGE) && !(p->flags & FP_PF_OPTIONS);
	return PF_PASS;
}
