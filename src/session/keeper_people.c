/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is attached, who types, and what they are told of each other. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/redact.h"
#include "session/keeper_int.h"

#define NOTICE_MAX 512
#define KEYBOARD_NS (NS_PER_S / 10)
#define WHO_NS (NS_PER_S / 10)

const char *
keeper_role_name(enum keeper_role role)
{
	static const char *const names[] = {"owner", "joined", "watching"};

	return names[role];
}

void
keeper_tell(struct keeper_client *c, const char *fmt, ...)
{
	char text[NOTICE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	keeper_client_put(c, FR_NOTICE, text, strlen(text));
}

void
keeper_tell_others(struct keeper *k, const struct keeper_client *c, const char *fmt, ...)
{
	char text[NOTICE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	for (struct keeper_client *o = k->clients; o; o = o->next)
		if (o != c)
			keeper_client_put(o, FR_NOTICE, text, strlen(text));
}

void
keeper_tell_all(struct keeper *k, const char *text)
{
	json_t *facts = json_pack("{s:o}", "text", redact_sentence_json(text));

	if (k->cast)
		cast_event(k->cast, clock_mono(), "notice", facts, NULL);
	json_decref(facts);
	keeper_tell_others(k, NULL, "%s", text);
}

void
keeper_note_client(const struct keeper_client *c, const char *kind, const char *why)
{
	json_t *facts = json_pack("{s:o, s:o, s:s}", "user", json_text(c->user), "peer",
	    json_text(c->peer), "role", keeper_role_name(c->role));

	if (why)
		json_object_set_new(facts, "why", json_string(why));
	cast_event(c->k->cast, clock_mono(), kind, facts, NULL);
	json_decref(facts);
	keeper_audit_left(c, kind, why);
}

static bool
is_listed(const struct keeper_client *c)
{
	return !c->leaving && c->opened;
}

json_t *
keeper_clients_json(const struct keeper *k)
{
	json_t *all = json_array();
	int64_t now = clock_mono();
	char since[CLOCK_ISO_SIZE];

	for (const struct keeper_client *c = k->clients; c; c = c->next) {
		if (!is_listed(c) || c->fd < 0)
			continue;
		clock_iso(c->since, since);
		json_array_append_new(
		    all, json_pack("{s:o, s:o, s:s, s:b, s:s, s:I}", "user", json_text(c->user),
			     "peer", json_text(c->peer), "role", keeper_role_name(c->role),
			     "keyboard", c == k->keyboard, "since", since, "idle_s",
			     (json_int_t)((now - c->last_typed) / NS_PER_S)));
	}
	return all;
}

void
keeper_who(struct keeper_client *c)
{
	char since[CLOCK_ISO_SIZE];
	int64_t now = clock_mono();

	/* So many notices, each a write of its own, for four bytes. */
	if (now < c->next_who)
		return;
	c->next_who = now + WHO_NS;
	for (const struct keeper_client *o = c->k->clients; o; o = o->next) {
		if (!is_listed(o))
			continue;
		clock_iso(o->since, since);
		keeper_tell(c, "%s%s, %s%s%s, from %s since %s", o->user, o == c ? " (you)" : "",
		    keeper_role_name(o->role), o == c->k->keyboard ? ", has the keyboard" : "",
		    o->fd < 0 ? ", connection lost" : "", o->peer, since);
	}
}

static struct keeper_client *
first_asker(struct keeper *k)
{
	struct keeper_client *first = NULL;

	for (struct keeper_client *c = k->clients; c; c = c->next)
		if (c->asked && keeper_client_is_here(c) && (!first || c->asked < first->asked))
			first = c;
	return first;
}

void
keeper_give_keyboard(struct keeper *k, struct keeper_client *to)
{
	struct keeper_client *next;

	if (k->keyboard && k->keyboard != to)
		keeper_input_forget(k->keyboard);
	k->keyboard = to;
	if (!to) {
		keeper_tell_others(k, NULL, "nobody has the keyboard");
		return;
	}
	to->asked = 0;
	to->told_deaf = false;
	keeper_note_client(to, "keyboard", NULL);
	if (to->size.ws_row > 0 && !keeper_is_painting(to))
		keeper_resize(k, &to->size);
	keeper_tell(to, "you have the keyboard");
	keeper_tell_others(k, to, "%s has the keyboard", to->user);
	/* Whoever waits for it asked somebody else. */
	if ((next = first_asker(k)))
		keeper_tell(to, "%s asks for the keyboard: ~k gives it", next->user);
	keeper_reopen_input(k);
}

static void
ask_holder(struct keeper_client *c)
{
	struct keeper_client *holder = c->k->keyboard, *before = first_asker(c->k);

	if (before == c) {
		keeper_tell(c, "%s was asked already", holder->user);
		return;
	}
	if (!c->asked)
		c->asked = ++c->k->asked;
	if (before)
		keeper_tell(c, "%s asked before you", before->user);
	keeper_tell(c, "asked %s", holder->user);
	keeper_tell(holder, "%s asks for the keyboard: ~k gives it", c->user);
}

void
keeper_ask_keyboard(struct keeper_client *c)
{
	struct keeper *k = c->k;
	struct keeper_client *first = first_asker(k);
	int64_t now = clock_mono();

	/* Each is an event of the recording. */
	if (now < c->next_keyboard)
		return;
	c->next_keyboard = now + KEYBOARD_NS;
	if (c->role == KEEPER_WATCHING)
		keeper_tell(c, "who watches cannot type: coral join %s", k->start->id);
	else if (c == k->keyboard && first)
		keeper_give_keyboard(k, first);
	else if (c == k->keyboard)
		keeper_tell(c, "nobody asks for the keyboard");
	else if (c->role == KEEPER_OWNER || !keeper_client_is_here(k->keyboard))
		keeper_give_keyboard(k, c);
	else
		ask_holder(c);
}
