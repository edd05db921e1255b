/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any file in every form: it ends, what is for a browser is ASCII with the markup of ours alone,
 * and a copy says what the file says. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record/cast.h"
#include "replay/export.h"
#include "replay/player.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int
file_of(const void *p, size_t n)
{
	int fd = memfd_create("cast", MFD_CLOEXEC);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what))) {
		n++;
		text += strlen(what);
	}
	return n;
}

static void
plain_ascii(const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (text[i] != '\n' && text[i] != '\t' && (text[i] < 0x20 || text[i] > 0x7e))
			abort();
	}
}

static void
html(int fd)
{
	char *text;
	size_t n;
	struct export x = {.fd = fd, .name = "fuzz", .out = open_memstream(&text, &n)};
	int rc = export_html(&x, NULL);

	fclose(x.out);
	if (rc == 0 || n > 0) {
		plain_ascii(text, n);
		if (count(text, "</script>") != count(text, "<script") || count(text, "<!--") > 0 ||
		    count(text, "<script>") != 1 || count(text, "</html>") != 1)
			abort();
	}
	free(text);
}

static void
pictures(int fd)
{
	struct player *pl = player_open(dup(fd), "fuzz", NULL);
	char *text;
	size_t n;
	FILE *out;

	if (!pl)
		return;
	player_seek(pl, INT64_MAX);
	player_finish(pl);
	out = open_memstream(&text, &n);
	export_svg(player_screen(pl), "</title><script>", out);
	fclose(out);
	plain_ascii(text, n);
	if (count(text, "<script") > 0 || count(text, "</svg>") != 1)
		abort();
	free(text);
	/* Its work is the size's alone. */
	if (screen_rows(player_screen(pl)) * screen_cols(player_screen(pl)) < 4000) {
		out = open_memstream(&text, &n);
		if (export_png(player_screen(pl), out) < 0)
			abort();
		fclose(out);
		free(text);
	}
	player_free(pl);
}

/* Output and input of a file, one after the other; whole: it was read without an error. */
static bool
bytes_of(int fd, char **text, size_t *n)
{
	FILE *out = open_memstream(text, n);
	struct cast_reader *r = cast_open_fd(dup(fd), "fuzz", NULL);
	struct cast_event ev;
	int got = -1;

	while (r && (got = cast_next(r, &ev, NULL)) == 1) {
		if (ev.kind == CAST_EV_OUTPUT || ev.kind == CAST_EV_INPUT) {
			putc(ev.stream, out);
			fwrite(ev.data, 1, ev.len, out);
		}
	}
	cast_close(r);
	fclose(out);
	return got == 0;
}

static void
copies(int fd, int version)
{
	char *text, *was, *is;
	size_t n, was_n, is_n;
	struct export x = {.fd = fd, .name = "fuzz", .out = open_memstream(&text, &n)};
	int rc = export_cast(&x, version, NULL), copy;

	fclose(x.out);
	lseek(fd, 0, SEEK_SET);
	if (rc == 0) {
		copy = file_of(text, n);
		if (!bytes_of(fd, &was, &was_n) || !bytes_of(copy, &is, &is_n) || was_n != is_n ||
		    memcmp(was, is, is_n) != 0)
			abort();
		free(was);
		free(is);
		close(copy);
		lseek(fd, 0, SEEK_SET);
	}
	free(text);
}

static void
films(int fd, bool raw)
{
	char *text, *when;
	size_t n, when_n;
	struct export x = {.fd = fd,
	    .name = "fuzz",
	    .out = open_memstream(&text, &n),
	    .timing = open_memstream(&when, &when_n),
	    .raw = raw};

	export_ttyrec(&x, NULL);
	lseek(fd, 0, SEEK_SET);
	export_script(&x, NULL);
	lseek(fd, 0, SEEK_SET);
	fclose(x.out);
	fclose(x.timing);
	free(text);
	free(when);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	int fd = file_of(p, n);

	html(fd);
	lseek(fd, 0, SEEK_SET);
	pictures(fd);
	lseek(fd, 0, SEEK_SET);
	copies(fd, 2);
	copies(fd, 3);
	films(fd, false);
	films(fd, true);
	close(fd);
	return 0;
}
