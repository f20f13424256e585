/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `ifconfig [IF [words...]]` with OpenBSD's words and output, and FreeBSD's for VLANs. Words are read in full before any
 * of them is obeyed, so that a line with an error changes nothing.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "carp.h"
#include "pfsync.h"

#define MAX_OPS 64

enum op_kind { OP_ADDR, OP_ADDR_DEL, OP_UP, OP_DOWN, OP_MTU, OP_MAC, OP_CREATE, OP_DESTROY, OP_NONE };

struct op { enum op_kind kind; char text[80]; unsigned n; bool alias; };

struct ifcmd {
	const char *ifname;
	struct op op[MAX_OPS];
	int n_ops;
	const char *parent;	/* VLAN */
	uint64_t vid;
	bool has_vid;
};

static const char words_list[] = "inet, inet6, up, down, mtu, lladdr, description, vnetid, parent, vlan, vlandev, create, destroy";

/* ---- output */

static void
flags_str(const struct fp_if_info *i, char *buf, size_t size)
{
	unsigned f = 0x8000 | 0x800 | 0x2;	/* MULTICAST SIMPLEX BROADCAST */

	if (i->up)
		f |= 0x1;
	if (i->running)
		f |= 0x40;
	if (i->promisc)
		f |= 0x100;
	snprintf(buf, size, "%x<%sBROADCAST%s%s,SIMPLEX,MULTICAST>", f, i->up ? "UP," : "", i->running ? ",RUNNING" : "",
		i->promisc ? ",PROMISC" : "");
}

static void
print_addr(struct cli_out *o, const struct fp_if_info *i, const struct fp_ifaddr_info *a)
{
	char s[64], b[64];

	cli_addr_str(a->af, a->addr, s, sizeof(s));
	if (a->af == POL_AF_INET) {
		uint32_t mask = a->plen ? 0xffffffffu << (32 - a->plen) : 0;
		static const uint8_t zero[16];

		cli_printf(o, "\tinet %s netmask 0x%08x", s, mask);
		if (a->plen < 31 && memcmp(a->broadcast, zero, 4) != 0) {
			cli_addr_str(a->af, a->broadcast, b, sizeof(b));
			cli_printf(o, " broadcast %s", b);
		}
		cli_printf(o, "\n");
	} else if (a->linklocal) {
		cli_printf(o, "\tinet6 %s%%%s prefixlen %u scopeid 0x%x\n", s, i->name, a->plen, i->ifid + 1);
	} else {
		cli_printf(o, "\tinet6 %s prefixlen %u\n", s, a->plen);
	}
}

static void
if_print(struct cli_out *o, const struct fp_if_info *i)
{
	char f[96], mac[18];

	flags_str(i, f, sizeof(f));
	cli_printf(o, "%s: flags=%s mtu %u\n", i->name, f, i->mtu);
	cli_mac_str(i->mac, mac);
	cli_printf(o, "\tlladdr %s\n", mac);
	cli_printf(o, "\tindex %u priority 0 llprio 3\n", i->ifid + 1);
	if (i->parent[0] != '\0') {
		cli_printf(o, "\tencap: vnetid %u parent %s\n", i->vlan_inner ? i->vlan_inner : i->vlan_outer, i->parent);
		cli_printf(o, "\tgroups: vlan\n");
	}
	if (i->link_mbps > 0 && i->link_mbps != UINT32_MAX)
		cli_printf(o, "\tmedia: Ethernet %u Mbit/s%s\n", i->link_mbps, i->full_duplex ? " full-duplex" : "");
	else
		cli_printf(o, "\tmedia: Ethernet autoselect\n");
	cli_printf(o, "\tstatus: %s\n", i->running ? "active" : "no carrier");
	for (unsigned k = 0; k < i->n_addrs && k < sizeof(i->addrs) / sizeof(i->addrs[0]); k++)
		if (i->addrs[k].vhid == 0)	/* shared ones are carpN's */
			print_addr(o, i, &i->addrs[k]);
}

static void
if_json(struct cli_out *o, const struct fp_if_info *i)
{
	char mac[18], a[64];

	cli_obj(o, NULL);
	cli_str(o, "name", i->name);
	cli_u64(o, "index", i->ifid + 1u);
	cli_mac_str(i->mac, mac);
	cli_str(o, "mac", mac);
	cli_u64(o, "mtu", i->mtu);
	cli_bool(o, "up", i->up);
	cli_bool(o, "link", i->running);
	cli_bool(o, "promiscuous", i->promisc);
	cli_u64(o, "link_mbps", i->link_mbps == UINT32_MAX ? 0 : i->link_mbps);
	if (i->parent[0] != '\0') {
		cli_str(o, "parent", i->parent);
		cli_u64(o, "vlan", i->vlan_inner ? i->vlan_inner : i->vlan_outer);
	}
	cli_arr(o, "addresses");
	for (unsigned k = 0; k < i->n_addrs && k < sizeof(i->addrs) / sizeof(i->addrs[0]); k++) {
		if (i->addrs[k].vhid != 0)
			continue;
		cli_addr_str(i->addrs[k].af, i->addrs[k].addr, a, sizeof(a));
		cli_strf(o, NULL, "%s/%u", a, i->addrs[k].plen);
	}
	cli_arr_end(o);
	cli_obj_end(o);
}

static int
show(struct cli_ctx *x, const char *name, uint8_t af)
{
	struct fp_if_info *i;
	bool found = false;
	char known[512] = "";
	size_t n = 0;

	if (x->check)
		return 0;
	if ((i = calloc(1, sizeof(*i))) == NULL)
		return cli_err(x, "ifconfig: out of memory");
	if (cli_json(x->out))
		cli_arr(x->out, NULL);
	for (unsigned k = 0; fp_if_info(x->box, k, i) == 0; k++) {
		size_t len = name != NULL ? strlen(name) : 0;
		/* a name, or a group: the name without a number */
		bool is = name == NULL || strcmp(name, i->name) == 0 ||
			(len > 0 && !isdigit((unsigned char)name[len - 1]) && strncmp(name, i->name, len) == 0 &&
			isdigit((unsigned char)i->name[len]));

		if (n < sizeof(known))
			n += snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "", i->name);
		if (!is)
			continue;
		found = true;
		if (cli_json(x->out))
			if_json(x->out, i);
		else
			if_print(x->out, i);
	}
	if (name == NULL && cli_pfsync_configured(x))
		cli_pfsync_print(x);
	if (name == NULL)
		cli_carp_print(x, NULL);
	if (cli_json(x->out))
		cli_arr_end(x->out);
	free(i);
	if (!found && name != NULL)
		return cli_err(x, "ifconfig: no interface `%s`; there is: %s", name, known[0] ? known : "none");
	return 0;
}

/* ---- words */

int
cli_netmask_plen(const char *s)
{
	struct in_addr a;
	uint32_t m;
	int n = 0;

	if (strncmp(s, "0x", 2) == 0 || strncmp(s, "0X", 2) == 0) {
		char *end;
		unsigned long v = strtoul(s, &end, 16);

		if (*end != '\0' || end == s + 2 || v > 0xffffffffUL)
			return -1;
		m = (uint32_t)v;
	} else if (inet_pton(AF_INET, s, &a) == 1) {
		m = ntohl(a.s_addr);
	} else {
		return -1;
	}
	while (n < 32 && (m & (1u << (31 - n))))
		n++;
	return n < 32 && (m << n) != 0 ? -1 : n;
}

/* netmask of an address without one, by class, as ifconfig has always done */
static int
class_plen(const uint8_t *a)
{
	return a[0] < 128 ? 8 : a[0] < 192 ? 16 : 24;
}

static struct op *
op_new(struct cli_ctx *x, struct ifcmd *c, enum op_kind kind)
{
	if (c->n_ops == MAX_OPS) {
		cli_err(x, "ifconfig: too many words in one line");
		return NULL;
	}
	c->op[c->n_ops] = (struct op){ .kind = kind };
	return &c->op[c->n_ops++];
}

/* ADDR[/LEN] [netmask M | prefixlen N | broadcast B | alias | -alias | delete] behind inet and inet6. */
static int
address(struct cli_ctx *x, struct ifcmd *c, int *pos, uint8_t want)
{
	const char *word = want == POL_AF_INET ? "inet" : "inet6", *text;
	uint8_t af, plen, addr[16];
	bool del = false, has_plen;
	struct op *op;
	char host[64];
	uint64_t v;
	int i = *pos, n;

	/* `inet alias 10.0.0.1/24`, `inet delete 10.0.0.1` */
	while (i < x->argc && (strcmp(x->argv[i], "alias") == 0 || strcmp(x->argv[i], "-alias") == 0 ||
		strcmp(x->argv[i], "delete") == 0))
		del = strcmp(x->argv[i++], "alias") != 0;
	if (i >= x->argc)
		return cli_err(x, "ifconfig: %s needs an address", word);
	text = x->argv[i++];
	if (cli_prefix_parse(text, &af, addr, &plen) != 0 || af != want)
		return cli_err(x, "ifconfig: %s %s: expected an IPv%u address, also with /LENGTH", word, text, want);
	has_plen = strchr(text, '/') != NULL;
	for (; i < x->argc; i++) {
		const char *w = x->argv[i], *arg = i + 1 < x->argc ? x->argv[i + 1] : NULL;

		if (strcmp(w, "alias") == 0) {
			continue;
		} else if (strcmp(w, "-alias") == 0 || strcmp(w, "delete") == 0) {
			del = true;
		} else if (strcmp(w, "netmask") == 0 && want == POL_AF_INET) {
			if (arg == NULL || (n = cli_netmask_plen(arg)) < 0)
				return cli_err(x, "ifconfig: netmask %s: expected 255.255.255.0 or 0xffffff00, without holes",
					arg != NULL ? arg : "");
			plen = (uint8_t)n;
			has_plen = true;
			i++;
		} else if (strcmp(w, "prefixlen") == 0) {
			if (arg == NULL || !cli_parse_u64(arg, want == POL_AF_INET ? 32 : 128, &v))
				return cli_err(x, "ifconfig: prefixlen %s: expected 0 to %u", arg ? arg : "", want == POL_AF_INET ? 32 : 128);
			plen = (uint8_t)v;
			has_plen = true;
			i++;
		} else if (strcmp(w, "broadcast") == 0 && want == POL_AF_INET) {
			uint8_t b[16], baf, bplen;

			if (arg == NULL || cli_prefix_parse(arg, &baf, b, &bplen) != 0 || baf != POL_AF_INET)
				return cli_err(x, "ifconfig: broadcast %s: expected an IPv4 address", arg != NULL ? arg : "");
			i++;	/* it follows from the prefix */
		} else {
			break;
		}
	}
	if (!has_plen)
		plen = want == POL_AF_INET6 ? 64 : (uint8_t)class_plen(addr);
	if ((op = op_new(x, c, del ? OP_ADDR_DEL : OP_ADDR)) == NULL)
		return 1;
	cli_addr_str(af, addr, host, sizeof(host));
	/* A deletion without a length means the address whatever its length. */
	if (del && !has_plen)
		snprintf(op->text, sizeof(op->text), "%s", host);
	else
		snprintf(op->text, sizeof(op->text), "%s/%u", host, plen);
	*pos = i;
	return 0;
}

static int
parse_mac(const char *s)
{
	unsigned b[6];
	int n = 0;

	return sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &n) == 6 && s[n] == '\0' ? 0 : -1;
}

static bool
is_sync_if(const char *name, const char *what)
{
	size_t n = strlen(what);

	return strncmp(name, what, n) == 0 && (name[n] == '\0' || isdigit((unsigned char)name[n]));
}

static int
parse(struct cli_ctx *x, struct ifcmd *c)
{
	int i = 1;
	struct op *op;

	while (i < x->argc) {
		const char *w = x->argv[i], *arg = i + 1 < x->argc ? x->argv[i + 1] : NULL;
		uint8_t af, plen, addr[16];
		uint64_t v;

		if (strcmp(w, "inet") == 0 || strcmp(w, "inet6") == 0) {
			if (arg != NULL && strcmp(w, "inet6") == 0 && (strcmp(arg, "eui64") == 0 || strcmp(arg, "autoconf") == 0))
				return cli_err(x, "ifconfig: inet6 %s is not available: give the address", arg);
			i++;
			if (address(x, c, &i, strcmp(w, "inet") == 0 ? POL_AF_INET : POL_AF_INET6) != 0)
				return 1;
			continue;
		}
		if (cli_prefix_parse(w, &af, addr, &plen) == 0) {	/* family left out: `ifconfig ext0 10.0.0.1/24` */
			if (address(x, c, &i, af) != 0)
				return 1;
			continue;
		}
		if (strcmp(w, "up") == 0 || strcmp(w, "down") == 0) {
			if (op_new(x, c, w[0] == 'u' ? OP_UP : OP_DOWN) == NULL)
				return 1;
			i++;
			continue;
		}
		if (strcmp(w, "create") == 0) {
			if (op_new(x, c, OP_CREATE) == NULL)
				return 1;
			i++;
			continue;
		}
		if (strcmp(w, "destroy") == 0) {
			if (op_new(x, c, OP_DESTROY) == NULL)
				return 1;
			i++;
			continue;
		}
		if (strcmp(w, "mtu") == 0) {
			if (arg == NULL || !cli_parse_u64(arg, 65535, &v) || v < 68)
				return cli_err(x, "ifconfig: mtu %s: expected 68 to 65535", arg != NULL ? arg : "");
			if ((op = op_new(x, c, OP_MTU)) == NULL)
				return 1;
			op->n = (unsigned)v;
			i += 2;
			continue;
		}
		if (strcmp(w, "lladdr") == 0 || strcmp(w, "ether") == 0 || strcmp(w, "link") == 0) {
			if (arg == NULL || parse_mac(arg) != 0)
				return cli_err(x, "ifconfig: %s %s: expected an Ethernet address aa:bb:cc:dd:ee:ff", w, arg != NULL ? arg : "");
			if ((op = op_new(x, c, OP_MAC)) == NULL)
				return 1;
			snprintf(op->text, sizeof(op->text), "%s", arg);
			i += 2;
			continue;
		}
		if (strcmp(w, "vnetid") == 0 || strcmp(w, "vlan") == 0) {
			if (arg == NULL || !cli_parse_u64(arg, 4094, &v) || v == 0)
				return cli_err(x, "ifconfig: %s %s: expected a VLAN id, 1 to 4094", w, arg != NULL ? arg : "");
			c->vid = v;
			c->has_vid = true;
			i += 2;
			continue;
		}
		if (strcmp(w, "parent") == 0 || strcmp(w, "vlandev") == 0) {
			if (arg == NULL || strlen(arg) >= FP_NAME_SIZE || arg[0] == '\0')
				return cli_err(x, "ifconfig: %s needs the interface that carries the VLAN", w);
			c->parent = arg;
			i += 2;
			continue;
		}
		if (strcmp(w, "description") == 0 || strcmp(w, "media") == 0 || strcmp(w, "group") == 0 || strcmp(w, "mediaopt") == 0)
			return cli_err(x, "ifconfig: `%s` is not available in this version; expected one of: %s", w, words_list);
		return cli_err(x, "ifconfig: unknown word `%s`; expected one of: %s", w, words_list);
	}
	return 0;
}

static bool
if_exists(struct cli_ctx *x, const char *name)
{
	struct fp_if_info *i = malloc(sizeof(*i));
	bool is = i != NULL && fp_if_find(x->box, name, i) == 0;

	free(i);
	return is;
}

/* The length of an address that is on the interface already, for deletions that leave it out. */
static void
complete_plen(struct cli_ctx *x, const char *ifname, char *text, size_t size)
{
	struct fp_if_info *i;
	uint8_t af, plen, addr[16];

	if (strchr(text, '/') != NULL || (i = malloc(sizeof(*i))) == NULL)
		return;
	if (cli_prefix_parse(text, &af, addr, &plen) == 0 && fp_if_find(x->box, ifname, i) == 0)
		for (unsigned k = 0; k < i->n_addrs && k < sizeof(i->addrs) / sizeof(i->addrs[0]); k++)
			if (i->addrs[k].af == af && memcmp(i->addrs[k].addr, addr, af == POL_AF_INET ? 4 : 16) == 0) {
				size_t n = strlen(text);

				snprintf(text + n, size - n, "/%u", i->addrs[k].plen);
				break;
			}
	free(i);
}

static int
apply(struct cli_ctx *x, struct ifcmd *c)
{
	struct fp_err err = { "" };
	int rc = 0;

	if (!if_exists(x, c->ifname)) {
		if (c->has_vid && c->parent != NULL) {
			if (fp_if_vlan_add(x->box, c->ifname, c->parent, (unsigned)c->vid, &err) != 0)
				return cli_err(x, "ifconfig: %s: %s", c->ifname, err.text);
		} else if (c->has_vid || c->parent != NULL || (is_sync_if(c->ifname, "vlan") && c->n_ops > 0)) {
			return cli_err(x, "ifconfig: %s: a VLAN needs both in one line: vnetid N parent IF", c->ifname);
		} else {
			return show(x, c->ifname, 0);	/* tells which there are */
		}
	} else if (c->has_vid || c->parent != NULL) {
		struct fp_if_info *i = malloc(sizeof(*i));
		bool same = i != NULL && fp_if_find(x->box, c->ifname, i) == 0 && i->parent[0] != '\0' &&
			(!c->has_vid || c->vid == (i->vlan_inner ? i->vlan_inner : i->vlan_outer)) &&
			(c->parent == NULL || strcmp(c->parent, i->parent) == 0);

		free(i);
		if (!same)
			return cli_err(x, "ifconfig: %s: vnetid and parent of an interface cannot be changed; destroy it first", c->ifname);
	}
	for (int k = 0; k < c->n_ops && rc == 0; k++) {
		struct op *op = &c->op[k];

		switch (op->kind) {
		case OP_ADDR: rc = fp_if_addr_add(x->box, c->ifname, op->text, &err); break;
		case OP_ADDR_DEL:
			complete_plen(x, c->ifname, op->text, sizeof(op->text));
			rc = fp_if_addr_del(x->box, c->ifname, op->text, &err);
			break;
		case OP_UP: case OP_DOWN: rc = fp_if_set_up(x->box, c->ifname, op->kind == OP_UP, &err); break;
		case OP_MTU: rc = fp_if_set_mtu(x->box, c->ifname, op->n, &err); break;
		case OP_MAC: rc = fp_if_set_mac(x->box, c->ifname, op->text, &err); break;
		case OP_DESTROY: rc = fp_if_destroy(x->box, c->ifname, &err); break;
		case OP_CREATE: case OP_NONE: break;
		}
	}
	return rc != 0 ? cli_err(x, "ifconfig: %s: %s", c->ifname, err.text[0] ? err.text : strerror(-rc)) : 0;
}

static int
cmd_ifconfig(struct cli_ctx *x)
{
	struct ifcmd *c;
	int rc;

	if (x->argc == 0 || strcmp(x->argv[0], "-a") == 0 || strcmp(x->argv[0], "-A") == 0)
		return x->argc > 1 ? cli_err(x, "ifconfig: nothing goes behind -a") : show(x, NULL, 0);
	if (strcmp(x->argv[0], "-g") == 0)
		return cli_carp_group(x);
	if (x->argv[0][0] == '-')
		return cli_err(x, "ifconfig: unknown flag %s; expected -a or an interface", x->argv[0]);
	if (is_sync_if(x->argv[0], "pfsync"))
		return cli_pfsync_ifconfig(x);
	if (is_sync_if(x->argv[0], "carp"))
		return cli_carp_ifconfig(x);
	if (strlen(x->argv[0]) >= FP_NAME_SIZE)
		return cli_err(x, "ifconfig: interface name `%s` is longer than %d characters", x->argv[0], FP_NAME_SIZE - 1);
	if (x->argc == 1)
		return show(x, x->argv[0], 0);
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return cli_err(x, "ifconfig: out of memory");
	c->ifname = x->argv[0];
	rc = parse(x, c);
	if (rc == 0 && !x->check)
		rc = apply(x, c);
	free(c);
	return rc;
}

static void
complete(struct cli_ctx *x, void (*add)(void *, const char *, const char *), void *arg)
{
	static const char *const words[] = { "inet", "inet6", "up", "down", "mtu", "lladdr", "vnetid", "parent", "alias", "-alias",
		"delete", "netmask", "prefixlen", "destroy", NULL };
	static const char *const pair[] = { "up", "down", "syncdev", "-syncdev", "syncpeer", "-syncpeer", "maxupd", "-maxupd", "defer",
		"-defer", "version", "-version", "mtu", "-mtu", "destroy", NULL };
	struct fp_if_info *i = malloc(sizeof(*i));
	static const char *const carp[] = { "vhid", "pass", "carpdev", "advbase", "advskew", "carppeer", "-carppeer", "inet", "inet6",
		"-alias", "up", "down", "state", "group", "-group", "destroy", NULL };
	const char *last = x->argc > 0 ? x->argv[x->argc - 1] : "";

	if (x->argc == 0 || strcmp(last, "parent") == 0 || strcmp(last, "vlandev") == 0 || strcmp(last, "syncdev") == 0 ||
		strcmp(last, "syncif") == 0 || strcmp(last, "carpdev") == 0)
		for (unsigned k = 0; i != NULL && x->box != NULL && fp_if_info(x->box, k, i) == 0; k++)
			add(arg, i->name, i->devargs);
	else if (is_sync_if(x->argv[0], "pfsync"))
		for (int k = 0; pair[k] != NULL; k++)
			add(arg, pair[k], "");
	else if (is_sync_if(x->argv[0], "carp"))
		for (int k = 0; carp[k] != NULL; k++)
			add(arg, carp[k], "");
	else
		for (int k = 0; words[k] != NULL; k++)
			add(arg, words[k], "");
	if (x->argc == 0)
		add(arg, "pfsync0", "the pair");
	free(i);
}

const struct cli_cmd cli_if_cmds[] = {
	{ "ifconfig", "[-a | IF [inet|inet6 ADDR/LEN [alias|-alias]] [up|down] [mtu N] [lladdr MAC] [vnetid N parent IF] [destroy]]",
		"show or change interfaces, as BSD's ifconfig", cmd_ifconfig, CLI_F_OWN_ARGS, complete,
		"  ifconfig                                  all interfaces\n"
		"  ifconfig ext0 inet 203.0.113.2/24         add an address; netmask, prefixlen, alias as on BSD\n"
		"  ifconfig ext0 inet 203.0.113.2 -alias     take it away (also: delete)\n"
		"  ifconfig ext0 mtu 9000 up\n"
		"  ifconfig vlan100 vnetid 100 parent ext0   a VLAN (FreeBSD: vlan 100 vlandev ext0); parent may be a VLAN\n"
		"  ifconfig vlan100 destroy\n"
		"  ifconfig pfsync0 syncdev sync0 up         the pair: states go over this cable; syncif is the old word\n"
		"  ifconfig pfsync0 syncpeer 169.254.240.2   to one address instead of multicast; -syncpeer: multicast again\n"
		"  ifconfig pfsync0 maxupd 128 defer         also: -maxupd, -defer, -syncdev, down, destroy\n"
		"  ifconfig carp1 vhid 1 pass mekmitasdigoat carpdev ext0 advbase 1 advskew 0 inet 203.0.113.1/24\n"
		"                                            addresses shared with the other box; advbase 0: intervals below a second\n"
		"  ifconfig carp1 carppeer 203.0.113.3       unicast; also: state backup, down, group NAME, destroy\n"
		"  ifconfig -g carp carpdemote 10            this box gives way to others; -carpdemote takes it back\n"
		"  ifconfig pfsync0 version 1400             6, 1301, 1400, 1500; 0: as the peer speaks; mtu N: of the packets" },
	{ NULL },
};
