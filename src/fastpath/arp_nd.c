/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP and neighbour discovery as bytes; layouts in arp_nd.h. Every length is checked before what it covers is read. */
#include <string.h>

#include "arp_nd.h"

static const uint8_t zero[16];

static uint16_t
get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = v >> 8;
	p[1] = v;
}

/* Can a station have this MAC? */
static bool
station(const uint8_t *mac)
{
	return (mac[0] & 1) == 0 && memcmp(mac, zero, 6) != 0;
}

bool
fp_arp_parse(struct fp_arp *a, const uint8_t *p, size_t len)
{
	if (len < FP_ARP_LEN || get16(p) != 1 || get16(p + 2) != 0x0800 || p[4] != 6 || p[5] != 4)
		return false;
	a->op = get16(p + 6);
	if (a->op != FP_ARP_REQUEST && a->op != FP_ARP_REPLY)
		return false;
	memcpy(a->sha, p + 8, 6);
	memcpy(a->spa, p + 14, 4);
	memcpy(a->tha, p + 18, 6);
	memcpy(a->tpa, p + 24, 4);
	/* a sender that is a group would send everybody's packets to a group (RFC 1812 3.3.2) */
	return station(a->sha) && a->spa[0] < 0xe0 && a->spa[0] != 127;
}

void
fp_arp_build(uint8_t p[FP_ARP_LEN], const struct fp_arp *a)
{
	put16(p, 1);
	put16(p + 2, 0x0800);
	p[4] = 6;
	p[5] = 4;
	put16(p + 6, a->op);
	memcpy(p + 8, a->sha, 6);
	memcpy(p + 14, a->spa, 4);
	memcpy(p + 18, a->tha, 6);
	memcpy(p + 24, a->tpa, 4);
}

void
fp_nd_solicited_node(uint8_t group[16], const uint8_t addr[16])
{
	static const uint8_t prefix[13] = { 0xff, 0x02, [11] = 0x01, [12] = 0xff };

	memcpy(group, prefix, 13);
	memcpy(group + 13, addr + 13, 3);
}

bool
fp_nd_is_solicited_node(const uint8_t group[16])
{
	uint8_t g[16];

	fp_nd_solicited_node(g, group);
	return memcmp(g, group, 16) == 0;
}

/* ICMPv6 checksum over pseudo header and message; 0 when a message that carries its checksum is right. */
static uint16_t
icmp6_sum(const uint8_t *ip6, size_t len)
{
	uint32_t sum = len + 58;
	size_t i;

	for (i = 8; i < 40; i += 2)
		sum += get16(ip6 + i);
	for (i = 0; i + 1 < len; i += 2)
		sum += get16(ip6 + 40 + i);
	if (len & 1)
		sum += ip6[40 + len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* Options from p on. want: type of the link-layer address option. false: an option is cut short or has no length. */
static bool
options(struct fp_nd *nd, const uint8_t *p, size_t len, uint8_t want)
{
	while (len > 0) {
		size_t o;

		if (len < 8)
			return false;
		o = p[1] * 8u;
		if (o == 0 || o > len)
			return false;
		if (p[0] == want) {
			/* an Ethernet address takes exactly one unit (RFC 2464 6) */
			if (o != 8 || !station(p + 2))
				return false;
			if (!nd->has_lladdr)
				memcpy(nd->lladdr, p + 2, 6);
			nd->has_lladdr = true;
		}
		p += o;
		len -= o;
	}
	return true;
}

bool
fp_nd_parse(struct fp_nd *nd, const uint8_t *p, size_t len)
{
	size_t plen, fixed;
	const uint8_t *icmp = p + 40;
	uint8_t want;

	memset(nd, 0, sizeof(*nd));
	if (len < 48 || p[0] >> 4 != 6 || p[6] != 58 || p[7] != 255)
		return false;
	plen = get16(p + 4);
	if (plen < 8 || plen > len - 40 || icmp[1] != 0)
		return false;
	nd->type = icmp[0];
	memcpy(nd->src, p + 8, 16);
	memcpy(nd->dst, p + 24, 16);
	switch (nd->type) {
	case FP_ND_RS: fixed = 8; want = 1; break;
	case FP_ND_RA: fixed = 16; want = 1; break;
	case FP_ND_NS: fixed = 24; want = 1; break;
	case FP_ND_NA: fixed = 24; want = 2; break;
	case FP_ND_REDIRECT: fixed = 40; want = 2; break;
	default: return false;
	}
	if (plen < fixed || nd->src[0] == 0xff || icmp6_sum(p, plen) != 0)
		return false;
	if (!options(nd, icmp + fixed, plen - fixed, want))
		return false;
	nd->dad = memcmp(nd->src, zero, 16) == 0;
	switch (nd->type) {
	case FP_ND_NS:
		memcpy(nd->target, icmp + 8, 16);
		if (nd->target[0] == 0xff || memcmp(nd->target, zero, 16) == 0)
			return false;
		/* RFC 4861 7.1.1: duplicate address detection speaks to the group and names no link-layer address */
		return !nd->dad || (fp_nd_is_solicited_node(nd->dst) && !nd->has_lladdr);
	case FP_ND_NA:
		memcpy(nd->target, icmp + 8, 16);
		nd->flags = icmp[4] & (FP_NA_ROUTER | FP_NA_SOLICITED | FP_NA_OVERRIDE);
		if (nd->target[0] == 0xff || memcmp(nd->target, zero, 16) == 0 || nd->dad)
			return false;
		/* 7.1.2: nobody solicited what goes to a group */
		return nd->dst[0] != 0xff || (nd->flags & FP_NA_SOLICITED) == 0;
	case FP_ND_RS:
		return !nd->dad || !nd->has_lladdr;
	default:
		/* 6.1.2, 8.1: routers speak from their link-local address */
		return nd->src[0] == 0xfe && (nd->src[1] & 0xc0) == 0x80;
	}
}

size_t
fp_nd_build(uint8_t p[FP_ND_LEN], const struct fp_nd *nd)
{
	size_t plen = nd->has_lladdr ? 32 : 24;
	uint16_t sum;

	memset(p, 0, 40 + plen);
	p[0] = 0x60;
	put16(p + 4, plen);
	p[6] = 58;
	p[7] = 255;
	memcpy(p + 8, nd->src, 16);
	memcpy(p + 24, nd->dst, 16);
	p[40] = nd->type;
	if (nd->type == FP_ND_NA)
		p[44] = nd->flags;
	memcpy(p + 48, nd->target, 16);
	if (nd->has_lladdr) {
		p[64] = nd->type == FP_ND_NA ? 2 : 1;
		p[65] = 1;
		memcpy(p + 66, nd->lladdr, 6);
	}
	sum = icmp6_sum(p, plen);
	put16(p + 42, sum);
	return 40 + plen;
}
