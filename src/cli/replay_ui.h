/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_REPLAY_UI_H
#define CORAL_CLI_REPLAY_UI_H

/* The player on a terminal: what its files share. */
#include <stdbool.h>
#include <stdint.h>
#include "base/loop.h"
#include "cli/replay.h"
#include "cli/replay_keys.h"
#include "replay/player.h"
#include "screen/render.h"

#define UI_TO_FRAME (-1)
#define UI_FINDING (-2)

enum ui_prompt { UI_NO_PROMPT, UI_GOTO, UI_SEARCH };

struct ui {
	struct player *player;
	struct follow *follow; /* while the session goes on, or NULL */
	struct render *render;
	struct rkeys *keys;
	struct loop *loop;
	struct loop_timer escape_timer;
	int in, out, sigfd;
	const char *name;
	char title[128];

	bool playing, idle_on, dirty, quit;
	bool live;  /* what comes is shown at once */
	bool ended; /* the message says that the session has */
	bool typed; /* keys are shown */
	bool wall;  /* the time of day is shown */
	int help;   /* its first line that is shown, from 1; 0: none is */
	int hidden; /* cells of the picture that the recording meant to hide */
	int status;
	double speed;
	int64_t idle;
	int64_t clock;	  /* where in the recording we are, also between events */
	int64_t real;	  /* clock_mono() when it was set */
	int64_t drawn_at; /* clock_mono() of the last picture */
	int64_t seek_to;  /* of the work that runs: a time, or one of these */

	char message[160]; /* until the next key */
	char needle[PLAYER_TEXT_MAX];
	bool forward; /* of the search that runs */
	enum ui_prompt prompt;
};

/* replay_draw.c */
void ui_draw(struct ui *u);
/* The help, what follows of it where it does not fit, and at its end none. */
void ui_help(struct ui *u);

/* replay_prompt.c: a line of input on the last row; then ui_prompted() with it, or NULL. */
void ui_prompt_start(struct ui *u, enum ui_prompt what);
void ui_prompt_read(struct ui *u);   /* the terminal is readable */
void ui_prompt_resize(struct ui *u); /* after the picture was drawn anew */
void ui_prompt_cancel(struct ui *u);

/* replay_act.c: what keys do. */
void ui_key(struct ui *u, enum rkey key, int64_t arg);
void ui_prompted(struct ui *u, enum ui_prompt what, const char *line);
void ui_go(struct ui *u, int64_t t);
void ui_go_live(struct ui *u);			    /* to the end, and on with what comes */
void ui_worked(struct ui *u, enum player_state st); /* a seek or search has come to its end */
bool ui_has_typed(const struct ui *u);		    /* input may have been recorded */
void ui_say(struct ui *u, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
