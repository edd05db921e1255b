# SPDX-License-Identifier: GPL-3.0-or-later
"""coral itself: the client as a user runs it, and an agent with directories of its own."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading

from .util import CORAL, alive, note_pid, run, stop, wait_for

# What the broker forks with a user of its own and what is no transport.
HELPERS = ("coral-painter", "coral-archive", "coral-prune", "coral-heads", "coral-audit")


class Done:
    """What a command gave back."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def text(self):
        return self.out.decode()

    @property
    def errtext(self):
        return self.err.decode(errors="replace")

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"<exit {self.code} out={self.out[:400]!r} err={self.err[:800]!r}>"


class Coral:
    """The client, with a home, state and runtime directory of its own."""

    def __init__(self, home, flags=()):
        self.home = pathlib.Path(home)
        self.flags = list(flags)
        self.extra = {}
        self.config = self.home / "config" / "config.yaml"
        for sub in ("config", "state", "run", "xdg"):
            (self.home / sub).mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def state(self):
        return self.home / "state"

    def env(self):
        return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": str(self.home), "LANG": "C.UTF-8", "TERM": "tmux-256color",
                "CORAL_CONFIG": str(self.config.parent), "CORAL_STATE_DIR": str(self.state),
                "CORAL_RUNTIME_DIR": str(self.home / "run"),
                "XDG_CONFIG_HOME": str(self.home / "xdg"), **self.extra}

    def argv(self, verb, *args):
        return [str(CORAL), *str(verb).split(), *self.flags, *[os.fspath(a) if isinstance(
            a, (str, bytes, os.PathLike)) else str(a) for a in args]]

    def popen(self, verb, *args, **kw):
        kw.setdefault("stdin", subprocess.PIPE)
        kw.setdefault("stdout", subprocess.PIPE)
        kw.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(self.argv(verb, *args), env=self.env(), **kw)

    def run(self, verb, *args, input=b"", timeout=60, prefix=(), **kw):
        """Run to the end.  A client that hangs fails the test with what it had said."""
        proc = subprocess.Popen([*prefix, *self.argv(verb, *args)], env=self.env(),
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **kw)
        try:
            out, err = proc.communicate(input, timeout)
        except subprocess.TimeoutExpired:
            proc.kill()
            out, err = proc.communicate()
            raise AssertionError(f"no end after {timeout} s: {args}: {out!r} {err!r}") from None
        return Done(proc.returncode, out, err)

    def local(self, verb, *args, **kw):
        """A verb that takes no flags of the connection (replay, completion, version)."""
        flags, self.flags = self.flags, []
        try:
            return self.run(verb, *args, **kw)
        finally:
            self.flags = flags

    def sessions(self):
        """Newest first, as the command tells it."""
        done = self.run("sessions ls", "-o", "json")
        assert done.code == 0, done
        return done.json()

    def cast_path(self, sid):
        return self.state / "sessions" / sid / f"{sid}.cast"

    def newest_cast(self):
        ids = sorted(p.name for p in (self.state / "sessions").iterdir())
        assert ids, "no recording was made"
        return self.cast_path(ids[-1])

    def session_dirs(self):
        top = self.state / "sessions"
        return sorted(p.name for p in top.iterdir()) if top.is_dir() else []

    def live(self):
        return [s for s in self.sessions() if s["state"] == "live"]


def free_port(host="127.0.0.1"):
    with socket.socket() as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def children_of(pid):
    """Every descendant of pid, nearest first."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
                rest = stat.rpartition(")")[2].split()
                if rest[0] not in "ZX":
                    parents.setdefault(int(rest[1]), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        kids = parents.get(todo.pop(0), [])
        found += kids
        todo += kids
    return found


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


class Agent:
    """`coral agent start` on a unix socket, and on TCP when there are keys."""

    def __init__(self, home, keys=None, listen=False, env=None, flags=(), host="127.0.0.1",
                 prefix=()):
        self.coral = Coral(home)
        self.home = self.coral.home
        self.socket = self.home / "run" / "agent.sock"
        self.keys = self.home / "authorized_keys"
        self.host = host
        self.port = free_port(host) if listen else 0
        self.flags, self.prefix = list(flags), list(prefix)
        self.extra = env or {}
        self.proc = None
        if keys is not None:
            self.keys.write_text(keys)
            self.keys.chmod(0o600)
        self.log_path = self.home / "agent.log"

    @property
    def address(self):
        return self.host, self.port

    def start(self):
        argv = [*self.prefix, str(CORAL), "agent", "start", "--socket", str(self.socket)]
        if self.port:
            argv += ["--listen", f"{self.host}:{self.port}", "--authorized-keys", str(self.keys)]
        with open(self.log_path, "ab") as log:
            self.proc = subprocess.Popen(argv + self.flags, env={**self.coral.env(), **self.extra},
                                         stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        note_pid(self.home, "agent", self.proc.pid)
        wait_for("the agent's socket", self.accepts, 10)
        # The look's own transport is not what a test shall find. A hostile one may stay.
        with contextlib.suppress(AssertionError):
            wait_for("the look to be over", lambda: not self.transports(), 2)
        return self

    def accepts(self):
        if self.proc.poll() is not None:
            raise AssertionError(f"the agent ended: {self.log()}")
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(str(self.socket))
            except OSError:
                return False
            # Its transport is there then, and can be waited for.
            s.settimeout(0.5)
            with contextlib.suppress(OSError):
                s.recv(1)
        if self.port:
            with socket.socket() as s:
                return s.connect_ex((self.host, self.port)) == 0
        return True

    def log(self):
        return self.log_path.read_text(errors="replace")

    def keepers(self):
        """{session id: pid}: whoever holds a session's lock open is its keeper."""
        found = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or not os.path.isdir(f"/proc/{entry}/fd"):
                continue
            with contextlib.suppress(OSError):
                for fd in os.listdir(f"/proc/{entry}/fd"):
                    with contextlib.suppress(OSError):
                        path = pathlib.Path(os.readlink(f"/proc/{entry}/fd/{fd}"))
                        if path.name == "lock" and path.is_relative_to(self.coral.state):
                            if int(entry) != self.proc.pid and alive(int(entry)):
                                found[path.parent.name] = int(entry)
        return found

    def transports(self):
        """Children with a uid of their own, outside every container. A hostile one has no name."""
        home = os.readlink("/proc/self/ns/pid")
        found = []
        for pid in children_of(self.proc.pid):
            with contextlib.suppress(OSError):
                status = status_of(pid)
                if (status["Uid"].split()[0] != "0" and status["Name"].strip() not in HELPERS
                        and os.readlink(f"/proc/{pid}/ns/pid") == home):
                    found.append(pid)
        return found

    def relatives(self):
        """Every process outside the containers that still carries our directories."""
        mark = f"CORAL_STATE_DIR={self.coral.state}".encode()
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) != os.getpid() and alive(int(entry)):
                with contextlib.suppress(OSError):
                    if mark in pathlib.Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                        found.append(int(entry))
        return found

    def term(self):
        """The service manager's stop; everything of ours must be gone after it."""
        code = stop(self.proc) if self.proc else 0
        wait_for("the agent's processes to end", lambda: not self.relatives(), 15)
        return code

    def kill(self):
        self.proc.kill()
        self.proc.wait()

    def close(self):
        """The last resort of a fixture: nothing survives, also after a failed test."""
        if self.proc:
            stop(self.proc, 5)
        for pid in self.relatives():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def end_sessions(agent):
    """Those that nobody is attached to as well."""
    for pid in agent.keepers().values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    wait_for("the sessions to end", lambda: not agent.keepers(), 20)


class Key:
    """An ed25519 key pair made by ssh-keygen."""

    def __init__(self, directory, name, comment=None):
        self.path = pathlib.Path(directory) / name
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment or f"{name}@test", "-f",
             self.path])
        self.public = self.path.with_suffix(".pub").read_text().strip()

    def line(self, options=""):
        return f"{options} {self.public}\n".lstrip()


def drain(stream):
    """Read a pipe to its end in the background; the list grows as it comes."""
    parts = []

    def read():
        while chunk := stream.read1(65536):
            parts.append(chunk)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return parts, thread
