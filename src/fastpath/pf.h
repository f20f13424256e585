/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pf on one packet and one direction: states, then rules. spec/tcp-state.md 1.
 *
 * A forwarded packet passes twice, on the way in and on the way out. Where both halves of its connection live in one
 * record and the packet is sure to reach the second pass (`joint_if`), the first pass does the work of both and marks
 * the packet FP_PF_JOINT. Everywhere else each pass tracks its own half; a shared record is uncoupled first.
 */
#ifndef FP_PF_H
#define FP_PF_H

#include "box.h"

/*
 * Layer 4, key and hash of p, so that it can be steered to the owner of its flow. FP_D_NONE or why it is dropped
 * (p->reason set). Packets without a key (fragments) get FP_PF_KEYLESS and a hash of addresses and protocol.
 */
enum fp_drop fp_pf_classify(struct fp_worker *w, struct fp_pkt *p);

/*
 * One pass. True: go on. False: the packet is gone (dropped, answered, held), counted.
 * joint_if: on the way in, the interface by which the packet is certain to leave if pf passes it, else NULL.
 */
bool fp_pf(struct fp_worker *w, struct fp_pkt *p, bool out, const struct fp_ifnet *ifp, const struct fp_ifnet *joint_if);

/* Tell the client of a state in PROXY_DST that goes away (RST+ACK). */
void fp_synproxy_abandon(struct fp_worker *w, struct fp_state *st, int half);

/*
 * Route a packet that this box made and send it; m's data is the IP packet. by_pf: made by pf itself, does not pass pf
 * again (as the ICMP errors and answers of the stack do). came_in: interface of the packet that it answers (in bridge mode
 * the way out). forward.c
 */
void fp_originate(struct fp_worker *w, struct rte_mbuf *m, uint8_t af, const struct fp_ifnet *came_in, bool by_pf);
/* The same with a tag, that outbound rules may ask for (`tagged`). */
void fp_originate_tagged(struct fp_worker *w, struct rte_mbuf *m, uint8_t af, const struct fp_ifnet *came_in, bool by_pf,
	uint16_t tag);

/* Once a loop; most of it once a second: cookies' keys, sources, settings of reassembly. */
void fp_pf_housekeeping(struct fp_worker *w);
/* Tell reassembly what w->conf says; cheap when nothing changed. */
void fp_pf_reass_configure(struct fp_worker *w);

#endif
