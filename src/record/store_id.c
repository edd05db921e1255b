/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/store.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "record/store_dir.h"

#define PREFIX_MIN 4
#define NAMED_MAX 8 /* candidates that an error names */

/* Crockford's: no i, l, o, u. */
static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";

static void
fill_random(unsigned char *p, size_t n)
{
	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		/* Only EINTR is possible: the source is up since boot, the pointer is good. */
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
}

void
store_new_id(char out[STORE_ID_LEN + 1])
{
	uint64_t ms = (uint64_t)(clock_real() / NS_PER_MS);
	unsigned char noise[10];

	fill_random(noise, sizeof(noise));
	for (int i = 9; i >= 0; i--, ms >>= 5)
		out[i] = letters[ms & 31];
	/* Five bytes make eight letters. */
	for (int half = 0; half < 2; half++) {
		uint64_t bits = 0;

		for (int i = 0; i < 5; i++)
			bits = bits << 8 | noise[half * 5 + i];
		for (int i = 7; i >= 0; i--, bits >>= 5)
			out[10 + half * 8 + i] = letters[bits & 31];
	}
	out[STORE_ID_LEN] = '\0';
}

bool
store_id_valid(const char *id)
{
	/* 48 bits of time leave the first letter below 8. */
	return strlen(id) == STORE_ID_LEN && strspn(id, letters) == STORE_ID_LEN && id[0] < '8';
}

int64_t
store_id_ms(const char *id)
{
	int64_t ms = 0;

	for (int i = 0; i < 10; i++)
		ms = ms << 5 | (int64_t)(strchr(letters, id[i]) - letters);
	return ms;
}

static int
unknown(const char *prefix, const char *why, struct err *e)
{
	char seen[64];

	str_vis(seen, sizeof(seen), prefix);
	err_set(e, ERR_NO_SESSION, 0, "there is no session %s", seen);
	err_why(e, "%s", why);
	return err_hint(e, "coral sessions");
}

static int
ambiguous(const char *prefix, char (*found)[STORE_ID_LEN + 1], size_t n, struct err *e)
{
	err_set(e, ERR_AMBIGUOUS, 0, "several sessions begin with %s", prefix);
	for (size_t i = 0; i < n && i < NAMED_MAX; i++)
		err_why(e, "%s%s", i ? "\n" : "", found[i]);
	if (n > NAMED_MAX)
		err_why(e, "\nand more");
	return err_hint(e, "give more letters of the id");
}

static bool
is_there(const char *state_dir, const char *id, store_may_fn *may, void *arg)
{
	struct err e = {0};
	json_t *shown = store_show(state_dir, id, &e);
	bool yes = shown && may(arg, shown);

	json_decref(shown);
	return yes;
}

int
store_resolve(const char *state_dir, const char *prefix, store_may_fn *may, void *arg,
    char id[STORE_ID_LEN + 1], struct err *e)
{
	char low[STORE_ID_LEN + 2], found[NAMED_MAX + 1][STORE_ID_LEN + 1];
	size_t len = str_copy(low, prefix, sizeof(low)), n = 0;
	struct dirent *d;
	DIR *dir;
	bool none;

	for (char *p = low; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
	if (len < PREFIX_MIN)
		return unknown(prefix, "at least 4 letters of its id are needed", e);
	if (len > STORE_ID_LEN || strspn(low, letters) != len)
		return unknown(prefix, "an id is 26 letters and digits, without i, l, o and u", e);
	dir = store_open_list(state_dir, &none, e);
	if (!dir)
		return none ? unknown(low, "nothing is recorded here yet", e) : -1;
	while (n <= NAMED_MAX && (d = readdir(dir))) {
		if (strncmp(d->d_name, low, len) == 0 && store_id_valid(d->d_name) &&
		    (!may || is_there(state_dir, d->d_name, may, arg)))
			str_copy(found[n++], d->d_name, sizeof(found[0]));
	}
	closedir(dir);
	if (n == 0)
		return unknown(low, "no recording's id begins so", e);
	if (n > 1)
		return ambiguous(low, found, n, e);
	str_copy(id, found[0], STORE_ID_LEN + 1);
	return 0;
}
