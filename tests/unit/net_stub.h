/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A box for tests of its configuration side: interfaces, routes, neighbours, without ports, workers and time of their own.
 * Frames that it sends are kept in sent[], drops are counted, the clock is the test's. Included once by each test.
 */
#ifndef NET_STUB_H
#define NET_STUB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_mbuf.h>

#include "fastpath/burst.h"
#include "fastpath/conf.h"
#include "fastpath/net.h"
#include "fastpath/port.h"

static struct fp_err err;
static struct fp_box *box;
static struct rte_mempool *pool;
static uint64_t now_us = 1000000000;
static struct rte_mbuf *sent[20000];
static unsigned n_sent, drops[FP_D_MAX];
static struct fp_port ports[4];

#define OK(call) do { int rc_ = (call); if (rc_ != 0) fail_msg("%s: %d: %s", #call, rc_, err.text); } while (0)
/* Refused with that error and a sentence that holds the words. */
#define REFUSED(code, words, call) do { int rc_; err.text[0] = '\0'; rc_ = (call); \
	if (rc_ != (code) || strstr(err.text, words) == NULL) fail_msg("%s: %d: \"%s\"", #call, rc_, err.text); } while (0)

/* ---- what the neighbours of these files do in a real box */
int
fp_err_set(struct fp_err *e, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return code;
}

/* Freed late, so that a sanitizer sees who still looks: at the end of a test. */
static struct { void (*fn)(void *); void *p; } deferred[100000];
static unsigned n_deferred;

void
fp_defer(struct fp_box *b, void (*fn)(void *), void *p)
{
	assert_true(n_deferred < RTE_DIM(deferred));
	deferred[n_deferred].fn = fn;
	deferred[n_deferred++].p = p;
}

static void
grace(void)
{
	for (unsigned i = 0; i < n_deferred; i++)
		(deferred[i].fn != NULL ? deferred[i].fn : free)(deferred[i].p);
	n_deferred = 0;
}

uint64_t fp_box_now_us(const struct fp_box *b) { return now_us; }
struct rte_mbuf *fp_main_mbuf(struct fp_box *b) { return rte_pktmbuf_alloc(pool); }

void
fp_main_tx(struct fp_box *b, struct rte_mbuf *m)
{
	assert_true(n_sent < RTE_DIM(sent));
	sent[n_sent++] = m;
}

void
fp_main_drop(struct fp_box *b, struct rte_mbuf *m, enum fp_drop why)
{
	drops[why]++;
	rte_pktmbuf_free(m);
}

void fp_conf_policy_get(struct fp_box *b, struct fp_conf *c) { }
bool fp_conf_policy_skip(struct fp_box *b, const char *name) { return strcmp(name, "skipped0") == 0; }
const uint32_t pol_timeout_defaults[POL_TM_MAX] = { [POL_TM_TCP_FIRST] = 120 };
const uint32_t pol_limit_defaults[POL_LIMIT_MAX] = { [POL_LIMIT_STATES] = 100000 };

struct fp_port *
fp_port_by_id(const struct fp_box *b, uint16_t port_id)
{
	return port_id < RTE_DIM(ports) ? &ports[port_id] : NULL;
}

int
fp_port_set_mtu(struct fp_box *b, struct fp_port *p, unsigned mtu, struct fp_err *e)
{
	if (mtu > p->max_mtu)
		return fp_err_set(e, -EINVAL, "%s: the port takes at most %u", p->name, p->max_mtu);
	p->mtu = mtu;
	return 0;
}

int fp_port_set_mac(struct fp_box *b, struct fp_port *p, const struct rte_ether_addr *mac, struct fp_err *e) { return 0; }
int fp_port_stats(const struct fp_port *p, struct rte_eth_stats *st) { return -ENOTSUP; }
void fp_port_offload_words(const struct fp_port *p, char *buf, size_t size) { buf[0] = '\0'; }

/* A worker's side, for what is in the same files. */
static struct rte_mbuf *tx_m;
static uint16_t tx_port;
static enum fp_drop worker_drop = FP_D_NONE;
static struct rte_mbuf *punted;
void fp_drop(struct fp_worker *w, struct rte_mbuf *m, enum fp_drop why) { worker_drop = why; rte_pktmbuf_free(m); }
void fp_tx(struct fp_worker *w, uint16_t port_id, struct rte_mbuf *m) { tx_m = m; tx_port = port_id; }

bool
fp_punt(struct fp_worker *w, struct rte_mbuf *m, enum fp_punt_kind kind, uint16_t ifid)
{
	fp_priv(m)->kind = kind;
	fp_priv(m)->ifid = ifid;
	punted = m;
	return true;
}

/* ---- the box */
static void
sent_free(void)
{
	for (unsigned i = 0; i < n_sent; i++)
		rte_pktmbuf_free(sent[i]);
	n_sent = 0;
	memset(drops, 0, sizeof(drops));
}

static void
port_add(unsigned id, const char *name)
{
	struct fp_port *p = &ports[id];

	memset(p, 0, sizeof(*p));
	p->port_id = id;
	strcpy(p->name, name);
	p->mac = (struct rte_ether_addr){ { 0x02, 0, 0, 0, 0, 0x10 + id } };
	p->mtu = 1500;
	p->max_mtu = 9216;
	p->link_up = true;
	OK(fp_ifnet_port_attached(box, p, &err));
}

static int
setup(void **state)
{
	box = calloc(1, sizeof(*box));
	box->params = calloc(1, sizeof(*box->params));
	box->params->neigh_queue = 16;
	box->hash_secret[0] = 0x1234567;
	box->hash_secret[1] = 0x89abcde;
	OK(fp_net_create(box, &err));
	return 0;
}

static int
teardown(void **state)
{
	grace();
	fp_net_destroy(box);
	grace();
	sent_free();
	free(box->params);
	free(box);
	box = NULL;
	/* nothing that was kept or sent is lost */
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	return 0;
}

static void
eal_start(void)
{
	static char *argv[] = { "test", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-m", "256", "-l", "0",
		"--log-level=lib.eal:error", NULL };

	if (rte_eal_init(RTE_DIM(argv) - 1, argv) < 0)
		exit(77);
	pool = rte_pktmbuf_pool_create("test", 4095, 0, RTE_ALIGN(sizeof(struct fp_mbuf_priv), 8), 2048 + 128, 0);
	if (pool == NULL)
		exit(99);
}

#endif
