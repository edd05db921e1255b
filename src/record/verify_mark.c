/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A mark's line.  coral writes it in one way only, and it is read in no other. */
#include <string.h>

#include "base/str.h"
#include "record/verify_int.h"

#define KEY(k) "\\\"" k "\\\":"

struct at {
	const unsigned char *p, *end;
	bool bad;
};

static void
take_text(struct at *a, const char *text)
{
	size_t n = strlen(text);

	if (a->bad || (size_t)(a->end - a->p) < n || memcmp(a->p, text, n) != 0)
		a->bad = true;
	else
		a->p += n;
}

/* Decimal, as printf(3) has it. */
static uint64_t
take_u64(struct at *a)
{
	const unsigned char *from = a->p;
	uint64_t v = 0;

	while (!a->bad && a->p < a->end && *a->p >= '0' && *a->p <= '9' && v < UINT64_MAX / 100)
		v = v * 10 + (uint64_t)(*a->p++ - '0');
	if (a->p == from || (*from == '0' && a->p > from + 1))
		a->bad = true;
	return v;
}

/* Up to the backslash before the closing quote. */
static const unsigned char *
take_word(struct at *a, size_t *n)
{
	const unsigned char *from = a->p;
	const unsigned char *to = a->bad ? NULL : memchr(from, '\\', (size_t)(a->end - from));

	if (!to) {
		a->bad = true;
		return NULL;
	}
	*n = (size_t)(to - from);
	a->p = to;
	return from;
}

static void
take_chain(struct at *a, unsigned char chain[SHA256_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;
	const unsigned char *p = take_word(a, &n);

	if (!p || n != 2 * (size_t)SHA256_SIZE) {
		a->bad = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *d = memchr(digits, p[i], 16);

		if (!d) {
			a->bad = true;
			return;
		}
		chain[i / 2] = (unsigned char)(chain[i / 2] << 4 | (d - digits));
	}
}

static void
take_signature(struct at *a, unsigned char sig[ED25_SIGNATURE])
{
	unsigned char raw[ED25_SIGNATURE + 2];
	size_t n = 0;
	const unsigned char *p = take_word(a, &n);

	if (!p || n != 88 || str_unbase64(raw, (const char *)p, n) != ED25_SIGNATURE)
		a->bad = true;
	else
		memcpy(sig, raw, ED25_SIGNATURE);
}

int
verify_parse(const unsigned char *line, size_t n, bool seal, struct verify_mark *out)
{
	struct at a = {.p = memchr(line, ',', n), .end = line + n};

	*out = (struct verify_mark){.m.domain = seal ? EVIDENCE_SEAL_DOMAIN : EVIDENCE_MARK_DOMAIN};
	if (!a.p)
		return -1;
	take_text(&a,
	    seal ? ",\"c\",\"{" KEY("seal") "{" KEY("n") : ",\"c\",\"{" KEY("mark") "{" KEY("n"));
	out->m.n = take_u64(&a);
	take_text(&a, "," KEY("lines"));
	out->m.lines = take_u64(&a);
	take_text(&a, "," KEY("bytes"));
	out->m.bytes = take_u64(&a);
	take_text(&a, "," KEY("leaves") "\\\"");
	out->list = take_word(&a, &out->list_len);
	take_text(&a, "\\\"," KEY("chain") "\\\"");
	take_chain(&a, out->m.chain);
	take_text(&a, "\\\"," KEY("real_ns"));
	out->m.real_ns = (int64_t)take_u64(&a);
	take_text(&a, "," KEY("signature") "\\\"");
	out->signed_len = (size_t)(a.p - line);
	take_signature(&a, out->sig);
	take_text(&a, "\\\"}}\"]\n");
	return a.bad || a.p != a.end || out->m.real_ns < 0 ? -1 : 0;
}
