/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/ident.h"

#include <string.h>

#include "tap.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEX2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
#define UID_ "1b4e28ba_2fa1_11d2_883f_0016d3cca427"
#define SLICE "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice"

static const struct {
	const char *path, *runtime, *id, *name, *pod_uid;
} known[] = {
    {"/docker/" HEX, "docker", HEX, "", ""},
    {"/system.slice/docker-" HEX ".scope", "docker", HEX, "", ""},
    {"/docker/" HEX "/docker/" HEX2, "docker", HEX2, "", ""},
    {"/docker/" HEX "/init.scope", "docker", HEX, "", ""},
    {"/../" HEX, "containerd", HEX, "", ""},
    {SLICE "/cri-containerd-" HEX ".scope", "containerd", HEX, "", UID},
    {SLICE "/crio-" HEX ".scope", "cri-o", HEX, "", UID},
    {SLICE "/docker-" HEX ".scope", "docker", HEX, "", UID},
    {"/kubepods.slice/kubepods-pod" UID_ ".slice/cri-containerd-" HEX ".scope", "containerd", HEX,
	"", UID},
    {"/kubepods/burstable/pod" UID "/" HEX, "containerd", HEX, "", UID},
    {"/kubepods/pod" UID "/" HEX, "containerd", HEX, "", UID},
    {"/kubepods/besteffort/pod" UID "/crio-" HEX, "cri-o", HEX, "", UID},
    {"/kubepods/pod0123456789abcdef0123456789abcdef/" HEX, "containerd", HEX, "",
	"0123456789abcdef0123456789abcdef"},
    {"/system.slice/k.service/kubepods-pod" UID_ ".slice:cri-containerd:" HEX, "containerd", HEX,
	"", ""},
    {"/machine.slice/libpod-" HEX ".scope/container", "podman", HEX, "", ""},
    {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" HEX ".scope", "podman", HEX,
	"", ""},
    {"/libpod_parent/" HEX2 "/libpod-" HEX, "podman", HEX, "", ""},
    {"/machine.slice/machine-libpod_pod_" HEX2 ".slice/libpod-payload-" HEX, "podman", HEX, "", ""},
    {"/system.slice/nerdctl-" HEX ".scope", "containerd", HEX, "", ""},
    {"/lxc/web", "lxc", "web", "web", ""},
    {"/lxc.payload.web/system.slice/x.service", "lxc", "web", "web", ""},
    {"/machine.slice/systemd-nspawn@deb.service/payload", "nspawn", "", "deb", ""},
    {"/machine.slice/machine-deb\\x2d12.scope", "nspawn", "", "deb-12", ""},
    {"/system.slice/runc-box.scope", "runc", "box", "box", ""},
};

static const char *const unknown[] = {
    "/",
    "",
    "/init.scope",
    "/system.slice/docker.service",
    "/docker/0123",
    "/docker/" HEX "0",
    "/docker/x" HEX,
    "/libpod_parent/" HEX,
    "/libpod_parent/conmon",
    "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
    "/user.slice/user-0.slice/session-1.scope",
    SLICE,
};

static void
plain(void)
{
	struct ident id;

	ok(ident_plain("/box", &id) && strcmp(id.name, "box") == 0 && id.len == 4, "one component");
	ok(ident_plain("/a/box/coral-123", &id) && strcmp(id.id, "box") == 0 && id.session,
	    "a session's cgroup is not the name");
	ok(ident_plain("/box/init.scope", &id) && strcmp(id.id, "box") == 0 && id.len == 4,
	    "a systemd inside");
	ok(ident_plain("/coral-agent", &id) && !id.session, "a name that begins like a session's");
	ok(!ident_plain("/system.slice/nginx.service", &id), "a unit is no container");
	ok(!ident_plain("/user.slice/user-0.slice/session-1.scope", &id), "nor a login");
	ok(!ident_plain("/", &id) && !ident_plain("/..", &id), "the root is none");
}

int
main(void)
{
	struct ident id;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		ok(ident_path(known[i].path, &id) && !id.monitor, "known: %s", known[i].path);
		is_str(id.runtime, known[i].runtime, "  runtime");
		is_str(id.id, known[i].id, "  id");
		is_str(id.name, known[i].name, "  name");
		is_str(id.pod_uid, known[i].pod_uid, "  pod");
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		ok(!ident_path(unknown[i], &id), "unknown: %s", unknown[i]);
	ok(ident_path("/machine.slice/libpod-conmon-" HEX ".scope", &id) && id.monitor, "conmon");
	ok(ident_path(SLICE "/crio-conmon-" HEX ".scope", &id) && id.monitor, "cri-o's conmon");
	ok(ident_path("/lxc.monitor.web", &id) && id.monitor, "lxc's monitor");
	ok(ident_path("/docker/" HEX "/coral-5/x", &id) && id.session, "a session's cgroup");
	is_int(id.len, 8 + 64, "  lies below the container's");
	plain();
	return done_testing();
}
