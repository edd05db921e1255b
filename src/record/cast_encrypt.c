/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The recording as frames that its auditors alone can open. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "record/cast_priv.h"
#include "record/sealed_pack.h"
#include "record/source.h"

/* Not apart from forks, as what opens sealed lines is: who paints the screen reads the file, and
 * this key opens no more than that. */
int
cast_encrypt_init(
    struct cast_writer *w, const struct cast_start *s, const json_t *header, struct err *e)
{
	const struct sealed_key *k = cast_secret_key(w);
	auto_free char *line = NULL;
	size_t n;

	if (!s->encrypt)
		return 0;
	line = k ? sealed_first_line(k, header, s->auditors) : NULL;
	w->cipher = line ? calloc(1, sizeof(*w->cipher)) : NULL;
	n = line ? strlen(line) : 0;
	if (!w->cipher || n > SEALED_LINE_MAX || sealed_file_init(w->cipher, k, line, n) < 0) {
		err_set(e, ERR_RECORDING, n > SEALED_LINE_MAX ? E2BIG : ENOMEM,
		    "cannot begin an encrypted recording");
		if (n <= SEALED_LINE_MAX)
			return -1;
		err_why(e, "its first line is %zu bytes; at most %d fit", n, SEALED_LINE_MAX);
		return err_hint(e, "name fewer keys in record.auditors, coral-policy(5)");
	}
	source_unlock_own(w->cipher);
	if (quota_take(w->quota, n, e) < 0)
		return -1;
	return cast_write_raw(w, line, n, e);
}

void
cast_encrypt_wipe(struct cast_writer *w)
{
	if (w->cipher) {
		source_unlock_own(NULL);
		explicit_bzero(w->cipher, sizeof(*w->cipher));
	}
	free(steal_ptr(&w->cipher));
	cast_encrypt_trim(w);
}

int
cast_encrypt(struct cast_writer *w)
{
	enum sealed_kind kind = SEALED_PACKED;

	w->text = w->out;
	w->text_len = w->out_len;
	if (!w->cipher)
		return 0;
	if (!w->packer)
		w->packer = sealed_packer_new(w->out_size);
	w->text = w->packer ? sealed_pack(w->packer, w->out, w->out_len, &w->text_len) : NULL;
	if (!w->text) {
		kind = SEALED_DATA;
		w->text = w->out;
		w->text_len = w->out_len;
	}
	return sealed_file_put(w->cipher, kind, w->frames, w->size, w->frame, w->text, w->text_len);
}

/* Of a shell that waits nothing of it is left. */
void
cast_encrypt_trim(struct cast_writer *w)
{
	sealed_packer_free(steal_ptr(&w->packer));
}

int
cast_encrypt_end(struct cast_writer *w, const json_t *end, struct err *e)
{
	static const char *const keys[] = {"exit_code", "signal", "cause", "duration_ms"};
	unsigned char bytes[SEALED_HEAD + SEALED_NOTE_MAX + SEALED_NOTE_TAIL];
	json_t *note = json_object();
	auto_free char *text = NULL;
	size_t n;

	for (size_t i = 0; i < COUNT_OF(keys); i++)
		json_object_set(note, keys[i], json_object_get(end, keys[i]));
	text = json_dumps(note, JSON_COMPACT);
	json_decref(note);
	n = text ? strlen(text) : 0;
	if (n == 0 || n > SEALED_NOTE_MAX ||
	    sealed_file_put_end(w->cipher, w->frames, w->size, bytes, text, n) < 0)
		return cast_failed(w, ENOMEM, "ending", e);
	memcpy(bytes + SEALED_HEAD, text, n);
	sealed_note_tail(bytes + SEALED_HEAD + n, n);
	n += SEALED_HEAD + SEALED_NOTE_TAIL;
	if (cast_write_raw(w, bytes, n, e) < 0)
		return -1;
	quota_count(w->quota, n);
	return 0;
}
