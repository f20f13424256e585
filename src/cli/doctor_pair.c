/* SPDX-License-Identifier: BSD-2-Clause */
/* `doctor` on the pair: the cable, the peer, what was refused, what was lost. */
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "pfsync.h"

#define finding cli_doctor_finding
#define TOPIC "pfsync0"
#define SILENT_US 10000000ull
#define LAG_US 10000.0

struct over { const char *ifname; unsigned n; };

static int
route_cb(void *arg, const struct fp_route_info *r)
{
	struct over *o = arg;

	o->n += strchr(r->flags, 'S') != NULL && strcmp(r->ifname, o->ifname) == 0;
	return 0;
}

/* States in a packet of the MTU, IPv6 and the largest record that this version has. */
static unsigned
states_in(unsigned mtu, unsigned version)
{
	unsigned size = version == 1500 ? SYNC_STATE1500_SIZE : version == 1400 ? SYNC_STATE1400_SIZE : SYNC_STATE6_SIZE;
	unsigned head = 40 + SYNC_HDR_SIZE + 2 * SYNC_SUB_SIZE;

	return mtu < head ? 0 : (mtu - head) / size;
}

static void
cable(struct doctor *d, const struct sync_conf *c, const struct sync_info *i)
{
	struct fp_if_info *f = calloc(1, sizeof(*f)), *v = calloc(1, sizeof(*v));
	struct over over = { .ifname = c->syncdev };
	unsigned mtu, vlans = 0;

	if (f == NULL || v == NULL)
		goto out;
	if (c->syncdev[0] == '\0') {
		finding(d, PROBLEM, TOPIC, "ifconfig pfsync0 syncdev IF", "it is up and has no syncdev: nothing is sent or heard");
		goto out;
	}
	if (fp_if_find(d->x->box, c->syncdev, f) != 0) {
		finding(d, PROBLEM, TOPIC, "port attach DEVICE name IF, or another syncdev", "its syncdev %s is not there", c->syncdev);
		goto out;
	}
	if (!f->up)
		finding(d, PROBLEM, TOPIC, "ifconfig IF up", "its syncdev %s is down", c->syncdev);
	else if (!f->running || !i->link)
		finding(d, PROBLEM, TOPIC, "look at the cable and the peer", "the link of its syncdev %s is down", c->syncdev);
	if (f->n_addrs == 0)
		finding(d, PROBLEM, TOPIC, "ifconfig IF inet ADDR/LEN", "its syncdev %s has no address to send from", c->syncdev);
	mtu = c->mtu != 0 ? c->mtu : f->mtu;
	if (mtu > f->mtu)
		finding(d, PROBLEM, TOPIC, "ifconfig pfsync0 -mtu, or a larger MTU on the cable",
			"its MTU %u is larger than that of %s, %u", mtu, c->syncdev, f->mtu);
	else if (states_in(mtu, i->version) < 3)
		finding(d, states_in(mtu, i->version) == 0 ? PROBLEM : ADVICE, TOPIC, "a larger MTU on the cable, 1500 to 9000",
			"an MTU of %u has room for %u states in a packet", mtu, states_in(mtu, i->version));
	for (unsigned k = 0; fp_if_info(d->x->box, k, v) == 0; k++)
		vlans += strcmp(v->parent, c->syncdev) == 0;
	fp_route_foreach(d->x->box, route_cb, &over);
	if (over.n > 0 || vlans > 0 || f->bridge_peer < 0xfffe)
		finding(d, ADVICE, TOPIC, c->peer[0] == '\0' ? "give the pair a cable of its own; at the least: ifconfig pfsync0 syncpeer ADDR" :
			"give the pair a cable of its own",
			"%s carries other traffic (%s), and pfsync has no authentication: whoever is on that network %s", c->syncdev,
			f->bridge_peer < 0xfffe ? "it is bridged" : over.n > 0 ? "routes lead through it" : "there are VLANs on it",
			c->peer[0] == '\0' ? "hears every state and can make, change and delete them" : "can make, change and delete states");
out:
	free(f);
	free(v);
}

static void
peer(struct doctor *d, const struct sync_info *i)
{
	char t[32];

	if (i->health == SYNC_HEALTH_BROKEN)
		finding(d, PROBLEM, TOPIC, i->heard_us == UINT64_MAX ?
			"is the peer up, on this cable, with the same kind of address? ping it" : "show sync", "the pair is broken: %s", i->reason[0] ? i->reason : "no reason is known");
	else if (i->health == SYNC_HEALTH_LAGGING)
		finding(d, ADVICE, TOPIC, "show sync", "the pair lags: %s", i->reason[0] ? i->reason : "no reason is known");
	if (i->heard_us == UINT64_MAX && i->health != SYNC_HEALTH_BROKEN)
		finding(d, ADVICE, TOPIC, "is the peer up, on this cable, with the same kind of address? ping it",
			"nothing was ever heard from a peer");
	else if (i->heard_us > SILENT_US && i->heard_us != UINT64_MAX)
		finding(d, i->twin ? ADVICE : NOTE, TOPIC, i->twin ? "is the peer up? ping it" : NULL, "the peer %s was last heard %s ago%s",
			i->heard, cli_ago(t, i->heard_us), i->twin ? "" : "; one without traffic says nothing");
	if (strcmp(i->bulk.state, "failed") == 0)
		finding(d, PROBLEM, TOPIC, "sync bulk, when the peer is up", "the bulk update failed%s%s: states from before are missing here",
			i->bulk.reason[0] ? ": " : "", i->bulk.reason);
	if (i->lag_p99_us > LAG_US)
		finding(d, ADVICE, TOPIC, "isolate the cores, `set idle sleep 0`, a faster cable",
			"one state in a hundred is here %s after the peer has it, or later", cli_ago(t, (uint64_t)i->lag_p99_us));
}

static void
counters(struct doctor *d, const struct sync_info *i)
{
	static const struct { enum sync_counter c; enum doctor_level level; const char *what, *todo; } pf[] = {
		{ SYNC_CNT_badver, PROBLEM, "packets of another version of pfsync", "both boxes must speak one: ifconfig pfsync0 version N" },
		{ SYNC_CNT_badttl, PROBLEM, "packets that did not come from the cable (TTL is not 255)",
			"somebody sends pfsync through a router: find who" },
		{ SYNC_CNT_badif, ADVICE, "packets of pfsync on other interfaces than syncdev", "is syncdev the right one? else block proto pfsync" },
		{ SYNC_CNT_badlen, ADVICE, "packets shorter than they say", "a broken cable, or one who tries: tcpdump, pfsyncdump" },
		{ SYNC_CNT_hdrops, ADVICE, "packets shorter than a header", "a broken cable, or one who tries: tcpdump, pfsyncdump" },
		{ SYNC_CNT_badact, ADVICE, "packets with unknown messages", "pfsyncdump shows them; is the peer of another system or release?" },
		{ SYNC_CNT_badval, ADVICE, "states with values that make no sense", "pfsyncdump shows them" },
		{ SYNC_CNT_badauth, ADVICE, "packets whose checksum is wrong", "a broken cable, or one who tries" },
		{ SYNC_CNT_onomem, PROBLEM, "times there was no packet buffer for pfsync", "raise `set mbufs`" },
		{ SYNC_CNT_oerrors, ADVICE, "packets of pfsync that could not be sent", "look at the cable; show port stats" },
	};
	const struct { uint64_t n; enum doctor_level level; const char *what, *todo; } own[] = {
		{ i->table_full, PROBLEM, "states of the peer had no room here", "give both boxes the same `set limit states`" },
		{ i->unknown_if, ADVICE, "states of interfaces that are not here", "set peer IF_OF_PEER is IF_HERE" },
		{ i->inbox_full, ADVICE, "messages found a worker's inbox full", "more workers; `set idle sleep 0`" },
		{ i->collisions, NOTE, "states of the peer met other states of the same addresses and ports", NULL },
		{ i->unsupported, ADVICE, "states of the peer are translated or otherwise not for this box", NULL },
		{ i->deletes_lost, ADVICE, "deletes were never sent: the peer keeps these states until they expire", "a faster cable" },
		{ i->lost, ADVICE, "packets of the peer were lost on the cable", "look at the cable and the receive ring; show port stats" },
		{ i->defer.overflowed, ADVICE, "first packets could not wait for the peer", "a faster cable, or -defer" },
		{ i->defer.timed_out, NOTE, "first packets were not acknowledged by the peer in time", NULL },
	};

	for (size_t k = 0; k < sizeof(pf) / sizeof(pf[0]); k++)
		if (i->counters[pf[k].c] > 0)
			finding(d, pf[k].level, TOPIC, pf[k].todo, "%llu %s (%s)", (unsigned long long)i->counters[pf[k].c], pf[k].what,
				sync_counter_name(pf[k].c));
	for (size_t k = 0; k < sizeof(own) / sizeof(own[0]); k++)
		if (own[k].n > 0)
			finding(d, own[k].level, TOPIC, own[k].todo, "%llu %s", (unsigned long long)own[k].n, own[k].what);
	if (i->rule_default > 0 && i->rule_bound == 0)
		finding(d, ADVICE, TOPIC, "the same rules in both boxes: none that expands to an address of one of them (antispoof, `to ext0`)",
			"%llu states of the peer are bound to the default rule: its rules are not ours", (unsigned long long)i->rule_default);
}

void
cli_doctor_pair(struct doctor *d)
{
	struct sync *s = cli_sync_of(d->x);
	struct sync_info *i;
	struct sync_conf c;

	if (s == NULL || (i = calloc(1, sizeof(*i))) == NULL)
		return;
	sync_conf_get(s, &c);
	sync_info_get(s, i);
	if (c.up) {
		cable(d, &c, i);
		peer(d, i);
		counters(d, i);
	} else if (c.syncdev[0] != '\0') {
		finding(d, ADVICE, TOPIC, "ifconfig pfsync0 up", "it has a syncdev and is down: this box is alone");
	}
	free(i);
}
