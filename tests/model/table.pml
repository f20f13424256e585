/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state table's protocol of insert, remove and reclaim, for SPIN. run.sh checks it; README.md says what is proven.
 *
 * What is here: one chain of NB buckets with W slots each (src/fastpath/table_index.c), NR records, and three threads:
 *
 *	Owner	inserts, removes, adds a half, uncouples, grows and shrinks the chain, reclaims (table_scan.c)
 *	Sync	inserts the same keys; reports quiescent between two inserts
 *	Reader	looks a key up, holds what it found, reports quiescent
 *
 * The owner chooses OWNER_OPS operations, the sync lcore SYNC_OPS, in every possible way and from every beginning; each
 * access to shared memory is a step of its own. The slots of a bucket are loaded in any order, as a vector load may. The
 * owner's plain stores pass a store buffer of DEPTH entries which the process Memory empties in order (total store order);
 * its locked instructions and fences wait until it is empty. The others store by compare-and-swap where it matters.
 *
 * A name that begins with NO_, or the few others that run.sh lists, leaves a rule out.
 *
 * Checked: `have` is the set of halves that a key has according to the order in which memory changed. An insert that wins
 * adds to it what was not there; one that loses found what was there (so no two collisions are published, and never do
 * both lose). Nothing is freed or used again that somebody holds; nobody compares a record that is not complete; nothing
 * is put into a bucket that left the chain; a lookup does not miss what was there all the time. Everybody finishes, and
 * the owner does not wait for a sync lcore that stands still.
 */
#ifndef NB
#define NB 1			/* buckets: the head and overflow buckets */
#endif
#ifndef W
#define W 3			/* slots in each, 1 to 3 */
#endif
#ifndef NR
#define NR 4			/* records, at most 8 */
#endif
#ifndef SYNC_RECORDS
#define SYNC_RECORDS 1		/* of them in the hands of the sync lcore at the beginning */
#endif
#ifndef BEGIN
#define BEGIN 2			/* records that may be there at the beginning */
#endif
#ifndef OWNER_OPS
#define OWNER_OPS 3
#endif
#ifndef SYNC_OPS
#define SYNC_OPS 2
#endif
#ifndef READER_OPS
#define READER_OPS 0
#endif
#ifndef DEPTH
#define DEPTH 3			/* of the store buffer, 3 */
#endif

#define NS (NB * W)
#define LINK(b) (NS + (b))
#define HALVES(r) (NS + NB + (r))
#define BIT(n) (1 << (n))
#define NONE 255

/* slots */
#define EMPTY 0
#define LIVE 16			/* | record: published */
#define PENDING 32		/* | record */
#define WITHDRAWN 48
#define FROZEN 64		/* links too; otherwise they are 0 or bucket + 1 */
#define IS_LIVE(v) (((v) & 240) == LIVE)
#define IS_PENDING(v) (((v) & 240) == PENDING)

/* keys; X are the records of the beginning, with keys that nobody inserts. 0: not complete */
#define K 1
#define X 2

/* places of a bucket */
#define POOL 0
#define CHAIN 1
#define LEFT 2			/* frozen, waits for its grace period */
#define FOREIGN 3		/* in another chain */

#define SYNC 1			/* in masks of threads */
#define READER 2

/* memory: slots, links, halves of the records */
byte mem[NS + NB + NR];
byte key[NR];
byte buf_at[DEPTH], buf_value[DEPTH], buf_len;

/* pools are masks: of records, of buckets */
byte pool_owner, pool_sync, returned, open, waiting;
byte pool_buckets, open_buckets, waiting_buckets;
byte need, online;		/* of readers: not yet quiescent since the token was taken; there */
byte live;			/* the byte per record that walks look at */

/* what only the checks know */
byte have;			/* halves of K that are in the table */
byte tentative;			/* the half of K that add_half shows before it knows */
byte sync_halves;		/* of the insert that is under way */
bool sync_may_lose;		/* one of them was there at some moment of it */
byte held_sync, held_reader, held_owner;	/* records; the owner holds PENDING ones */
byte holds_sync, holds_reader;			/* buckets */
byte place[NB];
byte must = NONE, must_bit;	/* the record that the lookup under way must find */
bool owner_done, sync_done, reader_done;

#define VIEW(l) (buf_len > 2 && buf_at[2] == (l) -> buf_value[2] : (buf_len > 1 && buf_at[1] == (l) -> buf_value[1] : \
	(buf_len > 0 && buf_at[0] == (l) -> buf_value[0] : mem[l])))
#define HALVES_OF(r) (VIEW(HALVES(r)) & 3)
#define REMOVED(h) ((h) << 2)	/* in a store to halves, for `have`: these go from the table */
#define DRAINED (buf_len == 0)
#ifdef EARLY_TOKEN
#define TOKEN_READY true
#else
#define TOKEN_READY DRAINED	/* rte_rcu_qsbr_start() is a locked instruction */
#endif

inline lowest(mask, n)
{
	n = 0;
	do
	:: !(mask & BIT(n)) -> n++
	:: else -> break
	od
}

/* Who inserts sees what is there now. */
inline latch()
{
	if
	:: (have | tentative) & sync_halves -> sync_may_lose = true
	:: else
	fi
}

inline have_add(k, halves)
{
	if
	:: k == K ->
		assert(!(have & (halves)));	/* no second of the same */
		have = have | (halves);
		latch()
	:: else
	fi
}

/* The record gets a new owner: nobody may still look at it. */
inline record_take(r)
{
	assert(!((held_sync | held_reader | held_owner) & BIT(r)));
	assert(!(live & BIT(r)));
	key[r] = 0
}

inline bucket_take(n)
{
	lowest(pool_buckets, n);
	pool_buckets = pool_buckets & ~BIT(n);
	assert(!((holds_sync | holds_reader) & BIT(n)));
	mem[n * W] = EMPTY;
#if W > 1
	mem[n * W + 1] = EMPTY;
#endif
#if W > 2
	mem[n * W + 2] = EMPTY;
#endif
	mem[LINK(n)] = 0
}

/* One of the slots in the mask `todo`. */
inline any_slot(i)
{
	if
	:: todo & 1 -> i = 0
#if W > 1
	:: todo & 2 -> i = 1
#endif
#if W > 2
	:: todo & 4 -> i = 2
#endif
	fi;
	todo = todo & ~BIT(i)
}

inline choose_halves(h)
{
	if
#ifdef SINGLE_HALVES
	:: h = 1
	:: h = 2
#endif
	:: h = 3
	fi
}

/* ---- the oldest store leaves the owner's buffer */

proctype Memory()
{
	byte at, gone;

end:
	do
	:: atomic {
		buf_len > 0 ->
		at = buf_at[0];
		if
		:: at >= HALVES(0) ->
			gone = mem[at] & ~buf_value[0];
			if
			:: must == at - HALVES(0) && (gone & must_bit) -> must = NONE
			:: else
			fi;
			if
			:: key[at - HALVES(0)] == K -> have = have & ~(buf_value[0] >> 2)
			:: else
			fi
		:: else
		fi;
		mem[at] = (at >= HALVES(0) -> buf_value[0] & 3 : buf_value[0]);
		buf_at[0] = buf_at[1];
		buf_value[0] = buf_value[1];
		buf_at[1] = buf_at[2];
		buf_value[1] = buf_value[2];
		buf_at[2] = 0;
		buf_value[2] = 0;
		buf_len--;
		at = 0;
		gone = 0
	   }
	:: owner_done && buf_len == 0 -> break
	od
}

/* ---- owner */

#define STORE(l, v) \
	d_step { \
		buf_len < DEPTH -> \
		buf_at[buf_len] = l; \
		buf_value[buf_len] = v; \
		buf_len++ \
	}

/* what an insert does */
#define INSERT 1
#define ADD 2
#define UNCOUPLE 3
#define REMOVE 4
#define GROW_OTHER 5
#define IDLE 6

proctype Owner()
{
	byte ops, op, rec, k, hv, ignore = NONE, old;
	byte b, i, v, todo, match, vacant, special, first, other, prev, n;
	bool need_fence, retry, dirty, fresh;

next:
	atomic {
		held_owner = 0;
		rec = 0; k = 0; hv = 0; ignore = NONE; old = 0;
		b = 0; i = 0; v = 0; todo = 0; match = 0; vacant = 0; special = 0; first = 0; other = 0; prev = 0; n = 0;
		retry = false; dirty = false
	}
	if
	:: op != 0 && op != IDLE -> op = 0	/* a loop has many operations */
	:: op != 0 ->
		/* fp_table_reclaim(), at the end of a loop */
		op = 0;
		if
		:: atomic { waiting | waiting_buckets && need == 0 ->
			assert(!(waiting & (held_sync | held_reader)));
			assert(!(waiting_buckets & (holds_sync | holds_reader)));
			live = live & ~waiting;
			pool_owner = pool_owner | waiting;
			pool_buckets = pool_buckets | waiting_buckets;
			waiting = 0;
			b = 0;
			do
			:: b < NB ->
				if
				:: waiting_buckets & BIT(b) -> place[b] = POOL
				:: else
				fi;
				b++
			:: else -> break
			od;
			b = 0;
			waiting_buckets = 0
		   }
		:: else
		fi;
		if
		:: atomic { !(waiting | waiting_buckets) && (open | open_buckets) && TOKEN_READY ->
			waiting = open;
			waiting_buckets = open_buckets;
			open = 0;
			open_buckets = 0;
			need = online
		   }
		:: (waiting | waiting_buckets) || !(open | open_buckets)
		fi;
		d_step {
			pool_owner = pool_owner | returned;
			returned = 0;
			if
			:: pool_sync == 0 && pool_owner != 0 ->
				lowest(pool_owner, n);
				pool_owner = pool_owner & ~BIT(n);
				pool_sync = BIT(n);
				n = 0
			:: else
			fi
		}
	:: else
	fi;
	if
	:: ops == OWNER_OPS -> goto done
	:: ops < OWNER_OPS -> ops++
	fi;
	if
	:: atomic { pool_owner != 0 ->
		op = INSERT;
		k = K;
		choose_halves(hv);
		d_step {
			lowest(pool_owner, rec);
			pool_owner = pool_owner & ~BIT(rec);
			record_take(rec)
		}
	   }
#ifndef PUBLISH_EARLY
		key[rec] = k;
		STORE(HALVES(rec), hv);
#endif
		goto insert
	:: atomic {
		/* a published record: any */
		op = REMOVE;
		n = 0;
		do
		:: n < NS && IS_LIVE(VIEW(n)) -> break
		:: n < NS - 1 -> n++
		:: n == NS - 1 && !IS_LIVE(VIEW(n)) -> n = NONE; break
		od;
		if
		:: n == NONE -> n = 0; goto next
		:: n != NONE -> old = VIEW(n) & 15
		fi;
#ifndef SINGLE_HALVES
		hv = 0;		/* both go, as when a state ends */
#else
		if
		:: HALVES_OF(old) & 1 -> hv = HALVES_OF(old) & ~1
		:: HALVES_OF(old) & 2 -> hv = HALVES_OF(old) & ~2
		:: HALVES_OF(old) == 3 && key[old] == K -> op = UNCOUPLE; hv = 1
		:: HALVES_OF(old) == 3 && key[old] == K -> op = UNCOUPLE; hv = 2
		:: HALVES_OF(old) < 3 && key[old] == K -> op = ADD; hv = 3 - HALVES_OF(old)
		fi
#endif
	   }
		if
		:: op == REMOVE -> goto remove
		:: op == ADD -> goto add
		:: op == UNCOUPLE -> goto uncouple
		fi
#ifdef OTHER_CHAIN
	:: atomic { pool_buckets != 0 ->
		op = GROW_OTHER;
		bucket_take(b);
		place[b] = FOREIGN
	   }
		goto next
#endif
	:: op = IDLE; goto next
	fi;

add:
	/* fp_table_add_half(): shown, then fence and scan */
	skip;
#ifndef ADD_AFTER_SCAN
	d_step { tentative = hv; latch() }
	STORE(HALVES(old), 3);
#endif
#ifndef NO_ADD_FENCE
	d_step { DRAINED -> need_fence = false }
#endif
	k = K;
	ignore = old;
	goto rescan;

uncouple:
	/* fp_state_uncouple(): a copy, an insert that ignores the old record, then the half leaves that */
	if
	:: pool_owner == 0 -> goto next
	:: atomic { pool_owner != 0 ->
		lowest(pool_owner, rec);
		pool_owner = pool_owner & ~BIT(rec);
		record_take(rec);
		k = K;
		ignore = old
	   }
	fi;
	key[rec] = k;
	STORE(HALVES(rec), hv);
#ifdef UNCOUPLE_EARLY
	STORE(HALVES(old), 3 - hv);
#endif

insert:
	/* insert_owner() */
#ifndef NO_FENCE
	if
	:: need_fence -> d_step { DRAINED -> need_fence = false }
	:: else
	fi;
#endif
rescan:
	atomic { b = 0; first = NONE; other = NONE; retry = false; todo = BIT(W) - 1; match = 0; special = 0 }
	do
	:: atomic { todo != 0 ->
		any_slot(i);
		v = VIEW(b * W + i);
		if
		:: IS_LIVE(v) -> match = match | BIT(i)
		:: v == EMPTY -> vacant = vacant | BIT(i)
		:: else -> special = special | BIT(i)
		fi;
		v = 0;
		i = 0
	   }
	:: atomic { todo == 0 && match != 0 ->
		lowest(match, i);
		match = match & ~BIT(i);
		v = VIEW(b * W + i);
		i = 0;
		if
		:: IS_LIVE(v) && (v & 15) != ignore
		:: else -> v = 0
		fi
	   }
		if
		:: atomic { v != 0 ->
			assert(key[v & 15] != 0);
			if
			:: key[v & 15] == k && (HALVES_OF(v & 15) & hv) -> other = v & 15; v = 0; goto scanned
			:: else -> v = 0
			fi
		   }
		:: v == 0
		fi
	:: atomic { todo == 0 && match == 0 && special != 0 ->
		lowest(special, i);
		special = special & ~BIT(i);
		v = VIEW(b * W + i);
		if
		:: v == WITHDRAWN -> dirty = true
		:: IS_LIVE(v) -> retry = true
		:: IS_PENDING(v) -> held_owner = held_owner | BIT(v & 15)
		:: else
		fi
	   }
		if
#ifndef NO_PENDING_LOOK
		:: IS_PENDING(v) ->
			/* owner_meets_pending() */
			d_step {
				assert(key[v & 15] != 0);
				if
				:: key[v & 15] == k && (HALVES_OF(v & 15) & hv) -> n = true
				:: else -> n = false
				fi
			}
			if
#ifdef OWNER_WAITS
			:: n -> retry = true
#elif defined(LOSE_TO_PENDING)
			:: n -> other = v & 15; goto scanned
#else
			:: n ->
				d_step { DRAINED ->
					if
					:: mem[b * W + i] == v -> mem[b * W + i] = WITHDRAWN; dirty = true
#ifdef NO_RETRY
					:: else
#else
					:: else -> retry = true
#endif
					fi
				}
#endif
			:: else
			fi;
			n = 0
#endif
		:: else
		fi;
		atomic { v = 0; i = 0 }
	:: atomic { todo == 0 && match == 0 && special == 0 ->
		if
		:: vacant != 0 && first == NONE -> lowest(vacant, i); first = b * W + i; i = 0
		:: else
		fi;
		vacant = 0;
		v = VIEW(LINK(b));
		if
		:: v != 0 && v != FROZEN -> b = v - 1; v = 0; todo = BIT(W) - 1
		:: else -> v = 0; break
		fi
	   }
	od;
scanned:
	if
	:: other != NONE ->
		assert((have & hv) && op != UNCOUPLE);
		goto inserted
	:: other == NONE && retry -> goto rescan
	:: other == NONE && !retry
	fi;
	if
	:: op == ADD -> goto inserted
	:: op != ADD && first == NONE ->
		/* chain_grow() */
		if
		:: VIEW(LINK(b)) != 0 -> goto rescan
		:: else
		fi;
		if
		:: atomic { pool_buckets != 0 -> bucket_take(n) }
		:: pool_buckets == 0 -> other = NONE; n = 0; fresh = true; goto inserted
		fi;
		d_step { DRAINED ->
			if
			:: mem[LINK(b)] == 0 -> assert(place[b] == CHAIN); mem[LINK(b)] = n + 1; place[n] = CHAIN
			:: else -> pool_buckets = pool_buckets | BIT(n)
			fi;
			n = 0
		}
		goto rescan
	:: op != ADD && first != NONE
	fi;
#ifdef RECYCLE_EARLY
	n = 0;
	do
	:: n < NS ->
		if
		:: place[n / W] == CHAIN && VIEW(n) == WITHDRAWN -> STORE(n, EMPTY); need_fence = true
		:: else
		fi;
		n++
	:: else -> n = 0; break
	od;
	dirty = false;
#endif
	d_step { DRAINED ->
		if
		:: mem[first] == EMPTY ->
			assert(place[first / W] == CHAIN);
			mem[first] = LIVE | rec;
			if
			:: op == INSERT -> have_add(k, hv)
			:: else
			fi;
			fresh = false
		:: else -> fresh = true
		fi
	}
	if
	:: fresh -> fresh = false; goto rescan
	:: else
	fi;
#ifdef PUBLISH_EARLY
	key[rec] = k;
	STORE(HALVES(rec), hv);
#endif
	live = live | BIT(rec);
	if
#ifndef UNCOUPLE_EARLY
	:: op == UNCOUPLE -> STORE(HALVES(old), HALVES_OF(old) & ~hv)
#endif
	:: else
	fi;
	rec = NONE;

inserted:
	/* won: rec is NONE. Lost: other. No bucket: fresh. */
	if
	:: op == ADD && other == NONE ->
#ifdef ADD_AFTER_SCAN
		STORE(HALVES(old), 3);
#endif
		d_step { tentative = 0; have_add(k, hv) }
	:: op == ADD && other != NONE ->
		STORE(HALVES(old), 3 - hv);
		tentative = 0
	:: op != ADD && rec != NONE ->
		pool_owner = pool_owner | BIT(rec)
	:: op != ADD && rec == NONE
	fi;
	fresh = false;
	if
	:: dirty -> prev = NONE; goto recycle
	:: else -> goto next
	fi;

remove:
	/* fp_table_remove_half() */
	skip;
	STORE(HALVES(old), hv | REMOVED(HALVES_OF(old) & ~hv));
	if
	:: hv != 0 -> goto next
	:: else
	fi;
	need_fence = true;
	STORE(n, EMPTY);
#ifdef NO_GRACE
	pool_owner = pool_owner | BIT(old);
	live = live & ~BIT(old);
#else
	open = open | BIT(old);
#endif
	prev = 0;
	n = 0;
	/* the chain is tidied when there is reason to: here, perhaps */
	if
	:: goto recycle
	:: goto next
	fi;

recycle:
	/* chain_recycle() */
	atomic { b = 0; i = 0; n = 0; first = 0 }
	do
	:: atomic { i < W ->
		v = VIEW(b * W + i);
		i++
	   }
		if
		:: v == WITHDRAWN -> STORE(b * W + i - 1, EMPTY); need_fence = true
		:: else
		fi;
		v = 0
	:: atomic { i == W ->
		v = VIEW(LINK(b));
		i = 0;
		if
		:: v == 0 || v == FROZEN -> v = 0; break
		:: else -> b = v - 1; v = 0
		fi
	   }
	od;
	if
	:: prev == NONE -> goto next		/* after an insert */
	:: else
	fi;

shrink:
	/* chain_shrink() */
	atomic { b = 0; prev = NONE }
	do
	:: atomic { v = VIEW(LINK(b));
		if
		:: v == 0 || v == FROZEN -> v = 0; break
		:: else -> prev = b; b = v - 1; v = 0
		fi
	   }
	od;
	if
	:: prev == NONE -> goto next
	:: else -> i = 0
	fi;
	do
	:: i < W && VIEW(b * W + i) == EMPTY -> i++
	:: i < W && VIEW(b * W + i) != EMPTY -> goto next
	:: i == W -> break
	od;
	i = 0;
#ifndef NO_FREEZE
	do
	:: i < W ->
		d_step { DRAINED ->
			if
			:: mem[b * W + i] == EMPTY -> mem[b * W + i] = FROZEN; v = true
			:: else -> v = false
			fi
		}
		if
		:: v -> v = 0; i++
		:: else -> goto thaw
		fi
	:: i == W -> break
	od;
#endif
#ifndef NO_LINK_FREEZE
	atomic { DRAINED ->
		if
		:: mem[LINK(b)] == 0 -> mem[LINK(b)] = FROZEN; v = true; place[b] = LEFT
		:: else -> v = false
		fi
	}
	if
	:: v -> v = 0
	:: else -> goto thaw
	fi;
#else
	place[b] = LEFT;
#endif
#ifndef NO_CUT
	STORE(LINK(prev), 0);
#endif
#ifdef NO_BUCKET_GRACE
	d_step { DRAINED -> pool_buckets = pool_buckets | BIT(b); place[b] = POOL }
#else
	open_buckets = open_buckets | BIT(b);
#endif
#ifdef NO_CUT
	goto next;
#endif
	goto shrink;
thaw:
	v = 0;
	do
	:: i > 0 -> i--; STORE(b * W + i, EMPTY)
	:: else -> break
	od;
	need_fence = true;
	goto next;

done:
	owner_done = true
}

/* ---- sync lcore */

proctype Sync()
{
	byte ops, rec, hv, b, i, v, todo, match, vacant, special, first, other, stop, n;
	bool retry, exposed, behind;

next:
	atomic {
		need = need & ~SYNC;
		held_sync = 0;
		holds_sync = 0;
		rec = 0; hv = 0; b = 0; i = 0; v = 0; match = 0; vacant = 0; special = 0; first = 0; other = 0; stop = NONE; n = 0;
		sync_halves = 0;
		sync_may_lose = false;
		exposed = false; retry = false; behind = false
	}
	if
	:: ops == SYNC_OPS -> goto done
	:: ops < SYNC_OPS -> ops++
	fi;
	if
	:: pool_sync == 0 -> goto next
	:: atomic { pool_sync != 0 ->
		choose_halves(hv);
		d_step {
			lowest(pool_sync, rec);
			pool_sync = pool_sync & ~BIT(rec);
			record_take(rec)
		}
	   }
	fi;
	d_step { key[rec] = K; mem[HALVES(rec)] = hv; sync_halves = hv; latch() }

again:
	/* insert_sync() */
	stop = NONE;
rescan:
progress:
	atomic { b = 0; first = NONE; other = NONE; retry = false; behind = false; todo = BIT(W) - 1; match = 0; special = 0 }
	do
	:: atomic { todo != 0 ->
		any_slot(i);
		v = mem[b * W + i];
		if
		:: IS_LIVE(v) -> match = match | BIT(i)
		:: v == EMPTY -> vacant = vacant | BIT(i)
		:: else -> special = special | BIT(i)
		fi;
		v = 0;
		i = 0
	   }
	:: atomic { todo == 0 && match != 0 ->
		lowest(match, i);
		match = match & ~BIT(i);
		v = mem[b * W + i];
		i = 0;
		if
		:: IS_LIVE(v) -> held_sync = held_sync | BIT(v & 15)
		:: else -> v = 0
		fi
	   }
		if
		:: atomic { v != 0 ->
			assert(key[v & 15] != 0);
			if
			:: key[v & 15] == K && (mem[HALVES(v & 15)] & hv) -> other = v & 15; v = 0; goto scanned
			:: else -> v = 0
			fi
		   }
		:: v == 0
		fi
	:: atomic { todo == 0 && match == 0 && special != 0 ->
		lowest(special, i);
		special = special & ~BIT(i);
		if
		:: IS_LIVE(mem[b * W + i]) -> retry = true
		:: else
		fi;
		i = 0
	   }
	:: atomic { todo == 0 && match == 0 && special == 0 ->
		if
		:: behind -> vacant = 0
		:: !behind && stop != NONE && stop / W == b -> vacant = vacant & (BIT(stop % W) - 1); behind = true
		:: else
		fi;
		if
		:: vacant != 0 && first == NONE -> lowest(vacant, i); first = b * W + i; i = 0
		:: else
		fi;
		vacant = 0;
		v = mem[LINK(b)];
		if
		:: v != 0 && v != FROZEN ->
			b = v - 1;
			holds_sync = holds_sync | BIT(b);
			v = 0;
			todo = BIT(W) - 1
		:: else -> v = 0; break
		fi
	   }
	od;
scanned:
	if
	:: stop != NONE -> goto second
	:: stop == NONE && other != NONE -> goto lost
	:: stop == NONE && other == NONE && first == NONE ->
		if
		:: mem[LINK(b)] != 0 -> goto again
		:: else
		fi;
		if
		:: atomic { pool_buckets != 0 -> bucket_take(n) }
		:: pool_buckets == 0 -> goto refused
		fi;
		d_step {
			if
			:: mem[LINK(b)] == 0 -> assert(place[b] == CHAIN); mem[LINK(b)] = n + 1; place[n] = CHAIN
			:: else -> pool_buckets = pool_buckets | BIT(n)
			fi;
			n = 0
		}
		goto again
	:: stop == NONE && other == NONE && first != NONE
	fi;
	d_step {
		if
		:: mem[first] == EMPTY ->
			assert(place[first / W] == CHAIN);
			mem[first] = PENDING | rec;
			stop = first
		:: else
		fi
	}
	if
	:: stop == NONE -> goto again
#ifdef NO_RESCAN
	:: else -> other = NONE; first = NONE; retry = false
#else
	:: else -> goto rescan
#endif
	fi;

second:
	if
#ifdef NO_EARLIER_EMPTY
	:: other == NONE && !retry ->
#else
	:: other == NONE && first == NONE && !retry ->
#endif
		d_step {
			if
			:: mem[stop] == (PENDING | rec) ->
				mem[stop] = LIVE | rec;
				have_add(K, hv);
				stop = NONE
			:: else
			fi
		}
		if
		:: stop == NONE -> goto won
		:: else
		fi
	:: else ->
		d_step {
			if
			:: mem[stop] == (PENDING | rec) ->
#ifdef NO_WITHDRAWN
				mem[stop] = EMPTY
#else
				mem[stop] = WITHDRAWN
#endif
			:: else
			fi
		}
	fi;
	exposed = true;
	if
	:: other != NONE -> goto lost
	:: else -> goto again
	fi;

won:
	/* seen, perhaps removed already; not freed before we are quiescent */
	live = live | BIT(rec);
	goto next;

lost:
	assert(sync_may_lose);
refused:
	atomic {
		if
#ifndef NO_EXPOSED
		:: exposed -> returned = returned | BIT(rec)
#endif
		:: else -> pool_sync = pool_sync | BIT(rec)
		fi
	}
	goto next;

done:
	atomic { online = online & ~SYNC; sync_done = true }
}

/* ---- a reader */

proctype Reader()
{
	byte ops, b, i, v, todo, match, found, half;

next:
	atomic {
		need = need & ~READER;
		held_reader = 0;
		holds_reader = 0;
		b = 0; i = 0; v = 0; match = 0; half = 0; found = NONE;
		must = NONE;
		must_bit = 0
	}
	if
	:: ops == READER_OPS -> goto done
	:: ops < READER_OPS -> ops++
	fi;
	atomic {
		if
		:: half = 1
#ifdef SINGLE_HALVES
		:: half = 2
#endif
		fi;
		d_step {
			must_bit = half;
			do
			:: i < NS ->
				if
				:: IS_LIVE(mem[i]) && key[mem[i] & 15] == K && (mem[HALVES(mem[i] & 15)] & half) ->
					must = mem[i] & 15
				:: else
				fi;
				i++
			:: else -> break
			od;
			i = 0
		}
	}
	todo = BIT(W) - 1;
	do
	:: atomic { todo != 0 ->
		any_slot(i);
		if
		:: IS_LIVE(mem[b * W + i]) -> match = match | BIT(i)
		:: else
		fi;
		i = 0
	   }
	:: atomic { todo == 0 && match != 0 ->
		lowest(match, i);
		match = match & ~BIT(i);
		v = mem[b * W + i];
		i = 0;
		if
		:: IS_LIVE(v) -> held_reader = held_reader | BIT(v & 15)
		:: else -> v = 0
		fi
	   }
		if
		:: atomic { v != 0 ->
			assert(key[v & 15] != 0);
			if
			:: key[v & 15] == K && (mem[HALVES(v & 15)] & half) -> found = v & 15
			:: else
			fi;
			v = 0
		   }
		:: v == 0
		fi
	:: atomic { todo == 0 && match == 0 ->
		v = mem[LINK(b)];
		if
		:: v != 0 && v != FROZEN ->
			b = v - 1;
			holds_reader = holds_reader | BIT(b);
			v = 0;
			todo = BIT(W) - 1
		:: else -> v = 0; break
		fi
	   }
	od;
	assert(found != NONE || must == NONE);
	/* what was found is used until the next report */
	if
	:: found != NONE -> assert(key[found] == K)
	:: else
	fi;
	goto next;

done:
	atomic { online = online & ~READER; reader_done = true }
}

init {
	byte i, r;

	atomic {
		d_step {
			place[0] = CHAIN;
			i = 1;
			do
			:: i < NB -> pool_buckets = pool_buckets | BIT(i); i++
			:: else -> break
			od;
			i = 0
		}
		/* some of the first slots are taken */
		do
		:: r < BEGIN && i < NS ->
			if
			:: r < BEGIN && i < NS ->
				mem[i] = LIVE | r;
				key[r] = X;
				mem[HALVES(r)] = 3;
				live = live | BIT(r);
				if
				:: i / W > 0 && place[i / W] == POOL ->
					mem[LINK(i / W - 1)] = i / W + 1;
					place[i / W] = CHAIN;
					pool_buckets = pool_buckets & ~BIT(i / W)
				:: else
				fi;
				r++
			:: true
			fi;
			i++
		:: break
		od;
			atomic {
			pool_sync = BIT(SYNC_RECORDS) - 1;
			pool_sync = pool_sync << r;
			pool_owner = (BIT(NR) - 1) & ~(pool_sync | (BIT(r) - 1));
			online = SYNC;
			i = 0;
			r = 0
		}
#if READER_OPS > 0
		online = online | READER;
		run Reader();
#endif
		run Memory();
		run Owner();
		run Sync()
	}
}

#ifdef PROGRESS
ltl finish { <>(owner_done && sync_done) }
#endif
