/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A box: life cycle, memory, grace periods, and the main lcore's turn.
 *
 * Order of life: create (parameters, RCU, interfaces, rules) -> ports are attached, configuration is read -> start (the
 * first one makes workers, tables and buffers; sizes are fixed then) -> stop (workers leave, states stay) -> start ...
 * -> destroy: workers are gone, so all that waits for a grace period is freed, then ports, workers, pools.
 *
 * Memory: a worker, its table, rings and buffers come from the NUMA node of its lcore; receive queues of a port take
 * buffers of the port's node.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_launch.h>
#include <rte_log.h>
#include <rte_malloc.h>

#include "box_priv.h"
#include "burst.h"
#include "events.h"
#include "rules.h"

RTE_LOG_REGISTER(fp_log_box, twinpath.box, NOTICE);
#define LOG(level, ...) rte_log(RTE_LOG_##level, fp_log_box, "twinpath: " __VA_ARGS__)

#define POOL_CACHE 256u
#define PORTS_TO_COME 2		/* room in the shared pools for ports that are attached while the box runs */
#define FRAG_MBUFS_MAX 8192u	/* buffers set aside for fragments; more come out of the same pool while there are some */

#define WATCH_US 250000
#define SAMPLE_US 1000000
#define TIMERS_US 10000
#define RECLAIM_MAX 64		/* deferred frees in one turn */

void
fp_random_bytes(void *p, size_t n)
{
	uint8_t *b = p;

	while (n > 0) {
		ssize_t got = getrandom(b, n, 0);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			rte_panic("twinpath: the kernel gives no random numbers: %s\n", strerror(errno));
		}
		b += got;
		n -= got;
	}
}

uint64_t
fp_box_now_us(const struct fp_box *box)
{
	return fp_tsc_us(box, rte_rdtsc());
}

bool
fp_box_running(const struct fp_box *box)
{
	return box->running;
}

bool
fp_box_worker_on_main(const struct fp_box *box)
{
	return box->running && box->workers[0]->ctl->on_main;
}

/* ---- grace periods */

static bool
dq_push(struct fp_box_priv *pv, const struct fp_deferred *d)
{
	if (pv->dq_len == pv->dq_cap) {
		uint32_t cap = RTE_MAX(pv->dq_cap * 2, 64u);
		struct fp_deferred *v = malloc(cap * sizeof(*v));

		if (v == NULL)
			return false;
		for (uint32_t i = 0; i < pv->dq_len; i++)
			v[i] = pv->dq[(pv->dq_head + i) % pv->dq_cap];
		free(pv->dq);
		pv->dq = v;
		pv->dq_cap = cap;
		pv->dq_head = 0;
	}
	pv->dq[(pv->dq_head + pv->dq_len++) % pv->dq_cap] = *d;
	return true;
}

void
fp_defer(struct fp_box *box, void (*fn)(void *), void *p)
{
	struct fp_deferred d = { .fn = fn != NULL ? fn : free, .p = p };

	if (p == NULL)
		return;
	d.token = rte_rcu_qsbr_start(box->qs);
	if (dq_push(box->priv, &d))
		return;
	/* No memory for the queue: wait here. A worker on this very lcore holds nothing now. */
	if (box->running && box->workers[0]->ctl->on_main)
		rte_rcu_qsbr_quiescent(box->qs, 0);
	rte_rcu_qsbr_check(box->qs, d.token, true);
	d.fn(d.p);
}

/* Free what no reader can hold any more; force: there are no readers left. */
static unsigned
dq_reclaim(struct fp_box *box, unsigned max, bool force)
{
	struct fp_box_priv *pv = box->priv;
	unsigned n = 0;

	while (pv->dq_len > 0 && n < max) {
		struct fp_deferred d = pv->dq[pv->dq_head];

		if (!force && rte_rcu_qsbr_check(box->qs, d.token, false) != 1)
			break;
		pv->dq_head = (pv->dq_head + 1) % pv->dq_cap;
		pv->dq_len--;
		d.fn(d.p);
		n++;
	}
	return n;
}

/* ---- buffers */

uint32_t
fp_port_mbuf_need(const struct fp_box *box, unsigned n_rxq, unsigned n_rxd, unsigned n_txq, unsigned n_txd)
{
	return n_rxq * n_rxd + n_txq * n_txd + box->n_workers * FP_TXBUF;
}

static struct rte_mempool *
make_pool(struct fp_box *box, const char *what, int socket, uint32_t n, uint16_t room)
{
	uint16_t priv = RTE_ALIGN(sizeof(struct fp_mbuf_priv), RTE_MBUF_PRIV_ALIGN);
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mempool *mp;

	snprintf(name, sizeof(name), "fp%x%s%u", (unsigned)((uintptr_t)box >> 6), what, box->priv->pool_seq++);
	mp = rte_pktmbuf_pool_create(name, n, RTE_MIN(POOL_CACHE, n / 4), priv, room, socket);
	if (mp == NULL) /* a node without memory of its own */
		mp = rte_pktmbuf_pool_create(name, n, RTE_MIN(POOL_CACHE, n / 4), priv, room, SOCKET_ID_ANY);
	return mp;
}

static uint32_t
auto_mbufs(const struct fp_box *box)
{
	const struct fp_params *pr = box->params;
	uint32_t n_ports = PORTS_TO_COME, ring = rte_align32pow2(pr->ring_size), n;

	for (const struct fp_port *p = box->ports; p != NULL; p = p->next)
		n_ports++;
	/* Each port as if it had a queue for each worker. */
	n = n_ports * fp_port_mbuf_need(box, box->n_workers, pr->rxd, box->n_workers, pr->txd);
	/* Caches, bursts in hand, and the rings that a flood can fill. */
	n += box->n_workers * (POOL_CACHE * 2 + 2 * FP_BURST + ring * (box->n_workers > 1 ? 3 : 2));
	return n + RTE_MIN(pol_limit_defaults[POL_LIMIT_FRAGS], FRAG_MBUFS_MAX);
}

static int
make_pools(struct fp_box *box, struct fp_err *err)
{
	const struct fp_params *pr = box->params;
	uint32_t n = pr->mbufs != 0 ? pr->mbufs : auto_mbufs(box), room = pr->mbuf_size != 0 ? pr->mbuf_size : 2048;
	bool wanted[RTE_MAX_NUMA_NODES] = { false };

	for (const struct fp_port *p = box->ports; p != NULL; p = p->next)
		if (p->socket >= 0 && p->socket < RTE_MAX_NUMA_NODES && rte_eal_has_hugepages())
			wanted[p->socket] = true;
	wanted[rte_lcore_to_socket_id(rte_get_main_lcore())] = true;
	for (unsigned i = 0; i < box->n_workers; i++)
		wanted[rte_lcore_to_socket_id(box->priv->lcores[i])] = true;
	box->priv->mbuf_room = RTE_MIN(room, (uint32_t)UINT16_MAX - RTE_PKTMBUF_HEADROOM);
	for (unsigned s = 0; s < RTE_MAX_NUMA_NODES; s++) {
		if (!wanted[s])
			continue;
		box->pool[s] = make_pool(box, "mb", s, n, box->priv->mbuf_room + RTE_PKTMBUF_HEADROOM);
		if (box->pool[s] == NULL)
			return fp_err_set(err, -ENOMEM, "no memory for %u packet buffers of %u bytes on node %u: %s; give EAL more "
				"(-m MEGABYTES or hugepages) or lower `set mbufs`", n, box->priv->mbuf_room, s,
				rte_strerror(rte_errno));
		box->pool_indirect[s] = make_pool(box, "in", s, box->n_workers * 2048 + 2048, 0);
		if (box->pool_indirect[s] == NULL)
			return fp_err_set(err, -ENOMEM, "no memory for indirect packet buffers on node %u", s);
		box->priv->pool_size[s] = n;
		/* What is not for ports. */
		box->priv->mbufs_promised[s] = RTE_MIN(n / 2, box->n_workers * (POOL_CACHE * 2 + 2 * FP_BURST));
	}
	return 0;
}

static void
free_pools(struct fp_box *box)
{
	for (unsigned s = 0; s < RTE_MAX_NUMA_NODES; s++) {
		rte_mempool_free(box->pool[s]);
		rte_mempool_free(box->pool_indirect[s]);
		box->pool[s] = box->pool_indirect[s] = NULL;
		box->priv->mbufs_promised[s] = box->priv->pool_size[s] = 0;
	}
	for (unsigned i = 0; i < box->priv->n_extra; i++)
		rte_mempool_free(box->priv->extra[i].pool);
	free(box->priv->extra);
	box->priv->extra = NULL;
	box->priv->n_extra = 0;
}

struct rte_mempool *
fp_box_rx_pool(struct fp_box *box, int socket, uint32_t n, uint32_t room)
{
	struct fp_box_priv *pv = box->priv;
	uint32_t size = n * 2 + box->n_workers * POOL_CACHE * 2, data = RTE_MAX(room, pv->mbuf_room) + RTE_PKTMBUF_HEADROOM;
	struct rte_mempool *mp;
	struct fp_extra_pool *v;

	if (socket < 0 || socket >= RTE_MAX_NUMA_NODES || box->pool[socket] == NULL)
		for (socket = 0; socket < RTE_MAX_NUMA_NODES - 1 && box->pool[socket] == NULL; socket++)
			;
	if (room <= pv->mbuf_room && (box->params->mbufs != 0 || pv->mbufs_promised[socket] + n <= pv->pool_size[socket])) {
		pv->mbufs_promised[socket] += n;
		return box->pool[socket];
	}
	/* The shared pool is given away, or its buffers are too small: this port gets a pool of its own. */
	for (unsigned i = 0; i < pv->n_extra; i++) {
		v = &pv->extra[i];
		if (!v->taken && v->size >= size && v->socket == socket && rte_pktmbuf_data_room_size(v->pool) >= data) {
			v->taken = true;
			return v->pool;
		}
	}
	v = realloc(pv->extra, (pv->n_extra + 1) * sizeof(*v));
	if (v == NULL)
		return NULL;
	pv->extra = v;
	mp = make_pool(box, "xp", socket, size, data);
	if (mp != NULL)
		pv->extra[pv->n_extra++] = (struct fp_extra_pool){ .pool = mp, .size = size, .socket = socket, .taken = true };
	return mp;
}

void
fp_box_rx_pool_put(struct fp_box *box, struct rte_mempool *mp, uint32_t n)
{
	struct fp_box_priv *pv = box->priv;

	if (mp == NULL)
		return;
	for (unsigned s = 0; s < RTE_MAX_NUMA_NODES; s++)
		if (box->pool[s] == mp)
			pv->mbufs_promised[s] -= RTE_MIN(n, pv->mbufs_promised[s]);
	/* Not freed: other ports may still have its buffers to send. */
	for (unsigned i = 0; i < pv->n_extra; i++)
		if (pv->extra[i].pool == mp)
			pv->extra[i].taken = false;
}

void
fp_box_adopt_pool(struct fp_box *box, struct rte_mempool *mp)
{
	struct fp_box_priv *pv = box->priv;
	struct fp_extra_pool *v = realloc(pv->extra, (pv->n_extra + 1) * sizeof(*v));

	if (v == NULL)
		return; /* leaked with the box: better than buffers without a pool */
	pv->extra = v;
	pv->extra[pv->n_extra++] = (struct fp_extra_pool){ .pool = mp, .taken = true };
}

/* ---- life cycle */

struct fp_box *
fp_box_create(const struct fp_box_conf *conf, struct fp_err *err)
{
	struct fp_box *box = rte_zmalloc("fp_box", sizeof(*box), RTE_CACHE_LINE_SIZE);
	size_t qs_size = rte_rcu_qsbr_get_memsize(FP_MAX_WORKERS + 1);

	if (box == NULL) {
		fp_err_set(err, -ENOMEM, "no memory for a box");
		return NULL;
	}
	snprintf(box->name, sizeof(box->name), "%s", conf != NULL && conf->name != NULL ? conf->name : "twinpath");
	box->tsc_hz = rte_get_tsc_hz();
	box->tsc_start = rte_rdtsc();
	box->us_mult = (uint64_t)(((unsigned __int128)1000000 << 52) / box->tsc_hz);
	fp_random_bytes(box->hash_secret, sizeof(box->hash_secret));
	while (box->hostid == 0)
		fp_random_bytes(&box->hostid, sizeof(box->hostid));
	box->params = rte_zmalloc("fp_params", sizeof(*box->params), RTE_CACHE_LINE_SIZE);
	box->priv = rte_zmalloc("fp_box_priv", sizeof(*box->priv), RTE_CACHE_LINE_SIZE);
	box->qs = rte_zmalloc("fp_qsbr", qs_size, RTE_CACHE_LINE_SIZE);
	if (box->params == NULL || box->priv == NULL || box->qs == NULL || rte_rcu_qsbr_init(box->qs, FP_MAX_WORKERS + 1) != 0) {
		fp_err_set(err, -ENOMEM, "no memory for a box");
		goto fail;
	}
	fp_params_init(box->params);
	if (fp_net_create(box, err) != 0)
		goto fail;
	if (fp_rules_create(box, err) != 0 || fp_conf_publish(box, err) != 0)
		goto fail;
	return box;

fail:
	fp_box_destroy(box);
	return NULL;
}

void
fp_box_destroy(struct fp_box *box)
{
	if (box == NULL)
		return;
	fp_box_stop(box);
	fp_pflog_open(box, NULL, NULL);
	fp_ports_destroy(box);
	for (unsigned i = 0; i < FP_MAX_WORKERS; i++) {
		fp_worker_destroy(box->workers[i]);
		box->workers[i] = NULL;
	}
	box->n_workers = 0;
	fp_events_fini(box);
	/* No readers are left: the grace period is over for all. Twice: taking down defers too. */
	if (box->priv != NULL)
		dq_reclaim(box, UINT32_MAX, true);
	if (box->rules != NULL)
		fp_rules_destroy(box);
	box->rules = NULL;
	if (box->net != NULL)
		fp_net_destroy(box);
	box->net = NULL;
	if (box->priv != NULL) {
		dq_reclaim(box, UINT32_MAX, true);
		free_pools(box);
		free(box->priv->dq);
		rte_free(box->priv);
	}
	rte_free(box->qs);
	rte_free(box->params);
	rte_free(box);
}

/* Choose the lcores of the workers; lcores that another box of this process runs on are left alone. */
static int
choose_lcores(struct fp_box *box, bool *on_main, struct fp_err *err)
{
	uint32_t want = box->params->workers;
	unsigned lcore, n = 0;

	RTE_LCORE_FOREACH_WORKER(lcore)
		if (n < FP_MAX_WORKERS && rte_eal_get_lcore_state(lcore) == WAIT)
			box->priv->lcores[n++] = lcore;
	*on_main = false;
	if (n == 0 && want <= 1) {
		box->priv->lcores[0] = rte_get_main_lcore();
		*on_main = true;
		n = 1;
	} else if (want > n) {
		return fp_err_set(err, -EINVAL, "workers: %u wanted, but EAL was given %u lcores beside the main one that are free: "
			"start with more (-l 0-%u), or `set workers auto`", want, n, want);
	}
	box->n_workers = want != 0 ? want : n;
	return 0;
}

static void
unmake_workers(struct fp_box *box)
{
	for (unsigned i = 0; i < FP_MAX_WORKERS; i++) {
		fp_worker_destroy(box->workers[i]);
		box->workers[i] = NULL;
	}
	free_pools(box);
	box->n_workers = 0;
}

static int
make_workers(struct fp_box *box, struct fp_err *err)
{
	bool on_main;
	int rc = choose_lcores(box, &on_main, err);

	if (rc != 0)
		return rc;
	rc = make_pools(box, err);
	for (unsigned i = 0; rc == 0 && i < box->n_workers; i++) {
		box->workers[i] = fp_worker_create(box, i, box->priv->lcores[i], on_main, err);
		if (box->workers[i] == NULL)
			rc = -ENOMEM;
	}
	if (rc != 0)
		unmake_workers(box);
	return rc;
}

int
fp_box_start(struct fp_box *box, struct fp_err *err)
{
	int rc;

	if (box->running)
		return fp_err_set(err, -EALREADY, "the box runs already");
	if (box->n_workers == 0) {
		rc = make_workers(box, err);
		if (rc != 0)
			return rc;
	}
	if (fp_rules_prepare_workers(box) != 0)
		return fp_err_set(err, -ENOMEM, "no memory for the rules' counters");
	box->stop = false;
	rc = fp_ports_setup(box, err);
	if (rc == 0)
		rc = fp_conf_publish(box, err);
	if (rc == 0)
		rc = fp_ports_start(box, err);
	for (unsigned i = 0; rc == 0 && i < box->n_workers; i++)
		rc = fp_worker_start(box->workers[i], err);
	if (rc != 0) {
		/* Workers stay for the next try: queues of ports hold their buffers. */
		fp_worker_stop_all(box);
		return rc;
	}
	box->running = true;
	LOG(NOTICE, "%s: started, %u worker%s%s\n", box->name, box->n_workers, box->n_workers == 1 ? "" : "s",
		box->workers[0]->ctl->on_main ? " on the main lcore" : "");
	return 0;
}

int
fp_box_stop(struct fp_box *box)
{
	if (!box->running)
		return -EALREADY;
	if (box->sync_hooks != NULL)
		box->sync_hooks->stopping(box);
	fp_worker_stop_all(box);
	box->running = false;
	/* What workers left for this lcore. */
	while (fp_main_drain(box, FP_BURST) != 0)
		;
	LOG(NOTICE, "%s: stopped\n", box->name);
	return 0;
}

unsigned
fp_box_poll(struct fp_box *box)
{
	struct fp_box_priv *pv = box->priv;
	uint64_t start = rte_rdtsc(), now_us, end;
	unsigned work = 0;

	if (pv->depth != 0) /* asked again from inside a worker call or a callback */
		return 0;
	pv->depth++;
	if (box->running && box->workers[0]->ctl->on_main)
		work += fp_worker_turn(box->workers[0]);
	work += fp_main_drain(box, FP_BURST);
	pv->depth--;

	now_us = fp_tsc_us(box, start);
	if (now_us - pv->last_timer_us >= TIMERS_US) {
		pv->last_timer_us = now_us;
		fp_neigh_timers(box, now_us);
	}
	if (now_us - pv->last_watch_us >= WATCH_US) {
		pv->last_watch_us = now_us;
		fp_ports_watch(box);
	}
	if (now_us - pv->last_sample_us >= SAMPLE_US) {
		pv->last_sample_us = now_us;
		fp_stats_sample(box, now_us);
		fp_rules_poll(box);
		for (unsigned i = 0; i < box->n_workers; i++)
			fp_table_prefault(box->workers[i]->table);
	}
	if (box->sync_hooks != NULL)
		box->sync_hooks->poll(box);
	work += fp_events_poll(box);
	work += dq_reclaim(box, RECLAIM_MAX, false);

	fp_count(&pv->main_cyc.loops, 1);
	end = rte_rdtsc();
	fp_count(work != 0 ? &pv->main_cyc.busy_cycles : &pv->main_cyc.idle_cycles, end - start);
	/* What the program does between two turns, sleeping above all, is idle to the box. */
	if (pv->last_turn_tsc != 0)
		fp_count(&pv->main_cyc.idle_cycles, start - pv->last_turn_tsc);
	pv->last_turn_tsc = end;
	return work;
}
