/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Line editing for the prompt: cursor and word keys of emacs mode, history, ^R search, completion with Tab. The terminal
 * is raw only while a line is being read. Long lines scroll sideways.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "client.h"

#define LINE_SIZE 4096
#define HISTORY_MAX 500

struct cli_edit {
	cli_complete_fn complete;
	void *arg;
	char line[LINE_SIZE], saved[LINE_SIZE];
	size_t len, pos;
	char *history[HISTORY_MAX];
	int n_history, at;		/* at: n_history is the line being typed */
	char *plain;			/* input that is no terminal */
	size_t plain_cap;
	bool was_tab;
};

struct cli_edit *
cli_edit_new(cli_complete_fn fn, void *arg)
{
	struct cli_edit *e = calloc(1, sizeof(*e));

	if (e != NULL) {
		e->complete = fn;
		e->arg = arg;
	}
	return e;
}

void
cli_edit_free(struct cli_edit *e)
{
	if (e == NULL)
		return;
	for (int i = 0; i < e->n_history; i++)
		free(e->history[i]);
	free(e->plain);
	free(e);
}

void
cli_edit_history_add(struct cli_edit *e, const char *line)
{
	char *copy;

	if (line[0] == '\0' || (e->n_history > 0 && strcmp(e->history[e->n_history - 1], line) == 0) || (copy = strdup(line)) == NULL)
		return;
	if (e->n_history == HISTORY_MAX) {
		free(e->history[0]);
		memmove(e->history, e->history + 1, (HISTORY_MAX - 1) * sizeof(char *));
		e->n_history--;
	}
	e->history[e->n_history++] = copy;
}

void
cli_edit_history_load(struct cli_edit *e, const char *file)
{
	FILE *f = fopen(file, "r");
	char *l = NULL;
	size_t cap = 0;

	if (f == NULL)
		return;
	while (getline(&l, &cap, f) >= 0) {
		l[strcspn(l, "\n")] = '\0';
		if (strlen(l) < LINE_SIZE)
			cli_edit_history_add(e, l);
	}
	free(l);
	fclose(f);
}

void
cli_edit_history_save(const struct cli_edit *e, const char *file)
{
	FILE *f = fopen(file, "w");

	if (f == NULL)
		return;
	for (int i = 0; i < e->n_history; i++)
		fprintf(f, "%s\n", e->history[i]);
	fclose(f);
}

static void
out(const char *s, size_t n)
{
	while (n > 0) {
		ssize_t k = write(STDOUT_FILENO, s, n);

		if (k < 0 && errno != EINTR && errno != EAGAIN)
			return;
		if (k > 0) {
			s += k;
			n -= (size_t)k;
		}
	}
}

static void
redraw(const struct cli_edit *e, const char *prompt)
{
	struct winsize ws;
	size_t cols = ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 20 ? ws.ws_col : 80;
	size_t room = cols - strlen(prompt) - 1, from = e->pos > room ? e->pos - room : 0;
	size_t n = e->len - from < room ? e->len - from : room;
	char b[LINE_SIZE + 256];
	int k;

	k = snprintf(b, sizeof(b), "\r%s%.*s\033[K\r", prompt, (int)n, e->line + from);
	out(b, (size_t)k);
	k = snprintf(b, sizeof(b), "\033[%zuC", strlen(prompt) + e->pos - from);
	out(b, (size_t)k);
}

static void
set_line(struct cli_edit *e, const char *s)
{
	snprintf(e->line, sizeof(e->line), "%s", s);
	e->pos = e->len = strlen(e->line);
}

static void
insert(struct cli_edit *e, const char *s, size_t n)
{
	if (e->len + n >= LINE_SIZE)
		return;
	memmove(e->line + e->pos + n, e->line + e->pos, e->len - e->pos + 1);
	memcpy(e->line + e->pos, s, n);
	e->pos += n;
	e->len += n;
}

static void
erase(struct cli_edit *e, size_t from, size_t to)
{
	memmove(e->line + from, e->line + to, e->len - to + 1);
	e->len -= to - from;
	e->pos = from;
}

static size_t
word_left(const struct cli_edit *e)
{
	size_t p = e->pos;

	while (p > 0 && e->line[p - 1] == ' ')
		p--;
	while (p > 0 && e->line[p - 1] != ' ')
		p--;
	return p;
}

static size_t
word_right(const struct cli_edit *e)
{
	size_t p = e->pos;

	while (p < e->len && e->line[p] == ' ')
		p++;
	while (p < e->len && e->line[p] != ' ')
		p++;
	return p;
}

static void
history_go(struct cli_edit *e, int to)
{
	if (to < 0 || to > e->n_history)
		return;
	if (e->at == e->n_history)
		memcpy(e->saved, e->line, sizeof(e->saved));
	e->at = to;
	set_line(e, to == e->n_history ? e->saved : e->history[to]);
}

static void
tab(struct cli_edit *e, const char *prompt)
{
	char head[LINE_SIZE], **w = NULL;
	size_t start = e->pos, common, typed;
	int n;

	while (start > 0 && e->line[start - 1] != ' ')
		start--;
	typed = e->pos - start;
	memcpy(head, e->line, e->pos);
	head[e->pos] = '\0';
	n = e->complete != NULL ? e->complete(e->arg, head, &w) : 0;
	if (n == 0) {
		out("\a", 1);
		free(w);
		return;
	}
	common = strlen(w[0]);
	for (int i = 1; i < n; i++)
		for (size_t k = 0; k < common; k++)
			if (w[2 * i][k] != w[0][k])
				common = k;
	/* placeholders (upper case) are shown, not typed */
	if (common > typed && !(w[0][0] >= 'A' && w[0][0] <= 'Z' && n == 1 && typed == 0)) {
		insert(e, w[0] + typed, common - typed);
		if (n == 1)
			insert(e, " ", 1);
	} else if (n == 1 && common == typed && typed > 0) {
		insert(e, " ", 1);
	} else {
		char b[512];

		out("\r\n", 2);
		for (int i = 0; i < n && i < 200; i++) {
			int k = snprintf(b, sizeof(b), w[2 * i + 1][0] ? "  %-20s %s\r\n" : "  %s%s\r\n", w[2 * i], w[2 * i + 1]);

			out(b, (size_t)k < sizeof(b) ? (size_t)k : sizeof(b) - 1);
		}
	}
	free(w);
	redraw(e, prompt);
}

static int
getch(int timeout_ms)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	unsigned char c;
	ssize_t n;

	if (timeout_ms >= 0 && poll(&p, 1, timeout_ms) <= 0)
		return -2;
	while ((n = read(STDIN_FILENO, &c, 1)) < 0 && errno == EINTR)
		;
	return n == 1 ? c : -1;
}

/* ^R: search backwards while typing; Enter takes the line, ^G or ^C gives up. Returns the key that ended it. */
static int
search(struct cli_edit *e)
{
	char what[128] = "", b[LINE_SIZE + 256];
	int at = e->n_history, c, k;
	size_t n = 0;

	for (;;) {
		k = snprintf(b, sizeof(b), "\r(search) `%s': %s\033[K", what, at < e->n_history ? e->history[at] : "");
		out(b, (size_t)k);
		c = getch(-1);
		if (c == 0x12 && at > 0) {
			at--;
		} else if (c == 0x7f || c == 8) {
			if (n > 0)
				what[--n] = '\0';
			at = e->n_history;
		} else if (c >= 0x20 && n + 1 < sizeof(what)) {
			what[n++] = (char)c;
			what[n] = '\0';
		} else if (c != 0x12) {
			break;
		}
		if (at == e->n_history)
			at--;
		while (at >= 0 && strstr(e->history[at], what) == NULL)
			at--;
		if (at < 0)
			at = e->n_history;
	}
	if (c != 7 && c != 3 && at < e->n_history)
		set_line(e, e->history[at]);
	return c;
}

static void
escape(struct cli_edit *e)
{
	int c = getch(50), num = 0;

	if (c == 'b') {
		e->pos = word_left(e);
	} else if (c == 'f') {
		e->pos = word_right(e);
	} else if (c == 'd') {
		erase(e, e->pos, word_right(e));
	} else if (c == 0x7f) {
		erase(e, word_left(e), e->pos);
	} else if (c == '[' || c == 'O') {
		while ((c = getch(50)) >= '0' && c <= '9')
			num = num * 10 + c - '0';
		if (c == ';') {		/* modifiers: as without */
			while ((c = getch(50)) >= '0' && c <= '9')
				;
			if (c == 'C' || c == 'D') {
				e->pos = c == 'C' ? word_right(e) : word_left(e);
				return;
			}
		}
		switch (c) {
		case 'A': history_go(e, e->at - 1); break;
		case 'B': history_go(e, e->at + 1); break;
		case 'C': if (e->pos < e->len) e->pos++; break;
		case 'D': if (e->pos > 0) e->pos--; break;
		case 'H': e->pos = 0; break;
		case 'F': e->pos = e->len; break;
		case '~':
			if (num == 1 || num == 7)
				e->pos = 0;
			else if (num == 4 || num == 8)
				e->pos = e->len;
			else if (num == 3 && e->pos < e->len)
				erase(e, e->pos, e->pos + 1);
			break;
		}
	}
}

static const char *
edit(struct cli_edit *e, const char *prompt, bool *interrupted)
{
	set_line(e, "");
	e->at = e->n_history;
	redraw(e, prompt);
	for (;;) {
		int c = getch(-1);
		size_t p;
		char ch;

		if (c == 0x12)
			c = search(e);
		switch (c) {
		case -1:
			return NULL;
		case '\r': case '\n':
			redraw(e, prompt);
			out("\r\n", 2);
			return e->line;
		case 3:
			out("^C\r\n", 4);
			*interrupted = true;
			set_line(e, "");
			return e->line;
		case 4:
			if (e->len == 0) {
				out("\r\n", 2);
				return NULL;
			}
			if (e->pos < e->len)
				erase(e, e->pos, e->pos + 1);
			break;
		case 1: e->pos = 0; break;
		case 5: e->pos = e->len; break;
		case 2: if (e->pos > 0) e->pos--; break;
		case 6: if (e->pos < e->len) e->pos++; break;
		case 8: case 0x7f:
			if (e->pos > 0)
				erase(e, e->pos - 1, e->pos);
			break;
		case 0x0b: erase(e, e->pos, e->len); break;
		case 0x15: p = e->pos; erase(e, 0, p); break;
		case 0x17: p = word_left(e); erase(e, p, e->pos); break;
		case 0x0c: out("\033[H\033[J", 6); break;
		case 0x10: history_go(e, e->at - 1); break;
		case 0x0e: history_go(e, e->at + 1); break;
		case '\t': tab(e, prompt); continue;
		case 0x1b: escape(e); break;
		default:
			if (c >= 0x20) {
				ch = (char)c;
				insert(e, &ch, 1);
			}
		}
		redraw(e, prompt);
	}
}

const char *
cli_edit_line(struct cli_edit *e, const char *prompt, bool *interrupted)
{
	struct termios old, raw;
	const char *l;
	ssize_t n;

	*interrupted = false;
	if (isatty(STDIN_FILENO) != 1 || tcgetattr(STDIN_FILENO, &old) != 0) {
		if ((n = getline(&e->plain, &e->plain_cap, stdin)) < 0)
			return NULL;
		while (n > 0 && (e->plain[n - 1] == '\n' || e->plain[n - 1] == '\r'))
			e->plain[--n] = '\0';
		return e->plain;
	}
	raw = old;
	raw.c_iflag &= ~(tcflag_t)(ICRNL | IXON | INLCR | IGNCR | ISTRIP);
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0)
		return NULL;
	l = edit(e, prompt, interrupted);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &old);
	return l;
}
