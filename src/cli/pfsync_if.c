/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `ifconfig pfsync0 ...` with the words of OpenBSD, old OpenBSD (syncif) and FreeBSD (maxupd, version), in any order. A
 * line is read in full, then obeyed in one order: `down` first, `up` last, so that what is between counts once. What the
 * box refuses takes the whole line back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pfsync.h"

#define NAME "pfsync0"
#define MAXUPD_DEFAULT 128
#define MTU_MIN 420	/* one record of FreeBSD 15 over IPv6 */
#define MTU_MAX 9216

enum { SET_UP = 1, SET_SYNCDEV = 2, SET_PEER = 4, SET_MAXUPD = 8, SET_DEFER = 16, SET_VERSION = 32, SET_MTU = 64, SET_ALL = 127 };

struct want {
	unsigned set;		/* SET_* */
	bool destroy;
	struct sync_conf c;	/* fields of what is set */
};

static const char words_list[] = "up, down, syncdev IF, -syncdev, syncpeer ADDR, -syncpeer, maxupd N, -maxupd, defer, -defer, "
	"version N, -version, mtu N, -mtu, create, destroy";

/* ---- output */

static unsigned
mtu_shown(struct cli_ctx *x, const struct sync_conf *c)
{
	struct fp_if_info *i;
	unsigned mtu = c->mtu;

	if (mtu == 0 && c->syncdev[0] != '\0' && (i = malloc(sizeof(*i))) != NULL) {
		if (fp_if_find(x->box, c->syncdev, i) == 0)
			mtu = i->mtu;
		free(i);
	}
	return mtu != 0 ? mtu : 1500;
}

static bool
sync_ok(const struct sync_info *info)
{
	return info->health != SYNC_HEALTH_OFF && strcmp(info->bulk.state, "done") == 0;
}

bool
cli_pfsync_configured(struct cli_ctx *x)
{
	struct sync *s = cli_sync_of(x);
	struct sync_conf c;

	if (s == NULL)
		return false;
	sync_conf_get(s, &c);
	return c.up || c.defer || c.syncdev[0] != '\0' || c.peer[0] != '\0' || c.maxupd != MAXUPD_DEFAULT || c.version != 0 || c.mtu != 0;
}

void
cli_pfsync_print(struct cli_ctx *x)
{
	struct sync *s = cli_sync_of(x);
	struct sync_info *info = calloc(1, sizeof(*info));
	struct cli_out *o = x->out;
	struct sync_conf c;
	bool running;

	if (s == NULL || info == NULL) {
		free(info);
		return;
	}
	sync_conf_get(s, &c);
	sync_info_get(s, info);
	running = c.up && c.syncdev[0] != '\0';
	if (cli_json(o)) {
		cli_obj(o, NULL);
		cli_str(o, "name", NAME);
		cli_u64(o, "mtu", mtu_shown(x, &c));
		cli_bool(o, "up", c.up);
		cli_bool(o, "running", running);
		cli_str(o, "syncdev", c.syncdev[0] ? c.syncdev : NULL);
		cli_str(o, "syncpeer", c.peer[0] ? c.peer : NULL);
		cli_u64(o, "maxupd", c.maxupd);
		cli_bool(o, "defer", c.defer);
		cli_u64(o, "version", c.version != 0 ? c.version : info->version);
		cli_bool(o, "version_fixed", c.version != 0);
		cli_bool(o, "syncok", sync_ok(info));
		cli_obj_end(o);
	} else {
		cli_printf(o, NAME ": flags=%x<%s%s> mtu %u\n", (c.up ? 0x1u : 0) | (running ? 0x40u : 0), c.up ? "UP" : "",
			running ? ",RUNNING" : "", mtu_shown(x, &c));
		cli_printf(o, "\tpfsync: ");
		if (c.syncdev[0] != '\0')
			cli_printf(o, "syncdev: %s ", c.syncdev);
		if (c.peer[0] != '\0')
			cli_printf(o, "syncpeer: %s ", c.peer);
		cli_printf(o, "maxupd: %u defer: %s\n", c.maxupd, c.defer ? "on" : "off");
		cli_printf(o, "\tversion: %u%s\n", c.version != 0 ? c.version : info->version, c.version != 0 ? "" : " (auto)");
		cli_printf(o, "\tsyncok: %d\n", sync_ok(info));
		cli_printf(o, "\tgroups: carp pfsync\n");
	}
	free(info);
}

void
cli_pfsync_config(struct cli_ctx *x)
{
	struct sync *s = cli_sync_of(x);
	struct cli_out *o = x->out;
	struct sync_conf c;

	if (s == NULL)
		return;
	sync_conf_get(s, &c);
	for (unsigned k = 0; k < c.n_map; k++)
		cli_printf(o, "set peer %s is %s\n", c.map[k].of_peer, c.map[k].here);
	if (!cli_pfsync_configured(x))
		return;
	cli_printf(o, "ifconfig " NAME);
	if (c.syncdev[0] != '\0')
		cli_printf(o, " syncdev %s", c.syncdev);
	if (c.peer[0] != '\0')
		cli_printf(o, " syncpeer %s", c.peer);
	if (c.maxupd != MAXUPD_DEFAULT)
		cli_printf(o, " maxupd %u", c.maxupd);
	if (c.defer)
		cli_printf(o, " defer");
	if (c.version != 0)
		cli_printf(o, " version %u", c.version);
	if (c.mtu != 0)
		cli_printf(o, " mtu %u", c.mtu);
	cli_printf(o, "%s\n", c.up ? " up" : "");
}

/* ---- words */

static bool
is_word_of_ours(const char *w)
{
	static const char *const words[] = { "up", "down", "syncdev", "syncif", "-syncdev", "-syncif", "syncpeer", "-syncpeer", "maxupd",
		"-maxupd", "defer", "-defer", "version", "-version", "mtu", "-mtu", "create", "destroy" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i], w) == 0)
			return true;
	return false;
}

static bool
has_number(const char *name, const char *base)
{
	size_t n = strlen(base);

	return strncmp(name, base, n) == 0 && name[n] >= '0' && name[n] <= '9';
}

static int
word_syncdev(struct cli_ctx *x, struct want *w, const char *word, const char *arg)
{
	if (arg == NULL || is_word_of_ours(arg))
		return cli_err(x, "ifconfig: " NAME ": %s needs the interface that the cable to the peer is on", word);
	if (has_number(arg, "enc"))
		return cli_err(x, "ifconfig: " NAME ": %s %s: IPsec on the cable is not available in this version; expected an interface "
			"of its own for the cable", word, arg);
	if (has_number(arg, "pfsync") || has_number(arg, "carp"))
		return cli_err(x, "ifconfig: " NAME ": %s %s: expected a port or a VLAN", word, arg);
	if (strlen(arg) >= FP_NAME_SIZE)
		return cli_err(x, "ifconfig: " NAME ": interface name `%s` is longer than %d characters", arg, FP_NAME_SIZE - 1);
	if (x->box != NULL && !x->check) {
		struct fp_if_info *i = calloc(1, sizeof(*i));
		char known[512] = "";
		size_t n = 0;
		bool is = i != NULL && fp_if_find(x->box, arg, i) == 0;

		for (unsigned k = 0; !is && i != NULL && n < sizeof(known) && fp_if_info(x->box, k, i) == 0; k++)
			n += snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "", i->name);
		free(i);
		if (!is)
			return cli_err(x, "ifconfig: " NAME ": %s: no interface `%s`; there is: %s", word, arg, known[0] ? known : "none");
	}
	snprintf(w->c.syncdev, sizeof(w->c.syncdev), "%s", arg);
	w->set |= SET_SYNCDEV;
	return 0;
}

static int
word_syncpeer(struct cli_ctx *x, struct want *w, const char *arg)
{
	uint8_t af, plen, addr[16];

	if (arg == NULL || strchr(arg, '/') != NULL || cli_prefix_parse(arg, &af, addr, &plen) != 0)
		return cli_err(x, "ifconfig: " NAME ": syncpeer %s: expected an IPv4 or IPv6 address of the peer (names are not looked up)",
			arg != NULL ? arg : "");
	cli_addr_str(af, addr, w->c.peer, sizeof(w->c.peer));
	w->set |= SET_PEER;
	return 0;
}

static int
word_version(struct cli_ctx *x, struct want *w, const char *arg)
{
	static const unsigned versions[] = { 0, 6, 1301, 1400, 1500 };
	uint64_t v;

	w->set |= SET_VERSION;
	w->c.version = 0;
	if (arg != NULL && strcmp(arg, "auto") == 0)
		return 0;
	if (arg != NULL && cli_parse_u64(arg, 9999, &v))
		for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
			if (versions[i] == v) {
				w->c.version = versions[i];
				return 0;
			}
	return cli_err(x, "ifconfig: " NAME ": version %s: expected 6 (OpenBSD), 1301, 1400, 1500 (FreeBSD), or 0: as the peer speaks",
		arg != NULL ? arg : "");
}

/* Words of other interfaces, by name. */
static int
refuse(struct cli_ctx *x, const char *word)
{
	static const char *const others[] = { "lladdr", "ether", "link", "vnetid", "parent", "vlan", "vlandev", "description", "descr",
		"group", "-group", "media", "mediaopt", "rdomain", "vhid", "advbase", "advskew", "pass", "carpdev", "carppeer" };
	uint8_t af, plen, addr[16];

	if (strcmp(word, "inet") == 0 || strcmp(word, "inet6") == 0 || cli_prefix_parse(word, &af, addr, &plen) == 0)
		return cli_err(x, "ifconfig: " NAME ": %s: " NAME " has no address; give it to the interface of the cable: "
			"ifconfig SYNCDEV inet ADDR/LEN", word);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(others[i], word) == 0)
			return cli_err(x, "ifconfig: `%s` is nothing that " NAME " has; expected one of: %s", word, words_list);
	return cli_err(x, "ifconfig: " NAME ": unknown word `%s`; expected one of: %s", word, words_list);
}

static int
parse(struct cli_ctx *x, struct want *w)
{
	uint64_t v;

	for (int i = 1; i < x->argc; i++) {
		const char *word = x->argv[i], *arg = i + 1 < x->argc ? x->argv[i + 1] : NULL;
		int rc = 0;

		if (strcmp(word, "up") == 0 || strcmp(word, "down") == 0) {
			w->set |= SET_UP;
			w->c.up = word[0] == 'u';
		} else if (strcmp(word, "syncdev") == 0 || strcmp(word, "syncif") == 0) {
			rc = word_syncdev(x, w, word, arg);
			i++;
		} else if (strcmp(word, "-syncdev") == 0 || strcmp(word, "-syncif") == 0) {
			w->set |= SET_SYNCDEV;
			w->c.syncdev[0] = '\0';
		} else if (strcmp(word, "syncpeer") == 0) {
			rc = word_syncpeer(x, w, arg);
			i++;
		} else if (strcmp(word, "-syncpeer") == 0) {
			w->set |= SET_PEER;
			w->c.peer[0] = '\0';
		} else if (strcmp(word, "maxupd") == 0) {
			if (arg == NULL || !cli_parse_u64(arg, 255, &v))
				return cli_err(x, "ifconfig: " NAME ": maxupd %s: expected 0 to 255", arg != NULL ? arg : "");
			w->set |= SET_MAXUPD;
			w->c.maxupd = (unsigned)v;
			i++;
		} else if (strcmp(word, "-maxupd") == 0) {
			w->set |= SET_MAXUPD;
			w->c.maxupd = MAXUPD_DEFAULT;
		} else if (strcmp(word, "defer") == 0 || strcmp(word, "-defer") == 0) {
			w->set |= SET_DEFER;
			w->c.defer = word[0] != '-';
		} else if (strcmp(word, "version") == 0) {
			rc = word_version(x, w, arg);
			i++;
		} else if (strcmp(word, "-version") == 0) {
			w->set |= SET_VERSION;
			w->c.version = 0;
		} else if (strcmp(word, "mtu") == 0) {
			if (arg == NULL || !cli_parse_u64(arg, MTU_MAX, &v) || v < MTU_MIN)
				return cli_err(x, "ifconfig: " NAME ": mtu %s: expected %d to %d", arg != NULL ? arg : "", MTU_MIN, MTU_MAX);
			w->set |= SET_MTU;
			w->c.mtu = (unsigned)v;
			i++;
		} else if (strcmp(word, "-mtu") == 0) {
			w->set |= SET_MTU;
			w->c.mtu = 0;
		} else if (strcmp(word, "create") == 0) {
			; /* it is always there */
		} else if (strcmp(word, "destroy") == 0) {
			w->destroy = true;
		} else {
			rc = refuse(x, word);
		}
		if (rc != 0)
			return rc;
	}
	if (w->destroy && x->argc > 2)
		return cli_err(x, "ifconfig: " NAME ": destroy stands alone in its line");
	return 0;
}

/* ---- obeying */

static int
obey(struct sync *s, unsigned set, const struct sync_conf *c, struct fp_err *err)
{
	int rc = 0;

	if ((set & SET_UP) && !c->up)
		rc = sync_up(s, false, err);
	if (rc == 0 && (set & SET_VERSION))
		rc = sync_version(s, c->version, err);
	if (rc == 0 && (set & SET_MTU))
		rc = sync_mtu(s, c->mtu, err);
	if (rc == 0 && (set & SET_MAXUPD))
		rc = sync_maxupd(s, c->maxupd, err);
	if (rc == 0 && (set & SET_DEFER))
		rc = sync_defer(s, c->defer, err);
	if (rc == 0 && (set & SET_PEER))
		rc = sync_peer(s, c->peer[0] != '\0' ? c->peer : NULL, err);
	if (rc == 0 && (set & SET_SYNCDEV))
		rc = sync_syncdev(s, c->syncdev[0] != '\0' ? c->syncdev : NULL, err);
	if (rc == 0 && (set & SET_UP) && c->up)
		rc = sync_up(s, true, err);
	return rc;
}

/* Back to what it was, one by one: what cannot go back (a port that was detached meanwhile) holds up nothing else. */
static void
take_back(struct sync *s, unsigned set, const struct sync_conf *before)
{
	struct fp_err ignored;

	if ((set & SET_UP) && before->up) {
		take_back(s, set & ~SET_UP, before);
		obey(s, SET_UP, before, &ignored);
		return;
	}
	for (unsigned bit = 1; bit <= SET_ALL; bit <<= 1)
		if (set & bit)
			obey(s, bit, before, &ignored);
}

int
cli_pfsync_ifconfig(struct cli_ctx *x)
{
	struct sync_conf before;
	struct fp_err err = { "" };
	struct want *w;
	struct sync *s = NULL;
	int rc;

	if (strcmp(x->argv[0], NAME) != 0 && (strcmp(x->argv[0], "pfsync") != 0 || x->argc > 1))
		return cli_err(x, "ifconfig: no interface `%s`; there is one pair, and its interface is " NAME, x->argv[0]);
	if (!x->check && (s = cli_sync(x)) == NULL)
		return 1;
	if (x->argc == 1) {
		if (s == NULL)
			return 0;
		if (cli_json(x->out))
			cli_arr(x->out, NULL);
		cli_pfsync_print(x);
		if (cli_json(x->out))
			cli_arr_end(x->out);
		return 0;
	}
	if ((w = calloc(1, sizeof(*w))) == NULL)
		return cli_err(x, "ifconfig: out of memory");
	rc = parse(x, w);
	if (rc == 0 && s != NULL) {
		if (w->destroy) {
			w->set = SET_ALL;
			w->c.maxupd = MAXUPD_DEFAULT;
		}
		sync_conf_get(s, &before);
		if ((rc = obey(s, w->set, &w->c, &err)) != 0) {
			take_back(s, w->set, &before);
			rc = cli_err(x, "ifconfig: " NAME ": %s", err.text[0] ? err.text : strerror(-rc));
		}
	}
	free(w);
	return rc;
}
