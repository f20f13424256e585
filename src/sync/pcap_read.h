/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads pcap and pcapng streams: either byte order, micro- and nanoseconds, a file or a pipe (nothing is sought). And
 * finds the IP packet in a frame of the link types that matter here. One reader, one thread.
 */
#ifndef SYNC_PCAP_READ_H
#define SYNC_PCAP_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct sync_pcap;

struct sync_pcap_pkt {
	uint64_t time_ns; /* since 1970 */
	const uint8_t *data; /* until the next call */
	uint32_t len; /* captured */
	uint32_t orig_len; /* on the cable */
	uint16_t linktype;
};

/**
 * Begin to read `in`, which stays the caller's.
 *
 * @return NULL with a sentence in err when it is no capture.
 */
struct sync_pcap *sync_pcap_open(FILE *in, char *err, size_t err_size);

/**
 * The next packet.
 *
 * @return 1; 0 at the end; -1 with a sentence in err when the rest is damaged (a last packet cut short, as well).
 */
int sync_pcap_next(struct sync_pcap *r, struct sync_pcap_pkt *pkt, char *err, size_t err_size);

void sync_pcap_close(struct sync_pcap *r);

enum sync_link { SYNC_LINK_OTHER, SYNC_LINK_IP, SYNC_LINK_PFSYNC, SYNC_LINK_UNKNOWN };

/**
 * What a frame holds: an IP packet (either version) or a bare pfsync packet, from *off on; something else; or a link
 * type that is not known here.
 */
enum sync_link sync_link_find(uint16_t linktype, const uint8_t *p, size_t len, size_t *off);

#endif
