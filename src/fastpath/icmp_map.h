/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP and ICMPv6: which messages speak of themselves and have a state of their own, which speak of another packet, and
 * what stands in the port slots of their keys. spec/tcp-state.md 1 row 4 and 7 ICMP. Pure C.
 */
#ifndef FP_ICMP_MAP_H
#define FP_ICMP_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "state.h"

struct fp_icmp_map {
	uint16_t sport_be, dport_be;	/* port slots of the key in the direction of this packet; 0 for errors */
	bool error;			/* quotes another packet: look up what it quotes */
	bool reply;			/* answers a query: matches only a state that the other side made */
	bool never_state;		/* makes no state even on a sloppy rule: errors, neighbour advertisements */
};

/* Bytes of the message that fp_icmp_map() wants to see: 8, or 24 where the key holds a folded address. */
unsigned fp_icmp_hlen(uint8_t af, uint8_t type);

/*
 * l4: the ICMP header, len bytes of it readable. False: shorter than fp_icmp_hlen() (reason "short"); *map is not set.
 */
bool fp_icmp_map(struct fp_icmp_map *map, uint8_t af, const uint8_t *l4, uint32_t len);

bool fp_icmp_is_error(uint8_t af, uint8_t type);

/*
 * ICMPv6 that must not have crossed a router. src: 16 bytes. Returns the reason to drop it for (enum fp_reason:
 * normalize for neighbour discovery, ip-option for MLD), or FP_R_NONE.
 */
uint8_t fp_icmp6_link_check(uint8_t type, uint8_t hop_limit, const uint8_t *src);

/* MLD, which carries a router alert by nature: does not need allow-opts. */
bool fp_icmp6_is_mld(uint8_t type);

#endif
