/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One request and the first line of its answer: all that is needed of HTTP. */
#include "agent/heads.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/http.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"

#define WAIT_S 20
#define NAP_MS 50
#define REQUEST_MAX 8192
#define ANSWER_MAX 1024

struct place {
	char *host, *port, *path, *query;
	int tls;
};

struct line {
	SSL_CTX *ctx;
	BIO *bio;
	time_t until;
};

/* What went wrong first; what OpenSSL says of it later is of less use. */
static const char *
first_error(void)
{
	const char *data = NULL, *text;
	int flags = 0;
	unsigned long code = ERR_peek_error_all(NULL, NULL, NULL, &data, &flags);

	if (code == 0)
		return "no answer in time";
	if (ERR_SYSTEM_ERROR(code))
		return strerror(ERR_GET_REASON(code));
	if (ERR_GET_REASON(code) == ERR_R_SYS_LIB && data && (flags & ERR_TXT_STRING) && *data)
		return data; /* of getaddrinfo(3) */
	text = ERR_reason_error_string(code);
	return text ? text : "the connection failed";
}

/* The path and the query may be what lets one in there: they are told to nobody. */
static int
failed(const struct place *p, const char *why, struct err *e)
{
	bool bare6 = strchr(p->host, ':');
	char vis[300];

	str_vis(vis, sizeof vis, why ? why : first_error());
	err_set(e, ERR_TRANSPORT, 0, "cannot send the log's head to %s://%s%.200s%s:%s",
	    p->tls ? "https" : "http", bare6 ? "[" : "", p->host, bare6 ? "]" : "", p->port);
	err_why(e, "%s", vis);
	return err_hint(e, "see that a server listens there for what audit.heads names");
}

static int
parse(struct place *p, const char *url, struct err *e)
{
	char *user = NULL, *fragment = NULL;
	int ok;

	*p = (struct place){0};
	ok = OSSL_HTTP_parse_url(
	    url, &p->tls, &user, &p->host, &p->port, NULL, &p->path, &p->query, &fragment);
	if (ok && ((user && *user) || strpbrk(url, " \r\n\t")))
		ok = 0;
	OPENSSL_free(user);
	OPENSSL_free(fragment);
	if (ok)
		return 0;
	err_set(e, ERR_CONFIG, 0, "cannot use the URL of audit.heads");
	err_why(e, "it is not http://HOST[:PORT]/PATH, or https, without a user's name");
	return err_hint(e, "audit.heads in coral.yaml(5)");
}

static void
place_fini(struct place *p)
{
	OPENSSL_free(p->host);
	OPENSSL_free(p->port);
	OPENSSL_free(p->path);
	OPENSSL_free(p->query);
}

static int
wait_for(struct line *l)
{
	return BIO_should_retry(l->bio) && BIO_wait(l->bio, l->until, NAP_MS) == 1 ? 0 : -1;
}

/* Whoever is not who the URL names, by the system's authorities, gets nothing. */
static int
set_tls(const struct place *p, struct line *l)
{
	SSL *ssl = NULL;
	bool is_ip;

	BIO_get_ssl(l->bio, &ssl);
	if (!ssl)
		return -1;
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	is_ip = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), p->host) == 1;
	if (!is_ip && SSL_set1_host(ssl, p->host) != 1)
		return -1;
	return is_ip || SSL_set_tlsext_host_name(ssl, p->host) == 1 ? 0 : -1;
}

static int
open_line(const struct place *p, struct line *l)
{
	if (p->tls) {
		l->ctx = SSL_CTX_new(TLS_client_method());
		if (!l->ctx || SSL_CTX_set_min_proto_version(l->ctx, TLS1_2_VERSION) != 1 ||
		    SSL_CTX_set_default_verify_paths(l->ctx) != 1)
			return -1;
	}
	l->bio = p->tls ? BIO_new_ssl_connect(l->ctx) : BIO_new(BIO_s_connect());
	if (!l->bio || (p->tls && set_tls(p, l) < 0))
		return -1;
	BIO_set_conn_hostname(l->bio, p->host);
	BIO_set_conn_port(l->bio, p->port);
	l->until = time(NULL) + WAIT_S;
	/* That the host is no address is none. */
	ERR_clear_error();
	BIO_set_nbio(l->bio, 1);
	/* BIO_do_connect_retry() goes on where a connection is refused, until the time is over. */
	while (BIO_do_connect(l->bio) != 1)
		if (wait_for(l) < 0)
			return -1;
	return 0;
}

static int
say(struct line *l, const char *p, size_t n)
{
	while (n > 0) {
		int put = BIO_write(l->bio, p, (int)n);

		if (put <= 0 && wait_for(l) < 0)
			return -1;
		p += put > 0 ? put : 0;
		n -= put > 0 ? (size_t)put : 0;
	}
	return 0;
}

/* The status, of which a server that says more is not asked. */
static int
hear(struct line *l)
{
	char text[ANSWER_MAX + 1];
	size_t n = 0;
	int status;

	while (n < ANSWER_MAX && !memchr(text, '\n', n)) {
		int got = BIO_read(l->bio, text + n, (int)(ANSWER_MAX - n));

		if (got <= 0 && wait_for(l) < 0)
			break;
		n += got > 0 ? (size_t)got : 0;
	}
	text[n] = '\0';
	return sscanf(text, "HTTP/1.%*1d %3d", &status) == 1 ? status : -1;
}

static char *
body_of(const struct audit_top *top, const struct heads_from *from)
{
	json_t *j = json_pack("{s:s, s:s, s:i, s:I, s:o, s:o}", "hash", top->hash, "timestamp",
	    top->time, "file", (int)top->file, "line", (json_int_t)top->line, "node",
	    json_text(from->node), "environment", json_text(from->environment));
	char *text = json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII);

	json_decref(j);
	return text;
}

static int
talk(const struct place *p, struct line *l, const char *body, struct err *e)
{
	char request[REQUEST_MAX], why[64];
	bool bare6 = strchr(p->host, ':');
	int status, n;

	n = snprintf(request, sizeof request,
	    "POST %s%s%s HTTP/1.1\r\nHost: %s%s%s:%s\r\nUser-Agent: coral/" CORAL_VERSION
	    "\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
	    "Connection: close\r\n\r\n%s",
	    p->path, p->query && *p->query ? "?" : "", p->query ? p->query : "", bare6 ? "[" : "",
	    p->host, bare6 ? "]" : "", p->port, strlen(body), body);
	if ((size_t)n >= sizeof request)
		return failed(p, "it is too long", e);
	if (open_line(p, l) < 0 || say(l, request, (size_t)n) < 0)
		return failed(p, NULL, e);
	status = hear(l);
	if (status >= 200 && status < 300)
		return 0;
	snprintf(why, sizeof why, "it answered with status %d", status);
	return failed(
	    p, status < 0 ? "its answer is not of HTTP, or did not come in time" : why, e);
}

int
heads_post(
    const char *url, const struct audit_top *top, const struct heads_from *from, struct err *e)
{
	auto_free char *body = body_of(top, from);
	struct place p;
	struct line l = {0};
	int rc = -1;

	if (!body)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot send the log's head");
	if (parse(&p, url, e) == 0)
		rc = talk(&p, &l, body, e);
	BIO_free_all(l.bio);
	SSL_CTX_free(l.ctx);
	place_fini(&p);
	return rc;
}
