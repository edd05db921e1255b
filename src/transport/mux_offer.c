/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/mux_int.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "transport/sandbox_int.h"

#define STREAM_BYTES (1 << 20)
#define STAT_MAX 4096
/* Of address space: several times what 16 channels may hold; threads reserve much that they do not
 * use. */
#define MEMORY_MAX (1UL << 30)
#define ARG_START 48 /* proc_pid_stat(5), counted from 1 */
#define ENV_END 51

/* The directory above may be the agent's, which others pass through (0755). */
static int
make_dir(struct mux *m)
{
	char above[4096];
	char *slash;

	if (m->dir >= 0)
		return 0;
	if (str_copy(above, m->path, sizeof(above)) >= sizeof(above))
		return -1;
	slash = strrchr(above, '/');
	if (!slash || slash == above)
		return -1;
	*slash = '\0';
	if (fd_make_dir(above, geteuid() == 0 ? 0755 : 0700, NULL) < 0 ||
	    (mkdir(m->path, 0700) < 0 && errno != EEXIST))
		return -1;
	m->dir = mux_dir_open(m->path, &m->unsafe);
	return m->dir < 0 ? -1 : 0;
}

/* Two that offer at once: the second one finds the lock held, or a master there. */
static int
take_place(struct mux *m, struct stat *st)
{
	int other, listener = -1;

	if (flock(m->dir, LOCK_EX | LOCK_NB) < 0)
		return -1;
	other = m->replace ? -1 : mux_dial(m->dir, m->key->name);
	if (other < 0)
		listener = mux_listen(m->dir, m->key->name, st);
	fd_close(&other);
	flock(m->dir, LOCK_UN);
	return listener;
}

/* Where ps(1) and /proc show arguments and environment: on the stack, and ours to clear. */
static void
forget_arguments(void)
{
	static const char name[] = "coral-master";
	uintptr_t at[ENV_END + 1] = {0};
	struct buf b;
	char *p;

	buf_init(&b, STAT_MAX);
	if (fd_read_file(AT_FDCWD, "/proc/self/stat", STAT_MAX - 1, &b) == 0 &&
	    (p = buf_cstr(&b)) && (p = strrchr(p, ')'))) {
		for (int i = 3; i <= ENV_END && *p; i++) {
			p += strcspn(p, " ");
			p += *p == ' ';
			at[i] = (uintptr_t)strtoull(p, NULL, 10);
		}
	}
	buf_fini(&b);
	if (at[ARG_START] == 0 || at[ENV_END] < at[ARG_START] + sizeof(name))
		return;
	environ = NULL;
	explicit_bzero((char *)at[ARG_START], at[ENV_END] - at[ARG_START]);
	memcpy((char *)at[ARG_START], name, sizeof(name));
}

/* What an agent makes a master hold for hours is not all that its machine has. */
static void
limit_memory(void)
{
	struct rlimit rl;

	/* ASan's shadow alone is terabytes of address space. */
	if (SANDBOX_ASAN || getrlimit(RLIMIT_AS, &rl) < 0)
		return;
	rl.rlim_max = rl.rlim_max < MEMORY_MAX ? rl.rlim_max : MEMORY_MAX;
	rl.rlim_cur = rl.rlim_cur < rl.rlim_max ? rl.rlim_cur : rl.rlim_max;
	setrlimit(RLIMIT_AS, &rl);
}

/* Nothing of the command's is left: its terminal, files, directory, signals, words. */
static void
become_daemon(struct mux_master *m, int *first)
{
	int keep[] = {m->c->sock, m->listener, m->dir, *first};
	const struct rlimit none = {0, 0};
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t empty;
	int nul;

	setsid();
	nul = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (nul < 0 || dup2(nul, fd) < 0)
			_exit(1);
	fd_close_from(STDERR_FILENO + 1, keep, COUNT_OF(keep));
	for (int s = 1; s < NSIG; s++)
		sigaction(s, &plain, NULL);
	plain.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &plain, NULL);
	sigaction(SIGHUP, &plain, NULL);
	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
	setrlimit(RLIMIT_CORE, &none);
	limit_memory();
	forget_arguments();
	prctl(PR_SET_NAME, "coral-master");
	prctl(PR_SET_DUMPABLE, 0);
	if (chdir("/") < 0)
		_exit(1);
}

static _Noreturn void
become_master(struct mux_master *m, int first)
{
	become_daemon(m, &first);
	mux_master_main(m, first);
}

void
mux_offer(struct mux *m, struct tp_client *c, int64_t idle_ns)
{
	static struct mux_master master;
	int pair[2] = {-1, -1}, listener = -1;
	struct stat st;
	pid_t pid = -1;

	if (m->alone || make_dir(m) < 0)
		return;
	if (fd_socketpair(SOCK_STREAM, STREAM_BYTES, pair) == 0)
		listener = take_place(m, &st);
	if (listener >= 0) {
		master = (struct mux_master){.c = c,
		    .listener = listener,
		    .dir = m->dir,
		    .key = m->key,
		    .sock = st,
		    .idle_ns = idle_ns};
		pid = fork();
	}
	if (pid == 0) {
		fd_close(&pair[0]);
		become_master(&master, pair[1]);
	}
	if (pid < 0 && listener >= 0)
		mux_unlink(m->dir, m->key->name, &st);
	fd_close(&pair[1]);
	fd_close(&listener);
	if (pid > 0)
		client_plain_take(c, pair[0]);
	else
		fd_close(&pair[0]);
}
