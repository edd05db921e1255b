# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings that are over are compressed by a process of their own, and nobody sees a difference
but who looks at the files."""
import json
import os
import pathlib
import signal
import subprocess

from house.coral import children_of, status_of
from house.util import wait_for
from test_record import asciinema_cat

OLD = "01jd0z5s8w7k3mtq4v9x2c6b1n"
LINK = "01jd0z5s8w7k3mtq4v9x2c6b2n"
SMALL = "01jd0z5s8w7k3mtq4v9x2c6b3n"


def compressed(path):
    return path.with_name(path.name + ".zst")


def index_of(path):
    return path.with_suffix(".index")


def beside(path):
    """What stands in a session's directory only for a while."""
    return sorted(p.name for p in path.parent.glob(".*"))


def is_done(path):
    return compressed(path).exists() and not path.exists()


def seen_by(coral, sid):
    """All that the commands tell of a recording."""
    rows = [r for r in coral.sessions() if r["id"] == sid]
    answers = [coral.run("audit verify", sid, "-o", "json"),
               coral.run("audit grep", "7777", sid),
               *[coral.run("replay", "--format", f, sid) for f in ("text", "json", "cast", "html")]]
    return rows, [(done.code, done.out, done.err) for done in answers]


def archivers(agent):
    found = []
    for pid in children_of(agent.proc.pid):
        try:
            if pathlib.Path(f"/proc/{pid}/comm").read_text() == "coral-archive\n":
                found.append(pid)
        except OSError:
            pass
    return found


def plant(coral, sid, lines):
    """A session of an earlier agent."""
    where = coral.state / "sessions" / sid
    where.mkdir(parents=True, mode=0o700)
    (where / "lock").touch(0o600)
    path = coral.cast_path(sid)
    with open(path, "wb") as f:
        f.write(b'{"version":2,"width":80,"height":24,"coral":{"version":1}}\n')
        for first in range(0, lines, 10000):
            f.write(b"".join(b'[%d.5,"o","line %d is %d\\r\\n"]\n' % (n, n, n * 2654435761 % 2**32)
                             for n in range(first, first + 10000)))
        f.write(b'[99999999,"c","{\\"end\\":{\\"exit_code\\":3}}"]\n')
    return path


def test_nobody_sees_a_difference(make_agent, box):
    agent = make_agent(start=False)
    agent.coral.config.write_text("archive: {compress_after: never}\n")
    coral = agent.start().coral
    assert coral.run("exec", "--pid", box.pid, "--", "seq", "30000").code == 0
    path = coral.newest_cast()
    sid = path.stem
    plain, before = path.read_bytes(), seen_by(coral, sid)
    agent.term()
    index_of(path).unlink()  # which the search left
    agent.coral.config.write_text("archive: {compress_after: 1s}\n")
    agent.start()
    live = coral.popen("exec", "--pid", box.pid, "--", "cat")
    live.stdin.write(b"there\n")
    live.stdin.flush()
    assert live.stdout.readline() == b"there\n"
    running = coral.newest_cast()
    wait_for("the recording to be compressed", lambda: is_done(path), 30)
    assert compressed(path).stat().st_size * 4 < len(plain)
    assert subprocess.run(["zstdcat", compressed(path)], stdout=subprocess.PIPE,
                          check=True).stdout == plain
    wait_for("its index", index_of(path).exists, 30)
    wait_for("the process to end", lambda: not archivers(agent), 30)
    made = index_of(path).stat()
    assert beside(path) == [] and made.st_size > 0 and made.st_mode & 0o777 == 0o600
    assert seen_by(coral, sid) == before and before[1][0][0] == 0 and before[1][1][0] == 0
    assert index_of(path).stat().st_mtime_ns == made.st_mtime_ns  # it was good
    # From the agent, by a name of its own, through a pipe, in a player of others.
    coral.extra["CORAL_AGENT"] = str(agent.socket)
    assert seen_by(coral, sid) == before
    assert coral.local("audit verify", coral.state / "sessions" / sid).code == 0
    assert coral.local("audit verify", "-", input=compressed(path).read_bytes()).code == 0
    # The stock player, which has no terminal here but the one that it gets.
    fifo = coral.home / "fifo"
    os.mkfifo(fifo)
    feed = subprocess.Popen(f"zstdcat {compressed(path)} > {fifo}", shell=True)
    played = asciinema_cat(fifo)
    assert feed.wait(30) == 0
    assert played.replace(b"\r", b"") == b"".join(b"%d\n" % n for n in range(1, 30001))
    # The one that runs was left alone; its end is heard of.
    assert running.exists() and not compressed(running).exists()
    live.stdin.close()
    assert live.wait(30) == 0
    wait_for("the next to be compressed", lambda: is_done(running), 30)
    wait_for("the process to end", lambda: not archivers(agent), 30)
    assert coral.run("sessions rm", sid).code == 0 and not path.parent.exists()


def test_killed_and_begun_anew(make_agent):
    agent = make_agent(start=False)
    agent.coral.config.write_text("archive: {compress_after: 2s}\n")
    path = plant(agent.coral, OLD, 2000000)
    small = plant(agent.coral, SMALL, 10000)
    link = agent.coral.cast_path(LINK)
    link.parent.mkdir(mode=0o700)
    link.symlink_to("/etc/hostname")
    os.utime(path, (1, 1))
    plain = path.read_bytes()
    coral = agent.start().coral
    fresh = path.with_name(path.name + ".zst.new")
    wait_for("it to be at work", lambda: fresh.exists() and archivers(agent), 30)
    pid, = archivers(agent)
    os.kill(pid, signal.SIGSTOP)
    status = status_of(pid)
    assert {status[k].strip() for k in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
    assert (status["Seccomp"].strip(), status["NoNewPrivs"].strip()) == ("2", "1")
    assert os.readlink(f"/proc/{pid}/root") == str(coral.state / "sessions")
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    os.kill(pid, signal.SIGKILL)
    assert path.read_bytes() == plain
    assert json.loads(coral.run("sessions show", OLD, "-o", "json").out)["exit_code"] == 3
    wait_for("another to do it", lambda: is_done(path), 60)
    assert not fresh.exists() and compressed(path).stat().st_mtime == 1
    assert subprocess.run(["zstdcat", compressed(path)], stdout=subprocess.PIPE,
                          check=True).stdout == plain
    assert link.is_symlink() and not compressed(link).exists()
    # Killed by what it reads: all else goes on, and that one waits for another day.
    wait_for("an index to be made", lambda: len(beside(path)) == 2, 60)
    tried, left = f".{OLD}.index.tried", beside(path)[0]
    assert beside(path) == sorted([tried, left])
    pid, = archivers(agent)
    os.kill(pid, signal.SIGSTOP)
    index_of(small).unlink(missing_ok=True)
    os.kill(pid, signal.SIGKILL)
    wait_for("another to do the rest", index_of(small).exists, 60)
    wait_for("it to end", lambda: not archivers(agent), 60)
    assert is_done(small) and beside(small) == []
    assert beside(path) == [left, tried] and not index_of(path).exists()
    assert "killed by signal 9" in agent.log()
