/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A parsed pf rule set: what the parser builds, the printer prints, the compiler compiles and the fast path obeys.
 *
 * Plain C, no DPDK. One struct pol_rule is one rule after expansion of lists (as in pfctl: `port { 53 54 }` is two
 * rules), numbered from 0 in file order, never optimised or reordered. A struct pol_ruleset is immutable once it has
 * been handed to the compiler, except the tables, whose content changes by publishing a new version (table.h).
 *
 * Life: pol_parse_file() -> pol_ruleset -> pol_compile() (compile.h) -> published to the workers by RCU -> freed when
 * replaced, after a grace period and when no state refers to one of its rules any more (states keep their rule across
 * reloads, as in pf). Owner: the main lcore. Workers only read.
 */
#ifndef POL_RULE_H
#define POL_RULE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define POL_IFNAMSIZ 16
#define POL_TABLE_NAME_SIZE 32
#define POL_LABEL_SIZE 64
#define POL_TAG_NAME_SIZE 64

#define POL_AF_ANY 0
#define POL_AF_INET 4
#define POL_AF_INET6 6

#define POL_PROTO_ANY 0 /* `proto ip`/0 does not occur as a real protocol of a packet that pf tracks */

enum pol_action { POL_BLOCK, POL_PASS, POL_MATCH };
enum pol_dir { POL_DIR_ANY = 0, POL_DIR_IN = 1, POL_DIR_OUT = 2 };

/* How a block rule answers. POL_RETURN is `block return`: RST for TCP, ICMP unreachable otherwise. */
enum pol_return { POL_RETURN_NONE = 0, POL_RETURN_ANY, POL_RETURN_RST, POL_RETURN_ICMP };

enum pol_state_kind { POL_STATE_NONE = 0, POL_STATE_KEEP, POL_STATE_MODULATE, POL_STATE_SYNPROXY };

/* Timeouts, in pfsync's index order (spec/pfsync-wire.md 9, OpenBSD). */
enum pol_timeout {
	POL_TM_TCP_FIRST, POL_TM_TCP_OPENING, POL_TM_TCP_ESTABLISHED, POL_TM_TCP_CLOSING, POL_TM_TCP_FINWAIT,
	POL_TM_TCP_CLOSED, POL_TM_UDP_FIRST, POL_TM_UDP_SINGLE, POL_TM_UDP_MULTIPLE, POL_TM_ICMP_FIRST,
	POL_TM_ICMP_ERROR, POL_TM_OTHER_FIRST, POL_TM_OTHER_SINGLE, POL_TM_OTHER_MULTIPLE, POL_TM_FRAG,
	POL_TM_INTERVAL, POL_TM_ADAPTIVE_START, POL_TM_ADAPTIVE_END, POL_TM_SRC_TRACK, POL_TM_TCP_TSDIFF,
	POL_TM_MAX, /* 20 */
	POL_TM_PURGE = 21,
};

enum pol_limit { POL_LIMIT_STATES, POL_LIMIT_SRC_NODES, POL_LIMIT_FRAGS, POL_LIMIT_TABLES, POL_LIMIT_TABLE_ENTRIES,
	POL_LIMIT_PKTDELAYS, POL_LIMIT_ANCHORS, POL_LIMIT_MAX };

/* Port and number operators, as pf: unary = != < <= > >=, binary `a:b` (inclusive), `a >< b` (inside), `a <> b` (outside). */
enum pol_op { POL_OP_NONE, POL_OP_EQ, POL_OP_NE, POL_OP_LT, POL_OP_LE, POL_OP_GT, POL_OP_GE, POL_OP_IRG /* >< */,
	POL_OP_XRG /* <> */, POL_OP_RRG /* : */ };

struct pol_port {
	enum pol_op op;
	uint16_t lo, hi; /* host order; hi only for binary operators */
};

union pol_ip {
	uint8_t b[16]; /* network order, IPv4 in the first 4 bytes, the rest zero */
	uint32_t w[4];
	uint64_t d[2];
};

enum pol_addr_kind {
	POL_ADDR_ANY,
	POL_ADDR_PREFIX,	/* addr/plen; a mask with holes keeps plen = 255 and mask */
	POL_ADDR_RANGE,		/* addr - addr2 */
	POL_ADDR_TABLE,		/* <name> */
	POL_ADDR_DYNIF,		/* (ext0), (ext0:network), (ext0:0) ... follows the interface */
	POL_ADDR_NOROUTE,
	POL_ADDR_URPF_FAILED,	/* source only */
};

#define POL_DYNIF_NETWORK 0x01
#define POL_DYNIF_BROADCAST 0x02
#define POL_DYNIF_PEER 0x04
#define POL_DYNIF_NOALIAS 0x08 /* :0 */

struct pol_table; /* table.h */
struct pol_table_entry;

struct pol_addr {
	enum pol_addr_kind kind;
	bool neg;
	union pol_ip addr, addr2, mask;
	uint8_t plen;
	uint8_t dynif_flags;
	char name[POL_TABLE_NAME_SIZE]; /* table or interface name */
	struct pol_table *table;	/* resolved by the parser; kept across reloads by name */
	struct pol_port port;
};

#define POL_LOG 0x01
#define POL_LOG_ALL 0x02
#define POL_LOG_USER 0x04
#define POL_LOG_MATCHES 0x08

/* State and scrub options of a rule. */
#define POL_RF_ALLOW_OPTS 0x0001
#define POL_RF_SLOPPY 0x0002
#define POL_RF_NO_SYNC 0x0004
#define POL_RF_IF_BOUND 0x0008
#define POL_RF_FLOATING 0x0010	/* given explicitly */
#define POL_RF_PFLOW 0x0020
#define POL_RF_ONCE 0x0040
#define POL_RF_NODF 0x0080	/* scrub no-df */
#define POL_RF_RANDOMID 0x0100
#define POL_RF_REASS_TCP 0x0200
#define POL_RF_SET_TOS 0x0400
#define POL_RF_SET_PRIO 0x0800
#define POL_RF_SRCTRACK 0x1000	     /* sources are tracked: source-track, or implied by max-src-* */
#define POL_RF_RULESRCTRACK 0x2000   /* ... per rule (with SRCTRACK); without it global */
#define POL_RF_FLUSH 0x4000	     /* overload ... flush */
#define POL_RF_FLUSH_GLOBAL 0x8000   /* ... flush global */
#define POL_RF_ANCHOR 0x10000	     /* this entry is the anchor line itself, see anchor_end */
#define POL_RF_FRAGMENT 0x20000	     /* `fragment`: matches only fragments that were not reassembled */

struct pol_rule {
	uint32_t nr;		/* position in its rule set (anchor's own numbering inside an anchor), as printed by `@nr` */
	uint32_t top_nr;	/* number in the main rule set: nr itself, or that of the outermost anchor */
	uint32_t uid;		/* index into the box-wide rule registry (runtime.h); states store this. 0 = default rule */
	int line;		/* of the file, for errors */
	const char *file;

	enum pol_action action;
	enum pol_dir dir;
	bool quick;
	uint8_t af;		/* POL_AF_* */
	uint8_t proto;		/* 0 any */
	uint8_t log;		/* POL_LOG_* */
	uint8_t logif;		/* pflogN */

	char ifname[POL_IFNAMSIZ];	/* "" any; a driver name or group ("ext") matches ext0, ext1...; "any" */
	bool ifneg;
	char rcvif[POL_IFNAMSIZ];	/* received-on */
	bool rcvifneg;

	struct pol_addr src, dst;
	uint8_t tcp_flags, tcp_flagset;	/* flags a/b: (packet & flagset) == flags; flagset 0: any */
	bool flags_given;
	int16_t icmp_type, icmp_code;	/* -1 any */
	bool match_tos;
	uint8_t tos;			/* as on the wire, 8 bits */
	bool match_prio; uint8_t prio;
	uint32_t probability;		/* 0 = always, else chance out of 2^32 - 1 */
	uint16_t match_tag;		/* tagged NAME, 0 none */
	bool match_tagneg;
	uint16_t tag;			/* tag NAME, 0 none; indices into ruleset->tags, from 1 */

	enum pol_return ret;
	uint8_t return_ttl;		/* return-rst(ttl N), 0 default */
	uint16_t return_icmp, return_icmp6; /* type << 8 | code */

	enum pol_state_kind keep_state;
	uint32_t rf;			/* POL_RF_* */
	uint32_t timeout[POL_TM_MAX];	/* seconds, 0 = the rule set's value; adaptive.* are counts */
	bool timeout_set[POL_TM_MAX];
	uint32_t max_states, max_src_nodes, max_src_states, max_src_conn;
	uint32_t max_src_conn_rate, max_src_conn_rate_sec;
	char overload_name[POL_TABLE_NAME_SIZE];
	struct pol_table *overload;
	uint32_t max_pkt_rate, max_pkt_rate_sec;

	uint8_t min_ttl, set_tos, set_prio[2];
	uint16_t max_mss;
	char label[POL_LABEL_SIZE];
	uint8_t expired;		/* `once`: has matched and is out of force; set by the worker that used it, never cleared */

	/*
	 * Anchors: an anchor line has POL_RF_ANCHOR, its predicates (direction, interface, addresses...) decide whether a
	 * packet goes into it, its content is rules[pos + 1 .. anchor_end - 1]. A quick anchor line stops the walk after its
	 * content if a rule in it matched, other than that its action is not looked at.
	 */
	uint32_t pos;			/* index in pol_ruleset.rules */
	uint32_t anchor_end;		/* anchor lines: index of the first rule behind the content, else pos + 1 */
	struct pol_rule *parent;	/* the anchor line that this rule is inside of, or NULL */
	char anchor_name[POL_LABEL_SIZE]; /* "" for a nameless anchor */
};

struct pol_options {
	uint32_t timeout[POL_TM_MAX];
	bool timeout_set[POL_TM_MAX];
	uint32_t limit[POL_LIMIT_MAX];
	bool limit_set[POL_LIMIT_MAX];
	enum pol_return block_return;	/* set block-policy */
	bool if_bound;			/* set state-policy if-bound */
	int optimization;		/* 0 normal, 1 aggressive, 2 conservative, 3 high-latency (also satellite) */
	int reassemble;			/* -1 keep what is in force, 0 no, 1 yes */
	bool reassemble_nodf;
	int syncookies;			/* -1 keep, 0 never, 1 always, 2 adaptive */
	uint8_t syncookies_start_pct, syncookies_end_pct;
	int debug;			/* -1 keep, else syslog level 0..7 */
	uint32_t hostid;		/* 0 not set */
	char loginterface[POL_IFNAMSIZ];
	char (*skip)[POL_IFNAMSIZ];	/* set skip on; names or groups */
	unsigned n_skip;
};

/*
 * A table as the file names it. Content is in force from pol_tables_commit() (policy.h) on; a table that the box did not
 * have before (created) already holds it, so that a rule set can be tried without committing it.
 */
struct pol_tabledef {
	struct pol_table *table;
	bool created;		/* made by the parser and owned by the rule set until committed; else found by env->table_find */
	bool declared;		/* by a `table` line; false: only named by a rule (an empty table comes into being, as in pf) */
	bool init;		/* the file gives the content; false: a table that exists keeps what it has */
	unsigned flags;		/* POL_TABLE_* */
	struct pol_table_entry *entries;
	unsigned n_entries;
	int line;
};

struct pol_ruleset {
	struct pol_rule **rules;	/* all rules in evaluation order, anchor lines and their content in place */
	uint32_t n_rules;
	struct pol_rule default_rule;	/* pass, no state, uid 0, nr (uint32_t)-1 */
	struct pol_options opt;
	char **tags;			/* tags[i - 1] is the name of tag i */
	unsigned n_tags;
	struct pol_tabledef *tables;
	unsigned n_tables;
	uint8_t checksum[16];		/* MD5 as pf computes it over the rules, `Checksum:` of pfctl -si */
	char *path;
	char **files;			/* owns the names that pol_rule.file points to */
	unsigned n_files;
	char *preamble;			/* macros, options and tables in normal form, one a line, in file order */
};

#endif
