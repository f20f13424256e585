/* SPDX-License-Identifier: BSD-2-Clause */
/* Defaults of what other files of this room provide; a file that defines one of these names wins. */
#include <errno.h>
#include <stdlib.h>

#include "box_priv.h"
#include "burst.h"
#include "conf.h"

#define WEAK __attribute__((weak))

WEAK void
fp_burst(struct fp_worker *w, struct rte_mbuf **m, unsigned n, uint16_t port_id)
{
	for (unsigned i = 0; i < n; i++)
		fp_drop(w, m[i], FP_D_IF_DOWN);
}
WEAK void fp_burst_handover(struct fp_worker *w, struct rte_mbuf **m, unsigned n) { fp_burst(w, m, n, 0); }
WEAK unsigned fp_housekeeping(struct fp_worker *w) { return 0; }
WEAK int fp_worker_init(struct fp_worker *w, struct fp_err *err) { return 0; }
WEAK void fp_worker_fini(struct fp_worker *w) { }
WEAK void fp_pflog_punted(struct fp_box *box, struct rte_mbuf *m) { rte_pktmbuf_free(m); }
WEAK void fp_proto_punted(struct fp_box *box, struct rte_mbuf *m) { rte_pktmbuf_free(m); }
WEAK unsigned fp_events_poll(struct fp_box *box) { return 0; }
WEAK void fp_events_drop(struct fp_worker *w, struct rte_mbuf *m, enum fp_drop why) { }
WEAK int fp_rules_create(struct fp_box *box, struct fp_err *err) { return 0; }
WEAK void fp_rules_destroy(struct fp_box *box) { }
WEAK unsigned fp_reass_held(const struct fp_reass *r) { return 0; }
WEAK const uint32_t pol_limit_defaults[POL_LIMIT_MAX] = { [POL_LIMIT_FRAGS] = 8192 };
/* The published configuration keeps pf's defaults and no rules. */
WEAK void fp_conf_policy_get(struct fp_box *box, struct fp_conf *c) { }
WEAK bool fp_conf_policy_skip(struct fp_box *box, const char *ifname) { return false; }
WEAK const uint32_t pol_timeout_defaults[POL_TM_MAX] = { 120, 30, 86400, 900, 45, 90, 60, 30, 60, 20, 10, 60, 30, 60, 60, 10,
	60000, 120000, 0, 30 };

/* Asked by src/cli. */
WEAK const struct pol_reclaim *fp_box_reclaim(struct fp_box *box) { return NULL; }
WEAK int fp_pf_enable(struct fp_box *box, bool on) { return -ENOTSUP; }
WEAK int fp_pflog_open(struct fp_box *box, const char *path, struct fp_err *err) { return fp_err_set(err, -ENOTSUP, "not in this build"); }
WEAK int fp_port_clear_stats(struct fp_box *box, const char *name) { return -ENOTSUP; }
WEAK int fp_port_xstats(struct fp_box *box, const char *name, int (*cb)(void *arg, const char *key, uint64_t v), void *arg) { return -ENOTSUP; }
WEAK const struct pol_ruleset *fp_rules(const struct fp_box *box) { return NULL; }
WEAK int fp_rules_clear_counters(struct fp_box *box) { return -ENOTSUP; }
WEAK int fp_rules_counters(struct fp_box *box, struct fp_rule_counters *out, unsigned n) { return -ENOTSUP; }
WEAK int fp_rules_flush(struct fp_box *box) { return -ENOTSUP; }
WEAK int fp_rules_load(struct fp_box *box, const char *path, struct pol_errors *errs) { return -ENOTSUP; }
WEAK int fp_srcnodes_foreach(struct fp_box *box, int (*cb)(void *arg, const struct fp_srcnode_view *v), void *arg) { return -ENOTSUP; }
WEAK const char *fp_state_peer_name(uint8_t proto, uint8_t state) { return "0"; }
WEAK int64_t fp_states_flush(struct fp_box *box, const char *ifname) { return -ENOTSUP; }
WEAK int
fp_states_foreach(struct fp_box *box, const struct fp_state_filter *f, int (*cb)(void *arg, const struct fp_state_view *v), void *arg)
{
	return -ENOTSUP;
}
WEAK int64_t fp_states_kill(struct fp_box *box, const struct fp_state_filter *f) { return -ENOTSUP; }
WEAK struct pol_table *fp_table_by_name(struct fp_box *box, const char *name, bool create) { return NULL; }
WEAK void fp_tables_foreach(struct fp_box *box, void (*cb)(void *arg, struct pol_table *t), void *arg) { }
WEAK int fp_why(struct fp_box *box, const char *proto, const char *src, const char *dst, const char *in_if, struct fp_why *w,
	struct fp_err *err) { return fp_err_set(err, -ENOTSUP, "not in this build"); }
WEAK int fp_events_subscribe(struct fp_box *box, unsigned kinds_mask, void (*cb)(void *arg, const struct fp_event *ev, uint64_t lost),
	void *arg) { return -ENOTSUP; }
WEAK void fp_events_unsubscribe(struct fp_box *box, int id) { }
