/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/broker_int.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "target/target.h"

#define FILES_WANTED (2 * BROKER_CONNS + BROKER_SESSIONS + 64)
/* In a container the agent's end is the container's, and every keeper's with it. */
#define FAREWELL_NS (20 * NS_PER_S)
#define QUIET_NS (3 * NS_PER_S)

/* Pid 1, or in a pod that shares its pid namespace the process whose parent is outside of it. */
static bool
is_containers_first(void)
{
	return getpid() == 1 || getppid() == 0;
}

static int
prepare_dirs(const struct conf *c, struct err *e)
{
	if (fd_make_dir(c->state_dir, 0700, e) < 0)
		return -1;
	return fd_make_dir(c->runtime_dir, 0755, e);
}

static int
load_policy(struct broker *b, struct err *e)
{
	char path[sizeof b->conf->config_dir + 16];
	struct policy *fresh;

	snprintf(path, sizeof path, "%s/policy.yaml", b->conf->config_dir);
	fresh = policy_load(path, e);
	if (!fresh)
		return -1;
	policy_free(b->policy);
	b->policy = fresh;
	return 0;
}

static int
load_hostkey(struct broker *b, struct err *e)
{
	char path[sizeof b->conf->state_dir + 16];

	snprintf(path, sizeof path, "%s/host_key", b->conf->state_dir);
	return hostkey_load(&b->hostkey, path, e);
}

/* What every session would stumble over is said at the start. */
static int
check_proc(const struct conf *c, struct err *e)
{
	struct tgt_sys sys;
	bool standin;

	if (tgt_sys_open(&sys, c->proc_root, NULL, e) < 0)
		return -1;
	standin = sys.standin;
	tgt_sys_close(&sys);
	if (!standin)
		return 0;
	err_set(e, ERR_CONFIG, 0, "cannot use the process table %s", c->proc_root);
	err_why(e, "it is not a procfs");
	return err_hint(e, "mount a procfs there, or name another with --proc-root DIR");
}

/* Keys that cannot be read would let nobody in over TCP, and nobody would be told. */
static int
check_keys(const struct broker *b, struct err *e)
{
	const char *path = b->conf->authorized_keys, *listed = policy_keys(b->policy);
	char usual[sizeof b->conf->config_dir + 32];
	struct authkeys keys = {0};
	int rc;

	if (listed[0] && authkeys_parse(&keys, listed, strlen(listed), "policy.yaml", e) < 0)
		return -1;
	authkeys_fini(&keys);
	snprintf(usual, sizeof usual, "%s/authorized_keys", b->conf->config_dir);
	if (strcmp(path, usual) == 0 && access(path, F_OK) < 0 && errno == ENOENT) {
		if (!listed[0])
			log_warn("nobody can log in over TCP: there is no %s, and no key in "
				 "policy.yaml",
			    path);
		return 0;
	}
	rc = path[0] ? authkeys_load(&keys, path, e) : 0;
	authkeys_fini(&keys);
	return rc;
}

static int
take_lock(struct broker *b, struct err *e)
{
	char path[sizeof b->conf->socket + 8];

	snprintf(path, sizeof path, "%s.lock", b->conf->socket);
	b->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (b->lock < 0)
		return err_set(e, ERR_IO, errno, "cannot open the lock %s", path);
	if (flock(b->lock, LOCK_EX | LOCK_NB) < 0) {
		err_set(e, ERR_LIMIT, 0, "an agent is already running");
		err_why(e, "it holds %s", path);
		return err_hint(e, "coral agent status, or give this one another --socket");
	}
	return 0;
}

static void
stop(struct broker *b, int signo)
{
	log_info("stopping on signal %d", signo);
	b->stopping = true;
	broker_unlisten(b);
	if (is_containers_first())
		broker_work_stop_all(b);
	else
		loop_stop(b->loop);
}

static void
signalled(void *arg, short revents)
{
	struct broker *b = arg;
	struct signalfd_siginfo si;
	struct err e = {0};

	(void)revents;
	if (read(b->signal_fd, &si, sizeof si) != (ssize_t)sizeof si)
		return;
	if (si.ssi_signo == SIGCHLD) {
		broker_reap(b);
		return;
	}
	if (si.ssi_signo != SIGHUP) {
		stop(b, (int)si.ssi_signo);
		return;
	}
	if (load_policy(b, &e) < 0)
		log_error_of(&e, "reading the policy again; the old one stays in force");
	else
		log_info("policy read again");
	broker_prune_plan(b);
}

static int
watch_signals(struct broker *b, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (getpid() == 1)
		sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A limit on file sizes is an error to tell, as a full disk is. */
	signal(SIGXFSZ, SIG_IGN);
	b->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (b->signal_fd < 0)
		return err_set(e, ERR_INTERNAL, errno, "cannot watch for signals");
	b->signal_src = loop_add_in(b->loop, b->signal_fd, signalled, b);
	return 0;
}

/* Two for a connection, one for a session; a service manager's soft limit is 1024. */
static void
raise_files(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur >= FILES_WANTED)
		return;
	rl.rlim_cur = rl.rlim_max < FILES_WANTED ? rl.rlim_max : FILES_WANTED;
	setrlimit(RLIMIT_NOFILE, &rl);
}

static int
broker_init(struct broker *b, const struct conf *c, struct err *e)
{
	*b = (struct broker){.conf = c,
	    .lock = -1,
	    .unix_sock = -1,
	    .tcp_sock = -1,
	    .signal_fd = -1,
	    .audit = {.pidfd = -1, .listener = -1, .out = -1},
	    .group = (gid_t)-1};
	prctl(PR_SET_DUMPABLE, 0);
	raise_files();
	b->loop = loop_new();
	if (!b->loop)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot start");
	if (prepare_dirs(c, e) < 0 || load_policy(b, e) < 0 || load_hostkey(b, e) < 0 ||
	    broker_evidence_load(b, e) < 0 || tp_sandbox_init(&b->sandbox, c->runtime_dir, e) < 0)
		return -1;
	tp_server_prepare();
	mem_learn();
	return watch_signals(b, e);
}

static void
broker_fini(struct broker *b)
{
	tp_sandbox_fini(&b->sandbox);
	policy_free(b->policy);
	hostkey_fini(&b->hostkey);
	keyfile_fini(&b->evidence_key);
	fd_close(&b->signal_fd);
	fd_close(&b->lock);
	loop_free(b->loop);
}

static void
give_back(void *arg)
{
	(void)arg;
	mem_trim();
}

void
broker_stir(struct broker *b)
{
	loop_timer_set(b->loop, &b->t_quiet, QUIET_NS, give_back, b);
}

/* In a container: wait for the keepers to seal what they hold.  Else they go on without us, as do
 * the transports, and the next agent finds them. */
static void
let_keepers_finish(struct broker *b)
{
	int64_t until = clock_mono() + FAREWELL_NS;

	while (is_containers_first() && b->worker_count > 0 && clock_mono() < until)
		loop_turn(b->loop, 500);
}

int
broker_serve(const struct conf *c, struct err *e)
{
	static struct broker b;

	prctl(PR_SET_NAME, "coral-broker");
	log_open("broker", LOG_LV_INFO);
	if (check_proc(c, e) < 0 || broker_init(&b, c, e) < 0 ||
	    (c->listen[0] && check_keys(&b, e) < 0) || take_lock(&b, e) < 0)
		return -1;
	b.group = broker_coral_group();
	if (broker_audit_start(&b, is_containers_first(), e) < 0)
		return -1;
	broker_work_adopt(&b);
	if (broker_evidence_publish(&b, e) < 0 || broker_listen_unix(&b, e) < 0 ||
	    (c->listen[0] && broker_listen_tcp(&b, e) < 0)) {
		broker_unlisten(&b);
		broker_audit_stop(&b);
		return -1;
	}
	broker_work_scout(&b);
	broker_archive_start(&b);
	broker_prune_plan(&b);
	broker_heads_start(&b);
	/* Most of what starting took is never needed again. */
	give_back(&b);
	while (!b.stopping)
		loop_turn(b.loop, -1);
	/* Elsewhere they go on without us, and the next agent needs the lock now. */
	if (is_containers_first())
		let_keepers_finish(&b);
	broker_audit_stop(&b);
	broker_fini(&b);
	return 0;
}

int
broker_serve_one(const struct conf *c, int sock, struct err *e)
{
	static struct broker b;
	struct policy_who who = {.user = "root", .uid = geteuid(), .root = true};

	prctl(PR_SET_NAME, "coral-broker");
	log_open("broker", LOG_LV_ERR);
	if (broker_init(&b, c, e) < 0 || broker_evidence_tell(&b, e) < 0)
		return -1;
	b.embedded = true;
	broker_work_adopt(&b);
	broker_conn_start(&b, sock, &who, "embedded");
	while (b.conn_count > 0 || b.worker_count > 0)
		loop_turn(b.loop, -1);
	broker_fini(&b);
	return 0;
}
