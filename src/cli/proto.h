/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control socket: a unix stream of messages, each a header of 12 bytes and its payload. All numbers big endian.
 *
 *	 0               4       5      6               8               12
 *	+---------------+-------+------+---------------+---------------+
 *	| magic "TPCT"  |version| type | 0             | payload size  |
 *	+---------------+-------+------+---------------+---------------+
 *
 * Client: CLI_MSG_RUN, one at a time; the answer is any number of CLI_MSG_OUT, ERR, PROGRESS, SCREEN and then one EXIT.
 *	RUN:		u32 flags, u16 columns, u16 rows, u16 cwd size, cwd, u16 argc, argc times { u32 size, bytes }
 *	COMPLETE:	the line up to the cursor; the answer is one CLI_MSG_WORDS
 *	WORDS:		{ word NUL help NUL }...
 *	EXIT:		u32 status
 * Going away ends what was asked for. A message of another version is answered in words and the connection closed.
 */
#ifndef CLI_PROTO_H
#define CLI_PROTO_H

#include <stdint.h>

#define CLI_PROTO_MAGIC 0x54504354u
#define CLI_PROTO_VERSION 1
#define CLI_PROTO_HDR_SIZE 12
#define CLI_PROTO_MAX_REQUEST (4u << 20)
#define CLI_PROTO_MAX_REPLY (16u << 20)

enum cli_msg {
	CLI_MSG_RUN = 1, CLI_MSG_COMPLETE = 2,
	CLI_MSG_OUT = 16, CLI_MSG_ERR = 17, CLI_MSG_PROGRESS = 18, CLI_MSG_SCREEN = 19, CLI_MSG_EXIT = 20, CLI_MSG_WORDS = 21,
};

#define CLI_RUN_JSON 1u		/* as `json` at the end */
#define CLI_RUN_TTY 2u		/* progress is welcome */
#define CLI_RUN_INPUT 4u	/* the last of argv is no word but what the client read from its input, for `pfctl -f -` */

static inline void
cli_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
cli_put32(uint8_t *p, uint32_t v)
{
	cli_put16(p, (uint16_t)(v >> 16));
	cli_put16(p + 2, (uint16_t)v);
}

static inline uint16_t
cli_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
cli_get32(const uint8_t *p)
{
	return (uint32_t)cli_get16(p) << 16 | cli_get16(p + 2);
}

static inline void
cli_put_hdr(uint8_t h[CLI_PROTO_HDR_SIZE], uint8_t type, uint32_t size)
{
	cli_put32(h, CLI_PROTO_MAGIC);
	h[4] = CLI_PROTO_VERSION;
	h[5] = type;
	cli_put16(h + 6, 0);
	cli_put32(h + 8, size);
}

#endif
