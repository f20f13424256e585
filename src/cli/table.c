/* SPDX-License-Identifier: BSD-2-Clause */
/* The command table: find the command, check its arguments, say what would have been right, complete, explain. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_priv.h"
#include "grammar.h"

const struct cli_cmd *const cli_groups[] = { cli_pfctl_cmds, cli_if_cmds, cli_route_cmds, cli_port_cmds, cli_set_cmds,
	cli_show_cmds, cli_sync_cmds, cli_carp_cmds, cli_watch_cmds, cli_doctor_cmds, cli_base_cmds, NULL };

#define FOREACH_CMD(c) \
	for (const struct cli_cmd *const *g_ = cli_groups; *g_ != NULL; g_++) \
		for (const struct cli_cmd *c = *g_; c->words != NULL; c++)

static int
verr(struct cli_ctx *x, const char *prefix, const char *fmt, va_list ap)
{
	char b[2048];
	int n = snprintf(b, sizeof(b), "%s", prefix);

	n += vsnprintf(b + n, sizeof(b) - n - 1, fmt, ap);
	if (n > (int)sizeof(b) - 2)
		n = sizeof(b) - 2;
	if (n == 0 || b[n - 1] != '\n')
		b[n++] = '\n';
	cli_out_chan(x->out, CLI_CHAN_ERR, b, n);
	return 1;
}

int
cli_err(struct cli_ctx *x, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	verr(x, "", fmt, ap);
	va_end(ap);
	return x->status = 1;
}

void
cli_warn(struct cli_ctx *x, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	verr(x, "warning: ", fmt, ap);
	va_end(ap);
}

void
cli_progress(struct cli_ctx *x, const char *fmt, ...)
{
	char b[256];
	va_list ap;
	int n;

	if (!x->tty)
		return;
	va_start(ap, fmt);
	n = vsnprintf(b, sizeof(b), fmt, ap);
	va_end(ap);
	if (n > 0)
		cli_out_chan(x->out, CLI_CHAN_PROGRESS, b, (size_t)n < sizeof(b) ? (size_t)n : sizeof(b) - 1);
}

const char *
cli_path(struct cli_ctx *x, const char *path, char buf[CLI_PATH_SIZE])
{
	char here[CLI_PATH_SIZE];
	const char *cwd = x->cwd != NULL && x->cwd[0] != '\0' ? x->cwd : getcwd(here, sizeof(here));

	if (path[0] == '/' || cwd == NULL || strcmp(path, "-") == 0)
		snprintf(buf, CLI_PATH_SIZE, "%s", path);
	else
		snprintf(buf, CLI_PATH_SIZE, "%s/%s", cwd, path);
	return buf;
}

/* A FIFO or device would hold up the main lcore. */
int
cli_regular_file(struct cli_ctx *x, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return cli_err(x, "%s: cannot open %s: %s", x->cmd->words, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return cli_err(x, "%s: %s is not a regular file", x->cmd->words, path);
	return 0;
}

/* How many words of the command argv begins with; *all: the command's words are all there. */
static int
words_match(const char *words, int argc, char *const *argv, bool *all)
{
	int n = 0;

	*all = false;
	while (*words != '\0') {
		size_t len = strcspn(words, " ");

		if (n == argc || strlen(argv[n]) != len || memcmp(argv[n], words, len) != 0)
			return n;
		n++;
		words += len;
		while (*words == ' ')
			words++;
	}
	*all = true;
	return n;
}

static const char *
nth_word(const char *words, int n, char buf[32])
{
	while (n-- > 0) {
		words += strcspn(words, " ");
		while (*words == ' ')
			words++;
	}
	snprintf(buf, 32, "%.*s", (int)strcspn(words, " "), words);
	return buf;
}

static const struct cli_cmd *
find(int argc, char *const *argv, int *n_words)
{
	const struct cli_cmd *best = NULL;
	int best_n = 0;

	FOREACH_CMD(c) {
		bool all;
		int n = words_match(c->words, argc, argv, &all);

		if (all && n > best_n) {
			best = c;
			best_n = n;
		}
	}
	*n_words = best_n;
	return best;
}

/* What is said of a placeholder. */
static const char *
place_help(const char *place)
{
	static const struct { const char *p, *h; } t[] = {
		{ "N", "a number" }, { "IF", "an interface" }, { "PORT", "a port number" }, { "ADDR", "an address" },
		{ "PREFIX", "an address or prefix" }, { "PROTO", "a protocol" }, { "FILE", "a file" }, { "TABLE", "a table" },
		{ "DEST", "default, an address or a prefix" }, { "VID", "a VLAN id, 1 to 4094" },
		{ "DEVARGS", "a DPDK device" }, { "MAC", "an Ethernet address" }, { "ENDPOINT", "ADDR or ADDR:PORT, ADDR[PORT]" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (strcmp(t[i].p, place) == 0)
			return t[i].h;
	return NULL;
}

static void
expect_text(const struct cli_expect *e, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (int i = 0; i < e->n && n < size; i++) {
		const char *h = cli_grammar_is_place(e->word[i]) ? place_help(e->word[i]) : NULL;

		n += snprintf(buf + n, size - n, "%s%s", i == 0 ? "" : i == e->n - 1 && !e->end ? " or " : ", ", h ? h : e->word[i]);
	}
	if (e->end && n < size)
		snprintf(buf + n, size - n, "%s", e->n ? " or nothing" : "nothing");
}

static void
unknown(struct cli_ctx *x, int argc, char **argv)
{
	char list[1024] = "", w[32], seen[64][32];
	int depth = 0, n_seen = 0;
	size_t n = 0;

	FOREACH_CMD(c) {
		bool all;
		int k = words_match(c->words, argc, argv, &all);

		if (k > depth)
			depth = k;
	}
	FOREACH_CMD(c) {
		bool all;
		int k, i;

		if ((k = words_match(c->words, argc, argv, &all)) < depth || all)
			continue;
		nth_word(c->words, depth, w);
		for (i = 0; i < n_seen && strcmp(seen[i], w) != 0; i++)
			;
		if (i < n_seen || n_seen == 64)
			continue;
		memcpy(seen[n_seen++], w, sizeof(w));
		if (n < sizeof(list))
			n += snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", w);
	}
	if (depth == argc)
		cli_err(x, "%s%sincomplete command; expected one of: %s", argc ? argv[argc - 1] : "", argc ? ": " : "", list);
	else if (depth > 0)
		cli_err(x, "%s: unknown word `%s`; expected one of: %s", argv[depth - 1], argv[depth], list);
	else
		cli_err(x, "unknown command `%s`; expected one of: %s", argv[0], list);
}

int
cli_dispatch(struct cli_ctx *x, int argc, char **argv)
{
	const struct cli_cmd *c;
	int n, rc;

	x->status = 0;
	if (argc == 0)
		return 0;
	if ((c = find(argc, argv, &n)) == NULL) {
		unknown(x, argc, argv);
		return 1;
	}
	x->cmd = c;
	x->argc = argc - n;
	x->argv = argv + n;
	if ((c->flags & CLI_F_JSON) && x->argc > 0 && strcmp(x->argv[x->argc - 1], "json") == 0) {
		x->argc--;
		cli_out_set_json(x->out, true);
	}
	if (!(c->flags & CLI_F_OWN_ARGS)) {
		struct cli_expect e;
		char want[512];

		rc = cli_grammar_match(c->args, x->argc, x->argv, &e);
		if (rc != 0) {
			expect_text(&e, want, sizeof(want));
			if (e.pos < x->argc)
				return cli_err(x, "%s: `%s` does not fit here; expected %s\nusage: %s%s%s", c->words, x->argv[e.pos], want,
					c->words, c->args[0] ? " " : "", c->args);
			return cli_err(x, "%s: something is missing; expected %s\nusage: %s%s%s", c->words, want, c->words,
				c->args[0] ? " " : "", c->args);
		}
		if (x->check)
			return 0;
	}
	rc = c->run(x);
	if (rc != 0 && x->status == 0)
		x->status = rc;
	return x->status;
}

/* ---- help */

static int
cmd_help(struct cli_ctx *x)
{
	bool found = false;

	cli_arr(x->out, NULL);
	FOREACH_CMD(c) {
		bool all;
		int k = words_match(c->words, x->argc, x->argv, &all);

		if (k < x->argc && !all)
			continue;
		found = true;
		if (cli_json(x->out)) {
			cli_obj(x->out, NULL);
			cli_str(x->out, "command", c->words);
			cli_str(x->out, "args", c->args);
			cli_str(x->out, "help", c->help);
			cli_obj_end(x->out);
		} else {
			char head[512];
			int w = snprintf(head, sizeof(head), "%s%s%s", c->words, c->args[0] ? " " : "", c->args);

			if (w < 34)
				cli_printf(x->out, "%-34s %s\n", head, c->help);
			else
				cli_printf(x->out, "%s\n%34s %s\n", head, "", c->help);
			if (x->argc > 0 && c->more != NULL)
				cli_printf(x->out, "\n%s\n", c->more);
		}
	}
	cli_arr_end(x->out);
	if (!found) {
		unknown(x, x->argc, x->argv);
		return 1;
	}
	return 0;
}

static int
cmd_quit(struct cli_ctx *x)
{
	x->cli->quit = true;
	return 0;
}

const struct cli_cmd cli_base_cmds[] = {
	{ "help", "[WORD...]", "list the commands, or explain one", cmd_help, CLI_F_JSON },
	{ "quit", "", "end the program: workers stop, ports close, states are lost", cmd_quit },
	{ NULL },
};

/* roff reads backslashes, and lines that begin with a dot or an apostrophe. */
static void
roff(FILE *f, const char *s)
{
	for (bool start = true; *s != '\0'; s++) {
		if (start && (*s == '.' || *s == '\''))
			fputs("\\&", f);
		if (*s == '\\')
			fputs("\\e", f);
		else if (*s == '-')
			fputs("\\-", f);
		else
			fputc(*s, f);
		start = *s == '\n';
	}
}

void
cli_manual_commands(FILE *f)
{
	FOREACH_CMD(c) {
		fputs(".TP\n\\fB", f);
		roff(f, c->words);
		fputs("\\fR", f);
		if (c->args[0] != '\0') {
			fputc(' ', f);
			roff(f, c->args);
		}
		fputc('\n', f);
		roff(f, c->help);
		fputs(".\n", f);
		if (c->more != NULL) {
			fputs(".nf\n", f);
			roff(f, c->more);
			fputs("\n.fi\n", f);
		}
	}
}

/* ---- completion */

struct adder {
	void (*add)(void *arg, const char *word, const char *help);
	void *arg;
	const char *prefix;
};

static void
add_prefixed(void *arg, const char *word, const char *help)
{
	struct adder *a = arg;

	if (strncmp(word, a->prefix, strlen(a->prefix)) == 0)
		a->add(a->arg, word, help);
}

static void
add_ifs(struct cli_ctx *x, struct adder *a)
{
	struct fp_if_info *info;

	if (x->box == NULL || (info = malloc(sizeof(*info))) == NULL)
		return;
	for (unsigned i = 0; fp_if_info(x->box, i, info) == 0; i++)
		add_prefixed(a, info->name, info->devargs);
	free(info);
}

static void
add_table(void *arg, struct pol_table *t)
{
	add_prefixed(arg, pol_table_name(t), "table");
}

void
cli_complete(struct cli_ctx *x, const char *line, void (*add)(void *arg, const char *word, const char *help), void *arg)
{
	struct cli_words w;
	struct cli_expect e;
	const char *err;
	size_t len = strlen(line);
	struct adder a = { add, arg, "" };
	const struct cli_cmd *c;
	int n, argc;

	if (cli_words_split(line, &w, &err) != 0)
		return;
	argc = w.n;
	if (len > 0 && line[len - 1] != ' ' && line[len - 1] != '\t' && argc > 0)
		a.prefix = w.v[--argc];
	/* `help` completes as commands do. */
	char **argv = w.v;
	if (argc > 0 && strcmp(argv[0], "help") == 0) {
		argv++;
		argc--;
	}
	char seen[96][32];
	int n_seen = 0;
	FOREACH_CMD(k) {
		bool all;
		int m = words_match(k->words, argc, argv, &all), i;
		char word[32];

		if (m < argc || all)
			continue;
		nth_word(k->words, argc, word);
		for (i = 0; i < n_seen && strcmp(seen[i], word) != 0; i++)
			;
		if (i < n_seen || n_seen == 96)
			continue;
		memcpy(seen[n_seen++], word, sizeof(word));
		/* The help of a command only where the word says which one it is. */
		add_prefixed(&a, word, strlen(k->words) == strlen(word) || argc > 0 ? k->help : "");
	}
	if (argv == w.v && (c = find(argc, argv, &n)) != NULL) {
		x->cmd = c;
		x->argc = argc - n;
		x->argv = argv + n;
		if (c->complete != NULL) {
			c->complete(x, add_prefixed, &a);
		} else if (!(c->flags & CLI_F_OWN_ARGS) && cli_grammar_next(c->args, x->argc, x->argv, &e) == 0) {
			for (int i = 0; i < e.n; i++) {
				if (strcmp(e.word[i], "IF") == 0)
					add_ifs(x, &a);
				else if (strcmp(e.word[i], "TABLE") == 0 && x->box != NULL)
					fp_tables_foreach(x->box, add_table, &a);
				else if (!cli_grammar_is_place(e.word[i]))
					add_prefixed(&a, e.word[i], "");
				else if (a.prefix[0] == '\0')
					add_prefixed(&a, e.word[i], place_help(e.word[i]));
			}
		}
		if ((c->flags & CLI_F_JSON) && x->argc >= 0)
			add_prefixed(&a, "json", "the same as JSON");
	}
	cli_words_free(&w);
}
