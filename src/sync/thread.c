/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sync thread: polls the cable (or the ring that workers fill where the cable is a data port), finds pfsync in what
 * comes, drives receiver and bulk updates, sends what is nobody's state: requests, acknowledgements, BUS. CARP is its guest:
 * timers in the microsecond, and packets of protocol 112.
 *
 * It is a thread of its own even where cores are few, so that neither a long command on the main lcore nor a burst on a
 * worker delays the pair: on the CPU of an lcore that no worker uses, if there is one, else beside the main lcore. Idle, it
 * sleeps between polls like a worker. Reader FP_MAX_WORKERS of box->qs.
 */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_lcore.h>
#include <rte_ip.h>

#include "fastpath/parse.h"
#include "fastpath/port.h"
#include "sync/pair.h"

#define TWIN_HITS 3		/* packets in a row that only a twin sends */
#define TWIN_FORGET_US 30000000ull
#define VERSION_KEEP_US 3000000ull /* a peer of the other version is followed when the present one is silent so long */

/* ---- sending */
int
sync_thread_tx(struct sync_thread *t, uint16_t port_id, struct rte_mbuf *m)
{
	const struct sync_run *run = t->run;
	struct fp_worker *w0 = t->box->workers[0];
	uint16_t owner;
	int rc = -ENETDOWN;

	m->port = port_id;
	if (run->poll && run->thread_txq != FP_TXQ_NONE && port_id == run->port_id) {
		rc = rte_eth_tx_burst(port_id, run->thread_txq, &m, 1) == 1 ? 0 : -ENOBUFS;
	} else if (w0 != NULL && port_id < FP_MAX_PORTS) {
		owner = __atomic_load_n(&w0->tx[port_id].owner, __ATOMIC_RELAXED);
		if (owner != FP_TXQ_NONE)
			rc = rte_ring_mp_enqueue(t->box->workers[owner]->txreq, m) == 0 ? 0 : -ENOBUFS;
	}
	if (rc != 0)
		rte_pktmbuf_free(m);
	return rc;
}

int
sync_thread_unresolved(struct sync_thread *t, struct rte_mbuf *m)
{
	if (rte_ring_mp_enqueue(t->s->unresolved, m) == 0)
		return 0;
	rte_pktmbuf_free(m);
	return -ENOBUFS;
}

bool
sync_thread_send(struct sync_thread *t, struct sync_packet *pk)
{
	const struct sync_run *run = t->run;
	struct rte_mbuf *m;

	if (!sync_packet_finish(pk, t->s, run, SYNC_SLICE_THREAD, t->seq))
		return false;
	t->seq += pk->bare == 0;
	m = pk->m;
	pk->m = NULL;
	if (!run->link) {
		rte_pktmbuf_free(m);
		fp_count(&t->cnt.cnt[SYNC_CNT_oerrors], 1);
		return false;
	}
	fp_count(&t->cnt.sent_packets, 1);
	fp_count(&t->cnt.sent_bytes, m->pkt_len);
	fp_count(&t->cnt.cnt[run->af == FP_AF_INET ? SYNC_CNT_opackets : SYNC_CNT_opackets6], 1);
	return sync_thread_out(t, run, m);
}

bool
sync_thread_out(struct sync_thread *t, const struct sync_run *run, struct rte_mbuf *m)
{
	bool ok;

	switch (sync_packet_l2(t->s, run, t->conf, m)) {
	case 1:
		ok = sync_thread_tx(t, run->port_id, m) == 0;
		break;
	case 0:
		/* the neighbour must be asked for: the main lcore does that */
		ok = sync_thread_unresolved(t, m) == 0;
		break;
	default:
		ok = false;
	}
	if (!ok)
		fp_count(&t->cnt.cnt[SYNC_CNT_oerrors], 1);
	return ok;
}

bool
sync_to_worker(struct sync_thread *t, unsigned worker, const struct sync_msg_w *m, unsigned n)
{
	unsigned took = rte_ring_sp_enqueue_burst_elem(t->s->slices[worker]->inbox, m, sizeof(*m), n, NULL);

	if (took < n)
		fp_count(&t->cnt.inbox_full, n - took);
	return took == n;
}

void
sync_heard(struct sync_thread *t, unsigned version, enum sync_dialect record, bool twin)
{
	struct sync *s = t->s;
	bool is6 = version == 6, now6 = sync_dialect_get(s) == SYNC_6;
	uint64_t *mine = is6 ? &s->heard6_us : &s->heard5_us, other = is6 ? s->heard5_us : s->heard6_us;

	*mine = t->now_us;
	if (twin) {
		__atomic_store_n(&s->twin_us, t->now_us, __ATOMIC_RELAXED);
		__atomic_store_n(&s->marks, true, __ATOMIC_RELAXED);
	}
	if (t->run->version != 0)
		return;
	if (is6 != now6) {
		if (other != 0 && t->now_us - other < VERSION_KEEP_US)
			return;
		__atomic_store_n(&s->dialect, is6 ? SYNC_6 : SYNC_1301, __ATOMIC_RELAXED);
		if (!is6) {	/* whoever spoke version 6 here does so no more */
			__atomic_store_n(&s->marks, false, __ATOMIC_RELAXED);
			__atomic_store_n(&t->twin, false, __ATOMIC_RELAXED);
			__atomic_store_n(&s->twin_us, 0, __ATOMIC_RELAXED);
		}
		/* what was said so far may not have been understood */
		sync_bulk_event(t, SYNC_BULK_EV_ASKED_BY_USER);
	}
	/* a FreeBSD box says which records it knows by those it sends; until then the oldest, which all of them read */
	if (!is6 && record != SYNC_6)
		__atomic_store_n(&s->dialect, record, __ATOMIC_RELAXED);
}

/* ---- receiving */
#define IPPROTO_CARP 112

/* A whole packet, header intact, of one of the pair's protocols. false: something else. ip: of len bytes. */
static bool
pair_packet(const uint8_t *ip, size_t len, struct sync_ip *p, uint8_t *proto, uint16_t *ident)
{
	if (len >= 20 && ip[0] >> 4 == 4) {
		unsigned hlen = (ip[0] & 15) * 4, total = (unsigned)ip[2] << 8 | ip[3];

		*proto = ip[9];
		if ((*proto != SYNC_IPPROTO && *proto != IPPROTO_CARP) || hlen < 20 || total < hlen || total > len ||
		    ((ip[6] & 0x3f) | ip[7]) != 0 || rte_raw_cksum(ip, hlen) != 0xffff)
			return false;
		p->af = FP_AF_INET;
		p->tos = ip[1];
		p->ttl = ip[8];
		p->src = ip + 12;
		p->multicast = ip[16] >> 4 == 0xe;
		p->payload = ip + hlen;
		p->hlen = hlen;
		p->len = total - hlen;
		*ident = (uint16_t)(ip[4] << 8 | ip[5]);
		return true;
	}
	if (len >= 40 && ip[0] >> 4 == 6) {
		unsigned plen = (unsigned)ip[4] << 8 | ip[5];

		*proto = ip[6];
		if ((*proto != SYNC_IPPROTO && *proto != IPPROTO_CARP) || plen + 40 > len)
			return false;
		p->af = FP_AF_INET6;
		p->tos = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
		p->ttl = ip[7];
		p->src = ip + 8;
		p->multicast = ip[24] == 0xff;
		p->payload = ip + 40;
		p->hlen = 40;
		p->len = plen;
		*ident = (uint16_t)(ip[2] << 8 | ip[3]);
		return true;
	}
	return false;
}

static void
pfsync_input(struct sync_thread *t, const struct sync_ip *p, uint16_t ident)
{
	struct sync *s = t->s;

	fp_count(&t->cnt.received_packets, 1);
	fp_count(&t->cnt.received_bytes, p->hlen + p->len);
	if (p->len >= SYNC_HDR_SIZE && p->payload[0] == 6 && ident == sync_twin_ident(p->payload, p->len)) {
		if (++s->twin_hits >= TWIN_HITS) {
			__atomic_store_n(&s->twin_us, t->now_us, __ATOMIC_RELAXED);
			__atomic_store_n(&s->marks, true, __ATOMIC_RELAXED);
		}
	} else {
		s->twin_hits = 0;
	}
	if (unlikely(sync_watch_capturing(s)))
		sync_watch_packet(s, false, p->payload, p->len);
	if (p->len == SYNC_HDR_SIZE && p->payload[0] == 6 && (p->payload[1] == SYNC_MARK_PROBE || p->payload[1] == SYNC_MARK_ALIVE)) {
		if (p->ttl == SYNC_TTL)
			sync_session_probed(t, p->ifid, p->af, p->src, p->payload);
		return;
	}
	if (sync_carrier_check(p->ifid == t->run->ifid, p->ttl) == SYNC_CNT_NONE && p->len >= SYNC_HDR_SIZE) {
		struct sync_mark mk;

		if (sync_session_bare(t, p->af, p->src, p->payload, p->len)) {
			fp_count(&t->cnt.cnt[p->af == FP_AF_INET ? SYNC_CNT_ipackets : SYNC_CNT_ipackets6], 1);
			__atomic_store_n(&t->heard_us, t->now_us, __ATOMIC_RELAXED);
			sync_heard(t, 6, SYNC_6, true);
			return;
		}
		if (sync_mark_read(p->payload, &mk))
			sync_session_numbered(t, p->af, p->src, &mk);
	}
	sync_receive(t, p->ifid, p->af, p->src, p->ttl, p->payload, p->len);
}

/* true: it was the pair's, and is done with. */
static bool
input(struct sync_thread *t, struct rte_mbuf *m, uint16_t ifid, unsigned l2_len)
{
	struct sync *s = t->s;
	struct sync_ip p;
	uint8_t proto;
	uint16_t ident;

	if (m->nb_segs > 1 && rte_pktmbuf_linearize(m) != 0)
		return false;
	if (m->data_len <= l2_len ||
	    !pair_packet(rte_pktmbuf_mtod_offset(m, const uint8_t *, l2_len), m->data_len - l2_len, &p, &proto, &ident))
		return false;
	p.ifid = ifid;
	if (proto == IPPROTO_CARP) {
		if (s->guest != NULL)
			s->guest->input(s->guest_arg, t, &p);
	} else if (t->run->ready) {
		pfsync_input(t, &p, ident);
	}
	return true;
}

static void
input_frame(struct sync_thread *t, struct rte_mbuf *m)
{
	struct fp_box *box = t->box;
	struct fp_l2 l2;

	if (fp_parse_l2(m, &l2) == FP_D_NONE && (l2.ether_type == RTE_ETHER_TYPE_IPV4 || l2.ether_type == RTE_ETHER_TYPE_IPV6)) {
		uint16_t ifid = fp_if_by_frame(t->conf, t->run->port_id, l2.vlan_outer, l2.vlan_inner);

		if (ifid != FP_IFID_NONE && input(t, m, ifid, l2.len)) {
			rte_pktmbuf_free(m);
			return;
		}
	}
	/* everything else on the cable is a worker's business: its addresses are pinged, its neighbours ask */
	fp_priv(m)->flags = FP_HANDED_RAW;
	m->port = t->run->port_id;
	if (rte_ring_mp_enqueue(box->workers[0]->handover, m) != 0)
		rte_pktmbuf_free(m);
}

static unsigned
receive(struct sync_thread *t)
{
	const struct sync_run *run = t->run;
	struct rte_mbuf *m[FP_BURST];
	unsigned total = 0, n;

	if (run->poll)
		for (uint16_t q = 0; q < run->n_rxq; q++) {
			n = rte_eth_rx_burst(run->port_id, q, m, FP_BURST);
			for (unsigned i = 0; i < n; i++)
				input_frame(t, m[i]);
			total += n;
		}
	n = rte_ring_sc_dequeue_burst(t->s->rx, (void **)m, FP_BURST, NULL);
	for (unsigned i = 0; i < n; i++) {
		if (!input(t, m[i], fp_priv(m[i])->ifid, fp_priv(m[i])->l2_len)) /* behind extension headers, for one */
			fp_count(&t->cnt.cnt[SYNC_CNT_hdrops], 1);
		rte_pktmbuf_free(m[i]);
	}
	total += n;
	if (total != 0 && run->ready)
		sync_receive_flush(t);
	return total;
}

void
sync_received(struct fp_worker *w, void *mbuf, uint16_t ifid)
{
	struct sync *s = w->box->sync;

	fp_priv((struct rte_mbuf *)mbuf)->ifid = ifid;
	if (rte_ring_mp_enqueue(s->rx, mbuf) != 0)
		fp_drop(w, mbuf, FP_D_HANDOVER_FULL);
}

/* ---- the loop */
static void
begin(struct sync_thread *t)
{
	t->now_us = fp_box_now_us(t->box);
	t->now_sec = t->now_us / 1000000;
	/* Pairs with the releases in conf.c and pair.c. Borrowed until the quiescent report at the end of the turn. */
	t->conf = __atomic_load_n(&t->box->conf, __ATOMIC_ACQUIRE);
	t->run = sync_run_get(t->s);
}

/* Workers tell by this whether the whole box stood still, or they alone. */
static void
turn_ended(struct fp_box *box)
{
	uint64_t now = rte_rdtsc(), before = box->pair_turn_tsc;
	uint32_t stale = __atomic_load_n(&box->stale_ms, __ATOMIC_RELAXED);

	if (unlikely(stale != 0 && before != 0 && now - before > box->tsc_hz / 1000 * stale))
		__atomic_store_n(&box->pair_back_tsc, now, __ATOMIC_RELAXED);
	__atomic_store_n(&box->pair_turn_tsc, now, __ATOMIC_RELEASE); /* pairs with fp_worker_turn() */
}

unsigned
sync_thread_turn(struct sync *s)
{
	struct sync_thread *t = &s->t;
	unsigned work = 0;
	struct sync_call *call;
	uint32_t ev;

	begin(t);
	/* Pairs with the release in sync_thread_call(). */
	call = __atomic_load_n(&s->call, __ATOMIC_ACQUIRE);
	if (unlikely(call != NULL)) {
		call->fn(t, call->arg);
		__atomic_store_n(&s->call, NULL, __ATOMIC_RELEASE);
	}
	if (t->conf != NULL && t->run != NULL) {
		if (t->run->ready) {
			ev = __atomic_exchange_n(&s->events, 0, __ATOMIC_ACQ_REL);
			for (unsigned i = 0; ev != 0; i++, ev >>= 1)
				if (ev & 1)
					sync_bulk_event(t, i);
		}
		work = receive(t);
		if (t->run->ready) {
			work += sync_receive_turn(t);
			work += sync_bulk_turn(t);
			work += sync_session_turn(t);
		}
		if (s->guest != NULL)
			work += s->guest->turn(s->guest_arg, t);
		if (s->marks && t->now_us - s->twin_us > TWIN_FORGET_US) {
			__atomic_store_n(&s->marks, false, __ATOMIC_RELAXED);
			t->twin = false;
		}
	}
	rte_rcu_qsbr_quiescent(s->box->qs, FP_MAX_WORKERS);
	turn_ended(s->box);
	__atomic_store_n(&s->turn, s->turn + 1, __ATOMIC_RELEASE); /* pairs with wait_for_thread() */
	return work;
}

void
sync_thread_call(struct sync *s, void (*fn)(struct sync_thread *t, void *arg), void *arg)
{
	struct sync_call call = { .fn = fn, .arg = arg };
	struct timespec ts = { .tv_nsec = 10000 };

	if (!s->thread_runs || s->on_main) {
		begin(&s->t);
		fn(&s->t, arg);
		return;
	}
	/* Pairs with the acquire in sync_thread_turn(), and its release with the one here: what fn wrote is seen. */
	__atomic_store_n(&s->call, &call, __ATOMIC_RELEASE);
	while (__atomic_load_n(&s->call, __ATOMIC_ACQUIRE) != NULL)
		nanosleep(&ts, NULL);
}

/* How long it may sleep: no longer than its guest's next deadline. */
static uint32_t
nap_us(const struct sync *s, uint32_t us)
{
	uint64_t now, due;

	if (s->guest == NULL)
		return us;
	due = s->guest->deadline_us(s->guest_arg);
	now = fp_box_now_us(s->box);
	return due <= now ? 0 : RTE_MIN((uint64_t)us, due - now);
}

static void *
thread_main(void *arg)
{
	struct sync *s = arg;
	const struct fp_params *pr = s->box->params;
	struct rte_rcu_qsbr *qs = s->box->qs;
	uint32_t idle = 0;

	prctl(PR_SET_TIMERSLACK, 1000ul);
	rte_thread_register(); /* buffers are faster with an lcore id; without one they are still right */
	rte_rcu_qsbr_thread_register(qs, FP_MAX_WORKERS);
	rte_rcu_qsbr_thread_online(qs, FP_MAX_WORKERS);
	while (!__atomic_load_n(&s->thread_stop, __ATOMIC_RELAXED)) {
		uint32_t polls, us;

		if (sync_thread_turn(s) != 0) {
			idle = 0;
			continue;
		}
		polls = __atomic_load_n(&pr->idle_polls, __ATOMIC_RELAXED);
		us = __atomic_load_n(&pr->idle_sleep_us, __ATOMIC_RELAXED);
		if (s->thread_cpu == UINT_MAX) { /* the core is shared: never spin for long, whatever workers do */
			polls = RTE_MIN(polls != 0 ? polls : 50u, 50u);
			us = us != 0 ? us : 50;
		}
		if (++idle >= polls && polls != 0 && us != 0) {
			struct timespec ts;

			idle = polls;
			us = nap_us(s, us);
			ts = (struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000ul };
			if (us == 0)
				continue;
			rte_rcu_qsbr_thread_offline(qs, FP_MAX_WORKERS);
			nanosleep(&ts, NULL);
			rte_rcu_qsbr_thread_online(qs, FP_MAX_WORKERS);
		}
	}
	rte_rcu_qsbr_thread_offline(qs, FP_MAX_WORKERS);
	rte_rcu_qsbr_thread_unregister(qs, FP_MAX_WORKERS);
	rte_thread_unregister();
	return NULL;
}

/* An EAL lcore that nobody runs on. */
static unsigned
spare_lcore(const struct fp_box *box)
{
	unsigned lcore;

	RTE_LCORE_FOREACH_WORKER(lcore) {
		bool used = false;

		for (unsigned i = 0; i < box->n_workers; i++)
			used |= box->workers[i]->lcore == lcore;
		if (!used && rte_eal_get_lcore_state(lcore) == WAIT)
			return lcore;
	}
	return UINT_MAX;
}

int
sync_thread_start(struct sync *s, struct fp_err *err)
{
	unsigned spare = spare_lcore(s->box);
	rte_cpuset_t set = rte_lcore_cpuset(spare != UINT_MAX ? spare : rte_get_main_lcore());
	int rc;

	if (s->thread_runs)
		return 0;
	s->thread_stop = false;
	s->thread_lcore = spare != UINT_MAX ? spare : rte_get_main_lcore();
	s->thread_cpu = spare;
	if (s->on_main) {
		rte_rcu_qsbr_thread_register(s->box->qs, FP_MAX_WORKERS);
		rte_rcu_qsbr_thread_online(s->box->qs, FP_MAX_WORKERS);
		s->thread_runs = true;
		__atomic_store_n(&s->box->pair_listens, true, __ATOMIC_RELAXED);
		return 0;
	}
	rc = pthread_create(&s->thread, NULL, thread_main, s);
	if (rc != 0)
		return fp_err_set(err, -rc, "pfsync0: its thread does not start: %s", strerror(rc));
	pthread_setname_np(s->thread, "twinpath-sync");
	pthread_setaffinity_np(s->thread, sizeof(set), &set);
	s->thread_runs = true;
	__atomic_store_n(&s->box->pair_listens, true, __ATOMIC_RELAXED);
	return 0;
}

void
sync_thread_stop(struct sync *s)
{
	if (!s->thread_runs)
		return;
	__atomic_store_n(&s->box->pair_listens, false, __ATOMIC_RELAXED);
	s->thread_runs = false;
	if (s->on_main) {
		rte_rcu_qsbr_thread_offline(s->box->qs, FP_MAX_WORKERS);
		rte_rcu_qsbr_thread_unregister(s->box->qs, FP_MAX_WORKERS);
		return;
	}
	__atomic_store_n(&s->thread_stop, true, __ATOMIC_RELAXED);
	pthread_join(s->thread, NULL);
}
