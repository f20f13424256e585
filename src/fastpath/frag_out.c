/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cutting packets on the way out. The pieces are copies, each in buffers of its own: a piece in one segment suits every
 * driver (many want no chains), and a packet that must be cut is rare next to one that must not.
 */
#include <netinet/in.h>
#include <string.h>

#include "parse.h"
#include "reass.h"

#define IP4_HLEN 20u
#define IP4_MF 0x2000u
#define IP4_OPT_EOL 0
#define IP4_OPT_NOP 1
#define IP4_OPT_COPY 0x80

static inline void
put16(uint8_t *b, unsigned v)
{
	b[0] = v >> 8;
	b[1] = v;
}

/* Reading position in the packet that is cut. */
struct cursor {
	const struct rte_mbuf *seg;
	uint32_t off;
};

static void
cursor_skip(struct cursor *c, uint32_t n)
{
	while (n > 0 && n >= c->seg->data_len - c->off) {
		n -= c->seg->data_len - c->off;
		c->off = 0;
		c->seg = c->seg->next;
	}
	c->off += n;
}

static void
cursor_read(struct cursor *c, uint8_t *to, uint32_t n)
{
	while (n > 0) {
		uint32_t take = RTE_MIN(n, c->seg->data_len - c->off);

		memcpy(to, rte_pktmbuf_mtod_offset(c->seg, const uint8_t *, c->off), take);
		to += take;
		n -= take;
		cursor_skip(c, take);
	}
}

/* A piece: room for hlen bytes of header (contiguous, for the caller to fill), then len bytes from the cursor. */
static struct rte_mbuf *
piece(struct rte_mempool *pool, const struct rte_mbuf *from, uint32_t hlen, struct cursor *c, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool), *tail = m;

	if (m == NULL)
		return NULL;
	if (rte_pktmbuf_tailroom(m) < hlen)
		goto fail;
	m->port = from->port;
	m->data_len = m->pkt_len = hlen;
	while (len > 0) {
		uint16_t take = RTE_MIN(len, (uint32_t)rte_pktmbuf_tailroom(tail));

		if (take == 0) {
			tail->next = rte_pktmbuf_alloc(pool);
			if (tail->next == NULL)
				goto fail;
			tail = tail->next;
			m->nb_segs++;
			tail->data_off = 0; /* no header will be put in front of this one */
			take = RTE_MIN(len, (uint32_t)rte_pktmbuf_tailroom(tail));
			if (take == 0)
				goto fail;
		}
		cursor_read(c, rte_pktmbuf_mtod_offset(tail, uint8_t *, tail->data_len), take);
		tail->data_len += take;
		m->pkt_len += take;
		len -= take;
	}
	return m;

fail:
	rte_pktmbuf_free(m);
	return NULL;
}

/* The options that every fragment carries, as BSD copies them: NOPs stay, padded with EOL. Returns their length. */
static unsigned
copied_options(const uint8_t *opts, unsigned len, uint8_t *to)
{
	unsigned off = 0, n = 0;

	while (off < len) {
		uint8_t type = opts[off], olen;

		if (type == IP4_OPT_EOL)
			break;
		if (type == IP4_OPT_NOP) {
			to[n++] = IP4_OPT_NOP;
			off++;
			continue;
		}
		if (off + 2 > len)
			break;
		olen = opts[off + 1];
		if (olen < 2 || off + olen > len)
			break;
		if (type & IP4_OPT_COPY) {
			memcpy(to + n, opts + off, olen);
			n += olen;
		}
		off += olen;
	}
	while (n & 3)
		to[n++] = IP4_OPT_EOL;
	return n;
}

static int
fragment4(const struct fp_pkt *p, uint16_t mtu, struct rte_mempool *pool, struct rte_mbuf **out, unsigned max)
{
	unsigned hlen = (p->l3[0] & 0x0f) * 4u, word = p->l3[6] << 8 | p->l3[7], later_hlen, n = 0;
	uint32_t data = p->ip_len - hlen, per, off;
	uint8_t later[60];
	struct cursor c = { p->m, 0 };

	if (mtu < hlen + 8u)
		return -1;
	per = (mtu - hlen) & ~7u;
	memcpy(later, p->l3, IP4_HLEN);
	later_hlen = IP4_HLEN + copied_options(p->l3 + IP4_HLEN, hlen - IP4_HLEN, later + IP4_HLEN);
	later[0] = 0x40 | later_hlen / 4;
	cursor_skip(&c, p->l2_len + hlen);
	for (off = 0; off < data; off += per) {
		uint32_t len = RTE_MIN(per, data - off), h_len = off == 0 ? hlen : later_hlen;
		struct rte_mbuf *m = n < max ? piece(pool, p->m, h_len, &c, len) : NULL;
		uint8_t *h;
		uint16_t sum;

		if (m == NULL) {
			rte_pktmbuf_free_bulk(out, n);
			return -1;
		}
		h = rte_pktmbuf_mtod(m, uint8_t *);
		memcpy(h, off == 0 ? p->l3 : later, h_len);
		put16(h + 2, h_len + len);
		put16(h + 6, (word + off / 8) | (off + len < data ? IP4_MF : 0));
		put16(h + 10, 0);
		sum = fp_ip4_cksum(h, h_len);
		memcpy(h + 10, &sum, 2);
		out[n++] = m;
	}
	return n;
}

static int
fragment6(const struct fp_pkt *p, struct rte_mempool *pool, struct rte_mbuf **out, unsigned max, uint32_t random_id)
{
	uint32_t hdr = p->frag_hdr_len, data, per, off, nh_off = 6, at = 40;
	uint8_t nh = p->l3[6];
	unsigned n = 0;
	struct cursor c = { p->m, 0 };

	if (hdr < 40 || p->ip_len <= hdr || p->frag_size < hdr + 16)
		return -1;
	/* the parser has walked these headers; the check keeps a changed packet from leading astray */
	while (at < hdr) {
		nh_off = at;
		at += nh == IPPROTO_AH ? (p->l3[at + 1] + 2u) * 4 : (p->l3[at + 1] + 1u) * 8;
		nh = p->l3[nh_off];
	}
	if (at != hdr)
		return -1;
	data = p->ip_len - hdr;
	per = (p->frag_size - hdr - 8) & ~7u;
	cursor_skip(&c, p->l2_len + hdr);
	for (off = 0; off < data; off += per) {
		uint32_t len = RTE_MIN(per, data - off);
		struct rte_mbuf *m = n < max ? piece(pool, p->m, hdr + 8, &c, len) : NULL;
		uint8_t *h;

		if (m == NULL) {
			rte_pktmbuf_free_bulk(out, n);
			return -1;
		}
		h = rte_pktmbuf_mtod(m, uint8_t *);
		memcpy(h, p->l3, hdr);
		put16(h + 4, hdr + 8 - 40 + len);
		h[nh_off] = IPPROTO_FRAGMENT;
		h[hdr] = nh;
		h[hdr + 1] = 0;
		put16(h + hdr + 2, off | (off + len < data));
		memcpy(h + hdr + 4, &random_id, 4);
		out[n++] = m;
	}
	return n;
}

int
fp_fragment(struct fp_pkt *p, uint16_t mtu, struct rte_mempool *direct, struct rte_mempool *indirect,
	struct rte_mbuf **out, unsigned max, uint32_t random_id)
{
	int n = p->af == FP_AF_INET ? fragment4(p, mtu, direct, out, max) : fragment6(p, direct, out, max, random_id);

	if (n >= 0)
		rte_pktmbuf_free(p->m);
	return n;
}
