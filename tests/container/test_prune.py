# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept no longer is removed, and told; the chain of the log over what was removed."""
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess

from house import auditlog
from house.util import wait_for
from test_audit import events, records


def make(coral, n, pid):
    for i in range(n):
        assert coral.run("exec", "--pid", pid, "--", "echo", "hello", i).code == 0
    return coral.session_dirs()


def policy(coral, retention):
    path = coral.config.parent / "policy.yaml"
    path.write_text(f"defaults: {{retention: {retention}}}\n")
    path.chmod(0o600)


def test_by_hand(coral):
    """Without an agent: by size, by age, not what the policy keeps; what is gone is in the log."""
    with subprocess.Popen(["sleep", "1000"]) as target:
        try:
            ids = make(coral, 3, target.pid)
            live = coral.popen("exec", "--pid", target.pid, "--", "sleep", "1000")
            wait_for("a fourth", lambda: len(coral.session_dirs()) == 4)
            by_hand(coral, ids)
        finally:
            live.kill()
            target.kill()
            live.communicate()


def by_hand(coral, ids):
    live = [i for i in coral.session_dirs() if i not in ids]
    wait_for("its beginning", lambda: len(events(coral, "session.start")) == 4)
    done = coral.run("audit prune", "--older-than", "0s")
    assert done.code == 1 and "keeps every recording for 1d" in done.errtext
    assert coral.run("audit prune", "--keep-size", "1").code == 0
    assert coral.session_dirs() == ids + live, "the policy keeps them for a day"

    policy(coral, "{keep: 0}")
    digests = [hashlib.sha256(coral.cast_path(i).read_bytes()).hexdigest() for i in ids]
    before = len(records(coral))
    done = coral.run("audit prune", "--older-than", "0s", "--dry-run", "-o", "json")
    assert [r["name"] for r in done.json()] == ids and not any(r["removed"] for r in done.json())
    assert len(records(coral)) == before and coral.session_dirs() == ids + live

    sizes = [sum(f.stat().st_size for f in (coral.state / "sessions" / i).iterdir())
             for i in ids + live]
    done = coral.run("audit prune", "--keep-size", sum(sizes[1:]), "-o", "json")
    assert [(r["name"], r["removed"], r["sha256"]) for r in done.json()] == [
        (ids[0], True, digests[0])], done
    assert coral.session_dirs() == ids[1:] + live
    assert coral.run("audit prune", "--older-than", "0s").text.split()[0] == ids[1]
    assert coral.session_dirs() == live, "that one runs"

    told = events(coral, "session.removed")
    assert [r["session_id"] for r in told] == ids
    for record, digest in zip(told, digests, strict=True):
        assert "state=ended sealed=yes bytes=" in record["reason"]
        assert record["reason"].endswith(f"sha256={digest}")
        assert (record["user_id"], record["mode"]) == ("root", "prune")
    whose_end_is_not_told(coral)
    shown = coral.run("audit show", ids[0]).text
    assert shown.count("event: session.") == 3 and digests[0] in shown


def whose_end_is_not_told(coral):
    """The log of before is gone: what ended an hour ago goes too, and was not cut."""
    before = coral.session_dirs()
    assert coral.run("exec", "--pid", os.getpid(), "--", "true").code == 0
    new, = set(coral.session_dirs()) - set(before)
    log = coral.state / "audit" / "audit.jsonl"
    log.rename(log.with_name("away"))
    done = coral.run("audit prune", "--older-than", "0s")
    assert coral.session_dirs() == [*before, new]
    assert "1 recording is not removed yet: the audit log does not have its end" in done.errtext
    os.utime(coral.cast_path(new), (coral.cast_path(new).stat().st_mtime - 3601,) * 2)
    assert coral.run("audit prune", "--older-than", "0s").text.split()[0] == new
    assert coral.session_dirs() == before
    assert [(r["event"], r["session_id"]) for r in records(coral)] == [("session.removed", new)]
    assert "state=ended" in records(coral)[0]["reason"]
    log.with_name("away").replace(log)


def test_the_chain(coral):
    """Of the log alone: its head, a head from earlier, a log that was cut and one that is broken."""
    with subprocess.Popen(["sleep", "1000"]) as target:
        make(coral, 2, target.pid)
        target.kill()
    log = coral.state / "audit" / "audit.jsonl"
    lines = log.read_bytes().splitlines(True)
    heads = [r["hash"] for r in records(coral)]
    say = coral.run("audit verify", "--log", "--head", heads[1], "--head", heads[3], "-o", "json")
    assert say.code == 0, say
    said = say.json()
    assert (said["authentic"], said["complete"], said["begins"]) == (True, True, "first")
    assert said["records"] == 5 and said["head"] == heads[-1] and said["bad"] is None
    assert [(h["state"], h["line"]) for h in said["heads"]] == [("there", 2), ("there", 4)]
    assert coral.run("audit verify", log.parent).text.splitlines()[1].startswith("  authentic: yes")

    log.write_bytes(b"".join(lines[:3]))
    assert coral.run("audit verify", "--log").code == 0, "a chain alone does not show it"
    cut = coral.run("audit verify", "--log", "--head", heads[3])
    assert cut.code == 1 and "  authentic: no, 1 of 1 heads" in cut.text
    log.write_bytes(b"".join(lines[1:]))
    late = coral.run("audit verify", "--log", "-o", "json")
    assert late.code == 3 and late.json()["begins"] == "unknown"
    log.write_bytes(lines[0] + lines[1].replace(b"root", b"toor") + lines[2] + lines[3])
    bad = coral.run("audit verify", "--log", "-o", "json")
    assert bad.code == 1 and (bad.json()["bad"]["file"], bad.json()["bad"]["line"]) == (
        "audit.jsonl", 2)
    assert coral.run("audit verify", "--log", "--head", "ab").code == 2
    behind_a_removal(coral, heads)
    not_for_a_terminal(coral)
    assert coral.run("audit verify", "--head", heads[0], os.devnull).code == 2


def behind_a_removal(coral, heads):
    """Two files go by policy: a head of theirs is not proof of a forgery, nor is its removal proved."""
    shutil.rmtree(coral.state / "audit")
    shutil.rmtree(coral.state / "sessions")  # of which this log does not tell
    (coral.state / "audit").mkdir(mode=0o700)
    auditlog.write(coral.state / "audit", 0, 60, limit=10000)
    old = [json.loads(line)["hash"] for line in
           (coral.state / "audit" / "audit-00000001.jsonl").read_bytes().splitlines()]
    for path in (coral.state / "audit").iterdir():
        os.utime(path, (1767300000, 1767300000))
    policy(coral, "{audit: 1d}")
    assert coral.run("audit prune").code == 0
    left = coral.run("audit verify", "--log", "-o", "json")
    assert left.code == 0 and left.json()["begins"] == "pruned", left
    for head, state in ((old[2], "missing"), (old[-1], "removed"), (heads[0], "missing")):
        done = coral.run("audit verify", "--log", "--head", head, "-o", "json")
        said = done.json()
        assert (done.code, said["authentic"], said["complete"]) == (3, True, False), done
        assert said["heads"][0]["state"] == state, said
    assert "perhaps among what was removed" in said["complete_why"]


def not_for_a_terminal(coral):
    """Anybody can make a chain that holds: none of its times is printed as it stands there."""
    log = coral.state / "audit" / "audit.jsonl"
    for path in log.parent.glob("audit*.jsonl"):
        path.unlink()
    for time in ("\x1b]0;owned\x07", "2026 is no time"):
        text = f'{{"session_id":null,"timestamp":"{time}","event":"x","prev_hash":"{"0" * 64}"}}'
        digest = hashlib.sha256(text.encode()).hexdigest()
        log.write_text(f'{text[:-1]},"hash":"{digest}"}}\n')
        done = coral.run("audit", "verify", log.parent, "--head", digest)
        assert b"\x1b" not in done.out and time not in done.text, done


def test_by_itself(make_agent, box):
    """An agent removes what its policy keeps no longer, also by a policy that it is given later."""
    agent = make_agent(start=False)
    coral = agent.coral
    coral.config.write_text("archive: {compress_after: 0s}\n")
    agent.start()
    assert coral.run("exec", "--pid", box.pid, "--", "echo", "one").code == 0
    first, = coral.session_dirs()
    wait_for("it to be compressed", lambda: not coral.cast_path(first).exists(), 30)
    # So many that the C library's qsort() asks how much memory there is.
    make(coral, 70, box.pid)
    live = coral.popen("exec", "--pid", box.pid, "--", "sleep", "1000")
    wait_for("its recording", lambda: len(coral.session_dirs()) == 72)
    policy(coral, "{agent: 1s}")
    agent.proc.send_signal(signal.SIGHUP)
    wait_for("all but it to go", lambda: len(coral.session_dirs()) == 1, 30)
    told, = [e for e in events(coral, "session.removed") if e["session_id"] == first]
    assert (told["session_id"], told["user_id"], told["mode"]) == (first, None, "prune")
    assert told["actor"].startswith("policy, coral")
    assert re.fullmatch(r"older than 1s; state=ended sealed=yes bytes=\d+ sha256=[0-9a-f]{64}",
                        told["reason"])
    assert [s["state"] for s in coral.sessions()] == ["live"]
    live.kill()
    live.communicate()
    wait_for("the other", lambda: coral.session_dirs() == [], 30)
    said = [json.loads(line) for line in agent.log().splitlines()]
    assert {s["level"] for s in said if s["who"] == "prune"} == {"info"}, said
    assert not [s for s in said if "signal" in s["msg"]], said
