/* SPDX-License-Identifier: BSD-2-Clause */
/* What a user types and sees of the pair, on a box made of variables. */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli_priv.h"
#include "cli_fake.h"
#include "fastpath/sync_hooks.h"

static struct fp_box *box;
static struct sync *pair;
static struct cli *cli;

static int
setup(void **state)
{
	box = fake_box();
	pair = box->sync;
	snprintf(box->ifs[2].name, sizeof(box->ifs[2].name), "sync0");
	box->ifs[2].ifid = 2;
	box->ifs[2].mtu = 1500;
	box->ifs[2].up = box->ifs[2].running = true;
	box->ifs[2].bridge_peer = 0xfffe;
	box->ifs[2].n_addrs = 1;
	box->ifs[2].addrs[0] = (struct fp_ifaddr_info){ .af = POL_AF_INET, .plen = 30, .addr = { 169, 254, 240, 1 } };
	box->n_ifs = 3;
	cli = cli_create(box);
	return 0;
}

static int
teardown(void **state)
{
	cli_destroy(cli);
	free(pair);
	box->sync = NULL;
	fake_box_free(box);
	return 0;
}

static void
run(const char *line, int status)
{
	int rc = fake_run(cli, line);

	if (rc != status)
		print_error("`%s`: %s%s\n", line, fake_out, fake_err);
	assert_int_equal(rc, status);
}

static void
does(const char *line, const char *log)
{
	box->log[0] = '\0';
	run(line, 0);
	assert_string_equal(box->log, log);
}

/* Refused in words, and nothing has happened. */
static void
fails(const char *line, const char *say)
{
	struct sync_conf before = pair->conf;

	box->log[0] = '\0';
	run(line, 1);
	if (strstr(fake_err, say) == NULL)
		fail_msg("%s: `%s` is not in: %s", line, say, fake_err);
	assert_string_equal(box->log, "");
	assert_string_equal(fake_out, "");
	assert_memory_equal(&before, &pair->conf, sizeof(before));
}

static void
has(const char *text)
{
	if (strstr(fake_out, text) == NULL)
		fail_msg("`%s` is not in:\n%s", text, fake_out);
}

static void
has_not(const char *text)
{
	if (strstr(fake_out, text) != NULL)
		fail_msg("`%s` is in:\n%s", text, fake_out);
}

/* ---- ifconfig pfsync0 */

static void
test_words(void **state)
{
	does("ifconfig pfsync0 syncdev sync0", "syncdev sync0\n");
	does("ifconfig pfsync0 syncif ext0", "syncdev ext0\n");
	does("ifconfig pfsync0 up syncif int0", "syncdev int0\nsync-up \n");
	does("ifconfig pfsync0 syncdev sync0 maxupd 128 defer up", "maxupd 128\ndefer 1\nsyncdev sync0\nsync-up \n");
	does("ifconfig pfsync0 syncpeer 169.254.240.2", "peer 169.254.240.2\n");
	does("ifconfig pfsync0 syncpeer 2001:DB8:0::2 -defer", "defer 0\npeer 2001:db8::2\n");
	does("ifconfig pfsync0 -syncpeer", "peer -\n");
	does("ifconfig pfsync0 maxupd 64", "maxupd 64\n");
	does("ifconfig pfsync0 maxupd 0", "maxupd 0\n");
	does("ifconfig pfsync0 -maxupd", "maxupd 128\n");
	does("ifconfig pfsync0 version 1301", "version 1301\n");
	does("ifconfig pfsync0 version 6 mtu 9000", "version 6\nsync-mtu 9000\n");
	does("ifconfig pfsync0 version auto -mtu", "version 0\nsync-mtu 0\n");
	does("ifconfig pfsync0 -version", "version 0\n");
	does("ifconfig pfsync0 -syncdev", "syncdev -\n");
	does("ifconfig pfsync0 -syncif", "syncdev -\n");
	does("ifconfig pfsync0 down -syncdev", "sync-down \nsyncdev -\n");
	does("ifconfig pfsync0 create up syncdev sync0", "syncdev sync0\nsync-up \n");
	does("ifconfig pfsync0 up down", "sync-down \n");	/* the last word counts */
	does("ifconfig pfsync0 defer", "defer 1\n");
	run("ifconfig pfsync0 destroy", 0);
	assert_true(!pair->conf.up && !pair->conf.defer && pair->conf.syncdev[0] == '\0' && pair->conf.maxupd == 128);
}

static void
test_word_errors(void **state)
{
	fails("ifconfig pfsync0 syncpeer 192.0.2.1 syncdev enc0", "IPsec on the cable is not available");
	fails("ifconfig pfsync0 up syncdev", "needs the interface");
	fails("ifconfig pfsync0 syncdev up", "needs the interface");
	fails("ifconfig pfsync0 syncdev nope up", "there is: ext0, int0, sync0");
	fails("ifconfig pfsync0 syncdev carp1", "expected a port or a VLAN");
	fails("ifconfig pfsync0 syncdev pfsync0", "expected a port or a VLAN");
	fails("ifconfig pfsync0 up syncpeer", "expected an IPv4 or IPv6 address");
	fails("ifconfig pfsync0 syncpeer 10.0.0.1/24", "expected an IPv4 or IPv6 address");
	fails("ifconfig pfsync0 syncpeer peer.example", "names are not looked up");
	fails("ifconfig pfsync0 maxupd 256", "expected 0 to 255");
	fails("ifconfig pfsync0 up maxupd", "expected 0 to 255");
	fails("ifconfig pfsync0 up version 5", "expected 6 (OpenBSD), 1301, 1400, 1500");
	fails("ifconfig pfsync0 version", "expected 6 (OpenBSD)");
	fails("ifconfig pfsync0 mtu 68", "expected 420 to 9216");
	fails("ifconfig pfsync0 up mtu", "expected 420 to 9216");
	fails("ifconfig pfsync0 inet 10.0.0.1/24", "pfsync0 has no address");
	fails("ifconfig pfsync0 up 10.0.0.1/24", "pfsync0 has no address");
	fails("ifconfig pfsync0 vhid 1", "`vhid` is nothing that pfsync0 has; expected one of: up, down, syncdev");
	fails("ifconfig pfsync0 up sideways", "unknown word `sideways`; expected one of: up, down, syncdev");
	fails("ifconfig pfsync0 destroy up", "stands alone");
	fails("ifconfig pfsync1 up", "its interface is pfsync0");
	fails("ifconfig pfsync up", "its interface is pfsync0");
	box->sync = NULL;
	fails("ifconfig pfsync0 up", "made without a pair");
	fails("show sync", "made without a pair");
	fails("sync bulk", "made without a pair");
	fails("set peer em0 is ext0", "made without a pair");
	run("ifconfig", 0);
	run("show config", 0);
	run("metrics", 0);
	run("doctor", 2);
	box->sync = pair;
}

/* What the box refuses takes the whole line back. */
static void
test_all_or_nothing(void **state)
{
	struct sync_conf before;

	run("ifconfig pfsync0 syncdev sync0 syncpeer 169.254.240.2 maxupd 64 up", 0);
	before = pair->conf;
	pair->fail = "syncdev";
	run("ifconfig pfsync0 down -syncpeer maxupd 1 defer version 6 mtu 1400 syncdev ext0", 1);
	assert_string_equal(fake_err, "ifconfig: pfsync0: syncdev will not do\n");
	assert_memory_equal(&before, &pair->conf, sizeof(before));
	pair->fail = "sync-up";
	pair->conf.up = before.up = false;
	run("ifconfig pfsync0 up -syncdev defer", 1);
	assert_memory_equal(&before, &pair->conf, sizeof(before));
	pair->fail = "defer";
	run("ifconfig pfsync0 version 1400 defer", 1);
	assert_memory_equal(&before, &pair->conf, sizeof(before));
}

static void
test_print(void **state)
{
	run("ifconfig", 0);
	has_not("pfsync0");	/* not configured */
	run("ifconfig pfsync0", 0);
	assert_string_equal(fake_out, "pfsync0: flags=0<> mtu 1500\n\tpfsync: maxupd: 128 defer: off\n\tversion: 6 (auto)\n"
		"\tsyncok: 0\n\tgroups: carp pfsync\n");
	box->ifs[2].mtu = 9000;
	run("ifconfig pfsync0 syncdev sync0 up", 0);
	pair->info.health = SYNC_HEALTH_IN_SYNC;
	strcpy(pair->info.bulk.state, "done");
	run("ifconfig pfsync0", 0);
	assert_string_equal(fake_out, "pfsync0: flags=41<UP,RUNNING> mtu 9000\n\tpfsync: syncdev: sync0 maxupd: 128 defer: off\n"
		"\tversion: 6 (auto)\n\tsyncok: 1\n\tgroups: carp pfsync\n");
	run("ifconfig pfsync0 syncpeer 10.10.3.3 defer version 1400 mtu 1400", 0);
	run("ifconfig -a", 0);
	has("sync0: flags=");
	has("pfsync0: flags=41<UP,RUNNING> mtu 1400\n\tpfsync: syncdev: sync0 syncpeer: 10.10.3.3 maxupd: 128 defer: on\n\tversion: 1400\n");
	run("ifconfig pfsync", 0);
	has("pfsync0: flags=41");
}

/* `show config` does what was done, also for `twinpath -n`. */
static void
test_config(void **state)
{
	char name[64] = "/tmp/cli_pairXXXXXX", *config;
	struct sync_conf before;
	int fd;

	run("show config", 0);
	has_not("pfsync");
	run("set peer em0 is ext0", 0);
	run("set peer em1 is int0", 0);
	run("set peer em1 is none", 0);
	run("ifconfig pfsync0 syncdev sync0 syncpeer fd00::2 maxupd 3 defer version 1500 mtu 4000 up", 0);
	box->n_ifs = 0;
	run("show config", 0);
	assert_string_equal(fake_out, "set peer em0 is ext0\n"
		"ifconfig pfsync0 syncdev sync0 syncpeer fd00::2 maxupd 3 defer version 1500 mtu 4000 up\n");
	box->n_ifs = 3;
	config = strdup(fake_out);
	fd = mkstemp(name);
	assert_true(write(fd, config, strlen(config)) == (ssize_t)strlen(config));
	close(fd);
	assert_int_equal(cli_check_file(name, stderr), 0);
	before = pair->conf;
	memset(&pair->conf, 0, sizeof(pair->conf));
	assert_int_equal(cli_run_file(cli, name, stderr), 0);
	assert_memory_equal(&before, &pair->conf, sizeof(before));
	unlink(name);
	free(config);
	fails("set peer em0 ext0", "expected is");
	fails("set peer em0 is", "expected none or an interface");
	fails("set peer 0em is ext0", "expected an interface");
	pair->fail = "map";
	fails("set peer em0 is ext0", "map will not do");
}

static void
test_check(void **state)
{
	static const char bad[] = "ifconfig pfsync0 up syncdev sync0\nifconfig pfsync0 syncdev enc0\nset peer a is\nsync bulk\n"
		"ifconfig pfsync0 maxupd 300\n";
	char name[64] = "/tmp/cli_pairXXXXXX", *text;
	size_t size;
	int fd = mkstemp(name);
	FILE *f = open_memstream(&text, &size);

	assert_true(write(fd, bad, strlen(bad)) == (ssize_t)strlen(bad));
	close(fd);
	assert_int_equal(cli_check_file(name, f), 3);
	fclose(f);
	assert_non_null(strstr(text, ":2: ifconfig: pfsync0: syncdev enc0: IPsec"));
	assert_non_null(strstr(text, ":3: set peer: something is missing"));
	assert_non_null(strstr(text, ":5: ifconfig: pfsync0: maxupd 300"));
	free(text);
	unlink(name);
}

/* ---- show sync, metrics, doctor */

static void
fill(void)
{
	struct sync_info *i = &pair->info;

	run("ifconfig pfsync0 syncdev sync0 up", 0);
	i->health = SYNC_HEALTH_IN_SYNC;
	strcpy(i->peer, "224.0.0.240");
	strcpy(i->heard, "169.254.240.2");
	i->heard_us = 400;
	i->link = i->twin = true;
	strcpy(i->thread, "cpu 3, its own lcore");
	i->tx_queues = 2;
	strcpy(i->bulk.state, "done");
	i->bulk.received = 1000;
	i->bulk.took_sec = 0.31;
	i->bulk.progress = 1;
	i->sent[SYNC_INS] = 1;
	i->received[SYNC_UPD_C] = 24;
	i->counters[SYNC_CNT_ipackets] = 44;
	i->counters[SYNC_CNT_stale] = 1;
	i->counters[SYNC_CNT_oerrors] = 2;
	i->received_packets = 44;
	i->received_bytes = 4444;
	i->inserted = 7;
	i->lag_p50_us = 12.34;
	i->lag_p99_us = 80;
	i->lag_max_us = 1234;
	i->lag_same_clock = true;
}

static void
test_show(void **state)
{
	run("show sync", 0);
	has("pfsync0: off\n\tno syncdev, sends to nobody, never heard a peer\n");
	has("\tbulk update: none\n");
	fill();
	run("show sync", 0);
	assert_string_equal(fake_out, "pfsync0: in sync\n"
		"\tsyncdev sync0, link up, sends to 224.0.0.240, heard 169.254.240.2 400 us ago\n"
		"\tversion 6, the peer is a twinpath box, role none, defer off\n"
		"\tsync thread: cpu 3, its own lcore; each worker has its own transmit queue\n"
		"\tbulk update: done, 1000 states received in 0.310 s\n"
		"\tlag from commit there to lookup here: p50 12.3 us, p99 80.0 us, max 1.2 ms\n"
		"\t0 dirty, 0 lost, 0 repaired\n"
		"pfsync:\n"
		"\t44 packets received (IPv4)\n\t0 packets received (IPv6)\n\t\t24 compressed state updates received\n\t\t1 stale state\n"
		"\t0 packets sent (IPv4)\n\t0 packets sent (IPv6)\n\t\t1 state insert sent\n\t\t2 send errors\n"
		"pair:\n\t4444 bytes received\n\t0 bytes sent\n\t7 states of the peer inserted\n");
	run("show sync all", 0);
	has("\t\t0 packets discarded for bad ttl\n");
	has("\t\t0 TDB replay counter updates received\n");
	has("first packets: 0 held");
	run("show sync json", 0);
	has("{\"health\":\"in_sync\",\"reason\":\"\",\"syncdev\":\"sync0\",\"link\":true,\"peer\":\"224.0.0.240\","
		"\"heard\":\"169.254.240.2\",\"heard_us\":400,\"version\":6,\"version_fixed\":false,\"twin\":true,\"role\":\"none\"");
	has("\"bulk\":{\"state\":\"done\",\"reason\":\"\",\"progress\":1.0000,\"eta_s\":null,\"took_s\":0.310000,\"tries\":0,");
	has("\"sent\":{\"clr\":0,\"ins\":1,\"ins_ack\":0,");
	has("\"upd_c\":24,");
	has("\"badver\":0,");
	has("\"stale\":1,");
	has("\"lag_p50_us\":12.340,\"lag_p99_us\":80.000,\"lag_max_us\":1234.000,");
	has("\"lost\":0,\"repaired\":0,");
	has("\"dirty\":0,");
	has("\"p50_us\":null");
	pair->info.heard_us = UINT64_MAX;
	pair->info.health = SYNC_HEALTH_BROKEN;
	strcpy(pair->info.reason, "nobody answers");
	run("show sync json", 0);
	has("\"health\":\"broken\",\"reason\":\"nobody answers\"");
	has("\"heard_us\":null");
	run("show sync", 0);
	has("pfsync0: broken: nobody answers\n");
	fails("show sync everything", "expected all or nothing");
	does("clear sync", "clear sync\n");
}

static void
test_metrics(void **state)
{
	fill();
	run("metrics", 0);
	has("# TYPE twinpath_sync_health gauge\n");
	has("twinpath_sync_health{health=\"in_sync\"} 1\n");
	has("twinpath_sync_health{health=\"broken\"} 0\n");
	has("twinpath_sync_bulk{state=\"done\"} 1\n");
	has("twinpath_sync_messages_total{direction=\"received\",message=\"upd_c\"} 24\n");
	has("twinpath_sync_pf_total{counter=\"stale\"} 1\n");
	has("twinpath_sync_inserted_total 7\n");
	has("# HELP twinpath_sync_inserted States of the peer inserted\n");
	has("twinpath_sync_dirtied_total 0\n");
	has("# TYPE twinpath_sync_dirty gauge\n");
	has("twinpath_sync_lag_seconds{quantile=\"0.99\"} 8e-05\n");
	has_not("nan");
	assert_string_equal(fake_out + strlen(fake_out) - 6, "# EOF\n");
}

static void
doctor_says(const char *text)
{
	run("doctor", 2);	/* the box does not run, which is always a problem here */
	has(text);
}

static void
test_doctor(void **state)
{
	struct sync_info *i = &pair->info;

	run("doctor", 2);
	has_not("pfsync0");
	run("ifconfig pfsync0 syncdev sync0", 0);
	doctor_says("advice   pfsync0: it has a syncdev and is down");
	fill();
	i->counters[SYNC_CNT_oerrors] = 0;
	run("doctor", 2);
	has_not("pfsync0");	/* all is well with it */
	pair->conf.syncdev[0] = '\0';
	doctor_says("problem  pfsync0: it is up and has no syncdev");
	strcpy(pair->conf.syncdev, "sync9");
	doctor_says("problem  pfsync0: its syncdev sync9 is not there");
	strcpy(pair->conf.syncdev, "sync0");
	i->link = box->ifs[2].running = false;
	doctor_says("problem  pfsync0: the link of its syncdev sync0 is down");
	i->link = box->ifs[2].running = true;
	box->ifs[2].n_addrs = 0;
	doctor_says("problem  pfsync0: its syncdev sync0 has no address");
	box->ifs[2].n_addrs = 1;
	box->ifs[2].mtu = 576;
	doctor_says("advice   pfsync0: an MTU of 576 has room for 1 states");
	box->ifs[2].mtu = 1500;
	pair->conf.mtu = 9000;
	doctor_says("problem  pfsync0: its MTU 9000 is larger than that of sync0, 1500");
	pair->conf.mtu = 0;
	box->n_routes = 1;
	box->routes[0] = (struct fp_route_info){ .af = 4, .has_gw = true, .gw = { 169, 254, 240, 9 }, .ifname = "sync0", .flags = "UGS" };
	doctor_says("advice   pfsync0: sync0 carries other traffic (routes lead through it)");
	has("hears every state");
	strcpy(pair->conf.peer, "169.254.240.2");
	doctor_says("advice   pfsync0: sync0 carries other traffic");
	has_not("hears every state");
	box->n_routes = 0;
	box->ifs[2].bridge_peer = 0;
	doctor_says("it is bridged");
	box->ifs[2].bridge_peer = 0xfffe;
	i->heard_us = UINT64_MAX;
	doctor_says("nothing was ever heard from a peer");
	i->heard_us = 12000000;
	doctor_says("advice   pfsync0: the peer 169.254.240.2 was last heard 12.0 s ago");
	i->twin = false;
	doctor_says("note     pfsync0: the peer 169.254.240.2 was last heard 12.0 s ago; one without traffic says nothing");
	i->heard_us = 0;
	i->health = SYNC_HEALTH_BROKEN;
	strcpy(i->reason, "why not");
	doctor_says("problem  pfsync0: the pair is broken: why not");
	i->health = SYNC_HEALTH_IN_SYNC;
	strcpy(i->bulk.state, "failed");
	doctor_says("problem  pfsync0: the bulk update failed");
	strcpy(i->bulk.state, "done");
	i->counters[SYNC_CNT_badver] = 3;
	doctor_says("problem  pfsync0: 3 packets of another version of pfsync (badver)");
	i->counters[SYNC_CNT_badttl] = 1;
	doctor_says("(badttl)");
	i->unknown_if = 2;
	doctor_says("-> set peer IF_OF_PEER is IF_HERE");
	i->rule_default = 4;
	doctor_says("bound to the default rule");
	box->stats.totals[FP_T_LOG_LOST] = 9;
	doctor_says("advice   log: 9 logged packets did not reach");
}

/* ---- streams */

struct mem { struct cli_sink s; char out[65536], err[1024], progress[4096]; };

static bool
mem_put(struct cli_sink *s, enum cli_chan chan, const char *data, size_t len)
{
	struct mem *m = (struct mem *)s;
	char *to = chan == CLI_CHAN_OUT ? m->out : chan == CLI_CHAN_ERR ? m->err : m->progress;

	strncat(to, data, len);
	return true;
}

/* As the server does: the command, then its stream until it ends by itself. */
static int
stream(const char *line, bool tty, bool json, struct mem *m, void (*meanwhile)(void))
{
	struct cli_ctx x = { .cli = cli, .box = box, .tty = tty, .can_stream = true };
	struct cli_words w;
	const char *err;
	int rc;

	memset(m, 0, sizeof(*m));
	m->s.put = mem_put;
	assert_int_equal(cli_words_split(line, &w, &err), 0);
	x.out = cli_out_new(&m->s, json);
	rc = cli_dispatch(&x, w.n, w.v);
	if (x.stream != NULL) {
		for (int n = 0; n < 1000; n++) {
			if (meanwhile != NULL)
				meanwhile();
			if (!x.stream->poll(x.stream, x.out)) {
				rc = x.stream->status;
				break;
			}
			if (meanwhile != NULL && n == 1)
				break;
			usleep(10000);
		}
		x.stream->end(x.stream);
	}
	cli_out_flush(x.out);
	cli_out_free(x.out);
	cli_words_free(&w);
	return rc;
}

static void
test_bulk(void **state)
{
	static struct mem m;

	fill();
	does("sync bulk", "bulk \n");	/* of a file: asked, not waited for */
	pair->info.bulk.progress = 0.25;
	pair->info.bulk.eta_sec = 3;
	pair->info.bulk.tries = 2;
	pair->bulk_states[0] = "sent";
	pair->bulk_states[1] = "receiving";
	pair->bulk_states[2] = "done";
	assert_int_equal(stream("sync bulk", true, false, &m, NULL), 0);
	assert_string_equal(m.out, "bulk update done: 1000 states in 0.310 s\n");
	assert_string_equal(m.progress, "bulk update: sent, 1000 states, 25 %, 3 s to go, asked 2 times"
		"bulk update: receiving, 1000 states, 25 %, 3 s to go, asked 2 times");
	pair->asked = 0;
	assert_int_equal(stream("sync bulk", false, true, &m, NULL), 0);
	assert_string_equal(m.progress, "");
	assert_non_null(strstr(m.out, "{\"state\":\"done\",\"reason\":\"\",\"received_states\":1000,\"took_s\":0.310000,\"tries\":2}"));
	pair->asked = 0;
	pair->bulk_states[2] = "failed";
	strcpy(pair->info.bulk.reason, "no peer answered");
	assert_int_equal(stream("sync bulk -n", true, false, &m, NULL), 1);
	assert_string_equal(m.progress, "");
	assert_string_equal(m.err, "sync bulk: failed: no peer answered\n");
	/* one that is over before the first look */
	pair->asked = 0;
	pair->bulk_states[0] = "done";
	pair->bulk_states[1] = NULL;
	assert_int_equal(stream("sync bulk", true, false, &m, NULL), 0);
	assert_string_equal(m.out, "bulk update done: 1000 states in 0.310 s\n");
	pair->fail = "bulk";
	assert_int_equal(stream("sync bulk", true, false, &m, NULL), 1);
	assert_string_equal(m.err, "sync bulk: bulk will not do\n");
	fails("sync verify", "not available in this version");
	fails("sync", "expected one of: bulk, verify");
}

static void
say(void)
{
	struct sync_event ev = { .out = true, .kind = SYNC_INS, .version = 6, .peer = "224.0.0.240", .id = 0x10, .creatorid = 0xabcd,
		.has_state = true, .state = { .ifname = "all", .af = SYNC_AF_INET, .proto = 6, .direction = 2 } };

	inet_pton(AF_INET, "10.0.0.2", ev.state.key[SYNC_WIRE].addr[1]);
	inet_pton(AF_INET, "10.1.0.2", ev.state.key[SYNC_WIRE].addr[0]);
	ev.state.key[SYNC_WIRE].port[1] = 34567;
	ev.state.key[SYNC_WIRE].port[0] = 80;
	ev.state.key[SYNC_STACK] = ev.state.key[SYNC_WIRE];
	ev.state.peer[0].state = ev.state.peer[1].state = 4;
	pair->event_cb(pair->event_arg, &ev, 0);
	pair->event_cb(pair->event_arg, &(struct sync_event){ .kind = SYNC_UPD_C, .version = 1400, .peer = "169.254.240.2", .id = 1,
		.creatorid = 2, .refused = SYNC_CNT_stale }, 3);
}

static void
test_monitor(void **state)
{
	static struct mem m;

	stream("monitor sync", true, false, &m, say);
	assert_non_null(strstr(m.out, " to   ins     224.0.0.240 v6 0000000000000010/0000abcd "
		"all tcp 10.0.0.2:34567 -> 10.1.0.2:80       ESTABLISHED:ESTABLISHED\n"));
	assert_non_null(strstr(m.out, " from upd_c   169.254.240.2 v1400 0000000000000001/00000002 refused: stale\n"));
	assert_non_null(strstr(m.out, "3 messages were too many and are not shown\n"));
	assert_null(pair->event_cb);
	stream("monitor sync", true, true, &m, say);
	assert_non_null(strstr(m.out, "\"direction\":\"sent\",\"message\":\"ins\",\"version\":6,\"peer\":\"224.0.0.240\","
		"\"id\":\"0000000000000010\",\"creatorid\":\"0000abcd\",\"refused\":null,\"state\":["));
	assert_non_null(strstr(m.out, "\"message\":\"upd_c\",\"version\":1400,"));
	assert_non_null(strstr(m.out, "\"refused\":\"stale\""));
	fails("monitor sync", "only from a client");
	fails("monitor bogus", "expected states, sync or drops");
}

static void
test_capture(void **state)
{
	does("set pfsynclog /tmp/x.pcap", "capture /tmp/x.pcap\n");
	does("set pfsynclog off", "capture -\n");
	fails("set pfsynclog", "expected off or a file");
	pair->fail = "capture";
	fails("set pfsynclog /tmp/x", "capture will not do");
}

/* ---- states */

static void
pos_is(uint8_t sync_pos, uint8_t direction, uint16_t flags, const char *word)
{
	char want[64];

	box->states[0].sync_pos = sync_pos;
	box->states[0].direction = direction;
	box->states[0].state_flags = flags;
	run("show states json", 0);
	snprintf(want, sizeof(want), "\"sync\":\"%s\"", word);
	has(want);
}

static void
test_states(void **state)
{
	box->states = calloc(1, sizeof(*box->states));
	box->n_states = 1;
	box->states[0] = (struct fp_state_view){ .af = 4, .proto = 17, .direction = 1, .ifid = 0xffff, .rule_nr = UINT32_MAX };
	pos_is(FP_SYNC_INS, 1, 0, "ins");
	pos_is(FP_SYNC_INS, 2, 0, "none");
	pos_is(FP_SYNC_UPD_C << 4, 2, 0, "upd_c");
	pos_is(FP_SYNC_UPD << 4 | FP_SYNC_INS, 2, 0, "upd");
	pos_is(FP_SYNC_DIRTY_INS, 1, 0, "dirty");
	pos_is(FP_SYNC_DIRTY_UPD, 1, 0, "dirty");
	pos_is(FP_SYNC_DEAD, 1, 0, "dead");
	pos_is(FP_SYNC_NONE, 1, 8, "dead");
	has("\"flags\":[\"no_sync\"]");
	box->states[0].learned = true;
	pos_is(FP_SYNC_NONE, 1, 0, "none");
	has("\"origin\":\"peer\"");
	run("show states origin peer verbose", 0);
	has("   origin peer, sync none, worker 0\n");
	run("show states origin nobody", 1);
}

static void
test_why(void **state)
{
	box->why.has_state[0] = true;
	box->why.state[0] = (struct fp_state_view){ .af = 4, .proto = 6, .direction = 1, .sync_pos = FP_SYNC_INS };
	run("why tcp 10.0.0.2:1 10.0.0.3:2", 0);
	has("peer none: this box is not paired\n");
	run("why tcp 10.0.0.2:1 10.0.0.3:2 json", 0);
	has("\"peer\":null");
	fill();
	run("why tcp 10.0.0.2:1 10.0.0.3:2", 0);
	has("peer pair in sync\n     copy of the state in: not yet: its insert waits to be sent\n");
	box->why.state[0].sync_pos = 0;
	box->why.state[0].learned = true;
	run("why tcp 10.0.0.2:1 10.0.0.3:2 json", 0);
	has("\"peer\":{\"health\":\"in_sync\",\"reason\":\"\",\"in\":{\"origin\":\"peer\",\"sync\":\"none\","
		"\"copy\":\"it came from there; nothing waits to be sent\"},\"out\":null}");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_words), T(test_word_errors), T(test_all_or_nothing), T(test_print), T(test_config), T(test_check), T(test_show),
		T(test_metrics), T(test_doctor), T(test_bulk), T(test_monitor), T(test_capture), T(test_states), T(test_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
