/* SPDX-License-Identifier: BSD-2-Clause */
/* testpmd's words for ports: port attach|detach|start|stop, show port info|stats|xstats|summary, clear port stats. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli_priv.h"

/* A port by interface name or DPDK id. Tells which there are when it is none. */
static int
resolve(struct cli_ctx *x, const char *who, struct fp_if_info *i)
{
	char known[512] = "";
	size_t n = 0;
	uint64_t id;
	bool number = cli_parse_u64(who, 65535, &id);

	for (unsigned k = 0; fp_if_info(x->box, k, i) == 0; k++) {
		if (i->port_id < 0 || i->parent[0] != '\0')
			continue;
		if (strcmp(i->name, who) == 0 || (number && (uint64_t)i->port_id == id))
			return 0;
		if (n < sizeof(known))
			n += snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "", i->name);
	}
	return cli_err(x, "%s: no port `%s`; there is: %s", x->cmd->words, who, known[0] ? known : "none");
}

/* Each port that is meant by a name, an id or `all`. */
static int
foreach(struct cli_ctx *x, const char *who, int (*fn)(struct cli_ctx *x, const struct fp_if_info *i))
{
	struct fp_if_info *i = calloc(1, sizeof(*i));
	int rc = 0;

	if (i == NULL)
		return cli_err(x, "out of memory");
	if (who != NULL && strcmp(who, "all") != 0) {
		rc = resolve(x, who, i);
		if (rc == 0)
			rc = fn(x, i);
	} else {
		for (unsigned k = 0; rc == 0 && fp_if_info(x->box, k, i) == 0; k++)
			if (i->port_id >= 0 && i->parent[0] == '\0')
				rc = fn(x, i);
	}
	free(i);
	return rc;
}

static int
failed(struct cli_ctx *x, const char *name, int rc, const struct fp_err *err)
{
	size_t n = strlen(name);

	if (rc == 0)
		return 0;
	if (strncmp(err->text, name, n) == 0 && err->text[n] == ':')	/* said there already */
		return cli_err(x, "%s: %s", x->cmd->words, err->text);
	return cli_err(x, "%s: %s: %s", x->cmd->words, name, err->text[0] ? err->text : strerror(-rc));
}

static int
cmd_attach(struct cli_ctx *x)
{
	struct fp_err err = { "" };
	char name[FP_NAME_SIZE];

	if (x->argc == 3) {
		snprintf(name, sizeof(name), "%s", x->argv[2]);
	} else {	/* the first free name */
		struct fp_if_info *i = malloc(sizeof(*i));

		for (unsigned k = 0; i != NULL; k++) {
			snprintf(name, sizeof(name), "port%u", k);
			if (fp_if_find(x->box, name, i) != 0)
				break;
		}
		free(i);
	}
	return failed(x, x->argv[0], fp_port_attach(x->box, x->argv[0], name, &err), &err);
}

static int
cmd_detach(struct cli_ctx *x)
{
	struct fp_if_info *i = malloc(sizeof(*i));
	struct fp_err err = { "" };
	int rc;

	if (i == NULL)
		return cli_err(x, "out of memory");
	if ((rc = resolve(x, x->argv[0], i)) == 0)
		rc = failed(x, i->name, fp_port_detach(x->box, i->name, &err), &err);
	free(i);
	return rc;
}

static int
start_one(struct cli_ctx *x, const struct fp_if_info *i)
{
	struct fp_err err = { "" };

	return failed(x, i->name, fp_port_start(x->box, i->name, &err), &err);
}

static int
stop_one(struct cli_ctx *x, const struct fp_if_info *i)
{
	struct fp_err err = { "" };

	return failed(x, i->name, fp_port_stop(x->box, i->name, &err), &err);
}

static int
cmd_port_start(struct cli_ctx *x)
{
	return foreach(x, x->argv[0], start_one);
}

static int
cmd_port_stop(struct cli_ctx *x)
{
	return foreach(x, x->argv[0], stop_one);
}

static int
promisc_on(struct cli_ctx *x, const struct fp_if_info *i)
{
	struct fp_err err = { "" };

	return failed(x, i->name, fp_port_promisc(x->box, i->name, strcmp(x->argv[1], "on") == 0, &err), &err);
}

static int
cmd_promisc(struct cli_ctx *x)
{
	return foreach(x, x->argv[0], promisc_on);
}

/* ---- show */

static int
info_one(struct cli_ctx *x, const struct fp_if_info *i)
{
	struct cli_out *o = x->out;
	char mac[18];

	cli_mac_str(i->mac, mac);
	if (!cli_json(o))
		cli_printf(o, "\n********************* Infos for port %d *********************\n", i->port_id);
	cli_obj(o, NULL);
	cli_str(o, "name", i->name);
	cli_u64(o, "port", (uint64_t)i->port_id);
	cli_str(o, "device", i->devargs);
	cli_str(o, "driver", i->driver);
	cli_str(o, "mac", mac);
	cli_u64(o, "numa_node", i->socket < 0 ? 0 : (uint64_t)i->socket);
	cli_str(o, "link", i->running ? "up" : "down");
	cli_u64(o, "link_mbps", i->link_mbps == UINT32_MAX ? 0 : i->link_mbps);
	cli_str(o, "duplex", i->full_duplex ? "full" : "half");
	cli_u64(o, "mtu", i->mtu);
	cli_bool(o, "admin_up", i->up);
	cli_bool(o, "promiscuous", i->promisc);
	cli_u64(o, "rx_queues", i->n_rxq);
	cli_u64(o, "tx_queues", i->n_txq);
	cli_str(o, "offloads", i->offloads);
	cli_obj_end(o);
	return 0;
}

static int
stats_one(struct cli_ctx *x, const struct fp_if_info *i)
{
	struct cli_out *o = x->out;

	if (cli_json(o)) {
		cli_obj(o, NULL);
		cli_str(o, "name", i->name);
		cli_u64(o, "port", (uint64_t)i->port_id);
		cli_u64(o, "rx_packets", i->in_packets);
		cli_u64(o, "rx_bytes", i->in_bytes);
		cli_u64(o, "rx_errors", i->in_errors);
		cli_u64(o, "rx_missed", i->in_missed);
		cli_u64(o, "rx_nombuf", i->in_nombuf);
		cli_u64(o, "tx_packets", i->out_packets);
		cli_u64(o, "tx_bytes", i->out_bytes);
		cli_u64(o, "tx_errors", i->out_errors);
		cli_obj_end(o);
		return 0;
	}
	cli_printf(o, "\n  ######################## NIC statistics for port %d (%s) ########################\n", i->port_id, i->name);
	cli_printf(o, "  RX-packets: %-10llu RX-missed: %-10llu RX-bytes:  %-10llu\n", (unsigned long long)i->in_packets,
		(unsigned long long)i->in_missed, (unsigned long long)i->in_bytes);
	cli_printf(o, "  RX-errors: %llu\n  RX-nombuf:  %-10llu\n", (unsigned long long)i->in_errors, (unsigned long long)i->in_nombuf);
	cli_printf(o, "  TX-packets: %-10llu TX-errors: %-10llu TX-bytes:  %-10llu\n", (unsigned long long)i->out_packets,
		(unsigned long long)i->out_errors, (unsigned long long)i->out_bytes);
	return 0;
}

static int
xstat_cb(void *arg, const char *key, uint64_t v)
{
	struct cli_out *o = arg;

	if (cli_json(o))
		cli_u64(o, key, v);
	else
		cli_printf(o, "%s: %llu\n", key, (unsigned long long)v);
	return cli_gone(o);
}

static int
xstats_one(struct cli_ctx *x, const struct fp_if_info *i)
{
	int rc;

	if (cli_json(x->out)) {
		cli_obj(x->out, NULL);
		cli_str(x->out, "name", i->name);
		cli_u64(x->out, "port", (uint64_t)i->port_id);
		cli_obj(x->out, "xstats");
	} else {
		cli_printf(x->out, "###### NIC extended statistics for port %d (%s)\n", i->port_id, i->name);
	}
	rc = fp_port_xstats(x->box, i->name, xstat_cb, x->out);
	if (cli_json(x->out)) {
		cli_obj_end(x->out);
		cli_obj_end(x->out);
	}
	return rc < 0 ? cli_err(x, "%s: %s: %s", x->cmd->words, i->name, strerror(-rc)) : 0;
}

static int
summary_one(struct cli_ctx *x, const struct fp_if_info *i)
{
	struct cli_out *o = x->out;
	char mac[18];

	cli_mac_str(i->mac, mac);
	cli_obj(o, NULL);
	cli_u64(o, "port", (uint64_t)i->port_id);
	cli_str(o, "name", i->name);
	cli_str(o, "mac", mac);
	cli_str(o, "driver", i->driver);
	cli_str(o, "link", i->running ? "up" : "down");
	cli_u64(o, "link_mbps", i->link_mbps == UINT32_MAX ? 0 : i->link_mbps);
	cli_str(o, "device", i->devargs);
	cli_obj_end(o);
	return 0;
}

static int
cmd_show_port(struct cli_ctx *x)
{
	const char *what = x->argv[0], *who = x->argc > 1 ? x->argv[1] : "all";
	bool list = cli_json(x->out) || strcmp(what, "summary") == 0;
	int rc;

	if (list)
		cli_arr(x->out, NULL);
	rc = foreach(x, who, strcmp(what, "info") == 0 ? info_one : strcmp(what, "stats") == 0 ? stats_one :
		strcmp(what, "xstats") == 0 ? xstats_one : summary_one);
	if (list)
		cli_arr_end(x->out);
	return rc;
}

static int
cmd_clear_port(struct cli_ctx *x)
{
	struct fp_if_info *i;
	int rc;

	if (strcmp(x->argv[1], "all") == 0)
		return fp_port_clear_stats(x->box, "all") == 0 ? 0 : cli_err(x, "clear port: cannot clear the statistics");
	if ((i = malloc(sizeof(*i))) == NULL)
		return cli_err(x, "out of memory");
	if ((rc = resolve(x, x->argv[1], i)) == 0 && (rc = fp_port_clear_stats(x->box, i->name)) != 0)
		rc = cli_err(x, "clear port: %s: %s", i->name, strerror(-rc));
	free(i);
	return rc;
}

const struct cli_cmd cli_port_cmds[] = {
	{ "port attach", "DEVARGS [name IF]", "give the box a port: a PCI address or any DPDK device string", cmd_attach, 0, NULL,
		"  port attach net_af_packet0,iface=eth1 name ext0\n  port attach 0000:17:00.1 name int0" },
	{ "port detach", "(IF|N)", "take a port away; its queues are drained first", cmd_detach },
	{ "port start", "(all|IF|N)", "start a port", cmd_port_start },
	{ "port stop", "(all|IF|N)", "stop a port", cmd_port_stop },
	{ "set promisc", "(all|IF|N) (on|off)", "promiscuous mode of a port", cmd_promisc },
	{ "show port", "(info|stats|xstats|summary) [all|IF|N]", "ports: what they are, what they counted", cmd_show_port, CLI_F_JSON },
	{ "clear port", "(stats|xstats) (all|IF|N)", "counters of ports start again at 0", cmd_clear_port },
	{ NULL },
};
