/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports: attach, configure by what the device says it can, deal the queues to the workers, watch, detach.
 *
 * Who polls what. A port that spreads flows by symmetric RSS over as many queues as there are workers gives queue i to
 * worker i, and when all ports do so alike, both directions of a flow meet on one worker and nothing is handed over.
 * Any other port deals its queues round robin (a different start for each port), and workers hand packets to the owner
 * of the flow (fp_worker.distribute).
 * Who sends. Queue q of a port has one owner among the workers; a worker without a queue of its own hands frames to an
 * owner by its txreq ring.
 *
 * A change while workers run never stops them: they get new lists without the port (fp_worker_call()), then the device
 * is stopped or changed, then they get lists with it again.
 *
 * At `stop` devices run on: some (net_af_packet) cannot be started twice. What piled up is thrown away at start.
 */
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_malloc.h>

#include "box_priv.h"

RTE_LOG_REGISTER(fp_log_port, twinpath.port, NOTICE);
#define LOG(level, ...) rte_log(RTE_LOG_##level, fp_log_port, "twinpath: " __VA_ARGS__)

#define FP_PORTQ_NO_RESTART 1	/* a stopped device never receives again */
#define FP_PORTQ_ALL_QUEUES 2	/* the queues are what the user named (files, rings): all must be polled */
#define FP_PORTQ_NO_RSS 4	/* offers RSS but does not spread flows by it */
#define FP_PORTQ_KERNEL_IF 8	/* iface=NAME is an interface of the kernel */

#define L2_MAX 22u		/* Ethernet and two VLAN tags */

/* Where drivers differ from what ethdev's capabilities say. */
static const struct { const char *driver; uint8_t quirks; } quirks[] = {
	{ "net_af_packet", FP_PORTQ_NO_RESTART | FP_PORTQ_KERNEL_IF },
	{ "net_af_xdp", FP_PORTQ_KERNEL_IF },
	{ "net_pcap", FP_PORTQ_ALL_QUEUES },
	{ "net_ring", FP_PORTQ_ALL_QUEUES },
	{ "net_null", FP_PORTQ_NO_RSS },
};

/* 0x6d5a repeated: the Toeplitz hash of (a, b) and of (b, a) are the same. Long enough for any device. */
static const uint8_t symmetric_key[64] = {
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
};

static bool taken[FP_MAX_PORTS]; /* by a box of this process; main lcore only */

struct fp_port *
fp_port_by_id(const struct fp_box *box, uint16_t port_id)
{
	struct fp_port *p;

	for (p = box->ports; p != NULL && p->port_id != port_id; p = p->next)
		;
	return p;
}

struct fp_port *
fp_port_by_name(const struct fp_box *box, const char *name)
{
	struct fp_port *p;

	for (p = box->ports; p != NULL && strcmp(p->name, name) != 0; p = p->next)
		;
	return p;
}

static struct fp_port *
find(const struct fp_box *box, const char *name, struct fp_err *err)
{
	struct fp_port *p = fp_port_by_name(box, name);
	char list[160] = "";

	if (p != NULL)
		return p;
	for (p = box->ports; p != NULL && strlen(list) < sizeof(list) - FP_NAME_SIZE - 2; p = p->next)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), " %s", p->name);
	fp_err_set(err, -ENODEV, "no port \"%s\"; there %s%s", name, list[0] != '\0' ? "are:" : "are none", list);
	return NULL;
}

void
fp_port_offload_words(const struct fp_port *p, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s%s%s", p->rx_cksum ? "rx-cksum " : "", p->tx_cksum ? "tx-cksum " : "", p->rss ? "rss " : "",
		p->multi_segs ? "multi-segs " : "", p->scatter ? "scatter " : "");
	if (size > 0 && buf[0] != '\0')
		buf[strlen(buf) - 1] = '\0';
}

bool
fp_port_can_scatter(const struct fp_port *p)
{
	struct rte_eth_dev_info di;

	return rte_eth_dev_info_get(p->port_id, &di) == 0 && (di.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;
}

int
fp_port_stats(const struct fp_port *p, struct rte_eth_stats *st)
{
	int rc = p->removed ? -ENODEV : rte_eth_stats_get(p->port_id, st);

	if (rc != 0) {
		memset(st, 0, sizeof(*st));
		return rc;
	}
#define SUB(f) st->f -= RTE_MIN(st->f, p->base.f)
	SUB(ipackets);
	SUB(opackets);
	SUB(ibytes);
	SUB(obytes);
	SUB(imissed);
	SUB(ierrors);
	SUB(oerrors);
	SUB(rx_nombuf);
#undef SUB
	return 0;
}

void
fp_port_stats_clear(struct fp_box *box, struct fp_port *p)
{
	/* Not every device can reset; then the present values are subtracted. */
	memset(&p->base, 0, sizeof(p->base));
	if (rte_eth_stats_reset(p->port_id) != 0)
		rte_eth_stats_get(p->port_id, &p->base);
	rte_eth_xstats_reset(p->port_id);
}

/* ---- dealing the queues */

struct deal {
	struct fp_rx *rx;		/* becomes the worker's; the old one comes back */
	uint16_t n_rx;
	bool distribute;
	struct { uint16_t queue, owner; uint8_t sw; } tx[FP_MAX_PORTS];
};

/* On the worker: what waits for old queues goes out first. */
static bool
take_deal(struct fp_worker *w, void *arg)
{
	struct deal *d = arg;
	struct fp_rx *old = w->rx;

	fp_worker_tx_flush(w);
	for (unsigned i = 0; i < FP_MAX_PORTS; i++) {
		w->tx[i].queue = d->tx[i].queue;
		w->tx[i].owner = d->tx[i].owner;
		w->tx[i].sw = d->tx[i].sw;
	}
	w->rx = d->rx;
	w->n_rx = d->n_rx;
	w->distribute = d->distribute;
	d->rx = old;
	return true;
}

/* Do all ports bring both directions of every flow to the worker of the same number? */
static bool
all_rss(const struct fp_box *box)
{
	const struct fp_port *first = NULL;

	for (const struct fp_port *p = box->ports; p != NULL; p = p->next) {
		if (!p->dealt)
			continue;
		if (!p->rss || p->n_rxq != box->n_workers)
			return false;
		if (first == NULL)
			first = p;
		/* Other fields hashed, or another table size that is not a multiple: another queue for the same flow. */
		if (p->rss_hf != first->rss_hf || (p->reta_size != first->reta_size && !rte_is_power_of_2(box->n_workers)))
			return false;
	}
	return true;
}

static int
deal_queues(struct fp_box *box)
{
	bool distribute = box->n_workers > 1 && !all_rss(box);
	unsigned n_queues = 0;

	for (const struct fp_port *p = box->ports; p != NULL; p = p->next)
		n_queues += p->n_rxq;
	for (unsigned i = 0; i < box->n_workers; i++) {
		struct fp_worker *w = box->workers[i];
		struct deal d = { .distribute = distribute };
		unsigned ord = 0;

		d.rx = rte_zmalloc_socket("fp_rx", (n_queues + 1) * sizeof(*d.rx), RTE_CACHE_LINE_SIZE, w->socket);
		if (d.rx == NULL)
			return -ENOMEM;
		for (unsigned j = 0; j < FP_MAX_PORTS; j++)
			d.tx[j].queue = d.tx[j].owner = FP_TXQ_NONE;
		for (const struct fp_port *p = box->ports; p != NULL; p = p->next) {
			unsigned start = p->rss ? 0 : ord++ % box->n_workers, n = box->n_workers, q;

			if (!p->dealt)
				continue;
			for (unsigned j = 0; j < p->n_rxq; j++)
				if ((j + start) % n == i)
					d.rx[d.n_rx++] = (struct fp_rx){ .port_id = p->port_id, .queue = j };
			/* Queue q belongs to worker (q + start) % n. */
			q = (i + n - start) % n;
			if (q < p->n_txq) {
				d.tx[p->port_id].queue = q;
				d.tx[p->port_id].owner = i;
			} else {
				d.tx[p->port_id].owner = (q % p->n_txq + start) % n;
			}
			d.tx[p->port_id].sw = (p->tx_cksum ? 0 : FP_TXSW_CKSUM) | (p->multi_segs ? 0 : FP_TXSW_LINEAR);
		}
		fp_worker_call(box, w, take_deal, &d);
		rte_free(d.rx);
	}
	return 0;
}

static void
warn_numa(const struct fp_box *box, const struct fp_port *p)
{
	for (unsigned i = 0; i < box->n_workers && p->socket >= 0; i++)
		if (box->workers[i]->socket != p->socket)
			for (unsigned j = 0; j < box->workers[i]->n_rx; j++)
				if (box->workers[i]->rx[j].port_id == p->port_id) {
					LOG(WARNING, "port %s is on NUMA node %d, but lcore %u on node %d polls it: slower; choose "
						"lcores of node %d\n", p->name, p->socket, box->workers[i]->lcore,
						box->workers[i]->socket, p->socket);
					return;
				}
}

/* Take a port away from the workers, or give it to them. Returns only when all of them know. */
static int
set_dealt(struct fp_box *box, struct fp_port *p, bool on)
{
	if (p->dealt == on || box->n_workers == 0)
		return 0;
	p->dealt = on;
	return deal_queues(box);
}

/* ---- configuration of the device */

static void
learn_link(struct fp_port *p)
{
	struct rte_eth_link link;

	if (p->removed || rte_eth_link_get_nowait(p->port_id, &link) != 0) {
		p->link_up = false;
		return;
	}
	p->link_up = link.link_status == RTE_ETH_LINK_UP;
	p->link_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	p->full_duplex = link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
}

static int
apply_promisc(struct fp_port *p)
{
	int rc;

	if (p->promisc) {
		rc = rte_eth_promiscuous_enable(p->port_id);
	} else {
		rc = rte_eth_promiscuous_disable(p->port_id);
		/* Neighbour discovery and CARP live on multicast. */
		rte_eth_allmulticast_enable(p->port_id);
	}
	return rc == -ENOTSUP ? 0 : rc;
}

/* What configuration asks for now; filled into c and, as far as others look at it, into p. */
static void
choose_conf(struct fp_box *box, struct fp_port *p, const struct rte_eth_dev_info *di, struct rte_eth_conf *c)
{
	const struct fp_params *pr = box->params;
	uint64_t rx_cksum = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	uint64_t tx_cksum = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	uint64_t hf = di->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
	unsigned n = box->n_workers;

	memset(c, 0, sizeof(*c));
	p->n_rxq = RTE_MIN(n, di->max_rx_queues);
	p->n_txq = RTE_MIN(n, di->max_tx_queues);
	if (p->quirks & FP_PORTQ_ALL_QUEUES)
		p->n_rxq = di->max_rx_queues;
	p->rx_cksum = pr->rx_cksum_offload && (di->rx_offload_capa & rx_cksum) != 0;
	if (p->rx_cksum)
		c->rxmode.offloads |= di->rx_offload_capa & rx_cksum;
	p->scatter = (di->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0 && p->mtu + L2_MAX > box->priv->mbuf_room;
	if (p->scatter)
		c->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
	/* Only all three are of use: then nothing needs to be done in software. */
	p->tx_cksum = pr->tx_cksum_offload && (di->tx_offload_capa & tx_cksum) == tx_cksum;
	if (p->tx_cksum)
		c->txmode.offloads |= tx_cksum;
	p->multi_segs = (di->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
	if (p->multi_segs)
		c->txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	/* One table size and key for all, or no RSS: a port that keeps its own key would be asymmetric. */
	p->rss = pr->rss && n > 1 && p->n_rxq > 1 && hf != 0 && di->reta_size != 0 && !(p->quirks & FP_PORTQ_NO_RSS) &&
		di->hash_key_size <= sizeof(symmetric_key);
	p->rss_hf = p->rss ? hf : 0;
	p->reta_size = p->rss ? di->reta_size : 0;
	if (p->rss) {
		c->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		c->rx_adv_conf.rss_conf.rss_hf = hf;
		c->rx_adv_conf.rss_conf.rss_key = (uint8_t *)(uintptr_t)symmetric_key;
		c->rx_adv_conf.rss_conf.rss_key_len = di->hash_key_size != 0 ? di->hash_key_size : 40;
	}
	c->rxmode.mtu = p->mtu_set ? p->mtu : 0;
	p->n_rxd = pr->rxd;
	p->n_txd = pr->txd;
}

/* Slot i of the indirection table leads to queue i mod n. */
static int
set_reta(struct fp_port *p)
{
	struct rte_eth_rss_reta_entry64 reta[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE];

	if (p->reta_size > RTE_ETH_RSS_RETA_SIZE_512)
		return -E2BIG;
	memset(reta, 0, sizeof(reta));
	for (unsigned i = 0; i < p->reta_size; i++) {
		reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= 1ull << i % RTE_ETH_RETA_GROUP_SIZE;
		reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = i % p->n_rxq;
	}
	return rte_eth_dev_rss_reta_update(p->port_id, reta, p->reta_size);
}

/* Queues and offloads for the box's workers. The device is stopped. */
static int
configure(struct fp_box *box, struct fp_port *p, struct fp_err *err)
{
	struct rte_eth_dev_info di;
	struct rte_eth_conf c;
	struct rte_eth_rxconf rxc;
	struct rte_eth_txconf txc;
	uint32_t need, room;
	int rc = rte_eth_dev_info_get(p->port_id, &di);

	if (rc != 0)
		return fp_err_set(err, rc, "port %s: the device does not answer: %s", p->name, rte_strerror(-rc));
	choose_conf(box, p, &di, &c);
	rc = rte_eth_dev_configure(p->port_id, p->n_rxq, p->n_txq, &c);
	if (rc != 0 && p->n_rxq != p->n_txq) {
		/* Some devices want as many of one as of the other. */
		p->n_rxq = p->n_txq = RTE_MIN(p->n_rxq, p->n_txq);
		p->rss = p->rss && p->n_rxq > 1;
		rc = rte_eth_dev_configure(p->port_id, p->n_rxq, p->n_txq, &c);
	}
	if (rc != 0 && p->rss) {
		LOG(NOTICE, "port %s refuses RSS (%s): flows are spread in software\n", p->name, rte_strerror(-rc));
		p->rss = false;
		c.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE;
		memset(&c.rx_adv_conf, 0, sizeof(c.rx_adv_conf));
		rc = rte_eth_dev_configure(p->port_id, p->n_rxq, p->n_txq, &c);
	}
	if (rc != 0)
		return fp_err_set(err, rc, "port %s: %u receive and %u transmit queues refused: %s", p->name, p->n_rxq, p->n_txq,
			rte_strerror(-rc));
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(p->port_id, &p->n_rxd, &p->n_txd);
	if (rc != 0)
		return fp_err_set(err, rc, "port %s: ring sizes refused: %s", p->name, rte_strerror(-rc));

	need = fp_port_mbuf_need(box, p->n_rxq, p->n_rxd, p->n_txq, p->n_txd);
	room = p->scatter ? 0 : p->mtu + L2_MAX;
	if (p->pool == NULL || p->pool_need < need || rte_pktmbuf_data_room_size(p->pool) < room + RTE_PKTMBUF_HEADROOM) {
		p->pool = fp_box_rx_pool(box, p->socket, need, room);
		p->pool_need = need;
	}
	if (p->pool == NULL)
		return fp_err_set(err, -ENOMEM, "port %s: no memory for %u more packet buffers: give EAL more (-m MEGABYTES)", p->name,
			need);
	rxc = di.default_rxconf;
	rxc.offloads = c.rxmode.offloads;
	for (unsigned q = 0; q < p->n_rxq; q++) {
		rc = rte_eth_rx_queue_setup(p->port_id, q, p->n_rxd, p->socket, &rxc,
			p->pool);
		if (rc != 0)
			return fp_err_set(err, rc, "port %s: receive queue %u refused: %s", p->name, q, rte_strerror(-rc));
	}
	txc = di.default_txconf;
	txc.offloads = c.txmode.offloads;
	for (unsigned q = 0; q < p->n_txq; q++) {
		rc = rte_eth_tx_queue_setup(p->port_id, q, p->n_txd, p->socket, &txc);
		if (rc != 0)
			return fp_err_set(err, rc, "port %s: transmit queue %u refused: %s", p->name, q, rte_strerror(-rc));
	}
	p->configured = true;
	return 0;
}

/* Has `set` changed what the device was configured for? */
static bool
conf_changed(const struct fp_box *box, const struct fp_port *p)
{
	struct rte_eth_dev_info di;
	struct rte_eth_conf c;
	struct fp_port want = *p;
	struct fp_box b = { .params = box->params, .n_workers = box->n_workers, .priv = box->priv };

	if (rte_eth_dev_info_get(p->port_id, &di) != 0)
		return false;
	choose_conf(&b, &want, &di, &c);
	rte_eth_dev_adjust_nb_rx_tx_desc(p->port_id, &want.n_rxd, &want.n_txd);
	return want.n_rxd != p->n_rxd || want.n_txd != p->n_txd || want.rx_cksum != p->rx_cksum || want.tx_cksum != p->tx_cksum ||
		want.scatter != p->scatter || (want.rss != p->rss && !want.rss);
}

/* Throw away what piled up while nobody polled. Bounded by the rings' size. */
static void
drain_stale(const struct fp_port *p)
{
	struct rte_mbuf *m[FP_BURST];

	for (unsigned q = 0; q < p->n_rxq; q++)
		for (unsigned i = 0, n = FP_BURST; i < p->n_rxd && n == FP_BURST; i += n) {
			n = rte_eth_rx_burst(p->port_id, q, m, FP_BURST);
			rte_pktmbuf_free_bulk(m, n);
		}
}

static int
start_device(struct fp_box *box, struct fp_port *p, struct fp_err *err)
{
	int rc;

	if (p->started) {
		drain_stale(p);
		return 0;
	}
	rc = rte_eth_dev_start(p->port_id);
	if (rc != 0)
		return fp_err_set(err, rc, "port %s does not start: %s", p->name, rte_strerror(-rc));
	p->started = true;
	if (p->rss && set_reta(p) != 0) {
		LOG(NOTICE, "port %s keeps its own RSS table: flows are spread in software\n", p->name);
		p->rss = false;
	}
	if (p->mtu_set) {
		rc = rte_eth_dev_set_mtu(p->port_id, p->mtu);
		if (rc != 0 && rc != -ENOTSUP)
			LOG(WARNING, "port %s: MTU %u refused: %s\n", p->name, p->mtu, rte_strerror(-rc));
	}
	drain_stale(p);
	rc = apply_promisc(p);
	if (rc != 0)
		LOG(WARNING, "port %s: promiscuous mode refused: %s\n", p->name, rte_strerror(-rc));
	learn_link(p);
	return 0;
}

static void
stop_device(struct fp_port *p)
{
	if (!p->started || (p->quirks & FP_PORTQ_NO_RESTART))
		return;
	rte_eth_dev_stop(p->port_id);
	p->started = false;
}

int
fp_ports_setup(struct fp_box *box, struct fp_err *err)
{
	for (struct fp_port *p = box->ports; p != NULL; p = p->next) {
		int rc;

		if (p->removed)
			continue;
		if (p->configured && !((p->quirks & FP_PORTQ_NO_RESTART) && p->started) && conf_changed(box, p)) {
			set_dealt(box, p, false);
			stop_device(p);
			p->configured = false;
		}
		rc = p->configured ? 0 : configure(box, p, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
fp_ports_start(struct fp_box *box, struct fp_err *err)
{
	int rc;

	for (struct fp_port *p = box->ports; p != NULL; p = p->next) {
		if (p->stopped_by_user || p->removed)
			continue;
		rc = start_device(box, p, err);
		if (rc != 0)
			return rc;
		p->dealt = true;
	}
	if (deal_queues(box) != 0)
		return fp_err_set(err, -ENOMEM, "no memory for the lists of queues");
	for (struct fp_port *p = box->ports; p != NULL; p = p->next) {
		warn_numa(box, p);
		fp_ifnet_port_changed(box, p);
	}
	return 0;
}

/* ---- attach and detach */

static int
on_removed(uint16_t port_id, enum rte_eth_event_type type, void *arg, void *ret)
{
	struct fp_port *p = arg;

	__atomic_store_n(&p->removed, true, __ATOMIC_RELAXED); /* fp_ports_watch() does the rest */
	return 0;
}

/* A name that interfaces may have: letter first, then letters, digits, `_`, `.`, `-`. */
static bool
good_name(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= FP_NAME_SIZE || !isalpha((unsigned char)name[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && strchr("_.-", name[i]) == NULL)
			return false;
	return true;
}

/* `iface=NAME` of the kernel must be there; drivers only say that they failed. */
static int
check_iface(const char *devargs, struct fp_err *err)
{
	const char *v = strstr(devargs, "iface=");
	char name[64];

	if (v == NULL || (v != devargs && v[-1] != ',') ||
	    (strncmp(devargs, "net_af_packet", 13) != 0 && strncmp(devargs, "net_af_xdp", 10) != 0))
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(v + 6, ","), v + 6);
	if (if_nametoindex(name) == 0)
		return fp_err_set(err, -ENODEV, "%s: this host has no interface \"%s\"", devargs, name);
	return 0;
}

/* The DPDK port that devargs speak of: a number, a name of a port that is there, or something to be probed. */
static int
find_device(const char *devargs, uint16_t *port_id, bool *probed, struct fp_err *err)
{
	struct rte_dev_iterator it;
	char dev[256], *end;
	unsigned long n;
	uint16_t pid, found = RTE_MAX_ETHPORTS;
	int rc;

	*probed = false;
	n = strtoul(devargs, &end, 10);
	if (isdigit((unsigned char)devargs[0]) && *end == '\0') {
		if (n >= FP_MAX_PORTS || !rte_eth_dev_is_valid_port(n))
			return fp_err_set(err, -ENODEV, "there is no DPDK port number %s", devargs);
		*port_id = n;
		return 0;
	}
	snprintf(dev, sizeof(dev), "%.*s", (int)strcspn(devargs, ","), devargs);
	if (rte_eth_dev_get_port_by_name(dev, port_id) == 0) {
		if (strchr(devargs, ',') != NULL)
			return fp_err_set(err, -EEXIST, "%s is there already; choose another device name or leave its arguments out",
				dev);
		return 0;
	}
	rc = check_iface(devargs, err);
	if (rc != 0)
		return rc;
	rc = rte_dev_probe(devargs);
	if (rc != 0)
		return fp_err_set(err, rc, "%s: the device does not attach: %s", devargs, rte_strerror(-rc));
	RTE_ETH_FOREACH_MATCHING_DEV(pid, devargs, &it)
		if (found == RTE_MAX_ETHPORTS && !taken[pid])
			found = pid;
	if (found == RTE_MAX_ETHPORTS)
		return fp_err_set(err, -ENODEV, "%s: no Ethernet port came with the device", devargs);
	*port_id = found;
	*probed = true;
	return 0;
}

/* Close the port and, when we probed it and no sibling is in use, take its device out of EAL. */
static void
close_device(uint16_t port_id, bool probed)
{
	struct rte_eth_dev_info di;
	uint16_t sibling;
	bool shared = false;
	int rc = rte_eth_dev_info_get(port_id, &di);

	RTE_ETH_FOREACH_DEV_SIBLING(sibling, port_id)
		if (sibling != port_id && taken[sibling])
			shared = true;
	if (!probed)
		return;
	rte_eth_dev_close(port_id);
	if (rc == 0 && di.device != NULL && !shared) {
		rc = rte_dev_remove(di.device);
		if (rc != 0)
			LOG(WARNING, "device of port %u stays in EAL: %s\n", port_id, rte_strerror(-rc));
	}
}

static void
learn_mac(const struct fp_box *box, struct fp_port *p)
{
	bool twice = false;

	rte_eth_macaddr_get(p->port_id, &p->mac);
	for (const struct fp_port *o = box->ports; o != NULL; o = o->next)
		if (o != p && rte_is_same_ether_addr(&o->mac, &p->mac))
			twice = true;
	/* net_ring and others have none of their own. */
	if (twice || !rte_is_valid_assigned_ether_addr(&p->mac))
		rte_eth_random_addr(p->mac.addr_bytes);
}

static void
free_port(struct fp_box *box, struct fp_port *p)
{
	struct fp_port **at;

	for (at = &box->ports; *at != NULL; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	rte_eth_dev_callback_unregister(p->port_id, RTE_ETH_EVENT_INTR_RMV, on_removed, p);
	if (p->started)
		rte_eth_dev_stop(p->port_id);
	taken[p->port_id] = false;
	close_device(p->port_id, p->probed);
	free(p);
}

int
fp_port_attach(struct fp_box *box, const char *devargs, const char *name, struct fp_err *err)
{
	struct fp_port *p, **last;
	struct rte_eth_dev_info di;
	uint16_t port_id = 0;
	bool probed;
	int rc;

	if (!good_name(name))
		return fp_err_set(err, -EINVAL, "\"%.32s\" is no name for an interface: a letter, then letters, digits, `_.-`, at most "
			"%u in all", name, FP_NAME_SIZE - 1);
	if (fp_port_by_name(box, name) != NULL)
		return fp_err_set(err, -EEXIST, "there is a port %s already", name);
	if (strlen(devargs) >= sizeof(p->devargs))
		return fp_err_set(err, -EINVAL, "device string is longer than %zu characters", sizeof(p->devargs) - 1);
	rc = find_device(devargs, &port_id, &probed, err);
	if (rc != 0)
		return rc;
	if (taken[port_id])
		return fp_err_set(err, -EBUSY, "%s: DPDK port %u belongs to a box already", devargs, port_id);
	p = calloc(1, sizeof(*p));
	rc = p == NULL ? -ENOMEM : rte_eth_dev_info_get(port_id, &di);
	if (rc != 0) {
		free(p);
		close_device(port_id, probed);
		return fp_err_set(err, rc, "%s: %s", devargs, rte_strerror(-rc));
	}
	p->port_id = port_id;
	p->probed = probed;
	p->promisc = box->params->promisc;
	snprintf(p->name, sizeof(p->name), "%s", name);
	snprintf(p->devargs, sizeof(p->devargs), "%s", devargs);
	snprintf(p->driver, sizeof(p->driver), "%s", di.driver_name != NULL ? di.driver_name : "");
	for (unsigned i = 0; i < RTE_DIM(quirks); i++)
		if (strcmp(p->driver, quirks[i].driver) == 0)
			p->quirks = quirks[i].quirks;
	p->socket = rte_eth_dev_socket_id(port_id);
	if (rte_eth_dev_get_mtu(port_id, &p->mtu) != 0 || p->mtu == 0)
		p->mtu = RTE_ETHER_MTU;
	p->max_mtu = di.max_mtu;
	taken[port_id] = true;
	learn_mac(box, p);
	learn_link(p);
	rte_eth_dev_callback_register(port_id, RTE_ETH_EVENT_INTR_RMV, on_removed, p);
	for (last = &box->ports; *last != NULL; last = &(*last)->next)
		;
	*last = p;

	/* A box that has started once has workers: the port joins in at once. */
	if (box->n_workers != 0) {
		rc = configure(box, p, err);
		if (rc == 0)
			rc = start_device(box, p, err);
		if (rc != 0)
			goto undo;
	}
	rc = fp_ifnet_port_attached(box, p, err);
	if (rc != 0)
		goto undo;
	rc = set_dealt(box, p, true);
	if (rc != 0) {
		fp_err_set(err, rc, "no memory for the lists of queues");
		fp_ifnet_port_detaching(box, p, NULL);
		goto undo;
	}
	if (box->running)
		warn_numa(box, p);
	return 0;

undo:
	free_port(box, p);
	return rc;
}

int
fp_port_detach(struct fp_box *box, const char *name, struct fp_err *err)
{
	struct fp_port *p = find(box, name, err);
	int rc;

	if (p == NULL)
		return -ENODEV;
	rc = fp_ifnet_port_detaching(box, p, err);
	if (rc != 0)
		return rc;
	rc = set_dealt(box, p, false);
	if (rc != 0)
		return fp_err_set(err, rc, "port %s: no memory for the lists of queues", name);
	free_port(box, p);
	return 0;
}

void
fp_ports_destroy(struct fp_box *box)
{
	while (box->ports != NULL)
		free_port(box, box->ports);
}

int
fp_port_start(struct fp_box *box, const char *name, struct fp_err *err)
{
	struct fp_port *p = find(box, name, err);
	int rc;

	if (p == NULL)
		return -ENODEV;
	if (p->removed)
		return fp_err_set(err, -ENODEV, "port %s: the device is gone: `port detach %s`", name, name);
	p->stopped_by_user = false;
	if (box->n_workers != 0) {
		rc = p->configured ? 0 : configure(box, p, err);
		if (rc == 0 && !p->dealt)
			rc = start_device(box, p, err);
		if (rc != 0)
			return rc;
		rc = set_dealt(box, p, true);
		if (rc != 0)
			return fp_err_set(err, rc, "port %s: no memory for the lists of queues", name);
	}
	learn_link(p);
	fp_ifnet_port_changed(box, p);
	return 0;
}

int
fp_port_stop(struct fp_box *box, const char *name, struct fp_err *err)
{
	struct fp_port *p = find(box, name, err);
	int rc;

	if (p == NULL)
		return -ENODEV;
	p->stopped_by_user = true;
	rc = set_dealt(box, p, false);
	if (rc != 0)
		return fp_err_set(err, rc, "port %s: no memory for the lists of queues", name);
	stop_device(p);
	p->link_up = false;
	fp_ifnet_port_changed(box, p);
	return 0;
}

int
fp_port_promisc(struct fp_box *box, const char *name, bool on, struct fp_err *err)
{
	struct fp_port *p = find(box, name, err);
	bool was;
	int rc;

	if (p == NULL)
		return -ENODEV;
	was = p->promisc;
	p->promisc = on;
	rc = apply_promisc(p);
	if (rc != 0) {
		p->promisc = was;
		return fp_err_set(err, rc, "port %s: promiscuous mode refused: %s", name, rte_strerror(-rc));
	}
	fp_ifnet_port_changed(box, p);
	return 0;
}

/* Stop the port for the workers, change it, go on. */
static int
with_port_stopped(struct fp_box *box, struct fp_port *p, struct fp_err *err)
{
	bool was_dealt = p->dealt;
	int rc = set_dealt(box, p, false);

	if (rc == 0) {
		stop_device(p);
		p->configured = false;
		rc = configure(box, p, err);
	}
	if (rc == 0 && !p->stopped_by_user)
		rc = start_device(box, p, err);
	if (rc == 0 && was_dealt)
		rc = set_dealt(box, p, true);
	return rc;
}

int
fp_port_set_mtu(struct fp_box *box, struct fp_port *p, unsigned mtu, struct fp_err *err)
{
	struct rte_eth_dev_info di;
	uint16_t old = p->mtu;
	bool old_set = p->mtu_set, fits;
	int rc = rte_eth_dev_info_get(p->port_id, &di);

	if (rc != 0)
		return fp_err_set(err, rc, "port %s: the device does not answer: %s", p->name, rte_strerror(-rc));
	if (mtu < 68 || mtu > UINT16_MAX - L2_MAX || mtu < di.min_mtu || (di.max_mtu != 0 && mtu > di.max_mtu))
		return fp_err_set(err, -EINVAL, "port %s: MTU %u is not from %u to %u bytes", p->name, mtu, RTE_MAX(di.min_mtu, 68u),
			di.max_mtu != 0 ? RTE_MIN(di.max_mtu, UINT16_MAX - L2_MAX) : UINT16_MAX - L2_MAX);
	fits = p->pool == NULL || rte_pktmbuf_data_room_size(p->pool) >= mtu + L2_MAX + RTE_PKTMBUF_HEADROOM || p->scatter;
	if (!fits && (p->quirks & FP_PORTQ_NO_RESTART))
		return fp_err_set(err, -EBUSY, "port %s: MTU %u needs larger packet buffers: set it before the first start, or "
			"`port detach` and attach again", p->name, mtu);
	p->mtu = mtu;
	p->mtu_set = true;
	if (fits || !p->configured) {
		rc = rte_eth_dev_set_mtu(p->port_id, mtu);
		if (rc == 0 || rc == -ENOTSUP)
			return 0;
		if (rc != -EBUSY)
			goto refused;
	}
	if (p->configured) {
		rc = with_port_stopped(box, p, err);
		if (rc != 0) {
			p->mtu = old;
			p->mtu_set = old_set;
			with_port_stopped(box, p, NULL);
			return rc;
		}
	}
	return 0;

refused:
	p->mtu = old;
	p->mtu_set = old_set;
	return fp_err_set(err, rc, "port %s: the device refuses an MTU of %u: %s", p->name, mtu, rte_strerror(-rc));
}

int
fp_port_set_mac(struct fp_box *box, struct fp_port *p, const struct rte_ether_addr *mac, struct fp_err *err)
{
	struct rte_ether_addr m = *mac;
	int rc;

	if (!rte_is_valid_assigned_ether_addr(mac))
		return fp_err_set(err, -EINVAL, "port %s: not a station address", p->name);
	rc = rte_eth_dev_default_mac_addr_set(p->port_id, &m);
	/* A promiscuous port receives for any address. */
	if (rc != 0 && !(p->promisc && (rc == -ENOTSUP || rc == -EPERM)))
		return fp_err_set(err, rc, "port %s: the device refuses the address: %s", p->name, rte_strerror(-rc));
	p->mac = *mac;
	return 0;
}

void
fp_ports_watch(struct fp_box *box)
{
	for (struct fp_port *p = box->ports; p != NULL; p = p->next) {
		bool was = p->link_up;

		if (__atomic_load_n(&p->removed, __ATOMIC_RELAXED) && p->dealt) {
			LOG(WARNING, "port %s: the device is gone\n", p->name);
			set_dealt(box, p, false);
		}
		if (!p->stopped_by_user)
			learn_link(p);
		if (p->link_up != was) {
			LOG(NOTICE, "port %s: link %s\n", p->name, p->link_up ? "up" : "down");
			fp_ifnet_port_changed(box, p);
		}
	}
}
