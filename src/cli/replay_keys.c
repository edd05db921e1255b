/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/replay_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <termkey.h>

#include "base/clock.h"

struct rkeys {
	TermKey *tk;
};

/*
 * Current terminfo entries describe mouse reports so that the library takes
 * their first bytes for a key; without the entry it reads them itself.
 */
static const char *
without_mouse(const char *name, const char *value, void *data)
{
	(void)data;
	return strcmp(name, "key_mouse") == 0 ? NULL : value;
}

struct rkeys *
rkeys_new(int fd, struct err *e)
{
	struct rkeys *k = calloc(1, sizeof(*k));
	const char *term = getenv("TERM");

	if (k)
		k->tk = termkey_new(fd, TERMKEY_FLAG_UTF8 | TERMKEY_FLAG_NOTERMIOS |
					    TERMKEY_FLAG_CTRLC | TERMKEY_FLAG_NOSTART);
	if (k && k->tk)
		termkey_hook_terminfo_getstr(k->tk, without_mouse, NULL);
	if (!k || !k->tk || !termkey_start(k->tk)) {
		err_set(e, ERR_IO, 0, "cannot read keys from this terminal");
		err_why(e, "TERM is \"%.40s\"", term ? term : "");
		err_hint(e, "set TERM to what the terminal is, or use --format text");
		rkeys_free(k);
		return NULL;
	}
	return k;
}

void
rkeys_free(struct rkeys *k)
{
	if (!k)
		return;
	if (k->tk)
		termkey_destroy(k->tk);
	free(k);
}

void
rkeys_stop(struct rkeys *k)
{
	termkey_stop(k->tk);
}

void
rkeys_start(struct rkeys *k)
{
	termkey_start(k->tk);
}

static enum rkey
of_char(long c, int mods)
{
	static const struct {
		char c;
		enum rkey key;
	} keys[] = {{' ', RKEY_PAUSE}, {'.', RKEY_STEP}, {',', RKEY_STEP_BACK}, {'0', RKEY_HOME},
	    {'$', RKEY_END}, {'G', RKEY_END}, {'+', RKEY_FASTER}, {'=', RKEY_FASTER},
	    {'>', RKEY_FASTER}, {'-', RKEY_SLOWER}, {'<', RKEY_SLOWER}, {'i', RKEY_IDLE},
	    {'g', RKEY_GOTO}, {'/', RKEY_SEARCH}, {'n', RKEY_NEXT}, {'N', RKEY_PREV},
	    {']', RKEY_MOMENT}, {'[', RKEY_MOMENT_BEFORE}, {'}', RKEY_COMMAND},
	    {'{', RKEY_COMMAND_BEFORE}, {'k', RKEY_TYPED}, {'w', RKEY_WALL}, {'?', RKEY_HELP},
	    {'h', RKEY_HELP}, {'q', RKEY_QUIT}, {'Q', RKEY_QUIT}};
	size_t i;

	if (mods & TERMKEY_KEYMOD_CTRL) {
		return c == 'c' || c == 'd' || c == '\\' ? RKEY_QUIT
		       : c == 'z'			 ? RKEY_SUSPEND
		       : c == 'l'			 ? RKEY_REDRAW
							 : RKEY_NONE;
	}
	if (mods & TERMKEY_KEYMOD_ALT)
		return RKEY_NONE;
	for (i = 0; i < COUNT_OF(keys); i++) {
		if (keys[i].c == c)
			return keys[i].key;
	}
	return RKEY_NONE;
}

static enum rkey
of_sym(TermKeySym sym, int mods, int64_t *arg)
{
	int64_t by = mods & (TERMKEY_KEYMOD_SHIFT | TERMKEY_KEYMOD_CTRL) ? 60 : 5;

	switch (sym) {
	case TERMKEY_SYM_LEFT:
		*arg = -by * NS_PER_S;
		return RKEY_SEEK;
	case TERMKEY_SYM_RIGHT:
		*arg = by * NS_PER_S;
		return RKEY_SEEK;
	case TERMKEY_SYM_PAGEUP:
		*arg = -60 * NS_PER_S;
		return RKEY_SEEK;
	case TERMKEY_SYM_PAGEDOWN:
		*arg = 60 * NS_PER_S;
		return RKEY_SEEK;
	case TERMKEY_SYM_HOME:
	case TERMKEY_SYM_FIND:
		return RKEY_HOME;
	case TERMKEY_SYM_END:
	case TERMKEY_SYM_SELECT:
		return RKEY_END;
	case TERMKEY_SYM_SPACE:
		return RKEY_PAUSE;
	case TERMKEY_SYM_ESCAPE:
		return RKEY_ESCAPE;
	default:
		return RKEY_NONE;
	}
}

int
rkeys_read(struct rkeys *k)
{
	TermKeyResult got = termkey_advisereadable(k->tk);

	if (got == TERMKEY_RES_EOF ||
	    (got == TERMKEY_RES_ERROR && errno != EINTR && errno != EAGAIN))
		return -1;
	return 0;
}

int
rkeys_next(struct rkeys *k, bool late, enum rkey *key, int64_t *arg, int *wait_ms)
{
	TermKeyKey raw;
	TermKeyResult got = late ? termkey_getkey_force(k->tk, &raw) : termkey_getkey(k->tk, &raw);

	*wait_ms = got == TERMKEY_RES_AGAIN ? termkey_get_waittime(k->tk) : 0;
	*key = RKEY_NONE;
	if (got == TERMKEY_RES_EOF)
		*key = RKEY_QUIT;
	if (got != TERMKEY_RES_KEY)
		return got == TERMKEY_RES_EOF;
	if (raw.type == TERMKEY_TYPE_UNICODE)
		*key = of_char(raw.code.codepoint, raw.modifiers);
	else if (raw.type == TERMKEY_TYPE_KEYSYM)
		*key = of_sym(raw.code.sym, raw.modifiers, arg);
	return 1;
}
