/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ARP and neighbour discovery as bytes: check and take apart, put together. Pure C, no DPDK, no state; neigh.c has the
 * protocol. Sources: RFC 826, RFC 5227, RFC 4861 (sections 4, 6.1, 7.1, 8.1), RFC 4862 5.4.
 *
 * ARP, from the first byte behind the Ethernet header:
 *	 0 hardware type 1 | 2 protocol type 0x0800 | 4 sizes 6, 4 | 6 operation | 8 sha | 14 spa | 18 tha | 24 tpa | 28
 * ND message, from the IPv6 header:
 *	 0 IPv6, next header 58, hop limit 255 | 40 type, code 0, checksum | 44 flags | 48 target | 64 options {type, len / 8, ...}
 */
#ifndef FP_ARP_ND_H
#define FP_ARP_ND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FP_ARP_LEN 28
#define FP_ND_LEN 72		/* NS or NA with one link-layer address option, IPv6 header included */
#define FP_ARP_REQUEST 1
#define FP_ARP_REPLY 2

struct fp_arp {
	uint16_t op;		/* FP_ARP_REQUEST, FP_ARP_REPLY */
	uint8_t sha[6], spa[4], tha[6], tpa[4];
};

/* false: too short, not Ethernet and IPv4, another operation, or a sender that no station can be. */
bool fp_arp_parse(struct fp_arp *a, const uint8_t *p, size_t len);
void fp_arp_build(uint8_t p[FP_ARP_LEN], const struct fp_arp *a);

#define FP_ND_RS 133
#define FP_ND_RA 134
#define FP_ND_NS 135
#define FP_ND_NA 136
#define FP_ND_REDIRECT 137

#define FP_NA_ROUTER 0x80
#define FP_NA_SOLICITED 0x40
#define FP_NA_OVERRIDE 0x20

struct fp_nd {
	uint8_t type;		/* FP_ND_* */
	uint8_t flags;		/* FP_NA_*: advertisements only */
	bool has_lladdr;	/* NS, RS, RA: source link-layer address; NA, redirect: target's */
	bool dad;		/* NS from the unspecified address */
	uint8_t lladdr[6];
	uint8_t src[16], dst[16];
	uint8_t target[16];	/* NS, NA */
};

/* The packet from its IPv6 header on; len may be longer than the packet. false: RFC 4861 says to discard it in silence. */
bool fp_nd_parse(struct fp_nd *nd, const uint8_t *p, size_t len);
/* NS or NA with nd's fields and, if has_lladdr, the option; checksum made. Returns the length (64 or 72). */
size_t fp_nd_build(uint8_t p[FP_ND_LEN], const struct fp_nd *nd);
/* ff02::1:ffXX:XXXX (RFC 4291 2.7.1) */
void fp_nd_solicited_node(uint8_t group[16], const uint8_t addr[16]);
bool fp_nd_is_solicited_node(const uint8_t group[16]);

#endif
