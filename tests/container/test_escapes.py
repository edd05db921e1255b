# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hostile container says to the terminals of those who look: every class of sequence that a
terminal acts on, on every way on which text of a container comes to one.  What arrives must be on
the strict list (house/escapes.py)."""
import base64
import re

import pytest

from house.casts import spell
from house.escapes import ALLOWED, SCREEN, offences
from house.term import Pty
from house.util import wait_for
from test_audit import events
from test_door import begin, finish
from test_replay import HOSTILE

# Without what is there to be large: one session says it all.
SAID = {name: text[:2000] for name, text in HOSTILE.items()}
SPEAK = 'stty -echo; echo up; while read -r n b; do printf %s "$b" | base64 -d; echo "said $n"; done'
OVER = "XQZ-over-ZQX"
NAMES = "".join(t for n, t in sorted(HOSTILE.items()) if n in (
    "clipboard", "title", "c1-osc", "status-reports", "bidi", "hyperlink", "notify", "nul-del")
    ).replace("\0", "")


def say_all(proc):
    """In the session: everything in turn, each followed by what ends a string."""
    for name, text in SAID.items():
        data = base64.b64encode(text.encode("latin-1" if name.startswith("c1") else "utf-8") +
                                b"\x1b\\\x18\r\n").decode()
        proc.stdin.write(f"{name} {data}\n".encode())
    last = base64.b64encode(f"\x1b[!p\x1b(B\x0f\x1b[20;40H{OVER}\r\n".encode()).decode()
    proc.stdin.write(f"all {last}\n".encode())
    proc.stdin.flush()


def clean(seen, what, allowed=ALLOWED):
    found = offences(seen, allowed)
    assert not found, (what, found[:5])


def harmless_on(coral, words, expect=None, codes=(0,)):
    """Printed on a terminal."""
    verb, *rest = words
    with Pty(coral.argv(verb, *rest), coral.env(), rows=50, cols=200) as term:
        code = term.wait()
        assert code in codes, (words, term.seen)
        assert expect is None or re.search(expect, term.seen), (words, term.seen)
        clean(term.seen, words)


@pytest.fixture
def evil_box(make_box):
    """Names of a container's own choosing: its service, its host, its command."""
    def edit(config, _root):
        config["process"]["env"].append(f"SERVICE_NAME={NAMES}")
        config["process"]["args"] = ["/bin/sh", "-c", "while sleep 1000; do :; done", NAMES]
    return make_box("evil", edit=edit)


def test_names_in_lists_logs_and_errors(agent, evil_box, tmp_path):
    """Commands, reasons, services and paths, as tables and as what went wrong."""
    coral = agent.coral
    done = coral.run("exec", "--reason", f"because {NAMES}", "--pid", evil_box.pid, "--", "sh", "-c",
                     "exit 3", NAMES)
    assert done.code == 3, done
    sid = coral.session_dirs()[0]
    for words, code, expect in [
            (["ps"], 0, None), (["ps", "-o", "wide"], None, None),
            (["sessions ls"], 0, sid[:8].encode()), (["sessions show", sid], 0, sid.encode()),
            (["audit ls"], 0, b"exec"), (["audit show", sid], 0, b"because"),
            (["audit verify", sid], None, None),
            (["exec", "--service", NAMES, "--", "true"], 125, b"why:"),
            (["exec", "--pid", evil_box.pid, "--", f"/{NAMES}"], 127, b"why:"),
            (["exec", "-w", f"/{NAMES}", "--pid", evil_box.pid, "--", "true"], None, b"why:"),
            (["exec", "-u", NAMES, "--pid", evil_box.pid, "--", "true"], None, b"why:"),
            (["replay", tmp_path / f"{NAMES.replace('/', '')}.cast"], 1, b"why:"),
            (["watch", NAMES], None, b"why:"), (["kill", NAMES], 1, b"why:"),
            (["audit grep", NAMES], 2, b"why:"), (["nonsense" + NAMES], 2, b"try:"),
            (["audit ls", "-u", NAMES], 0, None)]:
        harmless_on(coral, words, expect, range(256) if code is None else (code,))


def test_what_a_session_says(agent, box, home):
    """Live and afterwards: watch, follow, replay, text, grep, html."""
    coral = agent.coral
    proc, sid, _ = begin(agent, box, SPEAK, "-tt")
    with Pty(coral.argv("watch", sid), coral.env()) as watch, \
            Pty(coral.argv("replay", "-f", sid), coral.env()) as follow, \
            Pty(coral.argv("replay", "-f", "--format", "text", sid), coral.env()) as text:
        watch.expect("up")
        lookers = (watch, follow, text)
        wait_for("the watcher", lambda: len(events(coral, "session.watch")) == 1)
        say_all(proc)
        for term in lookers:
            def all_said(term=term):
                while term.pump(0):
                    pass
                return OVER.encode() in term.seen
            wait_for("all of it", all_said, 30)
        # And painted anew for who comes late.
        with Pty(coral.argv("watch", sid), coral.env()) as late:
            late.expect(OVER)
        assert coral.run("kill", sid).code == 0
        for term in (watch, text):
            term.wait()
        follow.expect("has ended")
        follow.send("q")
        assert follow.wait() == 0
        for name, term, allowed in (("watch", watch, SCREEN), ("watch, late", late, SCREEN),
                                    ("follow", follow, ALLOWED), ("as text", text, ALLOWED)):
            clean(term.all, name, allowed)
            assert b"evil.example" not in term.all, name
    finish(proc)
    proc.stderr.close()
    harmless_on(coral, ["replay", "--format", "text", sid], OVER.encode())
    harmless_on(coral, ["audit grep", OVER, sid], OVER.encode())
    page = coral.run("replay", "--format", "html", sid).out
    assert page.isascii() and b"evil.example" not in page
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", page)


def test_the_suite_can_fail(home):
    """The strict list refuses each class as it is sent."""
    tame = {"tags", "bidi", "combining", "lone-wide", "charset", "reset", "repeat", "huge-moves"}
    tame |= {"many-parameters", "c1-csi", "c1-osc"}  # as UTF-8 has them, and cut short
    for allowed in (ALLOWED, SCREEN):
        passed = {n for n, t in HOSTILE.items() if not offences(t.encode(), allowed)}
        assert passed <= tame, passed - tame
