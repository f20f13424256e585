/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rte_telemetry: every `show` (and `metrics`-worthy figure) under /twinpath/..., the same JSON as `show ... json`.
 *
 * Callbacks run in telemetry's own thread, the box belongs to the main lcore: a question is left in a mailbox under a
 * lock, cli_telemetry_poll() answers it between two commands, and the thread waits for at most WAIT_MS. The answer's JSON
 * text becomes rte_tel_data here, as far as that can carry it: 256 entries, no lists of objects (dictionaries instead),
 * names without `-` and blanks.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_telemetry.h>

#include "cli_priv.h"
#include "server.h"

#define WAIT_MS 1000
#define ANSWER_MAX (256u << 10)

struct mailbox {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool asked, done, stopped;
	char line[256];
	char *answer;
	size_t len;
};

/* One process, one telemetry socket, one box behind it. */
static struct mailbox box_mail = { .lock = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER };

static const struct { const char *path, *line, *help; } topics[] = {
	{ "/twinpath/port/info", "show port info", "Ports. Parameters: none or a port" },
	{ "/twinpath/port/stats", "show port stats", "Counters of ports. Parameters: none or a port" },
	{ "/twinpath/port/xstats", "show port xstats", "All counters of a port. Parameters: a port" },
	{ "/twinpath/lcores", "show lcores", "What lcores do with their time" },
	{ "/twinpath/drops", "show drops", "Dropped packets by reason" },
	{ "/twinpath/totals", "show totals", "Packets by outcome" },
	{ "/twinpath/info", "pfctl -si", "Status and counters of pf" },
	{ "/twinpath/memory", "pfctl -sm", "Limits" },
	{ "/twinpath/timeouts", "pfctl -st", "Timeouts" },
	{ "/twinpath/labels", "pfctl -sl", "Counters of labelled rules" },
	{ "/twinpath/rules", "pfctl -sr", "Rules and their counters" },
	{ "/twinpath/tables", "pfctl -sT", "Tables" },
	{ "/twinpath/states", "show states", "The first states of the list. Parameters: words of the filter" },
	{ "/twinpath/sync", "show sync", "The pair: health, peer, bulk update, counters" },
	{ "/twinpath/carp", "show carp", "Virtual hosts: roles, demotions, counters" },
	{ "/twinpath/parameters", "show parameters", "Parameters of the box" },
	{ "/twinpath/interfaces", "ifconfig", "Interfaces" },
	{ "/twinpath/routes", "route show", "Routes" },
	{ "/twinpath/arp", "arp -an", "IPv4 neighbours" },
	{ "/twinpath/ndp", "ndp -an", "IPv6 neighbours" },
};
#define N_TOPICS (sizeof(topics) / sizeof(topics[0]))

/* ---- JSON text to rte_tel_data: our own writer made it, so it is well formed or cut short at ANSWER_MAX */

static const char *
skip(const char *p)
{
	while (*p == ' ' || *p == '\n' || *p == '\t' || *p == ',' || *p == ':')
		p++;
	return p;
}

static const char *
json_text(const char *p, char *buf, size_t size)
{
	size_t n = 0;

	if (*p != '"')
		return NULL;
	for (p++; *p != '\0' && *p != '"'; p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		if (n + 1 < size)
			buf[n++] = *p;
	}
	buf[n] = '\0';
	return *p == '"' ? p + 1 : NULL;
}

/* Telemetry allows letters, digits, _ and / in names. */
static void
clean_name(char *s)
{
	for (; *s != '\0'; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '_' || *s == '/'))
			*s = '_';
}

static const char *json_object(const char *p, struct rte_tel_data *d, int depth);

static const char *
json_array(const char *p, struct rte_tel_data *d, int depth)
{
	bool started = false;
	unsigned n = 0;
	char s[RTE_TEL_MAX_STRING_LEN];

	for (p = skip(p + 1); *p != ']'; p = skip(p)) {
		if (*p == '\0')
			return NULL;
		if (*p == '"') {
			if ((p = json_text(p, s, sizeof(s))) == NULL)
				return NULL;
			if (!started)
				rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
			rte_tel_data_add_array_string(d, s);
		} else if (*p == '{' || *p == '[') {
			/* telemetry has no lists of objects: a dictionary by name or number */
			struct rte_tel_data *sub = rte_tel_data_alloc();

			if (sub == NULL)
				return NULL;
			if (!started)
				rte_tel_data_start_dict(d);
			snprintf(s, sizeof(s), "%u", n++);
			if (strncmp(p, "{\"name\":\"", 9) == 0)
				json_text(p + 8, s, sizeof(s));
			clean_name(s);
			if (*p == '{')
				rte_tel_data_start_dict(sub);
			p = *p == '{' ? json_object(p, sub, depth + 1) : json_array(p, sub, depth + 1);
			if (p == NULL || rte_tel_data_add_dict_container(d, s, sub, 0) != 0) {
				rte_tel_data_free(sub);
				return p;
			}
		} else {
			char *end;
			unsigned long long v = strtoull(p, &end, 10);

			if (end == p)
				return NULL;
			if (!started)
				rte_tel_data_start_array(d, RTE_TEL_U64_VAL);
			rte_tel_data_add_array_u64(d, v);
			p = end + strcspn(end, ",]} \n");
		}
		started = true;
	}
	if (!started)
		rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	return p + 1;
}

static const char *
json_object(const char *p, struct rte_tel_data *d, int depth)
{
	char key[RTE_TEL_MAX_STRING_LEN], s[RTE_TEL_MAX_STRING_LEN];

	for (p = skip(p + 1); *p != '}'; p = skip(p)) {
		if ((p = json_text(p, key, sizeof(key))) == NULL)
			return NULL;
		clean_name(key);
		p = skip(p);
		if (*p == '"') {
			if ((p = json_text(p, s, sizeof(s))) == NULL)
				return NULL;
			rte_tel_data_add_dict_string(d, key, s);
		} else if (*p == '{' || *p == '[') {
			struct rte_tel_data *sub = rte_tel_data_alloc();

			if (sub == NULL)
				return NULL;
			if (*p == '{')
				rte_tel_data_start_dict(sub);
			p = *p == '{' ? json_object(p, sub, depth + 1) : json_array(p, sub, depth + 1);
			if (p == NULL || rte_tel_data_add_dict_container(d, key, sub, 0) != 0) {
				rte_tel_data_free(sub);
				return p;
			}
		} else if (strncmp(p, "true", 4) == 0 || strncmp(p, "false", 5) == 0 || strncmp(p, "null", 4) == 0) {
			if (*p != 'n')
				rte_tel_data_add_dict_int(d, key, *p == 't');
			p += *p == 'f' ? 5 : 4;
		} else {
			char *end;
			unsigned long long v = strtoull(p, &end, 10);

			if (end == p)
				return NULL;
			if (*end == '.') {	/* fractions travel as text */
				snprintf(s, sizeof(s), "%.*s", (int)strcspn(p, ",}] \n"), p);
				rte_tel_data_add_dict_string(d, key, s);
			} else {
				rte_tel_data_add_dict_u64(d, key, v);
			}
			p = end + strcspn(end, ",]} \n");
		}
	}
	return p + 1;
}

static int
asked(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct mailbox *m = &box_mail;
	struct timespec until;
	char *answer = NULL;
	size_t i;
	int rc = 0;

	for (i = 0; i < N_TOPICS && strcmp(topics[i].path, cmd) != 0; i++)
		;
	if (i == N_TOPICS)
		return -EINVAL;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	pthread_mutex_lock(&m->lock);
	while (m->asked && rc == 0 && !m->stopped)	/* one question at a time */
		rc = pthread_cond_timedwait(&m->answered, &m->lock, &until);
	if (m->asked || m->stopped) {
		pthread_mutex_unlock(&m->lock);
		return -EAGAIN;
	}
	/* Only views that say so take parameters: nothing may be changed from here. */
	snprintf(m->line, sizeof(m->line), "%s %s", topics[i].line,
		params != NULL && strstr(topics[i].help, "Parameters:") != NULL ? params : "");
	for (char *p = m->line; *p != '\0'; p++)	/* parameters come comma separated; no quoting games */
		if (*p == ',' || *p == '"' || *p == '\'' || *p == '\\' || *p == '#')
			*p = ' ';
	__atomic_store_n(&m->asked, true, __ATOMIC_RELAXED);	/* cli_telemetry_poll() looks without the lock first */
	m->done = false;
	while (!m->done && rc == 0 && !m->stopped)
		rc = pthread_cond_timedwait(&m->answered, &m->lock, &until);
	if (m->done) {
		answer = m->answer;
		m->answer = NULL;
	}
	__atomic_store_n(&m->asked, false, __ATOMIC_RELAXED);
	m->done = false;
	pthread_cond_broadcast(&m->answered);
	pthread_mutex_unlock(&m->lock);
	if (answer == NULL)
		return -EAGAIN;
	if (answer[0] == '{') {
		rte_tel_data_start_dict(d);
		json_object(answer, d, 0);
		rc = 0;
	} else if (answer[0] == '[') {
		json_array(answer, d, 0);
		rc = 0;
	} else {
		rc = -EINVAL;
	}
	free(answer);
	return rc;
}

/* ---- main lcore */

struct mem_sink { struct cli_sink s; char *p; size_t len; };

static bool
mem_put(struct cli_sink *s, enum cli_chan chan, const char *data, size_t len)
{
	struct mem_sink *m = (struct mem_sink *)s;

	if (chan != CLI_CHAN_OUT)
		return true;
	if (m->len + len > ANSWER_MAX)
		return false;	/* what telemetry could not send anyway: the listing stops here */
	memcpy(m->p + m->len, data, len);
	m->len += len;
	return true;
}

static char *
answer(struct cli *c, const char *line)
{
	struct mem_sink sink = { .s = { mem_put }, .p = malloc(ANSWER_MAX + 1) };
	struct cli_request r = { .flags = CLI_RUN_JSON, .cwd = "/" };
	struct cli_stream *st = NULL;
	struct cli_words w;
	const char *err;

	if (sink.p == NULL || cli_words_split(line, &w, &err) != 0) {
		free(sink.p);
		return NULL;
	}
	r.argc = w.n;
	r.argv = w.v;
	cli_request_run(c, &r, &sink.s, &st);
	if (st != NULL)
		st->end(st);
	cli_words_free(&w);
	sink.p[sink.len] = '\0';
	return sink.p;
}

unsigned
cli_telemetry_poll(struct cli *c)
{
	struct mailbox *m = &box_mail;
	char line[256], *a;

	if (c->telemetry != m || !__atomic_load_n(&m->asked, __ATOMIC_RELAXED) || c->busy)
		return 0;
	pthread_mutex_lock(&m->lock);
	if (!m->asked || m->done) {
		pthread_mutex_unlock(&m->lock);
		return 0;
	}
	memcpy(line, m->line, sizeof(line));
	pthread_mutex_unlock(&m->lock);
	a = answer(c, line);
	pthread_mutex_lock(&m->lock);
	free(m->answer);	/* of one who did not wait */
	m->answer = a;
	m->done = true;
	pthread_cond_broadcast(&m->answered);
	pthread_mutex_unlock(&m->lock);
	return 1;
}

int
cli_telemetry_init(struct cli *c)
{
	int rc = 0;

	box_mail.stopped = false;
	for (size_t i = 0; i < N_TOPICS && rc == 0; i++)
		rc = rte_telemetry_register_cmd(topics[i].path, asked, topics[i].help);
	if (rc == 0)
		c->telemetry = &box_mail;
	return rc;
}

void
cli_telemetry_stop(struct cli *c)
{
	struct mailbox *m = &box_mail;

	if (c->telemetry != m)
		return;
	c->telemetry = NULL;
	pthread_mutex_lock(&m->lock);
	m->stopped = true;
	pthread_cond_broadcast(&m->answered);
	free(m->answer);
	m->answer = NULL;
	pthread_mutex_unlock(&m->lock);
}
