/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of a parser: memory, errors, files and macros, and what becomes of the result. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/lang_priv.h"
#include "policy/pfconf_parse.h"

struct pol_chunk {
	struct pol_chunk *next;
	size_t used, size;
	max_align_t mem[];
};

void
pol_oom(struct pol_parser *p)
{
	longjmp(p->oom, 1);
}

void *
pol_arena(struct pol_parser *p, size_t size)
{
	struct pol_chunk *c = p->chunks;
	void *m;

	size = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	if (c == NULL || c->size - c->used < size) {
		size_t want = size > 64 * 1024 ? size : 64 * 1024;

		if ((c = malloc(sizeof(*c) + want)) == NULL)
			pol_oom(p);
		c->used = 0;
		c->size = want;
		c->next = p->chunks;
		p->chunks = c;
	}
	m = (char *)c->mem + c->used;
	c->used += size;
	return memset(m, 0, size);
}

char *
pol_arena_str(struct pol_parser *p, const char *s, size_t len)
{
	char *d = pol_arena(p, len + 1);

	memcpy(d, s, len);
	return d;
}

char *
pol_arena_printf(struct pol_parser *p, const char *fmt, ...)
{
	va_list ap;
	char *d;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	d = pol_arena(p, (n < 0 ? 0 : n) + 1);
	va_start(ap, fmt);
	vsnprintf(d, (n < 0 ? 0 : n) + 1, fmt, ap);
	va_end(ap);
	return d;
}

/* A buffer that grows lies in the arena too; what it leaves behind is at most as much as it is. */
void
pol_sbuf_add(struct pol_parser *p, struct pol_sbuf *b, const char *s, size_t len)
{
	if (b->len + len + 1 > b->cap) {
		size_t cap = (b->cap + len + 64) * 2;
		char *n = pol_arena(p, cap);

		if (b->len > 0)
			memcpy(n, b->s, b->len);
		b->s = n;
		b->cap = cap;
	}
	if (len > 0)
		memcpy(b->s + b->len, s, len);
	b->len += len;
	b->s[b->len] = '\0';
}

void
pol_sbuf_printf(struct pol_parser *p, struct pol_sbuf *b, const char *fmt, ...)
{
	va_list ap;
	char buf[512], *big = NULL;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(buf)) {
		big = pol_arena(p, n + 1);
		va_start(ap, fmt);
		vsnprintf(big, n + 1, fmt, ap);
		va_end(ap);
	}
	if (n > 0)
		pol_sbuf_add(p, b, big != NULL ? big : buf, n);
}

void
pol_sbuf_word(struct pol_parser *p, struct pol_sbuf *b, const char *s)
{
	bool plain = pol_is_plain_word(s) || strcmp(s, "any") == 0;

	pol_sbuf_printf(p, b, plain ? "%s" : strchr(s, '"') == NULL ? "\"%s\"" : "'%s'", s);
}

static void
error_add(struct pol_errors *e, const char *file, int line, const char *text)
{
	char *f, *t;

	if (e->n == e->cap) {
		unsigned cap = e->cap * 2 + 8;
		struct pol_error *v = realloc(e->v, cap * sizeof(*v));

		if (v == NULL)
			return;
		e->v = v;
		e->cap = cap;
	}
	f = strdup(file != NULL ? file : "");
	t = strdup(text);
	if (f == NULL || t == NULL) {
		free(f);
		free(t);
		return;
	}
	e->v[e->n++] = (struct pol_error){ .file = f, .line = line, .text = t };
}

void
pol_perr(struct pol_parser *p, struct pol_loc loc, const char *fmt, ...)
{
	char text[768], *c;
	va_list ap;

	if (p->draft != NULL)
		p->draft->bad = true;
	if (p->n_errors++ >= POL_MAX_ERRORS) {
		if (p->n_errors == POL_MAX_ERRORS + 1)
			error_add(p->errs, loc.file, loc.line, "more than 1000 errors, the rest is not shown");
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* words of the file are quoted in errors: nothing of them may drive a terminal */
	for (c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 32 || *c == 127)
			*c = '?';
	/* what a macro brings in, it may bring in often */
	for (unsigned i = 0; i < p->errs->n && i < 16; i++) {
		const struct pol_error *e = &p->errs->v[p->errs->n - 1 - i];

		if (e->line == loc.line && strcmp(e->text, text) == 0 && strcmp(e->file, loc.file) == 0)
			return;
	}
	error_add(p->errs, loc.file, loc.line, text);
}

void
pol_errors_print(const struct pol_errors *errs, FILE *f)
{
	for (unsigned i = 0; i < errs->n; i++) {
		if (errs->v[i].line > 0)
			fprintf(f, "%s:%d: %s\n", errs->v[i].file, errs->v[i].line, errs->v[i].text);
		else
			fprintf(f, "%s: %s\n", errs->v[i].file, errs->v[i].text);
	}
}

void
pol_errors_free(struct pol_errors *errs)
{
	for (unsigned i = 0; i < errs->n; i++) {
		free(errs->v[i].file);
		free(errs->v[i].text);
	}
	free(errs->v);
	*errs = (struct pol_errors){ 0 };
}

uint32_t
pol_bucket(const char *s, size_t len)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	while (len-- > 0)
		h = (h ^ (unsigned char)*s++) * 16777619u;
	return h % POL_BUCKETS;
}

uint32_t
pol_index_next(const struct pol_index *x, uint32_t bucket, uint32_t at)
{
	return at == 0 ? x->bucket[bucket] : x->next[at - 1];
}

void
pol_index_add(struct pol_parser *p, struct pol_index *x, uint32_t bucket, uint32_t at)
{
	if (at > x->cap) {
		size_t cap = at * 2 + 16;
		uint32_t *next = pol_arena(p, cap * sizeof(*next));

		if (x->cap > 0)
			memcpy(next, x->next, x->cap * sizeof(*next));
		x->next = next;
		x->cap = cap;
	}
	x->next[at - 1] = x->bucket[bucket];
	x->bucket[bucket] = at;
}

static struct pol_macro *
macro_find(const struct pol_parser *p, const char *name, size_t len)
{
	for (struct pol_macro *m = p->macros[pol_bucket(name, len)]; m != NULL; m = m->next)
		if (strncmp(m->name, name, len) == 0 && m->name[len] == '\0')
			return m;
	return NULL;
}

const struct pol_macro *
pol_macro_get(const struct pol_parser *p, const char *name, size_t len)
{
	return macro_find(p, name, len);
}

/* In quotes that the value does not contain. */
static void
macro_print(struct pol_parser *p, const char *name, const char *value)
{
	char quote = strchr(value, '"') == NULL ? '"' : '\'';

	if (strchr(value, '"') != NULL && strchr(value, '\'') != NULL)
		pol_sbuf_printf(p, &p->preamble, "# %s has both kinds of quotes\n", name);
	else
		pol_sbuf_printf(p, &p->preamble, "%s = %c%s%c\n", name, quote, value, quote);
}

void
pol_macro_set(struct pol_parser *p, const char *name, const char *value, bool fixed)
{
	size_t len = strlen(value), name_len = strlen(name);
	struct pol_macro *m = macro_find(p, name, name_len);

	if (len > POL_MAX_MACRO_SIZE) {
		pol_perr(p, pol_here(p), "value of macro '%s' is too long, expected at most %d bytes", name,
			POL_MAX_MACRO_SIZE);
		return;
	}
	if (!fixed)
		macro_print(p, name, value);
	if (m == NULL) {
		uint32_t b = pol_bucket(name, name_len);

		if (p->n_macros >= POL_MAX_MACROS) {
			if (p->n_macros++ == POL_MAX_MACROS)
				pol_perr(p, pol_here(p), "more than %d macros", POL_MAX_MACROS);
			return;
		}
		p->n_macros++;
		m = pol_arena(p, sizeof(*m));
		m->name = pol_arena_str(p, name, name_len);
		m->next = p->macros[b];
		p->macros[b] = m;
	} else if (m->fixed) {
		return;
	}
	m->fixed = fixed;
	m->value = pol_arena_str(p, value, len);
	m->len = len;
	for (char *s = (char *)m->value; *s != '\0'; s++)
		if (*s == '\n')
			*s = ' ';
}

char *
pol_slurp(struct pol_parser *p, struct pol_loc loc, const char *path, size_t *len)
{
	const char *why = NULL;
	struct stat st;
	char *text = NULL;
	size_t n = 0, cap;
	ssize_t r;
	int fd;

	/* not blocking: a FIFO must not stop the box */
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0 || fstat(fd, &st) != 0) {
		why = strerror(errno);
	} else if (!S_ISREG(st.st_mode) && !(loc.line == 0 && strncmp(path, "/dev/", 5) == 0)) {
		/* /dev/stdin and what a shell makes of <(command) are fine; a FIFO without a writer would read as empty
		 */
		why = "not a regular file";
	} else {
		cap = S_ISREG(st.st_mode) && st.st_size < POL_MAX_FILE_SIZE ? (size_t)st.st_size + 1 : 65536;
		if (!S_ISREG(st.st_mode))
			fcntl(fd, F_SETFL, 0);
		if ((text = malloc(cap)) == NULL)
			why = strerror(ENOMEM);
		while (why == NULL && (r = read(fd, text + n, cap - n)) != 0) {
			if (r < 0 && errno == EINTR)
				continue;
			if (r < 0) {
				why = strerror(errno);
			} else if ((n += r) > POL_MAX_FILE_SIZE) {
				why = "larger than 64 MiB";
			} else if (n == cap) {
				char *more = realloc(text, cap *= 2);

				if (more == NULL)
					why = strerror(ENOMEM);
				else
					text = more;
			}
		}
	}
	if (fd >= 0)
		close(fd);
	if (why == NULL) {
		*len = n;
		return text;
	}
	free(text);
	if (loc.line == 0)
		pol_perr(p, loc, "cannot be read: %s, expected a readable file", why);
	else
		pol_perr(p, loc, "file \"%s\" cannot be read: %s, expected a readable file", path, why);
	return NULL;
}

/* Names of files are kept with the rule set: rules point to them. */
const char *
pol_file_name(struct pol_parser *p, const char *name)
{
	struct pol_ruleset *rs = p->rs;
	char **v;

	for (unsigned i = 0; i < rs->n_files; i++)
		if (strcmp(rs->files[i], name) == 0)
			return rs->files[i];
	if ((v = realloc(rs->files, (rs->n_files + 1) * sizeof(*v))) == NULL)
		pol_oom(p);
	rs->files = v;
	if ((v[rs->n_files] = strdup(name)) == NULL)
		pol_oom(p);
	return v[rs->n_files++];
}

struct pol_trules *
pol_trules_new(struct pol_parser *p)
{
	struct pol_trules *t = pol_arena(p, sizeof(*t));

	t->next_all = p->all_trules;
	p->all_trules = t;
	return t;
}

struct pol_node *
pol_node_new(struct pol_parser *p, struct pol_loc loc)
{
	struct pol_node *n = pol_arena(p, sizeof(*n));

	n->last = n;
	n->loc = loc;
	return n;
}

struct pol_node *
pol_node_append(struct pol_node *list, struct pol_node *more)
{
	if (list == NULL)
		return more;
	if (more != NULL) {
		list->last->next = more;
		list->last = more->last;
	}
	return list;
}

static void
macros_given(struct pol_parser *p)
{
	struct pol_loc loc = { "-D", 0 };

	for (unsigned i = 0; p->env->macros != NULL && p->env->macros[i] != NULL; i++) {
		const char *s = p->env->macros[i], *eq = strchr(s, '=');

		if (eq == NULL || eq == s)
			pol_perr(p, loc, "bad macro '%s', expected name=value", s);
		else
			pol_macro_set(p, pol_arena_str(p, s, eq - s), eq + 1, true);
	}
}

/* What may give up in the middle for want of memory. text NULL: read the file. */
static void
parse_text(struct pol_parser *p, const char *name, const char *text, size_t len)
{
	struct pol_ruleset *rs = p->rs;
	struct pol_loc top = { rs->path, 0 };

	p->scope = pol_arena(p, sizeof(*p->scope));
	p->scope->rules = pol_trules_new(p);
	macros_given(p);
	if (text == NULL && (text = p->owned = pol_slurp(p, top, name, &len)) == NULL)
		return;
	if (len > POL_MAX_FILE_SIZE) {
		pol_perr(p, top, "larger than 64 MiB");
		return;
	}
	if (pol_lex_begin(p, pol_file_name(p, name), text, len) != 0)
		pol_oom(p);
	free(p->owned);		/* the lexer has its copy */
	p->owned = NULL;
	if (pol_yyparse(p->scanner, p) != 0 && p->n_errors == 0)
		pol_perr(p, pol_here(p), "the parser gave up, expected a smaller file");
	p->draft = NULL;
	if (p->n_errors > 0 || pol_flatten(p) != 0 || pol_tables_resolve(p) != 0)
		return;
	pol_sbuf_add(p, &p->preamble, "", 0);
	if ((rs->preamble = strdup(p->preamble.s)) == NULL)
		pol_oom(p);
	pol_checksum(rs);
	p->done = p->n_errors == 0;
}

/* Separate from its caller, so that no variable lives across the jump. */
__attribute__((noinline))
static void
parse_guarded(struct pol_parser *p, const char *name, const char *text, size_t len)
{
	if (setjmp(p->oom) == 0) {
		parse_text(p, name, text, len);
	} else {
		error_add(p->errs, name, 0, "out of memory");
		p->done = false;
	}
}

static struct pol_ruleset *
parse(const char *name, const char *text, size_t len, const struct pol_env *env, struct pol_errors *errs)
{
	static const struct pol_env no_env;
	struct pol_ruleset *rs = calloc(1, sizeof(*rs));
	struct pol_parser *p = calloc(1, sizeof(*p));

	if (rs == NULL || p == NULL || (rs->path = strdup(name)) == NULL) {
		error_add(errs, name, 0, strerror(ENOMEM));
		pol_ruleset_free(rs);
		free(p);
		return NULL;
	}
	pol_options_default(&rs->opt);
	rs->default_rule = (struct pol_rule){ .nr = UINT32_MAX,
		.top_nr = UINT32_MAX,
		.action = POL_PASS,
		.file = rs->path,
		.icmp_type = -1,
		.icmp_code = -1,
		.pos = UINT32_MAX,
		.anchor_end = UINT32_MAX };
	p->env = env != NULL ? env : &no_env;
	p->errs = errs;
	p->rs = rs;
	p->max_rules = p->env->max_rules > 0 ? p->env->max_rules : POL_MAX_RULES;
	parse_guarded(p, name, text, len);
	if (!p->done) {
		pol_ruleset_free(rs);
		rs = NULL;
	}
	free(p->owned);
	pol_lex_end(p);
	for (struct pol_trules *t = p->all_trules; t != NULL; t = t->next_all)
		free(t->v);
	while (p->chunks != NULL) {
		struct pol_chunk *c = p->chunks;

		p->chunks = c->next;
		free(c);
	}
	free(p);
	return rs;
}

struct pol_ruleset *
pol_parse_file(const char *path, const struct pol_env *env, struct pol_errors *errs)
{
	return parse(path, NULL, 0, env, errs);
}

struct pol_ruleset *
pol_parse_buffer(const char *name, const char *text, size_t len, const struct pol_env *env, struct pol_errors *errs)
{
	return parse(name, text != NULL ? text : "", text != NULL ? len : 0, env, errs);
}

void
pol_ruleset_free(struct pol_ruleset *rs)
{
	if (rs == NULL)
		return;
	for (uint32_t i = 0; i < rs->n_rules; i++)
		free(rs->rules[i]);
	free(rs->rules);
	for (unsigned i = 0; i < rs->n_tags; i++)
		free(rs->tags[i]);
	free(rs->tags);
	for (unsigned i = 0; i < rs->n_tables; i++) {
		if (rs->tables[i].created)
			pol_table_free(rs->tables[i].table);
		free(rs->tables[i].entries);
	}
	free(rs->tables);
	for (unsigned i = 0; i < rs->n_files; i++)
		free(rs->files[i]);
	free(rs->files);
	free(rs->opt.skip);
	free(rs->preamble);
	free(rs->path);
	free(rs);
}
