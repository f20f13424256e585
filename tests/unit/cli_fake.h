/* SPDX-License-Identifier: BSD-2-Clause */
/* A box made of variables: everything that src/cli asks of fastpath.h, without EAL. Tests set what it answers. */
#ifndef CLI_FAKE_H
#define CLI_FAKE_H

#include "fastpath/fastpath.h"
#include "sync/sync.h"

#define FAKE_MAX_IFS 8

struct fp_box {
	bool running, enabled;
	struct fp_if_info ifs[FAKE_MAX_IFS];
	unsigned n_ifs;
	struct fp_state_view *states;
	unsigned n_states;
	uint64_t repeat;		/* the list of states is told so many times: long listings */
	struct fp_route_info routes[8];
	unsigned n_routes;
	struct fp_neigh_info neighs[8];
	unsigned n_neighs;
	struct fp_stats stats;
	struct fp_rule_counters *rule_counters;
	struct pol_ruleset *rules;
	struct pol_table *tables[8];
	unsigned n_tables;
	char params[64][64];
	bool param_set[64];
	struct fp_state_filter last_kill;
	int64_t killed;
	char log[4096];			/* what was done to the box, one line each */
	unsigned polls;
	void (*event_cb)(void *arg, const struct fp_event *ev, uint64_t lost);
	void *event_arg;
	struct fp_why why;
	struct fp_lcore_info lcores[2];
	unsigned n_lcores;
	struct sync *sync;		/* NULL: a box without a pair */
};

struct sync {
	struct fp_box *box;
	struct sync_conf conf;
	struct sync_info info;
	const char *fail;		/* this function refuses: "up", "syncdev", ... */
	unsigned asked;			/* times that info was asked for; the n-th answer has bulk state bulk_states[n], or the last */
	const char *bulk_states[4];
	void (*event_cb)(void *arg, const struct sync_event *ev, uint64_t lost);
	void *event_arg;
};

struct fp_box *fake_box(void);		/* ext0, int0, a v4 and a v6 address each */
void fake_box_free(struct fp_box *box);
/* Run a line, both streams into buffers that the next call reuses. Returns the exit status. */
struct cli;
int fake_run(struct cli *c, const char *line);
extern char *fake_out, *fake_err;

void cli_fake_carp_reset(void);	/* no carpN, nothing demoted; a new box begins so */

#endif
