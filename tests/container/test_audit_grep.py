# SPDX-License-Identifier: GPL-3.0-or-later
"""coral audit grep: what was on a screen is found, in whatever pieces it came, and can be seen."""
import json
import re
import shlex

from house.casts import spell
from house.escapes import offences
from house.term import Pty
from house.util import wait_for


def grep(coral, *words):
    done = coral.run("audit grep", "-o", "json", *words)
    assert done.code in (0, 1), done
    return [json.loads(line) for line in done.text.splitlines()]


def test_a_shell_with_vi(agent, box, tmux):
    """Colours in a word, an editor, and what was gone before the end; each hit can be looked at."""
    term = tmux(agent.coral.argv("shell", "--pid", box.pid), agent.coral.env())
    term.wait_text(r"[#$] ?$")
    term.type(r"printf 'a se\033[31mcr\033[0met%s\n' -word")
    term.wait_text("a secret-word")
    term.type("vi /tmp/of-vi")
    term.wait_text("^~")
    term.type("iin the edit", enter=False)
    term.type("or", enter=False)
    term.wait_text("in the editor")
    term.keys("Escape")
    term.type(":q!")
    term.wait_text(r"[#$] ?$")
    term.type("clear; exit")
    wait_for("the end", lambda: agent.coral.sessions()[0]["state"] == "ended")
    sid = agent.coral.sessions()[0]["id"]

    hits = grep(agent.coral, "a secret-word")
    assert [(h["session_id"], h["line"], h["user"]) for h in hits] == [
        (sid, "a secret-word", "root")]
    hits += grep(agent.coral, "-E", "^in the [a-z]+$", sid)
    assert hits[-1]["line"] == "in the editor" and len(hits) == 2
    assert not grep(agent.coral, "A SECRET-word") and grep(agent.coral, "-i", "A SECRET-word")
    for hit in hits:
        words = shlex.split(hit["replay"])
        assert words[:2] == ["coral", "replay"] and words[2].startswith(sid + "@")
        player = tmux(agent.coral.argv("replay", *words[2:]), agent.coral.env())
        player.type(" ", enter=False)
        player.wait_text(re.escape(hit["line"][:9]))
        player.type("q", enter=False)
        assert player.wait_dead() == 0


def test_found_and_then_shown_whole(agent, box, tmp_path):
    """What the search left beside a recording does not hide how it ends: nor that it does not."""
    done = agent.coral.run("exec", "-tt", "--pid", box.pid, "--", "sh", "-c", "seq 1 9000; echo fin")
    assert done.code == 0
    sid = agent.coral.sessions()[0]["id"]
    cut = agent.coral.state / "sessions" / sid / "cut.cast"
    lines = agent.coral.cast_path(sid).read_bytes().splitlines(keepends=True)
    for path, ending in ((agent.coral.cast_path(sid), []), (cut, ["truncated"])):
        if ending:
            cut.write_bytes(b"".join(lines[:-3]))
        for _ in range(2):
            for form in ("svg", "txt"):
                shown = agent.coral.local("replay", "-o", tmp_path / f"x.{form}", f"{path}")
                assert shown.code == 0
                assert re.findall("truncated", shown.errtext) == ending, (form, shown)
            assert grep(agent.coral, "8999", str(path)), path


def test_without_a_terminal_and_filters(agent, box):
    for word in ("first", "second"):
        assert agent.coral.run("exec", "--pid", box.pid, "--", "sh", "-c",
                               f"echo {word} needle; echo other needle >&2").code == 0
    found = agent.coral.run("audit grep", "needle")
    assert found.code == 0
    lines = found.text.splitlines()
    assert [x.split("  ")[-1] for x in lines if "other" not in x] == [
        "first needle", "second needle"]
    assert len(lines) == 4
    last = grep(agent.coral, "--lines", 1, "needle")
    assert [h["session_id"] for h in last] == [agent.coral.sessions()[0]["id"]]
    assert grep(agent.coral, "--lines", 0, "needle") == []
    assert len(grep(agent.coral, "-u", "ro*", "--since", "1h", "needle")) == 4
    for none in (("-u", "alice"), ("-s", "no-such"), ("--until", "1h"), ("--since", "2200-01-01")):
        assert (none, grep(agent.coral, *none, "needle")) == (none, [])
    assert agent.coral.run("audit grep", "nowhere").code == 1
    wrong = agent.coral.run("audit grep", "-E", "(a)\\1")
    assert wrong.code == 2 and "refers back" in wrong.errtext


def test_hostile_and_damaged_files(coral, home):
    """Nothing of a recording reaches the terminal raw, and a bad file does not hide the next."""
    evil = "needle \x1b]0;evil\x07\x9b6n\u202e\x1b[31mend\r\n"
    good, bad = home / "a b.cast", home / "bad.cast"
    header = {"coral": {"user": {"name": "\x1b[31mx\u202e"}, "session_id": "$(x)"}}
    good.write_bytes(spell(header, [[0.5, "o", evil]]))
    bad.write_bytes(b'{"version":2,"width":80,"height":24}\n[1,"o","needle one"]\nnonsense\n')
    with Pty(coral.argv("audit grep", "needle", bad, good), coral.env()) as term:
        assert term.wait() == 1
        seen = term.seen
    assert not offences(seen.replace(b"\r\n", b"")), seen
    assert b"needle one" in seen and b"needle 6nend" in seen and b"line 3" in seen
    hit = grep(coral, "needle", good)[0]
    assert shlex.split(hit["replay"])[2] == f"{good}@0.5"


def test_a_text_is_found_as_it_was_written(coral, home):
    """Signs with selectors and joiners that no cell holds; and why nothing else can match a tab."""
    path = home / "signs.cast"
    people = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
    path.write_bytes(spell(None, [[0.5, "o", f"\u26a0\ufe0f  old\r\n{people} so\u00adft\ta\r\n"]]))
    for words in (["\u26a0\ufe0f"], ["\u26a0\ufe0f  old"], ["-E", "^\u26a0\ufe0f +old$"]):
        assert [h["line"] for h in grep(coral, *words, path)] == ["\u26a0  old"], words
    for words in ([people + " so"], [" soft"], [" so\u00adft"], ["-E", "so\u200bft +a$"]):
        assert len(grep(coral, *words, path)) == 1, words
    for words in (["soft\ta"], ["-E", "soft\ta"], ["\u200b"]):
        done = coral.run("audit grep", *words, path)
        assert done.code == 2 and "why:" in done.errtext and "try:" in done.errtext, done
