/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fragments: reassembly as pf does it (spec/tcp-state.md 12) and cutting on the way out.
 *
 * rte_ip_frag is not used for reassembly: it holds at most RTE_LIBRTE_IP_FRAG_MAX_FRAG (8) pieces, which is less than a
 * 64 KB packet over Ethernet has, and does not decide overlaps as pf does (docs/architecture.md). One instance per
 * worker, single-threaded; fragments of one packet are brought to one worker before they come here.
 */
#ifndef FP_REASS_H
#define FP_REASS_H

#include "pkt.h"

struct fp_reass;

struct fp_reass_conf {
	uint32_t max_frags;	/* `set limit frags`: pieces held; beyond it the oldest queue goes */
	uint32_t timeout_sec;	/* `set timeout frag` */
	bool no_df;		/* `set reassemble yes no-df` */
};

struct fp_reass *fp_reass_create(const struct fp_reass_conf *conf, int socket);
void fp_reass_destroy(struct fp_reass *r);
void fp_reass_configure(struct fp_reass *r, const struct fp_reass_conf *conf); /* owner's thread */

enum fp_reass_verdict { FP_REASS_HELD, FP_REASS_DONE, FP_REASS_DROP };
/*
 * p: a fragment after fp_parse_ip() (v6: with frag_off found). HELD: the mbuf is ours now. DONE: p is the whole packet
 * (p->m a chain with contiguous headers), call fp_parse_l4() again. DROP: the mbuf is the caller's, *drop says why and
 * p->reason is what pf counts. Duplicates of v4 are dropped without a pf counter.
 */
enum fp_reass_verdict fp_reass_input(struct fp_reass *r, struct fp_pkt *p, uint32_t now_sec, enum fp_drop *drop);
/* Expire up to n queues; frees their mbufs; returns how many pieces were freed. */
unsigned fp_reass_expire(struct fp_reass *r, uint32_t now_sec, unsigned n);
unsigned fp_reass_held(const struct fp_reass *r); /* pieces; `Fragments current entries` */

/*
 * Cut p->m (IP packet behind l2_len bytes of room) into pieces for mtu; v4: by MTU with the original id; v6: only what
 * was reassembled, to min(frag_size, mtu), new random id. out: at most max mbufs whose data starts at the IP header.
 * Returns the number, or -1 (no buffers, would exceed max); the original is freed on success only.
 */
int fp_fragment(struct fp_pkt *p, uint16_t mtu, struct rte_mempool *direct, struct rte_mempool *indirect,
	struct rte_mbuf **out, unsigned max, uint32_t random_id);
/* Most pieces that fp_fragment() can make of one packet: 65535 bytes in pieces of 8 + header would be thousands; MTU is at least 576/1280. */
#define FP_FRAGMENT_MAX 128

#endif
