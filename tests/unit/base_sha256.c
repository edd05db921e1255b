/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/sha256.h"
#include "base/str.h"
#include "tap.h"

static const char *
digest(const char *text, size_t step)
{
	static char hex[2 * SHA256_SIZE + 1];
	unsigned char out[SHA256_SIZE];
	struct sha256 h;
	size_t n = strlen(text), at;

	sha2_init(&h);
	for (at = 0; at < n; at += step)
		sha2_update(&h, text + at, n - at < step ? n - at : step);
	if (sha2_final(&h, out) < 0)
		return "failed";
	str_hex(hex, out, sizeof(out));
	return hex;
}

int
main(void)
{
	unsigned char out[SHA256_SIZE];
	struct sha256 h;

	is_str(digest("", 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	    "nothing");
	is_str(digest("abc", 64),
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "abc");
	is_str(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 7),
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", "piece by piece");
	sha2_init(&h);
	sha2_drop(&h);
	sha2_update(&h, "x", 1);
	is_int(sha2_final(&h, out), -1, "no digest of what was dropped");
	return done_testing();
}
