/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rule set made fast: classifiers per direction and family, and the plain walk that they must agree with.
 *
 * "Last match wins, unless quick" is a pure priority (docs/architecture.md): a quick rule beats every non-quick rule and
 * every later quick rule, a non-quick rule beats every earlier non-quick one. What rte_acl can express (addresses,
 * ports, protocol, interface, flags, icmp type, tos, families) is classified for a whole burst; rules with a predicate
 * that it cannot express (probability, tagged, tables that only one rule asks) and those that must be seen in order
 * (match rules, rules that tag, once) are a plain list, of which only those are tried that could change the answer. Tables,
 * urpf-failed, received-on... that several rules ask for are asked once per packet (compile_priv.h).
 *
 * A compiled rule set is immutable; the main lcore publishes it by RCU.
 */
#ifndef POL_COMPILE_H
#define POL_COMPILE_H

#include "policy.h"

#define POL_BURST 32

/* What of a packet rules look at. Addresses and ports as in the packet (before translation), ports network order. */
struct pol_pkt {
	uint8_t af;		/* POL_AF_INET, POL_AF_INET6 */
	uint8_t dir;		/* POL_DIR_IN, POL_DIR_OUT */
	uint8_t proto;		/* of the last header; fragments that were not reassembled: the protocol, ports not looked at */
	uint8_t tcp_flags;
	uint8_t icmp_type, icmp_code;
	uint8_t tos;
	uint8_t fragment;	/* 1: no layer 4 header: rules with ports, flags, icmp types do not match */
	uint16_t ifid, rcvif;	/* fast path's interface ids, rcvif 0xffff none */
	uint16_t sport_be, dport_be;
	uint16_t tag;
	uint8_t prio;
	uint8_t icmp_reply;	/* 1: answer to an ICMP query: rules that keep state do not match it unless sloppy (spec/tcp-state.md 7) */
	uint8_t icmp_error;	/* 1: ICMP error: keeps no state, so such rules do match */
	union pol_ip src, dst;
};

/* Questions that only the box can answer, asked on the caller's thread; wait-free. */
struct pol_match_env {
	bool (*urpf_ok)(void *arg, const struct pol_pkt *p);	/* is the way back to src through p->ifid? */
	bool (*has_route)(void *arg, uint8_t af, const union pol_ip *addr);
	uint32_t (*random)(void *arg);
	/* max-pkt-rate of r: count this packet, is it within the rate? Asked once for each packet that r matches. NULL: yes. */
	bool (*pkt_rate_ok)(void *arg, const struct pol_rule *r);
	void *arg;
};

/* The box's interfaces at compile time: rules name interfaces or groups ("ext" is every extN), packets carry ids. */
struct pol_ifmap {
	const char (*names)[POL_IFNAMSIZ]; /* names[id], "" where none */
	unsigned n;
	int (*if_addrs)(void *arg, const char *name, struct pol_ifaddr *out, int max); /* for (ext0) addresses */
	void *arg;
};

struct pol_match {
	const struct pol_rule *rule;	/* deciding rule, never NULL: the default rule at the least */
	/*
	 * The options of the `match` rules that applied, in rule order, and of the deciding rule at last: what the packet
	 * and its state get. log is of all of them together: a state logs all its packets when it has POL_LOG_ALL; this
	 * packet is logged for each of matched[] and for the deciding rule that has POL_LOG itself, and for all of them
	 * when log has POL_LOG_MATCHES.
	 */
	uint32_t rf;			/* POL_RF_NODF | RANDOMID | REASS_TCP | SET_TOS | SET_PRIO | ... */
	uint16_t tag;			/* tag after the walk */
	uint16_t max_mss;
	uint8_t min_ttl, set_tos, set_prio[2];
	uint8_t log;
	uint8_t n_matched;		/* match rules that applied, for counters: the first POL_MAX_MATCHED of them */
#define POL_MAX_MATCHED 6
	const struct pol_rule *matched[POL_MAX_MATCHED];
};

struct pol_compiled;

/*
 * Compile for these interfaces, with the addresses that they have now, on NUMA node `socket`: compile again when
 * interfaces, or addresses that rules name in parentheses, change. NULL and an error line in errs when memory runs out;
 * a warning line in errs when rte_acl cannot take the rules: they are walked then. Slow: up to seconds for 10,000 rules;
 * EAL must be up, may run on any thread. rs must outlive it.
 */
struct pol_compiled *pol_compile(const struct pol_ruleset *rs, const struct pol_ifmap *ifs, int socket,
	struct pol_errors *errs);
void pol_compiled_free(struct pol_compiled *c);
const struct pol_ruleset *pol_compiled_ruleset(const struct pol_compiled *c);

/* pf's answer for n packets (0..POL_BURST) of mixed direction and family. Thread: any reader; no allocation, no lock. */
void pol_match_burst(const struct pol_compiled *c, const struct pol_match_env *env, const struct pol_pkt *const *pkts,
	unsigned n, struct pol_match *out);
/*
 * The same for one packet by walking the rules, with the interfaces and addresses of compile time, raising evals (may be
 * NULL) as pol_match_walk() does, but prepared for it: some 20 cycles a rule.
 */
void pol_match_counted(const struct pol_compiled *c, const struct pol_match_env *env, const struct pol_pkt *pkt,
	struct pol_match *out, uint64_t *evals);
/*
 * The same by walking the rules one after the other, as pf does: the reference of the property test, and needs no EAL.
 * evals: NULL, or rs->n_rules counters, indexed as rs->rules, that are raised by one for each rule that pf would have
 * evaluated (its "Evaluations", with pf's skip steps).
 */
void pol_match_walk(const struct pol_ruleset *rs, const struct pol_ifmap *ifs, const struct pol_match_env *env,
	const struct pol_pkt *pkt, struct pol_match *out, uint64_t *evals);

#endif
