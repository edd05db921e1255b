/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "replay/player_int.h"
#include "screen/answer.h"

/* What is pasted leaves its end only. */
#define LOOK_BACK 256

/* Whole names and characters go at the front until this one fits. */
static void
append(struct typed *k, const char *name)
{
	size_t n = strlen(name), have = strlen(k->text), drop = 0;

	while (have - drop + n >= sizeof(k->text)) {
		const char *end = k->text[drop] == '<' ? strchr(k->text + drop, '>') : NULL;

		drop = end ? (size_t)(end + 1 - k->text) : drop + 1;
		while ((k->text[drop] & 0xc0) == 0x80)
			drop++;
	}
	memmove(k->text, k->text + drop, have - drop + 1);
	memcpy(k->text + have - drop, name, n + 1);
}

/* "\e[A", "\eOA", "\e[5~", "\e[1;2A": its length, or 0. */
static size_t
special(const unsigned char *p, size_t n, const char **name)
{
	static const struct {
		const char *seq, *name;
	} known[] = {{"A", "<Up>"}, {"B", "<Down>"}, {"C", "<Right>"}, {"D", "<Left>"},
	    {"H", "<Home>"}, {"F", "<End>"}, {"1~", "<Home>"}, {"2~", "<Insert>"}, {"3~", "<Del>"},
	    {"4~", "<End>"}, {"5~", "<PgUp>"}, {"6~", "<PgDn>"}, {"200~", "<Paste>"},
	    {"201~", "</Paste>"}};
	size_t len = 2, i;

	if (n < 3 || p[0] != 0x1b || (p[1] != '[' && p[1] != 'O'))
		return 0;
	while (len < n && len < 16 && (p[len] < 0x40 || p[len] > 0x7e))
		len++;
	if (len == n || len == 16)
		return 0;
	*name = "<Key>";
	for (i = 0; i < COUNT_OF(known); i++) {
		if (strlen(known[i].seq) == len - 1 && memcmp(known[i].seq, p + 2, len - 1) == 0)
			*name = known[i].name;
	}
	return len + 1;
}

/* What a terminal answered by itself, where there is no room for what somebody would hide. */
static size_t
unsaid(const unsigned char *p, size_t n)
{
	size_t len = screen_answer(p, n);

	for (size_t i = 2; i + 1 < len; i++)
		if (p[1] != '[' || !strchr("0123456789;?", p[i]))
			return 0;
	return len;
}

/* Its length; name is what is shown for it. */
static size_t
character(const unsigned char *p, size_t n, char name[8])
{
	size_t len = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4, partial, i;
	uint32_t cp;

	if (len > n || str_utf8_prefix(p, len, &partial) != len) {
		snprintf(name, 8, "<%02X>", *p);
		return 1;
	}
	cp = len == 1 ? *p : *p & (0x7fu >> len);
	for (i = 1; i < len; i++)
		cp = cp << 6 | (p[i] & 0x3f);
	if (!screen_cp_safe(cp) || screen_cp_combines(cp))
		snprintf(name, 8, "<?>");
	else
		name[screen_cp_utf8(cp, name)] = '\0';
	return len;
}

static size_t
key(const unsigned char *p, size_t n, char name[8])
{
	static const struct {
		unsigned char c;
		const char *name;
	} known[] = {{'\r', "<Enter>"}, {'\n', "<Enter>"}, {'\t', "<Tab>"}, {0x7f, "<BS>"},
	    {0x08, "<BS>"}, {0x1b, "<Esc>"}, {'<', "<lt>"}};
	size_t i;

	for (i = 0; i < COUNT_OF(known); i++) {
		if (*p == known[i].c) {
			str_copy(name, known[i].name, 8);
			return 1;
		}
	}
	if (*p >= 0x20)
		return character(p, n, name);
	snprintf(name, 8, "<C-%c>", *p < 27 && *p > 0 ? *p + 'a' - 1 : *p + '@');
	return 1;
}

void
typed_take(struct typed *k, const struct cast_event *ev)
{
	const unsigned char *p = ev->data, *end = p + ev->len;
	const char *name;
	char buf[8];
	size_t n;

	if (ev->kind == CAST_EV_CORAL && strcmp(ev->name, "sealed") == 0)
		append(k, "<sealed>");
	if (ev->kind == CAST_EV_CORAL && strcmp(ev->name, "masked") == 0)
		append(k, "<masked>");
	if (ev->kind != CAST_EV_INPUT)
		return;
	if (ev->len > LOOK_BACK) {
		p = end - LOOK_BACK;
		while (p < end && (*p & 0xc0) == 0x80)
			p++;
	}
	for (; p < end; p += n) {
		n = unsaid(p, (size_t)(end - p));
		if (n > 0)
			continue;
		n = special(p, (size_t)(end - p), &name);
		if (n == 0) {
			n = key(p, (size_t)(end - p), buf);
			name = buf;
		}
		append(k, name);
	}
}

const char *
player_typed(const struct player *p)
{
	return p->at.typed.text;
}
