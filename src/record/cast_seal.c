/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The recording's own evidence: a chain over its lines, and marks that sign it. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "record/cast_priv.h"

#define LEAF_SHOWN 8
#define FIRST_ROOM 64

int
cast_seal_init(struct cast_writer *w, const struct cast_start *s, struct err *e)
{
	struct cast_seal *seal = &w->seal;
	const char *id = json_str(s->coral, "session_id");
	void *p;

	if (!s->evidence)
		return 0;
	if (!id || strlen(id) >= sizeof(seal->session_id))
		return err_set(e, ERR_INTERNAL, 0, "cannot sign a recording without a session id");
	p = mmap(
	    NULL, sizeof(*seal->key), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return err_set(e, ERR_RECORDING, errno, "cannot keep the key of a recording");
	seal->key = p;
	if (madvise(p, sizeof(*seal->key), MADV_DONTFORK) < 0 ||
	    madvise(p, sizeof(*seal->key), MADV_DONTDUMP) < 0)
		return err_set(e, ERR_RECORDING, errno, "cannot keep the key of a recording apart");
	if (sha2_init(&seal->hash) < 0)
		return err_set(e, ERR_RECORDING, ENOMEM, "cannot hash a recording");
	*seal->key = *s->evidence;
	str_copy(seal->session_id, id, sizeof(seal->session_id));
	return 0;
}

void
cast_seal_wipe(struct cast_writer *w)
{
	struct cast_seal *seal = &w->seal;

	if (!seal->key)
		return;
	explicit_bzero(seal->key, sizeof(*seal->key));
	munmap(seal->key, sizeof(*seal->key));
	seal->key = NULL;
	sha2_drop(&seal->hash);
	free(seal->leaves);
	seal->leaves = NULL;
}

static int
grow(struct cast_seal *seal)
{
	size_t room = seal->room ? seal->room * 2 : FIRST_ROOM;
	void *p = reallocarray(seal->leaves, room, sizeof(*seal->leaves));

	if (!p)
		return -1;
	seal->leaves = p;
	seal->room = room;
	return 0;
}

static int
take_line(struct cast_seal *seal, const unsigned char *p, size_t n)
{
	struct cast_tally *tally = &seal->tally;

	if (tally->leaves == seal->room && grow(seal) < 0)
		return -1;
	sha2_update(&seal->hash, p, n);
	if (sha2_next(&seal->hash, seal->leaves[tally->leaves]) < 0)
		return -1;
	tally->bytes += n;
	/* The first line is the header: the chain begins with it. */
	if (tally->lines++ == 0)
		return evidence_begin_chain(&seal->hash, seal->leaves[0], seal->chain);
	tally->leaves++;
	return 0;
}

int
cast_seal_take(struct cast_writer *w)
{
	const unsigned char *p = w->out, *end = w->out + w->out_len, *nl;

	if (!w->seal.key)
		return 0;
	for (; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl || take_line(&w->seal, p, (size_t)(nl + 1 - p)) < 0)
			return -1;
	}
	return 0;
}

/* The chain with every line that is in the file. */
static int
next_chain(struct cast_seal *seal, unsigned char out[SHA256_SIZE])
{
	if (seal->marks == 0) {
		memcpy(out, seal->chain, SHA256_SIZE);
		return 0;
	}
	sha2_update(&seal->hash, seal->chain, SHA256_SIZE);
	sha2_update(&seal->hash, seal->leaves, seal->tally.leaves * SHA256_SIZE);
	return sha2_next(&seal->hash, out);
}

static void
put_leaves(struct cast_writer *w)
{
	const struct cast_seal *seal = &w->seal;
	unsigned char three[3 * LEAF_SHOWN];
	size_t n = 0;

	/* Three at a time are base64 without padding. */
	for (size_t i = 0; i < seal->tally.leaves; i++) {
		memcpy(three + n, seal->leaves[i], LEAF_SHOWN);
		n += LEAF_SHOWN;
		if (n < sizeof(three) && i + 1 < seal->tally.leaves)
			continue;
		w->out_len += str_base64((char *)w->out + w->out_len, three, n);
		n = 0;
	}
}

/* Its line up to the signature. */
static void
put_facts(struct cast_writer *w, const char *kind, const struct evidence_mark *m, int64_t t)
{
	char chain[2 * SHA256_SIZE + 1];

	str_hex(chain, m->chain, sizeof(m->chain));
	cast_begin(w, t, 'c');
	w->out_len += (size_t)snprintf((char *)w->out + w->out_len, 160,
	    "{\\\"%s\\\":{\\\"n\\\":%llu,\\\"lines\\\":%llu,\\\"bytes\\\":%llu,\\\"leaves\\\":\\\"",
	    kind, (unsigned long long)m->n, (unsigned long long)m->lines,
	    (unsigned long long)m->bytes);
	put_leaves(w);
	w->out_len += (size_t)snprintf((char *)w->out + w->out_len, 192,
	    "\\\",\\\"chain\\\":\\\"%s\\\",\\\"real_ns\\\":%lld,\\\"signature\\\":\\\"", chain,
	    (long long)m->real_ns);
}

static int
put_signature(struct cast_writer *w, struct evidence_mark *m)
{
	struct cast_seal *seal = &w->seal;
	unsigned char sig[ED25_SIGNATURE];
	char text[EVIDENCE_TEXT_MAX];

	sha2_update(&seal->hash, w->out, w->out_len);
	if (sha2_next(&seal->hash, m->line) < 0 ||
	    ed25_sign(seal->key->seed, seal->key->session_key, text, evidence_mark_text(text, m),
		sig) < 0)
		return -1;
	w->out_len += str_base64((char *)w->out + w->out_len, sig, sizeof(sig));
	w->out_len += (size_t)snprintf((char *)w->out + w->out_len, 8, "\\\"}}\"]");
	cast_emit_line(w);
	return 0;
}

static int
put(struct cast_writer *w, const char *kind, const char *domain, bool last, int64_t t,
    struct err *e)
{
	struct cast_seal *seal = &w->seal;
	struct evidence_mark m = {.domain = domain,
	    .session_id = seal->session_id,
	    .n = seal->marks,
	    .lines = seal->tally.lines,
	    .bytes = w->size,
	    .real_ns = clock_real()};
	size_t own;

	if (seal->tally.leaves > CAST_LEAVES_MAX)
		return cast_failed(w, EOVERFLOW, "listing the lines of", e);
	if (next_chain(seal, m.chain) < 0)
		return cast_failed(w, ENOMEM, "hashing", e);
	put_facts(w, kind, &m, t);
	if (put_signature(w, &m) < 0) {
		w->out_len = 0;
		return cast_failed(w, ENOMEM, "signing", e);
	}
	if (cast_commit(w, last, e) < 0)
		return -1;
	/* Its own line is the first of those that the next one signs. */
	own = seal->tally.leaves - 1;
	memmove(seal->leaves[0], seal->leaves[own], SHA256_SIZE);
	seal->tally.leaves = 1;
	seal->tally.bytes = w->size - m.bytes;
	memcpy(seal->chain, m.chain, SHA256_SIZE);
	seal->marks++;
	return 0;
}

int
cast_put_mark(struct cast_writer *w, int64_t t, struct err *e)
{
	const struct cast_seal *seal = &w->seal;

	if (!seal->key || w->ended || (seal->marks > 0 && seal->tally.leaves <= 1))
		return 0;
	return put(w, "mark", EVIDENCE_MARK_DOMAIN, false, t, e);
}

int
cast_mark_due(struct cast_writer *w, int64_t t, struct err *e)
{
	const struct cast_tally *tally = &w->seal.tally;

	if (tally->leaves < CAST_MARK_LINES && tally->bytes < CAST_MARK_BYTES)
		return 0;
	return cast_put_mark(w, t, e);
}

int
cast_put_seal(struct cast_writer *w, int64_t t, struct err *e)
{
	return w->seal.key ? put(w, "seal", EVIDENCE_SEAL_DOMAIN, true, t, e) : 0;
}
