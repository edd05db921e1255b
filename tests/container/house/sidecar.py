# SPDX-License-Identifier: GPL-3.0-or-later
"""A container with coral in it, beside a target whose processes it sees: the sidecar of a pod."""
import os

from .util import CORAL

DOCKER_DEFAULT = ["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID",
                  "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",
                  "AUDIT_WRITE"]
# What the proposal for sidecars adds, and nothing else.
SIDECAR = [*DOCKER_DEFAULT, "SYS_PTRACE", "BPF"]


def beside(target, share=("network", "ipc", "uts"), caps=SIDECAR):
    """An edit of a bundle: join the target's pid namespace, and those of `share`."""
    def edit(config, rootfs):
        names = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts"}
        spaces = [{"type": "pid", "path": f"/proc/{target.pid}/ns/pid"}, {"type": "mount"},
                  {"type": "cgroup"}]
        for kind in ("network", "ipc", "uts"):
            one = {"type": kind}
            if kind in share:
                one["path"] = f"/proc/{target.pid}/ns/{names[kind]}"
            spaces.append(one)
        config["linux"]["namespaces"] = spaces
        if "uts" in share:
            config.pop("hostname", None)
        full = ["CAP_" + c for c in caps]
        config["process"]["capabilities"] = {k: full for k in ("bounding", "effective",
                                                               "permitted")}
        config["mounts"] += [
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]},
            {"destination": "/coral", "type": "bind", "source": str(CORAL),
             "options": ["bind", "ro"]},
            {"destination": "/run", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "nodev", "mode=755"]}]
        for sub in ("coral", "run"):
            if not os.path.exists(rootfs / sub):
                (rootfs / sub).touch() if sub == "coral" else (rootfs / sub).mkdir()

    return edit
