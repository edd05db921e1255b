/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/passwd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "standin.h"
#include "tap.h"

#define T(s) s, sizeof(s) - 1

#define PASSWD                                                                                     \
	"root:x:0:0:root:/root:/bin/sh\nbroken:x:1\n:x:5:5::/:/bin/sh\n"                           \
	"neg:x:-1:0::/:/bin/sh\nmax:x:4294967295:0::/:/bin/sh\nweb:x:1000:1001::/srv:\n"           \
	"web:x:7:7::/:/bin/false\nseven:x:8:8:a:b:c:d\nlast:x:9:9::/l:/bin/l"
#define GROUP                                                                                      \
	"root:x:0:\nadm:x:4:web,other\nbad:x:y:web\nwww:x:33:awebb,webb\ndup:x:4:web\nz:x:3:x,"    \
	"web\n"

static void
lookups(void)
{
	char name[PW_NAME_MAX + 1];
	struct pw_entry p;
	gid_t g[8], gid;

	ok(pw_by_name(T(PASSWD), "web", &p) && p.uid == 1000 && p.gid == 1001,
	    "the first of a name");
	is_str(p.home, "/srv", "home");
	is_str(p.shell, "", "no shell");
	ok(pw_by_uid(T(PASSWD), 0, &p) && strcmp(p.name, "root") == 0, "by uid");
	ok(pw_by_name(T(PASSWD), "last", &p) && p.uid == 9, "no newline at the end");
	ok(!pw_by_name(T(PASSWD), "broken", &p), "too few fields");
	ok(!pw_by_name(T(PASSWD), "neg", &p) && !pw_by_name(T(PASSWD), "max", &p),
	    "ids that are none");
	ok(!pw_by_name(T(PASSWD), "", &p), "no name");
	is_str(p.name, "", "nothing is half found");
	ok(pw_group_by_name(T(GROUP), "www", &gid) && gid == 33, "group by name");
	ok(!pw_group_by_name(T(GROUP), "bad", &gid), "group without a number");
	ok(pw_group_by_gid(T(GROUP), 4, name) && strcmp(name, "adm") == 0, "group by number");
	is_int(pw_groups_of(T(GROUP), "web", g, 8), 2, "each once, whole names only");
	ok(g[0] == 3 && g[1] == 4, "ascending");
	is_int(pw_groups_of(T(GROUP), "web", g, 1), 1, "not more than there is room for");
}

static int
try_read(int root, const char *path)
{
	struct buf b;
	int rc;

	buf_init(&b, PW_FILE_MAX);
	rc = pw_read(root, path, &b) < 0 ? errno : (int)b.len + 100000;
	buf_fini(&b);
	return rc;
}

static void
hostile_files(void)
{
	auto_close int root = -1;
	char path[512];
	int fd;

	standin_host("0::/\n");
	standin_file("root/etc/passwd", "root:x:0:0::/:/bin/sh\n");
	standin_link("/etc/passwd", "root/etc/absolute");
	standin_link("../../../../../../etc/shadow", "root/etc/climb");
	standin_link("/proc/self/root/etc/passwd", "root/etc/magic");
	snprintf(path, sizeof(path), "%s/root/etc/fifo", standin);
	mkfifo(path, 0644);
	snprintf(path, sizeof(path), "%s/root/etc/big", standin);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	ok(ftruncate(fd, PW_FILE_MAX + 1) == 0, "a file over the cap");
	close(fd);
	snprintf(path, sizeof(path), "%s/root", standin);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	is_int(try_read(root, "etc/passwd"), 100022, "a plain file");
	is_int(try_read(root, "etc/absolute"), 100022, "an absolute link stays in the root");
	is_int(try_read(root, "etc/climb"), ENOENT, "climbing stays in the root");
	is_int(try_read(root, "etc/magic"), ENOENT, "so does a way through /proc");
	is_int(try_read(root, "etc/fifo"), EINVAL, "a FIFO is refused, and does not block");
	is_int(try_read(root, "etc"), EINVAL, "a directory");
	is_int(try_read(root, "etc/big"), EFBIG, "too large");
	is_int(try_read(root, "etc/none"), ENOENT, "not there");
}

int
main(void)
{
	lookups();
	hostile_files();
	return done_testing();
}
