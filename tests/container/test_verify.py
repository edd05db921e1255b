# SPDX-License-Identifier: GPL-3.0-or-later
"""What a recording proves: authentic and complete, each by itself; two verifiers, one of them not
ours, find the same in everything that is done to one."""
import json
import os
import re
import shutil
import signal
import stat

import pytest

from house.casts import Cast
from house.coral import Key, drain
from house.term import Pty
from house.util import run, wait_for
from house.verify import verify
from test_audit import events

OLD = (b'{"version":2,"width":80,"height":24,"coral":{"version":1}}\n[0.1,"o","x"]\n'
       b'[0.2,"c","{\\"end\\":{\\"exit_code\\":0}}"]\n')


def both(coral, path, *flags):
    """Our verdict on a file, and that the stranger's is the same."""
    done = coral.local("audit verify", *flags, path, "-o", "json")
    ours, theirs = done.json(), verify(path.read_bytes())
    bad = ours["bad"] and (ours["bad"]["line"], ours["bad"]["what"])
    assert (bad, ours["signed_lines"]) == (theirs.bad, theirs.signed_lines), (ours, theirs.bad)
    assert (done.code == 0) == (theirs.state == "sealed" and ours["authentic"])
    return done.code, ours


def marks(path):
    return path.read_bytes().count(b'"c","{\\"mark\\":')


@pytest.fixture
def several(agent, box):
    """A recording with marks in its midst: its command waits until each is written."""
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c",
                             "while read x; do echo got $x; printf 'bad \\377\\n' >&2; done")
    path = None
    for n in range(3):
        proc.stdin.write(b"%d\n" % n)
        proc.stdin.flush()
        assert proc.stdout.readline() == b"got %d\n" % n
        path = agent.coral.newest_cast()
        wait_for("a mark", lambda n=n: marks(path) >= n + 2)
    proc.communicate()
    assert proc.returncode == 0
    return path


def test_exec_is_authentic_and_complete(either, box):
    either.run("exec", "--pid", box.pid, "--", "cat", "/etc/rows")
    path = either.newest_cast()
    assert both(either, path)[0] == 0
    done = either.local("audit verify", path)
    assert re.search(r"authentic: yes, signed by SHA256:\S{43} \(agent_ed25519\)\n"
                     r"  complete: yes, sealed 20", done.text), done
    assert either.run("audit verify", path.stem).code == 0
    assert either.run("audit verify", path.stem[:24].upper()).code == 0
    assert either.run("sessions show", path.stem, "-o", "json").json()["sealed"] is True


def test_a_log_that_was_emptied(coral, box):
    """Recordings of which no record tells; and a verdict that cannot be written, whatever it is."""
    coral.run("exec", "--pid", box.pid, "--", "true")
    log = coral.state / "audit" / "audit.jsonl"
    whole = log.read_bytes()
    cut = coral.local("audit verify", "--log", "--head", "a" * 64)
    assert cut.code == 1 and "complete: no, it has its first record, of 20" in cut.text, cut
    log.write_bytes(whole + b"{")
    torn = coral.local("audit verify", "--log")
    assert torn.code == 3 and "complete: no, what is behind its last record is only" in torn.text
    os.truncate(log, 0)
    done = coral.local("audit verify", "--log")
    assert done.code == 3 and "complete: no, 1 recording is beside it" in done.text, done
    full = run(["sh", "-c", "\"$@\" >/dev/full", "sh", *coral.argv("audit verify", "--log")],
               check=False, env=coral.env())
    assert full.returncode == 1 and "cannot write the verdict" in full.stderr, full


def test_a_log_that_was_begun_anew(either, box):
    """What it says of itself is true, and it is silent of what was recorded before."""
    for word in ("one", "two"):
        assert either.run("exec", "--pid", box.pid, "--", "echo", word).code == 0
    wait_for("both ends", lambda: len(events(either, "session.end")) == 2)
    assert either.local("audit verify", "--log").code == 0
    (either.state / "audit" / "audit.jsonl").unlink()
    assert either.run("exec", "--pid", box.pid, "--", "echo", "three").code == 0
    done = either.local("audit verify", "--log")
    assert done.code == 3 and "authentic: yes" in done.text, done
    assert "complete: no, 2 recordings are beside it, and it has no record of them\n" in done.text
    for sid in either.session_dirs():
        assert either.local("sessions rm", sid).code == 0
    assert either.local("audit verify", "--log").code == 0


def test_without_output_too(agent, box):
    """--no-record leaves out the bytes, not the evidence."""
    agent.coral.run("exec", "--pid", box.pid, "--no-record", "--", "echo", "unseen")
    path = agent.coral.newest_cast()
    assert b"unseen\\n" not in path.read_bytes() and both(agent.coral, path)[0] == 0


def test_a_shell_that_was_left(agent, box):
    """Live, left and ended: never complete before its end, authentic all the time."""
    argv = agent.coral.argv("shell", "--pid", box.pid)
    with Pty(argv, agent.coral.env()) as term:
        term.send("echo mar''ked\r")
        term.expect("marked")
        path = agent.coral.newest_cast()
        wait_for("a mark", lambda: marks(path) > 1)
        code, ours = both(agent.coral, path)
        assert code == 3 and ours["authentic"] and not ours["complete"]
        term.send("\r~d")
        term.wait()
    wait_for("it to be left", lambda: agent.coral.sessions()[0]["state"] == "detached")
    code, ours = both(agent.coral, path)
    assert code == 3 and ours["authentic"]
    done = agent.coral.run("audit verify", path.stem)
    assert done.code == 3 and "no seal: it was cut, or the session goes on" in done.text
    agent.coral.run("kill", path.stem)
    wait_for("the end", lambda: agent.coral.sessions()[0]["state"] == "ended")
    assert both(agent.coral, path)[0] == 0
    assert Cast(path).own("detached")


def test_killed_keeper(agent, box):
    """What a crash leaves is authentic up to its last mark, and says what is not signed."""
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c",
                             "while :; do seq 1 1000; done")
    drain(proc.stderr)
    proc.stdout.read(2 << 20)
    path = agent.coral.newest_cast()
    wait_for("a mark", lambda: marks(path) > 1)
    os.kill(list(wait_for("the keeper", agent.keepers).values())[0], signal.SIGKILL)
    proc.stdout.read()
    proc.wait(15)
    proc.stdin.close()
    wait_for("no live session", lambda: not agent.coral.live())
    code, ours = both(agent.coral, path)
    assert code == 3 and ours["authentic"] and not ours["complete"] and not ours["ended"]
    left = ours["lines"] - ours["signed_lines"]
    assert ours["unsigned_events"] == left
    assert f"not yet signed: {left} event" in agent.coral.local("audit verify", path).text
    assert agent.coral.run("sessions show", path.stem, "-o", "json").json()["sealed"] is False


def damages(lines, i):
    """Every way to do harm to one line: a name, and the file's lines."""
    line, before, after = lines[i], lines[:i], lines[i + 1:]
    for name, at in (("first", 0), ("middle", len(line) // 2), ("last", len(line) - 2),
                     ("newline", len(line) - 1)):
        yield f"{name} flipped", [*before, line[:at] + bytes([line[at] ^ 4]) + line[at + 1:], *after]
    yield "dropped", before + after
    yield "doubled", [*before, line, line, *after]
    yield "inserted", [*before, b'[0.000001,"o","forged"]\n', line, *after]
    yield "shortened", [*before, line[:-5] + b"\n", *after]
    yield "emptied", [*before, b"\n", *after]
    yield "cut", [*before, line[:-5]]
    if after:
        yield "swapped", [*before, after[0], line, *after[1:]]
    yield "all before it", lines[i:]


def test_every_damage_to_every_line(several, agent):
    """Both verifiers name the same line, and it is the one that was damaged."""
    lines = several.read_bytes().splitlines(keepends=True)
    assert len(lines) > 15 and marks(several) >= 4
    top = agent.home / "damaged"
    top.mkdir()
    made = {}
    for i in range(len(lines)):
        for name, parts in damages(lines, i):
            path = top / f"{i:03}-{name.replace(' ', '-')}.cast"
            path.write_bytes(b"".join(parts))
            made[str(path)] = (i, name)
    done = agent.coral.local("audit verify", top, "-o", "json")
    assert done.code == 1
    rows = {row["file"]: row for row in done.json()}
    assert set(rows) == set(made)
    for path, (i, name) in made.items():
        ours, raw = rows[path], open(path, "rb").read()
        theirs = verify(raw)
        bad = ours["bad"] and (ours["bad"]["line"], ours["bad"]["what"])
        assert (bad, ours["signed_lines"]) == (theirs.bad, theirs.signed_lines), (i, name, bad)
        assert ours["complete"] is (name == "all before it" and i == 0), (i, name)
        last = i + 1 == len(lines)
        if name == "cut" or (last and name in ("dropped", "newline flipped")):
            assert ours["authentic"] is (i > 1), (i, name, ours)
            assert i <= 1 or ours["signed_bytes"] <= len(raw)
        elif name == "all before it":
            assert i == 0 or ours["bad"]["line"] == 1
        else:
            # A mark that ran into the line before it says no more of that line.
            want = {i + 1 + (name == "doubled")} | ({i + 2} if "newline" in name else set())
            assert ours["bad"]["line"] in want, (i, name, ours)
            assert not ours["authentic"]
        if ours["bad"]:
            whole = raw.splitlines(keepends=True)[:ours["bad"]["line"] - 1]
            assert ours["bad"]["byte"] == len(b"".join(whole)), (i, name)


def test_bytes_at_random(several, agent):
    """Any byte changed to any other is found, by both, in the same line."""
    raw = several.read_bytes()
    top = agent.home / "bytes"
    top.mkdir()
    for at in range(0, len(raw) - 1, max(1, len(raw) // 300)):
        new = bytes([(raw[at] * 7 + at) % 256])
        if new != raw[at:at + 1]:
            (top / f"{at}.cast").write_bytes(raw[:at] + new + raw[at + 1:])
    rows = agent.coral.local("audit verify", top, "-o", "json").json()
    assert len(rows) > 100
    for row in rows:
        at = int(row["file"].rpartition("/")[2].partition(".")[0])
        theirs = verify(open(row["file"], "rb").read())
        assert (row["bad"]["line"], row["bad"]["what"]) == theirs.bad, row
        assert row["bad"]["line"] - 1 - raw[:at].count(b"\n") in (0, 1), row


def test_rolled_back(several, agent):
    """An earlier state of the same recording is true, and never complete."""
    raw = several.read_bytes()
    for at in [m.end() for m in re.finditer(rb'"c","{\\"mark\\":.*\n', raw)]:
        several.write_bytes(raw[:at])
        code, ours = both(agent.coral, several)
        assert code == 3 and ours["unsigned_events"] == 0 and ours["signed_bytes"] == at
    several.write_bytes(raw)
    assert both(agent.coral, several)[0] == 0
    # Cut anywhere, both say the same of it: true up to its last whole mark, and no more.
    ends = [m.end() for m in re.finditer(rb'"c","{\\"(mark|seal)\\":.*\n', raw)]
    top = agent.home / "cuts"
    top.mkdir()
    for at in range(ends[0], len(raw), max(1, len(raw) // 400)):
        (top / f"{at}.cast").write_bytes(raw[:at])
    rows = agent.coral.local("audit verify", top, "-o", "json").json()
    assert len(rows) > 100
    for row in rows:
        at = int(row["file"].rpartition("/")[2].partition(".")[0])
        theirs = verify(raw[:at])
        assert (row["bad"], theirs.state) == (None, "open"), (at, row)
        assert row["signed_lines"] == theirs.signed_lines and not row["complete"], (at, row)
        assert row["signed_bytes"] == max(end for end in ends if end <= at), (at, row)


def test_another_sessions_recording(agent, box):
    """In another's place, or with another's certificate."""
    for _ in range(2):
        agent.coral.run("exec", "--pid", box.pid, "--", "echo", "one of two")
    one, two = (agent.coral.cast_path(s) for s in agent.coral.session_dirs())
    shutil.copyfile(one, two)
    done = agent.coral.local("audit verify", two)
    assert done.code == 1 and f"it is the recording of session {one.stem}" in done.text
    assert agent.coral.run("audit verify", two.stem).code == 1
    for words in ((), ("-o", agent.home / "two.cast"), ("--follow",)):
        done = agent.coral.run("replay", *words, two.stem)
        assert done.code == 0 and f"but that of {one.stem}:" in done.err.decode(), done
        assert not agent.coral.run("replay", *words, one.stem[:20].upper()).err
    with Pty(agent.coral.argv("replay", two.stem), agent.coral.env(), rows=24, cols=80) as term:
        term.expect(f"this is session {one.stem}, another one".encode())
        term.send(b"q")
        assert term.wait() == 0
    moved = agent.home / "moved.cast"
    moved.write_bytes(one.read_bytes().replace(one.stem.encode(), two.stem.encode(), 1))
    code, ours = both(agent.coral, moved)
    assert code == 1 and ours["bad"]["line"] == 1 and ours["key"] is None


def test_another_agents_key(agent, make_agent, box, home):
    """Who made it up with a key of his own is told from the agent."""
    agent.coral.run("exec", "--pid", box.pid, "--", "true")
    path = agent.coral.newest_cast()
    pub = home / "pub"
    pub.write_bytes(agent.coral.local("keys export").out)
    stranger = Key(home, "stranger")
    assert both(agent.coral, path, "--key", pub)[0] == 0
    assert both(agent.coral, path, "--key", pub.read_text())[0] == 0
    code, ours = both(agent.coral, path, "--key", stranger.path.with_suffix(".pub"))
    assert code == 1 and not ours["authentic"] and ours["complete"]
    both_keys = ("--key", stranger.public, "--key", pub)
    assert both(agent.coral, path, *both_keys)[0] == 0
    other = make_agent()
    code, ours = both(other.coral, path)
    assert code == 1 and "none of the keys to trust" in ours["authentic_why"]
    for bad in (home / "none", path, "ssh-rsa AAAA"):
        done = agent.coral.local("audit verify", "--key", bad, path)
        assert done.code == 1 and done.errtext.startswith("coral: cannot "), done


def test_without_evidence(coral, home):
    old = home / "old.cast"
    old.write_bytes(OLD)
    code, ours = both(coral, old)
    assert (code, ours["authentic"], ours["complete"]) == (1, False, True)
    assert "not signed" in coral.local("audit verify", old).text
    old.write_bytes(OLD + OLD.splitlines(keepends=True)[1])
    assert both(coral, old)[1]["bad"]["line"] == 4
    done = coral.local("audit verify", home / "absent.cast")
    assert done.code == 1 and done.errtext.startswith("coral: cannot open")
    done = coral.local("audit verify", home / "config")
    assert done.code == 1 and "no .cast file" in done.errtext
    deep = home / "top" / "1" / "2" / "3" / "4"  # the page: up to four levels down
    (deep / "5").mkdir(parents=True)
    for path in (deep / "x.cast", deep / "5" / "y.cast"):
        path.write_bytes(OLD)
    (home / "link").symlink_to(home / "top")
    for top in (home / "top", home / "link"):
        done = coral.local("audit verify", top, "-o", "json")
        assert [os.path.basename(r["file"]) for r in done.json()] == ["x.cast"]
    assert coral.local("audit verify").code == 2


def test_directories_and_pipes(agent, box):
    for word in ("one", "two", "three"):
        agent.coral.run("exec", "--pid", box.pid, "--", "echo", word)
    done = agent.coral.local("audit verify", agent.coral.state, "-o", "json")
    assert done.code == 0 and [r["session_id"] for r in done.json()] == agent.coral.session_dirs()
    path = agent.coral.newest_cast()
    raw = path.read_bytes()
    done = agent.coral.local("audit verify", "-", input=raw)
    assert done.code == 0 and done.text.startswith("(standard input)\n  authentic: yes")
    assert agent.coral.local("audit verify", "-", input=raw[:-1]).code == 3
    path.write_bytes(raw[:-1])
    assert agent.coral.local("audit verify", agent.coral.state).code == 3
    path.write_bytes(raw.replace(b'"c"', b'"d"', 1))
    assert agent.coral.local("audit verify", agent.coral.state).code == 1


def test_what_took_the_place_of_a_recording(agent, box):
    """What is no file is named, whoever looks; nobody waits for a FIFO's other end, or follows."""
    coral = agent.coral
    for word in ("one", "two", "three", "four"):
        coral.run("exec", "--pid", box.pid, "--", "echo", word)
    casts = [next((coral.state / "sessions" / sid).glob("*.cast*")) for sid in coral.session_dirs()]
    for path, put in zip(casts, (os.mkfifo, os.mkdir, lambda p: os.symlink(casts[3], p))):
        path.unlink()
        put(path)
    done = coral.local("audit verify", coral.state / "sessions")
    assert done.code == 1 and done.text.count("authentic: yes") == 1, done
    for asked in (done, coral.run("audit grep", "four")):
        assert asked.code == 1 and asked.errtext.count("not a regular file") == 3, asked
        assert all(p.parent.name in asked.errtext for p in casts[:3]), asked
        assert asked.errtext.count("try: ") == 3, asked
    assert "four" in asked.text


def test_keys(coral, home):
    assert coral.local("keys list").errtext == "coral: no keys\n"
    assert coral.local("keys export").code == 1
    made = coral.local("keys create")
    key = coral.state / "keys" / "agent_ed25519"
    assert made.code == 0 and str(key) in made.text
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    shown = run(["ssh-keygen", "-l", "-f", key]).stdout.split()
    assert shown[1] == made.text.split()[0]
    again = coral.local("keys create")
    assert again.code == 1 and "already" in again.errtext
    exported = coral.local("keys export").text
    assert exported.split()[:2] == run(["ssh-keygen", "-y", "-f", key]).stdout.split()[:2]
    assert coral.local("keys create", "--replace").code == 0
    rows = coral.local("keys list", "-o", "json").json()
    assert [r["in_force"] for r in rows] == [True, False]
    assert rows[1]["public_key"] in exported and rows[0]["public_key"] not in exported
    assert coral.local("keys export", rows[1]["name"]).text.split()[1] in exported
    assert coral.local("keys export", "nobody").code == 1


def test_a_key_that_was_replaced(coral, box):
    """Its recordings are verified as before."""
    coral.run("exec", "--pid", box.pid, "--", "true")
    old = coral.newest_cast()
    assert coral.local("keys create", "--replace").code == 0
    coral.run("exec", "--pid", box.pid, "--", "true")
    names = [coral.local("audit verify", p, "-o", "json").json() for p in (
        old, coral.newest_cast())]
    assert all(n["authentic"] for n in names) and names[1]["key_name"] == "agent_ed25519"
    assert names[0]["key_name"].startswith("agent_ed25519-20")


def test_a_key_that_others_may_read(coral, box):
    coral.local("keys create")
    key = coral.state / "keys" / "agent_ed25519"
    key.chmod(0o644)
    done = coral.run("exec", "--pid", box.pid, "--", "true")
    assert done.code == 125 and "evidence key" in done.errtext and "chmod 600" in done.errtext
    key.chmod(0o600)
    key.write_text("not a key\n")
    done = coral.run("exec", "--pid", box.pid, "--", "true")
    assert done.code == 125 and "cannot be used" in done.errtext
    assert not coral.session_dirs()


def test_what_the_page_says(several):
    """The header's evidence and a mark's keys, as coral-cast(5) lists them."""
    ev = Cast(several).coral["evidence"]
    assert list(ev) == ["hash", "signature", "session_key", "agent_key", "real_ns", "certificate"]
    for kind in ("mark", "seal"):
        for one in Cast(several).own(kind):
            assert list(one) == ["n", "lines", "bytes", "leaves", "chain", "real_ns", "signature"]
    assert json.loads(several.read_bytes().splitlines()[1])[1] == "c"
