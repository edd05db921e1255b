# SPDX-License-Identifier: GPL-3.0-or-later
"""The player: keys and time in a real terminal, and nothing raw from a hostile file."""
import json
import os

import pytest

from house.casts import spell
from house.escapes import offences
from house.term import Pty, goldens
from house.util import wait_for

SLOW = [[n * 10.0, "o", f"mark {n:02d}\r\n"] for n in range(20)]

# What a recorded program might say to an auditor's terminal.
HOSTILE = {
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "clipboard-st": "\x1b]52;c;ZXZpbA==\x1b\\",
    "title": "\x1b]0;evil title\x07\x1b]2;evil\x1b\\",
    "title-report": "\x1b]0;touch /tmp/evil\x07\x1b[21t",
    "icon-stack": "\x1b[22;0t\x1b[23;0t",
    "device-attributes": "\x1b[c\x1b[>c\x1b[=c\x1bZ",
    "status-reports": "\x1b[5n\x1b[6n\x1b[?6n\x1b[?15n",
    "decrqss": "\x1bP$q\"p\x1b\\\x1bP+q544e\x1b\\",
    "decrqm": "\x1b[?2026$p\x1b[4$p",
    "answerback": "\x05",
    "window-ops": "\x1b[8;500;500t\x1b[3;0;0t\x1b[2t\x1b[14t\x1b[18t",
    "sixel": "\x1bPq#0;2;0;0;0#0~~@@vv@@~~@@~~$-\x1b\\",
    "kitty-graphics": "\x1b_Gf=24,s=10,v=10;AAAA\x1b\\",
    "iterm-file": "\x1b]1337;File=name=ZXZpbA==:AAAA\x07",
    "hyperlink": "\x1b]8;;http://evil.example/\x1b\\text\x1b]8;;\x1b\\",
    "notify": "\x1b]9;evil\x07\x1b]777;notify;evil;evil\x07",
    "palette": "\x1b]4;1;rgb:00/00/00\x07\x1b]10;?\x07\x1b]11;?\x07",
    "c1-csi": "\x9b31m\x9b6n",
    "c1-osc": "\x9d52;c;ZXZpbA==\x9c",
    "printer": "\x1b[5i evil \x1b[4i\x1b[i",
    "user-keys": "\x1bP0;1|17/65\x1b\\",
    "mouse": "\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1006h",
    "paste": "\x1b[200~rm -rf /\r\x1b[201~",
    "charset": "\x0e\x1b(0lqqk\x1b)0",
    "tmux-passthrough": "\x1bPtmux;\x1b\x1b]52;c;ZXZpbA==\x07\x1b\\",
    "screen-title": "\x1bkevil\x1b\\",
    "apc-pm-sos": "\x1b_evil\x1b\\\x1b^evil\x1b\\\x1bXevil\x1b\\",
    "reset": "\x1bc\x1b[!p\x1b#8",
    "repeat": "x\x1b[999999999b\x1b[b",
    "huge-moves": "\x1b[999999999;999999999H\x1b[999999999A\x1b[999999999L\x1b[999999999@",
    "many-parameters": "\x1b[" + ";".join(["1"] * 5000) + "m",
    "unfinished": "\x1b]52;c;" + "A" * 100000,
    "bidi": "\u202eevil\u202c\u2066x\u2069",
    "tags": "\U000e0041\U000e0042 \ufeff \u200b",
    "combining": "a" + "\u0301" * 5000,
    "nul-del": "a\x00b\x7fc\x1b\x1b\x18\x1a",
    "enquiry-kitty": "\x1b[?u\x1b[>1u\x1b[<u",
    "lone-wide": "\x1b[1;80H海\x1b[80G海",
}


def write(home, name, events, header=None, tail=b""):
    path = home / f"{name}.cast"
    path.write_bytes(spell(header, events, tail))
    return path


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_output_is_harmless(coral, home, name):
    """Played on a terminal, and every byte that reaches the terminal is on the strict list."""
    path = write(home, name, [[0.0, "o", "before "], [0.01, "o", HOSTILE[name]],
                              [0.02, "o", "\x1b\\\x18 after\r\n"], [0.05, "o", "end\r\n"]])
    with Pty(coral.argv("replay", path), coral.env()) as term:
        term.pump(1)
        wait_for("the player's last screen", lambda: term.pump(0.2) is False or
                 len(term.seen) > 1 << 22, 20)
        term.send("q")
        assert term.wait() == 0, "it crashed, or hung and was ended"
        seen = term.seen
    assert not offences(seen), offences(seen)[:5]
    assert b"evil" not in seen or name in ("bidi", "printer", "hyperlink", "screen-title")


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_output_as_text(coral, home, name):
    path = write(home, name, [[0.0, "o", HOSTILE[name]], [0.1, "o", "\x1b\\\x18\r\nend\r\n"]])
    done = coral.local("replay", path, "--format", "text")
    assert done.code == 0
    bad = [hex(ord(c)) for c in done.text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160]
    assert not bad, bad[:5]


def test_text_has_the_lines_that_were(coral, home):
    """A row that is full is a line, unless the terminal wrapped it: also when it left the screen."""
    full, long, narrow = f"{5:080d}", "w" * 70 + " and goes on", "n" * 60
    lines = [full, "NEXT", long, narrow, full] + [f"{n}" for n in range(30)] + [full, long, "x"]
    path = write(home, "lines", [[0.0, "o", "\r\n".join(lines) + "\r\n"], [1.0, "r", "60x24"]])
    done = coral.local("replay", path, "--format", "text")
    wide = [full, "NEXT", long, narrow, full, "0", "1"]
    assert done.code == 0 and done.text.splitlines()[:7] == wide, done
    path = write(home, "narrowed", [[0.0, "o", f"{full}\r\n{narrow}\r\nx\r\n"], [1.0, "r", "60x24"]])
    done = coral.local("replay", path, "--format", "text")
    assert done.text.splitlines() == [full[:60], narrow, "x"], done


@pytest.mark.parametrize("key", ["title", "command", "env", "coral"])
def test_hostile_header(coral, home, key):
    evil = "\x1b]0;evil\x07\x9d52;c;ZXZpbA==\x9c\r\n"
    value = {"SHELL": evil, "TERM": evil} if key == "env" else \
        {"user": evil, "target": evil, "command": [evil]} if key == "coral" else evil
    path = write(home, key, [[0.0, "o", "x"]], {key: value})
    with Pty(coral.argv("replay", path), coral.env()) as term:
        term.pump(1)
        term.send("q")
        assert term.wait() == 0
        assert not offences(term.seen), offences(term.seen)[:5]


def player(coral, tmux, path, *flags):
    return tmux(coral.argv("replay", *flags, path), coral.env())


def shown(term):
    """The newest mark on the screen."""
    marks = [line for line in term.screen().splitlines() if line.startswith("mark ")]
    return int(marks[-1].split()[1]) if marks else -1


def test_pause_step_speed_seek_quit(coral, home, tmux):
    term = player(coral, tmux, write(home, "slow", SLOW), "--speed", "20", "--idle", "0")
    wait_for("playing", lambda: shown(term) >= 2, 20)
    term.keys("Space")
    wait_for("a pause", lambda: (a := shown(term)) == shown(term) and a >= 2)
    at = shown(term)
    term.type(".", enter=False)
    wait_for("one step", lambda: shown(term) == at + 1)
    term.keys("Home")
    wait_for("the beginning", lambda: shown(term) <= 0)
    term.keys("End")
    wait_for("the end", lambda: shown(term) == 19)
    term.keys("Left")
    wait_for("back", lambda: shown(term) < 19)
    term.type("q", enter=False)
    assert term.wait_dead() == 0


def test_search_by_screen_text(coral, home, tmux):
    """readline asks for the words; the player goes to where they were on the screen."""
    term = player(coral, tmux, write(home, "slow", SLOW))
    term.wait_text("mark 00")
    term.type("/", enter=False)
    term.wait_text("^/$")
    term.type("mark 13", enter=False)
    term.wait_text("^/mark 13$")
    term.keys("Enter")
    wait_for("the place", lambda: shown(term) == 13)
    term.type("g", enter=False)
    term.wait_text("^go to:")
    term.type("1:0", enter=False)
    term.wait_text("^go to: 1:0$")
    term.keys("C-c")
    term.wait_text("^ pause 2:10")
    term.keys("Right")
    term.wait_text("^ pause 2:15")
    term.type("n", enter=False)
    term.wait_text("2:15.*not appear later")
    term.type("w", enter=False)
    term.wait_text("does not say when")
    term.type("q", enter=False)
    assert term.wait_dead() == 0


def test_markers_time_of_day_and_hidden_text(coral, home, tmux):
    """From marker to marker, both ways; coral's proof is none; what hides is said to be there."""
    own = [[72.0, "c", json.dumps({"attached": {"user": "eve"}})],
           [131.0, "m", "\x1b[31mchapter"]]
    path = write(home, "marked", sorted([*SLOW, *own, [155.0, "o", "\x1b[31;41mgone\x1b[m\r\n"]],
                                        key=lambda e: e[0]),
                 {"coral": {"version": 1, "clock": {"real_ns": 1795330647 * 10**9}}})
    proof = '[75.000000,"c","{\\"mark\\":{\\"n\\":1}}"]\n'
    lines = path.read_text().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines[1:], 1) if json.loads(line)[0] >= 75)
    path.write_text("".join([*lines[:at], proof, *lines[at:]]))
    term = player(coral, tmux, path)
    term.wait_text("mark 00")
    term.type("]", enter=False)
    term.wait_text(r"attached at 1:12\.0")
    assert shown(term) == 7
    term.type("]", enter=False)
    term.wait_text(r"\\x1b\[31mchapter at 2:11\.0")
    assert shown(term) == 13
    term.type("]", enter=False)
    term.wait_text(r"unseen by its colour at 2:35\.0")
    term.type("]", enter=False)
    term.wait_text("no more markers")
    term.type("[", enter=False)
    term.wait_text(r"chapter at 2:11\.0")
    term.type("[", enter=False)
    term.wait_text(r"attached at 1:12\.0")
    term.type("w", enter=False)
    term.wait_text("2026-11-22T06:58:39Z")
    term.type("g", enter=False)
    term.wait_text("^go to:")
    term.type("2:36")
    term.wait_text("hidden text is shown")
    assert "gone" in term.screen()
    term.type("?", enter=False)
    term.wait_text(r"next marker, previous\s*")
    term.type("q", enter=False)
    assert term.wait_dead() == 0


def test_commands_and_keys(coral, home, tmux):
    """From line to line that a shell was given, and what was typed, as of then."""
    path = write(home, "shell", [
        [0.0, "o", "$ "], [10.0, "i", "l<\x7fs"], [10.1, "o", "ls"], [12.0, "i", "\r"],
        [12.1, "o", "\r\nfile\r\n$ "], [70.0, "i", "id\x1b[A"], [70.1, "o", "id"],
        [72.0, "i", "\r"], [72.1, "o", "\r\nuid=0\r\n$ "]])
    term = player(coral, tmux, path, "--keys")
    term.wait_text(r"^ keys\s*$")
    term.type("}", enter=False)
    term.wait_text(r"\$ ls at 0:12\.0")
    term.wait_text("^ keys l<lt><BS>s<Enter>$")
    term.type("}", enter=False)
    term.wait_text(r"\$ id at 1:12\.0")
    term.wait_text("s<Enter>id<Up><Enter>$")
    term.type("}", enter=False)
    term.wait_text("no more commands")
    term.type("{", enter=False)
    term.wait_text(r"\$ ls at 0:12\.0")
    term.type("k", enter=False)
    wait_for("no keys", lambda: "<Enter>" not in term.screen())
    term.type("q", enter=False)
    assert term.wait_dead() == 0


def test_golden_screens(coral, home, tmux):
    """What each key shows: of a larger screen than the terminal's, with wide characters,
    and in a narrow one; what is said has room before what stands there always."""
    said = "id -u --with a-long-line of words"
    path = write(home, "golden", [
        [0.0, "o", "$ "], [10.0, "i", "l<\x7fs \u6d77"], [10.1, "o", "ls \u6d77"], [12.0, "i", "\r"],
        [12.1, "o", "\r\n\u6d77\u6d77 \x1b[1;31mred\x1b[m \x1b[44mblue\x1b[m\x1b[14;70H\u6d77\x1b[3;1H$ "],
        [70.0, "i", said + "\x1b[A"], [70.1, "o", said], [72.0, "i", "\r"],
        [72.1, "o", "\r\nuid=0 " + "x" * 69 + "\u6d77\r\n$ "], [100, "o", "\x1b[31;41mgone\x1b[m"],
        [131, "c", json.dumps({"attached": {"user": "eve"}})], [140, "o", "\x1b[H\x1b[2J"]],
        {"title": "a \u6d77 title", "width": 80, "height": 14,
         "coral": {"version": 1, "clock": {"real_ns": 1795330647 * 10**9}}})

    def steps(term, keys):
        for key in keys:
            if key in ("Left", "Right", "Home", "End", "Enter"):
                term.keys(key)
            elif key != "as it is":
                term.type(key, enter=False)
            yield key, term.screen

    tall = write(home, "tall", [
        [0.0, "o", "first\r\n"], [10.0, "o", "".join(f"line {n}\r\n" for n in range(2, 8)) + "$ "],
        [11.0, "i", "id\r"], [90.0, "o", "\x1b[H"]], {"width": 40, "height": 6})
    wide = ["as it is", "}", "w", "Right", "w", "k", "}", "]", "]", "[", "Right", "k", "]", "Left", "Home",
            "/", "uid", "Enter", "n", "N", "i", "?", "?", "?", "?", "End"]
    # The row of the cursor is seen in a terminal as large as the recording, too.
    full = ["as it is", "Right", "Right", "Right", "k", "k", "End"]
    for name, cols, rows, cast, keys in (("76", 76, 8, path, wide), ("full", 40, 6, tall, full), (
            "40", 40, 6, path, [key for key in wide if key not in "w?i"])):
        term = tmux(coral.argv("replay", cast), coral.env(), rows=rows, cols=cols)
        term.wait_text("^ play")
        term.keys("Space")
        term.wait_text("^ pause")
        term.keys("Home")
        goldens(f"player-{name}", steps(term, keys))
        term.type("q", enter=False)
        assert term.wait_dead() == 0


def test_what_is_hidden(coral, home, tmux):
    """It is a marker, it is said when it comes, and counted."""
    path = write(home, "hidden", [
        [0.0, "o", "plain "], [10.0, "o", "\x1b[8msecret\x1b[28m"], [40.0, "o", "gone\x1b[2J"],
        [60.0, "o", "\x1b[3J"], [80.0, "o", "\u202egnp.\u202c"],
        [100.0, "o", "\x1b[31;41mred\x1b[m"], [130.0, "o", "end"]])
    term = player(coral, tmux, path)
    for label, at in (("concealed text", "0:10"), ("wiped at once", "0:40"),
                      ("scrollback erased", "1:00"),
                      ("invisible marks", "1:20"),
                      ("unseen by its colour", "1:40")):
        term.type("]", enter=False)
        term.wait_text(rf"{label} at {at}\.0")
        assert at != "0:10" or "plain secret" in term.screen()
    term.type("g", enter=False)
    term.wait_text("^go to:")
    term.type("11")
    term.wait_text(r"0:11.*concealed text *$")
    term.type("q", enter=False)
    assert term.wait_dead() == 0
    assert coral.local("replay", "--format", "json", path).json()["hidden"] == {
        "concealed": 6, "same_colour": 3, "wiped_at_once": 4, "scrollback_erased": 1, "marks": 2}


def test_start_at_a_time(coral, home, tmux):
    path = write(home, "slow", SLOW)
    term = player(coral, tmux, f"{path}@1:05")
    term.wait_text("mark 06")
    assert shown(term) == 6
    term.type("q", enter=False)
    assert term.wait_dead() == 0
    # Version 3 has its length nowhere.
    three = home / "three.cast"
    three.write_text('{"version":3,"term":{"cols":80,"rows":24}}\n' + '[10.0,"o","mark\\r\\n"]\n' * 20)
    term = player(coral, tmux, f"{three}@100%")
    term.wait_text(r"^ end   3:20\.0 / 3:20\.0")
    term.type("q", enter=False)
    assert term.wait_dead() == 0
    term = player(coral, tmux, f"{three}@0%")
    term.wait_text(r"^ \S+ +0:0\d\.\d / 3:20\.0")
    term.type("q", enter=False)
    assert term.wait_dead() == 0


def test_idle_cap(coral, home):
    """Ten seconds of silence, capped: the end is there at once."""
    path = write(home, "idle", [[0, "o", "a\r\n"], [600, "o", "b\r\n"], [1200, "o", "c\r\n"]])
    with Pty(coral.argv("replay", "--idle", "100ms", path), coral.env()) as term:
        term.expect("c", 15)
        term.send("q")
        assert term.wait() == 0


def test_terminal_is_given_back(coral, home):
    path = write(home, "slow", SLOW)
    for last in ("q", "\x03"):
        with Pty(coral.argv("replay", path), coral.env()) as term:
            term.expect("mark")
            assert term.modes() != term.before
            term.send(last)
            term.wait()
            assert term.modes() == term.before


def test_what_terminal_it_is(coral, home):
    """No colours where there are none, and no drawing where none can be."""
    path = write(home, "red", [[0, "o", "\x1b[31mred\x1b[m"], [0.1, "o", " end"]])
    for name, colours in (("vt100", 0), ("xterm-256color", 1), ("unheard-of", 1)):
        with Pty(coral.argv("replay", path), {**coral.env(), "TERM": name}) as term:
            term.expect("end")
            assert (b"31m" in term.all) == colours, name
            term.send("q")
            assert term.wait() == 0
    with Pty(coral.argv("replay", path), {**coral.env(), "TERM": "dumb"}) as term:
        assert term.wait() == 1 and b"--format text" in term.seen and b"\x1b" not in term.seen


def test_tiny_and_huge_screens(coral, home):
    for cols, rows in ((1, 1), (2, 2), (500, 200), (100000, 100000), (0, 0), (-5, 3)):
        path = write(home, "size", [[0, "o", "海 text \x1b[5;5Hx\r\n"], [0.1, "r", "1x1"],
                                    [0.2, "o", "海海\r\n"], [0.3, "r", "bad"], [0.4, "o", "end"]],
                     {"width": cols, "height": rows})
        done = coral.local("replay", path, "--format", "text")
        assert done.code in (0, 1), done
        assert done.code >= 0, "died of a signal"


def test_formats_of_a_real_session(coral, box):
    coral.run("exec", "--pid", box.pid, "--", "sh", "-c", "echo visible; exit 4")
    sid = coral.newest_cast().stem
    assert "visible" in coral.run("replay", sid, "--format", "text").text
    done = coral.run("replay", sid, "--format", "json")
    assert done.code == 0 and "visible" in done.text
    assert isinstance(done.json(), dict)


def test_piped_output_is_text(coral, box):
    """Not a terminal: no player, no escapes."""
    coral.run("exec", "-tt", "--pid", box.pid, "--", "printf", "\\033[31mred\\033[m\\n")
    out = coral.run("replay", coral.newest_cast().stem).out
    assert b"red" in out and b"\x1b" not in out


def test_long_recording_needs_no_memory(coral, home):
    """100 MB of recording under 64 MiB of address space beyond the program's own."""
    path = home / "long.cast"
    line = json.dumps([0.0, "o", "x" * 1000 + "\r\n"]) + "\n"
    with open(path, "w", encoding="utf-8") as f:
        f.write(json.dumps({"version": 2, "width": 80, "height": 24}) + "\n")
        for _ in range(100):
            f.write(line * 1000)
    done = coral.local("replay", path, "--format", "json", prefix=["prlimit", "--data=100663296"],
                       timeout=120)
    assert done.code == 0 and len(done.out) > 90 << 20
    os.unlink(path)


BROKEN = {
    "empty": b"",
    "not-json": b"hello\n",
    "version": b'{"version": 9, "width": 80, "height": 24}\n',
    "no-size": b'{"version": 2}\n[0, "o", "x"]\n',
    "bad-event": b'{"version": 2, "width": 80, "height": 24}\n[0, "o", "x"]\n{"a": 1}\n[1, "o", "y"]\n',
    "wrong-types": b'{"version": 2, "width": "80", "height": 24}\n',
    "deep": b'{"version": 2, "width": 80, "height": 24}\n' + b"[" * 100000 + b"\n[1, \"o\", \"y\"]\n",
    "long-line": b'{"version": 2, "width": 80, "height": 24}\n[0, "o", "' + b"x" * (2 << 20) + b'"]\n',
    "binary": bytes(range(256)) * 50,
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_broken_files(coral, home, name):
    """An error of three parts that names the file; never a crash."""
    path = home / f"{name}.cast"
    path.write_bytes(BROKEN[name])
    done = coral.local("replay", path, "--format", "text")
    assert done.code == 1, done
    assert path.name in done.errtext and "why:" in done.errtext and "try:" in done.errtext


def test_what_has_no_end_is_no_source(coral, home):
    """Of a device not a byte is kept; of a pipe all is."""
    (home / "x.cast").symlink_to("/dev/zero")
    for words in (["replay", "--format", "text"], ["replay", "--format", "html"], ["audit verify"],
                  ["audit grep", "x"]):
        for spec in (home / "x.cast", "/dev/random"):
            done = coral.local(*words, spec)
            assert done.code == 1 and "neither a file nor a pipe" in done.errtext, (words, done)
            assert "try:" in done.errtext
    raw = spell(None, [[0.1, "o", "in a pipe\r\n"]])
    for spec in ("-", "/dev/stdin"):
        done = coral.local("replay", "--format", "text", spec, input=raw)
        assert done.code == 0 and "in a pipe" in done.text, done
