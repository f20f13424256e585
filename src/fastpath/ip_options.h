/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 options at a router: RFC 791 3.1, RFC 1122 3.2.1.8, as the BSD stacks handle them. Pure C. */
#ifndef FP_IP_OPTIONS_H
#define FP_IP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum fp_ip_options {
	FP_IPOPT_OK,
	FP_IPOPT_PROBLEM,	/* parameter problem at *where */
	FP_IPOPT_SOURCE_ROUTE,	/* refused: unreachable, source route failed (RFC 7126 4.3, 4.4) */
};

/*
 * Walk the options of a header (hlen bytes with options are there) and do what they ask: record route and timestamps get
 * our entry, the header checksum follows.
 *
 * @param out_addr  the box's address on the way out, network order; NULL: no route, record route is left alone.
 * @param ms        milliseconds since midnight UT, for timestamps.
 * @param is_own    is that address (network order) one of the box's? For prespecified timestamps.
 * @param where     offset in the header of what is wrong.
 */
enum fp_ip_options fp_ip_options(uint8_t *ip, unsigned hlen, const uint8_t *out_addr, uint32_t ms,
	bool (*is_own)(void *arg, const uint8_t *addr), void *arg, uint8_t *where);

#endif
