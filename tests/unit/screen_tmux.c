/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Painted on a real terminal: tmux shows, after a painting, what it shows after the bytes that were
 * painted from. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "mirror_util.h"
#include "tap.h"

#define TITLE "\033]2;coral-end\a"

static char dir[] = "/tmp/coral-tmux-XXXXXX";
static int panes;

/* What a command of tmux's says. */
static char *
tmux(const char *fmt, ...)
{
	char args[512], cmd[700];
	char *out = calloc(1, 1 << 22);
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	snprintf(cmd, sizeof(cmd),
	    "env -u TMUX LC_ALL=C.UTF-8 tmux -u -f %s/conf -S %s/sock %s 2>&1", dir, dir, args);
	f = popen(cmd, "r");
	if (f)
		fread(out, 1, (1 << 22) - 1, f);
	if (f)
		pclose(f);
	return out;
}

static void
write_file(const char *name, const void *p, size_t n, const char *more)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f)
		return;
	fwrite(p, 1, n, f);
	fputs(more, f);
	fclose(f);
}

/* A window of that size that got those bytes, all of them; its number. */
static int
window(int rows, int cols, const void *p, size_t n)
{
	int64_t until = clock_mono() + 20 * NS_PER_S;
	int id = ++panes;
	char name[32];
	bool there = false;

	snprintf(name, sizeof(name), "bytes%d", id);
	write_file(name, p, n, TITLE);
	free(tmux("new-session -d -s w%d -x %d -y %d \"stty raw -echo; cat %s/%s; exec sleep 300\"",
	    id, cols, rows, dir, name));
	while (!there && clock_mono() < until) {
		char *title = tmux("display-message -p -t w%d '#{pane_title}'", id);

		there = strcmp(title, "coral-end\n") == 0;
		free(title);
	}
	if (!there)
		printf("# window %d did not get its bytes\n", id);
	return id;
}

static char *
state(int id)
{
	return tmux(
	    "display-message -p -t w%d '#{cursor_x},#{cursor_y} shown #{cursor_flag} "
	    "alt #{alternate_on} insert #{insert_flag} keys #{keypad_cursor_flag} "
	    "#{keypad_flag} mouse #{mouse_any_flag} #{mouse_standard_flag} "
	    "#{mouse_button_flag} #{mouse_sgr_flag} wrap #{wrap_flag} origin #{origin_flag} "
	    "region #{scroll_region_upper}-#{scroll_region_lower} tabs #{pane_tabs} "
	    "history #{history_size}'",
	    id);
}

static char *
contents(int id, const char *how)
{
	return tmux("capture-pane -p %s -t w%d", how, id);
}

static void
same(char *got, char *want, const char *name, const char *what)
{
	char text[128];

	snprintf(text, sizeof(text), "%s: %s", name, what);
	is_str(got, want, text);
	free(got);
	free(want);
}

/* Which looks a blank has that nobody sees is of no consequence: compared as a screen. */
static void
same_cells(char *got, char *want, const char *name, const char *what)
{
	struct mirror *m[2];
	const char *why;

	for (int i = 0; i < 2; i++) {
		const char *p = i ? want : got;

		m[i] = mirror_new(40, 200);
		mirror_feed(m[i], "\033[20h\033)0", 8);
		mirror_feed(m[i], p, strlen(p));
		mirror_feed(m[i], "\033[m", 3);
	}
	why = mu_differ(m[0], m[1], true);
	if (!ok(!why, "%s: %s", name, what))
		printf("# %s\n#  got: %s\n# want: %s\n", why, got, want);
	mirror_free(m[0]);
	mirror_free(m[1]);
	free(got);
	free(want);
}

/* Without blanks at the end of lines, and lines of nothing at the end. */
static char *
stripped(char *s)
{
	char *to = s, *text = s;

	for (const char *p = s; *p; p++) {
		if (*p == '\n') {
			to = text;
			*to++ = '\n';
			text = to;
			continue;
		}
		*to++ = *p;
		if (*p != ' ')
			text = to;
	}
	while (text > s && text[-1] == '\n')
		text--;
	*text = '\0';
	return s;
}

/* Both windows show the same. */
static void
same_windows(int a, int b, const char *name)
{
	same(state(b), state(a), name, "state");
	same_cells(contents(b, "-e"), contents(a, "-e"), name, "screen");
	same_cells(contents(b, "-e -S -"), contents(a, "-e -S -"), name, "with what scrolled away");
}

static void
check(const char *name, const char *bytes, size_t n, bool other_size)
{
	struct mirror *m = mirror_new(24, 80);
	struct buf out;
	int a, b;

	buf_init(&out, MIRROR_PAINT_MAX);
	mirror_feed(m, bytes, n);
	mirror_paint(m, 24, 80, MIRROR_SCREEN | MIRROR_SCROLLBACK, &out);
	a = window(24, 80, bytes, n);
	b = window(24, 80, buf_head(&out), out.len);
	same_windows(a, b, name);
	if (screen_alt(m->s)) {
		same_cells(contents(b, "-a -e"), contents(a, "-a -e"), name, "the screen below");
	} else if (other_size) {
		free(tmux("kill-session -t w%d", b));
		buf_clear(&out);
		mirror_paint(m, 30, 61, MIRROR_SCREEN | MIRROR_SCROLLBACK, &out);
		b = window(30, 61, buf_head(&out), out.len);
		same(stripped(contents(b, "-J -S -")), stripped(contents(a, "-J -S -")), name,
		    "the same lines at another size");
	}
	free(tmux("kill-session -t w%d", a));
	free(tmux("kill-session -t w%d", b));
	buf_fini(&out);
	mirror_free(m);
}

static void
put(struct buf *b, const char *s)
{
	buf_put_str(b, s);
}

static void
shell(struct buf *b, int lines)
{
	int i;

	put(b, "\033[?2004h\033[1;32muser@host\033[m:\033[1;34m/srv\033[m$ ls\r\n\033[?2004l");
	for (i = 0; i < lines; i++) {
		buf_printf(b, "\033[0;3%dmfile-%d\033[m  %d bytes", 1 + i % 7, i, i * 977);
		if (i % 9 == 0)
			put(b, " \033[35mand a name that is so long that it does not fit into one "
			       "row of "
			       "eighty columns, by far, so that it wraps");
		else if (i % 13 == 0)
			put(b,
			    "\t\xe4\xb8\xad\xe6\x96\x87 \xc3\xa9\xc3\xbc \xe2\x94\x80\xe2\x94\xa4");
		/* Not on long lines: tmux lets no ground into the new row, xterm does. */
		else if (i % 17 == 5)
			put(b, "\033[7mreversed \033[4munderlined\033[m \033[91;104mbright\033[m "
			       "\033[38;2;1;200;3;48;5;236mcolours\033[m");
		put(b, "\r\n");
	}
	put(b, "\033[?2004h\033[1;32muser@host\033[m:\033[1;34m/srv\033[m$ ");
}

static void
editor(struct buf *b)
{
	int i;

	shell(b, 40);
	put(b,
	    "vi\r\n\033[?2004l\033[?1049h\033[?1h\033=\033[1;24r\033[?12h\033[?12l\033[27m\033[23m"
	    "\033[m\033[H\033[2J\033[?25l");
	for (i = 0; i < 23; i++)
		buf_printf(b, "\033[%d;1H\033[33m%3d \033[mint f%d(void);\033[K", i + 1, i + 1, i);
	put(b, "\033[24;1H\033[7m\"f.c\" 23L\033[m\033[1;23r\033[23;1H\n\n\033[1;24r\033[22;1H"
	       "\033[1mnew\033[m\033[22;5H\033[?25h\033[?1000h\033[?1006h");
}

static void
progress(struct buf *b)
{
	int i;

	shell(b, 30);
	put(b, "apt\r\n\n\0337\033[0;23r\0338\033[1A");
	for (i = 0; i < 30; i++)
		buf_printf(b,
		    "Unpacking package-%d ...\r\n\0337\033[24;0f\033[42m\033[30mProgress: "
		    "[%3d%%]\033[49m\033[39m [####....]\0338",
		    i, i * 3);
}

static void
monitor(struct buf *b)
{
	int i, row;

	shell(b, 5);
	put(b, "top\r\n\033[?1h\033=\033[H\033[2J\033[m");
	for (i = 0; i < 4; i++) {
		put(b, "\033[H\033[m\017top - 12:00:00 up 1 day\033[m\017\033[K\r\n\033[7m"
		       "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU\033[m\017\033[K");
		for (row = 3; row < 22; row++)
			buf_printf(b, "\r\n\033[m\017%s%7d root      20   0 %7d\033[m\017\033[K",
			    row % 5 ? "" : "\033[1m", row * 100 + i, row * i);
		put(b, "\033[J");
	}
	put(b, "\033[?1l\033>\033[24;1H\r\n\033[K$ ");
}

static void
run(const char *name, void (*make)(struct buf *b), bool other_size)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	make(&b);
	check(name, (const char *)buf_head(&b), b.len, other_size);
	buf_fini(&b);
}

static void
few_lines(struct buf *b)
{
	shell(b, 3);
}

static void
many_lines(struct buf *b)
{
	shell(b, 500);
}

static void
odd(struct buf *b)
{
	put(b,
	    "\033[5;10r\033[?6h\033[2;3Hin the "
	    "region\033[4h\033[2;5Hinserted\033[?7l\033[3g\033[1;9H"
	    "\033H\033[1;31H\033H\033[?25l\033(0lqqk\033(B\033[3;78Hxyz\033[41m\033[2;20H\033[K");
}

static void
full_row(struct buf *b)
{
	int i;

	for (i = 0; i < 80; i++)
		put(b, "=");
}

/* The user's own lines stay: of the terminal before, and those above its cursor. */
static void
test_survives(void)
{
	struct mirror *m = mirror_new(24, 80);
	struct buf out, bytes;
	char *all;
	int w;

	buf_init(&out, MIRROR_PAINT_MAX);
	buf_init(&bytes, MIRROR_PAINT_MAX);
	shell(&bytes, 100);
	mirror_feed(m, buf_head(&bytes), bytes.len);
	for (int i = 0; i < 60; i++)
		buf_printf(&out, "mine %d\r\n", i);
	put(&out, "$ coral attach\r\n");
	mirror_paint(m, 24, 80, MIRROR_SCREEN | MIRROR_SCROLLBACK, &out);
	w = window(24, 80, buf_head(&out), out.len);
	all = contents(w, "-S -");
	ok(strncmp(all, "mine 0\nmine 1\n", 14) == 0, "what scrolled away before is there");
	ok(strstr(all, "mine 59\n$ coral attach\nuser@host:/srv$ ls\nfile-0"),
	    "what stood above the cursor follows, then the session");
	free(all);
	free(tmux("kill-session -t w%d", w));
	buf_fini(&out);
	buf_fini(&bytes);
	mirror_free(m);
}

int
main(void)
{
	char cmd[300];

	if (system("command -v tmux >/dev/null") != 0) {
		ok(true, "all of it # SKIP no tmux");
		return done_testing();
	}
	if (!mkdtemp(dir))
		return 1;
	write_file("conf", "", 0,
	    "set -g history-limit 20000\nset -g status off\nset -wg scroll-on-clear off\nset -g "
	    "allow-rename off\n"
	    "set -g default-terminal tmux-256color\nset -g exit-empty off\n");
	run("a few lines", few_lines, true);
	run("many lines", many_lines, true);
	run("an editor", editor, true);
	run("a progress bar", progress, true);
	run("a monitor", monitor, true);
	run("odd modes", odd, false);
	run("a full row", full_row, true);
	test_survives();
	free(tmux("kill-server"));
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ok(system(cmd) == 0, "cleaned up");
	return done_testing();
}
