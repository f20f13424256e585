/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The grammar of pf.conf(5). Each statement ends at its line; after an error the parser goes on with the next line, so
 * that all errors of a file are found. A rule is collected in p->draft and handed to expand.c at its end; lists are
 * chains of struct pol_node in the parser's arena, so nothing needs to be freed when a line is given up.
 *
 * Words that pf.conf(5) knows and this program does not do (REFUSED and a few keywords) are reported by name where they
 * stand; the rest of their line is passed over.
 */
%define api.pure full
%define api.prefix {pol_yy}
%define api.location.type {struct pol_loc}
%define parse.error custom
%define parse.lac full
%define api.header.include {"pfconf_parse.h"}
%locations
%param { void *scanner }
%parse-param { struct pol_parser *p }
%expect 0

%code requires {
#include "policy/lang_priv.h"
}

%union {
	char *str;
	int64_t num;
	int i;
	struct pol_node *node;
	struct { struct pol_node *host, *port; } peer;
	struct { enum pol_return how; int ttl, icmp, icmp6; } block;
	struct { int a, b; } two;
}

%code {
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int pol_yylex(YYSTYPE *, YYLTYPE *, void *);

#define YYLLOC_DEFAULT(cur, rhs, n) ((cur) = (n) > 0 ? YYRHSLOC(rhs, 1) : YYRHSLOC(rhs, 0))
#define D (p->draft)
#define YYMAXDEPTH 20000
#define YYINITDEPTH 200

/* Unreachable port, what block return sends. */
#define DEF_ICMP (3 << 8 | 3)
#define DEF_ICMP6 (1 << 8 | 4)

static void refuse(struct pol_parser *p, struct pol_loc loc, const char *word, const char *why, int lookahead);
static void pol_yyerror(struct pol_loc *loc, void *scanner, struct pol_parser *p, const char *msg);

#define REFUSE(loc, word, why) refuse(p, loc, word, why, yychar)
}

%token ALL "all" ALLOW_OPTS "allow-opts" ANCHOR "anchor" ANTISPOOF "antispoof" ANY "any" ARROW "->" BLOCK "block"
%token BLOCK_POLICY "block-policy" CODE "code" DEBUG "debug" DROP "drop" FILE_ "file" FLAGS "flags"
%token FLOATING "floating" FLUSH "flush" FOR "for" FRAGMENT "fragment" FROM "from" GE ">=" GLOBAL "global"
%token GROUP "group" HOSTID "hostid" ICMP6_TYPE "icmp6-type" ICMP_TYPE "icmp-type" IF_BOUND "if-bound" IN "in"
%token INET "inet" INET6 "inet6" IRANGE "><" KEEP "keep" LABEL "label" LE "<=" LIMIT "limit" LOAD "load" LOG "log"
%token LOGINTERFACE "loginterface" MATCH "match" MATCHES "matches" MAX "max" MAX_MSS "max-mss"
%token MAX_PKT_RATE "max-pkt-rate" MAX_SRC_CONN "max-src-conn" MAX_SRC_CONN_RATE "max-src-conn-rate"
%token MAX_SRC_NODES "max-src-nodes" MAX_SRC_STATES "max-src-states" MIN_TTL "min-ttl" MODULATE "modulate" NE "!="
%token NO "no" NO_DF "no-df" NO_ROUTE "no-route" NO_SYNC "no-sync" ON "on" ONCE "once" OPTIMIZATION "optimization"
%token OS "os" OUT "out" OVERLOAD "overload" PASS "pass" PFLOW "pflow" PORT "port" PRIO "prio"
%token PROBABILITY "probability" PROTO "proto" QUEUE "queue" QUICK "quick" RANDOM_ID "random-id" RDOMAIN "rdomain"
%token REASSEMBLE "reassemble" RECEIVED_ON "received-on" RETURN "return" RETURN_ICMP "return-icmp"
%token RETURN_ICMP6 "return-icmp6" RETURN_RST "return-rst" ROUTE "route" RULE "rule"
%token RULESET_OPTIMIZATION "ruleset-optimization" SCRUB "scrub" SET "set" SET_TOS "set-tos" SKIP_ "skip"
%token SLOPPY "sloppy" SOURCE_TRACK "source-track" STATE "state" STATE_DEFAULTS "state-defaults"
%token STATE_POLICY "state-policy" SYNCOOKIES "syncookies" SYNPROXY "synproxy" TABLE "table" TAG "tag"
%token TAGGED "tagged" TIMEOUT "timeout" TO "to" TOS "tos" TTL "ttl" URPF_FAILED "urpf-failed" USER "user"
%token XRANGE "<>"
%token <num> NUMBER "a number"
%token <str> STRING_ "a name" TABLENAME "<table>" REFUSED "word that is not available here"

%type <str> word text tablename port_text icmp_text code_text anchor_name label set_text
%type <i> af binop unop flag_letters flag_set flush not
%type <node> interface if_list if_not if_item proto proto_list proto_item hosts host_list host_item host
%type <node> portspec port_list port_item icmp_list icmp_item icmp6_list icmp6_item antispoof_ifs antispoof_list
%type <node> antispoof_if dynamic table_hosts table_host
%type <peer> from to peer
%type <block> blockspec
%type <two> prio syncookie_opts syncookie_list syncookie_opt

%%

ruleset		: %empty
		| ruleset '\n'
		| ruleset set '\n'
		| ruleset tabledef '\n'
		| ruleset ruleline '\n'
		| ruleset error '\n'			{ yyerrok; }
		;

/* What may stand in an anchor too. */
ruleline	: pfrule
		| anchor
		| antispoof
		| oldscrub
		| refused_line
		;

body		: %empty
		| body '\n'
		| body ruleline '\n'
		| body tabledef '\n'
		| body error '\n'			{ yyerrok; }
		;

refused_line	: REFUSED				{ REFUSE(@1, $1, pol_refusal($1)); }
		| QUEUE					{ REFUSE(@1, "queue", pol_refusal("queue")); }
		| LOAD ANCHOR				{ REFUSE(@1, "load anchor", pol_refusal("load")); }
		| NO REFUSED				{ REFUSE(@1, $2, pol_refusal($2)); }
		| NO SCRUB
		{
			REFUSE(@1, "no scrub", "exceptions from scrubbing are not available; use match ... scrub (...) on what "
				"is to be scrubbed");
		}
		;

/* Options. */

set		: SET REASSEMBLE yes_no
		| SET OPTIMIZATION word			{ pol_set_optimization(p, @3, $3); }
		| SET RULESET_OPTIMIZATION word		{ pol_set_ruleset_optimization(p, @3, $3); }
		| SET TIMEOUT timeout
		| SET TIMEOUT lbrace timeouts rbrace
		| SET LIMIT limit
		| SET LIMIT lbrace limits rbrace
		| SET LOGINTERFACE set_text		{ pol_set_loginterface(p, @3, $3); }
		| SET HOSTID set_text			{ pol_set_hostid(p, @3, $3); }
		| SET BLOCK_POLICY DROP			{ pol_set_block_policy(p, POL_RETURN_NONE); }
		| SET BLOCK_POLICY RETURN		{ pol_set_block_policy(p, POL_RETURN_ANY); }
		| SET STATE_POLICY IF_BOUND		{ pol_set_state_policy(p, true); }
		| SET STATE_POLICY FLOATING		{ pol_set_state_policy(p, false); }
		| SET DEBUG word			{ pol_set_debug(p, @3, $3); }
		| SET DEBUG DEBUG			{ pol_set_debug(p, @3, "debug"); }
		| SET SKIP_ interface			{ pol_set_skip(p, $3); }
		| SET STATE_DEFAULTS
		{
			pol_once(p, @2, p->state_defaults_given, "set state-defaults");
			memset(&p->state_defaults, 0, sizeof(p->state_defaults));
			p->state = &p->state_defaults;
		}
		  state_list				{ p->state_defaults_given = true; }
		| SET SYNCOOKIES word syncookie_opts	{ pol_set_syncookies(p, @3, $3, $4.a, $4.b); }
		| SET REFUSED				{ REFUSE(@2, $2, pol_refusal($2)); }
		| SET QUEUE				{ REFUSE(@2, "queue", pol_refusal("queue")); }
		| SET STRING_
		{
			if (strcmp($2, "require-order") == 0 || strcmp($2, "keepcounters") == 0) {
				/* no meaning here: rules may stand in any order, counters are kept by uid */
				if (yychar != '\n')
					pol_lex_skip(p, 0);
			} else {
				pol_perr(p, @2, "unknown option 'set %s', expected set limit, timeout, skip on, block-policy, "
					"state-policy, optimization, debug, reassemble, syncookies, loginterface, hostid, "
					"ruleset-optimization or state-defaults", $2);
				if (yychar != '\n')
					pol_lex_skip(p, 0);
			}
		}
		;

set_text	: word
		| ALL					{ $$ = "all"; }
		| NUMBER				{ $$ = (char *)pol_number_text(p, $1); }
		;

yes_no		: NO					{ pol_set_reassemble(p, false, false); }
		| NO NO_DF				{ pol_set_reassemble(p, false, true); }
		| word
		{
			if (strcmp($1, "yes") != 0)
				pol_perr(p, @1, "unknown value '%s' of set reassemble, expected yes or no", $1);
			pol_set_reassemble(p, true, false);
		}
		| word NO_DF
		{
			if (strcmp($1, "yes") != 0)
				pol_perr(p, @1, "unknown value '%s' of set reassemble, expected yes or no", $1);
			pol_set_reassemble(p, true, true);
		}
		;

timeouts	: timeout optnl
		| timeouts comma timeout optnl
		;
timeout		: word NUMBER				{ pol_set_timeout(p, @1, $1, $2); }
		;
limits		: limit optnl
		| limits comma limit optnl
		;
limit		: word NUMBER				{ pol_set_limit(p, @1, $1, $2); }
		;

syncookie_opts	: %empty				{ $$.a = $$.b = -1; }
		| '(' syncookie_list ')'		{ $$ = $2; }
		;
syncookie_list	: syncookie_opt
		| syncookie_list comma syncookie_opt
		{
			$$.a = $3.a >= 0 ? $3.a : $1.a;
			$$.b = $3.b >= 0 ? $3.b : $1.b;
		}
		;
syncookie_opt	: word word
		{
			int pct = pol_percent(p, @2, $2);

			$$.a = $$.b = -1;
			if (strcmp($1, "start") == 0)
				$$.a = pct;
			else if (strcmp($1, "end") == 0)
				$$.b = pct;
			else
				pol_perr(p, @1, "unknown option '%s' of syncookies, expected start or end", $1);
		}
		;

/* Tables. */

tabledef	: TABLE tablename			{ pol_table_begin(p, @1, $2); }
		  table_opts				{ pol_table_end(p); }
		;
tablename	: TABLENAME
		| '<' word '>'				{ $$ = $2; }
		;
table_opts	: %empty
		| table_opts table_opt
		;
table_opt	: word					{ pol_table_option(p, @1, $1); }
		| lbrace rbrace				{ pol_table_hosts(p, @1, NULL); }
		| lbrace table_hosts rbrace		{ pol_table_hosts(p, @1, $2); }
		| FILE_ word				{ pol_table_file(p, @2, $2); }
		;
table_hosts	: table_host optnl
		| table_hosts comma table_host optnl	{ $$ = pol_node_append($1, $3); }
		;
table_host	: host_item
		| lbrace table_hosts rbrace		{ $$ = $2; }
		;

/* Rules. */

pfrule		: action dir logquick interface af proto fromto filter_opts
		{
			D->ifs = $4;
			D->protos = $6;
			pol_draft_end(p);
		}
		;
action		: PASS					{ pol_draft_begin(p, @1, POL_PASS); }
		| MATCH					{ pol_draft_begin(p, @1, POL_MATCH); }
		| BLOCK blockspec
		{
			pol_draft_begin(p, @1, POL_BLOCK);
			D->r.ret = $2.how;
			D->r.return_ttl = $2.ttl;
			D->r.return_icmp = $2.icmp;
			D->r.return_icmp6 = $2.icmp6;
		}
		;
blockspec	: %empty
		{
			$$.how = p->rs->opt.block_return;
			$$.ttl = 0;
			$$.icmp = DEF_ICMP;
			$$.icmp6 = DEF_ICMP6;
		}
		| DROP					{ $$.how = POL_RETURN_NONE; $$.ttl = $$.icmp = $$.icmp6 = 0; }
		| RETURN				{ $$.how = POL_RETURN_ANY; $$.ttl = 0; $$.icmp = DEF_ICMP; $$.icmp6 = DEF_ICMP6; }
		| RETURN_RST				{ $$.how = POL_RETURN_RST; $$.ttl = $$.icmp = $$.icmp6 = 0; }
		| RETURN_RST '(' TTL NUMBER ')'
		{
			$$.how = POL_RETURN_RST;
			$$.icmp = $$.icmp6 = 0;
			$$.ttl = pol_in_range(p, @4, "ttl", $4, 0, 255) ? (int)$4 : 0;
		}
		| RETURN_ICMP				{ $$.how = POL_RETURN_ICMP; $$.ttl = 0; $$.icmp = DEF_ICMP; $$.icmp6 = DEF_ICMP6; }
		| RETURN_ICMP6				{ $$.how = POL_RETURN_ICMP; $$.ttl = 0; $$.icmp = DEF_ICMP; $$.icmp6 = DEF_ICMP6; }
		| RETURN_ICMP '(' icmp_text ')'
		{
			/* pfctl gives the other family the IPv4 default; so does the packet that goes out */
			$$.how = POL_RETURN_ICMP;
			$$.ttl = 0;
			$$.icmp = pol_icmp_spec_parse(p, @3, $3, false);
			$$.icmp6 = DEF_ICMP;
		}
		| RETURN_ICMP6 '(' icmp_text ')'
		{
			$$.how = POL_RETURN_ICMP;
			$$.ttl = 0;
			$$.icmp = DEF_ICMP;
			$$.icmp6 = pol_icmp_spec_parse(p, @3, $3, true);
		}
		| RETURN_ICMP '(' icmp_text comma icmp_text ')'
		{
			$$.how = POL_RETURN_ICMP;
			$$.ttl = 0;
			$$.icmp = pol_icmp_spec_parse(p, @3, $3, false);
			$$.icmp6 = pol_icmp_spec_parse(p, @5, $5, true);
		}
		;
dir		: %empty
		| IN					{ D->r.dir = POL_DIR_IN; }
		| OUT					{ D->r.dir = POL_DIR_OUT; }
		;
logquick	: %empty
		| log
		| quick
		| log quick
		| quick log
		;
quick		: QUICK					{ D->r.quick = true; }
		;
log		: logword
		| logword '(' logopts ')'
		;
logword		: LOG					{ D->r.log = POL_LOG; }
		;
logopts		: logopt
		| logopts comma logopt
		;
logopt		: ALL					{ D->r.log |= POL_LOG_ALL; }
		| MATCHES				{ D->r.log |= POL_LOG_MATCHES; }
		| USER					{ D->r.log |= POL_LOG_USER; }
		| TO word				{ D->r.logif = pol_log_if(p, @2, $2); }
		;

interface	: %empty				{ $$ = NULL; }
		| ON if_not				{ $$ = $2; }
		| ON lbrace if_list rbrace		{ $$ = $3; }
		;
if_list		: if_not optnl
		| if_list comma if_not optnl		{ $$ = pol_node_append($1, $3); }
		;
if_not		: if_item
		| '!' if_item				{ $$ = $2; $$->ifc.neg = true; }
		;
if_item		: word					{ $$ = pol_if_node(p, @1, $1); }
		| ANY					{ $$ = pol_if_node(p, @1, "any"); }
		| RDOMAIN				{ $$ = pol_if_node(p, @1, "any"); REFUSE(@1, "rdomain", pol_refusal("rdomain")); }
		;

af		: %empty				{ $$ = POL_AF_ANY; }
		| INET					{ $$ = POL_AF_INET; D->r.af = POL_AF_INET; }
		| INET6					{ $$ = POL_AF_INET6; D->r.af = POL_AF_INET6; }
		;
proto		: %empty				{ $$ = NULL; }
		| PROTO proto_item			{ $$ = $2; }
		;
proto_list	: proto_item optnl
		| proto_list comma proto_item optnl	{ $$ = pol_node_append($1, $3); }
		;
proto_item	: word
		{
			int n = pol_proto_number($1);

			if (n < 0)
				pol_perr(p, @1, "unknown protocol '%s', expected a name such as tcp, udp, icmp or a number", $1);
			else if (n == 0)
				pol_perr(p, @1, "protocol 0 cannot be used in a rule, expected 1 to 255");
			$$ = pol_node_new(p, @1);
			$$->proto = n < 0 ? 0 : n;
		}
		| NUMBER
		{
			$$ = pol_node_new(p, @1);
			$$->proto = pol_in_range(p, @1, "protocol", $1, 1, 255) ? $1 : 0;
		}
		| lbrace proto_list rbrace		{ $$ = $2; }
		;

fromto		: %empty
		| ALL
		| from os				{ D->srcs = $1.host; D->src_ports = $1.port; }
		| to					{ D->dsts = $1.host; D->dst_ports = $1.port; }
		| from os to
		{
			D->srcs = $1.host;
			D->src_ports = $1.port;
			D->dsts = $3.host;
			D->dst_ports = $3.port;
		}
		| OS					{ REFUSE(@1, "os", pol_refusal("os")); }
		;
os		: %empty
		| OS					{ REFUSE(@1, "os", pol_refusal("os")); }
		;
from		: FROM peer				{ $$ = $2; }
		;
to		: TO peer
		{
			for (struct pol_node *n = $2.host; n != NULL; n = n->next)
				if (n->host.a.kind == POL_ADDR_URPF_FAILED)
					pol_perr(p, n->loc, "urpf-failed is not permitted as a destination, expected it behind from");
			$$ = $2;
		}
		;
peer		: hosts					{ $$.host = $1; $$.port = NULL; }
		| hosts PORT portspec			{ $$.host = $1; $$.port = $3; }
		| PORT portspec				{ $$.host = NULL; $$.port = $2; }
		;
hosts		: ANY					{ $$ = NULL; }
		| host_item
		| lbrace host_list rbrace		{ $$ = $2; }
		;
host_list	: hosts optnl
		/* `any` in a list is the whole list */
		| host_list comma hosts optnl		{ $$ = $1 != NULL && $3 != NULL ? pol_node_append($1, $3) : NULL; }
		;
host_item	: not host				{ $$ = $2; if ($1) pol_negate($2); }
		| not NO_ROUTE				{ $$ = pol_host_special(p, @2, POL_ADDR_NOROUTE); if ($1) pol_negate($$); }
		| not URPF_FAILED			{ $$ = pol_host_special(p, @2, POL_ADDR_URPF_FAILED); if ($1) pol_negate($$); }
		;
not		: %empty				{ $$ = 0; }
		| '!'					{ $$ = 1; }
		;
host		: word					{ $$ = pol_host_parse(p, @1, $1, -1); }
		| word '-' word				{ $$ = pol_host_range(p, @1, $1, $3); }
		| word '/' NUMBER
		{
			$$ = pol_host_parse(p, @1, $1, pol_in_range(p, @3, "prefix length", $3, 0, 128) ? (int)$3 : 128);
		}
		| NUMBER '/' NUMBER
		{
			$$ = pol_host_parse(p, @1, pol_number_text(p, $1), pol_in_range(p, @3, "prefix length", $3, 0, 128) ? (int)$3 : 128);
		}
		| dynamic
		| TABLENAME				{ $$ = pol_host_table(p, @1, $1); }
		| '<' word '>'				{ $$ = pol_host_table(p, @1, $2); }
		| ROUTE					{ $$ = pol_host_special(p, @1, POL_ADDR_ANY); REFUSE(@1, "route", pol_refusal("route")); }
		;
dynamic		: '(' word ')'				{ $$ = pol_host_dynamic(p, @2, $2, -1); }
		| '(' word ')' '/' NUMBER
		{
			$$ = pol_host_dynamic(p, @2, $2, pol_in_range(p, @5, "prefix length", $5, 0, 128) ? (int)$5 : 128);
		}
		;

portspec	: port_item
		| lbrace port_list rbrace		{ $$ = $2; }
		;
port_list	: portspec optnl
		| port_list comma portspec optnl	{ $$ = pol_node_append($1, $3); }
		;
port_item	: port_text				{ $$ = pol_port_parse(p, @1, $1); }
		| unop port_text
		{
			$$ = pol_port_parse(p, @2, $2);
			if ($$->port.op == POL_OP_RRG)
				pol_perr(p, @2, "':' cannot be used with another port operator, expected one port");
			$$->port.op = $1;
		}
		| port_text binop port_text
		{
			struct pol_node *hi = pol_port_parse(p, @3, $3);

			$$ = pol_port_parse(p, @1, $1);
			if ($$->port.op == POL_OP_RRG || hi->port.op == POL_OP_RRG)
				pol_perr(p, @1, "':' cannot be used with another port operator, expected one port");
			$$->port.hi = hi->port.lo;
			$$->port.op = $2;
			if ($2 == POL_OP_IRG ? $$->port.lo >= $$->port.hi : $$->port.lo > $$->port.hi)
				pol_perr(p, @1, "port range %u %s %u %s, expected the lower port first", $$->port.lo,
					$2 == POL_OP_IRG ? "><" : "<>", $$->port.hi, $2 == POL_OP_IRG ? "is empty" : "is everything");
		}
		;
port_text	: word
		| NUMBER				{ $$ = (char *)pol_number_text(p, $1); }
		;
unop		: '='					{ $$ = POL_OP_EQ; }
		| NE					{ $$ = POL_OP_NE; }
		| '<'					{ $$ = POL_OP_LT; }
		| LE					{ $$ = POL_OP_LE; }
		| '>'					{ $$ = POL_OP_GT; }
		| GE					{ $$ = POL_OP_GE; }
		;
binop		: XRANGE				{ $$ = POL_OP_XRG; }
		| IRANGE				{ $$ = POL_OP_IRG; }
		;

/* Options of a rule, in any order. */

filter_opts	: %empty
		| filter_opts filter_opt
		;
filter_opt	: USER					{ REFUSE(@1, "user", pol_refusal("user")); }
		| GROUP					{ REFUSE(@1, "group", pol_refusal("group")); }
		| QUEUE					{ REFUSE(@1, "queue", pol_refusal("queue")); }
		| REFUSED				{ REFUSE(@1, $1, pol_refusal($1)); }
		| FLAGS flag_set			{ pol_once(p, @1, D->flags_given, "flags"); D->flags_given = true; }
		| ICMP_TYPE icmp_item			{ pol_once(p, @1, D->icmps != NULL, "icmp-type"); D->icmps = $2; }
		| ICMP_TYPE lbrace icmp_list rbrace	{ pol_once(p, @1, D->icmps != NULL, "icmp-type"); D->icmps = $3; }
		| ICMP6_TYPE icmp6_item			{ pol_once(p, @1, D->icmps != NULL, "icmp6-type"); D->icmps = $2; }
		| ICMP6_TYPE lbrace icmp6_list rbrace	{ pol_once(p, @1, D->icmps != NULL, "icmp6-type"); D->icmps = $3; }
		| PRIO NUMBER
		{
			pol_once(p, @1, D->r.match_prio, "prio");
			D->r.match_prio = true;
			D->r.prio = pol_in_range(p, @2, "prio", $2, 0, 7) ? $2 : 0;
		}
		| TOS port_text
		{
			pol_once(p, @1, D->r.match_tos, "tos");
			D->r.tos = pol_tos_value(p, @2, $2);
			D->r.match_tos = D->r.tos != 0;
		}
		| keep
		| FRAGMENT				{ D->r.rf |= POL_RF_FRAGMENT; }
		| ALLOW_OPTS				{ D->r.rf |= POL_RF_ALLOW_OPTS; }
		| LABEL label				{ pol_once(p, @1, D->label != NULL, "label"); D->label = $2; }
		| TAG text				{ D->tag = $2; }
		| not TAGGED text			{ D->match_tag = $3; D->r.match_tagneg = $1; }
		| PROBABILITY port_text			{ pol_probability(p, @2, $2); }
		| not RECEIVED_ON if_item
		{
			pol_once(p, @2, D->r.rcvif[0] != '\0', "received-on");
			snprintf(D->r.rcvif, sizeof(D->r.rcvif), "%s", $3->ifc.name);
			D->r.rcvifneg = $1;
		}
		| ONCE					{ D->r.rf |= POL_RF_ONCE; }
		| MAX_PKT_RATE NUMBER '/' NUMBER
		{
			pol_rate(p, @1, "max-pkt-rate", $2, $4, &D->r.max_pkt_rate, &D->r.max_pkt_rate_sec);
		}
		| SCRUB '(' scrub_opts ')'
		| SET '(' set_opts ')'
		| SET set_opt
		;

flag_set	: flag_letters '/' flag_letters
		{
			D->r.tcp_flags = $1;
			D->r.tcp_flagset = $3;
		}
		| '/' flag_letters			{ D->r.tcp_flags = 0; D->r.tcp_flagset = $2; $$ = 0; }
		| ANY					{ D->r.tcp_flags = D->r.tcp_flagset = 0; $$ = 0; }
		;
flag_letters	: word
		{
			if (($$ = pol_tcp_flags($1)) < 0) {
				pol_perr(p, @1, "unknown TCP flags '%s', expected letters of FSRPAUEW", $1);
				$$ = 0;
			}
		}
		;

icmp_list	: icmp_item optnl
		| icmp_list comma icmp_item optnl	{ $$ = pol_node_append($1, $3); }
		;
icmp_item	: icmp_text				{ $$ = pol_icmp_item(p, @1, false, $1, NULL); }
		| icmp_text CODE code_text		{ $$ = pol_icmp_item(p, @1, false, $1, $3); }
		;
icmp6_list	: icmp6_item optnl
		| icmp6_list comma icmp6_item optnl	{ $$ = pol_node_append($1, $3); }
		;
icmp6_item	: icmp_text				{ $$ = pol_icmp_item(p, @1, true, $1, NULL); }
		| icmp_text CODE code_text		{ $$ = pol_icmp_item(p, @1, true, $1, $3); }
		;
icmp_text	: port_text
		;
code_text	: port_text
		;

keep		: NO STATE
		{
			pol_once(p, @1, D->state_given, "state option");
			D->state_given = true;
			D->r.keep_state = POL_STATE_NONE;
		}
		| keep_kind STATE			{ p->state = &D->state; }
		  state_opts
		;
keep_kind	: KEEP
		{
			pol_once(p, @1, D->state_given, "state option");
			D->state_given = true;
			D->r.keep_state = POL_STATE_KEEP;
		}
		| MODULATE
		{
			pol_once(p, @1, D->state_given, "state option");
			D->state_given = true;
			D->r.keep_state = POL_STATE_MODULATE;
		}
		| SYNPROXY
		{
			pol_once(p, @1, D->state_given, "state option");
			D->state_given = true;
			D->r.keep_state = POL_STATE_SYNPROXY;
		}
		;
state_opts	: %empty
		| '(' state_list ')'
		;
state_list	: state_opt
		| state_list comma state_opt
		;
state_opt	: MAX NUMBER				{ pol_state_max(p, @1, &p->state->max_states, $2, "max"); }
		| MAX_SRC_NODES NUMBER			{ pol_state_max(p, @1, &p->state->max_src_nodes, $2, "max-src-nodes"); }
		| MAX_SRC_STATES NUMBER			{ pol_state_max(p, @1, &p->state->max_src_states, $2, "max-src-states"); }
		| MAX_SRC_CONN NUMBER			{ pol_state_max(p, @1, &p->state->max_src_conn, $2, "max-src-conn"); }
		| MAX_SRC_CONN_RATE NUMBER '/' NUMBER
		{
			pol_rate(p, @1, "max-src-conn-rate", $2, $4, &p->state->max_src_conn_rate,
				&p->state->max_src_conn_rate_sec);
		}
		| OVERLOAD tablename flush		{ pol_state_overload(p, @1, $2, $3); }
		| NO_SYNC				{ pol_state_flag(p, @1, POL_RF_NO_SYNC, POL_RF_NO_SYNC, "no-sync"); }
		| SLOPPY				{ pol_state_flag(p, @1, POL_RF_SLOPPY, POL_RF_SLOPPY, "sloppy"); }
		| PFLOW					{ pol_state_flag(p, @1, POL_RF_PFLOW, POL_RF_PFLOW, "pflow"); }
		| IF_BOUND
		{
			pol_state_flag(p, @1, POL_RF_IF_BOUND, POL_RF_IF_BOUND | POL_RF_FLOATING, "state-policy (if-bound, floating)");
		}
		| FLOATING
		{
			pol_state_flag(p, @1, POL_RF_FLOATING, POL_RF_IF_BOUND | POL_RF_FLOATING, "state-policy (if-bound, floating)");
		}
		| SOURCE_TRACK
		{
			pol_once(p, @1, p->state->srctrack != POL_ST_NONE, "source-track");
			p->state->srctrack = POL_ST_DEFAULT;
		}
		| SOURCE_TRACK GLOBAL
		{
			pol_once(p, @1, p->state->srctrack != POL_ST_NONE, "source-track");
			p->state->srctrack = POL_ST_GLOBAL;
		}
		| SOURCE_TRACK RULE
		{
			pol_once(p, @1, p->state->srctrack != POL_ST_NONE, "source-track");
			p->state->srctrack = POL_ST_RULE;
		}
		| STRING_ NUMBER			{ pol_state_timeout(p, @1, $1, $2); }
		;
flush		: %empty				{ $$ = 0; }
		| FLUSH					{ $$ = POL_RF_FLUSH; }
		| FLUSH GLOBAL				{ $$ = POL_RF_FLUSH | POL_RF_FLUSH_GLOBAL; }
		;

scrub_opts	: scrub_opt
		| scrub_opts comma scrub_opt
		;
scrub_opt	: NO_DF					{ pol_once(p, @1, D->r.rf & POL_RF_NODF, "no-df"); D->r.rf |= POL_RF_NODF; }
		| RANDOM_ID				{ pol_once(p, @1, D->r.rf & POL_RF_RANDOMID, "random-id"); D->r.rf |= POL_RF_RANDOMID; }
		| MIN_TTL NUMBER
		{
			pol_once(p, @1, D->scrub_given & POL_SCRUB_MINTTL, "min-ttl");
			D->scrub_given |= POL_SCRUB_MINTTL;
			D->r.min_ttl = pol_in_range(p, @2, "min-ttl", $2, 0, 255) ? $2 : 0;
		}
		| MAX_MSS NUMBER
		{
			pol_once(p, @1, D->scrub_given & POL_SCRUB_MAXMSS, "max-mss");
			D->scrub_given |= POL_SCRUB_MAXMSS;
			D->r.max_mss = pol_in_range(p, @2, "max-mss", $2, 0, 65535) ? $2 : 0;
		}
		| REASSEMBLE word
		{
			pol_once(p, @1, D->r.rf & POL_RF_REASS_TCP, "reassemble tcp");
			if (strcasecmp($2, "tcp") != 0)
				pol_perr(p, @2, "scrub cannot reassemble '%s', expected reassemble tcp", $2);
			D->r.rf |= POL_RF_REASS_TCP;
		}
		;

set_opts	: set_opt
		| set_opts comma set_opt
		;
set_opt		: prio
		{
			pol_once(p, @1, D->r.rf & POL_RF_SET_PRIO, "set prio");
			D->r.rf |= POL_RF_SET_PRIO;
			D->r.set_prio[0] = $1.a;
			D->r.set_prio[1] = $1.b;
		}
		| TOS port_text
		{
			pol_once(p, @1, D->r.rf & POL_RF_SET_TOS, "set tos");
			D->r.rf |= POL_RF_SET_TOS;
			D->r.set_tos = pol_tos_value(p, @2, $2);
		}
		| QUEUE					{ REFUSE(@1, "set queue", pol_refusal("queue")); }
		| REFUSED				{ REFUSE(@1, $1, pol_refusal($1)); }
		;
prio		: PRIO NUMBER				{ $$.a = $$.b = pol_in_range(p, @2, "prio", $2, 0, 7) ? (int)$2 : 0; }
		| PRIO '(' NUMBER comma NUMBER ')'
		{
			$$.a = pol_in_range(p, @3, "prio", $3, 0, 7) ? (int)$3 : 0;
			$$.b = pol_in_range(p, @5, "prio", $5, 0, 7) ? (int)$5 : 0;
		}
		;

label		: word
		;

/* Anchors with their rules. */

anchor		: ANCHOR				{ pol_draft_begin(p, @1, POL_PASS); }
		  anchor_name				{ if ($3 != NULL) snprintf(D->r.anchor_name, sizeof(D->r.anchor_name), "%s", $3); }
		  dir anchor_quick interface af proto fromto filter_opts
		{
			D->ifs = $7;
			D->protos = $9;
		}
		  anchor_body
		;
anchor_name	: %empty				{ $$ = NULL; }
		| word
		{
			if ($1[0] == '\0' || $1[0] == '_' || strchr($1, '/') != NULL || strlen($1) >= POL_LABEL_SIZE)
				pol_perr(p, @1, "bad name '%s' of an anchor, expected 1 to %d characters without '/', not beginning "
					"with '_'", $1, POL_LABEL_SIZE - 1);
			$$ = $1;
		}
		;
anchor_quick	: %empty
		| QUICK					{ D->r.quick = true; }
		;
anchor_body	: %empty
		{
			if (!D->bad)
				pol_perr(p, D->loc, "anchor \"%s\": anchors whose rules are loaded from elsewhere are not available in this "
					"version, expected { rules } behind it", D->r.anchor_name);
		}
		| '{'					{ pol_anchor_open(p, @1); }
		  '\n' body '}'				{ pol_anchor_close(p); }
		;

antispoof	: ANTISPOOF				{ pol_draft_begin(p, @1, POL_BLOCK); D->r.dir = POL_DIR_IN; }
		  logquick FOR antispoof_ifs af antispoof_opts
		{
			pol_antispoof(p, $5, D->label);
		}
		;
antispoof_ifs	: antispoof_if
		| lbrace antispoof_list rbrace		{ $$ = $2; }
		;
antispoof_list	: antispoof_if optnl
		| antispoof_list comma antispoof_if optnl	{ $$ = pol_node_append($1, $3); }
		;
antispoof_if	: if_item
		| '(' if_item ')'			{ $$ = $2; $$->ifc.dynamic = true; }
		;
antispoof_opts	: %empty
		| antispoof_opts antispoof_opt
		;
antispoof_opt	: LABEL label				{ pol_once(p, @1, D->label != NULL, "label"); D->label = $2; }
		| REFUSED				{ REFUSE(@1, $1, pol_refusal($1)); }
		;

/* FreeBSD's scrub lines. */

oldscrub	: SCRUB					{ pol_draft_begin(p, @1, POL_MATCH); }
		  dir logquick interface af proto fromto oldscrub_opts
		{
			D->ifs = $5;
			D->protos = $7;
			pol_scrub_end(p);
		}
		;
oldscrub_opts	: %empty
		| oldscrub_opts oldscrub_opt
		;
oldscrub_opt	: scrub_opt
		| FRAGMENT REASSEMBLE
		| FRAGMENT STRING_
		{
			D->bad = true;
			pol_perr(p, @1, "scrub fragment %s: only fragment reassemble is available", $2);
		}
		| FRAGMENT NO REASSEMBLE
		{
			D->bad = true;
			pol_perr(p, @1, "scrub fragment no reassemble: not available per rule, expected set reassemble no");
		}
		| SET_TOS port_text
		{
			pol_once(p, @1, D->r.rf & POL_RF_SET_TOS, "set-tos");
			D->r.rf |= POL_RF_SET_TOS;
			D->r.set_tos = pol_tos_value(p, @2, $2);
		}
		| not TAGGED text			{ D->match_tag = $3; D->r.match_tagneg = $1; }
		| LABEL label				{ pol_once(p, @1, D->label != NULL, "label"); D->label = $2; }
		;

/* Small things. */

word		: STRING_
		;
text		: STRING_
		| NUMBER				{ $$ = (char *)pol_number_text(p, $1); }
		;
comma		: %empty
		| ',' optnl
		;
optnl		: %empty
		| optnl '\n'
		;
lbrace		: '{'					{ p->list_depth++; }
		  optnl
		;
rbrace		: '}'					{ if (p->list_depth > 0) p->list_depth--; }
		;

%%


static bool
is_char(yysymbol_kind_t k, char c)
{
	const char *name = yysymbol_name(k);

	return name[0] == '\'' && (c == '\n' ? name[1] == '\\' && name[2] == 'n' : name[1] == c);
}

/*
 * `unexpected X, expected Y`: the words that could stand here, where they are few; else what kind of thing. Then the rest
 * of the statement is skipped, with the lists that are open.
 */
static int
yyreport_syntax_error(const yypcontext_t *ctx, void *scanner, struct pol_parser *p)
{
	enum { MANY = 8 };
	yysymbol_kind_t all[YYNTOKENS], tok = yypcontext_token(ctx);
	struct pol_loc loc = *yypcontext_location(ctx);
	struct pol_sbuf b = { 0 };
	int n = yypcontext_expected_tokens(ctx, all, YYNTOKENS), m = 0;
	bool statement = false, option = false, newline = is_char(tok, '\n');

	for (int i = 0; i < n; i++) {
		statement |= all[i] == YYSYMBOL_PASS;
		option |= all[i] == YYSYMBOL_LABEL;
		if (all[i] != YYSYMBOL_REFUSED)
			all[m++] = all[i];
	}
	if (tok == YYSYMBOL_REFUSED)
		pol_sbuf_printf(p, &b, "%s: %s", p->tok, pol_refusal(p->tok));
	else if (newline || tok == YYSYMBOL_YYEOF)
		pol_sbuf_printf(p, &b, "unexpected end of %s", newline ? "line" : "file");
	else
		pol_sbuf_printf(p, &b, "unexpected '%s'", p->tok);
	if (tok == YYSYMBOL_REFUSED)
		;
	else if (statement)
		pol_sbuf_printf(p, &b, ", expected a rule (pass, block, match), anchor, antispoof, table%s",
			p->anchor_depth > 0 ? " or '}'" : ", set, include or a macro");
	else if (option && m > MANY)
		pol_sbuf_printf(p, &b, ", expected the end of the line or an option (keep state, flags, label, tag, ...); "
			"direction, log, quick, on, family, proto, from, to stand before them in this order");
	else
		for (int i = 0; i < m && i < MANY; i++)
			pol_sbuf_printf(p, &b, "%s%s%s", i == 0 ? ", expected " : i + 1 < m ? ", " : " or ",
				is_char(all[i], '\n') ? "end of line" : yysymbol_name(all[i]), i + 1 == MANY && m > MANY ? " ..." : "");
	if (p->macro_error_line != loc.line || p->n_errors == 0)
		pol_perr(p, loc, "%s", b.s);
	p->reported = true;
	if (is_char(tok, '}') && p->list_depth > 0)
		p->list_depth--;
	else if (is_char(tok, '{') && !p->in_anchor_line)
		p->list_depth++;
	if (is_char(tok, '{') && p->in_anchor_line)
		p->orphans++;
	if (tok != YYSYMBOL_YYEOF && (!newline || p->list_depth > 0))
		pol_lex_skip(p, p->list_depth);
	p->list_depth = 0;
	return 0;
}

/* Only for "memory exhausted" of a stack that grew too deep. */
static void
pol_yyerror(struct pol_loc *loc, void *scanner, struct pol_parser *p, const char *msg)
{
	pol_perr(p, *loc, "lists are nested too deep (%s), expected simpler ones", msg);
}

static void
refuse(struct pol_parser *p, struct pol_loc loc, const char *word, const char *why, int lookahead)
{
	if (p->draft != NULL)
		p->draft->bad = true;
	pol_perr(p, loc, "%s: %s", word, why);
	if (lookahead == '\n')
		return;
	pol_lex_skip(p, p->list_depth + (lookahead == '{'));
	p->list_depth = 0;
}
