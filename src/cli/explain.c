/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/enter.h"

#include <stdio.h>

#include "cli/table.h"

void
explain_print(const json_t *opened)
{
	static const char *const heads[] = {"ITEM", "STATE", "WHY", "TO CLONE IT", NULL};
	const json_t *items = json_object_get(json_object_get(opened, "context"), "items");
	struct table *t = table_new(heads);
	const json_t *row;
	size_t i;
	int rc = t ? 0 : -1;

	json_array_foreach(t ? items : NULL, i, row)
	{
		for (int k = 0; k < 4; k++) {
			static const char *const keys[] = {"item", "state", "why", "allow"};

			rc |= table_cell(t, json_string_value(json_object_get(row, keys[k])));
		}
	}
	if (rc == 0)
		table_print(t, stderr, 3);
	fflush(stderr);
	table_free(t);
}
