/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/cast.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "record/cast_priv.h"

static json_t *
stream_facts(const struct cast_writer *w, enum cast_stream st)
{
	char hex[65];

	cast_digest(w, st, hex);
	return json_pack("{sI ss sb}", "bytes", (json_int_t)w->count[st], "sha256", hex, "whole",
	    w->digest_only ? w->count[st] == 0 : w->ring[st].elided == 0);
}

/* The caller's facts and the writer's; NULL when there is no memory. */
static json_t *
end_facts(const struct cast_writer *w, int64_t t, json_t *result)
{
	static const char *const names[] = {"stdin", "stdout", "stderr"};
	json_t *end = result ? json_copy(result) : json_object();
	json_t *streams = json_object();

	for (int st = 0; st < CAST_STREAM_COUNT; st++) {
		/* A terminal has one way out. */
		if (w->tty && st == CAST_STDERR)
			continue;
		json_object_set_new(streams, names[st], stream_facts(w, (enum cast_stream)st));
	}
	if (!json_object_get(end, "duration_ms"))
		json_object_set_new(end, "duration_ms", json_integer((t - w->start) / NS_PER_MS));
	json_object_set_new(end, "streams", streams);
	return end;
}

/* Carried bytes and tails.  They may need more than the reserve: when there is no room the tails
 * are left out, and that is written down. */
static int
put_rest(struct cast_writer *w, int64_t t, struct err *e)
{
	struct err first = {0};

	if (cast_flush(w, t, &first) < 0) {
		for (int st = 0; st < CAST_STREAM_COUNT; st++)
			cast_put_carry(w, (enum cast_stream)st, t);
		if (cast_commit(w, true, e) < 0)
			return -1;
	}
	/* Typed, and no line of it: it fits the reserve. */
	if (cast_put_secret(w, t, true, e) < 0)
		return -1;
	for (int i = 0; i < CAST_STREAM_COUNT; i++) {
		enum cast_stream st = (enum cast_stream)i;

		if (cast_bulk_end(w, st, t, false, &first) == 0)
			continue;
		w->out_len = 0;
		if (cast_bulk_end(w, st, t, true, e) < 0)
			return -1;
	}
	return 0;
}

static int
put_end(struct cast_writer *w, int64_t t, const json_t *end, struct err *e)
{
	const json_t *code = json_object_get(end, "exit_code");

	if (json_is_integer(code)) {
		cast_begin(w, t, 'x');
		w->out_len += (size_t)snprintf((char *)w->out + w->out_len, 32, "%lld\"]",
		    (long long)json_integer_value(code));
		cast_emit_line(w);
	}
	if (cast_put_facts(w, t, "end", end, CAST_END_MAX, e) < 0)
		return -1;
	return cast_commit(w, true, e);
}

int
cast_end(struct cast_writer *w, int64_t t, json_t *result, struct err *e)
{
	json_t *end;
	int rc;

	if (w->ended)
		return err_set(e, ERR_INTERNAL, 0, "the recording has ended already");
	if (put_rest(w, t, e) < 0) {
		w->out_len = 0;
		return -1;
	}
	end = end_facts(w, t, result);
	if (put_end(w, t, end, e) < 0) {
		w->out_len = 0;
		json_decref(end);
		return -1;
	}
	w->ended = true;
	rc = cast_put_seal(w, t, e);
	if (rc == 0 && w->cipher)
		rc = cast_encrypt_end(w, end, e);
	json_decref(end);
	cast_seal_wipe(w);
	cast_secret_wipe(w);
	cast_release(w);
	quota_close(steal_ptr(&w->quota));
	return rc < 0 || cast_sync(w, t, true, e) < 0 ? -1 : 0;
}
