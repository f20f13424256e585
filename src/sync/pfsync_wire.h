/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pfsync on the wire: numbers and sizes, nothing else. The layouts themselves are the lists in pfsync_state.c,
 * pfsync_msg.c and pfsync_legacy.c, each read by both its encoder and its decoder.
 *
 *	IP, protocol 240, TTL 255
 *	+---------+-----+-----------+----------------+
 *	| version | pad | len (BE)  | pfcksum 16     |	header, 20 bytes
 *	+--------+----------------+------------------+
 *	| action | v6: words each | count (BE)       |	subheader, 4 bytes
 *	+--------+----------------+------------------+
 *	| count messages, back to back               |	next subheader follows
 *	+--------------------------------------------+
 *
 * Version 6 messages say their own size, version 5 ones do not and end with an EOF subheader. Versions 1 to 4 have
 * one action a packet and no length.
 *
 * Source: OpenBSD if_pfsync.h 1.63 and pfvar.h 1.542 (version 6); FreeBSD 12 to 15 if_pfsync.h, pfvar.h (version 5).
 */
#ifndef SYNC_PFSYNC_WIRE_H
#define SYNC_PFSYNC_WIRE_H

#define SYNC_IPPROTO 240
#define SYNC_TTL 255

#define SYNC_HDR_SIZE 20u
#define SYNC_SUB_SIZE 4u
#define SYNC_CKSUM_SIZE 16u

/* Bytes of one message. */
#define SYNC_CLR_SIZE 20u
#define SYNC_IDENT_SIZE 12u /* INS_ACK, UPD_REQ, DEL_C */
#define SYNC_UPDC_SIZE 84u
#define SYNC_BUS_SIZE 12u
#define SYNC_TDB6_SIZE 52u
#define SYNC_TDB5_SIZE 48u
#define SYNC_STATE6_SIZE 264u
#define SYNC_STATE1301_SIZE 242u
#define SYNC_STATE1400_SIZE 277u
#define SYNC_STATE1500_SIZE 360u
#define SYNC_STATE_SIZE_MAX SYNC_STATE1500_SIZE
#define SYNC_PEER_SIZE 32u

/* Versions 2 to 4. */
#define SYNC_LEGACY_HDR_SIZE 4u /* version 2; 3 and 4 add the 16 bytes of a checksum */
#define SYNC_LEGACY_STATE2_SIZE 224u
#define SYNC_LEGACY_STATE_SIZE 240u
#define SYNC_LEGACY_STATE_DFLY_SIZE 242u
#define SYNC_LEGACY_CLR_SIZE 24u
#define SYNC_LEGACY_UPDC_SIZE 88u
#define SYNC_LEGACY_IDENT_SIZE 16u
#define SYNC_LEGACY_BUS_SIZE 16u

/* Actions. Where 5 and 6 differ the name says which. */
enum {
	SYNC_ACT_CLR = 0,
	SYNC_ACT5_INS_1301 = 1,
	SYNC_ACT_INS_ACK = 2,
	SYNC_ACT5_UPD_1301 = 3,
	SYNC_ACT_UPD_C = 4,
	SYNC_ACT_UPD_REQ = 5,
	SYNC_ACT_DEL = 6,
	SYNC_ACT_DEL_C = 7,
	SYNC_ACT_INS_F = 8,
	SYNC_ACT_DEL_F = 9,
	SYNC_ACT_BUS = 10,
	SYNC_ACT5_TDB = 11,
	SYNC_ACT_EOF = 12,
	SYNC_ACT6_INS = 13,
	SYNC_ACT6_UPD = 14,
	SYNC_ACT6_TDB = 15,
	SYNC_ACT5_INS_1400 = 13,
	SYNC_ACT5_UPD_1400 = 14,
	SYNC_ACT5_INS_1500 = 15,
	SYNC_ACT5_UPD_1500 = 16,
};

/* state_flags; the numbers are the same wherever a system has the bit. */
#define SYNC_F_ALLOWOPTS 0x0001u
#define SYNC_F_SLOPPY 0x0002u
#define SYNC_F_PFLOW 0x0004u /* OpenBSD */
#define SYNC_F_NOSYNC 0x0008u
#define SYNC_F_ACK 0x0010u /* the sender holds the first packet until INS_ACK */
#define SYNC_F_NODF 0x0020u
#define SYNC_F_SETTOS 0x0040u
#define SYNC_F_RANDOMID 0x0080u
#define SYNC_F_SCRUB_TCP 0x0100u
#define SYNC_F_SETPRIO 0x0200u
#define SYNC_F_INP_UNLINKED 0x0400u /* OpenBSD, means nothing to another box */
#define SYNC_F_DN_PIPE 0x4000u /* FreeBSD */
#define SYNC_F_DN_QUEUE 0x8000u /* FreeBSD */

#define SYNC_SF_SRC_NODE 0x04u /* sync_flags */
#define SYNC_SF_NAT_SRC_NODE 0x08u

#define SYNC_BUS_START 1
#define SYNC_BUS_END 2

#define SYNC_DIR_IN 1
#define SYNC_DIR_OUT 2

#define SYNC_PEER_STATE_MAX 12 /* PROXY_DST */
#define SYNC_NO_RULE 0xffffffffu

#endif
