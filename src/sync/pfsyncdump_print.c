/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One captured packet as text or JSON. The fields of a message are listed once and go through the same few functions in
 * both forms, so -v and -j cannot tell different things.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "sync/bytes.h"
#include "sync/carp_codec.h"
#include "sync/pfsync_codec.h"
#include "sync/pfsyncdump_print.h"

#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_ICMP6 58
#define PROTO_SCTP 132
#define EXT_HOPOPTS 0
#define EXT_FRAGMENT 44
#define EXT_DSTOPTS 60
#define EXT_MAX 8

/* A key and what separates it from the one before: `"key":` or ` key `. */
static void
key(struct sync_dump *d, const char *k)
{
	if (d->json)
		fprintf(d->out, "%s\"%s\":", d->first ? "" : ",", k);
	else
		fprintf(d->out, "%s%s ", d->first ? "" : " ", k);
	d->first = false;
}

static void
num(struct sync_dump *d, const char *k, uint64_t v)
{
	key(d, k);
	fprintf(d->out, "%" PRIu64, v);
}

static void
inum(struct sync_dump *d, const char *k, int64_t v)
{
	key(d, k);
	fprintf(d->out, "%" PRId64, v);
}

/* What came from the cable never reaches a terminal as it is. */
static void
raw_str(struct sync_dump *d, const char *s, size_t max)
{
	if (d->json)
		putc('"', d->out);
	for (size_t i = 0; i < max && s[i] != '\0'; i++) {
		unsigned char c = (unsigned char)s[i];

		if (d->json && (c < 0x20 || c >= 0x7f))
			fprintf(d->out, "\\u%04x", c);
		else if (d->json && (c == '"' || c == '\\'))
			fprintf(d->out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(d->out, "\\x%02x", c);
		else
			putc(c, d->out);
	}
	if (d->json)
		putc('"', d->out);
	else if (max == 0 || s[0] == '\0')
		putc('-', d->out);
}

static void
str(struct sync_dump *d, const char *k, const char *s, size_t max)
{
	key(d, k);
	raw_str(d, s, max);
}

static void
word(struct sync_dump *d, const char *k, const char *s)
{
	str(d, k, s, SIZE_MAX);
}

static void
hex(struct sync_dump *d, const char *k, const uint8_t *p, size_t n)
{
	const char *quote = d->json ? "\"" : "";

	key(d, k);
	fputs(quote, d->out);
	for (size_t i = 0; i < n; i++)
		fprintf(d->out, "%02x", p[i]);
	fputs(quote, d->out);
}

static void
boolean(struct sync_dump *d, const char *k, bool v)
{
	key(d, k);
	fputs(v ? "true" : "false", d->out);
}

static void
open_as(struct sync_dump *d, const char *k, char bracket)
{
	key(d, k);
	putc(bracket, d->out);
	d->first = true;
}

static void
close_as(struct sync_dump *d, char bracket)
{
	putc(bracket, d->out);
	d->first = false;
}

/* Two numbers as an array. */
static void
pair(struct sync_dump *d, const char *k, int64_t a, int64_t b)
{
	key(d, k);
	fprintf(d->out, "[%" PRId64 ",%" PRId64 "]", a, b);
}

static void
upair(struct sync_dump *d, const char *k, const uint64_t v[2])
{
	key(d, k);
	fprintf(d->out, "[%" PRIu64 ",%" PRIu64 "]", v[0], v[1]);
}

static void
pad(struct sync_dump *d, const char *k, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0) {
			hex(d, k, p, n);
			return;
		}
}

static const char *
address(char *buf, size_t size, unsigned af, const uint8_t *a)
{
	const char *s = inet_ntop(af == SYNC_AF_INET ? AF_INET : AF_INET6, a, buf, (socklen_t)size);

	return s != NULL ? s : "?";
}

static const char *
af_name(unsigned af, char *buf, size_t size)
{
	if (af == SYNC_AF_INET)
		return "inet";
	if (af == SYNC_AF_INET6)
		return "inet6";
	if (af == SYNC_AF_NONE)
		return "none";
	snprintf(buf, size, "%u", af & 0xff);
	return buf;
}

static const char *
proto_name(unsigned proto, char *buf, size_t size)
{
	switch (proto) {
	case PROTO_ICMP:
		return "icmp";
	case PROTO_TCP:
		return "tcp";
	case PROTO_UDP:
		return "udp";
	case PROTO_ICMP6:
		return "icmp6";
	case PROTO_SCTP:
		return "sctp";
	}
	snprintf(buf, size, "proto %u", proto);
	return buf;
}

/* proto < 0: not known (UPD_C does not carry it). */
static const char *
peer_state(int proto, unsigned state, char *buf, size_t size)
{
	static const char *const tcp[] = { "CLOSED", "LISTEN", "SYN_SENT", "SYN_RCVD", "ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT_1",
		"CLOSING", "LAST_ACK", "FIN_WAIT_2", "TIME_WAIT", "PROXY_SRC", "PROXY_DST" };
	static const char *const other[] = { "NO_TRAFFIC", "SINGLE", "MULTIPLE" };

	if ((proto == PROTO_TCP || proto == PROTO_SCTP) && state < sizeof(tcp) / sizeof(tcp[0]))
		return tcp[state];
	if (proto >= 0 && proto != PROTO_TCP && proto != PROTO_ICMP && proto != PROTO_ICMP6 && state < 3)
		return other[state];
	snprintf(buf, size, "%u", state);
	return buf;
}

/* UPD_C does not say its protocol, but its timeout does. */
static int
proto_of_timeout(unsigned t)
{
	if (t <= 5)
		return PROTO_TCP;
	if (t >= 6 && t <= 8)
		return PROTO_UDP;
	if (t == 9 || t == 10)
		return PROTO_ICMP;
	if (t >= 20 && t <= 24)
		return PROTO_SCTP;
	return t >= 11 && t <= 13 ? 0 : -1;
}

static const char *
timeout_name(unsigned t, char *buf, size_t size)
{
	const char *s = sync_timeout_name(t);

	if (s != NULL)
		return s;
	snprintf(buf, size, "%u", t);
	return buf;
}

static const char *
dialect_name(enum sync_dialect d)
{
	static const char *const names[] = { "6", "1301", "1400", "1500", "openbsd-5", "legacy" };

	return names[d];
}

/* What every message begins with. id, creatorid: NULL where it has none. */
static void
begin(struct sync_dump *d, unsigned version, const char *message, const uint32_t *creatorid, const uint64_t *id)
{
	uint64_t sec = d->time_ns / 1000000000u;
	unsigned ns = (unsigned)(d->time_ns % 1000000000u);

	d->messages++;
	if (d->json) {
		fprintf(d->out, "{\"time\":%" PRIu64 ".%09u", sec, ns);
		d->first = false;
		if (d->src[0] != '\0')
			fprintf(d->out, ",\"src\":\"%s\",\"dst\":\"%s\",\"ttl\":%d", d->src, d->dst, d->ttl);
		else
			fputs(",\"src\":null,\"dst\":null,\"ttl\":null", d->out);
		fprintf(d->out, ",\"version\":%u,\"message\":\"%s\"", version, message);
		if (creatorid != NULL)
			fprintf(d->out, ",\"creatorid\":\"%08x\"", *creatorid);
		else
			fputs(",\"creatorid\":null", d->out);
		if (id != NULL)
			fprintf(d->out, ",\"id\":\"%016" PRIx64 "\"", *id);
		else
			fputs(",\"id\":null", d->out);
		return;
	}
	{
		time_t t = (time_t)sec;
		struct tm tm;

		if (localtime_r(&t, &tm) == NULL)
			memset(&tm, 0, sizeof(tm));
		fprintf(d->out, "%02d:%02d:%02d.%06u ", tm.tm_hour, tm.tm_min, tm.tm_sec, ns / 1000);
	}
	if (d->src[0] != '\0')
		fprintf(d->out, "%s > %s ", d->src, d->dst);
	fprintf(d->out, "v%u %s", version, message);
	if (id != NULL)
		fprintf(d->out, " %016" PRIx64 "/%08x", *id, creatorid != NULL ? *creatorid : 0);
	else if (creatorid != NULL)
		fprintf(d->out, " creator %08x", *creatorid);
	if (d->ttl >= 0 && d->ttl != SYNC_TTL)
		fprintf(d->out, " [ttl %d: badttl]", d->ttl);
}

/* Where the fields of the message begin; false when only its line is wanted. */
static bool
fields(struct sync_dump *d)
{
	if (d->json)
		return true;
	if (!d->verbose)
		return false;
	fputs("\n\t", d->out);
	d->first = true;
	return true;
}

static void
end(struct sync_dump *d)
{
	fputs(d->json ? "}\n" : "\n", d->out);
}

__attribute__((format(printf, 4, 5))) static void
invalid(struct sync_dump *d, unsigned version, const char *reason, const char *fmt, ...)
{
	char detail[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	d->invalid++;
	begin(d, version, "invalid", NULL, NULL);
	if (d->json) {
		word(d, "reason", reason);
		word(d, "detail", detail);
	} else
		fprintf(d->out, " %s: %s", reason, detail);
	end(d);
}

/* The receiver's verdict on this message, where it has one. */
static void
verdict(struct sync_dump *d, enum sync_counter c)
{
	if (c == SYNC_CNT_NONE && d->ttl >= 0 && d->ttl != SYNC_TTL && d->json)
		c = SYNC_CNT_badttl;
	if (c == SYNC_CNT_NONE)
		return;
	if (d->json)
		word(d, "refused", sync_counter_name(c));
	else
		fprintf(d->out, " [%s]", sync_counter_name(c));
}

static void
where(struct sync_dump *d, const struct sync_msg *m)
{
	num(d, "action", m->action);
	num(d, "index", m->index);
	num(d, "count", m->count);
}

static void
peer(struct sync_dump *d, const char *name, const struct sync_peer *p, int proto)
{
	char buf[8];

	open_as(d, name, '{');
	num(d, "state", p->state);
	word(d, "state_name", peer_state(proto, p->state, buf, sizeof(buf)));
	num(d, "seqlo", p->seqlo);
	num(d, "seqhi", p->seqhi);
	num(d, "seqdiff", p->seqdiff);
	num(d, "max_win", p->max_win);
	num(d, "mss", p->mss);
	num(d, "wscale", p->wscale);
	num(d, "scrub_valid", p->scrub_valid);
	num(d, "scrub_flags", p->scrub_flags);
	num(d, "scrub_ttl", p->scrub_ttl);
	num(d, "ts_mod", p->ts_mod);
	pad(d, "pad", p->pad, sizeof(p->pad));
	close_as(d, '}');
}

static void
state_key(struct sync_dump *d, const char *name, const struct sync_state *s, unsigned side, enum sync_dialect dialect)
{
	const struct sync_key *k = &s->key[side];
	unsigned af = sync_key_af(s, side);
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN], buf[8];

	open_as(d, name, '{');
	word(d, "af", af_name(af, buf, sizeof(buf)));
	num(d, "proto", side == SYNC_WIRE ? s->proto : s->stack_proto);
	key(d, "addr");
	address(a, sizeof(a), af, k->addr[0]);
	address(b, sizeof(b), af, k->addr[1]);
	fprintf(d->out, d->json ? "[\"%s\",\"%s\"]" : "[%s,%s]", a, b);
	if (af == SYNC_AF_INET) { /* zero from an honest sender */
		pad(d, "addr0_rest", k->addr[0] + 4, 12);
		pad(d, "addr1_rest", k->addr[1] + 4, 12);
	}
	pair(d, "port", k->port[0], k->port[1]);
	if (dialect == SYNC_6) {
		num(d, "rdomain", k->rdomain);
		pad(d, "pad", &k->pad, 1);
	}
	close_as(d, '}');
}

static int64_t
rule_nr(uint32_t nr)
{
	return nr == SYNC_NO_RULE ? -1 : (int64_t)nr;
}

static void
flags(struct sync_dump *d, unsigned f)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = { { SYNC_F_ALLOWOPTS, "allowopts" }, { SYNC_F_SLOPPY, "sloppy" }, { SYNC_F_PFLOW, "pflow" },
		{ SYNC_F_NOSYNC, "nosync" }, { SYNC_F_ACK, "ack" }, { SYNC_F_NODF, "nodf" }, { SYNC_F_SETTOS, "settos" },
		{ SYNC_F_RANDOMID, "randomid" }, { SYNC_F_SCRUB_TCP, "scrub_tcp" }, { SYNC_F_SETPRIO, "setprio" },
		{ SYNC_F_INP_UNLINKED, "inp_unlinked" }, { SYNC_F_DN_PIPE, "dnpipe" }, { SYNC_F_DN_QUEUE, "dnqueue" } };
	bool any = false;

	num(d, "state_flags", f);
	key(d, "flags");
	putc('[', d->out);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (f & names[i].bit) {
			fprintf(d->out, d->json ? "%s\"%s\"" : "%s%s", any ? "," : "", names[i].name);
			any = true;
		}
	putc(']', d->out);
}

static void
state_fields(struct sync_dump *d, const struct sync_state *s, const struct sync_msg *m)
{
	static const char *const rts[] = { "none", "fastroute", "route-to", "dup-to", "reply-to" };
	char buf[INET6_ADDRSTRLEN];

	where(d, m);
	word(d, "dialect", dialect_name(m->dialect));
	str(d, "ifname", s->ifname, sizeof(s->ifname));
	word(d, "af", af_name(s->af, buf, sizeof(buf)));
	num(d, "proto", s->proto);
	word(d, "direction", s->direction == SYNC_DIR_IN ? "in" : s->direction == SYNC_DIR_OUT ? "out" : s->direction == 0 ? "inout" : "?");
	state_key(d, "wire", s, SYNC_WIRE, m->dialect);
	state_key(d, "stack", s, SYNC_STACK, m->dialect);
	peer(d, "src_peer", &s->peer[0], s->proto);
	peer(d, "dst_peer", &s->peer[1], s->proto);
	inum(d, "rule", rule_nr(s->rule));
	inum(d, "anchor", rule_nr(s->anchor));
	inum(d, "nat_rule", rule_nr(s->nat_rule));
	num(d, "creation", s->creation_sec);
	num(d, "expire", s->expire_sec);
	word(d, "timeout", timeout_name(s->timeout, buf, sizeof(buf)));
	num(d, "timeout_index", s->timeout);
	upair(d, "packets", s->packets);
	upair(d, "bytes", s->bytes);
	word(d, "rt_addr", address(buf, sizeof(buf), s->rt_af ? s->rt_af : s->af, s->rt_addr));
	num(d, "log", s->log);
	num(d, "sync_flags", s->sync_flags);
	num(d, "updates", s->updates);
	flags(d, s->state_flags);
	if (m->dialect == SYNC_6 || m->dialect == SYNC_1400 || m->dialect == SYNC_1500) {
		if (s->rt <= SYNC_RT_REPLY_TO)
			word(d, "rt", rts[s->rt]);
		else
			num(d, "rt", s->rt & 0xff);
		if (m->dialect == SYNC_6)
			pair(d, "rtableid", s->rtableid[0], s->rtableid[1]);
		else
			inum(d, "rtableid", s->rtableid[0]);
		num(d, "max_mss", s->max_mss);
		num(d, "min_ttl", s->min_ttl);
		num(d, "set_tos", s->set_tos);
		pair(d, "set_prio", s->set_prio[0], s->set_prio[1]);
	}
	if (m->dialect == SYNC_1400 || m->dialect == SYNC_1500) {
		num(d, "qid", s->qid);
		num(d, "pqid", s->pqid);
		num(d, "dnpipe", s->dnpipe);
		num(d, "dnrpipe", s->dnrpipe);
		str(d, "rt_ifname", s->rt_ifname, sizeof(s->rt_ifname));
	}
	if (m->dialect == SYNC_1500) {
		word(d, "rt_af", af_name(s->rt_af, buf, sizeof(buf)));
		str(d, "orig_ifname", s->orig_ifname, sizeof(s->orig_ifname));
		str(d, "tagname", s->tagname, sizeof(s->tagname));
	}
	pad(d, "spare", s->spare, sizeof(s->spare));
	if (m->dialect == SYNC_LEGACY && m->size == SYNC_LEGACY_STATE_DFLY_SIZE)
		hex(d, "tail", m->body + 235, 7); /* what sync_legacy_state_decode() does not take apart */
}

/* addr:port, and the translated one beside it where it differs. */
static void
endpoint(struct sync_dump *d, const struct sync_state *s, unsigned slot)
{
	char buf[INET6_ADDRSTRLEN];

	for (unsigned i = 0; i < 2; i++) {
		unsigned side = i == 0 ? SYNC_STACK : SYNC_WIRE;
		unsigned af = sync_key_af(s, side);
		const struct sync_key *k = &s->key[side];

		if (i == 1 && memcmp(k->addr[slot], s->key[SYNC_STACK].addr[slot], 16) == 0 &&
			k->port[slot] == s->key[SYNC_STACK].port[slot])
			return;
		fprintf(d->out, af == SYNC_AF_INET6 ? "%s%s[%u]%s" : "%s%s:%u%s", i ? " (" : "",
			address(buf, sizeof(buf), af, k->addr[slot]), k->port[slot], i ? ")" : "");
	}
}

static void
state_message(struct sync_dump *d, const struct sync_msg *m)
{
	struct sync_state s;
	char a[12], b[12], p[16];

	if (m->dialect == SYNC_LEGACY)
		sync_legacy_state_decode(&s, m);
	else
		sync_state_decode(&s, m->body, m->dialect);
	begin(d, m->version, sync_kind_name(m->kind), &s.creatorid, &s.id);
	if (!d->json) {
		bool out = s.direction == SYNC_DIR_OUT;

		putc(' ', d->out);
		raw_str(d, s.ifname, sizeof(s.ifname));
		fprintf(d->out, " %s %s ", proto_name(s.proto, p, sizeof(p)), out ? "out" : "in");
		endpoint(d, &s, out);
		fputs(" -> ", d->out);
		endpoint(d, &s, !out);
		fprintf(d->out, " %s:%s age %u expire %u", peer_state(s.proto, s.peer[0].state, a, sizeof(a)),
			peer_state(s.proto, s.peer[1].state, b, sizeof(b)), s.creation_sec, s.expire_sec);
		if (s.state_flags & SYNC_F_ACK)
			fputs(" ack", d->out);
	}
	verdict(d, m->version < 5 ? SYNC_CNT_badver : sync_state_check(&s, m->kind, m->dialect == SYNC_1301 ? SYNC_1400 : m->dialect));
	if (fields(d))
		state_fields(d, &s, m);
	end(d);
}

static void
upd_c_message(struct sync_dump *d, const struct sync_msg *m)
{
	struct sync_upd_c u;
	char a[12], b[12], t[12];
	int proto;

	if (m->dialect == SYNC_LEGACY)
		sync_legacy_upd_c_decode(&u, m);
	else
		sync_upd_c_decode(&u, m->body);
	proto = proto_of_timeout(u.timeout);
	begin(d, m->version, sync_kind_name(m->kind), &u.creatorid, &u.id);
	if (!d->json)
		fprintf(d->out, " %s:%s %s", peer_state(proto, u.peer[0].state, a, sizeof(a)),
			peer_state(proto, u.peer[1].state, b, sizeof(b)), timeout_name(u.timeout, t, sizeof(t)));
	/* A version 5 sender may be FreeBSD 14, whose timeouts go further. */
	verdict(d, m->version < 5 ? SYNC_CNT_badver : sync_upd_c_check(&u, m->version == 6 ? SYNC_6 : SYNC_1400));
	if (fields(d)) {
		where(d, m);
		peer(d, "src_peer", &u.peer[0], proto);
		peer(d, "dst_peer", &u.peer[1], proto);
		num(d, "expire", u.expire_sec);
		word(d, "timeout", timeout_name(u.timeout, t, sizeof(t)));
		num(d, "timeout_index", u.timeout);
		if (m->version == 6)
			flags(d, u.state_flags);
		else
			pad(d, "pad0", &u.state_flags, 1);
		pad(d, "pad", u.pad, sizeof(u.pad));
	}
	end(d);
}

static void
tdb_message(struct sync_dump *d, const struct sync_msg *m)
{
	char buf[INET6_ADDRSTRLEN];
	struct sync_tdb t;

	sync_tdb_decode(&t, m->body, m->dialect);
	begin(d, m->version, sync_kind_name(m->kind), NULL, NULL);
	address(buf, sizeof(buf), t.dst[1] == 2 ? SYNC_AF_INET : SYNC_AF_INET6, t.dst[1] == 2 ? t.dst + 4 : t.dst + 8);
	if (!d->json)
		fprintf(d->out, " spi %08x to %s", t.spi, buf);
	verdict(d, m->version < 5 ? SYNC_CNT_badver : SYNC_CNT_NONE);
	if (fields(d)) {
		where(d, m);
		key(d, "spi");
		fprintf(d->out, d->json ? "\"%08x\"" : "%08x", t.spi);
		word(d, "tdb_dst", buf);
		hex(d, "sockaddr", t.dst, sizeof(t.dst));
		num(d, "replay", t.replay);
		num(d, "bytes", t.bytes);
		num(d, "proto", t.proto);
		num(d, "updates", t.updates);
		num(d, "rdomain", t.rdomain);
	}
	end(d);
}

static void
small_message(struct sync_dump *d, const struct sync_msg *m)
{
	struct sync_ident i;
	struct sync_clr c;
	struct sync_bus b;

	switch (m->kind) {
	case SYNC_CLR:
		sync_clr_decode(&c, m->body);
		begin(d, m->version, "clr", &c.creatorid, NULL);
		if (!d->json) {
			fputs(" interface ", d->out);
			raw_str(d, c.ifname[0] ? c.ifname : "any", sizeof(c.ifname));
		}
		break;
	case SYNC_BUS:
		sync_bus_decode(&b, m->body);
		begin(d, m->version, "bus", &b.creatorid, NULL);
		if (!d->json)
			fprintf(d->out, " %s age %u", b.status == SYNC_BUS_START ? "start" : b.status == SYNC_BUS_END ? "end" : "?", b.endtime_sec);
		break;
	default:
		sync_ident_decode(&i, m->body);
		begin(d, m->version, sync_kind_name(m->kind), &i.creatorid, &i.id);
		if (!d->json && m->kind == SYNC_UPD_REQ && i.id == 0 && i.creatorid == 0)
			fputs(" everything", d->out);
	}
	verdict(d, m->version < 5 ? SYNC_CNT_badver : SYNC_CNT_NONE);
	if (fields(d)) {
		where(d, m);
		if (m->kind == SYNC_CLR)
			str(d, "ifname", c.ifname, sizeof(c.ifname));
		else if (m->kind == SYNC_BUS) {
			word(d, "status", b.status == SYNC_BUS_START ? "start" : b.status == SYNC_BUS_END ? "end" : "unknown");
			num(d, "status_code", b.status);
			num(d, "endtime", b.endtime_sec);
			pad(d, "pad", b.pad, sizeof(b.pad));
		} else if (m->kind == SYNC_UPD_REQ)
			boolean(d, "bulk", i.id == 0 && i.creatorid == 0);
	}
	end(d);
}

/* What has no body to show: deprecated messages, EOF. */
static void
bare_message(struct sync_dump *d, const struct sync_msg *m, bool skipped, enum sync_counter refused)
{
	begin(d, m->version, sync_kind_name(m->kind), NULL, NULL);
	if (!d->json && skipped)
		fprintf(d->out, " x%u skipped", m->count);
	verdict(d, refused);
	if (fields(d)) {
		where(d, m);
		boolean(d, "skipped", skipped);
	}
	end(d);
}

static void
message(struct sync_dump *d, const struct sync_msg *m)
{
	if (m->skipped) {
		if (m->kind == SYNC_UNKNOWN)
			invalid(d, m->version, "unknown", "action %u, %u messages, passed over by receivers", m->action, m->count);
		else if (m->version == 6 && (m->action == SYNC_ACT_CLR || m->action == SYNC_ACT_INS_ACK ||
			(m->action >= SYNC_ACT_UPD_C && m->action <= SYNC_ACT_DEL_C) || m->action == SYNC_ACT_BUS || m->action > SYNC_ACT_EOF))
			invalid(d, m->version, "short", "%s of %u bytes each, passed over by receivers", sync_kind_name(m->kind),
				m->count ? m->size / m->count : 0);
		else
			bare_message(d, m, true, m->version < 5 ? SYNC_CNT_badver : SYNC_CNT_NONE);
		return;
	}
	switch (m->kind) {
	case SYNC_INS:
	case SYNC_UPD:
	case SYNC_DEL:
		state_message(d, m);
		break;
	case SYNC_UPD_C:
		upd_c_message(d, m);
		break;
	case SYNC_TDB:
		tdb_message(d, m);
		break;
	case SYNC_EOF:
		bare_message(d, m, false, SYNC_CNT_NONE);
		break;
	default:
		small_message(d, m);
	}
}

static void
pfsync(struct sync_dump *d, const uint8_t *p, size_t len)
{
	struct sync_frame f;
	struct sync_msg m;
	unsigned version = len > 0 ? p[0] : 0;

	switch (sync_frame_open(&f, p, len, SYNC_ACCEPT_ALL)) {
	case SYNC_CNT_NONE:
		break;
	case SYNC_CNT_hdrops:
		invalid(d, version, "hdrops", "%zu bytes are no pfsync header", len);
		return;
	case SYNC_CNT_badver:
		if (version == 1)
			invalid(d, version, "badver", "version 1 (OpenBSD 3.3), raw kernel structures");
		else
			invalid(d, version, "badver", "version %u", version);
		return;
	case SYNC_CNT_badact:
		invalid(d, version, "badact", "action %u", f.action);
		return;
	default:
		if (version < 5)
			invalid(d, version, "badlen", "%u %s messages of %u bytes in %zu bytes", f.count, sync_kind_name(f.kind), f.size, len);
		else
			invalid(d, version, "badlen", "header says %u bytes, packet has %zu", sync_get16(p + 2), len);
		return;
	}
	if (f.version < 5 && f.count == 0)
		invalid(d, version, "empty", "no %s message", sync_kind_name(f.kind));
	while (sync_frame_next(&f, &m))
		message(d, &m);
	if (f.err == SYNC_CNT_badact && f.version == 5 && (f.action == SYNC_ACT_INS_F || f.action == SYNC_ACT_DEL_F)) {
		m = (struct sync_msg){ .kind = f.action == SYNC_ACT_INS_F ? SYNC_INS_F : SYNC_DEL_F, .version = 5, .action = f.action };
		bare_message(d, &m, false, SYNC_CNT_badact);
	} else if (f.err == SYNC_CNT_badact)
		invalid(d, version, "badact", "action %u with a length of %u bytes", f.action, f.size);
	else if (f.err == SYNC_CNT_badlen && f.eof)
		invalid(d, version, "badlen", "EOF is not the end");
	else if (f.err == SYNC_CNT_badlen)
		invalid(d, version, "badlen", "%s messages of %u bytes go beyond the packet", sync_kind_name(f.kind), f.size);
}

static void
carp(struct sync_dump *d, const uint8_t *p, size_t len)
{
	enum sync_carp_verdict v;
	struct sync_carp c;

	v = sync_carp_decode(&c, p, len);
	if (v == SYNC_CARP_VRRP) {
		d->vrrp++;
		return;
	}
	if (v == SYNC_CARP_BADLEN) {
		invalid(d, len > 0 ? p[0] >> 4 : 0, "badlen", "CARP of %zu bytes", len);
		return;
	}
	begin(d, c.version, "carp", NULL, NULL);
	if (!d->json)
		fprintf(d->out, " vhid %u advbase %u advskew %u demote %u%s%s", c.vhid, c.advbase, c.advskew, c.demote,
			c.advbase == 255 && c.advskew == 255 ? " (leaves)" : "", v == SYNC_CARP_BADSUM ? " [badsum]" : v == SYNC_CARP_BADVER ? " [badver]" : "");
	else if (v != SYNC_CARP_OK)
		word(d, "refused", sync_carp_verdict_name(v));
	else if (d->ttl != SYNC_TTL)
		word(d, "refused", "badttl");
	if (fields(d)) {
		num(d, "vhid", c.vhid);
		num(d, "advbase", c.advbase);
		num(d, "advskew", c.advskew);
		num(d, "demote", c.demote);
		num(d, "type", c.type);
		num(d, "authlen", c.authlen);
		key(d, "checksum");
		fprintf(d->out, d->json ? "\"%04x\"" : "%04x", c.cksum);
		boolean(d, "checksum_ok", v != SYNC_CARP_BADSUM);
		key(d, "counter");
		fprintf(d->out, d->json ? "\"%016" PRIx64 "\"" : "%016" PRIx64, c.counter);
		hex(d, "digest", c.digest, sizeof(c.digest));
	}
	end(d);
}

static void
payload(struct sync_dump *d, unsigned proto, const uint8_t *p, size_t len)
{
	if (proto == SYNC_IPPROTO)
		pfsync(d, p, len);
	else
		carp(d, p, len);
}

static bool
ours(unsigned proto)
{
	return proto == SYNC_IPPROTO || proto == SYNC_CARP_IPPROTO;
}

static void
ip4(struct sync_dump *d, const uint8_t *p, size_t len)
{
	size_t hlen, total;

	if (len < 20 || !ours(p[9]))
		return;
	hlen = (p[0] & 15u) * 4;
	total = sync_get16(p + 2);
	inet_ntop(AF_INET, p + 12, d->src, sizeof(d->src));
	inet_ntop(AF_INET, p + 16, d->dst, sizeof(d->dst));
	d->ttl = p[8];
	if (hlen < 20 || total < hlen)
		invalid(d, 0, "ip", "IP header of %zu bytes in a packet of %zu", hlen, total);
	else if (total > len)
		invalid(d, 0, "truncated", "%zu of %zu bytes captured", len, total);
	else if (sync_get16(p + 6) & 0x3fff)
		invalid(d, 0, "fragment", "an IP fragment at %u", (sync_get16(p + 6) & 0x1fff) * 8);
	else
		payload(d, p[9], p + hlen, total - hlen);
}

static void
ip6(struct sync_dump *d, const uint8_t *p, size_t len)
{
	size_t total, off = 40;
	unsigned proto;

	if (len < 40)
		return;
	total = 40 + (size_t)sync_get16(p + 4);
	proto = p[6];
	for (unsigned n = 0; n < EXT_MAX && (proto == EXT_HOPOPTS || proto == EXT_DSTOPTS) && len >= off + 8; n++) {
		proto = p[off];
		off += (p[off + 1] + 1u) * 8;
	}
	if (proto == EXT_FRAGMENT && len >= off + 8 && ours(p[off])) {
		inet_ntop(AF_INET6, p + 8, d->src, sizeof(d->src));
		inet_ntop(AF_INET6, p + 24, d->dst, sizeof(d->dst));
		d->ttl = p[7];
		invalid(d, 0, "fragment", "an IPv6 fragment at %u", sync_get16(p + off + 2) & 0xfff8);
		return;
	}
	if (!ours(proto))
		return;
	inet_ntop(AF_INET6, p + 8, d->src, sizeof(d->src));
	inet_ntop(AF_INET6, p + 24, d->dst, sizeof(d->dst));
	d->ttl = p[7];
	if (total < off)
		invalid(d, 0, "ip", "IPv6 headers of %zu bytes in a packet of %zu", off, total);
	else if (total > len)
		invalid(d, 0, "truncated", "%zu of %zu bytes captured", len, total);
	else
		payload(d, proto, p + off, total - off);
}

void
sync_dump_packet(struct sync_dump *d, const struct sync_pcap_pkt *pkt)
{
	const uint8_t *p;
	size_t off, len;

	d->packets++;
	d->time_ns = pkt->time_ns;
	d->src[0] = d->dst[0] = '\0';
	d->ttl = -1;
	switch (sync_link_find(pkt->linktype, pkt->data, pkt->len, &off)) {
	case SYNC_LINK_UNKNOWN:
		d->unknown_link = 1u + pkt->linktype;
		return;
	case SYNC_LINK_OTHER:
		return;
	case SYNC_LINK_PFSYNC:
		if (pkt->len < pkt->orig_len)
			invalid(d, pkt->len > 0 ? pkt->data[0] : 0, "truncated", "%u of %u bytes captured", pkt->len, pkt->orig_len);
		else
			pfsync(d, pkt->data, pkt->len);
		return;
	case SYNC_LINK_IP:
		break;
	}
	if (off >= pkt->len)
		return;
	p = pkt->data + off;
	len = pkt->len - off;
	if (p[0] >> 4 == 4)
		ip4(d, p, len);
	else if (p[0] >> 4 == 6)
		ip6(d, p, len);
}
