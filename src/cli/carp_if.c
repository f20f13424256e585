/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `ifconfig carpN ...` with OpenBSD's words, in any order, and `ifconfig -g GROUP [-]carpdemote [N]`. A line is read in full
 * into a copy of what is configured, and that takes its place at once, or not at all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "carp.h"

static const char words_list[] = "vhid N, pass STRING, carpdev IF, advbase N, advskew N, carppeer ADDR, -carppeer, inet ADDR/LEN, "
	"inet6 ADDR/LEN, alias, -alias, up, down, state master|backup, group NAME, -group NAME, create, destroy";

struct want {
	struct fo_if_conf c;
	bool has_state, destroy;
	enum fo_carp_state state;
};

/* ---- output */

static void
addr_print(struct cli_out *o, const struct fo_if_addr *a, const char *name)
{
	char s[64];

	cli_addr_str(a->af, a->addr, s, sizeof(s));
	if (a->af == POL_AF_INET) {
		uint32_t mask = a->plen ? 0xffffffffu << (32 - a->plen) : 0;
		uint8_t b[16] = { 0 };

		cli_printf(o, "\tinet %s netmask 0x%08x", s, mask);
		if (a->plen < 31) {
			for (int k = 0; k < 4; k++)
				b[k] = (uint8_t)(a->addr[k] | (uint8_t)(~mask >> (24 - 8 * k)));
			cli_addr_str(a->af, b, s, sizeof(s));
			cli_printf(o, " broadcast %s", s);
		}
		cli_printf(o, "\n");
	} else {
		bool ll = a->addr[0] == 0xfe && (a->addr[1] & 0xc0) == 0x80;

		cli_printf(o, "\tinet6 %s%s%s prefixlen %u\n", s, ll ? "%" : "", ll ? name : "", a->plen);
	}
}

static const char *
status_word(enum fo_carp_state s)
{
	return s == FO_CARP_MASTER ? "master" : s == FO_CARP_BACKUP ? "backup" : "invalid";
}

static unsigned
mtu_of(struct cli_ctx *x, const char *carpdev)
{
	struct fp_if_info *i = carpdev[0] != '\0' ? malloc(sizeof(*i)) : NULL;
	unsigned mtu = 1500;

	if (i != NULL && fp_if_find(x->box, carpdev, i) == 0)
		mtu = i->mtu;
	free(i);
	return mtu;
}

static void
if_print(struct cli_ctx *x, const struct fo_info *i)
{
	const struct fo_if_conf *c = i->conf;
	struct cli_out *o = x->out;
	bool running = i->state == FO_CARP_MASTER;
	char mac[18], s[64];

	cli_printf(o, "%s: flags=%x<%sBROADCAST,%sSIMPLEX,MULTICAST> mtu %u\n", c->name,
		0x8802u | (c->up ? 1 : 0) | (running ? 0x40 : 0), c->up ? "UP," : "", running ? "RUNNING," : "", mtu_of(x, c->carpdev));
	cli_mac_str(i->mac, mac);
	cli_printf(o, "\tlladdr %s\n", mac);
	if (c->vhid != 0) {
		cli_printf(o, "\tcarp: %s carpdev %s vhid %u advbase %u advskew %u", fo_carp_state_name(i->state),
			c->carpdev[0] ? c->carpdev : "none", c->vhid, c->advbase, c->advskew);
		for (int f = 0; f < FO_FAMILIES; f++)
			if (c->has_peer[f]) {
				cli_addr_str(f == FO_INET6 ? POL_AF_INET6 : POL_AF_INET, c->peer[f], s, sizeof(s));
				cli_printf(o, " carppeer %s", s);
			}
		cli_printf(o, "\n");
	}
	cli_printf(o, "\tgroups: carp");
	for (unsigned k = 0; k < c->n_groups; k++)
		cli_printf(o, " %s", c->groups[k]);
	cli_printf(o, "\n\tstatus: %s\n", status_word(i->state));
	for (unsigned k = 0; k < c->n_addrs; k++)
		addr_print(o, &c->addrs[k], c->name);
}

static void
if_json(struct cli_ctx *x, const struct fo_info *i)
{
	const struct fo_if_conf *c = i->conf;
	struct cli_out *o = x->out;
	char mac[18], s[64];

	cli_obj(o, NULL);
	cli_str(o, "name", c->name);
	cli_mac_str(i->mac, mac);
	cli_str(o, "mac", mac);
	cli_u64(o, "mtu", mtu_of(x, c->carpdev));
	cli_bool(o, "up", c->up);
	cli_bool(o, "link", i->link);
	cli_str(o, "carpdev", c->carpdev[0] ? c->carpdev : NULL);
	cli_u64(o, "vhid", c->vhid);
	cli_u64(o, "advbase", c->advbase);
	cli_u64(o, "advskew", c->advskew);
	cli_str(o, "state", fo_carp_state_name(i->state));
	cli_arr(o, "carppeers");
	for (int f = 0; f < FO_FAMILIES; f++)
		if (c->has_peer[f]) {
			cli_addr_str(f == FO_INET6 ? POL_AF_INET6 : POL_AF_INET, c->peer[f], s, sizeof(s));
			cli_str(o, NULL, s);
		}
	cli_arr_end(o);
	cli_arr(o, "groups");
	cli_str(o, NULL, FO_GROUP_DEFAULT);
	for (unsigned k = 0; k < c->n_groups; k++)
		cli_str(o, NULL, c->groups[k]);
	cli_arr_end(o);
	cli_arr(o, "addresses");
	for (unsigned k = 0; k < c->n_addrs; k++) {
		cli_addr_str(c->addrs[k].af, c->addrs[k].addr, s, sizeof(s));
		cli_strf(o, NULL, "%s/%u", s, c->addrs[k].plen);
	}
	cli_arr_end(o);
	cli_obj_end(o);
}

unsigned
cli_carp_print(struct cli_ctx *x, const char *name)
{
	struct fo *f = cli_fo_of(x);
	struct fo_info *i = f != NULL ? malloc(sizeof(*i)) : NULL;
	unsigned shown = 0;

	for (unsigned k = 0; i != NULL && fo_info_get(f, k, i) == 0; k++) {
		if (name != NULL && strcmp(name, i->conf->name) != 0 && strcmp(name, FO_GROUP_DEFAULT) != 0)
			continue;
		shown++;
		if (cli_json(x->out))
			if_json(x, i);
		else
			if_print(x, i);
	}
	free(i);
	return shown;
}

/* A password as one word of a box file. */
static void
quoted(struct cli_out *o, const char *s)
{
	cli_printf(o, "\"");
	for (; *s != '\0'; s++)
		cli_printf(o, "%s%c", *s == '"' || *s == '\\' ? "\\" : "", *s);
	cli_printf(o, "\"");
}

void
cli_carp_config(struct cli_ctx *x)
{
	struct fo *f = cli_fo_of(x);
	struct fo_info *i = f != NULL ? malloc(sizeof(*i)) : NULL;
	struct cli_out *o = x->out;
	struct fo_options opt;
	char s[64];

	if (i == NULL)
		return;
	fo_options_get(f, &opt);
	if (opt.preempt)
		cli_printf(o, "set carp preempt on\n");
	if (!opt.allow)
		cli_printf(o, "set carp allow off\n");
	if (opt.linklocal)
		cli_printf(o, "set carp linklocal on\n");
	if (opt.peer_kind != FO_CARP_PEER_AUTO)
		cli_printf(o, "set carp peer %s\n", opt.peer_kind == FO_CARP_PEER_OPENBSD ? "openbsd" : "freebsd");
	if (opt.counter != FO_COUNTER_CONSTANT)
		cli_printf(o, "set carp counter %s\n", opt.counter == FO_COUNTER_STRICT ? "strict" : "rising");
	for (unsigned k = 0; fo_info_get(f, k, i) == 0; k++) {
		const struct fo_if_conf *c = i->conf;

		cli_printf(o, "ifconfig %s", c->name);
		if (c->vhid != 0)
			cli_printf(o, " vhid %u", c->vhid);
		if (c->pass[0] != '\0') {
			cli_printf(o, " pass ");
			quoted(o, c->pass);
		}
		if (c->carpdev[0] != '\0')
			cli_printf(o, " carpdev %s", c->carpdev);
		cli_printf(o, " advbase %u advskew %u", c->advbase, c->advskew);
		for (int n = 0; n < FO_FAMILIES; n++)
			if (c->has_peer[n]) {
				cli_addr_str(n == FO_INET6 ? POL_AF_INET6 : POL_AF_INET, c->peer[n], s, sizeof(s));
				cli_printf(o, " carppeer %s", s);
			}
		for (unsigned n = 0; n < c->n_groups; n++)
			cli_printf(o, " group %s", c->groups[n]);
		for (unsigned n = 0; n < c->n_addrs; n++) {
			cli_addr_str(c->addrs[n].af, c->addrs[n].addr, s, sizeof(s));
			cli_printf(o, " %s %s/%u", c->addrs[n].af == POL_AF_INET6 ? "inet6" : "inet", s, c->addrs[n].plen);
		}
		cli_printf(o, " %s\n", c->up ? "up" : "down");
	}
	free(i);
}

/* ---- words */

static int
number(struct cli_ctx *x, const char *word, const char *arg, uint64_t min, uint64_t max, uint64_t *v)
{
	if (arg == NULL || !cli_parse_u64(arg, max, v) || *v < min)
		return cli_err(x, "ifconfig: %s: %s %s: expected %llu to %llu", x->argv[0], word, arg != NULL ? arg : "",
			(unsigned long long)min, (unsigned long long)max);
	return 0;
}

/* ADDR[/LEN] [netmask M | prefixlen N | broadcast B | alias | -alias | delete] */
static int
word_addr(struct cli_ctx *x, struct want *w, int *pos, uint8_t want)
{
	struct fo_if_addr a = { 0 };
	bool del = false, has_plen;
	int i = *pos, n;
	uint64_t v;

	while (i < x->argc && (strcmp(x->argv[i], "alias") == 0 || strcmp(x->argv[i], "-alias") == 0 || strcmp(x->argv[i], "delete") == 0))
		del = strcmp(x->argv[i++], "alias") != 0;
	if (i >= x->argc || cli_prefix_parse(x->argv[i], &a.af, a.addr, &a.plen) != 0 || (want != 0 && a.af != want))
		return cli_err(x, "ifconfig: %s: %s: expected an address, also with /LENGTH", x->argv[0], i < x->argc ? x->argv[i] : "inet");
	has_plen = strchr(x->argv[i++], '/') != NULL;
	for (; i < x->argc; i++) {
		const char *word = x->argv[i], *arg = i + 1 < x->argc ? x->argv[i + 1] : NULL;

		if (strcmp(word, "alias") == 0) {
			continue;
		} else if (strcmp(word, "-alias") == 0 || strcmp(word, "delete") == 0) {
			del = true;
		} else if (strcmp(word, "netmask") == 0 && a.af == POL_AF_INET) {
			if (arg == NULL || (n = cli_netmask_plen(arg)) < 0)
				return cli_err(x, "ifconfig: %s: netmask %s: expected 255.255.255.0 or 0xffffff00, without holes", x->argv[0],
					arg != NULL ? arg : "");
			a.plen = (uint8_t)n;
			has_plen = true;
			i++;
		} else if (strcmp(word, "prefixlen") == 0) {
			if (number(x, word, arg, 1, a.af == POL_AF_INET ? 32 : 128, &v) != 0)
				return 1;
			a.plen = (uint8_t)v;
			has_plen = true;
			i++;
		} else if (strcmp(word, "broadcast") == 0 && arg != NULL) {
			i++;	/* it follows from the prefix */
		} else {
			break;
		}
	}
	*pos = i;
	if (!has_plen)
		a.plen = a.af == POL_AF_INET6 ? 64 : a.addr[0] < 128 ? 8 : a.addr[0] < 192 ? 16 : 24;
	for (unsigned k = 0; k < w->c.n_addrs; k++) {
		struct fo_if_addr *o = &w->c.addrs[k];

		if (o->af != a.af || memcmp(o->addr, a.addr, a.af == POL_AF_INET6 ? 16 : 4) != 0)
			continue;
		if (del) {
			memmove(o, o + 1, (w->c.n_addrs - k - 1) * sizeof(*o));
			w->c.n_addrs--;
		} else {
			o->plen = a.plen;
		}
		return 0;
	}
	if (del)
		return x->check ? 0 : cli_err(x, "ifconfig: %s does not have this address", x->argv[0]);
	w->c.up = true;	/* as ifconfig does */
	return fo_if_conf_addr(&w->c, &a) == 0 ? 0 : cli_err(x, "ifconfig: out of memory");
}

static int
word_peer(struct cli_ctx *x, struct want *w, const char *arg)
{
	uint8_t af, plen, addr[16];
	int f;

	if (arg == NULL || strchr(arg, '/') != NULL || cli_prefix_parse(arg, &af, addr, &plen) != 0)
		return cli_err(x, "ifconfig: %s: carppeer %s: expected an IPv4 or IPv6 address", x->argv[0], arg != NULL ? arg : "");
	f = af == POL_AF_INET6 ? FO_INET6 : FO_INET;
	/* a group is where advertisements go by themselves */
	w->c.has_peer[f] = f == FO_INET ? addr[0] >> 4 != 0xe : addr[0] != 0xff;
	memcpy(w->c.peer[f], addr, sizeof(w->c.peer[f]));
	return 0;
}

static int
word_group(struct cli_ctx *x, struct want *w, const char *word, const char *arg)
{
	int rc;

	if (arg == NULL)
		return cli_err(x, "ifconfig: %s: %s needs the name of a group", x->argv[0], word);
	if (word[0] == '-') {
		for (unsigned k = 0; k < w->c.n_groups; k++)
			if (strcmp(w->c.groups[k], arg) == 0) {
				memmove(w->c.groups[k], w->c.groups[k + 1], (w->c.n_groups - k - 1) * sizeof(w->c.groups[0]));
				w->c.n_groups--;
				return 0;
			}
		if (strcmp(arg, FO_GROUP_DEFAULT) == 0)
			return cli_err(x, "ifconfig: %s: every carp interface is in group carp", x->argv[0]);
		return x->check ? 0 : cli_err(x, "ifconfig: %s is not in group %s", x->argv[0], arg);
	}
	rc = fo_if_conf_group(&w->c, arg);
	return rc == 0 || rc == -EEXIST ? 0 : cli_err(x, "ifconfig: %s: group %s: %s", x->argv[0], arg,
		rc == -EINVAL ? "no such name: 1 to 15 characters, not all" : "out of memory");
}

static int
parse(struct cli_ctx *x, struct want *w)
{
	uint8_t af, plen, addr[16];
	uint64_t v;

	for (int i = 1; i < x->argc;) {
		const char *word = x->argv[i], *arg = i + 1 < x->argc ? x->argv[i + 1] : NULL;
		int rc = 0;

		if (strcmp(word, "inet") == 0 || strcmp(word, "inet6") == 0) {
			i++;
			if (word_addr(x, w, &i, word[4] == '6' ? POL_AF_INET6 : POL_AF_INET) != 0)
				return 1;
			continue;
		}
		if (cli_prefix_parse(word, &af, addr, &plen) == 0) {
			if (word_addr(x, w, &i, 0) != 0)
				return 1;
			continue;
		}
		i++;
		if (strcmp(word, "up") == 0 || strcmp(word, "down") == 0) {
			w->c.up = word[0] == 'u';
			continue;
		} else if (strcmp(word, "create") == 0) {
			continue;
		} else if (strcmp(word, "destroy") == 0) {
			w->destroy = true;
			continue;
		} else if (strcmp(word, "-carppeer") == 0) {
			w->c.has_peer[FO_INET] = w->c.has_peer[FO_INET6] = false;
			continue;
		}
		i++;
		if (strcmp(word, "vhid") == 0) {
			if ((rc = number(x, word, arg, 1, 255, &v)) == 0)
				w->c.vhid = (uint8_t)v;
		} else if (strcmp(word, "advbase") == 0) {
			if ((rc = number(x, word, arg, 0, FO_CARP_ADVBASE_MAX, &v)) == 0)
				w->c.advbase = (uint8_t)v;
		} else if (strcmp(word, "advskew") == 0) {
			if ((rc = number(x, word, arg, 0, FO_CARP_ADVSKEW_MAX, &v)) == 0)
				w->c.advskew = (uint8_t)v;
		} else if (strcmp(word, "pass") == 0) {
			if (arg == NULL || strlen(arg) >= sizeof(w->c.pass))
				return cli_err(x, "ifconfig: %s: pass needs a password of at most %zu characters, of which %u count", x->argv[0],
					sizeof(w->c.pass) - 1, FO_CARP_PASS_MAX);
			if (strlen(arg) > FO_CARP_PASS_MAX)
				cli_warn(x, "ifconfig: %s: of the password the first %u characters count", x->argv[0], FO_CARP_PASS_MAX);
			snprintf(w->c.pass, sizeof(w->c.pass), "%s", arg);
		} else if (strcmp(word, "carpdev") == 0) {
			if (arg == NULL || arg[0] == '\0' || strlen(arg) >= sizeof(w->c.carpdev))
				return cli_err(x, "ifconfig: %s: carpdev needs the interface that it stands on", x->argv[0]);
			snprintf(w->c.carpdev, sizeof(w->c.carpdev), "%s", arg);
		} else if (strcmp(word, "carppeer") == 0) {
			rc = word_peer(x, w, arg);
		} else if (strcmp(word, "group") == 0 || strcmp(word, "-group") == 0) {
			rc = word_group(x, w, word, arg);
		} else if (strcmp(word, "state") == 0) {
			if (arg == NULL || (strcasecmp(arg, "master") != 0 && strcasecmp(arg, "backup") != 0))
				return cli_err(x, "ifconfig: %s: state %s: expected master or backup", x->argv[0], arg != NULL ? arg : "");
			w->has_state = true;
			w->state = arg[0] == 'm' || arg[0] == 'M' ? FO_CARP_MASTER : FO_CARP_BACKUP;
		} else if (strcmp(word, "carpnodes") == 0 || strcmp(word, "balancing") == 0) {
			return cli_err(x, "ifconfig: %s: %s: load balancing is not available in this version: one vhid an interface",
				x->argv[0], word);
		} else {
			return cli_err(x, "ifconfig: %s: unknown word `%s`; expected one of: %s", x->argv[0], word, words_list);
		}
		if (rc != 0)
			return rc;
	}
	if (w->destroy && x->argc > 2)
		return cli_err(x, "ifconfig: %s: destroy stands alone in its line", x->argv[0]);
	return 0;
}

/* ---- obeying */

static int
obey(struct cli_ctx *x, struct fo *f, const struct want *w)
{
	struct fp_err err = { "" };
	int rc;

	if (w->destroy)
		rc = fo_if_destroy(f, x->argv[0], &err);
	else
		rc = fo_if_put(f, &w->c, &err);
	if (rc == 0 && w->has_state)
		rc = fo_if_state(f, x->argv[0], w->state, &err);
	return rc == 0 ? 0 : cli_err(x, "ifconfig: %s: %s", x->argv[0], err.text[0] ? err.text : strerror(-rc));
}

int
cli_carp_ifconfig(struct cli_ctx *x)
{
	const char *name = x->argv[0];
	struct fo *f = NULL;
	struct want *w;
	int rc = 0;

	if (!x->check && (f = cli_fo(x)) == NULL)
		return 1;
	if (x->argc == 1) {
		unsigned n;

		if (f == NULL)
			return 0;
		if (cli_json(x->out))
			cli_arr(x->out, NULL);
		n = cli_carp_print(x, name);
		if (cli_json(x->out))
			cli_arr_end(x->out);
		return n != 0 || strcmp(name, FO_GROUP_DEFAULT) == 0 ? 0 : cli_err(x, "ifconfig: no interface `%s`", name);
	}
	if (name[4] == '\0' || strlen(name) >= FP_NAME_SIZE)
		return cli_err(x, "ifconfig: `%s`: expected a name with a number, such as carp1", name);
	if ((w = calloc(1, sizeof(*w))) == NULL)
		return cli_err(x, "ifconfig: out of memory");
	if (f == NULL || fo_if_get(f, name, &w->c) != 0)
		fo_if_conf_init(&w->c, name);
	rc = parse(x, w);
	if (rc == 0 && f != NULL)
		rc = obey(x, f, w);
	explicit_bzero(w->c.pass, sizeof(w->c.pass));
	fo_if_conf_free(&w->c);
	free(w);
	return rc;
}

int
cli_carp_group(struct cli_ctx *x)
{
	const char *group = x->argc > 1 ? x->argv[1] : NULL;
	struct fp_err err = { "" };
	struct fo *f = NULL;
	uint64_t n = 1;

	if (group == NULL || group[0] == '-')
		return cli_err(x, "ifconfig: -g needs the name of an interface group");
	if (x->argc > 2 && strcmp(x->argv[2], "carpdemote") != 0 && strcmp(x->argv[2], "-carpdemote") != 0)
		return cli_err(x, "ifconfig: -g %s: unknown word `%s`; expected carpdemote [N] or -carpdemote [N]", group, x->argv[2]);
	if (x->argc > 3 && (!cli_parse_u64(x->argv[3], FO_CARP_DEMOTE_MAX, &n) || x->argc > 4))
		return cli_err(x, "ifconfig: -g %s %s: expected a number, 0 to %u", group, x->argv[2], FO_CARP_DEMOTE_MAX);
	if (x->check)
		return 0;
	if ((f = cli_fo(x)) == NULL)
		return 1;
	if (x->argc == 2) {
		if (cli_json(x->out)) {
			cli_obj(x->out, NULL);
			cli_str(x->out, "group", group);
			cli_u64(x->out, "carpdemote", fo_demote_count(f, group));
			cli_obj_end(x->out);
		} else {
			cli_printf(x->out, "%s: carp demote count %u\n", group, fo_demote_count(f, group));
		}
		return 0;
	}
	if (fo_demote_add(f, group, x->argv[2][0] == '-' ? -(int)n : (int)n, &err) != 0)
		return cli_err(x, "ifconfig: -g %s: %s", group, err.text);
	return 0;
}
