/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * To compile a runtime's default profile takes the library ten milliseconds and
 * more, which is longer than the rest of an entry.  The program is kept by the
 * digest of everything that it is made from, in one of a few files: root's
 * alone, and worth nothing when anything about them is wrong.
 */
#include "target/seccomp.h"

#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/sha256.h"

#define MAGIC "coralsc1"
#define SLOTS 16
#define BODY_MAX (SC_INSNS_MAX * sizeof(struct sock_filter))
#define HEAD (8 + 2 * SHA256_SIZE + 4)

static void
digest_u64(struct sha256 *h, uint64_t v)
{
	sha2_update(h, &v, sizeof(v));
}

static int
key_of(const struct sc_profile *p, unsigned char key[SHA256_SIZE])
{
	const struct scmp_version *v = seccomp_version();
	struct sha256 h;

	sha2_init(&h);
	sha2_update(&h, MAGIC, 8);
	digest_u64(&h, v ? (uint64_t)v->major << 32 | v->minor << 16 | v->micro : 0);
	digest_u64(&h, seccomp_arch_native());
	digest_u64(&h, (uint64_t)p->action << 32 | p->flags);
	digest_u64(&h, p->narchs);
	sha2_update(&h, p->arch, p->narchs * sizeof(p->arch[0]));
	for (size_t i = 0; i < p->n; i++) {
		const struct sc_rule *r = &p->rule[i];

		sha2_update(&h, r->name, strlen(r->name) + 1);
		digest_u64(&h, (uint64_t)r->action << 32 | r->nargs);
		for (size_t k = 0; k < r->nargs; k++) {
			digest_u64(&h, (uint64_t)r->arg[k].index << 32 | (uint32_t)r->arg[k].op);
			digest_u64(&h, r->arg[k].value);
			digest_u64(&h, r->arg[k].two);
		}
	}
	return sha2_final(&h, key);
}

static int
digest(const void *p, size_t n, unsigned char out[SHA256_SIZE])
{
	struct sha256 h;

	sha2_init(&h);
	sha2_update(&h, p, n);
	return sha2_final(&h, out);
}

static int
open_slot_dir(const char *path)
{
	auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (dir < 0 || fstat(dir, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022))
		return -1;
	return steal_fd(&dir);
}

static bool
parse(const unsigned char *p, size_t n, const unsigned char key[SHA256_SIZE], unsigned flags,
    struct sc_set *out)
{
	unsigned char sum[SHA256_SIZE];
	struct rd r = {.p = p, .n = n};
	const unsigned char *magic = rd_bytes(&r, 8), *whose = rd_bytes(&r, SHA256_SIZE),
			    *want = rd_bytes(&r, SHA256_SIZE);
	uint32_t len = rd_u32(&r);

	if (r.bad || memcmp(magic, MAGIC, 8) != 0 || memcmp(whose, key, SHA256_SIZE) != 0 ||
	    len != r.n || len % sizeof(struct sock_filter) != 0 || digest(r.p, r.n, sum) < 0 ||
	    memcmp(sum, want, SHA256_SIZE) != 0)
		return false;
	return sc_set_add(out, (const struct sock_filter *)(const void *)r.p,
		   len / sizeof(struct sock_filter), flags) == 0;
}

static bool
load(int dir, const char *name, const unsigned char key[SHA256_SIZE], unsigned flags,
    struct sc_set *out)
{
	struct stat st;
	struct buf b;
	bool good = false;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_uid != geteuid() || (st.st_mode & 077))
		return false;
	buf_init(&b, HEAD + BODY_MAX);
	if (fd_read_file(dir, name, HEAD + BODY_MAX, &b) == 0)
		good = parse(buf_head(&b), b.len, key, flags, out);
	buf_fini(&b);
	return good;
}

/* Best effort: what cannot be kept is compiled again. */
static void
save(int dir, const char *name, const unsigned char key[SHA256_SIZE], const struct sc_filter *f)
{
	unsigned char sum[SHA256_SIZE];
	size_t bytes = f->n * sizeof(*f->insn);
	struct buf b;

	buf_init(&b, HEAD + BODY_MAX);
	if (digest(f->insn, bytes, sum) == 0 && buf_put(&b, MAGIC, 8) == 0 &&
	    buf_put(&b, key, SHA256_SIZE) == 0 && buf_put(&b, sum, SHA256_SIZE) == 0 &&
	    buf_put_u32(&b, (uint32_t)bytes) == 0 && buf_put(&b, f->insn, bytes) == 0)
		fd_replace_file(dir, name, buf_head(&b), b.len);
	buf_fini(&b);
}

int
sc_compile_kept(const struct sc_profile *p, const char *dir, struct sc_set *out, struct err *e)
{
	unsigned char key[SHA256_SIZE];
	auto_close int fd = dir && *dir ? open_slot_dir(dir) : -1;
	char name[32];

	if (fd < 0 || key_of(p, key) < 0)
		return sc_compile(p, out, e);
	snprintf(name, sizeof(name), "filter-%u", key[0] % SLOTS);
	if (load(fd, name, key, p->flags, out))
		return 0;
	if (sc_compile(p, out, e) < 0)
		return -1;
	save(fd, name, key, &out->v[out->n - 1]);
	return 0;
}
