/* SPDX-License-Identifier: GPL-3.0-or-later */
/* authorized_keys: what is taken, what is refused, and why. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tap.h"
#include "transport/authkeys.h"

#define B64 "AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"
#define B64_2 "AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X"
#define KEY "ssh-ed25519 " B64

static struct authkeys k;
static struct err e;

static int
parse(const char *text)
{
	authkeys_fini(&k);
	return authkeys_parse(&k, text, strlen(text), "keys", &e);
}

/* Refused, with the words in the reason. */
static void
refused(const char *text, const char *word)
{
	bool good = parse(text) == -1 && strstr(e.why, word) && k.n == 0;

	if (!ok(good, "refused: %s", word))
		printf("# why: %s\n", e.why);
}

static void
test_taken(void)
{
	is_int(parse("# comment\n\n   \n" KEY " alice@laptop\r\n"
		     "user=\"bob\",roles=\"sre,dev\",no-port-forwarding ssh-ed25519 " B64_2),
	    0, "a file");
	is_int((int)k.n, 2, "two keys");
	is_str(k.v[0].user, "alice", "named by the comment");
	is_str(k.v[0].roles, "", "without roles");
	is_str(k.v[0].type, "ssh-ed25519", "of its type");
	is_int((int)k.v[0].blob_len, 51, "of its size");
	ok(strncmp(k.v[0].fingerprint, "SHA256:", 7) == 0 && strlen(k.v[0].fingerprint) == 50,
	    "with a fingerprint");
	is_str(k.v[1].user, "bob", "named by the option");
	is_str(k.v[1].roles, "sre,dev", "with roles");
	ok(authkeys_find(&k, "ssh-ed25519", k.v[1].blob, 51) == &k.v[1], "found again");
	ok(!authkeys_find(&k, "ssh-rsa", k.v[1].blob, 51), "not as another type");
	ok(!authkeys_find(&k, "ssh-ed25519", k.v[1].blob, 50), "not by a part");
	is_int(parse(""), 0, "an empty file");
	is_int(parse("user=\"carol\" " KEY " dave@x"), 0, "both names");
	is_str(k.v[0].user, "carol", "the option wins");
}

static void
test_refused(void)
{
	refused(KEY "\n", "names nobody");
	refused(KEY " @x\n", "names nobody");
	refused(KEY " a\x1b[31m@x\n", "names nobody");
	refused(KEY " a@x\n" KEY " b@x\n", "line 2: the same key");
	refused("ssh-ed25519 AAAA a@x\n", "not valid base64");
	refused("ssh-ed25519 !!!! a@x\n", "not valid base64");
	refused("ssh-ed25519\n", "missing");
	refused("ssh-rsa " B64 " a@x\n", "not of the type");
	refused("ssh-dss " B64 " a@x\n", "no key of a known type");
	refused("ssh-ed25519-cert-v01@openssh.com " B64 " a@x\n", "certificates");
	refused("user=\"a\" ssh-ed25519-cert-v01@openssh.com " B64 "\n", "certificates");
	refused("cert-authority " KEY " a@x\n", "certificates");
	refused("command=\"ls\" " KEY " a@x\n", "option");
	refused("from=\"10.*\",user=\"a\" " KEY " a@x\n", "option");
	refused("user=\"a\",,roles=\"b\" " KEY "\n", "option");
	refused("user=\"a\",user=\"b\" " KEY "\n", "twice");
	refused("user=\"a b\" " KEY "\n", "not a name");
	refused("user=a " KEY "\n", "not a name");
	refused("roles=\"a,\" " KEY " a@x\n", "list of names");
	refused("user=\"a " KEY "\n", "quote");
}

static void
test_files(void)
{
	char dir[] = "/tmp/coral-authkeys.XXXXXX", path[64];
	FILE *f;

	if (!ok(mkdtemp(dir) != NULL, "a scratch directory"))
		return;
	snprintf(path, sizeof(path), "%s/keys", dir);
	is_int(authkeys_load(&k, path, &e), -1, "an absent file is an error");
	f = fopen(path, "we");
	fputs(KEY " alice@laptop\n", f);
	fclose(f);
	chmod(path, 0644);
	is_int(authkeys_load(&k, path, &e), 0, "a file is read");
	authkeys_fini(&k);
	chmod(path, 0664);
	is_int(authkeys_load(&k, path, &e), -1, "one that others may write is not");
	ok(strstr(e.why, "0664") && strstr(e.hint, "chmod"), "with its mode and the remedy");
	is_int(authkeys_load(&k, dir, &e), -1, "nor a directory");
	if (geteuid() == 0) {
		chmod(path, 0644);
		ok(chown(path, 12345, 12345) == 0 && authkeys_load(&k, path, &e) == -1 &&
			strstr(e.why, "12345"),
		    "nor one of somebody else's");
	}
	unlink(path);
	ok(rmdir(dir) == 0, "nothing is left behind");
}

int
main(void)
{
	test_taken();
	test_refused();
	test_files();
	authkeys_fini(&k);
	return done_testing();
}
