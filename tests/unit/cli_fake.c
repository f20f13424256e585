/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_priv.h"
#include "failover/failover.h"
#include "failover/role.h"
#include "cli_fake.h"

char *fake_out, *fake_err;

static void
note(struct fp_box *b, const char *fmt, ...)
{
	size_t n = strlen(b->log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(b->log + n, sizeof(b->log) - n, fmt, ap);
	va_end(ap);
}

static const struct fp_param params[] = {
	{ "workers", "uint", "auto", 1, 128, "auto", "", FP_PARAM_ONCE, "worker lcores" },
	{ "limit states", "uint", "100000", 1, 1 << 30, NULL, "states", FP_PARAM_ONCE, "size of the state table" },
	{ "idle sleep", "uint", "50", 0, 100000, NULL, "us", FP_PARAM_NOW, "sleep while idle" },
	{ "evaluations", "enum", "auto", 0, 2, "off|on|auto", "", FP_PARAM_NOW, "count evaluations" },
	{ "icmp errors", "bool", "on", 0, 1, NULL, "", FP_PARAM_NOW, "send ICMP errors" },
	{ "sync hold", "uint", "10000", 0, 1000000, NULL, "us", FP_PARAM_NOW, "wait so long" },
	{ "socket mode", "octal", "0660", 0, 0777, NULL, "", FP_PARAM_NOW, "permissions of the control socket" },
	{ "socket group", "string", "", 0, 63, NULL, "", FP_PARAM_NOW, "group of the control socket" },
};
#define N_PARAMS (sizeof(params) / sizeof(params[0]))

int
fp_err_set(struct fp_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (err != NULL)
		vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

struct fp_box *
fake_box(void)
{
	struct fp_box *b = calloc(1, sizeof(*b));
	static const char *const names[] = { "ext0", "int0" };

	b->enabled = true;
	b->n_ifs = 2;
	for (unsigned i = 0; i < 2; i++) {
		struct fp_if_info *f = &b->ifs[i];

		snprintf(f->name, sizeof(f->name), "%s", names[i]);
		snprintf(f->devargs, sizeof(f->devargs), "net_af_packet%u,iface=veth%u", i, i);
		snprintf(f->driver, sizeof(f->driver), "net_af_packet");
		f->ifid = (uint16_t)i;
		f->port_id = (int)i;
		memcpy(f->mac, "\x02\x00\x00\x00\x00\x01", 6);
		f->mac[5] = (uint8_t)(i + 1);
		f->mtu = 1500;
		f->up = f->running = true;
		f->bridge_peer = 0xfffe;
		f->n_rxq = f->n_txq = 1;
		f->link_mbps = 10000;
		f->full_duplex = true;
		f->n_addrs = 2;
		f->addrs[0].af = POL_AF_INET;
		f->addrs[0].plen = 24;
		inet_pton(AF_INET, i ? "10.10.2.1" : "10.10.1.1", f->addrs[0].addr);
		inet_pton(AF_INET, i ? "10.10.2.255" : "10.10.1.255", f->addrs[0].broadcast);
		f->addrs[1].af = POL_AF_INET6;
		f->addrs[1].plen = 64;
		inet_pton(AF_INET6, i ? "fd00:2::1" : "fd00:1::1", f->addrs[1].addr);
	}
	for (unsigned i = 0; i < N_PARAMS; i++)
		snprintf(b->params[i], sizeof(b->params[i]), "%s", params[i].def);
	b->sync = calloc(1, sizeof(*b->sync));
	cli_fake_carp_reset();
	b->sync->box = b;
	b->sync->conf.maxupd = 128;
	b->sync->info = (struct sync_info){ .heard_us = UINT64_MAX, .version = 6, .bulk = { .state = "none", .progress = -1, .eta_sec = -1,
		.took_sec = -1 }, .defer = { .p50_us = NAN, .p99_us = NAN }, .lag_p50_us = NAN, .lag_p99_us = NAN, .lag_max_us = NAN };
	b->repeat = 1;
	b->n_lcores = 1;
	snprintf(b->lcores[0].role, sizeof(b->lcores[0].role), "main+worker");
	return b;
}

void
fake_box_free(struct fp_box *b)
{
	for (unsigned i = 0; i < b->n_tables; i++)
		pol_table_free(b->tables[i]);
	free(b->sync);
	free(b->states);
	free(b->rule_counters);
	free(b);
	free(fake_out);
	free(fake_err);
	fake_out = fake_err = NULL;
}

int
fake_run(struct cli *c, const char *line)
{
	size_t a, b;
	FILE *o, *e;
	int rc;

	free(fake_out);
	free(fake_err);
	o = open_memstream(&fake_out, &a);
	e = open_memstream(&fake_err, &b);
	rc = cli_run_line(c, line, o, e);
	fclose(o);
	fclose(e);
	return rc;
}

/* ---- box, parameters */
int fp_box_start(struct fp_box *b, struct fp_err *err) { b->running = true; note(b, "start\n"); return 0; }
int fp_box_stop(struct fp_box *b) { b->running = false; note(b, "stop\n"); return 0; }
bool fp_box_running(const struct fp_box *b) { return b->running; }
unsigned fp_box_poll(struct fp_box *b) { b->polls++; return 0; }

const struct fp_param *
fp_params(unsigned *n)
{
	*n = N_PARAMS;
	return params;
}

static int
param(const char *name)
{
	for (unsigned i = 0; i < N_PARAMS; i++)
		if (strcmp(params[i].name, name) == 0)
			return (int)i;
	return -1;
}

int
fp_param_set(struct fp_box *b, const char *name, const char *value, struct fp_err *err)
{
	int i = param(name);

	if (i < 0 || strcmp(value, "bad") == 0)
		return fp_err_set(err, -EINVAL, "not a value");
	snprintf(b->params[i], sizeof(b->params[i]), "%s", value);
	b->param_set[i] = true;
	return 0;
}

int
fp_param_get(const struct fp_box *b, const char *name, char *value, size_t size)
{
	int i = param(name);

	if (i < 0)
		return -ENOENT;
	snprintf(value, size, "%s", b->params[i]);
	return 0;
}

bool
fp_param_is_default(const struct fp_box *b, const char *name)
{
	int i = param(name);

	return i < 0 || !b->param_set[i];
}

/* ---- ports and interfaces */
int
fp_port_attach(struct fp_box *b, const char *devargs, const char *name, struct fp_err *err)
{
	struct fp_if_info *f;

	if (b->n_ifs == FAKE_MAX_IFS)
		return fp_err_set(err, -ENOSPC, "full");
	note(b, "attach %s %s\n", devargs, name);
	f = &b->ifs[b->n_ifs];
	memset(f, 0, sizeof(*f));
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(f->devargs, sizeof(f->devargs), "%s", devargs);
	f->ifid = (uint16_t)b->n_ifs;
	f->port_id = (int)b->n_ifs++;
	f->mtu = 1500;
	f->up = true;
	f->bridge_peer = 0xfffe;
	return 0;
}

#define DO(name_, ...) { note(b, __VA_ARGS__); return 0; }
int fp_port_detach(struct fp_box *b, const char *name, struct fp_err *err) DO(, "detach %s\n", name)
int fp_port_start(struct fp_box *b, const char *name, struct fp_err *err) DO(, "port start %s\n", name)
int fp_port_stop(struct fp_box *b, const char *name, struct fp_err *err) DO(, "port stop %s\n", name)
int fp_port_promisc(struct fp_box *b, const char *name, bool on, struct fp_err *err) DO(, "promisc %s %d\n", name, on)
int fp_port_clear_stats(struct fp_box *b, const char *name) DO(, "clear %s\n", name)
int fp_if_addr_add(struct fp_box *b, const char *n, const char *p, struct fp_err *err) DO(, "addr %s %s\n", n, p)
int fp_if_addr_del(struct fp_box *b, const char *n, const char *p, struct fp_err *err) DO(, "del %s %s\n", n, p)
int fp_if_set_up(struct fp_box *b, const char *n, bool up, struct fp_err *err) DO(, "%s %s\n", up ? "up" : "down", n)
int fp_if_set_mtu(struct fp_box *b, const char *n, unsigned mtu, struct fp_err *err) DO(, "mtu %s %u\n", n, mtu)
int fp_if_set_mac(struct fp_box *b, const char *n, const char *mac, struct fp_err *err) DO(, "mac %s %s\n", n, mac)
int fp_if_vlan_add(struct fp_box *b, const char *n, const char *p, unsigned v, struct fp_err *err) DO(, "vlan %s %s %u\n", n, p, v)
int fp_if_destroy(struct fp_box *b, const char *n, struct fp_err *err) DO(, "destroy %s\n", n)
int fp_if_bridge(struct fp_box *b, const char *x, const char *y, struct fp_err *e) DO(, "bridge %s %s\n", x ? x : "-", y ? y : "-")
int fp_route_add(struct fp_box *b, const char *d, const char *g, const char *f, struct fp_err *err) DO(, "route %s %s %s\n", d, g, f)
int fp_route_delete(struct fp_box *b, const char *d, const char *g, struct fp_err *e) DO(, "unroute %s %s\n", d, g ? g : "-")
int fp_neigh_delete(struct fp_box *b, const char *a, struct fp_err *err) DO(, "neigh -d %s\n", a)
int fp_neigh_add(struct fp_box *b, const char *a, const char *mac, struct fp_err *err) DO(, "neigh %s %s\n", a, mac)
int fp_pf_enable(struct fp_box *b, bool on) DO(, "pf %d\n", on)
int fp_pflog_open(struct fp_box *b, const char *path, struct fp_err *err) DO(, "pflog %s\n", path ? path : "-")
int fp_rules_clear_counters(struct fp_box *b) DO(, "clear counters\n")
int fp_rules_flush(struct fp_box *b) DO(, "flush rules\n")

unsigned fp_if_count(const struct fp_box *b) { return b->n_ifs; }

int
fp_if_info(const struct fp_box *b, unsigned i, struct fp_if_info *info)
{
	if (i >= b->n_ifs)
		return -ENOENT;
	*info = b->ifs[i];
	return 0;
}

int
fp_if_find(const struct fp_box *b, const char *name, struct fp_if_info *info)
{
	for (unsigned i = 0; i < b->n_ifs; i++)
		if (strcmp(b->ifs[i].name, name) == 0)
			return fp_if_info(b, i, info);
	return -ENOENT;
}

int
fp_if_name(const struct fp_box *b, uint16_t ifid, char name[FP_NAME_SIZE])
{
	if (ifid == 0xffff)
		strcpy(name, "all");
	else if (ifid < b->n_ifs)
		strcpy(name, b->ifs[ifid].name);
	else
		return -ENOENT;
	return 0;
}

int
fp_port_xstats(struct fp_box *b, const char *name, int (*cb)(void *arg, const char *key, uint64_t v), void *arg)
{
	return cb(arg, "rx_good_packets", 7) || cb(arg, "tx_good_packets", 9);
}

int
fp_route_foreach(struct fp_box *b, int (*cb)(void *arg, const struct fp_route_info *r), void *arg)
{
	for (unsigned i = 0; i < b->n_routes; i++)
		if (cb(arg, &b->routes[i]) != 0)
			break;
	return 0;
}

int
fp_neigh_foreach(struct fp_box *b, uint8_t af, int (*cb)(void *arg, const struct fp_neigh_info *n), void *arg)
{
	for (unsigned i = 0; i < b->n_neighs; i++)
		if (b->neighs[i].af == af && cb(arg, &b->neighs[i]) != 0)
			break;
	return 0;
}

/* ---- rules and tables */
const struct pol_ruleset *fp_rules(const struct fp_box *b) { return b->rules; }

int
fp_rules_load_macros(struct fp_box *b, const char *path, const char *const *macros, struct pol_errors *errs)
{
	for (; macros != NULL && *macros != NULL; macros++)
		note(b, "macro %s\n", *macros);
	note(b, "load %s\n", path);
	if (strstr(path, "broken") == NULL)
		return 0;
	errs->v = calloc(1, sizeof(*errs->v));
	errs->n = errs->cap = 1;
	errs->v[0].file = strdup(path);
	errs->v[0].line = 3;
	errs->v[0].text = strdup("syntax error");
	return -EINVAL;
}

int
fp_rules_counters(struct fp_box *b, struct fp_rule_counters *out, unsigned n)
{
	if (b->rule_counters != NULL)
		memcpy(out, b->rule_counters, n * sizeof(*out));
	return 0;
}

struct pol_table *
fp_table_by_name(struct fp_box *b, const char *name, bool create)
{
	for (unsigned i = 0; i < b->n_tables; i++)
		if (strcmp(pol_table_name(b->tables[i]), name) == 0)
			return b->tables[i];
	if (!create || b->n_tables == 8)
		return NULL;
	return b->tables[b->n_tables++] = pol_table_create(name, POL_TABLE_PERSIST);
}

const struct pol_reclaim *fp_box_reclaim(struct fp_box *b) { return NULL; }

void
fp_tables_foreach(struct fp_box *b, void (*cb)(void *arg, struct pol_table *t), void *arg)
{
	for (unsigned i = 0; i < b->n_tables; i++)
		cb(arg, b->tables[i]);
}

/* ---- states */
int
fp_states_foreach(struct fp_box *b, const struct fp_state_filter *f, int (*cb)(void *arg, const struct fp_state_view *v), void *arg)
{
	for (uint64_t r = 0; r < b->repeat; r++)
		for (unsigned i = 0; i < b->n_states; i++)
			if ((f == NULL || !f->has_proto || f->proto == b->states[i].proto) && cb(arg, &b->states[i]) != 0)
				return 0;
	return 0;
}

int64_t
fp_states_kill(struct fp_box *b, const struct fp_state_filter *f)
{
	b->last_kill = *f;
	return b->killed;
}

int64_t fp_states_flush(struct fp_box *b, const char *ifname) { note(b, "flush %s\n", ifname ? ifname : "all"); return b->n_states; }

const char *
fp_state_peer_name(uint8_t proto, uint8_t state)
{
	static const char *const tcp[] = { "CLOSED", "LISTEN", "SYN_SENT", "SYN_RCVD", "ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT_1",
		"CLOSING", "LAST_ACK", "FIN_WAIT_2", "TIME_WAIT" };
	static const char *const udp[] = { "NO_TRAFFIC", "SINGLE", "MULTIPLE" };

	return proto == 6 && state < 11 ? tcp[state] : proto == 1 || proto == 58 ? "0" : state < 3 ? udp[state] : "?";
}

int
fp_srcnodes_foreach(struct fp_box *b, int (*cb)(void *arg, const struct fp_srcnode_view *v), void *arg)
{
	struct fp_srcnode_view v = { .af = POL_AF_INET, .addr = { 10, 10, 2, 100 }, .states = 2, .conn = 1, .rule_nr = 1, .rate_sec = 10 };

	cb(arg, &v);
	return 0;
}

/* ---- figures */
void fp_stats_get(struct fp_box *b, struct fp_stats *s) { *s = b->stats; s->enabled = b->enabled; }
void fp_stats_clear(struct fp_box *b) { memset(&b->stats, 0, sizeof(b->stats)); }
unsigned fp_lcore_count(const struct fp_box *b) { return b->n_lcores; }

int
fp_lcore_info(struct fp_box *b, unsigned i, struct fp_lcore_info *info)
{
	if (i >= b->n_lcores)
		return -ENOENT;
	*info = b->lcores[i];
	return 0;
}

int
fp_why(struct fp_box *b, const char *proto, const char *src, const char *dst, const char *in_if, struct fp_why *w, struct fp_err *err)
{
	*w = b->why;
	return strcmp(proto, "tcp") == 0 ? 0 : fp_err_set(err, -EINVAL, "protocol %s", proto);
}

int
fp_events_subscribe(struct fp_box *b, unsigned mask, void (*cb)(void *arg, const struct fp_event *ev, uint64_t lost), void *arg)
{
	b->event_cb = cb;
	b->event_arg = arg;
	return 1;
}

void fp_events_unsubscribe(struct fp_box *b, int id) { b->event_cb = NULL; }

int
cli_log_level(const char *pattern, const char *level)
{
	return strcmp(pattern, "none*") == 0 ? -EINVAL : 0;
}

/* ---- CARP: one carp1 at most, kept as it was put */
struct fo *fo_of(const struct fp_box *b) { return (struct fo *)(uintptr_t)b; }
const char *const fo_role_names[] = { "init", "syncing", "backup", "master" };
const char *const fo_peer_names[] = { "none", "alive", "silent", "alive_elsewhere", "cable_cut", "dead" };
static bool handed_over;
void
fo_role_info_get(struct fo *f, struct fo_role_info *o)
{
	(void)f;
	*o = (struct fo_role_info){ .role = FO_ROLE_BACKUP, .peer = FO_PEER_ALIVE, .since_us = 1500000, .why = "everything is learned" };
	if (handed_over)
		strcpy(o->handover, "done in 5.0 ms, the peer was level");
}
int fo_handover(struct fo *f, struct fp_err *err) { (void)f; (void)err; handed_over = true; return 0; }
int fo_handover_done(struct fo *f) { (void)f; return 1; }
static struct fo_if_conf carp;
static struct fo_options carp_options = { .allow = true };
static int carp_demoted;

void
fo_if_conf_init(struct fo_if_conf *c, const char *name)
{
	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->advbase = 1;
}

void
fo_if_conf_free(struct fo_if_conf *c)
{
	free(c->addrs);
	free(c->groups);
	c->addrs = NULL;
	c->groups = NULL;
	c->n_addrs = c->n_groups = 0;
}

int
fo_if_conf_addr(struct fo_if_conf *c, const struct fo_if_addr *a)
{
	c->addrs = realloc(c->addrs, (c->n_addrs + 1) * sizeof(*a));
	c->addrs[c->n_addrs++] = *a;
	return 0;
}

int
fo_if_conf_group(struct fo_if_conf *c, const char *name)
{
	c->groups = realloc(c->groups, (c->n_groups + 1) * sizeof(c->groups[0]));
	snprintf(c->groups[c->n_groups++], sizeof(c->groups[0]), "%s", name);
	return 0;
}

int
fo_if_get(struct fo *f, const char *name, struct fo_if_conf *c)
{
	if (carp.name[0] == '\0' || strcmp(carp.name, name) != 0)
		return -ENOENT;
	*c = carp;
	c->addrs = NULL;
	c->groups = NULL;
	c->n_addrs = c->n_groups = 0;
	for (unsigned i = 0; i < carp.n_addrs; i++)
		fo_if_conf_addr(c, &carp.addrs[i]);
	for (unsigned i = 0; i < carp.n_groups; i++)
		fo_if_conf_group(c, carp.groups[i]);
	return 0;
}

int
fo_if_put(struct fo *f, const struct fo_if_conf *c, struct fp_err *err)
{
	struct fo_if_conf copy = *c;

	if (c->carpdev[0] != '\0' && strcmp(c->carpdev, "ext0") != 0)
		return fp_err_set(err, -ENODEV, "carpdev: there is no interface \"%s\"", c->carpdev);
	copy.addrs = NULL;
	copy.groups = NULL;
	copy.n_addrs = copy.n_groups = 0;
	for (unsigned i = 0; i < c->n_addrs; i++)
		fo_if_conf_addr(&copy, &c->addrs[i]);
	for (unsigned i = 0; i < c->n_groups; i++)
		fo_if_conf_group(&copy, c->groups[i]);
	fo_if_conf_free(&carp);
	carp = copy;
	return 0;
}

int
fo_if_destroy(struct fo *f, const char *name, struct fp_err *err)
{
	if (strcmp(carp.name, name) != 0)
		return fp_err_set(err, -ENOENT, "there is no %s", name);
	fo_if_conf_free(&carp);
	carp.name[0] = '\0';
	return 0;
}

int
fo_if_state(struct fo *f, const char *name, enum fo_carp_state to, struct fp_err *err)
{
	return fp_err_set(err, -ENETDOWN, "%s is in state INIT: the box is stopped", name);
}

void fo_options_get(const struct fo *f, struct fo_options *o) { *o = carp_options; }

int
fo_options_set(struct fo *f, const struct fo_options *o, struct fp_err *err)
{
	carp_options = *o;
	return 0;
}

int
fo_demote_add(struct fo *f, const char *group, int n, struct fp_err *err)
{
	if (carp_demoted + n < 0)
		return fp_err_set(err, -ERANGE, "group %s is demoted by %d only, by hand", group, carp_demoted);
	carp_demoted += n;
	return 0;
}

unsigned fo_demote_count(struct fo *f, const char *group) { return carp_demoted; }

int
fo_demotion_get(struct fo *f, unsigned i, struct fo_demotion *d)
{
	if (i != 0 || carp_demoted == 0)
		return -ENOENT;
	*d = (struct fo_demotion){ .group = "carp", .owner = "user", .reason = "by hand", .count = carp_demoted };
	return 0;
}

int
fo_info_get(struct fo *f, unsigned i, struct fo_info *o)
{
	if (i != 0 || carp.name[0] == '\0')
		return -ENOENT;
	*o = (struct fo_info){ .conf = &carp, .state = carp.n_addrs != 0 ? FO_CARP_MASTER : FO_CARP_INIT, .why = FO_CARP_WHY_TIMED_OUT,
		.since_us = 1500000, .link = true, .advskew = carp.advskew, .interval_us = 1000000, .master_down_us = 3000000,
		.mac = { 0, 0, 0x5e, 0, 1, carp.vhid }, .stats = { .ipackets = 7 } };
	return 0;
}

void
fo_stats_get(struct fo *f, struct fo_carp_stats *stats)
{
	*stats = (struct fo_carp_stats){ .ipackets = 7, .badauth = 2 };
}

/* Each test begins without. */
void
cli_fake_carp_reset(void)
{
	fo_if_conf_free(&carp);
	memset(&carp, 0, sizeof(carp));
	carp_options = (struct fo_options){ .allow = true };
	carp_demoted = 0;
}

/* ---- the pair */
const char *const sync_health_names[] = { "off", "in_sync", "lagging", "broken" };

struct sync *sync_of(const struct fp_box *b) { return b->sync; }

static int
pair_does(struct sync *s, const char *what, const char *arg, struct fp_err *err)
{
	if (s->fail != NULL && strcmp(s->fail, what) == 0)
		return fp_err_set(err, -EINVAL, "%s will not do", what);
	note(s->box, "%s %s\n", what, arg);
	return 0;
}

static int
pair_number(struct sync *s, const char *what, unsigned n, unsigned *to, struct fp_err *err)
{
	char arg[16];

	snprintf(arg, sizeof(arg), "%u", n);
	if (pair_does(s, what, arg, err) != 0)
		return -EINVAL;
	*to = n;
	return 0;
}

int
sync_syncdev(struct sync *s, const char *ifname, struct fp_err *err)
{
	if (pair_does(s, "syncdev", ifname != NULL ? ifname : "-", err) != 0)
		return -EINVAL;
	snprintf(s->conf.syncdev, sizeof(s->conf.syncdev), "%s", ifname != NULL ? ifname : "");
	return 0;
}

int
sync_peer(struct sync *s, const char *addr, struct fp_err *err)
{
	if (pair_does(s, "peer", addr != NULL ? addr : "-", err) != 0)
		return -EINVAL;
	snprintf(s->conf.peer, sizeof(s->conf.peer), "%s", addr != NULL ? addr : "");
	return 0;
}

int
sync_up(struct sync *s, bool up, struct fp_err *err)
{
	if (pair_does(s, up ? "sync-up" : "sync-down", "", err) != 0)
		return -EINVAL;
	s->conf.up = up;
	return 0;
}

int
sync_defer(struct sync *s, bool on, struct fp_err *err)
{
	unsigned n;

	if (pair_number(s, "defer", on, &n, err) != 0)
		return -EINVAL;
	s->conf.defer = on;
	return 0;
}

int sync_maxupd(struct sync *s, unsigned n, struct fp_err *err) { return pair_number(s, "maxupd", n, &s->conf.maxupd, err); }
int sync_version(struct sync *s, unsigned n, struct fp_err *err) { return pair_number(s, "version", n, &s->conf.version, err); }
int sync_mtu(struct sync *s, unsigned n, struct fp_err *err) { return pair_number(s, "sync-mtu", n, &s->conf.mtu, err); }

int
sync_map_if(struct sync *s, const char *of_peer, const char *here, struct fp_err *err)
{
	unsigned k = 0;

	if (pair_does(s, "map", of_peer, err) != 0)
		return -EINVAL;
	while (k < s->conf.n_map && strcmp(s->conf.map[k].of_peer, of_peer) != 0)
		k++;
	if (here == NULL) {
		if (k < s->conf.n_map) {
			s->conf.map[k] = s->conf.map[--s->conf.n_map];
			memset(&s->conf.map[s->conf.n_map], 0, sizeof(s->conf.map[0]));
		}
		return 0;
	}
	snprintf(s->conf.map[k].of_peer, FP_NAME_SIZE, "%s", of_peer);
	snprintf(s->conf.map[k].here, FP_NAME_SIZE, "%s", here);
	s->conf.n_map += k == s->conf.n_map;
	return 0;
}

void sync_conf_get(const struct sync *s, struct sync_conf *c) { *c = s->conf; }
int sync_bulk(struct sync *s, struct fp_err *err) { return pair_does(s, "bulk", "", err); }

void
sync_info_get(struct sync *s, struct sync_info *i)
{
	*i = s->info;
	if (s->bulk_states[0] != NULL) {
		snprintf(i->bulk.state, sizeof(i->bulk.state), "%s", s->bulk_states[s->asked]);
		if (s->asked + 1 < 4 && s->bulk_states[s->asked + 1] != NULL)
			s->asked++;
	}
}

void sync_clear(struct sync *s) { note(s->box, "clear sync\n"); }
int sync_capture(struct sync *s, const char *path, struct fp_err *err) { return pair_does(s, "capture", path ? path : "-", err); }

int
sync_subscribe(struct sync *s, void (*cb)(void *arg, const struct sync_event *ev, uint64_t lost), void *arg)
{
	s->event_cb = cb;
	s->event_arg = arg;
	return 1;
}

void sync_unsubscribe(struct sync *s, int id) { s->event_cb = NULL; }
