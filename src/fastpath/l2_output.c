/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Last step of a routed packet on a worker: the neighbour's MAC, the Ethernet and VLAN headers, the transmit buffer. What
 * is not resolved goes to the main lcore (neigh.c), which asks, keeps it meanwhile, and sends it.
 */
#include <string.h>

#include "l2.h"

bool
fp_l2_prepend(struct rte_mbuf *m, const struct rte_ether_addr *src, const struct rte_ether_addr *dst, uint16_t vlan_outer,
	uint16_t vlan_inner, uint16_t ether_type)
{
	unsigned len = RTE_ETHER_HDR_LEN + (vlan_outer ? RTE_VLAN_HLEN : 0) + (vlan_inner ? RTE_VLAN_HLEN : 0);
	uint8_t *p = (uint8_t *)rte_pktmbuf_prepend(m, len);
	uint16_t v;

	if (unlikely(p == NULL))
		return false;
	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
	p += 12;
	if (vlan_outer != 0) {
		v = rte_cpu_to_be_16(vlan_inner ? RTE_ETHER_TYPE_QINQ : RTE_ETHER_TYPE_VLAN);
		memcpy(p, &v, 2);
		v = rte_cpu_to_be_16(vlan_outer);
		memcpy(p + 2, &v, 2);
		p += 4;
	}
	if (vlan_inner != 0) {
		v = rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN);
		memcpy(p, &v, 2);
		v = rte_cpu_to_be_16(vlan_inner);
		memcpy(p + 2, &v, 2);
		p += 4;
	}
	v = rte_cpu_to_be_16(ether_type);
	memcpy(p, &v, 2);
	m->l2_len = len;	/* for checksum offload */
	return true;
}

bool
fp_l2_group_mac(uint8_t af, const uint8_t *addr, struct rte_ether_addr *mac)
{
	uint8_t *b = mac->addr_bytes;

	if (af == FP_AF_INET) {
		if ((addr[0] & 0xf0) == 0xe0) {		/* RFC 1112 6.4 */
			b[0] = 0x01;
			b[1] = 0x00;
			b[2] = 0x5e;
			b[3] = addr[1] & 0x7f;
			b[4] = addr[2];
			b[5] = addr[3];
			return true;
		}
		if (addr[0] == 0xff && addr[1] == 0xff && addr[2] == 0xff && addr[3] == 0xff) {
			memset(b, 0xff, 6);
			return true;
		}
		return false;
	}
	if (addr[0] != 0xff)
		return false;
	b[0] = b[1] = 0x33;				/* RFC 2464 7 */
	memcpy(b + 2, addr + 12, 4);
	return true;
}

/* Is it the broadcast address of one of the interface's networks? Asked only for what is no known neighbour. */
static bool
is_broadcast(const struct fp_ifnet *ifp, const uint8_t *addr)
{
	for (uint32_t i = 0; i < ifp->n_addrs; i++)
		if (ifp->addrs[i].af == FP_AF_INET && ifp->addrs[i].bcast.w[0] != 0 && memcmp(ifp->addrs[i].bcast.b, addr, 4) == 0)
			return true;
	return false;
}

void
fp_l2_output(struct fp_worker *w, const struct fp_ifnet *ifp, struct rte_mbuf *m, uint8_t af, const uint8_t *next_hop)
{
	struct rte_ether_addr dst;
	struct fp_mbuf_priv *pr;

	if (unlikely(!ifp->up || ifp->port_id >= FP_MAX_PORTS)) {
		fp_drop(w, m, FP_D_TX_DOWN);
		return;
	}
	if (unlikely(!fp_neigh_lookup(w->neigh, ifp->ifid, af, next_hop, &dst)) && !fp_l2_group_mac(af, next_hop, &dst)) {
		if (af == FP_AF_INET && is_broadcast(ifp, next_hop)) {
			memset(&dst, 0xff, sizeof(dst));
		} else {
			pr = fp_priv(m);
			pr->af = af;
			memset(&pr->addr, 0, sizeof(pr->addr));
			memcpy(pr->addr.b, next_hop, af == FP_AF_INET ? 4 : 16);
			fp_punt(w, m, FP_PUNT_NEIGH_MISS, ifp->ifid);
			return;
		}
	}
	if (unlikely(!fp_l2_prepend(m, &ifp->mac, &dst, ifp->vlan_outer, ifp->vlan_inner,
	    af == FP_AF_INET ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6))) {
		fp_drop(w, m, FP_D_NOMBUF);
		return;
	}
	fp_tx(w, ifp->port_id, m);
}
