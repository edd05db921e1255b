/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/evidence.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "record/store.h"

#define B64(n) (((n) + 2) / 3 * 4)

static size_t
key_text(char out[EVIDENCE_TEXT_MAX], const struct evidence *ev, const char *session_id)
{
	char b64[B64(ED25_PUBLIC) + 1];

	str_base64(b64, ev->session_key, sizeof(ev->session_key));
	return (size_t)snprintf(out, EVIDENCE_TEXT_MAX, EVIDENCE_KEY_DOMAIN "\n%.64s\n%lld\n%s\n",
	    session_id, (long long)ev->real_ns, b64);
}

int
evidence_issue(
    struct evidence *ev, const struct keyfile *agent, const char *session_id, int64_t real_ns)
{
	char text[EVIDENCE_TEXT_MAX];

	*ev = (struct evidence){.real_ns = real_ns};
	memcpy(ev->agent_key, agent->public, sizeof(ev->agent_key));
	if (ed25_make(ev->seed, ev->session_key) == 0 &&
	    keyfile_sign(agent, text, key_text(text, ev, session_id), ev->certificate) == 0)
		return 0;
	explicit_bzero(ev, sizeof(*ev));
	return -1;
}

json_t *
evidence_json(const struct evidence *ev)
{
	char key[B64(ED25_PUBLIC) + 1], certificate[B64(ED25_SIGNATURE) + 1], line[KEYFILE_LINE];

	str_base64(key, ev->session_key, sizeof(ev->session_key));
	str_base64(certificate, ev->certificate, sizeof(ev->certificate));
	keyfile_line(line, ev->agent_key);
	return json_pack("{ss ss ss ss sI ss}", "hash", "sha256", "signature", "ed25519",
	    "session_key", key, "agent_key", line, "real_ns", (json_int_t)ev->real_ns,
	    "certificate", certificate);
}

static int
unbase64(const json_t *obj, const char *key, unsigned char *out, size_t n)
{
	unsigned char raw[B64(ED25_SIGNATURE)];
	const char *s = json_str(obj, key);

	if (!s || strlen(s) != B64(n) || str_unbase64(raw, s, B64(n)) != n)
		return -1;
	memcpy(out, raw, n);
	return 0;
}

static bool
is_word(const json_t *obj, const char *key, const char *want)
{
	const char *s = json_str(obj, key);

	return s && strcmp(s, want) == 0;
}

int
evidence_parse(struct evidence *ev, const json_t *coral, const char **why)
{
	const json_t *j = json_object_get(coral, "evidence");
	const json_t *at = json_object_get(j, "real_ns");
	const char *id = json_str(coral, "session_id"), *agent = json_str(j, "agent_key");
	char text[EVIDENCE_TEXT_MAX], line[KEYFILE_LINE];

	*ev = (struct evidence){.real_ns = json_integer_value(at)};
	*why = "its evidence is not as coral-cast(5) has it";
	if (!is_word(j, "hash", "sha256") || !is_word(j, "signature", "ed25519") ||
	    !json_is_integer(at) || !agent || !id || !store_id_valid(id) ||
	    unbase64(j, "session_key", ev->session_key, sizeof(ev->session_key)) < 0 ||
	    unbase64(j, "certificate", ev->certificate, sizeof(ev->certificate)) < 0 ||
	    keyfile_unline(agent, ev->agent_key) < 0)
		return -1;
	keyfile_line(line, ev->agent_key);
	if (strcmp(line, agent) != 0)
		return -1;
	*why = "the key that it names did not certify the session's key for this session";
	return ed25_verify(ev->agent_key, text, key_text(text, ev, id), ev->certificate);
}

int
evidence_begin_chain(
    struct sha256 *hash, const unsigned char leaf[SHA256_SIZE], unsigned char chain[SHA256_SIZE])
{
	static const char domain[] = "coral recording 1\n";

	sha2_update(hash, domain, sizeof(domain) - 1);
	sha2_update(hash, leaf, SHA256_SIZE);
	return sha2_next(hash, chain);
}

size_t
evidence_mark_text(char out[EVIDENCE_TEXT_MAX], const struct evidence_mark *m)
{
	char chain[65], line[65];

	str_hex(chain, m->chain, sizeof(m->chain));
	str_hex(line, m->line, sizeof(m->line));
	return (size_t)snprintf(out, EVIDENCE_TEXT_MAX,
	    "%s\n%.64s\n%llu\n%llu\n%llu\n%s\n%lld\n%s\n", m->domain, m->session_id,
	    (unsigned long long)m->n, (unsigned long long)m->lines, (unsigned long long)m->bytes,
	    chain, (long long)m->real_ns, line);
}
