/* SPDX-License-Identifier: BSD-2-Clause */
/* pfctl's output to the byte, and its flags. The expected texts have the layout of records of OpenBSD's pfctl. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli_priv.h"
#include "cli_fake.h"

static struct fp_box *box;
static struct cli *cli;
static struct pol_ruleset *rules;

static int
setup(void **state)
{
	static const char text[] = "set limit states 100000\nblock drop label \"b\"\npass out\n"
		"anchor \"one\" in on int0 {\n pass in proto udp to port 53\n}\npass in proto udp to port 53 label \"dns\"\n";
	struct pol_errors errs = { 0 };
	struct pol_env env = { 0 };

	box = fake_box();
	cli = cli_create(box);
	rules = pol_parse_buffer("test", text, strlen(text), &env, &errs);
	if (rules == NULL)
		pol_errors_print(&errs, stderr);
	pol_errors_free(&errs);
	box->rules = rules;
	return rules == NULL;
}

static int
teardown(void **state)
{
	cli_destroy(cli);
	pol_ruleset_free(rules);
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
endpoint(struct fp_endpoint *e, int af, const char *addr, uint16_t port)
{
	memset(e, 0, sizeof(*e));
	inet_pton(af, addr, e->addr);
	e->port = port;
}

static struct fp_state_view *
states(unsigned n)
{
	free(box->states);
	box->states = calloc(n, sizeof(*box->states));
	box->n_states = n;
	return box->states;
}

/* One connection from int0 to ext0: its inbound state; the outbound one is made by turning it round. */
static void
tcp_in(struct fp_state_view *v)
{
	*v = (struct fp_state_view){ .id = 0x6b0236fa00000008, .creatorid = 0x730b84d2, .af = 4, .proto = 6, .direction = 1,
		.ifid = 0xffff, .age_sec = 1, .expires_sec = 86400, .packets = { 621, 534 }, .bytes = { 632300, 627776 }, .rule_nr = 8,
		.src = { .seqlo = 2906037047u, .seqhi = 2906037047u + 630784, .state = 4, .wscale = 0x8a },
		.dst = { .seqlo = 283556861, .seqhi = 283556861 + 1152000, .state = 10, .wscale = 0x8a } };
	endpoint(&v->wire[0], AF_INET, "10.10.2.100", 40012);
	endpoint(&v->wire[1], AF_INET, "10.10.1.100", 5001);
	memcpy(v->stack, v->wire, sizeof(v->wire));
}

static void
test_states(void **state)
{
	struct fp_state_view *v = states(2);

	tcp_in(&v[0]);
	v[1] = v[0];
	v[1].direction = 2;
	v[1].wire[0] = v[0].wire[1];
	v[1].wire[1] = v[0].wire[0];
	memcpy(v[1].stack, v[1].wire, sizeof(v[1].wire));
	v[1].id++;
	v[1].src.seqdiff = 5;
	v[1].state_flags = 0x0002;
	v[1].rule_rf_srctrack = 1;
	v[1].has_anchor = true;
	v[1].anchor_nr = 1;
	run("pfctl -ss", 0);
	assert_string_equal(fake_out, "all tcp 10.10.1.100:5001 <- 10.10.2.100:40012       TIME_WAIT:ESTABLISHED\n"
		"all tcp 10.10.2.100:40012 -> 10.10.1.100:5001       ESTABLISHED:TIME_WAIT\n");
	assert_string_equal(fake_err, "");
	run("pfctl -ss -vv", 0);
	assert_string_equal(fake_out, "all tcp 10.10.1.100:5001 <- 10.10.2.100:40012       TIME_WAIT:ESTABLISHED\n"
		"   [283556861 + 1152000] wscale 10  [2906037047 + 630784] wscale 10\n"
		"   age 00:00:01, expires in 24:00:00, 621:534 pkts, 632300:627776 bytes, rule 8\n"
		"   id: 6b0236fa00000008 creatorid: 730b84d2\n"
		"all tcp 10.10.2.100:40012 -> 10.10.1.100:5001       ESTABLISHED:TIME_WAIT\n"
		"   [2906037047 + 630784](+5) wscale 10  [283556861 + 1152000] wscale 10\n"
		"   age 00:00:01, expires in 24:00:00, 621:534 pkts, 632300:627776 bytes, anchor 1, rule 8, sloppy, source-track\n"
		"   id: 6b0236fa00000009 creatorid: 730b84d2\n");
	/* the same in other spellings */
	run("pfctl -vvss", 0);
	assert_non_null(strstr(fake_out, "id: 6b0236fa00000009"));
	run("pfctl -v -s states", 0);
	assert_null(strstr(fake_out, "id: "));
	assert_non_null(strstr(fake_out, "age "));
}

static void
test_states_other(void **state)
{
	struct fp_state_view *v = states(4);

	/* echo: [0] is the host inside with its id, [1] holds the type */
	v[0] = (struct fp_state_view){ .af = 4, .proto = 1, .direction = 1, .ifid = 0xffff, .rule_nr = UINT32_MAX };
	endpoint(&v[0].wire[0], AF_INET, "10.10.2.100", 14379);
	endpoint(&v[0].wire[1], AF_INET, "10.10.1.100", 8);
	memcpy(v[0].stack, v[0].wire, sizeof(v[0].wire));
	/* translated on the way out */
	v[1] = (struct fp_state_view){ .af = 6, .proto = 6, .direction = 2, .ifid = 0, .rule_nr = 10, .src.state = 9, .dst.state = 9 };
	endpoint(&v[1].wire[0], AF_INET6, "fd00:1::100", 5001);
	endpoint(&v[1].wire[1], AF_INET6, "fd00:1::1", 50834);
	endpoint(&v[1].stack[0], AF_INET6, "fd00:1::100", 5001);
	endpoint(&v[1].stack[1], AF_INET6, "fd00:2::100", 40043);
	v[2] = (struct fp_state_view){ .af = 4, .proto = 47, .direction = 2, .ifid = 0xffff, .src.state = 1, .rule_nr = 0 };
	endpoint(&v[2].wire[0], AF_INET, "10.10.1.100", 0);
	endpoint(&v[2].wire[1], AF_INET, "10.10.2.100", 0);
	memcpy(v[2].stack, v[2].wire, sizeof(v[2].wire));
	v[3] = (struct fp_state_view){ .af = 4, .proto = 6, .direction = 1, .ifid = 0xffff, .src.state = 11, .rule_nr = 0 };
	endpoint(&v[3].wire[0], AF_INET, "10.10.2.100", 40000);
	endpoint(&v[3].wire[1], AF_INET, "10.10.1.100", 80);
	memcpy(v[3].stack, v[3].wire, sizeof(v[3].wire));
	run("pfctl -s states -v", 0);
	assert_string_equal(fake_out, "all icmp 10.10.1.100:8 <- 10.10.2.100:14379       0:0\n"
		"   age 00:00:00, expires in 00:00:00, 0:0 pkts, 0:0 bytes\n"
		"ext0 tcp fd00:1::1[50834] (fd00:2::100[40043]) -> fd00:1::100[5001]       FIN_WAIT_2:FIN_WAIT_2\n"
		"   [0 + 0]  [0 + 0]\n"
		"   age 00:00:00, expires in 00:00:00, 0:0 pkts, 0:0 bytes, rule 10\n"
		"all gre 10.10.2.100 -> 10.10.1.100       SINGLE:NO_TRAFFIC\n"
		"   age 00:00:00, expires in 00:00:00, 0:0 pkts, 0:0 bytes, rule 0\n"
		"all tcp 10.10.1.100:80 <- 10.10.2.100:40000       PROXY:SRC\n"
		"   [0 + 0]  [0 + 0]\n"
		"   age 00:00:00, expires in 00:00:00, 0:0 pkts, 0:0 bytes, rule 0\n");
}

static void
test_info(void **state)
{
	box->stats.since_sec = 105;
	box->stats.hostid = 0x730b84d2;
	box->stats.totals[FP_T_STATE_SEARCHES] = 2984;
	box->stats.totals[FP_T_STATE_INSERTS] = 12;
	box->stats.totals[FP_T_STATE_REMOVALS] = 12;
	box->stats.reasons[FP_R_MATCH] = 562;
	box->stats.reasons[FP_R_SHORT] = 18;
	memset(rules->checksum, 0xab, 16);
	run("pfctl -si", 0);
	assert_memory_equal(fake_out, "Status: Enabled for 0 days 00:01:45              Debug: err\n\nHostid:   0x730b84d2\n"
		"Checksum: 0xabababababababababababababababab\n\n"
		"State Table                          Total             Rate\n"
		"  current entries                        0               \n"
		"  half-open tcp                          0               \n"
		"  searches                            2984           28.4/s\n"
		"  inserts                               12            0.1/s\n", 380);
	assert_non_null(strstr(fake_out, "\nCounters\n  match                                562            5.4/s\n"
		"  bad-offset                             0            0.0/s\n"));
	assert_non_null(strstr(fake_out, "  short                                 18            0.2/s\n"));
	assert_non_null(strstr(fake_out, "\nLimit Counters\n  max states per rule                    0            0.0/s\n"));
	assert_non_null(strstr(fake_out, "Adaptive Syncookies Watermarks\n  start                              25000 states\n"
		"  end                                12500 states\n"));
}

static void
test_rules(void **state)
{
	box->rule_counters = calloc(8, sizeof(*box->rule_counters));
	box->rule_counters[0] = (struct fp_rule_counters){ .evaluations = 3, .packets = { 1, 0 }, .bytes = { 33, 0 } };
	box->rule_counters[4] = (struct fp_rule_counters){ .evaluations = 3, .packets = { 1, 0 }, .bytes = { 33, 0 }, .states_total = 1,
		.states = 1 };
	run("pfctl -s labels", 0);
	assert_string_equal(fake_out, "b 3 1 33 1 33 0 0 0\ndns 3 1 33 1 33 0 0 1\n");
	run("pfctl -sl", 0);
	assert_non_null(strstr(fake_out, "dns 3"));
	run("pfctl -sr", 0);
	assert_string_equal(fake_out, "block drop all label \"b\"\npass out all flags S/SA\n"
		"anchor \"one\" in on int0 all {\n  pass in proto udp from any to any port = 53\n}\n"
		"pass in proto udp from any to any port = 53 label \"dns\"\n");
	run("pfctl -vvsr", 0);
	assert_non_null(strstr(fake_out, "@0 block drop all label \"b\"\n"
		"  [ Evaluations: 3         Packets: 1         Bytes: 33          States: 0     ]\n"
		"  [ Inserted: uid 0 pid 0 State Creations: 0     ]\n@1 pass out"));
	run("pfctl -st", 0);
	assert_non_null(strstr(fake_out, "tcp.first                   120s\n"));
	assert_non_null(strstr(fake_out, "adaptive.start            60000 states\n"));
	run("pfctl -sm", 0);
	assert_non_null(strstr(fake_out, "states        hard limit   100000\n"));
	run("pfctl -sS", 0);
	assert_string_equal(fake_out, "10.10.2.100 -> 0.0.0.0 ( states 2, connections 1, rate 0.0/10s )\n");
}

static void
test_tables(void **state)
{
	run("pfctl -t over -T show", 1);
	assert_string_equal(fake_err, "pfctl: Table does not exist.\n");
	run("pfctl -t over -T add 10.10.2.100 10.0.0.0/8 !2001:db8::1 10.0.0.0/8", 0);
	assert_non_null(strstr(fake_err, "1 table created.\n3/4 addresses added.\n"));
	run("pfctl -t over -T show", 0);
	assert_string_equal(fake_out, "   10.0.0.0/8\n   10.10.2.100\n  !2001:db8::1\n");
	run("pfctl -t over -T test 10.1.1.1", 0);
	run("pfctl -t over -T test 10.1.1.1 11.1.1.1", 2);
	assert_string_equal(fake_err, "1/2 addresses match.\n");
	run("pfctl -q -t over -T delete 10.10.2.100", 0);
	assert_string_equal(fake_err, "");
	run("pfctl -t over -T add 10.0.0.256", 1);
	run("pfctl -sT", 0);
	assert_string_equal(fake_out, "over\n");
	run("pfctl -t over -T replace 10.0.0.1", 0);
	run("pfctl -t over -T flush", 0);
	assert_non_null(strstr(fake_err, "1 addresses deleted."));
	run("pfctl -t over -T show", 0);
	assert_string_equal(fake_out, "");
	run("pfctl -t over -T expire 10", 1);
	assert_non_null(strstr(fake_err, "not available"));
}

static void
test_kill(void **state)
{
	box->killed = 10;
	run("pfctl -k 10.10.2.100", 0);
	assert_string_equal(fake_err, "killed 10 states from 1 sources and 1 destinations\n");
	assert_true(box->last_kill.has_src && !box->last_kill.has_dst && box->last_kill.src.plen == 32);
	run("pfctl -k 0.0.0.0/0 -k fd00::/8", 0);
	assert_true(!box->last_kill.has_src && box->last_kill.has_dst && box->last_kill.dst.af == 6);
	run("pfctl -k label -k dns", 0);
	assert_true(box->last_kill.has_label);
	assert_string_equal(box->last_kill.label, "dns");
	run("pfctl -k id -k 6b0236fa00000008/730b84d2", 0);
	assert_true(box->last_kill.has_id && box->last_kill.id == 0x6b0236fa00000008 && box->last_kill.creatorid == 0x730b84d2);
	tcp_in(states(1));
	run("pfctl -k key -k 'tcp 10.10.1.100:5001 <-  10.10.2.100:40012'", 0);
	assert_true(box->last_kill.has_id && box->last_kill.id == 0x6b0236fa00000008);
	run("pfctl -k key -k " "'  tcp  10.10.1.100:5001 <- 10.10.2.100:40012 '", 0);
	assert_string_equal(fake_err, "killed 10 states\n");
	run("pfctl -k nohost", 1);
	run("pfctl -k id", 1);
	run("pfctl -k a -k b -k c", 1);
	run("pfctl -F states", 0);
	assert_string_equal(fake_err, "1 states cleared\n");
	run("pfctl -i int0 -F states", 0);
	assert_non_null(strstr(box->log, "flush int0\n"));
	run("pfctl -Fa", 0);
	assert_non_null(strstr(box->log, "flush rules\n"));
}

static void
test_load(void **state)
{
	char good[] = "/tmp/cli_pfctlXXXXXX", line[128];
	int fd = mkstemp(good);

	assert_true(write(fd, "a = 53\npass in proto udp to port $a\n", 36) == 36);
	close(fd);
	snprintf(line, sizeof(line), "pfctl -nvf %s", good);
	run(line, 0);
	assert_non_null(strstr(fake_out, "pass in proto udp from any to any port = 53\n"));
	snprintf(line, sizeof(line), "pfctl -f %s", good);
	run(line, 0);
	assert_non_null(strstr(box->log, good));
	assert_string_equal(fake_out, "");
	snprintf(line, sizeof(line), "pfctl -D a=b -Dc=d -f %s", good);
	run(line, 0);
	assert_non_null(strstr(box->log, "macro a=b\nmacro c=d\nload "));
	fd = open(good, O_WRONLY | O_TRUNC);
	assert_true(write(fd, "pass in prot\nblock sideways\n", 28) == 28);
	close(fd);
	snprintf(line, sizeof(line), "pfctl -nf %s", good);
	run(line, 1);
	snprintf(line, sizeof(line), "%s:1: ", good);
	assert_non_null(strstr(fake_err, line));
	snprintf(line, sizeof(line), "%s:2: ", good);
	assert_non_null(strstr(fake_err, line));
	snprintf(line, sizeof(line), "%s.broken", good);
	assert_int_equal(rename(good, line), 0);
	snprintf(line, sizeof(line), "pfctl -f %s.broken", good);
	run(line, 1);
	assert_non_null(strstr(fake_err, ".broken:3: syntax error\n"));
	unlink(line + 9);
	assert_non_null(strstr(fake_err, "the rules in force stay"));
	run("pfctl -nf /does/not/exist", 1);
	run("pfctl -f /dev/null", 1);
	assert_non_null(strstr(fake_err, "not a regular file"));
}

static void
test_flags(void **state)
{
	static const struct { const char *line, *say; } bad[] = {
		{ "pfctl", "nothing to do" }, { "pfctl -f", "-f needs an argument" }, { "pfctl -s nonsense", "rules, Anchors" },
		{ "pfctl -F nonsense", "rules, Sources" }, { "pfctl -T show", "needs -t" }, { "pfctl -t x", "needs -T" },
		{ "pfctl -y", "unknown flag -y" }, { "pfctl file", "stands alone" }, { "pfctl -n", "-f FILE" },
		{ "pfctl -o basic -sr", "expected none" }, { "pfctl -S /tmp/x", "not available" }, { "pfctl -L /tmp/x", "not available" },
		{ "pfctl -sq", "not available" }, { "pfctl -e -d", "exclude" }, { "pfctl -D 1 -sr", "macro=value" },
		{ "pfctl -F Sources", "not available" }, { "pfctl -a one -sr", "not available" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		run(bad[i].line, 1);
		if (strstr(fake_err, bad[i].say) == NULL)
			fail_msg("%s: %s", bad[i].line, fake_err);
	}
	run("pfctl -o none -sr", 0);
	run("pfctl -e", 0);
	assert_string_equal(fake_err, "pf enabled\n");
	run("pfctl -d", 0);
	run("pfctl -z", 0);
	run("pfctl -sa", 0);
	assert_non_null(strstr(fake_out, "FILTER RULES:\nblock drop"));
	run("pfctl -sn", 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_states, setup, teardown),
		cmocka_unit_test_setup_teardown(test_states_other, setup, teardown),
		cmocka_unit_test_setup_teardown(test_info, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(test_load, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flags, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
