/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two boxes in one process, a cable between them that this test holds: it may lose, double, reorder and spoil what goes by.
 * Seeds are fixed; TWINPATH_SEED and TWINPATH_ROUNDS change them.
 *
 * What must hold whatever the cable does: nothing crashes, no state exists on one box that never existed on the other, no
 * sequence window, TCP state or name ever goes backwards. What must hold on a good cable: both tables are the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fastpath/tcp_track.h"
#include "rig/rig.h"
#include "sync/pair.h"

#define FLOWS 60

static struct rig *box[2];
static uint64_t rng;
static struct { unsigned loss, dup, reorder, corrupt; bool cut; } cable;
static uint64_t carried, spoiled;

static uint32_t
rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng >> 32;
}

static bool
chance(unsigned percent)
{
	return rnd() % 100 < percent;
}

static void
deliver(struct rig *to, struct rte_mbuf *m)
{
	uint8_t f[9300];
	unsigned len = rte_pktmbuf_pkt_len(m);

	memcpy(f, rte_pktmbuf_mtod(m, void *), len);
	carried++;
	if (chance(cable.corrupt)) {
		/* behind the IP header: the sum of that one would find it */
		for (unsigned n = 1 + rnd() % 4; n > 0; n--)
			f[34 + rnd() % (len - 34)] ^= 1u << rnd() % 8;
		spoiled++;
	}
	rig_cable_put(to, f, len);
}

/* Carry what waits, let both boxes run; until it is quiet. */
static void
carry(unsigned rounds)
{
	static struct rte_mbuf *q[2][RIG_CABLE];
	static unsigned n[2];

	for (unsigned k = 0; k < rounds; k++) {
		for (int i = 0; i < 2; i++) {
			struct rig *r = box[i];

			for (unsigned j = 0; j < r->n_cable; j++) {
				if (cable.cut || chance(cable.loss) || n[i] == RIG_CABLE) {
					rte_pktmbuf_free(r->cable[j]);
					continue;
				}
				q[i][n[i]++] = r->cable[j];
			}
			r->n_cable = 0;
		}
		for (int i = 0; i < 2; i++) {
			unsigned keep = 0;

			for (unsigned j = 0; j < n[i]; j++) {
				if (k + 1 < rounds && chance(cable.reorder)) {
					q[i][keep++] = q[i][j];
					continue;
				}
				deliver(box[!i], q[i][j]);
				if (chance(cable.dup))
					deliver(box[!i], q[i][j]);
				rte_pktmbuf_free(q[i][j]);
			}
			n[i] = keep;
		}
		for (int i = 0; i < 2; i++) {
			rig_skip_us(box[i], 3000);
			rig_turn(box[i]);
		}
	}
}

static void
perfect(void)
{
	memset(&cable, 0, sizeof(cable));
}

/* ---- traffic: TCP flows with real windows, UDP, ping */
struct flow { uint32_t cseq, sseq; uint8_t stage; uint16_t port; };
static struct flow flows[FLOWS];
static uint16_t next_port = 1024;

static unsigned
send_tcp(struct rig *r, struct flow *f, bool client, uint8_t flags, unsigned len)
{
	uint8_t b[2048];
	unsigned n = client ? rig_tcp4(b, "10.0.2.100", "10.0.1.100", f->port, 80, flags, f->cseq, f->sseq, len) :
		rig_tcp4(b, "10.0.1.100", "10.0.2.100", 80, f->port, flags, f->sseq, f->cseq, len);

	return rig_ip(r, client ? RIG_INT : RIG_EXT, b, n);
}

static void
step(struct rig *r, struct flow *f)
{
	unsigned len = rnd() % 1400;
	uint8_t b[200];

	switch (f->stage) {
	case 0:
		f->port = next_port++;
		f->cseq = rnd();
		f->sseq = rnd();
		if (f->port % 8 == 0) {
			rig_ip(r, RIG_INT, b, rig_udp4(b, "10.0.2.100", "10.0.1.100", f->port, 53, 20));
			f->stage = 20;
			break;
		}
		if (f->port % 8 == 1) {
			rig_ip(r, RIG_INT, b, rig_icmp4(b, "10.0.2.100", "10.0.1.100", 8, 0, f->port, NULL, 0));
			f->stage = 30;
			break;
		}
		{
			uint32_t sseq = f->sseq;

			f->sseq = 0;
			send_tcp(r, f, true, FP_TH_SYN, 0);
			f->sseq = sseq;
		}
		f->cseq++;
		f->stage = 1;
		break;
	case 1:
		send_tcp(r, f, false, FP_TH_SYN | FP_TH_ACK, 0);
		f->sseq++;
		f->stage = 2;
		break;
	case 2:
		send_tcp(r, f, true, FP_TH_ACK, 0);
		f->stage = 3;
		break;
	case 3:
		if (chance(50)) {
			send_tcp(r, f, true, FP_TH_ACK | FP_TH_PUSH, len);
			f->cseq += len;
		} else {
			send_tcp(r, f, false, FP_TH_ACK | FP_TH_PUSH, len);
			f->sseq += len;
		}
		if (chance(4))
			f->stage = 4;
		break;
	case 4:
		send_tcp(r, f, true, FP_TH_FIN | FP_TH_ACK, 0);
		f->cseq++;
		f->stage = 5;
		break;
	case 5:
		send_tcp(r, f, false, FP_TH_FIN | FP_TH_ACK, 0);
		f->sseq++;
		f->stage = 6;
		break;
	case 6:
		send_tcp(r, f, true, FP_TH_ACK, 0);
		f->stage = chance(50) ? 0 : 7;
		break;
	case 20:
		rig_ip(r, RIG_EXT, b, rig_udp4(b, "10.0.1.100", "10.0.2.100", 53, f->port, 20));
		f->stage = chance(30) ? 0 : 21;
		break;
	case 21:
		rig_ip(r, RIG_INT, b, rig_udp4(b, "10.0.2.100", "10.0.1.100", f->port, 53, 20));
		f->stage = 20;
		break;
	case 30:
		rig_ip(r, RIG_EXT, b, rig_icmp4(b, "10.0.1.100", "10.0.2.100", 0, 0, f->port, NULL, 0));
		f->stage = 0;
		break;
	}
	rig_clear(r);
}

static void
traffic(struct rig *r, unsigned packets)
{
	for (unsigned i = 0; i < packets; i++)
		step(r, &flows[rnd() % FLOWS]);
}

/* ---- tables */
struct dump { struct fp_state_view *v; unsigned n, cap; };

static int
dump_one(void *arg, const struct fp_state_view *v)
{
	struct dump *d = arg;

	if (d->n == d->cap) {
		d->cap = d->cap != 0 ? d->cap * 2 : 256;
		d->v = realloc(d->v, d->cap * sizeof(*d->v));
		assert_non_null(d->v);
	}
	d->v[d->n++] = *v;
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	const struct fp_state_view *x = a, *y = b;

	if (x->creatorid != y->creatorid)
		return x->creatorid < y->creatorid ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void
dump(struct rig *r, struct dump *d)
{
	d->n = 0;
	assert_int_equal(fp_states_foreach(r->box, NULL, dump_one, d), 0);
	qsort(d->v, d->n, sizeof(*d->v), by_name);
}

static void
print_state(const char *who, const struct fp_state_view *v)
{
	printf("%s %016lx/%08x dir %u proto %u %u-%u src %u..%u win %u st %u dst %u..%u win %u st %u tm %u age %u exp %u\n", who, v->id, v->creatorid,
		v->direction, v->proto, v->wire[0].port, v->wire[1].port, v->src.seqlo, v->src.seqhi, v->src.max_win, v->src.state,
		v->dst.seqlo, v->dst.seqhi, v->dst.max_win, v->dst.state, v->timeout, v->age_sec, v->expires_sec);
}

static bool
same_key(const struct fp_state_view *a, const struct fp_state_view *b)
{
	return a->proto == b->proto && a->direction == b->direction && a->af == b->af && a->ifid == b->ifid &&
		memcmp(a->wire, b->wire, sizeof(a->wire)) == 0;
}

static bool
same_peer(const struct fp_peer_view *a, const struct fp_peer_view *b)
{
	return a->seqlo == b->seqlo && a->seqhi == b->seqhi && a->seqdiff == b->seqdiff && a->max_win == b->max_win &&
		a->mss == b->mss && a->state == b->state && a->wscale == b->wscale && a->scrub == b->scrub;
}

static bool
same(const struct fp_state_view *a, const struct fp_state_view *b)
{
	return same_key(a, b) && same_peer(&a->src, &b->src) && same_peer(&a->dst, &b->dst) &&
		a->timeout == b->timeout && abs((int)a->expires_sec - (int)b->expires_sec) <= 1 &&
		abs((int)a->age_sec - (int)b->age_sec) <= 1;
}

/* States of the boxes that differ or are on one box alone. */
static unsigned
differences(bool print)
{
	static struct dump d[2];
	unsigned i = 0, j = 0, n = 0;

	dump(box[0], &d[0]);
	dump(box[1], &d[1]);
	while (i < d[0].n || j < d[1].n) {
		int c = i == d[0].n ? 1 : j == d[1].n ? -1 : by_name(&d[0].v[i], &d[1].v[j]);

		if (c == 0 && same(&d[0].v[i], &d[1].v[j])) {
			i++;
			j++;
			continue;
		}
		n++;
		if (print && n < 10) {
			if (c <= 0)
				print_state("A", &d[0].v[i]);
			if (c >= 0)
				print_state("B", &d[1].v[j]);
		}
		i += c <= 0;
		j += c >= 0;
	}
	return n;
}

/* Quiet on all sides, the windows' news included. */
static void
come_to_rest(void)
{
	perfect();
	carry(20);
}

static int
setup(void **state)
{
	(void)state;
	rng = 88172645463325252ull ^ (getenv("TWINPATH_SEED") != NULL ? strtoull(getenv("TWINPATH_SEED"), NULL, 0) * 2654435761u : 0);
	perfect();
	memset(flows, 0, sizeof(flows));
	for (unsigned i = 0; i < 2; i++) {
		box[i] = rig_create_n("set timeout interval 1\npass\n", i, true, 20000);
		if (box[i] == NULL)
			return -1;
	}
	carry(50);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	rig_destroy(box[0]);
	rig_destroy(box[1]);
	return 0;
}

/* ---- tests */
static void
both_the_same(void **state)
{
	struct sync_info a, b;

	(void)state;
	for (int i = 0; i < 40; i++) {
		traffic(box[0], 50);
		carry(3);
	}
	come_to_rest();
	assert_true(rig_states(box[0]) > FLOWS);
	assert_int_equal(differences(true), 0);
	sync_info_get(sync_of(box[0]->box), &a);
	sync_info_get(sync_of(box[1]->box), &b);
	assert_true(a.twin && b.twin);
	assert_int_equal(a.counters[SYNC_CNT_stale] + b.counters[SYNC_CNT_stale], 0);
	assert_int_equal(a.counters[SYNC_CNT_badstate] + b.counters[SYNC_CNT_badstate], 0);
	assert_int_equal(b.lost, 0);
	assert_int_equal(a.health, SYNC_HEALTH_IN_SYNC);
}

/* Traffic goes on through the other box: from one packet to the next, without a word between them. */
static void
takeover(void **state)
{
	unsigned dropped = 0;

	(void)state;
	for (int i = 0; i < 10; i++) {
		traffic(box[0], 50);
		carry(3);
	}
	/* much data that the peer has not heard of: 120 packets of each, fewer than maxupd */
	for (unsigned i = 0; i < FLOWS; i++)
		for (int k = 0; k < 120 && flows[i].stage == 3; k++) {
			send_tcp(box[0], &flows[i], false, FP_TH_ACK, 1400);
			flows[i].sseq += 1400;
			if (k & 1)
				send_tcp(box[0], &flows[i], true, FP_TH_ACK, 0);
			rig_clear(box[0]);
		}
	cable.cut = true;
	carry(2);
	for (unsigned i = 0; i < FLOWS; i++) {
		if (flows[i].stage != 3)
			continue;
		for (int k = 0; k < 5; k++) {
			dropped += send_tcp(box[1], &flows[i], false, FP_TH_ACK, 1400) != 1;
			flows[i].sseq += 1400;
			dropped += send_tcp(box[1], &flows[i], true, FP_TH_ACK, 0) != 1;
			rig_clear(box[1]);
		}
	}
	assert_int_equal(dropped, 0);
	perfect();
	come_to_rest();
	/* and back */
	for (unsigned i = 0; i < FLOWS; i++)
		if (flows[i].stage == 3)
			dropped += send_tcp(box[0], &flows[i], true, FP_TH_ACK, 0) != 1;
	assert_int_equal(dropped, 0);
	rig_clear(box[0]);
	come_to_rest();
}

/* Before a planned handover: the peer has the last change, whatever the cable did, and says so. */
static void
level(void **state)
{
	struct fp_err err;
	unsigned n;

	(void)state;
	come_to_rest();
	for (int i = 0; i < 5; i++) {
		cable.loss = 20;
		traffic(box[0], 100);
		carry(1);
		assert_int_equal(sync_level(sync_of(box[0]->box), &err), 0);
		for (n = 0; n < 200 && sync_level_done(sync_of(box[0]->box)) == 0; n++)
			carry(1);
		assert_int_equal(sync_level_done(sync_of(box[0]->box)), 1);
		perfect();
		carry(1);	/* what the thread has, the worker takes in its next turn */
		assert_int_equal(differences(true), 0);
	}
}

/* Client's packets through one box, server's through the other. */
static void
asymmetric(void **state)
{
	unsigned lost = 0;

	(void)state;
	for (int i = 0; i < 40; i++) {
		struct flow f = { .port = next_port++, .cseq = rnd(), .sseq = 0 };

		send_tcp(box[0], &f, true, FP_TH_SYN, 0);
		f.cseq++;
		f.sseq = rnd();
		carry(2);
		lost += send_tcp(box[1], &f, false, FP_TH_SYN | FP_TH_ACK, 0) != 1;
		f.sseq++;
		carry(2);
		lost += send_tcp(box[0], &f, true, FP_TH_ACK, 0) != 1;
		carry(2);
		for (int k = 0; k < 30; k++) {
			lost += send_tcp(box[1], &f, false, FP_TH_ACK, 1400) != 1;
			f.sseq += 1400;
			carry(2);
			lost += send_tcp(box[0], &f, true, FP_TH_ACK, 0) != 1;
			carry(2);
		}
		rig_clear(box[0]);
		rig_clear(box[1]);
	}
	assert_int_equal(lost, 0);
}

/* Everything at once on a bad cable: after every turn no field of any state has gone backwards. */
struct past { struct dump d; };

static bool
forward_only(const struct fp_peer_view *was, const struct fp_peer_view *is, uint8_t proto)
{
	if (proto != 6)
		return is->state >= was->state;
	if (was->seqlo == 0 || was->state < FP_TCPS_SYN_SENT) /* not heard yet: there were no numbers */
		return is->state >= was->state;
	return is->state >= was->state && (int32_t)(is->seqlo - was->seqlo) >= 0 && (int32_t)(is->seqhi - was->seqhi) >= 0 &&
		is->max_win >= was->max_win;
}

static unsigned
rollbacks(struct rig *r, struct past *p, bool corrupt)
{
	static struct dump now;
	unsigned n = 0, i = 0;

	dump(r, &now);
	for (unsigned j = 0; j < now.n && p->d.n != 0; j++) {
		while (i < p->d.n && by_name(&p->d.v[i], &now.v[j]) < 0)
			i++;
		if (i == p->d.n || by_name(&p->d.v[i], &now.v[j]) != 0)
			continue;
		if (!same_key(&p->d.v[i], &now.v[j]) || !forward_only(&p->d.v[i].src, &now.v[j].src, now.v[j].proto) ||
		    !forward_only(&p->d.v[i].dst, &now.v[j].dst, now.v[j].proto)) {
			if (n++ < 3 && !corrupt) {
				print_state("was", &p->d.v[i]);
				print_state("is ", &now.v[j]);
			}
		}
	}
	p->d.n = 0;
	for (unsigned j = 0; j < now.n; j++)
		dump_one(&p->d, &now.v[j]);
	return n;
}

static void
bad_cable(void **state)
{
	static struct past past[2];
	unsigned rounds = getenv("TWINPATH_ROUNDS") != NULL ? (unsigned)atoi(getenv("TWINPATH_ROUNDS")) : 60, back = 0, differ;
	struct sync_info info;

	(void)state;
	for (unsigned loss = 0; loss <= 20; loss += 5) {
		for (unsigned i = 0; i < rounds; i++) {
			cable.loss = loss;
			cable.dup = loss / 2;
			cable.reorder = loss;
			cable.cut = i % 20 == 19;
			traffic(box[rnd() % 8 == 0], 20);
			carry(2);
			for (int k = 0; k < 2; k++)
				back += rollbacks(box[k], &past[k], false);
		}
		come_to_rest();
		differ = differences(false);
		sync_info_get(sync_of(box[1]->box), &info);
		printf("loss %2u %%, duplicated %u %%, reordered %u %%: %u states, %u differ at rest; lost %lu packets\n", loss, loss / 2, loss,
			rig_states(box[0]), differ, info.lost);
	}
	assert_int_equal(back, 0);
	/* spoiled bytes make what plain pfsync cannot tell from the truth; no crash, limits hold, the boxes go on */
	cable.loss = 5;
	cable.corrupt = 30;
	for (unsigned i = 0; i < rounds; i++) {
		traffic(box[0], 20);
		carry(2);
	}
	perfect();
	assert_true(rig_states(box[1]) <= 20000);
	fp_states_flush(box[0]->box, NULL);
	fp_states_flush(box[1]->box, NULL);
	carry(20);
	memset(flows, 0, sizeof(flows));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_the_same), cmocka_unit_test(takeover), cmocka_unit_test(level),
		cmocka_unit_test(asymmetric), cmocka_unit_test(bad_cable),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
