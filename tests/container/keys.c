/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keys NAME: "new" when the session keyring is none of the caller's and no key called NAME is to be
 * found from here; else what was found. */
#include <errno.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	char what[256] = "";
	long key;

	if (argc != 2)
		return 1;
	syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, what, sizeof(what) - 1);
	key = syscall(SYS_request_key, "user", argv[1], NULL, 0);
	if (key < 0)
		key = syscall(
		    SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", argv[1], 0);
	if (key < 0 && strstr(what, "_ses") && !strstr(what, argv[1]))
		printf("new\n");
	else
		printf("%s: key %ld\n", what, key);
	return 0;
}
