/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A source that is encrypted: frame by frame, with a key that the process was given. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "record/sealed_file.h"
#include "record/sealed_pack.h"
#include "record/source_priv.h"

#define STEP (256 * 1024) /* of the recording, between places that are remembered */
#define AHEAD (64 * 1024) /* of the file, read at once: most frames are small */

/* Where a frame begins. */
struct place {
	uint64_t raw, n, at;
};

struct source_sealed {
	struct sealed_file f;
	struct place next;    /* the frame that comes */
	unsigned char *plain; /* of the one before */
	size_t room, have;
	unsigned char *packed; /* what that one had in its place */
	size_t packed_room;
	uint64_t pos;	      /* what is read next, in the recording */
	bool over;	      /* behind the last frame */
	unsigned char *ahead; /* of a file that can be sought in */
	uint64_t ahead_at;
	size_t ahead_len;
	struct place *known; /* in ascending order */
	size_t nknown, known_room;
};

static const struct auditor_key *unlocked;
static struct sealed_file own;
static bool is_own;

void
source_unlock(const struct auditor_key *k)
{
	unlocked = k;
	is_own = false;
}

void
source_unlock_own(const struct sealed_file *f)
{
	is_own = f != NULL;
	if (f)
		own = *f;
	else
		explicit_bzero(&own, sizeof(own));
}

static int
no_key(const struct source *s, const json_t *first, struct err *e)
{
	const json_t *to = json_object_get(json_object_get(first, "sealing"), "to"), *one;
	char name[80];
	size_t i;

	err_set(e, ERR_AUTH, 0, "cannot read the recording %s", s->name);
	err_why(e, "it is encrypted, and opens with the key of");
	json_array_foreach(to, i, one)
	{
		const char *who = json_str(one, "name");

		if (i == AUDITORS_MAX)
			break;
		str_vis(name, sizeof(name), who ? who : "?");
		err_why(e, "%s %s", i ? "," : "", name);
	}
	return err_hint(e, "--key FILE, or CORAL_AUDITOR_KEY, names the secret key of one of them");
}

static int
find_key(struct source *s, struct source_sealed *z, const char *line, size_t n, struct err *e)
{
	struct err none = {0};
	json_t *first = sealed_first_parse(line, n, &none);
	struct sealed_key k;
	int rc;

	if (!first)
		return source_bad(s, "the line that it begins with is damaged", e);
	if (is_own) {
		z->f = own;
		rc = 0;
	} else if (!unlocked) {
		rc = no_key(s, first, e);
	} else {
		rc = sealed_take(&k, first, unlocked, e);
		if (rc == 0 && sealed_file_init(&z->f, &k, line, n) < 0)
			rc = err_set(e, ERR_INTERNAL, ENOMEM, "cannot read a recording");
		explicit_bzero(&k, sizeof(k));
	}
	json_decref(first);
	return rc;
}

/* As source_raw(), out of what was read ahead where that has it. */
static ssize_t
read_ahead(struct source *s, unsigned char *p, size_t n)
{
	struct source_sealed *z = s->sealed;
	uint64_t at = s->raw;
	ssize_t got;

	if (!s->seekable || n >= AHEAD)
		return source_raw(s, p, n);
	if (at < z->ahead_at || at >= z->ahead_at + z->ahead_len) {
		got = source_raw(s, z->ahead, AHEAD);
		if (got <= 0)
			return got;
		z->ahead_at = at;
		z->ahead_len = (size_t)got;
	}
	if (n > z->ahead_at + z->ahead_len - at)
		n = (size_t)(z->ahead_at + z->ahead_len - at);
	memcpy(p, z->ahead + (at - z->ahead_at), n);
	s->raw = at + n;
	return (ssize_t)n;
}

/* All n bytes, unless the file ends: then how many. */
static ssize_t
read_raw(struct source *s, void *p, size_t n)
{
	size_t have = 0;
	ssize_t got;

	while (have < n && (got = read_ahead(s, (unsigned char *)p + have, n - have)) != 0) {
		if (got < 0)
			return -1;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

/* A byte at a time of a pipe: what follows is not the line's. */
static int
read_line(struct source *s, char *line, size_t *n, struct err *e)
{
	ssize_t got;
	char *nl;

	*n = 0;
	if (s->seekable) {
		uint64_t began = s->raw;

		got = read_raw(s, line, SEALED_LINE_MAX);
		nl = got > 0 ? memchr(line, '\n', (size_t)got) : NULL;
		*n = nl ? (size_t)(nl + 1 - line) : 0;
		s->raw = began + *n;
	} else
		while ((got = source_raw(s, line + *n, 1)) > 0 && line[(*n)++] != '\n' &&
		       *n < SEALED_LINE_MAX)
			;
	if (got < 0)
		return source_failed(s, e);
	if (*n > 0 && line[*n - 1] == '\n')
		return 0;
	return source_bad(s, "the line that it begins with is cut", e);
}

int
esource_open(struct source *s, struct err *e)
{
	struct source_sealed *z = calloc(1, sizeof(*z));
	char *line = malloc(SEALED_LINE_MAX);
	size_t n;
	int rc = -1;

	s->sealed = z;
	if (z && s->seekable)
		z->ahead = malloc(AHEAD);
	if (!z || !line || (s->seekable && !z->ahead) || sodium_init() < 0)
		err_set(e, ERR_INTERNAL, ENOMEM, "cannot read a recording");
	else if (read_line(s, line, &n, e) == 0)
		rc = find_key(s, z, line, n, e);
	free(line);
	if (rc == 0)
		z->next = (struct place){.raw = s->raw};
	return rc;
}

static int
remember(struct source_sealed *z)
{
	size_t room = z->known_room ? z->known_room * 2 : 64;
	struct place *grown;

	if (z->nknown > 0 && z->next.at < z->known[z->nknown - 1].at + STEP)
		return 0;
	if (z->nknown == z->known_room) {
		grown = reallocarray(z->known, room, sizeof(*grown));
		if (!grown)
			return -1;
		z->known = grown;
		z->known_room = room;
	}
	z->known[z->nknown++] = z->next;
	return 0;
}

static int
altered(const struct source *s, struct err *e)
{
	char why[128];

	snprintf(why, sizeof(why), "its frame %llu, at byte %llu of the file, was altered or moved",
	    (unsigned long long)s->sealed->next.n, (unsigned long long)s->sealed->next.raw);
	return source_bad(s, why, e);
}

/* The head of the frame that comes: its kind, 0 when it is not all there, -1. */
static int
next_head(struct source *s, unsigned char head[SEALED_HEAD], size_t *len, struct err *e)
{
	struct source_sealed *z = s->sealed;
	ssize_t got;
	int kind;

	if (s->seekable)
		s->raw = z->next.raw;
	got = z->over ? 0 : read_raw(s, head, SEALED_HEAD);
	if (got < 0)
		return source_failed(s, e);
	if (got < SEALED_HEAD)
		return 0;
	kind = sealed_head_parse(head, len);
	if (kind < 0)
		return altered(s, e);
	if (remember(z) < 0)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot read a recording");
	return kind;
}

/* Its text is len bytes long, and `plain` of the recording are in it. */
static void
go_past(struct source_sealed *z, int kind, size_t len, size_t plain)
{
	z->next.n++;
	z->next.raw += SEALED_HEAD + len;
	z->next.at += plain;
	z->over = kind == SEALED_END;
}

static int
grow(unsigned char **buf, size_t *room, size_t len, struct err *e)
{
	void *p = len > *room ? realloc(*buf, len) : *buf;

	if (!p && len > 0)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot read a recording");
	*buf = p;
	if (len > *room)
		*room = len;
	return 0;
}

/* Behind the note its length, and nothing behind that.  1, 0: it is not all there, -1. */
static int
check_tail(struct source *s, size_t len, struct err *e)
{
	unsigned char want[SEALED_NOTE_TAIL], tail[SEALED_NOTE_TAIL + 1];
	ssize_t got = read_raw(s, tail, sizeof(tail));

	if (got < 0)
		return source_failed(s, e);
	sealed_note_tail(want, len);
	if (got > SEALED_NOTE_TAIL ||
	    memcmp(tail, want, (size_t)got < sizeof(want) ? (size_t)got : sizeof(want)) != 0)
		return altered(s, e);
	return got == SEALED_NOTE_TAIL;
}

/* The text of the frame whose head was read.  1, 0: it is not all there, -1. */
static int
open_text(struct source *s, const unsigned char head[SEALED_HEAD], unsigned char *text, size_t len,
    struct err *e)
{
	struct source_sealed *z = s->sealed;
	ssize_t got = read_raw(s, text, len);

	if (got < 0)
		return source_failed(s, e);
	if ((size_t)got < len)
		return 0;
	if (sealed_file_get(&z->f, z->next.n, z->next.at, head, text, len) < 0)
		return altered(s, e);
	return 1;
}

/* As open_text(), into z->packed; *size: of what is packed in it. */
static int
open_packed(struct source *s, const unsigned char head[SEALED_HEAD], size_t len, size_t *size,
    struct err *e)
{
	struct source_sealed *z = s->sealed;
	int rc;

	if (grow(&z->packed, &z->packed_room, len, e) < 0)
		return -1;
	rc = open_text(s, head, z->packed, len, e);
	if (rc <= 0)
		return rc;
	*size = sealed_unpacked_size(z->packed, len);
	return *size > 0 ? 1 : altered(s, e);
}

/* 1: its bytes are in z->plain, 0: there is no more now, -1. */
static int
try_next(struct source *s, struct err *e)
{
	struct source_sealed *z = s->sealed;
	unsigned char head[SEALED_HEAD];
	size_t len, size;
	int kind = next_head(s, head, &len, e), rc = 1;

	if (kind <= 0)
		return kind;
	z->have = 0;
	size = len;
	if (kind == SEALED_PACKED)
		rc = open_packed(s, head, len, &size, e);
	if (rc > 0 && grow(&z->plain, &z->room, size, e) < 0)
		return -1;
	if (rc > 0 && kind != SEALED_PACKED)
		rc = open_text(s, head, z->plain, len, e);
	else if (rc > 0 && sealed_unpack(z->plain, size, z->packed, len) < 0)
		return altered(s, e);
	if (rc > 0 && kind == SEALED_END)
		rc = check_tail(s, len, e);
	if (rc <= 0)
		return rc;
	z->have = kind == SEALED_END ? 0 : size;
	go_past(z, kind, len, z->have);
	return kind != SEALED_END;
}

/* Its writer may have taken back what was read ahead, and written something else there. */
static int
open_next(struct source *s, struct err *e)
{
	bool ahead = s->seekable && s->sealed->ahead_len > 0;
	int rc = try_next(s, ahead ? NULL : e);

	/* A length that was taken back may reach beyond what is there now. */
	if (rc > 0 || !ahead || s->sealed->over)
		return rc;
	s->sealed->ahead_len = 0;
	return try_next(s, e);
}

ssize_t
esource_read(struct source *s, void *p, size_t n, struct err *e)
{
	struct source_sealed *z = s->sealed;
	size_t left, before;
	int rc;

	while (z->pos >= z->next.at) {
		rc = open_next(s, e);
		if (rc <= 0)
			return rc;
	}
	/* The frame that was opened last ends where the next begins. */
	left = (size_t)(z->next.at - z->pos);
	before = z->have - left;
	if (n > left)
		n = left;
	memcpy(p, z->plain + before, n);
	z->pos += n;
	return (ssize_t)n;
}

/* The last place that is known, of those not behind `at`. */
static struct place
nearest(const struct source_sealed *z, uint64_t at)
{
	size_t low = 0, high = z->nknown;

	while (low + 1 < high) {
		size_t mid = low + (high - low) / 2;

		if (z->known[mid].at <= at)
			low = mid;
		else
			high = mid;
	}
	return z->nknown > 0 ? z->known[low] : z->next;
}

/* By the heads as far as they tell: what they say is found out when their frame is opened. */
static int
skip_to(struct source *s, uint64_t at, struct err *e)
{
	struct source_sealed *z = s->sealed;
	unsigned char head[SEALED_HEAD];
	int64_t size = source_file_size(s);
	uint64_t again = UINT64_MAX;
	size_t len, plain;
	int kind, rc;

	while ((kind = next_head(s, head, &len, e)) > 0) {
		if (z->next.raw + SEALED_HEAD + len > (uint64_t)size)
			return 0;
		plain = kind == SEALED_DATA ? len : 0;
		rc = kind != SEALED_PACKED
			 ? 1
			 : open_packed(s, head, len, &plain, again == z->next.n ? e : NULL);
		if (rc < 0 && again != z->next.n) {
			/* As in open_next(). */
			again = z->next.n;
			z->ahead_len = 0;
			continue;
		}
		if (rc <= 0 || (kind != SEALED_END && z->next.at + plain > at))
			return rc < 0 ? -1 : 0;
		go_past(z, kind, len, plain);
	}
	return kind;
}

int
esource_seek(struct source *s, uint64_t at, struct err *e)
{
	struct source_sealed *z = s->sealed;

	if (at >= z->next.at - z->have && at < z->next.at) {
		z->pos = at;
		return 0;
	}
	if (at < z->next.at || (z->nknown > 0 && z->known[z->nknown - 1].at > z->next.at &&
				   nearest(z, at).at > z->next.at)) {
		z->next = nearest(z, at);
		z->over = false;
	}
	z->have = 0;
	z->pos = at;
	return skip_to(s, at, e);
}

uint64_t
esource_at(const struct source *s)
{
	return s->sealed->pos;
}

int64_t
esource_size(struct source *s)
{
	struct source_sealed *z = s->sealed;
	struct place back = z->next;
	bool over = z->over;
	int64_t size;

	if (!s->seekable)
		return -1;
	if (z->nknown > 0 && z->known[z->nknown - 1].at > z->next.at)
		z->next = z->known[z->nknown - 1];
	z->over = false;
	size = skip_to(s, UINT64_MAX, NULL) < 0 ? -1 : (int64_t)z->next.at;
	z->next = back;
	z->over = over;
	return size;
}

void
esource_close(struct source *s)
{
	struct source_sealed *z = s->sealed;

	if (!z)
		return;
	explicit_bzero(&z->f, sizeof(z->f));
	free(z->ahead);
	free(z->plain);
	free(z->packed);
	free(z->known);
	free(z);
}
