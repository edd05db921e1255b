/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/enter.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <readline/readline.h>

#include "base/str.h"

#define CHOICES 512
#define TEXT 256

/* readline's callbacks take no argument of ours. */
static struct {
	const json_t *rows[CHOICES];
	char names[CHOICES][TEXT]; /* what may be typed, besides the number */
	int n, next;
	char *line;
	bool ended;
	volatile sig_atomic_t interrupted;
} ui;

static const char *
text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

bool
choose_possible(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

bool
choose_word_means(const char *word, const json_t *row)
{
	const char *id = text(row, "container_id");

	return strcmp(word, text(row, "service")) == 0 ||
	       strcmp(word, text(row, "container")) == 0 || strcmp(word, text(row, "pod")) == 0 ||
	       (strlen(word) >= 4 && strncmp(word, id, strlen(word)) == 0);
}

static bool
container_means(const char *name, const json_t *row)
{
	const char *id = text(row, "container_id");

	return strcmp(name, text(row, "container")) == 0 ||
	       (strlen(name) >= 4 && strncmp(name, id, strlen(name)) == 0);
}

static bool
may_mean(const struct request *r, const json_t *row)
{
	return (!r->service[0] || strcmp(r->service, text(row, "service")) == 0) &&
	       (!r->pod[0] || strcmp(r->pod, text(row, "pod")) == 0) &&
	       (!r->ns[0] || strcmp(r->ns, text(row, "namespace")) == 0) &&
	       (!r->container[0] || container_means(r->container, row)) &&
	       (!r->word[0] || choose_word_means(r->word, row));
}

/* The shortest name that no other candidate has; the container's id when there is none. */
static void
name_of(const json_t *row, const struct request *r, char *out)
{
	static const char *const keys[] = {"service", "container", "pod"};

	for (size_t k = 0; k < COUNT_OF(keys); k++) {
		const char *s = text(row, keys[k]);
		int same = 0;

		for (int i = 0; i < ui.n; i++)
			same += strcmp(text(ui.rows[i], keys[k]), s) == 0;
		if (*s && same == 1 && strcmp(s, r->word) != 0) {
			str_vis(out, TEXT, s);
			return;
		}
	}
	snprintf(out, TEXT, "%.12s", text(row, "container_id"));
	if (!*out)
		snprintf(out, TEXT, "pid.%lld",
		    (long long)json_integer_value(json_object_get(row, "pid")));
}

static void
print_list(void)
{
	fputs("coral: several targets are possible:\n", stderr);
	for (int i = 0; i < ui.n; i++) {
		char image[TEXT], service[TEXT];

		str_vis(image, sizeof(image), text(ui.rows[i], "image"));
		str_vis(service, sizeof(service), text(ui.rows[i], "service"));
		fprintf(stderr, "  %2d  %-24s %s pid %lld %s\n", i + 1, ui.names[i], service,
		    (long long)json_integer_value(json_object_get(ui.rows[i], "pid")), image);
	}
}

static char *
next_name(const char *start, int state)
{
	if (state == 0)
		ui.next = 0;
	while (ui.next < ui.n) {
		const char *name = ui.names[ui.next++];

		if (strncmp(name, start, strlen(start)) == 0)
			return strdup(name);
	}
	return NULL;
}

static char **
complete(const char *start, int from, int to)
{
	(void)from;
	(void)to;
	rl_attempted_completion_over = 1;
	return rl_completion_matches(start, next_name);
}

static void
on_int(int signo)
{
	(void)signo;
	ui.interrupted = 1;
}

static void
on_line(char *line)
{
	ui.line = line;
	ui.ended = true;
	rl_callback_handler_remove();
}

/* What has to hold from before the list is printed: a ^D typed early would be lost in the change
 * from line to character input, and a ^C would end us without a word. */
struct terminal {
	FILE *tty;
	struct termios modes;
	struct sigaction on_int;
	sigset_t mask;
};

static int
terminal_take(struct terminal *t)
{
	struct sigaction sa = {.sa_handler = on_int};
	struct termios now;
	sigset_t interrupt;

	if (tcgetattr(fileno(t->tty), &t->modes) < 0)
		return -1;
	/* Delivered only inside pselect(2), so that none is missed just before it. */
	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	sigprocmask(SIG_BLOCK, &interrupt, &t->mask);
	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, &t->on_int);
	now = t->modes;
	now.c_lflag &= ~(tcflag_t)ICANON;
	tcsetattr(fileno(t->tty), TCSANOW, &now);
	ui.interrupted = 0;
	return 0;
}

static void
terminal_give(struct terminal *t)
{
	tcsetattr(fileno(t->tty), TCSANOW, &t->modes);
	sigaction(SIGINT, &t->on_int, NULL);
	sigprocmask(SIG_SETMASK, &t->mask, NULL);
}

/* One line by readline, or NULL after ^C and ^D. */
static char *
ask(const struct terminal *t)
{
	int fd = fileno(t->tty);

	ui.line = NULL;
	ui.ended = false;
	rl_instream = rl_outstream = t->tty;
	rl_readline_name = "coral";
	rl_catch_signals = 0;
	rl_change_environment = 0;
	rl_attempted_completion_function = complete;
	rl_completer_word_break_characters = " \t";
	rl_callback_handler_install("which one (number or name)? ", on_line);
	while (!ui.ended && !ui.interrupted) {
		fd_set in;

		FD_ZERO(&in);
		FD_SET(fd, &in);
		if (pselect(fd + 1, &in, NULL, NULL, NULL, &t->mask) > 0)
			rl_callback_read_char();
	}
	if (!ui.ended) {
		rl_callback_sigcleanup();
		rl_callback_handler_remove();
		fputc('\n', t->tty);
	}
	return ui.line;
}

/* The row that an answer names, or -1. */
static int
parse_answer(char *line)
{
	size_t n = strlen(line);
	int64_t num;
	int found = -1;

	while (n && line[n - 1] == ' ')
		line[--n] = '\0';
	line += strspn(line, " ");
	if (str_to_i64(line, 1, ui.n, &num) == 0)
		return (int)num - 1;
	for (int i = 0; i < ui.n; i++) {
		if (strcmp(ui.names[i], line) == 0)
			found = found < 0 ? i : ui.n;
	}
	return found == ui.n ? -1 : found;
}

/* A container's id cannot come to mean another one in between; a pid could. */
static void
name_exactly(struct request *r, const json_t *row)
{
	const char *id = text(row, "container_id");
	long long pid = (long long)json_integer_value(json_object_get(row, "pid"));

	r->word[0] = r->service[0] = r->pod[0] = r->ns[0] = r->container[0] = '\0';
	if (*id)
		str_copy(r->container, id, sizeof(r->container));
	else
		r->pid = (uint32_t)pid;
}

static int
ask_until_known(const struct terminal *t)
{
	int picked = -1;

	while (picked < 0) {
		char *line = ask(t);

		if (!line)
			return -1;
		picked = parse_answer(line);
		if (picked < 0 && *line)
			fprintf(t->tty,
			    "A number from 1 to %d, or one of the names; ^C gives up.\n", ui.n);
		free(line);
	}
	return picked;
}

int
choose_target(struct request *r, const json_t *targets)
{
	auto_file FILE *tty = fopen("/dev/tty", "r+e");
	struct terminal t = {.tty = tty};
	const json_t *row;
	int picked;
	size_t i;

	ui.n = 0;
	json_array_foreach(targets, i, row)
	{
		if (ui.n < CHOICES && may_mean(r, row))
			ui.rows[ui.n++] = row;
	}
	if (!tty || ui.n == 0 || terminal_take(&t) < 0)
		return -1;
	setlocale(LC_CTYPE, "");
	for (int k = 0; k < ui.n; k++)
		name_of(ui.rows[k], r, ui.names[k]);
	print_list();
	picked = ask_until_known(&t);
	terminal_give(&t);
	if (picked < 0)
		return 1;
	name_exactly(r, ui.rows[picked]);
	return 0;
}
