/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hosts of rules: addresses, prefixes, ranges, interfaces with modifiers, tables, (dynamic) interfaces; and ports.
 *
 * An interface name stands for the addresses that it has when the file is loaded. Names are never looked up in the DNS:
 * a rule set that depends on an answer from the network is refused.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "lang_priv.h"

#define MAX_PREFIX(af) ((af) == POL_AF_INET ? 32u : 128u)

void
pol_addr_mask(union pol_ip *addr, uint8_t af, unsigned plen)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = i * 8;

		if (bits >= plen)
			addr->b[i] = 0;
		else if (plen - bits < 8)
			addr->b[i] &= (uint8_t)(0xff << (8 - (plen - bits)));
	}
	if (af == POL_AF_INET)
		memset(addr->b + 4, 0, 12);
}

static void
prefix(struct pol_host *h, uint8_t af, const union pol_ip *addr, unsigned plen)
{
	h->af = af;
	h->a.kind = POL_ADDR_PREFIX;
	h->a.addr = *addr;
	h->a.plen = plen;
	pol_addr_mask(&h->a.addr, af, plen);
}

struct pol_node *
pol_host_special(struct pol_parser *p, struct pol_loc loc, enum pol_addr_kind kind)
{
	struct pol_node *n = pol_node_new(p, loc);

	n->host.a.kind = kind;
	return n;
}

struct pol_node *
pol_host_table(struct pol_parser *p, struct pol_loc loc, const char *name)
{
	struct pol_node *n = pol_host_special(p, loc, POL_ADDR_TABLE);

	pol_table_name_ok(p, loc, name);
	snprintf(n->host.a.name, sizeof(n->host.a.name), "%s", name);
	return n;
}

bool
pol_if_name_ok(struct pol_parser *p, struct pol_loc loc, const char *name)
{
	size_t len = strlen(name);

	if (len > 0 && len < POL_IFNAMSIZ && (name[0] < '0' || name[0] > '9') && name[0] != '-' && name[0] != '.' &&
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len)
		return true;
	pol_perr(p, loc,
		"bad interface name '%s', expected 1 to %d letters, digits, '_', '-' or '.', not beginning with a "
		"digit",
		name, POL_IFNAMSIZ - 1);
	return false;
}

/* Cuts `:network` and the like off name. -1: another modifier, or two that contradict each other. */
static int
modifiers(char *name)
{
	static const struct { const char *name; int flag; } mods[] = { { "network", POL_DYNIF_NETWORK },
		{ "broadcast", POL_DYNIF_BROADCAST }, { "peer", POL_DYNIF_PEER }, { "0", POL_DYNIF_NOALIAS } };
	int flags = 0, modes;
	char *colon;

	while ((colon = strrchr(name, ':')) != NULL) {
		int f = 0;

		for (size_t i = 0; i < sizeof(mods) / sizeof(mods[0]); i++)
			if (strcmp(colon + 1, mods[i].name) == 0)
				f = mods[i].flag;
		if (f == 0)
			return -1;
		flags |= f;
		*colon = '\0';
	}
	modes = flags & (POL_DYNIF_NETWORK | POL_DYNIF_BROADCAST | POL_DYNIF_PEER);
	return modes & (modes - 1) ? -1 : flags;
}

struct pol_node *
pol_host_dynamic(struct pol_parser *p, struct pol_loc loc, const char *word, int plen)
{
	struct pol_node *n = pol_host_special(p, loc, POL_ADDR_DYNIF);
	char *name = pol_arena_str(p, word, strlen(word));
	int flags = modifiers(name);

	if (flags < 0)
		pol_perr(p, loc, "bad modifier in (%s), expected one of :network, :broadcast, :peer, and :0", word);
	else
		pol_if_name_ok(p, loc, name);
	snprintf(n->host.a.name, sizeof(n->host.a.name), "%s", name);
	n->host.a.dynif_flags = flags < 0 ? 0 : flags;
	n->host.a.plen = plen < 0 ? 128 : plen;
	return n;
}

static bool
link_local_addr(const union pol_ip *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

static bool
link_local(const struct pol_ifaddr *a)
{
	return a->af == POL_AF_INET6 && link_local_addr(&a->addr);
}

struct pol_node *
pol_host_interface(struct pol_parser *p, struct pol_loc loc, const char *name, unsigned flags, bool *known)
{
	const struct pol_env *env = p->env;
	struct pol_node *list = NULL;
	struct pol_ifaddr *a;
	bool got4 = false, got6 = false;
	int n, got;

	n = env->if_addrs != NULL ? env->if_addrs(env->arg, name, NULL, 0) : -1;
	if ((*known = n >= 0) == false || n == 0)
		return NULL;
	a = pol_arena(p, n * sizeof(*a));
	got = env->if_addrs(env->arg, name, a, n);
	for (int i = 0; i < got && i < n; i++) {
		unsigned max = MAX_PREFIX(a[i].af), plen = a[i].plen > max ? max : a[i].plen;
		static const union pol_ip zero;
		struct pol_node *h;

		if (a[i].af != POL_AF_INET && a[i].af != POL_AF_INET6)
			continue;
		/* no interface here has a far end of its own */
		if (flags & POL_DYNIF_PEER)
			continue;
		if ((flags & POL_DYNIF_BROADCAST) && (a[i].af != POL_AF_INET || memcmp(&a[i].broadcast, &zero, 4) == 0))
			continue;
		if ((flags & POL_DYNIF_NETWORK) && link_local(&a[i]))
			continue;
		if ((flags & POL_DYNIF_NOALIAS) && (a[i].af == POL_AF_INET ? got4 : got6))
			continue;
		if (a[i].af == POL_AF_INET)
			got4 = true;
		else
			got6 = true;
		h = pol_node_new(p, loc);
		prefix(&h->host, a[i].af, flags & POL_DYNIF_BROADCAST ? &a[i].broadcast : &a[i].addr,
			flags & POL_DYNIF_NETWORK ? plen : max);
		/* a name that ends in a digit is one interface, others are groups */
		if (link_local(&a[i]) && a[i].ifname[0] != '\0')
			snprintf(h->host.scope_if, sizeof(h->host.scope_if), "%.*s", POL_IFNAMSIZ - 1, a[i].ifname);
		else if (link_local(&a[i]) && name[strlen(name) - 1] >= '0' && name[strlen(name) - 1] <= '9')
			snprintf(h->host.scope_if, sizeof(h->host.scope_if), "%s", name);
		list = pol_node_append(list, h);
	}
	return list;
}

/* `10.0.0.1`, or with a prefix length `10/8`, `10.1/16`. */
static bool
parse_ip4(const char *s, bool short_form, union pol_ip *ip)
{
	*ip = (union pol_ip){ 0 };
	if (inet_pton(AF_INET, s, ip->b) == 1)
		return true;
	if (!short_form)
		return false;
	for (int i = 0; i < 4; i++) {
		char *end;
		long v;

		if (*s < '0' || *s > '9' || (v = strtol(s, &end, 10)) > 255 || end - s > 3)
			return false;
		ip->b[i] = v;
		if (*end == '\0')
			return true;
		if (*end != '.')
			return false;
		s = end + 1;
	}
	return false;
}

/* Words that are no addresses but look like nothing else than an interface: for files that are checked off the box. */
static bool
looks_like_interface(const char *s)
{
	size_t n = strcspn(s, "0123456789");

	if (strcmp(s, "self") == 0)
		return true;
	return n > 0 && n < POL_IFNAMSIZ && s[n] != '\0' && s[n + strspn(s + n, "0123456789")] == '\0' &&
		strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(s);
}

static struct pol_node *
by_interface(struct pol_parser *p, struct pol_loc loc, const char *word, int plen)
{
	char *name = pol_arena_str(p, word, strlen(word));
	struct pol_node *list;
	int flags = modifiers(name);
	bool known;

	if (flags < 0 || name[0] == '\0' || strlen(name) >= POL_IFNAMSIZ)
		return NULL;
	if ((flags & (POL_DYNIF_NETWORK | POL_DYNIF_BROADCAST)) && plen >= 0) {
		pol_perr(p, loc, "'%s' has a prefix length already, expected none behind it", word);
		return pol_host_special(p, loc, POL_ADDR_ANY);
	}
	list = pol_host_interface(p, loc, name, flags, &known);
	if (!known) {
		/* not on the box: its addresses are not known, so it prints as what it would follow */
		if (p->env->if_addrs == NULL && (looks_like_interface(name) || flags != 0))
			return pol_host_dynamic(p, loc, word, plen);
		return NULL;
	}
	if (list == NULL) {
		pol_perr(p, loc, "interface '%s' has no such address%s", word,
			flags & POL_DYNIF_PEER ? ", no interface of this box has a peer"
					       : ", expected one that has, or the name in parentheses to "
						 "follow what it gets later");
		return pol_host_special(p, loc, POL_ADDR_ANY);
	}
	for (struct pol_node *n = list; n != NULL && plen >= 0; n = n->next) {
		n->host.a.plen = (unsigned)plen > MAX_PREFIX(n->host.af) ? MAX_PREFIX(n->host.af) : (unsigned)plen;
		pol_addr_mask(&n->host.a.addr, n->host.af, n->host.a.plen);
	}
	return list;
}

/* Never NULL: after an error it is an address that matches anything. */
struct pol_node *
pol_host_parse(struct pol_parser *p, struct pol_loc loc, const char *word, int plen)
{
	struct pol_node *n;
	union pol_ip ip = { 0 };
	uint8_t af;
	const char *dash = strchr(word, '-'), *scope = strchr(word, '%'), *addr = word;

	/* a range without blanks around its dash */
	if (dash != NULL && plen < 0 && word[strspn(word, "0123456789abcdefABCDEF:.-")] == '\0' &&
		strpbrk(word, ".:") != NULL)
		return pol_host_range(p, loc, pol_arena_str(p, word, dash - word), dash + 1);
	if ((n = by_interface(p, loc, word, plen)) != NULL)
		return n;
	if (scope != NULL)
		addr = pol_arena_str(p, word, scope - word);
	if (scope == NULL && parse_ip4(word, plen >= 0, &ip)) {
		af = POL_AF_INET;
	} else if (inet_pton(AF_INET6, addr, ip.b) == 1 && (scope == NULL || (link_local_addr(&ip) &&
		pol_if_name_ok(p, loc, scope + 1)))) {
		af = POL_AF_INET6;
	} else {
		pol_perr(p, loc,
			"'%s' is no address and no interface of this box, expected an IPv4 or IPv6 address, a prefix, "
			"an "
			"interface or <table>; names of hosts are not looked up",
			word);
		return pol_host_special(p, loc, POL_ADDR_ANY);
	}
	if (plen > (int)MAX_PREFIX(af)) {
		pol_perr(p, loc, "prefix length %d of '%s' is too long, expected at most %u", plen, word,
			MAX_PREFIX(af));
		plen = MAX_PREFIX(af);
	}
	n = pol_node_new(p, loc);
	prefix(&n->host, af, &ip, plen < 0 ? MAX_PREFIX(af) : (unsigned)plen);
	if (scope != NULL)
		snprintf(n->host.scope_if, sizeof(n->host.scope_if), "%s", scope + 1);
	return n;
}

struct pol_node *
pol_host_range(struct pol_parser *p, struct pol_loc loc, const char *from, const char *to)
{
	struct pol_node *n = pol_node_new(p, loc);
	union pol_ip a = { 0 }, b = { 0 };

	if (inet_pton(AF_INET, from, a.b) == 1 && inet_pton(AF_INET, to, b.b) == 1) {
		n->host.af = POL_AF_INET;
	} else if (inet_pton(AF_INET6, from, a.b) == 1 && inet_pton(AF_INET6, to, b.b) == 1) {
		n->host.af = POL_AF_INET6;
	} else {
		pol_perr(p, loc, "bad range '%s - %s', expected two addresses of one family", from, to);
		return n;
	}
	if (memcmp(a.b, b.b, 16) > 0)
		pol_perr(p, loc, "bad range '%s - %s', expected the lower address first", from, to);
	n->host.a.kind = POL_ADDR_RANGE;
	n->host.a.addr = a;
	n->host.a.addr2 = b;
	return n;
}

static int
port_number(struct pol_parser *p, struct pol_loc loc, const char *s)
{
	char *end;
	unsigned long v;
	int n;

	if (s[0] >= '0' && s[0] <= '9' && s[strspn(s, "0123456789")] == '\0') {
		v = strtoul(s, &end, 10);
		if (v <= 65535 && end - s <= 10)
			return v;
		pol_perr(p, loc, "port %s is out of range, expected 0 to 65535", s);
		return 0;
	}
	if ((n = pol_service_port(s)) >= 0)
		return n;
	pol_perr(p, loc, "unknown port '%s', expected 0 to 65535 or the name of a service", s);
	return 0;
}

/* `80`, `www`, `1000:2000`. */
struct pol_node *
pol_port_parse(struct pol_parser *p, struct pol_loc loc, const char *word)
{
	struct pol_node *n = pol_node_new(p, loc);
	const char *colon = strchr(word, ':');

	if (colon == NULL) {
		n->port.op = POL_OP_EQ;
		n->port.lo = port_number(p, loc, word);
		return n;
	}
	n->port.op = POL_OP_RRG;
	n->port.lo = port_number(p, loc, pol_arena_str(p, word, colon - word));
	n->port.hi = port_number(p, loc, colon + 1);
	if (n->port.lo > n->port.hi)
		pol_perr(p, loc, "port range %s is empty, expected the lower port first", word);
	return n;
}
