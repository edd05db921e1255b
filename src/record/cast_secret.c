/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Input that the terminal does not show: sealed to the auditors, or its place alone. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/json.h"
#include "record/cast_priv.h"
#include "record/sealed.h"

/* In pages of its own, which no fork inherits. */
struct cast_vault {
	struct sealed_key key;
	unsigned char text[SEALED_TEXT]; /* of the line that is being typed */
};

static void
drop_vault(struct cast_vault *v)
{
	explicit_bzero(v, sizeof(*v));
	munmap(v, sizeof(*v));
}

int
cast_secret_init(struct cast_writer *w, const struct cast_start *s, json_t *coral, struct err *e)
{
	const char *id = json_str(s->coral, "session_id");
	struct cast_vault *v;
	json_t *header;

	if (!s->auditors || s->auditors->n == 0)
		return 0;
	v = mmap(NULL, sizeof(*v), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (v == MAP_FAILED)
		return err_set(e, ERR_RECORDING, errno, "cannot keep the key of a recording");
	w->secret.vault = v;
	if (madvise(v, sizeof(*v), MADV_DONTFORK) < 0 || madvise(v, sizeof(*v), MADV_DONTDUMP) < 0)
		return err_set(e, ERR_RECORDING, errno, "cannot keep the key of a recording apart");
	header = id && sealed_make(&v->key, id) == 0 ? sealed_header(&v->key, s->auditors) : NULL;
	if (!header)
		return err_set(
		    e, ERR_RECORDING, ENOMEM, "cannot seal a recording's key to its auditors");
	if (s->seal_input)
		json_object_set(coral, "sealing", header);
	json_decref(header);
	w->secret.seals = s->seal_input;
	return 0;
}

void
cast_secret_wipe(struct cast_writer *w)
{
	if (w->secret.vault)
		drop_vault(w->secret.vault);
	w->secret = (struct cast_secret){0};
}

const struct sealed_key *
cast_secret_key(const struct cast_writer *w)
{
	return w->secret.vault ? &w->secret.vault->key : NULL;
}

bool
cast_seals(const struct cast_writer *w)
{
	return w->secret.seals;
}

/* What is held, as an event in the buffer. */
static int
put(struct cast_writer *w, int64_t t)
{
	struct cast_secret *s = &w->secret;
	char box[SEALED_B64 + 1];
	const char *kind = "masked";
	json_t *j = NULL;
	int rc;

	if (!s->typed)
		return 0;
	if (s->seals) {
		if (sealed_put(&s->vault->key, s->sealed, s->vault->text, s->len, box) < 0)
			return -1;
		kind = "sealed";
		j = json_pack("{sI ss}", "n", (json_int_t)s->sealed, "box", box);
	}
	rc = cast_put_facts(w, t, kind, j, SEALED_B64 + 64, NULL);
	json_decref(j);
	if (rc < 0)
		return -1;
	s->typed = false;
	s->len = 0;
	s->sealed++;
	return 0;
}

int
cast_put_secret(struct cast_writer *w, int64_t t, bool last, struct err *e)
{
	struct cast_secret before = w->secret;
	int rc = put(w, t);

	if (rc < 0) {
		w->out_len = 0;
		cast_failed(w, ENOMEM, "sealing what goes to", e);
	} else
		rc = cast_commit(w, last, e);
	if (rc < 0)
		w->secret = before;
	return rc;
}

static int
take(struct cast_writer *w, int64_t t, const unsigned char *p, size_t n, struct err *e)
{
	struct cast_secret *s = &w->secret;

	for (size_t i = 0; i < n; i++) {
		bool over = p[i] == '\r' || p[i] == '\n';

		s->typed = true;
		if (s->seals) {
			s->vault->text[s->len++] = p[i];
			over |= s->len == SEALED_TEXT;
		}
		if (over && cast_put_secret(w, t, false, e) < 0)
			return -1;
	}
	return 0;
}

int
cast_secret(struct cast_writer *w, int64_t t, const void *p, size_t n, struct err *e)
{
	struct cast_secret before = w->secret;
	unsigned char held[SEALED_TEXT];
	struct cast_place at;
	int rc;

	if (w->ended)
		return err_set(e, ERR_INTERNAL, 0, "the recording has ended already");
	if (cast_mark_due(w, t, e) < 0)
		return -1;
	cast_where(w, &at);
	if (before.vault)
		memcpy(held, before.vault->text, before.len);
	rc = take(w, t, p, n, e);
	if (rc < 0) {
		w->secret = before;
		if (before.vault)
			memcpy(before.vault->text, held, before.len);
		cast_back(w, &at);
	}
	explicit_bzero(held, sizeof(held));
	return rc;
}

int
cast_secret_end(struct cast_writer *w, int64_t t, struct err *e)
{
	return w->ended ? 0 : cast_put_secret(w, t, false, e);
}
