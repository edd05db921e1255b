/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_SOURCE_PRIV_H
#define CORAL_RECORD_SOURCE_PRIV_H

#include "record/source.h"

struct source_sealed;
struct source_zstd;

struct source {
	int fd;
	char name[256];
	bool seekable;
	uint64_t raw; /* the next byte of the file */
	/* The first bytes of a pipe, read to see what it is. */
	unsigned char first[32];
	size_t nfirst, given;
	/* Both NULL: the file is the recording. */
	struct source_zstd *zstd;
	struct source_sealed *sealed;
};

int source_bad(const struct source *s, const char *why, struct err *e);
int source_failed(const struct source *s, struct err *e); /* by errno */
/* As read(2) of the file's own bytes, but it waits for them. */
ssize_t source_raw(struct source *s, void *p, size_t n);

/* Of the file itself; -1: it is none. */
int64_t source_file_size(const struct source *s);

/* source_sealed.c: of one that begins as encrypted ones do. */
int esource_open(struct source *s, struct err *e);
ssize_t esource_read(struct source *s, void *p, size_t n, struct err *e);
int esource_seek(struct source *s, uint64_t at, struct err *e);
uint64_t esource_at(const struct source *s);
int64_t esource_size(struct source *s);
void esource_close(struct source *s);

/* source_zstd.c: of a file that begins with zstd's magic number. */
int zsource_open(struct source *s, struct err *e);
ssize_t zsource_read(struct source *s, void *p, size_t n, struct err *e);
int zsource_seek(struct source *s, uint64_t at, struct err *e);
uint64_t zsource_at(const struct source *s);
int64_t zsource_size(const struct source *s);
void zsource_close(struct source *s);

#endif
