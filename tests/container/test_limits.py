# SPDX-License-Identifier: GPL-3.0-or-later
"""What sessions may record and put out: by session, by person and day, by host, and at what pace."""
import fcntl
import os
import re
import subprocess

import pytest

from house.casts import Cast
from house.term import Pty
from house.util import run, wait_for
from test_audit import events
from test_errors import three_parts
from test_memory import pss
from test_policy import denied, reef  # noqa: F401

KIB, MIB = 1024, 1024 * 1024
RESERVE = 96 * KIB
CROWD = 20
KEEPER_KIB = 6144


@pytest.fixture
def limited(make_agent):
    """limited("session_bytes: 1MiB"): an agent with these limits."""
    def make(limits, record=""):
        agent = make_agent(start=False)
        (agent.coral.config.parent / "policy.yaml").write_text(
            f"defaults: {{limits: {{{limits}}}, record: {{{record}}}}}\n")
        return agent.start()

    return make


def test_a_terminals_recording_is_full(limited, box):
    """It is announced, the session has time for its end, nobody saw what is not recorded."""
    agent = limited("session_bytes: 512KiB")
    done = agent.coral.run("exec", "-tt", "--pid", box.pid, "--", "sh", "-c",
                           "trap 'echo saved > /tmp/saved; exit 3' TERM HUP; "
                           "while :; do echo a line of a long story; done")
    assert done.code == 125, done
    assert "  why: 512 KiB (limits.session_bytes)" in done.errtext and "  try: " in done.errtext
    assert "90 % are used" in done.errtext and "policy allows" in done.errtext
    assert (box.root / "tmp/saved").read_text() == "saved\n"
    path = agent.coral.newest_cast()
    cast = Cast(path)
    assert cast.exact(1) == done.out and len(done.out) > 300_000
    assert path.stat().st_size < 512 * KIB + RESERVE
    assert (cast.end["cause"], cast.end["limit"]) == ("limit", "session_bytes")
    assert cast.coral["recorded"]["max_bytes"] == 512 * KIB
    ended = wait_for("its end in the log", lambda: events(agent.coral, "session.end"))
    assert "as large as policy allows" in ended[0]["error"] and ended[0]["exit_code"] == 125
    # Without a terminal nothing is refused: head, digest and tail, also where there is no cap.
    (agent.coral.config.parent / "policy.yaml").write_text(
        "defaults: {limits: {session_bytes: 512KiB}, record: {bulk_cap: 0}}\n")
    agent.proc.send_signal(1)
    wait_for("the policy", lambda: agent.coral.run(
        "exec", "--pid", box.pid, "--", "seq", "1", "300000").code == 0
        and agent.coral.newest_cast().stat().st_size < MIB)
    done = agent.coral.run("exec", "--pid", box.pid, "--", "seq", "1", "300000")
    assert done.code == 0 and done.out.endswith(b"\n300000\n") and done.out.count(b"\n") == 300000
    cast = Cast(agent.coral.newest_cast())
    kept = cast.exact(1)
    assert kept.startswith(b"1\n2\n") and kept.endswith(b"\n300000\n")
    assert cast.own("elided")[0]["bytes"] + len(kept) == len(done.out)


def test_at_a_pace(limited, box):
    """Nothing is dropped, who writes waits; it is said once."""
    agent = limited("session_rate: 600KiB", "bulk_cap: 0")
    both = [agent.coral.popen("exec", *tty, "--pid", box.pid, "--", "seq", "100000", "430000",
                              stdin=subprocess.DEVNULL) for tty in (["-tt"], [])]
    told = []
    for proc in both:
        out, err = proc.communicate(timeout=60)
        assert proc.returncode == 0, err
        assert out.replace(b"\r", b"").split() == [b"%d" % n for n in range(100000, 430001)]
        told.append(err.decode())
    assert [t.count("600 KiB of output a second") for t in told] == [1, 1], told
    for sid in agent.coral.session_dirs():
        cast = Cast(agent.coral.cast_path(sid))
        # What a second lets through comes at once, and so does what a pipe holds at the end.
        assert cast.end["duration_ms"] > 600, cast.end
        assert cast.coral["recorded"]["max_rate"] == 600 * KIB


def passed(coral, ids, rate):
    """When each byte of these sessions passed, and that no stretch of time had more than its rate."""
    at = []
    for sid in ids:
        cast = Cast(coral.cast_path(sid))
        begin = cast.coral["clock"]["mono_ns"] / 1e9
        at += [(begin + e[0], len(e[2])) for e in cast.events if e[1] == "o"]
    at.sort()
    # One piece of each is on its way, and what a terminal holds at the end is not delayed.
    slack = len(ids) * (rate / 64 + 70 * KIB)
    for i, (begin, _) in enumerate(at):
        sum_ = 0
        for time, n in at[i:]:
            sum_ += n
            assert sum_ <= rate * (time - begin + 1) + slack, (i, sum_, time - begin)
    return sum(n for _, n in at)


def test_together_at_a_pace(reef, box):  # noqa: F811
    """One person's sessions share a rate, and all of the host's do; root's have no person's."""
    user_rate, host_rate, lines = 500 * KIB, 600 * KIB, 65000
    agent, people = reef(f"defaults: {{limits: {{user_rate: {user_rate}, host_rate: {host_rate}}}}}\n"
                         "roles: [{name: r, permissions: [{commands: [exec, shell]}]}]\n"
                         "users: [{name: alice, role: r}, {name: bob, role: r}]\n",
                         people=("alice", "bob"))
    coral, seen = agent.coral, set()
    seq = f"seq 100000 {100000 + lines - 1}"

    def together(*who):
        floods = [subprocess.Popen(people[p].argv(f"pid.{box.pid}", seq, flags=("-tt",)),
                                   env=people[p].env(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for p in who]
        for proc in floods:
            out, _ = proc.communicate(timeout=60)
            assert out.count(b"\n") >= lines and proc.returncode == 0
        new = set(coral.session_dirs()) - seen
        seen.update(new)
        wait_for("their ends", lambda: all(Cast(coral.cast_path(s)).end for s in new))
        told = [n["text"] for s in new for n in Cast(coral.cast_path(s)).own("notice")]
        return new, told

    ids, told = together("alice", "alice")
    assert passed(coral, ids, user_rate) == 2 * 8 * lines
    assert any("500 KiB" in t and "all sessions of alice (limits.user_rate)" in t for t in told), told
    recorded = Cast(coral.cast_path(min(ids))).coral["recorded"]
    assert (recorded["max_user_rate"], recorded["max_host_rate"]) == (user_rate, host_rate)
    ids, told = together("alice", "bob")
    assert passed(coral, ids, host_rate) == 2 * 8 * lines
    assert any("600 KiB" in t and "of this host (limits.host_rate)" in t for t in told), told
    done = coral.run("exec", "--pid", box.pid, "--", "echo", "of root")
    assert done.out == b"of root\n"
    sid, = set(coral.session_dirs()) - seen
    assert "max_user_rate" not in Cast(coral.cast_path(sid)).coral["recorded"]


def test_room_on_the_host(limited, box):
    """Held while there is none, and going on when there is; no session begins meanwhile."""
    agent = limited("host_bytes: 3MiB")
    coral = agent.coral
    old = coral.run("exec", "--pid", box.pid, "--", "sh", "-c", "yes | head -c 1500000")
    assert old.code == 0
    sid = coral.session_dirs()[0]
    argv = coral.argv("exec", "-tt", "--pid", box.pid, "--", "sh", "-c",
                      "seq 100000 240000; read x; exit 7")
    with Pty(argv, coral.env()) as term:
        term.expect("all the room that policy gives", 30)
        term.expect("the session is held")
        refused = coral.run("exec", "--pid", box.pid, "--", "echo", "never")
        assert refused.code == 125 and b"never" not in refused.out
        three_parts(refused, "host_bytes", "3 MiB")
        assert "host_bytes" in events(coral, "denied")[-1]["error"]
        assert coral.run("sessions rm", sid).code == 0
        term.expect("240000", 60)
        term.send("\r")
        assert term.wait() == 7
    cast = Cast(coral.newest_cast())
    assert cast.exact(1).count(b"\n") > 140000 and cast.end["exit_code"] == 7


def test_room_for_others(limited, box):
    """What policy leaves free on the disk is left, from the start."""
    agent = limited("host_free: 900TiB")
    done = agent.coral.run("exec", "--pid", box.pid, "--", "echo", "never")
    assert done.code == 125 and done.out == b""
    three_parts(done, "host_free", "900 TiB")
    assert agent.coral.session_dirs() == []


def test_a_person_and_a_day(reef, box):  # noqa: F811
    """One person's bytes are not another's, and not root's."""
    agent, people = reef("defaults: {limits: {user_day_bytes: 256KiB}, record: {on_failure: kill}}\n"
                         "roles: [{name: r, permissions: [{commands: [exec, shell]}]}]\n"
                         "users: [{name: alice, role: r}, {name: bob, role: r}]\n",
                         people=("alice", "bob"))
    user = f"pid.{box.pid}"
    first = people["alice"](user, "seq 1 100000")
    assert first.returncode == 125 and b"user_day_bytes" in first.stderr, first.stderr[-300:]
    denied(people["alice"](user, "echo never"), "user_day_bytes", "alice")
    assert people["bob"](user, "echo of bob").stdout == b"of bob\n"
    assert agent.coral.run("exec", "--pid", box.pid, "--", "seq", "1", "100000").code == 0
    said = wait_for("the denial in the log", lambda: [
        r for r in events(agent.coral, "denied") if "user_day_bytes" in (r["error"] or "")])
    assert said[-1]["user_id"] == "alice" and said[-1]["decision"] == "deny"


def test_twenty_floods(limited, box):
    """Hostile output of twenty sessions at once: the disk and the memory are bounded, all end."""
    agent = limited("session_bytes: 2MiB, host_bytes: 30MiB, session_rate: 1MiB", "on_failure: kill")
    argv = agent.coral.argv("exec", "-tt", "--pid", box.pid, "--", "yes",
                            "\x1b[31mflood\x1b[0m\u009b\u202e" * 8)
    floods = [subprocess.Popen(argv, env=agent.coral.env(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
              for _ in range(CROWD)]
    most = 0

    def over():
        nonlocal most
        for pid in agent.keepers().values():
            try:
                most = max(most, pss(pid))
            except (OSError, AssertionError):
                pass
        return all(p.poll() is not None for p in floods)

    wait_for("the floods to end", over, 120)
    told = [p.stderr.read().decode(errors="replace") for p in floods]
    assert all(p.returncode == 125 for p in floods), told
    assert all("session_bytes" in t or "host_bytes" in t for t in told), told
    assert any("host_bytes" in t for t in told)
    wait_for("the keepers to end", lambda: not agent.keepers(), 30)
    sizes = [p.stat().st_blocks * 512 for p in (agent.coral.state / "sessions").glob("*/*.cast")]
    assert sum(sizes) <= 30 * MIB + CROWD * RESERVE, sizes
    assert 0 < most < KEEPER_KIB, most
    status = agent.coral.local("agent status", "--socket", agent.socket)
    size = re.search(r"0 live sessions, ([0-9.]+) MiB of recordings\n", status.text)
    apparent = sum(p.stat().st_size for p in (agent.coral.state / "sessions").glob("*/*.cast"))
    assert abs(float(size[1]) - apparent / MIB) < 0.11, (status, apparent)
    for p in floods:
        p.stderr.close()


@pytest.fixture
def failing_disk(home):
    """failing_disk(path) -> fail(): a disk at path, which takes nothing any more after fail()."""
    image = os.memfd_create("disk", os.MFD_ALLOW_SEALING)
    mounted = []

    def make(path):
        os.ftruncate(image, 16 * MIB)
        name = f"/proc/{os.getpid()}/fd/{image}"
        run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", name])
        run(["mount", "-o", "loop", name, path])
        mounted.append(path)
        os.chmod(path, 0o700)
        add_seals, future_write = 1033, 0x10
        return lambda: fcntl.fcntl(image, add_seals, future_write)

    yield make
    for path in mounted:
        run(["umount", "-l", path], check=False)
    os.close(image)


@pytest.mark.parametrize("how", ["block", "kill"])
def test_a_disk_that_fails(make_agent, box, failing_disk, how):
    """The session ends, who types is told, and nothing begins that cannot be logged and recorded."""
    agent = make_agent(start=False)
    coral = agent.coral
    fail = failing_disk(coral.state)
    (coral.config.parent / "policy.yaml").write_text(
        f"defaults: {{record: {{on_failure: {how}}}}}\n")
    agent.start()
    argv = coral.argv("exec", "-tt", "--pid", box.pid, "--", "sh", "-c",
                      "echo up; while read x; do echo got $x; done")
    with Pty(argv, coral.env()) as term:
        term.expect("up")
        before = coral.newest_cast()
        run(["sync", "-f", coral.state])
        fail()
        term.send("one\r")
        term.expect("the recording cannot go on")
        term.expect("why: .*(Input/output error|No space)")
        assert term.wait() == 125
    assert Cast(before).exact(1).startswith(b"up\r\n")
    wait_for("the keeper to end", lambda: not agent.keepers(), 30)

    def refused():
        """The kernel takes what it has memory for until it tells of the disk, and that is told too."""
        done = coral.run("exec", "--pid", box.pid, "--", "echo", "never")
        ran = b"never" in done.out
        assert not ran or done.code == 0 or b"the recording cannot go on" in done.err, done
        return not ran and done.code == 125 and done
    three_parts(wait_for("no session to begin", refused, 20), "Input/output")
