/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The role of the box, made of its virtual hosts, its peer's heartbeat and the state of the tables; and the planned handover.
 *
 *	INIT	no virtual host is up
 *	SYNCING	a backup that has not learned everything yet: demoted, takes over only when nobody else is there
 *	BACKUP	would take over with nothing lost
 *	MASTER	at least one virtual host is master here
 *
 * Peer. A twin's heartbeat on the cable says that it lives. When it falls silent while the cable has link, the peer is asked
 * by a data port, between the real addresses (the one that its advertisements come from): if that is not answered either, it is
 * dead, and backups take over without waiting for three missed advertisements. If it is answered, or the cable has lost its
 * link, only advertisements decide, so that a cut cable never makes two masters.
 *
 * Threads: fo_role_turn() and fo_role_changed() on the thread of the pair, the rest on the main lcore.
 */
#ifndef FO_ROLE_H
#define FO_ROLE_H

#include "failover/failover.h"
#include "failover/watch.h"

enum fo_role { FO_ROLE_INIT, FO_ROLE_SYNCING, FO_ROLE_BACKUP, FO_ROLE_MASTER };
extern const char *const fo_role_names[], *const fo_peer_names[];

struct fo_role_info {
	enum fo_role role;
	uint64_t since_us;		/* ago */
	char why[64];
	enum fo_peer_health peer;
	uint64_t peer_since_us;		/* ago */
	uint64_t deaths;		/* peers found dead */
	uint64_t false_alarms;		/* silent on the cable, alive after all */
	uint64_t transitions;
	bool handing_over;
	char handover[96];		/* how the last one went, or goes */
};
void fo_role_info_get(struct fo *f, struct fo_role_info *o);

/*
 * Planned handover: the peer is brought level to the last change, then takes the addresses; this box sends on what still
 * reaches it. Starts; fo_handover_done() says 0 while it is under way, 1 when no virtual host is master here, else a negative
 * errno with the reason in fo_role_info.handover. From then on this box does not preempt until it has been master again; it
 * takes over from a master that dies, goes, or is demoted.
 */
int fo_handover(struct fo *f, struct fp_err *err);
int fo_handover_done(struct fo *f);

struct sync_thread;
unsigned fo_role_turn(struct fo *f, struct sync_thread *t);
void fo_role_changed(struct fo *f, struct fo_carp *c, const struct fo_carp_change *change);
uint64_t fo_role_deadline_us(const struct fo *f);
bool fo_peer_is_twin(const struct fo *f); /* its heartbeat was heard, ever. Any thread */
void fo_role_poll(struct fo *f);	/* main lcore */

#endif
