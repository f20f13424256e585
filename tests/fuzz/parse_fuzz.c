/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parser over any frame in any segments. Input: one byte of kind, how many cuts and the cuts (a byte each, added up),
 * then the frame. Segments are exact-size heap memory. Aborts when a field points outside of what was checked, or when
 * the segments change the verdict.
 */
#include <stdint.h>

#include <rte_ether.h>

#include "fastpath/parse.h"
#include "../unit/mbufs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum fp_drop
parse(struct fp_pkt *p, struct fp_l2 *l2, struct rte_mbuf *m, uint8_t kind)
{
	enum fp_drop d;

	memset(p, 0, sizeof(*p));
	p->m = m;
	m->vlan_tci = kind * 257;
	if (kind & 2)
		m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	if (kind & 4)
		m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	d = fp_parse_l2(m, l2);
	if (d != FP_D_NONE)
		return d;
	if (l2->len > m->pkt_len)
		abort();
	d = fp_parse_ip(p, l2->len, l2->ether_type == RTE_ETHER_TYPE_IPV6 ? FP_AF_INET6 : FP_AF_INET);
	return d == FP_D_NONE ? fp_parse_l4(p) : d;
}

static void
check(struct fp_pkt *p)
{
	uint32_t end = p->l4_off + p->l4_hlen;
	const uint8_t *first = rte_pktmbuf_mtod(p->m, const uint8_t *);

	if (p->m->pkt_len != p->l2_len + p->ip_len || p->l3 != first + p->l2_len || end > p->ip_len)
		abort();
	if (p->flags & FP_PF_FRAGMENT)
		return;
	if (p->l2_len + end > p->m->data_len)
		abort();
	fp_l4_cksum_set(p);
	p->m->ol_flags &= ~RTE_MBUF_F_RX_L4_CKSUM_MASK;
	if (!fp_l4_cksum_ok(p))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t cuts[15], n_cuts = 0, at = 0;
	struct fp_pkt p, q;
	struct fp_l2 l2;
	enum fp_drop d, e;
	uint8_t kind;

	if (mb_setup(1023, 2048) != 0)
		abort();
	if (size < 2)
		return 0;
	kind = data[0];
	n_cuts = data[1] & 15;
	data += 2;
	size -= 2;
	if (size <= n_cuts || size > 2000)
		return 0;
	for (unsigned i = 0; i < n_cuts; i++)
		cuts[i] = at += data[i];
	data += n_cuts;
	size -= n_cuts;
	d = parse(&p, &l2, mb_split(data, size, cuts, n_cuts, kind & 1), kind);
	e = parse(&q, &l2, mb_exact(data, size), kind);
	if (d != e || (d == FP_D_NONE && (p.flags != q.flags || p.proto != q.proto || p.l4_off != q.l4_off || p.ip_len != q.ip_len)))
		abort();
	if (d == FP_D_NONE) {
		check(&p);
		check(&q);
	}
	rte_pktmbuf_free(p.m);
	rte_pktmbuf_free(q.m);
	if (mb_in_use() != 0)
		abort();
	return 0;
}
