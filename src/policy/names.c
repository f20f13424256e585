/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of numbers: protocols, ICMP types and codes, TOS, TCP flags, services; and the words that are refused by name.
 *
 * Own tables come first, so that a rule set reads and prints alike on every machine, whatever its /etc/protocols says
 * (pfctl prints `ipv6-icmp`); what they do not know is asked from the system's databases. Source of the numbers: IANA.
 */
#include <endian.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "lang_priv.h"

struct number_name { const char *name; int n; };
struct code_name { const char *name; int type, code; };

/* The first name of a number is the one that is printed. */
static const struct number_name protocols[] = {
	{ "ip", 0 }, { "icmp", 1 }, { "igmp", 2 }, { "ggp", 3 }, { "ipencap", 4 }, { "st2", 5 }, { "tcp", 6 }, { "cbt", 7 },
	{ "egp", 8 }, { "igp", 9 }, { "pup", 12 }, { "chaos", 16 }, { "udp", 17 }, { "hmp", 20 }, { "xns-idp", 22 },
	{ "rdp", 27 }, { "iso-tp4", 29 }, { "dccp", 33 }, { "xtp", 36 }, { "ddp", 37 }, { "ipv6", 41 },
	{ "ipv6-route", 43 }, { "ipv6-frag", 44 }, { "idrp", 45 }, { "rsvp", 46 }, { "gre", 47 }, { "esp", 50 },
	{ "ipv6-crypt", 50 }, { "ipsec-esp", 50 }, { "ah", 51 }, { "ipv6-auth", 51 }, { "ipsec-ah", 51 },
	{ "mobile", 55 }, { "ipv6-icmp", 58 }, { "icmp6", 58 }, { "ipv6-nonxt", 59 }, { "ipv6-opts", 60 },
	{ "cftp", 62 }, { "eigrp", 88 }, { "ospf", 89 }, { "ipip", 94 }, { "etherip", 97 }, { "encap", 98 },
	{ "pim", 103 }, { "ipcomp", 108 }, { "carp", 112 }, { "vrrp", 112 }, { "l2tp", 115 }, { "isis", 124 },
	{ "sctp", 132 }, { "mobility-header", 135 }, { "udplite", 136 }, { "mpls", 137 }, { "pfsync", 240 },
};

static const struct number_name icmp_types[] = {
	{ "echoreq", 8 }, { "echorep", 0 }, { "unreach", 3 }, { "squench", 4 }, { "redir", 5 }, { "althost", 6 },
	{ "routeradv", 9 }, { "routersol", 10 }, { "timex", 11 }, { "paramprob", 12 }, { "timereq", 13 },
	{ "timerep", 14 }, { "inforeq", 15 }, { "inforep", 16 }, { "maskreq", 17 }, { "maskrep", 18 }, { "trace", 30 },
	{ "dataconv", 31 }, { "mobredir", 32 }, { "ipv6-where", 33 }, { "ipv6-here", 34 }, { "mobregreq", 35 },
	{ "mobregrep", 36 }, { "skip", 39 }, { "photuris", 40 },
};

static const struct number_name icmp6_types[] = {
	{ "unreach", 1 }, { "toobig", 2 }, { "timex", 3 }, { "paramprob", 4 }, { "echoreq", 128 }, { "echorep", 129 },
	{ "groupqry", 130 }, { "listqry", 130 }, { "grouprep", 131 }, { "listenrep", 131 }, { "groupterm", 132 },
	{ "listendone", 132 }, { "routersol", 133 }, { "routeradv", 134 }, { "neighbrsol", 135 }, { "neighbradv", 136 },
	{ "redir", 137 }, { "routrrenum", 138 }, { "wrureq", 139 }, { "wrurep", 140 }, { "fqdnreq", 139 },
	{ "fqdnrep", 140 }, { "niqry", 139 }, { "nirep", 140 }, { "mtraceresp", 200 }, { "mtrace", 201 },
};

static const struct code_name icmp_codes[] = {
	{ "net-unr", 3, 0 }, { "host-unr", 3, 1 }, { "proto-unr", 3, 2 }, { "port-unr", 3, 3 }, { "needfrag", 3, 4 },
	{ "srcfail", 3, 5 }, { "net-unk", 3, 6 }, { "host-unk", 3, 7 }, { "isolate", 3, 8 }, { "net-prohib", 3, 9 },
	{ "host-prohib", 3, 10 }, { "net-tos", 3, 11 }, { "host-tos", 3, 12 }, { "filter-prohib", 3, 13 },
	{ "host-preced", 3, 14 }, { "cutoff-preced", 3, 15 }, { "redir-net", 5, 0 }, { "redir-host", 5, 1 },
	{ "redir-tos-net", 5, 2 }, { "redir-tos-host", 5, 3 }, { "normal-adv", 9, 0 }, { "common-adv", 9, 16 },
	{ "transit", 11, 0 }, { "reassemb", 11, 1 }, { "badhead", 12, 0 }, { "optmiss", 12, 1 }, { "badlen", 12, 2 },
	{ "unknown-ind", 40, 0 }, { "auth-fail", 40, 1 }, { "decrypt-fail", 40, 2 },
};

static const struct code_name icmp6_codes[] = {
	{ "admin-unr", 1, 1 }, { "noroute-unr", 1, 0 }, { "notnbr-unr", 1, 2 }, { "beyond-unr", 1, 2 },
	{ "addr-unr", 1, 3 }, { "port-unr", 1, 4 }, { "transit", 3, 0 }, { "reassemb", 3, 1 }, { "badhead", 4, 0 },
	{ "nxthdr", 4, 1 }, { "redironlink", 137, 0 }, { "redirrouter", 137, 1 },
};

/* Values as they stand in the packet's TOS byte. */
static const struct number_name tos_names[] = {
	{ "af11", 0x28 }, { "af12", 0x30 }, { "af13", 0x38 }, { "af21", 0x48 }, { "af22", 0x50 }, { "af23", 0x58 },
	{ "af31", 0x68 }, { "af32", 0x70 }, { "af33", 0x78 }, { "af41", 0x88 }, { "af42", 0x90 }, { "af43", 0x98 },
	{ "critical", 0xa0 }, { "cs0", 0x00 }, { "cs1", 0x20 }, { "cs2", 0x40 }, { "cs3", 0x60 }, { "cs4", 0x80 },
	{ "cs5", 0xa0 }, { "cs6", 0xc0 }, { "cs7", 0xe0 }, { "ef", 0xb8 }, { "inetcontrol", 0xc0 },
	{ "lowdelay", 0x10 }, { "netcontrol", 0xe0 }, { "reliability", 0x04 }, { "throughput", 0x08 }, { "va", 0xb0 },
};

/* What rule sets name most, also where there is no /etc/services. */
static const struct number_name services[] = {
	{ "echo", 7 }, { "discard", 9 }, { "daytime", 13 }, { "chargen", 19 }, { "ftp-data", 20 }, { "ftp", 21 }, { "ssh", 22 },
	{ "telnet", 23 }, { "smtp", 25 }, { "time", 37 }, { "whois", 43 }, { "domain", 53 }, { "bootps", 67 },
	{ "bootpc", 68 }, { "tftp", 69 }, { "gopher", 70 }, { "finger", 79 }, { "www", 80 }, { "http", 80 },
	{ "kerberos", 88 }, { "pop3", 110 }, { "sunrpc", 111 }, { "auth", 113 }, { "ident", 113 }, { "nntp", 119 },
	{ "ntp", 123 }, { "netbios-ns", 137 }, { "netbios-dgm", 138 }, { "netbios-ssn", 139 }, { "imap", 143 },
	{ "snmp", 161 }, { "snmptrap", 162 }, { "bgp", 179 }, { "ldap", 389 }, { "https", 443 },
	{ "microsoft-ds", 445 }, { "submissions", 465 }, { "smtps", 465 }, { "isakmp", 500 }, { "syslog", 514 },
	{ "printer", 515 }, { "rip", 520 }, { "router", 520 }, { "submission", 587 }, { "ldp", 646 }, { "ldaps", 636 },
	{ "domain-s", 853 }, { "rsync", 873 }, { "imaps", 993 }, { "pop3s", 995 }, { "socks", 1080 },
	{ "openvpn", 1194 }, { "radius", 1812 }, { "radacct", 1813 }, { "nfsd", 2049 }, { "nfs", 2049 },
	{ "mysql", 3306 }, { "rdp", 3389 }, { "svn", 3690 }, { "ipsec-nat-t", 4500 }, { "sip", 5060 },
	{ "postgresql", 5432 }, { "vnc", 5900 }, { "x11", 6000 }, { "ftp-proxy", 8021 },
};

static const struct { const char *word, *why; } refused[] = {
	{ "af-to", "address translation is not available in this version" },
	{ "altq", "queueing is not available in this version" },
	{ "binat", "address translation is not available in this version" },
	{ "binat-anchor", "address translation is not available in this version" },
	{ "binat-to", "address translation is not available in this version" },
	{ "bitmask", "address translation is not available in this version" },
	{ "delay", "set delay is not available in this version" },
	{ "divert-packet", "diverting to sockets is not available, there is no socket layer on the fast path" },
	{ "divert-reply", "diverting to sockets is not available, there is no socket layer on the fast path" },
	{ "divert-to", "diverting to sockets is not available, there is no socket layer on the fast path" },
	{ "dnpipe", "dummynet is not available in this version" },
	{ "dnqueue", "dummynet is not available in this version" },
	{ "dup-to", "routing by rules is not available in this version" },
	{ "fingerprints", "OS fingerprints are not available in this version" },
	{ "group", "the fast path forwards and has no processes whose group could be asked" },
	{ "least-states", "address translation is not available in this version" },
	{ "load", "anchors whose rules are loaded from elsewhere are not available in this version, expected "
	    "anchor \"name\" { rules }" },
	{ "nat", "address translation is not available in this version" },
	{ "nat-anchor", "address translation is not available in this version" },
	{ "nat-to", "address translation is not available in this version" },
	{ "os", "OS fingerprints are not available in this version" },
	{ "queue", "queueing is not available in this version" },
	{ "rdomain", "routing domains are not available in this version" },
	{ "rdr", "address translation is not available in this version" },
	{ "rdr-anchor", "address translation is not available in this version" },
	{ "rdr-to", "address translation is not available in this version" },
	{ "reply-to", "routing by rules is not available in this version" },
	{ "round-robin", "address translation is not available in this version" },
	{ "route", "route labels are not available in this version" },
	{ "route-to", "routing by rules is not available in this version" },
	{ "rtable", "routing tables other than the main one are not available in this version" },
	{ "source-hash", "address translation is not available in this version" },
	{ "static-port", "address translation is not available in this version" },
	{ "sticky-address", "address translation is not available in this version" },
	{ "user", "the fast path forwards and has no processes whose user could be asked" },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const char *
pol_refusal(const char *word)
{
	for (size_t i = 0; i < COUNT(refused); i++)
		if (strcmp(refused[i].word, word) == 0)
			return refused[i].why;
	return NULL;
}

/* Decimal or 0x number up to max, -1 when it is none. */
static int
plain_number(const char *s, int max)
{
	char *end;
	long v;

	if (s[0] < '0' || s[0] > '9')
		return -1;
	v = strtol(s, &end, s[0] == '0' && s[1] == 'x' ? 16 : 10);
	return *end == '\0' && v >= 0 && v <= max ? (int)v : -1;
}

static int
find(const struct number_name *t, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(t[i].name, name) == 0)
			return t[i].n;
	return -1;
}

static const char *
find_name(const struct number_name *t, size_t n, int number)
{
	for (size_t i = 0; i < n; i++)
		if (t[i].n == number)
			return t[i].name;
	return NULL;
}

int
pol_proto_number(const char *name)
{
	int n = find(protocols, COUNT(protocols), name);
	struct protoent pe, *res = NULL;
	char buf[1024];

	if (n < 0)
		n = plain_number(name, 255);
	if (n < 0 && getprotobyname_r(name, &pe, buf, sizeof(buf), &res) == 0 && res != NULL)
		n = res->p_proto;
	return n >= 0 && n <= 255 ? n : -1;
}

const char *
pol_proto_name(uint8_t proto)
{
	return find_name(protocols, COUNT(protocols), proto);
}

int
pol_icmp_type_number(const char *name, bool v6)
{
	int n = v6 ? find(icmp6_types, COUNT(icmp6_types), name) : find(icmp_types, COUNT(icmp_types), name);

	return n >= 0 ? n : plain_number(name, 255);
}

const char *
pol_icmp_type_name(int type, bool v6)
{
	return v6 ? find_name(icmp6_types, COUNT(icmp6_types), type) : find_name(icmp_types, COUNT(icmp_types), type);
}

int
pol_icmp_code_number(int type, const char *name, bool v6)
{
	const struct code_name *t = v6 ? icmp6_codes : icmp_codes;
	size_t n = v6 ? COUNT(icmp6_codes) : COUNT(icmp_codes);

	for (size_t i = 0; i < n; i++)
		if (t[i].type == type && strcmp(t[i].name, name) == 0)
			return t[i].code;
	return plain_number(name, 255);
}

const char *
pol_icmp_code_name(int type, int code, bool v6)
{
	const struct code_name *t = v6 ? icmp6_codes : icmp_codes;
	size_t n = v6 ? COUNT(icmp6_codes) : COUNT(icmp_codes);

	for (size_t i = 0; i < n; i++)
		if (t[i].type == type && t[i].code == code)
			return t[i].name;
	return NULL;
}

/* A number is a code of "unreachable". */
int
pol_icmp_spec(const char *name, bool v6)
{
	const struct code_name *t = v6 ? icmp6_codes : icmp_codes;
	size_t n = v6 ? COUNT(icmp6_codes) : COUNT(icmp_codes);
	int code = plain_number(name, 255);

	if (code >= 0)
		return (v6 ? 1 : 3) << 8 | code;
	for (size_t i = 0; i < n; i++)
		if (strcmp(t[i].name, name) == 0)
			return t[i].type << 8 | t[i].code;
	return -1;
}

int
pol_tos_number(const char *name)
{
	int n = find(tos_names, COUNT(tos_names), name);

	return n >= 0 ? n : plain_number(name, 255);
}

int
pol_service_port(const char *name)
{
	int n = find(services, COUNT(services), name);
	struct servent se, *res = NULL;
	char buf[2048];

	if (n >= 0)
		return n;
	if (getservbyname_r(name, "tcp", &se, buf, sizeof(buf), &res) == 0 && res != NULL)
		return be16toh(res->s_port);
	if (getservbyname_r(name, "udp", &se, buf, sizeof(buf), &res) == 0 && res != NULL)
		return be16toh(res->s_port);
	return -1;
}

static const char tcp_flag_letters[] = "FSRPAUEW";

/* An empty set means all of them, as in pfctl; the grammar has no empty one. */
int
pol_tcp_flags(const char *letters)
{
	int f = 0;

	for (; *letters != '\0'; letters++) {
		const char *at = strchr(tcp_flag_letters, *letters);

		if (at == NULL)
			return -1;
		f |= 1 << (at - tcp_flag_letters);
	}
	return f != 0 ? f : 0xff;
}

void
pol_tcp_flags_print(uint8_t flags, char out[9])
{
	for (int i = 0; i < 8; i++)
		if (flags & 1 << i)
			*out++ = tcp_flag_letters[i];
	*out = '\0';
}
