/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/ident.h"

#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"
#include "target/lex.h"

#define SESSION_PREFIX "coral-"

static bool
ends_with(const struct lex *l, const char *end)
{
	size_t n = strlen(end);

	return l->n >= n && memcmp(l->p + l->n - n, end, n) == 0;
}

static bool
drop_end(struct lex *l, const char *end)
{
	if (!ends_with(l, end))
		return false;
	l->n -= strlen(end);
	return true;
}

static bool
is_hex(const struct lex *l, size_t want)
{
	if (l->n != want)
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (lex_digit(l->p[i]) > 15)
			return false;
	return true;
}

static void
set(struct ident *out, const char *runtime, const struct lex *id)
{
	str_copy(out->runtime, runtime, sizeof(out->runtime));
	out->id[0] = out->name[0] = '\0';
	out->monitor = false;
	if (id)
		lex_copy(id, out->id, sizeof(out->id));
}

/* A 64-digit id behind the prefix that its runtime puts before it, in either cgroup driver. */
static bool
by_prefix(struct lex l, struct ident *out)
{
	static const struct {
		const char *prefix, *runtime;
	} rows[] = {
	    {"docker-", "docker"},
	    {"cri-containerd-", "containerd"},
	    {"nerdctl-", "containerd"},
	    {"crio-conmon-", NULL},
	    {"crio-", "cri-o"},
	    {"libpod-conmon-", NULL},
	    {"libpod-payload-", "podman"},
	    {"libpod-", "podman"},
	};

	drop_end(&l, ".scope");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct lex id = l;

		if (!lex_skip(&id, rows[i].prefix) || !is_hex(&id, 64))
			continue;
		set(out, rows[i].runtime ? rows[i].runtime : "", &id);
		out->monitor = !rows[i].runtime;
		return true;
	}
	return false;
}

/* "SLICE:PREFIX:ID": the systemd notation, taken literally by a cgroupfs driver. */
static bool
by_colons(struct lex l, struct ident *out)
{
	struct lex slice, prefix;

	if (!lex_until(&l, ':', &slice) || !lex_until(&l, ':', &prefix) || !is_hex(&l, 64))
		return false;
	set(out,
	    lex_is(&prefix, "crio")	? "cri-o"
	    : lex_is(&prefix, "docker") ? "docker"
	    : lex_is(&prefix, "libpod") ? "podman"
					: "containerd",
	    &l);
	return true;
}

/* Unit names carry other bytes as \xNN (systemd.unit(5)). */
static bool
unit_name(const struct lex *l, char *dst, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < l->n; i++) {
		char c = l->p[i];

		if (c == '\\' && l->n - i >= 4 && l->p[i + 1] == 'x') {
			struct lex hex = {l->p + i + 2, 2};
			uint64_t v;

			if (!lex_number(&hex, 16, 255, &v) || hex.n || v == 0)
				return false;
			c = (char)v;
			i += 3;
		}
		if (at + 1 >= size)
			return false;
		dst[at++] = c;
	}
	dst[at] = '\0';
	return at > 0;
}

static bool
named(const char *runtime, const struct lex *name, struct ident *out)
{
	char plain[254];

	if (name->n == 0 || !unit_name(name, plain, sizeof(plain)))
		return false;
	set(out, runtime, NULL);
	str_vis(out->name, sizeof(out->name), plain);
	if (strlen(plain) < sizeof(out->id) && strcmp(runtime, "nspawn") != 0)
		str_vis(out->id, sizeof(out->id), plain);
	return true;
}

static bool
by_name(struct lex l, const struct lex *parent, struct ident *out)
{
	struct lex n = l;

	if (lex_skip(&n, "lxc.monitor.")) {
		set(out, "", NULL);
		out->monitor = true;
		return true;
	}
	if (lex_skip(&n, "lxc.payload."))
		return named("lxc", &n, out);
	if (lex_is(parent, "lxc") || lex_is(parent, "lxc.payload"))
		return named("lxc", &n, out);
	if (lex_is(parent, "machine.slice")) {
		if (lex_skip(&n, "systemd-nspawn@") && drop_end(&n, ".service"))
			return named("nspawn", &n, out);
		n = l;
		if (lex_skip(&n, "machine-") && drop_end(&n, ".scope") && !lex_skip(&n, "qemu"))
			return named("nspawn", &n, out);
	}
	n = l;
	if ((lex_skip(&n, "runc-") || lex_skip(&n, "crun-")) && drop_end(&n, ".scope"))
		return named("runc", &n, out);
	return false;
}

/* "podUID", "kubepods-burstable-podUID.slice": systemd turns '-' into '_'. */
static void
pod_uid(struct lex l, struct ident *out)
{
	const char *at;

	if (drop_end(&l, ".slice")) {
		if (!lex_skip(&l, "kubepods-"))
			return;
		at = memmem(l.p, l.n, "pod", 3);
		if (!at)
			return;
		l.n -= (size_t)(at - l.p);
		l.p = at;
	}
	if (!lex_skip(&l, "pod") || (l.n != 36 && l.n != 32))
		return;
	for (size_t i = 0; i < l.n; i++)
		if (lex_digit(l.p[i]) > 15 && l.p[i] != '-' && l.p[i] != '_')
			return;
	lex_copy(&l, out->pod_uid, sizeof(out->pod_uid));
	for (char *c = out->pod_uid; *c; c++)
		if (*c == '_')
			*c = '-';
}

static bool
component(const struct lex *l, const struct lex *parent, struct ident *out)
{
	if (by_prefix(*l, out) || by_colons(*l, out) || by_name(*l, parent, out))
		return true;
	if (!is_hex(l, 64))
		return false;
	/* podman puts a pod's cgroup there; its containers lie below. */
	if (lex_is(parent, "libpod_parent"))
		return false;
	set(out, lex_is(parent, "docker") ? "docker" : "containerd", l);
	return true;
}

bool
ident_path(const char *path, struct ident *out)
{
	struct lex l = {path, strlen(path)}, part, parent = {path, 0};
	bool found = false;

	memset(out, 0, sizeof(*out));
	while (lex_until(&l, '/', &part)) {
		if (part.n == 0)
			continue;
		pod_uid(part, out);
		if (component(&part, &parent, out)) {
			found = true;
			out->session = false;
			out->len = (size_t)(part.p - path) + part.n;
		} else if (found && part.n > strlen(SESSION_PREFIX) &&
			   memcmp(part.p, SESSION_PREFIX, strlen(SESSION_PREFIX)) == 0) {
			out->session = true;
		}
		parent = part;
	}
	return found;
}

static bool
is_unit(const struct lex *l)
{
	static const char *const units[] = {".service", ".scope", ".slice", ".mount", ".socket"};

	for (size_t i = 0; i < COUNT_OF(units); i++)
		if (ends_with(l, units[i]))
			return true;
	return false;
}

bool
ident_plain(const char *path, struct ident *out)
{
	struct lex l = {path, strlen(path)}, part, name = {path, 0};

	memset(out, 0, sizeof(*out));
	while (lex_until(&l, '/', &part)) {
		struct lex test = part;

		if (part.n == 0 || lex_is(&part, ".."))
			continue;
		if (name.n > 0 && lex_skip(&test, SESSION_PREFIX) && test.n > 0) {
			out->session = true;
			break;
		}
		/* A systemd inside the container has units of its own below its name. */
		if (!is_unit(&part))
			name = part;
	}
	out->len = (size_t)(name.p - path) + name.n;
	return name.n > 0 && named("runc", &name, out);
}
