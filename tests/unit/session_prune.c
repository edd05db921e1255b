/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is removed, what stays, what the log says of it; and a removal that is killed anywhere. */
#include "audit_util.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "audit/peek.h"
#include "audit/verify.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "base/str.h"
#include "record/store.h"
#include "session/prune.h"
#include "stops.h"

#define DAY (24 * 3600 * NS_PER_S)
#define BYTES 1000

static char state[520];
static char prev[AUDIT_HASH_SIZE];
static int64_t now;

/* The id of a session that began so many days ago. */
static const char *
id_at(int days, char c)
{
	static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
	static char ids[8][STORE_ID_LEN + 1];
	static int at;
	char *id = ids[at++ % 8];
	int64_t ms = (now - days * DAY) / NS_PER_MS;

	memset(id, c, STORE_ID_LEN);
	id[STORE_ID_LEN] = '\0';
	for (int i = 9; i >= 0; i--, ms >>= 5)
		id[i] = letters[ms & 31];
	return id;
}

static const char *
path_of(const char *fmt, const char *a, const char *b)
{
	static char path[600];
	size_t n = (size_t)snprintf(path, sizeof path, "%s/", state);

	snprintf(path + n, sizeof path - n, "%s%s%s%s", fmt, a, b ? "/" : "", b ? b : "");
	return path;
}

static void
fresh(const char *name)
{
	snprintf(state, sizeof state, "%s", rec_path(name));
	memcpy(prev, AUDIT_GENESIS, sizeof prev);
	mkdir(state, 0700);
	mkdir(path_of("sessions", "", NULL), 0700);
	mkdir(path_of("audit", "", NULL), 0700);
}

/* A record of that age at the end of a file of the log. */
static void
put(const char *file, const char *event, const char *id, int days)
{
	json_t *rec = audit_record_new(event);
	int fd = open(path_of("audit/", file, NULL), O_WRONLY | O_CREAT | O_APPEND, 0600);
	struct buf line;

	audit_set_text(rec, "session_id", id);
	buf_init(&line, AUDIT_LINE_MAX);
	audit_line(rec, now - days * DAY, prev, &line, prev, NULL);
	fd_write_all(fd, buf_head(&line), line.len);
	buf_fini(&line);
	json_decref(rec);
	close(fd);
}

static const char *
make_session(int days, char c)
{
	static char text[BYTES];
	const char *id = id_at(days, c);
	char cast[40];
	int fd;

	memset(text, 'x', sizeof text);
	snprintf(cast, sizeof cast, "%s.cast", id);
	mkdir(path_of("sessions/", id, NULL), 0700);
	fd = open(path_of("sessions/", id, "lock"), O_WRONLY | O_CREAT, 0600);
	close(fd);
	fd = open(path_of("sessions/", id, cast), O_WRONLY | O_CREAT, 0600);
	fd_write_all(fd, text, sizeof text);
	close(fd);
	return id;
}

static void
age_file(const char *id, int days)
{
	struct timespec t = {.tv_sec = (now - days * DAY) / NS_PER_S};
	struct timespec both[2] = {t, t};
	char cast[40];

	snprintf(cast, sizeof cast, "%s.cast", id);
	utimensat(AT_FDCWD, path_of("sessions/", id, cast), both, 0);
}

static bool
is_there(const char *id)
{
	char cast[40];
	struct stat st;

	snprintf(cast, sizeof cast, "%s.cast", id);
	return stat(path_of("sessions/", id, cast), &st) == 0 && st.st_size == BYTES &&
	       access(path_of("sessions/", id, "lock"), F_OK) == 0;
}

static bool
is_gone(const char *id)
{
	return access(path_of("sessions/", id, NULL), F_OK) < 0;
}

static struct prune_sum
prune(struct policy_retention keep)
{
	static struct conf conf;
	struct prune_job job = {.conf = &conf, .keep = keep};
	struct prune_sum sum = {0};
	struct err e = {0};

	str_copy(conf.state_dir, state, sizeof conf.state_dir);
	ok(prune_run(&job, &sum, &e) == 0, "pruned %s %s", e.what, e.why);
	return sum;
}

/* How often the log says that this was removed; the last reason. */
static int
told(const char *event, const char *id, char *reason, size_t size)
{
	struct err e = {0};
	struct audit_reader *r = audit_read_open(path_of("audit", "", NULL), &e);
	struct audit_entry x;
	int n = 0;

	while (audit_next(r, &x, &e) == 1) {
		json_t *rec = json_parse(x.text, x.len, NULL);
		const char *whose = json_str(rec, "session_id"), *why = json_str(rec, "reason");

		if (x.good && strcmp(json_str(rec, "event"), event) == 0 && whose &&
		    strcmp(whose, id) == 0) {
			n++;
			str_copy(reason, why ? why : "", size);
		}
		json_decref(rec);
	}
	audit_read_close(r);
	return n;
}

static enum audit_from
chain(const char *what)
{
	struct audit_proof p;
	struct err e = {0};

	ok(audit_verify(path_of("audit", "", NULL), NULL, 0, &p, &e) == 0, "%s", what);
	is_int((long)p.v.bad, 0, "its chain holds");
	return p.from;
}

static void
test_age(void)
{
	char a[32], b[32], c[32], d[32], late[32], live[32], reason[400] = "", hex[65];
	unsigned char raw[SHA256_SIZE];
	struct prune_sum s;
	struct sha256 h;
	int lock;

	fresh("age");
	str_copy(a, make_session(40, 'a'), sizeof a);
	str_copy(b, make_session(35, 'b'), sizeof b);
	str_copy(c, make_session(20, 'c'), sizeof c);
	str_copy(d, make_session(50, 'd'), sizeof d);
	str_copy(live, make_session(60, 'e'), sizeof live);
	put("audit.jsonl", "session.end", live, 59);
	put("audit.jsonl", "session.end", a, 40);
	put("audit.jsonl", "session.start", d, 50);
	put("audit.jsonl", "session.truncated", b, 33);
	put("audit.jsonl", "session.end", c, 20);
	str_copy(late, make_session(46, 'f'), sizeof late);
	put("audit.jsonl", "session.truncated", late, 1);
	age_file(late, 45);
	lock = open(path_of("sessions/", live, "lock"), O_RDONLY);
	flock(lock, LOCK_EX);
	s = prune((struct policy_retention){.age_ns = 60 * DAY});
	is_int((long)(s.recordings + s.unproved), 0, "nothing is due");
	s = prune((struct policy_retention){.age_ns = 30 * DAY});
	is_int((long)s.recordings, 3, "three are removed");
	ok(is_gone(a) && is_gone(b), "those that ended longer ago");
	ok(is_gone(late), "also where that was missed but yesterday");
	ok(is_there(c), "not the one that did not");
	ok(is_there(d), "nor the one whose end is not in the log, which may still come");
	is_int((long)s.unproved, 1, "which is said");
	ok(is_there(live), "nor one that runs");
	close(lock);
	is_int(told("session.removed", a, reason, sizeof reason), 1, "it is in the log");
	sha2_init(&h);
	for (int i = 0; i < BYTES; i++)
		sha2_update(&h, "x", 1);
	sha2_final(&h, raw);
	str_hex(hex, raw, sizeof raw);
	ok(strstr(reason, hex) != NULL, "with its digest: %s", reason);
	ok(strncmp(reason, "older than 30d; ", 16) == 0, "and why");
	is_int(chain("the log"), AUDIT_FROM_FIRST, "whole");
	s = prune((struct policy_retention){.age_ns = 30 * DAY});
	is_int((long)s.recordings, 1, "what ran has ended, and goes");
	age_file(d, 20);
	s = prune((struct policy_retention){.age_ns = 30 * DAY});
	ok(is_there(d) && s.unproved == 0, "the end of the other was no later than its last byte");
	age_file(d, 45);
	s = prune((struct policy_retention){.age_ns = 30 * DAY});
	ok(s.recordings == 1 && is_gone(d), "which is too long ago now");
	is_int(told("session.truncated", d, reason, sizeof reason), 1, "it was cut: that is told");
	is_int(told("session.removed", d, reason, sizeof reason), 1, "and its removal");
	is_int(chain("the log"), AUDIT_FROM_FIRST, "whole");
}

static void
test_size(void)
{
	char id[4][32];
	struct prune_sum s;

	fresh("size");
	for (int i = 0; i < 4; i++) {
		str_copy(id[i], make_session(8 - 2 * i, (char)('a' + i)), sizeof id[i]);
		put("audit.jsonl", "session.end", id[i], 8 - 2 * i);
	}
	s = prune((struct policy_retention){.size = 2 * BYTES, .keep_ns = 5 * DAY});
	is_int((long)s.recordings, 2, "the oldest are removed");
	ok(is_gone(id[0]) && is_gone(id[1]) && is_there(id[2]) && is_there(id[3]), "in order");
	s = prune((struct policy_retention){.size = 1, .keep_ns = 5 * DAY});
	is_int((long)s.recordings, 0, "but none that the policy keeps");
	s = prune((struct policy_retention){.size = 1});
	is_int((long)s.recordings, 2, "unless it keeps none");
}

/* Its file cannot be read as a recording: it goes in its time all the same. */
static void
test_damaged(void)
{
	char a[32], cast[40], reason[400] = "";
	struct prune_sum s;
	int fd;

	fresh("damaged");
	str_copy(a, make_session(40, 'a'), sizeof a);
	put("audit.jsonl", "session.end", a, 40);
	snprintf(cast, sizeof cast, "%s.cast", a);
	fd = open(path_of("sessions/", a, cast), O_WRONLY);
	ok(pwrite(fd, "\x28\xb5\x2f\xfd\xff\xff\xff\xff", 8, 0) == 8, "damaged");
	close(fd);
	s = prune((struct policy_retention){.age_ns = DAY});
	ok(s.recordings == 1 && is_gone(a), "removed");
	is_int(told("session.removed", a, reason, sizeof reason), 1, "and told");
	ok(strstr(reason, " file_sha256=") && strlen(strrchr(reason, '=')) == 65, "%s", reason);
}

static void
test_locked(void)
{
	static struct conf conf;
	struct prune_job job = {.conf = &conf, .keep = {.age_ns = DAY}};
	struct err e = {0};
	struct prune_sum sum;

	fresh("locked");
	mkdir(path_of("audit/", "prune.lock", NULL), 0700);
	str_copy(conf.state_dir, state, sizeof conf.state_dir);
	is_int(prune_run(&job, &sum, &e), -1, "without its lock nothing is removed");
	ok(*e.what && *e.why && *e.hint, "%s: %s; %s", e.what, e.why, e.hint);
}

/* No room for the record: nothing is removed. */
static void
test_fail_closed(void)
{
	char a[32];
	struct stat st;
	pid_t pid;
	int status;

	fresh("closed");
	str_copy(a, make_session(40, 'a'), sizeof a);
	put("audit.jsonl", "session.end", a, 40);
	stat(path_of("audit/audit.jsonl", "", NULL), &st);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct rlimit full = {(rlim_t)st.st_size + 10, (rlim_t)st.st_size + 10};
		static struct conf conf;
		struct prune_job job = {.conf = &conf, .keep = {.age_ns = DAY}};
		struct prune_sum sum;

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &full);
		str_copy(conf.state_dir, state, sizeof conf.state_dir);
		_exit(prune_run(&job, &sum, NULL) == 0 && sum.failed == 1 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "its record cannot be written: told");
	ok(is_there(a), "and it stays");
}

static void
make_log(int each)
{
	static const char *const files[] = {
	    "audit-00000001.jsonl", "audit-00000002.jsonl", "audit-00000003.jsonl", "audit.jsonl"};

	for (int i = 0; i < 4 * each; i++)
		put(files[i / each], "agent.start", NULL, 500 - 60 / each * i);
	/* As old as their records: what says whether the log is read at all. */
	for (int i = 0; i < 3; i++) {
		struct timespec t = {.tv_sec = (now - (500 - 60 * i) * DAY) / NS_PER_S};
		struct timespec both[2] = {t, t};

		utimensat(AT_FDCWD, path_of("audit/", files[i], NULL), both, 0);
	}
}

static void
test_log(void)
{
	char a[32];
	struct prune_sum s;

	fresh("log");
	make_log(3);
	s = prune((struct policy_retention){.log_ns = 470 * DAY});
	is_int((long)s.logs, 0, "its last record is younger than its first");
	s = prune((struct policy_retention){.log_ns = 365 * DAY});
	is_int((long)s.logs, 2, "two files are removed");
	ok(access(path_of("audit/", "audit-00000002.jsonl", NULL), F_OK) < 0 &&
		access(path_of("audit/", "audit-00000003.jsonl", NULL), F_OK) == 0,
	    "the oldest");
	is_int(chain("what is left"), AUDIT_FROM_PRUNED, "says what was before");
	s = prune((struct policy_retention){.log_ns = DAY});
	is_int((long)s.logs, 0, "the last number is never free again");

	fresh("needed");
	make_log(3);
	str_copy(a, make_session(455, 'a'), sizeof a);
	s = prune((struct policy_retention){.log_ns = 365 * DAY});
	is_int((long)s.logs, 1, "not what a recording needs that stays");
	is_int(chain("what is left"), AUDIT_FROM_PRUNED, "says what was before");
	age_file(a, 455);
	s = prune((struct policy_retention){.log_ns = 365 * DAY, .age_ns = 30 * DAY});
	ok(s.logs == 1 && is_gone(a), "nor for ever, where the log lacks its end");
}

/* What was changed is evidence of that. */
static void
test_bad_log(void)
{
	struct prune_sum s;
	int fd;

	fresh("bad");
	make_log(3);
	fd = open(path_of("audit/", "audit-00000001.jsonl", NULL), O_WRONLY);
	ok(pwrite(fd, "[", 1, 0) == 1, "a record is changed");
	close(fd);
	s = prune((struct policy_retention){.log_ns = DAY});
	is_int((long)s.logs, 0, "nothing of that log is removed");
}

static int
prune_all(void)
{
	static struct conf conf;
	struct prune_job job = {.conf = &conf, .keep = {.age_ns = 30 * DAY, .log_ns = 365 * DAY}};
	struct prune_sum sum;

	str_copy(conf.state_dir, state, sizeof conf.state_dir);
	return prune_run(&job, &sum, NULL) < 0 || sum.failed;
}

/* Quiet: it is done a thousand times. */
static int
files_left(void)
{
	DIR *dir = opendir(path_of("sessions", "", NULL));
	struct dirent *d;
	int n = 0;

	while ((d = readdir(dir)))
		n += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
	closedir(dir);
	return n;
}

static void
test_every_point(void)
{
	int k, halves = 0, untold = 0, broken = 0, left = 0;
	char name[32], a[32], reason[400];
	bool killed = true;

	for (k = 1; killed; k += 2) {
		static struct conf conf;
		struct prune_job job = {.conf = &conf, .keep = {.age_ns = 30 * DAY}};
		struct prune_sum sum;
		struct audit_proof p;

		snprintf(name, sizeof name, "kill%d", k);
		fresh(name);
		make_log(1);
		str_copy(a, make_session(50, 'a'), sizeof a);
		put("audit.jsonl", "session.end", a, 50);
		killed = killed_at(k, prune_all);
		halves += !is_there(a) && !is_gone(a);
		untold += is_gone(a) && told("session.removed", a, reason, sizeof reason) == 0;
		/* The next one ends it. */
		str_copy(conf.state_dir, state, sizeof conf.state_dir);
		broken += prune_run(&job, &sum, NULL) < 0;
		left += files_left() > 0;
		broken += audit_verify(path_of("audit", "", NULL), NULL, 0, &p, NULL) < 0 ||
			  p.v.bad > 0 || p.from == AUDIT_FROM_NOWHERE;
	}
	ok(k > 100, "killed at %d points", k);
	is_int(halves, 0, "no session was ever half there");
	is_int(untold, 0, "and none gone that the log does not tell of");
	is_int(broken, 0, "the log holds");
	is_int(left, 0, "and the next one leaves nothing");
}

int
main(void)
{
	rec_setup();
	now = clock_real();
	test_age();
	test_size();
	test_damaged();
	test_fail_closed();
	test_locked();
	test_log();
	test_bad_log();
	test_every_point();
	return done_testing();
}
