/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fragments: reassembly as pf does it (spec/tcp-state.md 12) and cutting on the way out; docs/fragments.md has the rules
 * and why rte_ip_frag is not used. One instance per worker, single-threaded; fragments of one packet are brought to one
 * worker before they come here.
 *
 *	drop = fp_parse_l4(p);
 *	if (drop == FP_D_NONE && (p->flags & FP_PF_FRAGMENT))
 *		switch (fp_reass_input(r, p, now_sec, &drop)) {
 *		case FP_REASS_HELD: return;			the mbuf is the queue's
 *		case FP_REASS_DONE: drop = fp_parse_l4(p); break;	a whole packet
 *		case FP_REASS_PASS: break;			`set reassemble no`: rules only
 *		case FP_REASS_DROP: break;
 *		}
 */
#ifndef FP_REASS_H
#define FP_REASS_H

#include "pkt.h"

struct fp_reass;

struct fp_reass_conf {
	uint32_t max_frags;	/* `set limit frags`: pieces held; beyond it the oldest queue goes. 0, or beyond
				 * FP_REASS_FRAGS_MAX: that many */
	uint32_t timeout_sec;	/* `set timeout frag` */
	bool no_df;		/* `set reassemble yes no-df` */
	bool off;		/* `set reassemble no` */
};
#define FP_REASS_FRAGS_MAX (1u << 18)

/* NULL with rte_errno = ENOMEM. */
struct fp_reass *fp_reass_create(const struct fp_reass_conf *conf, int socket);
void fp_reass_destroy(struct fp_reass *r); /* frees what is held; NULL is fine */
/* Owner's thread. A limit that grows takes memory; if there is none the old room stays. What is held stays, but for the
 * oldest where it is more than the new limit. */
void fp_reass_configure(struct fp_reass *r, const struct fp_reass_conf *conf);

enum fp_reass_verdict { FP_REASS_HELD, FP_REASS_DONE, FP_REASS_DROP, FP_REASS_PASS };
/*
 * p: a fragment after fp_parse_l4() (FP_PF_FRAGMENT). HELD: the mbuf is ours now. DONE: p is the whole packet (p->m a
 * chain that starts with the Ethernet header of its first fragment; l3, l2_len, ip_len, ttl, tos are set; v6 also
 * FP_PF_REASSEMBLED, frag_size, frag_hdr_len, frag_id), call fp_parse_l4() again. DROP: p->m is the caller's, *drop says
 * why and p->reason is what pf counts; copies and covered pieces of v4 are dropped without a pf counter.
 * PASS: reassembly is off (DF cleared with no_df).
 */
enum fp_reass_verdict fp_reass_input(struct fp_reass *r, struct fp_pkt *p, uint32_t now_sec, enum fp_drop *drop);
/*
 * Free up to n queues that are as old as the timeout; returns how many pieces were freed (FP_D_FRAG_TIMEOUT). pf does it
 * every `set timeout interval` seconds; a queue that nobody expired yet still completes.
 */
unsigned fp_reass_expire(struct fp_reass *r, uint32_t now_sec, unsigned n);
/* Held pieces freed since the last call: by the limit (FP_D_FRAG_LIMIT), by a v6 overlap or a queue too finely cut
 * (FP_D_FRAG_OVERLAP). The piece that caused it is not among them. */
void fp_reass_lost(struct fp_reass *r, unsigned *by_limit, unsigned *by_overlap);
unsigned fp_reass_held(const struct fp_reass *r); /* pieces; `Fragments current entries` */

/*
 * Cut p->m into pieces (frag_out.c).
 *
 * v4: by mtu, with the id of the packet, options that say so copied to all pieces (RFC 791), MF and offset of a packet
 * that is a fragment itself kept. The caller has looked at DF.
 * v6: what was reassembled (FP_PF_REASSEMBLED), to frag_size whatever mtu is, as it came in; random_id is the new id. A
 * piece longer than the MTU is for the caller to answer with packet too big, as a router does with a fragment.
 *
 * @param direct  for the pieces; a piece longer than one buffer is a chain.
 * @param indirect  not needed by the way it is done now (copies, see frag_out.c); may be NULL.
 * @param out     at most max mbufs whose data starts at the IP header, checksums right.
 * @return        how many; the original is freed. -1: no buffers, or more than max; the original is the caller's.
 */
int fp_fragment(struct fp_pkt *p, uint16_t mtu, struct rte_mempool *direct, struct rte_mempool *indirect,
	struct rte_mbuf **out, unsigned max, uint32_t random_id);
/* Enough for 64 KB in pieces of 68 bytes of v4 MTU, and for every v6 packet that fp_reass_input() puts together. */
#define FP_FRAGMENT_MAX 1400

#endif
