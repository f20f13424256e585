/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parameters of a box: one table drives `set`, help, `show config` and the manual page. The values lie in struct
 * fp_params (box.h), written by the main lcore; workers read single words of it, which change atomically.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "box.h"

enum kind { K_UINT, K_BOOL, K_ENUM, K_STRING, K_OCTAL, K_HOSTID };

#define FIELD(f) offsetof(struct fp_params, f), sizeof(((struct fp_params *)0)->f)
/* name, kind, type word, default, min, max, choices, unit, when, field, help */
#define PARAMS(X) \
	X("workers", K_UINT, "uint", "auto", 1, FP_MAX_WORKERS, "auto", "", FP_PARAM_ONCE, FIELD(workers), \
	  "worker lcores; auto: all that EAL was given beside the main one, or the main one itself") \
	X("limit states", K_UINT, "uint", "100000", 1, 1u << 30, NULL, "states", FP_PARAM_ONCE, FIELD(limit_states), \
	  "size of the state table; a forwarded connection is two states") \
	X("mbufs", K_UINT, "uint", "auto", 512, 1u << 26, "auto", "packets", FP_PARAM_ONCE, FIELD(mbufs), \
	  "packet buffers per NUMA node; auto: from ports, queues, descriptors and workers") \
	X("mbuf size", K_UINT, "uint", "auto", 1024, 65000, "auto", "bytes", FP_PARAM_ONCE, FIELD(mbuf_size), \
	  "data room of a packet buffer; auto: 2048; ports that need more and cannot scatter get buffers of their own") \
	X("rx descriptors", K_UINT, "uint", "1024", 8, 32768, NULL, "packets", FP_PARAM_START, FIELD(rxd), \
	  "receive ring of each queue, as far as the port allows") \
	X("tx descriptors", K_UINT, "uint", "1024", 8, 32768, NULL, "packets", FP_PARAM_START, FIELD(txd), \
	  "transmit ring of each queue, as far as the port allows") \
	X("ring size", K_UINT, "uint", "4096", 64, 1u << 20, NULL, "packets", FP_PARAM_ONCE, FIELD(ring_size), \
	  "rings between lcores, rounded up to a power of two") \
	X("idle polls", K_UINT, "uint", "200", 0, 1u << 30, NULL, "polls", FP_PARAM_NOW, FIELD(idle_polls), \
	  "a worker that found nothing so many times in a row begins to sleep; 0: it never sleeps") \
	X("idle sleep", K_UINT, "uint", "50", 0, 100000, NULL, "us", FP_PARAM_NOW, FIELD(idle_sleep_us), \
	  "sleep between polls while idle: the latency that the first packet after a pause pays; 0: never") \
	X("neigh queue", K_UINT, "uint", "64", 1, 4096, NULL, "packets", FP_PARAM_NOW, FIELD(neigh_queue), \
	  "packets that may wait for one neighbour's address") \
	X("icmp rate", K_UINT, "uint", "1000", 0, 10000000, NULL, "packets/s", FP_PARAM_NOW, FIELD(icmp_rate), \
	  "ICMP errors and RSTs per second and worker; 0: none") \
	X("log snaplen", K_UINT, "uint", "160", 64, 1500, NULL, "bytes", FP_PARAM_NOW, FIELD(log_snaplen), \
	  "bytes of a logged packet that are kept, from its IP header on; the log file is opened with it") \
	X("scan max", K_UINT, "uint", "64", 1, 65536, NULL, "records", FP_PARAM_NOW, FIELD(scan_max), \
	  "states that expiry looks at in one loop at the most") \
	X("evaluations", K_ENUM, "enum", "auto", 0, 2, "off|on|auto", "", FP_PARAM_NOW, FIELD(eval_counts), \
	  "count rule evaluations as pf does, which walks the rules; auto: for small rule sets") \
	X("hugepages", K_BOOL, "bool", "on", 0, 1, NULL, "", FP_PARAM_ONCE, FIELD(hugepages), \
	  "try huge pages for the state table first") \
	X("sync coalesce", K_UINT, "uint", "20", 0, 1000000, NULL, "us", FP_PARAM_NOW, FIELD(sync_coalesce_us), \
	  "pfsync: packets that are not full leave a worker no closer together than this; the first change after a pause never waits") \
	X("sync hold", K_UINT, "uint", "1000000", 0, 10000000, NULL, "us", FP_PARAM_NOW, FIELD(sync_hold_us), \
	  "pfsync: how long news of a window that merely moved may wait, at the most; the fewer flows, the sooner") \
	X("sync heartbeat", K_UINT, "uint", "10", 0, 60000, NULL, "ms", FP_PARAM_NOW, FIELD(sync_heartbeat_ms), \
	  "pfsync: a twinpath peer is told so often that this box lives; 0: never") \
	X("sync probe", K_UINT, "uint", "20", 1, 10000, NULL, "ms", FP_PARAM_NOW, FIELD(sync_probe_ms), \
	  "failover: so long has a peer whose heartbeat is missed to answer on a data port; then it is dead. More where cores are shared") \
	X("sync port", K_ENUM, "enum", "auto", 0, 1, "auto|shared", "", FP_PARAM_START, FIELD(sync_shared), \
	  "who receives on the port of syncdev: auto: the sync thread alone; shared: the workers, as on any data port") \
	X("rx checksum", K_BOOL, "bool", "on", 0, 1, NULL, "", FP_PARAM_START, FIELD(rx_cksum_offload), \
	  "let ports verify checksums where they can") \
	X("tx checksum", K_BOOL, "bool", "on", 0, 1, NULL, "", FP_PARAM_START, FIELD(tx_cksum_offload), \
	  "let ports compute checksums where they can") \
	X("rss", K_BOOL, "bool", "on", 0, 1, NULL, "", FP_PARAM_START, FIELD(rss), \
	  "let ports spread flows over the workers where they can") \
	X("promisc default", K_BOOL, "bool", "on", 0, 1, NULL, "", FP_PARAM_NOW, FIELD(promisc), \
	  "ports attached from now on are promiscuous") \
	X("icmp errors", K_BOOL, "bool", "on", 0, 1, NULL, "", FP_PARAM_NOW, FIELD(icmp_errors), \
	  "send time exceeded, unreachable, fragmentation needed") \
	X("ping answer", K_BOOL, "bool", "on", 0, 1, NULL, "", FP_PARAM_NOW, FIELD(ping_answer), \
	  "answer echo requests to the box's own addresses") \
	X("redirects", K_BOOL, "bool", "on", 0, 1, NULL, "", FP_PARAM_NOW, FIELD(redirects), \
	  "send ICMP redirects") \
	X("socket path", K_STRING, "string", "/run/twinpath.sock", 1, 107, NULL, "", FP_PARAM_ONCE, FIELD(socket_path), \
	  "control socket") \
	X("socket mode", K_OCTAL, "octal", "0660", 0, 0777, NULL, "", FP_PARAM_NOW, FIELD(socket_mode), \
	  "permissions of the control socket") \
	X("socket group", K_STRING, "string", "", 0, 63, NULL, "", FP_PARAM_NOW, FIELD(socket_group), \
	  "group that owns the control socket") \
	X("hostid", K_HOSTID, "uint", "auto", 1, UINT32_MAX, "auto", "", FP_PARAM_NOW, 0, 4, \
	  "creator id of states made here; auto: random")

static const struct fp_param params[] = {
/* FIELD() is two arguments once expanded: hence the second step. */
#define X(...) XPUB(__VA_ARGS__)
#define XPUB(n, k, t, d, lo, hi, ch, u, wh, off, size, help) { n, t, d, lo, hi, ch, u, wh, help },
	PARAMS(X)
#undef X
};

static const struct { uint8_t kind; uint16_t off, size; } places[] = {
#define X(...) XPLACE(__VA_ARGS__)
#define XPLACE(n, k, t, d, lo, hi, ch, u, wh, off, size, help) { k, off, size },
	PARAMS(X)
#undef X
};
#define N_PARAMS (sizeof(params) / sizeof(params[0]))

int
fp_err_set(struct fp_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

const struct fp_param *
fp_params(unsigned *n)
{
	*n = N_PARAMS;
	return params;
}

/* "limit  states" and "limit states" are the same name. */
static int
find(const char *name)
{
	for (unsigned i = 0; i < N_PARAMS; i++) {
		const char *a = params[i].name, *b = name;

		while (*b == ' ')
			b++;
		while (*a != '\0' && *a == *b) {
			if (*a == ' ')
				while (b[1] == ' ')
					b++;
			a++;
			b++;
		}
		while (*b == ' ')
			b++;
		if (*a == '\0' && *b == '\0')
			return i;
	}
	return -1;
}

static int
parse_uint(const struct fp_param *p, const char *value, int base, uint64_t *out, struct fp_err *err)
{
	const char *unit = p->unit[0] != '\0' ? p->unit : "", *sep = unit[0] != '\0' ? " " : "";
	bool can_auto = p->choices != NULL && strcmp(p->choices, "auto") == 0;
	unsigned long long v;
	char *end;

	if (can_auto && strcmp(value, "auto") == 0) {
		*out = 0;
		return 0;
	}
	errno = 0;
	v = strtoull(value, &end, base);
	/* Units that people write behind a number are fine when they are the right ones. */
	if (unit[0] != '\0' && end != value && strcmp(end, unit) == 0)
		end += strlen(unit);
	if (!isdigit((unsigned char)value[0]) || *end != '\0' || errno != 0 || v < (uint64_t)p->min || v > (uint64_t)p->max) {
		if (base == 8)
			return fp_err_set(err, -EINVAL, "%s: \"%s\" is not an octal mode from %#o to %#o", p->name, value,
				(unsigned)p->min, (unsigned)p->max);
		return fp_err_set(err, -EINVAL, "%s: \"%s\" is not a number from %lld to %lld%s%s%s", p->name, value,
			(long long)p->min, (long long)p->max, sep, unit, can_auto ? ", or auto" : "");
	}
	*out = v;
	return 0;
}

static int
parse_bool(const struct fp_param *p, const char *value, bool *out, struct fp_err *err)
{
	if (strcmp(value, "on") == 0 || strcmp(value, "yes") == 0 || strcmp(value, "1") == 0)
		*out = true;
	else if (strcmp(value, "off") == 0 || strcmp(value, "no") == 0 || strcmp(value, "0") == 0)
		*out = false;
	else
		return fp_err_set(err, -EINVAL, "%s: \"%s\" is not on or off", p->name, value);
	return 0;
}

static int
parse_enum(const struct fp_param *p, const char *value, uint8_t *out, struct fp_err *err)
{
	size_t len = strlen(value);
	uint8_t i = 0;

	for (const char *c = p->choices; c != NULL; c = strchr(c, '|'), i++) {
		if (*c == '|')
			c++;
		if (len > 0 && strncmp(c, value, len) == 0 && (c[len] == '|' || c[len] == '\0')) {
			*out = i;
			return 0;
		}
	}
	return fp_err_set(err, -EINVAL, "%s: \"%s\" is not one of %s", p->name, value, p->choices);
}

/* Parse into pr; hostid goes to *hostid. */
static int
assign(struct fp_params *pr, uint32_t *hostid, unsigned i, const char *value, struct fp_err *err)
{
	const struct fp_param *p = &params[i];
	void *at = (char *)pr + places[i].off;
	uint64_t v;
	int rc;

	switch (places[i].kind) {
	case K_UINT:
	case K_OCTAL:
		rc = parse_uint(p, value, places[i].kind == K_OCTAL ? 8 : 10, &v, err);
		if (rc == 0)
			__atomic_store_n((uint32_t *)at, (uint32_t)v, __ATOMIC_RELAXED);
		return rc;
	case K_HOSTID:
		rc = parse_uint(p, value, 0, &v, err);
		if (rc == 0)
			*hostid = v;
		return rc;
	case K_BOOL:
		return parse_bool(p, value, at, err);
	case K_ENUM:
		return parse_enum(p, value, at, err);
	default:
		if (strlen(value) < (size_t)p->min || strlen(value) > (size_t)p->max || strlen(value) >= places[i].size)
			return fp_err_set(err, -EINVAL, "%s: \"%.40s\" is not a text of %lld to %lld characters", p->name, value,
				(long long)p->min, (long long)p->max);
		snprintf(at, places[i].size, "%s", value);
		return 0;
	}
}

void
fp_params_init(struct fp_params *p)
{
	uint32_t none;

	memset(p, 0, sizeof(*p));
	for (unsigned i = 0; i < N_PARAMS; i++)
		if (places[i].kind != K_HOSTID)
			assign(p, &none, i, params[i].def, NULL);
}

int
fp_param_set(struct fp_box *box, const char *name, const char *value, struct fp_err *err)
{
	int i = find(name);

	if (i < 0)
		return fp_err_set(err, -ENOENT, "no parameter \"%s\"; `help set` lists them", name);
	if (params[i].when == FP_PARAM_START && box->running)
		return fp_err_set(err, -EBUSY, "%s: can be changed only while the box is stopped: `stop` first", params[i].name);
	if (params[i].when == FP_PARAM_ONCE && box->n_workers != 0)
		return fp_err_set(err, -EBUSY, "%s: takes effect at the first start: put it in the box file before `start`",
			params[i].name);
	if (places[i].kind == K_HOSTID) {
		uint32_t id;
		int rc = assign(box->params, &id, i, value, err);

		if (rc != 0)
			return rc;
		box->hostid_set = id != 0;
		if (id != 0)
			__atomic_store_n(&box->hostid, id, __ATOMIC_RELAXED);
		return 0;
	}
	return assign(box->params, NULL, i, value, err);
}

int
fp_param_get(const struct fp_box *box, const char *name, char *value, size_t size)
{
	const struct fp_param *p;
	const char *c;
	const void *at;
	uint32_t v;
	int i = find(name);

	if (i < 0)
		return -ENOENT;
	p = &params[i];
	at = (const char *)box->params + places[i].off;
	switch (places[i].kind) {
	case K_UINT:
		v = *(const uint32_t *)at;
		if (v == 0 && p->choices != NULL)
			snprintf(value, size, "auto");
		else
			snprintf(value, size, "%u", v);
		break;
	case K_OCTAL:
		snprintf(value, size, "%04o", *(const uint32_t *)at);
		break;
	case K_HOSTID:
		snprintf(value, size, "0x%08x", box->hostid);
		break;
	case K_BOOL:
		snprintf(value, size, "%s", *(const bool *)at ? "on" : "off");
		break;
	case K_ENUM:
		c = p->choices;
		for (v = *(const uint8_t *)at; v > 0; v--)
			c = strchr(c, '|') + 1;
		snprintf(value, size, "%.*s", (int)strcspn(c, "|"), c);
		break;
	default:
		snprintf(value, size, "%s", (const char *)at);
		break;
	}
	return 0;
}

bool
fp_param_is_default(const struct fp_box *box, const char *name)
{
	char value[128];
	int i = find(name);

	if (i < 0 || fp_param_get(box, name, value, sizeof(value)) != 0)
		return false;
	if (places[i].kind == K_HOSTID)
		return !box->hostid_set;
	return strcmp(value, params[i].def) == 0;
}
