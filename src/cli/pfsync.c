/* SPDX-License-Identifier: BSD-2-Clause */
/* The pair's actions: sync bulk, clear sync, `set peer`, `set pfsynclog`; and monitor sync. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "pfsync.h"

struct sync *
cli_sync_of(struct cli_ctx *x)
{
	return x->box == NULL ? NULL : sync_of(x->box);
}

struct sync *
cli_sync(struct cli_ctx *x)
{
	struct sync *s = cli_sync_of(x);

	if (s == NULL)
		cli_err(x, "%s: this box was made without a pair: there is no pfsync0", x->cmd->words);
	return s;
}

static uint64_t
mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- sync bulk: a stream, so that the box and its other clients go on while this one waits */

#define BULK_LOOK_MS 100
#define BULK_TAKE_MS 1000	/* by then the sync thread has taken the order */

struct bulk {
	struct cli_stream st;		/* first */
	struct cli *cli;
	bool tty, json, seen;		/* seen: it was under way since we asked */
	uint64_t asked_ms, next_ms;
};

static void
bulk_tell(struct bulk *b, struct cli_out *o, const struct sync_info *i, bool done)
{
	char t[256];
	int n;

	if (b->json) {
		cli_obj(o, NULL);
		cli_str(o, "state", done ? "done" : i->bulk.state);
		cli_str(o, "reason", i->bulk.reason);
		cli_u64(o, "received_states", i->bulk.received);
		if (done)
			cli_dbl(o, "took_s", i->bulk.took_sec, 6);
		cli_u64(o, "tries", i->bulk.tries);
		cli_obj_end(o);
	} else if (done) {
		cli_printf(o, "bulk update done: %llu states", (unsigned long long)i->bulk.received);
		if (i->bulk.took_sec >= 0)
			cli_printf(o, " in %.3f s", i->bulk.took_sec);
		cli_printf(o, "\n");
	}
	if (done)
		return;
	n = snprintf(t, sizeof(t), "sync bulk: %s%s%s\n", strcmp(i->bulk.state, "failed") == 0 ? "failed" : "no bulk update is under way",
		i->bulk.reason[0] ? ": " : i->reason[0] ? ": " : "", i->bulk.reason[0] ? i->bulk.reason : i->reason);
	cli_out_chan(o, CLI_CHAN_ERR, t, n);
	b->st.status = 1;
}

static void
bulk_progress(struct bulk *b, struct cli_out *o, const struct sync_info *i)
{
	char t[160];
	int n = snprintf(t, sizeof(t), "bulk update: %s, %llu states", i->bulk.state, (unsigned long long)i->bulk.received);

	if (!b->tty)
		return;
	if (i->bulk.progress >= 0)
		n += snprintf(t + n, sizeof(t) - n, ", %.0f %%", i->bulk.progress * 100);
	if (i->bulk.eta_sec >= 0)
		n += snprintf(t + n, sizeof(t) - n, ", %.0f s to go", i->bulk.eta_sec);
	if (i->bulk.tries > 1)
		n += snprintf(t + n, sizeof(t) - n, ", asked %u times", i->bulk.tries);
	cli_out_chan(o, CLI_CHAN_PROGRESS, t, n);
}

static bool
bulk_poll(struct cli_stream *st, struct cli_out *o)
{
	struct bulk *b = (struct bulk *)st;
	struct sync *s = sync_of(b->cli->box);
	uint64_t now = mono_ms();
	struct sync_info *i;
	bool on = true, final;

	if (now < b->next_ms)
		return true;
	b->next_ms = now + BULK_LOOK_MS;
	if (s == NULL || (i = calloc(1, sizeof(*i))) == NULL) {
		b->st.status = 1;
		return false;
	}
	sync_info_get(s, i);
	final = strcmp(i->bulk.state, "done") == 0 || strcmp(i->bulk.state, "failed") == 0 || strcmp(i->bulk.state, "none") == 0;
	if (!final) {
		b->seen = true;
		bulk_progress(b, o, i);
	} else if (b->seen || now - b->asked_ms >= BULK_TAKE_MS) {
		bulk_tell(b, o, i, strcmp(i->bulk.state, "done") == 0);
		on = false;
	}
	free(i);
	return on;
}

static void
bulk_end(struct cli_stream *st)
{
	free(st);
}

static int
cmd_bulk(struct cli_ctx *x)
{
	struct sync *s = cli_sync(x);
	struct fp_err err = { "" };
	struct bulk *b = NULL;
	int rc;

	if (s == NULL)
		return 1;
	if (x->can_stream && (b = calloc(1, sizeof(*b))) == NULL)
		return cli_err(x, "sync bulk: out of memory");
	if ((rc = sync_bulk(s, &err)) != 0) {
		free(b);
		return cli_err(x, "sync bulk: %s", err.text[0] ? err.text : strerror(-rc));
	}
	if (b == NULL)
		return 0;	/* a line of a box file: asked */
	b->st.poll = bulk_poll;
	b->st.end = bulk_end;
	b->cli = x->cli;
	b->tty = x->tty && x->argc == 0;
	b->json = cli_json(x->out);
	b->asked_ms = mono_ms();
	x->stream = &b->st;
	return 0;
}

static int
cmd_verify(struct cli_ctx *x)
{
	return cli_err(x, "sync verify: not available in this version: the boxes cannot compare their tables; `show sync` has what was "
		"lost and repaired, `show states origin peer` what came from the peer");
}

static int
cmd_show_sync(struct cli_ctx *x)
{
	return cli_show_sync(x);
}

static int
cmd_clear(struct cli_ctx *x)
{
	struct sync *s = cli_sync(x);

	if (s == NULL)
		return 1;
	sync_clear(s);
	return 0;
}

static int
cmd_peer(struct cli_ctx *x)
{
	struct sync *s = cli_sync(x);
	struct fp_err err = { "" };
	int rc;

	if (s == NULL)
		return 1;
	rc = sync_map_if(s, x->argv[0], strcmp(x->argv[2], "none") == 0 ? NULL : x->argv[2], &err);
	return rc == 0 ? 0 : cli_err(x, "set peer: %s", err.text[0] ? err.text : strerror(-rc));
}

static int
cmd_pfsynclog(struct cli_ctx *x)
{
	struct sync *s = cli_sync(x);
	struct fp_err err = { "" };
	char path[CLI_PATH_SIZE];
	int rc;

	if (s == NULL)
		return 1;
	rc = sync_capture(s, strcmp(x->argv[0], "off") == 0 ? NULL : cli_path(x, x->argv[0], path), &err);
	return rc == 0 ? 0 : cli_err(x, "set pfsynclog: %s", err.text[0] ? err.text : strerror(-rc));
}

/* ---- monitor sync */

#define RING 1024
#define PER_POLL 256

struct monitor {
	struct cli_stream st;		/* first */
	struct sync *sync;
	int id;
	unsigned head, tail;
	uint64_t lost, lost_told;
	struct { struct sync_event ev; struct timeval at; } ring[RING];
};

static void
monitor_event(void *arg, const struct sync_event *ev, uint64_t lost)
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

static void
peer_view(const struct sync_peer *p, struct fp_peer_view *v)
{
	*v = (struct fp_peer_view){ .seqlo = p->seqlo, .seqhi = p->seqhi, .seqdiff = p->seqdiff, .max_win = p->max_win, .mss = p->mss,
		.state = p->state, .wscale = p->wscale, .scrub = p->scrub_valid == 1, .scrub_flags = p->scrub_flags,
		.scrub_ttl = p->scrub_ttl, .ts_mod = p->ts_mod };
}

/* As the state list has it. */
static void
state_view(const struct sync_event *ev, struct fp_state_view *v)
{
	const struct sync_state *s = &ev->state;

	memset(v, 0, sizeof(*v));
	v->id = ev->id;
	v->creatorid = ev->creatorid;
	v->af = sync_key_af(s, SYNC_WIRE) == SYNC_AF_INET6 ? POL_AF_INET6 : POL_AF_INET;
	v->proto = s->proto;
	v->direction = s->direction == 2 ? 2 : 1;
	v->timeout = s->timeout;
	for (int k = 0; k < 2; k++) {
		memcpy(v->wire[k].addr, s->key[SYNC_WIRE].addr[k], 16);
		v->wire[k].port = s->key[SYNC_WIRE].port[k];
		memcpy(v->stack[k].addr, s->key[SYNC_STACK].addr[k], 16);
		v->stack[k].port = s->key[SYNC_STACK].port[k];
	}
	if (sync_key_af(s, SYNC_STACK) != sync_key_af(s, SYNC_WIRE))
		memcpy(v->stack, v->wire, sizeof(v->stack));	/* translated between families: the wire side alone */
	peer_view(&s->peer[0], &v->src);
	peer_view(&s->peer[1], &v->dst);
	v->age_sec = s->creation_sec;
	v->expires_sec = s->expire_sec;
	memcpy(v->packets, s->packets, sizeof(v->packets));
	memcpy(v->bytes, s->bytes, sizeof(v->bytes));
	v->rule_nr = s->rule;
	v->state_flags = s->state_flags;
	v->learned = !ev->out;
}

static void
event_out(const struct sync_event *ev, const struct timeval *at, struct cli_out *o)
{
	struct fp_state_view v;
	char when[32], ifname[17];
	struct tm tm;

	if (ev->has_state) {
		state_view(ev, &v);
		snprintf(ifname, sizeof(ifname), "%.16s", ev->state.ifname[0] ? ev->state.ifname : "all");
	}
	if (cli_json(o)) {
		cli_obj(o, NULL);
		cli_dbl(o, "time", (double)at->tv_sec + (double)at->tv_usec / 1e6, 6);
		cli_str(o, "direction", ev->out ? "sent" : "received");
		cli_str(o, "message", sync_kind_name(ev->kind));
		if (ev->version != 0)
			cli_u64(o, "version", ev->version);
		else
			cli_str(o, "version", NULL);
		cli_str(o, "peer", ev->peer[0] ? ev->peer : NULL);
		cli_strf(o, "id", "%016llx", (unsigned long long)ev->id);
		cli_strf(o, "creatorid", "%08x", ev->creatorid);
		cli_str(o, "refused", ev->refused == SYNC_CNT_NONE ? NULL :
			ev->refused == SYNC_CNT_SILENT ? "silently" : sync_counter_name(ev->refused));
		cli_arr(o, "state");
		if (ev->has_state)
			cli_state_json(o, &v, ifname);
		cli_arr_end(o);
		cli_obj_end(o);
		return;
	}
	localtime_r(&at->tv_sec, &tm);
	strftime(when, sizeof(when), "%H:%M:%S", &tm);
	cli_printf(o, "%s.%06ld %s %-7s", when, (long)at->tv_usec, ev->out ? "to  " : "from", sync_kind_name(ev->kind));
	if (ev->peer[0] != '\0')
		cli_printf(o, " %s", ev->peer);
	if (ev->version != 0)
		cli_printf(o, " v%u", ev->version);
	if (ev->id != 0 || ev->creatorid != 0)
		cli_printf(o, " %016llx/%08x", (unsigned long long)ev->id, ev->creatorid);
	if (ev->refused == SYNC_CNT_SILENT)
		cli_printf(o, " refused");
	else if (ev->refused != SYNC_CNT_NONE)
		cli_printf(o, " refused: %s", sync_counter_name(ev->refused));
	cli_printf(o, ev->has_state ? " " : "\n");
	if (ev->has_state)
		cli_state_print(o, &v, ifname, 0);
}

static bool
monitor_poll(struct cli_stream *st, struct cli_out *o)
{
	struct monitor *m = (struct monitor *)st;

	for (unsigned n = 0; n < PER_POLL && m->tail != m->head; n++, m->tail++)
		event_out(&m->ring[m->tail % RING].ev, &m->ring[m->tail % RING].at, o);
	if (m->lost != m->lost_told) {
		if (cli_json(o)) {
			cli_obj(o, NULL);
			cli_str(o, "message", "lost");
			cli_u64(o, "messages", m->lost - m->lost_told);
			cli_obj_end(o);
		} else {
			cli_printf(o, "%llu messages were too many and are not shown\n", (unsigned long long)(m->lost - m->lost_told));
		}
		m->lost_told = m->lost;
	}
	return true;
}

static void
monitor_end(struct cli_stream *st)
{
	struct monitor *m = (struct monitor *)st;

	sync_unsubscribe(m->sync, m->id);
	free(m);
}

int
cli_monitor_sync(struct cli_ctx *x)
{
	struct sync *s = cli_sync(x);
	struct monitor *m;

	if (s == NULL)
		return 1;
	if ((m = calloc(1, sizeof(*m))) == NULL)
		return cli_err(x, "monitor: out of memory");
	m->st.poll = monitor_poll;
	m->st.end = monitor_end;
	m->sync = s;
	if ((m->id = sync_subscribe(s, monitor_event, m)) < 0) {
		int e = -m->id;

		free(m);
		return cli_err(x, "monitor: %s", strerror(e));
	}
	x->stream = &m->st;
	return 0;
}

const struct cli_cmd cli_sync_cmds[] = {
	{ "set peer", "IF is (none|IF)", "an interface of the peer, and what it is called here; none: as there", cmd_peer, 0, NULL,
		"  set peer em0 is ext0     states that the peer bound to em0 are bound to ext0 here\n"
		"  set peer em0 is none" },
	{ "set pfsynclog", "(off|FILE)", "what the pair says goes to this pcap file, for tcpdump and pfsyncdump", cmd_pfsynclog },
	{ "show sync", "[all]", "the pair: health, peer, bulk update, lag, counters; all: also those that are 0", cmd_show_sync, CLI_F_JSON },
	{ "clear sync", "", "figures of the pair start again at 0", cmd_clear },
	{ "sync bulk", "[-n]", "ask the peer for all its states, wait until they are here; -n: no progress on the terminal", cmd_bulk,
		CLI_F_JSON },
	{ "sync verify", "", "compare the tables of the two boxes", cmd_verify },
	{ NULL },
};
