/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/auditor.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "base/str.h"

#define B64(n) (((n) + 2) / 3 * 4)

_Static_assert(AUDITOR_KEY == crypto_box_PUBLICKEYBYTES, "an X25519 key");
_Static_assert(AUDITOR_BOX(0) == crypto_box_SEALBYTES, "what a sealed box adds");

bool
auditor_name_valid(const char *name)
{
	size_t n =
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-");

	return n > 0 && name[n] == '\0' && n < AUDITOR_NAME && name[0] != '-' && name[0] != '.';
}

void
auditor_of(struct auditor *a, const unsigned char public[AUDITOR_KEY], const char *name)
{
	unsigned char digest[SHA256_SIZE];
	struct sha256 h;

	memcpy(a->public, public, AUDITOR_KEY);
	str_copy(a->name, name, sizeof(a->name));
	sha2_init(&h);
	sha2_update(&h, public, AUDITOR_KEY);
	sha2_final(&h, digest);
	str_hex(a->id, digest, (AUDITOR_ID - 1) / 2);
}

void
auditor_line(char out[AUDITOR_LINE], const struct auditor *a)
{
	char key[B64(AUDITOR_KEY) + 1];

	str_base64(key, a->public, AUDITOR_KEY);
	snprintf(out, AUDITOR_LINE, AUDITOR_KIND "%s %s", key, a->name);
}

/* With a key of small order everybody could open what is sealed to it. */
static bool
is_safe(const unsigned char public[AUDITOR_KEY])
{
	static const unsigned char scalar[AUDITOR_KEY] = {8};
	unsigned char shared[AUDITOR_KEY];

	return crypto_scalarmult(shared, scalar, public) == 0;
}

int
auditors_add(struct auditors *l, const char *line, const char **why)
{
	unsigned char raw[B64(AUDITOR_KEY)], all[B64(AUDITOR_KEY) + 1];
	size_t n = sizeof(AUDITOR_KIND) - 1, len = B64(AUDITOR_KEY);
	const char *name;

	*why = "is not a line that coral keys create --auditor printed";
	if (strncmp(line, AUDITOR_KIND, n) != 0 || strlen(line) < n + len + 2 ||
	    line[n + len] != ' ')
		return -1;
	memcpy(all, line + n, len);
	all[len] = '\0';
	name = line + n + len + 1;
	if (str_unbase64(raw, (const char *)all, len) != AUDITOR_KEY || !auditor_name_valid(name) ||
	    sodium_init() < 0 || !is_safe(raw))
		return -1;
	for (size_t i = 0; i < l->n; i++)
		if (memcmp(l->v[i].public, raw, AUDITOR_KEY) == 0) {
			*why = "names a key twice";
			return -1;
		}
	*why = "names more than 16 keys";
	if (l->n == AUDITORS_MAX)
		return -1;
	auditor_of(&l->v[l->n++], raw, name);
	return 0;
}
