# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Chromium without a window, spoken to over a pipe: real keys, and the page as it stands."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--window-size=1100,800"]
# (the key's name, its code, Shift held)
CODES = {" ": ("Space", 32), "Enter": ("Enter", 13), "Escape": ("Escape", 27),
         "ArrowLeft": ("ArrowLeft", 37), "ArrowRight": ("ArrowRight", 39)}


class Browser:
    """One page.  ask() is a command of the DevTools protocol; js() an expression's value."""

    def __init__(self, width=1100, height=800):
        self.dir = tempfile.mkdtemp(prefix="coral-browser-")
        theirs_in, self.to = os.pipe()
        self.fro, theirs_out = os.pipe()
        argv = ["/usr/bin/chromium", *FLAGS, f"--user-data-dir={self.dir}",
                f"--window-size={width},{height}", "--remote-debugging-pipe", "about:blank"]
        # The browser reads commands on 3 and answers on 4.
        self.proc = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", *argv],
            pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env={"PATH": "/usr/bin:/bin", "HOME": self.dir, "LANG": "C.UTF-8"})
        os.close(theirs_in)
        os.close(theirs_out)
        self.serial, self.left, self.session, self.events = 0, b"", None, []
        page = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def read(self, until):
        while b"\0" not in self.left:
            wait = until - time.monotonic()
            assert wait > 0 and select.select([self.fro], [], [], wait)[0], "no answer"
            more = os.read(self.fro, 1 << 20)
            assert more, "the browser is gone"
            self.left += more
        line, _, self.left = self.left.partition(b"\0")
        return json.loads(line)

    def ask(self, method, **params):
        self.serial += 1
        message = {"id": self.serial, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        data, until = json.dumps(message).encode() + b"\0", time.monotonic() + 120
        while data:
            data = data[os.write(self.to, data):]
        while True:
            got = self.read(until)
            if got.get("id") == self.serial:
                assert "error" not in got, (method, got["error"])
                return got["result"]
            self.events.append(got)

    def open(self, url):
        """A page, whole; every request and every complaint from then on is in events."""
        # Another page first: a new fragment alone would not load it again.
        for where in ("about:blank", url):
            self.ask("Page.navigate", url=where)
            until = time.monotonic() + 60
            while self.js("document.readyState + ' ' + location.href").split()[:1] != ["complete"] \
                    or self.js("location.href").partition(":")[0] != where.partition(":")[0]:
                assert time.monotonic() < until, "the page does not load"
            if where == "about:blank":
                self.events.clear()

    def js(self, text):
        got = self.ask("Runtime.evaluate", expression=text, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def press(self, key, shift=False):
        name, code = CODES.get(key, ("", 0))
        how = {"key": key, "code": name, "windowsVirtualKeyCode": code, "modifiers": 8 * shift}
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **how, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **how)

    def type(self, text):
        for letter in text:
            self.press(letter)

    def screenshot(self):
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    def complaints(self):
        """Errors, refusals by the page's policy, dialogs, and requests for anything but the page."""
        bad = []
        for event in self.events:
            method, told = event.get("method"), event.get("params", {})
            if method in ("Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening",
                          "Page.windowOpen", "Page.downloadWillBegin"):
                bad.append((method, told))
            if method == "Network.requestWillBeSent" and \
                    not told["request"]["url"].startswith("file:///"):
                bad.append((method, told["request"]["url"]))
        return bad

    def close(self):
        os.close(self.to)
        os.close(self.fro)
        try:
            self.proc.wait(10)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
