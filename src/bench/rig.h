/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the scenarios measure on: a box with two net_null ports and one worker on the calling thread, a set of buffers that
 * stays in the cache, and frames of numbered flows. Perhaps a cable to another box, with pfsync0 up on it and no thread of
 * its own.
 */
#ifndef BENCH_RIG_H
#define BENCH_RIG_H

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "bench.h"
#include "fastpath/box.h"
#include "fastpath/burst.h"
#include "fastpath/worker.h"
#include "sync/sync.h"

#define BENCH_BUFS (FP_BURST * 8)	/* frames in flight: a cache-sized set, as a receive ring has */
#define BENCH_CATCH 8192

struct bench_rig_conf {
	const char *scenario;	/* for messages */
	unsigned nr;		/* of boxes in this process */
	bool v6;
	uint64_t flows;		/* that frames are drawn from */
	uint64_t max_states;
	const char *cable;	/* devargs; NULL: no cable, no pfsync */
};

struct bench_rig {
	const char *scenario;
	struct fp_box *box;
	struct fp_worker *w;
	struct sync *sync;
	uint16_t port[2], cable_port, cable_ifid;
	struct rte_mempool *pool;
	struct rte_mbuf *m[BENCH_BUFS];
	unsigned at, turn;
	uint8_t mac[2][6];
	uint64_t rnd;
	bool v6;
	uint64_t flows;
	/* frames that left by the cable, if asked for; references, the oldest first */
	bool catching;
	const struct rte_eth_rxtx_callback *callback[RTE_MAX_QUEUES_PER_PORT];
	struct rte_mbuf *caught[BENCH_CATCH];
	unsigned n_caught;
};

/* NULL after a message. Ends with bench_rig_free(). */
struct bench_rig *bench_rig_make(const struct bench_opt *opt, const struct bench_rig_conf *conf);
void bench_rig_free(struct bench_rig *r);	/* NULL is fine */
int bench_fail(const char *scenario, const char *what, const struct fp_err *err); /* 1 */
/* Turns of the main lcore's share. */
void bench_rig_poll(struct bench_rig *r, unsigned turns);

/*
 * Flow i: 10.a.b.c:port -> 198.51.x.y:443, or the same idea in v6; dir 1 is the answer. The buffer keeps a reference, so that
 * who transmits it does not free it.
 */
void bench_frame(struct bench_rig *r, struct rte_mbuf *m, uint64_t i, int dir, uint8_t flags);
/* The key by which the state of flow i is looked up, and its hash in the table of r. v4. */
uint64_t bench_flow_key(const struct bench_rig *r, uint64_t i, struct fp_key *k, bool *src_is_hi);
/* SYN, SYN+ACK, ACK, ACK of flows [from, to). Cycles of the SYNs alone are added to *syn, which may be NULL. */
void bench_establish(struct bench_rig *r, uint64_t from, uint64_t to, uint64_t *syn);
/* One burst of packets of established flows drawn at random, forwarded by the firewall or by rewriting addresses alone. */
void bench_burst(struct bench_rig *r, bool firewall);
/*
 * So many packets, or so many cycles if packets is 0: cycles a packet, of the time that this thread ran. What strangers take
 * of the core is not in it; what they take of its caches is.
 */
double bench_forward(struct bench_rig *r, bool firewall, uint64_t packets, uint64_t cycles);
/* A processor beside that of the main lcore; -1: none. */
int bench_second_cpu(void);

#endif
