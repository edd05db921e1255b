# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of the audit log: never another answer than the log's own, only sooner."""
import os
import shutil
import signal
import sqlite3
import subprocess

import pytest

from house import auditlog
from house.coral import Coral
from house.util import CORAL, run, wait_for

PROGRAM = CORAL.parent / "coral-audit-index"
LIMIT = 2 << 20
COUNT = 2000  # just enough for the index to be asked
LARGE = int(os.environ.get("CORAL_TEST_RECORDS", 30000))
QUESTIONS = [
    ["-u", "alice"], ["-u", "?o*", "--lines", "7"], ["-u", "nobody"], ["-s", "cart"],
    ["--event", "denied"], ["--event", "session.*", "-u", "bob", "-s", "c*"],
    ["--decision", "deny", "--lines", "3"], ["--decision", "would-deny"],
    ["--since", "2026-01-01T03:00Z", "--until", "2026-01-01T03:20Z"],
    ["--until", "2026-01-01T00:01Z"], ["--since", "2026-01-01T04:10Z"], ["--lines", "1"],
    ["--lines", "90000", "-u", "root"], ["-g", "echo [0-9]*71", "-u", "dave"],
    ["-g", "exit 3", "--lines", "5"], ["--session", f"01{834:024x}"], ["--session", "01"],
    ["--session", "01" + "0" * 22, "--event", "session.end"], [],
]


class Log:
    """A log, and the two ways to ask it."""

    def __init__(self, home):
        self.coral = Coral(home)
        self.dir = self.coral.state / "audit"
        self.index = self.dir / "index" / "index.db"
        bare = home / "bin"
        bare.mkdir()
        self.bare = bare / "coral"  # without its helper beside it
        shutil.copy(CORAL, self.bare)
        self.head, self.count = "0" * 64, 0
        self.held = None

    def write(self, count):
        self.head = auditlog.write(self.dir, self.count, count, self.head, LIMIT, 1500)
        self.count += count

    def ask(self, program, *words):
        done = subprocess.run([program, "audit", *words], env=self.coral.env(), timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True)
        return done.returncode, done.stdout, done.stderr

    def by_scan(self, *words):
        return self.ask(self.bare, *words)

    def by_index(self, *words):
        return self.ask(CORAL, *words)

    def same(self, *words):
        expected = self.by_scan(*words)
        assert self.by_index(*words) == expected, words
        return expected

    def hold(self):
        """Open, so that its number is not given to another."""
        self.held = self.index.open("rb")

    def is_held(self):
        return os.path.samestat(os.fstat(self.held.fileno()), self.index.stat())

    def is_used(self):
        """Whether the helper answers: it says nothing itself when it does not."""
        done = subprocess.run([PROGRAM, "0.1.0", self.dir, "last=1"], capture_output=True)
        return done.returncode == 0 and done.stdout.startswith(b"R ")


@pytest.fixture
def log(base, request):
    home = base / request.node.name.replace("[", "-").strip("]")
    made = Log(home)
    made.write(COUNT)
    yield made
    shutil.rmtree(home)


def seconds(log, program, *words):
    """Of the processor, for itself and what it started."""
    before = os.times()
    done = log.ask(program, *words)
    after = os.times()
    return done, sum(after[2:4]) - sum(before[2:4])


def test_large(base):
    """The time that it saves; with CORAL_TEST_RECORDS=100000 in two files."""
    log = Log(base / "large")
    log.head = auditlog.write(log.dir, 0, LARGE)
    words = ["ls", "-u", "alice", "--since", "2026-01-02T00:00Z", "--until", "2026-01-03T00:00Z"]
    scanned, slow = seconds(log, log.bare, *words)
    first, build = seconds(log, CORAL, *words)
    found, quick = seconds(log, CORAL, *words)
    assert scanned == first == found and scanned[0] == 0 and scanned[1].count(b"\n") > 1000
    print(f"by scan {slow:.2f} s, making the index {build:.2f} s, by index {quick:.2f} s: "
          f"{slow / max(quick, 0.01):.0f} times as fast")
    assert quick * 2 < slow
    shutil.rmtree(log.coral.home)


def test_every_question(log):
    for words in QUESTIONS:
        code, out, err = log.same("ls", *words)
        assert (code, err) == (0, b""), (words, code, err)
        assert (out == b"") == (words in (["-u", "nobody"], ["--decision", "would-deny"])), words
    assert log.is_used() and log.index.stat().st_mode & 0o777 == 0o600
    assert log.same("show", f"01{345:024x}")[1].count(b"event: ") == 2
    code, out, _ = log.by_index("ls", "-o", "json", "-u", "alice")
    lines = [x for path in sorted(log.dir.glob("*.jsonl")) for x in path.read_bytes().splitlines()
             if b'"user_id":"alice"' in x]
    assert code == 0 and sorted(out.splitlines()) == sorted(lines)


def test_many_files(base):
    """So many that the C library's qsort() asks how much memory there is."""
    log = Log(base / "many")
    auditlog.write(log.dir, 0, COUNT, limit=4096)
    assert len(list(log.dir.glob("*.jsonl"))) > 300
    log.same("ls", "-u", "alice")
    assert log.is_used()
    shutil.rmtree(log.coral.home)


def test_what_comes_and_goes(log):
    """Appended, begun anew, removed: as without an index, which is not made anew each time."""
    log.same("ls", "-u", "erin")
    log.hold()
    for count in (1, 1000, 400):
        log.write(count)
        log.same("ls", "-u", "erin")
        log.same("ls", "--lines", "2")
    assert len(list(log.dir.glob("audit-*.jsonl"))) >= 3
    (log.dir / "audit-00000001.jsonl").unlink()
    log.same("ls", "-u", "erin")
    log.same("ls", "--until", "2026-01-01T03:00Z")
    assert log.is_held() and log.is_used()


@pytest.mark.parametrize("which", ["audit-00000001.jsonl", "audit.jsonl"])
def test_a_record_that_was_changed(log, which):
    log.same("ls", "--lines", "3")
    path = log.dir / which
    data = path.read_bytes()
    at = data.index(b'"user_id":"bob"', len(data) // 2)
    path.write_bytes(data[:at] + b'"user_id":"eve"' + data[at + 15:])
    code, out, err = log.same("ls", "-u", "eve")
    assert code == 1 and out.count(b"\n") == 1 and which.encode() in err, (code, out, err)
    assert log.same("ls", "--lines", "3")[0] == 1
    path.write_bytes(b"[" + data[1:])
    for _ in range(2):
        code, out, err = log.same("ls", "-u", "carol")
        assert code == 1 and out and b"line 1 of " + which.encode() in err, (code, err)
    log.hold()
    log.same("ls", "-u", "dave")
    assert log.is_held() and log.is_used()
    path.write_bytes(data[:at] + data[data.index(b"\n", at) + 1:])
    assert log.same("ls", "-u", "alice")[0] == 1
    path.write_bytes(data)
    assert log.same("ls", "-u", "eve")[:2] == (0, b"")
    assert log.is_used()


def test_an_index_that_is_not_ours(log, base):
    """A file, a database and a directory that somebody else prepared change nothing."""
    words = ["ls", "-u", "carol", "--lines", "50"]
    expected = log.same(*words)
    good = log.index.read_bytes()
    precious = base / "precious"
    precious.write_bytes(good)
    for at in (0, 16, 100, 1024, 4096, 4200, len(good) // 2, len(good) - 4096):
        log.index.write_bytes(good[:at] + os.urandom(600) + good[at + 600:])
        assert log.by_index(*words) == expected
    for n in (0, 1, 512, 5000, len(good) // 2):
        log.index.write_bytes(good[:n])
        assert log.by_index(*words) == expected
    for sql in ("PRAGMA user_version=9", "DROP INDEX records_user", "DELETE FROM files",
                "UPDATE files SET verdict='{}'", "UPDATE records SET start=start+1 WHERE id % 7 = 3",
                "UPDATE records SET length=length+99999", "UPDATE records SET file=77",
                "CREATE VIEW names2 AS SELECT 1", "UPDATE files SET size=size/2",
                "CREATE TRIGGER t AFTER INSERT ON names BEGIN DELETE FROM records; END"):
        log.index.write_bytes(good)
        db = sqlite3.connect(log.index)
        db.executescript(sql)
        db.close()
        assert log.by_index(*words) == expected
    exported = log.by_scan("export", "-u", "carol")
    log.index.write_bytes(good)
    db = sqlite3.connect(log.index)
    db.executescript("DELETE FROM records WHERE id % 3")
    db.close()
    assert exported[1] and log.by_index("export", "-u", "carol") == exported
    log.index.unlink()
    log.index.symlink_to(precious)
    assert log.by_index(*words) == expected
    assert not log.index.is_symlink() and precious.read_bytes() == good
    log.index.unlink()
    os.link(precious, log.index)
    assert log.by_index(*words) == expected
    assert precious.stat().st_nlink == 1 and log.is_used()
    shutil.rmtree(log.index.parent)
    elsewhere = base / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    log.index.parent.symlink_to(elsewhere)
    assert log.by_index(*words) == expected
    assert not list(elsewhere.iterdir())


def test_several_at_once_and_killed(log):
    words = ["ls", "-u", "dave"]
    expected = log.by_scan(*words)
    journal = log.index.with_name("index.db-journal")
    for _ in range(3):
        shutil.rmtree(log.index.parent, ignore_errors=True)
        proc = subprocess.Popen([PROGRAM, "0.1.0", log.dir, "user=dave"], stdout=subprocess.DEVNULL)
        wait_for("it writes", lambda: journal.exists() or proc.poll() is not None)
        proc.send_signal(signal.SIGKILL)
        proc.wait()
        assert log.by_index(*words) == expected
    shutil.rmtree(log.index.parent)
    many = [subprocess.Popen([CORAL, "audit", *words], env=log.coral.env(), stdout=subprocess.PIPE)
            for _ in range(5)]
    for proc in many:
        assert proc.communicate(timeout=60)[0] == expected[1] and proc.returncode == 0
    assert log.is_used()


def test_installed_or_without_room(log):
    """Where `make install` puts it; and where there is no room for an index there is none."""
    root = log.coral.home / "usr"
    for program, place in ((CORAL, "bin"), (PROGRAM, "libexec/coral")):
        (root / place).mkdir(parents=True)
        shutil.copy(program, root / place)
    words = ["ls", "-u", "bob", "--lines", "9"]
    expected = log.by_scan(*words)
    assert log.ask(root / "bin" / "coral", *words) == expected and log.index.exists()
    shutil.rmtree(log.index.parent)
    helper = root / "libexec" / "coral" / PROGRAM.name
    helper.chmod(0o777)  # anybody's program is not run
    assert log.ask(root / "bin" / "coral", *words) == expected and not log.index.exists()
    small = log.coral.home / "small"
    small.mkdir()
    room = sum(p.stat().st_size for p in log.dir.glob("*.jsonl")) // 1024 + 400
    run(["mount", "-t", "tmpfs", "-o", f"size={room}k,mode=0700", "small", small])
    try:
        for path in log.dir.glob("*.jsonl"):
            shutil.copy(path, small)
        with open(small / "filler", "wb") as out:
            out.write(bytes(os.statvfs(small).f_bavail * 4096 - 65536))
        shutil.rmtree(log.dir)
        log.dir.symlink_to(small)
        assert log.by_index(*words) == expected
        assert log.by_index(*words) == expected
    finally:
        run(["umount", small])


def test_it_is_confined(log):
    """Nothing of its own beside the index is written; what it may call is in its filter."""
    before = {p: p.stat().st_mtime_ns for p in log.dir.glob("*.jsonl")}
    tight = subprocess.Popen([PROGRAM, "0.1.0", log.dir, "user=*"], stdout=subprocess.PIPE)
    wait_for("an answer that nobody reads", lambda: tight.stdout.peek(1))
    status = open(f"/proc/{tight.pid}/status", encoding="ascii").read()
    tight.kill()
    tight.communicate()
    assert "\nSeccomp:\t2\n" in status and "\nNoNewPrivs:\t1\n" in status, status
    assert "\nCapEff:\t0000000000000000\n" in status, status
    assert {p: p.stat().st_mtime_ns for p in log.dir.glob("*.jsonl")} == before
    assert sorted(p.name for p in log.index.parent.iterdir()) == ["index.db", "lock"]
    for words in ([], ["0.1.0"], ["0.0.9", log.dir], ["0.1.0", log.dir, "what=1"]):
        assert subprocess.run([PROGRAM, *words], capture_output=True).returncode == 2, words
