/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of the control socket that needs no socket: fuzzed and tested alone. */
#ifndef CLI_SERVER_H
#define CLI_SERVER_H

#include "cli_priv.h"
#include "proto.h"

struct cli_request {
	uint32_t flags;
	uint16_t columns, rows;
	char *cwd;
	int argc;
	char **argv;
	char *store;
};

/* One message from bytes: its whole size, 0 when more bytes are needed, -EPROTO (*err says why) when it is none. */
int64_t cli_message_size(const uint8_t *p, size_t len, uint8_t *type, const char **err);
/* Payload of CLI_MSG_RUN. 0, -EPROTO, -ENOMEM. */
int cli_request_parse(const uint8_t *p, size_t len, struct cli_request *r, const char **err);
void cli_request_free(struct cli_request *r);
/* Run it; output, errors and all to the sink. *stream: what goes on afterwards, or NULL. Returns the exit status. */
int cli_request_run(struct cli *c, const struct cli_request *r, struct cli_sink *sink, struct cli_stream **stream);
/* Words that complete the line, as the payload of CLI_MSG_WORDS; *size its length. NULL: no memory. Caller frees. */
char *cli_complete_reply(struct cli *c, const char *line, size_t len, size_t *size);

#endif
