/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DLT_PFLOG. A record is the pcap record header, then this, then the packet from its IP header on:
 *
 *	 0 length  1 af  2 action  3 reason		length: 100; af: 2, 24; action: 0 pass, 1 block; reason: pf's
 *	 4 interface name [16]
 *	20 anchor [16]
 *	36 rule number			big endian
 *	40 rule number in the anchor	big endian, -1: none
 *	44 uid 48 pid 52 rule uid 56 rule pid		of sockets; none here
 *	60 direction (1 in, 2 out)  61 rewritten  62 af after translation  63 pad
 *	64 source [16]  80 destination [16]  96 source port  98 destination port
 *
 * Source: OpenBSD 7.6 sys/net/if_pflog.h. Workers send copies (FP_PUNT_PFLOG); the main lcore writes them, one write for
 * all that it found in its rings. A full disk costs records, never packets: the file is cut back to whole records, the loss
 * is counted (log_lost) and reported once, and the next round tries again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_log.h>

#include "box_priv.h"
#include "burst.h"
#include "pflog.h"
#include "rules.h"

RTE_LOG_REGISTER(pflog_logtype, fastpath.pflog, NOTICE);

#define MAGIC 0xa1b2c3d4u	/* microseconds, host byte order */
#define DLT_PFLOG 117u
#define HDR_LEN 100u
#define BUF_SIZE 65536u
#define BSD_AF_INET 2
#define BSD_AF_INET6 24
#define NO_PID 100000u

struct file_header { uint32_t magic; uint16_t major, minor; uint32_t zone, sigfigs, snaplen, linktype; };
struct record_header { uint32_t sec, usec, caplen, len; };

struct fp_pflog_file {
	int fd;
	bool regular;
	bool failing;			/* reported as failing */
	int error;			/* of the last flush, errno or 0 */
	uint32_t snaplen;
	uint32_t buf_len, buf_records;
	off_t size;			/* regular: whole records end here */
	uint64_t written, lost;
	uint64_t lost_reported;
	char *path;
	uint8_t buf[BUF_SIZE];
};

/* ---- opening */

/* End of the last whole record of a file that begins right, -1 and errno if it does not. */
static off_t
find_end(int fd, off_t size)
{
	struct file_header h;
	struct record_header r;
	uint8_t *block;
	off_t at = sizeof(h), base = 0;
	ssize_t have = 0;

	if (size < (off_t)sizeof(h) || pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || h.magic != MAGIC || h.linktype != DLT_PFLOG) {
		errno = EINVAL;
		return -1;
	}
	block = malloc(1 << 20);
	if (block == NULL)
		return -1;
	while (at + (off_t)sizeof(r) <= size) {
		if (at < base || at + (off_t)sizeof(r) > base + have) {
			base = at;
			have = pread(fd, block, 1 << 20, base);
			if (have < (ssize_t)sizeof(r))
				break;
		}
		memcpy(&r, block + (at - base), sizeof(r));
		if (r.caplen > (1u << 20) || at + (off_t)sizeof(r) + r.caplen > size)
			break;
		at += sizeof(r) + r.caplen;
	}
	free(block);
	return at;
}

static int
write_all(int fd, const void *b, size_t len)
{
	ssize_t n = write(fd, b, len);

	if (n == (ssize_t)len)
		return 0;
	return n < 0 ? errno : ENOSPC;
}

struct fp_pflog_file *
fp_pflog_file_open(const char *path, uint32_t snaplen, struct fp_err *err)
{
	const struct file_header h = { MAGIC, 2, 4, 0, 0, HDR_LEN + snaplen, DLT_PFLOG };
	struct fp_pflog_file *f = calloc(1, sizeof(*f));
	struct stat st;
	int rc;

	if (f == NULL || (f->path = strdup(path)) == NULL) {
		free(f);
		fp_err_set(err, -ENOMEM, "%s: no memory", path);
		errno = ENOMEM;
		return NULL;
	}
	f->snaplen = snaplen;
	f->fd = open(path, O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600);
	if (f->fd < 0 && (errno == EACCES || errno == EINVAL))
		f->fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (f->fd < 0 || fstat(f->fd, &st) != 0) {
		rc = errno;
		fp_err_set(err, -rc, "%s: %s", path, strerror(rc));
		goto fail;
	}
	f->regular = S_ISREG(st.st_mode);
	if (f->regular && st.st_size > 0) {
		f->size = find_end(f->fd, st.st_size);
		if (f->size < 0) {
			rc = errno;
			if (rc == EINVAL)
				fp_err_set(err, -EINVAL, "%s: is there and is no pflog file of this machine's byte order; move it away", path);
			else
				fp_err_set(err, -rc, "%s: %s", path, strerror(rc));
			goto fail;
		}
		if ((f->size < st.st_size && ftruncate(f->fd, f->size) != 0) || lseek(f->fd, f->size, SEEK_SET) < 0) {
			rc = errno;
			fp_err_set(err, -rc, "%s: %s", path, strerror(rc));
			goto fail;
		}
		return f;
	}
	rc = write_all(f->fd, &h, sizeof(h));
	if (rc != 0) {
		fp_err_set(err, -rc, "%s: %s", path, strerror(rc));
		if (f->regular && ftruncate(f->fd, 0) != 0)
			fp_err_set(err, -rc, "%s: %s, and a part of its header stays", path, strerror(rc));
		goto fail;
	}
	f->size = sizeof(h);
	return f;

fail:
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	free(f);
	errno = rc;
	return NULL;
}

/* ---- writing */

static int
flush(struct fp_pflog_file *f)
{
	ssize_t n;
	int rc;

	n = write(f->fd, f->buf, f->buf_len);
	rc = n < 0 ? errno : 0;
	if (n == (ssize_t)f->buf_len) {
		f->size += n;
		f->written += f->buf_records;
		f->buf_len = f->buf_records = 0;
		return 0;
	}
	if (!f->regular && (n > 0 || rc == EAGAIN || rc == EINTR)) {
		/* the reader is slow: the rest waits, and what comes meanwhile may be lost */
		if (n > 0) {
			memmove(f->buf, f->buf + n, f->buf_len - n);
			f->buf_len -= n;
		}
		return EAGAIN;
	}
	if (f->regular) {
		if (n > 0)
			rc = ENOSPC;
		if (ftruncate(f->fd, f->size) != 0 || lseek(f->fd, f->size, SEEK_SET) < 0)
			rc = errno;
	}
	f->lost += f->buf_records;
	f->buf_len = f->buf_records = 0;
	return rc;
}

int
fp_pflog_file_flush(struct fp_pflog_file *f)
{
	if (f->buf_len != 0)
		f->error = flush(f);
	return f->error;
}

static void
put32(uint8_t *b, uint32_t v)
{
	b[0] = v >> 24;
	b[1] = v >> 16;
	b[2] = v >> 8;
	b[3] = v;
}

/* Addresses and ports as far as the bytes go. */
static void
endpoints(uint8_t *h, uint8_t af, const uint8_t *data, uint32_t caplen)
{
	unsigned alen = af == FP_AF_INET ? 4 : 16, src = af == FP_AF_INET ? 12 : 8, l4;
	uint8_t proto;

	if (caplen < src + 2 * alen)
		return;
	memcpy(h + 64, data + src, alen);
	memcpy(h + 80, data + src + alen, alen);
	if (af == FP_AF_INET) {
		l4 = (data[0] & 0x0f) * 4u;
		proto = (data[6] & 0x1f) == 0 && data[7] == 0 ? data[9] : 0;
	} else {
		l4 = 40;
		proto = data[6];
	}
	if ((proto == 6 || proto == 17) && caplen >= l4 + 4)
		memcpy(h + 96, data + l4, 4);
}

void
fp_pflog_file_add(struct fp_pflog_file *f, const struct fp_pflog_meta *meta, const uint8_t *data, uint32_t caplen, uint32_t len,
	const struct timeval *tv)
{
	struct record_header r;
	uint8_t *h;
	bool anchored = meta->anchor != NULL && meta->anchor[0] != '\0';

	caplen = caplen < f->snaplen ? caplen : f->snaplen;
	r = (struct record_header){ tv->tv_sec, tv->tv_usec, HDR_LEN + caplen, HDR_LEN + len };
	if (f->buf_len + sizeof(r) + r.caplen > BUF_SIZE)
		fp_pflog_file_flush(f);
	if (f->buf_len + sizeof(r) + r.caplen > BUF_SIZE) {
		f->lost++;
		return;
	}
	memcpy(f->buf + f->buf_len, &r, sizeof(r));
	h = f->buf + f->buf_len + sizeof(r);
	memset(h, 0, HDR_LEN);
	h[0] = HDR_LEN;
	h[1] = h[62] = meta->af == FP_AF_INET ? BSD_AF_INET : BSD_AF_INET6;
	h[2] = meta->blocked;
	h[3] = meta->reason;
	strncpy((char *)h + 4, meta->ifname, 15);
	if (anchored)
		strncpy((char *)h + 20, meta->anchor, 15);
	put32(h + 36, meta->rule_nr);
	put32(h + 40, anchored ? meta->subrule_nr : UINT32_MAX);
	memset(h + 44, 0xff, 4);
	memcpy(h + 48, &(uint32_t){ NO_PID }, 4);
	memset(h + 52, 0xff, 4);
	memcpy(h + 56, &(uint32_t){ NO_PID }, 4);
	h[60] = meta->dir == 0 ? 1 : 2;
	endpoints(h, meta->af, data, caplen);
	memcpy(h + HDR_LEN, data, caplen);
	f->buf_len += sizeof(r) + r.caplen;
	f->buf_records++;
}

void
fp_pflog_file_counts(const struct fp_pflog_file *f, uint64_t *written, uint64_t *lost)
{
	*written = f->written;
	*lost = f->lost;
}

void
fp_pflog_file_close(struct fp_pflog_file *f)
{
	if (f == NULL)
		return;
	fp_pflog_file_flush(f);
	close(f->fd);
	free(f->path);
	free(f);
}

/* ---- box */

/* Move the file's counts to the box's, and say what an operator must know, once each way. */
static void
account(struct fp_box *box, struct fp_pflog_file *f, uint64_t written, uint64_t lost)
{
	int rc = f->error;

	fp_count(&box->main_cnt.totals[FP_T_LOGGED], f->written - written);
	fp_count(&box->main_cnt.totals[FP_T_LOG_LOST], f->lost - lost);
	if (rc != 0 && rc != EAGAIN && !f->failing) {
		f->failing = true;
		f->lost_reported = lost;
		rte_log(RTE_LOG_ERR, pflog_logtype, "fastpath: log file %s: %s; packets of log rules are not recorded until this works again\n",
			f->path, strerror(rc));
	} else if (rc == 0 && f->failing && f->written > written) {
		f->failing = false;
		rte_log(RTE_LOG_NOTICE, pflog_logtype, "fastpath: log file %s: works again; %llu packets were not recorded\n", f->path,
			(unsigned long long)(f->lost - f->lost_reported));
	}
}

void
fp_pflog_flush(struct fp_box *box)
{
	struct fp_pflog_file *f = box->pflog;
	uint64_t written, lost;

	if (f == NULL || f->buf_len == 0)
		return;
	fp_pflog_file_counts(f, &written, &lost);
	fp_pflog_file_flush(f);
	account(box, f, written, lost);
}

static uint32_t
packet_len(uint8_t af, const uint8_t *data, uint32_t caplen)
{
	if (af == FP_AF_INET && caplen >= 4)
		return data[2] << 8 | data[3];
	if (af == FP_AF_INET6 && caplen >= 6)
		return 40u + (data[4] << 8 | data[5]);
	return caplen;
}

void
fp_pflog_punted(struct fp_box *box, struct rte_mbuf *m)
{
	struct fp_pflog_file *f = box->pflog;
	const struct fp_mbuf_priv *priv = fp_priv(m);
	const struct pol_rule *r = fp_rule(box, priv->rule_uid)->rule;
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	char ifname[FP_NAME_SIZE] = "";
	struct fp_pflog_meta meta = { .af = priv->af, .dir = priv->dir, .blocked = priv->action, .reason = priv->reason, .ifname = ifname,
		.rule_nr = r->nr };
	uint64_t written, lost;
	struct timeval tv;
	uint32_t len;

	if (f == NULL) { /* closed since the worker looked */
		rte_pktmbuf_free(m);
		return;
	}
	if (r->parent != NULL) {
		meta.anchor = r->parent->anchor_name[0] != '\0' ? r->parent->anchor_name : "_";
		meta.rule_nr = r->top_nr;
		meta.subrule_nr = r->nr;
	}
	fp_if_name(box, priv->ifid, ifname);
	gettimeofday(&tv, NULL);
	fp_pflog_file_counts(f, &written, &lost);
	len = packet_len(priv->af, data, m->data_len);
	fp_pflog_file_add(f, &meta, data, m->data_len, len > m->data_len ? len : m->data_len, &tv);
	if (f->lost != lost || f->written != written) /* the buffer was full and had to be written */
		account(box, f, written, lost);
	rte_pktmbuf_free(m);
}

int
fp_pflog_open(struct fp_box *box, const char *path, struct fp_err *err)
{
	struct fp_pflog_file *f = NULL, *old = box->pflog;

	if (path != NULL) {
		f = fp_pflog_file_open(path, box->params->log_snaplen, err);
		if (f == NULL)
			return -errno;
	}
	fp_pflog_flush(box);
	__atomic_store_n(&box->pflog, f, __ATOMIC_RELAXED); /* workers look whether there is one, no more */
	fp_pflog_file_close(old);
	return 0;
}
