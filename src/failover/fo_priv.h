/* SPDX-License-Identifier: BSD-2-Clause */
/* What failover.c (main lcore: configuration, life) and fo_wire.c (thread of the pair: packets, roles) share. */
#ifndef FO_PRIV_H
#define FO_PRIV_H

#include <sys/queue.h>

#include "failover/failover.h"
#include "failover/role.h"
#include "fastpath/box.h"
#include "sync/engine.h"

#define FO_EVENTS 256u	/* power of two */

/* One carpN. Owner: the main lcore; of what the engine sees: the thread, main writes it inside of sync_thread_call(). */
struct fo_if {
	TAILQ_ENTRY(fo_if) link;
	struct fo *f;
	struct fo_if_conf conf;
	/* thread */
	struct fo_carp *c;		/* NULL: incomplete; in the group */
	uint16_t ifid;
	uint8_t vhid;
	/* main */
	char parent[FP_NAME_SIZE];	/* has the shared addresses; empty: none */
	bool told_link, told_up;	/* what the engine was told */
	uint16_t mac_port;		/* whose filter has the virtual MAC; RTE_MAX_ETHPORTS: none */
};
TAILQ_HEAD(fo_ifs, fo_if);

/* A change of role, or (name empty) of a demotion. */
struct fo_event { char name[FP_NAME_SIZE]; struct fo_carp_change change; bool set; struct fo_demotion d; };

/* role.c. Writers: the thread of the pair down to `lift`, main the rest; read by the other relaxed, or inside of a call. */
struct fo_role_state {
	enum fo_role role;
	enum fo_peer_health peer;
	const char *why, *last_why;
	struct fo_watch watch;
	uint64_t since_us, peer_since_us, last_turn_us;
	uint64_t deaths, false_alarms, transitions;
	bool resigned;			/* `failover`: demoted until the other has the role, then held until master again */
	bool lift;
	bool gather;			/* one preempted: the others go with it */
	int give_rc;
	enum { FO_STEP_NONE, FO_STEP_LEVEL, FO_STEP_GIVEN, FO_STEP_DONE, FO_STEP_FAILED } step;
	bool level_asked, levelled;
	uint64_t start_us;
	char handover[96];
};
#define FO_HOLD_FOREVER_US (10ull * 365 * 86400 * 1000000)
#define FO_LINGER_US 3000000ull
#define FO_LINGERS 64u

struct fo {
	struct fp_box *box;
	struct sync *sync;
	/* main */
	struct fo_ifs ifs;
	struct fo_options opt;
	uint32_t generation;		/* of the box's configuration that was looked at last */
	uint64_t last_poll_us;
	bool stopping, was_running;
	unsigned sync_demote;		/* as told */
	struct { char (*group)[FO_GROUP_NAME_SIZE]; int *count; unsigned n; } by_hand;
	/* thread; main inside of sync_thread_call() */
	struct fo_group *group;
	struct sync_thread *t;		/* whose call or turn it is */
	uint64_t deadline_us;		/* 0: look */
	uint16_t ip_id;
	struct fo_linger { uint16_t ifid; uint8_t vhid; uint64_t until_us; } linger[FO_LINGERS]; /* gave the role away, take frames until then; 0 free */
	unsigned n_linger;
	struct fo_role_state role;
	/* thread -> main, for the log: head with release by the thread, tail by main */
	struct fo_event events[FO_EVENTS];
	uint32_t ev_head, ev_tail;
};

extern const struct fo_carp_ops fo_wire_ops;
void fo_wire_demotion(void *ctx, const struct fo_demotion *d, bool set);
void fo_wire_input(void *arg, struct sync_thread *t, const struct sync_ip *p);
unsigned fo_wire_turn(void *arg, struct sync_thread *t);
uint64_t fo_wire_deadline(void *arg);
void fo_wire_linger(struct fo *f, uint64_t now_us);

#endif
