/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record_util.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "record/store.h"

/* A session of a keeper of its own: it holds the lock and waits, or ends its recording first. */
static pid_t
start_keeper(const char *id, const char *user, bool end)
{
	int ready[2];
	char c;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		char name[STORE_ID_LEN + 8];
		struct err e = {0};
		json_t *coral = json_pack("{s:s s:{s:s} s:{s:s s:i} s:s s:[ss]}", "started",
		    "2026-11-22T05:41:20Z", "user", "name", user, "target", "service", "checkout",
		    "pid", 7, "verb", "exec", "command", "ls", "-l");
		int lock, dir = store_create(rec_dir, id, &lock, &e);
		struct cast_start s = {.dirfd = dir,
		    .name = name,
		    .cols = 80,
		    .rows = 24,
		    .real_ns = NS_PER_S,
		    .mono_ns = REC_T0,
		    .coral = coral,
		    .tty = true};
		struct cast_writer *w;

		snprintf(name, sizeof(name), "%s.cast", id);
		w = dir < 0 ? NULL : cast_create(&s, &e);
		if (!w || cast_data(w, CAST_STDOUT, REC_T0, "hello", 5, &e) < 0)
			_exit(1);
		if (end)
			cast_end(w, 2 * REC_T0,
			    json_pack("{s:i s:n s:s}", "exit_code", 4, "signal", "cause", "exit"),
			    &e);
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	ok(read(ready[0], &c, 1) == 1, "a keeper runs");
	close(ready[0]);
	return pid;
}

/* In the place of the C library's: what was synced. */
static ino_t synced[16];
static size_t syncs;

int fsync(int fd);

int
fsync(int fd)
{
	struct stat st = {0};

	if (fstat(fd, &st) == 0 && syncs < COUNT_OF(synced))
		synced[syncs++] = st.st_ino;
	return (int)syscall(SYS_fsync, fd);
}

static bool
was_synced(const char *path)
{
	struct stat st = {0};

	if (stat(path, &st) == 0)
		for (size_t i = 0; i < syncs; i++)
			if (synced[i] == st.st_ino)
				return true;
	return false;
}

/* Some file systems do it by themselves, and fsync(2) does not promise it. */
static void
test_names_synced(void)
{
	auto_free char *state = strdup(rec_path("fresh")), *sessions = NULL;
	char id[STORE_ID_LEN + 1];
	struct cast_writer *w;
	int lock, old = rec_dirfd;

	sessions = strdup(rec_path("fresh/sessions"));
	mkdir(state, 0700);
	for (int i = 0; i < 2; i++) {
		syncs = 0;
		store_new_id(id);
		rec_dirfd = store_create(state, id, &lock, NULL);
		ok(was_synced(state) == (i == 0), "the first session of all is waited for");
		w = rec_create("a.cast", true, 0);
		ok(!was_synced(sessions), "no other is");
		is_int(cast_sync(w, REC_T0, true, NULL), 0, "at the first sync of a recording");
		ok(was_synced(sessions), "the name of its session is put on the disk");
		syncs = 0;
		cast_data(w, CAST_STDOUT, REC_T0, "x", 1, NULL);
		cast_sync(w, REC_T0, true, NULL);
		is_int(syncs, 0, "and not again");
		cast_free(w);
		close(rec_dirfd);
		close(lock);
	}
	rec_dirfd = old;
}

static void
stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static const char *
state_of(const char *id)
{
	static char state[32];
	json_t *j = store_show(rec_dir, id, NULL);

	str_copy(state, j ? json_str(j, "state") : "none", sizeof(state));
	json_decref(j);
	return state;
}

/* A store_may_fn: `arg` is a user, and what there is for him is also whole enough to be judged. */
static bool
is_of(void *arg, const json_t *shown)
{
	const char *user = json_str(shown, "user");

	return user && strcmp(user, arg) == 0 && json_object_get(shown, "header");
}

static void
test_states(void)
{
	char a[STORE_ID_LEN + 1], b[STORE_ID_LEN + 1], id[STORE_ID_LEN + 1];
	struct err e = {0};
	pid_t keeper_a, keeper_b;
	json_t *j;
	int fd;

	store_new_id(a);
	store_new_id(b);
	a[0] = '0'; /* years ago: b is the newer one whatever the clock says */
	b[0] = '1';
	ok(store_id_valid(a) && store_id_valid(b) && strcmp(a, b) < 0, "ids are valid");
	j = store_list(rec_dir, NULL, NULL, &e);
	is_int(json_array_size(j), 0, "nothing is there at first");
	json_decref(j);
	keeper_a = start_keeper(a, "alice", false);
	keeper_b = start_keeper(b, "bob", true);
	is_str(state_of(a), "live", "a session with a keeper is live");
	is_str(state_of(b), "live", "also while the keeper ends it");
	is_int(store_remove(rec_dir, a, &e), -1, "a live one cannot be removed");
	is_int(e.code, ERR_LIMIT, "and the error says so");
	stop(keeper_a);
	stop(keeper_b);
	is_str(state_of(a), "truncated", "without keeper and end: truncated");
	is_str(state_of(b), "ended", "with an end: ended");
	store_drop_unbegun(rec_dir, a);
	is_str(state_of(a), "truncated", "and not taken for one that never began");
	j = store_list(rec_dir, NULL, NULL, &e);
	is_int(json_array_size(j), 2, "both are listed");
	is_str(json_str(json_array_get(j, 0), "id"), b, "the newest first");
	is_str(json_str(json_array_get(j, 0), "user"), "bob", "with its user");
	is_str(json_str(json_array_get(j, 0), "target"), "checkout", "its target");
	is_str(json_str(json_array_get(j, 0), "started"), "2026-11-22T05:41:20Z", "its beginning");
	is_str(json_str(json_array_get(j, 0), "cause"), "exit", "its cause");
	is_int(json_int(json_array_get(j, 0), "exit_code", -1), 4, "its exit code");
	is_int(json_int(json_array_get(j, 0), "duration_ms", -1), 1000, "its duration");
	ok(json_is_null(json_object_get(json_array_get(j, 1), "exit_code")),
	    "null where none is known");
	is_int(json_array_size(json_object_get(json_array_get(j, 0), "command")), 2, "its command");
	ok(!json_object_get(json_array_get(j, 0), "header"), "and no header");
	json_decref(j);
	j = store_list(rec_dir, is_of, (void *)(uintptr_t) "alice", &e);
	ok(json_array_size(j) == 1 && strcmp(json_str(json_array_get(j, 0), "id"), a) == 0,
	    "one user's only");
	json_decref(j);
	ok(store_resolve(rec_dir, b, NULL, NULL, id, &e) == 0 && strcmp(id, b) == 0,
	    "a whole id resolves");
	ok(store_resolve(rec_dir, b, is_of, (void *)(uintptr_t) "bob", id, &e) == 0,
	    "for its user");
	ok(store_resolve(rec_dir, b, is_of, (void *)(uintptr_t) "alice", id, &e) < 0 &&
		e.code == ERR_NO_SESSION,
	    "for another there is none");
	fd = store_open_cast(rec_dir, b, &e);
	ok(fd >= 0, "its file opens");
	fd_close(&fd);
	is_int(store_discard(rec_dir, b, &e), -1, "an ended one is not discarded");
	is_int(store_discard(rec_dir, a, &e), 0, "an unended one is");
	is_int(store_remove(rec_dir, b, &e), 0, "an ended one can be removed");
	is_int(store_remove(rec_dir, b, &e), -1, "but once");
	is_int(e.code, ERR_NO_SESSION, "then it is unknown");
}

static void
plant(const char *id, const char *text)
{
	struct err e = {0};
	char name[STORE_ID_LEN + 8];
	int lock, dir = store_create(rec_dir, id, &lock, &e), fd;

	snprintf(name, sizeof(name), "%s.cast", id);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	(void)!write(fd, text, strlen(text));
	fd_close(&fd);
	fd_close(&dir);
	fd_close(&lock);
}

static void
test_damaged(void)
{
	static const struct {
		const char *id, *text, *state;
	} cases[] = {
	    {"01aaaaaaaaaaaaaaaaaaaaaaa1", "", "truncated"},
	    {"01aaaaaaaaaaaaaaaaaaaaaaa2", "{\"version\":2", "damaged"},
	    {"01aaaaaaaaaaaaaaaaaaaaaaa3", "[1,2]\n", "truncated"},
	    {"01aaaaaaaaaaaaaaaaaaaaaaa4", "{\"coral\":5,\"timestamp\":1e99}\nx\n", "truncated"},
	    {"01aaaaaaaaaaaaaaaaaaaaaaa5", "{}\n[1,\"c\",\"{\\\"end\\\":7}\"]\n", "truncated"},
	    {"01aaaaaaaaaaaaaaaaaaaaaaa6", "{}\n[1,\"c\",\"{\\\"end\\\":{}}\"]\n", "ended"},
	    {"01aaaaaaaaaaaaaaaaaaaaaaa7", "{}\n[1,\"c\",\"{\\\"end\\\":{}}\"]", "truncated"},
	    {"01aaaaaaaaaaaaaaaaaaaaaaa8", "{}\n[1,\"o\",\"{\\\"end\\\":{}}\"]\n", "truncated"},
	};
	char id[STORE_ID_LEN + 1];
	struct err e = {0};
	json_t *j;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		plant(cases[i].id, cases[i].text);
		is_str(state_of(cases[i].id), cases[i].state, cases[i].id);
	}
	mkdirat(rec_dirfd, "sessions/01bbbbbbbbbbbbbbbbbbbbbbbb", 0700);
	is_str(state_of("01bbbbbbbbbbbbbbbbbbbbbbbb"), "damaged", "no file at all");
	mkfifoat(
	    rec_dirfd, "sessions/01bbbbbbbbbbbbbbbbbbbbbbbb/01bbbbbbbbbbbbbbbbbbbbbbbb.cast", 0600);
	is_int(store_open_cast(rec_dir, "01bbbbbbbbbbbbbbbbbbbbbbbb", &e), -1, "a FIFO is none");
	ok(e.code == ERR_BAD_FILE && strstr(e.why, "regular") && e.hint[0], "and is said to be so");
	mkdirat(rec_dirfd, "sessions/not-an-id", 0700);
	j = store_list(rec_dir, NULL, NULL, &e);
	is_int(json_array_size(j), COUNT_OF(cases) + 1, "all are listed, and nothing else");
	json_decref(j);
	is_int(
	    store_resolve(rec_dir, "01aa", NULL, NULL, id, &e), -1, "a shared prefix is ambiguous");
	is_int(e.code, ERR_AMBIGUOUS, "and the error says so");
	ok(strstr(e.why, cases[7].id) != NULL, "with the candidates");
	ok(store_resolve(rec_dir, "01BB", NULL, NULL, id, &e) == 0 && id[2] == 'b',
	    "a prefix in capitals is enough");
	is_int(store_resolve(rec_dir, "01b", NULL, NULL, id, &e), -1, "three letters are too few");
	is_int(
	    store_resolve(rec_dir, "../../etc/passwd", NULL, NULL, id, &e), -1, "a path is no id");
	is_int(e.code, ERR_NO_SESSION, "and unknown");
	is_int(
	    store_open_cast(rec_dir, "../../../../../etc/passwd", &e), -1, "a path opens nothing");
	is_int(store_create(rec_dir, cases[0].id, &(int){0}, &e), -1, "an id is used once");
	is_int(e.code, ERR_RECORDING, "and then recording is impossible");
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		is_int(store_remove(rec_dir, cases[i].id, &e), 0, "damaged ones can be removed");
	is_int(store_remove(rec_dir, "01bbbbbbbbbbbbbbbbbbbbbbbb", &e), 0, "empty ones too");
}

static void
test_notes(void)
{
	char id[STORE_ID_LEN + 1];
	struct err e = {0};
	json_t *j = json_pack("{si}", "pid", 1), *got;
	int lock, dir;

	store_new_id(id);
	dir = store_create(rec_dir, id, &lock, &e);
	ok(store_put_note(dir, "tree.json", j, &e) == 0, "a note is written");
	json_object_set_new(j, "pid", json_integer(2));
	ok(store_put_note(dir, "tree.json", j, &e) == 0, "and replaced");
	got = store_get_note(rec_dir, id, "tree.json", &e);
	is_int(json_int(got, "pid", 0), 2, "and read");
	json_decref(got);
	is_int(store_put_note(dir, "../x", j, &e), -1, "names are plain");
	is_int(store_put_note(dir, "lock", j, &e), -1, "and not the session's own");
	is_int(store_drop_note(dir, "tree.json"), 0, "and dropped");
	ok(!store_get_note(rec_dir, id, "tree.json", &e), "then it is gone");
	is_int(store_discard(rec_dir, id, &e), 0, "a session that never began is undone");
	json_decref(j);
	fd_close(&dir);
	fd_close(&lock);
}

static void
test_many(void)
{
	char id[STORE_ID_LEN + 1];
	struct err e = {0};
	int64_t t;
	json_t *j;

	for (int i = 0; i < 2000; i++) {
		store_new_id(id);
		plant(id,
		    "{\"version\":2,\"width\":80,\"height\":24,\"coral\":{\"user\":\"u\"}}\n"
		    "[0.1,\"o\",\"x\"]\n[1.0,\"c\",\"{\\\"end\\\":{\\\"exit_code\\\":0}}\"]\n");
	}
	t = clock_mono();
	j = store_list(rec_dir, is_of, (void *)(uintptr_t) "u", &e);
	t = clock_mono() - t;
	is_int(json_array_size(j), 2000, "2000 sessions are listed");
	/* A tenth of a second when idle; the bound only catches a scan of whole files. */
	ok(t < 3 * NS_PER_S, "in %lld ms", (long long)(t / NS_PER_MS));
	json_decref(j);
}

int
main(void)
{
	rec_setup();
	test_states();
	test_damaged();
	test_notes();
	test_many();
	test_names_synced();
	return done_testing();
}
