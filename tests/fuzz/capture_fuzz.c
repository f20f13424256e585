/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole capture, pcap or pcapng, through reader, link layer, IP and printer of pfsyncdump. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "sync/pcap_read.h"
#include "sync/pfsyncdump_print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sync_dump d = { .verbose = true };
	struct sync_pcap_pkt pkt;
	struct sync_pcap *r;
	char err[160];
	FILE *in;

	if (size == 0 || (in = fmemopen((void *)(uintptr_t)data, size, "r")) == NULL)
		return 0;
	d.out = fopen("/dev/null", "w");
	if (d.out != NULL && (r = sync_pcap_open(in, err, sizeof(err))) != NULL) {
		while (sync_pcap_next(r, &pkt, err, sizeof(err)) > 0) {
			uint8_t *exact = malloc(pkt.len ? pkt.len : 1); /* a sanitizer sees one byte too many */

			if (exact == NULL)
				abort();
			for (uint32_t i = 0; i < pkt.len; i++)
				exact[i] = pkt.data[i];
			pkt.data = exact;
			sync_dump_packet(&d, &pkt);
			free(exact);
		}
		sync_pcap_close(r);
	}
	if (d.out != NULL)
		fclose(d.out);
	fclose(in);
	return 0;
}
