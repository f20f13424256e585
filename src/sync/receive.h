/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What receive.c, import.c and apply.c share. Owner of everything: the sync thread, but where it says so.
 */
#ifndef SYNC_RECEIVE_H
#define SYNC_RECEIVE_H

#include "sync/engine.h"
#include "sync/idmap.h"

#define SYNC_BATCH 64u		/* messages for one worker that wait for the end of the burst */
#define SYNC_BATCH_SLOTS 128u	/* where the last message of a record is in the batch; power of two */
#define SYNC_WANT 1024u		/* names in UPD_REQ and in INS_ACK that wait for the end of the burst */
#define SYNC_AGAIN 4096u	/* unanswered requests that are remembered; power of two */
#define SYNC_ASKED 16384u	/* names asked for lately; power of two */
#define SYNC_JOINED 4096u	/* names that an owner put elsewhere lately; power of two */
#define SYNC_FOREIGN (0xfffeu - FP_IFID_FOREIGN)
_Static_assert(SYNC_FOREIGN <= 16384, "foreign_at");

struct sync_batch {
	unsigned n;
	struct sync_msg_w m[SYNC_BATCH];
	uint8_t last[SYNC_BATCH_SLOTS];	/* 1 + position of the last message whose record hashes here */
};

/* apply.c, one a worker, its writer: a record that was handed over became a half of another one. */
struct sync_joined { uint64_t id; uint32_t creatorid, index; };
struct sync_joins { struct sync_joined v[SYNC_JOINED]; };

/* Which of two adjacent new states are one connection is seen when the second has come. */
struct sync_pending {
	bool there;
	enum sync_kind kind;
	enum sync_dialect dialect;
	unsigned version;
	struct sync_state s;
};

/* A record that was filled here and whose owner has not said yet where it went. */
struct sync_handed { uint64_t id; uint32_t creatorid, index; uint16_t worker; uint8_t half; };

struct sync_receiver {
	struct sync_thread *t;
	struct sync_idmap *ids;
	struct sync_batch *batch;	/* [workers] */
	struct sync_joins *joins;	/* [workers]; written by the workers */
	unsigned n_workers;
	uint32_t *clearing;		/* [workers] CLRs under way: what comes after them has to wait its turn */
	struct sync_handed handed[SYNC_JOINED];
	/* the frame in hand */
	const uint8_t *src;
	uint8_t af;
	bool rules_same;		/* the sender has our rules: its numbers are ours */
	struct sync_pending pending;
	/* to be sent at the end of the burst */
	unsigned n_want, n_ack;
	struct sync_ident want[SYNC_WANT], ack[SYNC_WANT];
	struct sync_asked_for { uint64_t id; uint32_t creatorid, ms; } asked[SYNC_ASKED];
	/* what a twin was asked for and has not answered yet, in the order of when to ask again */
	struct { uint64_t id; uint32_t creatorid, due_ms; uint8_t tries; } again[SYNC_AGAIN];
	uint32_t again_head, again_tail;
	uint64_t tokens_us, tokens;	/* of UPD_REQ, thousandths */
	/* rules by number, of the rule set in force */
	uint32_t rules_generation;
	uint32_t n_rules, rules_size;
	uint32_t *rule_pos;		/* [number in the main rule set] position in the rule set, UINT32_MAX none */
	/* names of interfaces that only the peer has; others read up to n, which is released after the name */
	uint32_t n_foreign;
	uint16_t foreign_at[2 * 16384];	/* by hash: 1 + place in `foreign`, 0 none; linear probing, never more than half full */
	char foreign[SYNC_FOREIGN][FP_NAME_SIZE];
};

/* Where a half lies. */
struct sync_place { unsigned worker; uint32_t index; int half; };

/* ---- receive.c */
static inline struct sync_receiver *
sync_receiver(const struct sync_thread *t)
{
	return t->receive;
}

/* The living half of that name, as far as the sync thread can see. */
bool sync_find(struct sync_receiver *r, uint64_t id, uint32_t creatorid, struct sync_place *at);
/* Where the entry of a handed record is, of that name or not. */
static inline struct sync_handed *
sync_handed(struct sync_receiver *r, uint64_t id)
{
	return &r->handed[(id * 0x9e3779b97f4a7c15ull) >> 52 & (SYNC_JOINED - 1)];
}

/* Queue a message for a worker. Updates of the other half that say the same become one message. */
void sync_tell_worker(struct sync_receiver *r, unsigned worker, const struct sync_msg_w *m);
/* What waits for this worker goes out. */
void sync_flush_worker(struct sync_receiver *r, unsigned worker);
/* INS_ACK at the end of this burst. */
void sync_ack_later(struct sync_receiver *r, uint64_t id, uint32_t creatorid);
/* Update of a half that is here. */
void sync_tell_update(struct sync_receiver *r, const struct sync_place *at, uint64_t id, uint32_t creatorid,
	const struct sync_peer peer[2], uint8_t timeout, bool full);
void sync_peer_shrink(struct sync_peer_w *to, const struct sync_peer *from);

/* ---- import.c */
/*
 * A state that is not here. mate: the other half of the same connection, or NULL. why: for each of the two SYNC_CNT_NONE
 * when it is in, or on its way in by the owner; what pf counts, counted here; SYNC_CNT_SILENT: refused, counted by a name
 * of ours.
 */
void sync_import(struct sync_receiver *r, const struct sync_state *s, const struct sync_state *mate, enum sync_kind kind,
	enum sync_dialect d, enum sync_counter why[2]);
/* Are both halves of one connection, made together and equal since? */
bool sync_import_mates(const struct sync_state *a, const struct sync_state *b);
/*
 * Interface by the peer's name. intern: a name that is not here gets a number that no packet comes in on. False: no such
 * interface (then *ifid is not set), or no room for one more name, or no name at all.
 */
bool sync_import_ifid(struct sync_receiver *r, const char name[16], bool intern, uint16_t *ifid);
const char *sync_foreign_if(const struct fp_box *box, uint16_t ifid);
/* Whether this timeout is one that states of the protocol have. */
bool sync_timeout_fits(uint8_t proto, uint8_t af, uint8_t timeout);

/* ---- apply.c */
#define SYNC_STALE_SRC 1u
#define SYNC_STALE_DST 2u
#define SYNC_MOVED 4u		/* something of the peers or the timeout is new */
/*
 * Merge what a peer says of a state into ours: spec/pfsync-behaviour.md A4, but nothing ever goes backwards. st may be any
 * copy: peers, seqdiff, flags (FP_SF_SEQDIFF, FP_SF_SLOW), timeout and last_sec are written. twin:
 * the windows of a stale side count where they are ahead. Pure.
 */
unsigned sync_merge(struct fp_state *st, const struct sync_peer_w peer[2], uint8_t timeout, uint32_t now_sec, bool twin);

/* sync_msg_t with creatorid 0: not the place of a state, but */
#define SYNC_T_UNUSED 1u	/* record `index`, which was filled here, was not needed */
#define SYNC_T_CLEARED 2u	/* a CLR is done */

#endif
