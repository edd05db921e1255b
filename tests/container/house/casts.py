# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading recordings: as a stranger would (asciicast v2), and exactly, by coral-cast(5)."""
import base64
import json
import pathlib


class Cast:
    """An asciicast v2 file.  cut is true when the last line is not whole."""

    def __init__(self, path):
        raw = pathlib.Path(path).read_bytes()
        lines = raw.split(b"\n")
        self.cut = lines[-1] != b""
        self.header = json.loads(lines[0])
        assert self.header["version"] == 2
        self.events = []
        for line in lines[1:-1]:
            event = json.loads(line)
            assert isinstance(event, list) and len(event) >= 3, line
            assert isinstance(event[0], (int, float)) and isinstance(event[1], str), line
            self.events.append(event)
        self.text = raw.decode()

    @property
    def coral(self):
        return self.header["coral"]

    def output(self):
        """What a stock player would put on the screen."""
        return "".join(e[2] for e in self.events if e[1] == "o")

    def exact(self, stream=1):
        """A stream's own bytes: what "next" says of an event goes before the event's text."""
        found, told = b"", {}
        for _, code, data in (e[:3] for e in self.events):
            if code == "c":
                told = json.loads(data).get("next", told)
            elif code == "o":
                if told.get("stream", 1) == stream:
                    found += base64.b64decode(told["bytes"]) if "bytes" in told else data.encode()
                told = {}
        return found

    def own(self, kind):
        """coral's own events of one kind."""
        facts = [json.loads(e[2]) for e in self.events if e[1] == "c"]
        return [f[kind] for f in facts if kind in f]

    @property
    def end(self):
        """The end record, or None: then the recording is truncated."""
        ends = self.own("end")
        return ends[-1] if ends else None

    def resizes(self):
        return [e[2] for e in self.events if e[1] == "r"]

    def monotone(self):
        times = [e[0] for e in self.events]
        return all(a <= b for a, b in zip(times, times[1:]))


def spell(header=None, events=(), tail=b""):
    """A .cast as bytes, from Python values."""
    head = {"version": 2, "width": 80, "height": 24, **(header or {})}
    lines = [json.dumps(head), *[json.dumps(e) for e in events]]
    return ("\n".join(lines) + "\n").encode() + tail
