/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which of the runtimes' files a container was started from. */
#include "target/runtime.h"

#include <string.h>

#include "base/json.h"
#include "target/lex.h"

#define ID_LEN 64

static bool
holds_id(const struct lex *part)
{
	size_t run = 0;

	for (size_t i = 0; i < part->n; i++) {
		run = lex_digit(part->p[i]) < 16 ? run + 1 : 0;
		if (run == ID_LEN)
			return true;
	}
	return false;
}

/* podman's pods have ids too, of which the containers' cgroups lie below. */
static bool
is_pod(const struct lex *part, const struct lex *parent)
{
	return lex_is(parent, "libpod_parent") ||
	       memmem(part->p, part->n, "libpod_pod_", strlen("libpod_pod_")) != NULL;
}

/* The outermost id of a path: below it, names are the container's to choose. */
static bool
outermost_is(const char *path, const char *id)
{
	struct lex l = {path, strlen(path)}, part, parent = {path, 0};

	while (lex_until(&l, '/', &part)) {
		if (holds_id(&part) &&
		    !(is_pod(&part, &parent) && !memmem(part.p, part.n, id, strlen(id))))
			return memmem(part.p, part.n, id, strlen(id)) != NULL;
		parent = part;
	}
	/* No id: another hierarchy than the container's, which says nothing. */
	return true;
}

static bool
id_is_its_own(const struct proc_cgroups *cg, const char *id)
{
	bool seen = false;

	if (strlen(id) != ID_LEN)
		return false;
	for (size_t i = 0; i < cg->n; i++) {
		if (!outermost_is(cg->v[i].path, id))
			return false;
		seen |= strstr(cg->v[i].path, id) != NULL;
	}
	return seen;
}

json_t *
rt_config(struct rt_ctx *c, int pd, const struct proc_cgroups *cg, const struct tgt *t,
    enum rt_schema *schema, char path[RT_PATH_MAX])
{
	path[0] = '\0';
	if (strcmp(t->runtime, "runc") == 0) {
		*schema = RT_RUNC;
		return rt_runc_state(c, pd, t, path);
	}
	*schema = RT_OCI;
	return id_is_its_own(cg, t->id) ? rt_bundle_config(c, pd, t, path) : NULL;
}
