/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/json.h"
#include "session/keeper_int.h"

json_t *
keeper_clients_json(const struct keeper *k)
{
	json_t *all = json_array();

	for (struct keeper_client *c = k->clients; c; c = c->next)
		json_array_append_new(
		    all, json_pack("{s:o, s:o, s:s, s:b}", "user", json_text(k->start->who.user),
			     "peer", json_text(k->start->peer), "role", "owner", "keyboard", true));
	return all;
}

void
keeper_tell_all(struct keeper *k, const char *text)
{
	keeper_notice(k, text);
}
