# SPDX-License-Identifier: GPL-3.0-or-later
"""record.redact: no secret is in what is kept or shown to others, and its owner sees all."""
import hashlib
import json
import re
import threading

import pytest

from house.casts import Cast
from house.coral import drain
from house.term import Pty
from house.util import run, wait_for

POLICY = """defaults:
  record: {redact: {output: true, patterns: ["[0-9]{4}-[0-9]{4}-[0-9]{4}"]}}
"""
SECRETS = ["hunter2hunter2", "s3cr3t-in-a-line", "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln",
           "1234-5678-9012", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj", "of-the-argv",
           "of-the-reason", "of-stderr"]
SCRIPT = """printf 'see %s\\r\\n' "$DB_PASSWORD"
printf 'API_TOKEN=s3cr3t-'; printf 'in-a-line\\n'
printf '\\033[1mid\\033[0m eyJhbGciOiJub25l'; printf 'In0.eyJhIjoxfQ.c2ln end\\n'
echo card 1234-5678-9012, on 2026-11-22
printf -- '-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\\n'
echo '-----END PRIVATE KEY-----'
echo 'password: of-stderr' >&2
printf '\\377\\000 nothing: to hide\\n'
printf hunter2hunt; sleep 0.2; printf er2"""


@pytest.fixture
def agent(make_agent):
    made = make_agent(start=False)
    (made.coral.config.parent / "policy.yaml").write_text(POLICY)
    made.start()
    return made


def kept(coral):
    """Every file of the agent's state: none has a secret in it."""
    for path in coral.state.rglob("*"):
        text = path.read_bytes() if path.is_file() else b""
        for secret in SECRETS:
            assert secret.encode() not in text, (path, secret)


def cast_of(coral):
    sid, = coral.session_dirs()
    return Cast(coral.state / "sessions" / sid / f"{sid}.cast")


def test_a_command(agent, box):
    done = agent.coral.run("exec", "-e", "DB_PASSWORD=hunter2hunter2", "--reason",
                           "asked with token=of-the-reason", "--pid", box.pid, "--", "bash", "-c",
                           SCRIPT, "--password=of-the-argv")
    assert done.code == 0, done
    for secret in SECRETS[:5]:
        assert secret.encode() in done.out, secret
    assert done.err == b"password: of-stderr\n" and done.out.endswith(b"hunter2hunter2")
    cast = cast_of(agent.coral)
    want = (b"see [redacted]\r\nAPI_TOKEN=[redacted]\n\033[1mid\033[0m [redacted] end\n"
            b"card [redacted], on 2026-11-22\n[redacted]\n[redacted]\n-----END PRIVATE KEY-----\n"
            b"\377\000 nothing: to hide\nhunter2hunt[redacted]")
    assert cast.exact() == want and cast.exact(2) == b"password: [redacted]\n"
    assert cast.coral["recorded"]["redacted"] == {"environ": 1, "patterns": 1}
    assert cast.coral["reason"] == "asked with token=[redacted]"
    assert cast.end["redacted"] == 8
    # The digest is of what is stored, and the chain over it holds.
    assert cast.end["stdout_sha256"] == hashlib.sha256(want).hexdigest()
    assert cast.end["stdout_bytes"] == len(want)
    assert agent.coral.run("audit verify", agent.coral.session_dirs()[0]).code == 0
    kept(agent.coral)


def test_off_by_default(make_agent, box):
    agent = make_agent()
    done = agent.coral.run("exec", "--pid", box.pid, "--", "echo", "PASSWORD=plain")
    assert done.out == b"PASSWORD=plain\n"
    cast = cast_of(agent.coral)
    assert cast.exact() == done.out and "redacted" not in cast.coral["recorded"]


def test_a_terminal_and_who_looks_on(agent, box):
    """Its owner sees the value; who watches, who comes later and the recording do not."""
    coral = agent.coral
    with Pty(coral.argv("shell", "-e", "DB_PASSWORD=hunter2hunter2", "--pid", box.pid),
             coral.env()) as owner:
        owner.expect(r"[#$] $")
        sid, = coral.session_dirs()
        with Pty(coral.argv("watch", sid), coral.env()) as looker:
            looker.expect(r"[#$] ")
            owner.send("echo got-$DB_PASSWORD-it\r")
            owner.expect("got-hunter2hunter2-it")
            looker.expect(r"got-\[redacted\]-it")
            owner.send("printf API_TOK''EN=; echo s3cr3t-in-a-line\r")
            owner.expect(r"\rAPI_TOKEN=s3cr3t-in-a-line")
            looker.expect(r"\rAPI_TOKEN=\[redacted\]\r")
            assert b"hunter2" not in looker.seen
        with Pty(coral.argv("watch", sid), coral.env()) as late:
            late.expect(r"got-\[redacted\]-it")
            late.expect(r"API_TOKEN=\[redacted\]")
        owner.send("exit\r")
        assert owner.wait() == 0, owner.seen
    cast = wait_for("the end", lambda: (c := cast_of(coral)).end and c)
    # What is typed is echoed as well, and only its own words are left.
    shown = cast.output()
    assert "got-[redacted]-it" in shown and "hunter2" not in shown
    assert re.search(r"\rAPI_TOKEN=\[redacted\]\r", shown), shown
    assert coral.run("audit verify", sid).code == 0
    assert "hunter2" not in json.dumps(cast.events)


def test_a_disk_that_is_full_for_a_while(make_agent, box):
    """What was held is neither lost nor there twice, in the recording and for its owner."""
    agent = make_agent(start=False)
    coral = agent.coral
    (coral.config.parent / "policy.yaml").write_text(POLICY)
    run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", coral.state])
    try:
        filler = coral.state / "filler"
        agent.start()
        proc = coral.popen("exec", "-e", "DB_PASSWORD=hunter2hunter2", "--pid", box.pid, "--",
                           "bash", "-c",
                           "echo up; read x; for i in {1..40000}; do echo $i hunter2hunter2 $i; done")
        assert proc.stdout.readline() == b"up\n"
        filler.write_bytes(bytes(3300 << 10))
        proc.stdin.write(b"go\n")
        proc.stdin.flush()
        said, _ = drain(proc.stderr)
        out = []
        reader = threading.Thread(target=lambda: out.append(proc.stdout.read()))
        reader.start()
        wait_for("the session to be held", lambda: b"is held until" in b"".join(said))
        filler.unlink()
        assert proc.wait(30) == 0, said
        reader.join(30)
        lines = [b"%d hunter2hunter2 %d" % (i, i) for i in range(1, 40001)]
        assert out[0].splitlines() == lines
        sid, = coral.session_dirs()
        cast = Cast(coral.state / "sessions" / sid / f"{sid}.cast")
        assert cast.exact().splitlines() == [b"up"] + [
            x.replace(b"hunter2hunter2", b"[redacted]") for x in lines]
        assert cast.end["redacted"] == 40000
        assert coral.run("audit verify", sid).code == 0
        proc.stdin.close()
        proc.stdout.close()
        agent.term()
    finally:
        run(["umount", "-l", coral.state], check=False)


@pytest.mark.parametrize("text,fact", [
    ("{output: true, patterns: ['(a)\\1']}", "refers back"),
    ("{patterns: [abc]}", "output: true"),
    ("{outputs: true}", "did you mean"),
])
def test_policies_that_would_not_redact(make_agent, text, fact):
    agent = make_agent(start=False)
    (agent.coral.config.parent / "policy.yaml").write_text(
        f"defaults:\n  record: {{redact: {text}}}\n")
    done = agent.coral.run("agent start", "--socket", agent.socket, timeout=15)
    assert done.code == 1 and fact in done.errtext and "why:" in done.errtext, done
