/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cable: whatever comes in a packet of protocol 240, from the checks to the workers and back. Input: records {what,
 * length hi, length lo, bytes}. what: low 4 bits 0 a payload, 1 a packet of traffic (the fourth byte chooses it), 2 time goes
 * on; 0x10: the header's length is made right first; 0x20: the TTL is wrong.
 */
#include <stdlib.h>
#include <string.h>

#include "fastpath/tcp_track.h"
#include "rig/rig.h"
#include "sync/bytes.h"
#include "sync/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rig *r;

static void
at_end(void)
{
	rig_destroy(r);
}

static void
cable(uint8_t what, const uint8_t *data, size_t len)
{
	uint8_t payload[2000];
	struct sync_thread *t = &((struct sync *)sync_of(r->box))->t;

	if (len > sizeof(payload))
		len = sizeof(payload);
	memcpy(payload, data, len);
	if (what & 0x10 && len >= SYNC_HDR_SIZE)
		sync_put16(payload + 2, (uint16_t)len);
	t->now_us = fp_box_now_us(r->box);
	t->now_sec = (uint32_t)(t->now_us / 1000000);
	t->conf = r->box->conf;
	t->run = sync_run_get(t->s);
	sync_receive(t, r->cable_ifid, FP_AF_INET, (const uint8_t *)"\xa9\xfe\xf0\x09", what & 0x20 ? 254 : 255, payload, len);
	sync_receive_flush(t);
}

static void
traffic(uint8_t which)
{
	uint8_t b[200];
	unsigned n = which & 1 ? rig_udp4(b, "10.0.2.100", "10.0.1.100", 5000 + (which >> 4), 53, 8) :
		rig_tcp4(b, which & 2 ? "10.0.1.100" : "10.0.2.100", which & 2 ? "10.0.2.100" : "10.0.1.100",
		which & 2 ? 80 : 4000, which & 2 ? 4000 : 80, which & 4 ? FP_TH_SYN : FP_TH_ACK, 1000, which & 4 ? 0 : 5000, which & 15);

	rig_ip(r, which & 2 && !(which & 1) ? RIG_EXT : RIG_INT, b, n);
	rig_clear(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned runs;

	if (r == NULL) {
		if ((r = rig_create_n("set timeout interval 1\nset limit states 200\npass\n", 0, true, 200)) == NULL)
			abort();
		atexit(at_end);
	}
	while (size >= 3) {
		size_t len = (size_t)data[1] << 8 | data[2];
		uint8_t what = data[0];

		data += 3;
		size -= 3;
		if (len > size)
			len = size;
		switch (what & 15) {
		case 0:
			cable(what, data, len);
			break;
		case 1:
			if (len > 0)
				traffic(data[0]);
			break;
		case 2:
			rig_skip_us(r, len * 1000);
			break;
		}
		rig_turn(r);
		data += len;
		size -= len;
	}
	for (unsigned i = 0; i < r->n_cable; i++)
		rte_pktmbuf_free(r->cable[i]);
	r->n_cable = 0;
	if (rig_states(r) > 201)	/* both inserters may be at the limit at the same moment */
		abort();
	if (++runs % 16 == 0) {
		fp_states_flush(r->box, NULL);
		for (int i = 0; i < 8; i++)
			rig_turn(r);
		if (rig_states(r) != 0)
			abort();
	}
	return 0;
}
