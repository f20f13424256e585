/* SPDX-License-Identifier: BSD-2-Clause */
/* One pfsync packet on its way out: buffer, headers, marks. Runs on whichever thread builds it. */
#include <string.h>

#include <rte_hash_crc.h>
#include <rte_ip.h>

#include "fastpath/l2.h"
#include "sync/bytes.h"
#include "sync/pair.h"

static unsigned
ip_hlen(const struct sync_run *run)
{
	return run->af == FP_AF_INET ? 20 : 40;
}

bool
sync_packet_begin(struct sync_packet *pk, struct sync *s, const struct sync_run *run, struct rte_mempool *pool,
	enum sync_dialect d)
{
	(void)s;
	pk->oldest_us = 0;
	pk->bare = 0;
	pk->m = rte_pktmbuf_alloc(pool);
	if (pk->m == NULL)
		return false;
	sync_out_init(&pk->out, rte_pktmbuf_mtod_offset(pk->m, uint8_t *, ip_hlen(run)),
		RTE_MIN((uint32_t)run->payload, (uint32_t)rte_pktmbuf_tailroom(pk->m) - ip_hlen(run)), d,
		NULL); /* a FreeBSD box must not take our rules' numbers for its own (spec/pfsync-wire.md 10.4) */
	/* FreeBSD 14 reads more than one of these records wrongly (spec/pfsync-wire.md 6) */
	pk->out.single = d == SYNC_1301;
	return true;
}

/* Four streams side by side, eight bytes each in turn: one alone waits for itself. */
uint16_t
sync_twin_ident(const uint8_t *payload, size_t len)
{
	uint32_t h[4] = { 0x7477696e, 0x74776970, 0x61746820, 0x70616972 };
	uint64_t v[4];

	for (; len >= sizeof(v); payload += sizeof(v), len -= sizeof(v)) {
		memcpy(v, payload, sizeof(v));
		for (int i = 0; i < 4; i++)
			h[i] = rte_hash_crc_8byte(v[i], h[i]);
	}
	h[0] = rte_hash_crc(memcpy(v, payload, len), len, h[0]);
	for (int i = 1; i < 4; i++)
		h[0] = rte_hash_crc_4byte(h[i], h[0]);
	return (uint16_t)(h[0] ^ h[0] >> 16);
}

void
sync_mark_write(uint8_t *h, const struct sync_mark *m)
{
	h[1] = SYNC_MARK;
	sync_put16(h + 4, m->slice);
	sync_put32(h + 6, m->seq);
	sync_put16(h + 10, (uint16_t)(m->time_us >> 32));
	sync_put32(h + 12, (uint32_t)m->time_us);
	sync_put32(h + 16, m->rules);
}

bool
sync_mark_read(const uint8_t *h, struct sync_mark *m)
{
	if (h[0] != 6 || h[1] != SYNC_MARK)
		return false;
	m->slice = sync_get16(h + 4);
	m->seq = sync_get32(h + 6);
	m->time_us = (uint64_t)sync_get16(h + 10) << 32 | sync_get32(h + 12);
	m->rules = sync_get32(h + 16);
	return true;
}

bool
sync_packet_finish(struct sync_packet *pk, struct sync *s, const struct sync_run *run, unsigned slice, uint32_t seq)
{
	uint8_t *ip = rte_pktmbuf_mtod(pk->m, uint8_t *), *h = ip + ip_hlen(run);
	size_t len = sync_out_close(&pk->out);
	uint16_t ident;

	if (pk->bare != 0) {
		struct sync_mark mk = { .slice = pk->bare_slice, .seq = pk->bare_a, .rules = pk->bare_b, .time_us = sync_tsc_us(s->box) };

		memset(h, 0, SYNC_HDR_SIZE);
		h[0] = 6;
		sync_mark_write(h, &mk);
		h[1] = pk->bare;
		len = SYNC_HDR_SIZE;
		sync_put16(h + 2, len);
	}
	if (len == 0) {
		rte_pktmbuf_free(pk->m);
		pk->m = NULL;
		return false;
	}
	if (pk->bare == 0 && pk->out.dialect == SYNC_6 && __atomic_load_n(&s->marks, __ATOMIC_RELAXED)) {
		struct sync_mark mk = { .slice = slice, .seq = seq, .rules = sync_get32(run->checksum),
			/* the clock that boxes of one host share; others see the offset */
			.time_us = (pk->oldest_us != 0 ? fp_box_now_us(s->box) - pk->oldest_us : 0) };

		mk.time_us = sync_tsc_us(s->box) - RTE_MIN(mk.time_us, 10000000ul);
		sync_mark_write(h, &mk);
	}
	if (unlikely(sync_watch_capturing(s)))
		sync_watch_packet(s, true, h, len);
	ident = sync_twin_ident(h, len);
	if (run->af == FP_AF_INET) {
		struct rte_ipv4_hdr *v4 = (struct rte_ipv4_hdr *)ip;

		v4->version_ihl = 0x45;
		v4->type_of_service = 0x10;	/* low delay */
		v4->total_length = rte_cpu_to_be_16(len + 20);
		v4->packet_id = rte_cpu_to_be_16(ident);
		v4->fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
		v4->time_to_live = SYNC_TTL;
		v4->next_proto_id = SYNC_IPPROTO;
		v4->hdr_checksum = 0;
		memcpy(&v4->src_addr, run->src, 4);
		memcpy(&v4->dst_addr, run->peer, 4);
		v4->hdr_checksum = rte_ipv4_cksum(v4);
	} else {
		ip[0] = 0x60;
		ip[1] = 0;
		sync_put16(ip + 2, ident);	/* flow label */
		sync_put16(ip + 4, len);
		ip[6] = SYNC_IPPROTO;
		ip[7] = SYNC_TTL;
		memcpy(ip + 8, run->src, 16);
		memcpy(ip + 24, run->peer, 16);
	}
	pk->m->data_len = pk->m->pkt_len = ip_hlen(run) + len;
	return true;
}

int
sync_packet_l2(struct sync *s, const struct sync_run *run, const struct fp_conf *conf, struct rte_mbuf *m)
{
	const struct fp_ifnet *ifp = &conf->ifs[run->ifid];
	const uint8_t *hop = run->peer;
	struct rte_ether_addr mac;

	if (!ifp->exists || !ifp->up || ifp->port_id >= FP_MAX_PORTS)
		goto no_way;
	if (run->peer_multicast) {
		fp_l2_group_mac(run->af, hop, &mac);
	} else {
		const struct fp_nexthop *nh;
		uint32_t dst;

		memcpy(&dst, hop, 4);
		nh = run->af == FP_AF_INET ? fp_route4(conf, dst) : fp_route6(conf, hop);
		if (nh != NULL && nh->kind == FP_NH_GATEWAY && nh->ifid == run->ifid)
			hop = nh->gw.b;
		if (!fp_neigh_lookup(s->box->neigh, run->ifid, run->af, hop, &mac)) {
			struct fp_mbuf_priv *pr = fp_priv(m);

			memset(pr, 0, sizeof(*pr));
			pr->af = run->af;
			pr->ifid = run->ifid;
			pr->rcvif = FP_IFID_NONE;
			memcpy(pr->addr.b, hop, run->af == FP_AF_INET ? 4 : 16);
			return 0;
		}
	}
	if (fp_l2_prepend(m, &ifp->mac, &mac, ifp->vlan_outer, ifp->vlan_inner,
	    run->af == FP_AF_INET ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6)) {
		m->port = ifp->port_id;
		return 1;
	}
no_way:
	rte_pktmbuf_free(m);
	return -1;
}
