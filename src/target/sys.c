/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/str.h"

#define SETTLED_S 5

int
tgt_sys_open(struct tgt_sys *s, const char *proc_root, const char *cache, struct err *e)
{
	const char *path = proc_root && *proc_root ? proc_root : "/proc";
	struct statfs fs;

	memset(s, 0, sizeof(*s));
	s->proc = -1;
	s->settled = SETTLED_S;
	if (str_copy(s->proc_path, path, sizeof(s->proc_path)) >= sizeof(s->proc_path) ||
	    (cache && str_copy(s->cache, cache, sizeof(s->cache)) >= sizeof(s->cache))) {
		err_set(e, ERR_CONFIG, ENAMETOOLONG, "cannot use %s", path);
		return err_hint(e, "give shorter paths");
	}
	s->proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->proc < 0 || fstatfs(s->proc, &fs) < 0) {
		err_set(e, ERR_CONFIG, errno, "cannot open the process table %s", path);
		err_hint(e, "mount a procfs there, or name another with --proc-root DIR");
		tgt_sys_close(s);
		return -1;
	}
	s->standin = fs.f_type != PROC_SUPER_MAGIC;
	return 0;
}

void
tgt_sys_close(struct tgt_sys *s)
{
	fd_close(&s->proc);
}

void
tgt_list_fini(struct tgt_list *l)
{
	free(l->v);
	l->v = NULL;
	l->n = 0;
}
