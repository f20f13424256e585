/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket with real sockets: who may connect, what a request gets, who is cut off, and who is not held up. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli_priv.h"
#include "cli/client.h"
#include "cli/proto.h"
#include "cli/server.h"
#include "cli_fake.h"

static struct fp_box *box;
static struct cli *cli;
static struct cli_server *srv;
static char dir[64], path[96];
static pthread_t thread;
static bool serving, stop;

/* The main loop of twinpath, in a thread; the test is the client. */
static void *
serve(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		fp_box_poll(box);
		if (cli_server_poll(srv) == 0)
			cli_server_wait(srv, 1);
	}
	return NULL;
}

static void
serve_start(void)
{
	stop = false;
	serving = pthread_create(&thread, NULL, serve, NULL) == 0;
	assert_true(serving);
}

static void
serve_stop(void)
{
	if (!serving)
		return;
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	serving = false;
}

static int
setup(void **state)
{
	struct fp_err err;

	snprintf(dir, sizeof(dir), "/tmp/cli_serverXXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/sock", dir);
	box = fake_box();
	cli = cli_create(box);
	srv = cli_server_create(cli, path, &err);
	return srv == NULL;
}

static int
teardown(void **state)
{
	serve_stop();
	cli_server_destroy(srv);
	cli_destroy(cli);
	fake_box_free(box);
	unlink(path);
	return rmdir(dir);
}

static int
dial(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = 20 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(sun.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

static void
send_run(int fd, const char *line, uint32_t flags)
{
	struct cli_words w;
	const char *err;
	uint8_t b[2048], *p = b + CLI_PROTO_HDR_SIZE;

	assert_int_equal(cli_words_split(line, &w, &err), 0);
	cli_put32(p, flags);
	cli_put32(p + 4, 0);
	cli_put16(p + 8, 1);
	p[10] = '/';
	cli_put16(p + 11, (uint16_t)w.n);
	p += 13;
	for (int i = 0; i < w.n; i++) {
		cli_put32(p, (uint32_t)strlen(w.v[i]));
		memcpy(p + 4, w.v[i], strlen(w.v[i]));
		p += 4 + strlen(w.v[i]);
	}
	cli_put_hdr(b, CLI_MSG_RUN, (uint32_t)(p - b - CLI_PROTO_HDR_SIZE));
	assert_int_equal(send(fd, b, (size_t)(p - b), MSG_NOSIGNAL), p - b);
	cli_words_free(&w);
}

static bool
get(int fd, void *p, size_t n)
{
	while (n > 0) {
		ssize_t k = recv(fd, p, n, 0);

		if (k <= 0)
			return false;
		p = (char *)p + k;
		n -= (size_t)k;
	}
	return true;
}

struct answer { uint64_t out, err; int status; char head[512]; };

/* The answer to one request; -1: the connection ended first. */
static void
answer(int fd, struct answer *a)
{
	static char chunk[CLI_PROTO_MAX_REPLY];

	memset(a, 0, sizeof(*a));
	a->status = -1;
	for (;;) {
		uint8_t h[CLI_PROTO_HDR_SIZE];
		uint32_t n;

		if (!get(fd, h, sizeof(h)))
			return;
		assert_int_equal(cli_get32(h), CLI_PROTO_MAGIC);
		n = cli_get32(h + 8);
		assert_true(n <= sizeof(chunk) && get(fd, chunk, n));
		if (h[5] == CLI_MSG_EXIT) {
			a->status = (int)cli_get32((uint8_t *)chunk);
			return;
		}
		if (h[5] == CLI_MSG_ERR)
			a->err += n;
		else
			a->out += n;
		size_t k = strlen(a->head), m = sizeof(a->head) - 1 - k;

		m = n < m ? n : m;
		memcpy(a->head + k, chunk, m);
		a->head[k + m] = '\0';
	}
}

static void
test_run(void **state)
{
	struct answer a;
	int fd = dial(), fd2 = dial();

	serve_start();
	send_run(fd, "set workers 3", 0);
	answer(fd, &a);
	assert_int_equal(a.status, 0);
	send_run(fd2, "pfctl -s nonsense", 0);
	answer(fd2, &a);
	assert_int_equal(a.status, 1);
	assert_true(a.err > 0 && a.out == 0);
	/* the same connection again, and relative names start at the client's directory */
	send_run(fd, "pfctl -f no/such/file", 0);
	answer(fd, &a);
	assert_non_null(strstr(a.head, "cannot open //no/such/file"));
	send_run(fd, "show drops", CLI_RUN_JSON);
	answer(fd, &a);
	assert_memory_equal(a.head, "{\"dropped", 9);
	close(fd);
	close(fd2);
}

static void
test_garbage(void **state)
{
	static const char http[] = "GET / HTTP/1.0\r\n\r\n";
	uint8_t b[64] = { 0 };
	struct answer a;
	int fd = dial();

	serve_start();
	send(fd, http, strlen(http), MSG_NOSIGNAL);
	answer(fd, &a);
	assert_int_equal(a.status, 3);
	assert_non_null(strstr(a.head, "control socket of twinpath"));
	assert_int_equal(recv(fd, b, 1, 0), 0);
	close(fd);
	/* another version */
	fd = dial();
	cli_put_hdr(b, CLI_MSG_RUN, 12);
	b[4] = CLI_PROTO_VERSION + 1;
	send(fd, b, 24, MSG_NOSIGNAL);
	answer(fd, &a);
	assert_non_null(strstr(a.head, "different versions"));
	close(fd);
	/* sizes that do not fit */
	fd = dial();
	memset(b, 0, sizeof(b));
	cli_put_hdr(b, CLI_MSG_RUN, 12);
	cli_put16(b + CLI_PROTO_HDR_SIZE + 8, 500);
	send(fd, b, 24, MSG_NOSIGNAL);
	answer(fd, &a);
	assert_non_null(strstr(a.head, "malformed"));
	close(fd);
	/* too large to be true */
	fd = dial();
	cli_put_hdr(b, CLI_MSG_RUN, CLI_PROTO_MAX_REQUEST + 1);
	send(fd, b, 12, MSG_NOSIGNAL);
	answer(fd, &a);
	assert_non_null(strstr(a.head, "4 MiB"));
	close(fd);
	/* a byte at a time */
	fd = dial();
	memset(b, 0, sizeof(b));
	cli_put_hdr(b, CLI_MSG_RUN, 12);
	for (int i = 0; i < 24; i++)
		send(fd, b + i, 1, MSG_NOSIGNAL);
	answer(fd, &a);
	assert_int_equal(a.status, 0);	/* no words: nothing to do */
	close(fd);
}

static void
test_second(void **state)
{
	struct cli *other = cli_create(box);
	struct fp_err err = { "" };
	struct stat st;
	char plain[128];
	FILE *f;

	/* alive: refused */
	assert_null(cli_server_create(other, path, &err));
	assert_non_null(strstr(err.text, "another twinpath"));
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	/* left over: taken */
	cli_server_destroy(srv);
	assert_int_equal(lstat(path, &st), -1);
	{
		struct sockaddr_un sun = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		strcpy(sun.sun_path, path);
		assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
		close(fd);
	}
	srv = cli_server_create(cli, path, &err);
	assert_non_null(srv);
	/* no socket at all: untouched */
	snprintf(plain, sizeof(plain), "%s/plain", dir);
	f = fopen(plain, "w");
	fclose(f);
	assert_null(cli_server_create(other, plain, &err));
	assert_non_null(strstr(err.text, "not a socket"));
	assert_int_equal(lstat(plain, &st), 0);
	unlink(plain);
	/* mode and group are parameters */
	assert_int_equal(fake_run(cli, "set socket mode 0600"), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fake_run(cli, "set socket group no-such-group"), 1);
	assert_non_null(strstr(fake_err, "no such group"));
	cli_destroy(other);
}

/* A listing far larger than any buffer arrives whole at a reader that dawdles, and the box goes on meanwhile. */
static void
test_long(void **state)
{
	struct timespec pause = { .tv_nsec = 200000000 };
	struct answer a;
	int fd = dial();
	unsigned polls;

	box->states = calloc(1, sizeof(*box->states));
	box->states[0] = (struct fp_state_view){ .af = 4, .proto = 17, .ifid = 0xffff, .rule_nr = 1 };
	box->n_states = 1;
	box->repeat = 100000;
	serve_start();
	send_run(fd, "pfctl -ss -vv", 0);
	polls = __atomic_load_n(&box->polls, __ATOMIC_RELAXED);
	for (int i = 0; i < 100 && __atomic_load_n(&box->polls, __ATOMIC_RELAXED) <= polls + 50; i++)
		nanosleep(&pause, NULL);
	assert_true(__atomic_load_n(&box->polls, __ATOMIC_RELAXED) > polls + 50);
	answer(fd, &a);
	assert_int_equal(a.status, 0);
	assert_int_equal(a.out % 100000, 0);
	assert_true(a.out > 10000000);
	close(fd);
	/* one who leaves in the middle ends the listing: the next is served */
	box->repeat = 100000000;
	fd = dial();
	send_run(fd, "pfctl -ss -vv", 0);
	nanosleep(&pause, NULL);
	close(fd);
	fd = dial();
	send_run(fd, "set workers 1", 0);
	answer(fd, &a);
	assert_int_equal(a.status, 0);
	close(fd);
}

static void
test_monitor(void **state)
{
	struct fp_event ev = { .kind = FP_EV_DROP, .drop = FP_D_TTL, .summary = "10.0.0.1 > 10.0.0.2 UDP" };
	struct answer a;
	char b[256] = "";
	int fd = dial(), fd2 = dial();

	for (int i = 0; i < 3; i++)
		cli_server_poll(srv), usleep(5000);
	send_run(fd, "monitor drops", 0);
	for (int i = 0; i < 1000 && box->event_cb == NULL; i++)
		cli_server_poll(srv), usleep(2000);
	assert_non_null(box->event_cb);
	for (int i = 0; i < 3000; i++)	/* more than wait: counted */
		box->event_cb(box->event_arg, &ev, 0);
	for (int i = 0; i < 20; i++)
		usleep(8000), cli_server_poll(srv);
	assert_true(recv(fd, b, sizeof(b) - 1, MSG_DONTWAIT) > 0);
	assert_non_null(strstr(b + CLI_PROTO_HDR_SIZE, "drop   ttl_exceeded: 10.0.0.1 > 10.0.0.2 UDP\n"));
	/* another client is served meanwhile */
	serve_start();
	send_run(fd2, "top 1 1", 0);
	answer(fd2, &a);
	assert_int_equal(a.status, 0);
	assert_memory_equal(a.head, "twinpath", 8);
	close(fd2);
	/* leaving ends it */
	close(fd);
	for (int i = 0; i < 2000 && __atomic_load_n(&box->event_cb, __ATOMIC_RELAXED) != NULL; i++)
		usleep(5000);
	assert_null(box->event_cb);
}

static void
test_client(void **state)
{
	char err[256], **words = NULL, *argv[] = { "set", "workers", "2" }, *nf[] = { "pfctl", "-nf", "-" },
		*add[] = { "pfctl", "-t", "t", "-T", "add", "-f", "-" };
	struct cli_client *c;
	int n;

	serve_start();
	assert_null(cli_client_open("/does/not/exist", err, sizeof(err)));
	assert_non_null(strstr(err, "no twinpath is running there"));
	c = cli_client_open(path, err, sizeof(err));
	assert_non_null(c);
	assert_int_equal(cli_client_run(c, 3, argv, false, NULL), 0);
	/* rules and addresses from the client's standard input */
	assert_int_equal(cli_client_run(c, 3, nf, false, "block\npass proto tcp\n"), 0);
	assert_int_equal(cli_client_run(c, 3, nf, false, "block\npass sideways\n"), 1);
	assert_int_equal(cli_client_run(c, 3, nf, false, ""), 0);
	assert_int_equal(cli_client_run(c, 3, nf, false, NULL), 1);
	assert_int_equal(cli_client_run(c, 7, add, false, "10.0.0.1\n10.0.0.2 # two\n"), 0);
	assert_int_equal(pol_table_count(fp_table_by_name(box, "t", false)), 2);
	assert_int_equal(cli_client_run(c, 7, add, false, "10.0.0.x\n"), 1);
	n = cli_client_complete(c, "show po", &words);
	assert_int_equal(n, 1);
	assert_string_equal(words[0], "port");
	free(words);
	assert_int_equal(cli_client_complete(c, "zzz", &words), 0);
	free(words);
	cli_client_close(c);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_run), T(test_garbage), T(test_second), T(test_long), T(test_monitor), T(test_client) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
