/* SPDX-License-Identifier: BSD-2-Clause */
/* `pfctl -t TABLE -T show|add|delete|replace|flush|test [ADDRESS ...]`, addresses also from a file with -f. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pfctl.h"

#define MAX_ENTRIES 10000000u

struct list { struct pol_table_entry *v; unsigned n, cap; };

static int
list_add(struct cli_ctx *x, struct list *l, const char *text)
{
	if (l->n == l->cap) {
		unsigned cap = l->cap ? 2 * l->cap : 64;
		struct pol_table_entry *p = cap > MAX_ENTRIES ? NULL : realloc(l->v, cap * sizeof(*p));

		if (p == NULL)
			return cli_err(x, "pfctl: too many addresses, or out of memory");
		l->v = p;
		l->cap = cap;
	}
	if (pol_table_entry_parse(text, &l->v[l->n]) != 0)
		return cli_err(x, "pfctl: `%s` is not an address; expected ADDRESS, ADDRESS/LENGTH or !ADDRESS", text);
	l->n++;
	return 0;
}

/* A file of addresses: blanks or lines between them, # comments. */
static int
list_file(struct cli_ctx *x, struct list *l, const struct pfctl *p)
{
	char path[CLI_PATH_SIZE], *line = NULL, *save;
	size_t cap = 0;
	int rc = 0, nr = 0;
	FILE *f;

	if (cli_regular_file(x, pfctl_path(x, p, path)) != 0)
		return 1;
	if ((f = fopen(path, "r")) == NULL)
		return cli_err(x, "pfctl: cannot open %s: %s", p->file, strerror(errno));
	while (rc == 0 && getline(&line, &cap, f) >= 0) {
		nr++;
		line[strcspn(line, "#")] = '\0';
		for (char *w = strtok_r(line, " \t\r\n,", &save); w != NULL && rc == 0; w = strtok_r(NULL, " \t\r\n,", &save))
			if ((rc = list_add(x, l, w)) != 0)
				cli_err(x, "pfctl: %s:%d: nothing was changed", p->file, nr);
	}
	free(line);
	fclose(f);
	return rc;
}

static int
show(struct cli_ctx *x, const struct pfctl *p, const struct pol_table *t)
{
	unsigned n = pol_table_count(t);
	struct pol_table_entry *e = calloc(n ? n : 1, sizeof(*e));
	char buf[80];

	if (e == NULL)
		return cli_err(x, "pfctl: out of memory");
	n = pol_table_list(t, e, n);
	if (cli_json(x->out))
		cli_arr(x->out, NULL);
	for (unsigned i = 0; i < n && !cli_gone(x->out); i++) {
		pol_table_entry_snprint(&e[i], buf, sizeof(buf));
		if (cli_json(x->out))
			cli_str(x->out, NULL, buf);
		else	/* three columns before the address: result, blank, negation */
			cli_printf(x->out, "%s%s\n", buf[0] == '!' ? "  " : "   ", buf);
	}
	if (cli_json(x->out))
		cli_arr_end(x->out);
	free(e);
	return 0;
}

static int
test(struct cli_ctx *x, const struct pfctl *p, const struct pol_table *t, const struct list *l)
{
	unsigned hit = 0;
	char buf[80];

	for (unsigned i = 0; i < l->n; i++) {
		bool in = pol_table_contains(t, l->v[i].af, &l->v[i].addr);

		hit += in;
		if (p->verbose) {
			pol_table_entry_snprint(&l->v[i], buf, sizeof(buf));
			if (in || p->verbose > 1)
				cli_printf(x->out, "%c  %s\n", in ? 'M' : ' ', buf);
		}
	}
	pfctl_note(x, p, "%u/%u addresses match.", hit, l->n);
	return hit < l->n ? 2 : 0;
}

static int
changed(struct cli_ctx *x, const struct pfctl *p, int rc)
{
	if (rc == -EPERM)
		return cli_err(x, "pfctl: table %s is const: only loading its file changes it", p->table);
	return rc < 0 ? cli_err(x, "pfctl: table %s: %s", p->table, strerror(-rc)) : 0;
}

int
pfctl_table(struct cli_ctx *x, const struct pfctl *p)
{
	const struct pol_reclaim *rc = x->box != NULL ? fp_box_reclaim(x->box) : NULL;
	bool creates = strcmp(p->tcmd, "add") == 0 || strcmp(p->tcmd, "replace") == 0;
	bool takes = creates || strcmp(p->tcmd, "delete") == 0 || strcmp(p->tcmd, "test") == 0;
	struct list l = { 0 };
	struct pol_table *t;
	int status = 0, n;

	if (!takes && strcmp(p->tcmd, "show") != 0 && strcmp(p->tcmd, "flush") != 0)
		return cli_err(x, "pfctl: -T %s is not available in this version; expected one of: show, add, delete, replace, flush, test",
			p->tcmd);
	if (!takes && p->argc > 0)
		return cli_err(x, "pfctl: -T %s takes no addresses", p->tcmd);
	for (int i = 0; i < p->argc && status == 0; i++)
		status = list_add(x, &l, p->argv[i]);
	if (status == 0 && p->file != NULL && !x->check)
		status = list_file(x, &l, p);
	if (status != 0 || x->check)
		goto out;
	if (takes && l.n == 0 && strcmp(p->tcmd, "replace") != 0) {
		status = cli_err(x, "pfctl: -T %s needs addresses", p->tcmd);
		goto out;
	}
	if ((t = fp_table_by_name(x->box, p->table, false)) == NULL && creates) {
		if ((t = fp_table_by_name(x->box, p->table, true)) != NULL)
			pfctl_note(x, p, "1 table created.");
	}
	if (t == NULL) {
		status = creates ? cli_err(x, "pfctl: cannot make table %s: out of memory", p->table) :
			cli_err(x, "pfctl: Table does not exist.");
		goto out;
	}
	if (strcmp(p->tcmd, "show") == 0) {
		status = show(x, p, t);
	} else if (strcmp(p->tcmd, "test") == 0) {
		status = test(x, p, t, &l);
	} else if (strcmp(p->tcmd, "add") == 0) {
		if ((status = changed(x, p, n = pol_table_add(t, l.v, l.n, rc))) == 0)
			pfctl_note(x, p, "%d/%u addresses added.", n, l.n);
	} else if (strcmp(p->tcmd, "delete") == 0) {
		if ((status = changed(x, p, n = pol_table_delete(t, l.v, l.n, rc))) == 0)
			pfctl_note(x, p, "%d/%u addresses deleted.", n, l.n);
	} else if (strcmp(p->tcmd, "replace") == 0) {
		if ((status = changed(x, p, n = pol_table_replace(t, l.v, l.n, rc))) == 0)
			pfctl_note(x, p, n == 0 ? "no changes." : "%d addresses changed.", n);
	} else {
		if ((status = changed(x, p, n = pol_table_flush(t, rc))) == 0)
			pfctl_note(x, p, "%d addresses deleted.", n);
	}
out:
	free(l.v);
	return status;
}
