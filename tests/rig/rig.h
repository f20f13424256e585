/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A box without a network: two net_null ports, one worker on the caller's lcore, packets handed to fp_burst() and what is
 * transmitted caught by a Tx callback. Time stands still unless moved. For tests and the fuzzer of the packet path.
 *
 *	inside  int0 10.0.2.1/24 fd00:2::1/64		outside ext0 10.0.1.1/24 fd00:1::1/64
 *	hosts .100 and ::100 on both sides, and the default gateways .254, ::fe outside, are static neighbours.
 */
#ifndef RIG_H
#define RIG_H

#include "fastpath/box.h"

enum rig_side { RIG_INT, RIG_EXT };

struct rig_out {
	enum rig_side side;
	uint16_t len;		/* of the frame */
	uint8_t frame[9600];
};

struct rig {
	struct fp_box *box;
	struct fp_worker *w;
	uint16_t port[2], cable_port, cable_ifid;
	uint8_t mac[2][6];
	unsigned n_out;		/* frames caught since the last rig_clear(), at most RIG_OUT kept */
#define RIG_OUT 64
#define RIG_CABLE 4096
	struct rig_out out[RIG_OUT];
	/* frames that left by the cable (rig_create_n() with sync); taken by rig_cable_take() */
	struct rte_mbuf *cable[RIG_CABLE];
	unsigned n_cable, n_cable_lost;
};

/* Starts EAL once (no huge pages, no PCI). rules: text of a pf.conf. NULL: message printed. */
struct rig *rig_create(const char *rules);
/*
 * Box number n of several in one process. sync: a third port, sync0, 169.254.240.(n+1)/24, with pfsync0 up on it and no
 * thread: rig_poll() takes its turns. limit: of states.
 */
struct rig *rig_create_n(const char *rules, unsigned n, bool sync, unsigned limit);
void rig_destroy(struct rig *r);
/* A copy of a frame arrives on the cable. */
void rig_cable_put(struct rig *r, const void *frame, unsigned len);
/* Let the box run: worker, sync thread, main lcore, once each. */
void rig_turn(struct rig *r);
/* The box clock goes on by so much. */
void rig_skip_us(struct rig *r, uint64_t us);
/* 0, or -1 with the errors printed. */
int rig_load(struct rig *r, const char *rules);
/* An IP packet from a host of that side to the box's MAC; returns how many frames came out. */
unsigned rig_ip(struct rig *r, enum rig_side side, const uint8_t *ip, unsigned len);
/* A frame as it is. */
unsigned rig_frame(struct rig *r, enum rig_side side, const uint8_t *frame, unsigned len);
void rig_clear(struct rig *r);
/* Move the clock and let housekeeping run until a whole round of expiry is over. */
void rig_pass_sec(struct rig *r, unsigned sec);
/* Main lcore's turns: punted packets, deferred frees. */
void rig_poll(struct rig *r);

/* Packets. Checksums right. */
unsigned rig_tcp4(uint8_t *b, const char *src, const char *dst, uint16_t sport, uint16_t dport, uint8_t flags, uint32_t seq,
	uint32_t ack, unsigned payload);
unsigned rig_udp4(uint8_t *b, const char *src, const char *dst, uint16_t sport, uint16_t dport, unsigned payload);
unsigned rig_icmp4(uint8_t *b, const char *src, const char *dst, uint8_t type, uint8_t code, uint16_t id, const uint8_t *quote,
	unsigned quote_len);

/* The one state that matches, dir 1 in, 2 out; false: none or several. */
bool rig_state(struct rig *r, unsigned dir, uint8_t proto, uint16_t port, struct fp_state_view *v);
unsigned rig_states(struct rig *r);

#endif
