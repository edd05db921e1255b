/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <time.h>

#include "base/redact.h"
#include "tap.h"

#define R REDACTED

struct row {
	const char *prev, *in, *out; /* out NULL: as it is */
};

static const struct row corpus[] = {
    /* Assignments. */
    {NULL, "DB_PASSWORD=x", "DB_PASSWORD=" R},
    {"-e", "DB_PASSWORD=two words; more", "DB_PASSWORD=" R},
    {NULL, "-eDB_PASSWORD=x", "-eDB_PASSWORD=" R},
    {NULL, "PGPASSWORD=", NULL},
    {NULL, "HOME=/root", NULL},
    {NULL, "--api-key=abc", "--api-key=" R},
    {NULL, "--set=auth.password=x", "--set=auth.password=" R},
    {NULL, "--color=auto", NULL},
    {"--token", "abc", R},
    {"--pass", "abc", R},
    {"-e", "DB_PASS=abc", "DB_PASS=" R},
    {"-c", "SSH_PASSPHRASE='a b' run; cd $PWD", "SSH_PASSPHRASE=" R " run; cd $PWD"},
    {NULL, "PWD=/srv", NULL},
    {NULL, "--bypass=x", NULL},
    {"--token", "", NULL},
    {"--password-stdin", "registry.example", NULL},
    {"--verbose", "abc", NULL},
    {"--token=abc", "next", NULL},
    /* Scripts. */
    {"-c", "export DB_PASSWORD=x; run", "export DB_PASSWORD=" R "; run"},
    {"-c", "DB_PASSWORD=x run me", "DB_PASSWORD=" R " run me"},
    {"-lc", "A=1 TOKEN='a b'c\\ d run", "A=1 TOKEN=" R " run"},
    {"-c", "TOKEN=\"a b\" run", "TOKEN=" R " run"},
    {"-c", "TOKEN=$(cat /x y) run", "TOKEN=" R " run"},
    {NULL, "export \"DB_PASSWORD=a b\" && run", "export \"DB_PASSWORD=" R "\" && run"},
    {NULL, "bash -c \"export TOKEN=x\"; echo \"hi\"",
	"bash -c \"export TOKEN=" R "\"; echo \"hi\""},
    {NULL, "mysql --password hunter2 -h db", "mysql --password " R " -h db"},
    {NULL, "x --password-stdin < f", NULL},
    {NULL, "cat --token | y", NULL},
    {NULL, "password = hunter2", "password = " R},
    {NULL, "[ $TOKEN == \"abc\" ]", "[ $TOKEN == " R " ]"},
    {NULL, "curl -H \"Authorization: Bearer abc\" http://x/",
	"curl -H \"Authorization: Bearer " R "\" http://x/"},
    {NULL, "curl -H 'X-Api-Key: abc def' http://x/", "curl -H 'X-Api-Key: " R "' http://x/"},
    {NULL, "sh -c \"curl -H \\\"Authorization: Basic abc\\\" http://x/\"",
	"sh -c \"curl -H \\\"Authorization: Basic " R "\\\" http://x/\""},
    {NULL, "sh -c \"PASSWORD=\\\"a b\\\" run\"", "sh -c \"PASSWORD=" R " run\""},
    /* Headers. */
    {"-H", "Authorization: Bearer abc.def", "Authorization: Bearer " R},
    {"-H", "authorization:bearer abc", "authorization:bearer " R},
    {"-H", "Private-Token:abc def", "Private-Token:" R},
    {NULL, "bearer of news", "bearer " R " news"},
    {NULL, "forbearer abc", NULL},
    {"Bearer", "abc", R},
    /* JSON. */
    {"-d", "{\"user\":\"me\",\"password\":\"a\\\"b\",\"n\":1}",
	"{\"user\":\"me\",\"password\":\"" R "\",\"n\":1}"},
    {"-d", "{\"pin_secret\": 1234}", "{\"pin_secret\": " R "}"},
    {NULL, "curl -d \"{\\\"token\\\":\\\"x y\\\"}\" z",
	"curl -d \"{\\\"token\\\":\\\"" R "\\\"}\" z"},
    /* URLs. */
    {NULL, "postgres://u:p@h/db", "postgres://u:" R "@h/db"},
    {NULL, "x://TOKEN=a:b@c d", "x://TOKEN=" R " d"},
    {NULL, "redis://:p@h", "redis://:" R "@h"},
    {NULL, "git clone https://u:a@b@h/x y", "git clone https://u:" R "@h/x y"},
    {NULL, "https://ghp_abcdefgh:x@h/", "https://" R ":" R "@h/"},
    {NULL, "http://h:80/x@y", NULL},
    {NULL, "https://u@h/", NULL},
    {NULL, "https://h/?a=1&token=abc&b=2", "https://h/?a=1&token=" R "&b=2"},
    /* Known by their look. */
    {NULL, "id=AKIAIOSFODNN7EXAMPLE.", "id=" R "."},
    {NULL, "AKIAIOSFODNN7", NULL},
    {NULL, "x eyJhbGciOiJub25lIn0.eyJhIjoxfQ.sig-_ y", "x " R " y"},
    {NULL, "eyJ", NULL},
    {NULL, "gho_16C7e42F292c6912E7710c838347Ae178B4a", R},
    {NULL, "highs_and_lows ghz_abcdef", NULL},
    {NULL, "a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- b", "a " R " b"},
    {NULL, "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", R},
    /* Nothing to hide. */
    {NULL, "", NULL},
    {NULL, "it's a \"test\" \\ of \xc3\xa9", NULL},
    {NULL, "GIT_AUTHOR_NAME=me", NULL},
    {NULL, "my/token:latest", NULL},
    {NULL, "ssh-keygen -t ed25519 --keyring=x", NULL},
};

static void
test_names(void)
{
	static const char *const secret[] = {"DB_PASSWORD", "PGPASSWORD", "passwd", "client-secret",
	    "GITHUB_TOKEN", "KEY", "SSH_KEY", "KEY_ID", "APIKEY", "--api-key", "apiKey",
	    "AWS_ACCESS_KEY_ID", "CREDENTIALS", "PRIVATE_X", "AUTH", "OAuth", "Authorization",
	    "PASS", "DB_PASS", "--pass", "pass.phrase", "MYSQL_PASS_1", "SSH_PASSPHRASE",
	    "--passphrase"};
	static const char *const open[] = {"PATH", "", "KEYBOARD", "KEYRING", "MONKEYS", "AUTHOR",
	    "GIT_AUTHOR_EMAIL", "XAUTHORITY", "keygen", "TOKE", "PWD", "OLDPWD", "BYPASS",
	    "PASSENGERS", "COMPASS_X", "--passive", "PAS"};
	size_t i;

	for (i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		ok(redact_name(secret[i]), "secret: %s", secret[i]);
	for (i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		ok(!redact_name(open[i]), "open: %s", open[i]);
}

static void
test_corpus(void)
{
	char out[512];
	size_t i, n;

	for (i = 0; i < sizeof(corpus) / sizeof(corpus[0]); i++) {
		const struct row *r = &corpus[i];

		n = redact_arg(out, sizeof(out), r->in, r->prev);
		is_str(out, r->out ? r->out : r->in, "redacted");
		ok(n == strlen(out) && n < 3 * strlen(r->in) + 32, "length");
	}
	is_int(redact_arg(out, 8, "TOKEN=abc", NULL), 7, "cut");
	is_str(out, "TOKEN=[", "after the secret is gone");
	is_int(redact_arg(out, 0, "TOKEN=abc", NULL), 0, "no room");
}

/* What a command has in options that do not say so. */
static void
test_options(void)
{
	static const struct {
		const char *argv[6];
		const char *out;
	} rows[] = {
	    {{"mysql", "-u", "root", "-phunter2"}, "[\"mysql\",\"-u\",\"root\",\"-p" R "\"]"},
	    {{"/usr/bin/mysqldump", "-px"}, "[\"/usr/bin/mysqldump\",\"-p" R "\"]"},
	    {{"curl", "-u", "bob:x", "h"}, "[\"curl\",\"-u\",\"bob:" R "\",\"h\"]"},
	    {{"curl", "-u", "bob", "h"}, "[\"curl\",\"-u\",\"bob\",\"h\"]"},
	    {{"sudo", "sshpass", "-p", "x y", "ssh"},
		"[\"sudo\",\"sshpass\",\"-p\",\"" R "\",\"ssh\"]"},
	    {{"redis-cli", "-a", "x"}, "[\"redis-cli\",\"-a\",\"" R "\"]"},
	    {{"docker", "login", "-p", "x"}, "[\"docker\",\"login\",\"-p\",\"" R "\"]"},
	    {{"docker", "run", "-p", "80:80"}, "[\"docker\",\"run\",\"-p\",\"80:80\"]"},
	    {{"mkdir", "-p", "x"}, "[\"mkdir\",\"-p\",\"x\"]"},
	    {{"htpasswd", "-b", "f", "bob", "x"}, "[\"htpasswd\",\"-b\",\"f\",\"bob\",\"" R "\"]"},
	    {{"openssl", "rsa", "-passin", "pass:x"},
		"[\"openssl\",\"rsa\",\"-passin\",\"pass:" R "\"]"},
	    {{"openssl", "rsa", "-passin", "env:X"}, "[\"openssl\",\"rsa\",\"-passin\",\"env:X\"]"},
	    {{"openssl", "passwd", "-6", "x"}, "[\"openssl\",\"passwd\",\"-6\",\"" R "\"]"},
	    {{"7z", "x", "-px", "a"}, "[\"7z\",\"x\",\"-p" R "\",\"a\"]"},
	    {{"7z", "x", "-p", "a"}, "[\"7z\",\"x\",\"-p\",\"a\"]"},
	    {{"smbclient", "-U", "bob%x"}, "[\"smbclient\",\"-U\",\"bob%" R "\"]"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *j = redact_argv(rows[i].argv);
		char *text = json_dumps(j, JSON_COMPACT);

		is_str(text, rows[i].out, "an option");
		free(text);
		json_decref(j);
	}
}

/* The log's own sentences stay as they are. */
static void
test_sentences(void)
{
	static const struct row rows[] = {
	    {NULL, "cannot read the private key: No such file", NULL},
	    {NULL, "cannot run TOKEN=abc: not found", "cannot run TOKEN=" R " not found"},
	    {NULL, "no ghp_16C7e42F292c6912 there", "no " R " there"},
	    {NULL, "--password is no flag", NULL},
	};
	char out[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		redact_sentence(out, sizeof(out), rows[i].in);
		is_str(out, rows[i].out ? rows[i].out : rows[i].in, "a sentence");
	}
}

static void
test_argv(void)
{
	const char *const argv[] = {"env", "--token", "abc", "\xff\033", "\xc3\xa9", NULL};
	json_t *j = redact_argv(argv);
	char *text = json_dumps(j, JSON_COMPACT);

	is_str(text, "[\"env\",\"--token\",\"" R "\",\"\\\\xff\\\\x1b\",\"\xc3\xa9\"]", "argv");
	free(text);
	json_decref(j);
}

/* In time linear in its bytes: none of these took less than ten times as long. */
static void
test_hostile(void)
{
	static const char *const parts[] = {
	    "a+", "-----BEGIN PRIVATX ", "eyJ-", "TOKEN=;", "x://u:", "a", "\"TOKEN\\", "a.b_c-"};
	const size_t n = 512 * 1024;
	char *in = malloc(n + 1), *out = malloc(3 * n + 32);

	for (size_t i = 0; in && out && i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t len = strlen(parts[i]);
		clock_t began = clock();

		for (size_t at = 0; at < n; at++)
			in[at] = parts[i][at % len];
		/* What is no name comes late. */
		if (strchr(parts[i], '='))
			memset(in, 'a', n / 2);
		in[n] = '\0';
		redact_arg(out, 3 * n + 32, in, NULL);
		began = clock() - began;
		printf("# %ld ms of \"%s\"\n", (long)(began * 1000 / CLOCKS_PER_SEC), parts[i]);
		ok(began < 2 * CLOCKS_PER_SEC, "a long argument of \"%s\"", parts[i]);
	}
	free(in);
	free(out);
}

int
main(void)
{
	test_names();
	test_corpus();
	test_argv();
	test_options();
	test_sentences();
	test_hostile();
	return done_testing();
}
