/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of ICMP and ICMPv6, see icmp_map.h. Type numbers: IANA icmp-parameters and icmpv6-parameters. */
#include "fastpath/icmp_map.h"

#include "fastpath/counters.h"

#define ICMP_HLEN 8u
#define ICMP6_ADDR_HLEN 24u	/* header and one address: MLD, neighbour solicitation and advertisement */

enum {
	V4_ECHO_REPLY = 0, V4_UNREACHABLE = 3, V4_QUENCH = 4, V4_REDIRECT = 5, V4_ECHO = 8, V4_ROUTER_ADVERT = 9,
	V4_ROUTER_SOLICIT = 10, V4_TIME_EXCEEDED = 11, V4_PARAMETER = 12, V4_TIMESTAMP = 13, V4_TIMESTAMP_REPLY = 14,
	V4_INFO = 15, V4_INFO_REPLY = 16, V4_MASK = 17, V4_MASK_REPLY = 18, V4_WHERE_ARE_YOU = 33, V4_I_AM_HERE = 34,
	V4_MOBILE_REQUEST = 35, V4_MOBILE_REPLY = 36,
};
enum {
	V6_UNREACHABLE = 1, V6_TOO_BIG = 2, V6_TIME_EXCEEDED = 3, V6_PARAMETER = 4, V6_ECHO = 128, V6_ECHO_REPLY = 129,
	V6_MLD_QUERY = 130, V6_MLD_REPORT = 131, V6_MLD_DONE = 132, V6_ROUTER_SOLICIT = 133, V6_NEIGHBOUR_SOLICIT = 135,
	V6_NEIGHBOUR_ADVERT = 136, V6_REDIRECT = 137, V6_NODE_INFO = 139, V6_NODE_INFO_REPLY = 140, V6_MLD2_REPORT = 143,
	V6_MTRACE_REPLY = 200, V6_MTRACE = 201,
};

enum id_kind { ID_ZERO, ID_HEADER, ID_FOLDED };

/* A query type and what answers it. answer == query: both ends ask (MLD: a report comes unasked, from elsewhere). */
struct pair {
	uint8_t query, answer;
	enum id_kind id;
};

static const struct pair pairs4[] = {
	{ V4_ECHO, V4_ECHO_REPLY, ID_HEADER },
	{ V4_TIMESTAMP, V4_TIMESTAMP_REPLY, ID_HEADER },
	{ V4_INFO, V4_INFO_REPLY, ID_HEADER },
	{ V4_MASK, V4_MASK_REPLY, ID_HEADER },
	{ V4_ROUTER_SOLICIT, V4_ROUTER_ADVERT, ID_ZERO },
	{ V4_WHERE_ARE_YOU, V4_I_AM_HERE, ID_ZERO },
	{ V4_MOBILE_REQUEST, V4_MOBILE_REPLY, ID_ZERO },
};

static const struct pair pairs6[] = {
	{ V6_ECHO, V6_ECHO_REPLY, ID_HEADER },
	{ V6_MLD_QUERY, V6_MLD_QUERY, ID_FOLDED },
	{ V6_NEIGHBOUR_SOLICIT, V6_NEIGHBOUR_ADVERT, ID_FOLDED },
	{ V6_NODE_INFO, V6_NODE_INFO_REPLY, ID_ZERO },
	{ V6_MTRACE, V6_MTRACE_REPLY, ID_ZERO },
};

unsigned
fp_icmp_hlen(uint8_t af, uint8_t type)
{
	if (af == FP_AF_INET6 && (type == V6_MLD_QUERY || type == V6_MLD_REPORT || type == V6_NEIGHBOUR_SOLICIT ||
	    type == V6_NEIGHBOUR_ADVERT))
		return ICMP6_ADDR_HLEN;
	return ICMP_HLEN;
}

bool
fp_icmp_is_error(uint8_t af, uint8_t type)
{
	if (af == FP_AF_INET)
		return type == V4_UNREACHABLE || type == V4_QUENCH || type == V4_REDIRECT || type == V4_TIME_EXCEEDED ||
			type == V4_PARAMETER;
	return type >= V6_UNREACHABLE && type <= V6_PARAMETER;
}

bool
fp_icmp6_is_mld(uint8_t type)
{
	return type == V6_MLD_QUERY || type == V6_MLD_REPORT || type == V6_MLD_DONE || type == V6_MLD2_REPORT;
}

uint8_t
fp_icmp6_link_check(uint8_t type, uint8_t hop_limit, const uint8_t *src)
{
	if (type >= V6_ROUTER_SOLICIT && type <= V6_REDIRECT)
		return hop_limit == 255 ? FP_R_NONE : FP_R_NORMALIZE;
	if (fp_icmp6_is_mld(type)) {
		bool link_local = src[0] == 0xfe && (src[1] & 0xc0) == 0x80;

		return hop_limit == 1 && link_local ? FP_R_NONE : FP_R_IP_OPTION;
	}
	return FP_R_NONE;
}

static uint16_t
to_be16(uint8_t hi, uint8_t lo)
{
	union {
		uint8_t b[2];
		uint16_t v;
	} u = { .b = { hi, lo } };

	return u.v;
}

/* XOR of the address's four words, then of the halves: byte by byte, so the order of bytes in memory does not matter. */
static uint16_t
fold(const uint8_t *addr)
{
	uint8_t hi = 0, lo = 0;

	for (unsigned i = 0; i < 16; i += 2) {
		hi ^= addr[i];
		lo ^= addr[i + 1];
	}
	return to_be16(hi, lo);
}

bool
fp_icmp_map(struct fp_icmp_map *map, uint8_t af, const uint8_t *l4, uint32_t len)
{
	const struct pair *pairs = af == FP_AF_INET ? pairs4 : pairs6;
	unsigned n = af == FP_AF_INET ? sizeof(pairs4) / sizeof(pairs4[0]) : sizeof(pairs6) / sizeof(pairs6[0]);
	uint8_t type, query;
	uint16_t id_be = 0, type_be;

	if (len < ICMP_HLEN || len < fp_icmp_hlen(af, l4[0]))
		return false;
	type = query = l4[0];
	*map = (struct fp_icmp_map){ 0 };
	if (fp_icmp_is_error(af, type)) {
		map->error = map->never_state = true;
		return true;
	}
	if (af == FP_AF_INET6 && type == V6_MLD_REPORT)
		query = V6_MLD_QUERY;
	/* what is not in the table has a state of its own type, in one direction */
	for (unsigned i = 0; i < n; i++) {
		if (query != pairs[i].query && query != pairs[i].answer)
			continue;
		map->reply = query != pairs[i].query;
		query = pairs[i].query;
		if (pairs[i].id == ID_HEADER)
			id_be = to_be16(l4[4], l4[5]);
		else if (pairs[i].id == ID_FOLDED)
			id_be = fold(l4 + 8);
		break;
	}
	type_be = to_be16(0, query);
	map->sport_be = map->reply ? type_be : id_be;
	map->dport_be = map->reply ? id_be : type_be;
	map->never_state = af == FP_AF_INET6 && type == V6_NEIGHBOUR_ADVERT;
	return true;
}
