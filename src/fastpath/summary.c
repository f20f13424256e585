/* SPDX-License-Identifier: BSD-2-Clause */
#include "summary.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static bool
looks_ip(const uint8_t *b, size_t len)
{
	return len >= 20 && ((b[0] >> 4 == 4 && (b[0] & 15) >= 5) || (b[0] >> 4 == 6 && len >= 40));
}

void
fp_summary(const uint8_t *b, size_t len, char *out, size_t size)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	unsigned proto, off, type = 0;
	bool ports;

	/* a frame: step over Ethernet and VLAN tags; an IP packet begins with its version */
	if (len >= 14) {
		off = 12;
		while (len >= off + 6 && (get16(b + off) == 0x8100 || get16(b + off) == 0x88a8))
			off += 4;
		type = get16(b + off);
		if (type == 0x0800 || type == 0x86dd || type == 0x0806) {
			b += off + 2;
			len -= off + 2;
		} else
			type = 0;
	}
	if (type == 0x0806) {
		snprintf(out, size, "ARP, %zu bytes", len);
		return;
	}
	if (!looks_ip(b, len)) {
		snprintf(out, size, "not IP, %zu bytes", len);
		return;
	}
	if (b[0] >> 4 == 4) {
		inet_ntop(AF_INET, b + 12, src, sizeof(src));
		inet_ntop(AF_INET, b + 16, dst, sizeof(dst));
		proto = b[9];
		off = (b[0] & 15u) * 4;
		ports = (get16(b + 6) & 0x1fff) == 0;
	} else {
		inet_ntop(AF_INET6, b + 8, src, sizeof(src));
		inet_ntop(AF_INET6, b + 24, dst, sizeof(dst));
		proto = b[6];
		off = 40;
		ports = true;
	}
	if (ports && (proto == 6 || proto == 17) && len >= off + 4)
		snprintf(out, size, b[0] >> 4 == 4 ? "%s %s:%u > %s:%u, %zu bytes" : "%s %s[%u] > %s[%u], %zu bytes",
			proto == 6 ? "tcp" : "udp", src, get16(b + off), dst, get16(b + off + 2), len);
	else if (ports && (proto == 1 || proto == 58) && len >= off + 2)
		snprintf(out, size, "%s %s > %s type %u code %u, %zu bytes", proto == 1 ? "icmp" : "icmp6", src, dst, b[off],
			b[off + 1], len);
	else
		snprintf(out, size, "proto %u %s > %s, %zu bytes", proto, src, dst, len);
}
