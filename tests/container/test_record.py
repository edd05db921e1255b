# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings: exact, readable by strangers, honest about their end, and without secrets."""
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from house.casts import Cast
from house.coral import drain
from house.term import Pty
from house.util import wait_for

SECRETS = ("hunter2-swordfish", "tok-9f8e7d6c5b4a")


def asciinema_cat(path):
    """Debian's asciinema wants a terminal to read from, whatever it does: it gets one."""
    master, slave = os.openpty()
    try:
        return subprocess.run(["setsid", "-c", "/usr/bin/asciinema", "cat", path], stdin=slave,
                              capture_output=True, timeout=60, check=True,
                              env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent",
                                   "ASCIINEMA_CONFIG_HOME": "/tmp", "LANG": "C.UTF-8"}).stdout
    finally:
        os.close(master)
        os.close(slave)


def test_output_is_the_users_output(either, box):
    done = either.run("exec", "--pid", box.pid, "--", "cat", "/etc/rows")
    cast = Cast(either.newest_cast())
    assert cast.exact(1) == done.out
    assert cast.end["exit_code"] == 0
    assert not cast.cut and cast.monotone()


def test_terminal_output_is_the_users_output(coral, box):
    argv = coral.argv("exec", "-t", "--pid", box.pid, "--", "sh", "-c", "seq 1 300; tty")
    with Pty(argv, coral.env()) as term:
        term.wait()
        seen = term.seen
    assert Cast(coral.newest_cast()).exact(1) == seen


def test_bytes_that_are_not_text(coral, box):
    blob = bytes(range(256)) * 20 + os.urandom(5000)
    done = coral.run("exec", "--pid", box.pid, "--", "cat", input=blob)
    cast = Cast(coral.newest_cast())
    assert done.out == blob == cast.exact(1)
    assert cast.end["streams"]["stdout"]["sha256"] == hashlib.sha256(blob).hexdigest()
    assert cast.end["streams"]["stdout"]["bytes"] == len(blob)


def test_split_code_points_are_joined(coral, box):
    """A sea character that arrives in three pieces is one character in the file."""
    script = r"for b in '\346' '\265' '\267'; do printf $b; done; echo"
    done = coral.run("exec", "--pid", box.pid, "--", "sh", "-c", script)
    assert done.out == "海\n".encode()
    cast = Cast(coral.newest_cast())
    assert cast.output() == "海\n" and cast.exact(1) == done.out


def test_stderr_is_kept_apart(coral, box):
    coral.run("exec", "--pid", box.pid, "--", "sh", "-c", "echo good; echo bad >&2")
    cast = Cast(coral.newest_cast())
    assert (cast.exact(1), cast.exact(2)) == (b"good\n", b"bad\n")
    assert sorted(cast.output().split()) == ["bad", "good"]


def test_input_is_not_recorded_by_default(coral, box):
    coral.run("exec", "--pid", box.pid, "--", "wc", "-c", input=SECRETS[0].encode())
    text = coral.newest_cast().read_text()
    assert SECRETS[0] not in text
    assert not [e for e in Cast(coral.newest_cast()).events if e[1] == "i"]


def test_header(agent, box):
    agent.coral.run("exec", "--pid", box.pid, "--", "echo", "x")
    cast = Cast(agent.coral.newest_cast())
    text = json.dumps(cast.coral)
    assert cast.header["width"] >= 2 and cast.header["height"] >= 2
    assert abs(cast.header["timestamp"] - time.time()) < 60
    for fact in ("root", box.name, "echo", "mnt", cast_id(agent.coral)):
        assert fact in text, fact


def cast_id(coral):
    return coral.newest_cast().stem


def test_resizes_and_exit(coral, box):
    with Pty(coral.argv("shell", "--pid", box.pid), coral.env(), 24, 80) as term:
        term.expect(r"[#$] ")
        term.resize(30, 100)
        term.send("stty size\r")
        term.expect("30 100")
        term.send("exit 5\r")
        assert term.wait() == 5
    cast = Cast(coral.newest_cast())
    assert (cast.header["width"], cast.header["height"]) == (80, 24)
    assert "100x30" in cast.resizes()
    assert cast.end["exit_code"] == 5


def test_asciinema_plays_every_recording(agent, box):
    """All kinds of sessions, and the killed one too: Debian's player takes them."""
    coral = agent.coral
    coral.run("exec", "--pid", box.pid, "--", "cat", "/etc/tide")
    coral.run("exec", "--pid", box.pid, "--", "head", "-c", "100000", "/bin/busybox")
    coral.run("exec", "--pid", box.pid, "--", "sh", "-c", "echo both; echo both >&2; exit 3")
    coral.run("exec", "-tt", "--pid", box.pid, "--", "sh", "-c", "printf '\\033[31mred\\033[m\\n'")
    coral.run("exec", "--pid", box.pid, "--", "true")
    coral.run("exec", "--pid", box.pid, "--", "no-such-command")
    proc = coral.popen("exec", "--pid", box.pid, "--", "sh", "-c", "echo cut; sleep 1000")
    proc.stdout.readline()
    os.kill(list(wait_for("the keeper", agent.keepers).values())[0], signal.SIGKILL)
    proc.communicate()
    ids = coral.session_dirs()
    assert len(ids) >= 6
    for sid in ids:
        path = coral.cast_path(sid)
        assert asciinema_cat(path).decode() == Cast(path).output()


def test_ls_show_rm(either, box):
    first = either.run("exec", "--pid", box.pid, "--", "sh", "-c", "exit 3")
    words = "echo", "two", "back\\slash", "it's", "a\tb\x1b"
    either.run("exec", "--pid", box.pid, "-u", "app", "--", *words)
    assert first.code == 3
    listed = either.sessions()
    assert [s["exit_code"] for s in listed] == [0, 3]
    for s in listed:
        assert s["state"] == "ended" and s["user"] == "root" and s["target"] and s["started"]
    table = either.run("sessions").text
    assert all(s["id"][:8] in table for s in listed)
    typed = "echo two 'back\\slash' 'it'\\''s' $'a\\tb\\033'\n"
    assert typed in table, table
    sid = listed[0]["id"]
    shown = either.run("sessions", "show", sid, "-o", "json").json()
    assert shown["id"] == sid and "two" in json.dumps(shown)
    shown = either.run("sessions", "show", sid[:20])
    assert shown.code == 0 and f"command: {typed}" in shown.text, shown
    assert re.search(r"(?m)^ +root +cloned +the target's$", shown.text), shown
    assert re.search(r"(?m)^ +groups: 1000 2000$", shown.text), shown
    assert either.run("sessions", "rm", sid).code == 0
    assert [s["id"] for s in either.sessions()] == [listed[1]["id"]]
    assert not either.cast_path(sid).parent.exists()


def test_a_long_command_is_cut_to_its_row(coral, box):
    """On a terminal that has room for the start of it, and nowhere else."""
    word = "wörd" * 20
    coral.run("exec", "--pid", box.pid, "--", "true", word)
    coral.run("exec", "--pid", box.pid, "--", "id")

    def rows(cols):
        with Pty(coral.argv("sessions"), coral.env(), cols=cols) as one:
            assert one.wait() == 0
            return [row.strip() for row in one.seen.decode().replace("\x1b[1m", "").replace(
                "\x1b[0m", "").splitlines()]

    head, short, whole = coral.run("sessions").text.splitlines()
    assert whole.endswith(f" true '{word}'"), whole
    at = head.index("COMMAND")
    assert rows(at + 13) == [head, short, whole[:at + 10] + "..."]
    assert rows(at + 8) == [head, short, whole[:at + 5] + "..."]
    assert rows(at + 7) == rows(400) == [head, short, whole]


def test_live_session_is_listed_and_not_removed(agent, box):
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c", "echo up; read x")
    proc.stdout.readline()
    listed = agent.coral.sessions()
    assert [s["state"] for s in listed] == ["live"]
    assert listed[0]["exit_code"] is None
    done = agent.coral.run("sessions", "rm", listed[0]["id"])
    assert done.code == 1 and "running" in done.errtext
    proc.communicate(b"\n")
    wait_for("the end", lambda: not agent.coral.live())


def test_recording_is_on_disk_before_it_is_seen(agent, box):
    """Log before deliver: what the user has is in the file, at every moment."""
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c",
                             "for i in 1 2 3 4 5; do echo step $i; read x; done")
    for n in range(1, 6):
        line = proc.stdout.readline()
        assert line == b"step %d\n" % n
        assert line in Cast(agent.coral.newest_cast()).exact(1)
        proc.stdin.write(b"\n")
        proc.stdin.flush()
    proc.communicate()


def test_truncated_is_marked(agent, box):
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c",
                             "while :; do seq 1 1000; done")
    drain(proc.stderr)
    proc.stdout.read(2 << 20)
    os.kill(list(wait_for("the keeper", agent.keepers).values())[0], signal.SIGKILL)
    seen = proc.stdout.read()
    proc.wait(15)
    proc.stdin.close()
    wait_for("no live session", lambda: not agent.coral.live())
    got = agent.coral.sessions()[0]
    assert got["state"] == "truncated"
    done = agent.coral.run("replay", got["id"], "--format", "text")
    assert done.code == 0 and "truncated" in done.errtext
    assert seen is not None


def test_a_cut_line_is_the_end(coral, box):
    """Cut anywhere, also inside a line: what came before is read, and it says truncated."""
    coral.run("exec", "--pid", box.pid, "--", "cat", "/etc/rows")
    whole = coral.newest_cast().read_bytes()
    cut = coral.home / "cut.cast"
    header = whole.index(b"\n") + 1
    for at in (header, header + 5, len(whole) - 1, len(whole) // 2, len(whole) - 40):
        cut.write_bytes(whole[:at])
        done = coral.local("replay", cut, "--format", "text")
        assert done.code == 0, (at, done)
        assert "truncated" in done.errtext, at


def test_over_the_cap_digest_head_and_tail(coral, box):
    """40 MiB of output: the file stays small, keeps both ends, and knows the hash of all."""
    done = coral.run("exec", "--pid", box.pid, "--", "sh", "-c",
                     "echo first; head -c 41943040 /dev/zero; echo last")
    cast = Cast(coral.newest_cast())
    assert coral.newest_cast().stat().st_size < 200 << 20
    assert cast.output().startswith("first\n") and cast.output().endswith("last\n")
    stream = cast.end["streams"]["stdout"]
    assert stream["bytes"] == len(done.out) and stream["whole"] is False
    assert stream["sha256"] == hashlib.sha256(done.out).hexdigest()


@pytest.mark.parametrize("argv", [
    ["env", f"DB_PASSWORD={SECRETS[0]}", "true"],
    ["true", f"--password={SECRETS[0]}"],
    ["true", "--token", SECRETS[1]],
    ["sh", "-c", f"API_KEY={SECRETS[0]} true"],
    ["true", f"https://user:{SECRETS[0]}@reef.example/"],
    ["true", "-H", f"Authorization: Bearer {SECRETS[1]}"],
])
def test_secrets_in_argv(agent, box, argv):
    agent.coral.run("exec", "--pid", box.pid, "--", *argv)
    assert_nowhere(agent)


def test_secrets_in_environment(agent, box):
    agent.coral.extra["MY_TOKEN"] = SECRETS[1]
    done = agent.coral.run("exec", "--pid", box.pid, "-e", f"DB_PASSWORD={SECRETS[0]}", "-e",
                           "MY_TOKEN", "--", "sh", "-c", "echo ${#DB_PASSWORD} ${#MY_TOKEN}")
    assert done.out.split() == [b"%d" % len(s) for s in SECRETS]
    del agent.coral.extra["MY_TOKEN"]
    assert_nowhere(agent)


def assert_nowhere(agent):
    """No file that coral wrote holds a secret, the agent's log included."""
    for path in pathlib.Path(agent.home).rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            assert not [s for s in SECRETS if s.encode() in raw], path
    listed = agent.coral.run("sessions", "ls", "-o", "json").text
    shown = agent.coral.run("sessions", "show", agent.coral.sessions()[0]["id"], "-o", "json").text
    assert not [s for s in SECRETS if s in listed + shown]


def test_modes_of_files(agent, box):
    agent.coral.run("exec", "--pid", box.pid, "--", "true")
    cast = agent.coral.newest_cast()
    assert cast.stat().st_mode & 0o777 == 0o600
    assert cast.parent.stat().st_mode & 0o777 == 0o700
