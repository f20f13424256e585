/* SPDX-License-Identifier: BSD-2-Clause */
/* Running commands without a client: single lines, BOX.conf, and the check of a BOX.conf without a box. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli_priv.h"

struct cli *
cli_create(struct fp_box *box)
{
	struct cli *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->box = box;
	return c;
}

void
cli_destroy(struct cli *c)
{
	if (c == NULL)
		return;
	free(c);
}

bool
cli_quit_requested(const struct cli *c)
{
	return __atomic_load_n(&c->quit, __ATOMIC_ACQUIRE);
}

struct file_sink {
	struct cli_sink s;
	FILE *out, *err;
	const char *file;	/* errors are prefixed with it */
	int line;
};

static bool
file_put(struct cli_sink *s, enum cli_chan chan, const char *data, size_t len)
{
	struct file_sink *f = (struct file_sink *)s;
	FILE *to = chan == CLI_CHAN_ERR ? f->err : chan == CLI_CHAN_OUT ? f->out : NULL;

	if (to == NULL)
		return true;
	if (chan == CLI_CHAN_ERR && f->file != NULL)
		fprintf(to, "%s:%d: ", f->file, f->line);
	return fwrite(data, 1, len, to) == len;
}

static int
run_words(struct cli *c, struct file_sink *fs, const char *line, const char *cwd, bool check)
{
	struct cli_words w;
	struct cli_ctx x = { .cli = c, .box = c->box, .cwd = cwd, .check = check };
	const char *err;
	int rc = cli_words_split(line, &w, &err);

	if (rc != 0) {
		if (fs->file != NULL)
			fprintf(fs->err, "%s:%d: ", fs->file, fs->line);
		fprintf(fs->err, "%s\n", err != NULL ? err : strerror(-rc));
		return 1;
	}
	if ((x.out = cli_out_new(&fs->s, false)) == NULL) {
		cli_words_free(&w);
		return 1;
	}
	rc = cli_dispatch(&x, w.n, w.v);
	cli_out_flush(x.out);
	cli_out_free(x.out);
	if (x.stream != NULL)
		x.stream->end(x.stream);
	cli_words_free(&w);
	return rc;
}

int
cli_run_line(struct cli *c, const char *line, FILE *out, FILE *err)
{
	struct file_sink fs = { .s = { file_put }, .out = out, .err = err };
	int rc = run_words(c, &fs, line, NULL, false);

	fflush(out);
	return rc;
}

/* A line may go on behind a backslash at its end. Returns false at the end of the file. */
static bool
next_line(FILE *f, char **line, size_t *cap, int *nr, int *first)
{
	char *part = NULL;
	size_t part_cap = 0, len = 0;
	ssize_t n;
	bool any = false;

	*first = *nr + 1;
	while ((n = getline(&part, &part_cap, f)) >= 0) {
		any = true;
		(*nr)++;
		while (n > 0 && (part[n - 1] == '\n' || part[n - 1] == '\r'))
			part[--n] = '\0';
		if (len + n + 2 > *cap) {
			size_t want = (len + n + 2) * 2;
			char *p = realloc(*line, want);

			if (p == NULL)
				break;
			*line = p;
			*cap = want;
		}
		memcpy(*line + len, part, n + 1);
		len += n;
		if (n == 0 || part[n - 1] != '\\' || strchr(part, '#') != NULL)
			break;
		(*line)[--len] = '\0';
	}
	free(part);
	return any;
}

static FILE *
open_file(const char *path, FILE *err)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");

	if (f == NULL)
		fprintf(err, "%s: %s\n", path, strerror(errno));
	return f;
}

int
cli_run_file(struct cli *c, const char *path, FILE *err)
{
	struct file_sink fs = { .s = { file_put }, .out = stdout, .err = err, .file = path };
	FILE *f = open_file(path, err);
	char *line = NULL;
	size_t cap = 0;
	int nr = 0, rc = 0;

	if (f == NULL)
		return 1;
	while (rc == 0 && !c->quit && next_line(f, &line, &cap, &nr, &fs.line))
		rc = run_words(c, &fs, line, NULL, false);
	if (rc == 0 && ferror(f)) {
		fprintf(err, "%s: %s\n", path, strerror(errno));
		rc = 1;
	}
	free(line);
	if (f != stdin)
		fclose(f);
	return rc != 0;
}

int
cli_check_file(const char *path, FILE *err)
{
	struct file_sink fs = { .s = { file_put }, .out = stdout, .err = err, .file = path };
	struct cli c = { .box = NULL };
	FILE *f = open_file(path, err);
	char *line = NULL;
	size_t cap = 0;
	int nr = 0, errors = 0;

	if (f == NULL)
		return 1;
	while (next_line(f, &line, &cap, &nr, &fs.line))
		errors += run_words(&c, &fs, line, NULL, true) != 0;
	if (ferror(f)) {
		fprintf(err, "%s: %s\n", path, strerror(errno));
		errors++;
	}
	free(line);
	if (f != stdin)
		fclose(f);
	return errors;
}
