/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbours on the main lcore: who is answered, who is believed, what waits and for how long; with a made-up clock. */
#include "net_stub.h"

#include <arpa/inet.h>

#include "fastpath/arp_nd.h"
#include "fastpath/neigh_priv.h"

#define SEC 1000000ull
static const uint8_t own_mac[6] = { 2, 0, 0, 0, 0, 0x10 }, mac_a[6] = { 2, 0xaa, 0, 0, 0, 1 }, mac_b[6] = { 2, 0xbb, 0, 0, 0, 2 };
static const uint8_t bcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static const uint8_t *
addr(const char *s)
{
	static uint8_t ring[8][16];
	static unsigned n;
	uint8_t *a = ring[n++ % 8];

	memset(a, 0, 16);
	if (inet_pton(strchr(s, ':') ? AF_INET6 : AF_INET, s, a) != 1)
		fail_msg("%s", s);
	return a;
}

static void
later(uint64_t us)
{
	/* in steps of the main lcore's turns */
	for (uint64_t end = now_us + us; now_us < end; ) {
		now_us += RTE_MIN(end - now_us, SEC / 4);
		for (int i = 0; i < 70; i++)
			fp_neigh_timers(box, now_us);
	}
}

static int
neigh_setup(void **state)
{
	setup(state);
	port_add(0, "ext0");
	port_add(1, "int0");
	OK(fp_if_addr_add(box, "ext0", "10.0.0.1/24", &err));
	OK(fp_if_addr_add(box, "int0", "10.0.1.1/24", &err));
	OK(fp_if_addr_add(box, "ext0", "fd00::1/64", &err));
	OK(fp_if_vlan_add(box, "vlan5", "ext0", 5, &err));
	OK(fp_if_addr_add(box, "vlan5", "10.5.0.1/24", &err));
	return 0;
}

static uint16_t
ifid(const char *name)
{
	return fp_net_ifid(box, fp_net_if_by_name(box, name));
}

/* A frame comes in from a worker. */
static void
frame_in(const char *ifname, enum fp_punt_kind kind, uint16_t type, const uint8_t *src, const uint8_t *p, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *d = m != NULL ? (uint8_t *)rte_pktmbuf_append(m, 14 + len) : NULL;

	if (d == NULL) {
		fail();
		return;
	}
	memset(d, 0xff, 6);
	memcpy(d + 6, src, 6);
	d[12] = type >> 8;
	d[13] = type;
	memcpy(d + 14, p, len);
	fp_priv(m)->kind = kind;
	fp_priv(m)->ifid = ifid(ifname);
	fp_neigh_punted(box, m);
}

static void
arp_in(const char *ifname, uint16_t op, const uint8_t *sha, const char *spa, const char *tpa)
{
	struct fp_arp a = { .op = op };
	uint8_t p[FP_ARP_LEN];

	memcpy(a.sha, sha, 6);
	memcpy(a.spa, addr(spa), 4);
	memcpy(a.tpa, addr(tpa), 4);
	fp_arp_build(p, &a);
	frame_in(ifname, FP_PUNT_ARP, 0x0806, sha, p, sizeof(p));
}

static void
nd_in(const char *ifname, uint8_t type, uint8_t flags, const uint8_t *mac, const char *src, const char *dst, const char *target,
	bool opt)
{
	struct fp_nd nd = { .type = type, .flags = flags, .has_lladdr = opt };
	uint8_t p[FP_ND_LEN];

	memcpy(nd.lladdr, mac, 6);
	memcpy(nd.src, addr(src), 16);
	memcpy(nd.target, addr(target), 16);
	if (dst != NULL)
		memcpy(nd.dst, addr(dst), 16);
	else
		fp_nd_solicited_node(nd.dst, nd.target);
	frame_in(ifname, FP_PUNT_ND, 0x86dd, mac, p, fp_nd_build(p, &nd));
}

/* A packet for a next hop that workers do not know; its one byte is its name. */
static void
miss(const char *ifname, const char *hop, uint8_t name)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_non_null(m);
	memset(rte_pktmbuf_append(m, 40), name, 40);
	fp_priv(m)->kind = FP_PUNT_NEIGH_MISS;
	fp_priv(m)->ifid = ifid(ifname);
	fp_priv(m)->af = strchr(hop, ':') ? FP_AF_INET6 : FP_AF_INET;
	memcpy(fp_priv(m)->addr.b, addr(hop), 16);
	fp_neigh_punted(box, m);
}

static const uint8_t *
sent_frame(unsigned i)
{
	assert_true(i < n_sent);
	return rte_pktmbuf_mtod(sent[i], const uint8_t *);
}

/* Frame i is an ARP packet; returns its fields. */
static struct fp_arp
sent_arp(unsigned i, const uint8_t *dst)
{
	const uint8_t *p = sent_frame(i);
	struct fp_arp a;

	assert_int_equal(rte_pktmbuf_pkt_len(sent[i]), 14 + FP_ARP_LEN);
	assert_memory_equal(p, dst, 6);
	assert_memory_equal(p + 6, own_mac, 6);
	assert_memory_equal(p + 12, "\x08\x06", 2);
	assert_true(fp_arp_parse(&a, p + 14, FP_ARP_LEN));
	return a;
}

static struct fp_nd
sent_nd(unsigned i, const uint8_t *dst)
{
	const uint8_t *p = sent_frame(i);
	struct fp_nd nd;

	assert_memory_equal(p, dst, 6);
	assert_memory_equal(p + 12, "\x86\xdd", 2);
	assert_true(fp_nd_parse(&nd, p + 14, rte_pktmbuf_pkt_len(sent[i]) - 14));
	return nd;
}

/* What a worker sees; marks it used as a packet does. */
static bool
known(const char *ifname, const char *a, const uint8_t *mac)
{
	struct rte_ether_addr m;

	if (!fp_neigh_lookup(box->neigh, ifid(ifname), strchr(a, ':') ? FP_AF_INET6 : FP_AF_INET, addr(a), &m))
		return false;
	assert_memory_equal(m.addr_bytes, mac, 6);
	return true;
}

static uint64_t
count(enum fp_arp_counter c)
{
	return fp_arp_counters(box)[c];
}

static void
arp_answers(void **state)
{
	struct fp_arp a;

	arp_in("ext0", FP_ARP_REQUEST, mac_a, "10.0.0.7", "10.0.0.1");
	assert_int_equal(n_sent, 1);
	a = sent_arp(0, mac_a);
	assert_int_equal(a.op, FP_ARP_REPLY);
	assert_memory_equal(a.sha, own_mac, 6);
	assert_memory_equal(a.spa, addr("10.0.0.1"), 4);
	assert_memory_equal(a.tha, mac_a, 6);
	assert_memory_equal(a.tpa, addr("10.0.0.7"), 4);
	assert_int_equal(sent[0]->port, 0);
	assert_true(known("ext0", "10.0.0.7", mac_a));
	assert_false(known("int0", "10.0.0.7", mac_a));

	/* a probe is answered and not learned */
	arp_in("ext0", FP_ARP_REQUEST, mac_b, "0.0.0.0", "10.0.0.1");
	assert_int_equal(n_sent, 2);
	assert_memory_equal(sent_arp(1, mac_b).tpa, "\0\0\0\0", 4);
	assert_false(known("ext0", "0.0.0.0", mac_b));
	/* nobody's, another interface's: no answer, nothing learned */
	arp_in("ext0", FP_ARP_REQUEST, mac_b, "10.0.0.8", "10.0.0.99");
	arp_in("ext0", FP_ARP_REQUEST, mac_b, "10.0.0.8", "10.0.1.1");
	arp_in("vlan5", FP_ARP_REQUEST, mac_b, "10.0.0.8", "10.0.0.1");
	arp_in("ext0", FP_ARP_REPLY, mac_b, "10.0.0.8", "10.0.0.1");
	assert_int_equal(n_sent, 2);
	assert_false(known("ext0", "10.0.0.8", mac_b));
	/* a sender of another network, or the broadcast address, is answered and not learned */
	arp_in("ext0", FP_ARP_REQUEST, mac_b, "172.16.0.1", "10.0.0.1");
	arp_in("ext0", FP_ARP_REQUEST, mac_b, "10.0.0.255", "10.0.0.1");
	assert_false(known("ext0", "172.16.0.1", mac_b));
	assert_false(known("ext0", "10.0.0.255", mac_b));
	/* a VLAN answers inside its tag */
	sent_free();
	arp_in("vlan5", FP_ARP_REQUEST, mac_b, "10.5.0.9", "10.5.0.1");
	assert_memory_equal(sent_frame(0) + 12, "\x81\x00\x00\x05\x08\x06", 6);
	/* gratuitous: what is known moves, what is not stays unknown */
	arp_in("ext0", FP_ARP_REQUEST, mac_b, "10.0.0.7", "10.0.0.7");
	assert_true(known("ext0", "10.0.0.7", mac_b));
	arp_in("ext0", FP_ARP_REQUEST, mac_b, "10.0.0.70", "10.0.0.70");
	assert_false(known("ext0", "10.0.0.70", mac_b));
	assert_int_equal(count(FP_AC_MOVED), 1);
	/* down: deaf */
	OK(fp_if_set_up(box, "ext0", false, &err));
	assert_false(known("ext0", "10.0.0.7", mac_b));
	sent_free();
	arp_in("ext0", FP_ARP_REQUEST, mac_a, "10.0.0.7", "10.0.0.1");
	assert_int_equal(n_sent, 0);
}

static void
arp_conflict(void **state)
{
	box->running = true;
	arp_in("ext0", FP_ARP_REQUEST, mac_a, "10.0.0.1", "10.0.0.1");
	assert_int_equal(count(FP_AC_ARP_CONFLICT), 1);
	assert_false(known("ext0", "10.0.0.1", mac_a));
	/* defended by an announcement, once in ten seconds */
	assert_int_equal(n_sent, 1);
	assert_memory_equal(sent_arp(0, bcast).spa, addr("10.0.0.1"), 4);
	arp_in("ext0", FP_ARP_REPLY, mac_a, "10.0.0.1", "10.0.0.9");
	assert_int_equal(n_sent, 1);
	assert_int_equal(count(FP_AC_ARP_CONFLICT), 2);
	later(11 * SEC);
	arp_in("ext0", FP_ARP_REPLY, mac_a, "10.0.0.1", "10.0.0.9");
	assert_int_equal(n_sent, 2);
	/* our own frames that a loop brings back are none */
	arp_in("ext0", FP_ARP_REQUEST, own_mac, "10.0.0.1", "10.0.0.1");
	assert_int_equal(count(FP_AC_ARP_CONFLICT), 3);
}

static void
resolve(void **state)
{
	miss("ext0", "10.0.0.7", 1);
	assert_int_equal(n_sent, 1);
	struct fp_arp a = sent_arp(0, bcast);
	assert_int_equal(a.op, FP_ARP_REQUEST);
	assert_memory_equal(a.spa, addr("10.0.0.1"), 4);
	assert_memory_equal(a.tpa, addr("10.0.0.7"), 4);
	/* one question for all that wait; the oldest makes room */
	for (uint8_t i = 2; i <= 18; i++)
		miss("ext0", "10.0.0.7", i);
	assert_int_equal(n_sent, 1);
	assert_int_equal(drops[FP_D_NEIGH_QUEUE], 2);
	later(SEC + SEC / 2);
	assert_int_equal(n_sent, 2);
	arp_in("ext0", FP_ARP_REPLY, mac_a, "10.0.0.7", "10.0.0.1");
	assert_int_equal(n_sent, 2 + 16);
	for (unsigned i = 0; i < 16; i++) {	/* in order, complete frames */
		const uint8_t *p = sent_frame(2 + i);

		assert_memory_equal(p, mac_a, 6);
		assert_memory_equal(p + 6, own_mac, 6);
		assert_memory_equal(p + 12, "\x08\x00", 2);
		assert_int_equal(p[14], 3 + i);
		assert_int_equal(rte_pktmbuf_pkt_len(sent[2 + i]), 54);
	}
	assert_true(known("ext0", "10.0.0.7", mac_a));
	/* one that was on its way while the answer came */
	miss("ext0", "10.0.0.7", 99);
	assert_int_equal(sent_frame(18)[14], 99);

	/* no answer: five questions, then what waits is dropped, and for a while the next ones at once */
	sent_free();
	miss("ext0", "10.0.0.8", 1);
	miss("ext0", "10.0.0.8", 2);
	later(6 * SEC);
	assert_int_equal(n_sent, 5);
	assert_int_equal(drops[FP_D_NEIGH_FAILED], 2);
	miss("ext0", "10.0.0.8", 3);
	assert_int_equal(drops[FP_D_NEIGH_FAILED], 3);
	assert_int_equal(n_sent, 5);
	later(4 * SEC);
	miss("ext0", "10.0.0.8", 4);
	assert_int_equal(n_sent, 6);
	/* it wakes up and asks us itself */
	arp_in("ext0", FP_ARP_REQUEST, mac_b, "10.0.0.8", "10.0.0.1");
	assert_int_equal(n_sent, 8);
	assert_int_equal(sent_frame(6)[14], 4);
}

static void
ageing(void **state)
{
	arp_in("ext0", FP_ARP_REQUEST, mac_a, "10.0.0.7", "10.0.0.1");
	arp_in("ext0", FP_ARP_REQUEST, mac_b, "10.0.0.8", "10.0.0.1");
	sent_free();
	later(600 * SEC);
	assert_true(known("ext0", "10.0.0.7", mac_a));
	later(593 * SEC);
	/* the used one is asked, to its address alone, and stays in use; the other is forgotten */
	assert_false(known("ext0", "10.0.0.8", mac_b));
	assert_true(known("ext0", "10.0.0.7", mac_a));
	assert_in_range(n_sent, 1, 5);
	assert_memory_equal(sent_arp(0, mac_a).tpa, addr("10.0.0.7"), 4);
	arp_in("ext0", FP_ARP_REPLY, mac_a, "10.0.0.7", "10.0.0.1");
	sent_free();
	later(600 * SEC);
	assert_true(known("ext0", "10.0.0.7", mac_a));
	assert_int_equal(n_sent, 0);
	/* no answer this time */
	later(600 * SEC);
	assert_int_equal(n_sent, 5);
	assert_false(known("ext0", "10.0.0.7", mac_a));
	assert_int_equal(box->net->neigh->n_hosts, 0);
}

static void
statics(void **state)
{
	REFUSED(-EINVAL, "expected a MAC", fp_neigh_add(box, "10.0.0.9", "02:00", &err));
	REFUSED(-EINVAL, "group", fp_neigh_add(box, "10.0.0.9", "01:00:5e:00:00:01", &err));
	REFUSED(-EINVAL, "expected an IPv4", fp_neigh_add(box, "10.0.0", "02:bb:00:00:00:02", &err));
	REFUSED(-ENETUNREACH, "no interface", fp_neigh_add(box, "192.0.2.1", "02:bb:00:00:00:02", &err));
	REFUSED(-ENETUNREACH, "%IF", fp_neigh_add(box, "fe80::9", "02:bb:00:00:00:02", &err));
	REFUSED(-EEXIST, "own address", fp_neigh_add(box, "10.0.0.1", "02:bb:00:00:00:02", &err));
	REFUSED(-ENOENT, "no entry", fp_neigh_delete(box, "10.0.0.9", &err));
	miss("ext0", "10.0.0.9", 1);
	OK(fp_neigh_add(box, "10.0.0.9", "02:bb:00:00:00:02", &err));
	assert_int_equal(n_sent, 2);	/* what waited went out */
	assert_true(known("ext0", "10.0.0.9", mac_b));
	arp_in("ext0", FP_ARP_REQUEST, mac_a, "10.0.0.9", "10.0.0.1");
	assert_true(known("ext0", "10.0.0.9", mac_b));
	assert_int_equal(count(FP_AC_STATIC_KEPT), 1);
	later(3000 * SEC);
	assert_true(known("ext0", "10.0.0.9", mac_b));
	OK(fp_neigh_add(box, "fe80::9%ext0", "02:bb:00:00:00:02", &err));
	nd_in("ext0", FP_ND_NA, FP_NA_OVERRIDE | FP_NA_SOLICITED, mac_a, "fe80::9", "fd00::1", "fe80::9", true);
	assert_true(known("ext0", "fe80::9", mac_b));
	OK(fp_neigh_delete(box, "10.0.0.9", &err));
	assert_false(known("ext0", "10.0.0.9", mac_b));
	OK(fp_neigh_delete(box, "all", &err));
	assert_int_equal(box->net->neigh->n_hosts, 0);
}

/* A scan: many that do not exist, some that live. */
static void
scan(void **state)
{
	char a[32];

	OK(fp_if_addr_add(box, "ext0", "172.16.0.1/16", &err));
	for (unsigned i = 2; i < 52; i++) {
		snprintf(a, sizeof(a), "10.0.0.%u", i);
		arp_in("ext0", FP_ARP_REQUEST, mac_a, a, "10.0.0.1");
	}
	sent_free();
	for (unsigned i = 2; i < 60000; i++) {
		snprintf(a, sizeof(a), "172.16.%u.%u", i >> 8, i & 255);
		miss("ext0", a, 1);
		sent_free();
		if (i % 1000 == 0)
			later(SEC / 10);
	}
	assert_in_range(box->net->neigh->n_hosts, 50, 50 + 2 * NH_INCOMPLETE_MAX);
	assert_in_range(box->net->neigh->held, 1, 4095 / 8);
	for (unsigned i = 2; i < 52; i++) {
		snprintf(a, sizeof(a), "10.0.0.%u", i);
		assert_true(known("ext0", a, mac_a));
	}
	/* a new one is still found */
	miss("ext0", "10.0.0.200", 7);
	arp_in("ext0", FP_ARP_REPLY, mac_b, "10.0.0.200", "10.0.0.1");
	assert_true(known("ext0", "10.0.0.200", mac_b));
	later(15 * SEC);
	sent_free();
	assert_int_equal(box->net->neigh->n_hosts, 51);
	assert_int_equal(box->net->neigh->held, 0);

	/* a full table: those in use stay, one that is not makes room */
	box->net->neigh->hosts_max = 51;
	for (unsigned i = 3; i < 52; i++) {
		snprintf(a, sizeof(a), "10.0.0.%u", i);
		assert_true(known("ext0", a, mac_a));
	}
	struct fp_neigh_host *h = fp_neigh_host_find(box->net->neigh, ifid("ext0"), FP_AF_INET, addr("10.0.0.2"));
	h->entry->used = 0;
	arp_in("ext0", FP_ARP_REQUEST, mac_b, "10.0.0.100", "10.0.0.1");
	assert_true(known("ext0", "10.0.0.100", mac_b));
	assert_false(known("ext0", "10.0.0.2", mac_a));
	assert_true(known("ext0", "10.0.0.3", mac_a));
}

static void
nd_answers(void **state)
{
	static const uint8_t all_nodes_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	struct fp_nd nd;

	nd_in("ext0", FP_ND_NS, 0, mac_a, "fd00::7", NULL, "fd00::1", true);
	assert_int_equal(n_sent, 1);
	nd = sent_nd(0, mac_a);
	assert_int_equal(nd.type, FP_ND_NA);
	assert_int_equal(nd.flags, FP_NA_ROUTER | FP_NA_SOLICITED | FP_NA_OVERRIDE);
	assert_memory_equal(nd.src, addr("fd00::1"), 16);
	assert_memory_equal(nd.dst, addr("fd00::7"), 16);
	assert_memory_equal(nd.target, addr("fd00::1"), 16);
	assert_true(nd.has_lladdr);
	assert_memory_equal(nd.lladdr, own_mac, 6);
	assert_true(known("ext0", "fd00::7", mac_a));
	/* duplicate address detection is answered to all */
	nd_in("ext0", FP_ND_NS, 0, mac_b, "::", NULL, "fd00::1", false);
	nd = sent_nd(1, all_nodes_mac);
	assert_memory_equal(nd.dst, addr("ff02::1"), 16);
	assert_int_equal(nd.flags, FP_NA_ROUTER | FP_NA_OVERRIDE);
	assert_int_equal(count(FP_AC_ND_CONFLICT), 1);
	/* link-local works like the others, unicast too */
	nd_in("ext0", FP_ND_NS, 0, mac_b, "fe80::b", "fe80::ff:fe00:10", "fe80::ff:fe00:10", true);
	assert_memory_equal(sent_nd(2, mac_b).src, addr("fe80::ff:fe00:10"), 16);
	/* not ours, not ours there, to the wrong group, router messages, garbage */
	nd_in("ext0", FP_ND_NS, 0, mac_a, "fd00::7", NULL, "fd00::2", true);
	nd_in("int0", FP_ND_NS, 0, mac_a, "fd00::7", NULL, "fd00::1", true);
	nd_in("ext0", FP_ND_NS, 0, mac_a, "fd00::7", "ff02::1", "fd00::1", true);
	assert_int_equal(n_sent, 3);
	assert_int_equal(count(FP_AC_ND_BAD), 0);
	frame_in("ext0", FP_PUNT_ND, 0x86dd, mac_a, (const uint8_t *)"short", 5);
	assert_int_equal(count(FP_AC_ND_BAD), 1);
	/* a sender of elsewhere is answered (to where it came from) and not learned */
	nd_in("ext0", FP_ND_NS, 0, mac_b, "2001:db8::7", NULL, "fd00::1", true);
	assert_int_equal(n_sent, 4);
	assert_false(known("ext0", "2001:db8::7", mac_b));
}

static void
nd_resolve(void **state)
{
	struct fp_nd nd;
	uint8_t group_mac[6] = { 0x33, 0x33, 0xff, 0, 0, 7 };

	miss("ext0", "fd00::7", 1);
	nd = sent_nd(0, group_mac);
	assert_int_equal(nd.type, FP_ND_NS);
	assert_memory_equal(nd.src, addr("fd00::1"), 16);
	assert_memory_equal(nd.dst, addr("ff02::1:ff00:7"), 16);
	assert_memory_equal(nd.target, addr("fd00::7"), 16);
	assert_memory_equal(nd.lladdr, own_mac, 6);
	/* no answer without the option; one for somebody else changes nothing */
	nd_in("ext0", FP_ND_NA, FP_NA_SOLICITED, mac_a, "fd00::7", "fd00::1", "fd00::7", false);
	nd_in("ext0", FP_ND_NA, FP_NA_SOLICITED, mac_a, "fd00::8", "fd00::1", "fd00::8", true);
	assert_int_equal(n_sent, 1);
	assert_false(known("ext0", "fd00::8", mac_a));
	nd_in("ext0", FP_ND_NA, FP_NA_SOLICITED | FP_NA_OVERRIDE, mac_a, "fd00::7", "fd00::1", "fd00::7", true);
	assert_int_equal(n_sent, 2);
	assert_memory_equal(sent_frame(1) + 12, "\x86\xdd", 2);
	assert_true(known("ext0", "fd00::7", mac_a));
	/* RFC 4861 7.2.5: without override another MAC is not taken */
	nd_in("ext0", FP_ND_NA, 0, mac_b, "fd00::7", "ff02::1", "fd00::7", true);
	assert_true(known("ext0", "fd00::7", mac_a));
	nd_in("ext0", FP_ND_NA, FP_NA_OVERRIDE, mac_b, "fd00::7", "ff02::1", "fd00::7", true);
	assert_true(known("ext0", "fd00::7", mac_b));
	/* in use and stale: asked by unicast; answered: reachable */
	sent_free();
	later(6 * SEC);
	assert_in_range(n_sent, 1, 2);
	nd = sent_nd(0, mac_b);
	assert_memory_equal(nd.dst, addr("fd00::7"), 16);
	nd_in("ext0", FP_ND_NA, FP_NA_SOLICITED, mac_b, "fd00::7", "fd00::1", "fd00::7", false);
	sent_free();
	later(29 * SEC);
	assert_int_equal(n_sent, 0);
	/* unused for long: kept as stale, and asked when it is used again */
	later(1000 * SEC);
	assert_int_equal(n_sent, 0);
	assert_true(known("ext0", "fd00::7", mac_b));
	later(20 * SEC);
	assert_int_equal(n_sent, 5);
	assert_false(known("ext0", "fd00::7", mac_b));
	/* somebody has our address */
	nd_in("ext0", FP_ND_NA, FP_NA_OVERRIDE, mac_a, "fd00::1", "ff02::1", "fd00::1", true);
	assert_int_equal(count(FP_AC_ND_CONFLICT), 1);
}

/* The worker's last step: headers for every kind of destination. */
static void
l2_output(void **state)
{
	static const struct { const char *ifname, *hop; uint8_t dst[6]; uint8_t l2[12]; unsigned l2_len; } rows[] = {
		{ "ext0", "10.0.0.7", { 2, 0xaa, 0, 0, 0, 1 }, { 8, 0 }, 14 },
		{ "ext0", "224.129.2.3", { 1, 0, 0x5e, 1, 2, 3 }, { 8, 0 }, 14 },
		{ "ext0", "10.0.0.255", { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, { 8, 0 }, 14 },
		{ "ext0", "255.255.255.255", { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, { 8, 0 }, 14 },
		{ "ext0", "ff02::1:ff00:7", { 0x33, 0x33, 0xff, 0, 0, 7 }, { 0x86, 0xdd }, 14 },
		{ "vlan5", "224.0.0.1", { 1, 0, 0x5e, 0, 0, 1 }, { 0x81, 0, 0, 5, 8, 0 }, 18 },
		{ "vlan6", "ff02::1", { 0x33, 0x33, 0, 0, 0, 1 }, { 0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x86, 0xdd }, 22 },
	};
	struct fp_worker *w = calloc(1, sizeof(*w));
	const struct fp_conf *c;
	struct rte_mbuf *m;

	OK(fp_if_vlan_add(box, "vlan6", "vlan5", 6, &err));
	arp_in("ext0", FP_ARP_REQUEST, mac_a, "10.0.0.7", "10.0.0.1");
	w->neigh = box->neigh;
	c = fp_conf(box);
	for (unsigned i = 0; i < RTE_DIM(rows); i++) {
		uint8_t af = strchr(rows[i].hop, ':') ? FP_AF_INET6 : FP_AF_INET;

		m = rte_pktmbuf_alloc(pool);
		memset(rte_pktmbuf_append(m, 60), 0x45, 60);
		tx_m = NULL;
		fp_l2_output(w, &c->ifs[ifid(rows[i].ifname)], m, af, addr(rows[i].hop));
		assert_ptr_equal(tx_m, m);
		assert_int_equal(tx_port, 0);
		assert_int_equal(rte_pktmbuf_pkt_len(m), 60 + rows[i].l2_len);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), rows[i].dst, 6);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *) + 6, own_mac, 6);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *) + 12, rows[i].l2, rows[i].l2_len - 12);
		assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[rows[i].l2_len], 0x45);
		rte_pktmbuf_free(m);
	}
	/* not resolved: to the main lcore with what it needs */
	m = rte_pktmbuf_alloc(pool);
	rte_pktmbuf_append(m, 60);
	fp_l2_output(w, &c->ifs[ifid("ext0")], m, FP_AF_INET6, addr("fd00::99"));
	assert_ptr_equal(punted, m);
	assert_int_equal(fp_priv(m)->kind, FP_PUNT_NEIGH_MISS);
	assert_int_equal(fp_priv(m)->af, FP_AF_INET6);
	assert_memory_equal(fp_priv(m)->addr.b, addr("fd00::99"), 16);
	assert_int_equal(rte_pktmbuf_pkt_len(m), 60);
	/* no room for the header, interface down */
	rte_pktmbuf_prepend(m, rte_pktmbuf_headroom(m) - 13);
	fp_l2_output(w, &c->ifs[ifid("ext0")], m, FP_AF_INET, addr("10.0.0.7"));
	assert_int_equal(worker_drop, FP_D_NOMBUF);
	OK(fp_if_set_up(box, "ext0", false, &err));
	m = rte_pktmbuf_alloc(pool);
	fp_l2_output(w, &fp_conf(box)->ifs[ifid("vlan5")], m, FP_AF_INET, addr("10.5.0.7"));
	assert_int_equal(worker_drop, FP_D_TX_DOWN);
	free(w);
}

/* A box that starts, a link that comes up: everybody hears where the addresses are. */
static void
announces(void **state)
{
	static const uint8_t all_nodes_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };

	box->running = true;
	ports[0].link_up = false;
	fp_ifnet_port_changed(box, &ports[0]);
	assert_int_equal(n_sent, 0);
	ports[0].link_up = true;
	fp_ifnet_port_changed(box, &ports[0]);
	assert_int_equal(n_sent, 4);	/* v4, v6, its link-local, the VLAN's v4 */
	assert_memory_equal(sent_arp(0, bcast).tpa, addr("10.0.0.1"), 4);
	assert_int_equal(sent_nd(1, all_nodes_mac).flags, FP_NA_ROUTER | FP_NA_OVERRIDE);
	sent_free();
	OK(fp_if_addr_add(box, "ext0", "10.0.0.9/24", &err));
	assert_int_equal(n_sent, 1);
	assert_memory_equal(sent_arp(0, bcast).spa, addr("10.0.0.9"), 4);
}

static int
list_one(void *arg, const struct fp_neigh_info *n)
{
	char s[64], **p = arg;

	*p += sprintf(*p, "%s %s %c%s%s\n", fp_addr_ntop(n->af, n->addr, s, sizeof(s)), n->ifname, n->state,
		n->permanent ? " permanent" : "", n->complete ? "" : " incomplete");
	return 0;
}

static void
lists(void **state)
{
	char text[1024], *p = text;

	arp_in("ext0", FP_ARP_REQUEST, mac_a, "10.0.0.7", "10.0.0.1");
	miss("ext0", "10.0.0.8", 1);
	OK(fp_neigh_add(box, "10.0.1.9", "02:bb:00:00:00:02", &err));
	fp_neigh_foreach(box, FP_AF_INET, list_one, &p);
	assert_non_null(strstr(text, "10.0.0.1 ext0 R permanent\n"));
	assert_non_null(strstr(text, "10.0.1.1 int0 R permanent\n"));
	assert_non_null(strstr(text, "10.0.0.7 ext0 R\n"));
	assert_non_null(strstr(text, "10.0.0.8 ext0 I incomplete\n"));
	assert_non_null(strstr(text, "10.0.1.9 int0 R permanent\n"));
	assert_null(strstr(text, "fd00"));
}

/* Addresses of a virtual host: answered with its MAC by who is MASTER, else in silence; never claimed by this box. */
static void
shared_addresses(void **state)
{
	static const uint8_t vmac[6] = { 0, 0, 0x5e, 0, 1, 7 };
	struct fp_vhids *v;
	struct fp_nd nd;
	struct fp_arp a;

	OK(fp_if_shared_add(box, "ext0", "10.0.0.254/24", 7, &err));
	OK(fp_if_shared_add(box, "ext0", "fd00::fe/64", 7, &err));
	OK(fp_if_shared_add(box, "int0", "10.0.9.254/24", 7, &err));
	assert_int_equal(n_sent, 0);
	assert_int_equal(fp_if_addr_del(box, "ext0", "10.0.0.254/24", &err), -EBUSY);
	OK(fp_if_shared_add(box, "vlan5", "10.5.0.254/24", 7, &err));
	assert_int_equal(fp_if_destroy(box, "vlan5", &err), -EBUSY);
	OK(fp_if_shared_del(box, "vlan5", "10.5.0.254/24", 7, &err));
	OK(fp_if_destroy(box, "vlan5", &err));
	v = fp_net_if_by_name(box, "ext0")->vhids;
	assert_non_null(v);

	/* BACKUP */
	arp_in("ext0", FP_ARP_REQUEST, mac_a, "10.0.0.7", "10.0.0.254");
	nd_in("ext0", FP_ND_NS, 0, mac_a, "fd00::7", NULL, "fd00::fe", true);
	nd_in("ext0", FP_ND_NS, 0, mac_a, "::", NULL, "fd00::fe", false);
	assert_int_equal(n_sent, 0);
	/* the master announces them, a FreeBSD box even with its own MAC: no conflict, nothing said */
	arp_in("ext0", FP_ARP_REQUEST, vmac, "10.0.0.254", "10.0.0.254");
	arp_in("ext0", FP_ARP_REPLY, mac_b, "10.0.0.254", "10.0.0.254");
	nd_in("ext0", FP_ND_NA, FP_NA_OVERRIDE, vmac, "fd00::fe", "ff02::1", "fd00::fe", true);
	assert_int_equal(n_sent, 0);
	assert_int_equal(count(FP_AC_ARP_CONFLICT) + count(FP_AC_ND_CONFLICT), 0);
	/* asks with its own addresses, the shared ones are the last resort; as nobody when that is all there is */
	miss("ext0", "10.0.0.99", 1);
	assert_memory_equal(sent_arp(0, bcast).spa, addr("10.0.0.1"), 4);
	miss("int0", "10.0.9.99", 1);	/* of the network of a shared one alone */
	assert_true(fp_arp_parse(&a, sent_frame(1) + 14, FP_ARP_LEN));
	assert_memory_equal(a.spa, addr("10.0.1.1"), 4);

	OK(fp_if_addr_del(box, "int0", "10.0.1.1/24", &err));
	miss("int0", "10.0.9.98", 1);
	assert_true(fp_arp_parse(&a, sent_frame(2) + 14, FP_ARP_LEN));
	assert_memory_equal(a.spa, "\0\0\0\0", 4);
	assert_memory_not_equal(a.sha, vmac, 6);

	/* MASTER */
	sent_free();
	fp_vhid_set(v->live, 7, true);
	arp_in("ext0", FP_ARP_REQUEST, mac_a, "10.0.0.7", "10.0.0.254");
	assert_int_equal(n_sent, 1);
	assert_memory_equal(sent_frame(0), mac_a, 6);
	assert_memory_equal(sent_frame(0) + 6, vmac, 6);
	assert_true(fp_arp_parse(&a, sent_frame(0) + 14, FP_ARP_LEN));
	assert_int_equal(a.op, FP_ARP_REPLY);
	assert_memory_equal(a.sha, vmac, 6);
	assert_memory_equal(a.spa, addr("10.0.0.254"), 4);
	nd_in("ext0", FP_ND_NS, 0, mac_a, "fd00::7", NULL, "fd00::fe", true);
	assert_int_equal(n_sent, 2);
	nd = sent_nd(1, mac_a);
	assert_memory_equal(sent_frame(1) + 6, vmac, 6);
	assert_memory_equal(nd.lladdr, vmac, 6);
	/* its own address is answered as ever; other vhids and the other port are not MASTER by this */
	arp_in("ext0", FP_ARP_REQUEST, mac_a, "10.0.0.7", "10.0.0.1");
	assert_memory_equal(sent_arp(2, mac_a).sha, own_mac, 6);
	arp_in("int0", FP_ARP_REQUEST, mac_a, "10.0.9.7", "10.0.9.254");
	assert_int_equal(n_sent, 3);

	/* and BACKUP again, from the next question on */
	fp_vhid_set(v->live, 7, false);
	arp_in("ext0", FP_ARP_REQUEST, mac_a, "10.0.0.7", "10.0.0.254");
	assert_int_equal(n_sent, 3);
	OK(fp_if_shared_del(box, "ext0", "10.0.0.254/24", 7, &err));
}

/* Frames to a virtual MAC. */
static void
virtual_macs(void **state)
{
	const uint8_t vmac[6] = { 0, 0, 0x5e, 0, 1, 7 }, other[6] = { 0, 0, 0x5e, 0, 1, 8 }, near_[6] = { 0, 0, 0x5e, 0, 2, 7 };
	const struct fp_ifnet *i = &fp_conf(box)->ifs[ifid("ext0")];

	assert_true(fp_if_is_mine(i, own_mac));
	assert_false(fp_if_is_mine(i, vmac));
	OK(fp_if_shared_add(box, "ext0", "10.0.0.254/24", 7, &err));
	i = &fp_conf(box)->ifs[ifid("ext0")];
	assert_false(fp_if_is_mine(i, vmac));
	fp_vhid_set(i->vhids->takes, 7, true);
	assert_true(fp_if_is_mine(i, vmac));
	assert_false(fp_if_is_mine(i, other));
	assert_false(fp_if_is_mine(i, near_));
	assert_false(fp_if_is_mine(i, mac_a));
	assert_true(fp_if_is_mine(i, own_mac));
	fp_vhid_set(i->vhids->takes, 7, false);
	assert_false(fp_if_is_mine(i, vmac));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(arp_answers, neigh_setup, teardown),
		cmocka_unit_test_setup_teardown(arp_conflict, neigh_setup, teardown),
		cmocka_unit_test_setup_teardown(resolve, neigh_setup, teardown),
		cmocka_unit_test_setup_teardown(ageing, neigh_setup, teardown),
		cmocka_unit_test_setup_teardown(statics, neigh_setup, teardown),
		cmocka_unit_test_setup_teardown(scan, neigh_setup, teardown),
		cmocka_unit_test_setup_teardown(nd_answers, neigh_setup, teardown),
		cmocka_unit_test_setup_teardown(nd_resolve, neigh_setup, teardown),
		cmocka_unit_test_setup_teardown(l2_output, neigh_setup, teardown),
		cmocka_unit_test_setup_teardown(announces, neigh_setup, teardown),
		cmocka_unit_test_setup_teardown(lists, neigh_setup, teardown),
		cmocka_unit_test_setup_teardown(shared_addresses, neigh_setup, teardown),
		cmocka_unit_test_setup_teardown(virtual_macs, neigh_setup, teardown),
	};

	eal_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
