# SPDX-License-Identifier: GPL-3.0-or-later
"""What is typed unseen: nowhere in clear, sealed to the auditors, and opened by them alone."""
import json
import os
import pathlib
import re
import shutil
import signal
import termios

import pytest

from house.term import Pty
from house.unseal import decrypted, sealed_input
from house.util import wait_for

SECRET, LONG = "hunter2-swordfish", "correct-horse-" * 10
ASKS = ("stty -echo; printf 'pass'; printf 'word: '; read p; printf 'again: '; read q; stty echo; "
        "echo; echo got ${#p} and ${#q}; read r; echo then $r")


@pytest.fixture
def auditors(home, coral):
    """Two whose keys the policy has, and one it has not: their secret files, and the lines."""
    files, lines = {}, {}
    for name in ("alice", "bob", "carol"):
        files[name] = home / f"{name}.key"
        done = coral.local("keys create", "--auditor", name, "-o", files[name], "--no-passphrase")
        assert done.code == 0 and files[name].stat().st_mode & 0o777 == 0o600, done
        lines[name] = done.text.strip()
        assert lines[name] + "\n" == files[name].with_suffix(".key.pub").read_text()
    return files, lines


def policy(lines, *more):
    return "\n  ".join(["defaults:", "record:", "  auditors:",
                        *[f"    - {lines[n]}" for n in ("alice", "bob")],
                        *[f"  {m}" for m in more]]) + "\n"


def type_secrets(coral, box):
    argv = coral.argv("exec", "-t", "--pid", box.pid, "--", "sh", "-c", ASKS)
    with Pty(argv, coral.env()) as term:
        term.expect("password: ")
        term.send(SECRET[:7])
        term.send(SECRET[7:] + "\r")
        term.expect("again: ")
        term.send(LONG + "\r")
        term.expect(f"got {len(SECRET)} and {len(LONG)}")
        term.send("seen\r")
        term.expect("then seen")
        assert term.wait() == 0
    return coral.newest_cast()


def everything(coral):
    return b"".join(p.read_bytes() for p in coral.state.rglob("*") if p.is_file())


def kinds(path):
    lines = [json.loads(line) for line in path.read_bytes().splitlines()[1:]]
    return [(k, v) for _, code, data in lines if code == "c" for k, v in json.loads(data).items()]


def three_parts(done):
    return re.fullmatch(r"coral: .+\n  why: .+\n  try: .+\n", done.errtext)


def unseals(coral):
    log = coral.local("audit ls", "-o", "json").out.splitlines()
    return [r for r in map(json.loads, log) if r["event"] == "session.unseal"]


def test_sealed_to_the_auditors(make_agent, box, auditors):
    files, lines = auditors
    agent = make_agent(start=False)
    coral = agent.coral
    (coral.config.parent / "policy.yaml").write_text(policy(lines))
    agent.start()
    path = type_secrets(coral, box)
    for text in (SECRET, SECRET[7:], LONG[:14]):
        assert text.encode() not in everything(coral)
    boxes = [v["box"] for k, v in kinds(path) if k == "sealed"]
    assert len(boxes) == 2 and len(boxes[0]) == len(boxes[1])
    assert coral.local("audit verify", path).code == 0
    told = [SECRET + "\r", LONG + "\r"]
    for name in ("alice", "bob"):
        assert sealed_input(path.read_bytes(), files[name]) == [t.encode() for t in told]
    # From the store, by way of the agent, and of files by any name and of copies: the log has all.
    copy, link, twin = (coral.home / name for name in (path.name, "some.link", "twin"))
    copy.write_bytes(path.read_bytes())
    link.symlink_to(path)
    twin.hardlink_to(path)
    reads = ((path.stem,), ("--agent-addr", agent.socket, path.stem[:20]), (path,), (copy,), (link,),
             (twin,), ("-",))
    for flags in reads:
        done = coral.local("audit unseal", "--key", files["bob"], "-o", "json", *flags,
                           input=path.read_bytes())
        assert done.code == 0 and [row["text"] for row in done.json()] == told, done
        assert not done.err, done
    unsealed = unseals(coral)
    assert [(r["session_id"], r["user_id"]) for r in unsealed] == [(path.stem, "root")] * len(reads)
    assert {r["mode"] for r in unsealed} == {"unseal"}
    coral.extra["CORAL_STATE_DIR"] = str(coral.home / "elsewhere")  # as on an auditor's machine
    done = coral.local("audit unseal", "--key", files["bob"], "-o", "json", copy)
    assert done.code == 0 and "no audit log" in done.errtext, done
    del coral.extra["CORAL_STATE_DIR"]
    assert len(unseals(coral)) == len(reads)
    coral.extra["CORAL_AUDITOR_KEY"] = str(files["alice"])
    done = coral.local("audit unseal", path.stem)
    assert [line.split()[2:] for line in done.text.splitlines()] == [[t[:-1]] for t in told], done
    wrong(coral, path, files)
    # Under the name of another session it would be that one which the log has as opened.
    assert coral.run("exec", "--pid", box.pid, "--", "true").code == 0
    other, = set(coral.session_dirs()) - {path.stem}
    shutil.copyfile(path, coral.cast_path(other))
    done = coral.local("audit unseal", other)
    assert done.code == 1 and not done.out and three_parts(done), done
    assert f"is the recording of session {path.stem}" in done.errtext
    # What the log cannot be told does not happen.
    agent.term()
    audit = coral.state / "audit"
    audit.rename(coral.state / "away")
    audit.write_text("")
    for flags in ((path.stem,), (copy,), ("-",)):
        done = coral.local("audit unseal", *flags, input=path.read_bytes())
        assert done.code == 1 and not done.out and "audit log" in done.errtext, done


def wrong(coral, path, files):
    """Another's key, an altered box, one of elsewhere: three parts, and nothing is shown."""
    done = coral.local("audit unseal", "--key", files["carol"], path)
    assert done.code == 1 and not done.out, done
    assert "alice, bob" in done.errtext and "try: --key" in done.errtext, done
    done = coral.local("audit unseal", "--key", f"{files['alice']}.pub", path)
    assert done.code == 1 and three_parts(done) and "public half" in done.errtext, done
    assert done.errtext.endswith(f"secret half: {files['alice']}\n"), done
    data = path.read_bytes()
    one, two = (data.index(b'{\\"sealed\\"', data.index(b'{\\"sealed\\"') * i + i) for i in (0, 1))
    at = data.index(b'box\\":\\"', one) + 100
    end = [data.index(b"\n", n) for n in (one, two)]
    swapped = data[:one] + data[two:end[1]] + data[end[0]:two] + data[one:end[0]] + data[end[1]:]
    for bad in (data[:at] + bytes([data[at] ^ 1]) + data[at + 1:], swapped):
        copy = path.parent.parent.parent / "copy.cast"
        copy.write_bytes(bad)
        done = coral.local("audit unseal", copy)
        assert done.code == 1 and not done.out and "was altered" in done.errtext, done
        assert coral.local("audit verify", copy).code == 1


def test_masked_without_auditors(make_agent, box, auditors):
    """Where input is recorded, its place alone; with seal_input: false, too; and else nothing."""
    _, lines = auditors
    agent = make_agent(start=False)
    coral = agent.coral
    rules = coral.config.parent / "policy.yaml"
    rules.write_text(policy(lines, "seal_input: false", "input: true"))
    agent.start()
    path = type_secrets(coral, box)
    assert [v for k, v in kinds(path) if k in ("masked", "sealed")] == [{}, {}]
    assert SECRET.encode() not in everything(coral) and b'"i","seen' in path.read_bytes()
    done = coral.local("audit unseal", "--key", auditors[0]["alice"], path)
    assert done.code == 1 and "nothing in this recording is sealed" in done.errtext, done
    rules.write_text(policy(lines, "seal_input: yes please"))
    agent.proc.send_signal(1)
    wait_for("the refusal", lambda: "seal_input" in agent.log())


def test_keys_with_a_passphrase(coral, home):
    argv = [*coral.argv("keys create", "--auditor", "alice", "-o", home / "alice.key")]
    with Pty(argv, coral.env()) as term:
        for prompt in ("Passphrase", "The same again"):
            term.expect(prompt)
            term.send("open sesame\r")
        term.expect("coral-auditor-x25519 ")
        assert term.wait() == 0
    key = json.loads((home / "alice.key").read_text())
    assert "secret" not in key and key["kdf"] == "argon2id13"
    done = coral.local("keys create", "--auditor", "alice", "-o", home / "alice.key",
                       "--no-passphrase")
    assert done.code == 1 and "already" in done.errtext, done
    (home / "alice.key").rename(home / "away.key")  # its public half is still there
    done = coral.local("keys create", "--auditor", "alice", "-o", home / "alice.key")
    assert done.code == 1 and "alice.key.pub already" in done.errtext, done  # nobody was asked
    assert three_parts(done) and not (home / "alice.key").exists()
    (home / "away.key").rename(home / "alice.key")
    for flags in (("al ice",), ("x", "-o", "n" * 500), ("x", "--replace")):
        done = coral.local("keys create", "--no-passphrase", "--auditor", *flags)
        assert done.code == 2 and three_parts(done), done
    assert coral.local("keys create", "--auditor", "dora", "--no-passphrase").code == 0
    assert coral.local("keys list", "-o", "json").json()[0]["name"] == "auditor_dora"
    (coral.state / "keys" / "auditor_eve.pub").write_text("coral-auditor-x25519 eve\n")
    done = coral.local("keys list")
    assert done.code == 1 and three_parts(done), done
    (coral.state / "keys" / "auditor_eve.pub").unlink()
    line = coral.local("keys export", "auditor_dora").text
    assert line.startswith("coral-auditor-x25519 ") and line.endswith(" dora\n")
    (home / "x.cast").write_text('{"version":2,"width":80,"height":24}\n')
    argv = coral.argv("audit unseal", "--key", home / "alice.key", home / "x.cast")
    for word, said in (("wrong", "not the right one"), ("open sesame", "nothing in this")):
        with Pty(argv, coral.env()) as term:
            term.expect("Passphrase of ")
            term.send(word + "\r")
            assert term.wait() == 1 and said.encode() in term.seen, term.seen
            assert b"why: " in term.seen and b"try: " in term.seen, term.seen
            assert word.encode() not in term.seen


def test_the_passphrase_is_not_asked_for_long(coral, home):
    """What ends or stops the asking leaves the terminal as it was, and no key."""
    argv = coral.argv("keys create", "--auditor", "alice", "-o", home / "alice.key")
    # A shell of its own: where the session's leader ends, the terminal has no modes any more.
    script = 'trap : INT; "$@"; echo "status $?"; stty; read gone'
    with Pty(["sh", "-c", script, "sh", *argv], coral.env()) as term:
        term.expect("Passphrase")
        assert not term.modes()[3] & termios.ECHO
        term.send("half\x1a")  # nobody there to continue us: it asks again
        term.expect("Passphrase")
        term.send("half\x03")
        term.expect("status 130")
        assert term.modes() == term.before and b"half" not in term.all
    for again in ("other\r", "\x04", "x" * 1100 + "\r"):
        with Pty(argv, coral.env()) as term:
            for word in ("twice\r", again):
                term.expect("Passphrase|The same")
                term.send(word)
            assert term.wait() == 2 and b"why: " in term.seen and b"try: " in term.seen, term.seen
    for signum in (signal.SIGTERM, signal.SIGHUP):
        with Pty(["sh", "-c", script, "sh", *argv], coral.env()) as term:
            term.expect("Passphrase")
            term.send("twice\r")
            term.expect("The same")
            child = int(pathlib.Path(f"/proc/{term.proc.pid}/task/{term.proc.pid}/children")
                        .read_text())
            os.kill(child, signum)
            term.expect(f"status {128 + signum}")
            assert term.modes() == term.before
    done = coral.local("keys create", "--auditor", "alice", "-o", home / "alice.key")
    assert done.code == 2 and three_parts(done) and "--no-pass" in done.errtext, done
    assert not list(home.glob("alice*"))


def test_encrypted(make_agent, box, auditors):
    """Every reader needs a key; the agent needs none to list, and to paint a screen anew."""
    files, lines = auditors
    agent = make_agent(start=False)
    coral = agent.coral
    (coral.config.parent / "policy.yaml").write_text(policy(lines, "encrypt: true"))
    agent.start()
    argv = coral.argv("shell", "--pid", box.pid)
    with Pty(argv, coral.env()) as term:
        term.send("stty -echo; echo vis''ible; read p; stty echo; echo got ${#p}\r")
        term.expect("visible")
        term.send(SECRET + "\r")
        term.expect(f"got {len(SECRET)}")
        term.proc.kill()
    wait_for("the loss", lambda: coral.sessions()[0]["state"] == "detached")
    sid = coral.session_dirs()[-1]
    path = coral.state / "sessions" / sid / f"{sid}.cast.sealed"
    live, = coral.sessions()
    assert (live["id"], live["state"], live["user"]) == (sid, "detached", "root")
    with Pty(coral.argv("attach", sid), coral.env()) as term:
        term.expect(f"got {len(SECRET)}")  # painted from the recording
        term.send("exit 5\r")
        assert term.wait() == 5
    row, = coral.sessions()
    assert (row["state"], row["exit_code"], row["target"]) == ("ended", 5, "harbour"), row
    for text in (b"visible", SECRET.encode()):
        assert text not in everything(coral)
    plain, note = decrypted(path.read_bytes(), files["bob"])
    assert b"visible" in plain and note["exit_code"] == 5 and SECRET.encode() not in plain
    assert sealed_input(plain, files["bob"]) == [SECRET.encode() + b"\r"]
    copy = coral.home / "plain.cast"
    copy.write_bytes(plain)
    assert coral.local("audit verify", copy).code == 0
    readers = (("replay", "--format", "text", sid), ("audit grep", "visible", sid),
               ("audit verify", sid), ("audit verify", path), ("replay", "--format", "cast", path))
    for verb, *args in readers:
        done = coral.local(verb, *args)
        assert done.code == 1 and b"visible" not in done.out, done
        assert "alice, bob" in done.errtext and "try: --key" in done.errtext, done
        done = coral.local(verb, "--key", files["carol"], *args)
        assert done.code == 1 and "this key does not open" in done.errtext, done
        done = coral.local(verb, "--key", files["alice"], *args)
        assert done.code == 0 and (b"visible" in done.out or "verify" in verb), done
    bundle = coral.home / "bundle"
    assert coral.local("audit export", "--session", sid, "-d", bundle).code == 0
    done = coral.local("audit verify", "--key", bundle / "agent.pub", "--key", files["alice"],
                       bundle / "recordings")
    assert done.code == 0 and f"{path.name}\n  authentic: yes" in done.text, done
    done = coral.local("replay", "--follow", "--format", "text", "--key", files["bob"], sid)
    assert done.code == 0 and b"visible" in done.out, done
    coral.extra["CORAL_AUDITOR_KEY"] = str(files["bob"])
    told = len(unseals(coral))
    for flags in ((sid,), (path,), ("-",)):
        done = coral.local("audit unseal", *flags, input=path.read_bytes())
        assert done.text.split()[-1] == SECRET and not done.err, done
    assert [r["session_id"] for r in unseals(coral)[told:]] == [sid] * 3
    assert coral.local("audit verify", "--agent-addr", agent.socket, sid).code == 0
    assert coral.local("replay", "--format", "cast", path).out == plain
