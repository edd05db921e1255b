/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/seccomp.h"

#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fd.h"

/* Below, the library's search tree costs more than it saves; with no rule at all 2.5.4's is
 * wrong. */
#define TREE_FROM 32

static int
failed(struct err *e, const char *what, const char *name, int rc)
{
	err_set(e, ERR_BAD_FILE, -rc, "the seccomp profile cannot be compiled");
	return err_why(e, "%s%s%.64s: %s", what, name ? " " : "", name ? name : "",
	    strerrordesc_np(-rc) ? strerrordesc_np(-rc) : "refused");
}

static bool
compares_twice(const struct sc_rule *r)
{
	unsigned seen = 0;

	for (size_t i = 0; i < r->nargs; i++) {
		if (seen & (1U << r->arg[i].index))
			return true;
		seen |= 1U << r->arg[i].index;
	}
	return false;
}

static int
add_rule(scmp_filter_ctx ctx, const struct sc_rule *r, int nr)
{
	struct scmp_arg_cmp cmp[SC_ARGS_MAX];
	int rc;

	for (size_t i = 0; i < r->nargs; i++)
		cmp[i] = (struct scmp_arg_cmp){.arg = r->arg[i].index,
		    .op = (enum scmp_compare)r->arg[i].op,
		    .datum_a = r->arg[i].value,
		    .datum_b = r->arg[i].two};
	if (!compares_twice(r))
		return seccomp_rule_add_array(ctx, r->action, nr, (unsigned)r->nargs, cmp);
	/* The library wants each argument once; the runtimes make a rule of each comparison. */
	for (size_t i = 0; i < r->nargs; i++) {
		rc = seccomp_rule_add_array(ctx, r->action, nr, 1, &cmp[i]);
		if (rc < 0 && rc != -EEXIST)
			return rc;
	}
	return 0;
}

static int
add_rules(scmp_filter_ctx ctx, const struct sc_profile *p, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct sc_rule *r = &p->rule[i];
		int nr, rc;

		if (r->action == p->action)
			continue;
		nr = seccomp_syscall_resolve_name(r->name);
		if (nr == __NR_SCMP_ERROR)
			continue;
		rc = add_rule(ctx, r, nr);
		if (rc < 0 && rc != -EEXIST)
			return failed(e, "the rule for", r->name, rc);
	}
	return 0;
}

/* The library writes to descriptors only, in this release. */
static int
take_out(scmp_filter_ctx ctx, struct buf *out, struct err *e)
{
	auto_close int fd = memfd_create("filter", MFD_CLOEXEC);
	struct stat st;
	ssize_t n;
	int rc;

	if (fd < 0)
		return failed(e, "no memory file", NULL, -errno);
	rc = seccomp_export_bpf(ctx, fd);
	if (rc < 0)
		return failed(e, "the program", NULL, rc);
	if (fstat(fd, &st) < 0 || st.st_size <= 0 ||
	    (size_t)st.st_size > SC_INSNS_MAX * sizeof(struct sock_filter) ||
	    (size_t)st.st_size % sizeof(struct sock_filter) != 0)
		return failed(e, "the program is too long", NULL, -EFBIG);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return failed(e, "no memory file", NULL, -errno);
	while ((n = buf_read_fd(out, fd, (size_t)st.st_size)) > 0)
		;
	return out->len == (size_t)st.st_size ? 0 : failed(e, "no memory file", NULL, -EIO);
}

static int
keep(const struct sc_profile *p, const struct buf *b, struct sc_set *out, struct err *e)
{
	struct sock_filter stub[SC_STUB_MAX];
	size_t nstub = sc_stub(p, stub);

	if (sc_set_add(out, (const struct sock_filter *)(const void *)buf_head(b),
		b->len / sizeof(struct sock_filter), p->flags) < 0)
		return failed(e, "the program", NULL, -errno);
	if (nstub && sc_prepend(&out->v[out->n - 1], stub, nstub) < 0) {
		free(out->v[--out->n].insn);
		return failed(e, "the program", NULL, -errno);
	}
	return 0;
}

int
sc_compile(const struct sc_profile *p, struct sc_set *out, struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(p->action);
	struct buf b;
	int rc = -1;

	if (!ctx)
		return failed(e, "the default action", NULL, -EINVAL);
	buf_init(&b, SC_INSNS_MAX * sizeof(struct sock_filter) + 8);
	/* What cannot be added is of another byte order, and cannot call this kernel. */
	for (size_t i = 0; i < p->narchs; i++)
		seccomp_arch_add(ctx, p->arch[i]);
	if (p->n > TREE_FROM)
		seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (add_rules(ctx, p, e) == 0 && take_out(ctx, &b, e) == 0)
		rc = keep(p, &b, out, e);
	buf_fini(&b);
	seccomp_release(ctx);
	return rc;
}
