/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pf tables: sets of IPv4 and IPv6 addresses and prefixes, with `!` exceptions; the longest prefix decides.
 *
 * A table outlives rule sets (it is found again by name) and changes while packets look it up: its single writer is
 * the main lcore, which builds a new immutable content and publishes it with one store-release per family; workers
 * load-acquire (pol_table_contains()). New and old content share what did not change, so that adding one address to a
 * table of millions is as cheap as to a small one; what was replaced is freed after a grace period of the box (the
 * caller passes how: struct pol_reclaim).
 * Overload entries found by a worker reach the writer as messages, never by a direct call.
 */
#ifndef POL_TABLE_H
#define POL_TABLE_H

#include "rule.h"

struct pol_table_entry {
	union pol_ip addr;
	uint8_t af, plen;
	bool neg;
};

#define POL_TABLE_PERSIST 1
#define POL_TABLE_CONST 2
#define POL_TABLE_COUNTERS 4

/* Free `p` with `fn` once no reader can hold it any more. NULL: at once (no readers yet). */
struct pol_reclaim { void (*defer)(void *arg, void (*fn)(void *), void *p); void *arg; };

struct pol_table *pol_table_create(const char *name, unsigned flags);
void pol_table_free(struct pol_table *t);
const char *pol_table_name(const struct pol_table *t);
unsigned pol_table_flags(const struct pol_table *t);
void pol_table_set_flags(struct pol_table *t, unsigned flags);

/*
 * All return the number of entries that changed or a negative errno: -EPERM for a const table, -EINVAL for an entry of
 * no family or too long a prefix, -ENOMEM. All or nothing. Bits behind the prefix are cleared. As in pf an entry that
 * is there with the other sign is a conflict: neither added nor deleted, and not counted; replace changes its sign.
 */
int pol_table_add(struct pol_table *t, const struct pol_table_entry *e, unsigned n, const struct pol_reclaim *rc);
int pol_table_delete(struct pol_table *t, const struct pol_table_entry *e, unsigned n, const struct pol_reclaim *rc);
int pol_table_replace(struct pol_table *t, const struct pol_table_entry *e, unsigned n, const struct pol_reclaim *rc);
int pol_table_flush(struct pol_table *t, const struct pol_reclaim *rc);
unsigned pol_table_count(const struct pol_table *t);
/* Entries in pfctl's order (IPv4 first, sorted by address, then by prefix); returns how many there are. Writer's thread. */
unsigned pol_table_list(const struct pol_table *t, struct pol_table_entry *out, unsigned max);
/* One entry from text: `10.0.0.0/8`, `10/8`, `!2001:db8::1`; a name is refused. Returns 0 or -EINVAL. */
int pol_table_entry_parse(const char *text, struct pol_table_entry *e);
int pol_table_entry_snprint(const struct pol_table_entry *e, char *buf, size_t size);

/* Is addr in the table? Wait-free, any thread between two quiescent reports. */
bool pol_table_contains(const struct pol_table *t, uint8_t af, const union pol_ip *addr);

#endif
