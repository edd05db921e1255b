# SPDX-License-Identifier: GPL-3.0-or-later
"""Real terminals: a PTY whose bytes we see, and tmux whose screen we see."""
import fcntl
import os
import pathlib
import re
import select
import struct
import subprocess
import termios
import time

from .util import GOLDEN, run, wait_for


class Pty:
    """A program on a PTY of its own; everything it writes is kept in .seen."""

    def __init__(self, argv, env, rows=24, cols=80):
        self.master, slave = os.openpty()
        self.resize(rows, cols)
        self.before = termios.tcgetattr(slave)
        # setsid -c makes the slave the controlling terminal without code of ours after fork.
        self.proc = subprocess.Popen(["setsid", "-c", *argv], env=env, stdin=slave, stdout=slave,
                                     stderr=slave)
        self.slave = slave
        self.seen = self.all = b""

    def resize(self, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def send(self, data):
        os.write(self.master, data if isinstance(data, bytes) else data.encode())

    def pump(self, wait=0.05):
        ready, _, _ = select.select([self.master], [], [], wait)
        if ready:
            data = os.read(self.master, 65536)
            self.seen += data
            self.all += data
        return bool(ready)

    def expect(self, pattern, timeout=15):
        """Wait until the bytes since the last expect hold pattern; forget up to its end."""
        end = time.monotonic() + timeout
        pattern = pattern if isinstance(pattern, bytes) else pattern.encode()
        while True:
            found = re.search(pattern, self.seen)
            if found:
                self.seen = self.seen[found.end():]
                return found
            assert time.monotonic() < end, f"waited for {pattern!r}, saw {self.seen[-2000:]!r}"
            self.pump()

    def wait(self, timeout=20):
        """The exit status, with everything written until then in .seen."""
        end = time.monotonic() + timeout
        while self.proc.poll() is None:
            self.pump()
            assert time.monotonic() < end, f"no end; saw {self.seen[-2000:]!r}"
        while self.pump(0):
            pass
        return self.proc.returncode

    def modes(self):
        return termios.tcgetattr(self.slave)

    def close(self):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        os.close(self.slave)
        os.close(self.master)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Tmux:
    """One tmux server with one window of a fixed size, and a program in it."""

    def __init__(self, base, env, argv, rows=24, cols=80, history=5000):
        self.socket = pathlib.Path(base) / f"tmux-{os.getpid()}-{id(self)}"
        self.conf = pathlib.Path(base) / "tmux.conf"
        self.conf.write_text("set -g default-terminal tmux-256color\nset -g status off\n"
                             f"set -g remain-on-exit on\nset -g history-limit {history}\n"
                             "set -g escape-time 0\nset -g assume-paste-time 0\n")
        words = ["env", "-i", *[f"{k}={v}" for k, v in {**env, "TERM": "tmux-256color"}.items()],
                 *argv]
        # tmux 3.3 now and then misses the end of its child: the status goes through a file.
        self.status = self.socket.with_suffix(".status")
        words = ["/bin/sh", "-c", '"$@"; s=$?; echo $s >"$0.new"; mv "$0.new" "$0"', self.status,
                 *words]
        self.cmd("new-session", "-d", "-x", cols, "-y", rows, "--", *words)

    def cmd(self, *args, check=True):
        return run(["tmux", "-u", "-S", self.socket, "-f", self.conf, *args], check=check,
                   env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "tmux-256color"}).stdout

    def keys(self, *keys):
        """Named keys as tmux knows them: Enter, C-c, Escape."""
        self.cmd("send-keys", *keys)

    def type(self, text, enter=True):
        if text.endswith(";"):  # to tmux a last semicolon ends the command
            text = text[:-1] + "\\;"
        self.cmd("send-keys", "-l", "--", text)
        if enter:
            self.keys("Enter")

    def screen(self, styled=False):
        text = self.cmd("capture-pane", "-p", *(["-e"] if styled else []))
        return "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n") + "\n"

    def wait_text(self, pattern, timeout=15):
        try:
            return wait_for(f"{pattern!r}", lambda: re.search(pattern, self.screen(), re.M),
                            timeout)
        except AssertionError as e:
            raise AssertionError(f"{e}; the screen was:\n{self.screen()}") from None

    def wait_prompt(self, timeout=15):
        """A shell's prompt stands on the last line: it reads, and flushes nothing any more."""
        self.wait_text(r"(?:^|\n)[^\n]*[#$] ?\n?\Z", timeout)

    def wait_dead(self, timeout=15):
        """The program's exit status, once it ended."""
        def ended():
            return self.status.read_text().strip() if self.status.exists() else None

        try:
            return int(wait_for("the program to end", ended, timeout))
        except AssertionError as e:
            raise AssertionError(f"{e}; the screen was:\n{self.screen()}") from None

    def resize(self, rows, cols):
        self.cmd("resize-window", "-x", cols, "-y", rows)

    def close(self):
        self.cmd("kill-server", check=False)
        self.socket.unlink(missing_ok=True)
        self.status.unlink(missing_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def settled(look, quiet=0.7):
    """What look() gives once it stopped changing."""
    seen, since = look(), time.monotonic()
    while time.monotonic() - since < quiet:
        time.sleep(0.05)
        now = look()
        if now != seen:
            seen, since = now, time.monotonic()
    return seen


def golden(name, look):
    """Wait until look() equals tests/golden/NAME.txt; CORAL_GOLDEN_UPDATE=1 writes it instead."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("CORAL_GOLDEN_UPDATE") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(settled(look))
    want = path.read_text()
    try:
        wait_for(path.name, lambda: look() == want, 10)
    except AssertionError:
        raise AssertionError(f"{path.name}:\n--- wanted\n{want}\n--- got\n{look()}") from None


def goldens(name, steps):
    """golden() of several looks in one file: each (title, look) of steps once the one before was so."""
    path, pages = GOLDEN / f"{name}.txt", []
    if os.environ.get("CORAL_GOLDEN_UPDATE") == "1":
        path.write_text("".join(f"--- {title}\n{settled(look)}" for title, look in steps))
        return
    want = re.findall(r"^--- (.*)\n((?:(?!--- ).*\n)*)", path.read_text(), re.M)
    for title, look in steps:
        pages.append(title)
        told, page = want[len(pages) - 1]
        assert told == title, f"{path.name} has {told} where {pages} lead"
        try:
            wait_for(path.name, lambda look=look, page=page: look() == page, 10)
        except AssertionError:
            raise AssertionError(f"{path.name}, after {pages}:\n--- wanted\n{page}\n--- got\n{look()}"
                                 ) from None
    assert len(pages) == len(want)


def top_shape(screen):
    """What of top's screen does not depend on the moment."""
    shape = []
    for line in screen.splitlines():
        words = line.split()
        if line.startswith("top - "):
            shape.append("top - TIME up UPTIME, load average: LOAD")
        elif line.startswith(("Tasks:", "%Cpu(s):", "MiB")):
            line = re.sub(r"\d+(\.\d+)?", "N", line).replace(",", ", ").replace(":N", ": N")
            shape.append(" ".join(line.split()))
        elif words[:1] == ["PID"]:
            shape.append(" ".join(words))
    rows = {line.split()[-1] for line in screen.splitlines() if re.match(r" *\d+ root", line)}
    return "\n".join([*shape, *sorted(r for r in rows if r in ("sleep", "top"))]) + "\n"
