/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/enter.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/table.h"

/* The columns in which state and reason begin. */
#define STATE_AT 15
#define WHY_AT 26

static void
print_item(FILE *f, int indent, int width, const json_t *row)
{
	static const char *const keys[] = {"item", "state", "why", "allow"};
	static const char none[] = "nothing: ";
	char cell[COUNT_OF(keys)][2048], allow[2100];
	int at = indent + WHY_AT;

	for (size_t k = 0; k < COUNT_OF(keys); k++) {
		const char *text = json_string_value(json_object_get(row, keys[k]));

		str_vis(cell[k], sizeof(cell[k]), text ? text : "");
	}
	fprintf(f, "%*s%-*s%-*s", indent, "", STATE_AT, cell[0], WHY_AT - STATE_AT, cell[1]);
	table_wrap(f, cell[2], at, at, width);
	if (!cell[3][0])
		return;
	if (strncmp(cell[3], none, strlen(none)) == 0)
		snprintf(allow, sizeof(allow), "nothing clones it: %s", cell[3] + strlen(none));
	else
		snprintf(allow, sizeof(allow), "to clone it: %s", cell[3]);
	fprintf(f, "%*s", at, "");
	table_wrap(f, allow, at, at + 2, width);
}

void
explain_items(FILE *f, int indent, const json_t *items)
{
	int width = table_columns(f);
	const json_t *row;
	size_t i;

	if (width == 0) /* One line each, for grep(1). */
		width = INT_MAX;
	json_array_foreach(items, i, row)
	{
		print_item(f, indent, width, row);
	}
}

void
explain_print(const json_t *opened)
{
	bool bold = table_colour(stderr);

	fprintf(stderr, "%s%-*s%-*sWHY%s\n", bold ? "\033[1m" : "", STATE_AT, "ITEM",
	    WHY_AT - STATE_AT, "STATE", bold ? "\033[0m" : "");
	explain_items(stderr, 0, json_object_get(json_object_get(opened, "context"), "items"));
	fflush(stderr);
}
