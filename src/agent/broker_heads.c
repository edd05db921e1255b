/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process that sends the head of the audit log away: forked at intervals, and soon gone. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/broker_int.h"
#include "agent/heads.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#define SENT_FILE "head.sent" /* in the log's directory: the last hash that was taken */
#define FIRST_NS (2 * NS_PER_S)
#define RETRY_NS (60 * NS_PER_S)
#define ALL_SECONDS 60
#define FILES_MAX 64

static bool
is_sent(int fd, const char *hash)
{
	char had[AUDIT_HASH_SIZE] = "";

	return pread(fd, had, AUDIT_HASH_SIZE - 1, 0) == AUDIT_HASH_SIZE - 1 &&
	       strcmp(had, hash) == 0;
}

/* Names and certificates are still to be looked up: it keeps the system's root, and no rights in
 * it.
 */
static int
drop_rights(const struct tp_sandbox *ids)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};
	struct rlimit files = {FILES_MAX, FILES_MAX}, no = {0, 0};

	if (setrlimit(RLIMIT_NOFILE, &files) < 0 || setrlimit(RLIMIT_CORE, &no) < 0)
		return -1;
	if (ids->enabled &&
	    (setgroups(0, NULL) < 0 || setresgid(ids->gid, ids->gid, ids->gid) < 0 ||
		setresuid(ids->uid, ids->uid, ids->uid) < 0))
		return -1;
	/* The change of uid takes the signal away. */
	if (syscall(SYS_capset, &head, none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int
send_head(const struct broker *b, const struct audit_top *top, struct err *e)
{
	const char *node = getenv("NODE_NAME"), *to = b->conf->heads;
	struct utsname u = {0};
	struct heads_from from = {.environment = b->conf->environment};

	uname(&u);
	from.node = node && *node ? node : u.nodename;
	if (strcmp(to, "syslog") == 0)
		return heads_syslog("/dev/log", top, &from, e);
	if (drop_rights(&b->sandbox) < 0)
		return err_set(
		    e, ERR_PRIVILEGE, errno, "cannot send the log's head without rights");
	return heads_post(to, top, &from, e);
}

static int
do_send(const struct broker *b, struct err *e)
{
	char path[sizeof b->audit.dir + 16];
	struct audit_top top;
	auto_close int fd = -1;
	int rc;

	fd_close_from(3, NULL, 0);
	snprintf(path, sizeof path, "%s/" SENT_FILE, b->audit.dir);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, ERR_IO, errno, "cannot open %s", path);
	rc = audit_top(b->audit.dir, &top, e);
	if (rc < 0)
		return -1;
	if (rc == 0 || is_sent(fd, top.hash))
		return 0;
	if (send_head(b, &top, e) < 0)
		return -1;
	return pwrite(fd, top.hash, AUDIT_HASH_SIZE - 1, 0) < 0
		   ? err_set(e, ERR_IO, errno, "cannot write %s", path)
		   : 0;
}

static _Noreturn void
become_sender(const struct broker *b)
{
	struct err e = {0};
	sigset_t none;

	prctl(PR_SET_NAME, "coral-heads");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	log_open("heads", LOG_LV_WARN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(ALL_SECONDS);
	if (do_send(b, &e) == 0)
		_exit(0);
	log_error_of(&e, "sending the head of the audit log away");
	_exit(1);
}

static void
send_now(void *arg)
{
	struct broker *b = arg;
	pid_t pid = fork();

	if (pid == 0)
		become_sender(b);
	if (broker_work_watch(b, pid, WORK_HEADS) == 0)
		return;
	log_err("cannot start the process that sends the head of the audit log away");
	broker_heads_ended(b, 1);
}

void
broker_heads_start(struct broker *b)
{
	int64_t first = b->conf->heads_ns;

	if (first > FIRST_NS)
		first = FIRST_NS;
	if (b->conf->heads[0])
		loop_timer_set(b->loop, &b->t_heads, first, send_now, b);
}

void
broker_heads_ended(struct broker *b, int status)
{
	int64_t next = b->conf->heads_ns;

	if (WIFSIGNALED(status) && !b->stopping)
		log_err("sending the head of the audit log away took too long");
	if (status != 0 && next > RETRY_NS)
		next = RETRY_NS;
	if (!b->stopping)
		loop_timer_set(b->loop, &b->t_heads, next, send_now, b);
}
