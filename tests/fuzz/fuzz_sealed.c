/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What others wrote about keys: an auditor's key file, his line, and a header's "sealing"; and what
 * is in a frame that who has the key made. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "record/sealed_file.h"
#include "record/sealed_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
as_line(const char *text)
{
	struct auditors l = {0};
	char line[AUDITOR_LINE];
	const char *why;

	if (auditors_add(&l, text, &why) < 0)
		return;
	auditor_line(line, &l.v[0]);
	if (strcmp(line, text) != 0)
		abort();
}

static void
as_files(int fd)
{
	struct auditor_key k;
	json_t *begin, *end;
	struct err e = {0};
	char path[64];
	bool is;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (auditor_key_load(&k, path, NULL, &e) < 0 && !e.what[0])
		abort();
	auditor_key_free(&k);
	if (sealed_peek(fd, &is, &begin, &end, NULL) == 0 && !is)
		abort();
	json_decref(begin);
	json_decref(end);
}

/* One that nothing in the corpus is sealed to. */
static const struct auditor_key *
own_key(void)
{
	static const char text[] = "{\"coral_auditor_key\":1,\"name\":\"alice\",\"public\":"
				   "\"GJSje+QojkKw553Vhu7sNpPfmgUZLFTmkjOx6G4Xmwg=\","
				   "\"secret\":\"bzbpHkZbmnN6d747bmIZPTnfQZqnbkrBDkfW768XfdE=\"}\n";
	static struct auditor_key k;
	char path[64];
	int fd;

	if (k.secret)
		return &k;
	fd = memfd_create("key", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, 0600) < 0 ||
	    auditor_key_load(&k, path, NULL, NULL) < 0)
		abort();
	close(fd);
	return &k;
}

static void
as_header(const char *text, size_t n)
{
	struct sealed_key k = {0};
	unsigned char out[SEALED_TEXT + 1];
	struct err e = {0};
	json_t *j = json_parse(text, n, NULL);

	if (sealed_take(&k, j, own_key(), &e) == 0 || !e.what[0] ||
	    (json_str(j, "box") && sealed_get(&k, 0, json_str(j, "box"), out) >= 0))
		abort();
	json_decref(j);
}

/* Never more than it said, which is never more than a frame may be. */
static void
as_packed(const uint8_t *p, size_t n)
{
	size_t size = sealed_unpacked_size(p, n);
	void *out = size > 0 ? malloc(size) : NULL;

	if (size > SEALED_FRAME_MAX || (size > 0 && !out))
		abort();
	if (out)
		sealed_unpack(out, size, p, n);
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	int fd = memfd_create("sealed", MFD_CLOEXEC);
	char *text = strndup((const char *)p, n);

	if (fd < 0 || !text || write(fd, p, n) != (ssize_t)n || fchmod(fd, 0600) < 0)
		abort();
	as_line(text);
	as_files(fd);
	as_header(text, strlen(text));
	as_packed(p, n);
	free(text);
	close(fd);
	return 0;
}
