/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole packets through the whole worker. Input: records {side, length hi, length lo, bytes}; side 2 moves the clock.
 * Frames are given Ethernet headers that the box accepts unless the first byte's upper bit asks for the raw frame.
 */
#include <stdlib.h>
#include <string.h>

#include "rig/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules[] =
	"set timeout interval 1\nset limit { states 200, frags 64 }\n"
	"match in on int0 scrub (no-df random-id reassemble tcp max-mss 1000)\n"
	"block return\npass in on int0 keep state (max-src-states 50)\npass out\n"
	"pass in on ext0 proto tcp to port 80 synproxy state\npass in on ext0 proto tcp to port 81 modulate state\n"
	"pass in on ext0 proto { icmp icmp6 gre } allow-opts\npass in on ext0 proto udp to port 53 keep state (sloppy)\n";

static struct rig *r;

/* What DPDK's memory points to looks like a leak to those who cannot see into it. */
static void
at_end(void)
{
	rig_destroy(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned runs;

	if (r == NULL) {
		if ((r = rig_create(rules)) == NULL)
			abort();
		atexit(at_end);
	}
	while (size >= 3) {
		uint8_t side = data[0] & 0x0f, raw = data[0] & 0x80;
		size_t len = (size_t)data[1] << 8 | data[2];

		data += 3;
		size -= 3;
		if (side == 2) {
			rig_skip_us(r, len * 10000);
			continue;
		}
		if (len > size)
			len = size;
		if (len > 9000)
			len = 9000;
		if (raw)
			rig_frame(r, side & 1, data, len);
		else if (len > 0)
			rig_ip(r, side & 1, data, len);
		data += len;
		size -= len;
	}
	rig_clear(r);
	rig_poll(r);
	if (++runs % 64 == 0)
		fp_states_flush(r->box, NULL);
	return 0;
}
