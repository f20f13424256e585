/* SPDX-License-Identifier: BSD-2-Clause */
/* What port.c, port_dev.c and port_deal.c share. Thread of everything: the main lcore. */
#ifndef FP_PORT_PRIV_H
#define FP_PORT_PRIV_H

#include <rte_log.h>

#include "box_priv.h"

#define FP_PORTQ_NO_RESTART 1	/* a stopped device never receives again */
#define FP_PORTQ_ALL_QUEUES 2	/* the queues are what the user named (files, rings): all must be polled */
#define FP_PORTQ_NO_RSS 4	/* offers RSS but does not spread flows by it */
#define FP_PORTQ_KERNEL_IF 8	/* iface=NAME is an interface of the kernel: packets pile up while nobody polls */
#define FP_PORTQ_SOURCE 16	/* makes packets when it is polled: nothing is ever stale */
#define FP_PORTQ_RETRY 64	/* does not start before its peer is there */
#define FP_PORTQ_FRAMESZ 32	/* framesz=N bounds the frames and the MTU, whatever ethdev thinks of it */
#define FP_PORTQ_PAIRED 128	/* a transmit queue is a receive queue of the other end, which refuses more than it has */

#define L2_MAX 22u		/* Ethernet and two VLAN tags */

extern int fp_log_port;
#define FP_PORT_LOG(level, ...) rte_log(RTE_LOG_##level, fp_log_port, "twinpath: " __VA_ARGS__)

/* ---- port_dev.c: the device */
uint8_t fp_port_quirks(const char *driver);
/* Value of `key=` among the device's arguments. false: not there, or longer than buf. */
bool fp_port_dev_arg(const char *devargs, const char *key, char *buf, size_t size);
void fp_port_learn_link(struct fp_port *p);
int fp_port_apply_promisc(struct fp_port *p);
/* Queues and offloads for the box's workers; the device is stopped. */
int fp_port_configure(struct fp_box *box, struct fp_port *p, struct fp_err *err);
/* Has `set` changed what the device was configured for? */
bool fp_port_conf_changed(const struct fp_box *box, const struct fp_port *p);
/* 0; 1: not now, fp_ports_watch() tries again; or a negative errno. */
int fp_port_start_device(struct fp_box *box, struct fp_port *p, struct fp_err *err);
void fp_port_stop_device(struct fp_port *p);
/* Tell the device. -ENOTSUP: it has no limit of its own. */
int fp_port_device_mtu(const struct fp_port *p, uint16_t mtu);
void fp_port_mtu_bounds(const struct fp_port *p, const struct rte_eth_dev_info *di, unsigned *min, unsigned *max);

/* ---- port_deal.c: queues and workers */
/* New lists for all workers from the ports that are `dealt`; returns when all have them. 0 or -ENOMEM. */
int fp_port_deal_all(struct fp_box *box);
/* Take a port away from the workers, or give it to them. */
int fp_port_set_dealt(struct fp_box *box, struct fp_port *p, bool on);
void fp_port_warn_numa(const struct fp_box *box, const struct fp_port *p);

#endif
