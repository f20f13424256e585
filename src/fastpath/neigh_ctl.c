/* SPDX-License-Identifier: BSD-2-Clause */
/* What arp(8) and ndp(8) do: list, add, delete. The protocol is in neigh.c. */
#include <stdio.h>
#include <string.h>

#include "neigh_priv.h"

int
fp_neigh_foreach(struct fp_box *box, uint8_t af, int (*cb)(void *arg, const struct fp_neigh_info *n), void *arg)
{
	static const char state[] = { [NH_INCOMPLETE] = 'I', [NH_REACHABLE] = 'R', [NH_STALE] = 'S', [NH_PROBE] = 'P',
		[NH_FAILED] = 'N', [NH_STATIC] = 'R' };
	const struct fp_box_net *net = box->net;
	struct fp_neigh *n = net->neigh;
	struct fp_neigh_info o;
	int ret;

	for (uint32_t k = 0; k < net->n_ifs; k++)
		for (uint32_t a = 0; net->ifs[k].used && a < net->ifs[k].n_addrs; a++) {
			if (net->ifs[k].addrs[a].af != af)
				continue;
			memset(&o, 0, sizeof(o));
			o.af = af;
			memcpy(o.addr, net->ifs[k].addrs[a].addr.b, 16);
			o.complete = o.permanent = true;
			memcpy(o.mac, net->ifs[k].mac.addr_bytes, 6);
			if (net->ifs[k].addrs[a].vhid != 0) /* shared: with the virtual MAC, whoever has it now */
				memcpy(o.mac, (const uint8_t[]){ 0, 0, 0x5e, 0, 1, net->ifs[k].addrs[a].vhid }, 6);
			memcpy(o.ifname, net->ifs[k].name, sizeof(o.ifname));
			o.state = 'R';
			ret = cb(arg, &o);
			if (ret != 0)
				return ret;
		}
	for (uint32_t k = 0; k <= n->mask; k++)
		for (struct fp_neigh_host *h = n->buckets[k], *next; h != NULL; h = next) {
			next = h->next;
			if (h->af != af)
				continue;
			memset(&o, 0, sizeof(o));
			o.af = af;
			memcpy(o.addr, h->addr, 16);
			o.complete = h->entry != NULL;
			o.permanent = h->state == NH_STATIC;
			if (o.complete)
				memcpy(o.mac, h->mac.addr_bytes, 6);
			fp_if_name(box, h->ifid, o.ifname);
			if (h->list != NH_LIST_NONE && h->due_us > n->now_us)
				o.expires_sec = (h->due_us - n->now_us) / 1000000;
			o.queued = h->n_queued;
			o.state = state[h->state];
			ret = cb(arg, &o);
			if (ret != 0)
				return ret;
		}
	return 0;
}

static int
addr_of(struct fp_box *box, const char *s, uint8_t *af, union pol_ip *addr, uint16_t *scope, struct fp_err *err)
{
	const struct fp_net_if *i;
	char ifname[FP_NAME_SIZE];

	*scope = FP_IFID_NONE;
	if (!fp_addr_parse(s, af, addr, NULL, ifname))
		return fp_err_set(err, -EINVAL, "%s: expected an IPv4 or IPv6 address", s);
	if (ifname[0] == '\0')
		return 0;
	i = fp_net_if_by_name(box, ifname);
	if (i == NULL)
		return fp_err_set(err, -ENOENT, "%s: no such interface", ifname);
	*scope = fp_net_ifid(box, i);
	return 0;
}

int
fp_neigh_delete(struct fp_box *box, const char *addr, struct fp_err *err)
{
	struct fp_box_net *net = box->net;
	struct fp_neigh_host *h = NULL;
	union pol_ip a;
	uint16_t scope;
	uint8_t af;
	int ret;

	if (strcmp(addr, "all") == 0) {
		for (uint32_t k = 0; k < net->n_ifs; k++)
			fp_neigh_if_gone(box, k, true);
		return 0;
	}
	ret = addr_of(box, addr, &af, &a, &scope, err);
	if (ret != 0)
		return ret;
	for (uint32_t k = 0; k < net->n_ifs && h == NULL; k++)
		if (scope == FP_IFID_NONE || scope == k)
			h = fp_neigh_host_find(net->neigh, k, af, a.b);
	if (h == NULL)
		return fp_err_set(err, -ENOENT, "%s: no entry", addr);
	fp_neigh_host_remove(box, h);
	return 0;
}

int
fp_neigh_add(struct fp_box *box, const char *addr, const char *mac, struct fp_err *err)
{
	struct rte_ether_addr m;
	struct fp_neigh_host *h;
	uint16_t scope, ifid;
	unsigned b[6];
	union pol_ip a;
	uint8_t af;
	int ret, n = 0;

	ret = addr_of(box, addr, &af, &a, &scope, err);
	if (ret != 0)
		return ret;
	if (sscanf(mac, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &n) != 6 || mac[n] != '\0')
		return fp_err_set(err, -EINVAL, "%s: expected a MAC address such as 02:00:00:00:00:01", mac);
	for (int k = 0; k < 6; k++)
		m.addr_bytes[k] = b[k];
	if (!rte_is_valid_assigned_ether_addr(&m))
		return fp_err_set(err, -EINVAL, "%s: a group address or all zeros cannot be a neighbour's", mac);
	ifid = fp_net_connected(box, af, a.b, scope);
	if (ifid == FP_IFID_NONE)
		return fp_err_set(err, -ENETUNREACH, "%s: no interface that is up has a network with this address%s", addr,
			af == FP_AF_INET6 && fp_addr_is_linklocal(a.b) && scope == FP_IFID_NONE ? "; a link-local one needs %IF" : "");
	if (fp_net_if_own(fp_net_if_by_id(box, ifid), af, a.b) != NULL)
		return fp_err_set(err, -EEXIST, "%s: is this box's own address", addr);
	h = fp_neigh_host_find(box->net->neigh, ifid, af, a.b);
	if (h == NULL)
		h = fp_neigh_host_new(box, ifid, af, a.b);
	if (h == NULL || fp_neigh_host_static(box, h, &m) != 0)
		return fp_err_set(err, -ENOMEM, "%s: no room for another neighbour", addr);
	return 0;
}
