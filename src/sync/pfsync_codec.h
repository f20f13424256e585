/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Codec of pfsync: bytes to neutral structures and back. Pure C: no EAL, no allocation, no state of its own; any thread.
 * A buffer may lie at any alignment. Nothing is read before its length is known to be there.
 *
 * Reading:
 *
 *	struct sync_frame f;
 *	struct sync_msg m;
 *
 *	if (sync_frame_open(&f, payload, len, SYNC_ACCEPT_6) != SYNC_CNT_NONE) ... count and drop
 *	while (sync_frame_next(&f, &m))
 *		if (!m.skipped)
 *			switch (m.kind) ... sync_state_decode(&st, m.body, m.dialect) ...
 *	if (f.err != SYNC_CNT_NONE) ... count; what was handed out before stays valid
 *
 * Writing: sync_out_init(), any number of sync_out_*(), each false when the frame is full, then sync_out_close().
 *
 * Each of the four dialects numbers some things its own way: address families, route options, timeouts, flags. Decoders
 * turn families and route options into neutral numbers, encoders back; everything else is kept as it came, pads too, so
 * that decoding and encoding in the same dialect gives the same bytes. sync_state_convert() makes a state that came in
 * one dialect fit to be sent in another.
 */
#ifndef SYNC_PFSYNC_CODEC_H
#define SYNC_PFSYNC_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/pfsync_wire.h"

/* pf's counters of pfsync, by pf's names. */
#define SYNC_COUNTERS(X) \
	X(ipackets) X(ipackets6) X(badif) X(badttl) X(hdrops) X(badver) X(badact) X(badlen) X(badauth) X(stale) \
	X(badval) X(badstate) X(opackets) X(opackets6) X(onomem) X(oerrors)

enum sync_counter {
	SYNC_CNT_NONE, /* nothing to count */
	SYNC_CNT_SILENT, /* dropped, and pf counts nothing */
#define X(name) SYNC_CNT_##name,
	SYNC_COUNTERS(X)
#undef X
	SYNC_CNT_MAX
};

/* Name of a counter as pf prints it. */
const char *sync_counter_name(enum sync_counter c);

/* Which record a state travels in. The last two are only read. */
enum sync_dialect {
	SYNC_6, /* OpenBSD */
	SYNC_1301, /* FreeBSD, all of version 5 */
	SYNC_1400,
	SYNC_1500,
	SYNC_OB5, /* OpenBSD 4.5 and later until version 6: a version 5 of 240 bytes */
	SYNC_LEGACY, /* versions 2 to 4 */
};

enum sync_kind {
	SYNC_CLR,
	SYNC_INS,
	SYNC_INS_ACK,
	SYNC_UPD,
	SYNC_UPD_C,
	SYNC_UPD_REQ,
	SYNC_DEL,
	SYNC_DEL_C,
	SYNC_INS_F,
	SYNC_DEL_F,
	SYNC_BUS,
	SYNC_TDB,
	SYNC_EOF,
	SYNC_UNKNOWN,
};

/* ins, upd_c, ...: the words of pfsyncdump's output. */
const char *sync_kind_name(enum sync_kind k);

/* Neutral numbers. What the dialect does not know keeps its raw byte above this bit. */
#define SYNC_RAW 0x100u
#define SYNC_AF_NONE 0
#define SYNC_AF_INET 4
#define SYNC_AF_INET6 6

enum { SYNC_RT_NONE, SYNC_RT_FASTROUTE, SYNC_RT_ROUTE_TO, SYNC_RT_DUP_TO, SYNC_RT_REPLY_TO };

/* One endpoint of a state. Sequence numbers as pf has them. */
struct sync_peer {
	uint16_t scrub_flags; /* 1: timestamps are modulated */
	uint8_t scrub_ttl;
	uint8_t scrub_valid; /* 1: the scrub fields and ts_mod mean something */
	uint32_t ts_mod;
	uint32_t seqlo, seqhi, seqdiff;
	uint16_t max_win; /* before shifting */
	uint16_t mss;
	uint8_t state;
	uint8_t wscale; /* 0x80 seen, low 4 bits shift */
	uint8_t pad[6];
};

/* Index 0 is the source of a packet that enters the box through this side, 1 its destination. */
struct sync_key {
	uint8_t addr[2][16]; /* IPv4 in the first 4 bytes */
	uint16_t port[2]; /* host order */
	uint16_t rdomain; /* SYNC_6 */
	uint16_t af; /* SYNC_AF_*; SYNC_AF_NONE: that of the state */
	uint8_t pad;
};

enum { SYNC_WIRE, SYNC_STACK };

/* A state, every number in host order. Fields a dialect lacks are 0 after decoding (rtableid: -1) and not encoded. */
struct sync_state {
	uint64_t id; /* with creatorid the name of the state, as it prints */
	uint32_t creatorid;
	char ifname[16]; /* NUL padded, perhaps not terminated */
	struct sync_key key[2]; /* SYNC_WIRE, SYNC_STACK */
	struct sync_peer peer[2]; /* 0 the endpoint that sent the first packet */
	uint8_t rt_addr[16];
	uint32_t rule, anchor, nat_rule; /* SYNC_NO_RULE: none */
	uint32_t creation_sec; /* age */
	uint32_t expire_sec; /* time left */
	uint64_t packets[2], bytes[2]; /* 0 as the first packet, 1 against it */
	int32_t rtableid[2]; /* FreeBSD uses the first */
	uint16_t max_mss;
	uint16_t af; /* of the wire side */
	uint16_t rt; /* SYNC_RT_* */
	uint16_t rt_af; /* SYNC_1500 */
	uint16_t state_flags; /* SYNC_F_* */
	uint16_t qid, pqid, dnpipe, dnrpipe; /* FreeBSD */
	uint8_t proto, stack_proto;
	uint8_t direction; /* SYNC_DIR_* */
	uint8_t log;
	uint8_t timeout; /* index; the same numbers everywhere, FreeBSD 14 adds 20..24 */
	uint8_t sync_flags;
	uint8_t updates;
	uint8_t min_ttl, set_tos, set_prio[2];
	uint8_t spare[3];
	char tagname[64]; /* SYNC_1500 */
	char rt_ifname[16]; /* SYNC_1400, SYNC_1500 */
	char orig_ifname[16]; /* SYNC_1500 */
};

struct sync_clr {
	char ifname[16]; /* empty: any */
	uint32_t creatorid;
};

/* INS_ACK, UPD_REQ (both 0: everything), DEL_C. */
struct sync_ident {
	uint64_t id;
	uint32_t creatorid;
};

struct sync_upd_c {
	uint64_t id;
	uint32_t creatorid;
	struct sync_peer peer[2];
	uint32_t expire_sec; /* sent 0 */
	uint8_t timeout;
	uint8_t state_flags; /* SYNC_6: the low 8 bits */
	uint8_t pad[2];
};

struct sync_bus {
	uint32_t creatorid;
	uint32_t endtime_sec;
	uint8_t status; /* SYNC_BUS_* */
	uint8_t pad[3];
};

/* An IPsec replay counter. */
struct sync_tdb {
	uint32_t spi;
	uint8_t dst[28]; /* a BSD sockaddr as it came */
	uint64_t replay;
	uint64_t bytes;
	uint8_t proto;
	uint8_t updates;
	uint16_t rdomain; /* SYNC_6; otherwise the pad */
};

/**
 * Bytes of a state record, 0 for a dialect that is not one record size.
 */
size_t sync_state_size(enum sync_dialect d);

/**
 * Decode the record at p, sync_state_size(d) bytes that the caller has checked to be there. Cannot fail: whether the
 * values make sense is sync_state_check().
 */
void sync_state_decode(struct sync_state *s, const uint8_t *p, enum sync_dialect d);

/**
 * Encode for one of SYNC_6 .. SYNC_1500 at p, which has room for sync_state_size(d) bytes; every one is written.
 * A state of another dialect goes through sync_state_convert() first.
 */
void sync_state_encode(const struct sync_state *s, uint8_t *p, enum sync_dialect d);

/**
 * What a receiver asks of a record's values (INS, UPD; others have none to check).
 *
 * @return SYNC_CNT_NONE when good; otherwise skip this record and count that. A family the box cannot know is badval.
 */
enum sync_counter sync_state_check(const struct sync_state *s, enum sync_kind k, enum sync_dialect d);
enum sync_counter sync_upd_c_check(const struct sync_upd_c *u, enum sync_dialect d);

/* First timeout index that is no timeout. */
unsigned sync_timeout_max(enum sync_dialect d);
/* Name of a timeout ("tcp.established"), or NULL. */
const char *sync_timeout_name(unsigned index);
/* Bits of state_flags that the systems speaking d know and may be told. */
unsigned sync_flags_known(enum sync_dialect d);

/* Family of one side: its own if it has one, the state's otherwise. */
unsigned sync_key_af(const struct sync_state *s, unsigned side);

/**
 * Make a state decoded as `from` fit for `to`: flags that `to` has, ICMP keys, routing tables, per-key families; what is
 * local to the sender (queues, dummynet, rule numbers' checksum, pads) is cleared.
 *
 * @return 0; -ENOTSUP when `to` cannot carry it (NAT64 in 1301 and 1400, SCTP timeouts in 6 and 1301, an
 *         interface name without its end).
 */
int sync_state_convert(struct sync_state *s, enum sync_dialect from, enum sync_dialect to);

/* The small messages; p has the size of the message in that dialect. */
void sync_clr_decode(struct sync_clr *m, const uint8_t *p);
void sync_clr_encode(const struct sync_clr *m, uint8_t *p);
void sync_ident_decode(struct sync_ident *m, const uint8_t *p);
void sync_ident_encode(const struct sync_ident *m, uint8_t *p);
void sync_upd_c_decode(struct sync_upd_c *m, const uint8_t *p);
void sync_upd_c_encode(const struct sync_upd_c *m, uint8_t *p);
void sync_bus_decode(struct sync_bus *m, const uint8_t *p);
void sync_bus_encode(const struct sync_bus *m, uint8_t *p);
void sync_tdb_decode(struct sync_tdb *m, const uint8_t *p, enum sync_dialect d);
void sync_tdb_encode(const struct sync_tdb *m, uint8_t *p, enum sync_dialect d);

/* Which versions sync_frame_open() takes. */
#define SYNC_ACCEPT_6 (1u << 6)
#define SYNC_ACCEPT_5 (1u << 5)
#define SYNC_ACCEPT_LEGACY (1u << 2 | 1u << 3 | 1u << 4) /* to print, never to apply */
#define SYNC_ACCEPT_ALL (SYNC_ACCEPT_6 | SYNC_ACCEPT_5 | SYNC_ACCEPT_LEGACY)

/* One message of a frame. Borrowed from the frame's buffer. */
struct sync_msg {
	enum sync_kind kind;
	enum sync_dialect dialect; /* of a state record; else the first that has this version */
	bool skipped; /* a receiver passes over it: deprecated, unknown or too short; once for all `count` */
	uint8_t version;
	uint8_t action;
	uint16_t index, count; /* within its subheader */
	uint16_t size; /* bytes at body */
	const uint8_t *body;
};

/* A frame being read. Fields for the reader: version, af, cksum, err. */
struct sync_frame {
	const uint8_t *p, *end; /* rest */
	const uint8_t *cksum; /* 16 bytes; NULL in version 2 */
	enum sync_counter err; /* why reading ended early */
	uint8_t version;
	uint8_t legacy_af; /* versions 2 to 4: the header's, raw */
	bool ob5; /* version 5 with OpenBSD's records of 240 bytes */
	bool eof; /* EOF subheader seen */
	/* current subheader */
	uint8_t action;
	uint16_t index, count, size;
	enum sync_kind kind;
	enum sync_dialect dialect;
};

/**
 * The checks of the packet around a frame, those before its header: interface, then TTL.
 *
 * @param on_syncdev  It came in on the interface of pfsync.
 * @param ttl         TTL or hop limit.
 */
enum sync_counter sync_carrier_check(bool on_syncdev, unsigned ttl);

/**
 * Begin to read the payload of an IP packet of protocol 240.
 *
 * @param accept  SYNC_ACCEPT_* of the versions that are spoken here.
 * @return SYNC_CNT_NONE, or why the packet is refused: hdrops, badver, badlen, badact.
 */
enum sync_counter sync_frame_open(struct sync_frame *f, const void *payload, size_t len, unsigned accept);

/**
 * The next message. False at the end, and after an error, which is then in f->err (badact, badlen).
 */
bool sync_frame_next(struct sync_frame *f, struct sync_msg *m);

/* pfsync_legacy.c: the same for versions 2 to 4, called by the two above. */
enum sync_counter sync_legacy_open(struct sync_frame *f, const uint8_t *payload, size_t len);
bool sync_legacy_next(struct sync_frame *f, struct sync_msg *m);
void sync_legacy_state_decode(struct sync_state *s, const struct sync_msg *m);
void sync_legacy_clr_decode(struct sync_clr *c, const struct sync_msg *m);
void sync_legacy_ident_decode(struct sync_ident *i, const struct sync_msg *m);
void sync_legacy_upd_c_decode(struct sync_upd_c *u, const struct sync_msg *m);
void sync_legacy_bus_decode(struct sync_bus *b, const struct sync_msg *m);

/* A frame being written. Filled by sync_out_*() only. */
struct sync_out {
	uint8_t *buf;
	size_t size, len;
	size_t sub; /* of the open subheader, 0 none */
	uint16_t count;
	uint8_t action;
	enum sync_dialect dialect;
	bool single; /* one state a subheader: what FreeBSD 14 needs of 1301 */
};

/**
 * Begin a frame in buf.
 *
 * @param size   Room for the pfsync part: at most MTU less IP header; at least SYNC_HDR_SIZE + SYNC_SUB_SIZE.
 * @param cksum  16 bytes for version 5, or NULL: zeros.
 */
void sync_out_init(struct sync_out *o, void *buf, size_t size, enum sync_dialect d, const uint8_t *cksum);
/* Let the next message open a subheader of its own. */
void sync_out_break(struct sync_out *o);
/* Room for one INS, UPD, DEL or UPD_C, which the caller fills whole; NULL: none, or the dialect has no such message. */
uint8_t *sync_out_room(struct sync_out *o, enum sync_kind k);
/* Add one message; false and nothing written when there is no room, or the dialect has no such message. */
bool sync_out_state(struct sync_out *o, enum sync_kind k, const struct sync_state *s);
bool sync_out_ident(struct sync_out *o, enum sync_kind k, const struct sync_ident *m);
bool sync_out_clr(struct sync_out *o, const struct sync_clr *m);
bool sync_out_upd_c(struct sync_out *o, const struct sync_upd_c *m);
bool sync_out_bus(struct sync_out *o, const struct sync_bus *m);
bool sync_out_tdb(struct sync_out *o, const struct sync_tdb *m);
/* Finish: bytes of the frame; 0 when it has no message. */
size_t sync_out_close(struct sync_out *o);

/* pfsync_state.c, for the other files of the codec. */
void sync_peer_decode(struct sync_peer *q, const uint8_t *p);
void sync_peer_encode(const struct sync_peer *q, uint8_t *p);

#endif
