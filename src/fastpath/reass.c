/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reassembly of IPv4 and IPv6 fragments by pf's rules (spec tcp-state 12, docs/fragments.md).
 *
 * A queue holds the pieces of one packet, sorted by offset, never overlapping: what a new piece shares with those before
 * it is decided when it arrives. So a packet is complete when its last piece is there and the lengths add up to its end.
 *
 * Work per fragment is bounded: a packet is 16 windows of 4096 bytes with at most 64 pieces each (more than that is an
 * attack and costs the queue), and a window knows its first piece. Memory is allocated when the limit is set, queues are
 * found by a hash with a secret of its own, and a full store gives up its oldest queue. All of it belongs to one worker.
 *
 * Source for the rules: OpenBSD 7.6 sys/net/pf_norm.c pf_fillup_fragment(), pf_reassemble(), pf_reassemble6(), recorded
 * boxes. RFC 5722 for IPv6 overlaps, RFC 6946 for atomic fragments (which the parser lets through).
 */
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "parse.h"
#include "atomic.h"
#include "reass.h"
#include "siphash.h"

#define NONE UINT32_MAX
#define WINDOWS 16
#define WINDOW_SHIFT 12
#define WINDOW_PIECES 64
#define IP_MAX 65535u

#define IP4_RF 0x8000u
#define IP4_DF 0x4000u
#define IP4_MF 0x2000u
#define IP4_OFF_MASK 0x1fffu

struct piece {
	struct rte_mbuf *m;
	uint32_t prev, next;	/* by offset; next also chains free ones */
	uint32_t off, len;	/* of the data, in the packet */
	uint32_t skip;		/* bytes of m before the data: headers, and what an earlier piece has too */
	uint16_t l2_len, hdr_len; /* hdr_len: IP header to the data, v6 fragment header included */
	uint8_t ttl, tos;
	bool more;
};

struct key {	/* hashed as bytes: no padding */
	uint8_t src[16], dst[16];
	uint32_t id;
	uint8_t af, proto, zero[2];
};
_Static_assert(sizeof(struct key) == 40, "key has no padding");

struct queue {
	struct key key;
	uint32_t hash;
	uint32_t chain;		/* of the bucket, or of free queues */
	uint32_t older, newer;	/* by creation */
	uint32_t created_sec;
	uint32_t first, last;	/* pieces */
	uint32_t n;
	uint32_t have_len;	/* sum of the pieces' lengths */
	uint32_t max_len;	/* longest data of a piece as it came */
	uint32_t window[WINDOWS]; /* first piece that begins in it */
	uint8_t n_window[WINDOWS];
};

struct fp_reass {
	struct fp_reass_conf conf;	/* in force: asked, within what there is memory for */
	struct fp_reass_conf asked;
	int socket;
	uint64_t secret[2];
	uint32_t cap;		/* pieces, and queues: each has at least one piece */
	uint32_t held;
	uint32_t free_piece, free_queue;
	uint32_t oldest, newest;
	uint32_t lost_limit, lost_overlap;
	uint32_t bucket_mask;
	uint32_t *buckets;
	struct piece *pieces;
	struct queue *queues;
};

/* ---- pieces of a queue */

static inline unsigned
window_of(const struct piece *pc)
{
	return pc->off >> WINDOW_SHIFT;
}

/* Last piece that begins at or before off, NONE: there is none. */
static uint32_t
piece_before(const struct fp_reass *r, const struct queue *q, uint32_t off)
{
	int w;
	uint32_t i;

	for (w = off >> WINDOW_SHIFT; w >= 0; w--) {
		i = q->window[w];
		if (i == NONE || r->pieces[i].off > off)
			continue;
		/* the windows between hold nothing up to off: this walk ends within one window */
		while (r->pieces[i].next != NONE && r->pieces[r->pieces[i].next].off <= off)
			i = r->pieces[i].next;
		return i;
	}
	return NONE;
}

/* False: its window is full. */
static bool
piece_link(struct fp_reass *r, struct queue *q, uint32_t i, uint32_t prev)
{
	struct piece *pc = &r->pieces[i];
	unsigned w = window_of(pc);

	if (q->n_window[w] >= WINDOW_PIECES)
		return false;
	q->n_window[w]++;
	pc->prev = prev;
	pc->next = prev == NONE ? q->first : r->pieces[prev].next;
	if (pc->next != NONE)
		r->pieces[pc->next].prev = i;
	else
		q->last = i;
	if (prev != NONE)
		r->pieces[prev].next = i;
	else
		q->first = i;
	if (q->window[w] == NONE || r->pieces[q->window[w]].off > pc->off)
		q->window[w] = i;
	q->n++;
	q->have_len += pc->len;
	return true;
}

static void
piece_unlink(struct fp_reass *r, struct queue *q, uint32_t i)
{
	struct piece *pc = &r->pieces[i];
	unsigned w = window_of(pc);

	if (q->window[w] == i)
		q->window[w] = pc->next != NONE && window_of(&r->pieces[pc->next]) == w ? pc->next : NONE;
	q->n_window[w]--;
	if (pc->prev != NONE)
		r->pieces[pc->prev].next = pc->next;
	else
		q->first = pc->next;
	if (pc->next != NONE)
		r->pieces[pc->next].prev = pc->prev;
	else
		q->last = pc->prev;
	q->n--;
	q->have_len -= pc->len;
}

/* Give the slot back; the mbuf is the caller's. */
static struct rte_mbuf *
piece_put(struct fp_reass *r, uint32_t i)
{
	struct rte_mbuf *m = r->pieces[i].m;

	r->pieces[i].m = NULL;
	r->pieces[i].next = r->free_piece;
	r->free_piece = i;
	fp_store(&r->held, r->held - 1);
	return m;
}

/* ---- queues */

static uint32_t
queue_find(const struct fp_reass *r, const struct key *k, uint32_t hash)
{
	uint32_t i;

	for (i = r->buckets[hash & r->bucket_mask]; i != NONE; i = r->queues[i].chain)
		if (r->queues[i].hash == hash && memcmp(&r->queues[i].key, k, sizeof(*k)) == 0)
			break;
	return i;
}

static uint32_t
queue_new(struct fp_reass *r, const struct key *k, uint32_t hash, uint32_t now_sec)
{
	uint32_t i = r->free_queue;	/* as many as pieces, and a piece is in hand */
	struct queue *q = &r->queues[i];

	r->free_queue = q->chain;
	memset(q, 0, sizeof(*q));
	q->key = *k;
	q->hash = hash;
	q->created_sec = now_sec;
	q->first = q->last = NONE;
	memset(q->window, 0xff, sizeof(q->window));
	q->chain = r->buckets[hash & r->bucket_mask];
	r->buckets[hash & r->bucket_mask] = i;
	q->older = r->newest;
	q->newer = NONE;
	if (r->newest != NONE)
		r->queues[r->newest].newer = i;
	else
		r->oldest = i;
	r->newest = i;
	return i;
}

/* Off the lists; its pieces are gone or taken. */
static void
queue_put(struct fp_reass *r, uint32_t i)
{
	struct queue *q = &r->queues[i];
	uint32_t *at = &r->buckets[q->hash & r->bucket_mask];

	while (*at != i)
		at = &r->queues[*at].chain;
	*at = q->chain;
	if (q->older != NONE)
		r->queues[q->older].newer = q->newer;
	else
		r->oldest = q->newer;
	if (q->newer != NONE)
		r->queues[q->newer].older = q->older;
	else
		r->newest = q->older;
	q->chain = r->free_queue;
	r->free_queue = i;
}

/* Throw a queue away with all it holds; how many pieces that were. */
static unsigned
queue_free(struct fp_reass *r, uint32_t i)
{
	uint32_t pc, next;
	unsigned n = 0;

	for (pc = r->queues[i].first; pc != NONE; pc = next, n++) {
		next = r->pieces[pc].next;
		rte_pktmbuf_free(piece_put(r, pc));
	}
	queue_put(r, i);
	return n;
}

/* ---- making the packet */

/* Take n bytes off the front of a chain, segments that it empties too. n is less than the packet's length. */
static struct rte_mbuf *
chain_adj(struct rte_mbuf *m, uint32_t n)
{
	uint32_t pkt_len = m->pkt_len - n;
	uint16_t nb_segs = m->nb_segs;

	while (n >= m->data_len) {
		struct rte_mbuf *next = m->next;

		n -= m->data_len;
		rte_pktmbuf_free_seg(m);
		m = next;
		nb_segs--;
	}
	m->data_off += n;
	m->data_len -= n;
	m->pkt_len = pkt_len;
	m->nb_segs = nb_segs;
	return m;
}

/* Append the data of m: copied where the tail has room for all of it, else chained. Returns the new tail. */
static struct rte_mbuf *
chain_cat(struct rte_mbuf *head, struct rte_mbuf *tail, struct rte_mbuf *m)
{
	head->pkt_len += m->pkt_len;
	if (RTE_MBUF_DIRECT(tail) && rte_mbuf_refcnt_read(tail) == 1 && rte_pktmbuf_tailroom(tail) >= m->pkt_len) {
		struct rte_mbuf *s;

		for (s = m; s != NULL; s = s->next) {
			memcpy(rte_pktmbuf_mtod_offset(tail, char *, tail->data_len), rte_pktmbuf_mtod(s, char *),
				s->data_len);
			tail->data_len += s->data_len;
		}
		rte_pktmbuf_free(m);
		return tail;
	}
	head->nb_segs += m->nb_segs;
	tail->next = m;
	return rte_pktmbuf_lastseg(m);
}

static inline void
put16(uint8_t *b, unsigned v)
{
	b[0] = v >> 8;
	b[1] = v;
}

/* The pieces of a complete queue become p; the queue is gone afterwards. False: longer than a packet can be. */
static bool
queue_join(struct fp_reass *r, uint32_t qi, struct fp_pkt *p)
{
	struct queue *q = &r->queues[qi];
	uint32_t i = q->first, next = r->pieces[i].next, total = q->have_len;
	struct piece first = r->pieces[i];
	struct rte_mbuf *m = piece_put(r, i), *tail = rte_pktmbuf_lastseg(m);
	bool v6 = q->key.af == FP_AF_INET6;
	uint32_t hdr_len = v6 ? first.hdr_len - 8u : first.hdr_len;
	uint8_t *h;

	for (i = next; i != NONE; i = next) {
		uint32_t skip = r->pieces[i].skip;

		next = r->pieces[i].next;
		tail = chain_cat(m, tail, chain_adj(piece_put(r, i), skip));
	}
	p->m = m;
	p->l2_len = first.l2_len;
	p->ttl = first.ttl;
	p->tos = first.tos;
	p->frag_off = 0;
	m->ol_flags &= ~(RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_IP_CKSUM_MASK);

	if (v6) {
		uint8_t *l3 = rte_pktmbuf_mtod_offset(m, uint8_t *, first.l2_len);
		uint32_t nh_off = 6, off = 40;
		uint8_t nh = l3[6], proto = l3[hdr_len];

		while (off < hdr_len) {	/* the parser has been here */
			nh_off = off;
			off += nh == IPPROTO_AH ? (l3[off + 1] + 2u) * 4 : (l3[off + 1] + 1u) * 8;
			nh = l3[nh_off];
		}
		l3[nh_off] = proto;
		/* what is before the fragment header moves over it */
		h = rte_pktmbuf_mtod(m, uint8_t *);
		memmove(h + 8, h, first.l2_len + hdr_len);
		rte_pktmbuf_adj(m, 8);
		p->flags |= FP_PF_REASSEMBLED;
		p->frag_hdr_len = hdr_len;
		p->frag_size = RTE_MIN(hdr_len + 8 + q->max_len, IP_MAX);
		p->frag_id = rte_be_to_cpu_32(q->key.id);
	}
	queue_put(r, qi);
	p->l3 = rte_pktmbuf_mtod_offset(m, uint8_t *, p->l2_len);
	p->ip_len = hdr_len + total;
	if ((v6 ? p->ip_len - 40 : p->ip_len) > IP_MAX)
		return false;
	if (v6) {
		put16(p->l3 + 4, p->ip_len - 40);
	} else {
		uint16_t sum;

		put16(p->l3 + 2, p->ip_len);
		put16(p->l3 + 6, 0);
		put16(p->l3 + 10, 0);
		sum = fp_ip4_cksum(p->l3, hdr_len);
		memcpy(p->l3 + 10, &sum, 2);
	}
	return true;
}

/* ---- input */

static inline enum fp_reass_verdict
refuse(struct fp_pkt *p, enum fp_drop *drop, enum fp_drop why, enum fp_reason reason)
{
	p->reason = reason;
	*drop = why;
	return FP_REASS_DROP;
}

/*
 * Make room in a queue for piece n (not linked yet) by pf's rules of overlaps; *prev is what it goes behind. Returns
 * FP_D_NONE; FP_D_FRAG_DUPLICATE: nothing new in it (v4); FP_D_FRAG_MALFORMED: it contradicts the queue;
 * FP_D_FRAG_OVERLAP, FP_D_FRAG_LIMIT: the queue must go.
 */
static enum fp_drop
queue_fit(struct fp_reass *r, struct queue *q, struct piece *n, uint32_t *prev)
{
	struct piece *last = &r->pieces[q->last];
	uint32_t end = n->off + n->len, total = last->off + last->len, i, cut;
	bool v6 = q->key.af == FP_AF_INET6;

	/* a piece that ends the packet where another goes on, goes on where another ended it, or ends what goes on */
	if ((end < total && !n->more) || (!last->more && (end > total || (end == total && n->more))) ||
		(last->more && end == total && !n->more))
		return v6 ? FP_D_FRAG_OVERLAP : FP_D_FRAG_MALFORMED;

	*prev = piece_before(r, q, n->off);
	if (*prev != NONE && r->pieces[*prev].off + r->pieces[*prev].len > n->off) {
		if (v6)
			return FP_D_FRAG_OVERLAP;
		cut = r->pieces[*prev].off + r->pieces[*prev].len - n->off;
		if (cut >= n->len)
			return FP_D_FRAG_DUPLICATE;
		n->skip += cut;
		n->off += cut;
		n->len -= cut;
	}
	for (i = *prev == NONE ? q->first : r->pieces[*prev].next; i != NONE && r->pieces[i].off < end;) {
		struct piece *after = &r->pieces[i];
		uint32_t next = after->next;

		if (v6)
			return FP_D_FRAG_OVERLAP;
		piece_unlink(r, q, i);
		cut = end - after->off;
		if (cut < after->len) {
			after->skip += cut;
			after->off += cut;
			after->len -= cut;
			if (!piece_link(r, q, i, *prev)) {
				rte_pktmbuf_free(piece_put(r, i));
				r->lost_overlap++;
				return FP_D_FRAG_LIMIT;
			}
			break;
		}
		rte_pktmbuf_free(piece_put(r, i));
		r->lost_overlap++;
		i = next;
	}
	return FP_D_NONE;
}

static enum fp_reass_verdict
input(struct fp_reass *r, struct fp_pkt *p, const struct key *k, struct piece *n, uint32_t now_sec, enum fp_drop *drop)
{
	uint32_t hash, qi, pi, prev = NONE;
	struct queue *q;
	enum fp_drop fit;

	if (n->len == 0 || (n->more && (n->len & 7)) || n->off + n->len > IP_MAX)
		return refuse(p, drop, FP_D_FRAG_MALFORMED, FP_R_FRAGMENT);
	while (r->held >= r->conf.max_frags)
		r->lost_limit += queue_free(r, r->oldest);
	hash = fp_siphash13(r->secret, k, sizeof(*k));
	qi = queue_find(r, k, hash);
	if (qi == NONE) {
		qi = queue_new(r, k, hash, now_sec);
		q = &r->queues[qi];
		q->max_len = n->len;
	} else {
		q = &r->queues[qi];
		q->max_len = RTE_MAX(q->max_len, n->len);
		fit = queue_fit(r, q, n, &prev);
		switch (fit) {
		case FP_D_NONE:
			break;
		case FP_D_FRAG_DUPLICATE:
			return refuse(p, drop, fit, FP_R_NONE);
		case FP_D_FRAG_MALFORMED:
			return refuse(p, drop, fit, FP_R_FRAGMENT);
		default:
			r->lost_overlap += queue_free(r, qi);
			return refuse(p, drop, fit, FP_R_FRAGMENT);
		}
	}
	pi = r->free_piece;
	r->free_piece = r->pieces[pi].next;
	fp_store(&r->held, r->held + 1);
	r->pieces[pi] = *n;
	if (!piece_link(r, q, pi, prev)) {
		piece_put(r, pi);
		r->lost_overlap += queue_free(r, qi);
		return refuse(p, drop, FP_D_FRAG_LIMIT, FP_R_FRAGMENT);
	}
	if (r->pieces[q->last].more || q->have_len != r->pieces[q->last].off + r->pieces[q->last].len)
		return FP_REASS_HELD;
	if (!queue_join(r, qi, p))
		return refuse(p, drop, FP_D_FRAG_MALFORMED, FP_R_SHORT);
	return FP_REASS_DONE;
}

enum fp_reass_verdict
fp_reass_input(struct fp_reass *r, struct fp_pkt *p, uint32_t now_sec, enum fp_drop *drop)
{
	struct piece n = { .m = p->m, .l2_len = p->l2_len, .ttl = p->ttl, .tos = p->tos };
	struct key k;

	*drop = FP_D_NONE;
	p->reason = FP_R_NONE;
	memset(&k, 0, sizeof(k));
	k.af = p->af;
	if (p->af == FP_AF_INET) {
		if (p->frag_off & IP4_DF) {
			uint16_t word = p->frag_off & ~IP4_DF;

			if (!r->conf.no_df)
				return refuse(p, drop, FP_D_FRAG_DF, FP_R_FRAGMENT);
			fp_cksum_fix16(p->l3 + 10, rte_cpu_to_be_16(p->frag_off), rte_cpu_to_be_16(word));
			put16(p->l3 + 6, word);
			p->frag_off = word;
		}
		if (r->conf.off)
			return FP_REASS_PASS;
		memcpy(k.src, p->l3 + 12, 4);
		memcpy(k.dst, p->l3 + 16, 4);
		memcpy(&k.id, p->l3 + 4, 2);
		k.proto = p->l3[9];
		n.hdr_len = (p->l3[0] & 0x0f) * 4;
		n.off = (p->frag_off & IP4_OFF_MASK) * 8u;
		n.more = p->frag_off & IP4_MF;
	} else {
		const uint8_t *f = p->l3 + p->frag_off;

		if (r->conf.off)
			return FP_REASS_PASS;
		memcpy(k.src, p->l3 + 8, 16);
		memcpy(k.dst, p->l3 + 24, 16);
		memcpy(&k.id, f + 4, 4);
		n.hdr_len = p->frag_off + 8;
		n.off = (f[2] << 8 | f[3]) & 0xfff8u;
		n.more = f[3] & 1;
	}
	n.len = p->ip_len - n.hdr_len;
	n.skip = n.l2_len + n.hdr_len;
	return input(r, p, &k, &n, now_sec, drop);
}

unsigned
fp_reass_expire(struct fp_reass *r, uint32_t now_sec, unsigned n)
{
	unsigned freed = 0;

	for (; n > 0 && r->oldest != NONE; n--) {
		if ((int32_t)(now_sec - r->queues[r->oldest].created_sec) < (int32_t)r->conf.timeout_sec)
			break;
		freed += queue_free(r, r->oldest);
	}
	return freed;
}

void
fp_reass_lost(struct fp_reass *r, unsigned *by_limit, unsigned *by_overlap)
{
	*by_limit = r->lost_limit;
	*by_overlap = r->lost_overlap;
	r->lost_limit = r->lost_overlap = 0;
}

unsigned
fp_reass_held(const struct fp_reass *r)
{
	return fp_load(&r->held);
}

/* ---- setup */

/* Room for cap pieces and as many queues, the present ones moved over. False: no memory, nothing changed. */
static bool
grow(struct fp_reass *r, uint32_t cap)
{
	uint32_t n_buckets = rte_align32pow2(cap), i;
	struct piece *pieces = rte_zmalloc_socket("fp_reass", cap * sizeof(*pieces), RTE_CACHE_LINE_SIZE, r->socket);
	struct queue *queues = rte_zmalloc_socket("fp_reass", cap * sizeof(*queues), RTE_CACHE_LINE_SIZE, r->socket);
	uint32_t *buckets = rte_malloc_socket("fp_reass", n_buckets * sizeof(*buckets), RTE_CACHE_LINE_SIZE, r->socket);

	if (pieces == NULL || queues == NULL || buckets == NULL) {
		rte_free(pieces);
		rte_free(queues);
		rte_free(buckets);
		return false;
	}
	if (r->cap > 0) {
		memcpy(pieces, r->pieces, r->cap * sizeof(*pieces));
		memcpy(queues, r->queues, r->cap * sizeof(*queues));
		rte_free(r->pieces);
		rte_free(r->queues);
		rte_free(r->buckets);
	}
	for (i = r->cap; i < cap; i++) {
		pieces[i].next = r->free_piece;
		r->free_piece = i;
		queues[i].chain = r->free_queue;
		r->free_queue = i;
	}
	r->pieces = pieces;
	r->queues = queues;
	r->buckets = buckets;
	r->bucket_mask = n_buckets - 1;
	r->cap = cap;
	memset(buckets, 0xff, n_buckets * sizeof(*buckets));
	for (i = r->oldest; i != NONE; i = queues[i].newer) {
		queues[i].chain = buckets[queues[i].hash & r->bucket_mask];
		buckets[queues[i].hash & r->bucket_mask] = i;
	}
	return true;
}

void
fp_reass_configure(struct fp_reass *r, const struct fp_reass_conf *conf)
{
	if (r->cap != 0 && conf->max_frags == r->asked.max_frags && conf->timeout_sec == r->asked.timeout_sec &&
		conf->no_df == r->asked.no_df && conf->off == r->asked.off)
		return;
	r->asked = r->conf = *conf;
	if (r->conf.max_frags == 0 || r->conf.max_frags > FP_REASS_FRAGS_MAX)
		r->conf.max_frags = FP_REASS_FRAGS_MAX;
	if (r->conf.max_frags > r->cap && !grow(r, r->conf.max_frags))
		r->conf.max_frags = r->cap;
	while (r->held > r->conf.max_frags)
		r->lost_limit += queue_free(r, r->oldest);
}

struct fp_reass *
fp_reass_create(const struct fp_reass_conf *conf, int socket)
{
	struct fp_reass *r = rte_zmalloc_socket("fp_reass", sizeof(*r), RTE_CACHE_LINE_SIZE, socket);

	if (r == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	r->socket = socket;
	r->free_piece = r->free_queue = r->oldest = r->newest = NONE;
	if (getrandom(r->secret, sizeof(r->secret), 0) != (ssize_t)sizeof(r->secret)) {
		rte_errno = EIO;
		goto fail;
	}
	fp_reass_configure(r, conf);
	if (r->cap == 0) {
		rte_errno = ENOMEM;
		goto fail;
	}
	return r;

fail:
	rte_free(r);
	return NULL;
}

void
fp_reass_destroy(struct fp_reass *r)
{
	if (r == NULL)
		return;
	while (r->oldest != NONE)
		queue_free(r, r->oldest);
	rte_free(r->pieces);
	rte_free(r->queues);
	rte_free(r->buckets);
	rte_free(r);
}
