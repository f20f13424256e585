/* SPDX-License-Identifier: BSD-2-Clause */
/* twinpath -i: the prompt on our own terminal is a client of our own socket, in a thread. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli_priv.h"
#include "client.h"

struct prompt {
	pthread_t thread;
	struct cli_server *srv;
	struct termios tio;
	bool tty;
};

static void *
run(void *arg)
{
	struct prompt *p = arg;

	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
	cli_prompt_loop(cli_server_path(p->srv), false, true);
	/* The one word written from here; the main loop only reads it. */
	__atomic_store_n(&cli_server_cli(p->srv)->quit, true, __ATOMIC_RELEASE);
	return NULL;
}

int
cli_prompt_start(struct cli_server *s, struct fp_err *err)
{
	struct prompt *p = calloc(1, sizeof(*p));
	sigset_t all, old;
	int rc;

	if (p == NULL)
		return fp_err_set(err, -ENOMEM, "out of memory");
	p->srv = s;
	p->tty = tcgetattr(STDIN_FILENO, &p->tio) == 0;
	/* Signals are the main thread's, but ^C gives up a running command. */
	sigfillset(&all);
	sigdelset(&all, SIGINT);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&p->thread, NULL, run, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0) {
		free(p);
		return fp_err_set(err, -rc, "cannot start the prompt: %s", strerror(rc));
	}
	*cli_server_prompt(s) = p;
	return 0;
}

void
cli_prompt_stop(struct cli_server *s)
{
	struct prompt *p = *cli_server_prompt(s);

	if (p == NULL)
		return;
	*cli_server_prompt(s) = NULL;
	pthread_cancel(p->thread);
	pthread_join(p->thread, NULL);
	if (p->tty)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &p->tio);
	free(p);
}
