# SPDX-License-Identifier: GPL-3.0-or-later
"""People far away: clients over TCP, each with a key, a home and a way to the agent of its own."""
from .coral import Coral, Key
from .term import Pty
from .util import run


class Person(Coral):
    """coral's own client as one person uses it."""

    def __init__(self, home, name, share="no"):
        super().__init__(home / f"of-{name}")
        self.name = name
        self.key = Key(home, name, f"{name}@reef")
        self.flags = ["--identity", str(self.key.path)]
        self.extra["CORAL_SHARE"] = share

    def line(self, options=""):
        return self.key.line(f'user="{self.name}"{options}')

    def goes_to(self, way):
        """Dial there, a relay or an agent, and know whose key is found there."""
        host, port = way.address
        self.extra["CORAL_AGENT"] = f"{host}:{port}"
        with Pty(self.argv("ps"), self.env()) as term:
            term.expect("SHA256:")
            term.send("yes\r")
            assert term.wait() == 0, term.seen
        return self


def build(source, where):
    """A static program for inside of a container."""
    run(["gcc", "-static", "-O2", "-Wall", "-Wextra", "-Werror", "-o", where, source])
    return where
