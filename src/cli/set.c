/* SPDX-License-Identifier: BSD-2-Clause */
/* start, stop, `set ...` (parameters of the box: fp_params()), `show config`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "carp.h"
#include "pfctl.h"
#include "pfsync.h"

static int
cmd_start(struct cli_ctx *x)
{
	struct fp_err err = { "" };
	int rc;

	if (fp_box_running(x->box))
		return 0;
	if ((rc = fp_box_start(x->box, &err)) != 0)
		return cli_err(x, "start: %s", err.text[0] ? err.text : strerror(-rc));
	return 0;
}

static int
cmd_stop(struct cli_ctx *x)
{
	int rc;

	if (!fp_box_running(x->box))
		return 0;
	return (rc = fp_box_stop(x->box)) == 0 ? 0 : cli_err(x, "stop: %s", strerror(-rc));
}

/* ---- set NAME VALUE */

static bool
name_is(const char *name, int argc, char *const *argv, int *n_words)
{
	int i = 0;

	while (*name != '\0') {
		size_t len = strcspn(name, " ");

		if (i == argc || strlen(argv[i]) != len || memcmp(argv[i], name, len) != 0)
			return false;
		i++;
		name += len;
		while (*name == ' ')
			name++;
	}
	*n_words = i;
	return true;
}

static void
range_text(const struct fp_param *p, char *buf, size_t size)
{
	if (p->choices != NULL && strcmp(p->type, "enum") == 0)
		snprintf(buf, size, "%s", p->choices);
	else if (strcmp(p->type, "bool") == 0)
		snprintf(buf, size, "on|off");
	else if (strcmp(p->type, "octal") == 0)
		snprintf(buf, size, "octal, 0 to %llo", (unsigned long long)p->max);
	else if (strcmp(p->type, "uint") == 0)
		snprintf(buf, size, "%lld to %lld%s%s%s%s", (long long)p->min, (long long)p->max, p->unit && p->unit[0] ? " " : "",
			p->unit ? p->unit : "", p->choices ? ", or " : "", p->choices ? p->choices : "");
	else
		snprintf(buf, size, "text of %lld to %lld characters", (long long)p->min, (long long)p->max);
}

static const struct fp_param *
find_param(int argc, char *const *argv, int *n_words)
{
	const struct fp_param *p, *best = NULL;
	unsigned n;
	int k;

	*n_words = 0;
	p = fp_params(&n);
	for (unsigned i = 0; i < n; i++) {
		if (name_is(p[i].name, argc, argv, &k) && k > *n_words) {
			best = &p[i];
			*n_words = k;
		}
	}
	return best;
}

static int
unknown_param(struct cli_ctx *x)
{
	const struct fp_param *p;
	char list[1536] = "promisc, forward, log, verbose, peer, carp, pflog, pfsynclog";
	size_t len = strlen(list);
	unsigned n;

	if (x->argc > 0 && strcmp(x->argv[0], "timeout") == 0)
		return cli_err(x, "set: timeouts belong to the rules: `set timeout` in the file of pfctl -f; pfctl -st shows them");
	if (x->argc > 0 && strcmp(x->argv[0], "limit") == 0)
		return cli_err(x, "set: of the limits only `limit states` is a parameter of the box; the others are set by `set limit` in "
			"the file of pfctl -f");
	p = fp_params(&n);
	if (x->argc > 0 && strcmp(x->argv[0], "sync") == 0) {
		list[len = 0] = '\0';
		for (unsigned i = 0; i < n && len < sizeof(list); i++)
			if (strncmp(p[i].name, "sync ", 5) == 0)
				len += snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "; expected one of: ", p[i].name + 5);
		return cli_err(x, "set sync: syncdev, syncpeer, maxupd, defer, version and mtu are set by ifconfig pfsync0%s", list);
	}
	for (unsigned i = 0; i < n && len < sizeof(list); i++)
		len += snprintf(list + len, sizeof(list) - len, ", %s", p[i].name);
	if (x->argc == 0)
		return cli_err(x, "set: what? expected one of: %s", list);
	return cli_err(x, "set: unknown parameter `%s`; expected one of: %s", x->argv[0], list);
}

static bool
value_ok(const struct fp_param *p, const char *v)
{
	char word[64];
	uint64_t n;

	for (const char *c = p->choices; c != NULL && *c != '\0'; c += strcspn(c, "|"), c += *c == '|') {
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(c, "|"), c);
		if (strcmp(word, v) == 0)
			return true;
	}
	if (strcmp(p->type, "enum") == 0)
		return false;
	if (strcmp(p->type, "bool") == 0)
		return strcmp(v, "on") == 0 || strcmp(v, "off") == 0 || strcmp(v, "yes") == 0 || strcmp(v, "no") == 0 ||
			strcmp(v, "1") == 0 || strcmp(v, "0") == 0 || strcmp(v, "true") == 0 || strcmp(v, "false") == 0;
	if (strcmp(p->type, "octal") == 0)
		return v[0] != '\0' && strspn(v, "01234567") == strlen(v) && strtoull(v, NULL, 8) <= (uint64_t)p->max;
	if (strcmp(p->type, "uint") == 0)
		return strncmp(v, "0x", 2) == 0 || (cli_parse_u64(v, INT64_MAX, &n) && (int64_t)n >= p->min && (int64_t)n <= p->max);
	return (int64_t)strlen(v) >= p->min && (int64_t)strlen(v) <= p->max;
}

static int
cmd_set(struct cli_ctx *x)
{
	struct fp_err err = { "" };
	const struct fp_param *p;
	char range[160];
	int n, rc;

	if ((p = find_param(x->argc, x->argv, &n)) == NULL)
		return unknown_param(x);
	range_text(p, range, sizeof(range));
	if (x->argc == n)
		return cli_err(x, "set %s: a value is missing; expected %s", p->name, range);
	if (x->argc > n + 1)
		return cli_err(x, "set %s: `%s` is one word too many; expected %s", p->name, x->argv[n + 1], range);
	if (x->check)
		return value_ok(p, x->argv[n]) ? 0 : cli_err(x, "set %s %s: expected %s", p->name, x->argv[n], range);
	if ((rc = fp_param_set(x->box, p->name, x->argv[n], &err)) != 0)
		return err.text[0] ? cli_err(x, "set: %s", err.text) :
			cli_err(x, "set %s %s: %s; expected %s", p->name, x->argv[n], strerror(-rc), range);
	if (strncmp(p->name, "socket ", 7) == 0 && cli_server_apply(x->cli, &err) != 0)
		return cli_err(x, "set %s: %s", p->name, err.text);
	return 0;
}

static void
complete_set(struct cli_ctx *x, void (*add)(void *, const char *, const char *), void *arg)
{
	const struct fp_param *p, *all;
	unsigned n;
	int k;

	if ((p = find_param(x->argc, x->argv, &k)) != NULL && k == x->argc) {
		char word[64];

		if (strcmp(p->type, "bool") == 0) {
			add(arg, "on", "");
			add(arg, "off", "");
		}
		for (const char *c = p->choices; c != NULL && *c != '\0'; c += strcspn(c, "|"), c += *c == '|') {
			snprintf(word, sizeof(word), "%.*s", (int)strcspn(c, "|"), c);
			add(arg, word, "");
		}
		return;
	}
	all = fp_params(&n);
	for (unsigned i = 0; i < n; i++) {
		const char *rest = all[i].name;
		char word[32];
		int w = 0;

		while (w < x->argc && *rest != '\0' && strncmp(rest, x->argv[w], strlen(x->argv[w])) == 0 &&
			rest[strlen(x->argv[w])] == ' ')
			rest += strlen(x->argv[w++]) + 1;
		if (w < x->argc)
			continue;
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(rest, " "), rest);
		add(arg, word, strchr(rest, ' ') == NULL ? all[i].help : "");
	}
}

static int
cmd_forward(struct cli_ctx *x)
{
	struct fp_err err = { "" };
	int rc;

	if (strcmp(x->argv[0], "route") == 0)
		rc = fp_if_bridge(x->box, NULL, NULL, &err);
	else if (strcmp(x->argv[1], x->argv[2]) == 0)
		return cli_err(x, "set forward bridge: two different interfaces are needed");
	else
		rc = fp_if_bridge(x->box, x->argv[1], x->argv[2], &err);
	return rc == 0 ? 0 : cli_err(x, "set forward: %s", err.text[0] ? err.text : strerror(-rc));
}

static int
cmd_log(struct cli_ctx *x)
{
	int rc = cli_log_level(x->argc > 1 ? x->argv[1] : "twinpath*", x->argv[0]);

	return rc == 0 ? 0 : cli_err(x, "set log: nothing is logged under `%s`", x->argc > 1 ? x->argv[1] : "twinpath*");
}

static int
cmd_verbose(struct cli_ctx *x)
{
	uint64_t n;

	if (!cli_parse_u64(x->argv[0], 10, &n))
		return cli_err(x, "set verbose: expected 0 to 10");
	cli_log_level("twinpath*", n == 0 ? "notice" : n == 1 ? "info" : "debug");
	return 0;
}

static int
cmd_pflog(struct cli_ctx *x)
{
	struct fp_err err = { "" };
	char path[CLI_PATH_SIZE];
	int rc;

	if (strcmp(x->argv[0], "off") == 0)
		rc = fp_pflog_open(x->box, NULL, &err);
	else
		rc = fp_pflog_open(x->box, cli_path(x, x->argv[0], path), &err);
	return rc == 0 ? 0 : cli_err(x, "set pflog: %s", err.text[0] ? err.text : strerror(-rc));
}

/* ---- show config: the running configuration as a BOX.conf */

static void
quoted(struct cli_out *o, const char *s)
{
	if (s[0] != '\0' && strpbrk(s, " \t#'\"\\") == NULL)
		cli_printf(o, "%s", s);
	else if (strchr(s, '\'') == NULL)
		cli_printf(o, "'%s'", s);
	else
		cli_printf(o, "\"%s\"", s);
}

static int
config_route(void *arg, const struct fp_route_info *r)
{
	struct cli_ctx *x = arg;
	char dest[64], gw[64];

	/* static routes alone: the others follow from addresses */
	if (strchr(r->flags, 'S') == NULL)
		return 0;
	cli_addr_str(r->af, r->dest, dest, sizeof(dest));
	if (r->has_gw)
		cli_addr_str(r->af, r->gw, gw, sizeof(gw));
	else
		snprintf(gw, sizeof(gw), "%s", r->ifname[0] ? r->ifname : r->af == POL_AF_INET ? "127.0.0.1" : "::1");
	if (r->plen == 0)
		cli_printf(x->out, "route add%s default %s", r->af == POL_AF_INET6 ? " -inet6" : "", gw);
	else
		cli_printf(x->out, "route add %s/%u %s", dest, r->plen, gw);
	cli_printf(x->out, "%s\n", strchr(r->flags, 'R') ? " -reject" : strchr(r->flags, 'B') ? " -blackhole" : "");
	return cli_gone(x->out);
}

static bool
own_address(struct cli_ctx *x, uint8_t af, const uint8_t *addr)
{
	struct fp_if_info *i = malloc(sizeof(*i));
	bool own = false;

	for (unsigned k = 0; i != NULL && !own && fp_if_info(x->box, k, i) == 0; k++)
		for (unsigned a = 0; a < i->n_addrs && a < sizeof(i->addrs) / sizeof(i->addrs[0]); a++)
			own |= i->addrs[a].af == af && memcmp(i->addrs[a].addr, addr, af == POL_AF_INET ? 4 : 16) == 0;
	free(i);
	return own;
}

static int
config_neigh(void *arg, const struct fp_neigh_info *n)
{
	struct cli_ctx *x = arg;
	char a[64], mac[18];

	if (!n->permanent || own_address(x, n->af, n->addr))
		return 0;
	cli_addr_str(n->af, n->addr, a, sizeof(a));
	cli_mac_str(n->mac, mac);
	cli_printf(x->out, "%s -s %s %s\n", n->af == POL_AF_INET ? "arp" : "ndp", a, mac);
	return cli_gone(x->out);
}

static void
config_if(struct cli_ctx *x, const struct fp_if_info *i)
{
	struct cli_out *o = x->out;
	char a[64];

	for (unsigned k = 0; k < i->n_addrs && k < sizeof(i->addrs) / sizeof(i->addrs[0]); k++) {
		if (i->addrs[k].linklocal || i->addrs[k].vhid != 0)
			continue;
		cli_addr_str(i->addrs[k].af, i->addrs[k].addr, a, sizeof(a));
		cli_printf(o, "ifconfig %s %s %s/%u\n", i->name, i->addrs[k].af == POL_AF_INET ? "inet" : "inet6", a, i->addrs[k].plen);
	}
	if (i->mtu != 1500)
		cli_printf(o, "ifconfig %s mtu %u\n", i->name, i->mtu);
	if (!i->up)
		cli_printf(o, "ifconfig %s down\n", i->name);
}

/* `show config json`: what is set, by name; the whole as text lines too, so that nothing is lost. */
static int
cmd_show_config(struct cli_ctx *x)
{
	struct cli_out *o = x->out;
	const struct pol_ruleset *rs;
	struct fp_if_info *i = calloc(1, sizeof(*i));
	const struct fp_param *p;
	char v[256];
	unsigned n;

	if (i == NULL)
		return cli_err(x, "out of memory");
	p = fp_params(&n);
	if (cli_json(o)) {
		cli_arr(o, NULL);
		for (unsigned k = 0; k < n; k++) {
			if (fp_param_get(x->box, p[k].name, v, sizeof(v)) != 0)
				continue;
			cli_obj(o, NULL);
			cli_str(o, "name", p[k].name);
			cli_str(o, "value", v);
			cli_str(o, "default", p[k].def);
			cli_str(o, "unit", p[k].unit != NULL ? p[k].unit : "");
			cli_str(o, "takes_effect", p[k].when == FP_PARAM_NOW ? "now" : p[k].when == FP_PARAM_START ? "while stopped" :
				"before the first start");
			cli_str(o, "help", p[k].help);
			cli_obj_end(o);
		}
		cli_arr_end(o);
		free(i);
		return 0;
	}
	for (unsigned k = 0; k < n; k++) {
		/* the socket's path is an argument of the program */
		if (strcmp(p[k].name, "socket path") == 0 || fp_param_is_default(x->box, p[k].name) || fp_param_get(x->box, p[k].name, v, sizeof(v)) != 0)
			continue;
		cli_printf(o, "set %s ", p[k].name);
		quoted(o, v);
		cli_printf(o, "\n");
	}
	for (unsigned k = 0; fp_if_info(x->box, k, i) == 0; k++) {
		if (i->parent[0] != '\0')
			cli_printf(o, "ifconfig %s vnetid %u parent %s\n", i->name, i->vlan_inner ? i->vlan_inner : i->vlan_outer, i->parent);
		else if (i->port_id >= 0) {
			cli_printf(o, "port attach ");
			quoted(o, i->devargs);
			cli_printf(o, " name %s\n", i->name);
		}
	}
	for (unsigned k = 0; fp_if_info(x->box, k, i) == 0; k++)
		config_if(x, i);
	for (unsigned k = 0; fp_if_info(x->box, k, i) == 0; k++) {
		char peer[FP_NAME_SIZE];

		/* each pair once */
		if (i->bridge_peer < 0xfffe && i->ifid < i->bridge_peer && fp_if_name(x->box, i->bridge_peer, peer) == 0)
			cli_printf(o, "set forward bridge %s %s\n", i->name, peer);
	}
	fp_route_foreach(x->box, config_route, x);
	fp_neigh_foreach(x->box, POL_AF_INET, config_neigh, x);
	fp_neigh_foreach(x->box, POL_AF_INET6, config_neigh, x);
	cli_pfsync_config(x);
	cli_carp_config(x);
	rs = fp_rules(x->box);
	if (rs != NULL && rs->path != NULL && strncmp(rs->path, PFCTL_INPUT_DIR, strlen(PFCTL_INPUT_DIR)) == 0) {
		cli_printf(o, "# the rules in force came from standard input: pfctl -f -\n");
	} else if (rs != NULL && rs->path != NULL && rs->path[0] != '\0' && strcmp(rs->path, "-") != 0) {
		cli_printf(o, "pfctl -f ");
		quoted(o, rs->path);
		cli_printf(o, "\n");
	}
	if (fp_box_running(x->box))
		cli_printf(o, "start\n");
	free(i);
	return 0;
}

static int
cmd_show_params(struct cli_ctx *x)
{
	const struct fp_param *p;
	char v[256], range[160];
	unsigned n;

	p = fp_params(&n);
	cli_arr(x->out, NULL);
	for (unsigned k = 0; k < n; k++) {
		range_text(&p[k], range, sizeof(range));
		cli_obj(x->out, NULL);
		cli_str(x->out, "name", p[k].name);
		cli_str(x->out, "value", fp_param_get(x->box, p[k].name, v, sizeof(v)) == 0 ? v : NULL);
		cli_str(x->out, "default", p[k].def);
		cli_str(x->out, "range", range);
		cli_str(x->out, "help", p[k].help);
		cli_obj_end(x->out);
	}
	cli_arr_end(x->out);
	return 0;
}

const struct cli_cmd cli_set_cmds[] = {
	{ "start", "", "workers start: packets are forwarded from now on", cmd_start },
	{ "stop", "", "workers stop; ports, rules and states stay", cmd_stop },
	{ "set forward", "(route|bridge IF IF)", "route between networks, or bridge two ports transparently", cmd_forward },
	{ "set log", "(emergency|alert|critical|error|warning|notice|info|debug) [WORD]", "log level, of all parts or of those that match",
		cmd_log },
	{ "set verbose", "N", "0 says what an operator must know, 1 more, 2 everything", cmd_verbose },
	{ "set pflog", "(off|FILE)", "packets of `log` rules go to this pcap file", cmd_pflog },
	{ "set", "NAME VALUE", "a parameter of the box; `show parameters` lists them", cmd_set, CLI_F_OWN_ARGS, complete_set },
	{ "show config", "", "the running configuration, as a box file that loads again", cmd_show_config, CLI_F_JSON },
	{ "show parameters", "", "parameters of `set`, their values and ranges", cmd_show_params, CLI_F_JSON },
	{ NULL },
};
