/* SPDX-License-Identifier: BSD-2-Clause */
/* `route add|delete|show`, `arp -an`, `ndp -an`: words and layouts of the BSD commands of these names. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli_priv.h"

struct routecmd {
	const char *dest, *gw, *flags;
	bool inet6, inet, host, net;
	int mask;	/* -1 none */
	char dest_buf[80];
};

static const char usage_add[] = "route add [-inet|-inet6] [-host|-net] DEST GATEWAY [-reject|-blackhole] [-iface]";

static int
plen_of_mask(const char *s)
{
	struct in_addr a;
	uint32_t m;
	int n = 0;

	if (inet_pton(AF_INET, s, &a) != 1)
		return -1;
	m = ntohl(a.s_addr);
	while (n < 32 && (m & (1u << (31 - n))))
		n++;
	return n < 32 && (m << n) != 0 ? -1 : n;
}

static int
parse(struct cli_ctx *x, struct routecmd *r, bool adds)
{
	memset(r, 0, sizeof(*r));
	r->flags = "";
	r->mask = -1;
	for (int i = 0; i < x->argc; i++) {
		const char *w = x->argv[i], *arg = i + 1 < x->argc ? x->argv[i + 1] : NULL;
		uint64_t v;

		if (strcmp(w, "-inet6") == 0) {
			r->inet6 = true;
		} else if (strcmp(w, "-inet") == 0) {
			r->inet = true;
		} else if (strcmp(w, "-host") == 0) {
			r->host = true;
		} else if (strcmp(w, "-net") == 0) {
			r->net = true;
		} else if (strcmp(w, "-n") == 0 || strcmp(w, "-q") == 0 || strcmp(w, "-static") == 0) {
			continue;
		} else if (strcmp(w, "-reject") == 0 || strcmp(w, "-blackhole") == 0) {
			r->flags = w + 1;
		} else if (strcmp(w, "-iface") == 0 || strcmp(w, "-interface") == 0 || strcmp(w, "-cloning") == 0) {
			continue;	/* the gateway names an interface, as one sees */
		} else if (strcmp(w, "-netmask") == 0 || strcmp(w, "-prefixlen") == 0) {
			r->mask = arg == NULL ? -1 : w[1] == 'n' ? plen_of_mask(arg) : cli_parse_u64(arg, 128, &v) ? (int)v : -1;
			if (r->mask < 0)
				return cli_err(x, "route: %s %s: expected a mask without holes", w, arg != NULL ? arg : "");
			i++;
		} else if (w[0] == '-') {
			return cli_err(x, "route: unknown flag %s; expected one of: -inet, -inet6, -host, -net, -netmask, -prefixlen, "
				"-reject, -blackhole, -iface", w);
		} else if (r->dest == NULL) {
			r->dest = w;
		} else if (r->gw == NULL) {
			r->gw = w;
		} else if (r->mask < 0 && plen_of_mask(w) >= 0) {	/* old style: DEST GATEWAY MASK */
			r->mask = plen_of_mask(w);
		} else {
			return cli_err(x, "route: `%s` is one word too many\nusage: %s", w, usage_add);
		}
	}
	if (r->dest == NULL)
		return cli_err(x, "route: a destination is missing; expected default, an address or a prefix\nusage: %s", usage_add);
	if (adds && r->gw == NULL && r->flags[0] == '\0')
		return cli_err(x, "route: a gateway is missing: an address or an interface\nusage: %s", usage_add);
	return 0;
}

/* "default" and a bare address become prefixes of the family meant. */
static int
normal_dest(struct cli_ctx *x, struct routecmd *r)
{
	uint8_t af, plen, addr[16], gaf, gplen, gaddr[16];
	char host[64];
	bool gw_addr = r->gw != NULL && cli_prefix_parse(r->gw, &gaf, gaddr, &gplen) == 0 && strchr(r->gw, '/') == NULL;

	if (r->gw != NULL && !gw_addr && (strlen(r->gw) >= FP_NAME_SIZE || strpbrk(r->gw, ":/") != NULL))
		return cli_err(x, "route: gateway `%s`: expected an address or an interface", r->gw);
	if (strcmp(r->dest, "default") == 0) {
		bool six = r->inet6 || (gw_addr && gaf == POL_AF_INET6);

		if (r->inet && gw_addr && gaf == POL_AF_INET6)
			return cli_err(x, "route: -inet and the IPv6 gateway %s do not go together", r->gw);
		if (six && gw_addr && gaf == POL_AF_INET)
			return cli_err(x, "route: -inet6 and the IPv4 gateway %s do not go together", r->gw);
		snprintf(r->dest_buf, sizeof(r->dest_buf), six ? "::/0" : "0.0.0.0/0");
		r->dest = r->dest_buf;
		return 0;
	}
	if (cli_prefix_parse(r->dest, &af, addr, &plen) != 0)
		return cli_err(x, "route: destination `%s`: expected default, an address or a prefix such as 10.0.0.0/8", r->dest);
	if ((r->inet6 && af != POL_AF_INET6) || (r->inet && af != POL_AF_INET))
		return cli_err(x, "route: destination %s is not of the family given", r->dest);
	if (gw_addr && gaf != af)
		return cli_err(x, "route: destination %s and gateway %s are of different families", r->dest, r->gw);
	if (r->mask >= 0)
		plen = (uint8_t)r->mask;
	else if (r->net && strchr(r->dest, '/') == NULL && af == POL_AF_INET)
		plen = addr[3] ? 32 : addr[2] ? 24 : addr[1] ? 16 : addr[0] ? 8 : 0;	/* -net 10: trailing zeros are the host part */
	if (r->host && plen != (af == POL_AF_INET ? 32 : 128))
		return cli_err(x, "route: -host and the prefix %s do not go together", r->dest);
	cli_addr_str(af, addr, host, sizeof(host));
	snprintf(r->dest_buf, sizeof(r->dest_buf), "%s/%u", host, plen);
	r->dest = r->dest_buf;
	return 0;
}

static int
cmd_add(struct cli_ctx *x)
{
	struct routecmd r;
	struct fp_err err = { "" };
	int rc;

	if (parse(x, &r, true) != 0 || normal_dest(x, &r) != 0)
		return 1;
	if (x->check)
		return 0;
	if ((rc = fp_route_add(x->box, r.dest, r.gw != NULL ? r.gw : "", r.flags, &err)) != 0)
		return cli_err(x, "route: add %s: %s", r.dest, err.text[0] ? err.text : strerror(-rc));
	return 0;
}

static int
cmd_delete(struct cli_ctx *x)
{
	struct routecmd r;
	struct fp_err err = { "" };
	int rc;

	if (parse(x, &r, false) != 0 || normal_dest(x, &r) != 0)
		return 1;
	if (x->check)
		return 0;
	if ((rc = fp_route_delete(x->box, r.dest, r.gw, &err)) != 0)
		return cli_err(x, "route: delete %s: %s", r.dest, err.text[0] ? err.text : strerror(-rc));
	return 0;
}

/* ---- route show: both families in the order that netstat prints them */

struct rlist { struct fp_route_info *v; size_t n, cap; };

static int
collect(void *arg, const struct fp_route_info *r)
{
	struct rlist *l = arg;

	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct fp_route_info *p = realloc(l->v, cap * sizeof(*p));

		if (p == NULL)
			return -ENOMEM;
		l->v = p;
		l->cap = cap;
	}
	l->v[l->n++] = *r;
	return 0;
}

static int
cmp(const void *a, const void *b)
{
	const struct fp_route_info *x = a, *y = b;
	int c;

	if (x->af != y->af)
		return x->af - y->af;
	if ((c = memcmp(x->dest, y->dest, 16)) != 0)
		return c;
	return x->plen - y->plen;
}

static int
cmd_show(struct cli_ctx *x)
{
	struct rlist l = { 0 };
	char dest[80], gw[64], host[64], link[24];
	uint8_t only = 0, af = 0;

	for (int i = 0; i < x->argc; i++)
		if (strcmp(x->argv[i], "-inet") == 0 || strcmp(x->argv[i], "-inet6") == 0)
			only = x->argv[i][5] == '6' ? POL_AF_INET6 : POL_AF_INET;
	if (fp_route_foreach(x->box, collect, &l) < 0) {
		free(l.v);
		return cli_err(x, "route: out of memory");
	}
	if (l.n > 0)
		qsort(l.v, l.n, sizeof(*l.v), cmp);
	if (cli_json(x->out))
		cli_arr(x->out, NULL);
	else
		cli_printf(x->out, "Routing tables\n");
	for (size_t i = 0; i < l.n && !cli_gone(x->out); i++) {
		const struct fp_route_info *r = &l.v[i];
		int w = r->af == POL_AF_INET ? 18 : 42;

		if (only != 0 && r->af != only)
			continue;
		cli_addr_str(r->af, r->dest, host, sizeof(host));
		if (r->plen == 0)
			snprintf(dest, sizeof(dest), "default");
		else if (r->plen == (r->af == POL_AF_INET ? 32 : 128))
			snprintf(dest, sizeof(dest), "%s", host);
		else
			snprintf(dest, sizeof(dest), "%s/%u", host, r->plen);
		snprintf(link, sizeof(link), "link#%s", r->ifname);
		if (r->has_gw)
			cli_addr_str(r->af, r->gw, gw, sizeof(gw));
		else
			snprintf(gw, sizeof(gw), "%s", r->ifname[0] ? link : "-");
		if (cli_json(x->out)) {
			cli_obj(x->out, NULL);
			cli_str(x->out, "af", r->af == POL_AF_INET ? "inet" : "inet6");
			cli_strf(x->out, "destination", "%s/%u", host, r->plen);
			cli_str(x->out, "gateway", r->has_gw ? gw : NULL);
			cli_str(x->out, "interface", r->ifname[0] ? r->ifname : NULL);
			cli_str(x->out, "flags", r->flags);
			cli_u64(x->out, "mtu", r->mtu);
			cli_obj_end(x->out);
			continue;
		}
		if (r->af != af) {
			af = r->af;
			cli_printf(x->out, "\n%s:\n%-*s %-*s %-6s %6s  %s\n", af == POL_AF_INET ? "Internet" : "Internet6", w, "Destination",
				w, "Gateway", "Flags", "Mtu", "Iface");
		}
		cli_printf(x->out, "%-*s %-*s %-6s ", w, dest, w, gw, r->flags);
		if (r->mtu != 0)
			cli_printf(x->out, "%6u  %s\n", r->mtu, r->ifname);
		else
			cli_printf(x->out, "%6s  %s\n", "-", r->ifname);
	}
	if (cli_json(x->out))
		cli_arr_end(x->out);
	free(l.v);
	return 0;
}

/* ---- neighbours */

static void
neigh_json(struct cli_out *o, const struct fp_neigh_info *n, const char *addr, const char *mac)
{
	cli_obj(o, NULL);
	cli_str(o, "address", addr);
	cli_str(o, "mac", n->complete ? mac : NULL);
	cli_str(o, "interface", n->ifname);
	cli_bool(o, "permanent", n->permanent);
	cli_strf(o, "state", "%c", n->state ? n->state : n->complete ? 'R' : 'N');
	cli_u64(o, "expires_s", n->expires_sec);
	cli_u64(o, "queued_packets", n->queued);
	cli_obj_end(o);
}

static int
neigh_cb(void *arg, const struct fp_neigh_info *n)
{
	struct cli_ctx *x = arg;
	char addr[64], mac[18], exp[24];

	cli_addr_str(n->af, n->addr, addr, sizeof(addr));
	cli_mac_str(n->mac, mac);
	if (cli_json(x->out)) {
		neigh_json(x->out, n, addr, mac);
		return cli_gone(x->out);
	}
	if (n->permanent)
		snprintf(exp, sizeof(exp), "permanent");
	else if (!n->complete)
		snprintf(exp, sizeof(exp), "expired");
	else
		snprintf(exp, sizeof(exp), "%um%us", n->expires_sec / 60, n->expires_sec % 60);
	if (n->af == POL_AF_INET)
		cli_printf(x->out, "%-40s %-17s %9s %-9s\n", addr, n->complete ? mac : "(incomplete)", n->ifname, exp);
	else
		cli_printf(x->out, "%-40s %-17s %9s %-9s %c\n", addr, n->complete ? mac : "(incomplete)", n->ifname, exp,
			n->state ? n->state : ' ');
	return cli_gone(x->out);
}

static int
neigh(struct cli_ctx *x, uint8_t af)
{
	const char *name = af == POL_AF_INET ? "arp" : "ndp", *addr = NULL, *mac = NULL;
	struct fp_err err = { "" };
	bool all = false, del = false, set = false;
	uint8_t a_af, plen, bin[16];
	int rc;

	for (int i = 0; i < x->argc; i++) {
		const char *w = x->argv[i];

		if (w[0] == '-' && w[1] != '\0') {
			for (const char *p = w + 1; *p != '\0'; p++) {
				if (*p == 'a')
					all = true;
				else if (*p == 'd')
					del = true;
				else if (*p == 's')
					set = true;
				else if (*p != 'n')
					return cli_err(x, "%s: unknown flag -%c; expected -an, -d ADDR, -d -a or -s ADDR MAC", name, *p);
			}
		} else if (strcmp(w, "json") == 0 && i == x->argc - 1) {
			cli_out_set_json(x->out, true);
		} else if (addr == NULL) {
			addr = w;
		} else if (mac == NULL) {
			mac = w;
		} else if (strcmp(w, "permanent") != 0) {
			return cli_err(x, "%s: `%s` is one word too many", name, w);
		}
	}
	if (addr != NULL && (cli_prefix_parse(addr, &a_af, bin, &plen) != 0 || a_af != af || strchr(addr, '/') != NULL))
		return cli_err(x, "%s: `%s`: expected an IPv%u address", name, addr, af);
	if (set) {
		if (addr == NULL || mac == NULL)
			return cli_err(x, "%s: -s needs an address and an Ethernet address", name);
		if (x->check)
			return 0;
		if ((rc = fp_neigh_add(x->box, addr, mac, &err)) != 0)
			return cli_err(x, "%s: %s: %s", name, addr, err.text[0] ? err.text : strerror(-rc));
		return 0;
	}
	if (del) {
		if (addr == NULL && !all)
			return cli_err(x, "%s: -d needs an address, or -a for all", name);
		if (x->check)
			return 0;
		if ((rc = fp_neigh_delete(x->box, addr != NULL ? addr : "all", &err)) != 0)
			return cli_err(x, "%s: %s: %s", name, addr != NULL ? addr : "all", err.text[0] ? err.text : strerror(-rc));
		return 0;
	}
	if (mac != NULL)
		return cli_err(x, "%s: `%s` is one word too many; -s sets an entry", name, mac);
	if (x->check)
		return 0;
	if (cli_json(x->out))
		cli_arr(x->out, NULL);
	else if (af == POL_AF_INET)
		cli_printf(x->out, "%-40s %-17s %9s %-9s\n", "Host", "Ethernet Address", "Netif", "Expire");
	else
		cli_printf(x->out, "%-40s %-17s %9s %-9s %s\n", "Neighbor", "Linklayer Address", "Netif", "Expire", "S");
	fp_neigh_foreach(x->box, af, neigh_cb, x);
	if (cli_json(x->out))
		cli_arr_end(x->out);
	return 0;
}

static int
cmd_arp(struct cli_ctx *x)
{
	return neigh(x, POL_AF_INET);
}

static int
cmd_ndp(struct cli_ctx *x)
{
	return neigh(x, POL_AF_INET6);
}

const struct cli_cmd cli_route_cmds[] = {
	{ "route add", "[-inet|-inet6] [-host|-net] DEST GATEWAY [-reject|-blackhole]", "add a static route", cmd_add, CLI_F_OWN_ARGS,
		NULL, "  route add default 203.0.113.254\n  route add -inet6 default 2001:db8::1\n  route add 10.1.0.0/16 int0\n"
		"  route add 192.0.2.0/24 127.0.0.1 -blackhole" },
	{ "route delete", "[-inet|-inet6] DEST [GATEWAY]", "take a static route away", cmd_delete, CLI_F_OWN_ARGS },
	{ "route show", "[-n] [-inet|-inet6]", "the routing tables", cmd_show, CLI_F_JSON },
	{ "arp", "[-an] | -d ADDR | -d -a | -s ADDR MAC", "IPv4 neighbours", cmd_arp, CLI_F_OWN_ARGS },
	{ "ndp", "[-an] | -d ADDR | -d -a | -s ADDR MAC", "IPv6 neighbours", cmd_ndp, CLI_F_OWN_ARGS },
	{ NULL },
};
