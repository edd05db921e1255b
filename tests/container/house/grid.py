# SPDX-License-Identifier: GPL-3.0-or-later
"""A terminal's whole state, cell by cell, as tmux has it: to be compared with another's."""
import itertools
import re
import time
import unicodedata

SGR = re.compile(r"\x1b\[([0-9;:]*)m|\x1b\]8;[^\x1b]*\x1b\\|([\x0e\x0f])|(.)", re.S)
PLAIN = ()
# What else a terminal knows and tells.
STATE = ("cursor_x", "cursor_y", "cursor_flag", "insert_flag", "keypad_cursor_flag", "keypad_flag",
         "origin_flag", "wrap_flag", "alternate_on", "scroll_region_upper", "scroll_region_lower",
         "mouse_standard_flag", "mouse_button_flag", "mouse_all_flag", "mouse_sgr_flag",
         "mouse_utf8_flag", "pane_width", "pane_height")
FLAGS = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 5: "blink", 7: "reverse", 8: "hidden",
         9: "strike", 53: "over"}
OFF = {22: (1, 2), 23: (3,), 24: (4,), 25: (5,), 27: (7,), 28: (8,), 29: (9,), 55: (53,)}


def colour(params, at):
    """38;5;N or 38;2;R;G;B: its value, and how many parameters it takes."""
    n = 3 if params[at + 1:at + 2] == ["5"] else 5
    return ":".join(params[at + 1:at + n]), n


def restyle(style, text):
    """The style after one SGR sequence."""
    have = dict(style)
    params = re.split("[;:]", text) if text else ["0"]
    at = 0
    while at < len(params):
        n = int(params[at] or 0)
        step = 1
        if n == 0:
            have.clear()
        elif n in (38, 48, 58):
            have[n], step = colour(params, at)
        elif n in (39, 49, 59):
            have.pop(n - 1, None)
        elif n in OFF:
            for flag in OFF[n]:
                have.pop(flag, None)
        elif 30 <= n <= 37 or 90 <= n <= 97:
            have[38] = n
        elif 40 <= n <= 47 or 100 <= n <= 107:
            have[48] = n
        else:
            have[n] = FLAGS.get(n, n)
        at += step
    return tuple(sorted(have.items()))


SHOWN = (4, 7, 9, 53)  # what a blank shows beside its background


def visible(char, style):
    """A blank has no colour of its own."""
    if char != " " or any(k in SHOWN for k, _ in style):
        return style
    return tuple((k, v) for k, v in style if k == 48)


def width(char):
    if unicodedata.combining(char) or char in "\u200d\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def rows(text, columns):
    """capture-pane's text as rows of (characters, style), each row `columns` cells."""
    style, lines = PLAIN, []
    for line in text.split("\n")[:-1]:
        cells = []
        charset = ""
        for code, shift, char in SGR.findall(line):
            if char:
                if width(char) == 0 and cells:
                    cells[-1] = (cells[-1][0] + char, *cells[-1][1:])
                    continue
                cells.append((char, visible(char, style), charset))
                cells += [("", style, charset)] * (width(char) - 1)
            elif shift:
                charset = "acs" if shift == "\x0e" else ""
            else:
                style = restyle(style, code)
        # What was never written is a plain blank.
        cells += [(" ", PLAIN, "")] * (columns - len(cells))
        lines.append(cells)
    return lines


class Grid:
    """What a tmux pane is right now."""

    def __init__(self, term, scrollback=True):
        with_history = ["-S", "-"] if scrollback else []
        said = term.cmd("display-message", "-p", ",".join(f"#{{{k}}}" for k in STATE)
                        ).strip().split(",")
        self.state = dict(zip(STATE, said))
        columns = int(self.state["pane_width"])
        self.rows = rows(term.cmd("capture-pane", "-p", "-e", "-N", *with_history), columns)
        if scrollback:
            self.count_from_the_end()
        self.behind = []
        if self.state["alternate_on"] == "1":
            self.behind = rows(term.cmd("capture-pane", "-p", "-e", "-N", "-a"), columns)

    def count_from_the_end(self):
        """How much of it scrolled away and how much is blank below is each terminal's own choice
        after a change of size."""
        y = len(self.rows) - int(self.state["pane_height"]) + int(self.state["cursor_y"])
        while len(self.rows) > y + 1 and all(c == (" ", PLAIN, "") for c in self.rows[-1]):
            self.rows.pop()
        self.state["cursor_y"] = f"{len(self.rows) - 1 - y} from the end"

    def text(self):
        return "\n".join("".join(c[0] for c in row).rstrip() for row in self.rows)


def differences(have, want, edge=True, last=None, most=12):
    """Lines that say in what the one is not as the other; empty when they are equal.  Without edge
    the last column is not looked at; last: so many rows from the end."""
    end = None if edge else -1
    told = [f"{k}: {have.state[k]} instead of {v}" for k, v in want.state.items()
            if have.state[k] != v]
    for name in ("rows", "behind"):
        a, b = (getattr(g, name)[-last if last else None:] for g in (have, want))
        # tmux leaves what is behind in the size that it had until the program goes.
        if name == "behind" and len(a) != len(b):
            continue
        if len(a) != len(b):
            told.append(f"{name}: {len(a)} instead of {len(b)}")
        for n, (x, y) in enumerate(itertools.zip_longest(a, b, fillvalue=[])):
            if x[:end] != y[:end]:
                at = next((i for i, (c, d) in enumerate(zip(x, y)) if c != d), min(len(x), len(y)))
                told.append(f"{name} {n - len(b)}, column {at}: {x[at:at + 3]} instead of "
                            f"{y[at:at + 3]}: {''.join(c[0] for c in x)!r} instead of "
                            f"{''.join(c[0] for c in y)!r}")
            if len(told) > most:
                return told + ["..."]
    return told


def same(have, want, timeout=15, scrollback=True, **kw):
    """Wait until two terminals are alike; say in what they are not when they do not become so."""
    end = time.monotonic() + timeout
    while True:
        told = differences(Grid(have, scrollback), Grid(want, scrollback), **kw)
        if not told:
            return
        if time.monotonic() > end:
            raise AssertionError("\n".join(["the terminals differ:", *told, "--- it shows",
                                            have.screen(), "--- it should show", want.screen()]))
        time.sleep(0.05)
