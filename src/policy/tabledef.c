/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `table` lines, and how tables come into force.
 *
 * A table lives on over reloads and may be in use while a file is parsed, so the parser only notes what the file wants
 * (struct pol_tabledef); pol_tables_commit() does it. A table that the box does not have yet is made and filled at
 * once. As in pf, a table that is only named by a rule comes into being empty, and content is replaced only if the file
 * gives some.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lang_priv.h"

/* Finds or makes it. NULL: there are too many, which was reported. The array may move. */
static struct pol_tabledef *
tabledef_get(struct pol_parser *p, struct pol_loc loc, const char *name)
{
	struct pol_ruleset *rs = p->rs;
	uint32_t bucket = pol_bucket(name, strlen(name)), at = 0;
	struct pol_tabledef *d, *v;
	struct pol_table *t;

	while ((at = pol_index_next(&p->tables, bucket, at)) != 0)
		if (strcmp(pol_table_name(rs->tables[at - 1].table), name) == 0)
			return &rs->tables[at - 1];
	if (rs->n_tables >= POL_MAX_TABLES) {
		if (!p->rules_full)
			pol_perr(p, loc, "more than %d tables", POL_MAX_TABLES);
		p->rules_full = true;
		return NULL;
	}
	/* grows by doubling */
	if ((rs->n_tables & (rs->n_tables - 1)) == 0) {
		size_t cap = rs->n_tables == 0 ? 1 : (size_t)rs->n_tables * 2;

		if ((v = realloc(rs->tables, cap * sizeof(*v))) == NULL)
			pol_oom(p);
		rs->tables = v;
	}
	d = &rs->tables[rs->n_tables];
	*d = (struct pol_tabledef){ 0 };
	t = p->env->table_find != NULL ? p->env->table_find(p->env->arg, name) : NULL;
	if (t == NULL) {
		d->created = true;
		t = pol_table_create(name, 0);
	} else {
		d->flags = pol_table_flags(t);
	}
	if ((d->table = t) == NULL)
		pol_oom(p);
	pol_index_add(p, &p->tables, bucket, ++rs->n_tables);
	return d;
}

bool
pol_table_name_ok(struct pol_parser *p, struct pol_loc loc, const char *name)
{
	size_t len = strlen(name);

	if (len > 0 && len < POL_TABLE_NAME_SIZE && name[0] != '-' &&
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-") == len)
		return true;
	pol_perr(p, loc, "bad table name '%s', expected 1 to %d letters, digits, '_', '-', '.' or ':'", name,
		POL_TABLE_NAME_SIZE - 1);
	return false;
}

void
pol_table_begin(struct pol_parser *p, struct pol_loc loc, const char *name)
{
	p->tab = NULL;
	p->tab_text.len = 0;
	p->draft = NULL;
	if (!pol_table_name_ok(p, loc, name) || (p->tab = tabledef_get(p, loc, name)) == NULL)
		return;
	if (p->tab->declared)
		pol_perr(p, loc, "table <%s> is defined twice, the other one is in line %d", name, p->tab->line);
	p->tab->declared = true;
	p->tab->line = loc.line;
	p->tab->flags = 0;
}

void
pol_table_option(struct pol_parser *p, struct pol_loc loc, const char *word)
{
	static const struct { const char *name; unsigned flag; } options[] = { { "persist", POL_TABLE_PERSIST },
		{ "const", POL_TABLE_CONST }, { "counters", POL_TABLE_COUNTERS } };

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(options[i].name, word) == 0) {
			if (p->tab != NULL)
				p->tab->flags |= options[i].flag;
			return;
		}
	}
	pol_perr(p, loc, "unknown table option '%s', expected persist, const, counters, file \"...\" or { addresses }",
		word);
}

static void
entry_add(struct pol_parser *p, const struct pol_table_entry *e)
{
	struct pol_tabledef *d = p->tab;

	/* grows by doubling: the size is a power of two once there is something */
	if ((d->n_entries & (d->n_entries - 1)) == 0) {
		size_t cap = d->n_entries == 0 ? 1 : (size_t)d->n_entries * 2;
		struct pol_table_entry *v = realloc(d->entries, cap * sizeof(*v));

		if (v == NULL)
			pol_oom(p);
		d->entries = v;
	}
	d->entries[d->n_entries++] = *e;
}

void
pol_table_hosts(struct pol_parser *p, struct pol_loc loc, struct pol_node *hosts)
{
	static const char *const kinds[] = { [POL_ADDR_RANGE] = "address ranges", [POL_ADDR_TABLE] = "tables",
		[POL_ADDR_DYNIF] = "dynamic addresses", [POL_ADDR_NOROUTE] = "no-route",
		[POL_ADDR_URPF_FAILED] = "urpf-failed", [POL_ADDR_ANY] = "any" };
	char buf[80];

	if (p->tab == NULL)
		return;
	p->tab->init = true;
	pol_sbuf_printf(p, &p->tab_text, " {");
	for (; hosts != NULL; hosts = hosts->next) {
		const struct pol_addr *a = &hosts->host.a;

		if (a->kind != POL_ADDR_PREFIX) {
			/* off the box an interface name has become dynamic, that is fine */
			if (a->kind == POL_ADDR_DYNIF && p->env->if_addrs == NULL)
				pol_sbuf_printf(p, &p->tab_text, "%s%s", a->neg ? " !" : " ", a->name);
			else if (p->n_errors == 0 || a->kind != POL_ADDR_ANY)
				pol_perr(p, hosts->loc,
					"%s are not permitted in a table, expected addresses and prefixes",
					kinds[a->kind]);
			continue;
		}
		entry_add(p,
			&(struct pol_table_entry){
				.addr = a->addr, .af = hosts->host.af, .plen = a->plen, .neg = a->neg });
		pol_addr_snprint(a, hosts->host.af, buf, sizeof(buf));
		pol_sbuf_printf(p, &p->tab_text, "%s%s", a->neg ? " !" : " ", buf);
	}
	pol_sbuf_printf(p, &p->tab_text, " }");
}

/* One address, prefix or name of an interface a word; `#` and `;` begin a comment. */
void
pol_table_file(struct pol_parser *p, struct pol_loc loc, const char *path)
{
	size_t len, i = 0;
	unsigned bad = 0;
	int line = 1;
	char *text;

	if (p->tab == NULL)
		return;
	p->tab->init = true;
	pol_sbuf_printf(p, &p->tab_text, strchr(path, '"') == NULL ? " file \"%s\"" : " file '%s'", path);
	if ((text = pol_slurp(p, loc, path, &len)) == NULL)
		return;
	while (i < len && bad < 20) {
		struct pol_table_entry e;
		char word[128];
		size_t n = 0;

		if (text[i] == '#' || text[i] == ';') {
			while (i < len && text[i] != '\n')
				i++;
		} else if (text[i] == '\n') {
			line++;
			i++;
		} else if (isspace((unsigned char)text[i]) || text[i] == ',') {
			i++;
		} else {
			/* `! 10.0.0.1` is one word too */
			while (i < len && text[i] != '\n' && text[i] != '#' && text[i] != ';' && text[i] != ',') {
				if (isspace((unsigned char)text[i]) && !(n > 0 && word[n - 1] == '!'))
					break;
				if (!isspace((unsigned char)text[i]) && n < sizeof(word) - 1)
					word[n++] = text[i];
				i++;
			}
			word[n] = '\0';
			if (pol_table_entry_parse(word, &e) != 0) {
				bad++;
				pol_perr(p, (struct pol_loc){ pol_file_name(p, path), line },
					"'%s' is no address, expected "
					"an address or prefix, '!' before it for an exception",
					word);
			} else {
				entry_add(p, &e);
			}
		}
	}
	free(text);
}

void
pol_table_end(struct pol_parser *p)
{
	struct pol_tabledef *d = p->tab;

	if (d == NULL)
		return;
	p->tab = NULL;
	pol_sbuf_add(p, &p->tab_text, "", 0);
	pol_sbuf_printf(p, &p->preamble, "table <%s>%s%s%s%s\n", pol_table_name(d->table),
		d->flags & POL_TABLE_CONST ? " const" : "", d->flags & POL_TABLE_PERSIST ? " persist" : "",
		d->flags & POL_TABLE_COUNTERS ? " counters" : "", p->tab_text.s);
}

static void
resolve(struct pol_parser *p, const struct pol_rule *r, const char *name, struct pol_table **out)
{
	struct pol_tabledef *d = tabledef_get(p, (struct pol_loc){ r->file, r->line }, name);

	*out = d != NULL ? d->table : NULL;
}

int
pol_tables_resolve(struct pol_parser *p)
{
	struct pol_ruleset *rs = p->rs;
	uint32_t max = pol_limit(&rs->opt, POL_LIMIT_TABLES);
	uint64_t entries = 0;

	for (uint32_t i = 0; i < rs->n_rules; i++) {
		struct pol_rule *r = rs->rules[i];

		if (r->src.kind == POL_ADDR_TABLE)
			resolve(p, r, r->src.name, &r->src.table);
		if (r->dst.kind == POL_ADDR_TABLE)
			resolve(p, r, r->dst.name, &r->dst.table);
		if (r->overload_name[0] != '\0')
			resolve(p, r, r->overload_name, &r->overload);
	}
	for (unsigned i = 0; i < rs->n_tables; i++) {
		struct pol_tabledef *d = &rs->tables[i];
		int e = 0;

		entries += d->n_entries;
		if (d->created && d->n_entries > 0)
			e = pol_table_add(d->table, d->entries, d->n_entries, NULL);
		if (e < 0)
			pol_perr(p, (struct pol_loc){ rs->path, d->line }, "table <%s>: %s", pol_table_name(d->table),
				strerror(-e));
		if (d->created)
			pol_table_set_flags(d->table, d->flags);
	}
	if (rs->n_tables > max)
		pol_perr(p, (struct pol_loc){ rs->path, 0 },
			"%u tables, more than the limit of %u; see set limit tables", rs->n_tables, max);
	if (entries > pol_limit(&rs->opt, POL_LIMIT_TABLE_ENTRIES))
		pol_perr(p, (struct pol_loc){ rs->path, 0 },
			"%llu table entries, more than the limit of %u; see set limit "
			"table-entries",
			(unsigned long long)entries, pol_limit(&rs->opt, POL_LIMIT_TABLE_ENTRIES));
	return p->n_errors == 0 ? 0 : -1;
}

int
pol_tables_commit(struct pol_ruleset *rs, const struct pol_reclaim *rc)
{
	for (unsigned i = 0; i < rs->n_tables; i++) {
		struct pol_tabledef *d = &rs->tables[i];
		int e;

		if (!d->created && d->init) {
			/* const keeps commands away, not the file */
			pol_table_set_flags(d->table, d->flags & ~POL_TABLE_CONST);
			if ((e = pol_table_replace(d->table, d->entries, d->n_entries, rc)) < 0)
				return e;
		}
		if (d->declared)
			pol_table_set_flags(d->table, d->flags);
	}
	for (unsigned i = 0; i < rs->n_tables; i++)
		rs->tables[i].created = false;
	return 0;
}
