/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports: Ethernet devices of DPDK that belong to a box. port.c attaches, configures and starts them and deals their
 * queues to the workers; ifnet.c makes an interface of each. Owner: the main lcore; workers see only their own lists
 * (fp_worker.rx, fp_worker.tx), which change while the worker holds still.
 */
#ifndef FP_PORT_H
#define FP_PORT_H

#include "box.h"

struct fp_port {
	uint16_t port_id;
	char name[FP_NAME_SIZE];	/* of its interface */
	char devargs[256];		/* as attached */
	char driver[64];
	struct rte_ether_addr mac;
	uint16_t mtu, max_mtu;		/* of the IP packet */
	int socket;			/* -1 unknown */
	uint8_t quirks;			/* FP_PORTQ_*, port.c */
	bool probed;			/* attached by us: the device goes at detach */
	bool configured;		/* queues are set up for the box's workers */
	bool started;			/* device runs */
	bool ran;			/* was started before */
	bool retrying;			/* start failed for want of a peer */
	unsigned retries;
	bool dealt;			/* workers poll it and send to it */
	bool sync;			/* only the cable: the sync thread polls it, workers send by it */
	bool stopped_by_user;		/* `port stop` */
	bool promisc;			/* wanted; told to the device */
	bool link_up;			/* as last seen */
	bool removed;			/* device vanished; set on EAL's interrupt thread */
	bool rss;			/* symmetric RSS over n_rxq queues is in force */
	bool rx_cksum, tx_cksum, multi_segs, scatter; /* as configured */
	bool mtu_set;			/* by the user */
	uint16_t n_rxq, n_txq, n_rxd, n_txd;
	uint16_t reta_size;
	uint64_t rss_hf;
	uint32_t link_mbps;
	bool full_duplex;
	struct rte_mempool *pool;	/* of the receive queues */
	uint32_t pool_need;
	struct rte_eth_stats base;	/* subtracted: `clear port stats` */
	struct fp_port *next;
};

/* NULL: none. */
struct fp_port *fp_port_by_id(const struct fp_box *box, uint16_t port_id);
struct fp_port *fp_port_by_name(const struct fp_box *box, const char *name);
/* Statistics since the last clear. 0 or a negative errno. */
int fp_port_stats(const struct fp_port *p, struct rte_eth_stats *st);
void fp_port_stats_clear(struct fp_box *box, struct fp_port *p);
/* Words for people: "rx-cksum tx-cksum rss multi-segs". */
void fp_port_offload_words(const struct fp_port *p, char *buf, size_t size);
/* MTU of the IP packet and MAC of the device; the caller publishes the interface. 0 or a negative errno. */
int fp_port_set_mtu(struct fp_box *box, struct fp_port *p, unsigned mtu, struct fp_err *err);
int fp_port_set_mac(struct fp_box *box, struct fp_port *p, const struct rte_ether_addr *mac, struct fp_err *err);

/* Box start: configure the ports for the box's workers; start the devices and deal their queues. At stop devices run on. */
int fp_ports_setup(struct fp_box *box, struct fp_err *err);
int fp_ports_start(struct fp_box *box, struct fp_err *err);
void fp_ports_destroy(struct fp_box *box);
/* Link state and removed devices; from fp_box_poll(), at most a few times per second. */
void fp_ports_watch(struct fp_box *box);
/* The same for one port's link, by those who cannot wait so long. */
void fp_port_watch_link(struct fp_box *box, struct fp_port *p);

/*
 * What ifnet.c does when a port comes and goes: makes the interface p->name, or removes it and its VLANs. attached: 0 or a
 * negative errno and *err (name in use). detaching: refuses with -EBUSY while something holds on to it. changed: link
 * state, MTU, or MAC. Each publishes the configuration.
 */
int fp_ifnet_port_attached(struct fp_box *box, struct fp_port *p, struct fp_err *err);
int fp_ifnet_port_detaching(struct fp_box *box, struct fp_port *p, struct fp_err *err);
void fp_ifnet_port_changed(struct fp_box *box, struct fp_port *p);

#endif
