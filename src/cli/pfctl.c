/* SPDX-License-Identifier: BSD-2-Clause */
/* `pfctl`: what its flags do to the box, in the order in which pfctl does it. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pfctl.h"

void
pfctl_note(struct cli_ctx *x, const struct pfctl *p, const char *fmt, ...)
{
	char b[256];
	va_list ap;
	int n;

	if (p->quiet)
		return;
	va_start(ap, fmt);
	n = vsnprintf(b, sizeof(b) - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(b) - 2)
		n = sizeof(b) - 2;
	b[n++] = '\n';
	cli_out_chan(x->out, CLI_CHAN_ERR, b, n);
}

/* ---- rules */

/* A FILE that writes to the command's output. */
static ssize_t
out_write(void *cookie, const char *buf, size_t size)
{
	cli_text(cookie, buf, size);
	return (ssize_t)size;
}

static FILE *
out_file(struct cli_ctx *x)
{
	cookie_io_functions_t io = { .write = out_write };

	return fopencookie(x->out, "w", io);
}

static int
env_if_addrs(void *arg, const char *name, struct pol_ifaddr *out, int max)
{
	struct fp_if_info *info = calloc(1, sizeof(*info));
	bool self = strcmp(name, "self") == 0, found = self;
	size_t len = strlen(name);
	int n = 0;

	if (info == NULL)
		return -1;
	for (unsigned i = 0; fp_if_info(arg, i, info) == 0; i++) {
		/* an interface, or a group: the name without its number */
		if (!self && strcmp(info->name, name) != 0 &&
			(strncmp(info->name, name, len) != 0 || info->name[len] < '0' || info->name[len] > '9'))
			continue;
		found = true;
		for (unsigned k = 0; k < info->n_addrs && k < sizeof(info->addrs) / sizeof(info->addrs[0]); k++, n++) {
			if (out == NULL || n >= max)
				continue;
			memset(&out[n], 0, sizeof(out[n]));
			out[n].af = info->addrs[k].af;
			out[n].plen = info->addrs[k].plen;
			memcpy(out[n].addr.b, info->addrs[k].addr, 16);
			memcpy(out[n].broadcast.b, info->addrs[k].broadcast, 16);
		}
	}
	free(info);
	return found ? n : -1;
}

static struct pol_table *
env_table_find(void *arg, const char *name)
{
	return fp_table_by_name(arg, name, false);
}

int
pfctl_print_errors(struct cli_ctx *x, const struct pol_errors *errs, const char *real, const char *shown)
{
	for (unsigned i = 0; i < errs->n; i++) {
		const struct pol_error *e = &errs->v[i];
		const char *file = e->file != NULL && real != NULL && strcmp(e->file, real) == 0 ? shown : e->file;

		if (file != NULL && e->line > 0)
			cli_err(x, "%s:%d: %s", file, e->line, e->text);
		else if (file != NULL)
			cli_err(x, "%s: %s", file, e->text);
		else
			cli_err(x, "%s", e->text);
	}
	return 1;
}

const char *
pfctl_path(struct cli_ctx *x, const struct pfctl *p, char buf[CLI_PATH_SIZE])
{
	if (p->input_path[0] == '\0')
		return cli_path(x, p->file, buf);
	snprintf(buf, CLI_PATH_SIZE, "%s", p->input_path);
	return buf;
}

/* What the client read becomes a file of memory. Its descriptor, or -1 and the error told. */
static int
input_open(struct cli_ctx *x, struct pfctl *p)
{
	size_t len, done = 0;
	int fd;

	if (x->input == NULL)
		return cli_err(x, "pfctl: -f - reads the standard input of twinctl: `twinctl pfctl -f -`; expected a file name here"), -1;
	if ((fd = memfd_create("pfctl", MFD_CLOEXEC)) < 0)
		return cli_err(x, "pfctl: -f -: %s", strerror(errno)), -1;
	for (len = strlen(x->input); done < len; ) {
		ssize_t n = write(fd, x->input + done, len - done);

		if (n <= 0) {
			cli_err(x, "pfctl: -f -: %s", strerror(errno));
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	snprintf(p->input_path, sizeof(p->input_path), PFCTL_INPUT_DIR "%d", fd);
	p->file = "stdin";
	return fd;
}

static int
load_rules(struct cli_ctx *x, const struct pfctl *p)
{
	struct pol_errors errs = { 0 };
	char path[CLI_PATH_SIZE];
	int rc = 0;

	if (cli_regular_file(x, pfctl_path(x, p, path)) != 0)
		return 1;
	if (p->check_only || p->verbose > 0) {
		struct pol_env env = { .macros = p->n_macros ? p->macros : NULL, .arg = x->box };
		struct pol_ruleset *rs;
		FILE *f;

		if (x->box != NULL) {
			env.if_addrs = env_if_addrs;
			env.table_find = env_table_find;
		}
		rs = pol_parse_file(path, &env, &errs);
		if (rs == NULL) {
			pfctl_print_errors(x, &errs, path, p->file);
			pol_errors_free(&errs);
			return cli_err(x, "pfctl: %s has errors: %s", p->file,
				p->check_only ? "it would not be loaded" : "nothing was loaded, the rules in force stay");
		}
		pol_errors_free(&errs);
		if (p->verbose > 0 && (f = out_file(x)) != NULL) {
			pol_print_all(rs, f);
			fclose(f);
		}
		pol_ruleset_free(rs);
		if (p->check_only)
			return 0;
		memset(&errs, 0, sizeof(errs));
	}
	if (x->check)
		return 0;
	cli_progress(x, "loading %s", p->file);
	rc = fp_rules_load_macros(x->box, path, p->n_macros ? p->macros : NULL, &errs);
	if (rc < 0) {
		pfctl_print_errors(x, &errs, path, p->file);
		if (errs.n == 0)
			cli_err(x, "pfctl: %s: %s", p->file, strerror(-rc));
		cli_err(x, "pfctl: %s: nothing was loaded, the rules in force stay", p->file);
	}
	pol_errors_free(&errs);
	return rc < 0;
}

/* ---- killing */

static int
host_entry(struct cli_ctx *x, const char *text, struct pol_table_entry *e)
{
	memset(e, 0, sizeof(*e));
	if (cli_prefix_parse(text, &e->af, e->addr.b, &e->plen) != 0)
		return cli_err(x, "pfctl: -k %s: expected an address or prefix (names are not looked up), label, id or key", text);
	return 0;
}

struct key_arg { const char *want; uint64_t *ids; uint32_t *creators; unsigned n, cap; };

/* Blanks: one between words, none around. */
static void
squeeze(char *s)
{
	char *o = s;
	bool blank = false;
	char *start = s;

	for (; *s != '\0'; s++) {
		if (*s == ' ') {
			blank = o != start;
			continue;
		}
		if (blank)
			*o++ = ' ';
		blank = false;
		*o++ = *s;
	}
	*o = '\0';
}

/* `-k key -k 'tcp 10.0.0.1:80 <- 10.0.0.2:1234'`: the words of the state list without interface and state names. */
static int
key_cb(void *arg, const struct fp_state_view *v)
{
	struct key_arg *k = arg;
	bool out = v->direction == 2;
	const struct fp_endpoint *s = out ? v->wire : v->stack;
	char have[256], a[64], b[64], proto[8];

	cli_addr_str(v->af, s[1].addr, a, sizeof(a));
	cli_addr_str(v->af, s[0].addr, b, sizeof(b));
	snprintf(have, sizeof(have), v->af == POL_AF_INET ? "%s %s:%u %s %s:%u" : "%s %s[%u] %s %s[%u]",
		cli_proto_name(v->proto, proto), a, s[1].port, out ? "->" : "<-", b, s[0].port);
	if (strcmp(have, k->want) != 0)
		return 0;
	if (k->n == k->cap) {
		unsigned cap = k->cap ? 2 * k->cap : 16;
		uint64_t *p = realloc(k->ids, cap * sizeof(*p));
		uint32_t *q;

		if (p == NULL)
			return 1;
		k->ids = p;
		if ((q = realloc(k->creators, cap * sizeof(*q))) == NULL)
			return 1;
		k->creators = q;
		k->cap = cap;
	}
	k->ids[k->n] = v->id;
	k->creators[k->n++] = v->creatorid;
	return 0;
}

static int64_t
kill_by_key(struct cli_ctx *x, const char *want)
{
	struct key_arg k = { 0 };
	int64_t killed = 0;
	char norm[256];

	snprintf(norm, sizeof(norm), "%s", want);
	for (char *p = norm; *p != '\0'; p++)
		if (*p == '\t')
			*p = ' ';
	squeeze(norm);
	k.want = norm;
	fp_states_foreach(x->box, NULL, key_cb, &k);
	for (unsigned i = 0; i < k.n; i++) {
		struct fp_state_filter f = { .has_id = true, .id = k.ids[i], .creatorid = k.creators[i] };
		int64_t n = fp_states_kill(x->box, &f);

		if (n > 0)
			killed += n;
	}
	free(k.ids);
	free(k.creators);
	return killed;
}

static int
parse_id(struct cli_ctx *x, const char *text, struct fp_state_filter *f)
{
	char *end;

	errno = 0;
	f->has_id = true;
	f->id = strtoull(text, &end, 16);
	if (errno == 0 && *end == '/' && end[1] != '\0')
		f->creatorid = (uint32_t)strtoul(end + 1, &end, 16);
	if (errno != 0 || *end != '\0' || end == text)
		return cli_err(x, "pfctl: -k id -k %s: expected ID or ID/CREATORID in hex, as -ss -vv prints them", text);
	return 0;
}

static int
kill_states(struct cli_ctx *x, const struct pfctl *p)
{
	struct fp_state_filter f = { 0 };
	int64_t n;

	if (p->ifname != NULL) {
		f.has_if = true;
		snprintf(f.ifname, sizeof(f.ifname), "%s", p->ifname);
	}
	if (strcmp(p->kill[0], "label") == 0) {
		f.has_label = true;
		snprintf(f.label, sizeof(f.label), "%s", p->kill[1]);
	} else if (strcmp(p->kill[0], "id") == 0) {
		if (parse_id(x, p->kill[1], &f) != 0)
			return 1;
	} else if (strcmp(p->kill[0], "key") == 0) {
		if (x->check)
			return 0;
		pfctl_note(x, p, "killed %lld states", (long long)kill_by_key(x, p->kill[1]));
		return 0;
	} else {
		f.has_src = true;
		if (host_entry(x, p->kill[0], &f.src) != 0)
			return 1;
		if (p->n_kill > 1) {
			f.has_dst = true;
			if (host_entry(x, p->kill[1], &f.dst) != 0)
				return 1;
			/* `-k 0.0.0.0/0 -k HOST`: either family's "all" goes with any family of the other */
			if (f.src.plen == 0 && f.src.af != f.dst.af)
				f.has_src = false;
			else if (f.dst.plen == 0 && f.src.af != f.dst.af)
				f.has_dst = false;
			else if (f.src.af != f.dst.af)
				return cli_err(x, "pfctl: -k %s -k %s: not of one address family", p->kill[0], p->kill[1]);
		}
	}
	if (x->check)
		return 0;
	n = fp_states_kill(x->box, &f);
	if (n < 0)
		return cli_err(x, "pfctl: cannot kill states: %s", strerror((int)-n));
	if (f.has_label || f.has_id)
		pfctl_note(x, p, "killed %lld states", (long long)n);
	else
		pfctl_note(x, p, "killed %lld states from 1 sources and 1 destinations", (long long)n);
	return 0;
}

/* ---- clearing */

static void
flush_table_cb(void *arg, struct pol_table *t)
{
	struct { struct fp_box *box; unsigned n; } *a = arg;

	if (pol_table_flush(t, fp_box_reclaim(a->box)) >= 0)
		a->n++;
}

static int
clear_states(struct cli_ctx *x, const struct pfctl *p)
{
	int64_t n = fp_states_flush(x->box, p->ifname);

	if (n == -ENOENT)
		n = 0;	/* pf says 0 of an interface that nobody knows */
	if (n < 0)
		return cli_err(x, "pfctl: cannot clear the states: %s", strerror((int)-n));
	pfctl_note(x, p, "%lld states cleared", (long long)n);
	return 0;
}

static int
clear(struct cli_ctx *x, const struct pfctl *p, const char *what)
{
	int rc;

	if (strcmp(what, "rules") == 0) {
		if ((rc = fp_rules_flush(x->box)) < 0)
			return cli_err(x, "pfctl: cannot clear the rules: %s", strerror(-rc));
		pfctl_note(x, p, "rules cleared");
		return 0;
	}
	if (strcmp(what, "states") == 0)
		return clear_states(x, p);
	if (strcmp(what, "info") == 0) {
		fp_stats_clear(x->box);
		pfctl_note(x, p, "pf: statistics cleared");
		return 0;
	}
	if (strcmp(what, "Tables") == 0) {
		struct { struct fp_box *box; unsigned n; } a = { x->box, 0 };

		fp_tables_foreach(x->box, flush_table_cb, &a);
		pfctl_note(x, p, "%u tables emptied", a.n);
		return 0;
	}
	if (strcmp(what, "all") == 0) {
		static const char *const parts[] = { "rules", "Tables", "info", "states" };

		for (int i = 0; i < 4; i++)
			if (clear(x, p, parts[i]) != 0)
				return 1;
		return 0;
	}
	return cli_err(x, "pfctl: -F %s is not available in this version; expected one of: rules, states, info, Tables, all", what);
}

static int
enable(struct cli_ctx *x, bool on)
{
	int rc = fp_pf_enable(x->box, on);

	if (rc == -EALREADY)
		return cli_err(x, "pfctl: pf already %s", on ? "enabled" : "disabled");
	return rc < 0 ? cli_err(x, "pfctl: pf cannot be %s: %s", on ? "enabled" : "disabled", strerror(-rc)) : 0;
}

static int
obey(struct cli_ctx *x, struct pfctl *pf)
{
	struct pfctl p = *pf;

	if (p.save != NULL || p.load != NULL)
		return cli_err(x, "pfctl: %s FILE is not available in this version: states are neither saved nor loaded",
			p.save != NULL ? "-S" : "-L");
	if (p.debug != NULL)
		return cli_err(x, "pfctl: -x %s is not available; logs are set with `set log LEVEL`", p.debug);
	if (p.clear != NULL && (strcmp(p.clear, "queue") == 0 || strcmp(p.clear, "Sources") == 0 || strcmp(p.clear, "osfp") == 0 ||
		strcmp(p.clear, "nat") == 0 || strcmp(p.clear, "Reset") == 0))
		return clear(x, &p, p.clear);
	if (x->check) {
		if (p.n_kill > 0 && kill_states(x, &p) != 0)
			return 1;
		return p.tcmd != NULL ? pfctl_table(x, &p) : p.file != NULL ? load_rules(x, &p) : 0;
	}
	if (p.disable) {
		if (enable(x, false) != 0)
			return 1;
		pfctl_note(x, &p, "pf disabled");
	}
	if (p.show != NULL && pfctl_show(x, &p, p.show) != 0)
		return 1;
	if (p.clear != NULL && clear(x, &p, p.clear) != 0)
		return 1;
	if (p.n_kill > 0 && kill_states(x, &p) != 0)
		return 1;
	if (p.tcmd != NULL)
		return pfctl_table(x, &p);
	if (p.file != NULL && load_rules(x, &p) != 0)
		return 1;
	if (p.zero) {
		fp_rules_clear_counters(x->box);
		pfctl_note(x, &p, "pf: rule counters cleared");
	}
	if (p.enable) {
		if (enable(x, true) != 0)
			return 1;
		pfctl_note(x, &p, "pf enabled");
	}
	return 0;
}

int
cli_pfctl(struct cli_ctx *x)
{
	struct pfctl p;
	int fd = -1, rc;

	if (pfctl_parse(x, &p) != 0)
		return 1;
	if (p.file != NULL && strcmp(p.file, "-") == 0 && (fd = input_open(x, &p)) < 0)
		return 1;
	rc = obey(x, &p);
	if (fd >= 0)
		close(fd);
	return rc;
}

static void
complete(struct cli_ctx *x, void (*add)(void *, const char *, const char *), void *arg)
{
	static const struct { const char *w, *h; } flags[] = {
		{ "-f", "load a rule file" }, { "-nf", "check a rule file" }, { "-nvf", "check and print a rule file" },
		{ "-sr", "rules" }, { "-ss", "states" }, { "-si", "status and counters" }, { "-sm", "limits" },
		{ "-st", "timeouts" }, { "-sT", "tables" }, { "-sS", "source nodes" }, { "-sl", "labels" }, { "-sa", "all" },
		{ "-F", "clear rules, states, info, Tables or all" }, { "-k", "kill states of a host, label, id or key" },
		{ "-t", "a table, with -T" }, { "-T", "what to do with the table" }, { "-v", "more" }, { "-vv", "still more" },
		{ "-e", "enable" }, { "-d", "disable" }, { "-z", "clear the counters of rules" }, { "-i", "one interface" },
	};
	const char *last = x->argc > 0 ? x->argv[x->argc - 1] : "";
	const char *const *words = NULL;
	static const char *const clear_w[] = { "rules", "states", "info", "Tables", "all", NULL };
	static const char *const table_w[] = { "show", "add", "delete", "replace", "flush", "test", NULL };
	static const char *const show_w[] = { "rules", "states", "info", "labels", "memory", "timeouts", "Tables", "Sources", "all",
		"Interfaces", "Anchors", NULL };

	if (strcmp(last, "-F") == 0)
		words = clear_w;
	else if (strcmp(last, "-T") == 0)
		words = table_w;
	else if (strcmp(last, "-s") == 0)
		words = show_w;
	if (words != NULL) {
		for (; *words != NULL; words++)
			add(arg, *words, "");
		return;
	}
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		add(arg, flags[i].w, flags[i].h);
}

const struct cli_cmd cli_pfctl_cmds[] = {
	{ "pfctl", "[-nvqz] [-f FILE] [-s WORD] [-F WORD] [-k HOST [-k HOST]] [-t TABLE -T WORD [ADDRESS...]]",
		"rules, states and tables, as pf's own pfctl", cli_pfctl, CLI_F_OWN_ARGS, complete,
		"  -f FILE            load rules; -nf only checks, -nvf prints them in normal form; - is standard input\n"
		"  -s WORD            rules states info labels memory timeouts Tables Sources Interfaces Anchors all; -sr, -ss ... too\n"
		"  -v, -vv            more of it\n"
		"  -F WORD            clear: rules states info Tables all; -i IF for states of one interface\n"
		"  -k HOST [-k HOST]  kill states of a source (to a destination); -k label|id|key -k VALUE\n"
		"  -t TABLE -T WORD   show, add, delete, replace, flush, test; addresses as words or with -f FILE\n"
		"  -e, -d             enable, disable the filter; -z clears the counters of rules\n"
		"  -D name=value      define a macro; -o none is always so; -q says less" },
	{ NULL },
};
