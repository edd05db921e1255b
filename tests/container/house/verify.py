# SPDX-License-Identifier: GPL-3.0-or-later
"""A second verifier of recordings, written from coral-cast(5) and nothing else: Python's standard
library, Ed25519 by RFC 8032.  Run it: verify.py FILE [PUBLIC-KEY-FILE]."""
import base64
import binascii
import functools
import hashlib
import json
import re
import sys

LINE_MAX, LEAVES_MAX = 1 << 20, 32768
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(k, p):
    q = (0, 1, 1, 0)
    while k:
        if k & 1:
            q = add(q, p)
        p, k = add(p, p), k >> 1
    return q


def point(raw):
    """The point of 32 bytes, or None."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def pack(p):
    z = pow(p[2], P - 2, P)
    x, y = p[0] * z % P, p[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


@functools.lru_cache(maxsize=4096)
def signed(public, text, signature):
    """Whether `public` signed `text`."""
    a, s = point(public), int.from_bytes(signature[32:], "little")
    if a is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + text).digest(), "little") % L
    minus = (P - a[0], a[1], 1, P - a[3])
    return pack(add(times(s, BASE), times(h, minus))) == signature[:32]


def unbase64(text, size):
    """Exactly `size` bytes of the one base64 they have."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Bad(0, "altered") from None
    if len(raw) != size or base64.b64encode(raw).decode() != text:
        raise Bad(0, "altered")
    return raw


class Bad(Exception):
    """The first line that is wrong, from 0, and what was done to it."""

    def __init__(self, line, what):
        super().__init__(line, what)
        self.line, self.what = line, what


MARK = re.compile(
    rb'\[[0-9.]*,"c","{\\"(mark|seal)\\":{\\"n\\":(0|[1-9][0-9]*),\\"lines\\":(0|[1-9][0-9]*),'
    rb'\\"bytes\\":(0|[1-9][0-9]*),\\"leaves\\":\\"([A-Za-z0-9+/=]*)\\",'
    rb'\\"chain\\":\\"([0-9a-f]{64})\\",\\"real_ns\\":(0|[1-9][0-9]*),\\"signature\\":\\"'
    rb'([A-Za-z0-9+/=]{88})\\"}}"\]\n')
KIND = re.compile(rb'\[[0-9.]*,"c","{\\"(mark|seal|end)\\":{')
END = re.compile(rb'\[[0-9.]*,"c","([^"\\]|\\.)*"\]\n')


def no_twins(pairs):
    if len({k for k, _ in pairs}) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def is_int(v):
    return isinstance(v, int) and not isinstance(v, bool)


class Verifier:
    """Feed it lines; `state`, `signed_lines`, `unsigned` and `bad` tell."""

    def __init__(self):
        self.state, self.bad, self.key = None, None, None
        self.leaves, self.offset = [], 0
        self.evidence, self.session = None, None
        self.next, self.mark_line, self.marks = 0, 0, 0
        self.chain, self.sealed, self.ended, self.wrong_end = None, False, False, None

    def header(self, line):
        try:
            head = json.loads(line.decode(), object_pairs_hook=no_twins)
        except ValueError:
            raise Bad(0, "altered") from None
        if not isinstance(head, dict):
            raise Bad(0, "altered")
        coral = head.get("coral")
        self.chain = sha(b"coral recording 1\n", self.leaves[0])
        if not isinstance(coral, dict) or "evidence" not in coral:
            return
        self.evidence, self.session = coral["evidence"], coral.get("session_id")
        ev = self.evidence
        if not (isinstance(ev, dict) and isinstance(self.session, str) and
                re.fullmatch("[0-7][0-9a-hjkmnp-tv-z]{25}", self.session) and
                ev.get("hash") == "sha256" and ev.get("signature") == "ed25519" and
                is_int(ev.get("real_ns")) and all(isinstance(ev.get(k), str) for k in (
                    "session_key", "agent_key", "certificate"))):
            raise Bad(0, "altered")
        name, _, blob = ev["agent_key"].partition(" ")
        raw = unbase64(blob, 51)
        if name != "ssh-ed25519" or raw[:19] != b"\0\0\0\x0bssh-ed25519\0\0\0\x20":
            raise Bad(0, "altered")
        self.session_key = unbase64(ev["session_key"], 32)
        text = "coral recording key 1\n%s\n%d\n%s\n" % (self.session, ev["real_ns"],
                                                         ev["session_key"])
        if not signed(raw[19:], text.encode(), unbase64(ev["certificate"], 64)):
            raise Bad(0, "altered")
        self.key = raw[19:]

    def compare(self, first, listed):
        here = len(self.leaves) - 1
        have = [leaf[:8] for leaf in self.leaves[first:here]]
        for i, want in enumerate(listed):
            at = first + i
            if at >= here:
                raise Bad(here, "dropped")
            if have[i] == want:
                continue
            is_next = i + 1 < len(listed) and have[i] == listed[i + 1]
            next_is = i + 1 < len(have) and have[i + 1] == want
            if len(have) < len(listed) and is_next:
                raise Bad(at, "dropped")
            if len(have) > len(listed) and next_is:
                self.extra(at)
            if len(have) == len(listed) and is_next and next_is:
                raise Bad(at, "swapped")
            raise Bad(at, "altered")
        if here > first + len(listed):
            self.extra(first + len(listed))

    def extra(self, at):
        same = at > 0 and self.leaves[at][:8] == self.leaves[at - 1][:8]
        raise Bad(at, "duplicated" if same else "inserted")

    def mark(self, line, here):
        if self.evidence is None:
            raise Bad(0, "altered")
        m = MARK.fullmatch(line)
        if not m:
            raise Bad(here, "altered")
        n, lines, size, real_ns = (int(m[i]) for i in (2, 3, 4, 7))
        text = "coral %s 1\n%s\n%d\n%d\n%d\n%s\n%d\n%s\n" % (
            m[1].decode(), self.session, n, lines, size, m[6].decode(), real_ns,
            sha(line[:m.start(8)]).hex())
        try:
            signature = unbase64(m[8].decode(), 64)
            raw = base64.b64decode(m[5], validate=True)
        except (Bad, binascii.Error):
            raise Bad(here, "altered") from None
        if not signed(self.session_key, text.encode(), signature):
            raise Bad(here, "altered")
        listed = [raw[i:i + 8] for i in range(0, len(raw), 8)]
        if n < self.next:
            self.extra(here)
        self.compare(lines - len(listed), listed)
        if n > self.next:
            raise Bad(here, "dropped")
        chain = self.chain if n == 0 else sha(
            self.chain, *self.leaves[self.mark_line:here])
        if chain.hex() != m[6].decode():
            raise Bad(0 if n == 0 else self.mark_line + 1, "altered")
        if size != self.offset:
            raise Bad(here, "altered")
        self.chain, self.next, self.mark_line = chain, n + 1, here
        self.marks += 1
        self.sealed = m[1] == b"seal"
        if self.sealed and self.wrong_end is not None:
            raise Bad(self.wrong_end, "foreign")

    def line(self, line):
        here = len(self.leaves)
        if len(line) > LINE_MAX:
            raise Bad(here, "foreign")
        self.leaves.append(sha(line))
        if here == 0:
            self.header(line)
        else:
            if self.sealed:
                self.extra(here)
            kind = KIND.match(line)
            kind = kind and kind[1]
            if kind in (b"mark", b"seal"):
                self.mark(line, here)
            elif self.evidence is not None and here - self.mark_line >= LEAVES_MAX:
                raise Bad(here, "foreign")
            if not self.sealed if self.ended else kind == b"end" and not END.fullmatch(line):
                if self.evidence is None:
                    raise Bad(here, "foreign")
                if self.wrong_end is None:
                    self.wrong_end = here
            self.ended = self.ended or kind == b"end"
        self.offset += len(line)

    def over(self, rest):
        here = len(self.leaves)
        if len(rest) >= LINE_MAX or here == 0 or (self.sealed and rest):
            raise Bad(here, "foreign")
        if self.evidence is not None and self.marks == 0:
            raise Bad(1, "foreign")
        if self.wrong_end is not None:
            raise Bad(self.wrong_end, "foreign")
        self.state = ("unsigned" if self.evidence is None else
                      "sealed" if self.sealed else "open")


def verify(raw):
    """State, line (from 1) and kind of the first damage or None, lines signed."""
    v = Verifier()
    *lines, rest = raw.split(b"\n")
    try:
        for line in lines:
            v.line(line + b"\n")
        v.over(rest)
    except Bad as bad:
        v.state, v.bad = "bad", (bad.line + 1, bad.what)
    v.signed_lines = v.mark_line + 1 if v.marks else 0
    return v


def main(path, trusted=None):
    with open(path, "rb") as f:
        v = verify(f.read())
    known = False
    if trusted and v.key:
        with open(trusted, encoding="utf-8") as f:
            blobs = [words.split()[1] for words in f if words.startswith("ssh-ed25519 ")]
        known = any(base64.b64decode(b)[-32:] == v.key for b in blobs)
    print(v.state, "known key" if known else "unknown key", v.bad or "", v.signed_lines)
    if v.state in ("bad", "unsigned") or not known:
        return 1
    return 0 if v.state == "sealed" else 3


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
