# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken out of the audit log for somebody else: lines, tables, a directory with proof, sums."""
import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
from pathlib import Path

from house.coral import Coral
from house.util import wait_for
from test_audit import events, log_dir, records
from test_secret import auditors, policy  # noqa: F401

HARMLESS = set(range(0x20, 0x7f)) | {0x0a}


def files(directory):
    return {str(p.relative_to(directory)): p.read_bytes()
            for p in directory.rglob("*") if p.is_file()}


def typed(coral, there):
    """What happens when the commands of a README are typed as they stand there."""
    path = there / "README"
    script = "\n".join(x for x in path.read_text().splitlines() if x.startswith("    ") and
                       not x.startswith("     "))
    env = {**coral.env(), "PATH": f"{Path(coral.argv('version')[0]).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", script], cwd=there, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_for_an_auditor(agent, box, home):
    """One session's records and recording, verified far from the agent with what came along."""
    coral = agent.coral
    for word in ("one", "two"):
        assert coral.run("exec", "--pid", box.pid, "--", "echo", word).code == 0
    wait_for("their ends", lambda: len(events(coral, "session.end")) == 2)
    sid = events(coral, "session.end")[1]["session_id"]
    there = home / "case"
    done = coral.local("audit export", "--session", sid, "-d", there)
    assert done.code == 0 and done.text == f"{there}: 2 records, 1 recording\n", done
    got = files(there)
    names = {"README", "MANIFEST.json", "SHA256SUMS", "agent.pub", "log/audit.jsonl"}
    cast, = [n for n in got if n.startswith("recordings/")]
    assert set(got) == names | {cast} and cast.startswith(f"recordings/{sid}.cast")
    assert got["log/audit.jsonl"].splitlines() == [
        x for x in (log_dir(coral) / "audit.jsonl").read_bytes().splitlines() if sid.encode() in x]
    mine = [r for r in records(coral) if r["session_id"] == sid]
    told = json.loads(got["MANIFEST.json"])
    assert told["records"] == {
        "file": "log/audit.jsonl", "count": 2, "pieces": 1, "bad": 0, "since": mine[0]["timestamp"],
        "until": mine[1]["timestamp"], "prev_hash": mine[0]["prev_hash"], "hash": mine[1]["hash"]}
    assert told["log"] == {"bad": 0, "head": records(coral)[-1]["hash"]}
    assert told["recordings"] == [{"session_id": sid, "file": cast, "bytes": len(got[cast]),
                                   "sha256": hashlib.sha256(got[cast]).hexdigest()}]
    assert told["asked"]["session"] == sid and told["without_recording"] == []
    subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=there, check=True, capture_output=True)
    assert {line.split("  ")[1] for line in got["SHA256SUMS"].decode().splitlines()} == \
        set(got) - {"SHA256SUMS"}

    far = Coral(home / "far")
    for words in (["--key", there / "agent.pub", there / "recordings"],
                  ["-o", "json", there / "log"]):
        done = far.local("audit verify", *words)
        assert done.code in (0, 3) and b"bad\": true" not in done.out, done
    assert far.local("audit verify", "--key", there / "agent.pub", there / "recordings").code == 0
    code, said = typed(far, there)
    assert code in (0, 3) and said.count("authentic: yes") == 2, said
    whole = ["--key", there / "agent.pub", there]  # the log as well
    done = far.local("audit verify", *whole)
    assert done.code == far.local("audit verify", there / "log").code, done
    assert done.text.count("authentic: yes") == 2 and f"{there}/log\n" in done.text, done
    path = there / "log" / "audit.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"exit_code":0', b'"exit_code":1'))
    assert far.local("audit verify", there / "log").code == 1
    done = far.local("audit verify", *whole, "-o", "json")
    assert done.code == 1 and [row["authentic"] for row in done.json()] == [True, False], done

    again = home / "again"
    assert coral.local("audit export", "--session", sid, "-d", again).code == 0
    assert files(again) == got  # the same log, the same bytes
    done = coral.local("audit export", "-d", again)
    assert done.code == 2 and "something in it" in done.errtext, done
    gaps = home / "gaps"  # what stood between these is left out, and that is said
    assert coral.local("audit export", "--event", "session.end", "--recordings", "-d",
                       gaps).code == 0
    told = json.loads((gaps / "MANIFEST.json").read_text())
    assert told["records"]["pieces"] == 2 and told["records"]["file"] == "log/records.jsonl"
    assert len(told["recordings"]) == 2
    done = far.local("audit verify", "--key", gaps / "agent.pub", gaps)
    assert done.code == 0 and f"{gaps}/log/records.jsonl was not verified" in done.errtext, done
    code, said = typed(far, gaps)
    assert code == 0 and said.count("authentic: yes") == 2 and "changed" not in said, said
    path = gaps / "log" / "records.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"exit_code":0', b'"exit_code":1', 1))
    said = typed(far, gaps)[1].splitlines()
    assert [x for x in said if "changed" in x] == ["line 1 was changed"], said
    cast, = (coral.state / "sessions" / sid).glob("*.cast*")
    cast.unlink()
    cast.mkdir()
    part = home / "part"  # one that cannot be read does not keep the others back
    done = coral.local("audit export", "--event", "session.end", "--recordings", "-d", part)
    assert done.code == 1 and sid in done.errtext and "try: " in done.errtext, done
    assert "1 recording could not be read" in done.text
    told = json.loads((part / "MANIFEST.json").read_text())
    assert told["unreadable"] == [{"session_id": sid, "why": "it is not a regular file"}]
    assert len(told["recordings"]) == 1 and (part / "SHA256SUMS").exists()
    shutil.rmtree(coral.state / "sessions" / sid)
    lost = home / "lost"
    done = coral.local("audit export", "--session", sid, "-d", lost)
    assert done.code == 0 and "no recording" in done.text, done
    assert json.loads((lost / "MANIFEST.json").read_text())["without_recording"] == [sid]


def test_what_is_encrypted(make_agent, box, home, auditors):  # noqa: F811
    """It goes as it is, by its own name, and is verified by who has an auditor's key as well."""
    keys, lines = auditors
    agent = make_agent(start=False)
    coral = agent.coral
    (coral.config.parent / "policy.yaml").write_text(policy(lines, "encrypt: true"))
    agent.start()
    assert coral.run("exec", "--pid", box.pid, "--", "echo", "unseen").code == 0
    wait_for("its end", lambda: events(coral, "session.end"))
    sid = events(coral, "session.end")[0]["session_id"]
    there = home / "case"
    assert coral.local("audit export", "--session", sid, "-d", there).code == 0
    assert [p.name for p in (there / "recordings").iterdir()] == [f"{sid}.cast.sealed"]
    far, public = Coral(home / "far"), ["--key", there / "agent.pub"]
    assert far.local("audit verify", *public, there / "recordings").code == 1
    assert far.local("audit verify", *public, "--key", keys["bob"], there / "recordings").code == 0


def test_for_a_program_of_tables(agent, box):
    coral = agent.coral
    for reason in ("=cmd|'/c calc'!A0", 'say "hi", then\tgo', "\x1b]0;x\x07\u202e"):
        coral.run("exec", "--reason", reason, "--pid", box.pid, "--", "printf", "%s", 'a"b,c')
    wait_for("their ends", lambda: len(events(coral, "session.end")) == 3)
    raw = (log_dir(coral) / "audit.jsonl").read_bytes()
    assert coral.local("audit export").out == raw == coral.local("audit export", "-o", "json").out
    done = coral.local("audit export", "-o", "csv")
    assert done.code == 0 and set(done.out) - {0x0d} <= HARMLESS
    rows = list(csv.DictReader(io.StringIO(done.text, newline="")))
    theirs = records(coral)
    assert len(rows) == len(theirs) == 7 and list(rows[0]) == list(theirs[0])
    for row, record in zip(rows, theirs):
        for key, value in record.items():
            if value is None or key in ("hash", "prev_hash", "session_id", "event", "mode"):
                assert row[key] == (value or ""), key
            elif isinstance(value, (int, list)):
                assert json.loads(row[key].replace("\\\\", "\\")) == value, key
    assert rows[1]["reason"].startswith("'=cmd")
    for words in (["-o", "xml"], ["-o", "csv", "-d", "x"], ["--recordings"], ["x"]):
        done = coral.local("audit export", *words)
        assert done.code == 2 and "try:" in done.errtext, (words, done)
    with open("/dev/full", "wb") as full:
        proc = coral.popen("audit export", stdout=full)
        assert b"cannot write" in proc.communicate(timeout=30)[1] and proc.returncode == 1


def test_report(agent, box, home):
    """The sums are those of the records; in a terminal nothing of a user's acts."""
    coral = agent.coral
    for words in (["true"], ["false"], ["/nothing"], ["printf", "x"]):
        coral.run("exec", "--reason", "\x1b]0;x\x07", "--pid", box.pid, "--", *words)
    wait_for("their ends", lambda: len(events(coral, "session.end")) == 4)
    coral.run("sessions rm", events(coral, "session.end")[0]["session_id"])
    wait_for("a removal", lambda: events(coral, "session.remove"))
    told = coral.local("audit report", "-o", "json").json()
    row, = [r for r in told["rows"] if r["sessions"]]
    starts, ends = events(coral, "session.start"), events(coral, "session.end")
    assert (row["user_id"], row["sessions"], row["failed"]) == ("root", 4, 2), told
    assert row["as_root"] == sum(r["uid"] == 0 for r in starts)
    assert row["time_ms"] == sum(r["duration_ms"] or 0 for r in ends)
    assert told["total"]["removed"] == 1 and told["records"] == len(records(coral))
    assert told["bad"] == 0 and told["last"] == records(coral)[-1]["timestamp"]
    done = coral.local("audit report")
    assert done.code == 0 and set(done.out) <= HARMLESS, done
    lines = done.text.splitlines()
    assert "chain of the log holds" in lines[0] and lines[2].split()[:3] == [
        "USER", "TARGET", "SESSIONS"], lines
    assert lines[3].split()[0] == "root" and lines[3].split()[2] == "4", lines
    assert "DENIED" not in done.text and "Not let in" not in done.text
    assert coral.local("audit report", "-u", "nobody").text == "No records.\n"
    path = log_dir(coral) / "audit.jsonl"
    agent.term()
    path.write_bytes(path.read_bytes().replace(b'"exit_code":1', b'"exit_code":0', 1))
    done = coral.local("audit report")
    assert done.code == 1 and "NOT as it was written" in done.text, done
