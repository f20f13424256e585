/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of `log` rules as a pcap file of type DLT_PFLOG, which tcpdump prints with rule, action, direction and interface
 * (tcpdump -n -e -ttt -r FILE). fp_pflog_open() of fastpath.h opens and closes it for a box; here is the file alone, which
 * needs no box. Thread: main.
 */
#ifndef FP_PFLOG_H
#define FP_PFLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

struct fp_box;
struct fp_err;
struct fp_pflog_file;

/* What the record says of the packet beside its bytes. */
struct fp_pflog_meta {
	uint8_t af;		/* FP_AF_* */
	uint8_t dir;		/* 0 in, 1 out */
	bool blocked;
	uint8_t reason;		/* enum fp_reason: pf's numbers */
	const char *ifname;
	const char *anchor;	/* "" or NULL: main rule set */
	uint32_t rule_nr;	/* in the main rule set (the anchor's line) */
	uint32_t subrule_nr;	/* inside the anchor */
};

/*
 * Open for appending: a file that is there must be a DLT_PFLOG file of this byte order; a record cut short at its end is
 * cut off. Devices and FIFOs are written to as they are. NULL with *err and errno set; EINVAL: it is no pflog file.
 */
struct fp_pflog_file *fp_pflog_file_open(const char *path, uint32_t snaplen, struct fp_err *err);
/* Write what is buffered and close. NULL is fine. */
void fp_pflog_file_close(struct fp_pflog_file *f);
/* data: packet from the IP header on, caplen bytes of len. Buffered; at most snaplen bytes of it are kept. */
void fp_pflog_file_add(struct fp_pflog_file *f, const struct fp_pflog_meta *meta, const uint8_t *data, uint32_t caplen, uint32_t len,
	const struct timeval *tv);
/*
 * Write the buffer. 0, or the errno that keeps it from the file: then a file keeps its whole records only and those of the
 * buffer are lost (counted); a FIFO gets the rest later.
 */
int fp_pflog_file_flush(struct fp_pflog_file *f);
/* Records given to the kernel, and lost. */
void fp_pflog_file_counts(const struct fp_pflog_file *f, uint64_t *written, uint64_t *lost);

/* Box: after a round of fp_pflog_punted(). Counts, and says once when records are lost and once when they no longer are. */
void fp_pflog_flush(struct fp_box *box);

#endif
