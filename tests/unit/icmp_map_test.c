/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of ICMP and ICMPv6 messages, and which of them may cross a box at all. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "fastpath/counters.h"
#include "fastpath/icmp_map.h"

#define V4 FP_AF_INET
#define V6 FP_AF_INET6

struct row {
	const char *name;
	uint8_t af, type;
	uint16_t sport, dport;
	bool error, reply, never_state;
};

/* id 0x1234; the address is folded to 16 bits */
#define FOLDED (0x2001 ^ 0x0db8 ^ 0x00aa ^ 0x00bb ^ 0x00cc ^ 0x00dd ^ 0x1100 ^ 0x3322)

static const uint8_t message[24] = {
	0, 0, 0, 0, 0x12, 0x34, 0, 1, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0xaa, 0x00, 0xbb, 0x00, 0xcc, 0x00, 0xdd, 0x11, 0x00, 0x33, 0x22,
};

static const struct row rows[] = {
	{ "echo", V4, 8, 0x1234, 8, 0, 0, 0 },
	{ "echo reply", V4, 0, 8, 0x1234, 0, 1, 0 },
	{ "timestamp", V4, 13, 0x1234, 13, 0, 0, 0 },
	{ "timestamp reply", V4, 14, 13, 0x1234, 0, 1, 0 },
	{ "info", V4, 15, 0x1234, 15, 0, 0, 0 },
	{ "info reply", V4, 16, 15, 0x1234, 0, 1, 0 },
	{ "mask", V4, 17, 0x1234, 17, 0, 0, 0 },
	{ "mask reply", V4, 18, 17, 0x1234, 0, 1, 0 },
	{ "router solicitation", V4, 10, 0, 10, 0, 0, 0 },
	{ "router advertisement", V4, 9, 10, 0, 0, 1, 0 },
	{ "where are you", V4, 33, 0, 33, 0, 0, 0 },
	{ "I am here", V4, 34, 33, 0, 0, 1, 0 },
	{ "mobile registration", V4, 35, 0, 35, 0, 0, 0 },
	{ "its reply", V4, 36, 35, 0, 0, 1, 0 },
	{ "unassigned 1", V4, 1, 0, 1, 0, 0, 0 },
	{ "traceroute 30", V4, 30, 0, 30, 0, 0, 0 },
	{ "255", V4, 255, 0, 255, 0, 0, 0 },
	{ "unreachable", V4, 3, 0, 0, 1, 0, 1 },
	{ "source quench", V4, 4, 0, 0, 1, 0, 1 },
	{ "redirect", V4, 5, 0, 0, 1, 0, 1 },
	{ "time exceeded", V4, 11, 0, 0, 1, 0, 1 },
	{ "parameter", V4, 12, 0, 0, 1, 0, 1 },
	{ "v6 echo", V6, 128, 0x1234, 128, 0, 0, 0 },
	{ "v6 echo reply", V6, 129, 128, 0x1234, 0, 1, 0 },
	{ "MLD query", V6, 130, FOLDED, 130, 0, 0, 0 },
	{ "MLD report", V6, 131, FOLDED, 130, 0, 0, 0 },
	{ "MLD done", V6, 132, 0, 132, 0, 0, 0 },
	{ "v6 router solicitation", V6, 133, 0, 133, 0, 0, 0 },
	{ "v6 router advertisement", V6, 134, 0, 134, 0, 0, 0 },
	{ "neighbour solicitation", V6, 135, FOLDED, 135, 0, 0, 0 },
	{ "neighbour advertisement", V6, 136, 135, FOLDED, 0, 1, 1 },
	{ "v6 redirect", V6, 137, 0, 137, 0, 0, 0 },
	{ "node info", V6, 139, 0, 139, 0, 0, 0 },
	{ "node info reply", V6, 140, 139, 0, 0, 1, 0 },
	{ "MLD trace", V6, 201, 0, 201, 0, 0, 0 },
	{ "MLD trace reply", V6, 200, 201, 0, 0, 1, 0 },
	{ "v4 echo's number", V6, 8, 0, 8, 0, 0, 0 },
	{ "v6 unreachable", V6, 1, 0, 0, 1, 0, 1 },
	{ "too big", V6, 2, 0, 0, 1, 0, 1 },
	{ "v6 time exceeded", V6, 3, 0, 0, 1, 0, 1 },
	{ "v6 parameter", V6, 4, 0, 0, 1, 0, 1 },
	{ "v6 zero", V6, 0, 0, 0, 0, 0, 0 },
	{ "v6 five", V6, 5, 0, 5, 0, 0, 0 },
};

static void
test_keys(void **state)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct fp_icmp_map map;
		uint8_t m[24];

		memcpy(m, message, sizeof(m));
		m[0] = r->type;
		assert_true(fp_icmp_map(&map, r->af, m, sizeof(m)));
		if (ntohs(map.sport_be) != r->sport || ntohs(map.dport_be) != r->dport || map.error != r->error ||
		    map.reply != r->reply || map.never_state != r->never_state)
			fail_msg("%s: %u %u error %d reply %d never %d", r->name, ntohs(map.sport_be), ntohs(map.dport_be), map.error,
			    map.reply, map.never_state);
		assert_int_equal(fp_icmp_is_error(r->af, r->type), r->error);
	}
}

/* Each type at each length: refused when short, and never read beyond (heap block of just that size). */
static void
test_short(void **state)
{
	for (unsigned type = 0; type < 256; type++) {
		for (unsigned len = 0; len <= 24; len++) {
			for (uint8_t af = V4; af <= V6; af += V6 - V4) {
				unsigned need = af == V6 && (type == 130 || type == 131 || type == 135 || type == 136) ? 24 : 8;
				uint8_t *m = test_malloc(len + 1);
				struct fp_icmp_map map;

				m[0] = type;
				memset(m + 1, 0, len);
				assert_int_equal(fp_icmp_hlen(af, type), need);
				assert_int_equal(fp_icmp_map(&map, af, m, len), len >= need);
				test_free(m);
			}
		}
	}
}

static void
test_link_check(void **state)
{
	static const uint8_t local[16] = { 0xfe, 0xbf, 1 }, global[16] = { 0x20, 1 }, site[16] = { 0xfe, 0xc0 };

	for (unsigned type = 0; type < 256; type++) {
		bool nd = type >= 133 && type <= 137, mld = type == 130 || type == 131 || type == 132 || type == 143;

		assert_int_equal(fp_icmp6_is_mld(type), mld);
		assert_int_equal(fp_icmp6_link_check(type, 255, global), mld ? FP_R_IP_OPTION : FP_R_NONE);
		assert_int_equal(fp_icmp6_link_check(type, 254, local), nd ? FP_R_NORMALIZE : mld ? FP_R_IP_OPTION : FP_R_NONE);
		assert_int_equal(fp_icmp6_link_check(type, 1, local), nd ? FP_R_NORMALIZE : FP_R_NONE);
		assert_int_equal(fp_icmp6_link_check(type, 1, site), nd ? FP_R_NORMALIZE : mld ? FP_R_IP_OPTION : FP_R_NONE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys), cmocka_unit_test(test_short), cmocka_unit_test(test_link_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
