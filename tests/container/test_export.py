# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings in the forms of others: each read by the tool it is for, and harmless in every one."""
import json
import os
import re
import stat
import struct
import subprocess
import xml.etree.ElementTree as ET
import zlib

import pytest

from house.casts import Cast, spell
from house.term import Pty, golden
from test_record import asciinema_cat
from test_replay import HOSTILE

NON_TEXT = "printf 'caf\\351 \\377|\\303\\251\\n'; echo to-error >&2; exit 3"


def write(home, name, events, header=None, tail=b""):
    path = home / f"{name}.cast"
    path.write_bytes(spell(header, events, tail))
    return path


def export(coral, path, target, *flags, code=0):
    done = coral.local("replay", *flags, "-o", target, path, timeout=120)
    assert done.code == code, done
    return target.read_bytes()


def events_of(coral, path):
    return coral.local("replay", "--format", "json", path).json()


def test_a_session_comes_out_as_it_is(coral, box, tmp_path):
    """The very file, by the session's id."""
    coral.run("exec", "--pid", box.pid, "--", "sh", "-c", NON_TEXT)
    cast = coral.newest_cast()
    assert export(coral, cast.stem, tmp_path / "copy.cast") == cast.read_bytes()
    assert stat.S_IMODE((tmp_path / "copy.cast").stat().st_mode) == 0o600


def test_version_3_and_back(coral, box, tmp_path):
    """Streams, exact bytes, sizes, facts and times are the same; so is the file when it is back."""
    coral.run("exec", "--pid", box.pid, "--", "sh", "-c", NON_TEXT)
    cast, three = coral.newest_cast(), tmp_path / "three.cast"
    text = export(coral, cast, three, "--format", "cast3")
    header = json.loads(text.partition(b"\n")[0])
    assert header["version"] == 3 and header["term"]["cols"] == 80
    assert "width" not in header and "evidence" not in header["coral"]
    was, now = events_of(coral, cast), events_of(coral, three)
    for kind in ("mark", "seal"):
        was["events"] = [e for e in was["events"] if e.get("name") != kind]
    assert now["events"] == was["events"] and now["end"] == was["end"]
    assert len(now["events"]) >= 2 and not now["truncated"]
    export(coral, three, tmp_path / "two.cast", "--format", "cast")
    back = Cast(tmp_path / "two.cast")
    assert back.exact(1) == Cast(cast).exact(1) and back.exact(2) == b"to-error\n"
    assert events_of(coral, tmp_path / "two.cast")["events"] == was["events"]


FOREIGN = [[0.5, "o", "one\r\n"], [0.75, "i", "typed"], [1.0, "m", "a chapter"], [1.25, "r", "100x30"],
           [2.123456789, "o", "caf\u00e9 \u20ac \U0001f600 \x1b[1mbold\x1b[m\x7f\u009b\r\n"],
           [3.0, "z", {"a": 1}], [60.0, "o", "last"]]


def test_files_of_others(coral, home, tmp_path):
    two = write(home, "foreign", FOREIGN, {"title": "t", "env": {"TERM": "xterm", "SHELL": "/bin/sh"}})
    export(coral, two, tmp_path / "three.cast", "--format", "cast3")
    lines = [json.loads(x) for x in (tmp_path / "three.cast").read_text().splitlines()]
    assert lines[0]["term"] == {"cols": 80, "rows": 24, "type": "xterm"}
    assert [e[1] for e in lines[1:]] == ["o", "i", "m", "r", "o", "o"]
    assert abs(sum(e[0] for e in lines[1:]) - 60) < 1e-6
    was = [e for e in events_of(coral, two)["events"] if e["type"] != "other"]
    assert events_of(coral, tmp_path / "three.cast")["events"] == was
    export(coral, tmp_path / "three.cast", tmp_path / "two.cast", "--format", "cast3")
    assert (tmp_path / "two.cast").read_bytes() == (tmp_path / "three.cast").read_bytes()
    export(coral, tmp_path / "three.cast", tmp_path / "back.cast")  # the suffix says version 2
    back = Cast(tmp_path / "back.cast")
    assert back.output() == "".join(e[2] for e in FOREIGN if e[1] == "o")
    assert asciinema_cat(tmp_path / "back.cast").decode() == back.output()
    assert back.header["env"] == {"TERM": "xterm", "SHELL": "/bin/sh"}


def test_a_copy_acts_on_no_terminal(coral, home, tmp_path):
    """What JSON lets stand raw is spelled out, and comments that nobody reads are left out."""
    path = home / "raw.cast"
    path.write_bytes(b'{"version": 3, "term": {"cols": 80, "rows": 24}, "title": "\x7f"}\n'
                     b'# \x1b]0;evil\x07 \xc2\x9d\n\t[0.5,\t"o", "a\x7f\xc2\x9b31m\xc2\xa0"]\r\n')
    text = export(coral, path, tmp_path / "out.cast", "--format", "cast3")
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|evil", text)
    assert events_of(coral, tmp_path / "out.cast")["events"] == events_of(coral, path)["events"]


def ttyrec(data):
    """(time, bytes) of each piece."""
    at, found = 0, []
    while at < len(data):
        sec, usec, n = struct.unpack_from("<III", data, at)
        found.append((sec + usec / 1e6, data[at + 12:at + 12 + n]))
        assert len(found[-1][1]) == n
        at += 12 + n
    return found


def test_ttyrec(coral, home, tmp_path):
    path = write(home, "film", FOREIGN, {"timestamp": 1700000000})
    film = ttyrec(export(coral, path, tmp_path / "raw.ttyrec", "--raw"))
    assert b"".join(p for _, p in film) == Cast(path).output().encode()
    assert [t for t, _ in film] == [1700000000.5, 1700000002.123456, 1700000060.0]
    export(coral, path, tmp_path / "film.ttyrec")
    with Pty(["/usr/bin/ttyplay", "-n", str(tmp_path / "film.ttyrec")], coral.env()) as term:
        assert term.wait() == 0
        assert b"one\r" in term.seen and b"last" in term.seen and b"\x1b[1mbold" in term.seen


def test_script(coral, home, tmp_path):
    path = write(home, "film", FOREIGN, {"timestamp": 1700000000})
    log = tmp_path / "film.typescript"
    export(coral, path, log, "--raw")
    assert log.read_bytes().startswith(b'Script started on 2023-11-14T22:13:20Z [COLUMNS="80" ')
    timing = (tmp_path / "film.typescript.timing").read_text().splitlines()
    assert [x.split()[0] for x in timing] == ["0.500000", "1.623456", "57.876544"]
    shown = subprocess.run(["/usr/bin/scriptreplay", "-t", f"{log}.timing", "-s", log, "-d", "1000"],
                           capture_output=True, timeout=60, check=True).stdout
    assert shown.rstrip(b"\n") == Cast(path).output().encode()


# All that a terminal may be sent: moves, erases, looks, margins, its own modes.
TAME = re.compile(r"[\x20-\x7e\u00a0-\ud7ff\ue000-\U0010ffff]|[\x08-\x0f]|\x1b[78=>DEHMc]|"
                  r"\x1b\[[0-9;:]*[@ABCDEFGHIJKLMPSTXZ`adefghjklmr]|\x1b\[\?[0-9]+[hlJK]|"
                  r"\x1b\[!p|\x1b\[[0-9;]*(?:\"q| [@A]|'[}~])|\x1b#8|\x1b[()*+][AB0]")


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_output_as_bytes(coral, home, tmp_path, name):
    path = write(home, name, [[0.0, "o", HOSTILE[name]], [0.1, "o", "\x1b\\\x18\r\nend\r\n"]])
    film = ttyrec(export(coral, path, tmp_path / "h.ttyrec"))
    export(coral, path, tmp_path / "h.typescript")
    text = b"".join(p for _, p in film).decode()
    assert "end" in text and not TAME.sub("", text), TAME.sub("", text)[:40]
    assert (tmp_path / "h.typescript").read_bytes().partition(b"\n")[2] == text.encode()


EVIL = ["</script><script>document.title='evil'</script>", "<img src=x onerror=\"document.title='evil'\">",
        "<!--<script>", "]]>&lt;&amp;'\"", "\u2028\u2029\\u003c/script>"]


def evil_cast(home, name="evil"):
    header = {"title": EVIL[0] + "\u202e", "width": 90, "height": 30, "timestamp": 1795330647,
              "coral": {"version": 1, "session_id": EVIL[1], "user": {"name": EVIL[0]}}}
    events = [[n / 10, "o", t + "\r\n"] for n, t in enumerate([*EVIL, *HOSTILE.values()])]
    events += [[8.0, "m", EVIL[1]], [8.5, "c", json.dumps({EVIL[0]: {}})], [9.0, "r", "65535x65535"],
               [9.5, "o", "huge"], [10.0, "r", "0x0"], [10.5, "r", "90x30"],
               [11.0, "o", "\x18\x1b\\\x1bc\x1b[30;40mhidden\x1b[m " + EVIL[0] + "\r\n"],
               [12.0, "c", json.dumps({"end": {"exit_code": 0}})]]
    return write(home, name, events, header)


def test_hostile_page_and_picture_are_ascii_without_markup(coral, home, tmp_path):
    page = export(coral, evil_cast(home), tmp_path / "evil.html")
    assert not re.search(rb"[^\n\t\x20-\x7e]", page)
    assert re.findall(rb"<script[^>]*>", page).count(b"<script>") == 1
    assert page.count(b"</script>") == page.count(b"<script") and b"<img" not in page
    assert page.count(b"<!--") == 0 and page.count(b"]]>") == 0
    svg = export(coral, evil_cast(home), tmp_path / "evil.svg")
    assert not re.search(rb"[^\n\x20-\x7e]", svg)
    tags = {el.tag.rpartition("}")[2] for el in ET.fromstring(svg).iter()}
    assert tags <= {"svg", "g", "rect", "text", "title"}
    text = "".join(el.text or "" for el in ET.fromstring(svg).iter() if el.tag.endswith("text"))
    assert "hidden" in text and "document.title" in text


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_picture(coral, home, tmp_path, name):
    path = write(home, name, [[0.0, "o", HOSTILE[name]], [0.1, "o", "\x1b\\\x18\r\nend\r\n"]])
    svg = export(coral, path, tmp_path / "h.svg")
    ET.fromstring(svg)
    assert not re.search(rb"[^\n\x20-\x7e]", svg)


def svg_rows(svg):
    rows = {}
    for el in ET.fromstring(svg).iter():
        if el.tag.endswith("text"):
            rows.setdefault(int(el.get("y")), []).append(el)
    return [rows[y] for y in sorted(rows)]


def test_picture_of_a_moment(coral, home, tmp_path):
    path = write(home, "film", [[n * 10.0, "o", f"mark {n:02d}\r\n"] for n in range(20)] + [
        [200.0, "o", "\x1b[1;31mred\x1b[m \u6d77 \x1b[7mturned\x1b[m \x1b[38;2;1;2;3;48;2;1;2;4mnear"]])
    for at, rows in (("35", 4), ("50%", 11), ("1:05", 7)):
        found = svg_rows(export(coral, f"{path}@{at}", tmp_path / "m.svg"))
        assert len(found) == rows and found[-1][0].text == f"mark {rows - 1:02d}"
    looks = {el.text: el for el in svg_rows(export(coral, path, tmp_path / "m.svg"))[-1]}
    assert looks["red"].get("font-weight") == "bold" and looks["red"].get("fill") == "#cd3131"
    assert looks["\u6d77"].get("textLength") == "18"
    text = "".join(el.text for row in svg_rows(export(coral, write(home, "blanks", [
        [0, "o", "a b  c      d\x1b[4m  \x1b[m|"]]), tmp_path / "m.svg")) for el in row)
    assert text == "a b\u00a0\u00a0cd\u00a0\u00a0|", "blanks that would be one are hard ones"
    assert looks["turned"].get("fill") == looks["near"].get("fill") == "#0f1419"


LOOKS = ("\x1b[1;31mred\x1b[m \x1b[44m    \x1b[m \u6d77| \u250c\u2500\u2510 \x1b[30;40mhidden\x1b[m "
         "\x1b[4;9mboth\x1b[m\r\n"
         "a  b <&\"'> \x1b[7mturned \x1b[m\x1b[38;5;208morange \x1b[48;2;0;95;0mgreen\x1b[m \x1b[3mitalic")


def test_golden_picture_and_page(coral, home, tmp_path):
    """Element by element, frame by frame: a change of either is seen in review."""
    path = write(home, "looks", [[0.5, "o", LOOKS], [0.51, "o", "!"], [2, "r", "40x3"], [3, "o", "\x1b[2J"]],
                 {"width": 44, "height": 4, "title": "looks", "timestamp": 1795330647})
    golden("looks-svg", lambda: export(coral, f"{path}@1", tmp_path / "looks.svg").decode())
    page = export(coral, path, tmp_path / "looks.html").decode()
    data = re.findall(r"<script type=.*?</script>\n", page, re.S)
    golden("looks-page", lambda: "".join(data).replace("[[", "[\n["))


def dots(png):
    """The rows of a png of ours, as (r, g, b) of each dot."""
    at, packed, (width, height) = 8, b"", struct.unpack_from(">II", png, 16)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    while at < len(png):
        n, kind = struct.unpack_from(">I4s", png, at)
        assert zlib.crc32(png[at + 4:at + 8 + n]) == struct.unpack_from(">I", png, at + 8 + n)[0]
        packed += png[at + 8:at + 8 + n] if kind == b"IDAT" else b""
        at += 12 + n
    assert kind == b"IEND"
    rows, raw, size = [], zlib.decompress(packed), 3 * width + 1
    assert len(raw) == size * height
    for y in range(height):
        line = raw[y * size + 1:(y + 1) * size]
        if raw[y * size] == 2:  # less the row above, of which ours are copies
            assert not any(line)
            rows.append(rows[-1])
        else:
            rows.append([tuple(line[x:x + 3]) for x in range(0, 3 * width, 3)])
    return rows


def test_picture_of_dots(coral, home, tmp_path):
    """Letters by the font, boxes for what it lacks, grounds to the edge of their cells."""
    path = write(home, "dots", [[0.0, "o", "A\x1b[41m \x1b[m\u2588\u6d77\x1b[30;40mx\x1b[m\x1b[9;20H"]],
                 {"width": 20, "height": 10})
    rows = dots(export(coral, path, tmp_path / "dots.png"))
    assert (len(rows[0]), len(rows)) == ((20 + 2) * 16, 10 * 32 + 32)
    ground, letter = (0x0f, 0x14, 0x19), (0xd8, 0xde, 0xe4)

    def cell(col):
        return [rows[16 + y][16 + 16 * col + x] for y in range(0, 32, 2) for x in range(0, 16, 2)]

    assert set(cell(0)) == {ground, letter} and 20 < cell(0).count(letter) < 50
    assert set(cell(1)) == {(0xcd, 0x31, 0x31)} and set(cell(2)) == {letter}
    assert cell(3).count(letter) == cell(4).count(letter) == 2 * 7 + 10
    assert (0xff, 0x5f, 0x5f) in cell(5), "what hides is framed"
    for name, size in (("huge", (65535, 65535)), ("none", (0, 0))):
        path = write(home, name, FOREIGN, {"width": size[0], "height": size[1]})
        assert dots(export(coral, path, tmp_path / f"{name}.png"))


USAGE = [(["-o", "x.odt"], "-o needs a format"), (["--format", "gif"], "there is no format gif"),
         (["--raw", "--format", "html"], "--raw is for"), (["--format", "script"], "needs a file"),
         (["--format", "script", "-o", "-"], "needs a file"), (["--raw"], "--raw is for")]


@pytest.mark.parametrize("flags,words", USAGE)
def test_wrong_usage(coral, home, flags, words):
    path = write(home, "film", FOREIGN)
    done = coral.local("replay", *flags, path)
    assert done.code == 2 and words in done.errtext and "try:" in done.errtext
    assert not done.out


def test_a_moment_of_a_whole_and_bytes_for_a_terminal(coral, home):
    path = write(home, "film", FOREIGN)
    done = coral.local("replay", "--format", "html", f"{path}@1")
    assert done.code == 2 and "svg" in done.errtext
    with Pty(coral.argv("replay", "--format", "ttyrec", path), coral.env()) as term:
        assert term.wait() == 2 and b"not for a terminal" in term.seen


def test_the_file_is_whole_or_as_it_was(coral, home, tmp_path):
    """Replaced at the end; nothing of what cannot be read; what comes before damage; the disk full."""
    film, broken, out = write(home, "film", FOREIGN), home / "broken.cast", tmp_path / "out.html"
    broken.write_text("no recording\n")
    out.write_text("the older one")
    assert export(coral, broken, out, code=1) == b"the older one"
    assert b"the older one" not in export(coral, film, out)
    damaged = write(home, "damaged", FOREIGN[:1], tail=b"{}\n")
    for form in ("html", "cast", "svg", "ttyrec", "typescript", "txt"):
        target = tmp_path / f"damaged.{form}"
        assert export(coral, damaged, target, code=1)
    assert "damaged" in (tmp_path / "damaged.html").read_text()
    for form in ("html", "text", "json"):
        done = coral.local("replay", "--format", form, "-o", "/dev/full", film)
        assert done.code == 1 and done.errtext.count("cannot write") == 1, done
    done = coral.local("replay", "-o", tmp_path / "nowhere" / "x.html", film)
    assert done.code == 1 and "cannot write" in done.errtext and "try:" in done.errtext
    done = coral.local("replay", "--format", "html", "-o", tmp_path, film)
    assert done.code == 1 and "why: it is a directory" in done.errtext, done
    done = coral.local("replay", "-o", tmp_path / "x.bad", film)
    assert done.code == 2 and " .png " in done.errtext, done
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["out.html", "damaged.typescript.timing",
         *[f"damaged.{f}" for f in ("html", "cast", "svg", "ttyrec", "typescript", "txt")]])


def test_a_recording_of_nothing(coral, home, tmp_path):
    """One without output takes the place of the older file as any other; an empty file is none."""
    nothing, empty = write(home, "nothing", []), home / "empty.cast"
    empty.write_bytes(b"")
    for form in ("txt", "json", "cast", "html", "svg", "png", "ttyrec", "typescript"):
        out, raw = tmp_path / f"x.{form}", ["--raw"] * (form in ("ttyrec", "typescript"))
        for target in (out, tmp_path / f"x.{form}.timing")[:1 + (form == "typescript")]:
            target.write_text("the older one")
        done = coral.local("replay", "-o", out, empty)
        assert done.code == 1 and "why: the file is empty" in done.errtext, done
        assert "was printed" not in done.errtext and out.read_text() == "the older one"
        assert b"the older one" not in export(coral, nothing, out, *raw)
    assert (tmp_path / "x.typescript.timing").read_text() == ""


def test_truncated_is_said(coral, box, tmp_path):
    coral.run("exec", "--pid", box.pid, "--", "seq", "1000")
    cut = tmp_path / "cut.cast"
    cut.write_bytes(coral.newest_cast().read_bytes()[:-40])
    for form in ("cast", "html", "svg", "png", "ttyrec"):
        done = coral.local("replay", "-o", tmp_path / f"out.{form}", cut)
        assert done.code == 0 and "is truncated" in done.errtext, (form, done)
    assert '"truncated":true' in (tmp_path / "out.html").read_text()


@pytest.fixture(name="long_cast", scope="module")
def long_cast_fixture(tmp_path_factory):
    """200 MB: an hour of colours, scrolling and redrawing."""
    path = tmp_path_factory.mktemp("long") / "long.cast"
    text = "".join(f"\x1b[3{n % 8}m{n:05d} {'x' * 60}\x1b[m\r\n" for n in range(40)) + "\x1b[H"
    with open(path, "w", encoding="utf-8") as f:
        f.write(json.dumps({"version": 2, "width": 80, "height": 24}) + "\n")
        line = json.dumps(text)[:-1]
        for n in range(200 * (1 << 20) // len(line)):
            f.write(f'[{n * 0.06:.6f}, "o", {line}at {n:08d}"]\n')
    assert path.stat().st_size > 195 << 20
    yield path
    os.unlink(path)


PEAK = """import os, sys
_, status, used = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)
print(used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))"""


@pytest.mark.parametrize("form", ["cast", "cast3", "html", "svg", "png", "ttyrec", "script"])
def test_long_recording_needs_no_memory(coral, long_cast, tmp_path, form):
    """What stays in memory does not grow with the file: a screen, and 32 MB of key frames at most."""
    out = tmp_path / "out"
    # What a child used counts from the fork on: that of a small process, not of this one.
    done = coral.local("replay", "--format", form, "-o", out, long_cast, timeout=300,
                       prefix=["/usr/bin/python3", "-S", "-c", PEAK])
    assert done.code == 0, done
    assert out.stat().st_size > (1000 if form in ("svg", "png") else 4 << 20)
    assert int(done.text) < (96 if form in ("svg", "png") else 40) << 10, f"{done.text} KiB"
    for part in tmp_path.iterdir():
        part.unlink()
