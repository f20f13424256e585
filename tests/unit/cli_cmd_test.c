/* SPDX-License-Identifier: BSD-2-Clause */
/* The command table and the commands beside pfctl, on a box made of variables. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli_priv.h"
#include "cli/grammar.h"
#include "cli_fake.h"

static struct fp_box *box;
static struct cli *cli;

static int
setup(void **state)
{
	box = fake_box();
	cli = cli_create(box);
	return 0;
}

static int
teardown(void **state)
{
	cli_destroy(cli);
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

/* The box was told exactly this by the line. */
static void
does(const char *line, const char *log)
{
	box->log[0] = '\0';
	run(line, 0);
	assert_string_equal(box->log, log);
}

static void
fails(const char *line, const char *say)
{
	box->log[0] = '\0';
	run(line, 1);
	if (strstr(fake_err, say) == NULL)
		fail_msg("%s: `%s` is not in: %s", line, say, fake_err);
	assert_string_equal(box->log, "");
	assert_string_equal(fake_out, "");
}

static void
test_grammar(void **state)
{
	struct cli_expect e;
	char *a[] = { "info", "ext0" }, *b[] = { "on" }, *c[] = { "a", "b", "c" };

	for (const struct cli_cmd *const *g = cli_groups; *g != NULL; g++)
		for (const struct cli_cmd *k = *g; k->words != NULL; k++) {
			assert_non_null(k->help);
			if (!(k->flags & CLI_F_OWN_ARGS))
				assert_int_not_equal(cli_grammar_match(k->args, 0, NULL, &e), -E2BIG);
		}
	assert_int_equal(cli_grammar_match("(info|stats) [IF|all]", 2, a, &e), 0);
	assert_int_equal(cli_grammar_match("(info|stats) [IF|all]", 1, a, &e), 0);
	assert_int_equal(cli_grammar_match("(info|stats) [IF|all]", 0, a, &e), -EINVAL);
	assert_int_equal(e.n, 2);
	assert_string_equal(e.word[0], "info");
	assert_string_equal(e.word[1], "stats");
	assert_int_equal(cli_grammar_match("(info|stats) all", 2, a, &e), -EINVAL);
	assert_int_equal(e.pos, 1);
	assert_string_equal(e.word[0], "all");
	assert_int_equal(cli_grammar_match("(off|on [x])", 1, b, &e), 0);
	assert_int_equal(cli_grammar_match("WORD...", 3, c, &e), 0);
	assert_int_equal(cli_grammar_match("[WORD...]", 0, c, &e), 0);
	assert_int_equal(cli_grammar_match("(a|b|c)...", 3, c, &e), 0);
	assert_int_equal(cli_grammar_match("(a|b)...", 3, c, &e), -EINVAL);
	assert_int_equal(cli_grammar_match("(a|b", 1, c, &e), -E2BIG);
	assert_true(cli_grammar_fits("PREFIX", "10.0.0.0/8") && !cli_grammar_fits("PREFIX", "10.0.0.0/33"));
	assert_true(cli_grammar_fits("VID", "4094") && !cli_grammar_fits("VID", "0") && !cli_grammar_fits("VID", "4095"));
}

static void
test_words(void **state)
{
	struct cli_words w;
	const char *err;

	assert_int_equal(cli_words_split("a 'b c' \"d \\\" e\"\tf\\ g # rest", &w, &err), 0);
	assert_int_equal(w.n, 4);
	assert_string_equal(w.v[1], "b c");
	assert_string_equal(w.v[2], "d \" e");
	assert_string_equal(w.v[3], "f g");
	cli_words_free(&w);
	assert_int_equal(cli_words_split("a 'b", &w, &err), -EINVAL);
	assert_non_null(err);
	assert_int_equal(cli_words_split("   # nothing", &w, &err), 0);
	assert_int_equal(w.n, 0);
	cli_words_free(&w);
}

static void
test_unknown(void **state)
{
	fails("shw port", "unknown command `shw`; expected one of: pfctl, ifconfig");
	fails("show prt", "unknown word `prt`; expected one of: ");
	fails("show", "incomplete command; expected one of: ");
	fails("show port bogus", "expected info, stats, xstats or summary");
	fails("show port info ext9", "there is: ext0, int0");
	fails("set promisc ext0 maybe", "expected on or off");
	fails("start now", "expected nothing");
	fails("set", "expected one of: ");
	fails("set workers", "a value is missing");
	fails("set workers 1 2", "one word too many");
	fails("set icmp errors bad", "not a value");
	fails("set timeout tcp.first 3", "file of pfctl -f");
	fails("set sync maxupd 3", "are set by ifconfig pfsync0; expected one of: hold");
	fails("set sync", "are set by ifconfig pfsync0; expected one of: hold");
	fails("show latency", "not available");
	fails("a 'b", "missing closing '");
	fails("monitor states", "only from a client");
	fails("top", "only from a client");
}

static void
test_ifconfig(void **state)
{
	run("ifconfig ext0", 0);
	assert_string_equal(fake_out, "ext0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n"
		"\tlladdr 02:00:00:00:00:01\n\tindex 1 priority 0 llprio 3\n\tmedia: Ethernet 10000 Mbit/s full-duplex\n"
		"\tstatus: active\n\tinet 10.10.1.1 netmask 0xffffff00 broadcast 10.10.1.255\n\tinet6 fd00:1::1 prefixlen 64\n");
	run("ifconfig ext", 0);
	assert_non_null(strstr(fake_out, "ext0: "));
	assert_null(strstr(fake_out, "int0: "));
	run("ifconfig", 0);
	assert_non_null(strstr(fake_out, "int0: "));
	does("ifconfig ext0 inet 203.0.113.2/24", "addr ext0 203.0.113.2/24\n");
	does("ifconfig ext0 203.0.113.2 netmask 255.255.255.128 alias", "addr ext0 203.0.113.2/25\n");
	does("ifconfig ext0 inet 10.0.0.1 netmask 0xffffff00 broadcast 10.0.0.255 up mtu 9000",
		"addr ext0 10.0.0.1/24\nup ext0\nmtu ext0 9000\n");
	does("ifconfig ext0 inet 10.0.0.2/24 inet6 2001:db8:1::2/64", "addr ext0 10.0.0.2/24\naddr ext0 2001:db8:1::2/64\n");
	does("ifconfig ext0 inet6 2001:db8::2 prefixlen 48", "addr ext0 2001:db8::2/48\n");
	does("ifconfig ext0 inet 10.10.1.1 -alias", "del ext0 10.10.1.1/24\n");
	does("ifconfig ext0 inet6 fd00:1::1/64 delete", "del ext0 fd00:1::1/64\n");
	does("ifconfig ext0 lladdr 02:00:00:00:00:99 down", "mac ext0 02:00:00:00:00:99\ndown ext0\n");
	does("ifconfig vlan100 vnetid 100 parent ext0", "vlan vlan100 ext0 100\n");
	does("ifconfig vlan7 create vlan 7 vlandev int0 inet 10.7.0.1/24", "vlan vlan7 int0 7\naddr vlan7 10.7.0.1/24\n");
	does("ifconfig ext0 destroy", "destroy ext0\n");
	/* a line with an error does nothing at all */
	fails("ifconfig ext0 inet 10.0.0.1/24 mtu 12", "expected 68 to 65535");
	fails("ifconfig ext0 inet 10.0.0.1/33", "expected an IPv4 address");
	fails("ifconfig ext0 inet 2001:db8::1", "expected an IPv4 address");
	fails("ifconfig ext0 inet 10.0.0.1 netmask 255.0.255.0", "without holes");
	fails("ifconfig ext0 sideways", "expected one of: inet, inet6");
	fails("ifconfig ext0 vnetid 5", "cannot be changed");
	fails("ifconfig vlan5 vnetid 5", "vnetid N parent IF");
	fails("ifconfig nope", "there is: ext0, int0");
	fails("ifconfig nope up", "there is: ext0, int0");
	fails("ifconfig abcdefghijklmnopq up", "longer than 15");
}

static void
test_carp(void **state)
{
	run("ifconfig carp1 vhid 1 pass mekmitasdigoat carpdev ext0 advbase 1 advskew 100 inet 203.0.113.1/24", 0);
	run("ifconfig carp1", 0);
	assert_string_equal(fake_out, "carp1: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n"
		"\tlladdr 00:00:5e:00:01:01\n\tcarp: MASTER carpdev ext0 vhid 1 advbase 1 advskew 100\n\tgroups: carp\n"
		"\tstatus: master\n\tinet 203.0.113.1 netmask 0xffffff00 broadcast 203.0.113.255\n");
	/* a line changes what it names and nothing else */
	run("ifconfig carp1 advbase 0 advskew 20 group dmz carppeer 203.0.113.3 inet6 2001:db8::1/64", 0);
	run("ifconfig carp1 inet 203.0.113.9 netmask 255.255.255.0 alias", 0);
	run("show config", 0);
	assert_non_null(strstr(fake_out, "ifconfig carp1 vhid 1 pass \"mekmitasdigoat\" carpdev ext0 advbase 0 advskew 20 "
		"carppeer 203.0.113.3 group dmz inet 203.0.113.1/24 inet6 2001:db8::1/64 inet 203.0.113.9/24 up\n"));
	run("ifconfig carp1 inet 203.0.113.9 -alias -group dmz -carppeer down", 0);
	run("show config", 0);
	assert_non_null(strstr(fake_out, " advskew 20 inet 203.0.113.1/24 inet6 2001:db8::1/64 down\n"));
	/* a line with an error does nothing at all */
	fails("ifconfig carp1 advskew 7 vhid 0", "vhid 0: expected 1 to 255");
	fails("ifconfig carp1 advskew 255", "expected 0 to 254");
	fails("ifconfig carp1 advbase 255", "expected 0 to 254");
	fails("ifconfig carp1 carpdev nope", "there is no interface \"nope\"");
	fails("ifconfig carp1 inet 203.0.113.1/33", "expected an address");
	fails("ifconfig carp1 carppeer host", "expected an IPv4 or IPv6 address");
	fails("ifconfig carp1 sideways", "expected one of: vhid N, pass STRING");
	fails("ifconfig carp1 state nowhere", "expected master or backup");
	fails("ifconfig carp1 carpnodes 1:0,2:100", "load balancing is not available");
	fails("ifconfig carp1 down destroy", "stands alone");
	fails("ifconfig carp vhid 1", "a name with a number");
	fails("ifconfig carp7", "no interface `carp7`");
	run("show config", 0);
	assert_non_null(strstr(fake_out, " advskew 20 inet 203.0.113.1/24 inet6 2001:db8::1/64 down\n"));
	/* demotion by hand */
	run("ifconfig -g carp carpdemote 10", 0);
	run("ifconfig -g carp -carpdemote", 0);
	run("ifconfig -g carp", 0);
	assert_string_equal(fake_out, "carp: carp demote count 9\n");
	fails("ifconfig -g carp -carpdemote 10", "demoted by 9 only");
	fails("ifconfig -g carp carpdemote 256", "expected a number");
	fails("ifconfig -g", "needs the name");
	/* settings of the box, in both words */
	run("set carp preempt on", 0);
	run("sysctl net.inet.carp.preempt", 0);
	assert_string_equal(fake_out, "net.inet.carp.preempt=1\n");
	run("sysctl net.inet.carp.allow=0", 0);
	run("set carp counter strict", 0);
	fails("sysctl net.inet.carp.log=1", "expected net.inet.carp.preempt");
	fails("sysctl net.inet.carp.preempt=2", "expected =0 or =1");
	run("show config", 0);
	assert_non_null(strstr(fake_out, "set carp preempt on\nset carp allow off\nset carp counter strict\n"));
	run("show carp", 0);
	assert_non_null(strstr(fake_out, "carp1: MASTER for 1.5 s: master timed out\n"));
	assert_non_null(strstr(fake_out, "demoted by 9: group carp, user: by hand\n"));
	assert_non_null(strstr(fake_out, "\t2 packets discarded for bad authentication\n"));
	run("show carp json", 0);
	assert_non_null(strstr(fake_out, "\"badauth\""));
	run("ifconfig carp1 destroy", 0);
	fails("ifconfig carp1 destroy", "there is no carp1");
	cli_fake_carp_reset();
}

static void
test_route(void **state)
{
	does("route add default 10.10.1.254", "route 0.0.0.0/0 10.10.1.254 \n");
	does("route add -inet6 default fd00:1::fe", "route ::/0 fd00:1::fe \n");
	does("route add default fd00:1::fe", "route ::/0 fd00:1::fe \n");
	does("route add -net 10.0.0.0 -netmask 255.255.0.0 10.10.1.254", "route 10.0.0.0/16 10.10.1.254 \n");
	does("route add 10.9.0.0/16 int0", "route 10.9.0.0/16 int0 \n");
	does("route add -host 10.9.0.1 10.10.1.254", "route 10.9.0.1/32 10.10.1.254 \n");
	does("route add 192.0.2.0/24 127.0.0.1 -blackhole", "route 192.0.2.0/24 127.0.0.1 blackhole\n");
	does("route delete default", "unroute 0.0.0.0/0 -\n");
	fails("route add default", "a gateway is missing");
	fails("route add 10.0.0.0/8 fd00::1", "different families");
	fails("route add -inet6 10.0.0.0/8 int0", "not of the family");
	fails("route add 10.0.0.0/8 1.1.1.1 2", "one word too many");
	fails("route add -fast 10.0.0.0/8 1.1.1.1", "unknown flag -fast");
	box->n_routes = 2;
	box->routes[0] = (struct fp_route_info){ .af = 4, .plen = 24, .dest = { 10, 10, 1 }, .ifname = "ext0", .flags = "UCn" };
	box->routes[1] = (struct fp_route_info){ .af = 4, .has_gw = true, .gw = { 10, 10, 1, 254 }, .ifname = "ext0", .flags = "UGS" };
	run("route show", 0);
	assert_string_equal(fake_out, "Routing tables\n\nInternet:\n"
		"Destination        Gateway            Flags     Mtu  Iface\n"
		"default            10.10.1.254        UGS         -  ext0\n"
		"10.10.1.0/24       link#ext0          UCn         -  ext0\n");
	box->n_neighs = 2;
	box->neighs[0] = (struct fp_neigh_info){ .af = 4, .addr = { 10, 10, 1, 254 }, .complete = true, .mac = { 2, 0, 0, 0, 0, 9 },
		.ifname = "ext0", .expires_sec = 1199 };
	box->neighs[1] = (struct fp_neigh_info){ .af = 4, .addr = { 10, 10, 1, 7 }, .ifname = "ext0" };
	run("arp -an", 0);
	assert_non_null(strstr(fake_out, "10.10.1.254                              02:00:00:00:00:09      ext0 19m59s   \n"));
	assert_non_null(strstr(fake_out, "10.10.1.7                                (incomplete)           ext0 expired  \n"));
	does("arp -d 10.10.1.254", "neigh -d 10.10.1.254\n");
	does("arp -d -a", "neigh -d all\n");
	does("arp -s 10.10.1.9 02:00:00:00:00:09", "neigh 10.10.1.9 02:00:00:00:00:09\n");
	does("ndp -an", "");
	fails("arp -d", "needs an address");
	fails("arp -d fd00::1", "expected an IPv4 address");
	fails("arp -x", "unknown flag -x");
}

static void
test_ports(void **state)
{
	does("port attach net_memif0,role=client name sync0", "attach net_memif0,role=client sync0\n");
	does("port attach 0000:17:00.0", "attach 0000:17:00.0 port0\n");
	does("port stop all", "port stop ext0\nport stop int0\nport stop sync0\nport stop port0\n");
	does("port start 1", "port start int0\n");
	does("port detach sync0", "detach sync0\n");
	does("set promisc all off", "promisc ext0 0\npromisc int0 0\npromisc sync0 0\npromisc port0 0\n");
	does("clear port stats all", "clear all\n");
	does("clear port stats ext0", "clear ext0\n");
	does("set forward bridge ext0 int0", "bridge ext0 int0\n");
	does("set forward route", "bridge - -\n");
	fails("set forward bridge ext0 ext0", "two different");
	does("set pflog off", "pflog -\n");
	run("show port xstats ext0", 0);
	assert_non_null(strstr(fake_out, "rx_good_packets: 7\n"));
	run("show port summary", 0);
	assert_memory_equal(fake_out, "port  name   mac ", 17);
	run("set log info none*", 1);
	run("set log info", 0);
	run("set verbose 1", 0);
}

/* `show config` is a file of commands that does what was done. */
static void
test_config(void **state)
{
	char *config, line[64] = "/tmp/cli_cmdXXXXXX";
	int fd;

	run("set workers 2", 0);
	run("set limit states 5000", 0);
	box->ifs[0].mtu = 9000;
	box->n_routes = 1;
	box->routes[0] = (struct fp_route_info){ .af = 4, .has_gw = true, .gw = { 10, 10, 1, 254 }, .ifname = "ext0", .flags = "UGS" };
	box->n_neighs = 2;
	box->neighs[0] = (struct fp_neigh_info){ .af = 4, .addr = { 10, 10, 1, 9 }, .complete = true, .permanent = true,
		.mac = { 2, 0, 0, 0, 0, 9 }, .ifname = "ext0" };
	box->neighs[1] = box->neighs[0];	/* our own address is permanent too, and not configured */
	memcpy(box->neighs[1].addr, box->ifs[0].addrs[0].addr, 4);
	run("start", 0);
	run("show config", 0);
	assert_string_equal(fake_out, "set workers 2\nset limit states 5000\n"
		"port attach net_af_packet0,iface=veth0 name ext0\nport attach net_af_packet1,iface=veth1 name int0\n"
		"ifconfig ext0 inet 10.10.1.1/24\nifconfig ext0 inet6 fd00:1::1/64\nifconfig ext0 mtu 9000\n"
		"ifconfig int0 inet 10.10.2.1/24\nifconfig int0 inet6 fd00:2::1/64\n"
		"route add default 10.10.1.254\narp -s 10.10.1.9 02:00:00:00:00:09\nstart\n");
	config = strdup(fake_out);
	fd = mkstemp(line);
	assert_true(write(fd, config, strlen(config)) == (ssize_t)strlen(config));
	close(fd);
	assert_int_equal(cli_check_file(line, stderr), 0);
	box->log[0] = '\0';
	box->n_ifs = 0;
	box->running = false;
	assert_int_equal(cli_run_file(cli, line, stderr), 0);
	assert_true(box->running && strcmp(box->ifs[1].name, "int0") == 0);
	assert_non_null(strstr(box->log, "addr ext0 fd00:1::1/64\nmtu ext0 9000\n"));
	assert_non_null(strstr(box->log, "route 0.0.0.0/0 10.10.1.254 \nneigh 10.10.1.9 02:00:00:00:00:09\nstart\n"));
	unlink(line);
	free(config);
}

static void
test_files(void **state)
{
	static const char bad[] = "# a comment\nset workers 0\n\nifconfig ext0 inet 10.0.0.1/40 # wrong\nstart\nfoo\n"
		"port attach \\\n  net_null0 name n0\nroute add default\n";
	char name[] = "/tmp/cli_cmdXXXXXX", *text;
	size_t size;
	int fd = mkstemp(name);
	FILE *f = open_memstream(&text, &size);

	assert_true(write(fd, bad, strlen(bad)) == (ssize_t)strlen(bad));
	close(fd);
	/* all errors without a box ... */
	assert_int_equal(cli_check_file(name, f), 4);
	fflush(f);
	assert_non_null(strstr(text, ":2: set workers 0: expected 1 to 128, or auto\n"));
	assert_non_null(strstr(text, ":4: ifconfig: inet 10.0.0.1/40: "));
	assert_non_null(strstr(text, ":6: unknown command `foo`"));
	assert_non_null(strstr(text, ":9: route: a gateway is missing"));
	/* ... the first with one: what comes behind is not done */
	rewind(f);
	assert_int_equal(cli_run_file(cli, name, f), 1);
	fflush(f);
	assert_non_null(strstr(text, ":4: ifconfig: "));
	assert_string_equal(box->log, "");
	fclose(f);
	free(text);
	unlink(name);
	assert_int_equal(cli_check_file("/does/not/exist", stdout), 1);
}

static void
test_show(void **state)
{
	box->stats.drops[FP_D_TTL] = 3;
	run("show drops", 0);
	assert_string_equal(fake_out, "packets  reason        meaning\n      3  ttl_exceeded  TTL or hop limit used up\n");
	run("show drops json", 0);
	assert_non_null(strstr(fake_out, "{\"dropped_packets\":3,\"drops\":{\"l2_short\":0,"));
	run("show totals json", 0);
	run("show lcores", 0);
	run("show lcores json", 0);
	assert_non_null(strstr(fake_out, "\"cycles_per_packet\":0.0"));
	run("show parameters", 0);
	run("pfctl -si", 0);
	run("metrics", 0);
	assert_string_equal(fake_out + strlen(fake_out) - 6, "# EOF\n");
	assert_non_null(strstr(fake_out, "twinpath_dropped_packets_total{reason=\"ttl_exceeded\"} 3\n"));
	run("doctor", 2);
	assert_non_null(strstr(fake_out, "problem  box: the workers do not run"));
	run("why tcp 10.0.0.2:1 10.0.0.3:2", 0);
	assert_non_null(strstr(fake_out, "in   block by @0"));
	run("why nonsense 10.0.0.2:1 10.0.0.3:2", 1);
	run("help", 0);
	assert_non_null(strstr(fake_out, "show port"));
	run("help show port", 0);
	run("help nonsense", 1);
	run("quit", 0);
	assert_true(cli_quit_requested(cli));
}

static void
test_states_json(void **state)
{
	box->states = calloc(1, sizeof(*box->states));
	box->n_states = 1;
	box->states[0] = (struct fp_state_view){ .id = 1, .creatorid = 2, .af = 4, .proto = 6, .direction = 2, .ifid = 0xffff,
		.src.state = 4, .dst.state = 4, .age_sec = 5, .expires_sec = 6, .packets = { 1, 2 }, .bytes = { 3, 4 }, .rule_nr = 7,
		.sync_pos = 0x01 };	/* the other half's insert waits */
	inet_pton(AF_INET, "10.0.0.2", box->states[0].wire[1].addr);
	inet_pton(AF_INET, "10.1.0.2", box->states[0].wire[0].addr);
	box->states[0].wire[1].port = 34567;
	box->states[0].wire[0].port = 80;
	memcpy(box->states[0].stack, box->states[0].wire, sizeof(box->states[0].wire));
	run("show states json", 0);
	assert_non_null(strstr(fake_out, "[\n {\"id\":\"0000000000000001\",\"creatorid\":\"00000002\",\"af\":\"inet\",\"proto\":\"tcp\","
		"\"direction\":\"out\",\"interface\":\"all\",\"wire\":{\"src\":\"10.0.0.2\",\"sport\":34567,\"dst\":\"10.1.0.2\",\"dport\":80},"
		"\"stack\":{\"src\":\"10.0.0.2\",\"sport\":34567,\"dst\":\"10.1.0.2\",\"dport\":80},"
		"\"state\":[\"ESTABLISHED\",\"ESTABLISHED\"],\"age_s\":5,\"expires_s\":6,\"packets\":[1,2],\"bytes\":[3,4],\"rule\":7,"
		"\"origin\":\"local\",\"sync\":\"none\""));
	run("show states tcp host 10.0.0.0/8 out rule 7 state ESTABLISHED", 0);
	assert_string_equal(fake_out, "all tcp 10.0.0.2:34567 -> 10.1.0.2:80       ESTABLISHED:ESTABLISHED\n");
	run("show states udp", 0);
	assert_string_equal(fake_out, "");
	run("show states json udp", 1);
	run("show states udp json", 0);
	assert_string_equal(fake_out, "[]\n");
	run("show states host 192.0.2.1", 0);
	assert_string_equal(fake_out, "");
	run("show states rule x", 1);
	run("show states host x", 1);
	run("show states bogus", 1);
}

struct got { char words[64][32]; int n; };

static void
collect(void *arg, const char *word, const char *help)
{
	struct got *g = arg;

	if (g->n < 64)
		snprintf(g->words[g->n++], 32, "%s", word);
}

static bool
offers(const char *line, const char *word)
{
	struct cli_ctx x = { .cli = cli, .box = box };
	struct got g = { .n = 0 };

	cli_complete(&x, line, collect, &g);
	for (int i = 0; i < g.n; i++)
		if (strcmp(g.words[i], word) == 0)
			return true;
	return false;
}

static void
test_complete(void **state)
{
	assert_true(offers("", "pfctl") && offers("", "show") && offers("sh", "show") && !offers("sh", "set"));
	assert_true(offers("show ", "port") && offers("show p", "port") && !offers("show p", "states"));
	assert_true(offers("show port ", "xstats") && offers("show port info ", "ext0") && offers("show port info ", "all"));
	assert_true(offers("ifconfig ", "int0") && offers("ifconfig ext0 ", "mtu"));
	assert_true(offers("pfctl -", "-ss") && offers("pfctl -F ", "states"));
	assert_true(offers("set ", "workers") && offers("set ", "promisc") && offers("set limit ", "states"));
	assert_true(offers("set evaluations ", "auto") && offers("set icmp errors o", "off"));
	assert_true(offers("help sho", "show") && offers("show states origin ", "peer"));
	assert_false(offers("nonsense ", "port"));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_grammar), T(test_words), T(test_unknown), T(test_ifconfig), T(test_carp), T(test_route), T(test_ports), T(test_config),
		T(test_files), T(test_show), T(test_states_json), T(test_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
