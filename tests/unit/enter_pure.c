/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What needs no container: names, paths, descriptions. */
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/str.h"
#include "tap.h"
#include "target/cgroup.h"
#include "target/context.h"
#include "target/plan.h"

static void
test_namespaces(void)
{
	struct err e = {0};
	int flags = 0;

	is_int(ctx_parse_namespaces("mnt,pid", &flags, &e), 0, "two namespaces");
	is_int(flags, CLONE_NEWNS | CLONE_NEWPID, "are two flags");
	is_int(ctx_parse_namespaces("net", &flags, &e), 0, "one");
	is_int(flags, CLONE_NEWNET, "is one");
	is_int(ctx_parse_namespaces("mnt,", &flags, &e), -1, "an empty name");
	is_int(ctx_parse_namespaces("mount", &flags, &e), -1, "mount is not one");
	is_int(e.code, ERR_USAGE, "usage");
	ok(strstr(e.why, "user, mnt, pid, net, ipc, uts, cgroup, time") != NULL, "lists all: %s",
	    e.why);
	is_int(ctx_parse_namespaces("nett", &flags, &e), -1, "nett");
	is_str(e.hint, "--namespaces net", "names the nearest");
}

static void
test_paths(void)
{
	ok(cg_path_ok("/"), "the root");
	ok(cg_path_ok("/docker/abc"), "a path");
	ok(cg_path_ok("/a..b/.c"), "dots in names");
	ok(!cg_path_ok("docker"), "not absolute");
	ok(!cg_path_ok(""), "nothing");
	ok(!cg_path_ok("/../x"), "outside the cgroup namespace");
	ok(!cg_path_ok("/a/../../x"), "leading out");
	ok(!cg_path_ok("/a/./b"), "a dot");
	ok(!cg_path_ok("/a//b"), "an empty part");
	ok(!cg_path_ok("/a/"), "an empty end");
	ok(cg_session_path_ok(CG_ROOT "/x/coral-abc", "abc"), "a session's");
	ok(cg_session_path_ok(CG_ROOT "/coral-abc", "abc"), "at the top");
	ok(!cg_session_path_ok(CG_ROOT "/x/coral-abcd", "abc"), "another session's");
	ok(!cg_session_path_ok(CG_ROOT "/x/coral-abc/y", "abc"), "below it");
	ok(!cg_session_path_ok("/tmp/coral-abc", "abc"), "not a cgroup");
	ok(!cg_session_path_ok(CG_ROOT "/x/../coral-abc", "abc"), "a way round");
	ok(!cg_session_path_ok(CG_ROOT "/x/coral-", ""), "no id");
}

static void
test_tree_json(void)
{
	struct enter_tree t = {.session_id = "s1",
			      .leader = 77,
			      .leader_start = 1ULL << 40,
			      .audit = UINT32_MAX,
			      .oom_base = 3},
			  u;
	struct err e = {0};
	json_t *j;

	str_copy(t.v2, CG_ROOT "/unified/x/coral-s1", sizeof(t.v2));
	str_copy(t.v1[0], CG_ROOT "/freezer/x/coral-s1", sizeof(t.v1[0]));
	str_copy(t.oom_file, CG_ROOT "/memory/x/memory.oom_control", sizeof(t.oom_file));
	j = enter_tree_to_json(&t);
	is_int(enter_tree_from_json(j, &u, &e), 0, "a tree reads back");
	ok(memcmp(&t, &u, sizeof(t)) == 0, "whole");
	json_object_set_new(j, "v2", json_string(CG_ROOT "/unified/system.slice"));
	is_int(enter_tree_from_json(j, &u, &e), -1, "what is no session's is refused");
	is_int(e.code, ERR_BAD_FILE, "as a bad file");
	is_int(u.leader, 0, "and nothing is half taken");
	json_object_set_new(j, "v2", json_string(""));
	json_object_set_new(j, "leader", json_integer(1));
	is_int(enter_tree_from_json(j, &u, &e), -1, "pid 1 is nobody's");
	json_decref(j);
	j = json_array();
	is_int(enter_tree_from_json(j, &u, &e), -1, "not an object");
	json_decref(j);
}

static void
test_env(void)
{
	struct strv s = {0};

	is_int(strv_add(&s, "A=1"), 0, "add");
	is_int(strv_add(&s, "AB=2"), 0, "add");
	is_int(strv_set(&s, "A", "3"), 0, "replace");
	is_int(strv_set(&s, "C", ""), 0, "append");
	is_int(s.n, 3, "three");
	is_str(s.v[0], "A=3", "replaced in place");
	is_str(s.v[1], "AB=2", "a longer name is another");
	is_str(s.v[2], "C=", "an empty value");
	ok(s.v[3] == NULL, "terminated");
	for (int i = 0; i < 100; i++)
		strv_add(&s, "X=y");
	is_int(s.n, 103, "grows");
	strv_fini(&s);
}

static void
write_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

static void
make_dir(const char *dir, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	mkdir(path, 0755);
	write_file(path, "cgroup.procs", "");
}

/* A v1 layout and a v2 one, as directories: the names are what is tested. */
static void
test_layouts(void)
{
	static const char t1[] =
	    "9:freezer:/box\n8:cpu,cpuacct:/box\n7:pids:/\n3:name=systemd:/box\n";
	static const char o1[] = "9:freezer:/\n8:cpu,cpuacct:/\n7:pids:/\n3:name=systemd:/\n";
	char dir[] = "/tmp/coral-cg-XXXXXX", cmd[64];
	struct proc_cgroups *t = calloc(1, sizeof(*t)), *o = calloc(1, sizeof(*o));
	struct cg *c = calloc(1, sizeof(*c));
	struct enter_tree tree = {.session_id = "s9"};
	struct cg_fs fs = {.v2 = ""};
	struct err e = {0};

	if (!mkdtemp(dir))
		return;
	str_copy(fs.v1, dir, sizeof(fs.v1));
	make_dir(dir, "freezer");
	make_dir(dir, "freezer/box");
	make_dir(dir, "cpu,cpuacct");
	make_dir(dir, "cpu,cpuacct/box");
	make_dir(dir, "pids");
	make_dir(dir, "systemd");
	write_file(dir, "freezer/box/freezer.state", "THAWED\n");
	is_int(proc_parse_cgroups(t1, strlen(t1), t), 0, "v1 lines");
	is_int(proc_parse_cgroups(o1, strlen(o1), o), 0, "ours");
	cg_open(&fs, t, o, c);
	is_int(c->nv1, 2, "joins where the target is elsewhere, and where it can");
	ok(strstr(c->why, "systemd/box") != NULL, "says what it cannot: %s", c->why);
	ok(!cg_is_frozen(c), "thawed");
	write_file(dir, "freezer/box/freezer.state", "FREEZING\n");
	ok(cg_is_frozen(c), "freezing");
	is_int(cg_create(c, &tree, &e), 0, "without cgroup.procs in it, no child can be joined");
	is_str(tree.v1[0], "", "and it is not left behind");
	cg_close(c);
	str_copy(fs.v2, dir, sizeof(fs.v2));
	fs.v1[0] = '\0';
	make_dir(dir, "pod");
	is_int(proc_parse_cgroups("0::/pod\n", 8, t), 0, "v2 line");
	cg_open(&fs, t, o, c);
	ok(c->target2 >= 0, "the v2 cgroup is there");
	is_int(cg_create(c, &tree, &e), 0, "a child is made");
	ok(strstr(tree.v2, "/pod/coral-s9") != NULL && access(tree.v2, F_OK) == 0, "as coral-s9");
	is_int(cg_create(c, &tree, &e), -1, "twice is refused");
	is_int(cg_rmdir(tree.v2), 0, "removed");
	is_int(cg_rmdir(tree.v2), 0, "gone is well");
	cg_close(c);
	is_int(proc_parse_cgroups("0::/../pod\n", 11, t), 0, "outside our namespace");
	cg_open(&fs, t, o, c);
	ok(c->target2 < 0 && strstr(c->why, "outside"), "is not followed: %s", c->why);
	cg_close(c);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	is_int(system(cmd), 0, "clean");
	free(t);
	free(o);
	free(c);
}

/* Whether the target's device rules will be the session's. */
static void
test_devices(void)
{
	static const struct {
		const char *target, *own, *what;
		bool bound;
	} cases[] = {
	    {"9:devices:/box\n0::/box\n", "9:devices:/\n0::/\n", "v1, joined", true},
	    {"9:devices:/off\n0::/box\n", "9:devices:/\n0::/\n", "v1, out of reach", false},
	    {"9:devices:/off\n0::/box\n", "9:devices:/off\n0::/\n", "v1, the agent's own", true},
	    {"9:cpu:/box\n0::/box\n", "9:cpu:/\n0::/\n", "v2, joined", true},
	    {"9:cpu:/box\n0::/../box\n", "9:cpu:/\n0::/\n", "v2, out of reach", false},
	    {"0::/\n", "0::/\n", "v2, the agent's own", true},
	};
	char dir[] = "/tmp/coral-dev-XXXXXX", v2[64], cmd[64];
	struct proc_cgroups *t = calloc(1, sizeof(*t)), *o = calloc(1, sizeof(*o));
	struct cg *c = calloc(1, sizeof(*c));
	struct cg_fs fs = {.v2 = ""};

	if (!mkdtemp(dir))
		return;
	str_copy(fs.v1, dir, sizeof(fs.v1));
	make_dir(dir, "devices");
	make_dir(dir, "devices/box");
	make_dir(dir, "cpu");
	make_dir(dir, "cpu/box");
	make_dir(dir, "unified");
	make_dir(dir, "unified/box");
	snprintf(v2, sizeof(v2), "%s/unified", dir);
	str_copy(fs.v2, v2, sizeof(fs.v2));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		proc_parse_cgroups(cases[i].target, strlen(cases[i].target), t);
		proc_parse_cgroups(cases[i].own, strlen(cases[i].own), o);
		cg_open(&fs, t, o, c);
		ok(c->devices == cases[i].bound, "device rules: %s", cases[i].what);
		cg_close(c);
	}
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	is_int(system(cmd), 0, "clean");
	free(t);
	free(o);
	free(c);
}

int
main(void)
{
	test_namespaces();
	test_paths();
	test_tree_json();
	test_env();
	test_layouts();
	test_devices();
	return done_testing();
}
