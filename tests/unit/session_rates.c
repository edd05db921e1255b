/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Output a second that sessions share: exact between processes, whatever becomes of them. */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "record_util.h"
#include "session/rates.h"

#define RATE 1000000 /* a byte lasts a microsecond */
#define CROWD 4
#define TIMES 5000
#define UNIT 1024 /* ns */
#define NOW (100 * NS_PER_S)

static struct rates *
opened(void)
{
	struct err e = {0};
	struct rates *r = rates_open(rec_dir, &e);

	if (!r)
		err_print(1, &e);
	return r;
}

/* Of one millisecond. */
static int64_t
take_ms(struct rates *r, unsigned place, int64_t now)
{
	return rates_take(r, place, now, 1000, RATE);
}

static void
test_one(void)
{
	struct rates *r = opened();
	unsigned ann = rates_place(r, "ann"), bob = rates_place(r, "bob");
	int64_t due = take_ms(r, ann, NOW);

	ok(due > NOW && due - NOW <= NS_PER_MS + 2 * UNIT, "bytes last their time");
	ok(take_ms(r, ann, NOW) - due >= NS_PER_MS, "and the next ones come behind them");
	ok(take_ms(r, bob, NOW) == due && take_ms(r, rates_place(r, ""), NOW) == due,
	    "another's do not, nor the host's");
	ok(take_ms(r, ann, NOW + NS_PER_S) - NOW - NS_PER_S <= NS_PER_MS + 2 * UNIT,
	    "what nobody took is over");
	due = rates_take(r, ann, NOW + NS_PER_S, 1, 1ULL << 60);
	ok(rates_take(r, ann, NOW + NS_PER_S, 1, 1ULL << 60) > due, "nothing is for nothing");
	ok(rates_place(r, "ann") == ann && ann != bob && ann > 0, "who has a place has it");
	rates_close(r);
	r = opened();
	ok(rates_place(r, "bob") == bob && take_ms(r, bob, NOW) - NOW >= 2 * NS_PER_MS,
	    "and finds it as it was left");
	rates_close(r);
}

static void
test_crowd(void)
{
	struct rates *r = opened();
	unsigned place = rates_place(r, "crowd");
	int64_t each = take_ms(r, place, NOW) - NOW / UNIT * UNIT, last;

	for (int i = 0; i < CROWD; i++)
		if (fork() == 0) {
			/* As another keeper does. */
			r = rates_open(rec_dir, NULL);
			for (int n = 0; n < TIMES; n++)
				take_ms(r, rates_place(r, "crowd"), NOW);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	last = take_ms(r, place, NOW) - NOW / UNIT * UNIT;
	is_int((int)(last / each), CROWD * TIMES + 2, "four processes: nothing is lost");
	is_int((int)(last % each), 0, "to the last unit");
	rates_close(r);
}

static pid_t
greedy(void)
{
	int ends[2];
	pid_t pid;
	char c;

	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		exit(99);
	if (pid == 0) {
		struct rates *r = rates_open(rec_dir, NULL);
		unsigned place = rates_place(r, "greedy");

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int n = 0;; n++) {
			rates_take(r, place, NOW, 1, RATE);
			if (n == 1000 && write(ends[1], "x", 1) < 0)
				_exit(1);
		}
	}
	close(ends[1]);
	is_int(read(ends[0], &c, 1), 1, "one that takes and takes");
	close(ends[0]);
	return pid;
}

/* Stopped or killed wherever it is, it keeps nobody. */
static void
test_gone(void)
{
	struct rates *r = opened();
	unsigned place = rates_place(r, "greedy");
	pid_t pid = greedy();
	int64_t due;

	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	due = take_ms(r, place, NOW);
	ok(take_ms(r, place, NOW) == due + (NS_PER_MS / UNIT + 1) * UNIT,
	    "stopped, it keeps nobody");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ok(take_ms(r, place, due + NS_PER_S) - due - NS_PER_S <= NS_PER_MS + 2 * UNIT,
	    "killed, it leaves the time that it took, and that is over some time");
	rates_close(r);
}

/* What no session wrote, or one before this boot. */
static void
test_clock(void)
{
	struct rates *r = opened();
	unsigned place = rates_place(r, "clock");
	auto_close int fd = openat(rec_dirfd, "rates", O_RDWR | O_CLOEXEC);
	off_t at = (off_t)(place * 16 + 8);
	uint64_t is, odd;
	int wrong = 0;

	take_ms(r, place, NOW);
	is_int(pread(fd, &is, 8, at), 8, "a time in the file");
	for (int i = 0; i < 64; i++) {
		odd = i < 16 ? is ^ 1ULL << (48 + i) : (uint64_t)-1 >> (i - 16);
		if (pwrite(fd, &odd, 8, at) != 8)
			exit(99);
		wrong += take_ms(r, place, NOW) > NOW + 3601 * NS_PER_S;
		wrong += i < 16 && take_ms(r, place, NOW) > NOW + 3 * NS_PER_MS;
	}
	is_int(wrong, 0, "of another boot or damaged it is none");
	rates_close(r);
}

static void
test_many(void)
{
	struct rates *r = opened();
	int wrong = 0;
	char name[32];

	for (int i = 0; i < 2 * RATES_USERS; i++) {
		unsigned place;

		snprintf(name, sizeof name, "user-%d", i);
		place = rates_place(r, name);
		wrong += place == 0 || place > RATES_USERS || place != rates_place(r, name);
	}
	is_int(wrong, 0, "more users than places share them");
	rates_close(r);
}

static void
test_files(void)
{
	char path[128];
	struct err e = {0};
	int fd;

	snprintf(path, sizeof path, "%s/rates", rec_dir);
	chmod(path, 0622);
	ok(!rates_open(rec_dir, &e) && e.code == ERR_LIMIT, "one that others may write is none");
	ok(strstr(e.why, "/rates: it was not made") && e.hint[0], "and is told: %s", e.why);
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ok(ftruncate(fd, 1 << 20) == 0 && !rates_open(rec_dir, &e), "nor one of another size");
	close(fd);
	unlink(path);
	ok(symlink("elsewhere", path) == 0 && !rates_open(rec_dir, &e), "nor a link");
	ok(faccessat(rec_dirfd, "elsewhere", F_OK, 0) < 0, "which is not followed");
	unlink(path);
	ok(mkdir(path, 0700) == 0 && !rates_open(rec_dir, &e), "nor a directory");
	rmdir(path);
}

int
main(void)
{
	rec_setup();
	test_one();
	test_crowd();
	test_gone();
	test_clock();
	test_many();
	test_files();
	return done_testing();
}
