/* SPDX-License-Identifier: BSD-2-Clause */
/* Splitting of command lines, and small parsers that many commands share. Shared with the client: no box, no DPDK. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_priv.h"

int
cli_words_split(const char *line, struct cli_words *w, const char **err)
{
	size_t n = strlen(line);
	char *o;
	int cap = 0;

	memset(w, 0, sizeof(*w));
	*err = NULL;
	if ((w->store = o = malloc(n + 1)) == NULL)
		return -ENOMEM;
	for (;;) {
		char quote = '\0';

		while (isspace((unsigned char)*line))
			line++;
		if (*line == '\0' || *line == '#')
			break;
		if (w->n + 1 >= cap) {
			char **v = realloc(w->v, (cap = cap ? 2 * cap : 16) * sizeof(*v));

			if (v == NULL) {
				cli_words_free(w);
				return -ENOMEM;
			}
			w->v = v;
		}
		if (w->n == CLI_MAX_ARGS) {
			*err = "too many words";
			cli_words_free(w);
			return -EINVAL;
		}
		w->v[w->n++] = o;
		for (; *line != '\0' && (quote || !isspace((unsigned char)*line)); line++) {
			if (quote == '\0' && (*line == '"' || *line == '\'')) {
				quote = *line;
			} else if (quote != '\0' && *line == quote) {
				quote = '\0';
			} else if (*line == '\\' && quote != '\'' && line[1] != '\0') {
				*o++ = *++line;
			} else {
				*o++ = *line;
			}
		}
		if (quote != '\0') {
			*err = quote == '"' ? "missing closing \"" : "missing closing '";
			cli_words_free(w);
			return -EINVAL;
		}
		*o++ = '\0';
	}
	if (w->v != NULL)
		w->v[w->n] = NULL;
	return 0;
}

void
cli_words_free(struct cli_words *w)
{
	free(w->v);
	free(w->store);
	memset(w, 0, sizeof(*w));
}

bool
cli_parse_u64(const char *s, uint64_t max, uint64_t *v)
{
	unsigned long long x;
	char *end;

	if (!isdigit((unsigned char)s[0]))
		return false;
	errno = 0;
	x = strtoull(s, &end, 10);
	if (errno != 0 || *end != '\0' || x > max)
		return false;
	*v = x;
	return true;
}

void
cli_addr_str(uint8_t af, const uint8_t *addr, char *buf, size_t size)
{
	if (inet_ntop(af == POL_AF_INET ? AF_INET : AF_INET6, addr, buf, size) == NULL && size > 0)
		buf[0] = '\0';
}

int
cli_prefix_parse(const char *s, uint8_t *af, uint8_t addr[16], uint8_t *plen)
{
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);
	uint64_t len;
	char host[64];

	if (n >= sizeof(host))
		return -EINVAL;
	memcpy(host, s, n);
	host[n] = '\0';
	memset(addr, 0, 16);
	if (inet_pton(AF_INET, host, addr) == 1)
		*af = POL_AF_INET;
	else if (inet_pton(AF_INET6, host, addr) == 1)
		*af = POL_AF_INET6;
	else
		return -EINVAL;
	len = *af == POL_AF_INET ? 32 : 128;
	if (slash != NULL && !cli_parse_u64(slash + 1, len, &len))
		return -EINVAL;
	*plen = (uint8_t)len;
	return 0;
}

void
cli_mac_str(const uint8_t mac[6], char buf[18])
{
	snprintf(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* Names that OpenBSD's protocols(5) gives to what firewalls meet; numbers otherwise, so that output is the same everywhere. */
static const struct { uint8_t nr; const char *name; } protos[] = {
	{ 1, "icmp" }, { 2, "igmp" }, { 4, "ipencap" }, { 6, "tcp" }, { 8, "egp" }, { 9, "igp" }, { 17, "udp" },
	{ 33, "dccp" }, { 41, "ipv6" }, { 43, "ipv6-route" }, { 44, "ipv6-frag" }, { 46, "rsvp" }, { 47, "gre" },
	{ 50, "esp" }, { 51, "ah" }, { 55, "mobile" }, { 58, "ipv6-icmp" }, { 59, "ipv6-nonxt" }, { 60, "ipv6-opts" },
	{ 88, "eigrp" }, { 89, "ospf" }, { 94, "ipip" }, { 97, "etherip" }, { 98, "encap" }, { 103, "pim" }, { 108, "ipcomp" },
	{ 112, "carp" }, { 115, "l2tp" }, { 132, "sctp" }, { 136, "udplite" }, { 137, "mpls-in-ip" }, { 240, "pfsync" },
};

const char *
cli_proto_name(uint8_t proto, char buf[8])
{
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (protos[i].nr == proto)
			return protos[i].name;
	snprintf(buf, 8, "%u", proto);
	return buf;
}

int
cli_proto_parse(const char *s, uint8_t *proto)
{
	uint64_t v;

	if (cli_parse_u64(s, 255, &v)) {
		*proto = (uint8_t)v;
		return 0;
	}
	if (strcmp(s, "icmp6") == 0 || strcmp(s, "icmpv6") == 0)
		s = "ipv6-icmp";
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++) {
		if (strcmp(protos[i].name, s) == 0) {
			*proto = protos[i].nr;
			return 0;
		}
	}
	return -EINVAL;
}
