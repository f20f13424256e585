/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports of a box: attach, detach, start, stop, watch. The device itself: port_dev.c; its queues and the workers:
 * port_deal.c.
 *
 * A change while workers run never stops them: they get lists without the port, then the device is stopped or changed,
 * then they get lists with it again.
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

#include "port_priv.h"

#define LOG FP_PORT_LOG

#define RETRY_WATCHES 4		/* tries to start a FP_PORTQ_RETRY port: every so many watches */

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

int
fp_ports_setup(struct fp_box *box, struct fp_err *err)
{
	for (struct fp_port *p = box->ports; p != NULL; p = p->next) {
		int rc;

		if (p->removed)
			continue;
		if (p->configured && !((p->quirks & FP_PORTQ_NO_RESTART) && p->started) && fp_port_conf_changed(box, p)) {
			fp_port_set_dealt(box, p, false);
			fp_port_stop_device(p);
			p->configured = false;
		}
		rc = p->configured ? 0 : fp_port_configure(box, p, err);
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
		rc = fp_port_start_device(box, p, err);
		if (rc < 0)
			return rc;
		p->dealt = rc == 0;
	}
	if (fp_port_deal_all(box) != 0)
		return fp_err_set(err, -ENOMEM, "no memory for the lists of queues");
	for (struct fp_port *p = box->ports; p != NULL; p = p->next) {
		fp_port_warn_numa(box, p);
		fp_ifnet_port_changed(box, p);
	}
	return 0;
}

int
fp_port_clear_stats(struct fp_box *box, const char *name)
{
	struct fp_port *p;

	if (strcmp(name, "all") != 0) {
		p = fp_port_by_name(box, name);
		if (p == NULL)
			return -ENODEV;
		fp_port_stats_clear(box, p);
		return 0;
	}
	for (p = box->ports; p != NULL; p = p->next)
		fp_port_stats_clear(box, p);
	return 0;
}

int
fp_port_xstats(struct fp_box *box, const char *name, int (*cb)(void *arg, const char *key, uint64_t v), void *arg)
{
	const struct fp_port *p = fp_port_by_name(box, name);
	struct rte_eth_xstat_name *names = NULL;
	struct rte_eth_xstat *values = NULL;
	int n, rc = 0;

	if (p == NULL || p->removed)
		return -ENODEV;
	n = rte_eth_xstats_get_names(p->port_id, NULL, 0);
	if (n < 0)
		return n;
	names = calloc(n + 1, sizeof(*names));
	values = calloc(n + 1, sizeof(*values));
	if (names == NULL || values == NULL) {
		rc = -ENOMEM;
	} else if (rte_eth_xstats_get_names(p->port_id, names, n) != n || rte_eth_xstats_get(p->port_id, values, n) != n) {
		rc = -EAGAIN; /* the device changed its mind about their number */
	} else {
		for (int i = 0; i < n && rc == 0; i++)
			if (values[i].id < (uint64_t)n)
				rc = cb(arg, names[values[i].id].name, values[i].value);
	}
	free(names);
	free(values);
	return rc;
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
	char name[64];

	if ((strncmp(devargs, "net_af_packet", 13) != 0 && strncmp(devargs, "net_af_xdp", 10) != 0) ||
	    !fp_port_dev_arg(devargs, "iface", name, sizeof(name)))
		return 0;
	if (if_nametoindex(name) == 0)
		return fp_err_set(err, -ENODEV, "%s: this host has no interface \"%s\"", devargs, name);
	return 0;
}

/* The DPDK port that devargs speak of: a number, a name of a port that is there, or something to be probed. */
static int
find_device(const char *devargs, uint16_t *port_id, bool *probed, struct fp_err *err)
{
	char full[300], value[32];
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
	/*
	 * The driver's own 512 frames are a few hundred microseconds of a fast TCP flow, less than a busy host's scheduler
	 * takes: at 1.5 Gbit/s over veth one packet in fifty was lost in the ring, with 4096 one in twenty thousand.
	 */
	snprintf(full, sizeof(full), "%s%s", devargs, strncmp(devargs, "net_af_packet", 13) == 0 &&
		!fp_port_dev_arg(devargs, "framecnt", value, sizeof(value)) ? ",framecnt=4096" : "");
	rc = rte_dev_probe(full);
	if (rc == -1) /* all that some drivers say */
		return fp_err_set(err, -ENODEV, "%s: the driver refuses it (its line above says why)", devargs);
	if (rc == -EFAULT)	/* what the bus of virtual devices says to a name that no driver takes */
		return fp_err_set(err, -ENODEV, "%s: no driver takes this device; expected a PCI address, or a driver's name with a "
			"number: net_af_packet0,iface=IF", devargs);
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
	fp_box_rx_pool_put(box, p->pool, p->pool_need);
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
	p->quirks = fp_port_quirks(p->driver);
	p->socket = rte_eth_dev_socket_id(port_id);
	if (rte_eth_dev_get_mtu(port_id, &p->mtu) != 0 || p->mtu == 0)
		p->mtu = RTE_ETHER_MTU;
	p->max_mtu = di.max_mtu;
	taken[port_id] = true;
	learn_mac(box, p);
	fp_port_learn_link(p);
	rte_eth_dev_callback_register(port_id, RTE_ETH_EVENT_INTR_RMV, on_removed, p);
	for (last = &box->ports; *last != NULL; last = &(*last)->next)
		;
	*last = p;

	/* A box that has started once has workers: the port joins in at once. */
	if (box->n_workers != 0) {
		rc = fp_port_configure(box, p, err);
		if (rc == 0)
			rc = fp_port_start_device(box, p, err);
		if (rc < 0)
			goto undo;
	}
	rc = fp_ifnet_port_attached(box, p, err);
	if (rc != 0)
		goto undo;
	rc = fp_port_set_dealt(box, p, p->started);
	if (rc != 0) {
		fp_err_set(err, rc, "no memory for the lists of queues");
		fp_ifnet_port_detaching(box, p, NULL);
		goto undo;
	}
	if (box->running)
		fp_port_warn_numa(box, p);
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
	rc = fp_port_set_dealt(box, p, false);
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
		rc = p->configured ? 0 : fp_port_configure(box, p, err);
		if (rc == 0 && !p->dealt)
			rc = fp_port_start_device(box, p, err);
		if (rc < 0)
			return rc;
		rc = fp_port_set_dealt(box, p, p->started);
		if (rc != 0)
			return fp_err_set(err, rc, "port %s: no memory for the lists of queues", name);
	}
	fp_port_learn_link(p);
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
	rc = fp_port_set_dealt(box, p, false);
	if (rc != 0)
		return fp_err_set(err, rc, "port %s: no memory for the lists of queues", name);
	fp_port_stop_device(p);
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
	rc = fp_port_apply_promisc(p);
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
	int rc = fp_port_set_dealt(box, p, false);

	if (rc == 0) {
		fp_port_stop_device(p);
		p->configured = false;
		rc = fp_port_configure(box, p, err);
	}
	if (rc == 0 && !p->stopped_by_user)
		rc = fp_port_start_device(box, p, err);
	if (rc >= 0 && was_dealt)
		rc = fp_port_set_dealt(box, p, p->started);
	return rc;
}

int
fp_port_set_mtu(struct fp_box *box, struct fp_port *p, unsigned mtu, struct fp_err *err)
{
	struct rte_eth_dev_info di;
	unsigned min, max;
	uint16_t old = p->mtu;
	bool old_set = p->mtu_set, fits;
	int rc = rte_eth_dev_info_get(p->port_id, &di);

	if (rc != 0)
		return fp_err_set(err, rc, "port %s: the device does not answer: %s", p->name, rte_strerror(-rc));
	fp_port_mtu_bounds(p, &di, &min, &max);
	if (mtu < min || mtu > max)
		return fp_err_set(err, -EINVAL, "port %s: MTU %u is not from %u to %u bytes%s", p->name, mtu, min, max,
			p->quirks & FP_PORTQ_FRAMESZ ? "; framesz=N in the device string makes room for more" : "");
	p->mtu = mtu;
	p->mtu_set = true;
	if (!p->configured)
		return p->quirks & FP_PORTQ_FRAMESZ ? fp_port_device_mtu(p, mtu) : 0;
	fits = p->scatter || (p->quirks & FP_PORTQ_FRAMESZ) || rte_pktmbuf_data_room_size(p->pool) >= mtu + L2_MAX + RTE_PKTMBUF_HEADROOM;
	if (fits) {
		rc = fp_port_device_mtu(p, mtu);
		if (rc == 0 || rc == -ENOTSUP)
			return 0;
		if (rc != -EBUSY) {
			p->mtu = old;
			p->mtu_set = old_set;
			return fp_err_set(err, rc, "port %s: the device refuses an MTU of %u: %s", p->name, mtu, rte_strerror(-rc));
		}
	}
	rc = with_port_stopped(box, p, err);
	if (rc != 0) {
		p->mtu = old;
		p->mtu_set = old_set;
		with_port_stopped(box, p, NULL);
	}
	return rc;
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
fp_port_watch_link(struct fp_box *box, struct fp_port *p)
{
	bool was = p->link_up;

	if (!p->stopped_by_user)
		fp_port_learn_link(p);
	if (p->link_up != was) {
		LOG(NOTICE, "port %s: link %s\n", p->name, p->link_up ? "up" : "down");
		fp_ifnet_port_changed(box, p);
	}
}

void
fp_ports_watch(struct fp_box *box)
{
	for (struct fp_port *p = box->ports; p != NULL; p = p->next) {
		if (p->retrying && box->running && !p->stopped_by_user && ++p->retries % RETRY_WATCHES == 0 &&
		    fp_port_start_device(box, p, NULL) == 0)
			fp_port_set_dealt(box, p, true);
		fp_port_watch_link(box, p);
		if (__atomic_load_n(&p->removed, __ATOMIC_RELAXED) && p->dealt) {
			LOG(WARNING, "port %s: the device is gone\n", p->name);
			fp_port_set_dealt(box, p, false);
		}
	}
}
