/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tracking with any peers (a peer box may send us any) and any segments. Input: two peers of 12 bytes, flags, then
 * segments of 16 bytes. Checked: the short path agrees with the full one, states stay within the known ones, a drop
 * never marks its time.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/tcp_track.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD_SIZE (2 * sizeof(struct fp_peer) + 10)
#define SEG_SIZE 16u

static void
must(int ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t states[] = { 0, 2, 4, 7, 9, 10, 11, 12 };
	struct fp_state st = { 0 };

	if (size < HEAD_SIZE)
		return 0;
	memcpy(st.peer, data, sizeof(st.peer));
	data += sizeof(st.peer);
	st.peer[0].state = states[st.peer[0].state & 7];
	st.peer[1].state = states[st.peer[1].state & 7];
	st.flags = data[0] & 1 ? FP_SF_SEQDIFF | FP_SF_SLOW : 0;
	memcpy(st.seqdiff, data + 2, sizeof(st.seqdiff));
	data += 10;
	size -= HEAD_SIZE;
	for (uint32_t now = 1; size >= SEG_SIZE; now++, data += SEG_SIZE, size -= SEG_SIZE) {
		struct fp_tcp_seg seg = { .flags = data[12], .wscale = data[13] ? FP_WSCALE_SET | data[13] % 15 : 0 };
		struct fp_state before = st, fast = st, sloppy = st;
		struct fp_track_out out;
		int rev = data[14] & 1;
		enum fp_verdict v;
		bool ok;

		memcpy(&seg.seq, data, 4);
		memcpy(&seg.ack, data + 4, 4);
		memcpy(&seg.win, data + 8, 2);
		seg.len = (uint32_t)data[10] << 8 | data[11];
		fp_tcp_track_sloppy(&sloppy, rev, &seg, now, &out);
		must(memcmp(&sloppy.peer[0].seqlo, &before.peer[0].seqlo, 4) == 0);
		ok = fp_tcp_track_fast(&fast, rev, seg.seq, seg.ack, seg.win, seg.flags, seg.len, now);
		v = fp_tcp_track(&st, rev, &seg, now, 12345, &out);
		if (ok)
			must(v == FP_V_PASS && memcmp(&fast, &st, sizeof(st)) == 0);
		else
			must(memcmp(&fast, &before, sizeof(fast)) == 0);
		must(v == FP_V_PASS || (st.last_sec == before.last_sec && st.timeout == before.timeout));
		must(st.peer[0].state >= before.peer[0].state || before.peer[0].state > FP_TCPS_TIME_WAIT || (seg.flags & FP_TH_RST));
		must(st.timeout < 6);
		fp_tcp_quote_ok(&st, rev, fp_tcp_quote_seq(&st, rev, seg.seq));
	}
	return 0;
}
