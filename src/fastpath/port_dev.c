/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device behind a port: what it says it can, what it is configured for, start and stop, MTU, link. Capabilities are
 * asked for; the few things that drivers say wrongly or not at all are in one table here.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_ethdev.h>

#include "port_priv.h"

RTE_LOG_REGISTER(fp_log_port, twinpath.port, NOTICE);
#define LOG FP_PORT_LOG

#define FRAMESZ_DEFAULT 2048u	/* of net_af_packet */
#define FRAMESZ_HEAD 66u	/* tpacket header and padding in front of the Ethernet header */

/* Where drivers differ from what ethdev's capabilities say. */
static const struct { const char *driver; uint8_t quirks; } quirks[] = {
	{ "net_af_packet", FP_PORTQ_NO_RESTART | FP_PORTQ_KERNEL_IF | FP_PORTQ_FRAMESZ },
	{ "net_af_xdp", FP_PORTQ_KERNEL_IF },
	{ "net_pcap", FP_PORTQ_ALL_QUEUES | FP_PORTQ_SOURCE },
	{ "net_ring", FP_PORTQ_ALL_QUEUES },
	{ "net_memif", FP_PORTQ_RETRY | FP_PORTQ_PAIRED },
	{ "net_null", FP_PORTQ_NO_RSS | FP_PORTQ_SOURCE },
};

/* 0x6d5a repeated: the Toeplitz hash of (a, b) and of (b, a) are the same. Long enough for any device. */
static const uint8_t symmetric_key[64] = {
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
};

uint8_t
fp_port_quirks(const char *driver)
{
	for (unsigned i = 0; i < RTE_DIM(quirks); i++)
		if (strcmp(driver, quirks[i].driver) == 0)
			return quirks[i].quirks;
	return 0;
}

bool
fp_port_dev_arg(const char *devargs, const char *key, char *buf, size_t size)
{
	size_t len = strlen(key), n;

	for (const char *p = strchr(devargs, ','); p != NULL; p = strchr(p, ',')) {
		p++;
		if (strncmp(p, key, len) != 0 || p[len] != '=')
			continue;
		p += len + 1;
		n = strcspn(p, ",");
		if (n >= size)
			return false;
		memcpy(buf, p, n);
		buf[n] = '\0';
		return true;
	}
	return false;
}

/* Largest frame of a FP_PORTQ_FRAMESZ device, and the data room that its queues insist on. */
static uint32_t
frame_size(const struct fp_port *p)
{
	char v[16];

	return fp_port_dev_arg(p->devargs, "framesz", v, sizeof(v)) ? strtoul(v, NULL, 0) : FRAMESZ_DEFAULT;
}

/* Flags of the kernel's interface behind the port: drivers do not look at them. 0, -ENODEV: it is gone. */
static int
kernel_if_flags(const struct fp_port *p, unsigned *flags)
{
	struct ifreq ifr;
	int fd, rc = 0;

	memset(&ifr, 0, sizeof(ifr));
	if (!fp_port_dev_arg(p->devargs, "iface", ifr.ifr_name, sizeof(ifr.ifr_name)))
		return -EINVAL;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) != 0)
		rc = -errno;
	close(fd);
	*flags = (unsigned short)ifr.ifr_flags;
	return rc;
}

void
fp_port_learn_link(struct fp_port *p)
{
	struct rte_eth_link link;
	unsigned flags = 0;

	if (p->quirks & FP_PORTQ_KERNEL_IF) {
		int rc = kernel_if_flags(p, &flags);

		if (rc == -ENODEV)
			__atomic_store_n(&p->removed, true, __ATOMIC_RELAXED);
		if (rc == 0 && (flags & (IFF_UP | IFF_RUNNING)) != (IFF_UP | IFF_RUNNING)) {
			p->link_up = false;
			return;
		}
	}
	if (p->removed || !p->started || rte_eth_link_get_nowait(p->port_id, &link) != 0) {
		p->link_up = false;
		return;
	}
	p->link_up = link.link_status == RTE_ETH_LINK_UP;
	p->link_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	p->full_duplex = link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
}

int
fp_port_apply_promisc(struct fp_port *p)
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
	/* the cable: one thread receives; each worker and that thread send */
	p->n_rxq = p->sync ? 1 : RTE_MIN(n, di->max_rx_queues);
	p->n_txq = p->sync && (p->quirks & FP_PORTQ_PAIRED) ? p->n_rxq : RTE_MIN(n + p->sync, di->max_tx_queues);
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
	c->rxmode.mtu = p->mtu_set && !(p->quirks & FP_PORTQ_FRAMESZ) ? p->mtu : 0;
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

int
fp_port_configure(struct fp_box *box, struct fp_port *p, struct fp_err *err)
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
	room = p->quirks & FP_PORTQ_FRAMESZ ? frame_size(p) : p->scatter ? 0 : p->mtu + L2_MAX;
	if (p->pool == NULL || p->pool_need < need || rte_pktmbuf_data_room_size(p->pool) < room + RTE_PKTMBUF_HEADROOM) {
		fp_box_rx_pool_put(box, p->pool, p->pool_need);
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

bool
fp_port_conf_changed(const struct fp_box *box, const struct fp_port *p)
{
	struct rte_eth_dev_info di;
	struct rte_eth_conf c;
	struct fp_port want = *p;
	struct fp_box b = { .params = box->params, .n_workers = box->n_workers, .priv = box->priv };

	if (rte_eth_dev_info_get(p->port_id, &di) != 0)
		return false;
	choose_conf(&b, &want, &di, &c);
	rte_eth_dev_adjust_nb_rx_tx_desc(p->port_id, &want.n_rxd, &want.n_txd);
	return want.n_rxd != p->n_rxd || want.n_txd != p->n_txd || want.n_rxq != p->n_rxq ||
		want.n_txq != p->n_txq || want.rx_cksum != p->rx_cksum || want.tx_cksum != p->tx_cksum ||
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

int
fp_port_device_mtu(const struct fp_port *p, uint16_t mtu)
{
	struct ifreq ifr;
	int fd, rc;

	if (!(p->quirks & FP_PORTQ_FRAMESZ))
		return rte_eth_dev_set_mtu(p->port_id, mtu);
	/* ethdev knows no more than 1500 there, the kernel does. */
	memset(&ifr, 0, sizeof(ifr));
	if (!fp_port_dev_arg(p->devargs, "iface", ifr.ifr_name, sizeof(ifr.ifr_name)))
		return -ENODEV;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	ifr.ifr_mtu = mtu;
	rc = ioctl(fd, SIOCSIFMTU, &ifr) != 0 ? -errno : 0;
	close(fd);
	return rc;
}

int
fp_port_start_device(struct fp_box *box, struct fp_port *p, struct fp_err *err)
{
	int rc;

	if (p->started) {
		if (!(p->quirks & FP_PORTQ_SOURCE))
			drain_stale(p);
		return 0;
	}
	rc = rte_eth_dev_start(p->port_id);
	if (rc != 0 && (p->quirks & FP_PORTQ_RETRY)) {
		if (!p->retrying)
			LOG(NOTICE, "port %s: the other side is not there yet\n", p->name);
		p->retrying = true;
		return 1;
	}
	p->retrying = false;
	if (rc != 0)
		return fp_err_set(err, rc, "port %s does not start: %s", p->name, rte_strerror(-rc));
	p->started = true;
	if (p->rss && set_reta(p) != 0) {
		LOG(NOTICE, "port %s keeps its own RSS table: flows are spread in software\n", p->name);
		p->rss = false;
	}
	if (p->mtu_set) {
		rc = fp_port_device_mtu(p, p->mtu);
		if (rc != 0 && rc != -ENOTSUP)
			LOG(WARNING, "port %s: MTU %u refused: %s\n", p->name, p->mtu, rte_strerror(-rc));
	}
	if ((p->ran || (p->quirks & FP_PORTQ_KERNEL_IF)) && !(p->quirks & FP_PORTQ_SOURCE))
		drain_stale(p);
	p->ran = true;
	rc = fp_port_apply_promisc(p);
	if (rc != 0)
		LOG(WARNING, "port %s: promiscuous mode refused: %s\n", p->name, rte_strerror(-rc));
	fp_port_learn_link(p);
	return 0;
}

void
fp_port_stop_device(struct fp_port *p)
{
	if (!p->started || (p->quirks & FP_PORTQ_NO_RESTART))
		return;
	rte_eth_dev_stop(p->port_id);
	p->started = false;
}

/* Bounds of the MTU as far as the device tells. */
void
fp_port_mtu_bounds(const struct fp_port *p, const struct rte_eth_dev_info *di, unsigned *min, unsigned *max)
{
	unsigned overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

	*min = RTE_MAX(di->min_mtu, 68u);
	*max = UINT16_MAX - L2_MAX;
	if (p->quirks & FP_PORTQ_FRAMESZ) {
		uint32_t size = frame_size(p);

		*max = RTE_MIN(*max, size > FRAMESZ_HEAD + L2_MAX ? size - FRAMESZ_HEAD - L2_MAX : 0);
		return;
	}
	if (di->max_mtu != 0)
		*max = RTE_MIN(*max, di->max_mtu);
	if (di->max_rx_pktlen != 0 && di->max_rx_pktlen != UINT32_MAX) {
		if (di->max_mtu != 0 && di->max_mtu != UINT16_MAX && di->max_rx_pktlen > di->max_mtu)
			overhead = di->max_rx_pktlen - di->max_mtu;
		*max = RTE_MIN(*max, di->max_rx_pktlen > overhead ? di->max_rx_pktlen - overhead : 0);
	}
}
