/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of a box: what the files of this folder share. Not for other folders (fastpath.h is).
 *
 * Publication. The main lcore builds a struct fp_conf (interfaces, routes, rules) aside and publishes it with one
 * store-release; each worker loads it once per loop and reports quiescent at the end of the loop, holding nothing. The
 * old one is freed by fp_defer() when the grace period is over.
 *
 * Rings, each with one writer or named as multi-writer:
 *	worker -> worker	handover, multi producer: packets whose flow another worker owns (mbuf, metadata in fp_mbuf_priv)
 *	worker -> main		punt, single producer per worker: ARP, ND, neighbour misses, log packets, events
 *	main -> worker 0..n	txreq: finished frames to transmit on m->port; calls: control questions
 */
#ifndef FP_BOX_H
#define FP_BOX_H

#include <rte_ether.h>
#include <rte_ethdev.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "fastpath.h"
#include "pkt.h"
#include "policy/compile.h"
#include "reass.h"
#include "sync_hooks.h"
#include "table.h"

#define FP_MAX_WORKERS 128
#define FP_MAX_PORTS RTE_MAX_ETHPORTS

/* ---- published configuration; immutable once published, written by the main lcore */
struct fp_ifaddr {
	uint8_t af, plen;
	uint8_t vhid;			/* 0: the box's own; else shared with other boxes, by the virtual host of this number */
	bool linklocal;
	union pol_ip addr, bcast;
};

/*
 * The virtual hosts (CARP) of an interface that this box is MASTER of. Writer: the thread that runs CARP, one bit a vhid;
 * everybody else reads relaxed, so that a role is given away or taken between two packets.
 */
struct fp_vhids {
	uint64_t live[4];	/* MASTER: ARP and neighbour discovery are answered */
	uint64_t takes[4];	/* frames to its MAC are taken: MASTER, and a while longer by who gave the role away */
};

struct fp_ifnet {
	char name[FP_NAME_SIZE];
	uint16_t ifid;
	uint16_t port_id;		/* RTE_MAX_ETHPORTS: none */
	uint16_t vlan_outer, vlan_inner; /* 0 none; outer is the first tag on the wire */
	uint8_t l2_len;			/* 14, 18, 22 */
	bool exists, up, pf_skip;
	struct rte_ether_addr mac;
	uint16_t mtu;			/* of the IP packet */
	uint16_t bridge_peer;		/* ifid or FP_IFID_NONE */
	uint32_t n_addrs;
	const struct fp_ifaddr *addrs;
	struct fp_vhids *vhids;		/* NULL: no virtual host was ever here */
};

static inline bool
fp_vhid_live(const struct fp_vhids *v, uint8_t vhid)
{
	return v != NULL && (__atomic_load_n(&v->live[vhid >> 6], __ATOMIC_RELAXED) >> (vhid & 63) & 1) != 0;
}

/* One writer. */
static inline void
fp_vhid_set(uint64_t set[4], uint8_t vhid, bool on)
{
	uint64_t bit = 1ull << (vhid & 63), old = __atomic_load_n(&set[vhid >> 6], __ATOMIC_RELAXED);

	__atomic_store_n(&set[vhid >> 6], on ? old | bit : old & ~bit, __ATOMIC_RELAXED);
}

/* Is it a virtual MAC, 00:00:5e:00:01:VHID? 0: no. */
static inline uint8_t
fp_vmac_vhid(const uint8_t *mac)
{
	return mac[0] == 0 && mac[1] == 0 && mac[2] == 0x5e && mac[3] == 0 && mac[4] == 1 ? mac[5] : 0;
}

static inline bool
fp_vhid_takes(const struct fp_vhids *v, uint8_t vhid)
{
	return v != NULL && (__atomic_load_n(&v->takes[vhid >> 6], __ATOMIC_RELAXED) >> (vhid & 63) & 1) != 0;
}

/* A frame to this MAC is for this interface: its own, or that of a virtual host whose frames are taken here. */
static inline bool
fp_if_is_mine(const struct fp_ifnet *i, const uint8_t *mac)
{
	return memcmp(mac, i->mac.addr_bytes, 6) == 0 || (i->vhids != NULL && fp_vhid_takes(i->vhids, fp_vmac_vhid(mac)));
}

enum fp_nh_kind { FP_NH_NONE, FP_NH_CONNECTED, FP_NH_GATEWAY, FP_NH_LOCAL, FP_NH_BROADCAST, FP_NH_REJECT, FP_NH_BLACKHOLE };
struct fp_nexthop {
	uint8_t kind;			/* enum fp_nh_kind */
	uint8_t af;
	uint16_t ifid;
	union pol_ip gw;		/* FP_NH_GATEWAY */
};

struct fp_rs_rt;
struct fp_event_ring;
struct fp_fib;				/* route.c: both families */
struct fp_neigh_table;			/* neigh.c: single writer main, wait-free readers; lives as long as the box */

struct fp_conf {
	uint32_t generation;
	uint32_t n_ifs;			/* ids 0 .. n_ifs - 1; holes have exists = false */
	const struct fp_ifnet *ifs;
	const uint16_t *port_if;	/* [FP_MAX_PORTS] untagged interface of the port or FP_IFID_NONE */
	const void *vlans;		/* ifnet.c: (port, outer, inner) -> ifid */
	const struct fp_fib *fib;
	const struct pol_compiled *rules;
	const struct pol_ruleset *ruleset;
	struct fp_rs_rt *rules_rt;	/* rules.h */
	bool rule_adaptive, any_skip;
	uint32_t timeout[POL_TM_MAX];	/* in force, seconds; adaptive.* counts */
	uint32_t limit[POL_LIMIT_MAX];
	bool pf_enabled, bridge, reassemble, reassemble_nodf, eval_counts, forward4, forward6;
	uint8_t syncookies;		/* 0 never 1 always 2 adaptive */
	uint8_t syncookies_start_pct, syncookies_end_pct;
};

/* Interface of a frame, FP_IFID_NONE if there is none. Any reader. */
uint16_t fp_if_by_frame(const struct fp_conf *c, uint16_t port_id, uint16_t vlan_outer, uint16_t vlan_inner);
/* Longest prefix match; NULL: no route. Any reader. */
const struct fp_nexthop *fp_route4(const struct fp_conf *c, uint32_t dst_be);
const struct fp_nexthop *fp_route6(const struct fp_conf *c, const uint8_t dst[16]);
void fp_route4_bulk(const struct fp_conf *c, const uint32_t *dst_be, const struct fp_nexthop **nh, unsigned n);
/* MAC of a neighbour on an interface; false: not resolved (send it to fp_neigh_miss()). Any reader; marks the entry used. */
bool fp_neigh_lookup(const struct fp_neigh_table *t, uint16_t ifid, uint8_t af, const uint8_t *addr, struct rte_ether_addr *mac);

/* ---- worker */
struct fp_counters {
	uint64_t totals[FP_T_MAX], drops[FP_D_MAX], reasons[FP_R_MAX + 1], lcounters[FP_LC_MAX];
};

enum fp_punt_kind { FP_PUNT_ARP, FP_PUNT_ND, FP_PUNT_NEIGH_MISS, FP_PUNT_PFLOG, FP_PUNT_OVERLOAD };
/* In every mbuf of our pools behind struct rte_mbuf (priv_size). Whoever holds the mbuf owns it. */
/* fp_mbuf_priv.flags of what goes into a handover ring */
#define FP_HANDED_REASSEMBLED 1		/* a whole packet again; v6: to be cut on the way out */
#define FP_HANDED_RAW 4			/* from the sync thread: as received, nobody has looked yet whose it is */
#define FP_HANDED_UNREACHABLE 2		/* from the main lcore: an IP packet whose next hop does not answer */
struct fp_mbuf_priv {
	uint8_t kind;			/* enum fp_punt_kind */
	uint8_t af, l2_len, dir;
	uint16_t ifid;
	uint16_t reason;
	union pol_ip addr;		/* next hop of a neighbour miss */
	uint32_t rule_uid;		/* log */
	uint32_t hash;
	uint8_t action, flags;
	uint16_t handover_dir;
	uint16_t rcvif, worker;		/* neighbour miss: where the packet came in (FP_IFID_NONE: made here), who forwards it */
	struct rte_mbuf *next;		/* neigh.c: the next one that waits for the same neighbour */
};
static inline struct fp_mbuf_priv *fp_priv(struct rte_mbuf *m) { return (struct fp_mbuf_priv *)(m + 1); }

#define FP_TXBUF 64
#define FP_TXQ_NONE 0xffffu
#define FP_TXSW_CKSUM 1		/* checksums that the mbuf asks for */
#define FP_TXSW_LINEAR 2	/* no segmented mbufs */
/* One port as this worker sends to it. queue: our own Tx queue; FP_TXQ_NONE: owner's, by its txreq ring (owner FP_TXQ_NONE:
 * the port is down or gone). Only the owner of a queue calls rte_eth_tx_burst() on it. Main writes all but n and m while
 * the worker holds still. */
struct fp_txbuf {
	uint16_t n, queue, owner;
	uint8_t sw;			/* FP_TXSW_*: what the port cannot do and fp_tx() does */
	struct rte_mbuf *m[FP_TXBUF];
};

struct fp_worker;
/* A bounded piece of work on a worker between two bursts: returns true when finished, else it is called again next loop. */
struct fp_call { bool (*fn)(struct fp_worker *w, void *arg); void *arg; volatile uint32_t *done; };

struct fp_cycle_stats {
	uint64_t loops, busy_cycles, idle_cycles, packets, bursts, burst_hist[7], stall_max_cycles;
};

struct fp_tokens { uint64_t last_us, credit_us; };
struct fp_rx { uint16_t port_id, queue; bool was_full; /* last poll filled the burst */ };

struct fp_worker {	/* Owner of all fields: this worker, unless said otherwise. */
	/* read every loop */
	struct fp_box *box;		/* [I] */
	const struct fp_conf *conf;	/* loaded at loop start */
	struct fp_table *table;		/* [I] */
	const struct fp_neigh_table *neigh; /* [I] */
	struct fp_reass *reass;
	uint64_t now_tsc, now_us;	/* at burst start */
	uint32_t now_sec;		/* box clock: seconds since the box was made + 1000; now_us / 1000000 */
	uint16_t id;
	unsigned lcore;
	int socket;
	uint16_t n_rx, n_workers;
	bool distribute;		/* owner = fp_owner(hash), not the receiver */
	uint64_t rnd[2];
	const struct fp_sync_hooks *sync; /* NULL: no pfsync; main writes while the worker holds still, as the next three */
	void *slice;			/* src/sync */
	uint16_t sync_maxupd;		/* packets of a TCP state after which an update goes out; 256: none */
	bool sync_defer;
	struct fp_rx *rx;		/* main writes while the worker is stopped */
	struct rte_mempool *pool, *pool_indirect; /* [I] */
	struct rte_ring *handover, *punt, *txreq, *calls; /* [I] */
	struct fp_txbuf *tx;		/* [FP_MAX_PORTS] */
	uint16_t n_tx_dirty;		/* ports with something in their tx buffer */
	uint16_t tx_dirty[FP_MAX_PORTS];
	uint32_t idle_polls;		/* empty loops in a row */
	uint32_t last_packets;		/* of the last loop, which began at last_tsc */
	uint64_t last_tsc;
	bool slept;			/* since the last loop */
	struct fp_call *call;		/* in progress */
	uint8_t running;		/* worker writes with release: in its loop; main reads */
	struct fp_box_worker *ctl;	/* worker.c: main's side (lcore launch, running on main) */
	struct fp_counters cnt;
	struct fp_cycle_stats cyc;
	void *rule_counters;		/* rules.c */
	void *srcnodes;			/* srcnode.c */
	struct fp_tokens icmp_limit[2];	/* make.c: errors of forwarding, answers of rules */
	void *call_state;		/* worker.c */
	uint32_t state_id_counter;
	uint32_t half_open;		/* read by others: changed by fp_half_open_add() */
	uint32_t scan_budget_frac;
	uint64_t scan_last_us;
	bool purge_pending;		/* a half was marked: look soon */
	struct fp_event_ring *events;	/* events.h */
	int64_t wall_offset_ms;		/* time of day minus box clock */
	void *cookies;			/* syncookies: keys and counts, pf.c */
	uint8_t bridge_l2[22];		/* Ethernet header of the packet in hand (bridge mode) */
	uint8_t bridge_l2_len;
	struct fp_pkt pkts[FP_BURST];
};

/* A burst by its size: 1, 2-3, 4-7, 8-15, 16-31, full once, full again and again (the queue never ran dry). */
#define FP_HIST_FULL 5
#define FP_HIST_BACKLOG 6

static inline void fp_count(uint64_t *c, uint64_t n) { __atomic_store_n(c, __atomic_load_n(c, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED); }
static inline void fp_half_open_add(struct fp_worker *w, int n) { __atomic_store_n(&w->half_open, w->half_open + (uint32_t)n, __ATOMIC_RELAXED); }
static inline void fp_reason(struct fp_worker *w, uint32_t r) { if (r < FP_R_MAX) fp_count(&w->cnt.reasons[r], 1); }
void fp_drop(struct fp_worker *w, struct rte_mbuf *m, enum fp_drop why); /* counts, tells monitors, frees */
static inline uint64_t
fp_random(struct fp_worker *w)
{	/* xoroshiro128+; not for secrets that must survive observation: ISNs and cookies use keyed hashes */
	uint64_t a = w->rnd[0], b = w->rnd[1], r = a + b;

	b ^= a;
	w->rnd[0] = (a << 24 | a >> 40) ^ b ^ (b << 16);
	w->rnd[1] = b << 37 | b >> 27;
	return r;
}

/* The worker that owns a flow. */
unsigned fp_flow_owner(const struct fp_box *box, uint64_t hash);
/* Transmit: m has its Ethernet header. Buffered until the end of the burst. */
void fp_tx(struct fp_worker *w, uint16_t port_id, struct rte_mbuf *m);
/* Put Ethernet (and VLAN) header in front of an IP packet and transmit; unresolved: to the main lcore, which queues it. */
void fp_l2_output(struct fp_worker *w, const struct fp_ifnet *ifp, struct rte_mbuf *m, uint8_t af, const uint8_t *next_hop);
bool fp_punt(struct fp_worker *w, struct rte_mbuf *m, enum fp_punt_kind kind, uint16_t ifid);

/* ---- main lcore side */
struct fp_box_net;	/* ifnet.c route.c neigh.c port.c: the editable configuration */
/* Punted packets. ARP, ND: the whole frame from its Ethernet header on. Neighbour misses: the IP packet (room for L2). neigh.c */
void fp_neigh_punted(struct fp_box *box, struct rte_mbuf *m);
void fp_neigh_timers(struct fp_box *box, uint64_t now_us);
/* Ask for a neighbour that no packet waits for yet, if nothing is known of it. */
void fp_neigh_ask(struct fp_box *box, uint16_t ifid, uint8_t af, const uint8_t *addr);
/* Send a finished frame from the main lcore on m->port; RTE_MBUF_F_TX_* checksum requests are honoured as in fp_tx(). */
void fp_main_tx(struct fp_box *box, struct rte_mbuf *m);
/* A buffer for the main lcore's own frames; NULL: none (counted). */
struct rte_mbuf *fp_main_mbuf(struct fp_box *box);
/* Drop on the main lcore: counts and frees (m may be NULL: counts). */
void fp_main_drop(struct fp_box *box, struct rte_mbuf *m, enum fp_drop why);
/* Rebuild and publish struct fp_conf after any change of the editable configuration. conf.c */
int fp_conf_publish(struct fp_box *box, struct fp_err *err);
/* Box clock on the main lcore: microseconds, seconds (starts at 1000 s: 0 stays free for `never`). */
uint64_t fp_box_now_us(const struct fp_box *box);
static inline uint32_t fp_now_sec(const struct fp_box *box) { return fp_box_now_us(box) / 1000000; }
/* Free p with fn after a grace period; NULL fn: free(). */
void fp_defer(struct fp_box *box, void (*fn)(void *), void *p);
/* Run on one worker, wait for the end while the main lcore's own work goes on. */
void fp_worker_call(struct fp_box *box, struct fp_worker *w, bool (*fn)(struct fp_worker *w, void *arg), void *arg);

struct fp_box {		/* owner: main lcore */
	char name[32];
	struct rte_rcu_qsbr *qs;	/* readers: workers (thread id = worker id), sync lcore (FP_MAX_WORKERS) */
	const struct fp_conf *conf;	/* published; workers load-acquire */
	struct fp_worker *workers[FP_MAX_WORKERS];
	unsigned n_workers;
	bool running, stop;		/* stop: main writes, workers read relaxed */
	struct fp_box_net *net;
	struct fp_neigh_table *neigh;
	struct fp_rules *rules;		/* rules.c: registry, tables */
	struct fp_params *params;
	uint64_t hash_secret[2];
	uint64_t tsc_hz, tsc_start, us_mult; /* us = tsc * us_mult >> 52 */
	uint32_t hostid;
	bool hostid_set;		/* by `set hostid` */
	uint64_t enabled_sec;
	struct rte_mempool *pool[RTE_MAX_NUMA_NODES], *pool_indirect[RTE_MAX_NUMA_NODES];
	void *events, *pflog;
	struct fp_port *ports;		/* port.c */
	uint64_t learned;		/* states that the sync thread has put into shards itself; its writer */
	struct fp_counters main_cnt;	/* main lcore's share of the counters: drops of neigh.c ... */
	const struct fp_sync_hooks *sync_hooks; /* src/sync; NULL: none was made */
	void *sync;
	bool pair_listens;		/* its thread takes packets of protocols 112 and 240: main writes, workers read relaxed */
	void *fo;			/* src/failover */
	uint64_t pair_turn_tsc;		/* end of the last turn of the pair's thread, its writer */
	uint64_t pair_back_tsc;		/* when it ran again after it had not run for stale_ms, its writer */
	uint32_t stale_ms;		/* failover: what waited longer than this in a receive queue is dropped; 0: nothing is */
	uint32_t grace_until_sec;	/* failover: learned states do not expire before; box clock. Both: any thread writes, relaxed */
	const char *(*foreign_if)(const struct fp_box *box, uint16_t ifid); /* name of an interface that only a peer has, ids from FP_IFID_FOREIGN */
	struct fp_box_priv *priv;	/* box_priv.h */
};
#define FP_IFID_FOREIGN 0xc000u		/* .. 0xfffd: states of a peer bound to interfaces that are not here */

static inline uint64_t
fp_tsc_us(const struct fp_box *box, uint64_t tsc)
{
	return 1000000000ull + (uint64_t)((unsigned __int128)(tsc - box->tsc_start) * box->us_mult >> 52);
}

/* Values of parameters by meaning; params.c fills them, others read. 0 stands for `auto` where that is allowed. */
struct fp_params {
	uint32_t workers;		/* 0: one per worker lcore, or one on the main lcore */
	uint32_t limit_states;		/* table size at the first start */
	uint32_t mbufs, mbuf_size;	/* per socket; 0 auto */
	uint32_t rxd, txd;
	uint32_t ring_size;		/* rings between lcores */
	uint32_t idle_polls, idle_sleep_us; /* back-off: after so many empty polls sleep so long; 0 never */
	uint32_t neigh_queue;		/* packets that may wait for one neighbour */
	uint32_t icmp_rate;		/* errors and RSTs per second and worker */
	uint32_t log_snaplen;		/* bytes of a logged packet */
	uint32_t scan_max;
	uint32_t socket_mode;
	uint32_t sync_coalesce_us, sync_hold_us, sync_heartbeat_ms, sync_probe_ms;
	uint8_t sync_shared;		/* the port of syncdev: 0 auto 1 shared */
	uint8_t eval_counts;		/* 0 off 1 on 2 auto */
	bool hugepages, rx_cksum_offload, tx_cksum_offload, rss, promisc;
	bool icmp_errors, ping_answer, redirects;
	char socket_path[108], socket_group[64];
};
/* Defaults. */
void fp_params_init(struct fp_params *p);

#endif
