/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/seccomp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
sc_set_add(struct sc_set *s, const struct sock_filter *insn, size_t n, unsigned flags)
{
	struct sc_filter *f = &s->v[s->n];

	if (s->n == SC_SET_MAX || n == 0 || n > SC_INSNS_MAX) {
		errno = EFBIG;
		return -1;
	}
	f->insn = malloc(n * sizeof(*insn));
	if (!f->insn)
		return -1;
	memcpy(f->insn, insn, n * sizeof(*insn));
	f->n = n;
	f->flags = flags;
	s->n++;
	return 0;
}

void
sc_set_fini(struct sc_set *s)
{
	while (s->n > 0)
		free(s->v[--s->n].insn);
}

int
sc_prepend(struct sc_filter *f, const struct sock_filter *head, size_t n)
{
	/* A program begins with an accumulator of zero, and may count on it. */
	const struct sock_filter zero = BPF_STMT(BPF_LD | BPF_IMM, 0);
	struct sock_filter *both;

	if (f->n + n + 1 > SC_INSNS_MAX) {
		errno = EFBIG;
		return -1;
	}
	both = malloc((f->n + n + 1) * sizeof(*both));
	if (!both)
		return -1;
	memcpy(both, head, n * sizeof(*both));
	both[n] = zero;
	memcpy(both + n + 1, f->insn, f->n * sizeof(*both));
	free(f->insn);
	f->insn = both;
	f->n += n + 1;
	return 0;
}
