/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The payload of a pfsync packet of any version, and of a CARP packet. Checked: no message reaches beyond the packet, the
 * number of messages is bounded by its size, every record encodes to the bytes it came from, a receiver that takes no
 * legacy versions never sees one, and the printer gets through.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync/carp_codec.h"
#include "sync/pfsync_codec.h"
#include "sync/pfsyncdump_print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINK_PFSYNC 246

static void
must(int ok)
{
	if (!ok)
		abort();
}

static void
state(const struct sync_msg *m)
{
	uint8_t again[SYNC_STATE_SIZE_MAX];
	struct sync_state s;

	if (m->dialect == SYNC_LEGACY) {
		sync_legacy_state_decode(&s, m);
		return;
	}
	sync_state_decode(&s, m->body, m->dialect);
	if (m->dialect == SYNC_OB5)
		return;
	sync_state_encode(&s, again, m->dialect);
	must(memcmp(again, m->body, sync_state_size(m->dialect)) == 0);
	for (enum sync_dialect to = SYNC_6; to <= SYNC_1500; to++) {
		struct sync_state t = s;

		if (sync_state_check(&s, SYNC_INS, m->dialect) == SYNC_CNT_NONE && sync_state_convert(&t, m->dialect, to) == 0) {
			sync_state_encode(&t, again, to);
			sync_state_decode(&t, again, to);
			must(sync_state_check(&t, SYNC_INS, to) == SYNC_CNT_NONE);
		}
	}
}

static void
frame(const uint8_t *data, size_t size, unsigned accept)
{
	uint8_t again[SYNC_UPDC_SIZE];
	struct sync_upd_c u;
	struct sync_frame f;
	struct sync_msg m;
	size_t n = 0;

	if (sync_frame_open(&f, data, size, accept) != SYNC_CNT_NONE)
		return;
	while (sync_frame_next(&f, &m)) {
		must(++n <= size / 4 + 255);
		must(accept & 1u << m.version);
		must(m.body >= data && m.body + m.size <= data + size);
		if (m.skipped)
			continue;
		if (m.kind == SYNC_INS || m.kind == SYNC_UPD || m.kind == SYNC_DEL)
			state(&m);
		else if (m.kind == SYNC_UPD_C && m.version >= 5) {
			sync_upd_c_decode(&u, m.body);
			sync_upd_c_encode(&u, again);
			must(memcmp(again, m.body, sizeof(again)) == 0);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sync_pcap_pkt pkt = { .data = data, .len = (uint32_t)size, .orig_len = (uint32_t)size, .linktype = LINK_PFSYNC };
	struct sync_dump d = { .json = true };
	uint8_t again[SYNC_CARP_SIZE];
	struct sync_carp c;

	frame(data, size, SYNC_ACCEPT_6 | SYNC_ACCEPT_5);
	frame(data, size, SYNC_ACCEPT_ALL);
	if (sync_carp_decode(&c, data, size) == SYNC_CARP_OK) {
		sync_carp_encode(&c, again);
		/* one's complement has two zeros */
		must(memcmp(again, data, 6) == 0 && memcmp(again + 8, data + 8, sizeof(again) - 8) == 0);
	}
	if ((d.out = fopen("/dev/null", "w")) == NULL)
		return 0;
	sync_dump_packet(&d, &pkt);
	d.json = false;
	d.verbose = true;
	sync_dump_packet(&d, &pkt);
	fclose(d.out);
	return 0;
}
