# SPDX-License-Identifier: GPL-3.0-or-later
"""The exported page in a real browser: its player, its keys, and a hostile recording in it."""
import subprocess

import pytest

from house.browser import FLAGS, Browser
from house.casts import spell
from house.util import wait_for
from test_export import evil_cast, export, write

# What the page shows.
ROWS = "[...document.querySelectorAll('#screen > div')].map(d => d.innerText)"
CLOCK = "document.getElementById('clock').value"


@pytest.fixture(name="browser", scope="module")
def browser_fixture():
    made = Browser()
    yield made
    made.close()


class Page:
    def __init__(self, browser, path, fragment=""):
        self.browser = browser
        browser.open(f"file://{path}{fragment}")

    def rows(self):
        return [r.replace("\u00a0", " ").rstrip() for r in self.browser.js(ROWS)]

    def last(self):
        """The newest line on the screen."""
        return ([r for r in self.rows() if r] or [""])[-1]

    def value(self, name):
        return self.browser.js(f"document.getElementById('{name}').value")

    def text(self, name):
        return self.browser.js(f"document.getElementById('{name}').textContent")

    def now(self):
        minutes, _, seconds = self.value("clock").partition(" / ")[0].partition(":")
        return int(minutes) * 60 + float(seconds)

    def press(self, key, shift=False):
        self.browser.press(key, shift)


FILM = [[n * 10.0, "o", f"mark {n:02d}\r\n"] for n in range(20)]


@pytest.fixture(name="film")
def film_fixture(coral, home, tmp_path):
    path = write(home, "film", [*FILM[:8], [72.0, "m", "a chapter"], *FILM[8:]],
                 {"timestamp": 1795330647, "title": "a film"})
    export(coral, path, tmp_path / "film.html")
    return tmp_path / "film.html"


def test_keys(browser, film):
    page = Page(browser, film)
    assert page.text("title") == "a film" == browser.js("document.title")
    assert page.last() == "mark 00" and page.value("clock") == "0:00.0 / 3:10.0"
    assert page.value("wall") == "2026-11-22 06:57:27 UTC"
    for key, shift, last in (("ArrowRight", False, "mark 00"), ("ArrowRight", False, "mark 01"),
                             ("ArrowRight", True, "mark 07"), ("ArrowLeft", False, "mark 06"),
                             (".", False, "mark 07"), (".", False, "mark 08"), (",", False, "mark 07"),
                             ("$", False, "mark 19"), ("0", False, "mark 00"),
                             ("]", False, "mark 07"), ("]", False, "mark 07")):
        page.press(key, shift)
        assert page.last() == last, key
    assert page.now() == 72 and page.value("wall") == "2026-11-22 06:58:39 UTC"
    page.press("w")
    assert page.value("wall") == ""
    page.press("g")
    browser.type("1:05")
    page.press("Enter")
    assert page.last() == "mark 06" and page.now() == 65
    assert not browser.complaints()


def test_playing(browser, film):
    """It plays at a speed, cuts pauses or does not, pauses, and ends."""
    page = Page(browser, film)
    page.press("i")
    for _ in range(4):
        page.press("+")
    assert page.value("speed") == "16\u00d7"
    page.press(" ")
    assert page.text("play") == "Pause"
    wait_for("ten seconds of the film", lambda: page.now() >= 10, 60)
    page.press(" ")
    at = page.now()
    assert page.text("play") == "Play" and page.last() == f"mark {int(at // 10):02d}"
    assert page.now() == at
    page.press("i")
    page.press(" ")
    wait_for("the end", lambda: page.text("play") == "Play" and page.now() == 190, 120)
    assert page.last() == "mark 19"
    page.press(" ")
    wait_for("the beginning again", lambda: page.now() < 190)
    page.press(" ")
    browser.js("document.getElementById('play').focus()")
    page.press(" ")
    assert page.text("play") == "Pause", "a button that has the focus is pressed once"
    assert not browser.complaints()


def test_search(browser, film):
    page = Page(browser, film)
    page.press("/")
    browser.type("mark 13")
    page.press("Enter")
    wait_for("the place", lambda: page.last() == "mark 13" and page.now() == 130)
    page.press("n")
    wait_for("no more", lambda: page.value("said") == "not found")
    browser.js("document.getElementById('find').value = 'mark 0'")
    page.press("N")
    wait_for("the one before", lambda: page.now() == 90)
    page.press("N")
    wait_for("the one before that", lambda: page.now() == 80)


def test_many_chunks(coral, home, tmp_path, browser):
    """A page of several MB: any moment of it, both ways, and what stands is what stood."""
    path = write(home, "many", [[n / 10, "o", "".join(
        f"\x1b[{row};1H\x1b[K\x1b[3{(n + row) % 8}m{n:05d} {'x' * 60}" for row in range(1, 24))
        + ("needle" if n in (7, 4000) else "")] for n in range(5000)])
    page = export(coral, path, tmp_path / "many.html")
    assert page.count(b'class="frames"') > 5
    page = Page(browser, tmp_path / "many.html")
    for t in (499.9, 0, 250, 249.9, 123.4, 400, 10):
        browser.js(f"location.hash = '#t={t}'")
        wait_for("the moment", lambda t=t: page.rows()[0].startswith(f"{round(t * 10):05d}"))
        assert page.rows()[22].startswith(f"{round(t * 10):05d}")
    browser.js("document.getElementById('find').value = 'needle'")
    page.press("n")
    wait_for("found in another chunk", lambda: page.now() == 400)
    page.press("N")
    wait_for("and back", lambda: page.now() == 0.7)
    assert not browser.complaints()


def test_looks(coral, home, tmp_path, browser):
    """Colours and cells are where they were: a picture whose pixels say so."""
    path = write(home, "looks", [[0, "o", "\x1b[1;31mred\x1b[m \x1b[44m    \x1b[m\r\n"
                                  "\u6d77\u6d77|\r\nabcd|\r\n"
                                  "\x1b[30;40mhidden\x1b[m \x1b[4;9mboth\x1b[m"]])
    export(coral, path, tmp_path / "looks.html")
    page = Page(browser, tmp_path / "looks.html")
    assert page.rows()[:4] == ["red", "\u6d77\u6d77|", "abcd|", "hidden both"]
    ends = [browser.js("(d => d.lastChild.getBoundingClientRect().right - d.getBoundingClientRect().left)"
                       f"(document.querySelectorAll('#screen > div')[{n}])") for n in (1, 2)]
    assert abs(ends[0] - ends[1]) < 1.5, ends
    style = "getComputedStyle(document.querySelector('#screen > div:first-child span{}')).{}"
    assert browser.js(style.format("", "color")) == "rgb(205, 49, 49)"
    assert browser.js(style.format(":last-child", "backgroundColor")) == "rgb(36, 114, 200)"
    assert browser.js("document.querySelector('.r').textContent") == "hidden"
    picture = browser.screenshot()
    assert picture.startswith(b"\x89PNG") and len(picture) > 5000


HIDDEN = [[0.0, "o", "plain "], [10.0, "o", "\x1b[8msecret\x1b[28m"], [20.0, "m", "a chapter"],
          [40.0, "o", "gone\x1b[2J"], [60.0, "o", "\x1b[3J"], [80.0, "o", "\u202egnp.\u202c"],
          [100.0, "o", "\x1b[31;41mred\x1b[m"], [130.0, "o", "\x1b[H\x1b[2Jend"]]
FLAGS_OF = {10: "concealed text", 40: "wiped at once", 60: "scrollback erased", 80: "invisible marks",
            100: "unseen by its colour"}


def test_what_is_hidden(coral, home, tmp_path, browser):
    """In the words of the player on a terminal: markers of another look, a list, and said when it comes."""
    path = write(home, "hidden", HIDDEN)
    export(coral, path, tmp_path / "hidden.html")
    page = Page(browser, tmp_path / "hidden.html")
    assert page.value("flag") == "" and page.text("markers") == "Markers: 6, hidden: 5"
    ticks = browser.js("[...document.querySelectorAll('#ticks i')]"
                       ".map(i => i.className + parseInt(i.style.left))")
    assert ticks == ["hides7", "15", "hides30", "hides46", "hides61", "hides76"]
    for at, label in FLAGS_OF.items():
        while page.now() < at:
            page.press("]")
        framed = "hidden text is in a dashed frame, " if at == 100 else ""
        assert (page.now(), page.value("said"), page.value("flag")) == (at, label, framed + label)
        browser.js(f"location.hash = '#t={at + 3.5}'")
        wait_for("a while after", lambda at=at: page.now() == at + 3.5)
        assert page.value("flag") == framed[:-2]
    assert page.rows()[0] == " " * 16 + "gnp.red"
    browser.js("document.getElementById('markers').click()")
    rows = browser.js("[...document.querySelectorAll('#list button')].map(b => b.innerText)")
    assert rows == ["0:10.0 concealed text", "0:20.0 a chapter", "0:40.0 wiped at once",
                    "1:00.0 scrollback erased", "1:20.0 invisible marks", "1:40.0 unseen by its colour"]
    browser.js("document.querySelector('#list button').click()")
    assert page.now() == 10 and page.rows()[0] == "plain secret" and page.value("flag") == FLAGS_OF[10]
    browser.js("location.hash = '#t=2:10'")
    wait_for("the end", lambda: page.rows()[0] == "end")
    assert page.value("flag") == "" and not browser.complaints()


def test_hostile_recording_does_nothing(coral, home, tmp_path, browser):
    """No script but the page's own runs, nothing is fetched, and what is shown is the text."""
    export(coral, evil_cast(home), tmp_path / "evil.html")
    page = Page(browser, tmp_path / "evil.html")
    for at in ("0", "0.4", "3", "9.3", "9.7", "10.2", "12"):
        browser.js(f"location.hash = '#t={at}'")
        assert browser.js("document.querySelectorAll('img, iframe, a, object, embed, link').length") == 0
        assert browser.js("document.title").startswith("</script>")
    wait_for("its end", lambda: page.now() == 12)
    assert any("</script><script>document.title" in row for row in page.rows())
    assert any("hidden" in row for row in page.rows())
    assert "\\u{202e}" in page.text("title").lower()
    page.press("[")
    assert page.value("said") == "unseen by its colour"
    page.press("[")
    assert page.value("said").startswith("</script>"), "a marker's name is text"
    browser.js("document.getElementById('markers').click()")
    assert "<img src=x" in page.text("list") and browser.js("document.querySelector('#list img')") is None
    assert not browser.complaints(), browser.complaints()


def test_the_page_s_policy_holds(coral, home, tmp_path, browser):
    """Even if markup came in: an inline script, a handler, an image and a style are refused."""
    export(coral, evil_cast(home), tmp_path / "evil.html")
    text = (tmp_path / "evil.html").read_text()
    (tmp_path / "holed.html").write_text(text.replace(
        "<main", "<script>document.title = 'evil'</script><img src='file:///etc/passwd' "
        "onerror=\"document.title = 'evil'\"><b style='color: red'></b><main", 1))
    Page(browser, tmp_path / "holed.html")
    assert browser.js("document.title") != "evil"
    refused = [told["entry"]["text"] for method, told in browser.complaints() if method == "Log.entryAdded"]
    assert len(refused) >= 3 and all("Content Security Policy" in r for r in refused), refused


def test_without_a_debugger(film, tmp_path):
    """As anyone would: the file is opened, and its elements are printed."""
    dom = subprocess.run(["/usr/bin/chromium", *FLAGS, f"--user-data-dir={tmp_path}/profile", "--dump-dom",
                          f"file://{film}#t=50%"], capture_output=True, timeout=120, check=True).stdout
    assert b">mark 09</span>" in dom and b">mark 10</span>" not in dom
    assert b"<h1 id=\"title\">a film</h1>" in dom


def test_marks_of_truncation(coral, home, tmp_path, browser):
    path = home / "cut.cast"
    path.write_bytes(spell({"coral": {"version": 1}}, FILM))
    export(coral, path, tmp_path / "cut.html")
    assert "truncated" in Page(browser, tmp_path / "cut.html").text("warning")
    path.write_bytes(spell(None, FILM, b"{}\n"))
    export(coral, path, tmp_path / "bad.html", code=1)
    page = Page(browser, tmp_path / "bad.html", "#t=999")
    assert "damaged" in page.text("warning") and page.last() == "mark 19"
