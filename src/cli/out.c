/* SPDX-License-Identifier: BSD-2-Clause */
/* Text and JSON from the same calls, see out.h. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"

#define PIECE_SIZE 65536
#define MAX_DEPTH 16
#define MAX_COLS 48

/* A table being collected in text mode: column widths are known only at its end. */
struct tab {
	int n_cols, n_rows, cap_rows;
	char *cols[MAX_COLS];
	bool number[MAX_COLS];		/* right-aligned: every cell is a number */
	char ***cells;			/* [row][col], NULL empty */
};

enum frame_kind { F_OBJ, F_ARR };
struct frame {
	enum frame_kind kind;
	bool some;			/* something is in it: a comma is due */
	bool table;			/* F_ARR in text: owner of o->tab once its first object has come */
	bool row;			/* F_OBJ in text: one row of the table */
	char name[64];
};

struct cli_out {
	struct cli_sink *sink;
	bool json, gone;
	int depth;
	struct frame f[MAX_DEPTH];
	struct tab *tab;
	char prefix[128];		/* of cells: "wire." */
	char *list;			/* scalars of an array in text, joined with blanks */
	size_t list_len;
	size_t len;
	char buf[PIECE_SIZE];
};

struct cli_out *
cli_out_new(struct cli_sink *sink, bool json)
{
	struct cli_out *o = calloc(1, sizeof(*o));

	if (o != NULL) {
		o->sink = sink;
		o->json = json;
	}
	return o;
}

static void
tab_free(struct tab *t)
{
	if (t == NULL)
		return;
	for (int r = 0; r < t->n_rows; r++) {
		for (int c = 0; c < MAX_COLS; c++)
			free(t->cells[r][c]);
		free(t->cells[r]);
	}
	for (int c = 0; c < t->n_cols; c++)
		free(t->cols[c]);
	free(t->cells);
	free(t);
}

void
cli_out_free(struct cli_out *o)
{
	if (o == NULL)
		return;
	tab_free(o->tab);
	free(o->list);
	free(o);
}

bool
cli_json(const struct cli_out *o)
{
	return o->json;
}

void
cli_out_set_json(struct cli_out *o, bool json)
{
	o->json = json;
}

bool
cli_gone(const struct cli_out *o)
{
	return o->gone;
}

bool
cli_out_flush(struct cli_out *o)
{
	if (o->len != 0 && !o->gone && !o->sink->put(o->sink, CLI_CHAN_OUT, o->buf, o->len))
		o->gone = true;
	o->len = 0;
	return !o->gone;
}

void
cli_out_chan(struct cli_out *o, enum cli_chan chan, const char *data, size_t len)
{
	if (cli_out_flush(o) && !o->sink->put(o->sink, chan, data, len))
		o->gone = true;
}

static void
raw(struct cli_out *o, const char *s, size_t n)
{
	while (n != 0 && !o->gone) {
		size_t k = PIECE_SIZE - o->len < n ? PIECE_SIZE - o->len : n;

		memcpy(o->buf + o->len, s, k);
		o->len += k;
		s += k;
		n -= k;
		if (o->len == PIECE_SIZE)
			cli_out_flush(o);
	}
}

static void
raws(struct cli_out *o, const char *s)
{
	raw(o, s, strlen(s));
}

void
cli_text(struct cli_out *o, const char *s, size_t len)
{
	if (!o->json)
		raw(o, s, len);
}

static void
vtext(struct cli_out *o, const char *fmt, va_list ap)
{
	char tmp[1024], *p;
	va_list ap2;
	int n;

	va_copy(ap2, ap);
	n = vsnprintf(tmp, sizeof(tmp), fmt, ap);
	if (n >= 0 && (size_t)n < sizeof(tmp)) {
		raw(o, tmp, n);
	} else if (n >= 0 && (p = malloc((size_t)n + 1)) != NULL) {
		vsnprintf(p, (size_t)n + 1, fmt, ap2);
		raw(o, p, n);
		free(p);
	}
	va_end(ap2);
}

void
cli_printf(struct cli_out *o, const char *fmt, ...)
{
	va_list ap;

	if (o->json)
		return;
	va_start(ap, fmt);
	vtext(o, fmt, ap);
	va_end(ap);
}

/* ---- JSON */

static void
json_string(struct cli_out *o, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	raw(o, "\"", 1);
	while (*p != '\0') {
		size_t n = 0;

		while (p[n] >= 0x20 && p[n] < 0x7f && p[n] != '"' && p[n] != '\\')
			n++;
		raw(o, (const char *)p, n);
		p += n;
		if (*p == '\0')
			break;
		if (*p == '"' || *p == '\\') {
			char e[2] = { '\\', (char)*p };

			raw(o, e, 2);
			p++;
		} else if (*p >= 0xc2 && *p <= 0xf4) {
			/* Well-formed UTF-8 goes through; stray bytes become U+FFFD, so that the output always parses. */
			int k = *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4, i;

			for (i = 1; i < k && (p[i] & 0xc0) == 0x80; i++)
				;
			if (i == k)
				raw(o, (const char *)p, k);
			else
				raws(o, "\\ufffd");
			p += i;
		} else if (*p >= 0x80) {
			raws(o, "\\ufffd");
			p++;
		} else {
			char e[8];

			snprintf(e, sizeof(e), *p == '\n' ? "\\n" : *p == '\t' ? "\\t" : "\\u%04x", *p);
			raws(o, e);
			p++;
		}
	}
	raw(o, "\"", 1);
}

static void
json_key(struct cli_out *o, const char *key)
{
	struct frame *f = o->depth > 0 ? &o->f[o->depth - 1] : NULL;

	if (f == NULL)
		return;
	if (f->some)
		raw(o, ",", 1);
	/* One object a line in the outermost list: readable, and easy to cut. */
	if (f->kind == F_ARR && o->depth == 1)
		raw(o, "\n ", 2);
	f->some = true;
	if (f->kind == F_OBJ && key != NULL) {
		json_string(o, key);
		raw(o, ":", 1);
	}
}

/* ---- text */

static struct frame *
top(struct cli_out *o)
{
	return o->depth > 0 ? &o->f[o->depth - 1] : NULL;
}

static bool
in_row(const struct cli_out *o)
{
	for (int i = 0; i < o->depth; i++)
		if (o->f[i].row)
			return true;
	return false;
}

static void
cell(struct cli_out *o, const char *key, const char *v, bool number)
{
	struct tab *t = o->tab;
	char name[192];
	int c;

	snprintf(name, sizeof(name), "%s%s", o->prefix, key != NULL ? key : "");
	for (c = 0; c < t->n_cols && strcmp(t->cols[c], name) != 0; c++)
		;
	if (c == MAX_COLS || t->n_rows == 0)
		return;
	if (c == t->n_cols) {
		if ((t->cols[c] = strdup(name)) == NULL)
			return;
		t->number[c] = true;
		t->n_cols++;
	}
	if (!number)
		t->number[c] = false;
	free(t->cells[t->n_rows - 1][c]);
	t->cells[t->n_rows - 1][c] = strdup(v);
}

static void
tab_print(struct cli_out *o, const struct tab *t, int indent)
{
	size_t w[MAX_COLS];

	for (int c = 0; c < t->n_cols; c++) {
		w[c] = strlen(t->cols[c]);
		for (int r = 0; r < t->n_rows; r++)
			if (t->cells[r][c] != NULL && strlen(t->cells[r][c]) > w[c])
				w[c] = strlen(t->cells[r][c]);
	}
	for (int r = -1; r < t->n_rows; r++) {
		int last = t->n_cols - 1;

		/* no blanks at the end of a line */
		while (r >= 0 && last >= 0 && (t->cells[r][last] == NULL || t->cells[r][last][0] == '\0'))
			last--;
		cli_printf(o, "%*s", indent, "");
		for (int c = 0; c <= last; c++) {
			const char *v = r < 0 ? t->cols[c] : t->cells[r][c] != NULL ? t->cells[r][c] : "";

			if (t->number[c])
				cli_printf(o, "%*s", (int)w[c], v);
			else if (c == last)
				cli_printf(o, "%s", v);
			else
				cli_printf(o, "%-*s", (int)w[c], v);
			if (c < last)
				raw(o, "  ", 2);
		}
		raw(o, "\n", 1);
	}
}

static int
indent_of(const struct cli_out *o)
{
	return o->depth > 1 ? (o->depth - 1) * 2 : 0;
}

static void
label(char *buf, size_t size, const char *key)
{
	snprintf(buf, size, "%s", key != NULL ? key : "");
	for (char *p = buf; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
}

static void
list_add(struct cli_out *o, const char *v)
{
	size_t n = strlen(v);
	char *p = realloc(o->list, o->list_len + n + 2);

	if (p == NULL)
		return;
	o->list = p;
	if (o->list_len != 0)
		o->list[o->list_len++] = ' ';
	memcpy(o->list + o->list_len, v, n + 1);
	o->list_len += n;
}

static void
scalar(struct cli_out *o, const char *key, const char *v, bool number)
{
	struct frame *f = top(o);
	char l[96];

	if (f != NULL && f->kind == F_ARR) {
		list_add(o, v);
		f->some = true;
		return;
	}
	if (o->tab != NULL && in_row(o)) {
		cell(o, key, v, number);
		return;
	}
	label(l, sizeof(l), key);
	cli_printf(o, "%*s%s: %s\n", indent_of(o), "", l, v);
}

/* ---- both */

static void
push(struct cli_out *o, enum frame_kind kind, const char *key)
{
	struct frame *f;

	if (o->json)
		json_key(o, key);
	if (o->depth == MAX_DEPTH)
		return;
	f = &o->f[o->depth++];
	memset(f, 0, sizeof(*f));
	f->kind = kind;
	snprintf(f->name, sizeof(f->name), "%s", key != NULL ? key : "");
}

static void
prefix_set(struct cli_out *o)
{
	bool in = false;
	size_t n = 0;

	o->prefix[0] = '\0';
	for (int i = 0; i < o->depth; i++) {
		if (in && o->f[i].kind == F_OBJ && o->f[i].name[0] != '\0' && n < sizeof(o->prefix))
			n += snprintf(o->prefix + n, sizeof(o->prefix) - n, "%s.", o->f[i].name);
		if (o->f[i].row)
			in = true;
	}
}

void
cli_obj(struct cli_out *o, const char *key)
{
	struct frame *f = top(o);
	bool row = false;

	if (o->json) {
		push(o, F_OBJ, key);
		raw(o, "{", 1);
		return;
	}
	if (f != NULL && f->kind == F_ARR && !in_row(o)) {
		if (o->tab == NULL && (o->tab = calloc(1, sizeof(*o->tab))) != NULL)
			f->table = true;
		row = o->tab != NULL;
	} else if (f != NULL && f->kind == F_ARR) {
		/* An object in a list in a row: its first value stands for it. */
	} else if (o->depth > 0 && !in_row(o) && key != NULL) {
		char l[96];

		label(l, sizeof(l), key);
		cli_printf(o, "%*s%s:\n", indent_of(o), "", l);
	}
	push(o, F_OBJ, key);
	if (row) {
		struct tab *t = o->tab;
		char **cells = calloc(MAX_COLS, sizeof(*cells));

		if (cells != NULL && t->n_rows == t->cap_rows) {
			int cap = t->cap_rows ? 2 * t->cap_rows : 16;
			char ***p = realloc(t->cells, cap * sizeof(*p));

			if (p == NULL) {
				free(cells);
				cells = NULL;
			} else {
				t->cells = p;
				t->cap_rows = cap;
			}
		}
		if (cells != NULL)
			t->cells[t->n_rows++] = cells;
		o->f[o->depth - 1].row = true;
	}
	prefix_set(o);
}

static void
pop(struct cli_out *o)
{
	if (o->depth > 0)
		o->depth--;
	if (!o->json)
		prefix_set(o);
}

void
cli_obj_end(struct cli_out *o)
{
	if (o->json) {
		raw(o, "}", 1);
		if (o->depth == 1)
			raw(o, "\n", 1);
	}
	pop(o);
}

void
cli_arr(struct cli_out *o, const char *key)
{
	if (o->json) {
		push(o, F_ARR, key);
		raw(o, "[", 1);
		return;
	}
	push(o, F_ARR, key);
}

void
cli_arr_end(struct cli_out *o)
{
	struct frame f;
	char l[96];

	if (o->depth == 0)
		return;
	f = o->f[o->depth - 1];
	if (o->json) {
		if (o->depth == 1)
			raw(o, f.some ? "\n]\n" : "]\n", f.some ? 3 : 2);
		else
			raw(o, "]", 1);
		pop(o);
		return;
	}
	pop(o);
	label(l, sizeof(l), f.name);
	if (f.table) {
		struct tab *t = o->tab;

		o->tab = NULL;
		if (f.name[0] != '\0')
			cli_printf(o, "%*s%s:\n", indent_of(o), "", l);
		tab_print(o, t, f.name[0] != '\0' ? indent_of(o) + 2 : 0);
		tab_free(t);
	} else if (o->list != NULL || f.name[0] != '\0') {
		char *v = o->list;

		o->list = NULL;
		o->list_len = 0;
		if (o->tab != NULL && in_row(o))
			cell(o, f.name, v != NULL ? v : "", false);
		else if (f.name[0] != '\0')
			cli_printf(o, "%*s%s: %s\n", indent_of(o), "", l, v != NULL ? v : "none");
		else
			cli_printf(o, "%s\n", v != NULL ? v : "");
		free(v);
	}
}

void
cli_u64(struct cli_out *o, const char *key, uint64_t v)
{
	char b[24];

	snprintf(b, sizeof(b), "%llu", (unsigned long long)v);
	if (o->json) {
		json_key(o, key);
		raws(o, b);
	} else {
		scalar(o, key, b, true);
	}
}

void
cli_dbl(struct cli_out *o, const char *key, double v, int decimals)
{
	char b[64];

	if (!isfinite(v))
		snprintf(b, sizeof(b), "%s", o->json ? "null" : "-");
	else
		snprintf(b, sizeof(b), "%.*f", decimals, v);
	if (o->json) {
		json_key(o, key);
		raws(o, b);
	} else {
		scalar(o, key, b, true);
	}
}

void
cli_bool(struct cli_out *o, const char *key, bool v)
{
	if (o->json) {
		json_key(o, key);
		raws(o, v ? "true" : "false");
	} else {
		scalar(o, key, v ? "yes" : "no", false);
	}
}

void
cli_str(struct cli_out *o, const char *key, const char *v)
{
	if (o->json) {
		json_key(o, key);
		if (v == NULL)
			raws(o, "null");
		else
			json_string(o, v);
	} else {
		scalar(o, key, v != NULL ? v : "-", false);
	}
}

void
cli_strf(struct cli_out *o, const char *key, const char *fmt, ...)
{
	char b[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(b, sizeof(b), fmt, ap);
	va_end(ap);
	cli_str(o, key, b);
}
