/* SPDX-License-Identifier: BSD-2-Clause */
/* Interfaces, VLANs, addresses, routes: what is accepted, what is refused and how it says so, what workers then see. */
#include "net_stub.h"

#include <arpa/inet.h>

#include <rte_cycles.h>

static uint32_t
ip4(const char *s)
{
	uint32_t a;

	assert_int_equal(inet_pton(AF_INET, s, &a), 1);
	return a;
}

static const struct fp_nexthop *
r4(const char *s)
{
	return fp_route4(fp_conf(box), ip4(s));
}

static const struct fp_nexthop *
r6(const char *s)
{
	uint8_t a[16];

	assert_int_equal(inet_pton(AF_INET6, s, a), 1);
	return fp_route6(fp_conf(box), a);
}

static uint16_t
ifid(const char *name)
{
	struct fp_if_info i;

	assert_int_equal(fp_if_find(box, name, &i), 0);
	return i.ifid;
}

/* The main lcore turns until everything is published and every grace period over. */
static void
turn(void)
{
	for (int i = 0; i < 1000 && box->net->dirty != 0; i++) {
		grace();
		rte_delay_us_block(200);
		fp_neigh_timers(box, now_us += 10000);
	}
	assert_int_equal(box->net->dirty, 0);
	grace();
}
#define DO(call) do { OK(call); turn(); } while (0)

static void
addresses(void **state)
{
	struct fp_if_info i;

	port_add(0, "ext0");
	port_add(1, "int0");
	OK(fp_if_addr_add(box, "ext0", "203.0.113.2/24", &err));
	OK(fp_if_addr_add(box, "ext0", "203.0.113.3/24", &err));
	OK(fp_if_addr_add(box, "int0", "2001:db8:1::2/64", &err));
	REFUSED(-EEXIST, "already on ext0", fp_if_addr_add(box, "int0", "203.0.113.2/24", &err));
	REFUSED(-EEXIST, "already on ext0", fp_if_addr_add(box, "ext0", "203.0.113.2/25", &err));
	REFUSED(-ENOENT, "no such interface", fp_if_addr_add(box, "ext9", "10.0.0.1/8", &err));
	REFUSED(-EINVAL, "expected an address", fp_if_addr_add(box, "ext0", "10.0.0", &err));
	REFUSED(-EINVAL, "expected an address", fp_if_addr_add(box, "ext0", "10.0.0.1/33", &err));
	REFUSED(-EINVAL, "expected an address", fp_if_addr_add(box, "ext0", "2001:db8::1/129", &err));
	REFUSED(-EINVAL, "expected an address", fp_if_addr_add(box, "ext0", "10.0.0.1/", &err));
	REFUSED(-EINVAL, "expected an address", fp_if_addr_add(box, "ext0", "10.0.0.1/-1", &err));
	REFUSED(-EINVAL, "expected an address", fp_if_addr_add(box, "ext0", "", &err));
	REFUSED(-EINVAL, "multicast", fp_if_addr_add(box, "ext0", "224.0.0.5/24", &err));
	REFUSED(-EINVAL, "class E", fp_if_addr_add(box, "ext0", "240.0.0.5/24", &err));
	REFUSED(-EINVAL, "loopback", fp_if_addr_add(box, "ext0", "127.0.0.1/8", &err));
	REFUSED(-EINVAL, "network itself", fp_if_addr_add(box, "ext0", "10.0.0.0/24", &err));
	REFUSED(-EINVAL, "broadcast", fp_if_addr_add(box, "ext0", "10.0.0.255/24", &err));
	REFUSED(-EINVAL, "prefix length", fp_if_addr_add(box, "ext0", "10.0.0.1/0", &err));
	REFUSED(-EINVAL, "multicast", fp_if_addr_add(box, "ext0", "ff02::1/64", &err));
	REFUSED(-EINVAL, "unspecified", fp_if_addr_add(box, "ext0", "::/64", &err));
	REFUSED(-EINVAL, "mapped", fp_if_addr_add(box, "ext0", "::ffff:10.0.0.1/96", &err));
	REFUSED(-EINVAL, "scope", fp_if_addr_add(box, "ext0", "fe80::5%int0/64", &err));
	OK(fp_if_addr_add(box, "ext0", "10.1.0.0/31", &err));	/* RFC 3021: both ends are hosts */

	/* the link-local address comes with the first other one and goes with the last */
	assert_int_equal(fp_if_find(box, "ext0", &i), 0);
	assert_int_equal(i.n_addrs, 3);
	assert_int_equal(fp_if_find(box, "int0", &i), 0);
	assert_int_equal(i.n_addrs, 2);
	assert_true(i.addrs[1].linklocal);
	assert_memory_equal(i.addrs[1].addr, "\xfe\x80\0\0\0\0\0\0\0\0\0\xff\xfe\0\0\x11", 16);
	REFUSED(-EBUSY, "automatic", fp_if_addr_del(box, "int0", "fe80::ff:fe00:11", &err));
	OK(fp_if_set_mac(box, "int0", "02:aa:bb:cc:dd:ee", &err));
	assert_int_equal(fp_if_find(box, "int0", &i), 0);
	assert_memory_equal(i.addrs[1].addr + 8, "\0\xaa\xbb\xff\xfe\xcc\xdd\xee", 8);
	assert_int_equal(r6("fe80::aa:bbff:fecc:ddee")->kind, FP_NH_LOCAL);
	/* the user's own replaces it */
	OK(fp_if_addr_add(box, "int0", "fe80::2/64", &err));
	assert_int_equal(fp_if_find(box, "int0", &i), 0);
	assert_int_equal(i.n_addrs, 2);
	assert_int_equal(i.addrs[1].addr[15], 2);
	OK(fp_if_addr_del(box, "int0", "fe80::2/64", &err));
	OK(fp_if_addr_del(box, "int0", "2001:db8:1::2/64", &err));
	assert_int_equal(fp_if_find(box, "int0", &i), 0);
	assert_int_equal(i.n_addrs, 0);
	REFUSED(-EADDRNOTAVAIL, "does not have", fp_if_addr_del(box, "int0", "2001:db8:1::2/64", &err));
	REFUSED(-EADDRNOTAVAIL, "prefix length 24", fp_if_addr_del(box, "ext0", "203.0.113.2/25", &err));
	REFUSED(-EINVAL, "group address", fp_if_set_mac(box, "int0", "03:00:00:00:00:01", &err));
	REFUSED(-EINVAL, "expected a MAC", fp_if_set_mac(box, "int0", "02:00:00:00:00", &err));
	REFUSED(-EINVAL, "expected 68", fp_if_set_mtu(box, "int0", 67, &err));
	REFUSED(-EINVAL, "at most 9216", fp_if_set_mtu(box, "int0", 9217, &err));
	OK(fp_if_set_mtu(box, "int0", 9000, &err));
	assert_int_equal(fp_conf(box)->ifs[ifid("int0")].mtu, 9000);
}

static void
vlans(void **state)
{
	const struct fp_conf *c;
	struct fp_if_info i;
	char name[FP_NAME_SIZE];

	port_add(0, "ext0");
	port_add(1, "int0");
	OK(fp_if_vlan_add(box, "vlan100", "ext0", 100, &err));
	OK(fp_if_vlan_add(box, "vlan200", "vlan100", 200, &err));
	OK(fp_if_vlan_add(box, "vlan7", "int0", 100, &err));
	REFUSED(-EEXIST, "is vlan100 already", fp_if_vlan_add(box, "vlan101", "ext0", 100, &err));
	REFUSED(-EEXIST, "exists already", fp_if_vlan_add(box, "vlan100", "ext0", 5, &err));
	REFUSED(-EINVAL, "1 to 4094", fp_if_vlan_add(box, "vlan0", "ext0", 0, &err));
	REFUSED(-EINVAL, "1 to 4094", fp_if_vlan_add(box, "vlan4095", "ext0", 4095, &err));
	REFUSED(-EINVAL, "two tags already", fp_if_vlan_add(box, "vlan300", "vlan200", 1, &err));
	REFUSED(-ENOENT, "no such", fp_if_vlan_add(box, "vlan300", "ext7", 1, &err));
	REFUSED(-EINVAL, "letters", fp_if_vlan_add(box, "vl an", "ext0", 1, &err));
	REFUSED(-EINVAL, "starts with a letter", fp_if_vlan_add(box, "0vlan", "ext0", 1, &err));
	REFUSED(-EINVAL, "15 characters", fp_if_vlan_add(box, "a2345678901234567", "ext0", 1, &err));
	REFUSED(-EINVAL, "meaning", fp_if_vlan_add(box, "all", "ext0", 1, &err));

	c = fp_conf(box);
	assert_int_equal(fp_if_by_frame(c, 0, 0, 0), ifid("ext0"));
	assert_int_equal(fp_if_by_frame(c, 1, 0, 0), ifid("int0"));
	assert_int_equal(fp_if_by_frame(c, 2, 0, 0), FP_IFID_NONE);
	assert_int_equal(fp_if_by_frame(c, 0, 100, 0), ifid("vlan100"));
	assert_int_equal(fp_if_by_frame(c, 0, 100, 200), ifid("vlan200"));
	assert_int_equal(fp_if_by_frame(c, 1, 100, 0), ifid("vlan7"));
	assert_int_equal(fp_if_by_frame(c, 0, 200, 100), FP_IFID_NONE);
	assert_int_equal(fp_if_by_frame(c, 0, 101, 0), FP_IFID_NONE);
	assert_int_equal(c->ifs[ifid("vlan200")].l2_len, 22);
	assert_int_equal(c->ifs[ifid("vlan100")].l2_len, 18);

	/* what stands on something that is down is down; MTU does not exceed what it stands on */
	OK(fp_if_set_up(box, "ext0", false, &err));
	assert_false(fp_conf(box)->ifs[ifid("vlan200")].up);
	assert_true(fp_conf(box)->ifs[ifid("vlan7")].up);
	OK(fp_if_set_up(box, "ext0", true, &err));
	assert_true(fp_conf(box)->ifs[ifid("vlan200")].up);
	REFUSED(-EINVAL, "at most", fp_if_set_mtu(box, "vlan200", 1501, &err));
	OK(fp_if_set_mtu(box, "ext0", 1400, &err));
	assert_int_equal(fp_if_find(box, "vlan200", &i), 0);
	assert_int_equal(i.mtu, 1400);
	assert_string_equal(i.parent, "vlan100");

	/* removal: the id comes back only after the grace period */
	uint16_t id = ifid("vlan200"), other;
	REFUSED(-EBUSY, "stands on it", fp_if_destroy(box, "vlan100", &err));
	REFUSED(-EINVAL, "port detach", fp_if_destroy(box, "ext0", &err));
	OK(fp_if_destroy(box, "vlan200", &err));
	assert_int_equal(fp_if_by_frame(fp_conf(box), 0, 100, 200), FP_IFID_NONE);
	assert_int_not_equal(fp_if_name(box, id, name), 0);
	OK(fp_if_vlan_add(box, "vlan300", "ext0", 300, &err));
	assert_int_not_equal(ifid("vlan300"), id);
	other = ifid("vlan300");
	grace();
	OK(fp_if_vlan_add(box, "vlan301", "ext0", 301, &err));
	assert_int_equal(ifid("vlan301"), id);
	assert_int_equal(ifid("vlan300"), other);
	assert_int_equal(fp_if_name(box, FP_IFID_ALL, name), 0);
	assert_string_equal(name, "all");

	/* a port takes its VLANs along, and routes that name them */
	OK(fp_if_addr_add(box, "int0", "10.0.0.1/24", &err));
	OK(fp_route_add(box, "10.9.0.0/16", "vlan7", "", &err));
	assert_non_null(r4("10.9.0.1"));
	OK(fp_ifnet_port_detaching(box, &ports[1], &err));
	assert_int_equal(fp_if_count(box), 4);
	assert_null(r4("10.9.0.1"));
	assert_null(r4("10.0.0.1"));
	assert_int_equal(fp_if_by_frame(fp_conf(box), 1, 100, 0), FP_IFID_NONE);
}

static void
many_vlans(void **state)
{
	char name[FP_NAME_SIZE];

	port_add(0, "ext0");
	for (unsigned v = 1; v <= 4094; v++) {
		snprintf(name, sizeof(name), "vlan%u", v);
		OK(fp_if_vlan_add(box, name, "ext0", v, &err));
	}
	OK(fp_conf_publish(box, &err));
	for (unsigned v = 1; v <= 4094; v++) {
		snprintf(name, sizeof(name), "vlan%u", v);
		assert_string_equal(fp_conf(box)->ifs[fp_if_by_frame(fp_conf(box), 0, v, 0)].name, name);
	}
	assert_int_equal(fp_if_by_frame(fp_conf(box), 0, 7, 7), FP_IFID_NONE);
}

static void
bridge(void **state)
{
	port_add(0, "ext0");
	port_add(1, "int0");
	OK(fp_if_vlan_add(box, "vlan5", "ext0", 5, &err));
	REFUSED(-EINVAL, "two different", fp_if_bridge(box, "ext0", "ext0", &err));
	REFUSED(-ENOENT, "no such", fp_if_bridge(box, "ext0", "nope0", &err));
	REFUSED(-EINVAL, "stands on", fp_if_bridge(box, "ext0", "vlan5", &err));
	OK(fp_if_bridge(box, "ext0", "int0", &err));
	assert_true(fp_conf(box)->bridge);
	assert_int_equal(fp_conf(box)->ifs[ifid("ext0")].bridge_peer, ifid("int0"));
	assert_int_equal(fp_conf(box)->ifs[ifid("int0")].bridge_peer, ifid("ext0"));
	REFUSED(-EBUSY, "member of the bridge", fp_ifnet_port_detaching(box, &ports[0], &err));
	OK(fp_if_bridge(box, NULL, NULL, &err));
	assert_false(fp_conf(box)->bridge);
	assert_int_equal(fp_conf(box)->ifs[ifid("int0")].bridge_peer, FP_IFID_NONE);
	/* a device that vanished goes in any case, and the bridge with it */
	OK(fp_if_bridge(box, "ext0", "int0", &err));
	ports[0].removed = true;
	OK(fp_ifnet_port_detaching(box, &ports[0], &err));
	assert_false(fp_conf(box)->bridge);
	assert_int_equal(fp_conf(box)->ifs[ifid("int0")].bridge_peer, FP_IFID_NONE);
}

struct shown { char dest[64], gw[64], flags[16], ifname[16]; };
static struct shown shown[64];
static unsigned n_shown;

static int
show_one(void *arg, const struct fp_route_info *r)
{
	struct shown *s = &shown[n_shown++];
	char a[64];

	snprintf(s->dest, sizeof(s->dest), "%s/%u", fp_addr_ntop(r->af, r->dest, a, sizeof(a)), r->plen);
	if (r->has_gw)
		fp_addr_ntop(r->af, r->gw, s->gw, sizeof(s->gw));
	strcpy(s->flags, r->flags);
	strcpy(s->ifname, r->ifname);
	return 0;
}

static const struct shown *
show(const char *dest)
{
	memset(shown, 0, sizeof(shown));
	n_shown = 0;
	fp_route_foreach(box, show_one, NULL);
	for (unsigned i = 0; i < n_shown; i++)
		if (strcmp(shown[i].dest, dest) == 0)
			return &shown[i];
	fail_msg("%s is not shown", dest);
	return NULL;
}

static void
routes(void **state)
{
	const struct fp_nexthop *h;

	/* once with the trees of a box that does not run, once with its tables */
	box->running = *state != NULL;
	port_add(0, "ext0");
	port_add(1, "int0");
	DO(fp_if_addr_add(box, "ext0", "10.10.1.1/24", &err));
	DO(fp_if_addr_add(box, "int0", "10.10.2.1/24", &err));
	DO(fp_if_addr_add(box, "ext0", "fd00:1::1/64", &err));
	DO(fp_if_addr_add(box, "int0", "fd00:2::1/64", &err));
	assert_null(r4("8.8.8.8"));
	assert_null(r6("2001:db8::1"));
	DO(fp_route_add(box, "default", "10.10.1.254", "", &err));
	DO(fp_route_add(box, "default", "fd00:1::fe", "", &err));
	DO(fp_route_add(box, "10.20.0.0/16", "10.10.2.9", NULL, &err));
	DO(fp_route_add(box, "10.20.30.40", "10.10.1.9", "", &err));
	DO(fp_route_add(box, "10.20.30.128/25", "10.10.1.8", "", &err));
	DO(fp_route_add(box, "10.66.0.0/16", "127.0.0.1", "-blackhole", &err));
	DO(fp_route_add(box, "10.67.0.0/16", NULL, "reject", &err));
	DO(fp_route_add(box, "10.68.0.0/16", "int0", "-iface", &err));
	DO(fp_route_add(box, "2001:db8:5::/48", "fe80::9%int0", "", &err));

	h = r4("10.10.2.77");
	assert_true(h->kind == FP_NH_CONNECTED && h->ifid == ifid("int0"));
	h = r4("10.10.2.1");
	assert_true(h->kind == FP_NH_LOCAL && h->ifid == ifid("int0"));
	h = r4("10.10.2.255");
	assert_true(h->kind == FP_NH_BROADCAST && h->ifid == ifid("int0"));
	h = r4("8.8.8.8");
	assert_true(h->kind == FP_NH_GATEWAY && h->ifid == ifid("ext0") && h->gw.w[0] == ip4("10.10.1.254"));
	h = r4("10.20.1.1");
	assert_true(h->kind == FP_NH_GATEWAY && h->ifid == ifid("int0") && h->gw.w[0] == ip4("10.10.2.9"));
	assert_true(r4("10.20.30.40")->gw.w[0] == ip4("10.10.1.9"));
	assert_true(r4("10.20.30.41")->gw.w[0] == ip4("10.10.2.9"));
	assert_true(r4("10.20.30.200")->gw.w[0] == ip4("10.10.1.8"));
	assert_int_equal(r4("10.66.1.1")->kind, FP_NH_BLACKHOLE);
	assert_int_equal(r4("10.67.1.1")->kind, FP_NH_REJECT);
	h = r4("10.68.1.1");
	assert_true(h->kind == FP_NH_CONNECTED && h->ifid == ifid("int0"));
	h = r6("2001:db8:5::1");
	assert_true(h->kind == FP_NH_GATEWAY && h->ifid == ifid("int0") && h->gw.b[0] == 0xfe && h->gw.b[15] == 9);
	assert_true(r6("2001:db8:6::1")->ifid == ifid("ext0"));
	h = r6("fd00:2::55");
	assert_true(h->kind == FP_NH_CONNECTED && h->ifid == ifid("int0"));
	assert_int_equal(r6("fd00:2::1")->kind, FP_NH_LOCAL);

	uint32_t dst[40];
	const struct fp_nexthop *nh[40];
	for (unsigned i = 0; i < 40; i++)
		dst[i] = ip4(i % 3 == 0 ? "10.10.2.77" : i % 3 == 1 ? "10.20.30.40" : "9.9.9.9");
	fp_route4_bulk(fp_conf(box), dst, nh, 40);
	for (unsigned i = 0; i < 40; i++)
		assert_ptr_equal(nh[i], fp_route4(fp_conf(box), dst[i]));

	REFUSED(-EEXIST, "exists", fp_route_add(box, "default", "10.10.1.253", "", &err));
	REFUSED(-EEXIST, "exists", fp_route_add(box, "10.20.99.99/16", "10.10.1.9", "", &err));
	REFUSED(-EEXIST, "network of int0", fp_route_add(box, "10.10.2.0/24", "10.10.1.9", "", &err));
	REFUSED(-ENETUNREACH, "unreachable", fp_route_add(box, "1.0.0.0/8", "192.0.2.1", "", &err));
	REFUSED(-EINVAL, "multicast", fp_route_add(box, "224.0.0.0/4", "10.10.1.9", "", &err));
	REFUSED(-EINVAL, "multicast", fp_route_add(box, "ff00::/8", "fd00:1::9", "", &err));
	REFUSED(-EINVAL, "class E", fp_route_add(box, "240.0.0.0/4", "10.10.1.9", "", &err));
	REFUSED(-EINVAL, "loopback", fp_route_add(box, "127.0.0.0/8", "10.10.1.9", "", &err));
	REFUSED(-EINVAL, "link-local", fp_route_add(box, "fe80::/64", "fd00:1::9", "", &err));
	REFUSED(-EINVAL, "other address family", fp_route_add(box, "1.0.0.0/8", "fd00:1::9", "", &err));
	REFUSED(-EINVAL, "this box itself", fp_route_add(box, "1.0.0.0/8", "10.10.1.1", "", &err));
	REFUSED(-EINVAL, "needs its interface", fp_route_add(box, "2001:db8:7::/48", "fe80::9", "", &err));
	REFUSED(-ENOENT, "no such interface", fp_route_add(box, "2001:db8:7::/48", "fe80::9%no0", "", &err));
	REFUSED(-EINVAL, "expected a gateway", fp_route_add(box, "1.0.0.0/8", "nonsense", "", &err));
	REFUSED(-EINVAL, "expected a gateway", fp_route_add(box, "1.0.0.0/8", NULL, "", &err));
	REFUSED(-EINVAL, "expected default", fp_route_add(box, "1.0.0/8", "10.10.1.9", "", &err));
	REFUSED(-EINVAL, "expected reject", fp_route_add(box, "1.0.0.0/8", "10.10.1.9", "fast", &err));

	assert_string_equal(show("0.0.0.0/0")->flags, "UGS");
	assert_string_equal(show("0.0.0.0/0")->gw, "10.10.1.254");
	assert_string_equal(show("0.0.0.0/0")->ifname, "ext0");
	assert_string_equal(show("10.20.30.40/32")->flags, "UGHS");
	assert_string_equal(show("10.66.0.0/16")->flags, "UGSB");
	assert_string_equal(show("10.67.0.0/16")->flags, "URS");
	assert_string_equal(show("10.10.2.0/24")->flags, "UCn");
	assert_string_equal(show("10.10.2.1/32")->flags, "UHLl");
	assert_string_equal(show("10.10.2.255/32")->flags, "UHb");
	assert_string_equal(show("::/0")->gw, "fd00:1::fe");

	/* an interface that goes down takes its routes out, and gives them back */
	DO(fp_if_set_up(box, "ext0", false, &err));
	assert_null(r4("8.8.8.8"));
	assert_null(r6("2001:db8:6::1"));
	assert_null(r4("10.10.1.9"));
	assert_int_equal(r4("10.10.1.1")->kind, FP_NH_LOCAL);
	assert_true(r4("10.20.30.40")->gw.w[0] == ip4("10.10.2.9"));
	assert_string_equal(show("0.0.0.0/0")->flags, "GS");
	DO(fp_if_set_up(box, "ext0", true, &err));
	assert_non_null(r4("8.8.8.8"));
	assert_true(r4("10.20.30.40")->gw.w[0] == ip4("10.10.1.9"));

	REFUSED(-ESRCH, "not in table", fp_route_delete(box, "11.0.0.0/8", NULL, &err));
	REFUSED(-ESRCH, "with gateway", fp_route_delete(box, "default", "10.10.1.253", &err));
	DO(fp_route_delete(box, "10.20.30.40", NULL, &err));
	DO(fp_route_delete(box, "default", "10.10.1.254", &err));
	assert_null(r4("8.8.8.8"));
	assert_non_null(r6("2001:db8:6::1"));
	assert_true(r4("10.20.30.40")->gw.w[0] == ip4("10.10.2.9"));
	/* what was published before stays readable until its grace period is over */
	const struct fp_conf *old = fp_conf(box);
	OK(fp_route_delete(box, "10.20.0.0/16", NULL, &err));
	assert_non_null(fp_route4(old, ip4("10.20.1.1")));
	assert_null(r4("10.20.1.1"));
}

/* A file of many routes: linear, few rebuilds, and all of them in force afterwards. */
static void
many_routes(void **state)
{
	uint64_t start = rte_get_tsc_cycles();
	char d[32], g[32];
	uint32_t gen;

	box->running = true;
	port_add(0, "ext0");
	OK(fp_if_addr_add(box, "ext0", "10.0.0.1/16", &err));
	gen = fp_conf(box)->generation;
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(d, sizeof(d), "20.%u.%u.%u/%u", i >> 8, i & 255, i % 7 == 0 ? 128 : 0, i % 7 == 0 ? 25 : 24);
		snprintf(g, sizeof(g), "10.0.%u.%u", 1 + i % 50, 1 + i % 200);
		OK(fp_route_add(box, d, g, "", &err));
	}
	grace();
	OK(fp_conf_publish(box, &err));
	print_message("20000 routes: %.0f ms, %u publications\n", (rte_get_tsc_cycles() - start) * 1e3 / rte_get_tsc_hz(),
		fp_conf(box)->generation - gen);
	assert_in_range(fp_conf(box)->generation - gen, 1, 20);	/* at most four tables before the first grace period */
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(d, sizeof(d), "20.%u.%u.200", i >> 8, i & 255);
		snprintf(g, sizeof(g), "10.0.%u.%u", 1 + i % 50, 1 + i % 200);
		assert_non_null(r4(d));
		assert_int_equal(r4(d)->gw.w[0], ip4(g));
	}
	assert_null(r4("20.0.0.1"));	/* only the upper half of it was added */
	/* a change of a large configuration waits for the main lcore's turn */
	OK(fp_route_delete(box, "20.0.1.0/24", NULL, &err));
	assert_non_null(r4("20.0.1.1"));
	for (int i = 0; i < 1000 && r4("20.0.1.1") != NULL; i++) {
		now_us += 10000;
		rte_delay_us_block(1000);
		grace();
		fp_neigh_timers(box, now_us);
	}
	assert_null(r4("20.0.1.1"));
}

/* A box that starts to run gets the tables without a change of routes. */
static void
starts(void **state)
{
	port_add(0, "ext0");
	OK(fp_if_addr_add(box, "ext0", "10.0.0.1/16", &err));
	assert_true(fp_fib_is_small(box->net->fib));
	box->running = true;
	for (int i = 0; i < 1000 && fp_fib_is_small(box->net->fib); i++) {
		rte_delay_us_block(100);
		fp_neigh_timers(box, now_us);
	}
	assert_false(fp_fib_is_small(box->net->fib));
	assert_int_equal(r4("10.0.0.1")->kind, FP_NH_LOCAL);
}

int
main(void)
{
	static int tables;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(vlans, setup, teardown),
		cmocka_unit_test_setup_teardown(many_vlans, setup, teardown),
		cmocka_unit_test_setup_teardown(bridge, setup, teardown),
		{ "routes, trees", routes, setup, teardown, NULL },
		{ "routes, tables", routes, setup, teardown, &tables },
		cmocka_unit_test_setup_teardown(many_routes, setup, teardown),
		cmocka_unit_test_setup_teardown(starts, setup, teardown),
	};

	eal_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
