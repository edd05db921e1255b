# SPDX-License-Identifier: GPL-3.0-or-later
"""A strict reader of what the player writes to an auditor's terminal: everything that is not on
the list is reported.  The list holds what moves the cursor, clears, colours, and switches the
player's own modes; nothing that answers, titles, copies, loads or prints."""
import re

ALLOWED = re.compile("|".join([
    r"[\x20-\x7e\u00a0-\ud7ff\ue000-\U0010ffff]",  # printable; no C0, DEL or C1
    r"[\r\n\x08]",
    r"\x1b\[[0-9;:]*m",                            # SGR
    r"\x1b\[[0-9;]{0,9}[Hf]",                      # CUP
    r"\x1b\[[0-9]{0,5}[ABCDGdJKPX@LM]",            # moves, erases, inserts within the screen
    r"\x1b\[\?(?:1|7|12|25|1049|2004)(?:;(?:7|25))*[hl]",  # the player's own modes
    r"\x1b\[[0-6] q",                              # cursor shape, given back at the end
    r"\x1b\[!p",                                   # soft reset at the end
    r"\x1b\[[0-9;]{0,9}r",                         # margins, given back at the end
    r"\x1b[=>78]",                                 # keypad, save and restore
    r"\x1b\(B",                                    # ASCII into G0
]))

# What may reach a looker's terminal from a live screen, with the agent's own painting: it moves,
# erases, shifts, colours, and sets modes of the screen; nothing in it answers or reports.
SCREEN = re.compile("|".join([
    ALLOWED.pattern,
    r"[\t\v\f\x0e\x0f]",
    r"\x1b[DEHMc]", r"\x1b#8", r"\x1b[()*+][AB0]",
    r"\x1b\[[0-9;:]{0,90}[@A-HIKLMPSTXZ`adefgjkmr]",
    r"\x1b\[(?:4|20)[hl]", r"\x1b\[\?[0-9]*[JK]",
    r"\x1b\[\?(?:1|5|6|7|12|25|47|1047|1048|1049)[hl]",
    r"\x1b\[[0-9;]*(?:\"q| [@A]|'[}~])",
]))


def offences(raw, allowed=ALLOWED):
    """Every piece of raw that is not on the list, with where it stands."""
    found = []
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as e:
        return [f"not UTF-8 at {e.start}: {raw[e.start:e.start + 8]!r}"]
    at = 0
    while at < len(text):
        piece = allowed.match(text, at)
        if piece:
            at = piece.end()
        else:
            found.append(f"{at}: {text[at:at + 16]!r}")
            at += 1
    return found
