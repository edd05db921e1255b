/* SPDX-License-Identifier: GPL-3.0-or-later */
/* record.redact: the recording, and who looks on, get the output without its secrets.  Its owner
 * gets it as it is, when what of it may be recorded was taken; the rest follows within a moment. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/json.h"
#include "base/redact.h"
#include "session/keeper_int.h"

#define PENDING_MAX (12 * FRAME_DATA_MAX + REDACTOR_SLACK)
/* Then it is looked again whether output is read. */
#define LATE_NS NS_PER_S

static int
no_memory(struct err *e)
{
	err_set(e, ERR_LIMIT, ENOMEM, "cannot redact the output");
	return err_hint(e, "free memory on the agent's host, or try again later");
}

static int
add_patterns(struct keeper *k, struct err *e)
{
	const json_t *list = k->rules.redact_patterns;

	for (size_t i = 0; i < json_array_size(list); i++)
		if (redactor_rules_pattern(
			k->redact_rules, json_string_value(json_array_get(list, i)), e) < 0)
			return -1;
	return 0;
}

int
keeper_redact_begin(struct keeper *k, struct err *e)
{
	if (!k->rules.record_redactor)
		return 0;
	k->redact_rules = redactor_rules_new();
	if (!k->redact_rules)
		return no_memory(e);
	if (k->rules.redact_environ &&
	    redactor_rules_environ(k->redact_rules, enter_plan_env(k->plan)) < 0)
		return no_memory(e);
	if (add_patterns(k, e) < 0)
		return -1;
	for (size_t i = 0; i < COUNT_OF(k->output); i++) {
		k->output[i].redactor = redactor_new(k->redact_rules);
		if (!k->output[i].redactor)
			return no_memory(e);
		buf_init(&k->output[i].redacted, PENDING_MAX);
	}
	return 0;
}

json_t *
keeper_redact_facts(const struct keeper *k)
{
	if (!k->redact_rules)
		return NULL;
	return json_pack("{s:I, s:I}", "environ",
	    (json_int_t)redactor_rules_values(k->redact_rules), "patterns",
	    (json_int_t)redactor_rules_patterns(k->redact_rules));
}

json_t *
keeper_redact_count(const struct keeper *k)
{
	uint64_t n = 0;

	if (!k->redact_rules)
		return NULL;
	for (size_t i = 0; i < COUNT_OF(k->output); i++)
		n += redactor_count(k->output[i].redactor);
	return json_integer((json_int_t)n);
}

static json_t *
one(const struct keeper *k, const json_t *j)
{
	auto_free char *text = redactor_text(k->redact_rules, json_string_value(j));

	return text ? json_text(text) : json_string(REDACTED);
}

json_t *
keeper_redact_json(const struct keeper *k, json_t *j)
{
	json_t *made;

	if (!j || !k->redact_rules)
		return j;
	if (json_is_string(j)) {
		made = one(k, j);
		json_decref(j);
		return made;
	}
	for (size_t i = 0; i < json_array_size(j); i++)
		json_array_set_new(j, i, one(k, json_array_get(j, i)));
	return j;
}

static void
put_frames(struct keeper_source *s, unsigned char *p, size_t n)
{
	/* The head stands where bytes were that are sent already. */
	for (size_t at = FRAME_HEAD, len; at < n; at += len) {
		unsigned char *f = p + at - FRAME_HEAD;

		len = n - at < FRAME_DATA_MAX ? n - at : FRAME_DATA_MAX;
		f[0] = (unsigned char)s->frame;
		f[1] = (unsigned char)(len >> 16);
		f[2] = (unsigned char)(len >> 8);
		f[3] = (unsigned char)len;
		for (struct keeper_client *c = s->k->clients; c; c = c->next)
			if (c != s->k->owner)
				keeper_share(c, f, FRAME_HEAD + len);
	}
}

void
keeper_redact_share(struct keeper_source *s)
{
	struct keeper *k = s->k;
	struct buf b = s->redacted;

	if (b.len <= FRAME_HEAD)
		return;
	/* Who is lost on the way may be a reason to come here again. */
	buf_init(&s->redacted, PENDING_MAX);
	put_frames(s, b.data + b.off, b.len);
	buf_fini(&b);
	for (struct keeper_client *c = k->clients; c; c = c->next)
		if (c->shared) {
			c->shared = false;
			keeper_client_flush(c);
		}
}

int
keeper_redact_again(struct keeper_source *s, struct err *e)
{
	size_t n = s->redacted.len;

	if (s->redact_lost)
		return no_memory(e);
	if (n <= FRAME_HEAD)
		return 0;
	return cast_data(s->k->cast, s->stream, clock_mono(), buf_head(&s->redacted) + FRAME_HEAD,
	    n - FRAME_HEAD, e);
}

/* Room for the head of a frame comes first. */
static int
begin(struct keeper_source *s)
{
	static const unsigned char head[FRAME_HEAD];

	return s->redacted.len > 0 ? 0 : buf_put(&s->redacted, head, sizeof head);
}

/* Nothing follows what is kept back of it, or not soon. */
static int
flush(struct keeper_source *s, struct err *e)
{
	if (begin(s) < 0 || redactor_flush(s->redactor, &s->redacted) < 0)
		s->redact_lost = true;
	if (keeper_redact_again(s, e) < 0)
		return -1;
	keeper_redact_share(s);
	return 0;
}

/* It is there and not read: a pace, a client that is slow; or it cannot be written. */
static bool
rest_is_late(const struct keeper_source *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};

	return s->k->frozen || (poll(&p, 1, 0) > 0 && (p.revents & POLLIN));
}

/* What is not due yet stays, and so does what is kept from its rest by us: it would come in two,
 * and neither be found. */
static int
flush_due(struct keeper *k, struct err *e)
{
	int64_t now = clock_mono();

	for (size_t i = 0; i < COUNT_OF(k->output); i++) {
		struct keeper_source *s = &k->output[i];
		int64_t due = redactor_due(s->redactor);

		if (due == 0 || due > now)
			continue;
		if (rest_is_late(s))
			redactor_hold_anew(s->redactor, now + LATE_NS - REDACTOR_HOLD_NS);
		else if (flush(s, e) < 0)
			return -1;
	}
	return 0;
}

static void flush_later(struct keeper_source *s);

static void
redact_fired(void *arg)
{
	struct keeper *k = arg;
	struct err e = {0};

	if (k->blocked_since || k->record_broken)
		return;
	if (flush_due(k, &e) < 0) {
		keeper_record_trouble(k, &e);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(k->output); i++)
		flush_later(&k->output[i]);
}

static void
flush_later(struct keeper_source *s)
{
	int64_t due = redactor_due(s->redactor);
	struct keeper *k = s->k;

	if (due > 0 && (k->t_redact.at == 0 || due < k->t_redact.at))
		loop_timer_set(k->loop, &k->t_redact, due - clock_mono(), redact_fired, k);
	if (redactor_rules_grown(k->redact_rules))
		keeper_tidy_later(k, KEEPER_UNTIDY);
}

int
keeper_redact_take(struct keeper_source *s, const unsigned char *p, size_t n, struct err *e)
{
	if (begin(s) < 0 || redactor_feed(s->redactor, s->k->last_output, p, n, &s->redacted) < 0)
		s->redact_lost = true;
	flush_later(s);
	return keeper_redact_again(s, e);
}

void
keeper_redact_anew(struct keeper *k)
{
	for (size_t i = 0; i < COUNT_OF(k->output) && k->redact_rules; i++) {
		if (redactor_due(k->output[i].redactor) > 0)
			redactor_hold_anew(k->output[i].redactor, clock_mono());
		flush_later(&k->output[i]);
	}
}

void
keeper_redact_held(const struct keeper *k, struct buf *to)
{
	const void *p;
	size_t n = 0;

	buf_clear(to);
	if (!k->redact_rules)
		return;
	p = redactor_held(k->output[0].redactor, &n);
	if (n > 0)
		buf_put(to, p, n);
}

void
keeper_redact_over(struct keeper *k)
{
	struct err e = {0};

	loop_timer_clear(k->loop, &k->t_redact);
	for (size_t i = 0; i < COUNT_OF(k->output) && k->redact_rules && !k->record_broken; i++)
		if (redactor_due(k->output[i].redactor) > 0 && flush(&k->output[i], &e) < 0)
			keeper_record_trouble(k, &e);
}

void
keeper_redact_trim(struct keeper *k)
{
	if (!k->redact_rules)
		return;
	redactor_rules_trim(k->redact_rules);
	for (size_t i = 0; i < COUNT_OF(k->output); i++) {
		redactor_trim(k->output[i].redactor);
		buf_trim(&k->output[i].redacted);
	}
}

void
keeper_redact_forget(struct keeper *k)
{
	if (!k->redact_rules)
		return;
	redactor_rules_forget(k->redact_rules);
	for (size_t i = 0; i < COUNT_OF(k->output); i++)
		if (k->output[i].redactor)
			redactor_forget(k->output[i].redactor);
}
