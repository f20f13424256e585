/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets that the box makes itself. Field values are pf's and the BSD stack's as recorded (spec "Packets that pf makes
 * itself"): TCP of pf has tos 0x10 and DF; ICMP errors have TTL 255, tos 0, no DF; IPv6 has hop limit 64 and no traffic
 * class or flow label.
 *
 * Rate: two token buckets a worker, of a second's worth each. Errors of forwarding have params->icmp_rate; what rules ask
 * for (block return) is the administrator's wish and has ten times as much, so that only a flood is cut.
 */
#include <netinet/in.h>
#include <string.h>

#include <rte_ip.h>

#include "conf.h"
#include "make.h"
#include "parse.h"
#include "tcp_track.h"

#define PF_RATE_FACTOR 10
#define ICMP4_TTL 255
#define DEFAULT_TTL 64
#define PF_TOS 0x10		/* low delay */
#define QUOTE4_DATA 8		/* RFC 792 */
#define QUOTE6_MAX 1232		/* the error fits in 1280 bytes, RFC 4443 2.4 c */
#define QUOTE6_TOO_BIG 48
#define IP4_HLEN 20
#define IP6_HLEN 40

static void
put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

/* Take one token. burst: a second's worth. */
static bool
bucket_take(struct fp_tokens *b, uint64_t now_us, uint32_t per_sec)
{
	uint64_t cost, max = 1000000;

	if (per_sec == 0)
		return false;
	cost = RTE_MAX(max / per_sec, 1u);
	if (b->last_us == 0)
		b->credit_us = max;
	else if (now_us > b->last_us)
		b->credit_us = b->credit_us + (now_us - b->last_us) < max ? b->credit_us + (now_us - b->last_us) : max;
	b->last_us = now_us ? now_us : 1;
	if (b->credit_us < cost)
		return false;
	b->credit_us -= cost;
	return true;
}

static bool
rate_ok(struct fp_worker *w, bool by_pf)
{
	uint32_t rate = w->box->params->icmp_rate;

	if (by_pf)
		rate = rate > UINT32_MAX / PF_RATE_FACTOR ? UINT32_MAX : rate * PF_RATE_FACTOR;
	if (bucket_take(&w->icmp_limit[by_pf], w->now_us, rate))
		return true;
	fp_count(&w->cnt.drops[FP_D_ICMP_RATE], 1);
	return false;
}

/* IPv4 header with a random id, checksum made. */
static void
ip4_header(struct fp_worker *w, uint8_t *ip, const uint8_t *src, const uint8_t *dst, uint8_t proto, uint16_t len, uint8_t ttl,
	uint8_t tos, bool df)
{
	uint16_t sum;

	ip[0] = 0x45;
	ip[1] = tos;
	put16(ip + 2, len);
	put16(ip + 4, fp_random(w) >> 48);
	put16(ip + 6, df ? 0x4000 : 0);
	ip[8] = ttl;
	ip[9] = proto;
	put16(ip + 10, 0);
	memcpy(ip + 12, src, 4);
	memcpy(ip + 16, dst, 4);
	sum = fp_ip4_cksum(ip, IP4_HLEN);
	memcpy(ip + 10, &sum, 2);
}

static void
ip6_header(uint8_t *ip, const uint8_t *src, const uint8_t *dst, uint8_t proto, uint16_t payload, uint8_t hlim)
{
	put32(ip, 0x60000000);
	put16(ip + 4, payload);
	ip[6] = proto;
	ip[7] = hlim;
	memcpy(ip + 8, src, 16);
	memcpy(ip + 24, dst, 16);
}

/* Checksum of len contiguous bytes at l4 with the pseudo header of ip. */
static uint16_t
l4_cksum(uint8_t af, const uint8_t *ip, uint8_t proto, const uint8_t *l4, uint32_t len, bool pseudo)
{
	uint32_t sum = rte_raw_cksum(l4, len);

	if (pseudo) {
		sum += af == FP_AF_INET ? rte_raw_cksum(ip + 12, 8) : rte_raw_cksum(ip + 8, 32);
		sum += rte_cpu_to_be_16(len) + rte_cpu_to_be_16(proto);
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* len bytes of packet. NULL: none left, counted. */
static struct rte_mbuf *
packet(struct fp_worker *w, unsigned len, uint8_t **p)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

	if (m == NULL) {
		fp_count(&w->cnt.drops[FP_D_NOMBUF], 1);
		return NULL;
	}
	*p = (uint8_t *)rte_pktmbuf_append(m, len);
	if (*p == NULL) {	/* buffers configured smaller than a packet of ours */
		rte_pktmbuf_free(m);
		fp_count(&w->cnt.drops[FP_D_NOMBUF], 1);
		return NULL;
	}
	return m;
}

struct rte_mbuf *
fp_make_tcp(struct fp_worker *w, const struct fp_tcp_make *t)
{
	unsigned hlen = t->mss ? 24 : 20, off = t->af == FP_AF_INET ? IP4_HLEN : IP6_HLEN;
	uint8_t *ip, *th, ttl = t->ttl ? t->ttl : DEFAULT_TTL;
	struct rte_mbuf *m;
	uint16_t sum;

	if (t->flags & FP_TH_RST && !rate_ok(w, true))
		return NULL;
	m = packet(w, off + hlen, &ip);
	if (m == NULL)
		return NULL;
	if (t->af == FP_AF_INET)
		ip4_header(w, ip, t->src, t->dst, IPPROTO_TCP, off + hlen, ttl, t->by_stack ? 0 : PF_TOS, true);
	else
		ip6_header(ip, t->src, t->dst, IPPROTO_TCP, hlen, ttl);
	th = ip + off;
	memcpy(th, &t->sport_be, 2);
	memcpy(th + 2, &t->dport_be, 2);
	put32(th + 4, t->seq);
	put32(th + 8, t->ack);
	th[12] = hlen / 4 << 4;
	th[13] = t->flags;
	put16(th + 14, t->win);
	put32(th + 16, 0);
	if (t->mss) {
		th[20] = 2;
		th[21] = 4;
		put16(th + 22, t->mss);
	}
	sum = l4_cksum(t->af, ip, IPPROTO_TCP, th, hlen, true);
	memcpy(th + 16, &sum, 2);
	return m;
}

/* ---- ICMP errors */

/*
 * Does p itself carry an error (or a redirect)? Those are never answered: RFC 1122 3.2.2, RFC 4443 2.4 e. Of IPv4 all that
 * is not known for a query or its answer is taken for one, as in the BSD stacks.
 */
static bool
is_error(const struct fp_pkt *p)
{
	if (p->flags & FP_PF_FRAGMENT)
		return false;
	if (p->af == FP_AF_INET)
		return p->proto == IPPROTO_ICMP && !(p->icmp_type == 0 || p->icmp_type == 8 || p->icmp_type == 9 ||
			p->icmp_type == 10 || (p->icmp_type >= 13 && p->icmp_type <= 18));
	return p->proto == IPPROTO_ICMPV6 && (p->icmp_type < 128 || p->icmp_type == 137);
}

/* Must p stay without an answer? */
static bool
unanswerable(const struct fp_pkt *p, uint8_t type, uint8_t code, bool by_pf)
{
	static const uint8_t zero[16];
	const uint8_t *src = fp_pkt_src(p), *dst = fp_pkt_dst(p);

	if (is_error(p) && !(p->af == FP_AF_INET && type == 5))	/* a redirect is no complaint */
		return true;
	if (p->af == FP_AF_INET) {
		/* only the first fragment has what the sender needs to know it by */
		if (((p->l3[6] & 0x1f) << 8 | p->l3[7]) != 0)
			return true;
		/* a source that does not name one host: RFC 1122 3.2.2 */
		if (src[0] == 0 || src[0] == 127 || src[0] >= 0xe0)
			return true;
		/* a rule answers what was sent to a group's address, but not to a group's frame */
		return p->flags & FP_PF_L2_MCAST || (!by_pf && dst[0] >= 0xe0);
	}
	if (p->flags & FP_PF_FRAGMENT && p->frag_off != 0) {
		const uint8_t *fh = p->l3 + p->frag_off;	/* contiguous: the parser read it */

		if (((fh[2] << 8 | fh[3]) & 0xfff8) != 0)
			return true;
	}
	if (memcmp(src, zero, 16) == 0 || src[0] == 0xff)
		return true;
	/* RFC 4443 2.4 e.3: path MTU discovery and unknown options work for multicast too */
	if (type == 2 || (type == 4 && code == 2))
		return false;
	return p->flags & FP_PF_L2_MCAST || dst[0] == 0xff;
}

/* How much of p is quoted: header and 8 bytes; IPv6 as much as fits. Not beyond what the packet has. */
static unsigned
quote_len(const struct fp_pkt *p, uint8_t type)
{
	unsigned max;

	if (p->af == FP_AF_INET)
		max = (p->l3[0] & 0xf) * 4 + QUOTE4_DATA;
	else
		max = type == 2 ? QUOTE6_TOO_BIG : QUOTE6_MAX;
	return RTE_MIN(max, p->ip_len);
}

/* Copy the quote, segments and all, and undo or do what forwarding did to the TTL. */
static bool
quote(uint8_t *q, unsigned len, const struct fp_pkt *p, uint8_t type)
{
	const uint8_t *from = rte_pktmbuf_read(p->m, p->l2_len, len, q);
	uint8_t old[2];
	uint16_t o, n;

	if (from == NULL)
		return false;
	if (from != q)
		memcpy(q, from, len);
	if (p->af == FP_AF_INET6) {
		/* too big is found out behind the hop limit, everything else before it */
		q[7] = type == 2 && p->ttl > 0 && !(p->flags & FP_PF_LOCAL) ? p->ttl - 1 : p->ttl;
	} else if (q[8] != p->ttl && q[8] + 1 == p->ttl) {
		memcpy(old, q + 8, 2);
		q[8] = p->ttl;
		memcpy(&o, old, 2);
		memcpy(&n, q + 8, 2);
		fp_cksum_fix16(q + 10, o, n);
	}
	return true;
}

/* Own address on the interface that p came in on. NULL: it has none of the family. */
static const uint8_t *
own_address(struct fp_worker *w, const struct fp_pkt *p)
{
	const struct fp_ifnet *ifp = fp_conf_if(w->conf, p->rcvif != FP_IFID_NONE ? p->rcvif : p->ifid);
	const struct fp_ifaddr *a = ifp != NULL ? fp_ifnet_source(ifp, p->af, fp_pkt_src(p)) : NULL;

	return a != NULL ? a->addr.b : NULL;
}

struct rte_mbuf *
fp_make_icmp_error(struct fp_worker *w, const struct fp_pkt *p, uint8_t type, uint8_t code, uint32_t word, const uint8_t *src,
	bool by_pf)
{
	unsigned off = p->af == FP_AF_INET ? IP4_HLEN : IP6_HLEN, qlen, len;
	struct rte_mbuf *m;
	uint8_t *ip, *ic;
	uint16_t sum;

	if (unanswerable(p, type, code, by_pf))
		return NULL;
	if (src == NULL)
		src = own_address(w, p);
	if (src == NULL || !rate_ok(w, by_pf))
		return NULL;
	qlen = quote_len(p, type);
	len = 8 + qlen;
	m = packet(w, off + len, &ip);
	if (m == NULL)
		return NULL;
	ic = ip + off;
	ic[0] = type;
	ic[1] = code;
	put16(ic + 2, 0);
	put32(ic + 4, word);
	if (!quote(ic + 8, qlen, p, type)) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	if (p->af == FP_AF_INET)
		ip4_header(w, ip, src, fp_pkt_src(p), IPPROTO_ICMP, off + len, ICMP4_TTL, 0, false);
	else
		ip6_header(ip, src, fp_pkt_src(p), IPPROTO_ICMPV6, len, DEFAULT_TTL);
	sum = l4_cksum(p->af, ip, IPPROTO_ICMPV6, ic, len, p->af == FP_AF_INET6);
	memcpy(ic + 2, &sum, 2);
	return m;
}

/* ---- echo */

bool
fp_make_echo_reply(struct fp_pkt *p)
{
	unsigned off = p->af == FP_AF_INET ? IP4_HLEN : IP6_HLEN, cut;
	uint8_t addr[16], *ip, *ic;
	uint16_t sum;

	if (p->flags & FP_PF_FRAGMENT || p->l4_off < off || p->ip_len < p->l4_off + 8u ||
	    p->icmp_type != (p->af == FP_AF_INET ? 8 : 128))
		return false;
	/* the request's IPv4 options and IPv6 extension headers are not returned: the header moves up to the message */
	cut = p->l4_off - off;
	if (cut > 0) {
		memmove(p->l3 + cut, p->l3, off);
		p->l3 += cut;
		p->l2_len += cut;
		p->l4_off = off;
		p->ip_len -= cut;
		p->flags &= ~FP_PF_OPTIONS;
	}
	ip = p->l3;
	ic = ip + off;
	if (p->af == FP_AF_INET) {
		ip[0] = 0x45;
		put16(ip + 2, p->ip_len);
		put16(ip + 6, (ip[6] << 8 | ip[7]) & 0x4000);
		ip[8] = ICMP4_TTL;
		memcpy(addr, ip + 12, 4);
		memcpy(ip + 12, ip + 16, 4);
		memcpy(ip + 16, addr, 4);
		put16(ip + 10, 0);
		sum = fp_ip4_cksum(ip, IP4_HLEN);
		memcpy(ip + 10, &sum, 2);
		ic[0] = 0;
	} else {
		put32(ip, 0x60000000);
		put16(ip + 4, p->ip_len - off);
		ip[6] = IPPROTO_ICMPV6;
		ip[7] = DEFAULT_TTL;
		memcpy(addr, ip + 8, 16);
		memcpy(ip + 8, ip + 24, 16);
		memcpy(ip + 24, addr, 16);
		ic[0] = 129;
	}
	p->icmp_type = ic[0];
	p->ttl = p->af == FP_AF_INET ? ICMP4_TTL : DEFAULT_TTL;
	fp_l4_cksum_set(p);
	return true;
}
