/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A secret of which the keeper has one half: whatever happens then, it is not recorded in two. */
#include <signal.h>

#include "base/redact.h"
#include "record/redactor_int.h"
#include "keeper_kit.h"

#define SECRET "hunter2hunter2"
#define HALF 9

static const char *const env[] = {"DB_PASSWORD=" SECRET, NULL};
static struct conf conf;
static int owner;

static void
say_command(const char *text)
{
	if (fd_write_all(command, text, strlen(text)) < 0)
		exit(99);
}

static void
begin(void)
{
	char text[64];

	req.tty = true;
	setup(&owner);
	k.redact_rules = redactor_rules_new();
	redactor_rules_environ(k.redact_rules, env);
	for (int i = 0; i < 2; i++) {
		k.output[i].redactor = redactor_new(k.redact_rules);
		buf_init(&k.output[i].redacted, 1 << 20);
	}
	k.rules.on_failure_block = true;
	snprintf(text, sizeof text, "see %.*s", HALF, SECRET);
	say_command(text);
	keeper_output_ready(&k.output[0]);
	ok(k.t_redact.linked, "half of a secret waits");
}

/* However slow this machine is, time is not what lets it go. */
static void
no_timer(void)
{
	redactor_hold_anew(k.output[0].redactor, clock_mono() + 3600 * NS_PER_S);
	loop_timer_clear(k.loop, &k.t_redact);
}

/* Until what waits would have been let go. */
static void
wait_for_it(void)
{
	int64_t until = clock_mono() + 2 * REDACTOR_HOLD_NS;

	while (clock_mono() < until)
		loop_turn(k.loop, 10);
}

static void
end(void)
{
	for (int i = 0; i < 2; i++) {
		redactor_free(k.output[i].redactor);
		buf_fini(&k.output[i].redacted);
	}
	redactor_rules_free(k.redact_rules);
	k.redact_rules = NULL;
	close(owner);
	teardown();
}

static void
recorded_is(const char *want, const char *name)
{
	struct rec_seen seen;

	keeper_redact_over(&k);
	cast_flush(k.cast, clock_mono(), NULL);
	rec_read(rec_path("keeper.cast"), &seen);
	is_str(seen.stream[CAST_STDOUT].len ? buf_cstr(&seen.stream[CAST_STDOUT]) : "", want, name);
	rec_forget(&seen);
	end();
}

static void
rest_comes(const char *name)
{
	say_command(SECRET + HALF);
	say_command("\n");
	keeper_output_ready(&k.output[0]);
	recorded_is("see " REDACTED "\n", name);
}

static void
test_let_go(void)
{
	begin();
	wait_for_it();
	is_int(redactor_due(k.output[0].redactor), 0, "half of a secret waits no longer");
	recorded_is("see hunter2hu", "nothing follows: it is no secret");
}

static void
test_repaint(void)
{
	begin();
	no_timer();
	say(owner, FR_REPAINT, 1);
	for (int i = 0; i < 10 && !k.owner->next_paint; i++)
		loop_turn(k.loop, 0);
	ok(k.owner->next_paint > 0, "the owner asks for its screen");
	rest_comes("a repaint does not part it");
}

static void
test_blocked(void)
{
	const struct err e = {.code = ERR_RECORDING};

	begin();
	keeper_record_trouble(&k, &e);
	ok(k.blocked_since > 0 && k.t_block.linked, "the recording fails for a while");
	wait_for_it();
	k.t_block.fire(k.t_block.arg);
	is_int(k.blocked_since, 0, "then it goes on");
	rest_comes("that does not part it");
}

/* The rest is there, and is not read: a pace, a slow client. */
static void
test_unread(void)
{
	begin();
	say_command(SECRET + HALF);
	wait_for_it();
	keeper_output_ready(&k.output[0]);
	recorded_is("see " REDACTED, "nor that it is read late");
}

static void
test_frozen(void)
{
	begin();
	k.frozen = true;
	wait_for_it();
	k.frozen = false;
	keeper_redact_anew(&k);
	rest_comes("nor being frozen");
}

/* In three pieces: the second is read when the first was due already. */
static void
test_three(void)
{
	char piece[2] = {SECRET[HALF], '\0'};

	begin();
	say_command(piece);
	wait_for_it();
	keeper_output_ready(&k.output[0]);
	loop_turn(k.loop, 0);
	loop_turn(k.loop, 0);
	say_command(SECRET + HALF + 1);
	keeper_output_ready(&k.output[0]);
	recorded_is("see " REDACTED, "in three pieces neither");
}

/* The owner saw it, and it is not in the recording that is painted. */
static void
test_painted(void)
{
	int64_t until = clock_mono() + 30 * NS_PER_S;
	struct buf got;

	if (geteuid() != 0) {
		ok(true, "a real painting # SKIP needs root");
		return;
	}
	snprintf(start.id, sizeof start.id, "keeper");
	begin();
	no_timer();
	k.store_dir = rec_dirfd;
	k.rules.record_output = true;
	buf_init(&got, 1 << 20);
	say(owner, FR_REPAINT, 1);
	while (!k.owner->next_paint || k.owner->painting || k.owner->paint.len > 0)
		if (clock_mono() < until)
			loop_turn(k.loop, 10);
		else
			break;
	hear(owner, FR_SCREEN, &got);
	ok(got.len > HALF && memcmp(buf_head(&got) + got.len - HALF, SECRET, HALF) == 0,
	    "what waits comes behind the painting");
	is_int((intmax_t)k.owner->held.len, 0, "once");
	buf_fini(&got);
	keeper_paint_none(&k);
	k.store_dir = -1;
	recorded_is("see hunter2hu", "and is recorded");
}

/* A pattern that takes much for little: that is no less to give back than what much output took. */
static void
test_grown(void)
{
	begin();
	no_timer();
	loop_timer_clear(k.loop, &k.t_tidy);
	k.untidy = 0;
	say_command("a line\n");
	keeper_output_ready(&k.output[0]);
	ok(!k.t_tidy.linked, "little came");
	/* As by record_redactor's costly ones; under a sanitizer nothing is counted. */
	k.redact_rules->grown = 1 << 20;
	say_command("a line\n");
	keeper_output_ready(&k.output[0]);
	ok(k.t_tidy.linked, "and took much");
	loop_timer_clear(k.loop, &k.t_tidy);
	end();
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	start.conf = &conf;
	rec_setup();
	chmod(rec_dir, 0755);
	snprintf(conf.runtime_dir, sizeof conf.runtime_dir, "%s", rec_dir);
	test_let_go();
	test_repaint();
	test_blocked();
	test_unread();
	test_frozen();
	test_three();
	test_painted();
	test_grown();
	return done_testing();
}
