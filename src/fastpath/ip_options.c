/* SPDX-License-Identifier: BSD-2-Clause */
#include "ip_options.h"

#include <stddef.h>
#include <string.h>

#define OPT_EOL 0
#define OPT_NOP 1
#define OPT_RR 7
#define OPT_TS 68
#define OPT_LSRR 131
#define OPT_SSRR 137
#define TS_MIN_LEN 12	/* the BSD stacks want room for one address and time */

static void
checksum(uint8_t *ip, unsigned hlen)
{
	uint32_t sum = 0;

	ip[10] = ip[11] = 0;
	for (unsigned i = 0; i < hlen; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum;
	ip[10] = sum >> 8;
	ip[11] = sum;
}

enum fp_ip_options
fp_ip_options(uint8_t *ip, unsigned hlen, const uint8_t *out_addr, uint32_t ms,
	bool (*is_own)(void *arg, const uint8_t *addr), void *arg, uint8_t *where)
{
	bool changed = false;

	for (unsigned o = 20; o < hlen;) {
		uint8_t *opt = ip + o;
		unsigned len, at;

		if (opt[0] == OPT_EOL)
			break;
		if (opt[0] == OPT_NOP) {
			o++;
			continue;
		}
		if (o + 1 >= hlen) {
			*where = o;
			return FP_IPOPT_PROBLEM;
		}
		len = opt[1];
		if (len < 2 || o + len > hlen) {
			*where = o + 1;
			return FP_IPOPT_PROBLEM;
		}
		switch (opt[0]) {
		case OPT_LSRR:
		case OPT_SSRR:
			return FP_IPOPT_SOURCE_ROUTE;
		case OPT_RR:
			if (len < 3) {
				*where = o + 1;
				return FP_IPOPT_PROBLEM;
			}
			if (opt[2] < 4) {
				*where = o + 2;
				return FP_IPOPT_PROBLEM;
			}
			at = opt[2] - 1u;
			if (at + 4 > len || out_addr == NULL)
				break;
			memcpy(opt + at, out_addr, 4);
			opt[2] += 4;
			changed = true;
			break;
		case OPT_TS: {
			bool addr = (opt[3 < len ? 3 : 0] & 15) != 0;

			*where = o;
			if (len < TS_MIN_LEN || len > 40 || opt[2] < 5)
				return FP_IPOPT_PROBLEM;
			at = opt[2] - 1u;
			if (at + 4 > len) {	/* no room: count it */
				if ((opt[3] & 0xf0) == 0xf0)
					return FP_IPOPT_PROBLEM;
				opt[3] += 0x10;
				changed = true;
				break;
			}
			switch (opt[3] & 15) {
			case 0:
				break;
			case 1:
				if (at + 8 > len)
					return FP_IPOPT_PROBLEM;
				if (out_addr != NULL)
					memcpy(opt + at, out_addr, 4);
				break;
			case 3:
				if (at + 8 > len)
					return FP_IPOPT_PROBLEM;
				if (!is_own(arg, opt + at)) {
					o += len;
					continue;
				}
				break;
			default:
				return FP_IPOPT_PROBLEM;
			}
			if (addr) {
				opt[2] += 4;
				at += 4;
			}
			opt[at] = ms >> 24;
			opt[at + 1] = ms >> 16;
			opt[at + 2] = ms >> 8;
			opt[at + 3] = ms;
			opt[2] += 4;
			changed = true;
			break;
		}
		default:
			break;
		}
		o += len;
	}
	if (changed)
		checksum(ip, hlen);
	return FP_IPOPT_OK;
}
