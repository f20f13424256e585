/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * monitor and top: what goes on after the command, until the client leaves.
 *
 * Events come from fp_box_poll() on the main lcore, this very thread; they wait in a ring of the stream until its client
 * has room. What finds the ring full is counted and told.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "pfsync.h"

#define RING 2048
#define PER_POLL 256

struct monitor {
	struct cli_stream st;		/* first */
	struct fp_box *box;
	int id;
	unsigned head, tail;
	uint64_t lost, lost_told;
	struct { struct fp_event ev; struct timeval at; } ring[RING];
};

static void
monitor_event(void *arg, const struct fp_event *ev, uint64_t lost)
{
	struct monitor *m = arg;

	m->lost += lost;
	if (m->head - m->tail == RING) {
		m->lost++;
		return;
	}
	m->ring[m->head % RING].ev = *ev;
	gettimeofday(&m->ring[m->head % RING].at, NULL);
	m->head++;
}

static const char *
kind_name(enum fp_event_kind k)
{
	return k == FP_EV_STATE_NEW ? "new" : k == FP_EV_STATE_CHANGE ? "change" : k == FP_EV_STATE_DEL ? "delete" : "drop";
}

static void
event_out(struct monitor *m, struct cli_out *o, unsigned slot)
{
	const struct fp_event *ev = &m->ring[slot].ev;
	struct timeval at = m->ring[slot].at;
	char ifname[FP_NAME_SIZE], when[32];
	struct tm tm;

	localtime_r(&at.tv_sec, &tm);
	strftime(when, sizeof(when), "%H:%M:%S", &tm);
	if (ev->kind != FP_EV_DROP && fp_if_name(m->box, ev->state.ifid, ifname) != 0)
		snprintf(ifname, sizeof(ifname), "if%u", ev->state.ifid);
	if (cli_json(o)) {
		cli_obj(o, NULL);
		cli_dbl(o, "time", (double)at.tv_sec + (double)at.tv_usec / 1e6, 6);
		cli_str(o, "event", kind_name(ev->kind));
		if (ev->kind == FP_EV_DROP) {
			cli_str(o, "reason", ev->drop < FP_D_MAX ? fp_drop_names[ev->drop] : "?");
			cli_str(o, "packet", ev->summary);
		} else {
			cli_arr(o, "state");
			cli_state_json(o, &ev->state, ifname);
			cli_arr_end(o);
		}
		cli_obj_end(o);
		return;
	}
	cli_printf(o, "%s.%06ld %-6s ", when, (long)at.tv_usec, kind_name(ev->kind));
	if (ev->kind == FP_EV_DROP)
		cli_printf(o, "%s: %s\n", ev->drop < FP_D_MAX ? fp_drop_names[ev->drop] : "?", ev->summary);
	else
		cli_state_print(o, &ev->state, ifname, 0);
}

static bool
monitor_poll(struct cli_stream *st, struct cli_out *o)
{
	struct monitor *m = (struct monitor *)st;

	for (unsigned n = 0; n < PER_POLL && m->tail != m->head; n++)
		event_out(m, o, m->tail++ % RING);
	if (m->lost != m->lost_told) {
		if (cli_json(o)) {
			cli_obj(o, NULL);
			cli_str(o, "event", "lost");
			cli_u64(o, "events", m->lost - m->lost_told);
			cli_obj_end(o);
		} else {
			cli_printf(o, "%llu events were too many and are not shown\n", (unsigned long long)(m->lost - m->lost_told));
		}
		m->lost_told = m->lost;
	}
	return true;
}

static void
monitor_end(struct cli_stream *st)
{
	struct monitor *m = (struct monitor *)st;

	fp_events_unsubscribe(m->box, m->id);
	free(m);
}

static int
cmd_monitor(struct cli_ctx *x)
{
	unsigned mask = strcmp(x->argv[0], "drops") == 0 ? 1u << FP_EV_DROP :
		1u << FP_EV_STATE_NEW | 1u << FP_EV_STATE_CHANGE | 1u << FP_EV_STATE_DEL;
	struct monitor *m;

	if (!x->can_stream)
		return cli_err(x, "monitor: only from a client (twinctl): it goes on until the client leaves");
	if (strcmp(x->argv[0], "sync") == 0)
		return cli_monitor_sync(x);
	if ((m = calloc(1, sizeof(*m))) == NULL)
		return cli_err(x, "monitor: out of memory");
	m->st.poll = monitor_poll;
	m->st.end = monitor_end;
	m->box = x->box;
	if ((m->id = fp_events_subscribe(x->box, mask, monitor_event, m)) < 0) {
		int e = -m->id;

		free(m);
		return cli_err(x, "monitor: %s", strerror(e));
	}
	x->stream = &m->st;
	return 0;
}

/* ---- top */

struct top {
	struct cli_stream st;		/* first */
	struct fp_box *box;
	struct fp_stats prev;
	uint64_t next_ms, last_ms, period_ms;
	uint64_t rounds;		/* 0 for ever */
	unsigned columns, rows;
	char *text;
	size_t len, cap;
};

static uint64_t
mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void __attribute__((format(printf, 2, 3)))
line(struct top *t, const char *fmt, ...)
{
	char b[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(b, sizeof(b) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n > sizeof(b) - 2)
		n = sizeof(b) - 2;
	if (t->columns > 20 && (unsigned)n > t->columns)
		n = (int)t->columns;
	b[n++] = '\n';
	if (t->len + n > t->cap) {
		size_t cap = (t->len + n) * 2;
		char *p = realloc(t->text, cap);

		if (p == NULL)
			return;
		t->text = p;
		t->cap = cap;
	}
	memcpy(t->text + t->len, b, n);
	t->len += n;
}

struct rate { const char *name; double v; };

static int
by_rate(const void *a, const void *b)
{
	const struct rate *x = a, *y = b;

	return x->v < y->v ? 1 : x->v > y->v ? -1 : strcmp(x->name, y->name);
}

/* Lines written: 0 when the box is not paired. */
static unsigned
pair_line(struct top *t)
{
	struct sync *s = sync_of(t->box);
	struct sync_info *i = s != NULL ? calloc(1, sizeof(*i)) : NULL;
	char lag[32] = "-";
	unsigned n = 0;

	if (i != NULL) {
		sync_info_get(s, i);
		if (i->lag_p99_us >= 0)	/* not so of NaN */
			cli_ago(lag, (uint64_t)i->lag_p99_us);
		if (i->health != SYNC_HEALTH_OFF) {
			line(t, "pair %s%s%s   lag p99 %s   dirty %llu   lost %llu   bulk %s", sync_health_names[i->health], i->reason[0] ? ": " : "",
				i->reason, lag, (unsigned long long)i->dirty, (unsigned long long)i->lost, i->bulk.state);
			n = 1;
		}
	}
	free(i);
	return n;
}

static void
top_draw(struct top *t, double sec)
{
	struct fp_stats *s = calloc(1, sizeof(*s));
	struct rate drops[FP_D_MAX];
	struct fp_lcore_info l;
	struct fp_if_info *i = calloc(1, sizeof(*i));
	unsigned used = 0, room = t->rows > 12 ? t->rows - 1 : 40;
	double dropped = 0;

	t->len = 0;
	if (s == NULL || i == NULL)
		goto out;
	fp_stats_get(t->box, s);
#define RATE(field, k) ((double)(s->field[k] - t->prev.field[k]) / sec)
	for (int k = 0; k < FP_D_MAX; k++) {
		drops[k] = (struct rate){ fp_drop_names[k], s->drops[k] >= t->prev.drops[k] ? RATE(drops, k) : 0 };
		dropped += drops[k].v;
	}
	line(t, "twinpath  %s, pf %s   states %u (half-open %u)   +%.0f/s -%.0f/s", fp_box_running(t->box) ? "running" : "stopped",
		s->enabled ? "enabled" : "disabled", s->states, s->half_open, RATE(totals, FP_T_STATE_INSERTS), RATE(totals, FP_T_STATE_REMOVALS));
	line(t, "packets/s  rx %.0f  forwarded %.0f  local %.0f  dropped %.0f", RATE(totals, FP_T_RX), RATE(totals, FP_T_FORWARDED),
		RATE(totals, FP_T_LOCAL), dropped);
	used = pair_line(t);
	line(t, "%s", "");
	line(t, "%-5s %-12s %6s %10s %8s %10s %9s", "lcore", "role", "busy%", "cyc/pkt", "burst", "states", "stall_us");
	used += 4;
	for (unsigned k = 0; k < fp_lcore_count(t->box) && used < room && fp_lcore_info(t->box, k, &l) == 0; k++, used++)
		line(t, "%-5u %-12s %6.1f %10.1f %8.1f %10u %9llu", l.lcore, l.role, l.busy_share * 100, l.cycles_per_packet, l.burst_mean,
			l.states, (unsigned long long)l.stall_max_us);
	line(t, "%s", "");
	line(t, "%-15s %4s %14s %14s %12s %12s", "interface", "link", "in packets", "out packets", "in errors", "missed");
	used += 2;
	for (unsigned k = 0; used < room && fp_if_info(t->box, k, i) == 0; k++, used++)
		line(t, "%-15s %4s %14llu %14llu %12llu %12llu", i->name, i->running ? "up" : "down", (unsigned long long)i->in_packets,
			(unsigned long long)i->out_packets, (unsigned long long)i->in_errors, (unsigned long long)i->in_missed);
	line(t, "%s", "");
	line(t, "drops/s");
	used += 2;
	qsort(drops, FP_D_MAX, sizeof(drops[0]), by_rate);
	for (int k = 0; k < FP_D_MAX && k < 10 && drops[k].v > 0 && used < room; k++, used++)
		line(t, "%10.0f %s", drops[k].v, drops[k].name);
	t->prev = *s;
out:
	free(s);
	free(i);
}

static bool
top_poll(struct cli_stream *st, struct cli_out *o)
{
	struct top *t = (struct top *)st;
	uint64_t now = mono_ms();

	if (now < t->next_ms)
		return true;
	top_draw(t, now > t->last_ms ? (double)(now - t->last_ms) / 1000.0 : 1.0);
	t->last_ms = now;
	t->next_ms = now + t->period_ms;
	if (t->len > 0)
		cli_out_chan(o, CLI_CHAN_SCREEN, t->text, t->len);
	return t->rounds == 0 || --t->rounds > 0;
}

static void
top_end(struct cli_stream *st)
{
	struct top *t = (struct top *)st;

	free(t->text);
	free(t);
}

static int
cmd_top(struct cli_ctx *x)
{
	uint64_t sec = 1, rounds = 0;
	struct top *t;

	if (!x->can_stream)
		return cli_err(x, "top: only from a client (twinctl): it goes on until the client leaves");
	if (x->argc > 0)
		cli_parse_u64(x->argv[0], 3600, &sec);
	if (x->argc > 1)
		cli_parse_u64(x->argv[1], UINT32_MAX, &rounds);
	if (sec == 0)
		return cli_err(x, "top: expected a period of 1 to 3600 seconds");
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return cli_err(x, "top: out of memory");
	t->st.poll = top_poll;
	t->st.end = top_end;
	t->box = x->box;
	t->period_ms = sec * 1000;
	t->rounds = rounds;
	t->columns = x->columns;
	t->rows = x->rows;
	fp_stats_get(x->box, &t->prev);
	t->last_ms = mono_ms();
	t->next_ms = t->last_ms + (sec * 1000 < 200 ? sec * 1000 : 200);	/* the first view soon */
	x->stream = &t->st;
	return 0;
}

const struct cli_cmd cli_watch_cmds[] = {
	{ "monitor", "(states|sync|drops)", "print what happens as it happens, until ^C; sync: what the pair says", cmd_monitor, CLI_F_JSON | CLI_F_STREAM },
	{ "top", "[N] [N]", "a view of the box, every N seconds (1), N times (for ever)", cmd_top, CLI_F_STREAM },
	{ NULL },
};
