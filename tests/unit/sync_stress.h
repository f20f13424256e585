/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sync_stress_test.c: a box with real workers and its real sync thread, and what is done to it at once by other threads.
 *
 *	sync_stress_load.c	traffic, into the workers' handover rings
 *	sync_stress_peer.c	a peer, into the ring of packets for the sync thread; hears what the box sends
 *	sync_stress_test.c	the main lcore: commands, and what must hold in the end
 */
#ifndef SYNC_STRESS_H
#define SYNC_STRESS_H

#include "fastpath/box.h"
#include "sync/pair.h"

enum { S_INT, S_EXT, S_CABLE, S_PORTS };

#define S_FIRST_PORT 1024	/* of clients; box and peer make states on the same ones */
#define S_CLIENT_PORTS 600
#define S_PEER_ID 0x0badcafeu

struct stress {
	struct fp_box *box;		/* [I] as all that is not marked */
	struct sync *s;
	uint16_t port[S_PORTS], ifid[S_PORTS];
	uint8_t mac[S_PORTS][6];
	struct rte_mempool *load_pool, *peer_pool;
	struct rte_ring *heard;		/* copies of what left by the cable: workers, sync thread, main -> peer */
	uint64_t seed;
	bool stop;			/* main -> the other two, relaxed */
	/* written by the thread, read after it was joined */
	uint64_t fed, refused;		/* load */
	uint64_t said, heard_msgs[SYNC_UNKNOWN + 1], answers;	/* peer */
};

/* xorshift; one for each thread */
static inline uint64_t
s_seed(uint64_t seed, unsigned thread)
{
	return (seed * 4 + thread + 1) * 0x9e3779b97f4a7c15ull;
}

static inline uint32_t
s_rnd(uint64_t *s, uint32_t n)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return (uint32_t)((*s >> 32) * n >> 32);
}

void *stress_load(void *st);
void *stress_peer(void *st);
/* Tx callback of the cable. */
uint16_t stress_hear(uint16_t port, uint16_t queue, struct rte_mbuf *m[], uint16_t n, void *st);

#endif
