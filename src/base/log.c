/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/redact.h"
#include "base/str.h"

#define MSG_MAX 2560  /* as formatted */
#define TEXT_MAX 5120 /* made harmless */
#define OUT_MAX (2 * TEXT_MAX + 512)

static const char *log_who = "coral";
static enum log_level log_max = LOG_LV_INFO;
static int log_json = -1; /* -1: not looked yet */
static char log_session[128];

void
log_open(const char *who, enum log_level max)
{
	log_who = who;
	log_max = max;
	log_json = !isatty(STDERR_FILENO);
}

void
log_context(const char *session_id)
{
	str_vis(log_session, sizeof(log_session), session_id ? session_id : "");
}

/* Text that str_vis() wrote: no control characters are left, only these two matter. */
static size_t
put_json(char *dst, size_t at, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			dst[at++] = '\\';
		dst[at++] = *s;
	}
	return at;
}

static size_t
put_raw(char *dst, size_t at, const char *s)
{
	size_t n = strlen(s);

	memcpy(dst + at, s, n);
	return at + n;
}

static size_t
make_json(char line[OUT_MAX], const char *level, const char *when, const char *text)
{
	size_t n = put_raw(line, 0, "{\"time\":\"");

	n = put_raw(line, n, when);
	n = put_raw(line, n, "\",\"level\":\"");
	n = put_raw(line, n, level);
	n = put_raw(line, n, "\",\"who\":\"");
	n = put_raw(line, n, log_who);
	if (log_session[0]) {
		n = put_raw(line, n, "\",\"session\":\"");
		n = put_json(line, n, log_session);
	}
	n = put_raw(line, n, "\",\"msg\":\"");
	n = put_json(line, n, text);
	return put_raw(line, n, "\"}\n");
}

static size_t
make_text(char line[OUT_MAX], const char *level, const char *when, const char *text)
{
	int n = snprintf(line, OUT_MAX, "%s %s %s: %s%s%s%s\n", when, log_who, level,
	    log_session[0] ? "[" : "", log_session, log_session[0] ? "] " : "", text);

	return n < 0 ? 0 : (size_t)n;
}

static void
emit(enum log_level lv, const char *msg)
{
	static const char *const levels[] = {"error", "warn", "info", "debug"};
	char text[TEXT_MAX], line[OUT_MAX], when[CLOCK_ISO_SIZE];
	size_t n;
	ssize_t put;

	if (log_json < 0)
		log_json = !isatty(STDERR_FILENO);
	str_vis(text, sizeof(text), msg);
	clock_iso(clock_real(), when);
	n = log_json ? make_json(line, levels[lv], when, text)
		     : make_text(line, levels[lv], when, text);
	/* One write and no waiting: a reader that is stuck must not stop a daemon. */
	do {
		put = write(STDERR_FILENO, line, n);
	} while (put < 0 && errno == EINTR);
}

static void vlog(enum log_level lv, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

static void
vlog(enum log_level lv, const char *fmt, va_list ap)
{
	int saved = errno;
	char msg[MSG_MAX], shown[MSG_MAX];

	if (lv <= log_max) {
		vsnprintf(msg, sizeof(msg), fmt, ap);
		redact_sentence(shown, sizeof(shown), msg);
		emit(lv, shown);
	}
	errno = saved;
}

#define LOG_AT(name, lv)                                                                           \
	void name(const char *fmt, ...)                                                            \
	{                                                                                          \
		va_list ap;                                                                        \
                                                                                                   \
		va_start(ap, fmt);                                                                 \
		vlog(lv, fmt, ap);                                                                 \
		va_end(ap);                                                                        \
	}

LOG_AT(log_err, LOG_LV_ERR)
LOG_AT(log_warn, LOG_LV_WARN)
LOG_AT(log_info, LOG_LV_INFO)
LOG_AT(log_debug, LOG_LV_DEBUG)

void
log_error_of(const struct err *e, const char *doing)
{
	char why[sizeof(e->why)];
	size_t i;

	/* One line: the facts of an error may be a list. */
	str_copy(why, e->why, sizeof(why));
	for (i = 0; why[i]; i++) {
		if (why[i] == '\n')
			why[i] = ';';
	}
	log_err("%s: %s%s%s (%s)", doing, e->what, why[0] ? ": " : "", why, err_name(e->code));
}
