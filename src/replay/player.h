/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_REPLAY_PLAYER_H
#define CORAL_REPLAY_PLAYER_H

/*
 * A recording as a film: what the screen showed at any time, found without
 * reading from the start, thanks to key frames that are made in passing and in
 * idle moments.  Memory is bounded whatever the file's size: key frames have a
 * cap and are thinned out.  Times are ns since the start of the recording.
 *
 * A frame is what stands after a visible event (output, resize).  Nothing here
 * draws, waits for time to pass, or blocks on anything but the file.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "record/cast.h"
#include "screen/screen.h"

struct player;

/* Takes fd, which must be a regular file; `name` for messages. */
struct player *player_open(int fd, const char *name, struct err *e);
void player_free(struct player *p);

const json_t *player_header(const struct player *p);
/* What stands now.  Not while player_busy(). */
const struct screen *player_screen(const struct player *p);
int64_t player_time(const struct player *p);   /* of the last event applied */
uint64_t player_frame(const struct player *p); /* visible events applied */
int64_t player_next(const struct player *p);   /* time of the event to come, or -1 at the end */
/* Length; *exact is false while it is only what was read or guessed so far. */
int64_t player_total(const struct player *p, bool *exact);

/* Be told of lines that leave and screens that are wiped, while playing forward; NULL ends it.  A
 * search ends it too. */
void player_watch(struct player *p, const struct screen_hooks *h);

/* A session that is going on: the end of its file is none until player_live(p, false). */
void player_live(struct player *p, bool live);
/* Look whether it has grown. */
void player_more(struct player *p);
/* Everything that there is by now was applied, and more may come. */
bool player_waiting(const struct player *p);

enum player_end { PLAYER_WHOLE, PLAYER_TRUNCATED, PLAYER_DAMAGED };
/* How the file ends, as far as is known by now; *e (may be NULL) says what is damaged. */
enum player_end player_ending(const struct player *p, struct err *e);

/* A marker, or an event of coral's own. */
struct player_moment {
	int64_t t;
	bool hidden;	/* something was written so that it is not seen: label says how */
	char label[64]; /* harmless */
};
/* The first later than t, or the last before it, of the first 4096 in what was read so far; NULL:
 * none. */
const struct player_moment *player_moment(const struct player *p, int64_t t, bool after);
/* Of a session of coral: its processes were stopped at t, as of the same moments. */
bool player_frozen(const struct player *p, int64_t t);
/* The same of lines that a shell was given, each with what stood in its row: where the shell marks
 * them (OSC 133), else where Enter was typed, else where output went on below a row in whose middle
 * it had stood still. */
const struct player_moment *player_command(const struct player *p, int64_t t, bool after);
/* What was typed last, as far as it was recorded, "<Enter>" and so on between; harmless. */
const char *player_typed(const struct player *p);
/* Nanoseconds since 1970, or 0: not known. */
int64_t player_began(const struct player *p);

/* Apply the next event, whatever it is; false at the end. */
bool player_apply(struct player *p);

/*
 * Long work, done in slices.  Start one, then call player_work() until it does
 * not say PLAYER_BUSY; player_cancel() stops where it is (a seek) or goes back
 * (a search).  With nothing started, player_work() reads ahead to make key
 * frames, and says PLAYER_IDLE when the whole file is known.
 */
enum player_state { PLAYER_IDLE, PLAYER_BUSY, PLAYER_DONE, PLAYER_NOT_FOUND };
void player_seek(struct player *p, int64_t t);	      /* every event with time <= t */
void player_seek_frame(struct player *p, uint64_t n); /* exactly n visible events */
/* The next or previous frame on which `text` appears anew.  Ignores the case of ASCII letters
 * unless `text` has a capital. */
#define PLAYER_TEXT_MAX 256
void player_find(struct player *p, const char *text, bool forward);
enum player_state player_work(struct player *p, int64_t budget_ns);
bool player_busy(const struct player *p);
void player_cancel(struct player *p);
/* player_work() until the started work is done. */
enum player_state player_finish(struct player *p);
/* 0 to 1000, of the work or of the reading ahead. */
int player_progress(const struct player *p);

#endif
