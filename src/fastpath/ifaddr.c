/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses of interfaces: what a user writes, what is refused, the automatic IPv6 link-local address. ifnet.c owns the
 * interfaces themselves.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

bool
fp_addr_parse(const char *s, uint8_t *af, union pol_ip *addr, int *plen, char *ifname)
{
	char buf[INET6_ADDRSTRLEN + FP_NAME_SIZE + 8], *p, *end;
	size_t len = strlen(s);
	long v;

	memset(addr, 0, sizeof(*addr));
	if (ifname != NULL)
		ifname[0] = '\0';
	if (plen != NULL)
		*plen = -1;
	if (len == 0 || len >= sizeof(buf))
		return false;
	memcpy(buf, s, len + 1);
	p = strchr(buf, '/');
	if (p != NULL) {
		if (plen == NULL || p[1] < '0' || p[1] > '9')
			return false;
		*p++ = '\0';
		v = strtol(p, &end, 10);
		if (*end != '\0' || v > 128)
			return false;
		*plen = v;
	}
	p = strchr(buf, '%');
	if (p != NULL) {
		*p++ = '\0';
		if (ifname == NULL || *p == '\0' || strlen(p) >= FP_NAME_SIZE)
			return false;
		strcpy(ifname, p);
	}
	if (inet_pton(AF_INET, buf, addr->b) == 1) {
		*af = FP_AF_INET;
		return p == NULL && (plen == NULL || *plen <= 32);
	}
	if (inet_pton(AF_INET6, buf, addr->b) == 1) {
		*af = FP_AF_INET6;
		return p == NULL || fp_addr_is_linklocal(addr->b) || addr->b[0] == 0xff;
	}
	return false;
}

const char *
fp_addr_ntop(uint8_t af, const void *addr, char *buf, size_t size)
{
	const char *s = inet_ntop(af == FP_AF_INET ? AF_INET : AF_INET6, addr, buf, size);

	return s != NULL ? s : "?";
}

bool
fp_addr_in(uint8_t af, const void *addr, const void *net, unsigned plen)
{
	const uint8_t *a = addr, *n = net;
	unsigned bytes = plen / 8, bits = plen % 8;

	if (plen > (af == FP_AF_INET ? 32u : 128u) || memcmp(a, n, bytes) != 0)
		return false;
	return bits == 0 || ((a[bytes] ^ n[bytes]) & (0xff << (8 - bits)) & 0xff) == 0;
}

void
fp_addr_mask(uint8_t af, union pol_ip *addr, unsigned plen)
{
	unsigned i, max = af == FP_AF_INET ? 4 : 16;

	for (i = 0; i < 16; i++) {
		if (i >= max || i * 8 >= plen)
			addr->b[i] = 0;
		else if (plen - i * 8 < 8)
			addr->b[i] &= 0xff << (8 - (plen - i * 8));
	}
}

/* Why an interface cannot have this address; NULL: it can. */
static const char *
unusable(uint8_t af, const union pol_ip *a, int plen)
{
	static const uint8_t zero[16], mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint32_t v, host;

	if (af == FP_AF_INET6) {
		if (memcmp(a->b, zero, 16) == 0)
			return "is the unspecified address";
		if (memcmp(a->b, zero, 15) == 0 && a->b[15] == 1)
			return "is the loopback address";
		if (a->b[0] == 0xff)
			return "is a multicast address";
		if (memcmp(a->b, mapped, 12) == 0)
			return "is an IPv4-mapped address";
		return plen < 1 ? "needs a prefix length of 1 to 128" : NULL;
	}
	memcpy(&v, a->b, 4);
	v = ntohl(v);
	if (v >> 24 == 0)
		return "is in 0.0.0.0/8 (this network)";
	if (v >> 24 == 127)
		return "is a loopback address";
	if (v >> 28 == 0xe)
		return "is a multicast address";
	if (v >> 28 == 0xf)
		return "is in class E (240.0.0.0/4)";
	if (plen < 1)
		return "needs a prefix length of 1 to 32";
	if (plen <= 30) {
		host = v & (UINT32_MAX >> plen);
		if (host == 0)
			return "is the address of the network itself";
		if (host == UINT32_MAX >> plen)
			return "is the broadcast address of the network";
	}
	return NULL;
}

static int
addr_index(const struct fp_net_if *i, uint8_t af, const union pol_ip *addr)
{
	for (uint32_t k = 0; k < i->n_addrs; k++)
		if (i->addrs[k].af == af && memcmp(&i->addrs[k].addr, addr, sizeof(*addr)) == 0)
			return k;
	return -1;
}

/* 0 or -ENOMEM. */
static int
addr_append(struct fp_net_if *i, uint8_t af, const union pol_ip *addr, unsigned plen, uint8_t vhid)
{
	struct fp_ifaddr *a;

	if (i->n_addrs == i->cap_addrs) {
		uint32_t cap = i->cap_addrs ? i->cap_addrs * 2 : 4;

		a = realloc(i->addrs, cap * sizeof(*a));
		if (a == NULL)
			return -ENOMEM;
		i->addrs = a;
		i->cap_addrs = cap;
	}
	a = &i->addrs[i->n_addrs++];
	memset(a, 0, sizeof(*a));
	a->af = af;
	a->plen = plen;
	a->vhid = vhid;
	a->addr = *addr;
	a->linklocal = af == FP_AF_INET6 && fp_addr_is_linklocal(addr->b);
	if (af == FP_AF_INET && plen <= 30) {
		a->bcast.w[0] = addr->w[0] | htonl(UINT32_MAX >> plen);
	}
	return 0;
}

static void
addr_remove(struct fp_net_if *i, unsigned k)
{
	memmove(&i->addrs[k], &i->addrs[k + 1], (i->n_addrs - k - 1) * sizeof(*i->addrs));
	i->n_addrs--;
}

/* RFC 4291 appendix A. */
static void
eui64_linklocal(const struct rte_ether_addr *mac, union pol_ip *a)
{
	const uint8_t *m = mac->addr_bytes;

	memset(a, 0, sizeof(*a));
	a->b[0] = 0xfe;
	a->b[1] = 0x80;
	a->b[8] = m[0] ^ 0x02;
	a->b[9] = m[1];
	a->b[10] = m[2];
	a->b[11] = 0xff;
	a->b[12] = 0xfe;
	a->b[13] = m[3];
	a->b[14] = m[4];
	a->b[15] = m[5];
}

int
fp_net_linklocal_update(struct fp_box *box, struct fp_net_if *i)
{
	bool manual = false, other = false;
	int k, old = -1;
	union pol_ip ll;

	/* the automatic one is the first link-local address while auto_linklocal is set */
	for (k = 0; k < (int)i->n_addrs; k++) {
		if (i->addrs[k].af != FP_AF_INET6)
			continue;
		if (i->addrs[k].vhid != 0)
			other = true;	/* neighbours are asked from an address that is ours alone */
		else if (i->addrs[k].linklocal && i->auto_linklocal && old < 0)
			old = k;
		else if (i->addrs[k].linklocal)
			manual = true;
		else
			other = true;
	}
	if (other && !manual) {
		eui64_linklocal(&i->mac, &ll);
		if (old >= 0) {
			i->addrs[old].addr = ll;
			return 0;
		}
		if (addr_append(i, FP_AF_INET6, &ll, 64, 0) != 0)
			return -ENOMEM;
		i->auto_linklocal = true;
	} else if (old >= 0) {
		addr_remove(i, old);
		i->auto_linklocal = false;
	}
	return 0;
}

/* BSD's mask of an IPv4 address that was given none: by its class. */
static int
classful(const union pol_ip *a)
{
	return a->b[0] < 128 ? 8 : a->b[0] < 192 ? 16 : 24;
}

/* Parse and check; 0 or a negative errno and *err. */
static int
parse(struct fp_box *box, const char *ifname, const char *prefix, struct fp_net_if **i, uint8_t *af,
	union pol_ip *addr, int *plen, struct fp_err *err)
{
	char scope[FP_NAME_SIZE];

	*i = fp_net_if_by_name(box, ifname);
	if (*i == NULL)
		return fp_err_set(err, -ENOENT, "%s: no such interface", ifname);
	if (!fp_addr_parse(prefix, af, addr, plen, scope))
		return fp_err_set(err, -EINVAL, "%s: expected an address with prefix length, such as 192.0.2.1/24 or 2001:db8::1/64", prefix);
	if (scope[0] != '\0' && strcmp(scope, ifname) != 0)
		return fp_err_set(err, -EINVAL, "%s: the scope is not interface %s", prefix, ifname);
	return 0;
}

static int
addr_add(struct fp_box *box, const char *ifname, const char *prefix, uint8_t vhid, struct fp_err *err)
{
	struct fp_box_net *net = box->net;
	struct fp_net_if *i;
	union pol_ip addr;
	const char *why;
	uint8_t af = 0;
	int plen = -1, ret;

	ret = parse(box, ifname, prefix, &i, &af, &addr, &plen, err);
	if (ret != 0)
		return ret;
	if (plen < 0)
		plen = af == FP_AF_INET ? classful(&addr) : 64;
	why = unusable(af, &addr, plen);
	if (why != NULL)
		return fp_err_set(err, -EINVAL, "%s: an interface cannot have it, it %s", prefix, why);
	for (uint32_t k = 0; k < net->n_ifs; k++) {
		struct fp_net_if *o = &net->ifs[k];

		/* link-local addresses are unique on their link only: VLANs of one port share them */
		if (!o->used || (o != i && af == FP_AF_INET6 && fp_addr_is_linklocal(addr.b)))
			continue;
		if (addr_index(o, af, &addr) >= 0) {
			if (o == i && vhid == 0 && i->auto_linklocal && af == FP_AF_INET6 && fp_addr_is_linklocal(addr.b)) {
				i->auto_linklocal = false; /* from now on the user's */
				return 0;
			}
			return fp_err_set(err, -EEXIST, "%s: the address is already on %s", prefix, o->name);
		}
	}
	if (vhid != 0 && i->vhids == NULL && (i->vhids = calloc(1, sizeof(*i->vhids))) == NULL)
		return fp_err_set(err, -ENOMEM, "%s: no memory for a virtual host", ifname);
	if (addr_append(i, af, &addr, plen, vhid) != 0)
		return fp_err_set(err, -ENOMEM, "%s: no memory for another address", ifname);
	if (af == FP_AF_INET6 && fp_net_linklocal_update(box, i) != 0) {
		addr_remove(i, addr_index(i, af, &addr));
		return fp_err_set(err, -ENOMEM, "%s: no memory for another address", ifname);
	}
	if (vhid == 0)
		i->up = true;	/* as ifconfig does */
	ret = fp_net_changed(box, FP_NET_DIRTY_ROUTE4 | FP_NET_DIRTY_ROUTE6, err);
	if (ret != 0) {
		addr_remove(i, addr_index(i, af, &addr));
		fp_net_linklocal_update(box, i);
		return ret;
	}
	fp_neigh_announce_addr(box, i, &i->addrs[addr_index(i, af, &addr)]);
	return 0;
}

int
fp_if_addr_add(struct fp_box *box, const char *ifname, const char *prefix, struct fp_err *err)
{
	return addr_add(box, ifname, prefix, 0, err);
}

int
fp_if_shared_add(struct fp_box *box, const char *ifname, const char *prefix, uint8_t vhid, struct fp_err *err)
{
	return addr_add(box, ifname, prefix, vhid, err);
}

static int
addr_del(struct fp_box *box, const char *ifname, const char *prefix, uint8_t vhid, struct fp_err *err)
{
	struct fp_net_if *i;
	union pol_ip addr;
	uint8_t af = 0;
	int plen = -1, ret, k;

	ret = parse(box, ifname, prefix, &i, &af, &addr, &plen, err);
	if (ret != 0)
		return ret;
	k = addr_index(i, af, &addr);
	if (k < 0)
		return fp_err_set(err, -EADDRNOTAVAIL, "%s: %s does not have this address", prefix, ifname);
	if (i->addrs[k].vhid != vhid)
		return fp_err_set(err, -EBUSY, "%s: vhid %u shares it: take it from that carp interface", prefix, i->addrs[k].vhid);
	if (plen >= 0 && plen != i->addrs[k].plen)
		return fp_err_set(err, -EADDRNOTAVAIL, "%s: %s has this address with prefix length %u", prefix, ifname,
			i->addrs[k].plen);
	if (i->auto_linklocal && af == FP_AF_INET6 && i->addrs[k].linklocal)
		return fp_err_set(err, -EBUSY, "%s: the automatic link-local address goes with the last other IPv6 address", prefix);
	addr_remove(i, k);
	fp_net_linklocal_update(box, i);
	return fp_net_changed(box, af == FP_AF_INET ? FP_NET_DIRTY_ROUTE4 : FP_NET_DIRTY_ROUTE6, err);
}

int
fp_if_addr_del(struct fp_box *box, const char *ifname, const char *prefix, struct fp_err *err)
{
	return addr_del(box, ifname, prefix, 0, err);
}

int
fp_if_shared_del(struct fp_box *box, const char *ifname, const char *prefix, uint8_t vhid, struct fp_err *err)
{
	return addr_del(box, ifname, prefix, vhid, err);
}

uint16_t
fp_net_connected(const struct fp_box *box, uint8_t af, const void *addr, uint16_t scope)
{
	const struct fp_box_net *net = box->net;
	bool linklocal = af == FP_AF_INET6 && fp_addr_is_linklocal(addr);
	uint16_t best = FP_IFID_NONE;
	int best_plen = -1;

	for (uint32_t k = 0; k < net->n_ifs; k++) {
		const struct fp_net_if *i = &net->ifs[k];

		if (!i->used || (scope != FP_IFID_NONE && k != scope) || (linklocal && scope == FP_IFID_NONE) ||
		    !fp_net_if_running(box, i))
			continue;
		for (uint32_t n = 0; n < i->n_addrs; n++) {
			const struct fp_ifaddr *a = &i->addrs[n];

			if (a->af == af && a->plen > best_plen && fp_addr_in(af, addr, a->addr.b, a->plen)) {
				best_plen = a->plen;
				best = k;
			}
		}
	}
	return best;
}
