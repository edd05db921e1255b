/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/client_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/str.h"
#include "transport/fingerprint.h"

/*
 * libssh signs with ssh-agent but does not say which keys it tried; the list is
 * asked for here, once, when it has to be shown.  The messages are those of
 * draft-miller-ssh-agent.
 */
#define REQUEST_IDENTITIES 11
#define IDENTITIES_ANSWER 12
#define ANSWER_MAX (256 * 1024)

static int
agent_dial(void)
{
	const char *path = getenv("SSH_AUTH_SOCK");
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 2};
	int fd;

	if (!path || !*path ||
	    str_copy(sun.sun_path, path, sizeof(sun.sun_path)) >= sizeof(sun.sun_path))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		fd_close(&fd);
	return fd;
}

static bool
read_n(int fd, void *p, size_t n)
{
	return recv(fd, p, n, MSG_WAITALL) == (ssize_t)n;
}

static void
list_answer(struct rd *r, char *out, size_t size)
{
	uint32_t n = rd_u32(r);

	while (n-- > 0 && !r->bad) {
		uint32_t blob_len = rd_u32(r);
		const unsigned char *blob = rd_bytes(r, blob_len);
		uint32_t text_len = rd_u32(r);
		const unsigned char *text = rd_bytes(r, text_len);
		char fp[FINGERPRINT_SIZE], name[128];
		size_t at = strlen(out);

		if (!blob || !text)
			return;
		tp_fingerprint(blob, blob_len, fp, sizeof(fp));
		str_vis_n(name, sizeof(name), (const char *)text, text_len);
		snprintf(out + at, size - at, "\n%s %s (ssh-agent)", fp, name);
	}
}

void
client_agent_list(char *out, size_t size)
{
	static const unsigned char ask[5] = {0, 0, 0, 1, REQUEST_IDENTITIES};
	auto_close int fd = agent_dial();
	auto_free unsigned char *answer = NULL;
	unsigned char head[4];
	struct rd r;
	uint32_t n;

	if (fd < 0 || fd_write_all(fd, ask, sizeof(ask)) < 0 || !read_n(fd, head, sizeof(head)))
		return;
	r = (struct rd){.p = head, .n = sizeof(head)};
	n = rd_u32(&r);
	if (n == 0 || n > ANSWER_MAX || !(answer = malloc(n)) || !read_n(fd, answer, n))
		return;
	r = (struct rd){.p = answer, .n = n};
	if (rd_u8(&r) == IDENTITIES_ANSWER)
		list_answer(&r, out, size);
}
