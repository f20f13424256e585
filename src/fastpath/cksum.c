/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Internet checksums: RFC 1071 over whole packets, RFC 1624 for changes. Sums are kept in host memory order throughout:
 * the one's complement sum does not care for byte order as long as loads and stores agree.
 */
#include <netinet/in.h>
#include <string.h>

#include <rte_ip.h>

#include "parse.h"

uint16_t
fp_ip4_cksum(const uint8_t *hdr, unsigned hlen)
{
	return ~rte_raw_cksum(hdr, hlen);
}

/* One's complement sum of pseudo header and transport part, checksum field included. */
static uint16_t
l4_sum(const struct fp_pkt *p)
{
	uint32_t len = p->ip_len - p->l4_off, sum = 0;
	uint16_t part;

	/* lengths were checked against the packet by the parser, so this cannot fail */
	if (rte_raw_cksum_mbuf(p->m, p->l2_len + p->l4_off, len, &part) != 0)
		return 0;
	sum = part;
	if (p->proto != IPPROTO_ICMP) {
		sum += rte_raw_cksum(fp_pkt_src(p), p->af == FP_AF_INET ? 8 : 32);
		sum += rte_cpu_to_be_16(len & 0xffff) + rte_cpu_to_be_16(len >> 16) + rte_cpu_to_be_16(p->proto);
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Offset of the checksum field from l3, 0: protocol without one, or too short for it. */
static unsigned
l4_field(const struct fp_pkt *p)
{
	unsigned off;

	if (p->flags & (FP_PF_FRAGMENT | FP_PF_NO_L4))
		return 0;
	switch (p->proto) {
	case IPPROTO_TCP:
		off = 16;
		break;
	case IPPROTO_UDP:
		off = 6;
		break;
	case IPPROTO_ICMP:
		if (p->af != FP_AF_INET)
			return 0;
		off = 2;
		break;
	case IPPROTO_ICMPV6:
		if (p->af != FP_AF_INET6)
			return 0;
		off = 2;
		break;
	default:
		return 0;
	}
	return p->l4_off + off;
}

bool
fp_l4_cksum_ok(const struct fp_pkt *p)
{
	unsigned off = l4_field(p);

	if (off == 0)
		return true;
	if (p->proto == IPPROTO_UDP && p->l3[off] == 0 && p->l3[off + 1] == 0)
		return p->af == FP_AF_INET; /* RFC 8200 8.1: not without one over IPv6 */
	if ((p->m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return true;
	return l4_sum(p) == 0xffff;
}

void
fp_l4_cksum_set(struct fp_pkt *p)
{
	unsigned off = l4_field(p);
	uint16_t sum;

	if (off == 0)
		return;
	memset(p->l3 + off, 0, 2);
	sum = ~l4_sum(p);
	memcpy(p->l3 + off, &sum, 2);
	if (p->proto == IPPROTO_UDP)
		fp_cksum_udp_end(p->l3 + off);
}

/* RFC 1624 equation 3: HC' = ~(~HC + ~m + m') */
void
fp_cksum_fix16(uint8_t *cksum, uint16_t old_be, uint16_t new_be)
{
	uint16_t hc;
	uint32_t sum;

	memcpy(&hc, cksum, 2);
	sum = (uint32_t)(uint16_t)~hc + (uint16_t)~old_be + new_be;
	sum = (sum & 0xffff) + (sum >> 16);
	hc = ~((sum & 0xffff) + (sum >> 16));
	memcpy(cksum, &hc, 2);
}

void
fp_cksum_fix32(uint8_t *cksum, uint32_t old_be, uint32_t new_be)
{
	uint16_t o[2], n[2];

	memcpy(o, &old_be, 4);
	memcpy(n, &new_be, 4);
	fp_cksum_fix16(cksum, o[0], n[0]);
	fp_cksum_fix16(cksum, o[1], n[1]);
}
