/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/target.h"

json_t *
tgt_to_json(const struct tgt *t)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:s, s:s, s:s}", "service",
	    t->service, "container", t->container, "container_id", t->id, "pod", t->pod,
	    "namespace", t->ns, "pod_uid", t->pod_uid, "image", t->image, "uid", (json_int_t)t->uid,
	    "pid", (int)t->pid, "runtime", t->runtime, "provenance", t->provenance, "state",
	    t->frozen ? "paused" : "running");
}
