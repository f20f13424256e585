/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that reads or edits raw TCP and ICMP headers: flag sanity, options, MSS, modulation, timestamps, ICMP keys.
 *
 * Input: 20 bytes of choices, then the header. Checked: no access outside the header (it stands in a block of just its
 * size), and no edit moves the sum over header and checksum.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/icmp_map.h"
#include "fastpath/tcp_norm.h"
#include "fastpath/tcp_scrub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHOICES 20u

static uint32_t
sum(const uint8_t *th, unsigned hlen)
{
	uint32_t s = 0;

	for (unsigned i = 0; i < hlen; i += 2)
		s += (uint32_t)th[i] << 8 | th[i + 1];
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s == 0xffff ? 0 : s; /* both are zero */
}

static void
must(int ok)
{
	if (!ok)
		abort();
}

static void
icmp(const uint8_t *data, size_t size)
{
	struct fp_icmp_map map;

	for (uint8_t af = FP_AF_INET; af <= FP_AF_INET6; af += FP_AF_INET6 - FP_AF_INET)
		if (fp_icmp_map(&map, af, data, (uint32_t)size))
			must(map.error == fp_icmp_is_error(af, data[0]) && !(map.error && (map.sport_be | map.dport_be)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fp_track_out out = { .modulate = 1 };
	struct fp_scrub side[2] = { 0 };
	struct fp_scrub_pkt pkt;
	struct fp_tcp_seg seg;
	struct fp_state st = { 0 };
	unsigned hlen;
	uint32_t before;
	uint64_t now_us;
	uint8_t *th;

	icmp(data, size);
	if (size < CHOICES + FP_TCP_HLEN_MIN)
		return 0;
	hlen = (unsigned)(size - CHOICES) / 4 * 4;
	if (hlen > FP_TCP_HLEN_MAX)
		hlen = FP_TCP_HLEN_MAX;
	if ((th = malloc(hlen)) == NULL)
		return 0;
	memcpy(th, data + CHOICES, hlen);
	th[12] = (uint8_t)((th[12] & 0x0f) | hlen << 2);
	before = sum(th, hlen);

	if (fp_tcp_normalize(th) != FP_TCP_NORM_DROP) {
		must(!(th[12] & 0x0f));
		must(fp_tcp_normalize(th) == FP_TCP_NORM_OK);
	}
	must(sum(th, hlen) == before);
	fp_tcp_seg_read(&seg, th, hlen, data[0]);
	must((seg.wscale & FP_WSCALE_MASK) <= 14);

	memcpy(&out.new_seq, data + 1, 4);
	memcpy(&out.new_ack, data + 5, 4);
	memcpy(&out.sack_delta, data + 9, 4);
	fp_tcp_write_modulated(th, hlen, &out);
	must(sum(th, hlen) == before && fp_get32(th + 4) == out.new_seq && fp_get32(th + 8) == out.new_ack);

	fp_tcp_clamp_mss(th, hlen, fp_get16(data + 13));
	must(sum(th, hlen) == before);
	must(fp_tcp_mss(th, hlen) <= fp_get16(data + 13) || fp_tcp_mss(th, hlen) == FP_TCP_MSS_DEFAULT);

	st.peer[0].state = data[15] & 1 ? FP_TCPS_ESTABLISHED : FP_TCPS_SYN_SENT;
	st.peer[1].state = data[15] & 2 ? FP_TCPS_ESTABLISHED : FP_TCPS_SYN_SENT;
	now_us = 1 + (uint64_t)fp_get16(data + 16) * 1000000;
	pkt = (struct fp_scrub_pkt){ .th = th, .hlen = hlen, .len = data[0], .ttl = data[18] };
	fp_scrub_init(&side[0], &pkt, fp_get32(data + 1), now_us);
	fp_scrub_init(&side[1], &pkt, fp_get32(data + 5), now_us);
	for (unsigned i = 0; i < 8; i++) {
		now_us += (uint64_t)data[i] * data[19] * 1000000;
		pkt.ttl = data[18] ^ data[i];
		fp_scrub_packet(side, &st, data[19] >> i & 1, &pkt, now_us, (uint32_t)(now_us / 1000000), data[17]);
		must(sum(th, hlen) == before);
	}
	free(th);
	return 0;
}
