/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbours as the main lcore knows them: shared by neigh.c (protocol) and neigh_ctl.c (arp and ndp commands). */
#ifndef FP_NEIGH_PRIV_H
#define FP_NEIGH_PRIV_H

#include <errno.h>
#include <sys/queue.h>

#include <rte_log.h>
#include <rte_mbuf.h>

#include "arp_nd.h"
#include "conf.h"
#include "l2.h"
#include "neigh_table.h"
#include "net.h"

#define NH_HOSTS_MAX (1u << 18)
#define NH_INCOMPLETE_MAX 4096u

enum nh_state { NH_INCOMPLETE, NH_REACHABLE, NH_STALE, NH_PROBE, NH_FAILED, NH_STATIC };
/* Each list waits for one time, so that it is sorted by construction. */
enum nh_list { NH_LIST_INCOMPLETE, NH_LIST_PROBE, NH_LIST_REACH4, NH_LIST_REACH6, NH_LIST_STALE, NH_LIST_FAILED, NH_LISTS,
	NH_LIST_NONE = NH_LISTS };

struct fp_neigh_host {
	struct fp_neigh_host *next;	/* hash chain */
	TAILQ_ENTRY(fp_neigh_host) link;
	struct fp_neigh_entry *entry;	/* in the workers' table; NULL: not resolved */
	uint64_t due_us, stale_us;
	struct rte_mbuf *queue_head, *queue_tail; /* linked by fp_mbuf_priv.next */
	uint32_t n_queued;
	uint16_t ifid;
	uint8_t af, state, list, tries;
	uint8_t addr[16];
	struct rte_ether_addr mac;	/* of entry */
};
TAILQ_HEAD(nh_head, fp_neigh_host);

struct fp_neigh {
	struct fp_neigh_host **buckets;
	uint32_t mask, n_hosts;
	uint32_t hosts_max, incomplete_max;
	struct nh_head lists[NH_LISTS];
	uint32_t len[NH_LISTS];
	uint32_t held;			/* packets in all queues */
	uint64_t now_us, defended_us;
	uint64_t secret[2];
	uint64_t cnt[FP_AC_MAX];
};

struct fp_neigh_host *fp_neigh_host_find(const struct fp_neigh *n, uint16_t ifid, uint8_t af, const uint8_t *addr);
struct fp_neigh_host *fp_neigh_host_new(struct fp_box *box, uint16_t ifid, uint8_t af, const uint8_t *addr);
void fp_neigh_host_remove(struct fp_box *box, struct fp_neigh_host *h);
/* Make h permanent. 0 or -ENOMEM: h is gone. */
int fp_neigh_host_static(struct fp_box *box, struct fp_neigh_host *h, const struct rte_ether_addr *mac);

#endif
