/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One removal: its record, on the disk, and then the thing itself. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit/record.h"
#include "audit/send.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/str.h"
#include "record/source.h"
#include "session/audited.h"
#include "session/prune_int.h"

#define BLOCK (256 * 1024)

static json_t *
record(const struct prune *p, const char *event, const char *reason)
{
	json_t *rec = audit_record_new(event);

	if (p->job->by_hand)
		session_audit_caller(rec);
	audit_set_text(rec, "actor",
	    p->job->by_hand ? "coral " CORAL_VERSION : "policy, coral " CORAL_VERSION);
	audit_set_text(rec, "mode", "prune");
	audit_set_text(rec, "reason", reason);
	session_audit_place(rec, p->job->conf);
	return rec;
}

/* A power cut must not take the record and leave the removal. */
static int
put(const struct prune *p, const json_t *rec, struct err *e)
{
	return audit_put_synced(p->job->conf->state_dir, rec, e);
}

static void
tell_failed(const struct prune *p, json_t *rec, const struct err *why)
{
	struct err e = {0};

	audit_set_error(rec, why);
	if (audit_put(p->job->conf->state_dir, rec, true, &e) < 0)
		log_error_of(&e, "writing the audit log");
}

static void
show(const struct prune *p, struct prune_item *item, const struct err *failed)
{
	item->failed = failed;
	if (failed)
		p->sum->failed++;
	else if (item->log)
		p->sum->logs++;
	else
		p->sum->recordings++;
	p->sum->bytes += failed ? 0 : item->bytes;
	if (p->job->tell)
		p->job->tell(p->job->arg, item);
}

/* Of the recording's own bytes, however they are stored: -1, they cannot be read. */
static int
digest(struct source *src, char out[65], struct err *e)
{
	auto_free char *block = malloc(BLOCK);
	unsigned char raw[SHA256_SIZE];
	struct sha256 h;
	ssize_t n = -1;

	if (sha2_init(&h) == 0 && block)
		while ((n = source_read(src, block, BLOCK, e)) > 0)
			sha2_update(&h, block, (size_t)n);
	if (sha2_final(&h, raw) < 0 || n < 0)
		return -1;
	str_hex(out, raw, sizeof raw);
	return 0;
}

static int
digest_file(int fd, char out[65])
{
	auto_free char *block = malloc(BLOCK);
	unsigned char raw[SHA256_SIZE];
	struct sha256 h;
	ssize_t n = -1;

	if (sha2_init(&h) == 0 && block)
		while ((n = read(fd, block, BLOCK)) > 0)
			sha2_update(&h, block, (size_t)n);
	if (sha2_final(&h, raw) < 0 || n < 0)
		return -1;
	str_hex(out, raw, sizeof raw);
	return 0;
}

/* What it is of.  What is encrypted, or damaged, is known by its file. */
static const char *
find_digest(const struct prune *p, const char *id, char out[65])
{
	const char *dir = p->job->conf->state_dir;
	struct err e = {0};
	auto_close int fd = store_open_cast(dir, id, &e);
	struct source *src = fd >= 0 ? source_open_fd(fcntl(fd, F_DUPFD_CLOEXEC, 3), id, &e) : NULL;
	int rc = src ? digest(src, out, &e) : -1;

	source_close(src);
	if (rc == 0)
		return "sha256";
	out[0] = '\0';
	return fd >= 0 && lseek(fd, 0, SEEK_SET) == 0 && digest_file(fd, out) == 0 ? "file_sha256"
										   : "unknown";
}

static int
remove_recording(struct prune *p, const struct prune_one *one, const char *why,
    struct prune_item *item, struct err *e)
{
	const char *dir = p->job->conf->state_dir;
	json_t *shown = store_show(dir, one->id, e), *rec;
	const char *kind;
	char reason[320];
	int rc;

	if (!shown)
		return -1;
	if (one->untold && session_audit_truncated(p->job->conf, one->id, e) < 0) {
		json_decref(shown);
		return -1;
	}
	/* What cannot be read any more is removed in its time all the same, and told so. */
	kind = find_digest(p, one->id, item->digest);
	snprintf(reason, sizeof reason, "%s; state=%s sealed=%s bytes=%lld %s=%s", why,
	    json_str(shown, "state"), json_is_true(json_object_get(shown, "sealed")) ? "yes" : "no",
	    (long long)json_int(shown, "size", 0), kind, item->digest);
	rec = record(p, "session.removed", reason);
	audit_set_text(rec, "session_id", one->id);
	session_audit_target(rec,
	    json_object_get(json_object_get(json_object_get(shown, "header"), "coral"), "target"));
	json_decref(shown);
	rc = put(p, rec, e);
	if (rc == 0)
		rc = store_remove(dir, one->id, e);
	/* Also where it is not sure that the record is there: it may be, and would be untrue. */
	if (rc < 0)
		tell_failed(p, rec, e);
	json_decref(rec);
	return rc;
}

int
prune_recording(struct prune *p, struct prune_one *one, const char *why)
{
	struct prune_item item = {.bytes = one->bytes, .ended_ns = one->ended_ns};
	struct err e = {0};
	int rc = 0;

	str_copy(item.name, one->id, sizeof item.name);
	str_copy(item.why, why, sizeof item.why);
	if (!p->job->dry_run)
		rc = remove_recording(p, one, why, &item, &e);
	show(p, &item, rc < 0 ? &e : NULL);
	return rc;
}

static int
remove_log_file(const struct prune *p, const struct audit_file *f, const char *why, struct err *e)
{
	struct audit_pruned gone = {.records = f->records, .bytes = f->bytes};
	char reason[AUDIT_PRUNED_TEXT];
	json_t *rec;
	int rc;

	str_copy(gone.file, f->name, sizeof gone.file);
	memcpy(gone.after, f->after, sizeof gone.after);
	memcpy(gone.last, f->last, sizeof gone.last);
	audit_pruned_text(reason, why, &gone);
	rec = record(p, AUDIT_PRUNED, reason);
	rc = put(p, rec, e);
	if (rc == 0)
		rc = audit_survey_remove(p->audit_dir, f, e);
	if (rc < 0)
		tell_failed(p, rec, e);
	json_decref(rec);
	return rc;
}

int
prune_log_file(struct prune *p, const struct audit_file *f, const char *why)
{
	struct prune_item item = {.log = true, .bytes = f->bytes, .ended_ns = f->newest_ns};
	struct err e = {0};
	int rc = 0;

	str_copy(item.name, f->name, sizeof item.name);
	str_copy(item.why, why, sizeof item.why);
	if (!p->job->dry_run)
		rc = remove_log_file(p, f, why, &e);
	show(p, &item, rc < 0 ? &e : NULL);
	return rc;
}
