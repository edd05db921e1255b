# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit log: who did what is in it before it happens, and nothing happens that is not in it."""
import fcntl
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from house.coral import children_of, status_of
from house.term import Pty
from house.util import alive, wait_for
from test_door import begin, finish
from test_policy import reef, tcp  # noqa: F401

KEYS = """session_id timestamp event user_id actor agent_id runtime provenance node environment
service_name namespace pod pod_uid container_name container_id image container_pid command
namespaces_entered cross_namespace uid gid mode reason approval_id exit_code signal duration_ms
stdout_bytes stderr_bytes stdin_bytes error decision prev_hash hash""".split()


def log_dir(coral):
    return coral.state / "audit"


def records(coral):
    """All of them, from the oldest file on; the chain is followed with nothing of coral's."""
    found, before = [], "0" * 64
    current = log_dir(coral) / "audit.jsonl"
    for path in [*sorted(log_dir(coral).glob("audit-*.jsonl")), current]:
        data = path.read_bytes()
        for line in data[:data.rfind(b"\n") + 1].splitlines():
            record = json.loads(line)
            assert list(record) == KEYS
            bare = line.replace(f',"hash":"{record["hash"]}"'.encode(), b"")
            assert hashlib.sha256(bare).hexdigest() == record["hash"], line
            assert record["prev_hash"] == before, line
            before = record["hash"]
            found.append(record)
    return found


def events(coral, *names):
    return [r for r in records(coral) if r["event"] in names]


def one(coral, name, **facts):
    """The record of that event, once it is there; there is no other one of it."""
    found = wait_for(name, lambda: events(coral, name))
    assert len(found) == 1, found
    for key, value in facts.items():
        assert found[0][key] == value, (key, found[0])
    return found[0]


def comm(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def children(agent, name):
    return [p for p in children_of(agent.proc.pid) if comm(p) == name]


def writer_of(agent):
    return next(iter(children(agent, "coral-audit")), None)


def test_a_session(either, box):
    """Also without an agent: two records, with who, where, what and how it ended, after the one
    that names the key which certifies them."""
    done = either.run("exec", "--reason", "a look", "--pid", box.pid, "--", "sh", "-c",
                      "echo out; echo err >&2; exit 3", "--password=hunter2")
    assert done.code == 3
    start = one(either, "session.start", user_id="root", mode="exec", decision="allow",
                container_pid=box.pid, runtime="runc", reason="a look", exit_code=None, uid=0,
                cross_namespace=True)
    assert start["container_id"] and start["node"] == os.uname().nodename
    assert start["command"] == ["sh", "-c", "echo out; echo err >&2; exit 3",
                                "--password=[redacted]"]
    assert {"mnt", "pid"} <= set(start["namespaces_entered"])
    end = one(either, "session.end", exit_code=3, signal=None, stdout_bytes=4, stderr_bytes=4,
              stdin_bytes=0, error=None, decision=None)
    same = [k for k in KEYS if start[k] is not None and k not in (
        "timestamp", "event", "decision", "prev_hash", "hash")]
    assert {k: start[k] for k in same} == {k: end[k] for k in same}
    assert end["timestamp"] >= start["timestamp"] and end["duration_ms"] >= 0
    assert [r["session_id"] for r in (start, end)] == either.session_dirs() * 2
    assert "hunter2" not in (log_dir(either) / "audit.jsonl").read_text()
    either.run("exec", "--pid", box.pid, "--", "true")
    key, = events(either, "agent.start", "key.created")
    assert key == records(either)[0] and key["reason"].startswith("agent_ed25519 SHA256:"), key


def test_before_the_command_runs(either):
    """A command on the host itself finds its own session in the log."""
    with subprocess.Popen(["sleep", "1000"]) as target:
        try:
            log = log_dir(either) / "audit.jsonl"
            done = either.run("exec", "--pid", target.pid, "--", "grep", "-c", "session.start", log)
            assert (done.code, done.out) == (0, b"1\n"), done
        finally:
            target.kill()


def test_what_did_not_start(agent, box):
    assert agent.coral.run("exec", "--pid", box.pid, "--", "/nothing").code == 127
    one(agent.coral, "session.start", command=["/nothing"])
    end = one(agent.coral, "session.end", exit_code=127)
    assert "/nothing" in end["error"]


def test_what_ended_it(agent, box):
    done = agent.coral.run("exec", "--timeout", "1s", "--pid", box.pid, "--", "sleep", "1000")
    assert done.code == 124
    one(agent.coral, "session.end", exit_code=124, error="timeout")


def test_the_agent_itself(agent):
    assert agent.term() == 0
    assert [r["event"] for r in records(agent.coral)] == ["agent.start", "agent.stop"]


def test_others_on_a_session(agent, box):
    """Attach, watch, freeze, thaw, kill, and who is not there any more."""
    proc, sid, _ = begin(agent, box, "echo up; exec sleep 1000")
    for verb in ("sessions freeze", "sessions thaw"):
        assert agent.coral.run(verb, sid).code == 0
    watcher = agent.coral.popen("watch", sid)
    one(agent.coral, "session.watch", session_id=sid, mode="watch", decision="allow",
        container_pid=box.pid)
    wait_for("the watcher", lambda: len(next(
        s for s in agent.coral.sessions() if s["id"] == sid)["attached"]) == 2)
    watcher.kill()
    watcher.communicate()
    one(agent.coral, "session.detach", session_id=sid, mode="watching",
        error="the connection was lost")
    assert agent.coral.run("kill", sid).code == 0
    finish(proc)
    proc.stderr.close()
    one(agent.coral, "session.end", session_id=sid, error="signal, by root")
    assert agent.coral.run("kill", sid).code == 1, "there is nothing to end"
    assert [r["event"].partition(".")[2] for r in records(agent.coral)][1:] == [
        "start", "freeze", "thaw", "watch", "detach", "kill", "end"]


def test_who_is_lost_leaves_once(agent, box):
    """Also when somebody else attaches, and nobody can come back in the place of the lost one."""
    ask = agent.coral.argv("exec", "-t", "--on-disconnect", "detach", "--pid", box.pid, "--", "sh",
                           "-c", "echo up; read x; echo bye")
    with Pty(ask, agent.coral.env()) as lost:
        lost.expect("up\r\n")
        lost.proc.kill()
        one(agent.coral, "session.detach", error="the connection was lost", mode="owner")
        with Pty(agent.coral.argv("attach"), agent.coral.env()) as back:
            back.expect("up")
            back.send("\r")
            back.expect("bye")
            assert back.wait() == 0
    one(agent.coral, "session.end", exit_code=0)
    assert [r["event"].partition(".")[2] for r in records(agent.coral)][1:] == [
        "start", "detach", "attach", "end"]


def test_nobody_leaves_what_is_over(agent, box):
    """Who did not take the end, and was lost then, was not lost to a session that goes on."""
    go = box.root / "tmp/go"
    ask = agent.coral.argv("exec", "-t", "--on-disconnect", "detach", "--pid", box.pid, "--", "sh",
                           "-c", "echo up; while ! test -e /tmp/go; do sleep 0.05; done")
    with Pty(ask, agent.coral.env()) as lost:
        lost.expect("up\r\n")
        lost.proc.send_signal(signal.SIGSTOP)
        go.touch()
        sid = one(agent.coral, "session.end", exit_code=0)["session_id"]
        lost.proc.kill()
        wait_for("its loss", lambda: not agent.coral.run("sessions show", sid, "-o", "json").json()
                 .get("attached"))
        assert agent.coral.run("kill", sid).code in (0, 1)
        wait_for("its keeper to go", lambda: not agent.keepers())
    go.unlink()
    assert not events(agent.coral, "session.detach")


def test_recordings(reef, box, home):  # noqa: F811
    """Who reads one from the agent, who is not let, and who removes it: before it is gone."""
    agent, people = reef(people=("alice", "bob"))
    assert people["alice"](f"pid.{box.pid}", "echo hi").stdout == b"hi\n"
    sid, = agent.coral.session_dirs()
    for person in people:
        tcp(agent, person, home, people[person].key, box, "replay", sid, "--format", "text")
    one(agent.coral, "session.read", session_id=sid, container_pid=box.pid, user_id="alice")
    assert tcp(agent, "alice", home, people["alice"].key, box, "sessions", "rm", sid).code == 1
    one(agent.coral, "denied", session_id=sid, user_id="alice", mode="remove", decision="deny")
    assert agent.coral.run("sessions rm", sid).code == 0
    one(agent.coral, "session.remove", session_id=sid, decision="allow", error=None)


def test_denied(reef, box):  # noqa: F811
    """Over the network, by policy: who, what, where and which rule."""
    agent, people = reef("roles: []\n", people=("alice",))
    done = people["alice"](f"pid.{box.pid}", "id --token=abc")
    assert done.returncode == 125
    r = one(agent.coral, "denied", user_id="alice", mode="exec", decision="deny",
            container_pid=box.pid, environment="dev", session_id=None)
    assert "alice" in r["error"] and r["actor"].startswith("127.0.0.1:")
    assert "abc" not in json.dumps(r)
    assert not events(agent.coral, "session.start")


def test_would_be_denied(reef, box):  # noqa: F811
    agent, people = reef("roles: []\ndefaults: {mode: audit}\n", people=("alice",))
    assert people["alice"](f"pid.{box.pid}", "id -u").stdout == b"0\n"
    r = one(agent.coral, "session.start", user_id="alice", decision="would-deny")
    assert "no role of this user" in r["error"]


def test_keys_that_are_not_listed(reef, home):  # noqa: F811
    agent, people = reef(people=("alice",))
    agent.keys.write_text("")
    done = people["alice"]("x", "id")
    assert done.returncode == 255
    r = one(agent.coral, "auth.failure", user_id=None, decision="deny")
    public = people["alice"].key.public.split()[1]
    text = subprocess.run(["ssh-keygen", "-lf", "/dev/stdin"], input=f"ssh-ed25519 {public}\n",
                          capture_output=True, text=True, check=True).stdout.split()[1]
    assert r["error"] == f"1 key was refused, the last ssh-ed25519 {text}"
    assert r["actor"].startswith("127.0.0.1:")


def test_users_that_may_not(agent):
    (agent.home / "run").chmod(0o755)
    agent.home.chmod(0o755)
    agent.socket.chmod(0o666)
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
            "s.recv(1)")
    subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                    "/usr/bin/python3", "-c", code, str(agent.socket)], check=True, timeout=20)
    r = one(agent.coral, "auth.failure", user_id="nobody", actor="unix", decision="deny")
    assert "may not use" in r["error"]


def test_the_writer_is_confined(agent):
    pid = writer_of(agent)
    status = status_of(pid)
    assert all(int(status[k], 16) == 0 for k in ("CapPrm", "CapEff", "CapBnd", "CapAmb"))
    assert status["Seccomp"].strip() == "2" and status["NoNewPrivs"].strip() == "1"
    assert os.readlink(f"/proc/{pid}/root") == str(log_dir(agent.coral))
    for fd in os.listdir(f"/proc/{pid}/fd"):
        where = os.readlink(f"/proc/{pid}/fd/{fd}")
        assert where.startswith((str(log_dir(agent.coral)), "socket:", "/dev/null",
                                 str(agent.log_path))), where


def test_on_standard_output(make_agent, box):
    """The very lines, when it is asked for; a reader that stops reading holds up nobody."""
    agent = make_agent(start=False)
    agent.coral.config.write_text("audit: {stdout: true}\n")
    agent.start()
    assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", "hi").code == 0
    one(agent.coral, "session.end")
    lines = (log_dir(agent.coral) / "audit.jsonl").read_text().splitlines()
    assert len(lines) == 3
    wait_for("the same lines", lambda: [
        x for x in agent.log().splitlines() if x.startswith('{"session_id"')] == lines)


def test_not_on_standard_output(agent, box):
    assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", "hi").code == 0
    one(agent.coral, "session.end")
    assert "session_id" not in agent.log()


def test_standard_output_that_nobody_reads(make_agent, box):
    agent = make_agent(start=False)
    agent.coral.config.write_text("audit: {stdout: 'true'}\n")
    os.mkfifo(agent.home / "out")
    reader = os.open(agent.home / "out", os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    agent.prefix = ["sh", "-c", f'exec "$@" >{agent.home}/out', "sh"]
    try:
        agent.start()
        for _ in range(12):
            assert agent.coral.run("exec", "--pid", box.pid, "--", "true").code == 0
        wait_for("their ends", lambda: len(events(agent.coral, "session.end")) == 12)
        assert os.read(reader, 20).startswith(b'{"session_id":null')
        agent.term()
    finally:
        os.close(reader)


def test_a_writer_that_dies(agent, box):
    """Another is started, and goes on in the same chain; nobody is let in without."""
    for _ in range(3):
        pid = writer_of(agent)
        os.kill(pid, signal.SIGKILL)
        done = agent.coral.run("exec", "--pid", box.pid, "--", "echo", "hi")
        assert (done.code, done.out) in ((0, b"hi\n"), (125, b"")), done
        wait_for("another writer", lambda p=pid: writer_of(agent) not in (None, p))
    assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", "hi").code == 0
    begun = [r["session_id"] for r in records(agent.coral) if r["event"] == "session.start"]
    assert set(agent.coral.session_dirs()) <= set(begun)


def test_a_writer_that_hangs(agent, box):
    """Nothing runs that is not in the log: the error says so, and the container is as it was."""
    pid = writer_of(agent)
    os.kill(pid, signal.SIGSTOP)
    done = agent.coral.run("exec", "--pid", box.pid, "--", "touch", "/tmp/ran")
    assert done.code == 125 and "audit log" in done.errtext and "try:" in done.errtext, done
    assert not (box.root / "tmp/ran").exists()
    os.kill(pid, signal.SIGCONT)
    assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", "on").code == 0
    assert agent.coral.session_dirs() == [r["session_id"] for r in wait_for(
        "the end", lambda: events(agent.coral, "session.end"))][-1:]


@pytest.mark.parametrize("how", ["directory", "anybody's", "damaged"])
def test_a_log_that_cannot_be_written(either, box, how):
    """Fail closed: no session, and nobody loses a recording for which there is no record."""
    assert either.run("exec", "--pid", box.pid, "--", "echo", "hi").code == 0
    one(either, "session.end")
    sid, = either.session_dirs()
    current = log_dir(either) / "audit.jsonl"
    current.rename(log_dir(either) / "away")
    if how == "directory":
        current.mkdir()
    elif how == "anybody's":
        current.write_bytes(b"")
        current.chmod(0o666)
    else:
        current.write_bytes(b"x" * 8_000_000)
        current.chmod(0o600)
    done = either.run("exec", "--pid", box.pid, "--", "touch", "/tmp/ran")
    assert done.code == 125 and "audit log" in done.errtext, done
    assert not (box.root / "tmp/ran").exists()
    assert either.run("sessions rm", sid).code == 1
    assert either.session_dirs() == [sid]
    current.rmdir() if how == "directory" else current.unlink()
    (log_dir(either) / "away").rename(current)
    assert either.run("sessions rm", sid).code == 0
    assert [r["event"] for r in records(either)][-1] == "session.remove"


def test_an_agent_without_a_log_does_not_start(make_agent):
    agent = make_agent(start=False)
    log_dir(agent.coral).mkdir(mode=0o700)
    (log_dir(agent.coral) / "audit.jsonl").mkdir()
    with pytest.raises(AssertionError, match="the agent ended"):
        agent.start()
    assert "audit log" in agent.log()


def test_a_broker_that_dies(agent, box):
    """Its sessions write their ends themselves; the next agent goes on in the same chain."""
    proc, sid, _ = begin(agent, box, "echo up; read x; exit 5")
    agent.kill()
    wait_for("the writer to end", lambda: not [
        p for p in agent.relatives() if comm(p) == "coral-audit"])
    proc.stdin.write(b"\n")
    proc.stdin.flush()
    assert finish(proc) == 5
    proc.stderr.close()
    one(agent.coral, "session.end", session_id=sid, exit_code=5)
    agent.start()
    assert [r["event"] for r in records(agent.coral)] == [
        "agent.start", "session.start", "session.end", "agent.start"]


@pytest.mark.parametrize("restart", [False, True])
def test_a_keeper_that_dies(agent, box, restart):
    """At once, or when the next agent finds what is left."""
    proc, sid, _ = begin(agent, box, "echo up; exec sleep 1000")
    keeper = agent.keepers()[sid]
    if restart:
        agent.kill()
    os.kill(keeper, signal.SIGKILL)
    wait_for("its end", lambda: not alive(keeper))
    if restart:
        agent.start()
    proc.communicate(timeout=20)
    one(agent.coral, "session.truncated", session_id=sid, user_id="root", mode="exec",
        container_pid=box.pid, command=["bash", "-c", "echo up; exec sleep 1000"])
    assert not events(agent.coral, "session.end")


def test_a_machine_that_dies(agent, box):
    """What ran went with its notes: the next agent finds recordings without an end, once."""
    assert agent.coral.run("exec", "--pid", box.pid, "--", "true").code == 0
    proc, sid, _ = begin(agent, box, "echo up; exec sleep 1000")
    agent.kill()
    os.kill(agent.keepers()[sid], signal.SIGKILL)
    proc.communicate(timeout=20)
    (agent.home / "run/live" / f"{sid}.json").unlink()
    for pid in set(box.processes()) - {box.pid}:
        os.kill(pid, signal.SIGKILL)
    for group in box.cgroup_dirs():
        wait_for("its end", lambda g=group: not (pathlib.Path(g) / "cgroup.procs").read_text())
        os.rmdir(group)
    for _ in range(2):
        agent.start()
        wait_for("the scout", lambda: children(agent, "coral-scout"))
        wait_for("its end", lambda: not children(agent, "coral-scout"), 30)
        one(agent.coral, "session.truncated", session_id=sid, container_pid=box.pid)
        agent.term()


def test_a_recording_that_was_cut(agent, box):
    """Its session had ended, as the log has it: nobody is told that its keeper died."""
    assert agent.coral.run("exec", "--pid", box.pid, "--", "seq", "100").code == 0
    sid = one(agent.coral, "session.end")["session_id"]
    agent.term()
    path = agent.coral.cast_path(sid)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    for _ in range(2):
        agent.start()
        told = wait_for("it to be told", lambda: events(agent.coral, "session.truncated"), 30)
        assert len(told) == 1 and told[0]["session_id"] == sid
        assert told[0]["error"].startswith("its recording was cut since"), told
        agent.term()


def test_many_at_once(agent, box):
    """Each has its two records, in one chain."""
    procs = [agent.coral.popen("exec", "--pid", box.pid, "--", "echo", n) for n in range(24)]
    for n, proc in enumerate(procs):
        assert proc.communicate(timeout=60)[0] == b"%d\n" % n
    wait_for("their ends", lambda: len(events(agent.coral, "session.end")) == 24)
    begun = [r["session_id"] for r in events(agent.coral, "session.start")]
    assert sorted(begun) == sorted(r["session_id"] for r in events(agent.coral, "session.end"))
    assert len(set(begun)) == 24


def test_ls(agent, box):
    for word in ("one", "two", "Three"):
        assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", word).code == 0
    wait_for("their ends", lambda: len(events(agent.coral, "session.end")) == 3)
    local = agent.coral.local
    lines = local("audit ls").text.splitlines()
    assert len(lines) == 7 and "agent.start" in lines[0], lines
    assert "session.end" in lines[2] and "exit 0" in lines[2] and "echo one" in lines[2]
    raw = (log_dir(agent.coral) / "audit.jsonl").read_bytes()
    assert local("audit ls", "-o", "json").out == raw
    assert local("audit ls", "--lines", "2").text.splitlines() == lines[-2:]
    assert local("audit ls", "--lines", "0").out == local("audit ls", "--lines", "0", "-o", "json").out == b""
    assert local("audit ls", "--decision", "al*").text.splitlines() == lines[1::2]
    assert local("audit ls", "-g", "echo (one|two)").text.splitlines() == lines[1:5]
    assert local("audit ls", "-g", "three", "--lines", "1").text.splitlines() == lines[6:]
    assert local("audit ls", "-g", "THREE").out == b""
    assert local("audit ls", "-u", "r?ot", "-o", "json").out.count(b"\n") == 6
    assert local("audit ls", "-u", "alice").out == b""
    assert local("audit ls", "--since", "1h").text.splitlines() == lines
    assert local("audit ls", "--until", "1h").out == b""
    middle = records(agent.coral)[3]["timestamp"]
    since = local("audit ls", "--since", middle).text.splitlines()
    assert since == lines[3:]
    assert local("audit ls", "--until", middle).text.splitlines() == lines[:4]
    for words in (["--since", "noon"], ["-g", "("], ["-o", "xml"], ["what"],
                  ["-g", "((a{1,255}){1,255}){1,255}"], ["--decision", "maybe"], ["--event", "sesion.*"],
                  ["--event", "session.ended"], ["--lines", "100001"]):
        done = local("audit ls", *words)
        assert done.code == 2 and "try:" in done.errtext, (words, done)
        assert words[-1] != "session.ended" or "try: --event session.end\n" in done.errtext, done
    assert local("audit ls", "--event", "*.en?").text.splitlines() == lines[2::2]
    assert local("audit ls", "--lines", "100000").text.splitlines() == lines
    assert local("audit grep", "--lines", "10001", "x").code == 2


def test_show(agent, box):
    agent.coral.run("exec", "--pid", box.pid, "--", "printf", "a\x1b]0;b")
    wait_for("its end", lambda: events(agent.coral, "session.end"))
    sid, = agent.coral.session_dirs()
    done = agent.coral.local("audit show", sid[:10])
    assert done.code == 0 and "\x1b" not in done.text, done
    for line in (f"session_id: {sid}", "event: session.start", "event: session.end",
                 "exit_code: 0", "decision: allow"):
        assert line in done.text.splitlines(), line
    assert "error" not in done.text
    lines = agent.coral.local("audit show", sid, "-o", "json").text.splitlines()
    assert [json.loads(x)["event"] for x in lines] == ["session.start", "session.end"]
    assert agent.coral.local("audit show", sid[:10].upper()).code == 0
    agent.coral.run("exec", "--pid", box.pid, "--", "true")
    wait_for("its end", lambda: len(events(agent.coral, "session.end")) == 2)
    for ask in (["show"], ["export", "--session"], ["export", "-d", agent.coral.state / "no",
                                                   "--session"]):
        for spec, why, code in ((sid[:4], sid, 1), ("7zzzzzzz", "no session", 1),
                                ("nope", "no session", 1), ("01", "too short", 2)):
            done = agent.coral.local(f"audit {ask[0]}", *ask[1:], spec)
            assert (done.code, done.text) == (code, "") and why in done.errtext, (ask, spec, done)
            assert "why:" in done.errtext and "try:" in done.errtext
    assert not (agent.coral.state / "no").exists()


def test_json_is_harmless(agent, box):
    """C1, DEL, the direction of text and what has no width leave as escapes, and come back."""
    said = "\x9b31m\x7f\u202e\u2066\u200b\u2028\ufeff\u061c\xe9"
    assert agent.coral.run("exec", "--pid", box.pid, "--", "printf", "%s", said).code == 0
    wait_for("its end", lambda: events(agent.coral, "session.end"))
    sid = events(agent.coral, "session.end")[0]["session_id"]
    local = agent.coral.local
    for words in (["sessions"], ["sessions show", sid], ["audit ls"], ["audit ls", "--lines", "1"],
                  ["audit show", sid], ["audit grep", "31m"], ["exec", "--pid", box.pid, "--", "echo", said]):
        if words[0] == "exec":
            done = agent.coral.run("exec", "-o", "json", *words[1:])
        else:
            done = local(words[0], "-o", "json", *words[1:])
        assert done.code == 0 and "31m" in done.text, done
        assert not set(done.text) & set(said[:1] + said[4:-1]), (words, done)
    shown = json.loads(local("sessions show", "-o", "json", sid).out)
    assert said in json.dumps(shown, ensure_ascii=False), shown
    done = local("replay", "--format", "json", sid)
    assert done.code == 0 and b"\x7f" not in done.out and "31m" in done.text, done
    assert local("audit export").out == (log_dir(agent.coral) / "audit.jsonl").read_bytes()


def test_follow(agent, box):
    proc = agent.coral.popen("audit ls", "-f", "-u", "root", "-g", "session", "--lines", "1")
    proc.stdin.close()
    for word in ("one", "two"):
        assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", word).code == 0
        for event in ("session.start", "session.end"):
            line = proc.stdout.readline().decode()
            assert event in line and f"echo {word}" in line, line
    proc.kill()
    proc.wait()
    proc.stdout.close()
    proc.stderr.close()
    with open("/dev/full", "wb") as full:
        proc = agent.coral.popen("audit ls", "-f", stdout=full)
    _, err = proc.communicate(timeout=20)
    assert proc.returncode == 1 and b"No space left" in err and b"try:" in err, err


def test_a_line_that_was_changed(agent, box):
    agent.coral.run("exec", "--pid", box.pid, "--", "echo", "hi")
    wait_for("its end", lambda: events(agent.coral, "session.end"))
    agent.term()
    path = log_dir(agent.coral) / "audit.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"echo","hi"', b'"echo","ho"', 1))
    done = agent.coral.local("audit ls")
    assert done.code == 1 and done.text.count("\n") == 4, done
    assert "line 2 of audit.jsonl" in done.errtext, done


def test_on_the_disk_in_time(agent, box):
    """What was acknowledged is synced within 200 ms, and not once for each."""
    pid = writer_of(agent)
    trace = subprocess.Popen(["strace", "-qq", "-ttt", "-e", "trace=write,fdatasync", "-p", str(pid)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True)
    wait_for("strace", lambda: int(status_of(pid)["TracerPid"]) != 0)
    for _ in range(5):
        assert agent.coral.run("exec", "--pid", box.pid, "--", "true").code == 0
    wait_for("their ends", lambda: len(events(agent.coral, "session.end")) == 5)
    lines, until = [], time.monotonic() + 20
    while time.monotonic() < until and not (
            len([x for x in lines if "write(" in x]) == 10 and "fdatasync" in lines[-1]):
        lines.append(trace.stderr.readline())
    trace.terminate()
    trace.communicate()
    assert "fdatasync" in lines[-1], lines
    # The agent's own first record may be synced only then.
    lines = lines[next(i for i, x in enumerate(lines) if "write(" in x):]
    waiting = None
    for line in lines:
        at = float(line.split()[0])
        if "write(" in line and waiting is None:
            waiting = at
        if "fdatasync" in line:
            assert waiting is not None and at - waiting < 2, lines
            waiting = None
