/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who polls and who sends: the queues of the ports dealt to the workers.
 *
 * A port that spreads flows by symmetric RSS over as many queues as there are workers gives queue i to worker i, and when
 * all ports do so alike, both directions of a flow meet on one worker and nothing is handed over. Any other port deals its
 * queues round robin (a different start for each port), and workers hand packets to the owner of the flow
 * (fp_worker.distribute). Transmit queue q of a port has one owner among the workers; a worker without a queue of its own
 * hands frames to an owner by its txreq ring.
 *
 * A worker takes its new lists between two loops (fp_worker_call()). When all have taken lists without a port, nobody
 * touches that port any more.
 */
#include <errno.h>

#include <rte_malloc.h>

#include "port_priv.h"

struct deal {
	struct fp_rx *rx;		/* becomes the worker's; the old one comes back */
	uint16_t n_rx;
	bool distribute;
	struct { uint16_t queue, owner; uint8_t sw; } tx[FP_MAX_PORTS];
};

/* On the worker: what waits for old queues goes out first. */
static bool
take_deal(struct fp_worker *w, void *arg)
{
	struct deal *d = arg;
	struct fp_rx *old = w->rx;

	fp_worker_tx_flush(w);
	for (unsigned i = 0; i < FP_MAX_PORTS; i++) {
		w->tx[i].queue = d->tx[i].queue;
		__atomic_store_n(&w->tx[i].owner, d->tx[i].owner, __ATOMIC_RELAXED); /* the sync thread looks at worker 0's */
		w->tx[i].sw = d->tx[i].sw;
	}
	w->rx = d->rx;
	w->n_rx = d->n_rx;
	w->distribute = d->distribute;
	d->rx = old;
	return true;
}

/* Do all ports bring both directions of every flow to the worker of the same number? */
static bool
all_rss(const struct fp_box *box)
{
	const struct fp_port *first = NULL;

	for (const struct fp_port *p = box->ports; p != NULL; p = p->next) {
		if (!p->dealt || p->sync)
			continue;
		if (!p->rss || p->n_rxq != box->n_workers)
			return false;
		if (first == NULL)
			first = p;
		/* Other fields hashed, or another table size that is not a multiple: another queue for the same flow. */
		if (p->rss_hf != first->rss_hf || (p->reta_size != first->reta_size && !rte_is_power_of_2(box->n_workers)))
			return false;
	}
	return true;
}

int
fp_port_deal_all(struct fp_box *box)
{
	bool distribute = box->n_workers > 1 && !all_rss(box);
	unsigned n_queues = 0;

	for (const struct fp_port *p = box->ports; p != NULL; p = p->next)
		n_queues += p->n_rxq;
	for (unsigned i = 0; i < box->n_workers; i++) {
		struct fp_worker *w = box->workers[i];
		struct deal d = { .distribute = distribute };
		unsigned ord = 0;

		d.rx = rte_zmalloc_socket("fp_rx", (n_queues + 1) * sizeof(*d.rx), RTE_CACHE_LINE_SIZE, w->socket);
		if (d.rx == NULL)
			return -ENOMEM;
		for (unsigned j = 0; j < FP_MAX_PORTS; j++)
			d.tx[j].queue = d.tx[j].owner = FP_TXQ_NONE;
		for (const struct fp_port *p = box->ports; p != NULL; p = p->next) {
			unsigned n = box->n_workers, start = p->rss || p->sync ? 0 : ord++ % n, q;

			if (!p->dealt)
				continue;
			for (unsigned j = 0; j < p->n_rxq && !p->sync; j++)
				if ((j + start) % n == i)
					d.rx[d.n_rx++] = (struct fp_rx){ .port_id = p->port_id, .queue = j };
			/* Queue q belongs to worker (q + start) % n. */
			q = (i + n - start) % n;
			if (q < p->n_txq) {
				d.tx[p->port_id].queue = q;
				d.tx[p->port_id].owner = i;
			} else {
				d.tx[p->port_id].owner = (q % p->n_txq + start) % n;
			}
			d.tx[p->port_id].sw = (p->tx_cksum ? 0 : FP_TXSW_CKSUM) | (p->multi_segs ? 0 : FP_TXSW_LINEAR);
		}
		fp_worker_call(box, w, take_deal, &d);
		rte_free(d.rx);
	}
	if (box->sync_hooks != NULL)
		box->sync_hooks->ports(box);
	return 0;
}

void
fp_port_warn_numa(const struct fp_box *box, const struct fp_port *p)
{
	for (unsigned i = 0; i < box->n_workers && p->socket >= 0; i++)
		if (box->workers[i]->socket != p->socket)
			for (unsigned j = 0; j < box->workers[i]->n_rx; j++)
				if (box->workers[i]->rx[j].port_id == p->port_id) {
					FP_PORT_LOG(WARNING, "port %s is on NUMA node %d, but lcore %u on node %d polls it: slower; choose "
						"lcores of node %d\n", p->name, p->socket, box->workers[i]->lcore,
						box->workers[i]->socket, p->socket);
					return;
				}
}

int
fp_port_set_dealt(struct fp_box *box, struct fp_port *p, bool on)
{
	if (p->dealt == on || box->n_workers == 0)
		return 0;
	p->dealt = on;
	return fp_port_deal_all(box);
}
