/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backup knows its neighbours before it needs them: the next hops of what it learns are looked up when it is learned, and
 * asked for when they are unknown. Otherwise the first thing after a takeover would be a round of ARP for every flow.
 *
 * The sync thread looks (and by looking keeps entries from expiring unused); the main lcore asks, never for the same one twice
 * within a second.
 */
#include <stdlib.h>
#include <string.h>

#include <rte_hash_crc.h>

#include "sync/pair.h"

#define ASKED 1024u		/* remembered; power of two */
#define ASK_AGAIN_MS 1000u

void
sync_warm(struct sync_thread *t, uint8_t af, const uint8_t *addr)
{
	struct sync *s = t->s;
	struct sync_hop hop = { .af = af };
	unsigned len = af == FP_AF_INET ? 4 : 16;
	const struct fp_nexthop *nh;
	struct rte_ether_addr mac;
	struct sync_asked *a;
	uint32_t v4, hash, now_ms = (uint32_t)(t->now_us / 1000);
	uint64_t words[2] = { 0, 0 };	/* the address lies anywhere in a record; the hash reads aligned words */

	memcpy(words, addr, len);
	hash = rte_hash_crc(words, len, af);
	a = &s->asked[hash & (ASKED - 1)];
	if (a->hash == hash && now_ms - a->ms < ASK_AGAIN_MS)
		return;
	a->hash = hash;
	a->ms = now_ms;
	memcpy(&v4, addr, 4);
	nh = af == FP_AF_INET ? fp_route4(t->conf, v4) : fp_route6(t->conf, addr);
	if (nh == NULL || (nh->kind != FP_NH_CONNECTED && nh->kind != FP_NH_GATEWAY))
		return;
	hop.ifid = nh->ifid;
	memcpy(hop.addr, nh->kind == FP_NH_GATEWAY ? nh->gw.b : addr, len);
	if (!fp_neigh_lookup(t->box->neigh, hop.ifid, af, hop.addr, &mac))
		rte_ring_sp_enqueue_elem(s->hops, &hop, sizeof(hop)); /* full: asked for again with the next state */
}

/* Main lcore. */
void
sync_warm_poll(struct sync *s)
{
	struct sync_hop hop;

	for (unsigned i = 0; i < 32 && rte_ring_sc_dequeue_elem(s->hops, &hop, sizeof(hop)) == 0; i++)
		fp_neigh_ask(s->box, hop.ifid, hop.af, hop.addr);
}

int
sync_warm_init(struct sync *s)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "sy%xho", (unsigned)((uintptr_t)s->box >> 6));
	s->hops = rte_ring_create_elem(name, sizeof(struct sync_hop), ASKED, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	s->asked = calloc(ASKED, sizeof(*s->asked));
	return s->hops != NULL && s->asked != NULL ? 0 : -1;
}

void
sync_warm_fini(struct sync *s)
{
	rte_ring_free(s->hops);
	free(s->asked);
}
