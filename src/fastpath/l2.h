/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet headers in front of packets (l2_output.c), for workers and the main lcore. No state. */
#ifndef FP_L2_H
#define FP_L2_H

#include "box.h"

/* Put Ethernet, with up to two tags, in front of m. false: no room in its first segment, m unchanged. */
bool fp_l2_prepend(struct rte_mbuf *m, const struct rte_ether_addr *src, const struct rte_ether_addr *dst,
	uint16_t vlan_outer, uint16_t vlan_inner, uint16_t ether_type);
/* The group MAC of a multicast address or of 255.255.255.255. false: addr is neither. */
bool fp_l2_group_mac(uint8_t af, const uint8_t *addr, struct rte_ether_addr *mac);

#endif
