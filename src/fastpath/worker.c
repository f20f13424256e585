/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker: one loop on one lcore, from receive queues to transmit queues.
 *
 * Life: created by the main lcore at the first start (memory on the socket of its lcore), launched at each start, leaves
 * its loop when box->stop is set, destroyed with the box. While it runs it is a reader of box->qs: everything that it
 * reaches through w->conf is borrowed until the end of the loop. Before it sleeps it goes offline, so that a sleeping
 * worker never holds back a grace period.
 *
 * Order at stop: ports still run; workers flush, report offline and return; then port.c stops the devices.
 *
 * A box with one lcore has its worker 0 on the main lcore: fp_box_poll() takes one turn of the same loop, and never sleeps.
 */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ip.h>
#include <rte_lcore.h>
#include <rte_launch.h>
#include <rte_malloc.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "box_priv.h"
#include "burst.h"
#include "pflog.h"
#include "worker.h"

#define HANDOVER_BURSTS 4	/* bursts taken from other workers in one loop */
#define TXREQ_MAX 64

/* ---- outcomes */

void
fp_drop(struct fp_worker *w, struct rte_mbuf *m, enum fp_drop why)
{
	fp_count(&w->cnt.drops[why], 1);
	if (unlikely(__atomic_load_n(&w->box->events, __ATOMIC_RELAXED) != NULL))
		fp_events_drop(w, m, why);
	rte_pktmbuf_free(m);
}

bool
fp_punt(struct fp_worker *w, struct rte_mbuf *m, enum fp_punt_kind kind, uint16_t ifid)
{
	struct fp_mbuf_priv *pr = fp_priv(m);
	/* Copies and messages: their packet has an outcome of its own. */
	bool extra = kind == FP_PUNT_PFLOG || kind == FP_PUNT_OVERLOAD;

	pr->kind = kind;
	pr->ifid = ifid;
	/* However much is logged, neighbours get through: log records use half of the ring. */
	if (unlikely((kind == FP_PUNT_PFLOG && rte_ring_free_count(w->punt) < rte_ring_get_capacity(w->punt) / 2) ||
	    rte_ring_sp_enqueue(w->punt, m) != 0)) {
		if (extra) {
			fp_count(&w->cnt.totals[kind == FP_PUNT_PFLOG ? FP_T_LOG_LOST : FP_T_OVERLOAD_LOST], 1);
			rte_pktmbuf_free(m);
		} else {
			fp_drop(w, m, FP_D_PUNT_FULL);
		}
		return false;
	}
	if (kind == FP_PUNT_NEIGH_MISS)
		fp_count(&w->cnt.totals[FP_T_NEIGH_HELD], 1);
	else if (!extra)
		fp_count(&w->cnt.totals[FP_T_PUNTED], 1);
	return true;
}

/* ---- transmit */

static __rte_noinline void
tx_flush(struct fp_worker *w, uint16_t port_id, struct fp_txbuf *tb)
{
	uint16_t n = tb->n, sent;

	if (tb->queue != FP_TXQ_NONE)
		sent = rte_eth_tx_burst(port_id, tb->queue, tb->m, n);
	else
		sent = rte_ring_mp_enqueue_burst(w->box->workers[tb->owner]->txreq, (void **)tb->m, n, NULL);
	for (uint16_t i = sent; i < n; i++)
		fp_drop(w, tb->m[i], FP_D_TX_FULL);
	tb->n = 0;
}

static inline void
tx_flush_all(struct fp_worker *w)
{
	for (uint16_t i = 0; i < w->n_tx_dirty; i++) {
		uint16_t port_id = w->tx_dirty[i];

		if (w->tx[port_id].n != 0)
			tx_flush(w, port_id, &w->tx[port_id]);
	}
	w->n_tx_dirty = 0;
}

void
fp_worker_tx_flush(struct fp_worker *w)
{
	tx_flush_all(w);
}

/* Do in software what the mbuf asks of a port that cannot: checksums over contiguous or chained data. */
static __rte_noinline __rte_cold void
sw_cksum(struct rte_mbuf *m)
{
	uint32_t l3 = m->l2_len, l4 = l3 + m->l3_len;
	uint64_t want = m->ol_flags & RTE_MBUF_F_TX_L4_MASK;
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, l3);
	unaligned_uint16_t *field = NULL;
	uint16_t sum;

	if (rte_pktmbuf_data_len(m) < l4 + 8u)
		return;
	if (want == RTE_MBUF_F_TX_TCP_CKSUM && rte_pktmbuf_data_len(m) >= l4 + sizeof(struct rte_tcp_hdr))
		field = rte_pktmbuf_mtod_offset(m, unaligned_uint16_t *, l4 + offsetof(struct rte_tcp_hdr, cksum));
	else if (want == RTE_MBUF_F_TX_UDP_CKSUM)
		field = rte_pktmbuf_mtod_offset(m, unaligned_uint16_t *, l4 + offsetof(struct rte_udp_hdr, dgram_cksum));
	/* The maker left the pseudo header's sum in the field, as ports want it; the sum of all includes it. */
	if (field != NULL && rte_raw_cksum_mbuf(m, l4, rte_pktmbuf_pkt_len(m) - l4, &sum) == 0) {
		sum = ~sum;
		*field = sum == 0 && want == RTE_MBUF_F_TX_UDP_CKSUM ? 0xffff : sum;
	}
	if (m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) {
		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
	}
	m->ol_flags &= ~(RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6);
}

/* What the port leaves to us. false: the packet is gone. */
static inline bool
tx_soft(struct fp_worker *w, uint8_t sw, struct rte_mbuf *m)
{
	if ((sw & FP_TXSW_CKSUM) && (m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IP_CKSUM)))
		sw_cksum(m);
	if ((sw & FP_TXSW_LINEAR) && m->nb_segs > 1 && rte_pktmbuf_linearize(m) != 0) {
		fp_drop(w, m, FP_D_NOMBUF);
		return false;
	}
	return true;
}

void
fp_tx(struct fp_worker *w, uint16_t port_id, struct rte_mbuf *m)
{
	struct fp_txbuf *tb = &w->tx[port_id];

	if (unlikely(tb->owner == FP_TXQ_NONE)) {
		fp_drop(w, m, FP_D_TX_DOWN);
		return;
	}
	if (unlikely(tb->sw != 0) && !tx_soft(w, tb->sw, m))
		return;
	m->port = port_id; /* for the owner of the queue */
	if (tb->n == 0)
		w->tx_dirty[w->n_tx_dirty++] = port_id;
	tb->m[tb->n++] = m;
	if (unlikely(tb->n == FP_TXBUF)) {
		tx_flush(w, port_id, tb);
		/* Still listed: drop it from the list, or the list would grow beyond the number of ports. */
		for (uint16_t i = 0; i < w->n_tx_dirty; i++)
			if (w->tx_dirty[i] == port_id) {
				w->tx_dirty[i] = w->tx_dirty[--w->n_tx_dirty];
				break;
			}
	}
}

/* ---- the loop */

static inline unsigned
hist_slot(unsigned n)
{
	return 31 - __builtin_clz(n); /* 1..31 -> 0..4; 32 -> 5 */
}

static inline unsigned
rx_all(struct fp_worker *w)
{
	struct rte_mbuf *m[FP_BURST];
	unsigned total = 0;

	for (uint16_t i = 0; i < w->n_rx; i++) {
		struct fp_rx *rx = &w->rx[i];
		unsigned n = rte_eth_rx_burst(rx->port_id, rx->queue, m, FP_BURST);

		if (n == 0) {
			rx->was_full = false;
			continue;
		}
		fp_count(&w->cyc.bursts, 1);
		fp_count(&w->cyc.burst_hist[n == FP_BURST && rx->was_full ? FP_HIST_BACKLOG : hist_slot(n)], 1);
		rx->was_full = n == FP_BURST;
		fp_count(&w->cnt.totals[FP_T_RX], n);
		total += n;
		if (unlikely(w->conf == NULL)) {
			for (unsigned j = 0; j < n; j++)
				fp_drop(w, m[j], FP_D_IF_DOWN);
			continue;
		}
		fp_burst(w, m, n, rx->port_id);
	}
	return total;
}

/* What other boxes say to this one must be heard, the sooner the better. */
static bool
of_the_pair(const struct rte_mbuf *m)
{
	const uint8_t *f = rte_pktmbuf_mtod(m, const uint8_t *);
	unsigned l3 = 14;

	while (l3 < 22 && m->data_len >= l3 + 4 && f[l3 - 2] == 0x81 && f[l3 - 1] == 0)
		l3 += 4;
	if (m->data_len < l3 + 20u)
		return false;
	if (f[l3 - 2] == 0x08 && f[l3 - 1] == 0x00)
		return f[l3 + 9] == 112 || f[l3 + 9] == 240;
	return f[l3 - 2] == 0x86 && f[l3 - 1] == 0xdd && (f[l3 + 6] == 112 || f[l3 + 6] == 240);
}

/*
 * This box stood still (a stopped process, a frozen guest) and has CARP: another one may have taken over meanwhile and sent
 * these packets' successors long ago. What waits is thrown away, at most what the rings hold, but for CARP and pfsync.
 */
static __rte_noinline __rte_cold void
rx_discard(struct fp_worker *w)
{
	struct rte_mbuf *m[FP_BURST];

	for (uint16_t i = 0; i < w->n_rx; i++)
		for (unsigned k = 0, n = FP_BURST; k < 65536 / FP_BURST && n != 0; k++) {
			unsigned keep = 0;

			n = rte_eth_rx_burst(w->rx[i].port_id, w->rx[i].queue, m, FP_BURST);
			fp_count(&w->cnt.totals[FP_T_RX], n);
			for (unsigned j = 0; j < n; j++)
				if (w->conf != NULL && of_the_pair(m[j]))
					m[keep++] = m[j];
				else
					fp_drop(w, m[j], FP_D_STALE);
			if (keep != 0)
				fp_burst(w, m, keep, w->rx[i].port_id);
		}
}

static __rte_noinline unsigned
drain_handover(struct fp_worker *w)
{
	struct rte_mbuf *m[FP_BURST];
	unsigned total = 0, n;

	for (unsigned i = 0; i < HANDOVER_BURSTS; i++) {
		n = rte_ring_sc_dequeue_burst(w->handover, (void **)m, FP_BURST, NULL);
		if (n == 0)
			break;
		fp_count(&w->cnt.totals[FP_T_RX_HANDOVER], n);
		if (likely(w->conf != NULL))
			fp_burst_handover(w, m, n);
		else
			for (unsigned j = 0; j < n; j++)
				fp_drop(w, m[j], FP_D_IF_DOWN);
		total += n;
	}
	return total;
}

static __rte_noinline unsigned
drain_txreq(struct fp_worker *w)
{
	struct rte_mbuf *m[TXREQ_MAX];
	unsigned n = rte_ring_sc_dequeue_burst(w->txreq, (void **)m, TXREQ_MAX, NULL);

	for (unsigned i = 0; i < n; i++)
		fp_tx(w, m[i]->port, m[i]);
	return n;
}

static __rte_noinline unsigned
call_step(struct fp_worker *w)
{
	struct fp_call *c = w->call;

	if (c == NULL) {
		if (rte_ring_sc_dequeue(w->calls, (void **)&c) != 0)
			return 0;
		w->call = c;
	}
	if (c->fn(w, c->arg)) {
		w->call = NULL;
		/* Pairs with the acquire in fp_worker_call(): what fn wrote is seen with it. c is gone afterwards. */
		__atomic_store_n(c->done, 1, __ATOMIC_RELEASE);
	}
	return 1;
}

/* Time of the last loop belongs to it: busy when it saw packets. */
static inline void
account(struct fp_worker *w, uint64_t now, unsigned packets)
{
	uint64_t took = now - w->last_tsc;

	w->last_tsc = now;
	fp_count(&w->cyc.loops, 1);
	if (packets != 0) {
		fp_count(&w->cyc.busy_cycles, took);
		fp_count(&w->cyc.packets, packets);
	} else {
		fp_count(&w->cyc.idle_cycles, took);
	}
	if (unlikely(took > w->cyc.stall_max_cycles) && !w->slept)
		__atomic_store_n(&w->cyc.stall_max_cycles, took, __ATOMIC_RELAXED);
	w->slept = false;
}

/* A turn from outside, for programs that bring their own packets (twinpath-bench): time and configuration ... */
void
fp_worker_begin(struct fp_worker *w)
{
	w->now_tsc = rte_rdtsc();
	w->now_us = fp_tsc_us(w->box, w->now_tsc);
	w->now_sec = w->now_us / 1000000;
	/* Pairs with the release in conf.c, as in fp_worker_turn(). */
	w->conf = __atomic_load_n(&w->box->conf, __ATOMIC_ACQUIRE);
}

/* ... and the end of it: housekeeping if wanted, transmit, quiescent. */
void
fp_worker_end(struct fp_worker *w, bool housekeeping)
{
	if (housekeeping)
		fp_housekeeping(w);
	if (w->sync != NULL)
		w->sync->turn(w);
	if (w->n_tx_dirty != 0)
		tx_flush_all(w);
	rte_rcu_qsbr_quiescent(w->box->qs, w->id);
}

unsigned
fp_worker_turn(struct fp_worker *w)
{
	const struct fp_box *box = w->box;
	uint64_t now = rte_rdtsc(), last = w->last_tsc;
	unsigned packets, work;
	bool frozen;

	frozen = now - last > box->tsc_hz / 16;
	account(w, now, w->last_packets);
	w->now_tsc = now;
	w->now_us = fp_tsc_us(box, now);
	w->now_sec = w->now_us / 1000000;
	/* Pairs with the release in conf.c: the configuration is complete. Borrowed until the quiescent report below. */
	w->conf = __atomic_load_n(&box->conf, __ATOMIC_ACQUIRE);

	if (unlikely(frozen)) {
		uint32_t stale = __atomic_load_n(&box->stale_ms, __ATOMIC_RELAXED);
		/* acquire: a new turn comes with the news that it is the first one */
		uint64_t pair = __atomic_load_n(&box->pair_turn_tsc, __ATOMIC_ACQUIRE);
		uint64_t back = __atomic_load_n(&box->pair_back_tsc, __ATOMIC_RELAXED);

		/* this worker alone was not run: then the pair's thread beat on, and nobody has taken over. Frozen both: it may
		 * have been let run first. */
		if (stale != 0 && ((int64_t)(now - pair) > (int64_t)(box->tsc_hz / 1000 * stale) ||
		    (back != 0 && (int64_t)(back - last) > 0)))
			rx_discard(w);
	}
	packets = rx_all(w);
	if (!rte_ring_empty(w->handover))
		packets += drain_handover(w);
	work = packets;
	if (!rte_ring_empty(w->txreq))
		work += drain_txreq(w);
	if (unlikely(w->call != NULL || !rte_ring_empty(w->calls)))
		work += call_step(w);
	if (likely(w->conf != NULL))
		work += fp_housekeeping(w);
	if (w->sync != NULL)
		work += w->sync->turn(w);
	if (w->n_tx_dirty != 0)
		tx_flush_all(w);
	w->last_packets = packets;
	rte_rcu_qsbr_quiescent(box->qs, w->id);
	return work;
}

/* Nothing to do for a while: let others have the core. The worker holds no reference meanwhile. */
static __rte_noinline void
idle_sleep(struct fp_worker *w, uint32_t us)
{
	struct timespec ts = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000ul };

	rte_rcu_qsbr_thread_offline(w->box->qs, w->id);
	nanosleep(&ts, NULL);
	rte_rcu_qsbr_thread_online(w->box->qs, w->id);
	w->slept = true;
}

static void
enter(struct fp_worker *w)
{
	w->last_tsc = rte_rdtsc();
	w->last_packets = 0;
	w->idle_polls = 0;
	w->slept = true;
	rte_rcu_qsbr_thread_register(w->box->qs, w->id);
	rte_rcu_qsbr_thread_online(w->box->qs, w->id);
	__atomic_store_n(&w->running, 1, __ATOMIC_RELEASE);
}

static void
leave(struct fp_worker *w)
{
	drain_txreq(w);
	tx_flush_all(w);
	w->conf = NULL;
	rte_rcu_qsbr_thread_offline(w->box->qs, w->id);
	rte_rcu_qsbr_thread_unregister(w->box->qs, w->id);
	__atomic_store_n(&w->running, 0, __ATOMIC_RELEASE);
}

static int
worker_main(void *arg)
{
	struct fp_worker *w = arg;
	const struct fp_params *pr = w->box->params;

	prctl(PR_SET_TIMERSLACK, 1000ul); /* ns: sleeps are short and should be what was asked for */
	enter(w);
	while (!__atomic_load_n(&w->box->stop, __ATOMIC_RELAXED)) {
		uint32_t polls, us;

		if (fp_worker_turn(w) != 0) {
			w->idle_polls = 0;
			continue;
		}
		polls = __atomic_load_n(&pr->idle_polls, __ATOMIC_RELAXED);
		us = __atomic_load_n(&pr->idle_sleep_us, __ATOMIC_RELAXED);
		if (++w->idle_polls >= polls && polls != 0 && us != 0) {
			w->idle_polls = polls; /* one poll between two sleeps */
			idle_sleep(w, us);
		}
	}
	leave(w);
	return 0;
}

/* ---- main lcore's side */

/* Is everything that a call needs done by the caller itself? */
static bool
runs_here(const struct fp_worker *w)
{
	return !w->box->running || w->ctl->on_main || !w->ctl->launched;
}

void
fp_worker_call(struct fp_box *box, struct fp_worker *w, bool (*fn)(struct fp_worker *w, void *arg), void *arg)
{
	uint32_t done = 0;
	struct fp_call c = { .fn = fn, .arg = arg, .done = &done };
	struct timespec ts = { .tv_nsec = 20000 };

	if (runs_here(w)) {
		uint64_t now = rte_rdtsc();

		w->now_tsc = now;
		w->now_us = fp_tsc_us(box, now);
		w->now_sec = w->now_us / 1000000;
		w->conf = __atomic_load_n(&box->conf, __ATOMIC_ACQUIRE);
		while (!fn(w, arg))
			;
		if (!box->running)
			w->conf = NULL;
		return;
	}
	while (rte_ring_sp_enqueue(w->calls, &c) != 0)
		nanosleep(&ts, NULL);
	/* Pairs with the release in call_step(). */
	for (unsigned i = 0; !__atomic_load_n(&done, __ATOMIC_ACQUIRE); i++) {
		/* Neighbours must go on being resolved; monitors and nested questions wait. */
		if (box->priv->depth == 0) {
			box->priv->depth++;
			fp_main_drain(box, FP_BURST);
			box->priv->depth--;
		}
		if (i < 100)
			rte_pause();
		else
			nanosleep(&ts, NULL);
	}
}

void
fp_main_tx(struct fp_box *box, struct rte_mbuf *m)
{
	struct fp_worker *w;
	uint16_t owner;

	if (!box->running || m->port >= FP_MAX_PORTS) {
		fp_main_drop(box, m, FP_D_TX_DOWN);
		return;
	}
	owner = __atomic_load_n(&box->workers[0]->tx[m->port].owner, __ATOMIC_RELAXED); /* take_deal() writes it there */
	if (owner == FP_TXQ_NONE) {
		fp_main_drop(box, m, FP_D_TX_DOWN);
		return;
	}
	w = box->workers[owner];
	if (rte_ring_mp_enqueue(w->txreq, m) != 0)
		fp_main_drop(box, m, FP_D_TX_FULL);
}

void
fp_main_drop(struct fp_box *box, struct rte_mbuf *m, enum fp_drop why)
{
	fp_count(&box->main_cnt.drops[why], 1);
	rte_pktmbuf_free(m);
}

struct rte_mbuf *
fp_main_mbuf(struct fp_box *box)
{
	struct rte_mbuf *m = box->n_workers == 0 ? NULL : rte_pktmbuf_alloc(box->workers[0]->pool);

	if (m == NULL)
		fp_count(&box->main_cnt.drops[FP_D_NOMBUF], 1);
	return m;
}

unsigned
fp_main_drain(struct fp_box *box, unsigned max)
{
	unsigned total = 0;

	for (unsigned i = 0; i < box->n_workers; i++) {
		struct rte_mbuf *m[FP_BURST];
		unsigned n = rte_ring_sc_dequeue_burst(box->workers[i]->punt, (void **)m, RTE_MIN(max, (unsigned)FP_BURST), NULL);

		for (unsigned j = 0; j < n; j++)
			switch (fp_priv(m[j])->kind) {
			case FP_PUNT_PFLOG:
				fp_pflog_punted(box, m[j]);
				break;
			case FP_PUNT_OVERLOAD:
				fp_overload_punted(box, m[j]);
				break;
			default:
				fp_neigh_punted(box, m[j]);
				break;
			}
		total += n;
	}
	fp_pflog_flush(box);
	return total;
}

static struct rte_ring *
make_ring(const struct fp_worker *w, const char *what, unsigned size, unsigned flags)
{
	char name[RTE_RING_NAMESIZE];

	/* Names are short: the box by its address, which is unique in the process. */
	snprintf(name, sizeof(name), "fp%x%s%u", (unsigned)((uintptr_t)w->box >> 6), what, w->id);
	return rte_ring_create(name, rte_align32pow2(size), w->socket, flags);
}

struct fp_worker *
fp_worker_create(struct fp_box *box, uint16_t id, unsigned lcore, bool on_main, struct fp_err *err)
{
	unsigned socket = rte_lcore_to_socket_id(lcore);
	struct fp_worker *w = rte_zmalloc_socket("fp_worker", sizeof(*w), RTE_CACHE_LINE_SIZE, socket);
	const struct fp_params *pr = box->params;
	struct fp_table_conf tc = { .max_states = pr->limit_states, .socket = socket, .qs = box->qs, .huge = pr->hugepages };

	if (w == NULL)
		goto nomem;
	w->box = box;
	w->id = id;
	w->lcore = lcore;
	w->socket = socket;
	w->neigh = box->neigh;
	w->n_workers = box->n_workers;
	w->pool = box->pool[socket];
	w->pool_indirect = box->pool_indirect[socket];
	fp_random_bytes(w->rnd, sizeof(w->rnd));
	w->ctl = rte_zmalloc("fp_box_worker", sizeof(*w->ctl), RTE_CACHE_LINE_SIZE);
	w->tx = rte_zmalloc_socket("fp_txbuf", FP_MAX_PORTS * sizeof(*w->tx), RTE_CACHE_LINE_SIZE, socket);
	if (w->ctl == NULL || w->tx == NULL)
		goto nomem;
	w->ctl->on_main = on_main;
	for (unsigned i = 0; i < FP_MAX_PORTS; i++)
		w->tx[i].queue = w->tx[i].owner = FP_TXQ_NONE;
	w->handover = make_ring(w, "ho", pr->ring_size, RING_F_SC_DEQ);
	w->punt = make_ring(w, "pu", pr->ring_size, RING_F_SP_ENQ | RING_F_SC_DEQ);
	w->txreq = make_ring(w, "tx", pr->ring_size, RING_F_SC_DEQ);
	w->calls = make_ring(w, "ca", 64, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (w->handover == NULL || w->punt == NULL || w->txreq == NULL || w->calls == NULL)
		goto nomem;
	memcpy(tc.hash_secret, box->hash_secret, sizeof(tc.hash_secret));
	/* Any split of the flows must fit: address space for all, memory touched for an even share. */
	tc.expected_states = RTE_MAX(pr->limit_states / box->n_workers, 1u);
	w->table = fp_table_create(&tc);
	if (w->table == NULL) {
		fp_err_set(err, -ENOMEM, "no memory for a table of %u states: lower `set limit states`", pr->limit_states);
		goto fail;
	}
	if (fp_worker_init(w, err) != 0)
		goto fail;
	return w;

nomem:
	fp_err_set(err, -ENOMEM, "no memory for worker %u: give EAL more (-m MEGABYTES), or lower `set ring size`", id);
fail:
	fp_worker_destroy(w);
	return NULL;
}

static void
free_ring(struct rte_ring *r, bool mbufs)
{
	void *p;

	if (r == NULL)
		return;
	while (mbufs && rte_ring_dequeue(r, &p) == 0)
		rte_pktmbuf_free(p);
	rte_ring_free(r);
}

void
fp_worker_destroy(struct fp_worker *w)
{
	if (w == NULL)
		return;
	fp_worker_fini(w);
	free_ring(w->handover, true);
	free_ring(w->punt, true);
	free_ring(w->txreq, true);
	free_ring(w->calls, false);
	fp_table_destroy(w->table);
	rte_free(w->rx);
	rte_free(w->tx);
	rte_free(w->ctl);
	rte_free(w);
}

int
fp_worker_start(struct fp_worker *w, struct fp_err *err)
{
	int rc;

	if (w->ctl->on_main) {
		enter(w);
	} else {
		rc = rte_eal_remote_launch(worker_main, w, w->lcore);
		if (rc != 0)
			return fp_err_set(err, rc, "lcore %u does not start: it is busy with something else", w->lcore);
	}
	w->ctl->launched = true;
	return 0;
}

void
fp_worker_stop_all(struct fp_box *box)
{
	__atomic_store_n(&box->stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < box->n_workers; i++) {
		struct fp_worker *w = box->workers[i];

		if (w == NULL || !w->ctl->launched)
			continue;
		if (w->ctl->on_main)
			leave(w);
		else
			rte_eal_wait_lcore(w->lcore);
		/* Pairs with the release in leave(): all that the worker wrote is ours now. It has left, so this is no loop. */
		while (__atomic_load_n(&w->running, __ATOMIC_ACQUIRE))
			rte_pause();
		w->ctl->launched = false;
	}
}
