/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The codec against captures of real OpenBSD and FreeBSD pairs, which are not part of this repository. Every frame is
 * decoded, written down in the words of the decoded text that lies beside the capture, compared with that line by line,
 * and encoded again to the same bytes. CARP likewise. Arguments: folders to look for vectors/ in; exit status 77
 * (skipped) where there are none.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sync/bytes.h"
#include "sync/carp_codec.h"
#include "sync/pcap_read.h"
#include "sync/pfsync_codec.h"
#include "sync/pfsyncdump_print.h"

static char root[4096];
static unsigned n_captures, n_lines, n_frames, n_carp;

static const char *
upper(enum sync_kind k)
{
	static const char *const names[] = { "CLR", "INS", "INS_ACK", "UPD", "UPD_C", "UPD_REQ", "DEL", "DEL_C", "INS_F", "DEL_F",
		"BUS", "TDB", "EOF" };

	assert_true(k < SYNC_UNKNOWN);
	return names[k];
}

static void
put_peers(FILE *out, const struct sync_peer p[2])
{
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(p[i].scrub_valid | p[i].scrub_flags | p[i].scrub_ttl | p[i].ts_mod | p[i].seqdiff, 0);
		fprintf(out, "%s(st=%u lo=%u hi=%u win=%u mss=%u ws=0x%x)", i ? " dst" : "src", p[i].state, p[i].seqlo, p[i].seqhi,
			p[i].max_win, p[i].mss, p[i].wscale);
	}
}

static unsigned
raw_af(unsigned af, bool v6)
{
	return af == SYNC_AF_INET ? 2 : af != SYNC_AF_INET6 ? af : v6 ? 24 : 28;
}

static void
put_key(FILE *out, const struct sync_state *s, unsigned side, bool v6)
{
	const struct sync_key *k = &s->key[side];
	int af = sync_key_af(s, side) == SYNC_AF_INET ? AF_INET : AF_INET6;
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];

	inet_ntop(af, k->addr[0], a, sizeof(a));
	inet_ntop(af, k->addr[1], b, sizeof(b));
	fprintf(out, "[%s:%u,%s:%u", a, k->port[0], b, k->port[1]);
	if (v6)
		fprintf(out, " af%u", raw_af(k->af, true));
	putc(']', out);
}

static bool
same_keys(const struct sync_state *s)
{
	return memcmp(s->key[0].addr, s->key[1].addr, sizeof(s->key[0].addr)) == 0 && s->key[0].port[0] == s->key[1].port[0] &&
		s->key[0].port[1] == s->key[1].port[1];
}

static void
put_state(FILE *out, const struct sync_state *s, bool v6)
{
	static const uint8_t none[16];

	fprintf(out, "      %016" PRIx64 "/%08x %.16s ", s->id, s->creatorid, s->ifname);
	if (!v6)
		fprintf(out, "af %u ", raw_af(s->af, v6));
	fprintf(out, "proto %u %s wire", s->proto, s->direction == SYNC_DIR_IN ? "in" : "out");
	put_key(out, s, SYNC_WIRE, v6);
	if (same_keys(s))
		fputs(" stack=same", out);
	else {
		fputs(" stack", out);
		put_key(out, s, SYNC_STACK, v6);
	}
	fputs("\n        ", out);
	put_peers(out, s->peer);
	fprintf(out, "\n        rule %d anchor %d natrule %d age %u expire %u tmo %s pkts (%u, %u, %u, %u) bytes (%u, %u, %u, %u)",
		(int)s->rule, (int)s->anchor, (int)s->nat_rule, s->creation_sec, s->expire_sec, sync_timeout_name(s->timeout),
		(unsigned)(s->packets[0] >> 32), (unsigned)s->packets[0], (unsigned)(s->packets[1] >> 32), (unsigned)s->packets[1],
		(unsigned)(s->bytes[0] >> 32), (unsigned)s->bytes[0], (unsigned)(s->bytes[1] >> 32), (unsigned)s->bytes[1]);
	assert_memory_equal(s->rt_addr, none, sizeof(none));
	if (v6)
		fprintf(out, " rtable (%d, %d) max_mss %u min_ttl %u set_tos 0x%x log %u rt %u rtaddr 0 sync_flags 0x%x updates %u "
			"flags 0x%x(%s) prio %u,%u\n", s->rtableid[0], s->rtableid[1], s->max_mss, s->min_ttl, s->set_tos, s->log, s->rt,
			s->sync_flags, s->updates, s->state_flags, s->state_flags & SYNC_F_ACK ? "ACK" : "", s->set_prio[0], s->set_prio[1]);
	else
		fprintf(out, " spare 0x%x,0x%x log %u rtaddr 0 state_flags 0x%x(%s) sync_flags 0x%x updates %u\n", s->spare[0], s->spare[1],
			s->log, s->state_flags, s->state_flags & SYNC_F_ACK ? "ACK" : "", s->sync_flags, s->updates);
}

/* Writes one message to text and to the frame being rebuilt. */
static void
put_message(FILE *text, struct sync_out *o, const struct sync_msg *m)
{
	bool v6 = m->version == 6, ok;
	struct sync_upd_c u;
	struct sync_ident i;
	struct sync_state s;
	struct sync_clr c;
	struct sync_bus b;

	if (m->index == 0) {
		sync_out_break(o);
		fprintf(text, "    %s ", upper(m->kind));
		if (v6)
			fprintf(text, "msglen %u ", m->size);
		fprintf(text, "count %u\n", m->count);
	}
	switch (m->kind) {
	case SYNC_INS:
	case SYNC_UPD:
	case SYNC_DEL:
		sync_state_decode(&s, m->body, m->dialect);
		assert_int_equal(sync_state_check(&s, m->kind, m->dialect), SYNC_CNT_NONE);
		put_state(text, &s, v6);
		ok = sync_out_state(o, m->kind, &s);
		break;
	case SYNC_UPD_C:
		sync_upd_c_decode(&u, m->body);
		assert_int_equal(sync_upd_c_check(&u, m->dialect), SYNC_CNT_NONE);
		fprintf(text, "      %016" PRIx64 "/%08x ", u.id, u.creatorid);
		put_peers(text, u.peer);
		fprintf(text, v6 ? " expire %u tmo %s flags %x pad %02x%02x\n" : " expire %u tmo %s pad %02x%02x%02x\n", u.expire_sec,
			sync_timeout_name(u.timeout), u.state_flags, u.pad[0], u.pad[1]);
		ok = sync_out_upd_c(o, &u);
		break;
	case SYNC_CLR:
		sync_clr_decode(&c, m->body);
		fprintf(text, "      ifname '%.16s' creator %08x\n", c.ifname, c.creatorid);
		ok = sync_out_clr(o, &c);
		break;
	case SYNC_BUS:
		sync_bus_decode(&b, m->body);
		fprintf(text, "      creator %08x endtime %u status %s", b.creatorid, b.endtime_sec, b.status == 1 ? "START" : "END");
		if (!v6)
			fprintf(text, " pad %02x%02x%02x", b.pad[0], b.pad[1], b.pad[2]);
		putc('\n', text);
		ok = sync_out_bus(o, &b);
		break;
	case SYNC_EOF:
		ok = true;
		break;
	default:
		sync_ident_decode(&i, m->body);
		fprintf(text, "      %016" PRIx64 "/%08x\n", i.id, i.creatorid);
		ok = sync_out_ident(o, m->kind, &i);
	}
	assert_true(ok);
}

static void
put_frame(FILE *text, const uint8_t *ip, size_t len, double t)
{
	size_t hlen = (ip[0] & 15u) * 4, frame_len = sync_get16(ip + 2) - hlen, got;
	char src[INET_ADDRSTRLEN], dst[INET_ADDRSTRLEN];
	const uint8_t *p = ip + hlen;
	static const uint8_t zero[16];
	uint8_t again[2048];
	struct sync_frame f;
	struct sync_out o;
	struct sync_msg m;

	assert_true(len >= hlen + frame_len && frame_len <= sizeof(again));
	inet_ntop(AF_INET, ip + 12, src, sizeof(src));
	inet_ntop(AF_INET, ip + 16, dst, sizeof(dst));
	assert_int_equal(sync_carrier_check(true, ip[8]), SYNC_CNT_NONE);
	assert_int_equal(sync_frame_open(&f, p, frame_len, SYNC_ACCEPT_6 | SYNC_ACCEPT_5), SYNC_CNT_NONE);
	fprintf(text, "%9.4f %s>%s tos 0x%x ttl %u off 0x%x iplen %u pfsync v%u pad=%u len=%u cksum=", t, src, dst, ip[1], ip[8],
		sync_get16(ip + 6), sync_get16(ip + 2), f.version, p[1], sync_get16(p + 2));
	if (memcmp(f.cksum, zero, 16) == 0)
		putc('0', text);
	else
		for (unsigned i = 0; i < 16; i++)
			fprintf(text, "%02x", f.cksum[i]);
	putc('\n', text);
	sync_out_init(&o, again, sizeof(again), f.version == 6 ? SYNC_6 : SYNC_1301, f.cksum);
	while (sync_frame_next(&f, &m))
		put_message(text, &o, &m);
	assert_int_equal(f.err, SYNC_CNT_NONE);
	got = sync_out_close(&o);
	assert_int_equal(got, frame_len);
	assert_memory_equal(again, p, got);
	n_frames++;
}

/* Line by line, so that a difference is seen at once. A trailing digit of the time may be rounded the other way. */
static void
compare(const char *path, char *got, const char *name)
{
	FILE *f = fopen(path, "r");
	char line[2048], *save = NULL, *g = strtok_r(got, "\n", &save);
	unsigned n = 0;

	assert_non_null(f);
	for (; fgets(line, sizeof(line), f) != NULL; g = strtok_r(NULL, "\n", &save)) {
		size_t skip;

		n++;
		line[strcspn(line, "\n")] = '\0';
		if (g == NULL) {
			print_error("%s:%u: nothing decoded for: %s\n", name, n, line);
			fail();
		}
		skip = line[0] == ' ' && line[1] != '\0' && strspn(line, " 0123456789") == 4 && line[4] == '.' ? 9 : 0;
		if (skip != 0 && (strlen(g) < skip || strtod(g, NULL) - strtod(line, NULL) > 0.00015 ||
			strtod(line, NULL) - strtod(g, NULL) > 0.00015))
			skip = 0;
		if (strcmp(line + skip, g + skip) != 0) {
			print_error("%s:%u: want %s\n%s:%u: got  %s\n", name, n, line, name, n, g);
			fail();
		}
	}
	fclose(f);
	assert_null(g);
	n_lines += n;
}

static struct sync_pcap *
open_capture(FILE *in)
{
	char err[160] = "";
	struct sync_pcap *r = sync_pcap_open(in, err, sizeof(err));

	assert_string_equal(err, "");
	assert_non_null(r);
	return r;
}

static void
check_sync(const char *dir, const char *name)
{
	char path[3 * sizeof(root)], want[3 * sizeof(root)], err[160], *text = NULL;
	struct sync_pcap_pkt pkt;
	struct sync_pcap *r;
	uint64_t t0 = 0;
	size_t size, off;
	FILE *in, *out;
	int rc;

	snprintf(path, sizeof(path), "%s/sync.pcap", dir);
	snprintf(want, sizeof(want), "%s/sync.pfsync.txt", dir);
	if (access(want, R_OK) != 0 || (in = fopen(path, "rb")) == NULL)
		return;
	out = open_memstream(&text, &size);
	r = open_capture(in);
	while ((rc = sync_pcap_next(r, &pkt, err, sizeof(err))) > 0) {
		if (sync_link_find(pkt.linktype, pkt.data, pkt.len, &off) != SYNC_LINK_IP || pkt.data[off + 9] != SYNC_IPPROTO)
			continue;
		if (t0 == 0)
			t0 = pkt.time_ns;
		put_frame(out, pkt.data + off, pkt.len - off, (double)(pkt.time_ns - t0) / 1e9);
	}
	assert_int_equal(rc, 0);
	sync_pcap_close(r);
	fclose(in);
	fclose(out);
	compare(want, text, name);
	free(text);
	n_captures++;
}

/* Every advertisement decodes, its checksum is right, and it encodes to itself; the printer finds nothing invalid. */
static void
check_carp(const char *dir, const char *file)
{
	char path[3 * sizeof(root)], err[160];
	struct sync_dump d = { .json = true };
	struct sync_pcap_pkt pkt;
	struct sync_pcap *r;
	size_t off;
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	if ((in = fopen(path, "rb")) == NULL)
		return;
	d.out = fopen("/dev/null", "w");
	r = open_capture(in);
	while (sync_pcap_next(r, &pkt, err, sizeof(err)) > 0) {
		const uint8_t *p;
		uint8_t again[SYNC_CARP_SIZE];
		struct sync_carp c;

		sync_dump_packet(&d, &pkt);
		if (sync_link_find(pkt.linktype, pkt.data, pkt.len, &off) != SYNC_LINK_IP)
			continue;
		p = pkt.data + off;
		if (p[p[0] >> 4 == 4 ? 9 : 6] != SYNC_CARP_IPPROTO)
			continue;
		p += p[0] >> 4 == 4 ? 20 : 40;
		assert_int_equal(sync_carp_decode(&c, p, (size_t)(pkt.data + pkt.len - p)), SYNC_CARP_OK);
		sync_carp_encode(&c, again);
		assert_memory_equal(again, p, sizeof(again));
		n_carp++;
	}
	assert_int_equal(d.invalid, 0);
	sync_pcap_close(r);
	fclose(in);
	fclose(d.out);
}

static void
each(const char *system)
{
	char dir[2 * sizeof(root)], name[sizeof(root)];
	struct dirent **v;
	int n;

	snprintf(dir, sizeof(dir), "%s/%s", root, system);
	n = scandir(dir, &v, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		snprintf(dir, sizeof(dir), "%s/%s/%s", root, system, v[i]->d_name);
		snprintf(name, sizeof(name), "%s/%s", system, v[i]->d_name);
		if (v[i]->d_name[0] != '.') {
			check_sync(dir, name);
			check_carp(dir, "ext.pcap");
			check_carp(dir, "int.pcap");
		}
		free(v[i]);
	}
	free(v);
}

static void
test_captures(void **state)
{
	each("openbsd");
	each("freebsd");
	print_message("%u captures, %u frames, %u lines, %u advertisements\n", n_captures, n_frames, n_lines, n_carp);
	assert_true(n_captures >= 20 && n_frames > 1000 && n_carp > 100);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_captures) };

	for (int i = 1; i < argc && root[0] == '\0'; i++) {
		snprintf(root, sizeof(root), "%s/vectors", argv[i]);
		if (access(root, R_OK) != 0)
			root[0] = '\0';
	}
	if (root[0] == '\0') {
		printf("skipped: there is no ../shared/vectors\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
