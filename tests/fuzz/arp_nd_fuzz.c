/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ARP and neighbour discovery from bytes: first byte even ARP, odd ND; the rest the packet. What is taken must be what the
 * builders make of it again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/arp_nd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t out[FP_ND_LEN];
	struct fp_arp a;
	struct fp_nd nd, again;
	size_t len;

	if (size < 1)
		return 0;
	if ((data[0] & 1) == 0) {
		if (!fp_arp_parse(&a, data + 1, size - 1))
			return 0;
		check((a.sha[0] & 1) == 0);
		fp_arp_build(out, &a);
		check(memcmp(out, data + 1, FP_ARP_LEN) == 0);
		return 0;
	}
	if (!fp_nd_parse(&nd, data + 1, size - 1) || (nd.type != FP_ND_NS && nd.type != FP_ND_NA))
		return 0;
	check(data[1 + 7] == 255 && nd.target[0] != 0xff);
	len = fp_nd_build(out, &nd);
	check(fp_nd_parse(&again, out, len));
	check(memcmp(&nd, &again, sizeof(nd)) == 0);
	return 0;
}
