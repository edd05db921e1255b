/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which one is meant: pods, replicas, namespaces, nesting; and what the errors say to type. */
#include "standin.h"
#include "tap.h"
#include "target/target.h"

#define HEX(c) c "456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define P1 HEX("aaa1")
#define P2 HEX("aaa2")
#define P3 HEX("aaa3")
#define P4 HEX("aaa4")
#define S1 HEX("bbb1")
#define S2 HEX("bbb2")
#define D1 HEX("ccc1")
#define D2 HEX("ccc2")
#define D3 HEX("ccc3")
#define OWN HEX("ddd1")
#define CRIO "host/run/containers/storage/overlay-containers/"
#define TASK "host/run/containerd/io.containerd.runtime.v2.task/k8s.io/"

static struct tgt_sys sys;
static struct tgt t;
static struct err e;

static void
open_sys(void)
{
	char root[300];

	snprintf(root, sizeof(root), "%s/proc", standin);
	if (tgt_sys_open(&sys, root, NULL, &e) < 0) {
		err_print(1, &e);
		exit(99);
	}
}

static int
find(const struct tgt_query *q)
{
	memset(&e, 0, sizeof(e));
	memset(&t, 0, sizeof(t));
	return tgt_find(&sys, q, &t, NULL, &e) < 0 ? -(int)e.code : t.pid;
}
#define FIND(...) find(&(struct tgt_query){__VA_ARGS__})

static void
add(int pid, const char *comm, const char *cgroup, unsigned long ns_pid, unsigned long ns_mnt)
{
	char nspid[32];

	snprintf(nspid, sizeof(nspid), "%d\t%d", pid, pid - 90);
	standin_add(&(struct standin_proc){.pid = pid,
	    .ppid = 1,
	    .comm = comm,
	    .cgroup = cgroup,
	    .nspid = nspid,
	    .ns_pid = ns_pid,
	    .ns_mnt = ns_mnt});
}

static void
bundle(const char *id, const char *pod, const char *ns, const char *name, const char *sandbox)
{
	char path[300], text[1200];

	snprintf(path, sizeof(path), TASK "%s/config.json", id);
	snprintf(text, sizeof(text),
	    "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"%s\","
	    "\"io.kubernetes.cri.container-name\":\"%s\",\"io.kubernetes.cri.sandbox-name\":\"%s\","
	    "\"io.kubernetes.cri.sandbox-namespace\":\"%s\","
	    "\"io.kubernetes.cri.sandbox-id\":\"%s\"}}",
	    *name ? "container" : "sandbox", name, pod, ns, sandbox);
	standin_file(path, text);
}

/* One pid namespace for the whole pod; the same names in two namespaces. */
static void
two_namespaces(void)
{
	bundle(P1, "shop", "prod", "app", S1);
	bundle(P2, "shop", "prod", "side", S1);
	bundle(P3, "shop", "dev", "app", S2);
	bundle(S1, "shop", "prod", "", S1);
	add(100, "pausing", "0::/kubepods/besteffort/podA/" S1 "\n", 4100, 5100);
	add(101, "app", "0::/kubepods/besteffort/podA/" P1 "\n", 4100, 5101);
	add(102, "side", "0::/kubepods/besteffort/podA/" P2 "\n", 4100, 5102);
	add(103, "app",
	    "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podB.slice/"
	    "cri-containerd-" P3 ".scope\n",
	    4103, 5103);
	is_int(FIND(.word = "app"), -ERR_AMBIGUOUS, "one name in two namespaces");
	ok(strstr(e.why, "namespace prod  try -n prod --pod shop -c app") &&
		strstr(e.why, "namespace dev  try -n dev --pod shop -c app"),
	    "  what to type for each");
	is_str(e.hint, "-n prod --pod shop -c app", "  the hint is one of them");
	is_int(FIND(.ns = "prod", .pod = "shop", .container = "app"), 101, "  and it works");
	is_int(FIND(.ns = "dev", .pod = "shop", .container = "app"), 103, "  for both");
	is_int(FIND(.pod = "shop", .ns = "prod"), -ERR_AMBIGUOUS, "a pod of two");
	ok(strstr(e.why, "try -c side\n") || strstr(e.why, "try -c side"), "  the shorter way");
	is_int(FIND(.pod = "shop", .ns = "prod", .container = "aaa1"), 101, "  by a short id");
	is_int(FIND(.pod = "shop", .container = "side"), 102, "  in a shared pid namespace");
	is_int(FIND(.ns = "test", .container = "app"), -ERR_NO_TARGET, "in no such namespace");
	ok(strstr(e.why, "in another namespace there is:") && strstr(e.why, "namespace prod"),
	    "  the others are named");
	is_int(FIND(.pod = "shop", .ns = "prod", .container = "ap"), -ERR_NO_TARGET, "a typo");
	ok(strstr(e.why, "there it could be:") && strstr(e.why, "side/side") &&
		!strstr(e.why, "namespace dev"),
	    "  what that pod has, and no more");
	is_int(FIND(.word = "sho"), -ERR_NO_TARGET, "the beginning of a name");
	ok(strstr(e.why, "names are matched whole") && strstr(e.why, "pod shop"), "  is said");
	is_int(FIND(.container = "bbb1456"), -ERR_NO_TARGET, "the sandbox by its id");
	ok(strstr(e.why, "the pause process of pod shop"), "  why it is not entered");
	is_str(e.hint, "--pod shop", "  and what to enter instead");
}

static void
default_container(void)
{
	static const char note[] =
	    "{\"annotations\":{\"io.kubernetes.cri-o.ContainerType\":"
	    "\"sandbox\",\"io.kubernetes.cri-o.Annotations\":"
	    "\"{\\\"kubectl.kubernetes.io/default-container\\\":\\\"main\\\"}\"}}";
	static const char *const names[] = {"main", "mesh"};
	static const char *const ids[] = {P4, D3};

	standin_file(CRIO S2 "/userdata/config.json", note);
	for (int i = 0; i < 2; i++) {
		char path[300], text[1000];

		snprintf(path, sizeof(path), CRIO "%s/userdata/config.json", ids[i]);
		snprintf(text, sizeof(text),
		    "{\"annotations\":{\"io.kubernetes.cri-o.ContainerName\":\"%s\","
		    "\"io.kubernetes.cri-o.KubeName\":\"cart\","
		    "\"io.kubernetes.cri-o.Namespace\":\"prod\","
		    "\"io.kubernetes.cri-o.SandboxID\":\"" S2 "\"}}",
		    names[i]);
		standin_file(path, text);
		snprintf(text, sizeof(text),
		    "0::/kubepods.slice/kubepods-podC.slice/crio-%s.scope\n", ids[i]);
		add(110 + i, names[i], text, 4110, 5110 + (unsigned long)i);
	}
	add(112, "conmon", "0::/kubepods.slice/kubepods-podC.slice/crio-conmon-" P4 ".scope\n", 0,
	    0);
	is_int(FIND(.word = "cart"), 110, "the pod's default container");
	is_str(t.provenance, "annotation", "  chosen by annotation");
	is_int(FIND(.pod = "cart", .container = "mesh"), 111, "  unless another is named");
	is_str(t.provenance, "discovered", "  then it is not");
	is_int(FIND(.ns = "prod"), -ERR_AMBIGUOUS, "  and it decides in its own pod alone");
}

static void
compose(void)
{
	static const char *const ids[] = {D1, D2};

	for (int i = 0; i < 2; i++) {
		char path[300], text[800];

		snprintf(
		    path, sizeof(path), "host/var/lib/docker/containers/%s/config.v2.json", ids[i]);
		snprintf(text, sizeof(text),
		    "{\"ID\":\"%s\",\"Name\":\"/store-web-%d\",\"Config\":{\"Labels\":{"
		    "\"com.docker.compose.service\":\"web\","
		    "\"com.docker.compose.project\":\"store\"}}}",
		    ids[i], i + 1);
		standin_file(path, text);
		snprintf(text, sizeof(text), "0::/system.slice/docker-%s.scope\n", ids[i]);
		add(120 + i, "httpd", text, 4120 + (unsigned long)i, 5120 + (unsigned long)i);
	}
	is_int(FIND(.word = "web"), -ERR_AMBIGUOUS, "two replicas");
	ok(strstr(e.why, "web/store-web-1") && strstr(e.why, "try -c store-web-1") &&
		strstr(e.why, "try -c store-web-2"),
	    "  each with its name");
	is_int(FIND(.word = "store-web-2"), 121, "one of them");
	is_int(FIND(.service = "web", .container = "ccc1"), 120, "  by id");
	/* One inside the other: the inner is its own, the outer keeps its processes. */
	add(130, "inner", "0::/system.slice/docker-" D1 ".scope/docker/" D3 "\n", 4130, 5130);
	is_int(FIND(.container = "ccc3"), -ERR_AMBIGUOUS, "a shortened id that two have");
	ok(strstr(e.why, "try --pid 130"), "  the one without a name by its pid");
	is_int(FIND(.container = "store-web-1"), 120, "the outer");
	is_int(t.processes, 1, "  without the inner's process");
	standin_remove("proc/130");
}

static void
pause_names(void)
{
	standin_file("host/var/lib/docker/containers/" HEX("ccc4") "/config.v2.json",
	    "{\"ID\":\"" HEX("ccc4") "\",\"Name\":\"/k8s_POD_till_prod_x_0\",\"Config\":{"
				     "\"Labels\":{\"io.kubernetes.docker.type\":\"podsandbox\","
				     "\"io.kubernetes.pod.name\":\"till\"}}}");
	add(140, "holder", "0::/kubepods/podD/" HEX("ccc4") "\n", 4140, 5140);
	is_int(FIND(.container = "k8s_POD_till_prod_x_0"), -ERR_NO_TARGET, "docker's pod holder");
	ok(strstr(e.why, "pause process of pod till"), "  is known by its labels");
	add(141, "containerd-shim", "0::/system.slice/containerd.service\n", 4001, 5001);
	add(142, "lxc-init", "0::/lxc.payload.cabin/init.scope\n", 4142, 5142);
	add(143, "systemd", "0::/machine.slice/systemd-nspawn@loft.service/payload\n", 4143, 5143);
	is_int(FIND(.word = "cabin"), 142, "lxc");
	is_int(FIND(.word = "loft"), 143, "nspawn");
	is_int(FIND(.word = "containerd.service"), -ERR_NO_TARGET, "no shim");
}

/* The agent in a container, with the host's processes in sight. */
static void
from_within(void)
{
	struct tgt_list l;
	bool seen = false;

	standin_host("4:memory:/docker/" OWN "\n0::/docker/" OWN "\n");
	standin_add(&(struct standin_proc){.pid = 1,
	    .comm = "systemd",
	    .cgroup = "4:memory:/\n0::/init.scope\n",
	    .ns_pid = 4026531836UL,
	    .ns_mnt = 9001});
	standin_link("../../host", "proc/1/root");
	standin_file("host/var/lib/docker/containers/" OWN "/config.v2.json",
	    "{\"ID\":\"" OWN "\",\"Name\":\"/the-agent\",\"Config\":{}}");
	open_sys();
	add(160, "coral-child", "4:memory:/docker/" OWN "\n0::/docker/" OWN "\n", 4001, 5001);
	add(161, "hostd", "4:memory:/boot/hostd\n0::/\n", 4026531836UL, 9001);
	add(162, "app", "4:memory:/boot/box\n0::/\n", 4062, 5062);
	is_int(tgt_list_all(&sys, &l, &e), 0, "from within a container");
	for (size_t i = 0; i < l.n; i++)
		seen |= l.v[i].pid == 50 || l.v[i].pid == 160;
	ok(!seen, "  neither the agent nor its children");
	is_int(l.n, 1, "  no process of the host");
	is_int(l.n ? l.v[0].pid : 0, 162, "  what has namespaces of its own");
	tgt_list_fini(&l);
	is_int(FIND(.container = "ddd1456"), -ERR_NO_TARGET, "the agent's container by id");
	ok(strstr(e.why, "the container of coral itself"), "  why not");
	is_int(FIND(.word = "the-agent"), -ERR_NO_TARGET, "  and by name");
	ok(strstr(e.why, "the container of coral itself"), "  why not");
	tgt_sys_close(&sys);
}

int
main(void)
{
	standin_host("0::/system.slice/coral.service\n");
	open_sys();
	two_namespaces();
	default_container();
	compose();
	pause_names();
	tgt_sys_close(&sys);
	standin_gone();
	from_within();
	return done_testing();
}
