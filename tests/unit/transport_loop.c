/* SPDX-License-Identifier: GPL-3.0-or-later */
/* coral's own client against a sandboxed transport with a scripted broker. */
#include "transport_fake.h"

#include <openssl/evp.h>
#include "tap.h"
#include "transport/client.h"
#include "transport/sandbox_int.h"

#define BULK (200LL << 20)

static struct fake fake;

static struct tp_client *
connect_local(pid_t *broker, struct err *e)
{
	struct tp_client_opts o = {.local = true};
	int pair[2];

	if (fd_socketpair(SOCK_STREAM, 0, pair) < 0)
		return NULL;
	*broker = fake_serve(&fake, pair[1], "root");
	o.sock = pair[0];
	return tp_client_open(&o, e);
}

static void
wait_io(struct tp_client *c, struct err *e, int *lost)
{
	struct pollfd p = {.fd = tp_client_fd(c), .events = tp_client_interest(c)};

	poll(&p, 1, 10000);
	if (tp_client_turn(c, e) < 0)
		*lost = 1;
}

static void
send_request(struct tp_client *c, enum request_verb verb, const char *id, const char *word)
{
	struct request r;
	struct buf b, f;
	struct err e;
	int lost = 0;

	request_init(&r);
	r.verb = verb;
	str_copy(r.id, id, sizeof(r.id));
	str_copy(r.word, word, sizeof(r.word));
	buf_init(&b, FRAME_MAX);
	buf_init(&f, FRAME_MAX + FRAME_HEAD);
	request_encode(&r, &b, &e);
	frame_put(&f, FR_OPEN, buf_head(&b), b.len);
	while (f.len && !lost) {
		buf_consume(&f, (size_t)tp_client_write(c, buf_head(&f), f.len));
		if (f.len)
			wait_io(c, &e, &lost);
	}
	buf_fini(&b);
	buf_fini(&f);
	request_fini(&r);
}

static void
fill(unsigned char *p, size_t n, uint64_t *seed)
{
	for (size_t i = 0; i + 8 <= n; i += 8) {
		*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
		memcpy(p + i, seed, 8);
	}
}

/* Both ways at once; the hashes of what went and what came back. */
static void
echo_bulk(struct tp_client *c, int64_t total, int64_t *got)
{
	static unsigned char up[65536], down[65536];
	unsigned char h1[32], h2[32];
	EVP_MD_CTX *m1 = EVP_MD_CTX_new(), *m2 = EVP_MD_CTX_new();
	int64_t sent = 0;
	size_t off = sizeof(up);
	uint64_t seed = 1;
	struct err e;
	int lost = 0;

	EVP_DigestInit_ex(m1, EVP_sha256(), NULL);
	EVP_DigestInit_ex(m2, EVP_sha256(), NULL);
	*got = 0;
	while (*got < total && !lost) {
		ssize_t n;

		if (sent < total && off == sizeof(up)) {
			fill(up, sizeof(up), &seed);
			EVP_DigestUpdate(m1, up, sizeof(up));
			off = 0;
		}
		if (sent < total) {
			n = tp_client_write(c, up + off, sizeof(up) - off);
			off += (size_t)n;
			sent += n;
		}
		while ((n = tp_client_read(c, down, sizeof(down))) > 0) {
			EVP_DigestUpdate(m2, down, (size_t)n);
			*got += n;
		}
		if (*got < total)
			wait_io(c, &e, &lost);
	}
	EVP_DigestFinal_ex(m1, h1, NULL);
	EVP_DigestFinal_ex(m2, h2, NULL);
	EVP_MD_CTX_free(m1);
	EVP_MD_CTX_free(m2);
	is_int(*got, total, "every byte came back");
	ok(memcmp(h1, h2, 32) == 0, "and unchanged");
}

static void
test_echo(uint64_t rekey, int64_t total)
{
	struct tp_client *c;
	struct err e;
	pid_t broker;
	int64_t got;

	fake.rekey = rekey;
	c = connect_local(&broker, &e);
	if (!ok(c != NULL, "connected (rekey %llu)", (unsigned long long)rekey)) {
		err_print(1, &e);
		return;
	}
	send_request(c, REQ_PS, "", "");
	echo_bulk(c, total, &got);
	tp_client_free(c);
	waitpid(broker, NULL, 0);
	fake.rekey = 0;
}

static void
proc_line(pid_t pid, const char *key, char *out, size_t size)
{
	char path[64], line[256];
	size_t n = strlen(key);
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	str_copy(out, "?", size);
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, n) == 0 && line[n] == ':') {
			line[strcspn(line, "\n")] = '\0';
			str_copy(out, line + n + 2, size);
		}
	}
	if (f)
		fclose(f);
}

static void
test_sandbox(void)
{
	static const char *const none[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
	struct tp_client *c;
	char v[256], want[64], path[64], root[300];
	struct err e;
	struct stat st;
	pid_t broker;
	ssize_t n;

	c = connect_local(&broker, &e);
	if (!ok(c != NULL, "connected to look at the sandbox"))
		return;
	proc_line(fake.shared->server, "Seccomp", v, sizeof(v));
	is_str(v, "2", "seccomp mode 2");
	proc_line(fake.shared->server, "NoNewPrivs", v, sizeof(v));
	is_str(v, "1", "no_new_privs");
	if (fake.sandbox.enabled) {
		for (size_t i = 0; i < COUNT_OF(none); i++) {
			proc_line(fake.shared->server, none[i], v, sizeof(v));
			is_str(v, "0000000000000000", none[i]);
		}
		snprintf(want, sizeof(want), "%u\t%u\t%u\t%u", fake.sandbox.uid, fake.sandbox.uid,
		    fake.sandbox.uid, fake.sandbox.uid);
		proc_line(fake.shared->server, "Uid", v, sizeof(v));
		is_str(v, want, "its own uid");
		ok(fake.sandbox.uid != 0, "which is not root's");
		proc_line(fake.shared->server, "Groups", v, sizeof(v));
		is_str(v + strspn(v, " "), "", "no groups");
		snprintf(path, sizeof(path), "/proc/%d/root", (int)fake.shared->server);
		n = readlink(path, root, sizeof(root) - 1);
		root[n > 0 ? n : 0] = '\0';
		is_str(root, fake.sandbox.root, "the empty root");
		ok(stat(fake.sandbox.root, &st) == 0 && st.st_nlink == 2 &&
			(st.st_mode & 07777) == 0555,
		    "which is empty, and read-only");
	} else {
		ok(true, "not root: uid and root are as they were");
	}
	tp_client_free(c);
	waitpid(broker, NULL, 0);
}

static void
test_refused(void)
{
	struct tp_client *c;
	struct err e, got = {0};
	struct frame f = {0};
	struct buf b;
	pid_t broker;
	int lost = 0, rc = 0;

	c = connect_local(&broker, &e);
	if (!ok(c != NULL, "connected"))
		return;
	buf_init(&b, FRAME_MAX + 16);
	send_request(c, REQ_SHELL, "", "nowhere");
	while (rc == 0 && !lost) {
		unsigned char p[4096];
		ssize_t n = tp_client_read(c, p, sizeof(p));

		buf_put(&b, p, (size_t)n);
		rc = frame_peek(&b, &f);
		if (rc == 0)
			wait_io(c, &e, &lost);
	}
	is_int(f.type, FR_ERROR, "a refusal is an error frame");
	ok(rc == 1 && err_decode(&got, f.data, f.len), "that can be read");
	is_int(got.code, ERR_NO_TARGET, "with its code");
	is_str(got.hint, "coral ps", "and its hint");
	while (!tp_client_ended(c) && !lost) {
		unsigned char p[16];

		tp_client_read(c, p, sizeof(p));
		if (!tp_client_ended(c))
			wait_io(c, &e, &lost);
	}
	ok(tp_client_ended(c), "then the channel ends");
	buf_fini(&b);
	tp_client_free(c);
	waitpid(broker, NULL, 0);
}

static void
test_malformed(void)
{
	static const unsigned char bad[] = {FR_STDIN, 0, 0, 1, 'x'};
	struct tp_client *c;
	unsigned char p[4096];
	struct err e;
	pid_t broker;
	ssize_t n = 0;
	int lost = 0;

	c = connect_local(&broker, &e);
	if (!ok(c != NULL, "connected"))
		return;
	while (tp_client_room(c) < sizeof(bad) && !lost)
		wait_io(c, &e, &lost);
	is_int(tp_client_write(c, bad, sizeof(bad)), sizeof(bad), "five bytes sent");
	while (n == 0 && !lost) {
		wait_io(c, &e, &lost);
		n = tp_client_read(c, p, sizeof(p));
	}
	ok(n > 0 && p[0] == FR_ERROR, "a first frame that is no request is refused");
	is_int(fake.shared->opens, 1, "and the broker hears nothing of it");
	tp_client_free(c);
	waitpid(broker, NULL, 0);
}

/* The transport and the keeper must end when the peer vanishes without a word. */
static void
test_vanish(void)
{
	struct tp_client *c;
	struct err e;
	pid_t broker;

	c = connect_local(&broker, &e);
	if (!ok(c != NULL, "connected"))
		return;
	send_request(c, REQ_PS, "", "");
	shutdown(tp_client_fd(c), SHUT_RDWR);
	ok(waitpid(broker, NULL, 0) == broker, "a peer that vanishes ends its transport");
	tp_client_free(c);
}

static int64_t
resident_kib(pid_t pid)
{
	int64_t kib = 0;
	char v[64];

	proc_line(pid, "VmRSS", v, sizeof(v));
	sscanf(v, "%" SCNd64, &kib);
	return kib;
}

/* A reader much slower than its peer: what is in flight stays bounded, and nothing is lost. */
static void
test_slow_reader(void)
{
	/* ASan keeps what was freed: there the bound says nothing. */
	const int64_t total = 128 << 20, bound_kib = SANDBOX_ASAN ? INT64_MAX : 32 << 10;
	static unsigned char p[65536];
	struct tp_client *c;
	struct err e;
	int64_t got = 0, before;
	pid_t broker;
	ssize_t n;
	int lost = 0;

	c = connect_local(&broker, &e);
	if (!ok(c != NULL, "connected"))
		return;
	before = resident_kib(getpid());
	send_request(c, REQ_READ, "134217728", "");
	while (got < total / 4 && !lost) {
		n = tp_client_read(c, p, 4096);
		got += n;
		if (n == 0)
			wait_io(c, &e, &lost);
		else
			lost = tp_client_turn(c, &e) < 0;
	}
	ok(resident_kib(getpid()) - before < bound_kib, "the client holds little: %" PRId64 " KiB",
	    resident_kib(getpid()) - before);
	n = resident_kib(fake.shared->server);
	ok(n > 0 && n < bound_kib, "the transport holds little: %zd KiB", n);
	while (got < total && !lost) {
		while ((n = tp_client_read(c, p, sizeof(p))) > 0)
			got += n;
		if (got < total)
			wait_io(c, &e, &lost);
	}
	is_int(got, total, "all of it arrived");
	tp_client_free(c);
	waitpid(broker, NULL, 0);
}

static void
speed(bool down)
{
	static unsigned char p[65536];
	const int64_t total = 1LL << 30;
	struct tp_client *c;
	struct err e;
	int64_t done = 0, since;
	pid_t broker;
	ssize_t n;
	int lost = 0;

	c = connect_local(&broker, &e);
	if (!c)
		return;
	send_request(c, down ? REQ_READ : REQ_SHOW, "1073741824", "");
	since = clock_mono();
	while (done < total && !lost) {
		if (down) {
			while ((n = tp_client_read(c, p, sizeof(p))) > 0)
				done += n;
		} else {
			while ((n = tp_client_write(c, p, sizeof(p))) > 0)
				done += n;
		}
		wait_io(c, &e, &lost);
	}
	while (!down && !lost && tp_client_read(c, p, 1) == 0)
		wait_io(c, &e, &lost);
	printf("# 1 GiB %s: %.0f MB/s\n", down ? "down" : "up",
	    (double)total * 1e3 / (double)(clock_mono() - since));
	tp_client_free(c);
	waitpid(broker, NULL, 0);
}

int
main(int argc, char **argv)
{
	/* A hang is a failure too. */
	alarm(300);
	fake_init(&fake);
	if (argc > 1 && strcmp(argv[1], "speed") == 0) {
		for (int i = 0; i < 3; i++) {
			speed(true);
			speed(false);
		}
		fake_fini(&fake);
		return 0;
	}
	test_sandbox();
	test_refused();
	test_malformed();
	test_vanish();
	test_echo(0, BULK);
	test_echo(1 << 20, BULK / 4);
	test_slow_reader();
	fake_fini(&fake);
	return done_testing();
}
