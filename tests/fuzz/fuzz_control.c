/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include "session/control_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What a keeper takes for a question says the same when it is asked again. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct control_ask a, again;
	struct err e = {0};
	struct buf b;

	if (control_decode(&a, p, n) < 0)
		return 0;
	if (memchr(a.who.user, 0, sizeof a.who.user) == NULL || a.stream != -1)
		abort();
	buf_init(&b, CONTROL_ASK_MAX);
	if (control_encode(&a, &b, &e) == 0) {
		if (control_decode(&again, buf_head(&b), b.len) < 0 ||
		    strcmp(a.who.user, again.who.user) != 0 || strcmp(a.peer, again.peer) != 0 ||
		    a.who.uid != again.who.uid || a.who.root != again.who.root ||
		    a.req.verb != again.req.verb || strcmp(a.req.id, again.req.id) != 0)
			abort();
		control_ask_fini(&again);
	}
	buf_fini(&b);
	control_ask_fini(&a);
	return 0;
}
