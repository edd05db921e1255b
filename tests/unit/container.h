/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TESTS_CONTAINER_H
#define CORAL_TESTS_CONTAINER_H

/* A real runc container for one test program, from Debian's static busybox.  It is deleted
 * at exit and on the usual signals. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char box_dir[64];
static char box_names[8][64];
static size_t box_count;
static pid_t box_owner;

static int box_sh(const char *fmt, ...) __attribute__((format(printf, 1, 2), unused));
static pid_t box_run(const char *name, void (*edit)(json_t *config)) __attribute__((unused));

static int
box_sh(const char *fmt, ...)
{
	char cmd[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd);
}

static void
box_clean(void)
{
	if (!box_dir[0] || getpid() != box_owner)
		return;
	for (size_t i = 0; i < box_count; i++)
		box_sh("runc --root %s/state delete -f %s >/dev/null 2>&1", box_dir, box_names[i]);
	box_sh("rm -rf %s", box_dir);
	box_dir[0] = '\0';
}

static void
box_signal(int signo)
{
	box_clean();
	_exit(128 + signo);
}

static void
box_start(void)
{
	static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGABRT, SIGSEGV};
	const char *tmp = getenv("TMPDIR");

	box_owner = getpid();
	snprintf(box_dir, sizeof(box_dir), "%.40s/coral-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(box_dir)) {
		printf("Bail out! mkdtemp: %s\n", strerror(errno));
		exit(1);
	}
	atexit(box_clean);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		signal(fatal[i], box_signal);
	box_sh(
	    "cd %s && mkdir -p rootfs/bin rootfs/proc rootfs/sys rootfs/dev rootfs/etc rootfs/tmp "
	    "rootfs/root rootfs/work && chmod 755 . rootfs && cp /bin/busybox rootfs/bin/ && for a "
	    "in sh sleep cat ls id "
	    "true false tty stty setsid env grep echo kill pwd; do ln -s busybox "
	    "rootfs/bin/$a; done && chmod 1777 rootfs/tmp && printf "
	    "'root:x:0:0::/root:/bin/sh\\nana:x:1234:1235::/work:/bin/sh\\n' >rootfs/etc/passwd "
	    "&& printf 'root:x:0:\\nana:x:1235:\\nops:x:4000:ana\\n' >rootfs/etc/group",
	    box_dir);
}

/* Not -1, which to kill(2) is everybody. */
static void __attribute__((noreturn)) box_bail(const char *name)
{
	printf("Bail out! no container %s\n", name);
	exit(1);
}

/* Its first process.  Each has a bundle of its own over the one root file system. */
static pid_t
box_run(const char *name, void (*edit)(json_t *config))
{
	char path[PATH_MAX], text[32] = "";
	json_t *j, *args;
	int fd;
	ssize_t n;

	if (!box_dir[0])
		box_start();
	if (box_sh("mkdir %s/%s && cd %s/%s && runc spec", box_dir, name, box_dir, name) != 0)
		box_bail(name);
	snprintf(path, sizeof(path), "%s/%s/config.json", box_dir, name);
	j = json_load_file(path, 0, NULL);
	if (!j)
		box_bail(name);
	args = json_pack("[sss]", "sleep", "1000000", "");
	json_array_remove(args, 2);
	json_object_set_new(json_object_get(j, "process"), "args", args);
	json_object_set_new(json_object_get(j, "process"), "terminal", json_false());
	snprintf(path, sizeof(path), "%s/rootfs", box_dir);
	json_object_set_new(json_object_get(j, "root"), "path", json_string(path));
	snprintf(path, sizeof(path), "/coral-test-%d-%s", (int)getpid(), name);
	json_object_set_new(json_object_get(j, "linux"), "cgroupsPath", json_string(path));
	if (edit)
		edit(j);
	snprintf(path, sizeof(path), "%s/%s/config.json", box_dir, name);
	json_dump_file(j, path, JSON_INDENT(1));
	json_decref(j);
	snprintf(box_names[box_count++], sizeof(box_names[0]), "t%d-%s", (int)getpid(), name);
	if (box_sh("cd %s/%s && runc --root %s/state run -d --pid-file pid t%d-%s </dev/null "
		   ">/dev/null 2>log; s=$?; [ $s = 0 ] || cat log >&2; exit $s",
		box_dir, name, box_dir, (int)getpid(), name) != 0)
		box_bail(name);
	snprintf(path, sizeof(path), "%s/%s/pid", box_dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0 || atol(text) <= 1)
		box_bail(name);
	return (pid_t)atol(text);
}

#endif
