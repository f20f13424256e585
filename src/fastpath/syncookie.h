/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYN cookies: a handshake without a state. spec/tcp-state.md 9. Pure C; time and randomness are passed in.
 *
 * The cookie is the sequence number of the SYN+ACK:
 *
 *	 31                             8 7             0
 *	+--------------------------------+---------------+
 *	| upper 24 bits of the hash      | cookie byte   |  cookie byte on the wire: XOR with the hash's top byte
 *	+--------------------------------+---------------+
 *	cookie byte: mss index (3), window scale index (3), SACK ok (1, always 0), key parity (1, bit 0)
 *
 * One struct fp_syncookie has one owner and no locks. Each worker has its own: both the SYN and its answer come to the
 * worker of the flow. What is compared with the watermarks is the sum over the workers, which the caller passes in.
 */
#ifndef FP_SYNCOOKIE_H
#define FP_SYNCOOKIE_H

#include <stdbool.h>
#include <stdint.h>

#define FP_SYNCOOKIE_LIFETIME_SEC 15
#define FP_SYNCOOKIE_START_PCT 25
#define FP_SYNCOOKIE_END_PCT 12

enum fp_syncookie_mode { FP_SYNCOOKIE_NEVER = 0, FP_SYNCOOKIE_ALWAYS = 1, FP_SYNCOOKIE_ADAPTIVE = 2 };

struct fp_syncookie {
	uint64_t key[2][2];	/* by parity */
	uint32_t inflight[2];	/* cookies sent and not answered, by parity of their key; others read them */
	uint32_t rotate_sec;	/* when the key is changed next, while active or anything is in flight */
	uint8_t parity;		/* of the key in use */
	uint8_t active;
	uint8_t mode;		/* enum fp_syncookie_mode */
	uint8_t keyed;		/* there are keys */
	uint32_t high, low;	/* watermarks of half-open states */
	uint64_t floods;	/* times that adaptive mode switched on */
};

/* The endpoints and the client's number. Addresses 4 or 16 bytes; everything in network order but seq. */
struct fp_syncookie_flow {
	const uint8_t *src, *dst;	/* client, server */
	uint32_t addr_len;
	uint16_t sport_be, dport_be;
	uint32_t seq;			/* of the SYN, host order */
};

/* random(): 64 bits that nobody can guess, from a cryptographic source; called for new keys only. */
typedef uint64_t (*fp_syncookie_random)(void *arg);

/* Set the mode and the watermarks (percent of the state limit; 0: defaults). Takes effect at once, but switching off waits. */
void fp_syncookie_config(struct fp_syncookie *sc, enum fp_syncookie_mode mode, uint32_t state_limit, uint8_t start_pct,
	uint8_t end_pct, uint32_t now_sec, fp_syncookie_random random, void *arg);

/*
 * A pure SYN came in: answer it with a cookie? half_open: TCP states made here whose src is not yet ESTABLISHED, sum over
 * the workers. In adaptive mode this is where it switches on.
 */
bool fp_syncookie_wanted(struct fp_syncookie *sc, uint32_t half_open, uint32_t now_sec, fp_syncookie_random random,
	void *arg);

/* Once a second or so: change keys every 15 s, switch adaptive mode off. inflight_total: sum over the workers. */
void fp_syncookie_tick(struct fp_syncookie *sc, uint32_t half_open, uint32_t inflight_total, uint32_t now_sec,
	fp_syncookie_random random, void *arg);

static inline uint32_t
fp_syncookie_inflight(const struct fp_syncookie *sc)
{
	return sc->inflight[0] + sc->inflight[1];
}

/* The MSS option of the SYN+ACK and of the cookie: max(offered, 512); offered as fp_tcp_mss() gives it. */
uint16_t fp_syncookie_mss(uint16_t offered);

/* The number of the SYN+ACK. wscale: shift of the client's option, 0 without. Counts the cookie as in flight. */
uint32_t fp_syncookie_make(struct fp_syncookie *sc, const struct fp_syncookie_flow *flow, uint16_t mss, uint8_t wscale);

struct fp_syncookie_syn {	/* what is known of the SYN */
	uint32_t seq, iss;	/* client's and ours */
	uint16_t mss;
	uint8_t wscale;
};

/*
 * An ACK without a state: is it the answer to a cookie? flow->seq: as in the ACK (one more than the SYN's). ack: its
 * acknowledgement. True: fills syn, and the cookie is no longer in flight.
 */
bool fp_syncookie_check(struct fp_syncookie *sc, const struct fp_syncookie_flow *flow, uint32_t ack,
	struct fp_syncookie_syn *syn);

#endif
