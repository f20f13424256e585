/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state list as `pfctl -ss [-v[v]]` prints it, and as JSON. Formats: what OpenBSD's pfctl prints for the same
 * struct pfsync_state (order of the two sides, seven blanks before the state words, sequence windows as [lo + size]).
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/sync_hooks.h"
#include "pfsync.h"

/* spec/pfsync-wire.md 8.3 */
#define SF_ALLOWOPTS 0x0001
#define SF_SLOPPY 0x0002
#define SF_PFLOW 0x0004
#define SF_NOSYNC 0x0008

static void
host(char *buf, size_t size, uint8_t af, const struct fp_endpoint *e)
{
	size_t n;

	cli_addr_str(af, e->addr, buf, size);
	n = strlen(buf);
	if (e->port != 0 && n < size)
		snprintf(buf + n, size - n, af == POL_AF_INET ? ":%u" : "[%u]", e->port);
}

static void
seq(struct cli_out *o, const struct fp_peer_view *p, bool wscale)
{
	cli_printf(o, "[%u + %u]", p->seqlo, p->seqhi - p->seqlo);
	if (p->seqdiff != 0)
		cli_printf(o, "(+%u)", p->seqdiff);
	if (wscale)
		cli_printf(o, " wscale %u", p->wscale & 0x0f);
}

static void
clock_str(char buf[16], uint32_t sec)
{
	snprintf(buf, 16, "%.2u:%.2u:%.2u", sec / 3600, sec / 60 % 60, sec % 60);
}

/* "ESTABLISHED:ESTABLISHED", "PROXY:SRC", "0:0" of both peers, a printed first. */
static void
state_words(char *buf, size_t size, uint8_t proto, uint8_t a, uint8_t b)
{
	if (proto == IPPROTO_TCP && (a == 11 || b == 11))
		snprintf(buf, size, "PROXY:SRC");
	else if (proto == IPPROTO_TCP && (a == 12 || b == 12))
		snprintf(buf, size, "PROXY:DST");
	else
		snprintf(buf, size, "%s:%s", fp_state_peer_name(proto, a), fp_state_peer_name(proto, b));
}

void
cli_state_print(struct cli_out *o, const struct fp_state_view *v, const char *ifname, int verbose)
{
	bool out = v->direction == 2, icmp = v->proto == IPPROTO_ICMP || v->proto == IPPROTO_ICMPV6;
	/* nk: the side that the outside sees and that is printed, sk: what it was (or becomes) behind a translation */
	struct fp_endpoint nk[2], sk[2];
	const struct fp_peer_view *src = out ? &v->src : &v->dst, *dst = out ? &v->dst : &v->src;
	char a[64], b[64], w[48], proto[8];

	memcpy(nk, out ? v->wire : v->stack, sizeof(nk));
	memcpy(sk, out ? v->stack : v->wire, sizeof(sk));
	if (icmp)	/* the slot that holds the type is not translated */
		sk[out ? 0 : 1].port = nk[out ? 0 : 1].port;
	host(a, sizeof(a), v->af, &nk[1]);
	cli_printf(o, "%s %s %s", ifname, cli_proto_name(v->proto, proto), a);
	if (memcmp(nk[1].addr, sk[1].addr, 16) != 0 || nk[1].port != sk[1].port) {
		host(b, sizeof(b), v->af, &sk[1]);
		cli_printf(o, " (%s)", b);
	}
	host(a, sizeof(a), v->af, &nk[0]);
	cli_printf(o, " %s %s", out ? "->" : "<-", a);
	if (memcmp(nk[0].addr, sk[0].addr, 16) != 0 || nk[0].port != sk[0].port) {
		host(b, sizeof(b), v->af, &sk[0]);
		cli_printf(o, " (%s)", b);
	}
	state_words(w, sizeof(w), v->proto, src->state, dst->state);
	cli_printf(o, "       %s\n", w);
	if (verbose == 0)
		return;
	if (v->proto == IPPROTO_TCP) {
		bool ws = src->wscale != 0 && dst->wscale != 0;

		cli_printf(o, "   ");
		seq(o, src, ws);
		cli_printf(o, "  ");
		seq(o, dst, ws);
		cli_printf(o, "\n");
	}
	clock_str(a, v->age_sec);
	clock_str(b, v->purge ? 0 : v->expires_sec);
	cli_printf(o, "   age %s, expires in %s, %llu:%llu pkts, %llu:%llu bytes", a, b, (unsigned long long)v->packets[0],
		(unsigned long long)v->packets[1], (unsigned long long)v->bytes[0], (unsigned long long)v->bytes[1]);
	if (v->has_anchor)
		cli_printf(o, ", anchor %u", v->anchor_nr);
	if (v->rule_nr != UINT32_MAX)
		cli_printf(o, ", rule %u", v->rule_nr);
	if (v->state_flags & SF_SLOPPY)
		cli_printf(o, ", sloppy");
	if (v->state_flags & SF_PFLOW)
		cli_printf(o, ", pflow");
	if (v->rule_rf_srctrack != 0)
		cli_printf(o, ", source-track");
	cli_printf(o, "\n");
	if (verbose > 1)
		cli_printf(o, "   id: %016llx creatorid: %08x\n", (unsigned long long)v->id, v->creatorid);
}

static void
json_side(struct cli_out *o, const char *key, uint8_t af, uint8_t dir, const struct fp_endpoint k[2])
{
	/* [0] sends packets that travel in: of an outgoing state the creator is [1] */
	const struct fp_endpoint *src = &k[dir == 2], *dst = &k[dir != 2];
	char a[64];

	cli_obj(o, key);
	cli_addr_str(af, src->addr, a, sizeof(a));
	cli_str(o, "src", a);
	cli_u64(o, "sport", src->port);
	cli_addr_str(af, dst->addr, a, sizeof(a));
	cli_str(o, "dst", a);
	cli_u64(o, "dport", dst->port);
	cli_obj_end(o);
}

static void
json_peer(struct cli_out *o, const char *key, const struct fp_peer_view *p)
{
	cli_obj(o, key);
	cli_u64(o, "seqlo", p->seqlo);
	cli_u64(o, "seqhi", p->seqhi);
	cli_u64(o, "seqdiff", p->seqdiff);
	cli_u64(o, "max_win", p->max_win);
	cli_u64(o, "wscale", p->wscale & 0x0f);
	cli_bool(o, "wscale_known", (p->wscale & 0x80) != 0);
	cli_obj_end(o);
}

/* What the peer has still to hear of this half: sync_pos holds both, 4 bits each. */
const char *
cli_sync_word(const struct fp_state_view *v)
{
	static const char *const names[] = { [FP_SYNC_NONE] = "none", [FP_SYNC_INS] = "ins", [FP_SYNC_UPD_C] = "upd_c",
		[FP_SYNC_UPD] = "upd", [FP_SYNC_DIRTY_INS] = "dirty", [FP_SYNC_DIRTY_UPD] = "dirty" };
	unsigned pos = v->sync_pos >> (v->direction == 2 ? 4 : 0) & 15;

	return (v->state_flags & SF_NOSYNC) || pos >= sizeof(names) / sizeof(names[0]) ? "dead" : names[pos];
}

/* One element of `show states json` (docs: the keys are a contract). */
void
cli_state_json(struct cli_out *o, const struct fp_state_view *v, const char *ifname)
{
	char proto[8];

	cli_obj(o, NULL);
	cli_strf(o, "id", "%016llx", (unsigned long long)v->id);
	cli_strf(o, "creatorid", "%08x", v->creatorid);
	cli_str(o, "af", v->af == POL_AF_INET ? "inet" : "inet6");
	cli_str(o, "proto", cli_proto_name(v->proto, proto));
	cli_str(o, "direction", v->direction == 2 ? "out" : "in");
	cli_str(o, "interface", ifname);
	json_side(o, "wire", v->af, v->direction, v->wire);
	json_side(o, "stack", v->af, v->direction, v->stack);
	cli_arr(o, "state");
	cli_str(o, NULL, fp_state_peer_name(v->proto, v->src.state));
	cli_str(o, NULL, fp_state_peer_name(v->proto, v->dst.state));
	cli_arr_end(o);
	cli_u64(o, "age_s", v->age_sec);
	cli_u64(o, "expires_s", v->purge ? 0 : v->expires_sec);
	cli_arr(o, "packets");
	cli_u64(o, NULL, v->packets[0]);
	cli_u64(o, NULL, v->packets[1]);
	cli_arr_end(o);
	cli_arr(o, "bytes");
	cli_u64(o, NULL, v->bytes[0]);
	cli_u64(o, NULL, v->bytes[1]);
	cli_arr_end(o);
	if (v->rule_nr == UINT32_MAX)
		cli_str(o, "rule", NULL);
	else
		cli_u64(o, "rule", v->rule_nr);
	if (v->has_anchor)
		cli_u64(o, "anchor", v->anchor_nr);
	if (v->label[0] != '\0')
		cli_str(o, "label", v->label);
	cli_str(o, "origin", v->learned ? "peer" : "local");
	cli_str(o, "sync", cli_sync_word(v));
	cli_arr(o, "flags");
	if (v->state_flags & SF_ALLOWOPTS)
		cli_str(o, NULL, "allow_opts");
	if (v->state_flags & SF_SLOPPY)
		cli_str(o, NULL, "sloppy");
	if (v->state_flags & SF_NOSYNC)
		cli_str(o, NULL, "no_sync");
	if (v->rule_rf_srctrack != 0)
		cli_str(o, NULL, "source_track");
	cli_arr_end(o);
	if (v->proto == IPPROTO_TCP) {
		json_peer(o, "src_peer", &v->src);
		json_peer(o, "dst_peer", &v->dst);
	}
	cli_u64(o, "worker", v->worker);
	cli_obj_end(o);
}

struct lister {
	struct cli_ctx *x;
	int verbose;
	uint16_t last_ifid;
	char ifname[FP_NAME_SIZE];
};

static int
list_cb(void *arg, const struct fp_state_view *v)
{
	struct lister *l = arg;

	if (l->ifname[0] == '\0' || v->ifid != l->last_ifid) {
		if (fp_if_name(l->x->box, v->ifid, l->ifname) != 0)
			snprintf(l->ifname, sizeof(l->ifname), "if%u", v->ifid);
		l->last_ifid = v->ifid;
	}
	if (cli_json(l->x->out))
		cli_state_json(l->x->out, v, l->ifname);
	else
		cli_state_print(l->x->out, v, l->ifname, l->verbose);
	return cli_gone(l->x->out);
}

int
cli_states_list(struct cli_ctx *x, const struct fp_state_filter *f, int verbose)
{
	struct lister l = { .x = x, .verbose = verbose };
	int rc;

	if (cli_json(x->out))
		cli_arr(x->out, NULL);
	rc = fp_states_foreach(x->box, f, list_cb, &l);
	if (cli_json(x->out))
		cli_arr_end(x->out);
	if (rc < 0)
		return cli_err(x, "cannot read the states: %s", strerror(-rc));
	return 0;
}
