# SPDX-License-Identifier: GPL-3.0-or-later
"""Real containers: runc bundles, a Docker Engine of our own, podman pods."""
import contextlib
import itertools
import json
import os
import pathlib
import secrets
import shutil
import subprocess

from .util import LIB, note_pid, reap_leftovers, run, stop, unmount_below, wait_for

# Trees that are tested at the same time may have pid namespaces of their own: pids are not unique.
run_id = secrets.token_hex(3)
serial = itertools.count(1)
IDLE = ["/bin/sleep", "100000"]


def unique(stem):
    return f"{stem}-{run_id}-{next(serial)}"


class Container:
    """One running container, whoever started it; pid is its first process, host numbering."""

    def __init__(self, name, pid, runtime, cid=""):
        self.name, self.pid, self.runtime, self.id = name, pid, runtime, cid or name
        self.pidns = os.readlink(f"/proc/{pid}/ns/pid")

    @property
    def root(self):
        return pathlib.Path(f"/proc/{self.pid}/root")

    def processes(self):
        """Host pids of everything alive in it."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{entry}/ns/pid") != self.pidns:
                    continue
                stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
                if stat.rpartition(")")[2].split()[0] not in "ZX":
                    found.append(int(entry))
        return found

    def ptys(self):
        with contextlib.suppress(OSError):
            return sorted(n for n in os.listdir(self.root / "dev/pts") if n.isdigit())
        return []

    def mounts(self):
        return pathlib.Path(f"/proc/{self.pid}/mountinfo").read_text(errors="replace")

    def cgroup_dirs(self):
        """Every cgroup below the container's own, in all hierarchies."""
        found = []
        for line in pathlib.Path(f"/proc/{self.pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            name = controllers.removeprefix("name=") if controllers else "unified"
            for mount in (f"/sys/fs/cgroup/{name}", "/sys/fs/cgroup"):
                top = pathlib.Path(mount + path)
                if path != "/" and top.is_dir():
                    # Unlike rglob() it passes over what goes while it looks.
                    found += [os.path.join(d, n) for d, names, _ in os.walk(top) for n in names]
                    break
        return sorted(found)

    def state(self):
        """What must be the same before and after a session."""
        return {"processes": sorted(self.processes()), "ptys": self.ptys(),
                "mounts": self.mounts(), "cgroups": self.cgroup_dirs()}


class Runc:
    """Containers by runc, each with its own copy of a root filesystem."""

    def __init__(self, base, roots):
        self.base, self.roots, self.running = base, roots, []
        self.state = base / "runc"
        self.state.mkdir(parents=True, exist_ok=True)

    def start(self, stem="checkout", kind="full", args=None, env=(), edit=None, created=False):
        name = unique(stem)
        bundle = self.base / name
        bundle.mkdir()
        run(["cp", "-a", self.roots[kind], bundle / "rootfs"])
        text = run([LIB / "bundle.sh", bundle / "rootfs", "/" + name, *(args or IDLE)],
                   env={**os.environ, "ENVIRON": "\n".join(env)}).stdout
        config = json.loads(text)
        if edit:
            edit(config, bundle / "rootfs")
        (bundle / "config.json").write_text(json.dumps(config))
        pidfile = bundle / "pid"
        # runc's children keep its output open: give them a file, not our pipe.
        with open(bundle / "log", "w", encoding="utf-8") as log:
            done = subprocess.run(["runc", "--root", self.state,
                                   *(["create"] if created else ["run", "-d"]), "--bundle", bundle,
                                   "--pid-file", pidfile, name], stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log, timeout=30, check=False)
        if done.returncode:
            raise RuntimeError((bundle / "log").read_text())
        self.running.append(name)
        return Container(name, int(pidfile.read_text()), "runc")

    def exec_argv(self, container, *argv, tty=False):
        return ["runc", "--root", str(self.state), "exec", *(["-t"] if tty else []),
                container.name, *argv]

    def pause(self, container):
        run(["runc", "--root", self.state, "pause", container.name])

    def resume(self, container):
        run(["runc", "--root", self.state, "resume", container.name])

    def delete(self, container):
        run(["runc", "--root", self.state, "delete", "-f", container.name], check=False)
        with contextlib.suppress(ValueError):
            self.running.remove(container.name)
        shutil.rmtree(self.base / container.name, ignore_errors=True)

    def close(self):
        for name in list(self.running):
            run(["runc", "--root", self.state, "delete", "-f", name], check=False)


class Docker:
    """Docker Engine of the package, with a data root and a socket of our own."""

    def __init__(self, base, rootfs):
        self.base = base / "docker"
        self.base.mkdir(parents=True, exist_ok=True)
        reap_leftovers(self.base)
        self.host = f"unix://{self.base}/docker.sock"
        self.log = open(self.base / "dockerd.log", "w", encoding="utf-8")
        self.daemon = subprocess.Popen(
            ["/usr/sbin/dockerd", "--data-root", self.base / "data", "--exec-root",
             self.base / "exec", "--pidfile", self.base / "dockerd-own", "--iptables=false",
             "--bridge=none", "--storage-driver=vfs", "-H", self.host],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        note_pid(self.base, "dockerd", self.daemon.pid)
        self.names = []
        try:
            wait_for("dockerd", self.answers, 60)
            tar = subprocess.Popen(["tar", "-C", rootfs, "-c", "."], stdout=subprocess.PIPE)
            subprocess.run([*self.cli(), "import", "-", "reef:1"], stdin=tar.stdout, check=True,
                           capture_output=True, timeout=120)
            tar.wait()
        except BaseException:
            self.close()
            raise

    def cli(self):
        return ["/usr/bin/docker", "-H", self.host]

    def answers(self):
        if self.daemon.poll() is not None:
            raise RuntimeError((self.base / "dockerd.log").read_text()[-2000:])
        return run([*self.cli(), "version"], check=False).returncode == 0

    def start(self, stem="checkout", args=None, flags=()):
        name = unique(stem)
        cid = run([*self.cli(), "run", "-d", "--network", "none", "--name", name, *flags,
                   "reef:1", *(args or IDLE)]).stdout.strip()
        self.names.append(name)
        pid = run([*self.cli(), "inspect", "-f", "{{.State.Pid}}", name]).stdout
        return Container(name, int(pid), "docker", cid)

    def close(self):
        for name in self.names:
            run([*self.cli(), "rm", "-f", name], check=False)
        stop(self.daemon, 20)
        self.log.close()
        reap_leftovers(self.base)
        unmount_below(self.base)
        shutil.rmtree(self.base / "data", ignore_errors=True)


class Podman:
    """podman with a scratch root, cgroupfs and vfs; pods by kube play."""

    def __init__(self, base, rootfs):
        self.base = base / "podman"
        self.base.mkdir(parents=True, exist_ok=True)
        wrapper = self.base / "runc-wrapper"
        shutil.copy(LIB / "runc-no-rlimits.py", wrapper)
        wrapper.chmod(0o755)
        conf = self.base / "containers.conf"
        conf.write_text('[containers]\ndefault_ulimits=["nofile=1024:4096","nproc=1024:4096"]\n'
                        '[engine]\nevents_logger="file"\n')
        self.env = {**os.environ, "CONTAINERS_CONF": str(conf),
                    "TMPDIR": str(self.base)}
        self.runtime = str(wrapper)
        self.names, self.pods = [], []
        tar = self.base / "rootfs.tar"
        run(["tar", "-C", rootfs, "-cf", tar, "."])
        self.cmd("import", tar, "localhost/reef:1")
        tar.unlink()

    def argv(self, runtime=None):
        return ["podman", "--root", str(self.base / "root"), "--runroot", str(self.base / "run"),
                "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
                "--runtime", runtime or self.runtime]

    def cmd(self, *args, check=True, runtime=None):
        return run([*self.argv(runtime), *args], env=self.env, check=check, timeout=120)

    def pid_of(self, name):
        return int(self.cmd("inspect", "-f", "{{.State.Pid}}", name).stdout)

    def start(self, stem="checkout", args=None, flags=(), runtime=None):
        name = unique(stem)
        cid = self.cmd("run", "-d", "--network", "none", "--name", name, *flags,
                       "localhost/reef:1", *(args or IDLE), runtime=runtime).stdout.split()[-1]
        self.names.append(name)
        return Container(name, self.pid_of(name), "podman", cid)

    def play(self, manifest, pod):
        """Play real Pod YAML; returns {container: Container}."""
        path = self.base / f"{pod}.yaml"
        path.write_text(manifest)
        self.pods.append(path)
        self.cmd("kube", "play", "--network", "none", path)
        listed = json.loads(self.cmd("ps", "--format", "json", "--filter", f"pod={pod}").stdout)
        found = {}
        for item in listed:
            name = item["Names"][0]
            if not item.get("IsInfra"):
                found[name.removeprefix(pod + "-")] = Container(name, item["Pid"], "podman",
                                                                item["Id"])
        return found

    def close(self):
        for path in self.pods:
            self.cmd("kube", "down", path, check=False)
        for name in self.names:
            self.cmd("rm", "-f", "-t", "0", name, check=False)
        self.cmd("pod", "rm", "-f", "-a", "-t", "0", check=False)
        unmount_below(self.base)
        shutil.rmtree(self.base, ignore_errors=True)
