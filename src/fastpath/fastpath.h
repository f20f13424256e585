/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fast path as the other rooms see it: make a box, give it ports, addresses, routes and rules, start it, look at it.
 *
 *	struct fp_box *box = fp_box_create(&params);		after rte_eal_init()
 *	fp_port_attach(box, "net_af_packet0,iface=veth0", "ext0", &err);
 *	fp_if_addr_add(box, "ext0", "203.0.113.2/24", &err);
 *	fp_rules_load(box, "pf.conf", &errs);
 *	fp_box_start(box, &err);				workers run
 *	for (;;) fp_box_poll(box);				the main lcore's share: neighbours, timers, punted packets
 *	fp_box_stop(box); fp_box_destroy(box);
 *
 * Threads: everything here is called by the main lcore (the control thread) unless said otherwise. Questions about
 * states go to the workers that own them (fp_worker_call()), in bounded steps between two bursts; the caller waits.
 * Errors: 0 or a negative errno, and a sentence in *err (static size, always set on failure).
 */
#ifndef FP_FASTPATH_H
#define FP_FASTPATH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "counters.h"
#include "policy/policy.h"
#include "policy/table.h"

#define FP_NAME_SIZE 16 /* interface names */

struct fp_box;
struct fp_err { char text[256]; };
int fp_err_set(struct fp_err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4))); /* returns code */

/* ---- box (box.c) */
struct fp_box_conf {
	const char *name;	/* instance name, unique in the process; names rings and memory */
};
struct fp_box *fp_box_create(const struct fp_box_conf *conf, struct fp_err *err);
void fp_box_destroy(struct fp_box *box);
int fp_box_start(struct fp_box *box, struct fp_err *err);	/* allocates shards, sets up queues, launches workers */
int fp_box_stop(struct fp_box *box);	/* ports stay configured; states are kept */
bool fp_box_running(const struct fp_box *box);
bool fp_box_worker_on_main(const struct fp_box *box);	/* runs, and its worker inside fp_box_poll() */
/* One turn of the main lcore. Runs worker 0's burst too when all roles share one core. Returns work done (0: idle). */
unsigned fp_box_poll(struct fp_box *box);

/* ---- parameters (params.c): one table drives parser, help, `show config`, manual page. `set NAME VALUE`. */
enum fp_param_when { FP_PARAM_NOW, FP_PARAM_START /* while stopped */, FP_PARAM_ONCE /* before the first start */ };
struct fp_param {
	const char *name;	/* words as typed after `set`: "workers", "limit states", "idle sleep" */
	const char *type;	/* "uint", "bool", "enum", "string" */
	const char *def;
	int64_t min, max;
	const char *choices;	/* enum: "a|b|c"; "auto" for a number that may be automatic */
	const char *unit;
	enum fp_param_when when;
	const char *help;
};
const struct fp_param *fp_params(unsigned *n);
int fp_param_set(struct fp_box *box, const char *name, const char *value, struct fp_err *err);
int fp_param_get(const struct fp_box *box, const char *name, char *value, size_t size);
bool fp_param_is_default(const struct fp_box *box, const char *name);

/* ---- ports (port.c) and interfaces (ifnet.c) */
int fp_port_attach(struct fp_box *box, const char *devargs, const char *name, struct fp_err *err);
int fp_port_detach(struct fp_box *box, const char *name, struct fp_err *err);
int fp_port_start(struct fp_box *box, const char *name, struct fp_err *err);
int fp_port_stop(struct fp_box *box, const char *name, struct fp_err *err);
int fp_port_promisc(struct fp_box *box, const char *name, bool on, struct fp_err *err);

struct fp_ifaddr_info { uint8_t af, plen, vhid /* not 0: shared, src/failover */; uint8_t addr[16], broadcast[16]; bool linklocal; };
struct fp_if_info {
	char name[FP_NAME_SIZE];
	uint16_t ifid;
	int port_id;			/* -1: none (pseudo interface) */
	char devargs[256];		/* as attached; empty for VLANs */
	char driver[64];
	char parent[FP_NAME_SIZE];	/* VLAN */
	uint16_t vlan_outer, vlan_inner;
	uint8_t mac[6];
	uint16_t mtu;
	bool up, running /* link */, promisc;
	uint32_t link_mbps; bool full_duplex;
	uint16_t n_rxq, n_txq;
	int socket;
	char offloads[128];		/* words: rx-cksum tx-cksum rss multi-segs vlan-strip */
	uint16_t bridge_peer;		/* ifid or FP_IFID_NONE */
	bool pf_skip;
	unsigned n_addrs;
	struct fp_ifaddr_info addrs[32]; /* the first; fp_if_addr() for more */
	uint64_t in_packets, in_bytes, out_packets, out_bytes, in_errors, out_errors, in_missed, in_nombuf;
};
unsigned fp_if_count(const struct fp_box *box);
int fp_if_info(const struct fp_box *box, unsigned i, struct fp_if_info *info);	/* i-th interface; -ENOENT beyond */
int fp_if_find(const struct fp_box *box, const char *name, struct fp_if_info *info);
int fp_if_name(const struct fp_box *box, uint16_t ifid, char name[FP_NAME_SIZE]); /* FP_IFID_ALL: "all" */
int fp_if_addr_add(struct fp_box *box, const char *ifname, const char *prefix, struct fp_err *err); /* "10.0.0.2/24" */
int fp_if_addr_del(struct fp_box *box, const char *ifname, const char *prefix, struct fp_err *err);
/* Addresses that the virtual host vhid (CARP) shares with other boxes: local addresses, announced and answered for by src/failover's rules. */
int fp_if_shared_add(struct fp_box *box, const char *ifname, const char *prefix, uint8_t vhid, struct fp_err *err);
int fp_if_shared_del(struct fp_box *box, const char *ifname, const char *prefix, uint8_t vhid, struct fp_err *err);
int fp_if_set_up(struct fp_box *box, const char *ifname, bool up, struct fp_err *err);
int fp_if_set_mtu(struct fp_box *box, const char *ifname, unsigned mtu, struct fp_err *err);
int fp_if_set_mac(struct fp_box *box, const char *ifname, const char *mac, struct fp_err *err);
/* VLAN interface: name "vlan100", parent "ext0", vid 1..4094; inner vid for QinQ: parent may itself be a VLAN. */
int fp_if_vlan_add(struct fp_box *box, const char *name, const char *parent, unsigned vid, struct fp_err *err);
int fp_if_destroy(struct fp_box *box, const char *name, struct fp_err *err);
int fp_if_bridge(struct fp_box *box, const char *a, const char *b, struct fp_err *err); /* NULL, NULL: back to route mode */
int fp_port_xstats(struct fp_box *box, const char *name, int (*cb)(void *arg, const char *key, uint64_t v), void *arg);
int fp_port_clear_stats(struct fp_box *box, const char *name); /* "all" */

/* ---- routes (route.c), neighbours (neigh.c) */
/* dest "default", prefix or address; gw address or interface name ("-iface"); flags "", "reject", "blackhole". */
int fp_route_add(struct fp_box *box, const char *dest, const char *gw, const char *flags, struct fp_err *err);
int fp_route_delete(struct fp_box *box, const char *dest, const char *gw, struct fp_err *err);
struct fp_route_info { uint8_t af, plen; uint8_t dest[16]; bool has_gw; uint8_t gw[16]; char ifname[FP_NAME_SIZE];
	char flags[16]; /* as `route -n show`: U G H S C L b R B l */ uint16_t mtu; };
int fp_route_foreach(struct fp_box *box, int (*cb)(void *arg, const struct fp_route_info *r), void *arg);
struct fp_neigh_info { uint8_t af; uint8_t addr[16]; bool complete, permanent; uint8_t mac[6]; char ifname[FP_NAME_SIZE];
	uint32_t expires_sec; uint32_t queued; char state; /* N I R S D P as ndp prints */ };
int fp_neigh_foreach(struct fp_box *box, uint8_t af, int (*cb)(void *arg, const struct fp_neigh_info *n), void *arg);
int fp_neigh_delete(struct fp_box *box, const char *addr, struct fp_err *err); /* "all" */
int fp_neigh_add(struct fp_box *box, const char *addr, const char *mac, struct fp_err *err); /* static */

/* ---- rules (rules.c) */
int fp_rules_load(struct fp_box *box, const char *path, struct pol_errors *errs);	/* pfctl -f */
/* ... with pfctl's -D: "name=value", NULL ended, or NULL. */
int fp_rules_load_macros(struct fp_box *box, const char *path, const char *const *macros, struct pol_errors *errs);
const struct pol_ruleset *fp_rules(const struct fp_box *box);	/* in force; valid until the next load */
struct fp_rule_counters { uint64_t evaluations, packets[2] /* in, out */, bytes[2], states_total; uint32_t states; uint32_t src_nodes; };
/* Sums over workers and living states for all rules at once: out[n_rules], by nr. */
int fp_rules_counters(struct fp_box *box, struct fp_rule_counters *out, unsigned n);
int fp_rules_clear_counters(struct fp_box *box); /* pfctl -z */
int fp_rules_flush(struct fp_box *box); /* pfctl -F rules: empty rule set */
struct pol_table *fp_table_by_name(struct fp_box *box, const char *name, bool create);
const struct pol_reclaim *fp_box_reclaim(struct fp_box *box);
void fp_tables_foreach(struct fp_box *box, void (*cb)(void *arg, struct pol_table *t), void *arg);
int fp_pf_enable(struct fp_box *box, bool on); /* pfctl -e, -d */

/* ---- states (states.c) */
struct fp_endpoint { uint8_t addr[16]; uint16_t port; /* host order */ };
struct fp_peer_view { uint32_t seqlo, seqhi, seqdiff; uint16_t max_win, mss; uint8_t state, wscale; bool scrub; uint16_t scrub_flags; uint8_t scrub_ttl; uint32_t ts_mod; };
/* One pf state, addresses as pf's key index has them: [0] source of a packet travelling in, [1] its destination. */
struct fp_state_view {
	uint64_t id; uint32_t creatorid;	/* host order */
	uint8_t af, proto, direction /* 1 in, 2 out */, timeout;
	uint16_t ifid;				/* FP_IFID_ALL */
	struct fp_endpoint wire[2], stack[2];
	struct fp_peer_view src, dst;
	uint32_t age_sec, expires_sec;
	uint64_t packets[2], bytes[2];		/* [0] in the direction of the creating packet */
	uint32_t rule_uid; uint32_t rule_nr;	/* nr as pf prints, UINT32_MAX: default rule */
	bool has_anchor; uint32_t anchor_nr;	/* rule inside an anchor: number of the anchor line, `anchor N` of pfctl -vv */
	uint16_t state_flags;			/* bits of pfsync's state_flags (spec/pfsync-wire.md 8.3) */
	uint8_t rule_rf_srctrack;		/* 1 `source-track`, 2 `source-track rule`-like: what pfctl -vv appends */
	bool learned;				/* origin peer */
	uint8_t sync_pos;
	uint16_t worker;
	bool purge;
	char label[POL_LABEL_SIZE];
};
/* All filters that are set must hold (and). Addresses match either side's keys as pfctl -k does. */
struct fp_state_filter {
	bool has_src, has_dst, has_if, has_id, has_proto, has_label, has_port, has_state, has_key, has_origin;
	struct pol_table_entry src, dst;	/* prefix */
	char ifname[FP_NAME_SIZE], label[POL_LABEL_SIZE];
	uint64_t id; uint32_t creatorid; uint8_t proto, af;
	uint16_t port; bool learned;
};
/* cb on the control thread in unspecified order; cb returns non-zero to stop. Consistent per state, not across states. */
int fp_states_foreach(struct fp_box *box, const struct fp_state_filter *f, int (*cb)(void *arg, const struct fp_state_view *v), void *arg);
/* Remove; the number removed. notify: tell the peer with DEL_C (kill) rather than CLR (flush). */
int64_t fp_states_kill(struct fp_box *box, const struct fp_state_filter *f);
int64_t fp_states_flush(struct fp_box *box, const char *ifname /* NULL all */);
const char *fp_state_peer_name(uint8_t proto, uint8_t state); /* "ESTABLISHED", "SINGLE", "0" ... */

/* rate_count, rate_limit: thousandths of a connection within the last rate_sec seconds (pf's decaying count, now). */
struct fp_srcnode_view { uint8_t af; uint8_t addr[16]; uint32_t states, conn; uint32_t rate_count, rate_limit, rate_sec; uint32_t age_sec, expires_sec; uint64_t packets, bytes; uint32_t rule_nr; };
int fp_srcnodes_foreach(struct fp_box *box, int (*cb)(void *arg, const struct fp_srcnode_view *v), void *arg);

/* ---- figures (stats.c) */
struct fp_stats {
	uint64_t totals[FP_T_MAX], drops[FP_D_MAX], reasons[FP_R_MAX], lcounters[FP_LC_MAX];
	uint32_t states, half_open, frags, srcnodes, srcnode_searches;
	uint64_t srcnode_inserts, srcnode_removals;
	uint64_t since_sec;	/* seconds since pf was enabled */
	uint32_t hostid; bool enabled;
	uint64_t if_pf[2][2][2];	/* log interface: [v4, v6][in, out][pass, block] */
};
void fp_stats_get(struct fp_box *box, struct fp_stats *s);
void fp_stats_clear(struct fp_box *box); /* pfctl -F info, clear ... : a baseline is subtracted */
extern const char *const fp_total_names[FP_T_MAX], *const fp_total_help[FP_T_MAX];
extern const char *const fp_drop_names[FP_D_MAX], *const fp_drop_help[FP_D_MAX];
extern const char *const fp_reason_names[FP_R_MAX], *const fp_reason_help[FP_R_MAX];
extern const char *const fp_lcounter_names[FP_LC_MAX];

struct fp_lcore_info {
	unsigned lcore, worker; int socket; char role[16]; /* "worker", "main", "main+worker" */
	uint64_t loops, busy_cycles, idle_cycles, packets, bursts;
	double cycles_per_packet, busy_share, burst_mean;	/* since the last clear or over the last second: see stats.c */
	uint64_t burst_hist[7];		/* 1, 2-3, 4-7, 8-15, 16-31, 32, full ring */
	uint32_t states, table_records; uint64_t handed_over, rx_handover;
	uint64_t stall_max_us;
};
unsigned fp_lcore_count(const struct fp_box *box);
int fp_lcore_info(struct fp_box *box, unsigned i, struct fp_lcore_info *info);

/* ---- questions */
struct fp_why {
	bool has_state[2]; struct fp_state_view state[2];	/* in half, out half */
	uint32_t rule_nr[2]; char rule_text[2][512]; bool rule_pass[2]; /* what the rules would say of a first packet, in and out */
	char in_if[FP_NAME_SIZE], out_if[FP_NAME_SIZE]; bool routed; char next_hop[64];
	unsigned worker, lcore;
};
/* proto name or number; src and dst "addr[:port]" / "addr[port]"; in_if: NULL = the interface with the route to src. */
int fp_why(struct fp_box *box, const char *proto, const char *src, const char *dst, const char *in_if, struct fp_why *w,
	struct fp_err *err);

/* ---- events: `monitor`. cb on the control thread from fp_box_poll(); rate-bounded, losses counted in *lost. */
enum fp_event_kind { FP_EV_STATE_NEW, FP_EV_STATE_CHANGE, FP_EV_STATE_DEL, FP_EV_DROP };
struct fp_event { enum fp_event_kind kind; uint64_t time_us; struct fp_state_view state; enum fp_drop drop; char summary[160]; };
int fp_events_subscribe(struct fp_box *box, unsigned kinds_mask, void (*cb)(void *arg, const struct fp_event *ev, uint64_t lost), void *arg);
void fp_events_unsubscribe(struct fp_box *box, int id);

/* ---- log: `log` rules write DLT_PFLOG to this pcap file; NULL closes. */
int fp_pflog_open(struct fp_box *box, const char *path, struct fp_err *err);

#endif
