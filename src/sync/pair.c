/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pfsync0: configuration, life, figures. Main lcore.
 *
 * What is configured lies in s->conf. From it, from the interfaces and from the rules in force a struct sync_run is made and
 * published; it is made again whenever one of them changes (sync_poll()). pfsync runs ("enabled") while it is up, has a
 * syncdev that is there, and the box runs; workers then have hooks and slices, and the thread runs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "fastpath/box_priv.h"
#include "fastpath/port_priv.h"
#include "sync/pair.h"

#define POLL_US 10000
#define POOL_MBUFS 4095u	/* and so many more for each worker: what waits for the link, what is held, caches */
#define POOL_PER_WORKER 1024u
#define RX_RING 4096u
#define MTU_MIN 420u		/* one record of FreeBSD 15 over IPv6 */
#define MTU_MAX 9216u
#define LAGGING_US 1000000u
#define LAG_WINDOW_US 10000000u

const char *const sync_health_names[] = { "off", "in_sync", "lagging", "broken" };

RTE_LOG_REGISTER(sync_log, twinpath.sync, NOTICE);
#define LOG(level, ...) rte_log(RTE_LOG_##level, sync_log, "twinpath: pfsync0: " __VA_ARGS__)

struct sync *
sync_of(const struct fp_box *box)
{
	return box->sync;
}

const struct sync_run *
sync_run_get(const struct sync *s)
{
	/* Pairs with the release in publish(). */
	return __atomic_load_n(&s->run, __ATOMIC_ACQUIRE);
}

enum sync_dialect
sync_dialect_get(const struct sync *s)
{
	return __atomic_load_n(&s->dialect, __ATOMIC_RELAXED);
}

static enum sync_dialect
dialect_of(unsigned version)
{
	return version == 1301 ? SYNC_1301 : version == 1400 ? SYNC_1400 : version == 1500 ? SYNC_1500 : SYNC_6;
}

unsigned
sync_version_of(enum sync_dialect d)
{
	return d == SYNC_1301 ? 1301 : d == SYNC_1400 ? 1400 : d == SYNC_1500 ? 1500 : 6;
}

/* ---- what runs */
static void
post(struct sync *s, enum sync_bulk_event ev)
{
	__atomic_fetch_or(&s->events, 1u << ev, __ATOMIC_RELEASE);
}

/* The interface of that name, in the published configuration. */
static const struct fp_ifnet *
ifnet(const struct sync *s, const char *name)
{
	const struct fp_conf *c = s->box->conf;

	for (uint32_t i = 0; name[0] != '\0' && i < c->n_ifs; i++)
		if (c->ifs[i].exists && strcmp(c->ifs[i].name, name) == 0)
			return &c->ifs[i];
	return NULL;
}

static bool
is_linklocal6(const uint8_t *a)
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

/* Source address for that destination; multicast of IPv6 and link-local peers are spoken to from the link-local one. */
bool
sync_run_source(const struct fp_ifnet *ifp, struct sync_run *r)
{
	bool ll = r->af == FP_AF_INET6 && (r->peer[0] == 0xff || is_linklocal6(r->peer));

	for (uint32_t i = 0; i < ifp->n_addrs; i++) {
		const struct fp_ifaddr *a = &ifp->addrs[i];

		if (a->af != r->af || (a->af == FP_AF_INET6 && is_linklocal6(a->addr.b) != ll))
			continue;
		memcpy(r->src, a->addr.b, a->af == FP_AF_INET ? 4 : 16);
		return true;
	}
	return false;
}

static void
destination(const struct sync *s, const struct fp_ifnet *ifp, struct sync_run *r)
{
	static const uint8_t group4[4] = { 224, 0, 0, 240 }, group6[16] = { 0xff, 0x12, [15] = 0xf0 };
	bool has4 = false, has6 = false;

	if (s->conf.peer[0] != '\0') {
		if (inet_pton(AF_INET, s->conf.peer, r->peer) == 1) {
			r->af = FP_AF_INET;
			r->peer_multicast = (r->peer[0] & 0xf0) == 0xe0;
		} else {
			inet_pton(AF_INET6, s->conf.peer, r->peer);
			r->af = FP_AF_INET6;
			if (memcmp(r->peer, &in6addr_any, 16) == 0) /* as FreeBSD reads it */
				memcpy(r->peer, group6, 16);
			r->peer_multicast = r->peer[0] == 0xff;
		}
		return;
	}
	for (uint32_t i = 0; i < ifp->n_addrs; i++) {
		has4 |= ifp->addrs[i].af == FP_AF_INET;
		has6 |= ifp->addrs[i].af == FP_AF_INET6;
	}
	r->peer_multicast = true;
	r->af = has6 && !has4 ? FP_AF_INET6 : FP_AF_INET;
	memcpy(r->peer, r->af == FP_AF_INET ? group4 : group6, r->af == FP_AF_INET ? 4 : 16);
}

static struct sync_run *
make_run(struct sync *s)
{
	const struct fp_ifnet *ifp = ifnet(s, s->conf.syncdev);
	struct sync_run *r = calloc(1, sizeof(*r));
	struct fp_port *p;
	unsigned mtu;

	if (r == NULL)
		return NULL;
	r->thread_txq = FP_TXQ_NONE;
	r->ifid = FP_IFID_NONE;
	r->port_id = 0;
	r->ready = s->t_ready;
	r->version = s->conf.version;
	r->maxupd = s->conf.maxupd;
	r->defer = s->conf.defer;
	if (s->box->conf->ruleset != NULL)
		memcpy(r->checksum, s->box->conf->ruleset->checksum, sizeof(r->checksum));
	for (unsigned i = 0; i < s->conf.n_map; i++) {
		const struct fp_ifnet *here = ifnet(s, s->conf.map[i].here);

		if (here == NULL)
			continue;
		memcpy(r->map[r->n_map].name, s->conf.map[i].of_peer, sizeof(r->map[0].name));
		r->map[r->n_map++].ifid = here->ifid;
	}
	if (ifp == NULL || !s->enabled)
		return r;
	r->ifid = ifp->ifid;
	destination(s, ifp, r);
	sync_run_source(ifp, r);
	mtu = s->conf.mtu != 0 ? RTE_MIN(s->conf.mtu, (unsigned)ifp->mtu) : ifp->mtu;
	if (mtu > MTU_MAX)
		mtu = MTU_MAX;
	if (s->pool != NULL && mtu > s->pool_room)
		mtu = s->pool_room;
	r->payload = mtu - (r->af == FP_AF_INET ? 20 : 40);
	p = fp_port_by_id(s->box, ifp->port_id);
	if (p == NULL || !p->dealt || p->removed)
		return r;
	r->up = true;
	r->port_id = p->port_id;
	r->link = p->link_up && ifp->up;
	r->poll = p->sync;
	r->n_rxq = p->n_rxq;
	if (p->sync && p->n_txq > s->box->n_workers)
		r->thread_txq = s->box->n_workers;
	return r;
}

static void
publish(struct sync *s)
{
	struct sync_run *old = s->run, *r = make_run(s);
	bool was_up = old != NULL && old->up && old->link, up;

	if (r == NULL) {
		LOG(ERR, "no memory for its configuration: the old one stays\n");
		return;
	}
	up = r->up && r->link;
	__atomic_store_n(&s->run, r, __ATOMIC_RELEASE);
	fp_defer(s->box, NULL, old);
	if (up != was_up) {
		post(s, up ? SYNC_BULK_EV_LINK_UP : SYNC_BULK_EV_LINK_DOWN);
		LOG(NOTICE, "link %s\n", up ? "up" : "down");
	}
	s->generation = s->box->conf->generation;
	if (s->conf.version != 0)
		__atomic_store_n(&s->dialect, dialect_of(s->conf.version), __ATOMIC_RELAXED);
}

/* Until the sync thread has seen what was published last: it holds nothing of before. */
static void
wait_for_thread(struct sync *s)
{
	struct timespec ts = { .tv_nsec = 20000 };
	uint32_t turn;

	if (!s->thread_runs || s->on_main)
		return;
	turn = __atomic_load_n(&s->turn, __ATOMIC_ACQUIRE);
	/* The turn under way may have begun before; the next one has not. A second is for ever. */
	for (unsigned i = 0; i < 50000 && __atomic_load_n(&s->turn, __ATOMIC_ACQUIRE) - turn < 2; i++)
		nanosleep(&ts, NULL);
}

void
sync_ports(struct fp_box *box)
{
	struct sync *s = box->sync;

	if (s->enabled) {
		publish(s);
		wait_for_thread(s);
	}
}

static bool
call_enable(struct fp_worker *w, void *arg)
{
	struct sync *s = arg;

	w->slice = s->slices[w->id];
	w->sync_maxupd = s->conf.maxupd;
	w->sync_defer = s->conf.defer;
	w->sync = &sync_hooks;
	return true;
}

static bool
call_disable(struct fp_worker *w, void *arg)
{
	struct sync *s = arg;

	sync_slice_reset(s->slices[w->id]);
	w->sync = NULL;
	w->sync_defer = false;
	w->sync_maxupd = 256;
	return true;
}

/* Positions of before mean nothing now: the peer gets everything by a bulk update. */
struct fresh { uint32_t cursor; };

static void
fresh_record(struct fp_state *st, void *arg)
{
	(void)arg;
	for (int h = 0; h < 2; h++)
		fp_sync_pos_set(st, h, st->hflags[h] & FP_HF_NO_SYNC || st->key.proto == SYNC_IPPROTO ? FP_SYNC_DEAD : FP_SYNC_NONE);
	fp_state_flags_clear(st, FP_SF_DEFERRED);
}

static bool
call_fresh(struct fp_worker *w, void *arg)
{
	struct fresh *f = arg;

	f->cursor = fp_table_walk(w->table, f->cursor, 256, fresh_record, NULL);
	return f->cursor == 0;
}

static int
make_memory(struct sync *s, struct fp_err *err)
{
	struct fp_box *box = s->box;
	const struct fp_ifnet *ifp = ifnet(s, s->conf.syncdev);
	uint16_t priv = RTE_ALIGN(sizeof(struct fp_mbuf_priv), RTE_MBUF_PRIV_ALIGN);
	char name[RTE_MEMPOOL_NAMESIZE];

	if (s->pool == NULL) {
		s->pool_room = ifp != NULL && ifp->mtu + L2_MAX > 2048 ? RTE_MIN(ifp->mtu, MTU_MAX) + L2_MAX : 2048;
		snprintf(name, sizeof(name), "sy%xmb", (unsigned)((uintptr_t)box >> 6));
		s->pool = rte_pktmbuf_pool_create(name, POOL_MBUFS + box->n_workers * POOL_PER_WORKER, 128, priv,
			s->pool_room + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
		if (s->pool == NULL)
			return fp_err_set(err, -ENOMEM, "pfsync0: no memory for its packets: give EAL more (-m MEGABYTES)");
		s->t.pool = s->pool;
	}
	for (unsigned i = 0; i < box->n_workers; i++) {
		if (s->slices[i] == NULL)
			s->slices[i] = sync_slice_create(s, box->workers[i]);
		if (s->slices[i] == NULL)
			return fp_err_set(err, -ENOMEM, "pfsync0: no memory for worker %u", i);
	}
	s->n_slices = box->n_workers;
	if (!s->t_ready) {
		int rc = sync_receive_init(&s->t, err);

		if (rc == 0)
			rc = sync_bulk_init(&s->t);
		if (rc == 0 && sync_session_init(&s->t) != 0)
			rc = -ENOMEM;
		if (rc != 0)
			return fp_err_set(err, rc, "pfsync0: no memory for the receiver");
		s->t_ready = true;
	}
	return 0;
}

static void
enable(struct sync *s)
{
	struct fp_box *box = s->box;
	struct fp_err err = { "" };

	if (make_memory(s, &err) != 0 || sync_thread_start(s, &err) != 0) {
		LOG(ERR, "%s\n", err.text);
		s->failed = true;
		snprintf(s->why, sizeof(s->why), "%s", err.text);
		return;
	}
	s->enabled = true;
	for (unsigned i = 0; i < box->n_workers; i++) {
		struct fresh f = { 0 };

		fp_worker_call(box, box->workers[i], call_fresh, &f);
		fp_worker_call(box, box->workers[i], call_enable, s);
	}
	post(s, SYNC_BULK_EV_UP);
	publish(s);
}

static void
disable(struct sync *s)
{
	struct fp_box *box = s->box;

	s->enabled = false;
	publish(s);
	post(s, SYNC_BULK_EV_DOWN);
	for (unsigned i = 0; i < box->n_workers; i++)
		fp_worker_call(box, box->workers[i], call_disable, s);
	wait_for_thread(s);
}

void
sync_guest_set(struct sync *s, const struct sync_guest *g, void *arg)
{
	if (g == NULL && !s->enabled)
		sync_thread_stop(s);
	wait_for_thread(s);
	s->guest_arg = arg;
	s->guest = g;
	wait_for_thread(s);
}

void
sync_stopping(struct fp_box *box)
{
	struct sync *s = box->sync;

	if (s->guest != NULL)
		s->guest->stopping(s->guest_arg);
}

/* The thread lives for pfsync, which starts it itself, and for its guest. */
static void
settle_thread(struct sync *s)
{
	bool want = s->enabled || (s->guest != NULL && s->box->running && s->guest->wanted(s->guest_arg));
	struct fp_err err = { "" };

	if (want && !s->thread_runs && sync_thread_start(s, &err) != 0)
		LOG(ERR, "%s\n", err.text);
	else if (!want)
		sync_thread_stop(s);
}

/* The port of the cable is polled by the sync thread alone, if it carries nothing else. */
static void
claim_port(struct sync *s)
{
	const struct fp_ifnet *ifp = ifnet(s, s->conf.syncdev);

	for (struct fp_port *p = s->box->ports; p != NULL; p = p->next) {
		bool want = s->conf.up && ifp != NULL && ifp->port_id == p->port_id && ifp->vlan_outer == 0 && ifp->vlan_inner == 0 &&
			ifp->bridge_peer == FP_IFID_NONE && s->box->params->sync_shared != 1;

		if (want == p->sync)
			continue;
		p->sync = want;
		if (s->box->running) {
			if (s->enabled)
				publish(s);
			wait_for_thread(s);
			fp_port_deal_all(s->box);
		}
	}
}

/* Make what runs fit what is configured. */
static void
settle(struct sync *s)
{
	bool want = s->conf.up && s->box->running && !s->failed && ifnet(s, s->conf.syncdev) != NULL;

	if (want && !s->enabled) {
		claim_port(s);
		enable(s);
	} else if (!want && s->enabled) {
		disable(s);
		claim_port(s);
	} else if (!want) {
		claim_port(s);
	}
	settle_thread(s);
}

static void
remember_lag(struct sync *s, uint64_t now)
{
	if (now - s->lag_then_us < LAG_WINDOW_US)
		return;
	s->lag_then_us = now;
	s->lag_then[1] = s->lag_then[0];
	for (unsigned k = 0; k < SYNC_HIST_SIZE; k++)
		s->lag_then[0].n[k] = __atomic_load_n(&s->t.lag.n[k], __ATOMIC_RELAXED);
}

void
sync_poll(struct fp_box *box)
{
	struct sync *s = box->sync;
	uint64_t now = fp_box_now_us(box);
	const struct fp_ifnet *ifp;
	struct rte_mbuf *m[32];
	struct fp_port *p;
	unsigned n;

	if (s->on_main && s->thread_runs)
		sync_thread_turn(s);
	if (s->guest != NULL)
		s->guest->poll(s->guest_arg);
	sync_warm_poll(s);
	n = rte_ring_sc_dequeue_burst(s->unresolved, (void **)m, 32, NULL);
	for (unsigned i = 0; i < n; i++) {
		fp_priv(m[i])->kind = FP_PUNT_NEIGH_MISS;
		fp_neigh_punted(box, m[i]);
	}
	if (now - s->last_poll_us < POLL_US)
		return;
	s->last_poll_us = now;
	settle(s);
	sync_watch_poll(s);
	if (!s->enabled)
		return;
	remember_lag(s, now);
	ifp = ifnet(s, s->conf.syncdev);
	p = ifp != NULL ? fp_port_by_id(box, ifp->port_id) : NULL;
	if (box->conf->generation != s->generation || (p != NULL && (p->link_up && ifp->up) != s->run->link))
		publish(s);
}

/* After a setting changed. */
static void
changed(struct sync *s)
{
	s->failed = false;
	s->why[0] = '\0';
	settle(s);
	if (!s->enabled)
		return;
	for (unsigned i = 0; i < s->box->n_workers; i++)
		fp_worker_call(s->box, s->box->workers[i], call_enable, s);
	publish(s);
}

void
sync_cleared(struct fp_box *box, const char *ifname)
{
	struct sync *s = box->sync;
	struct sync_packet pk;
	struct sync_clr clr = { .creatorid = box->hostid };

	if (!s->enabled || !s->run->up || !s->run->link)
		return;
	if (ifname != NULL) {
		const struct fp_ifnet *ifp = ifnet(s, ifname);
		const char *mapped = ifp != NULL ? sync_run_ifname(s->run, ifp->ifid) : NULL;

		if (mapped != NULL)
			ifname = mapped;
		memcpy(clr.ifname, ifname, strnlen(ifname, sizeof(clr.ifname) - 1));
	}
	if (!sync_packet_begin(&pk, s, s->run, s->pool, sync_dialect_get(s))) {
		fp_count(&s->main_cnt.cnt[SYNC_CNT_onomem], 1);
		return;
	}
	sync_out_clr(&pk.out, &clr);
	if (!sync_packet_finish(&pk, s, s->run, SYNC_SLICE_MAIN, s->main_seq++))
		return;
	fp_count(&s->main_cnt.sent[SYNC_CLR], 1);
	fp_count(&s->main_cnt.sent_packets, 1);
	fp_count(&s->main_cnt.sent_bytes, pk.m->pkt_len);
	fp_count(&s->main_cnt.cnt[s->run->af == FP_AF_INET ? SYNC_CNT_opackets : SYNC_CNT_opackets6], 1);
	switch (sync_packet_l2(s, s->run, box->conf, pk.m)) {
	case 1:
		fp_main_tx(box, pk.m);
		break;
	case 0:
		fp_priv(pk.m)->kind = FP_PUNT_NEIGH_MISS;
		fp_neigh_punted(box, pk.m);
		break;
	default:
		fp_count(&s->main_cnt.cnt[SYNC_CNT_oerrors], 1);
	}
}

/* ---- life */
struct sync *
sync_create(struct fp_box *box, struct fp_err *err)
{
	struct sync *s = rte_zmalloc("sync", sizeof(*s), RTE_CACHE_LINE_SIZE);
	char name[RTE_RING_NAMESIZE];

	if (s == NULL)
		goto nomem;
	s->box = box;
	s->conf.maxupd = 128;
	s->dialect = SYNC_6;
	s->t.s = s;
	s->t.box = box;
	s->t.seq = (uint32_t)rte_rand();
	s->main_seq = (uint32_t)rte_rand();
	snprintf(name, sizeof(name), "sy%xrx", (unsigned)((uintptr_t)box >> 6));
	s->rx = rte_ring_create(name, RX_RING, SOCKET_ID_ANY, RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "sy%xun", (unsigned)((uintptr_t)box >> 6));
	s->unresolved = rte_ring_create(name, 256, SOCKET_ID_ANY, RING_F_SC_DEQ);
	if (s->rx == NULL || s->unresolved == NULL || sync_warm_init(s) != 0)
		goto nomem;
	s->run = calloc(1, sizeof(*s->run));
	if (s->run == NULL)
		goto nomem;
	box->sync = s;
	box->sync_hooks = &sync_hooks;
	return s;

nomem:
	fp_err_set(err, -ENOMEM, "no memory for pfsync0");
	sync_destroy(s);
	return NULL;
}

static void
free_ring(struct rte_ring *r)
{
	void *m;

	while (r != NULL && rte_ring_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(r);
}

void
sync_destroy(struct sync *s)
{
	if (s == NULL)
		return;
	if (s->enabled)
		disable(s);
	sync_thread_stop(s);
	if (s->box->sync == s) {
		s->box->sync_hooks = NULL;
		s->box->sync = NULL;
	}
	sync_watch_fini(s);
	if (s->t_ready) {
		sync_session_fini(&s->t);
		sync_bulk_fini(&s->t);
		sync_receive_fini(&s->t);
	}
	for (unsigned i = 0; i < FP_MAX_WORKERS; i++)
		sync_slice_destroy(s->slices[i]);
	free_ring(s->rx);
	free_ring(s->unresolved);
	sync_warm_fini(s);
	/* its packets may still stand in transmit rings of ports: the pool goes when those are closed */
	if (s->pool != NULL)
		fp_box_adopt_pool(s->box, s->pool);
	free(s->run);
	rte_free(s);
}

void
sync_no_thread(struct sync *s)
{
	s->on_main = true;
}

/* ---- settings */
int
sync_syncdev(struct sync *s, const char *ifname, struct fp_err *err)
{
	if (ifname != NULL && ifnet(s, ifname) == NULL)
		return fp_err_set(err, -ENODEV, "pfsync0: there is no interface \"%s\"", ifname);
	if (ifname != NULL && strcmp(s->conf.syncdev, ifname) == 0)
		return 0;
	if (s->enabled) {
		disable(s);
		s->conf.syncdev[0] = '\0';
		claim_port(s);
	}
	snprintf(s->conf.syncdev, sizeof(s->conf.syncdev), "%s", ifname != NULL ? ifname : "");
	if (!s->box->running)
		claim_port(s);
	changed(s);
	return 0;
}

int
sync_peer(struct sync *s, const char *addr, struct fp_err *err)
{
	uint8_t b[16];

	if (addr != NULL && inet_pton(AF_INET, addr, b) != 1 && inet_pton(AF_INET6, addr, b) != 1)
		return fp_err_set(err, -EINVAL, "pfsync0: syncpeer \"%s\" is no IPv4 or IPv6 address", addr);
	if (addr != NULL && strlen(addr) >= sizeof(s->conf.peer))
		return fp_err_set(err, -EINVAL, "pfsync0: syncpeer \"%s\" is too long", addr);
	snprintf(s->conf.peer, sizeof(s->conf.peer), "%s", addr != NULL ? addr : "");
	changed(s);
	return 0;
}

int
sync_up(struct sync *s, bool up, struct fp_err *err)
{
	(void)err;
	s->conf.up = up;
	if (!s->box->running)
		claim_port(s);
	changed(s);
	return 0;
}

int
sync_defer(struct sync *s, bool on, struct fp_err *err)
{
	(void)err;
	s->conf.defer = on;
	changed(s);
	return 0;
}

int
sync_maxupd(struct sync *s, unsigned n, struct fp_err *err)
{
	if (n > 255)
		return fp_err_set(err, -ERANGE, "pfsync0: maxupd %u: 0 to 255", n);
	s->conf.maxupd = n;
	changed(s);
	return 0;
}

int
sync_version(struct sync *s, unsigned version, struct fp_err *err)
{
	if (version != 0 && version != 6 && version != 1301 && version != 1400 && version != 1500)
		return fp_err_set(err, -EINVAL, "pfsync0: version %u: 6 (OpenBSD), 1301, 1400 or 1500 (FreeBSD), or 0: as the peer "
			"speaks", version);
	s->conf.version = version;
	changed(s);
	return 0;
}

int
sync_mtu(struct sync *s, unsigned mtu, struct fp_err *err)
{
	if (mtu != 0 && (mtu < MTU_MIN || mtu > MTU_MAX))
		return fp_err_set(err, -ERANGE, "pfsync0: mtu %u: %u to %u", mtu, MTU_MIN, MTU_MAX);
	s->conf.mtu = mtu;
	changed(s);
	return 0;
}

int
sync_map_if(struct sync *s, const char *of_peer, const char *here, struct fp_err *err)
{
	unsigned i;

	if (strlen(of_peer) >= FP_NAME_SIZE || of_peer[0] == '\0')
		return fp_err_set(err, -EINVAL, "\"%s\" is no name of an interface", of_peer);
	if (here != NULL && strlen(here) >= FP_NAME_SIZE)
		return fp_err_set(err, -EINVAL, "\"%s\" is no name of an interface", here);
	for (i = 0; i < s->conf.n_map && strcmp(s->conf.map[i].of_peer, of_peer) != 0; i++)
		;
	if (here == NULL) {
		if (i == s->conf.n_map)
			return fp_err_set(err, -ENOENT, "the peer's interface \"%s\" is not mapped", of_peer);
		s->conf.map[i] = s->conf.map[--s->conf.n_map];
	} else {
		if (i == RTE_DIM(s->conf.map))
			return fp_err_set(err, -ENOSPC, "no more than %zu interfaces of the peer can be mapped", RTE_DIM(s->conf.map));
		snprintf(s->conf.map[i].of_peer, FP_NAME_SIZE, "%s", of_peer);
		snprintf(s->conf.map[i].here, FP_NAME_SIZE, "%s", here);
		s->conf.n_map += i == s->conf.n_map;
	}
	changed(s);
	return 0;
}

void
sync_conf_get(const struct sync *s, struct sync_conf *c)
{
	*c = s->conf;
}

int
sync_bulk(struct sync *s, struct fp_err *err)
{
	if (!s->enabled)
		return fp_err_set(err, -ENETDOWN, "pfsync0 is %s", !s->conf.up ? "down" : s->conf.syncdev[0] == '\0' ?
			"without syncdev: ifconfig pfsync0 syncdev IF" : s->failed ? s->why : "not running: the box is stopped");
	if (!s->run->up || !s->run->link)
		return fp_err_set(err, -ENETDOWN, "pfsync0: no link on %s", s->conf.syncdev);
	post(s, SYNC_BULK_EV_ASKED_BY_USER);
	return 0;
}

int
sync_level(struct sync *s, struct fp_err *err)
{
	if (!s->enabled || !s->run->up || !s->run->link)
		return fp_err_set(err, -ENETDOWN, "pfsync0: no peer to bring level: %s", !s->conf.up ? "it is down" :
			!s->enabled ? "it does not run" : "no link");
	__atomic_store_n(&s->level_want, s->level_want + 1 != 0 ? s->level_want + 1 : 1, __ATOMIC_RELEASE);
	return 0;
}

int
sync_level_done(struct sync *s)
{
	if (!__atomic_load_n(&s->marks, __ATOMIC_RELAXED))
		return -ENOTSUP;
	return __atomic_load_n(&s->level_got, __ATOMIC_ACQUIRE) == s->level_want;
}

/* ---- figures */
#define N_COUNTS (sizeof(struct sync_counts) / sizeof(uint64_t))
_Static_assert(sizeof(struct sync_counts) % sizeof(uint64_t) == 0, "counters only");

static void
add_counts(uint64_t *sum, const struct sync_counts *c)
{
	const uint64_t *v = (const uint64_t *)c;

	for (unsigned i = 0; i < N_COUNTS; i++)
		sum[i] += __atomic_load_n(&v[i], __ATOMIC_RELAXED);
}

static void
sum_counts(const struct sync *s, struct sync_counts *c)
{
	memset(c, 0, sizeof(*c));
	add_counts((uint64_t *)c, &s->t.cnt);
	add_counts((uint64_t *)c, &s->main_cnt);
	for (unsigned i = 0; i < s->n_slices; i++)
		add_counts((uint64_t *)c, &s->slices[i]->cnt);
}

void
sync_clear(struct sync *s)
{
	uint64_t dirty, now;
	struct sync_counts c;

	sum_counts(s, &c);
	dirty = c.dirty;
	now = c.defer_now;
	s->base = c;
	s->base.dirty = 0;		/* these two say how many there are, not how many there were */
	s->base.defer_now = 0;
	(void)dirty;
	(void)now;
}

/* The 99th percentile of the last 10 to 20 s, microseconds; NaN: nothing came. */
static double
recent_lag_p99_us(const struct sync *s)
{
	struct sync_hist d = { .count = 0 }, *h = &d;

	for (unsigned k = 0; k < SYNC_HIST_SIZE; k++)
		d.n[k] = __atomic_load_n(&s->t.lag.n[k], __ATOMIC_RELAXED) - s->lag_then[1].n[k];
	return sync_hist_quantile_us(&h, 1, 0.99);
}

static void
judge(struct sync *s, struct sync_info *o)
{
	double lag_us = recent_lag_p99_us(s);

	/* A twin shows that it lives every heartbeat; ten that are missing, and no less than a second, are no accident. */
	uint64_t beat_us = s->box->params->sync_heartbeat_ms * 1000ull;
	/* ... also when it is long since, unless a BSD box took its place */
	uint64_t twin_us = __atomic_load_n(&s->twin_us, __ATOMIC_RELAXED);
	bool was_twin = twin_us != 0 && fp_box_now_us(s->box) - twin_us <= o->heard_us + beat_us;
	uint64_t silent_us = beat_us == 0 ? UINT64_MAX : RTE_MAX(beat_us * 10, 1000000u);

	if (!s->conf.up) {
		o->health = SYNC_HEALTH_OFF;
		snprintf(o->reason, sizeof(o->reason), "pfsync0 is down");
	} else if (!s->enabled) {
		o->health = s->failed ? SYNC_HEALTH_BROKEN : SYNC_HEALTH_OFF;
		snprintf(o->reason, sizeof(o->reason), "%s", s->failed ? s->why : s->conf.syncdev[0] == '\0' ? "no syncdev" :
			!s->box->running ? "the box is stopped" : "syncdev is not there");
	} else if (!o->link) {
		o->health = SYNC_HEALTH_BROKEN;
		snprintf(o->reason, sizeof(o->reason), "no link on %s", s->conf.syncdev);
	} else if (o->heard_us == UINT64_MAX) {
		o->health = SYNC_HEALTH_BROKEN;
		snprintf(o->reason, sizeof(o->reason), "no peer was heard yet");
	} else if ((o->twin || was_twin) && o->version == 6 && o->heard_us > silent_us) {
		o->health = SYNC_HEALTH_BROKEN;
		snprintf(o->reason, sizeof(o->reason), "%s has been silent for %.0f s", o->heard, o->heard_us / 1e6);
	} else if (strcmp(o->bulk.state, "start") == 0 || strcmp(o->bulk.state, "sent") == 0 ||
	    strcmp(o->bulk.state, "receiving") == 0) {
		o->health = SYNC_HEALTH_LAGGING;
		snprintf(o->reason, sizeof(o->reason), "bulk update is under way");
	} else if (o->dirty != 0) {
		o->health = SYNC_HEALTH_LAGGING;
		snprintf(o->reason, sizeof(o->reason), "%llu states wait for the link", (unsigned long long)o->dirty);
	} else if (!isnan(lag_us) && lag_us > LAGGING_US) {
		o->health = SYNC_HEALTH_LAGGING;
		snprintf(o->reason, sizeof(o->reason), "changes take %.1f s to arrive", lag_us / 1e6);
	} else if (strcmp(o->bulk.state, "failed") == 0) {
		o->health = SYNC_HEALTH_LAGGING;
		snprintf(o->reason, sizeof(o->reason), "the last bulk update failed: %s", o->bulk.reason);
	} else {
		o->health = SYNC_HEALTH_IN_SYNC;
	}
}

/* The address that the sync thread heard last, which it may change meanwhile: rarely, so that this ends. */
static void
heard_from(const struct sync_thread *t, char *name, size_t size)
{
	uint64_t addr[2];
	uint32_t seq;
	uint8_t af;

	do {
		seq = fp_load_acq(&t->heard_seq);
		af = fp_load_acq(&t->heard_af);
		addr[0] = fp_load_acq(&t->heard[0]);
		addr[1] = fp_load_acq(&t->heard[1]);
	} while ((seq & 1) != 0 || fp_load(&t->heard_seq) != seq);
	inet_ntop(af == FP_AF_INET ? AF_INET : AF_INET6, addr, name, size);
}

void
sync_info_get(struct sync *s, struct sync_info *o)
{
	const struct sync_run *r = s->run;
	struct sync_hist *h[FP_MAX_WORKERS];
	struct sync_counts c;
	uint64_t heard, now = fp_box_now_us(s->box);

	memset(o, 0, sizeof(*o));
	sum_counts(s, &c);
	for (unsigned i = 0; i < N_COUNTS; i++)
		((uint64_t *)&c)[i] -= ((const uint64_t *)&s->base)[i];
	memcpy(o->sent, c.sent, sizeof(o->sent));
	memcpy(o->received, c.received, sizeof(o->received));
	memcpy(o->counters, c.cnt, sizeof(o->counters));
#define COPY(f) o->f = c.f
	COPY(sent_packets);
	COPY(sent_bytes);
	COPY(received_packets);
	COPY(received_bytes);
	COPY(inserted);
	COPY(updated);
	COPY(deleted);
	COPY(cleared);
	COPY(collisions);
	COPY(table_full);
	COPY(unsupported);
	COPY(unknown_if);
	COPY(inbox_full);
	COPY(requests_suppressed);
	COPY(annihilated);
	COPY(collapsed);
	COPY(corrections);
	COPY(rule_bound);
	COPY(rule_default);
	COPY(dirty);
	COPY(dirty_total);
	COPY(tx_retries);
	COPY(deletes_lost);
	COPY(lost);
	COPY(repaired);
	COPY(reordered);
#undef COPY
	o->defer.held = c.defer_held;
	o->defer.acked = c.defer_acked;
	o->defer.timed_out = c.defer_timed_out;
	o->defer.overflowed = c.defer_overflowed;
	o->defer.now = c.defer_now;
	for (unsigned i = 0; i < s->n_slices; i++)
		h[i] = &s->slices[i]->defer_hist;
	o->defer.p50_us = sync_hist_quantile_us(h, s->n_slices, 0.5);
	o->defer.p99_us = sync_hist_quantile_us(h, s->n_slices, 0.99);
	h[0] = &s->t.lag;
	o->lag_p50_us = sync_hist_quantile_us(h, 1, 0.5);
	o->lag_p99_us = sync_hist_quantile_us(h, 1, 0.99);
	o->lag_same_clock = __atomic_load_n(&s->t.lag.count, __ATOMIC_RELAXED) != 0;
	o->lag_max_us = o->lag_same_clock ? __atomic_load_n(&s->t.lag.max_ns, __ATOMIC_RELAXED) / 1e3 : NAN;

	o->link = r->link;
	if (r->up)
		inet_ntop(r->af == FP_AF_INET ? AF_INET : AF_INET6, r->peer, o->peer, sizeof(o->peer));
	heard = __atomic_load_n(&s->t.heard_us, __ATOMIC_RELAXED);
	o->heard_us = heard == 0 ? UINT64_MAX : now > heard ? now - heard : 0;
	if (heard != 0)
		heard_from(&s->t, o->heard, sizeof(o->heard));
	o->version = sync_version_of(sync_dialect_get(s));
	o->version_fixed = s->conf.version != 0;
	o->twin = __atomic_load_n(&s->marks, __ATOMIC_RELAXED);
	if (!s->thread_runs)
		snprintf(o->thread, sizeof(o->thread), "not running");
	else if (s->thread_cpu != UINT_MAX)
		snprintf(o->thread, sizeof(o->thread), "lcore %u, its own", s->thread_lcore);
	else
		snprintf(o->thread, sizeof(o->thread), "beside the main lcore %u", s->thread_lcore);
	o->tx_queues = 0;
	if (r->up) {
		const struct fp_port *p = fp_port_by_id(s->box, r->port_id);

		o->tx_queues = p != NULL && p->n_txq >= s->box->n_workers ? p->n_txq : 0;
	}
	snprintf(o->bulk.state, sizeof(o->bulk.state), "none");
	o->bulk.took_sec = o->bulk.eta_sec = o->bulk.progress = -1;
	if (s->t_ready)
		sync_bulk_info(&s->t, o);
	o->bulk.sent = c.bulk_sent;
	judge(s, o);
}

unsigned
sync_demote(struct sync *s)
{
	struct sync_info *i = &s->demote_info;

	if (!s->enabled || !s->t_ready)
		return 0;
	i->demote = 0;
	sync_bulk_info(&s->t, i);
	return i->demote;
}

/* ---- histogram: 8 steps an octave of 1/8 us */
static unsigned
hist_slot(uint64_t ns)
{
	uint64_t v = ns / 125;
	unsigned log, slot;

	if (v < 8)
		return (unsigned)v;
	log = 63 - (unsigned)__builtin_clzll(v);
	slot = (log - 2) * 8 + (unsigned)(v >> (log - 3) & 7);
	return RTE_MIN(slot, (unsigned)SYNC_HIST_SIZE - 1);
}

static double
slot_us(unsigned slot)
{
	unsigned log;

	if (slot < 8)
		return (slot + 0.5) / 8;
	log = slot / 8 + 2;
	return ((8 + slot % 8) + 0.5) * (double)(1ull << (log - 3)) / 8;
}

void
sync_hist_add(struct sync_hist *h, uint64_t ns)
{
	fp_count(&h->n[hist_slot(ns)], 1);
	fp_count(&h->count, 1);
	if (ns > h->max_ns)
		__atomic_store_n(&h->max_ns, ns, __ATOMIC_RELAXED);
}

double
sync_hist_quantile_us(struct sync_hist *const *h, unsigned n, double q)
{
	uint64_t total = 0, seen = 0, want;

	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < SYNC_HIST_SIZE; k++)
			total += __atomic_load_n(&h[i]->n[k], __ATOMIC_RELAXED);
	if (total == 0)
		return NAN;
	want = (uint64_t)ceil(q * (double)total);
	for (unsigned k = 0; k < SYNC_HIST_SIZE; k++) {
		for (unsigned i = 0; i < n; i++)
			seen += __atomic_load_n(&h[i]->n[k], __ATOMIC_RELAXED);
		if (seen >= want)
			return slot_us(k);
	}
	return slot_us(SYNC_HIST_SIZE - 1);
}
