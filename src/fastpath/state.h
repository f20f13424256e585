/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state record: one connection, one or two pf states.
 *
 * pf makes two states of a forwarded connection: one by the inbound rules (the IN half), one by the outbound rules (the
 * OUT half), with mirrored keys. Both see the same packets, so as long as both exist and agree they share one record:
 * one lookup, one tracking, one set of counters ("coupled"). The moment something happens to one half alone (a packet
 * passed in dies of its TTL or of the outbound rules, one half is modulated or proxied, killed or expired), the record
 * is uncoupled: each half gets a record of its own (fp_state_uncouple() in table.h) and the packet is tracked twice, as
 * in pf. What is listed, limited, counted and sent by pfsync is always halves.
 *
 * Keys. The canonical key orders the two endpoints (lo, hi) so that both directions hash and compare alike; FP_SF_SRC_HI
 * tells which of them sent the packet that created the state. Without translation the wire and the stack key of a half
 * are equal and both follow from the canonical key, direction of the half and creator. With translation (later) the
 * record is of a larger class with the other tuples on the lines behind, each indexed on its own (FP_CLASS_*).
 *
 * peer[0] is `src` of pf: the endpoint that sent the creating packet; peer[1] is `dst`. That holds for both halves.
 *
 * Record classes, addressed by 32-bit index: FP_CLASS_V4 128 bytes, FP_CLASS_V6 192 (third line: the addresses).
 * Line 0 is all that a packet of an established v4 connection touches; line 1 is touched at creation, at removal, for
 * listing and when a hot counter spills; line 2 holds the IPv6 addresses.
 *
 * Ownership: letters in brackets. I = immutable after publication. O = written by the owner of the shard (its worker)
 * only; other threads read through the owner (worker calls, box.h). Before publication the inserting thread owns it all.
 *
 * No DPDK header here: the tracker builds, tests and fuzzes alone.
 */
#ifndef FP_STATE_H
#define FP_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FP_CACHE_LINE 64
#define FP_AF_INET 4
#define FP_AF_INET6 6

/* TCP peer states, numbers of pfsync (spec/pfsync-wire.md 9). */
enum fp_tcp_state {
	FP_TCPS_CLOSED = 0, FP_TCPS_SYN_SENT = 2, FP_TCPS_ESTABLISHED = 4, FP_TCPS_CLOSING = 7,
	FP_TCPS_FIN_WAIT_2 = 9, FP_TCPS_TIME_WAIT = 10, FP_TCPS_PROXY_SRC = 11, FP_TCPS_PROXY_DST = 12,
};
/* UDP and other protocols. */
enum fp_other_state { FP_OTHERS_NO_TRAFFIC = 0, FP_OTHERS_SINGLE = 1, FP_OTHERS_MULTIPLE = 2 };

#define FP_WSCALE_SET 0x80 /* option seen */
#define FP_WSCALE_MASK 0x0f

/* spec/pfsync-wire.md 7 */
struct fp_peer {
	uint32_t seqlo;		/* highest sequence number sent + length */
	uint32_t seqhi;		/* highest it may send: peer's ack + peer's scaled window */
	uint16_t max_win;	/* largest 16-bit window field, before shifting */
	uint8_t state;		/* enum fp_tcp_state or fp_other_state */
	uint8_t wscale;		/* FP_WSCALE_SET | shift */
};

/* Canonical v4 key, 16 bytes, no padding. v6: addr words hold a 64-bit keyed hash of both addresses, see addr6. */
struct fp_key {
	uint32_t addr_lo, addr_hi;	/* network order; lo endpoint first: smaller (address, port) as integers loaded from memory */
	uint16_t port_lo, port_hi;	/* network order. ICMP: id in the querier's slot, query type (network order) in the other */
	uint8_t proto;
	uint8_t af;			/* FP_AF_* */
	uint16_t zone;			/* routing domain; 0 */
};
_Static_assert(sizeof(struct fp_key) == 16, "key has no padding");

#define FP_HALF_IN 0	/* index of the half made by inbound rules (pf direction 1) */
#define FP_HALF_OUT 1	/* ... by outbound rules (direction 2) */
#define FP_HALVES_BOTH 3

/* fp_state.flags */
#define FP_SF_SRC_HI 0x0001	/* [I] the creator is the hi endpoint */
#define FP_SF_DEAD 0x0002	/* unlinked, waits for its grace period; lookups skip it */
#define FP_SF_SLOW 0x0004	/* never on the short path: modulated, scrubbed, proxied, source limits, max-pkt-rate, if-bound ... */
#define FP_SF_EXT 0x0008	/* ext is valid */
#define FP_SF_SEQDIFF 0x0010	/* a seqdiff is not 0 */
#define FP_SF_LEARNED 0x0020	/* came from a peer (origin peer); creatorid is not ours */
#define FP_SF_REANCHOR_SRC 0x0040 /* takeover: the next packet of src may re-anchor its window once */
#define FP_SF_REANCHOR_DST 0x0080
#define FP_SF_BOUND 0x0100	/* [I] some half is bound to an interface: look at ifid[]. Set by fp_table_insert() */
#define FP_SF_EXPOSED 0x0200	/* the other inserter may be reading this record; table.c */
#define FP_SF_FIGHT 0x0400	/* the peer sent news of this state within 2 s; sync_updates is the second's low byte then */
#define FP_SF_DEFERRED 0x0800	/* its first packet is held until the peer has the state */

/* fp_state.hflags[half] */
#define FP_HF_ALLOW_OPTS 0x01
#define FP_HF_SLOPPY 0x02
#define FP_HF_NO_SYNC 0x04
#define FP_HF_PURGE 0x08	/* marked for removal (reuse, killed): lookups skip it, listings show it until removed */
#define FP_HF_SRC_NODE 0x10	/* counted in a source node */
#define FP_HF_SCRUB_TCP 0x20
#define FP_HF_LOG_ALL 0x40
#define FP_HF_CONN 0x80		/* counted in max-src-conn */

#define FP_IFID_ALL 0xffffu	/* floating: interface `all` */
#define FP_RULE_NONE 0u		/* uid of the default rule */
#define FP_STATE_NONE UINT32_MAX

struct fp_state {
	/* line 0: every packet */
	struct fp_key key;	/* [I]  0..15 */
	struct fp_peer peer[2];	/* [O] 16..39 src, dst */
	uint32_t last_sec;	/* [O] 40 last activity, seconds of the box clock (fp_now_sec) */
	uint8_t timeout;	/* [O] 44 index, enum pol_timeout */
	uint8_t halves;		/* [O] 45 bit i: half i lives here */
	uint16_t flags;		/* [O] 46 FP_SF_* */
	uint32_t bytes[2];	/* [O] 48 since the last spill; [0] in the direction of the creating packet */
	uint16_t packets[2];	/* [O] 56 since the last spill */
	uint8_t hflags[2];	/* [O] 60 FP_HF_* per half */
	uint8_t sync_pos;	/* [O] 62 enum fp_sync_pos of both halves, 4 bits each */
	uint8_t sync_updates;	/* [O] 63 packets since the last update was sent, mod 256; see FP_SF_FIGHT */
	/* line 1: creation, removal, listing, spill */
	uint64_t id[2];		/* [I] 64 per half, host order; fp_id_make() if it was made here */
	uint32_t creatorid;	/* [I] 80 host order of what `pfctl -si` prints as Hostid */
	uint32_t created_sec;	/* [I] 84 */
	uint32_t rule[2];	/* [I] 88 uid of the rule per half; referenced (runtime.h) */
	uint16_t ifid[2];	/* [I] 96 bound interface per half or FP_IFID_ALL */
	uint32_t seqdiff[2];	/* [O] 100 per peer */
	uint32_t bytes_spilled_hi[2];	/* [O] 108 total = hi << 32 | ..., see fp_state_bytes() */
	uint32_t packets_spilled[2];	/* [O] 116 units of 65536 packets */
	uint32_t ext;		/* [O] 124 index of an fp_state_ext, FP_SF_EXT; after removal the link of table.c's lists */
};
_Static_assert(sizeof(struct fp_state) == 2 * FP_CACHE_LINE, "v4 record is two lines");
_Static_assert(offsetof(struct fp_state, id) == FP_CACHE_LINE, "line 1 starts at id");

/* FP_CLASS_V6: the third line. */
struct fp_state6 {
	struct fp_state s;
	uint8_t addr_lo[16], addr_hi[16];	/* [I] */
	uint8_t pad[32];
};
_Static_assert(sizeof(struct fp_state6) == 3 * FP_CACHE_LINE, "v6 record is three lines");

/*
 * What only a few states need, from a pool of its own per shard: TCP scrub (timestamps), synproxy, source nodes,
 * max-pkt-rate, scrub options of the rules. One per record. Owner: the shard's worker.
 */
struct fp_scrub {		/* spec/tcp-state.md 6; FreeBSD calls it the scrub block; one per peer */
	uint16_t flags;		/* FP_SCRUB_* */
	uint8_t ttl;		/* highest seen */
	uint8_t valid;
	uint32_t ts_mod;
	uint32_t tsval, tsval0, tsecr;	/* last TSval, first TSval, last TSecr */
	uint64_t last_us;	/* time of the last timestamp, microseconds of the box clock; 0 none */
	uint64_t base_us;
};
#define FP_SCRUB_TIMESTAMP 0x0001
#define FP_SCRUB_PAWS 0x0002
#define FP_SCRUB_PAWS_IDLED 0x0004
#define FP_SCRUB_DATA_TS 0x0008
#define FP_SCRUB_DATA_NOTS 0x0010

struct fp_state_ext {
	struct fp_scrub scrub[2];
	uint16_t mss[2];	/* synproxy */
	uint16_t max_mss;
	uint8_t min_ttl, set_tos;
	uint16_t scrub_rf;	/* low 16 bits of POL_RF_* that matter per packet */
	uint8_t set_prio[2];
	uint16_t tag;
	uint32_t srcnode[2];	/* index per half in the worker's source-node table, UINT32_MAX none */
	uint32_t created_syncookie;
	/* what one half counted alone while the record is shared, e.g. ICMP errors made here: [half][dir] */
	int64_t extra_bytes[2][2];
	int32_t extra_packets[2][2];
	uint32_t next_free;
};

/*
 * flags, halves and hflags of a published record are read by the other inserting thread when it looks for collisions, so
 * their owner changes them with these: one plain store each.
 */
static inline void
fp_state_flags_set(struct fp_state *st, uint16_t bits)
{
	__atomic_store_n(&st->flags, (uint16_t)(st->flags | bits), __ATOMIC_RELAXED);
}

static inline void
fp_state_flags_clear(struct fp_state *st, uint16_t bits)
{
	__atomic_store_n(&st->flags, (uint16_t)(st->flags & ~bits), __ATOMIC_RELAXED);
}

static inline void
fp_state_hflags_set(struct fp_state *st, int half, uint8_t bits)
{
	__atomic_store_n(&st->hflags[half], (uint8_t)(st->hflags[half] | bits), __ATOMIC_RELAXED);
}

/*
 * Ids of states made here: a counter of 24 bits, the worker, the index of the record. Who knows the id finds the record
 * without an index of ids; whether it still is that state the record tells. Another state gets the same id only if the
 * counter comes round at the very moment when the same record is free again.
 */
static inline uint64_t
fp_id_make(uint32_t counter, unsigned worker, uint32_t index)
{
	return (uint64_t)counter << 40 | (uint64_t)worker << 32 | index;
}

static inline unsigned
fp_id_worker(uint64_t id)
{
	return id >> 32 & 0xff;
}

static inline uint32_t
fp_id_index(uint64_t id)
{
	return (uint32_t)id;
}

static inline uint64_t
fp_state_packets(const struct fp_state *st, int dir)
{
	return (uint64_t)st->packets_spilled[dir] << 16 | st->packets[dir];
}

static inline uint64_t
fp_state_bytes(const struct fp_state *st, int dir)
{
	return ((uint64_t)st->bytes_spilled_hi[dir] << 32) + st->bytes[dir];
}

/* Count one packet. dir 0: as the creating packet. Touches line 1 once in 65536 packets or 4 GB. */
static inline void
fp_state_count(struct fp_state *st, int dir, uint32_t len)
{
	uint32_t b = st->bytes[dir] + len;

	if (__builtin_expect(b < len, 0))
		st->bytes_spilled_hi[dir]++;
	st->bytes[dir] = b;
	if (__builtin_expect(++st->packets[dir] == 0, 0))
		st->packets_spilled[dir]++;
}

#endif
