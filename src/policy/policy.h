/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy room: pf.conf in, rule set out. Plain C, builds and tests without EAL.
 *
 *	struct pol_env env = { .if_addrs = my_lookup, .arg = box };
 *	struct pol_errors errs = { 0 };
 *	struct pol_ruleset *rs = pol_parse_file("pf.conf", &env, &errs);
 *	if (rs == NULL) pol_errors_print(&errs, stderr);	every error of the file, `file:line: what, expected what`
 *	else pol_print_rules(rs, stdout, 0);			`pfctl -sr`
 *	pol_errors_free(&errs); pol_ruleset_free(rs);
 *
 * Not thread-safe: the main lcore parses. Nothing is changed by a file with errors.
 */
#ifndef POL_POLICY_H
#define POL_POLICY_H

#include "rule.h"

struct pol_ifaddr {
	uint8_t af;	/* POL_AF_INET or POL_AF_INET6 */
	uint8_t plen;
	union pol_ip addr, broadcast;
	char ifname[POL_IFNAMSIZ];	/* whose it is, of a group or "self"; may be "". Scope of link-local addresses */
};

/* What the parser asks of the box. Every member may be NULL (checking a file on a machine that is not the box). */
struct pol_env {
	/* Addresses of interface or group `name` ("self": of all); the number of them, out may be NULL. -1: no such interface. */
	int (*if_addrs)(void *arg, const char *name, struct pol_ifaddr *out, int max);
	/* The table of that name as it is in force now (persisting over reloads), or NULL. */
	struct pol_table *(*table_find)(void *arg, const char *name);
	const char *const *macros;	/* "name=value" as of pfctl -D, NULL ended */
	uint32_t max_rules;		/* refuse more rules than that after expansion; 0: POL_MAX_RULES */
#define POL_MAX_RULES 250000
	void *arg;
};

struct pol_error { char *file; int line; char *text; };
struct pol_errors { struct pol_error *v; unsigned n, cap; };

struct pol_ruleset *pol_parse_file(const char *path, const struct pol_env *env, struct pol_errors *errs);
struct pol_ruleset *pol_parse_buffer(const char *name, const char *text, size_t len, const struct pol_env *env,
	struct pol_errors *errs);
/* Frees the tables that the parser made too, unless they were committed. NULL is fine. */
void pol_ruleset_free(struct pol_ruleset *rs);
/*
 * The rule set comes into force: gives its tables their flags and content. After it no table belongs to the rule set any
 * more: the caller keeps rs->tables[i].table in its registry (that table_find asks) and frees it when nothing names it.
 * 0 or a negative errno; may be called again after an error.
 */
struct pol_reclaim;
int pol_tables_commit(struct pol_ruleset *rs, const struct pol_reclaim *rc);
void pol_errors_print(const struct pol_errors *errs, FILE *f);
void pol_errors_free(struct pol_errors *errs);

/* One rule in pfctl's normal form, without `@nr` and newline. Returns the length as snprintf does. */
int pol_rule_snprint(const struct pol_ruleset *rs, const struct pol_rule *r, char *buf, size_t size);
/* `pfctl -sr`; flags: POL_PRINT_NUMBERS prefixes `@nr ` (-vv). Anchors are printed with their braces. */
#define POL_PRINT_NUMBERS 1
void pol_print_rules(const struct pol_ruleset *rs, FILE *f, unsigned flags);
/* What `pfctl -nvf` prints: options, tables and rules in normal form. */
void pol_print_all(const struct pol_ruleset *rs, FILE *f);

/* Defaults and names (pfctl -st, -sm): `tcp.first`, seconds; `states`, entries. */
extern const char *const pol_timeout_names[POL_TM_MAX];
extern const uint32_t pol_timeout_defaults[POL_TM_MAX];
extern const char *const pol_limit_names[POL_LIMIT_MAX];
extern const uint32_t pol_limit_defaults[POL_LIMIT_MAX];
/* The value in force: file, else optimization profile, else default; adaptive.* derived from the state limit as pf does. */
uint32_t pol_timeout(const struct pol_options *opt, enum pol_timeout tm);
uint32_t pol_limit(const struct pol_options *opt, enum pol_limit lim);

#endif
