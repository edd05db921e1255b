/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/source.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "record/sealed_file.h"
#include "record/source_priv.h"

static const unsigned char zstd_magic[4] = {0x28, 0xb5, 0x2f, 0xfd};

int
source_bad(const struct source *s, const char *why, struct err *e)
{
	err_set(e, ERR_BAD_FILE, 0, "cannot read the recording %s", s->name);
	err_why(e, "%s", why);
	return err_hint(e, "use an undamaged copy; coral sessions lists the recordings here");
}

int
source_failed(const struct source *s, struct err *e)
{
	return err_set(e, errno == ENOMEM ? ERR_INTERNAL : ERR_IO, errno,
	    "cannot read the recording %s", s->name);
}

static ssize_t
get(struct source *s, void *p, size_t n)
{
	struct pollfd pfd = {.fd = s->fd, .events = POLLIN};

	for (;;) {
		ssize_t got = s->seekable ? pread(s->fd, p, n, (off_t)s->raw) : read(s->fd, p, n);

		if (got >= 0 || (errno != EAGAIN && errno != EINTR))
			return got;
		if (errno == EAGAIN)
			poll(&pfd, 1, -1);
	}
}

ssize_t
source_raw(struct source *s, void *p, size_t n)
{
	size_t left = s->nfirst - s->given;
	ssize_t got = left < n ? (ssize_t)left : (ssize_t)n;

	if (left > 0) {
		memcpy(p, s->first + s->given, (size_t)got);
		s->given += (size_t)got;
	} else {
		got = get(s, p, n);
	}
	if (got > 0)
		s->raw += (uint64_t)got;
	return got;
}

enum form { PLAIN, ZSTD, SEALED };

static bool
is_like(const struct source *s, size_t n, const void *magic, size_t len)
{
	return memcmp(s->first, magic, n < len ? n : len) == 0;
}

/* What n bytes at its beginning say; *more: others could follow that make it another. */
static enum form
form_of(const struct source *s, size_t n, bool *more)
{
	bool zstd = is_like(s, n, zstd_magic, sizeof(zstd_magic));
	bool sealed = is_like(s, n, SEALED_MAGIC, SEALED_MAGIC_LEN);

	*more = (zstd && n < sizeof(zstd_magic)) || (sealed && n < SEALED_MAGIC_LEN);
	return *more ? PLAIN : zstd ? ZSTD : sealed ? SEALED : PLAIN;
}

/* Its form, or -1; no more is read of a pipe than is like one. */
static int
look(struct source *s)
{
	enum form form = PLAIN;
	bool more = true;
	size_t n = 0;
	ssize_t got;

	do {
		if (s->seekable)
			got = pread(s->fd, s->first, SEALED_MAGIC_LEN, (off_t)s->raw);
		else
			got = get(s, s->first + n, SEALED_MAGIC_LEN - n);
		if (got < 0)
			return errno == EISDIR || !s->seekable ? -1 : PLAIN;
		n += (size_t)got;
		form = form_of(s, n, &more);
	} while (got > 0 && more && !s->seekable);
	if (!s->seekable)
		s->nfirst = n;
	return (int)form;
}

struct source *
source_open_fd(int fd, const char *name, struct err *e)
{
	struct source *s = calloc(1, sizeof(*s));
	off_t at = lseek(fd, 0, SEEK_CUR);
	int rc;

	if (!s) {
		err_set(e, ERR_INTERNAL, ENOMEM, "cannot read a recording");
		close(fd);
		return NULL;
	}
	s->fd = fd;
	s->seekable = at >= 0;
	s->raw = at < 0 ? 0 : (uint64_t)at;
	str_vis(s->name, sizeof(s->name), name);
	rc = look(s);
	if (rc < 0)
		source_failed(s, e);
	else if (rc == ZSTD)
		rc = zsource_open(s, e);
	else if (rc == SEALED)
		rc = esource_open(s, e);
	if (rc < 0) {
		source_close(s);
		return NULL;
	}
	return s;
}

ssize_t
source_read(struct source *s, void *p, size_t n, struct err *e)
{
	ssize_t got;

	if (s->zstd)
		return zsource_read(s, p, n, e);
	if (s->sealed)
		return esource_read(s, p, n, e);
	got = source_raw(s, p, n);
	return got < 0 ? source_failed(s, e) : got;
}

int
source_seek(struct source *s, uint64_t at, struct err *e)
{
	if (!s->seekable || at > INT64_MAX)
		return err_set(e, ERR_IO, s->seekable ? EOVERFLOW : ESPIPE,
		    "cannot seek in the recording %s", s->name);
	if (s->zstd)
		return zsource_seek(s, at, e);
	if (s->sealed)
		return esource_seek(s, at, e);
	s->raw = at;
	return 0;
}

ssize_t
source_read_at(struct source *s, uint64_t at, void *p, size_t n, struct err *e)
{
	size_t have = 0;
	ssize_t got;

	if (source_seek(s, at, e) < 0)
		return -1;
	do {
		got = source_read(s, (unsigned char *)p + have, n - have, e);
		if (got < 0)
			return -1;
		have += (size_t)got;
	} while (got > 0 && have < n);
	return (ssize_t)have;
}

uint64_t
source_at(const struct source *s)
{
	if (s->sealed)
		return esource_at(s);
	return s->zstd ? zsource_at(s) : s->raw;
}

int64_t
source_file_size(const struct source *s)
{
	struct stat st;

	return fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : -1;
}

int64_t
source_size(const struct source *s)
{
	if (s->zstd)
		return zsource_size(s);
	/* Frames that it walks past are remembered. */
	return s->sealed ? esource_size((struct source *)(uintptr_t)s) : source_file_size(s);
}

void
source_close(struct source *s)
{
	if (!s)
		return;
	zsource_close(s);
	esource_close(s);
	close(s->fd);
	free(s);
}
