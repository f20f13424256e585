/* SPDX-License-Identifier: BSD-2-Clause */
/* What box.c, worker.c, port.c and stats.c share beyond box.h. Owner of everything: the main lcore. */
#ifndef FP_BOX_PRIV_H
#define FP_BOX_PRIV_H

#include <rte_mempool.h>

#include "box.h"
#include "port.h"

struct fp_deferred {
	uint64_t token;			/* of rte_rcu_qsbr_start() */
	void (*fn)(void *);
	void *p;
};

/* Rates over the last second, sampled by the main lcore. */
struct fp_sample {
	struct fp_cycle_stats at;	/* when the second began */
	struct fp_cycle_stats delta;	/* of the last full second */
};

struct fp_box_priv {
	/* frees that wait for a grace period, oldest first: a ring buffer that grows */
	struct fp_deferred *dq;
	uint32_t dq_head, dq_len, dq_cap;

	uint64_t last_watch_us, last_sample_us, last_timer_us;
	uint64_t last_turn_tsc;		/* end of the last fp_box_poll() */
	unsigned depth;			/* fp_box_poll() inside a worker call */
	unsigned lcores[FP_MAX_WORKERS]; /* of the workers */


	struct fp_counters base;	/* `clear`: subtracted from the sums */
	uint64_t base_us;
	struct fp_sample samples[FP_MAX_WORKERS];
	struct fp_cycle_stats cyc_base[FP_MAX_WORKERS];
	struct fp_cycle_stats main_cyc, main_base;
	struct fp_sample main_sample;

	uint32_t mbufs_promised[RTE_MAX_NUMA_NODES]; /* of the shared pool, to ports */
	uint32_t pool_size[RTE_MAX_NUMA_NODES];
	uint16_t mbuf_room;		/* data room behind the headroom */
	/* pools of ports that came when the shared one was given away; without a port they wait for the next one */
	struct fp_extra_pool { struct rte_mempool *pool; uint32_t size; int socket; bool taken; } *extra;
	unsigned n_extra, pool_seq;

};

/* The control side of a worker. */
struct fp_box_worker {
	bool on_main;			/* runs inside fp_box_poll() */
	bool launched;
};

/* worker.c */
struct fp_worker *fp_worker_create(struct fp_box *box, uint16_t id, unsigned lcore, bool on_main, struct fp_err *err);
void fp_worker_destroy(struct fp_worker *w);
int fp_worker_start(struct fp_worker *w, struct fp_err *err);
void fp_worker_stop_all(struct fp_box *box);
/* One turn of the loop; packets seen. */
unsigned fp_worker_turn(struct fp_worker *w);
/* Send what waits; on the worker. */
void fp_worker_tx_flush(struct fp_worker *w);
/* Take what workers punted; work done. */
unsigned fp_main_drain(struct fp_box *box, unsigned max);

/* box.c */
void fp_random_bytes(void *p, size_t n);
/* The pool that a port's queues receive into: n more buffers on that socket. NULL and rte_errno. */
struct rte_mempool *fp_box_rx_pool(struct fp_box *box, int socket, uint32_t n, uint32_t room);
/* The port that asked for n buffers is gone, or wants others: what it was promised is free for the next one. NULL is fine. */
void fp_box_rx_pool_put(struct fp_box *box, struct rte_mempool *mp, uint32_t n);
/* A pool whose buffers may still stand in the rings of ports: freed with the box. */
void fp_box_adopt_pool(struct fp_box *box, struct rte_mempool *mp);
/* Buffers that one port can hold at a time. */
uint32_t fp_port_mbuf_need(const struct fp_box *box, unsigned n_rxq, unsigned n_rxd, unsigned n_txq, unsigned n_txd);

/* stats.c */
void fp_stats_sample(struct fp_box *box, uint64_t now_us);

#endif
