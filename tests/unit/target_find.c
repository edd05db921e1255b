/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finding, on a stand-in /proc with every runtime and both cgroup layouts at once. */
#include <jansson.h>

#include "standin.h"
#include "tap.h"
#include "target/target.h"

#define DK "aaaa456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DK2 "aabb456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CD "bbbb456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CS "cccc456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CR "dddd456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PM "eeee456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
#define POD "/kubepods/burstable/pod" UID "/"
#define SLICE                                                                                      \
	"/kubepods.slice/kubepods-burstable.slice/"                                                \
	"kubepods-burstable-pod1b4e28ba_2fa1_11d2_883f_0016d3cca427.slice"

static struct tgt_sys sys;

static void
open_sys(const char *cache)
{
	char root[300], file[300];
	struct err e = {0};

	snprintf(root, sizeof(root), "%s/proc", standin);
	snprintf(file, sizeof(file), "%s/cache/%s", standin, cache ? cache : "");
	if (tgt_sys_open(&sys, root, cache ? file : NULL, &e) < 0) {
		err_print(1, &e);
		exit(99);
	}
}

/* The container NAME, found as a bare word; its pid, or minus the error. */
static int
find_word(const char *word, struct tgt *t, struct err *e)
{
	struct tgt_query q = {.word = word};

	memset(e, 0, sizeof(*e));
	return tgt_find(&sys, &q, t, NULL, e) < 0 ? -(int)e->code : t->pid;
}

static void
docker(void)
{
	static const char env[] = "PATH=/bin\0SERVICE_NAME=from-env\0HOSTNAME=aaaa456789ab";
	struct standin_proc p = {.comm = "sh", .ns_pid = 4100, .ns_mnt = 5100};
	struct err e;
	struct tgt t;

	standin_file("host/var/lib/docker/containers/" DK "/config.v2.json",
	    "{\"ID\":\"" DK
	    "\",\"Name\":\"/shop-web-1\",\"Config\":{\"Image\":\"web:1\",\"Labels\":{"
	    "\"com.docker.compose.service\":\"web\",\"com.docker.compose.project\":\"shop\"}}}");
	p.cgroup = "6:freezer:/docker/" DK "\n1:name=systemd:/docker/" DK "\n0::/\n";
	/* The lowest pid came in by exec; the container's own pid 1 is to be chosen. */
	p.pid = 110;
	p.nspid = "110\t77";
	p.environ_text = env;
	p.environ_len = sizeof(env);
	standin_add(&p);
	p.pid = 120;
	p.nspid = "120\t1";
	p.start = 777;
	p.uid = 1000;
	standin_add(&p);
	p.pid = 130;
	p.nspid = "130\t9\t1";
	standin_add(&p);
	is_int(find_word("web", &t, &e), 120, "docker on v1: the first process inside, by service");
	is_str(t.runtime, "docker", "  runtime");
	is_str(t.container, "shop-web-1", "  name");
	is_str(t.project, "shop", "  project");
	is_str(t.image, "web:1", "  image");
	is_str(t.cgroup, "/docker/" DK, "  cgroup");
	ok(t.start == 777 && t.uid == 1000 && t.processes == 3, "  start, uid, processes");
	ok(t.ns_pid == 4100 && t.ns_mnt == 5100, "  namespaces");
	is_int(find_word("shop-web-1", &t, &e), 120, "  by name");
	is_int(find_word("aaaa", &t, &e), 120, "  by the beginning of the id");
	is_int(find_word("aaa", &t, &e), -ERR_NO_TARGET, "  three digits are too few");
	is_int(find_word("shop-web", &t, &e), -ERR_NO_TARGET, "  never a part of a name");
	ok(strstr(e.why, "web/shop-web-1  pid 120  docker  aaaa456789ab") && *e.hint,
	    "  the error lists what runs");
}

/* Another data root, known only from the mounts; v2 alone; pid 1 a zombie. */
static void
docker_elsewhere(void)
{
	struct standin_proc p = {.pid = 210, .comm = "gone", .state = 'Z', .ns_pid = 4200};
	struct err e;
	struct tgt t;

	standin_file("host/mnt/big/dk/containers/" DK2 "/config.v2.json",
	    "{\"ID\":\"" DK2 "\",\"Name\":\"/db\\u001b[31m\",\"Config\":{}}");
	standin_file("proc/1/mountinfo", "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
					 "40 27 8:1 /vol /mnt/big rw - ext4 /dev/sda1 rw\n");
	p.cgroup = "0::/system.slice/docker-" DK2 ".scope\n";
	p.nspid = "210\t1";
	p.ns_mnt = 5200;
	standin_add(&p);
	p = (struct standin_proc){.pid = 220, .comm = "db", .ns_pid = 4200, .ns_mnt = 5200};
	p.cgroup = "0::/system.slice/docker-" DK2 ".scope\n";
	p.nspid = "220\t5";
	p.mountinfo =
	    "50 1 8:1 /vol/dk/containers/" DK2 "/hostname /etc/hostname rw - ext4 /d rw\n";
	standin_add(&p);
	is_int(find_word("aabb4567", &t, &e), 220, "zombie pid 1: a live process is chosen");
	is_str(t.container, "db\\x1b[31m", "  name from a data root elsewhere, made harmless");
	is_str(t.service, t.container, "  and the service is called so");
	is_int(find_word("--nothing", &t, &e), -ERR_NO_TARGET, "  no such thing");
}

static void
kubernetes(void)
{
	struct tgt_query q = {.pod = "shop-5d9", .container = "app", .ns = "prod"};
	struct standin_proc p = {.comm = "pause", .ns_pid = 4300};
	struct err e = {0};
	struct tgt t;

	standin_file("host/run/containerd/io.containerd.runtime.v2.task/k8s.io/" CD "/config.json",
	    "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"app\","
	    "\"io.kubernetes.cri.container-type\":\"container\","
	    "\"io.kubernetes.cri.sandbox-name\":\"shop-5d9\","
	    "\"io.kubernetes.cri.sandbox-namespace\":\"prod\","
	    "\"io.kubernetes.cri.image-name\":\"reg/app:2\"}}");
	standin_file("host/run/containerd/io.containerd.runtime.v2.task/k8s.io/" CS "/config.json",
	    "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"sandbox\"}}");
	/* A shared pid namespace: pid 1 in it is the sandbox', which is never listed. */
	p.pid = 310;
	p.comm = "not-pause";
	p.cgroup = "5:freezer:" POD CS "\n0::/\n";
	p.nspid = "310\t1";
	p.ns_mnt = 5300;
	standin_add(&p);
	p.pid = 320;
	p.comm = "app";
	p.cgroup = "5:freezer:" POD CD "\n0::/\n";
	p.nspid = "320\t7";
	p.ns_mnt = 5301;
	standin_add(&p);
	p.pid = 330;
	p.comm = "side";
	p.cgroup = "0::" SLICE "/crio-" CR ".scope\n";
	p.nspid = "330\t12";
	p.ns_mnt = 5302;
	p.mountinfo = "51 1 8:1 /k/pods/" UID "/containers/side/8f3a1c02 /dev/termination-log rw - "
		      "ext4 /d rw\n52 1 8:1 /k/pods/" UID "/etc-hosts /etc/hosts rw - ext4 /d rw\n";
	p.environ_text = "HOSTNAME=shop-5d9";
	p.environ_len = 18;
	standin_add(&p);
	is_int(tgt_find(&sys, &q, &t, NULL, &e), 0, "by pod, namespace and container");
	is_int(t.pid, 320, "  the application");
	is_str(t.service, "app", "  service");
	is_str(t.pod_uid, UID, "  pod uid");
	is_str(t.image, "reg/app:2", "  image");
	is_int(find_word("side", &t, &e), 330, "cri-o by kubelet's mounts alone");
	is_str(t.runtime, "cri-o", "  runtime");
	is_str(t.pod, "shop-5d9", "  pod from the host name");
	is_int(find_word("cccc4567", &t, &e), -ERR_NO_TARGET, "the sandbox is not listed");
	q = (struct tgt_query){.pid = 310};
	is_int(tgt_find(&sys, &q, &t, NULL, &e), -1, "nor entered by pid");
	is_int(e.code, ERR_DENIED, "  denied");
	is_int(find_word("shop-5d9", &t, &e), -ERR_AMBIGUOUS, "a pod of two is ambiguous");
	ok(strstr(e.why, "app/app  pid 320  containerd  bbbb456789ab") &&
		strstr(e.why, "\nside/side  pid 330  cri-o  dddd456789ab"),
	    "  candidates one a line");
	is_str(e.hint, "-c app", "  and what to type");
}

static void
podman(void)
{
	static const char line[] =
	    "/usr/bin/conmon\0-c\0" PM "\0-n\0pod1-api\0-b\0/srv/pm/vfs-containers/" PM "/userdata";
	struct standin_proc p = {.pid = 400, .ppid = 1, .comm = "conmon"};
	struct tgt_query q;
	struct err e;
	struct tgt t;

	standin_file("host/srv/pm/vfs-containers/" PM "/userdata/config.json",
	    "{\"annotations\":{\"io.kubernetes.cri-o.SandboxID\":\"" CS "\"}}");
	standin_file(
	    "host/srv/pm/vfs-containers/" CS "/userdata/config.json", "{\"hostname\":\"pod1\"}");
	standin_file("host/srv/pm/vfs-containers/containers.json",
	    "[{\"id\":\"" PM
	    "\",\"names\":[\"x\"],\"metadata\":\"{\\\"image-name\\\":\\\"img:9\\\"}\"}]");
	p.cgroup = "0::/machine.slice/libpod-conmon-" PM ".scope\n";
	p.cmdline = line;
	p.cmdline_len = sizeof(line);
	standin_add(&p);
	p = (struct standin_proc){.pid = 410, .ppid = 400, .comm = "api", .ns_pid = 4400};
	p.cgroup = "0::/machine.slice/libpod-" PM ".scope/container\n";
	p.nspid = "410\t1";
	p.ns_mnt = 5400;
	standin_add(&p);
	is_int(find_word("pod1-api", &t, &e), 410, "podman by what conmon says");
	is_str(t.pod, "pod1", "  pod");
	is_str(t.container, "api", "  container, without the pod's name before it");
	is_int(find_word("api", &t, &e), 410, "  and by that name");
	q = (struct tgt_query){.pod = "pod1", .container = "api"};
	is_int(tgt_find(&sys, &q, &t, NULL, &e), 0, "  by pod and container");
	q.container = "pod1-api";
	is_int(tgt_find(&sys, &q, &t, NULL, &e), 0, "  or as podman calls it");
	q.container = "pod-api";
	is_int(tgt_find(&sys, &q, &t, NULL, &e), -1, "  but by nothing else");
	is_str(t.service, "api", "  service is the name in the pod");
	is_str(t.image, "img:9", "  image");
	is_str(t.cgroup, "/machine.slice/libpod-" PM ".scope", "  cgroup is the container's");
	p = (struct standin_proc){.pid = 420, .comm = "catatonit", .ns_pid = 4410, .ns_mnt = 5410};
	p.cgroup = "0::/machine.slice/libpod-" CD ".scope\n";
	p.cmdline = "/catatonit\0-P";
	p.cmdline_len = 14;
	standin_add(&p);
	is_int(find_word("bbbb4567", &t, &e), 320, "podman's infra container is not listed");
	standin_remove("proc/420");
}

static void
plain_runc(void)
{
	struct standin_proc p = {.pid = 510, .comm = "box", .ns_pid = 4500, .ns_mnt = 5500};
	struct tgt_query q = {.pid = 0};
	struct err e;
	struct tgt t;

	standin_file("host/run/runc/box-1/state.json",
	    "{\"id\":\"box-1\",\"init_process_pid\":510,\"config\":{\"labels\":[\"bundle=/b\"]}}");
	p.cgroup = "8:pids:/other-name\n6:freezer:/other-name\n0::/other-name\n";
	p.nspid = "510\t1";
	standin_add(&p);
	p.pid = 520;
	p.nspid = "520\t2";
	p.cgroup = "8:pids:/other-name\n6:freezer:/other-name\n0::/other-name/sub\n";
	standin_add(&p);
	/* A host's daemon with a mount namespace of its own is no container. */
	p.pid = 530;
	p.ns_pid = 0;
	p.nspid = "530";
	p.cgroup = "0::/system.slice/nginx.service\n";
	standin_add(&p);
	is_int(find_word("box-1", &t, &e), 510, "runc, named by its state");
	is_str(t.runtime, "runc", "  runtime");
	is_str(t.cgroup, "/other-name", "  cgroup");
	is_int(t.processes, 2, "  a cgroup inside it is the same container");
	q.pid = 520;
	is_int(tgt_find(&sys, &q, &t, NULL, &e), 0, "  by a pid in the inner cgroup");
	is_str(t.container, "box-1", "  the same container");
	is_int(find_word("box", &t, &e), -ERR_NO_TARGET, "  its id is a name: no prefix of it");
	/* Left behind by runc kill: another container's process has the number since. */
	standin_file("host/run/runc/box-1/state.json",
	    "{\"id\":\"box-1\",\"init_process_pid\":510,\"init_process_start\":1,\"config\":{}}");
	is_int(find_word("box-1", &t, &e), -ERR_NO_TARGET, "a state of an earlier process");
	standin_file("host/run/runc/box-1/state.json",
	    "{\"id\":\"box-1\",\"init_process_pid\":510,\"init_process_start\":100}");
	is_int(find_word("box-1", &t, &e), 510, "the state of this one");
	is_int(find_word("nginx.service", &t, &e), -ERR_NO_TARGET, "a systemd unit is none");
}

static void
frozen(void)
{
	struct err e;
	struct tgt t;

	find_word("web", &t, &e);
	ok(!t.frozen, "running");
	standin_file("host/sys/fs/cgroup/freezer/docker/" DK "/freezer.state", "FROZEN\n");
	find_word("web", &t, &e);
	ok(t.frozen, "paused by the v1 freezer");
	standin_file("host/sys/fs/cgroup/freezer/docker/" DK "/freezer.state", "THAWED\n");
	standin_file("host/sys/fs/cgroup/system.slice/docker-" DK2 ".scope/cgroup.freeze", "1\n");
	find_word("web", &t, &e);
	ok(!t.frozen, "thawed");
	find_word("aabb4567", &t, &e);
	ok(t.frozen, "paused by cgroup v2");
	standin_file("host/sys/fs/cgroup/system.slice/docker-" DK2 ".scope/cgroup.freeze", "0\n");
	standin_file("host/sys/fs/cgroup/system.slice/docker-" DK2 ".scope/cgroup.events",
	    "populated 1\nfrozen 1\n");
	find_word("aabb4567", &t, &e);
	ok(t.frozen, "paused by an ancestor");
}

static void
by_pid(void)
{
	struct tgt_query q = {.pid = 1};
	struct err e = {0};
	struct tgt t;

	tgt_find(&sys, &q, &t, NULL, &e);
	is_int(e.code, ERR_DENIED, "the host's init is refused");
	q.pid = 50;
	tgt_find(&sys, &q, &t, NULL, &e);
	is_int(e.code, ERR_DENIED, "the agent itself is refused");
	q.pid = 210;
	tgt_find(&sys, &q, &t, NULL, &e);
	is_int(e.code, ERR_TARGET_GONE, "a zombie is gone");
	q.pid = 4999;
	tgt_find(&sys, &q, &t, NULL, &e);
	is_int(e.code, ERR_NO_TARGET, "no such process");
	q.pid = 530;
	is_int(tgt_find(&sys, &q, &t, NULL, &e), 0, "a bare process of the host");
	is_str(t.runtime, "process", "  runtime");
	is_str(t.cgroup, "/system.slice/nginx.service", "  cgroup");
	q.pid = 110;
	is_int(tgt_find(&sys, &q, &t, NULL, &e), 0, "any process of a container");
	is_str(t.container, "shop-web-1", "  knows its container");
}

static void
listing(void)
{
	struct tgt_list l;
	struct err e = {0};
	json_t *j;

	is_int(tgt_list_all(&sys, &l, &e), 0, "list");
	is_int(l.n, 6, "six containers: no pause, no agent, no host");
	for (size_t i = 1; i < l.n; i++)
		ok(strcmp(l.v[i - 1].service, l.v[i].service) <= 0, "sorted");
	j = l.n ? tgt_to_json(&l.v[0]) : NULL;
	is_str(json_string_value(json_object_get(j, "state")), "running", "as JSON");
	is_int(json_object_size(j), 12, "with every key");
	json_decref(j);
	tgt_list_fini(&l);
}

static void
ambiguous(void)
{
	struct standin_proc p = {.pid = 610, .comm = "w", .ns_pid = 4600, .ns_mnt = 5600};
	struct tgt_query q = {.service = "web"};
	struct tgt_list l = {NULL, 0};
	struct err e = {0};
	struct tgt t;

	p.cgroup = "0::/web\n";
	p.nspid = "610\t1";
	standin_add(&p);
	is_int(tgt_find(&sys, &q, &t, &l, &e), -1, "two of one service");
	is_int(e.code, ERR_AMBIGUOUS, "  ambiguous");
	is_int(l.n, 2, "  both are handed out");
	tgt_list_fini(&l);
	q.container = "web";
	is_int(tgt_find(&sys, &q, &t, NULL, &e), 0, "  the container decides");
	is_int(t.pid, 610, "  rightly");
	q = (struct tgt_query){0};
	is_int(tgt_find(&sys, &q, &t, NULL, &e), -1, "nothing asked for");
	is_int(e.code, ERR_AMBIGUOUS, "  is ambiguous among several");
	standin_remove("proc/610");
}

static long
cache_size(void)
{
	struct stat st;

	return stat(sys.cache, &st) == 0 ? (long)st.st_size : -1;
}

static void
cached(void)
{
	struct standin_proc p = {.pid = 700, .comm = "late", .ns_pid = 4700, .ns_mnt = 5700};
	struct tgt_query q = {.word = "shop-web-1"};
	struct stat st;
	struct err e;
	struct tgt t;
	char text[300];
	long size;

	tgt_sys_close(&sys);
	open_sys("scan");
	is_int(find_word("web", &t, &e), 120, "without a cache yet");
	size = cache_size();
	ok(size > 0 && stat(sys.cache, &st) == 0 && (st.st_mode & 0777) == 0600,
	    "it is written, 0600");
	is_int(find_word("web", &t, &e), 120, "with it");
	is_int(t.processes, 3, "  counts are there");
	p.cgroup = "0::/late\n";
	p.nspid = "700\t1";
	standin_add(&p);
	is_int(find_word("late", &t, &e), 700, "a container that came later");
	standin_remove("proc/700");
	is_int(find_word("late", &t, &e), -ERR_NO_TARGET, "and went");
	standin_file("host/var/lib/docker/containers/" DK "/config.v2.json",
	    "{\"ID\":\"" DK "\",\"Name\":\"/renamed\",\"Config\":{}}");
	is_int(tgt_find(&sys, &q, &t, NULL, &e), -1, "an old name does not stick");
	is_int(find_word("renamed", &t, &e), 120, "a new one is found");
	is_str(t.service, "from-env", "  service from the environment");
	/* The same pid, another process: its directory has another inode. */
	standin_remove("proc/120");
	is_int(find_word("renamed", &t, &e), 110, "the first process died: the next stands for it");
	is_int(truncate(sys.cache, 200), 0, "cut the file");
	is_int(find_word("renamed", &t, &e), 110, "a damaged cache is ignored");
	ok(cache_size() > 200, "  and replaced");
	is_int(chmod(sys.cache, 0666), 0, "let others write");
	is_int(find_word("renamed", &t, &e), 110, "a cache of others' is ignored");
	ok(stat(sys.cache, &st) == 0 && (st.st_mode & 0777) == 0600, "  and replaced");
	snprintf(text, sizeof(text), "%s/cache", standin);
	unlink(sys.cache);
	chmod(text, 0777);
	is_int(find_word("renamed", &t, &e), 110, "a directory that others can write");
	is_int(cache_size(), -1, "  holds no cache");
}

int
main(void)
{
	struct err e;
	struct tgt t;

	standin_host("0::/system.slice/coral.service\n");
	open_sys(NULL);
	ok(sys.standin, "a stand-in is known as one");
	is_int(find_word("web", &t, &e), -ERR_NO_TARGET, "nothing runs");
	docker();
	docker_elsewhere();
	kubernetes();
	podman();
	plain_runc();
	frozen();
	by_pid();
	listing();
	ambiguous();
	cached();
	tgt_sys_close(&sys);
	return done_testing();
}
