/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nothing found because nothing can be seen is another answer than nothing. */
#include "target/scan.h"

#include <errno.h>

#include "base/attr.h"
#include "target/caps.h"

int
scan_check_sight(const struct tgt_sys *s, struct err *e)
{
	auto_close int init = proc_open(s->proc, 1);

	/* Containers are told apart by namespaces; of others' processes these are seen with a
	 * capability: ptrace(2), PTRACE_MODE_READ. */
	if (init < 0 || proc_ns(init, "mnt") || (errno != EACCES && errno != EPERM))
		return 0;
	err_set(e, ERR_PRIVILEGE, errno, "cannot tell which processes are in containers");
	return caps_why(e, CAP_BIT(CAP_SYS_PTRACE));
}
