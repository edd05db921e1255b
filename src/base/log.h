/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_LOG_H
#define CORAL_BASE_LOG_H

/*
 * The operational log of the daemons, on stderr: text on a terminal, JSON
 * lines otherwise.  Never keystrokes, environments, keys or tokens.  All text
 * is made harmless (str_vis) before it is written.  Not the audit trail.
 */
#include "base/attr.h"
#include "base/err.h"

enum log_level { LOG_LV_ERR, LOG_LV_WARN, LOG_LV_INFO, LOG_LV_DEBUG };

void log_open(const char *who, enum log_level max); /* who: "broker", "keeper" ...; static string */
void log_context(const char *session_id);	    /* copied; NULL clears */
void log_err(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* One line for an error someone else made. */
void log_error_of(const struct err *e, const char *doing);

#endif
