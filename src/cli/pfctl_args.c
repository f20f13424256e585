/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pfctl's command line: flags as getopt takes them (`-nvf FILE`, `-vvss`, `-ss -vv`, `-s states`), words by prefix.
 * The long names without a blank that FreeBSD users type (`-s nat`) are accepted; what does not exist here is refused
 * by name.
 */
#include <stdlib.h>
#include <string.h>

#include "pfctl.h"

/* In pfctl's order: the first word that begins with what was typed is meant. */
static const char *const show_words[] = { "queue", "rules", "Anchors", "Sources", "states", "info", "Interfaces", "labels",
	"timeouts", "memory", "Tables", "osfp", "all", "nat", "Running", NULL };
static const char *const clear_words[] = { "queue", "rules", "Sources", "states", "info", "Tables", "osfp", "all", "nat",
	"Reset", NULL };
static const char *const table_words[] = { "kill", "flush", "add", "delete", "load", "replace", "show", "test", "zero",
	"expire", NULL };

static const char *
lookup(struct cli_ctx *x, const char *flag, const char *typed, const char *const *words)
{
	char list[256] = "";
	size_t n = 0;

	for (int i = 0; words[i] != NULL; i++)
		if (typed[0] != '\0' && strncmp(typed, words[i], strlen(typed)) == 0)
			return words[i];
	for (int i = 0; words[i] != NULL && n < sizeof(list); i++)
		n += snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", words[i]);
	cli_err(x, "pfctl: unknown word `%s` after %s; expected one of: %s", typed, flag, list);
	return NULL;
}

static int
refuse(struct cli_ctx *x, const char *what, const char *why)
{
	return cli_err(x, "pfctl: %s is not available in this version: %s", what, why);
}

int
pfctl_parse(struct cli_ctx *x, struct pfctl *p)
{
	static const char with_arg[] = "aDFfiKkLoPpSstTVx";
	int i;

	memset(p, 0, sizeof(*p));
	for (i = 0; i < x->argc; i++) {
		const char *a = x->argv[i];

		if (a[0] != '-' || a[1] == '\0')
			break;
		if (strcmp(a, "--") == 0) {
			i++;
			break;
		}
		for (a++; *a != '\0'; a++) {
			char opt = *a, flag[3] = { '-', opt, '\0' };
			const char *arg = NULL;

			/* -P and -r take nothing in pfctl, the others of the list an argument: the rest of the word or the next */
			if (strchr(with_arg, opt) != NULL && opt != 'P') {
				if (a[1] != '\0') {
					arg = a + 1;
				} else if (i + 1 < x->argc) {
					arg = x->argv[++i];
				} else {
					return cli_err(x, "pfctl: %s needs an argument", flag);
				}
			}
			switch (opt) {
			case 'd': p->disable = true; break;
			case 'e': p->enable = true; break;
			case 'n': p->check_only = true; break;
			case 'N': case 'P': case 'r': p->no_dns = true; break;
			case 'q': p->quiet = true; break;
			case 'v': p->verbose++; break;
			case 'z': p->zero = true; break;
			case 'f': p->file = arg; break;
			case 'i': p->ifname = arg; break;
			case 't':
				if (strlen(arg) >= POL_TABLE_NAME_SIZE || arg[0] == '\0')
					return cli_err(x, "pfctl: table name `%s` is not 1 to %d characters long", arg,
						POL_TABLE_NAME_SIZE - 1);
				p->table = arg;
				break;
			case 'S': p->save = arg; break;
			case 'L': p->load = arg; break;
			case 'x': p->debug = arg; break;
			case 's':
				if ((p->show = lookup(x, "-s", arg, show_words)) == NULL)
					return 1;
				break;
			case 'F':
				if ((p->clear = lookup(x, "-F", arg, clear_words)) == NULL)
					return 1;
				break;
			case 'T':
				if ((p->tcmd = lookup(x, "-T", arg, table_words)) == NULL)
					return 1;
				break;
			case 'k':
				if (p->n_kill == 3 || (p->n_kill == 2 && strcmp(p->kill[0], "key") != 0))
					return cli_err(x, "pfctl: -k can be given at most twice: source and destination");
				p->kill[p->n_kill++] = arg;
				break;
			case 'D':
				if (strchr(arg, '=') == NULL || arg[0] == '=')
					return cli_err(x, "pfctl: -D wants macro=value, not `%s`", arg);
				if (p->n_macros == PFCTL_MAX_MACROS)
					return cli_err(x, "pfctl: more than %d macros", PFCTL_MAX_MACROS);
				p->macros[p->n_macros++] = arg;
				break;
			case 'o':
				if (strcmp(arg, "none") != 0)
					return cli_err(x, "pfctl: -o %s: rules are never reordered here; expected none", arg);
				break;
			case 'a':
				return refuse(x, "-a ANCHOR", "anchors are loaded with the file they stand in");
			case 'K':
				return refuse(x, "-K", "source nodes leave when their last state does; -F Sources clears them");
			case 'V':
				return refuse(x, "-V", "there is one routing domain");
			case 'p':
				break;	/* the pf device: there is none, its place is the socket */
			case 'g': case 'R': case 'h':
			default:
				return cli_err(x, "pfctl: unknown flag %s; expected one of: -d -D -e -f -F -i -k -L -n -N -o -q -s -S -t -T "
					"-v -x -z", flag);
			}
			if (arg != NULL)
				break;
		}
	}
	p->argc = x->argc - i;
	p->argv = x->argv + i;
	if (p->tcmd != NULL && p->table == NULL)
		return cli_err(x, "pfctl: -T %s needs -t TABLE", p->tcmd);
	if (p->table != NULL && p->tcmd == NULL)
		return cli_err(x, "pfctl: -t %s needs -T and one of: show, add, delete, replace, flush, test", p->table);
	if (p->argc > 0 && p->tcmd == NULL)
		return cli_err(x, "pfctl: `%s` stands alone; a flag such as -f or -s belongs before it", p->argv[0]);
	if (p->n_kill > 0 && p->n_kill < 2 &&
		(strcmp(p->kill[0], "label") == 0 || strcmp(p->kill[0], "id") == 0 || strcmp(p->kill[0], "key") == 0))
		return cli_err(x, "pfctl: -k %s needs a second -k with its value", p->kill[0]);
	if (p->n_kill == 3)
		return cli_err(x, "pfctl: -k can be given at most twice: source and destination");
	if (p->check_only && p->file == NULL)
		return cli_err(x, "pfctl: -n only makes sense with -f FILE");
	if (p->disable && p->enable)
		return cli_err(x, "pfctl: -d and -e exclude each other");
	if (!p->disable && !p->enable && p->file == NULL && p->show == NULL && p->clear == NULL && p->n_kill == 0 &&
		p->tcmd == NULL && p->save == NULL && p->load == NULL && !p->zero && p->debug == NULL)
		return cli_err(x, "pfctl: nothing to do; give one of: -f FILE, -s WORD, -F WORD, -k HOST, -t TABLE -T WORD, -e, -d, -z");
	return 0;
}
