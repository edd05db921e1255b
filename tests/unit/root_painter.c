/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process that paints: exact, without rights, and of no consequence when it dies. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "mirror_util.h"
#include "record/cast.h"
#include "session/painter_int.h"
#include "tap.h"

static char dir[] = "/tmp/coral-painter-XXXXXX";
static struct loop *loop;
static struct cast_writer *writer;
static int64_t now;

struct result {
	struct buf got;
	int done, pieces;
	bool ok;
};

static void
begin_recording(const char *name, int rows, int cols, bool digest_only)
{
	struct err e = {0};
	json_t *coral = json_pack("{s:b, s:{s:b}}", "tty", 1, "recorded", "output", !digest_only);
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cast_start s = {.dirfd = fd,
	    .name = name,
	    .rows = rows,
	    .cols = cols,
	    .real_ns = clock_real(),
	    .mono_ns = now = clock_mono(),
	    .coral = coral,
	    .digest_only = digest_only,
	    .tty = true};

	writer = cast_create(&s, &e);
	json_decref(coral);
}

static void
record(const void *p, size_t n)
{
	struct err e = {0};

	now += 1000000;
	cast_data(writer, CAST_STDOUT, now, p, n, &e);
	cast_flush(writer, now, &e);
}

static struct painter *
painter_of(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return painter_new(loop, open(path, O_RDONLY | O_CLOEXEC), dir);
}

static void
on_piece(void *arg, const unsigned char *p, size_t n)
{
	struct result *r = arg;

	r->pieces++;
	buf_put(&r->got, p, n);
}

static void
on_done(void *arg, bool good)
{
	struct result *r = arg;

	r->done++;
	r->ok = good;
}

static void
order(struct painter *p, struct result *r, uint64_t upto, int rows, int cols)
{
	struct painter_order o = {.upto = upto,
	    .rows = rows,
	    .cols = cols,
	    .what = PAINTER_SCREEN | PAINTER_SCROLLBACK,
	    .piece = on_piece,
	    .done = on_done,
	    .arg = r};
	struct err e = {0};

	*r = (struct result){0};
	buf_init(&r->got, PAINTER_TOTAL_MAX);
	painter_paint(p, &o, &e);
}

static bool
wait_done(const struct result *r)
{
	int64_t until = clock_mono() + 30 * NS_PER_S;

	while (!r->done && clock_mono() < until)
		loop_turn(loop, 100);
	return r->done;
}

static bool
painted(struct painter *p, uint64_t upto, int rows, int cols, struct mirror *want)
{
	struct mirror *m = mirror_new(rows, cols);
	struct result r;
	const char *why = "not done";

	order(p, &r, upto, rows, cols);
	if (wait_done(&r) && r.ok) {
		mirror_feed(m, buf_head(&r.got), r.got.len);
		why = mu_differ(m, want, rows == want->rows && cols == want->cols);
	}
	if (why)
		printf("# %s\n", why);
	buf_fini(&r.got);
	mirror_free(m);
	return !why;
}

/* Never a 0, which is a group. */
static void
hit(struct painter *p, int signo)
{
	if (ok(painter_pid(p) > 0, "there is a process"))
		kill(painter_pid(p), signo);
}

/* Offsets are asked for while the file grows; a catch-up goes on below. */
static void
test_growing(void)
{
	struct mirror *m = mirror_new(24, 80);
	char program[4000];
	struct painter *p;
	struct err e = {0};
	int i;

	begin_recording("growing.cast", 24, 80, false);
	p = painter_of("growing.cast");
	is_int(painter_pid(p), 0, "no process before it is needed");
	mu_seed = 42;
	for (i = 0; i < 40; i++) {
		size_t n = mu_program(program, sizeof(program), 24, 80);
		uint64_t upto;

		record(program, n);
		mirror_feed(m, program, n);
		upto = cast_offset(writer);
		if (i % 5 == 1)
			painter_catch_up(p, upto);
		if (i == 20) {
			cast_resize(writer, now, 60, 20, &e);
			mirror_resize(m, 20, 60);
			upto = cast_offset(writer);
		}
		/* What is in the file already and comes later is not to be seen. */
		if (i % 10 == 3) {
			record("\033c\033[31mlater", 13);
			ok(painted(p, upto, m->rows, m->cols, m), "at %d, byte %ju", i,
			    (uintmax_t)upto);
			mirror_feed(m, "\033c\033[31mlater", 13);
		}
	}
	mirror_resize(m, 30, 100);
	ok(painted(p, cast_offset(writer), 30, 100, m), "for another size");
	mirror_resize(m, 20, 60);
	painter_free(p);
	cast_free(writer);
	mirror_free(m);
}

static void
test_unrecorded(void)
{
	struct painter *p;
	struct result r;

	begin_recording("none.cast", 24, 80, true);
	record("x", 1);
	p = painter_of("none.cast");
	order(p, &r, cast_offset(writer), 24, 80);
	ok(wait_done(&r) && !r.ok && !r.pieces, "output that is not recorded cannot be painted");
	painter_free(p);
	cast_free(writer);
}

static void
test_death(void)
{
	struct mirror *m = mirror_new(24, 80);
	struct result r, r2;
	struct painter *p;
	char line[100];
	uint64_t upto;
	int i;

	begin_recording("death.cast", 24, 80, false);
	for (i = 0; i < 30000; i++) {
		snprintf(line, sizeof(line), "\033[3%dmthis is line %d\033[m\r\n", i % 8, i);
		record(line, strlen(line));
		mirror_feed(m, line, strlen(line));
	}
	upto = cast_offset(writer);
	p = painter_of("death.cast");
	order(p, &r, upto, 24, 80);
	loop_turn(loop, 100);
	hit(p, SIGKILL);
	order(p, &r2, upto, 24, 80);
	ok(wait_done(&r) && !r.ok && r.done == 1, "killed: no painting");
	ok(wait_done(&r2) && r2.ok, "the next one in the queue has it");
	ok(painted(p, upto, 24, 80, m), "and the one after that");
	p->patience = 300 * NS_PER_MS;
	hit(p, SIGSTOP);
	buf_fini(&r.got);
	order(p, &r, upto, 24, 80);
	ok(wait_done(&r) && !r.ok, "stopped: no painting, after a while");
	p->patience = PAINTER_PATIENCE_NS;
	ok(painted(p, upto, 24, 80, m), "the next is good again");
	painter_catch_up(p, upto);
	hit(p, SIGKILL);
	while (painter_pid(p))
		loop_turn(loop, 100);
	ok(painted(p, upto, 24, 80, m), "killed while nothing is asked: no harm");
	painter_free(p);
	p = painter_of("death.cast");
	for (i = 0; i < PAINTER_DEATHS_MAX; i++) {
		buf_fini(&r.got);
		order(p, &r, upto, 24, 80);
		loop_turn(loop, 100);
		hit(p, SIGKILL);
		ok(wait_done(&r) && !r.ok, "killed once more");
	}
	buf_fini(&r.got);
	order(p, &r, upto, 24, 80);
	ok(wait_done(&r) && !r.ok && !painter_pid(p), "then there is no more");
	buf_fini(&r.got);
	buf_fini(&r2.got);
	painter_free(p);
	cast_free(writer);
	mirror_free(m);
}

static int stand_in;

static void
say(int sock, int kind, uint32_t serial, const void *p, size_t n)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_put_u8(&b, (uint8_t)kind);
	buf_put_u32(&b, serial);
	buf_put_u32(&b, (uint32_t)n);
	buf_put(&b, p, n);
	fd_write_all(sock, buf_head(&b), b.len);
	buf_fini(&b);
}

/* Somebody else's code, in the sandbox. */
static void
hostile(int sock, int cast)
{
	static unsigned char big[70000];
	unsigned char in[PAINTER_ORDER_SIZE];
	uint32_t serial = 1;

	(void)cast;
	read(sock, in, sizeof(in));
	switch (stand_in) {
	case 0: /* more than there may be */
		for (;;)
			say(sock, PAINTER_PIECE, serial, big, PAINTER_PIECE_MAX);
	case 1: /* a length that is not */
		say(sock, PAINTER_PIECE, serial, big, sizeof(big));
		break;
	case 2: /* an answer to what was not asked */
		say(sock, PAINTER_DONE, serial + 1, "\1", 1);
		break;
	case 3:
		say(sock, 'X', serial, "", 0);
		break;
	case 4: /* done twice */
		say(sock, PAINTER_DONE, serial, "\1", 1);
		say(sock, PAINTER_DONE, serial, "\1", 1);
		break;
	case 5: /* steps without an end */
		for (;;)
			say(sock, PAINTER_OFFSET, 0, "\0\0\0\0\0\0\0\1", 8);
	case 6: /* beyond what was asked */
		say(sock, PAINTER_OFFSET, 0, "\177\0\0\0\0\0\0\1", 8);
		break;
	case 7: /* half a frame */
		write(sock, "P\0\0", 3);
		break;
	case 8:
		for (size_t i = 0; i < sizeof(big); i++)
			big[i] = (unsigned char)(i * 2654435761u >> 13);
		fd_write_all(sock, big, sizeof(big));
		break;
	case 9: /* pieces of nothing */
		for (;;)
			say(sock, PAINTER_PIECE, serial, "", 0);
	}
	poll(NULL, 0, -1);
}

static void
test_hostile(void)
{
	struct mirror *m = mirror_new(24, 80);
	struct painter *p;
	struct result r;

	begin_recording("hostile.cast", 24, 80, false);
	record("real", 4);
	mirror_feed(m, "real", 4);
	for (stand_in = 0; stand_in < 10; stand_in++) {
		p = painter_of("hostile.cast");
		p->run = hostile;
		p->patience = 200 * NS_PER_MS;
		order(p, &r, cast_offset(writer), 24, 80);
		wait_done(&r);
		ok(r.done == 1 && r.ok == (stand_in == 4) && r.got.len <= PAINTER_TOTAL_MAX,
		    "stand-in %d: %zu bytes in %d pieces", stand_in, r.got.len, r.pieces);
		while (painter_pid(p))
			loop_turn(loop, 100);
		buf_fini(&r.got);
		p->run = painter_run;
		p->patience = PAINTER_PATIENCE_NS;
		ok(painted(p, cast_offset(writer), 24, 80, m), "and the real one after it");
		painter_free(p);
	}
	cast_free(writer);
	mirror_free(m);
}

/* Each in a process of its own: it is killed for trying. */
static int attempt;

static void
prisoner(int sock, int cast)
{
	(void)cast;
	switch (attempt) {
	case 0:
		open("/", O_RDONLY);
		break;
	case 1:
		socket(AF_INET, SOCK_STREAM, 0);
		break;
	case 2:
		fork();
		break;
	case 3:
		kill(getppid(), SIGTERM);
		break;
	case 4:
		fcntl(cast, F_SETFL, O_APPEND);
		break;
	case 5:
		execl("/bin/true", "true", NULL);
		break;
	case 6:
		setuid(0);
		break;
	}
	say(sock, PAINTER_PIECE, 1, "alive", 5);
	say(sock, PAINTER_DONE, 1, "\1", 1);
	poll(NULL, 0, -1);
}

static long
status_field(int pid, const char *name, int base)
{
	char path[64], line[256];
	auto_file FILE *f = NULL;
	long v = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			v = strtol(line + strlen(name) + 1, NULL, base);
	}
	return v;
}

static int
count_fds(int pid)
{
	char path[64];
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n - 2;
}

static void
test_rights(void)
{
	struct painter *p;
	char path[64], root[256] = "", expect[256];
	struct result r;
	ssize_t n;
	int pid;

	begin_recording("rights.cast", 24, 80, false);
	record("x", 1);
	for (attempt = 0; attempt < 7; attempt++) {
		p = painter_of("rights.cast");
		p->run = prisoner;
		order(p, &r, cast_offset(writer), 24, 80);
		ok(wait_done(&r) && !r.ok && r.pieces == 0, "attempt %d is its end", attempt);
		buf_fini(&r.got);
		painter_free(p);
	}
	p = painter_of("rights.cast");
	order(p, &r, cast_offset(writer), 24, 80);
	wait_done(&r);
	pid = painter_pid(p);
	ok(status_field(pid, "Uid", 10) > 0, "a user of its own");
	ok(status_field(pid, "CapEff", 16) == 0 && status_field(pid, "CapBnd", 16) == 0,
	    "no capabilities");
	is_int(status_field(pid, "NoNewPrivs", 10), 1, "no new privileges");
	is_int(status_field(pid, "Seccomp", 10), 2, "a filter");
	is_int(count_fds(pid), 5, "socket, recording, and /dev/null three times");
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	n = readlink(path, root, sizeof(root) - 1);
	snprintf(expect, sizeof(expect), "%s/empty", dir);
	is_str(n > 0 ? root : "", expect, "an empty root");
	printf("# pid %d: %ld KiB anonymous\n", pid, status_field(pid, "RssAnon", 10));
	buf_fini(&r.got);
	painter_free(p);
	cast_free(writer);
}

int
main(void)
{
	char cmd[300];

	if (geteuid() != 0) {
		ok(true, "all of it # SKIP needs root");
		return done_testing();
	}
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return 1;
	loop = loop_new();
	test_growing();
	test_unrecorded();
	test_death();
	test_hostile();
	test_rights();
	loop_free(loop);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ok(system(cmd) == 0, "cleaned up");
	return done_testing();
}
