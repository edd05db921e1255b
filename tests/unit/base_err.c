/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>

#include "base/err.h"
#include "tap.h"

static const char *
printed(const struct err *e)
{
	static char text[20000];
	int p[2];
	ssize_t n;

	if (pipe2(p, O_CLOEXEC) < 0)
		return "no pipe";
	err_print(p[1], e);
	close(p[1]);
	n = read(p[0], text, sizeof(text) - 1);
	close(p[0]);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
test_build(void)
{
	struct err e;

	errno = ENOENT;
	is_int(
	    err_set(&e, ERR_PRIVILEGE, EPERM, "cannot enter %s", "web"), -1, "err_set returns -1");
	is_int(errno, ENOENT, "errno survives");
	is_str(e.why, "Operation not permitted", "the errno is the why");
	is_int(err_why(&e, "CAP_SYS_"), -1, "err_why returns -1");
	err_why(&e, "ADMIN");
	is_str(e.why, "CAP_SYS_ADMIN", "facts replace the errno and append");
	err_hint(&e, "sudo");
	err_hint(&e, "sudo %s", "coral");
	is_str(e.hint, "sudo coral", "a hint replaces");
	err_set(&e, ERR_IO, 0, "again: %s", e.what);
	is_str(e.what, "again: cannot enter web", "may use its own text");
	is_str(e.why, "", "set clears why");
	is_str(e.hint, "", "set clears hint");
	err_set(&e, ERR_RECORDING, ENOSPC, "x");
	ok(strstr(e.hint, "make room"), "the errno has its usual hint");
	err_set(&e, ERR_PROTOCOL, 0, "x");
	ok(strstr(e.hint, "coral version"), "and so has the code");
	err_set(&e, ERR_INTERNAL, ENOMEM, "x");
	is_str(e.hint, "", "but what is wrong within has none");
	err_set(&e, ERR_IO, 12345, "x");
	is_str(e.why, "error 12345", "an unknown errno");
	is_int(err_set(NULL, ERR_IO, 0, "x") + err_why(NULL, "x") + err_hint(NULL, "x"), -3,
	    "no error wanted");
	for (int i = 0; i < 400; i++)
		err_why(&e, "0123456789");
	is_int(strlen(e.why), sizeof(e.why) - 1, "why is cut");
	err_why(&e, "more");
	is_int(strlen(e.why), sizeof(e.why) - 1, "and stays");
}

static void
test_print(void)
{
	struct err e;

	err_set(&e, ERR_AMBIGUOUS, 0, "several: \033[2J\xe2\x80\xae");
	is_str(printed(&e), "coral: several: \\x1b[2J\\u{202e}\n", "what, harmless");
	err_why(&e, "one\ntwo\t\nthree\n\n");
	err_hint(&e, "coral ls\nrm");
	is_str(printed(&e),
	    "coral: several: \\x1b[2J\\u{202e}\n"
	    "  why: one\n       two\\x09\n       three\n"
	    "  try: coral ls\\x0arm\n",
	    "three parts");
	err_set(&e, ERR_IO, 0, "w");
	memset(e.why, '\n', sizeof(e.why) - 2);
	e.why[sizeof(e.why) - 2] = 'x';
	e.why[sizeof(e.why) - 1] = '\0';
	is_int(strlen(printed(&e)), 9 + 7 + (sizeof(e.why) - 2) * 8 + 2, "the longest is whole");
}

static void
test_wire(void)
{
	struct err e, d;
	unsigned char wire[ERR_WIRE_MAX + 1];
	size_t n, i;
	bool any = false;

	err_set(&e, ERR_NOT_FOUND, ENOENT, "what");
	err_why(&e, "why");
	err_hint(&e, "hint");
	n = err_encode(&e, wire);
	ok(err_decode(&d, wire, n), "decodes");
	ok(d.code == e.code && d.sys == ENOENT, "numbers");
	ok(!strcmp(d.what, "what") && !strcmp(d.why, "why") && !strcmp(d.hint, "hint"), "texts");
	for (i = 0; i < n; i++)
		any |= err_decode(&d, wire, i);
	ok(!any, "every cut is refused");
	ok(!err_decode(&d, wire, n + 1), "more is refused");
	wire[1] = ERR_CODE_COUNT;
	ok(!err_decode(&d, wire, n) && d.code == ERR_NONE, "an unknown code is refused");
	wire[1] = ERR_IO;
	wire[8] = '\0';
	ok(!err_decode(&d, wire, n), "a NUL in text is refused");
	memset(e.what, 'a', sizeof(e.what));
	memset(e.why, 'b', sizeof(e.why));
	memset(e.hint, 'c', sizeof(e.hint));
	n = err_encode(&e, wire);
	ok(n <= ERR_WIRE_MAX && err_decode(&d, wire, n), "the largest fits");
	wire[6] = 0x01;
	wire[7] = 0x00;
	ok(!err_decode(&d, wire, n), "text over its size is refused");
}

static void
test_codes(void)
{
	int i;
	bool all = true;

	for (i = 0; i < ERR_CODE_COUNT; i++)
		all &= err_name((enum err_code)i) != NULL;
	ok(all, "every code has a name");
	is_str(err_name(ERR_NO_TARGET), "NO_TARGET", "name");
	is_str(err_name((enum err_code)9999), "INTERNAL", "a foreign code");
	is_int(err_exit_exec(ERR_TIMEOUT), 124, "timeout");
	is_int(err_exit_exec(ERR_NOT_EXECUTABLE), 126, "not executable");
	is_int(err_exit_exec(ERR_NOT_FOUND), 127, "not found");
	is_int(err_exit_exec(ERR_TRANSPORT), 255, "transport");
	is_int(err_exit_exec(ERR_AUTH), 255, "auth");
	is_int(err_exit_exec(ERR_DENIED), 125, "the rest");
	is_int(err_exit_local(ERR_USAGE), 2, "usage");
	is_int(err_exit_local(ERR_IO), 1, "local failure");
}

int
main(void)
{
	test_build();
	test_print();
	test_wire();
	test_codes();
	return done_testing();
}
