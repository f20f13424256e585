/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Buffers that come back as late as possible, so that a use after the free shows. A handler for mempools: name
 * STRICT_POOL to EAL ("--mbuf-pool-ops-name=" STRICT_POOL) and every pool of packet buffers is made with it.
 *
 * DPDK's libraries are not instrumented, so ThreadSanitizer does not see how an object that one thread frees comes to
 * another. This handler tells it, object by object: the one who frees it is done with it before the next one gets it.
 * Nothing else is ordered by that, so it hides no race.
 */
#ifndef STRICT_POOL_H
#define STRICT_POOL_H

#define STRICT_POOL "strict"

#endif
