/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_REPLAY_PLAYER_INT_H
#define CORAL_REPLAY_PLAYER_INT_H

#include "record/source.h"
#include "replay/moments.h"
#include "replay/player.h"

#define INDEX_MAX 2048		       /* key frames */
#define INDEX_BYTES ((size_t)32 << 20) /* of all of them, compressed */
#define INDEX_ONE ((size_t)8 << 20)    /* of one; larger ones are not kept */
#define INDEX_GAP ((uint64_t)64 << 10) /* bytes of file between two, at first */
#define SAVE_MAX ((size_t)256 << 20)

/* Keys as they are shown, the last ones. */
struct typed {
	char text[128];
};
void typed_take(struct typed *k, const struct cast_event *ev);

/* A point between two events. */
struct place {
	uint64_t offset, line; /* of the event to come */
	int64_t line_t;	       /* of that event, as it stands in the file */
	int64_t t;	       /* of the event before, never going back */
	uint64_t frame;
	struct typed typed;
	bool end;
};

struct keyframe {
	struct place at;
	unsigned char *z;
	size_t zlen, rawlen;
};

struct sidecar;
/* In order of offset: the first of kf, those of the file, the others of kf. */
struct index {
	struct keyframe *kf; /* INDEX_MAX */
	size_t n, bytes;
	uint64_t gap;
	struct buf raw; /* scratch */
	struct sidecar *file;
	size_t in_file;
};

int index_init(struct index *x);
void index_fini(struct index *x);
/* Take a key frame here when it is time for one. */
void index_consider(struct index *x, const struct screen *s, const struct place *at);
int index_restore(struct index *x, size_t k, struct screen *s, struct place *at);
/* Those of a file as well, while there is but the first; takes it. */
void index_add_file(struct index *x, struct sidecar *file);
void index_drop_file(struct index *x);
size_t index_count(const struct index *x);
const struct place *index_place(const struct index *x, size_t k);
/* The last key frame that is not after a time, a frame or an offset: 0 when none is. */
size_t index_by_time(const struct index *x, int64_t t);
size_t index_by_frame(const struct index *x, uint64_t frame);
size_t index_by_offset(const struct index *x, uint64_t offset);

/* What a text search carries from event to event. */
struct find {
	char needle[PLAYER_TEXT_MAX + 1];
	size_t len;
	bool fold; /* ignore case */
	bool forward;
	uint64_t before;  /* times on the screen before the event */
	uint64_t gone;	  /* times in lines that left during it and are not in `text` any more */
	uint64_t changes; /* of the screen, when `before` was counted */
	struct buf text;
	size_t segment; /* key frame that the backward search is behind */
	uint64_t upto;	/* last frame of the segment */
	uint64_t hit;	/* last frame found in it, or 0 */
};

void find_init(struct find *f);
void find_set(struct find *f, const char *text, bool forward);
/* Count what stands, as the ground for the next event. */
void find_ground(struct find *f, const struct screen *s);
/* After an event: whether the text appeared anew. */
bool find_after(struct find *f, const struct screen *s);
/* A hook of the screen. */
void find_scrolled(void *arg, const char *text, size_t n, bool on);

/* Where a shell got a line; the last of these that there is in a recording is told of. */
enum command_source { COMMAND_GUESSED, COMMAND_TYPED, COMMAND_MARKED };
struct command {
	struct player_moment m;
	enum command_source source;
};
struct commands {
	struct command *list;
	size_t n, room;
	uint64_t upto;
	enum command_source best;
	bool none;	/* it had no terminal */
	size_t matched; /* bytes of the mark at the end of the output so far */
	int64_t last;	/* output */
	bool waits;	/* output stood still in the middle of a line that has not ended since */
};
/* Before the event to come is applied. */
void commands_take(struct commands *c, const struct player *p);

/* A state put aside. */
struct aside {
	struct place at;
	struct buf screen;
	bool valid;
};

enum job { JOB_NONE, JOB_SEEK_TIME, JOB_SEEK_FRAME, JOB_FIND };

struct player {
	int fd;
	struct cast_reader *reader;
	struct screen *screen;
	struct place at;
	struct cast_event ev; /* the event to come, when have */
	bool have;
	uint64_t size; /* of the recording when it was opened; 0: not known */

	bool live;   /* the file may grow */
	bool caught; /* and all that it has by now was read once */
	bool known;  /* the end has been seen */
	enum player_end ending;
	struct err bad;
	int64_t last_t; /* latest time seen, or guessed */

	/* With an index, what lies before `front` was read, and perhaps not all behind it. */
	bool learning;
	uint64_t front;

	struct index index;
	struct moments moments;
	struct commands commands;
	struct aside ahead, back, here;
	enum job job;
	int64_t want_t;
	uint64_t want_frame, from_offset;
	struct find find;
};

/* The next event into ev; notes the end. */
void player_fetch(struct player *p);
int player_put_aside(const struct player *p, struct aside *a);
int player_take_back(struct player *p, const struct aside *a);
int player_to_keyframe(struct player *p, size_t k);
/* Read from where `at` says. */
int player_resume(struct player *p);
/* The reader is at the end of a file that may grow; false: that end is the last. */
bool player_waits_here(struct player *p, int got);
void player_find_begin(struct player *p);
enum player_state player_find_work(struct player *p, int64_t until);

#endif
