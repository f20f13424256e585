/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints what one captured packet says of pfsync and CARP: a line a message, with every field, or as JSON. Used by
 * pfsyncdump and its tests; one thread.
 */
#ifndef SYNC_PFSYNCDUMP_PRINT_H
#define SYNC_PFSYNCDUMP_PRINT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sync/pcap_read.h"

struct sync_dump {
	/* set by the caller */
	FILE *out;
	bool json; /* one object a message */
	bool verbose; /* every field, on lines of their own */
	/* counted here */
	uint64_t packets; /* read */
	uint64_t messages; /* printed, invalid ones too */
	uint64_t invalid;
	uint64_t vrrp; /* packets of CARP's protocol that are VRRP, not printed */
	unsigned unknown_link; /* 1 + a link type that is not known and was passed over */
	/* of the packet being printed */
	uint64_t time_ns;
	char src[48], dst[48]; /* empty: the capture has none */
	int ttl; /* -1: none */
	bool first; /* no comma yet */
};

/* Print the messages of one packet; what is neither pfsync nor CARP prints nothing. */
void sync_dump_packet(struct sync_dump *d, const struct sync_pcap_pkt *pkt);

#endif
