/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/target.h"

#include "base/json.h"

json_t *
tgt_to_json(const struct tgt *t)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:i, s:s, s:s, s:s}", "service",
	    json_text(t->service), "container", json_text(t->container), "container_id",
	    json_text(t->id), "pod", json_text(t->pod), "namespace", json_text(t->ns), "pod_uid",
	    json_text(t->pod_uid), "image", json_text(t->image), "uid", (json_int_t)t->uid, "pid",
	    (int)t->pid, "runtime", t->runtime, "provenance", t->provenance, "state",
	    t->frozen ? "paused" : "running");
}
