/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Classic BPF as the kernel runs it over a struct seccomp_data: to know before anything is
 * installed what a filter would say.  Jumps go forward only, so a run ends. */
#include "target/seccomp.h"

#include <linux/audit.h>
#include <string.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

struct machine {
	uint32_t a, x, m[BPF_MEMWORDS];
};

static bool
load(struct machine *v, const struct sock_filter *i, const struct seccomp_data *d)
{
	bool into_x = BPF_CLASS(i->code) == BPF_LDX;
	uint32_t value;

	switch (BPF_MODE(i->code)) {
	case BPF_ABS:
		if (i->k > sizeof(*d) - 4 || (i->k & 3))
			return false;
		memcpy(&value, (const char *)d + i->k, 4);
		break;
	case BPF_IMM:
		value = i->k;
		break;
	case BPF_LEN:
		value = sizeof(*d);
		break;
	case BPF_MEM:
		if (i->k >= BPF_MEMWORDS)
			return false;
		value = v->m[i->k];
		break;
	default:
		return false;
	}
	*(into_x ? &v->x : &v->a) = value;
	return true;
}

static bool
calculate(struct machine *v, const struct sock_filter *i)
{
	uint32_t by = BPF_SRC(i->code) == BPF_X ? v->x : i->k;

	switch (BPF_OP(i->code)) {
	case BPF_ADD:
		v->a += by;
		return true;
	case BPF_SUB:
		v->a -= by;
		return true;
	case BPF_MUL:
		v->a *= by;
		return true;
	case BPF_DIV:
		v->a = by ? v->a / by : 0;
		return by != 0;
	case BPF_AND:
		v->a &= by;
		return true;
	case BPF_OR:
		v->a |= by;
		return true;
	case BPF_XOR:
		v->a ^= by;
		return true;
	case BPF_LSH:
		v->a = v->a << (by & 31);
		return true;
	case BPF_RSH:
		v->a = v->a >> (by & 31);
		return true;
	case BPF_NEG:
		v->a = 0U - v->a;
		return true;
	default:
		return false;
	}
}

/* How far to jump, or -1. */
static int64_t
jump(const struct machine *v, const struct sock_filter *i)
{
	uint32_t with = BPF_SRC(i->code) == BPF_X ? v->x : i->k;

	switch (BPF_OP(i->code)) {
	case BPF_JA:
		return i->k;
	case BPF_JEQ:
		return v->a == with ? i->jt : i->jf;
	case BPF_JGT:
		return v->a > with ? i->jt : i->jf;
	case BPF_JGE:
		return v->a >= with ? i->jt : i->jf;
	case BPF_JSET:
		return v->a & with ? i->jt : i->jf;
	default:
		return -1;
	}
}

/* False: no kernel would have taken the program. */
static bool
step(struct machine *v, const struct sock_filter *i, const struct seccomp_data *d, size_t *at)
{
	int64_t far = 0;

	switch (BPF_CLASS(i->code)) {
	case BPF_LD:
	case BPF_LDX:
		if (!load(v, i, d))
			return false;
		break;
	case BPF_ST:
	case BPF_STX:
		if (i->k >= BPF_MEMWORDS)
			return false;
		v->m[i->k] = BPF_CLASS(i->code) == BPF_ST ? v->a : v->x;
		break;
	case BPF_ALU:
		if (!calculate(v, i))
			return false;
		break;
	case BPF_JMP:
		far = jump(v, i);
		break;
	case BPF_MISC:
		if (BPF_MISCOP(i->code) == BPF_TAX)
			v->x = v->a;
		else
			v->a = v->x;
		break;
	}
	*at += (size_t)far + 1;
	return far >= 0;
}

uint32_t
sc_eval(const struct sc_filter *f, const struct seccomp_data *d)
{
	struct machine v = {0};

	for (size_t at = 0; at < f->n;) {
		const struct sock_filter *i = &f->insn[at];

		if (BPF_CLASS(i->code) == BPF_RET)
			return BPF_RVAL(i->code) == BPF_A ? v.a : i->k;
		if (!step(&v, i, d, &at))
			break;
	}
	return SECCOMP_RET_KILL_PROCESS;
}

uint32_t
sc_set_eval(const struct sc_set *s, const struct seccomp_data *d)
{
	uint32_t worst = SECCOMP_RET_ALLOW;

	/* The newest first, and another only when it is stricter: seccomp(2). */
	for (size_t i = s->n; i-- > 0;) {
		uint32_t r = sc_eval(&s->v[i], d);

		if ((int32_t)(r & SECCOMP_RET_ACTION_FULL) <
		    (int32_t)(worst & SECCOMP_RET_ACTION_FULL))
			worst = r;
	}
	return worst;
}

bool
sc_set_permits_call(const struct sc_set *s, int nr, const uint64_t args[6])
{
	struct seccomp_data d = {.nr = nr, .arch = OWN_ARCH, .instruction_pointer = 0x401000};
	uint32_t r;

	memcpy(d.args, args, sizeof(d.args));
	r = sc_set_eval(s, &d) & SECCOMP_RET_ACTION_FULL;
	return r == SECCOMP_RET_ALLOW || r == SECCOMP_RET_LOG;
}

bool
sc_set_permits(const struct sc_set *s, int nr)
{
	uint64_t args[6];

	/* As a pointer, a small number or a length may look. */
	for (size_t i = 0; i < 6; i++)
		args[i] = 0x7ffd0000a000 + 64 * i;
	return sc_set_permits_call(s, nr, args);
}

bool
sc_set_notifies(const struct sc_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->v[i].n; k++) {
			const struct sock_filter *f = &s->v[i].insn[k];

			if (f->code == (BPF_RET | BPF_K) &&
			    (f->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF)
				return true;
		}
	return false;
}
