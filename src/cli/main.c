/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program `twinpath`: arguments, EAL, one box, its commands, the main lcore's loop.
 *
 *	twinpath [EAL arguments] -- [-c BOX.conf] [-f PF.conf] [-i] [-n] [-s SOCKET] [-v]
 *
 * EAL is told what makes several boxes live side by side on any machine, unless the user said something about it: a file
 * prefix made of the socket's path, and ordinary pages where there are no huge ones. Nothing of the host is touched before
 * it is certain that no other instance answers on the socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_pdump.h>
#include <rte_version.h>

#include <twinpath/twinpath.h>

#include "cli.h"
#include "failover/failover.h"
#include "failover/role.h"
#include "fastpath/fastpath.h"
#include "policy/policy.h"
#include "pfsync.h"

#define HUGE_MIN_MB 128		/* fewer free huge pages than that are not worth it */
#define NOHUGE_MB 1024		/* address space for buffers with ordinary pages; touched as it is used */
#define SERVE_US 1000		/* clients are looked after so often while a worker shares this core */
#define HAND_OVER_US 6000000	/* at the end, a master waits so long for another one */
#define LINGER_US 500000	/* ... and sends on what still comes to it */
#define LOOK_US 100000		/* parameters are looked at again */
#define SERVE_TURNS 64		/* loops between two looks at the clock there */

static struct {
	const char *box_file, *pf_file, *socket;
	bool prompt, check, verbose;
} opt;

static volatile sig_atomic_t got_signal;
static bool own_prefix;	/* EAL's runtime directory is named by us */

static void
on_signal(int sig)
{
	got_signal = sig;
}

static void
usage(FILE *f)
{
	fprintf(f,
		"usage: twinpath [EAL arguments] -- [-c BOX.conf] [-f PF.conf] [-i] [-s SOCKET] [-v]\n"
		"       twinpath -n [-v] [-c BOX.conf] [-f PF.conf]\n"
		"  -c FILE    commands to run at the start, one a line\n"
		"  -f FILE    rules to load before the box starts (pf.conf)\n"
		"  -i         prompt on this terminal\n"
		"  -n         only check the files; with -v print the rules in normal form\n"
		"  -s SOCKET  control socket (default %s)\n"
		"  -v         say more\n"
		"  -V         version\n"
		"EAL arguments: lcores (-l 0-3; the first is the main one), devices (-a 0000:17:00.0), memory; see `twinpath --eal-help --`\n",
		CLI_SOCKET_DEFAULT);
}

/* Our own options in argv[1..]. quiet: only tell whether all of them are ours. */
static int
parse_options(int argc, char **argv, bool quiet)
{
	int c;

	opterr = quiet ? 0 : 1;
	optind = 1;
	while ((c = getopt(argc, argv, "+c:f:ins:vVh")) != -1)
		switch (c) {
		case 'c':
			opt.box_file = optarg;
			break;
		case 'f':
			opt.pf_file = optarg;
			break;
		case 'i':
			opt.prompt = true;
			break;
		case 'n':
			opt.check = true;
			break;
		case 's':
			opt.socket = optarg;
			break;
		case 'v':
			opt.verbose = true;
			break;
		case 'V':
			printf("twinpath %s, %s\n", twinpath_version(), rte_version());
			exit(0);
		case 'h':
			usage(stdout);
			exit(0);
		default:
			return -1;
		}
	if (optind < argc) {
		if (!quiet)
			fprintf(stderr, "twinpath: \"%s\" is no option; files go behind -c and -f\n", argv[optind]);
		return -1;
	}
	return 0;
}

/* ---- twinpath -n */

static int
check_files(void)
{
	struct pol_errors errs = { 0 };
	struct pol_ruleset *rs;
	int bad = 0;

	if (opt.box_file == NULL && opt.pf_file == NULL) {
		fprintf(stderr, "twinpath: -n wants files to check: -c BOX.conf, -f PF.conf\n");
		return 1;
	}
	if (opt.box_file != NULL && cli_check_file(opt.box_file, stderr) != 0)
		bad = 1;
	if (opt.pf_file != NULL) {
		struct pol_env env = { 0 };

		rs = pol_parse_file(opt.pf_file, &env, &errs);
		pol_errors_print(&errs, stderr);
		pol_errors_free(&errs);
		if (rs == NULL)
			bad = 1;
		else if (opt.verbose)
			pol_print_all(rs, stdout);
		pol_ruleset_free(rs);
	}
	return bad;
}

/* ---- the socket, before EAL */

/* `set socket path PATH` of the box file, or NULL. Malformed lines are found when the file runs. */
static char *
socket_of_file(const char *path)
{
	char *line = NULL, *found = NULL, *value = NULL;
	size_t cap = 0;
	FILE *f = strcmp(path, "-") == 0 ? NULL : fopen(path, "r");

	while (f != NULL && getline(&line, &cap, f) >= 0) {
		if (sscanf(line, " set socket path %ms", &value) != 1)
			continue;
		free(found);
		found = value;
	}
	free(line);
	if (f != NULL)
		fclose(f);
	return found;
}

static bool
somebody_answers(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;
	bool yes;

	if (strlen(path) >= sizeof(sa.sun_path))
		return false; /* refused later, by name */
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	yes = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 || errno == EAGAIN || errno == EACCES;
	close(fd);
	return yes;
}

/* ---- EAL's arguments */

static bool
has_arg(char **v, int n, const char *name)
{
	size_t len = strlen(name);

	for (int i = 1; i < n; i++)
		if (strncmp(v[i], name, len) == 0 && (name[1] != '-' || v[i][len] == '\0' || v[i][len] == '='))
			return true;
	return false;
}

static uint64_t
free_huge_mb(void)
{
	uint64_t kb = 0;
	glob_t g;

	if (glob("/sys/kernel/mm/hugepages/hugepages-*kB", 0, NULL, &g) != 0)
		return 0;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		unsigned long size = 0, n = 0;
		char path[256];
		FILE *f;

		sscanf(strrchr(g.gl_pathv[i], '/'), "/hugepages-%lukB", &size);
		snprintf(path, sizeof(path), "%s/free_hugepages", g.gl_pathv[i]);
		f = fopen(path, "r");
		if (f == NULL)
			continue;
		if (fscanf(f, "%lu", &n) == 1)
			kb += (uint64_t)n * size;
		fclose(f);
	}
	globfree(&g);
	return kb / 1024;
}

static bool
has_hugetlbfs(void)
{
	char *line = NULL;
	size_t cap = 0;
	bool found = false;
	FILE *f = fopen("/proc/mounts", "r");

	while (f != NULL && !found && getline(&line, &cap, f) >= 0)
		found = strstr(line, " hugetlbfs ") != NULL;
	free(line);
	if (f != NULL)
		fclose(f);
	return found;
}

#define MAX_ADDED 8
struct eal_args { char **v; int n; };

static void
push(struct eal_args *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&a->v[a->n++], fmt, ap) < 0) {
		fprintf(stderr, "twinpath: no memory\n");
		exit(1);
	}
	va_end(ap);
}

/* The user's arguments (v[0] is the program) and ours. Lives to the end of the program: EAL keeps pointers. */
static struct eal_args
eal_arguments(char **v, int n, const char *socket_path)
{
	struct eal_args a = { .v = calloc(n + MAX_ADDED + 1, sizeof(char *)) };
	char prefix[64];
	size_t len = 0;

	if (a.v == NULL) {
		fprintf(stderr, "twinpath: no memory\n");
		exit(1);
	}
	a.v[a.n++] = v[0];
	if (!opt.verbose) {
		push(&a, "--log-level=lib.eal:warning");
		push(&a, "--log-level=lib.telemetry:error");
	}
	for (int i = 1; i < n; i++)
		a.v[a.n++] = strcmp(v[i], "--eal-help") == 0 ? "--help" : v[i];
	if (!has_arg(v, n, "--file-prefix") && !has_arg(v, n, "--in-memory") && !has_arg(v, n, "--no-shconf")) {
		/* Its end tells sockets apart best. */
		const char *s = strlen(socket_path) > 40 ? socket_path + strlen(socket_path) - 40 : socket_path;

		for (; *s != '\0' && len < sizeof(prefix) - 1; s++)
			if (*s != '/' || len > 0)
				prefix[len++] = *s == '/' || *s == '.' ? '_' : *s;
		prefix[len] = '\0';
		push(&a, "--file-prefix=%s", prefix);
		own_prefix = true;
	}
	/* Devices are taken when they are asked for, never because EAL found them: an allow list that no NIC is on. */
	if (!has_arg(v, n, "-a") && !has_arg(v, n, "--allow") && !has_arg(v, n, "-b") && !has_arg(v, n, "--block") &&
	    !has_arg(v, n, "--no-pci"))
		push(&a, "-a0000:00:00.0");
	if (!has_arg(v, n, "--no-huge") && !has_arg(v, n, "--huge-dir") && !has_arg(v, n, "--in-memory") &&
	    !has_arg(v, n, "--socket-mem") && !has_arg(v, n, "--legacy-mem")) {
		uint64_t mb = free_huge_mb();

		if (mb < HUGE_MIN_MB) {
			struct sysinfo si;
			uint64_t want = NOHUGE_MB;

			if (sysinfo(&si) == 0)
				want = RTE_MIN(want, (uint64_t)si.totalram * si.mem_unit / 2 >> 20);
			push(&a, "--no-huge");
			if (!has_arg(v, n, "-m"))
				push(&a, "-m%llu", (unsigned long long)want);
			fprintf(stderr, "twinpath: %llu MB of huge pages are free: running with ordinary pages, slower "
				"(scripts/setup.sh reserves huge pages)\n", (unsigned long long)mb);
		} else if (!has_hugetlbfs()) {
			push(&a, "--in-memory");
		}
	}
	return a;
}

static int
start_eal(char **v, int n, const char *socket_path)
{
	struct eal_args a = eal_arguments(v, n, socket_path);

	if (rte_eal_init(a.n, a.v) >= 0)
		return 0;
	/* EAL says "no memory" to a user who may not open the files that huge pages are, and nothing at all about its lock. */
	if (rte_errno == ENOMEM && geteuid() != 0 && !has_arg(a.v, a.n, "--no-huge"))
		rte_errno = EACCES;
	switch (rte_errno) {
	case 0:
		fprintf(stderr, "twinpath: EAL did not start (its own lines above say where): if they speak of a lock, another DPDK "
			"program has the same --file-prefix, maybe a box that is just ending: wait for it, or choose another\n");
		break;
	case EACCES:
	case EPERM:
		fprintf(stderr, "twinpath: EAL did not start: %s: run as root, or give it --no-huge and a writable XDG_RUNTIME_DIR\n",
			rte_strerror(rte_errno));
		break;
	case ENOMEM:
		fprintf(stderr, "twinpath: EAL did not start: not enough huge pages: run scripts/setup.sh, or add --no-huge -m 1024\n");
		break;
	case EINVAL:
		fprintf(stderr, "twinpath: EAL refused the arguments before `--` (see above)\n");
		break;
	default:
		fprintf(stderr, "twinpath: EAL did not start: %s (its own lines above say where; -v shows more)\n",
			rte_strerror(rte_errno));
		break;
	}
	return -1;
}

/* What EAL leaves of a run: files of ours alone, when the prefix was ours. */
static void
clean_runtime(void)
{
	char path[512];
	glob_t g;

	if (!own_prefix)
		return;
	snprintf(path, sizeof(path), "%s/*", rte_eal_get_runtime_dir());
	if (glob(path, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			unlink(g.gl_pathv[i]);
		globfree(&g);
	}
	rmdir(rte_eal_get_runtime_dir());
}

/* ---- systemd: readiness and watchdog, sd_notify(3)'s protocol */

/* wait: text must arrive. The watchdog's word need not, and a manager that does not read must not stop packets. */
static void
notify(const char *text, bool wait)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len;
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@') || (len = strlen(path)) >= sizeof(sa.sun_path))
		return;
	memcpy(sa.sun_path, path, len);
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT), (struct sockaddr *)&sa,
		offsetof(struct sockaddr_un, sun_path) + len) < 0 && (wait || errno != EAGAIN))
		fprintf(stderr, "twinpath: systemd is not told \"%s\": %s\n", text, strerror(errno));
	close(fd);
}

static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

/* Half the watchdog's interval in microseconds, 0: none for this process. */
static uint64_t
watchdog_interval(void)
{
	const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (us == NULL || (pid != NULL && atol(pid) != (long)getpid()))
		return 0;
	return strtoull(us, NULL, 10) / 2;
}

/* Have all workers gone round since the last time? A stuck one must not be vouched for. */
static bool
workers_alive(struct fp_box *box)
{
	static uint64_t last[256];
	struct fp_lcore_info info;
	bool alive = true;

	for (unsigned i = 0; i < RTE_MIN(fp_lcore_count(box), RTE_DIM(last)); i++) {
		if (fp_lcore_info(box, i, &info) != 0 || strncmp(info.role, "worker", 6) != 0)
			continue;
		if (fp_box_running(box) && info.loops == last[i])
			alive = false;
		last[i] = info.loops;
	}
	return alive;
}

/* ---- the main lcore */

static uint32_t
param_u32(struct fp_box *box, const char *name)
{
	char value[32];

	return fp_param_get(box, name, value, sizeof(value)) == 0 ? strtoul(value, NULL, 10) : 0;
}

static void
main_loop(struct fp_box *box, struct cli *cli, struct cli_server *srv)
{
	uint64_t wd_us = watchdog_interval(), last_wd = 0, last_serve = 0, last_look = 0, now;
	uint32_t idle = 0, turns = 0, polls = 0, sleep_us = 0;
	bool on_main = false;

	while (!got_signal && !cli_quit_requested(cli)) {
		idle = fp_box_poll(box) != 0 ? 0 : idle + 1;
		/* With a worker on this very core, system calls wait for a while. */
		if (on_main && ++turns < SERVE_TURNS && (idle < polls || polls == 0 || sleep_us == 0))
			continue;
		turns = 0;
		now = now_us();
		if (!on_main || now - last_serve >= SERVE_US) {
			last_serve = now;
			if (now - last_look >= LOOK_US || last_look == 0) {
				last_look = now;
				on_main = fp_box_worker_on_main(box);
				polls = param_u32(box, "idle polls");
				sleep_us = param_u32(box, "idle sleep");
			}
			if (cli_server_poll(srv) + cli_telemetry_poll(cli) != 0)
				idle = 0;
			if (wd_us != 0 && now - last_wd >= wd_us && workers_alive(box)) {
				last_wd = now;
				notify("WATCHDOG=1", false);
			}
		}
		if (idle == 0)
			continue;
		if (!on_main)
			cli_server_wait(srv, 1);
		else if (polls != 0 && idle >= polls && sleep_us != 0)
			nanosleep(&(struct timespec){ .tv_sec = sleep_us / 1000000, .tv_nsec = sleep_us % 1000000 * 1000l }, NULL);
	}
}

static int
load_rules(struct fp_box *box, const char *path)
{
	struct pol_errors errs = { 0 };
	int rc = fp_rules_load(box, path, &errs);

	pol_errors_print(&errs, stderr);
	pol_errors_free(&errs);
	return rc;
}

static bool
is_regular(const char *path)
{
	struct stat st;

	return strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/*
 * The end of a master: the other box takes over with all that is known here, and what still comes is sent on for a moment,
 * before this box falls silent. Without another box that takes over, or on a second signal, it just ends.
 */
static void
hand_over(struct fp_box *box, struct fo *fo)
{
	struct fp_err err;
	uint64_t end = now_us() + HAND_OVER_US, linger = 0;

	if (fo == NULL || !fp_box_running(box) || fo_masters(fo) == 0 || !fo_has_peer(fo) || fo_handover(fo, &err) != 0)
		return;
	got_signal = 0;
	while (now_us() < end && !got_signal) {
		if (fp_box_poll(box) == 0 && !fp_box_worker_on_main(box))
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
		if (linger == 0 && fo_handover_done(fo) < 0)
			return;
		if (linger == 0 && fo_handover_done(fo) > 0)
			linger = now_us() + LINGER_US;
		if (linger != 0 && now_us() >= linger)
			return;
	}
}

static int
serve(const char *socket_path)
{
	struct fp_err err = { .text = "" };
	struct sync *sync = NULL;
	struct fo *fo = NULL;
	struct fp_box *box = fp_box_create(&(struct fp_box_conf){ .name = "twinpath" }, &err);
	struct cli *cli = NULL;
	struct cli_server *srv = NULL;
	int rc = 1;

	if (box == NULL || fp_param_set(box, "socket path", socket_path, &err) != 0)
		goto say;
	if ((sync = sync_create(box, &err)) == NULL || (fo = fo_create(box, &err)) == NULL)
		goto say;
	cli = cli_create(box);
	if (cli == NULL) {
		snprintf(err.text, sizeof(err.text), "no memory");
		goto say;
	}
	/* The socket is the proof that this instance is the only one: before ports are taken. */
	srv = cli_server_create(cli, socket_path, &err);
	if (srv == NULL)
		goto say;
	if (opt.pf_file != NULL && load_rules(box, opt.pf_file) != 0)
		goto out;
	/* All that is wrong in it is said at once, before a port is taken; what is read from a pipe comes only once. */
	if (opt.box_file != NULL && is_regular(opt.box_file) && cli_check_file(opt.box_file, stderr) != 0)
		goto out;
	if (opt.box_file != NULL && cli_run_file(cli, opt.box_file, stderr) != 0)
		goto out;
	if (cli_telemetry_init(cli) != 0)
		fprintf(stderr, "twinpath: telemetry is off\n");
	if (opt.prompt && cli_prompt_start(srv, &err) != 0)
		goto say;
	notify("READY=1\nSTATUS=running", true);
	main_loop(box, cli, srv);
	notify("STOPPING=1", false);
	hand_over(box, fo);
	rc = 0;
	goto out;

say:
	fprintf(stderr, "twinpath: %s\n", err.text);
out:
	if (srv != NULL)
		cli_prompt_stop(srv);
	if (cli != NULL)
		cli_telemetry_stop(cli);
	if (box != NULL)
		fp_box_stop(box);
	cli_server_destroy(srv);
	cli_destroy(cli);
	fo_destroy(fo);
	sync_destroy(sync);
	fp_box_destroy(box);
	return rc;
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	char *from_file = NULL;
	const char *path;
	int split = argc, rc;

	for (int i = 1; i < argc && split == argc; i++)
		if (strcmp(argv[i], "--") == 0)
			split = i;
	if (split < argc) {
		argv[split] = argv[0];
		if (parse_options(argc - split, argv + split, false) != 0) {
			usage(stderr);
			return 2;
		}
	} else if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return 0;
	} else if (parse_options(argc, argv, true) == 0) {
		split = 1; /* no `--`, and all of it is ours */
	} else if (opt.check) {
		parse_options(argc, argv, false);
		usage(stderr);
		return 2;
	} else {
		memset(&opt, 0, sizeof(opt)); /* EAL's alone */
	}
	if (opt.check)
		return check_files();

	if (opt.socket == NULL && opt.box_file != NULL)
		from_file = socket_of_file(opt.box_file);
	path = opt.socket != NULL ? opt.socket : from_file != NULL ? from_file : CLI_SOCKET_DEFAULT;
	if (somebody_answers(path)) {
		fprintf(stderr, "twinpath: another instance answers on %s: `twinctl -s %s quit` ends it, -s chooses another socket\n",
			path, path);
		free(from_file);
		return 1;
	}
	if (start_eal(argv, split, path) != 0) {
		free(from_file);
		return 1;
	}
	/* After EAL, which has handlers of its own. */
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (rte_pdump_init() != 0 && opt.verbose)
		fprintf(stderr, "twinpath: capture by dpdk-dumpcap is off: EAL runs without shared memory\n");
	rc = serve(path);
	rte_pdump_uninit();
	rte_eal_cleanup();
	clean_runtime();
	free(from_file);
	return rc;
}
