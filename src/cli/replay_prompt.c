/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "cli/replay_term.h"
#include "cli/replay_ui.h"

/* The library's callback has no argument. */
static struct ui *asking;
static char *answer;
static bool answered;

static void
on_line(char *line)
{
	free(answer);
	answer = line;
	answered = true;
}

static int
give_up(int count, int key)
{
	(void)count;
	(void)key;
	rl_replace_line("", 0);
	rl_done = 1;
	return 0;
}

static void
set_up(struct ui *u)
{
	static bool done;
	FILE *in;

	if (done)
		return;
	done = true;
	rl_readline_name = "coral";
	rl_catch_signals = 0;
	rl_catch_sigwinch = 0;
	rl_variable_bind("enable-bracketed-paste", "off");
	rl_variable_bind("horizontal-scroll-mode", "on");
	in = u->in == STDIN_FILENO ? NULL : fdopen(dup(u->in), "r");
	rl_instream = in ? in : stdin;
	rl_outstream = stdout;
	rl_initialize();
	rl_bind_key('\t', rl_insert);
	rl_bind_key('C' & 0x1f, give_up);
	rl_bind_key('G' & 0x1f, give_up);
	rl_bind_keyseq("\\e\\e", give_up);
	stifle_history(100);
}

void
ui_prompt_start(struct ui *u, enum ui_prompt what)
{
	int rows, cols;

	set_up(u);
	asking = u;
	answered = false;
	u->prompt = what;
	rkeys_stop(u->keys);
	rterm_size(&rows, &cols);
	rterm_lend_row(render_rows(u->render) - 1);
	rterm_echo();
	rl_set_screen_size(rows, cols);
	rl_callback_handler_install(what == UI_GOTO ? "go to: " : "/", on_line);
	rterm_no_signals();
}

static void
finish(struct ui *u, const char *line)
{
	enum ui_prompt what = u->prompt;

	rl_callback_handler_remove();
	u->prompt = UI_NO_PROMPT;
	asking = NULL;
	rterm_take_row();
	rkeys_start(u->keys);
	render_forget(u->render);
	if (line && *line)
		add_history(line);
	ui_prompted(u, what, line && *line ? line : NULL);
}

void
ui_prompt_read(struct ui *u)
{
	char *line;

	rl_callback_read_char();
	if (!answered)
		return;
	line = answer;
	answer = NULL;
	finish(u, line);
	free(line);
}

void
ui_prompt_resize(struct ui *u)
{
	int rows, cols;

	rterm_size(&rows, &cols);
	rterm_lend_row(render_rows(u->render) - 1);
	rl_set_screen_size(rows, cols);
	rl_on_new_line();
	rl_redisplay();
}

void
ui_prompt_cancel(struct ui *u)
{
	if (asking == u)
		finish(u, NULL);
}
