/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The editable configuration behind struct fp_conf: interfaces, addresses, static routes. ifnet.c (interfaces and VLANs),
 * ifaddr.c (addresses), route.c, neigh.c and conf.c share it; others use fastpath.h and box.h.
 *
 * Owner of everything here: the main lcore. Workers never see these structures: fp_conf_publish() copies what they need
 * into an immutable struct fp_conf. A change marks what it made stale (fp_net_changed()); small configurations are
 * published at once, large ones by the next turns of the main lcore, so that a file with thousands of routes costs a few
 * rebuilds and not thousands.
 */
#ifndef FP_NET_H
#define FP_NET_H

#include "box.h"

/* One interface: a port, or a VLAN on one. Its ifid is its index; a removed one keeps its slot for a grace period. */
struct fp_net_if {
	char name[FP_NAME_SIZE];
	bool used;			/* exists */
	bool gone;			/* removed; the id is reused after a grace period */
	bool up;			/* administratively */
	bool link;			/* of the port; VLANs: the parent's */
	uint16_t port_id;		/* of the port at the bottom */
	uint16_t parent;		/* ifid, FP_IFID_NONE: a port */
	uint16_t vlan_outer, vlan_inner;
	uint16_t bridge_peer;
	uint16_t mtu;
	struct rte_ether_addr mac;
	struct fp_ifaddr *addrs;
	uint32_t n_addrs, cap_addrs;
	struct fp_vhids *vhids;		/* NULL: none yet; freed after a grace period with the interface */
	bool auto_linklocal;		/* the fe80:: made from the MAC is among addrs */
};

/* Static routes; connected, local and broadcast ones follow from the addresses when the FIB is built. */
struct fp_net_route {
	union pol_ip dest, gw;
	uint8_t af, plen;
	uint8_t kind;			/* FP_NH_GATEWAY, FP_NH_CONNECTED (to an interface), FP_NH_REJECT, FP_NH_BLACKHOLE */
	bool used, has_gw;
	uint16_t ifid;			/* FP_NH_CONNECTED, or scope of a link-local gateway; else FP_IFID_NONE */
	uint32_t next;			/* hash chain: index + 1 */
};

#define FP_NET_DIRTY_CONF 1u		/* interfaces, flags */
#define FP_NET_DIRTY_ROUTE4 2u
#define FP_NET_DIRTY_ROUTE6 4u

struct fp_box_net {
	struct fp_net_if *ifs;
	uint32_t n_ifs, cap_ifs;
	bool bridge;
	unsigned dirty;			/* FP_NET_DIRTY_* */
	uint64_t publish_tsc, publish_cost_tsc;	/* end and duration of the last rebuild of a FIB */

	struct fp_net_route *routes;
	uint32_t n_routes, n_routes_used, cap_routes, free_routes /* index + 1 */;
	uint32_t *route_hash, route_hash_mask;

	struct fp_fib *fib;		/* last built; shared with published configurations */
	struct fp_fib_live *fib_live;	/* tables in memory, old ones included */
	struct fp_neigh *neigh;		/* neigh.c */
};

/* Mark stale and publish, now or soon (see above). what: FP_NET_DIRTY_*. 0, or the error of fp_conf_publish(). */
int fp_net_changed(struct fp_box *box, unsigned what, struct fp_err *err);
/* The deferred part of it, from fp_neigh_timers(). */
void fp_net_publish_pending(struct fp_box *box);

/* Take the configuration away and free it at once: no worker runs any more. */
void fp_conf_unpublish(struct fp_box *box);

/* ---- interfaces (ifnet.c) */
struct fp_net_if *fp_net_if_by_name(const struct fp_box *box, const char *name);
struct fp_net_if *fp_net_if_by_id(const struct fp_box *box, uint16_t ifid); /* NULL: none, gone */
static inline uint16_t fp_net_ifid(const struct fp_box *box, const struct fp_net_if *i) { return i - box->net->ifs; }
/* Up, and all that it stands on too. */
bool fp_net_if_running(const struct fp_box *box, const struct fp_net_if *i);
/* As published: 14, 18, 22. */
uint8_t fp_net_if_l2_len(const struct fp_net_if *i);

/* ---- addresses (ifaddr.c) */
/* "10.0.0.1", "2001:db8::1", "fe80::1%ext0" (ifname, size FP_NAME_SIZE, gets the scope or ""), each with "/plen" when plen is
 * not NULL (-1: not given). false: not an address. */
bool fp_addr_parse(const char *s, uint8_t *af, union pol_ip *addr, int *plen, char *ifname);
const char *fp_addr_ntop(uint8_t af, const void *addr, char *buf, size_t size);
bool fp_addr_in(uint8_t af, const void *addr, const void *net, unsigned plen);
void fp_addr_mask(uint8_t af, union pol_ip *addr, unsigned plen);
static inline bool fp_addr_is_linklocal(const uint8_t *a6) { return a6[0] == 0xfe && (a6[1] & 0xc0) == 0x80; }
/* The address of this interface, NULL: not one of its own. */
const struct fp_ifaddr *fp_net_if_own(const struct fp_net_if *i, uint8_t af, const void *addr);
/* The running interface with a network that holds addr; FP_IFID_NONE: none. scope: restricts to one (link-local), else FP_IFID_NONE. */
uint16_t fp_net_connected(const struct fp_box *box, uint8_t af, const void *addr, uint16_t scope);
/* Make or remove the automatic link-local address after a change of addresses or MAC. 0 or -ENOMEM. */
int fp_net_linklocal_update(struct fp_box *box, struct fp_net_if *i);
/* Best own address to speak from to dst out of i; NULL: none of that family. */
const struct fp_ifaddr *fp_net_if_source(const struct fp_net_if *i, uint8_t af, const void *dst);

/* ---- routes (route.c) */
int fp_routes_create(struct fp_box *box);
void fp_routes_destroy(struct fp_box *box);
/* fib.c: the FIB of what is configured now; old parts are taken over where nothing changed. NULL and *err: no memory. */
struct fp_fib *fp_fib_build(struct fp_box *box, unsigned dirty, struct fp_err *err);
void fp_fib_put(void *fib);	/* drops one reference */
void fp_fib_get(struct fp_fib *fib);
struct fp_fib_live *fp_fib_live_create(void);	/* NULL: no memory */
void fp_fib_live_put(struct fp_fib_live *l);
unsigned fp_fib_live_tables(const struct fp_fib_live *l);
bool fp_fib_is_small(const struct fp_fib *fib);	/* built as a tree: wants to be rebuilt once workers run */
/* Static routes that name an interface go with it. */
void fp_routes_if_gone(struct fp_box *box, uint16_t ifid);

/* ---- VLANs (ifnet.c): the immutable (port, outer, inner) -> ifid map of a configuration; size 0: none */
struct fp_vlan_map;
struct fp_vlan_map *fp_vlan_map_build(const struct fp_ifnet *ifs, uint32_t n_ifs); /* NULL: no memory; free() it */

/* ---- neighbours (neigh.c) */
int fp_neigh_create(struct fp_box *box);
void fp_neigh_destroy(struct fp_box *box);
void fp_neigh_if_gone(struct fp_box *box, uint16_t ifid, bool statics);	/* forget what was learned there; statics: all */
/* Tell the segment: gratuitous ARP and unsolicited NA for every address of the interface (start, link up, address added). */
void fp_neigh_announce(struct fp_box *box, const struct fp_net_if *i);
void fp_neigh_announce_addr(struct fp_box *box, const struct fp_net_if *i, const struct fp_ifaddr *a);

/* ARP and ND events; one writer, the main lcore. Key and help for `show`. */
#define FP_ARP_COUNTERS(X) \
	X(ARP_REQUEST_RX, "arp_requests_received", "ARP requests received") \
	X(ARP_REPLY_RX, "arp_replies_received", "ARP replies received") \
	X(ARP_REQUEST_TX, "arp_requests_sent", "ARP requests sent") \
	X(ARP_REPLY_TX, "arp_replies_sent", "ARP replies sent") \
	X(ARP_BAD, "arp_malformed", "ARP packets that were refused") \
	X(ARP_CONFLICT, "arp_conflicts", "ARP from another station that claims an address of this box") \
	X(NS_RX, "nd_solicitations_received", "neighbour solicitations received") \
	X(NA_RX, "nd_advertisements_received", "neighbour advertisements received") \
	X(NS_TX, "nd_solicitations_sent", "neighbour solicitations sent") \
	X(NA_TX, "nd_advertisements_sent", "neighbour advertisements sent") \
	X(RS_RA_RX, "nd_router_messages_ignored", "router solicitations, advertisements and redirects, which are ignored") \
	X(ND_BAD, "nd_malformed", "neighbour discovery that was refused") \
	X(ND_CONFLICT, "nd_conflicts", "neighbour discovery from another station that claims an address of this box") \
	X(MOVED, "moved", "neighbours that changed their MAC address") \
	X(RESOLVED, "resolved", "neighbours that answered") \
	X(FAILED, "failed", "neighbours that did not answer") \
	X(EXPIRED, "expired", "entries that aged out") \
	X(EVICTED, "evicted", "entries that made room for others") \
	X(FULL, "table_full", "neighbours refused because the table was full") \
	X(STATIC_KEPT, "static_kept", "announcements that tried to change a static entry")
enum fp_arp_counter {
#define X(n, s, h) FP_AC_##n,
	FP_ARP_COUNTERS(X)
#undef X
	FP_AC_MAX
};
extern const char *const fp_arp_counter_names[FP_AC_MAX], *const fp_arp_counter_help[FP_AC_MAX];
const uint64_t *fp_arp_counters(const struct fp_box *box);

#endif
