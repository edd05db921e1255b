/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SCREEN_ANSWER_H
#define CORAL_SCREEN_ANSWER_H

/*
 * What a terminal answers when a program asks it, and what it tells by itself:
 * it comes where keys come, and nobody typed it.  The shell of busybox asks
 * where the cursor is at each prompt.  Pure.  Forms: ECMA-48, and "XTerm
 * Control Sequences" (Dickey).
 */
#include <stdbool.h>
#include <stddef.h>

/* The length of an answer that stands whole at p, or 0. */
size_t screen_answer(const unsigned char *p, size_t n);
/* Nothing else is there. */
bool screen_answers_only(const unsigned char *p, size_t n);

#endif
