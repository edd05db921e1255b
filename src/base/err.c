/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"

static const char *const names[ERR_CODE_COUNT] = {
    [ERR_NONE] = "NONE",
    [ERR_INTERNAL] = "INTERNAL",
    [ERR_USAGE] = "USAGE",
    [ERR_CONFIG] = "CONFIG",
    [ERR_NO_TARGET] = "NO_TARGET",
    [ERR_AMBIGUOUS] = "AMBIGUOUS",
    [ERR_TARGET_GONE] = "TARGET_GONE",
    [ERR_DENIED] = "DENIED",
    [ERR_PRIVILEGE] = "PRIVILEGE",
    [ERR_NOT_FOUND] = "NOT_FOUND",
    [ERR_NOT_EXECUTABLE] = "NOT_EXECUTABLE",
    [ERR_TIMEOUT] = "TIMEOUT",
    [ERR_TRANSPORT] = "TRANSPORT",
    [ERR_AUTH] = "AUTH",
    [ERR_RECORDING] = "RECORDING",
    [ERR_SHORT_OUTPUT] = "SHORT_OUTPUT",
    [ERR_NO_SESSION] = "NO_SESSION",
    [ERR_BAD_FILE] = "BAD_FILE",
    [ERR_IO] = "IO",
    [ERR_LIMIT] = "LIMIT",
    [ERR_PROTOCOL] = "PROTOCOL",
};

/*
 * The last byte of `why` is 1 while its text is only that of `sys`, so that
 * the first err_why() replaces it.  Real text leaves a NUL there.
 */
static char *
why_mark(struct err *e)
{
	return &e->why[sizeof(e->why) - 1];
}

static void
why_from_sys(struct err *e)
{
	const char *text = strerrordesc_np(e->sys);

	if (text)
		str_copy(e->why, text, sizeof(e->why) - 1);
	else
		snprintf(e->why, sizeof(e->why) - 1, "error %d", e->sys);
	*why_mark(e) = 1;
}

/* What to do about it when nobody knows better. */
static const struct {
	int sys;
	const char *hint;
} hints_sys[] = {
    {EACCES, "run it as root, or as a user who may do that"},
    {EPERM, "run it as root, or as a user who may do that"},
    {EROFS, "name a place that can be written to: CORAL_STATE_DIR, CORAL_RUNTIME_DIR"},
    {ENOSPC, "make room on that file system (df -h), then try again"},
    {EDQUOT, "make room on that file system (quota), then try again"},
    {ENOENT, "check the name, and every directory on the way to it"},
    {ENOTDIR, "check the name: a part of the way to it is no directory"},
    {ELOOP, "check the name: symbolic links lead it astray, or are not followed there"},
    {ENAMETOOLONG, "use a shorter name"},
    {ENOMEM, "free memory (free -m), then try again"},
    {EAGAIN, "end processes that are not needed (ulimit -u), then try again"},
    {EMFILE, "raise the limit of open files (ulimit -n), then try again"},
    {ENFILE, "close files that are not needed (/proc/sys/fs/file-max), then try again"},
    {EADDRINUSE, "name another address, or end who listens there (ss -ltnp)"},
    {EADDRNOTAVAIL, "name an address that this host has (ip addr)"},
    {EIO, "look at the kernel's log (dmesg): the device fails"},
};

static const char *const hints_code[ERR_CODE_COUNT] = {
    [ERR_USAGE] = "coral help, or --help after the command",
    [ERR_CONFIG] = "coral.yaml(5) and coral-policy(5) describe the files",
    [ERR_NO_TARGET] = "coral ps",
    [ERR_TARGET_GONE] = "coral ps shows what is running now",
    [ERR_PRIVILEGE] = "run it as root, or ask an agent that is: --agent-addr",
    [ERR_TRANSPORT] = "coral agent status says whether an agent answers; then try again",
    [ERR_AUTH] = "--identity FILE names the key to prove who you are",
    [ERR_NO_SESSION] = "coral sessions",
    [ERR_BAD_FILE] = "use an undamaged copy of the file",
    [ERR_LIMIT] = "try again when less is going on",
    [ERR_PROTOCOL] = "run the same release on both sides: coral version",
};

static const char *
usual_hint(enum err_code code, int sys)
{
	if (code == ERR_NONE || code == ERR_INTERNAL || (unsigned)code >= ERR_CODE_COUNT)
		return "";
	for (size_t i = 0; sys && i < COUNT_OF(hints_sys); i++)
		if (hints_sys[i].sys == sys)
			return hints_sys[i].hint;
	return hints_code[code] ? hints_code[code] : "";
}

static void put(char *to, size_t size, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);

/* By way of a copy: an argument may be a part of the error itself. */
static void
put(char *to, size_t size, const char *fmt, va_list ap)
{
	int saved = errno;
	char text[ERR_WHY_SIZE];

	vsnprintf(text, sizeof(text), fmt, ap);
	str_copy(to, text, size);
	errno = saved;
}

int
err_set(struct err *e, enum err_code code, int sys, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -1;
	va_start(ap, fmt);
	put(e->what, sizeof(e->what), fmt, ap);
	va_end(ap);
	e->code = code;
	e->sys = sys;
	e->why[0] = '\0';
	*why_mark(e) = '\0';
	str_copy(e->hint, usual_hint(code, sys), sizeof(e->hint));
	if (sys)
		why_from_sys(e);
	return -1;
}

int
err_why(struct err *e, const char *fmt, ...)
{
	size_t len;
	va_list ap;

	if (!e)
		return -1;
	len = *why_mark(e) ? 0 : strlen(e->why);
	*why_mark(e) = '\0';
	va_start(ap, fmt);
	put(e->why + len, sizeof(e->why) - len, fmt, ap);
	va_end(ap);
	return -1;
}

int
err_hint(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -1;
	va_start(ap, fmt);
	put(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
	return -1;
}

const char *
err_name(enum err_code code)
{
	if ((unsigned)code >= ERR_CODE_COUNT)
		return "INTERNAL";
	return names[code];
}

int
err_exit_exec(enum err_code code)
{
	switch (code) {
	case ERR_TIMEOUT:
		return 124;
	case ERR_NOT_EXECUTABLE:
		return 126;
	case ERR_NOT_FOUND:
		return 127;
	case ERR_TRANSPORT:
	case ERR_AUTH:
		return 255;
	default:
		return 125;
	}
}

int
err_exit_local(enum err_code code)
{
	return code == ERR_USAGE ? 2 : 1;
}

/* Holds the worst case: a `why` of nothing but newlines, each indented. */
struct page {
	char text[16384];
	size_t len;
};

static void
page_add(struct page *p, const char *s, size_t n)
{
	p->len += str_vis_n(p->text + p->len, sizeof(p->text) - p->len, s, n);
}

static void
page_raw(struct page *p, const char *s)
{
	size_t room = sizeof(p->text) - p->len;
	size_t n = str_copy(p->text + p->len, s, room);

	p->len += n < room ? n : room - 1;
}

static void
page_why(struct page *p, const char *why)
{
	size_t n = strlen(why);
	const char *nl;

	while (n && why[n - 1] == '\n')
		n--;
	while ((nl = memchr(why, '\n', n))) {
		page_add(p, why, (size_t)(nl - why));
		page_raw(p, "\n       ");
		n -= (size_t)(nl + 1 - why);
		why = nl + 1;
	}
	page_add(p, why, n);
}

void
err_print(int fd, const struct err *e)
{
	struct page p;

	p.len = 0;
	page_raw(&p, "coral: ");
	page_add(&p, e->what, strlen(e->what));
	if (e->why[0]) {
		page_raw(&p, "\n  why: ");
		page_why(&p, e->why);
	}
	if (e->hint[0]) {
		page_raw(&p, "\n  try: ");
		page_add(&p, e->hint, strlen(e->hint));
	}
	page_raw(&p, "\n");
	fd_write_all(fd, p.text, p.len);
}

static unsigned char *
put_be(unsigned char *out, uint32_t v, int bytes)
{
	while (bytes-- > 0)
		*out++ = (unsigned char)(v >> (8 * bytes));
	return out;
}

static unsigned char *
put_text(unsigned char *out, const char *s, size_t size)
{
	size_t n = strnlen(s, size - 1);

	out = put_be(out, (uint32_t)n, 2);
	memcpy(out, s, n);
	return out + n;
}

size_t
err_encode(const struct err *e, unsigned char out[ERR_WIRE_MAX])
{
	unsigned char *p = out;

	_Static_assert(
	    2 + 4 + 3 * 2 + sizeof(e->what) + sizeof(e->why) + sizeof(e->hint) <= ERR_WIRE_MAX,
	    "an error fits its wire form");
	p = put_be(p, (uint32_t)e->code, 2);
	p = put_be(p, (uint32_t)e->sys, 4);
	p = put_text(p, e->what, sizeof(e->what));
	p = put_text(p, e->why, sizeof(e->why));
	p = put_text(p, e->hint, sizeof(e->hint));
	return (size_t)(p - out);
}

static void
get_text(struct rd *r, char *dst, size_t size)
{
	size_t n = rd_u16(r);
	const unsigned char *p = n < size ? rd_bytes(r, n) : NULL;

	if (!p || memchr(p, '\0', n)) {
		r->bad = true;
		return;
	}
	memcpy(dst, p, n);
	dst[n] = '\0';
}

bool
err_decode(struct err *e, const unsigned char *in, size_t len)
{
	struct rd r = {.p = in, .n = len};
	unsigned code = rd_u16(&r);

	memset(e, 0, sizeof(*e));
	e->sys = (int)rd_u32(&r);
	get_text(&r, e->what, sizeof(e->what));
	get_text(&r, e->why, sizeof(e->why));
	get_text(&r, e->hint, sizeof(e->hint));
	if (r.bad || r.n || code >= ERR_CODE_COUNT) {
		memset(e, 0, sizeof(*e));
		return false;
	}
	e->code = (enum err_code)code;
	return true;
}
