/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The host key: made, read, kept from every child, and of no use but for an exchange hash. */
#include <openssl/evp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "tap.h"
#include "transport/hostkey.h"

static char dir[] = "/tmp/coral-hostkey.XXXXXX", path[64];
static const unsigned char hash[HOSTKEY_HASH + 1] = "an exchange hash of 32 bytes....";

static void
write_file(const char *text)
{
	FILE *f = fopen(path, "we");

	fputs(text, f);
	fclose(f);
	chmod(path, 0600);
}

static bool
signs(const struct hostkey *k)
{
	unsigned char blob[KEYFILE_BLOB + 3], sig[HOSTKEY_SIGNATURE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY *key;
	bool good;

	str_unbase64(blob, k->key.line + 12, strlen(k->key.line + 12));
	key = EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, blob + KEYFILE_BLOB - KEYFILE_PUBLIC, KEYFILE_PUBLIC);
	good = hostkey_sign(k, hash, HOSTKEY_HASH, sig) == 0 &&
	       EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	       EVP_DigestVerify(ctx, sig, sizeof(sig), hash, HOSTKEY_HASH) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good;
}

/* What ssh-keygen(1) says the public key is. */
static bool
keygen_agrees(const struct hostkey *k)
{
	char cmd[512];

	snprintf(cmd, sizeof(cmd),
	    "ssh-keygen -y -f %s | grep -qF '%s' && ssh-keygen -y -P '' -f %s >/dev/null", path,
	    k->key.line, path);
	return system(cmd) == 0;
}

static void
test_made(void)
{
	struct hostkey k, again;
	struct err e;
	struct stat st;

	if (!ok(hostkey_load(&k, path, &e) == 0, "a host key is made"))
		return;
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "for its owner alone");
	ok(keygen_agrees(&k), "in ssh-keygen's format");
	ok(signs(&k), "it signs");
	is_int(hostkey_load(&again, path, &e), 0, "it is found again");
	is_str(again.key.line, k.key.line, "the same");
	hostkey_fini(&again);
	hostkey_fini(&k);
	unlink(path);
}

static void
test_of_keygen(void)
{
	struct hostkey k;
	struct err e;
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "ssh-keygen -q -t ed25519 -N '' -C 'the reef host' -f %s", path);
	ok(system(cmd) == 0 && hostkey_load(&k, path, &e) == 0, "one of ssh-keygen is read");
	ok(keygen_agrees(&k) && signs(&k), "and signs");
	hostkey_fini(&k);
	snprintf(cmd, sizeof(cmd), "ssh-keygen -q -p -P '' -N sesame -f %s >/dev/null", path);
	ok(system(cmd) == 0 && hostkey_load(&k, path, &e) == -1, "not one with a passphrase");
	snprintf(cmd, sizeof(cmd), "rm %s; ssh-keygen -q -t ecdsa -N '' -f %s", path, path);
	ok(system(cmd) == 0 && hostkey_load(&k, path, &e) == -1, "nor one of another type");
	unlink(path);
	strcat(strcpy(cmd, path), ".pub");
	unlink(cmd);
}

static void
test_refused(void)
{
	struct hostkey k;
	struct err e;

	write_file("nonsense\n");
	is_int(hostkey_load(&k, path, &e), -1, "nonsense is refused");
	is_int(e.code, ERR_CONFIG, "as the administrator's");
	write_file("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n"
		   "-----END OPENSSH PRIVATE KEY-----\n");
	is_int(hostkey_load(&k, path, &e), -1, "so is one that is cut");
	unlink(path);
	is_int(hostkey_load(&k, path, &e), 0, "a key again");
	write_file(k.mask);
	hostkey_fini(&k);
	is_int(hostkey_load(&k, path, &e), -1, "what transports have is no key");
	unlink(path);
	is_int(hostkey_load(&k, path, &e), 0, "and another");
	hostkey_fini(&k);
	chmod(path, 0640);
	is_int(hostkey_load(&k, path, &e), -1, "one that others may read");
	ok(strstr(e.hint, "chmod 600") != NULL, "is refused with the remedy");
	unlink(path);
}

static void
test_no_oracle(void)
{
	unsigned char sig[HOSTKEY_SIGNATURE], data[256] = {0};
	struct hostkey k;
	struct err e;
	int taken = 0;

	if (!ok(hostkey_load(&k, path, &e) == 0, "a key"))
		return;
	for (size_t n = 0; n < sizeof(data); n++)
		taken += hostkey_sign(&k, data, n, sig) == 0;
	is_int(taken, 1, "of 256 lengths it signs one");
	is_int(hostkey_sign(&k, data, HOSTKEY_HASH, sig), 0, "a hash's");
	hostkey_fini(&k);
	unlink(path);
}

/* A child that asks for it dies, whatever it is. */
static void
test_not_inherited(void)
{
	unsigned char sig[HOSTKEY_SIGNATURE];
	struct hostkey k;
	struct err e;
	int status = 0;
	pid_t pid;

	if (!ok(hostkey_load(&k, path, &e) == 0, "a key"))
		return;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL); /* not a sanitizer's */
		hostkey_sign(&k, hash, HOSTKEY_HASH, sig);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "a child has not its memory");
	ok(signs(&k), "its owner still has");
	hostkey_fini(&k);
	unlink(path);
}

int
main(void)
{
	if (!ok(mkdtemp(dir) != NULL, "a scratch directory"))
		return done_testing();
	snprintf(path, sizeof(path), "%s/key", dir);
	test_made();
	test_of_keygen();
	test_refused();
	test_no_oracle();
	test_not_inherited();
	is_int(rmdir(dir), 0, "nothing is left behind");
	return done_testing();
}
