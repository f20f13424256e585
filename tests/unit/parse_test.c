/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parser over crafted frames: what is taken, what is refused and what pf counts for it; every prefix of every valid
 * packet over exact-size memory; every way to cut it into segments.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <rte_ip.h>

#include "fastpath/parse.h"
#include "mbufs.h"

#define A4 "0a0a0264 0a0a0164"
#define A6 "fd000002000000000000000000000100 fd000001000000000000000000000100"
#define ETH "020000000001 020000000002"
#define UDP13 "13880035000dac40 68656c6c6f"
#define TCP20 "9c410050 00000001 00000000 50024000 b6610000"

/* Bytes of an IP packet from hex; v4: length and checksum put right unless raw. */
static unsigned
ip_packet(const char *hex, uint8_t *b, bool raw)
{
	unsigned n = mb_hex(hex, b);

	if (raw)
		return n;
	if (b[0] >> 4 == 4) {
		unsigned hlen = (b[0] & 15) * 4;
		uint16_t sum;

		b[2] = n >> 8;
		b[3] = n;
		b[10] = b[11] = 0;
		sum = fp_ip4_cksum(b, hlen);
		memcpy(b + 10, &sum, 2);
	} else {
		b[4] = (n - 40) >> 8;
		b[5] = n - 40;
	}
	return n;
}

struct row {
	const char *name, *hex;
	uint8_t af;
	enum fp_drop drop;
	enum fp_reason reason;
	uint16_t flags;		/* of OPTIONS FRAGMENT NO_L4 ROUTER_ALERT */
	uint8_t proto;
	uint16_t l4_off;
	bool raw;
};
#define OPT FP_PF_OPTIONS
#define FRAG (FP_PF_FRAGMENT | FP_PF_NO_L4)
#define NOL4 FP_PF_NO_L4
#define RA FP_PF_ROUTER_ALERT
#define OK FP_D_NONE, FP_R_NONE
#define V4 FP_AF_INET
#define V6 FP_AF_INET6

static const struct row rows[] = {
	/* IPv4 and transport */
	{ "tcp", "45000000 00000000 40060000" A4 TCP20, V4, OK, 0, 6, 20 },
	{ "tcp options", "45000000 00000000 40060000" A4 "9c410050 00000001 00000000 60024000 00000000 020405b4", V4, OK, 0, 6, 20 },
	{ "tcp offset 4", "45000000 00000000 40060000" A4 "9c410050 00000001 00000000 40024000 b6610000", V4,
		FP_D_L4_LENGTH, FP_R_SHORT },
	{ "tcp offset 15", "45000000 00000000 40060000" A4 "9c410050 00000001 00000000 f0024000 b6610000", V4,
		FP_D_L4_LENGTH, FP_R_SHORT },
	{ "tcp 19 bytes", "45000000 00000000 40060000" A4 "9c410050 00000001 00000000 50024000 b66100", V4, FP_D_L4_SHORT, FP_R_SHORT },
	{ "tcp empty", "45000000 00000000 40060000" A4, V4, FP_D_L4_SHORT, FP_R_SHORT },
	{ "tcp source port 0", "45000000 00000000 40060000" A4 "00000050 00000001 00000000 50024000 b6610000", V4, OK, 0, 6, 20 },
	{ "tcp port 0", "45000000 00000000 40060000" A4 "9c410000 00000001 00000000 50024000 b6610000", V4, FP_D_L4_LENGTH, FP_R_SHORT },
	{ "udp", "45000000 00000000 40110000" A4 UDP13, V4, OK, 0, 17, 20 },
	{ "udp length short", "45000000 00000000 40110000" A4 "138a0035000a906a 68656c6c6f", V4, OK, 0, 17, 20 },
	{ "udp length long", "45000000 00000000 40110000" A4 "138a00350064906a 68656c6c6f", V4, FP_D_L4_LENGTH, FP_R_SHORT },
	{ "udp length 4", "45000000 00000000 40110000" A4 "138a00350004906a 68656c6c6f", V4, FP_D_L4_LENGTH, FP_R_SHORT },
	{ "udp port 0", "45000000 00000000 40110000" A4 "138a0000000d906a 68656c6c6f", V4, FP_D_L4_LENGTH, FP_R_SHORT },
	{ "udp 7 bytes", "45000000 00000000 40110000" A4 "138a0035000d90", V4, FP_D_L4_SHORT, FP_R_SHORT },
	{ "icmp", "45000000 00000000 40010000" A4 "0800f7ff00000000", V4, OK, 0, 1, 20 },
	{ "icmp 7 bytes", "45000000 00000000 40010000" A4 "0800f7ff000000", V4, FP_D_L4_SHORT, FP_R_SHORT },
	{ "icmpv6 over v4", "45000000 00000000 403a0000" A4 "0800", V4, OK, NOL4, 58, 20 },
	{ "gre empty", "45000000 00000000 402f0000" A4, V4, OK, NOL4, 47, 20 },
	{ "ah", "45000000 00000000 40330000" A4 "1101000000000000 00000000" UDP13, V4, OK, 0, 17, 32 },
	{ "ah, short", "45000000 00000000 40330000" A4 "11", V4, FP_D_L4_SHORT, FP_R_SHORT },
	{ "ah beyond the end", "45000000 00000000 40330000" A4 "2fff0000", V4, OK, NOL4, 47, 24 },
	{ "ah beyond the end, udp", "45000000 00000000 40330000" A4 "11ff0000", V4, FP_D_L4_SHORT, FP_R_SHORT },
	{ "first fragment", "45000000 00002000 40110000" A4 "1388", V4, OK, FRAG, 17, 20 },
	{ "later fragment", "45000000 00000001 40060000" A4 "1388", V4, OK, FRAG, 6, 20 },
	{ "df", "45000000 00004000 40110000" A4 UDP13, V4, OK, 0, 17, 20 },
	{ "reserved bit", "45000000 00008000 40110000" A4 UDP13, V4, OK, 0, 17, 20 },
	/* IPv4 header, refused by the stack: nothing counted */
	{ "19 bytes", "45000013 00000000 40110000 0a0a0264 0a0a01", V4, FP_D_IP_SHORT, FP_R_NONE, .raw = true },
	{ "version 6", "65000014 00000000 40110000" A4, V4, FP_D_IP_VERSION, FP_R_NONE, .raw = true },
	{ "v4 in a v6 frame, short", "45000000 00000000 40110000" A4 UDP13, V6, FP_D_IP_SHORT, FP_R_NONE },
	{ "header length 16", "44000014 00000000 40110000" A4, V4, FP_D_IP_HDRLEN, FP_R_NONE, .raw = true },
	{ "header beyond the frame", "46000014 00000000 40110000" A4, V4, FP_D_IP_HDRLEN, FP_R_NONE, .raw = true },
	{ "bad checksum", "45000014 00000000 40111234" A4, V4, FP_D_IP_CHECKSUM, FP_R_NONE, .raw = true },
	{ "length beyond the frame", "45000015 00000000 401162fd" A4, V4, FP_D_IP_LENGTH, FP_R_NONE, .raw = true },
	{ "length below the header", "45000013 00000000 401162ff" A4, V4, FP_D_IP_LENGTH, FP_R_NONE, .raw = true },
	/* IPv4 options */
	{ "nop", "46000000 00000000 40110000" A4 "01010100" UDP13, V4, OK, OPT, 17, 24 },
	{ "router alert", "46000000 00000000 40110000" A4 "94040000" UDP13, V4, OK, OPT, 17, 24 },
	{ "router alert, igmp", "46000000 00000000 01020000" A4 "94040000 1600000000000000", V4, OK, NOL4 | RA, 2, 24 },
	{ "router alert and more, igmp", "47000000 00000000 01020000" A4 "94040000 44040500 1600000000000000", V4, OK, NOL4 | OPT, 2, 28 },
	{ "nop, igmp", "46000000 00000000 01020000" A4 "01010100 1600000000000000", V4, OK, NOL4 | OPT, 2, 24 },
	{ "igmp to all hosts, ttl 1", "45000000 00000000 01020000 0a0a0264 e0000001 1600000000000000", V4, OK, NOL4, 2, 20 },
	{ "igmp to all hosts, ttl 2", "45000000 00000000 02020000 0a0a0264 e0000001 1600000000000000", V4, FP_D_IP_OPTIONS, FP_R_IP_OPTION },
	{ "option of length 1", "46000000 00000000 40110000" A4 "07010000" UDP13, V4, FP_D_IP_OPTIONS, FP_R_IP_OPTION },
	{ "option too long", "46000000 00000000 40110000" A4 "07050000" UDP13, V4, FP_D_IP_OPTIONS, FP_R_IP_OPTION },
	{ "option without length", "46000000 00000000 40110000" A4 "01010107" UDP13, V4, FP_D_IP_OPTIONS, FP_R_IP_OPTION },
	{ "anything behind the end", "46000000 00000000 40110000" A4 "00ffffff" UDP13, V4, OK, OPT, 17, 24 },
	/* IPv6 */
	{ "v6 udp", "60000000 0000 1140" A6 UDP13, V6, OK, 0, 17, 40 },
	{ "v6 tcp", "60000000 0000 0640" A6 TCP20, V6, OK, 0, 6, 40 },
	{ "v6 length beyond", "60000000 0064 1140" A6 UDP13, V6, FP_D_IP_LENGTH, FP_R_SHORT, .raw = true },
	{ "v6 length short of udp", "60000000 000a 1140" A6 UDP13, V6, FP_D_L4_LENGTH, FP_R_SHORT, .raw = true },
	{ "v6 length 0", "60000000 0000 1140" A6 UDP13, V6, FP_D_L4_SHORT, FP_R_SHORT, .raw = true },
	{ "v6 nothing", "60000000 0000 3b40" A6, V6, OK, NOL4, 59, 40 },
	{ "v6 39 bytes", "60000000 0000 3b40 fd000002000000000000000000000100 fd0000010000000000000000000001", V6, FP_D_IP_SHORT, FP_R_NONE, .raw = true },
	{ "v6 version 5", "50000000 0000 3b40" A6, V6, FP_D_IP_VERSION, FP_R_NONE, .raw = true },
	{ "hop-by-hop", "60000000 0000 0040" A6 "1100010400000000" UDP13, V6, OK, OPT, 17, 48 },
	{ "destination options", "60000000 0000 3c40" A6 "1100010400000000" UDP13, V6, OK, OPT, 17, 48 },
	{ "routing 0", "60000000 0000 2b40" A6 "1100000000000000" UDP13, V6, FP_D_IP6_HEADERS, FP_R_IP_OPTION },
	{ "routing 2", "60000000 0000 2b40" A6 "1100020000000000" UDP13, V6, OK, OPT, 17, 48 },
	{ "routing twice", "60000000 0000 2b40" A6 "2b00040000000000 1100040000000000" UDP13, V6, FP_D_IP6_HEADERS, FP_R_IP_OPTION },
	{ "hop-by-hop not first", "60000000 0000 3c40" A6 "0000010400000000 1100010400000000" UDP13, V6, FP_D_IP6_HEADERS, FP_R_IP_OPTION },
	{ "router alert, udp", "60000000 0000 0040" A6 "1100050200000100" UDP13, V6, OK, OPT, 17, 48 },
	{ "jumbo", "60000000 0000 0040" A6 "1100c20400000000" UDP13, V6, FP_D_IP6_HEADERS, FP_R_IP_OPTION },
	{ "option longer than its header", "60000000 0000 0040" A6 "1100010500000000" UDP13, V6, FP_D_IP6_HEADERS, FP_R_IP_OPTION },
	{ "pad1 only", "60000000 0000 0040" A6 "1100000000000000" UDP13, V6, OK, OPT, 17, 48 },
	{ "header beyond the packet", "60000000 0000 3c40" A6 "110501040000000013880035", V6, FP_D_L4_SHORT, FP_R_SHORT },
	{ "hop-by-hop beyond the packet", "60000000 0000 0040" A6 "1102000000000000", V6, FP_D_IP6_HEADERS, FP_R_SHORT },
	{ "ah v6", "60000000 0000 3340" A6 "110400000000000000000000000000000000000000000000" UDP13, V6, OK, 0, 17, 64 },
	{ "mobility", "60000000 0000 8740" A6 "1100010400000000", V6, OK, NOL4, 135, 40 },
	{ "icmp over v6", "60000000 0000 0140" A6 "0800", V6, OK, NOL4, 1, 40 },
	{ "echo v6", "60000000 0000 3a40" A6 "80009d8e12340001", V6, OK, 0, 58, 40 },
	{ "icmpv6 short", "60000000 0000 3a40" A6 "80009d8e123400", V6, FP_D_L4_SHORT, FP_R_SHORT },
	{ "nd hop limit 64", "60000000 0000 3a40" A6 "8700000000000000 fd000001000000000000000000000100", V6, FP_D_ND_HOPLIMIT, FP_R_NORMALIZE },
	{ "nd", "60000000 0000 3aff" A6 "8700000000000000 fd000001000000000000000000000100", V6, OK, 0, 58, 40 },
	{ "nd without target", "60000000 0000 3aff" A6 "8700000000000000", V6, FP_D_L4_SHORT, FP_R_SHORT },
	{ "redirect hop limit 64", "60000000 0000 3a40" A6 "8900000000000000", V6, FP_D_ND_HOPLIMIT, FP_R_NORMALIZE },
	{ "mld from a global address", "60000000 0000 3a01" A6 "8200000000000000 00000000000000000000000000000000", V6, FP_D_MLD, FP_R_IP_OPTION },
	{ "mld with router alert", "60000000 0000 0001 fe800000000000000000000000000001 ff020000000000000000000000000001"
		"3a00050200000100 8200000000000000 00000000000000000000000000000000", V6, OK, RA, 58, 48 },
	{ "mld hop limit 2", "60000000 0000 3a02 fe800000000000000000000000000001 ff020000000000000000000000000001"
		"8f00000000000000", V6, FP_D_MLD, FP_R_IP_OPTION },
	/* IPv6 fragments */
	{ "v6 first fragment", "60000000 0000 2c40" A6 "1100000100000001" UDP13, V6, OK, FRAG, 17, 48 },
	{ "v6 first fragment cut in udp", "60000000 0000 2c40" A6 "1100000100000001 13880035", V6, OK, FRAG, 44, 40 },
	{ "v6 first fragment cut in options", "60000000 0000 2c40" A6 "3c00000100000001 11", V6, OK, FRAG, 44, 40 },
	{ "v6 later fragment", "60000000 0000 2c40" A6 "1100000800000001 13", V6, OK, FRAG, 44, 40 },
	{ "v6 fragment behind options", "60000000 0000 3c40" A6 "2c00010400000000 1100000900000001 00", V6, OK, FRAG | OPT, 44, 48 },
	{ "v6 atomic", "60000000 0000 2c40" A6 "1100000000000001" UDP13, V6, OK, 0, 17, 48 },
	{ "v6 two fragment headers", "60000000 0000 2c40" A6 "2c00000000000001 1100000000000001" UDP13, V6, FP_D_IP6_HEADERS, FP_R_FRAGMENT },
	{ "v6 fragment header short", "60000000 0000 2c40" A6 "11000001000000", V6, FP_D_IP6_HEADERS, FP_R_SHORT },
	{ "v6 routing 0 in a first fragment", "60000000 0000 2c40" A6 "2b00000100000001 1100000000000000", V6, FP_D_IP6_HEADERS, FP_R_IP_OPTION },
};

static enum fp_drop
parse(struct fp_pkt *p, struct rte_mbuf *m, uint16_t l2_len, uint8_t af)
{
	enum fp_drop d;

	memset(p, 0xa5, sizeof(*p));
	p->flags = 0;
	p->m = m;
	d = fp_parse_ip(p, l2_len, af);
	if (d == FP_D_NONE)
		d = fp_parse_l4(p);
	return d;
}

static void
test_rows(void **state)
{
	unsigned i;

	for (i = 0; i < RTE_DIM(rows); i++) {
		const struct row *r = &rows[i];
		uint8_t b[256] = { 0 };
		unsigned n = ip_packet(r->hex, b + 14, r->raw);
		struct fp_pkt p;
		enum fp_drop d = parse(&p, mb_exact(b, 14 + n), 14, r->af);

		if (d != r->drop || p.reason != r->reason)
			fail_msg("%s: drop %d reason %u, expected %d %u", r->name, d, p.reason, r->drop, r->reason);
		if (d == FP_D_NONE && ((p.flags & (OPT | FP_PF_FRAGMENT | NOL4 | RA)) != r->flags || p.proto != r->proto ||
			p.l4_off != r->l4_off))
			fail_msg("%s: flags %x proto %u l4 at %u", r->name, p.flags, p.proto, p.l4_off);
		rte_pktmbuf_free(p.m);
	}
	assert_int_equal(mb_in_use(), 0);
}

static void
test_fields(void **state)
{
	uint8_t b[128] = { 0 };
	struct fp_pkt p;
	unsigned n = ip_packet("4510 0000 00004000 3f060000" A4 "9c410050 00000001 00000000 60124000 00000000 020405b4", b + 14, false);

	memset(b + 14 + n, 0xee, 20); /* Ethernet padding */
	assert_int_equal(parse(&p, mb_exact(b, 14 + n + 20), 14, V4), FP_D_NONE);
	assert_int_equal(p.m->pkt_len, 14 + n);
	assert_int_equal(p.m->data_len, 14 + n);
	assert_int_equal(p.ip_len, n);
	assert_int_equal(p.tos, 0x10);
	assert_int_equal(p.ttl, 0x3f);
	assert_int_equal(p.frag_off, 0x4000);
	assert_int_equal(p.l4_hlen, 24);
	assert_int_equal(p.tcp_flags, 0x12);
	assert_int_equal(rte_be_to_cpu_16(p.sport_be), 40001);
	assert_int_equal(rte_be_to_cpu_16(p.dport_be), 80);
	assert_ptr_equal(p.l3, rte_pktmbuf_mtod_offset(p.m, uint8_t *, 14));
	rte_pktmbuf_free(p.m);

	n = ip_packet("6b812345 0000 3c40" A6 "3a00010400000000 81029d8e12340001", b + 18, false);
	assert_int_equal(parse(&p, mb_exact(b, 18 + n), 18, V6), FP_D_NONE);
	assert_int_equal(p.tos, 0xb8);
	assert_int_equal(p.icmp_type, 129);
	assert_int_equal(p.icmp_code, 2);
	assert_int_equal(p.sport_be, 0);
	assert_int_equal(p.v6_last_nh_off, 40);
	assert_int_equal(p.l4_hlen, 8);
	rte_pktmbuf_free(p.m);

	/* the reserved bit is cleared on the way, the header stays right */
	n = ip_packet("45000000 00008000 40110000" A4 UDP13, b, false);
	assert_int_equal(parse(&p, mb_plain(b, n), 0, V4), FP_D_NONE);
	assert_int_equal(p.l3[6], 0);
	assert_int_equal(fp_ip4_cksum(p.l3, 20), 0);
	rte_pktmbuf_free(p.m);
}

/* Padding that spans segments is cut off, whatever the segments are. */
static void
test_trim_segments(void **state)
{
	uint8_t b[64] = { 0 }, out[64];
	unsigned n = ip_packet("45000000 00000000 40110000" A4 UDP13, b + 14, false) + 14, i, j;

	for (i = 1; i < sizeof(b); i++)
		for (j = i + 1; j < sizeof(b); j++) {
			uint32_t cuts[2] = { i, j };
			struct fp_pkt p;

			assert_int_equal(parse(&p, mb_split(b, sizeof(b), cuts, 2, false), 14, V4), FP_D_NONE);
			assert_int_equal(mb_bytes(p.m, out, sizeof(out)), n);
			assert_memory_equal(out, b, n);
			rte_pktmbuf_free(p.m);
		}
	assert_int_equal(mb_in_use(), 0);
}

/* A cut frame is refused or taken, never read beyond; and a cut packet whose header says so likewise. */
static void
test_prefixes(void **state)
{
	unsigned i, len;

	for (i = 0; i < RTE_DIM(rows); i++) {
		const struct row *r = &rows[i];
		uint8_t b[256] = { 0 }, c[256];
		unsigned n = ip_packet(r->hex, b, r->raw);

		for (len = 0; len <= n; len++) {
			struct fp_pkt p;
			enum fp_drop d = parse(&p, mb_exact(b, len), 0, r->af);

			assert_true(d <= FP_D_MAX);
			if (len < n && !r->raw)
				assert_int_not_equal(d, FP_D_NONE);
			rte_pktmbuf_free(p.m);

			if (len < (r->af == V4 ? 20u : 40u))
				continue;
			memcpy(c, b, len);
			if (r->af == V4 && (c[0] & 15) * 4u <= len) {
				uint16_t sum;

				c[2] = 0;
				c[3] = len;
				c[10] = c[11] = 0;
				sum = fp_ip4_cksum(c, (c[0] & 15) * 4);
				memcpy(c + 10, &sum, 2);
			} else if (r->af == V6) {
				c[5] = len - 40;
			}
			d = parse(&p, mb_exact(c, len), 0, r->af);
			assert_true(d <= FP_D_MAX);
			if (d == FP_D_NONE) {
				assert_true(p.l4_off + p.l4_hlen <= p.ip_len);
				assert_true(p.l4_off + p.l4_hlen <= p.m->data_len);
			}
			rte_pktmbuf_free(p.m);
		}
	}
	assert_int_equal(mb_in_use(), 0);
}

/* Segments change nothing: the same verdict and fields, contiguous headers, the same bytes. */
static void
test_segments(void **state)
{
	unsigned i, cut, kind;

	for (i = 0; i < RTE_DIM(rows); i++) {
		const struct row *r = &rows[i];
		uint8_t b[256] = { 0 }, out[256];
		unsigned n = ip_packet(r->hex, b + 14, r->raw) + 14;
		struct fp_pkt whole, p;
		enum fp_drop want = parse(&whole, mb_plain(b, n), 14, r->af), d;

		for (kind = 0; kind < 4; kind++)
			for (cut = kind < 2 ? 1 : 14; cut < (kind < 2 ? n : 15); cut++) {
				uint32_t cuts[256], n_cuts = 0;

				if (kind < 2)	/* two segments */
					cuts[n_cuts++] = cut;
				else		/* a byte each */
					while (n_cuts < n - 1) {
						cuts[n_cuts] = n_cuts + 1;
						n_cuts++;
					}
				d = parse(&p, mb_split(b, n, cuts, n_cuts, kind & 1), 14, r->af);
				if (d != want || p.reason != whole.reason)
					fail_msg("%s cut at %u: %d instead of %d", r->name, cut, d, want);
				if (d == FP_D_NONE) {
					assert_int_equal(p.flags, whole.flags);
					assert_int_equal(p.l4_off, whole.l4_off);
					assert_int_equal(p.proto, whole.proto);
					assert_true(p.l2_len + p.l4_off + p.l4_hlen <= p.m->data_len ||
						p.flags & FP_PF_FRAGMENT);
					assert_ptr_equal(p.l3, rte_pktmbuf_mtod_offset(p.m, uint8_t *, 14));
					assert_int_equal(mb_bytes(p.m, out, sizeof(out)), whole.m->pkt_len);
					assert_memory_equal(out, rte_pktmbuf_mtod(whole.m, uint8_t *), whole.m->pkt_len);
				}
				rte_pktmbuf_free(p.m);
			}
		rte_pktmbuf_free(whole.m);
	}
	assert_int_equal(mb_in_use(), 0);
}

static void
test_header_limit(void **state)
{
	uint8_t b[40 + 8 * 25 + 13] = { 0x60, [6] = 60, [7] = 64 };
	unsigned count;

	for (count = 1; count <= 25; count++) {
		unsigned n = 40, i;
		struct fp_pkt p;
		enum fp_drop d;

		for (i = 0; i < count; i++, n += 8)
			mb_hex(i + 1 < count ? "3c00010400000000" : "1100010400000000", b + n);
		n += mb_hex(UDP13, b + n);
		b[4] = (n - 40) >> 8;
		b[5] = n - 40;
		d = parse(&p, mb_exact(b, n), 0, V6);
		/* 20 headers are looked at, and what follows the 19th options is the 20th */
		assert_int_equal(d, count <= 19 ? FP_D_NONE : FP_D_IP6_HEADERS);
		if (d != FP_D_NONE)
			assert_int_equal(p.reason, FP_R_IP_OPTION);
		rte_pktmbuf_free(p.m);
	}
}

static void
test_l2(void **state)
{
	static const struct {
		const char *hex;
		uint64_t ol;
		uint16_t tci, tci_outer;
		enum fp_drop drop;
		uint16_t type, outer, inner;
		uint8_t n_tags, len, prio;
	} r[] = {
		{ ETH "0800", 0, 0, 0, FP_D_NONE, 0x800, 0, 0, 0, 14, 3 },
		{ ETH "8100 0064 86dd", 0, 0, 0, FP_D_NONE, 0x86dd, 100, 0, 1, 18, 1 },
		{ ETH "8100 2064 86dd", 0, 0, 0, FP_D_NONE, 0x86dd, 100, 0, 1, 18, 0 },
		{ ETH "8100 e064 0806", 0, 0, 0, FP_D_NONE, 0x806, 100, 0, 1, 18, 7 },
		{ ETH "88a8 0064 8100 a0c8 0800", 0, 0, 0, FP_D_NONE, 0x800, 100, 200, 2, 22, 5 },
		{ ETH "8100 0064 8100 00c8 0800", 0, 0, 0, FP_D_NONE, 0x800, 100, 200, 2, 22, 1 },
		{ ETH "8100 0001 8100 0002 8100 0003 0800", 0, 0, 0, FP_D_L2_VLAN },
		{ ETH "8100 c000 0800", 0, 0, 0, FP_D_NONE, 0x800, 0, 0, 1, 18, 6 },
		{ ETH "0800", RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED, 0x2064, 0, FP_D_NONE, 0x800, 100, 0, 1, 14, 0 },
		{ ETH "8100 00c8 0800", RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED, 0x0064, 0, FP_D_NONE, 0x800, 100, 200, 2, 18, 1 },
		{ ETH "0800", RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ | RTE_MBUF_F_RX_QINQ_STRIPPED,
			0x40c8, 0x0064, FP_D_NONE, 0x800, 100, 200, 2, 14, 2 },
		{ ETH "8100 0003 0800", RTE_MBUF_F_RX_QINQ_STRIPPED | RTE_MBUF_F_RX_VLAN_STRIPPED, 0x00c8, 0x0064, FP_D_L2_VLAN },
		{ ETH "8100 0064 86", 0, 0, 0, FP_D_L2_SHORT },
		{ ETH "8100 00", 0, 0, 0, FP_D_L2_SHORT },
		{ ETH "08", 0, 0, 0, FP_D_L2_SHORT },
		{ "02", 0, 0, 0, FP_D_L2_SHORT },
	};
	unsigned i, cut;

	for (i = 0; i < RTE_DIM(r); i++) {
		uint8_t b[64];
		unsigned n = mb_hex(r[i].hex, b);

		for (cut = 0; cut < n; cut++) {
			uint32_t cuts[1] = { cut };
			struct rte_mbuf *m = cut == 0 ? mb_exact(b, n) : mb_split(b, n, cuts, 1, true);
			struct fp_l2 l2;

			m->ol_flags |= r[i].ol;
			m->vlan_tci = r[i].tci;
			m->vlan_tci_outer = r[i].tci_outer;
			assert_int_equal(fp_parse_l2(m, &l2), r[i].drop);
			if (r[i].drop == FP_D_NONE) {
				assert_int_equal(l2.ether_type, r[i].type);
				assert_int_equal(l2.vlan_outer, r[i].outer);
				assert_int_equal(l2.vlan_inner, r[i].inner);
				assert_int_equal(l2.n_tags, r[i].n_tags);
				assert_int_equal(l2.len, r[i].len);
				assert_int_equal(l2.prio, r[i].prio);
				assert_false(l2.mcast);
			}
			rte_pktmbuf_free(m);
		}
	}
	assert_int_equal(mb_in_use(), 0);
}

static void
test_offload_flags(void **state)
{
	uint8_t b[64];
	unsigned n = ip_packet("45000000 00000000 40110000" A4 UDP13, b, false);
	struct rte_mbuf *m;
	struct fp_pkt p;

	m = mb_plain(b, n);
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_BAD; /* it is right all the same */
	assert_int_equal(parse(&p, m, 0, V4), FP_D_NONE);
	rte_pktmbuf_free(p.m);
	b[10] ^= 1;
	m = mb_plain(b, n);
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	assert_int_equal(parse(&p, m, 0, V4), FP_D_NONE);
	rte_pktmbuf_free(p.m);
	assert_int_equal(parse(&p, mb_plain(b, n), 0, V4), FP_D_IP_CHECKSUM);
	rte_pktmbuf_free(p.m);
}

static void
test_cksum(void **state)
{
	static const struct { uint8_t af; const char *hex; unsigned field; } r[] = {
		{ V4, "45000000 00000000 40060000" A4 "9c410050 00000001 00000000 50024000 00000000 6162630a0d", 36 },
		{ V4, "45000000 00000000 40110000" A4 "13880035000d0000 68656c6c6f", 26 },
		{ V4, "45000000 00000000 40010000" A4 "08000000 00050001 616263", 22 },
		{ V6, "60000000 0000 1140" A6 "13880035000d0000 68656c6c6f", 46 },
		{ V6, "60000000 0000 3a40" A6 "80000000 12340001 6162", 42 },
		{ V6, "60000000 0000 3c40" A6 "0600010400000000 9c410050 00000001 00000000 50024000 00000000 61", 64 },
	};
	unsigned i, cut;

	for (i = 0; i < RTE_DIM(r); i++) {
		uint8_t b[128];
		unsigned n = ip_packet(r[i].hex, b, false);
		struct fp_pkt p;

		for (cut = 1; cut < n; cut++) {
			uint32_t cuts[1] = { cut };
			uint16_t good, want;

			assert_int_equal(parse(&p, mb_split(b, n, cuts, 1, false), 0, r[i].af), FP_D_NONE);
			p.l3[r[i].field] = 0x55;
			fp_l4_cksum_set(&p);
			assert_true(fp_l4_cksum_ok(&p));
			memcpy(&good, p.l3 + r[i].field, 2);
			/* against DPDK's own over contiguous memory */
			if (p.l4_off == (p.af == V4 ? 20 : 40) && p.proto != IPPROTO_ICMP) {
				want = p.af == V4 ? rte_ipv4_udptcp_cksum((struct rte_ipv4_hdr *)b, b + 20) :
					rte_ipv6_udptcp_cksum((struct rte_ipv6_hdr *)b, b + 40);
				assert_int_equal(good, want);
			}
			p.l3[r[i].field] ^= 1;
			assert_false(fp_l4_cksum_ok(&p));
			p.m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
			assert_true(fp_l4_cksum_ok(&p));
			p.m->ol_flags = 0;
			memset(p.l3 + r[i].field, 0, 2);
			assert_int_equal(fp_l4_cksum_ok(&p), p.proto == IPPROTO_UDP && p.af == V4);
			rte_pktmbuf_free(p.m);
		}
	}
}

/* Incremental updates give what a full computation gives. */
static void
test_cksum_fix(void **state)
{
	uint8_t b[20];
	unsigned i, k;

	srand(1);
	for (i = 0; i < 20000; i++) {
		uint16_t sum, old16, new16 = rand() % 4 == 0 ? (rand() & 1 ? 0 : 0xffff) : rand();
		uint32_t old32, new32 = rand();

		for (k = 0; k < sizeof(b); k++)
			b[k] = rand() % 8 == 0 ? 0 : rand();
		b[0] = 0x45;
		b[10] = b[11] = 0;
		sum = fp_ip4_cksum(b, 20);
		memcpy(b + 10, &sum, 2);
		k = 2 * (1 + rand() % 4);
		memcpy(&old16, b + k, 2);
		memcpy(b + k, &new16, 2);
		fp_cksum_fix16(b + 10, old16, new16);
		assert_int_equal(fp_ip4_cksum(b, 20), 0);
		memcpy(&old32, b + 12, 4);
		memcpy(b + 12, &new32, 4);
		fp_cksum_fix32(b + 10, old32, new32);
		assert_int_equal(fp_ip4_cksum(b, 20), 0);
	}
}

/* A tail that others share is not written to. */
static void
test_pullup_shared(void **state)
{
	uint8_t b[200], out[200];
	uint32_t cuts[2] = { 30, 60 };
	struct rte_mbuf *m, *more;
	unsigned i;

	for (i = 0; i < sizeof(b); i++)
		b[i] = i;
	m = mb_split(b, sizeof(b), cuts, 2, false);
	more = m->next;
	rte_mbuf_refcnt_update(m, 1);
	m->port = 7;
	fp_priv(m)->ifid = 42;
	assert_true(fp_pullup(&m, 100));
	assert_int_equal(m->data_len, 100);
	assert_int_equal(m->port, 7);
	assert_int_equal(fp_priv(m)->ifid, 42);
	assert_int_equal(mb_bytes(m, out, sizeof(out)), sizeof(b));
	assert_memory_equal(out, b, sizeof(b));
	(void)more;
	assert_false(fp_pullup(&m, 201));
	assert_true(fp_pullup(&m, 200));
	assert_int_equal(m->nb_segs, 1);
	rte_pktmbuf_free(m);
}

static int
setup(void **state)
{
	return mb_setup(2047, 2048);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_trim_segments),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_header_limit),
		cmocka_unit_test(test_l2),
		cmocka_unit_test(test_offload_flags),
		cmocka_unit_test(test_cksum),
		cmocka_unit_test(test_cksum_fix),
		cmocka_unit_test(test_pullup_shared),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
