/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the pf.conf parser share: lex.l feeds parse.y, whose actions fill a struct pol_draft (one rule as
 * it is written) that expand.c turns into rules; options.c and tabledef.c take the other lines; parser.c owns the life
 * of it all. Nothing of this outlives pol_parse_file(): syntax nodes and strings lie in an arena, rules are copied into
 * the rule set at the end, if there was no error.
 */
#ifndef POL_LANG_PRIV_H
#define POL_LANG_PRIV_H

#include <setjmp.h>
#include <stddef.h>

#include "policy.h"
#include "table.h"

/* Bounds of a file; each has its error. They are far above what a person or a generator writes, and keep evil input
 * cheap. */
#define POL_MAX_INCLUDE_DEPTH 16
#define POL_MAX_INCLUDES 4096
#define POL_MAX_MACRO_DEPTH 16
#define POL_MAX_MACRO_SIZE (256 * 1024)
#define POL_MAX_EXPANSION (8 * 1024 * 1024) /* bytes that macros bring into one file, all together */
#define POL_MAX_FILE_SIZE (64 * 1024 * 1024)
#define POL_MAX_ANCHOR_DEPTH 64
#define POL_MAX_ERRORS 1000
#define POL_MAX_MACROS 65536
#define POL_MAX_TABLES 65536
#define POL_MAX_TAGS 50000

struct pol_loc {
	const char *file;	/* owned by the rule set */
	int line;
};

/* A host as it is written: one address of one family, or something that has no family yet. */
struct pol_host {
	struct pol_addr a;
	uint8_t af;
	char scope_if[POL_IFNAMSIZ];	/* link-local addresses: the interface that they are of */
};

/* An element of a list: interface, protocol, icmp type, host, port. Lists are singly linked; the first knows the last.
 */
struct pol_node {
	struct pol_node *next, *last;
	struct pol_loc loc;
	union {
		struct { char name[POL_IFNAMSIZ]; bool neg, dynamic; } ifc;
		uint8_t proto;
		struct { int16_t type, code; uint8_t proto; } icmp;
		struct pol_host host;
		struct pol_port port;
	};
};

enum pol_srctrack { POL_ST_NONE, POL_ST_DEFAULT, POL_ST_GLOBAL, POL_ST_RULE };

/* Options in parentheses behind `keep state`. */
struct pol_state_opts {
	uint32_t max_states, max_src_nodes, max_src_states, max_src_conn;
	uint32_t max_src_conn_rate, max_src_conn_rate_sec;
	uint32_t rf;			/* NO_SYNC, SLOPPY, PFLOW, IF_BOUND, FLOATING, FLUSH* */
	enum pol_srctrack srctrack;
	char overload[POL_TABLE_NAME_SIZE];
	uint32_t timeout[POL_TM_MAX];
	bool timeout_set[POL_TM_MAX];
};

/* A rule as it is written. bad: an error was reported for it, it is not expanded. */
struct pol_draft {
	struct pol_loc loc;
	struct pol_rule r;		/* what needs no expansion */
	struct pol_node *ifs, *protos, *icmps, *srcs, *src_ports, *dsts, *dst_ports;
	const char *label, *tag, *match_tag;
	struct pol_state_opts state;
	bool state_given, flags_given, bad;
	uint8_t scrub_given;		/* POL_SCRUB_* */
};

#define POL_SCRUB_MINTTL 1
#define POL_SCRUB_MAXMSS 2

/* A rule after expansion, before it has its place: the content of an anchor line hangs below it. */
struct pol_trule {
	struct pol_rule r;
	const char *tag, *match_tag;
	struct pol_trules *body;
};

struct pol_trules {
	struct pol_trule *v;
	size_t n, cap;
	struct pol_trules *next_all;	/* all of them, to be freed */
};

struct pol_macro {
	struct pol_macro *next;
	const char *name, *value;
	size_t len;
	bool fixed;			/* from the command line: the file cannot change it */
};

/* Where text comes from: a file or a macro that is being expanded. */
struct pol_source {
	struct pol_source *up;
	const char *file;		/* NULL: a macro */
	int line;
	bool ended;			/* the newline at the end of a file was delivered */
};

struct pol_chunk;

struct pol_sbuf {
	char *s;
	size_t len, cap;
};

/* Finds things of an array by name: chains of positions, counted from 1. */
#define POL_BUCKETS 1024
struct pol_index {
	uint32_t bucket[POL_BUCKETS];
	uint32_t *next;
	size_t cap;
};

struct pol_scope {
	struct pol_scope *up;
	struct pol_draft *header;
	struct pol_trules *rules;
};

struct pol_parser {
	const struct pol_env *env;
	struct pol_errors *errs;
	struct pol_ruleset *rs;
	unsigned n_errors;
	uint32_t max_rules, n_rules;
	jmp_buf oom;
	struct pol_chunk *chunks;
	char *owned;			/* text of the file until the lexer has it */
	bool done;

	/* lexer */
	void *scanner;
	struct pol_source *src;
	unsigned file_depth, macro_depth, n_includes;
	size_t expanded;
	bool bol;			/* a statement may begin here */
	struct pol_sbuf word;		/* token that is being collected */
	bool value_any, value_gap;	/* value of a macro: something was seen; a blank parts it from what comes */
	const char *value_name;		/* macro that is being defined, NULL: name of a file to include */
	int skip_depth;			/* braces open while the rest of a bad line is skipped */
	int macro_error_line;		/* where a macro was wrong: what the grammar says of that line is no news */
	unsigned orphans;		/* `{` of anchor lines that were skipped */
	char tok[48];			/* text of the last token, for errors */

	/* parser */
	struct pol_macro *macros[POL_BUCKETS];
	unsigned n_macros;
	int list_depth;
	bool in_anchor_line;
	bool reported;			/* the statement's first syntax error was reported */
	struct pol_draft *draft, *spare; /* the rule that is being parsed; one to use again */
	struct pol_state_opts *state;	/* where state options go */
	struct pol_tabledef *tab;
	struct pol_sbuf tab_text;
	struct pol_scope *scope;
	unsigned anchor_depth, n_anchors;
	struct pol_trules *all_trules;
	bool state_defaults_given;
	struct pol_state_opts state_defaults;
	struct pol_sbuf preamble;
	bool rules_full;
	uint64_t combinations;		/* of lists, all rules together */
	struct pol_index tables, tags;
};

/* parser.c: memory that lives as long as the parser; never NULL (the parser gives up when there is none). */
void *pol_arena(struct pol_parser *p, size_t size);
char *pol_arena_str(struct pol_parser *p, const char *s, size_t len);
char *pol_arena_printf(struct pol_parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void pol_sbuf_add(struct pol_parser *p, struct pol_sbuf *b, const char *s, size_t len);
/* A name, in quotes where it would mean something else. */
void pol_sbuf_word(struct pol_parser *p, struct pol_sbuf *b, const char *s);
void pol_sbuf_printf(struct pol_parser *p, struct pol_sbuf *b, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
__attribute__((noreturn)) void pol_oom(struct pol_parser *p);
void pol_perr(struct pol_parser *p, struct pol_loc loc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
struct pol_loc pol_here(const struct pol_parser *p);
void pol_macro_set(struct pol_parser *p, const char *name, const char *value, bool fixed);
const struct pol_macro *pol_macro_get(const struct pol_parser *p, const char *name, size_t len);
/* Whole text of a regular file, malloc'ed. NULL and an error at loc. */
char *pol_slurp(struct pol_parser *p, struct pol_loc loc, const char *path, size_t *len);
const char *pol_file_name(struct pol_parser *p, const char *name);
struct pol_trules *pol_trules_new(struct pol_parser *p);
/* A syntactic list; NULL is the empty one. */
struct pol_node *pol_node_new(struct pol_parser *p, struct pol_loc loc);
struct pol_node *pol_node_append(struct pol_node *list, struct pol_node *more);

uint32_t pol_bucket(const char *s, size_t len);
/* The next position on the chain of a bucket, 0 at its end: at is 0 or the last answer. */
uint32_t pol_index_next(const struct pol_index *x, uint32_t bucket, uint32_t at);
/* The thing at position at (from 1) is of that bucket. */
void pol_index_add(struct pol_parser *p, struct pol_index *x, uint32_t bucket, uint32_t at);

/* lex.l */
/* True where text stands for itself in pf.conf: one word, and none that means something. */
bool pol_is_plain_word(const char *s);
int pol_lex_begin(struct pol_parser *p, const char *file, const char *text, size_t len);
void pol_lex_end(struct pol_parser *p);
/* Drop the rest of the line (and of the lists that are open on it). */
void pol_lex_skip(struct pol_parser *p, int depth);

/* names.c; -1: no such name. Numbers in text are understood too. */
int pol_proto_number(const char *name);
const char *pol_proto_name(uint8_t proto);
int pol_icmp_type_number(const char *name, bool v6);
const char *pol_icmp_type_name(int type, bool v6);
int pol_icmp_code_number(int type, const char *name, bool v6);
const char *pol_icmp_code_name(int type, int code, bool v6);
/* type << 8 | code of any code name, for return-icmp(). */
int pol_icmp_spec(const char *name, bool v6);
int pol_tos_number(const char *name);
int pol_service_port(const char *name);
int pol_tcp_flags(const char *letters);
void pol_tcp_flags_print(uint8_t flags, char out[9]);
/* Why a word of pf.conf(5) is not available here; NULL: it is. */
const char *pol_refusal(const char *word);

/* host.c */
bool pol_if_name_ok(struct pol_parser *p, struct pol_loc loc, const char *name);
struct pol_node *pol_host_parse(struct pol_parser *p, struct pol_loc loc, const char *word, int plen);
struct pol_node *pol_host_range(struct pol_parser *p, struct pol_loc loc, const char *from, const char *to);
struct pol_node *pol_host_dynamic(struct pol_parser *p, struct pol_loc loc, const char *word, int plen);
struct pol_node *pol_host_table(struct pol_parser *p, struct pol_loc loc, const char *name);
struct pol_node *pol_host_special(struct pol_parser *p, struct pol_loc loc, enum pol_addr_kind kind);
/* All addresses of an interface; NULL when there are none or interfaces are not known (*known false). */
struct pol_node *pol_host_interface(
	struct pol_parser *p, struct pol_loc loc, const char *name, unsigned flags, bool *known);
void pol_addr_mask(union pol_ip *addr, uint8_t af, unsigned plen);
struct pol_node *pol_port_parse(struct pol_parser *p, struct pol_loc loc, const char *word);

/* rule_parse.c */
bool pol_in_range(struct pol_parser *p, struct pol_loc loc, const char *what, int64_t v, int64_t lo, int64_t hi);
void pol_once(struct pol_parser *p, struct pol_loc loc, bool given, const char *what);
void pol_state_max(struct pol_parser *p, struct pol_loc loc, uint32_t *field, int64_t v, const char *what);
void pol_state_flag(struct pol_parser *p, struct pol_loc loc, uint32_t flag, uint32_t clash, const char *what);
void pol_state_overload(struct pol_parser *p, struct pol_loc loc, const char *table, int flush);
void pol_state_timeout(struct pol_parser *p, struct pol_loc loc, const char *name, int64_t v);
void pol_rate(struct pol_parser *p, struct pol_loc loc, const char *what, int64_t n, int64_t sec, uint32_t *on,
	uint32_t *osec);
struct pol_node *pol_icmp_item(struct pol_parser *p, struct pol_loc loc, bool v6, const char *type, const char *code);
const char *pol_number_text(struct pol_parser *p, int64_t n);
int pol_log_if(struct pol_parser *p, struct pol_loc loc, const char *name);
void pol_probability(struct pol_parser *p, struct pol_loc loc, const char *text);
int pol_tos_value(struct pol_parser *p, struct pol_loc loc, const char *text);
int pol_icmp_spec_parse(struct pol_parser *p, struct pol_loc loc, const char *text, bool v6);
void pol_negate(struct pol_node *list);
struct pol_node *pol_if_node(struct pol_parser *p, struct pol_loc loc, const char *name);

/* options.c */
void pol_options_default(struct pol_options *opt);
void pol_set_timeout(struct pol_parser *p, struct pol_loc loc, const char *name, int64_t value);
void pol_set_limit(struct pol_parser *p, struct pol_loc loc, const char *name, int64_t value);
void pol_set_optimization(struct pol_parser *p, struct pol_loc loc, const char *name);
void pol_set_debug(struct pol_parser *p, struct pol_loc loc, const char *name);
void pol_set_hostid(struct pol_parser *p, struct pol_loc loc, const char *text);
void pol_set_reassemble(struct pol_parser *p, bool yes, bool no_df);
void pol_set_loginterface(struct pol_parser *p, struct pol_loc loc, const char *name);
void pol_set_block_policy(struct pol_parser *p, enum pol_return how);
void pol_set_state_policy(struct pol_parser *p, bool if_bound);
void pol_set_skip(struct pol_parser *p, struct pol_node *ifs);
void pol_set_syncookies(struct pol_parser *p, struct pol_loc loc, const char *mode, int start_pct, int end_pct);
void pol_set_ruleset_optimization(struct pol_parser *p, struct pol_loc loc, const char *name);
int pol_timeout_index(const char *name);
/* `25%` -> 25, -1 and an error when it is none. */
int pol_percent(struct pol_parser *p, struct pol_loc loc, const char *text);

/* tabledef.c */
bool pol_table_name_ok(struct pol_parser *p, struct pol_loc loc, const char *name);
void pol_table_begin(struct pol_parser *p, struct pol_loc loc, const char *name);
void pol_table_option(struct pol_parser *p, struct pol_loc loc, const char *word);
void pol_table_hosts(struct pol_parser *p, struct pol_loc loc, struct pol_node *hosts);
void pol_table_file(struct pol_parser *p, struct pol_loc loc, const char *path);
void pol_table_end(struct pol_parser *p);
/* The tables that rules name: finds or makes them. 0, -1 no memory. */
int pol_tables_resolve(struct pol_parser *p);

/* expand.c */
void pol_draft_begin(struct pol_parser *p, struct pol_loc loc, enum pol_action action);
void pol_draft_end(struct pol_parser *p);
void pol_antispoof(struct pol_parser *p, struct pol_node *ifs, const char *label);
void pol_scrub_end(struct pol_parser *p);
void pol_anchor_open(struct pol_parser *p, struct pol_loc loc);
void pol_anchor_close(struct pol_parser *p);
/* Give all rules their place and number. 0, or -1 with an error. */
int pol_flatten(struct pol_parser *p);

/* print.c */
int pol_ip_print(const union pol_ip *ip, uint8_t af, char *buf, size_t size);
int pol_addr_snprint(const struct pol_addr *a, uint8_t af, char *buf, size_t size);

/* checksum.c */
void pol_checksum(struct pol_ruleset *rs);

#endif
