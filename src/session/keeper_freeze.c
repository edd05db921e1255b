/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "session/keeper_int.h"

static void
say(struct keeper *k, const char *by, bool on)
{
	json_t *facts = json_pack("{s:o}", "by", json_text(by));
	char text[160];

	cast_event(k->cast, clock_mono(), on ? "frozen" : "thawed", facts, NULL);
	json_decref(facts);
	snprintf(text, sizeof text, on ? "frozen by %s" : "thawed by %s", by);
	keeper_tell_all(k, text);
}

/* What came before has been read and is on its way; what the terminal still holds stays in it. */
int
keeper_freeze(struct keeper *k, const char *by, bool on, struct err *e)
{
	if (k->frozen == on || k->phase != KEEPER_RUNNING)
		return 0;
	if (on) {
		keeper_spare_helper(k);
		if (enter_tree_freeze(&k->sys, &k->child.tree, &k->door.stopped, e) < 0)
			return -1;
		k->frozen = true;
		str_copy(k->door.frozen_by, by, sizeof k->door.frozen_by);
		say(k, by, on);
		return 0;
	}
	k->frozen = false;
	/* Nobody could type. */
	keeper_typed(k);
	say(k, by, on);
	enter_tree_thaw(&k->sys, &k->child.tree, &k->door.stopped);
	keeper_signals_held(k);
	keeper_redact_anew(k);
	return 0;
}

void
keeper_freeze_anew(struct keeper *k, const char *by)
{
	if (!k->frozen || strcmp(k->door.frozen_by, by) == 0)
		return;
	str_copy(k->door.frozen_by, by, sizeof k->door.frozen_by);
	say(k, by, true);
}

void
keeper_freeze_over(struct keeper *k)
{
	if (!k->frozen)
		return;
	k->frozen = false;
	enter_tree_thaw(&k->sys, &k->child.tree, &k->door.stopped);
}
