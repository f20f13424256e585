/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets that the box makes, byte by byte. The expected bytes were put together by hand from the RFCs and the field
 * values of pf; ids are the box's choice and left out, checksums are verified by a sum of their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_eal.h>

#include "fastpath/conf.h"
#include "fastpath/make.h"
#include "fastpath/parse.h"
#include "fastpath/tcp_track.h"

static struct rte_mempool *pool;
static struct fp_worker *w;
static struct fp_box box;
static struct fp_params params;
static struct fp_ifaddr addrs[3];
static struct fp_ifnet ifs[1];
static struct fp_conf conf;

static const uint8_t c4[4] = { 10, 0, 0, 9 }, s4[4] = { 192, 0, 2, 7 }, own4[4] = { 10, 0, 0, 1 };
static const uint8_t c6[16] = { 0xfd, 0, [15] = 9 }, s6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 7 }, own6[16] = { 0xfd, 0, [15] = 1 };

static int
setup(void **state)
{
	w = calloc(1, sizeof(*w));
	memset(&params, 0, sizeof(params));
	params.icmp_rate = 1000;
	box.params = &params;
	w->box = &box;
	w->pool = pool;
	w->rnd[0] = 0x9e3779b97f4a7c15;
	w->rnd[1] = 0x1234;
	w->now_us = 5000000;
	addrs[0] = (struct fp_ifaddr){ .af = FP_AF_INET, .plen = 24 };
	memcpy(addrs[0].addr.b, own4, 4);
	addrs[1] = (struct fp_ifaddr){ .af = FP_AF_INET6, .plen = 64 };
	memcpy(addrs[1].addr.b, own6, 16);
	addrs[2] = (struct fp_ifaddr){ .af = FP_AF_INET6, .plen = 64, .linklocal = true, .addr.b = { 0xfe, 0x80, [15] = 1 } };
	ifs[0] = (struct fp_ifnet){ .exists = true, .up = true, .n_addrs = 3, .addrs = addrs };
	conf.ifs = ifs;
	conf.n_ifs = 1;
	w->conf = &conf;
	return 0;
}

static int
teardown(void **state)
{
	free(w);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	return 0;
}

static uint32_t
sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The packet m is want, but for id and checksums, which are right. Frees m. */
static void
is_packet(struct rte_mbuf *m, const uint8_t *want, size_t len)
{
	uint8_t got[1500], *l4;
	bool v4;

	assert_non_null(m);
	assert_int_equal(rte_pktmbuf_pkt_len(m), len);
	assert_true(rte_pktmbuf_headroom(m) >= 22);
	memcpy(got, rte_pktmbuf_read(m, 0, len, got) != got ? rte_pktmbuf_mtod(m, void *) : got, len);
	v4 = got[0] >> 4 == 4;
	l4 = got + (v4 ? 20 : 40);
	if (v4)
		assert_int_equal(sum16(got, 20, 0), 0xffff);
	if (v4 && got[9] == 1)
		assert_int_equal(sum16(l4, len - 20, 0), 0xffff);
	else if (v4)
		assert_int_equal(sum16(l4, len - 20, sum16(got + 12, 8, got[9] + len - 20)), 0xffff);
	else
		assert_int_equal(sum16(l4, len - 40, sum16(got + 8, 32, got[6] + len - 40)), 0xffff);
	if (v4)
		got[4] = got[5] = got[10] = got[11] = 0;
	if (v4 && got[9] == 6)
		l4[16] = l4[17] = 0;
	if (!v4 && got[6] == 6)
		l4[16] = l4[17] = 0;
	if ((v4 && got[9] == 1) || (!v4 && got[6] == 58))
		l4[2] = l4[3] = 0;
	assert_memory_equal(got, want, len);
	rte_pktmbuf_free(m);
}

static size_t
cat(uint8_t *p, size_t at, const void *from, size_t len)
{
	memcpy(p + at, from, len);
	return at + len;
}

/* Headers with everything that matters given, to build what is expected and what comes in. */
static size_t
ip4(uint8_t *p, uint8_t tos, uint16_t len, uint16_t id, uint16_t frag, uint8_t ttl, uint8_t proto, const uint8_t *s, const uint8_t *d)
{
	uint8_t h[12] = { 0x45, tos, len >> 8, len, id >> 8, id, frag >> 8, frag, ttl, proto };

	cat(p, 0, h, 12);
	cat(p, 12, s, 4);
	return cat(p, 16, d, 4);
}

static size_t
ip6(uint8_t *p, uint16_t plen, uint8_t nh, uint8_t hlim, const uint8_t *s, const uint8_t *d)
{
	uint8_t h[8] = { 0x60, 0, 0, 0, plen >> 8, plen, nh, hlim };

	cat(p, 0, h, 8);
	cat(p, 8, s, 16);
	return cat(p, 24, d, 16);
}

static void
ip4_sum(uint8_t *p)
{
	uint32_t sum;

	p[10] = p[11] = 0;
	sum = ~sum16(p, (p[0] & 15) * 4, 0);
	p[10] = sum >> 8;
	p[11] = sum;
}

/* Take bytes in as a packet behind an Ethernet header, as the packet path does. */
static void
take(struct fp_pkt *p, const uint8_t *bytes, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_non_null(m);
	memset(p, 0, sizeof(*p));
	memset(rte_pktmbuf_append(m, 14), 0, 14);
	memcpy(rte_pktmbuf_append(m, len), bytes, len);
	p->m = m;
	p->rcvif = p->ifid = 0;
	assert_int_equal(fp_parse_ip(p, 14, bytes[0] >> 4), FP_D_NONE);
	if (fp_parse_l4(p) != FP_D_NONE)
		fail_msg("parser refuses protocol %u type %u", p->proto, p->icmp_type);
}

static void
tcp(void **state)
{
	struct fp_tcp_make t = { .af = FP_AF_INET, .src = s4, .dst = c4, .sport_be = rte_cpu_to_be_16(80),
		.dport_be = rte_cpu_to_be_16(40001), .seq = 0x01020304, .ack = 0x05060708 };
	uint8_t want[128];
	size_t n;

	/* RST+ACK of a block rule */
	t.flags = FP_TH_RST | FP_TH_ACK;
	n = ip4(want, 0x10, 40, 0, 0x4000, 64, 6, s4, c4);
	n = cat(want, n, "\0\x50\x9c\x41\1\2\3\4\5\6\7\x08\x50\x14\0\0\0\0\0\0", 20);
	is_packet(fp_make_tcp(w, &t), want, n);
	t.ttl = 17;
	want[8] = 17;
	is_packet(fp_make_tcp(w, &t), want, n);
	/* SYN+ACK of the SYN proxy */
	t.flags = FP_TH_SYN | FP_TH_ACK;
	t.mss = 1460;
	t.win = 0x1234;
	t.ttl = 0;
	n = ip4(want, 0x10, 44, 0, 0x4000, 64, 6, s4, c4);
	n = cat(want, n, "\0\x50\x9c\x41\1\2\3\4\5\6\7\x08\x60\x12\x12\x34\0\0\0\0\2\4\5\xb4", 24);
	is_packet(fp_make_tcp(w, &t), want, n);
	/* IPv6 */
	t.af = FP_AF_INET6;
	t.src = s6;
	t.dst = c6;
	n = ip6(want, 24, 6, 64, s6, c6);
	n = cat(want, n, "\0\x50\x9c\x41\1\2\3\4\5\6\7\x08\x60\x12\x12\x34\0\0\0\0\2\4\5\xb4", 24);
	is_packet(fp_make_tcp(w, &t), want, n);
}

static void
errors4(void **state)
{
	uint8_t in[600], want[128];
	struct fp_pkt p;
	size_t len, n;

	/* a UDP packet of 100 bytes, TTL 1: 28 of it come back */
	len = ip4(in, 0x20, 100, 0x4321, 0, 1, 17, c4, s4);
	memset(in + len, 0xab, 80);
	cat(in, len, "\x13\x88\0\x35\0\x50\x12\x34", 8);
	ip4_sum(in);
	take(&p, in, 100);
	n = ip4(want, 0, 56, 0, 0, 255, 1, own4, c4);
	n = cat(want, n, "\x0b\0\0\0\0\0\0\0", 8);
	n = cat(want, n, in, 28);
	is_packet(fp_make_icmp_error(w, &p, 11, 0, 0, NULL, false), want, n);
	/* need-frag carries the MTU; the source is what the caller says */
	cat(want, 12, s4, 4);
	cat(want, 20, "\3\4\0\0\0\0\5\x14", 8);
	is_packet(fp_make_icmp_error(w, &p, 3, 4, 1300, s4, false), want, n);
	/* redirect: gateway, parameter problem: pointer */
	cat(want, 20, "\5\1\0\0\x0a\0\0\x02", 8);
	is_packet(fp_make_icmp_error(w, &p, 5, 1, 0x0a000002, s4, false), want, n);
	cat(want, 20, "\x0c\0\0\0\x14\0\0\0", 8);
	is_packet(fp_make_icmp_error(w, &p, 12, 0, 20u << 24, s4, false), want, n);
	/* found out behind the hop: the quote is as it came */
	p.l3[8] = 0;
	fp_cksum_fix16(p.l3 + 10, rte_cpu_to_be_16(0x0111), rte_cpu_to_be_16(0x0011));
	cat(want, 20, "\3\4\0\0\0\0\5\x14", 8);
	is_packet(fp_make_icmp_error(w, &p, 3, 4, 1300, s4, false), want, n);
	rte_pktmbuf_free(p.m);

	/* options are quoted, a short packet is quoted as far as it goes */
	len = ip4(in, 0, 25, 7, 0, 64, 47, c4, s4);
	in[0] = 0x46;
	in[3] = 27;
	cat(in, 20, "\x94\4\0\0gre", 7);
	ip4_sum(in);
	take(&p, in, 27);
	n = ip4(want, 0, 55, 0, 0, 255, 1, own4, c4);
	n = cat(want, n, "\3\2\0\0\0\0\0\0", 8);
	n = cat(want, n, in, 27);
	is_packet(fp_make_icmp_error(w, &p, 3, 2, 0, NULL, true), want, n);
	rte_pktmbuf_free(p.m);
}

static void
errors6(void **state)
{
	uint8_t in[1500], want[1500];
	struct fp_pkt p;
	size_t len, n;

	/* 93 bytes: all of it comes back */
	len = ip6(in, 53, 17, 1, c6, s6);
	memset(in + len, 0xcd, 53);
	cat(in, len, "\x13\x88\0\x35\0\x35\x12\x34", 8);
	take(&p, in, 93);
	n = ip6(want, 8 + 93, 58, 64, own6, c6);
	n = cat(want, n, "\3\0\0\0\0\0\0\0", 8);
	n = cat(want, n, in, 93);
	is_packet(fp_make_icmp_error(w, &p, 3, 0, 0, NULL, false), want, n);
	rte_pktmbuf_free(p.m);
	/* 1400 bytes: as much as fits in 1280; too big: 48 bytes, hop limit counted down */
	len = ip6(in, 1360, 17, 60, c6, s6);
	memset(in + len, 0xcd, 1360);
	cat(in, len, "\x13\x88\0\x35\x05\x50\x12\x34", 8);
	take(&p, in, 1400);
	n = ip6(want, 1240, 58, 64, own6, c6);
	n = cat(want, n, "\1\4\0\0\0\0\0\0", 8);
	n = cat(want, n, in, 1232);
	assert_int_equal(n, 1280);
	is_packet(fp_make_icmp_error(w, &p, 1, 4, 0, NULL, true), want, n);
	n = ip6(want, 56, 58, 64, own6, c6);
	n = cat(want, n, "\2\0\0\0\0\0\5\0", 8);
	n = cat(want, n, in, 48);
	want[48 + 7] = 59;
	is_packet(fp_make_icmp_error(w, &p, 2, 0, 1280, NULL, false), want, n);
	p.l3[7] = 59;	/* also when the packet path has counted already */
	is_packet(fp_make_icmp_error(w, &p, 2, 0, 1280, NULL, false), want, n);
	rte_pktmbuf_free(p.m);
}

/* Packets that get no answer. */
static void
unanswered(void **state)
{
	static const struct {
		const char *what;
		uint8_t src[4], dst[4], proto, type;
		uint16_t frag;
		bool pf_answers, answers;
	} v4[] = {
		{ "an ordinary one", { 10, 0, 0, 9 }, { 192, 0, 2, 7 }, 1, 8, 0, true, true },
		{ "unreachable", { 10, 0, 0, 9 }, { 192, 0, 2, 7 }, 1, 3, 0, false, false },
		{ "source quench", { 10, 0, 0, 9 }, { 192, 0, 2, 7 }, 1, 4, 0, false, false },
		{ "redirect", { 10, 0, 0, 9 }, { 192, 0, 2, 7 }, 1, 5, 0, false, false },
		{ "time exceeded", { 10, 0, 0, 9 }, { 192, 0, 2, 7 }, 1, 11, 0, false, false },
		{ "parameter problem", { 10, 0, 0, 9 }, { 192, 0, 2, 7 }, 1, 12, 0, false, false },
		{ "unknown type", { 10, 0, 0, 9 }, { 192, 0, 2, 7 }, 1, 100, 0, false, false },
		{ "traceroute", { 10, 0, 0, 9 }, { 192, 0, 2, 7 }, 1, 30, 0, false, false },
		{ "address mask reply", { 10, 0, 0, 9 }, { 192, 0, 2, 7 }, 1, 18, 0, true, true },
		{ "later fragment", { 10, 0, 0, 9 }, { 192, 0, 2, 7 }, 17, 0, 1, false, false },
		{ "first fragment", { 10, 0, 0, 9 }, { 192, 0, 2, 7 }, 17, 0, 0x2000, true, true },
		{ "no source", { 0, 0, 0, 0 }, { 192, 0, 2, 7 }, 17, 0, 0, false, false },
		{ "loopback source", { 127, 0, 0, 1 }, { 192, 0, 2, 7 }, 17, 0, 0, false, false },
		{ "multicast source", { 224, 0, 0, 1 }, { 192, 0, 2, 7 }, 17, 0, 0, false, false },
		{ "broadcast source", { 255, 255, 255, 255 }, { 192, 0, 2, 7 }, 17, 0, 0, false, false },
		{ "multicast destination", { 10, 0, 0, 9 }, { 224, 0, 0, 5 }, 17, 0, 0, true, false },
		{ "broadcast destination", { 10, 0, 0, 9 }, { 255, 255, 255, 255 }, 17, 0, 0, true, false },
	};
	static const struct { const char *what; uint8_t src0, dst0, type, error, code; bool pf_answers, answers; } v6[] = {
		{ "an echo request", 0xfd, 0x20, 128, 1, 4, true, true },
		{ "an error", 0xfd, 0x20, 1, 1, 4, false, false },
		{ "an unknown error", 0xfd, 0x20, 100, 1, 4, false, false },
		{ "a redirect", 0xfd, 0x20, 137, 1, 4, false, false },
		{ "multicast source", 0xff, 0x20, 128, 1, 4, false, false },
		{ "unspecified source", 0, 0x20, 128, 1, 4, false, false },
		{ "multicast destination", 0xfd, 0xff, 128, 1, 4, false, false },
		{ "multicast destination, too big", 0xfd, 0xff, 128, 2, 0, true, true },
		{ "multicast destination, unknown option", 0xfd, 0xff, 128, 4, 2, true, true },
		{ "multicast destination, erroneous field", 0xfd, 0xff, 128, 4, 0, false, false },
	};
	uint8_t in[128], a[16], b[16];
	struct rte_mbuf *m;
	struct fp_pkt p;

	for (unsigned i = 0; i < RTE_DIM(v4); i++)
		for (int by_pf = 0; by_pf < 2; by_pf++) {
			memset(in, 0, sizeof(in));
			ip4(in, 0, 60, 1, v4[i].frag, 9, v4[i].proto, v4[i].src, v4[i].dst);
			in[20] = v4[i].type;
			if (v4[i].proto == 17)
				cat(in, 20, "\x13\x88\0\x35\0\x28", 6);
			ip4_sum(in);
			take(&p, in, 60);
			m = fp_make_icmp_error(w, &p, 3, 1, 0, NULL, by_pf);
			if ((m != NULL) != (by_pf ? v4[i].pf_answers : v4[i].answers))
				fail_msg("%s, by pf %d", v4[i].what, by_pf);
			rte_pktmbuf_free(m);
			rte_pktmbuf_free(p.m);
		}
	for (unsigned i = 0; i < RTE_DIM(v6); i++)
		for (int by_pf = 0; by_pf < 2; by_pf++) {
			memset(in, 0, sizeof(in));
			memcpy(a, c6, 16);
			memcpy(b, s6, 16);
			a[0] = v6[i].src0;
			if (a[0] == 0)
				memset(a, 0, 16);
			b[0] = v6[i].dst0;
			ip6(in, 24, 58, v6[i].type == 137 ? 255 : 9, a, b);
			in[40] = v6[i].type;
			take(&p, in, 64);
			m = fp_make_icmp_error(w, &p, v6[i].error, v6[i].code, 0, own6, by_pf);
			if ((m != NULL) != (by_pf ? v6[i].pf_answers : v6[i].answers))
				fail_msg("%s, by pf %d", v6[i].what, by_pf);
			rte_pktmbuf_free(m);
			rte_pktmbuf_free(p.m);
		}
	/* nor without an address to speak from */
	ip4(in, 0, 60, 1, 0, 9, 47, c4, s4);
	ip4_sum(in);
	take(&p, in, 60);
	ifs[0].n_addrs = 0;
	assert_null(fp_make_icmp_error(w, &p, 3, 1, 0, NULL, false));
	p.rcvif = p.ifid = 77;
	assert_null(fp_make_icmp_error(w, &p, 3, 1, 0, NULL, false));
	rte_pktmbuf_free(p.m);
}

static unsigned
burst(struct fp_pkt *p, unsigned n, bool by_pf)
{
	struct rte_mbuf *m;
	unsigned made = 0;

	while (n-- > 0) {
		m = fp_make_icmp_error(w, p, 3, 1, 0, NULL, by_pf);
		made += m != NULL;
		rte_pktmbuf_free(m);
	}
	return made;
}

static void
rates(void **state)
{
	struct fp_tcp_make t = { .af = FP_AF_INET, .src = s4, .dst = c4, .flags = FP_TH_RST };
	struct rte_mbuf *m;
	struct fp_pkt p;
	uint8_t in[60] = { 0 };

	ip4(in, 0, 60, 1, 0, 9, 47, c4, s4);
	ip4_sum(in);
	take(&p, in, 60);
	params.icmp_rate = 100;
	assert_int_equal(burst(&p, 500, false), 100);
	assert_int_equal(w->cnt.drops[FP_D_ICMP_RATE], 400);
	w->now_us += 50000;
	assert_int_equal(burst(&p, 500, false), 5);
	w->now_us += 3600000000ull;	/* an idle hour saves up a second, not more */
	assert_int_equal(burst(&p, 500, false), 100);
	/* rules have a bucket of their own, shared by RST and ICMP */
	assert_int_equal(burst(&p, 600, true), 600);
	for (unsigned i = 0; i < 400; i++) {
		m = fp_make_tcp(w, &t);
		assert_non_null(m);
		rte_pktmbuf_free(m);
	}
	assert_null(fp_make_tcp(w, &t));
	assert_int_equal(burst(&p, 10, true), 0);
	/* what a connection needs is not an answer to a flood */
	t.flags = FP_TH_SYN | FP_TH_ACK;
	m = fp_make_tcp(w, &t);
	assert_non_null(m);
	rte_pktmbuf_free(m);
	params.icmp_rate = 0;
	w->now_us += 10000000;
	assert_int_equal(burst(&p, 10, false), 0);
	rte_pktmbuf_free(p.m);
}

static void
echo(void **state)
{
	uint8_t in[600], want[600];
	struct rte_mbuf *m;
	struct fp_pkt p;
	uint32_t sum;
	size_t len, n;

	len = ip4(in, 0x28, 60, 0x77, 0x4000, 5, 1, c4, own4);
	memset(in + len, 0x5a, 40);
	cat(in, len, "\x08\0\0\0\x12\x34\0\1", 8);
	sum = ~sum16(in + 20, 40, 0);
	in[22] = sum >> 8;
	in[23] = sum;
	ip4_sum(in);
	take(&p, in, 60);
	assert_true(fp_make_echo_reply(&p));
	n = ip4(want, 0x28, 60, 0, 0x4000, 255, 1, own4, c4);
	cat(want, n, in + 20, 40);
	want[20] = want[22] = want[23] = 0;
	rte_pktmbuf_adj(p.m, p.l2_len);
	is_packet(p.m, want, 60);

	/* options go, and a payload of several segments stays */
	ip4(in, 0, 468, 0x77, 0, 5, 1, c4, own4);
	in[0] = 0x47;
	memset(in + 20, 1, 8);
	memset(in + 28, 0x5a, 440);
	cat(in, 28, "\x08\0\0\0\x12\x34\0\1", 8);
	sum = ~sum16(in + 28, 440, 0);
	in[30] = sum >> 8;
	in[31] = sum;
	ip4_sum(in);
	take(&p, in, 468);
	m = rte_pktmbuf_alloc(pool);
	memcpy(rte_pktmbuf_append(m, 200), in + 268, 200);
	rte_pktmbuf_trim(p.m, 200);
	assert_int_equal(rte_pktmbuf_chain(p.m, m), 0);
	assert_true(fp_make_echo_reply(&p));
	n = ip4(want, 0, 460, 0, 0, 255, 1, own4, c4);
	cat(want, n, in + 28, 440);
	want[20] = want[22] = want[23] = 0;
	rte_pktmbuf_adj(p.m, p.l2_len);
	is_packet(p.m, want, 460);

	/* IPv6 behind destination options */
	n = ip6(in, 8 + 48, 60, 9, c6, own6);
	n = cat(in, n, "\x3a\0\1\4\0\0\0\0", 8);
	memset(in + n, 0x77, 48);
	cat(in, n, "\x80\0\0\0\x12\x34\0\1", 8);
	sum = ~sum16(in + n, 48, sum16(in + 8, 32, 58 + 48));
	in[n + 2] = sum >> 8;
	in[n + 3] = sum;
	take(&p, in, n + 48);
	assert_true(fp_make_echo_reply(&p));
	len = ip6(want, 48, 58, 64, own6, c6);
	cat(want, len, in + n, 48);
	want[40] = 129;
	want[42] = want[43] = 0;
	rte_pktmbuf_adj(p.m, p.l2_len);
	is_packet(p.m, want, 88);

	/* a reply, a timestamp request: not ours to answer */
	n = ip6(in, 48, 58, 9, c6, own6);
	memset(in + n, 0, 48);
	in[n] = 129;
	take(&p, in, n + 48);
	assert_false(fp_make_echo_reply(&p));
	rte_pktmbuf_free(p.m);
}

/* Buffers run out: counted, nothing else. */
static void
no_buffers(void **state)
{
	static struct rte_mbuf *all[1024];
	struct fp_tcp_make t = { .af = FP_AF_INET, .src = s4, .dst = c4, .flags = FP_TH_ACK };
	unsigned n = 0;

	while (n < RTE_DIM(all) && (all[n] = rte_pktmbuf_alloc(pool)) != NULL)
		n++;
	assert_null(fp_make_tcp(w, &t));
	assert_int_equal(w->cnt.drops[FP_D_NOMBUF], 1);
	while (n > 0)
		rte_pktmbuf_free(all[--n]);
}

int
main(void)
{
	static char *argv[] = { "test", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-m", "64", "-l", "0", NULL };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tcp, setup, teardown),
		cmocka_unit_test_setup_teardown(errors4, setup, teardown),
		cmocka_unit_test_setup_teardown(errors6, setup, teardown),
		cmocka_unit_test_setup_teardown(unanswered, setup, teardown),
		cmocka_unit_test_setup_teardown(rates, setup, teardown),
		cmocka_unit_test_setup_teardown(echo, setup, teardown),
		cmocka_unit_test_setup_teardown(no_buffers, setup, teardown),
	};

	if (rte_eal_init(RTE_DIM(argv) - 1, argv) < 0)
		return 77;
	pool = rte_pktmbuf_pool_create("test", 511, 0, RTE_ALIGN(sizeof(struct fp_mbuf_priv), 8), 2048 + 128, 0);
	if (pool == NULL)
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
