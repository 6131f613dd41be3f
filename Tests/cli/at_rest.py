"""A daemon with a master key, and what its files hold."""

import json
import os
import pathlib
import re
import secrets
import signal
import subprocess

from conftest import LIMIT_SECONDS, QUBUSD, clean_environment, run


def key_file(path, digits=None):
    """A master key that nobody else can read."""
    path = pathlib.Path(path)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write((digits or secrets.token_hex(32)) + "\n")
    return path


class Service:
    """A daemon whose log goes to a file that outlives it."""

    def __init__(self, home, *arguments):
        self.home = pathlib.Path(home)
        self.data = self.home / "data"
        self.arguments = ["--data-dir", str(self.data), "--threads", "2", *map(str, arguments)]
        self.environment = clean_environment(QUBUS_ENDPOINT=f"ipc://{self.data}/qubus.sock")
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen(
                [QUBUSD, *self.arguments, "--log-format", "json"], stdout=subprocess.PIPE,
                stderr=log, text=True, env=clean_environment())
        line = self.process.stdout.readline()
        assert line, (self.home / "log").read_text()
        self.ready = json.loads(line)

    def ask(self, *arguments, stdin=None):
        return run(*arguments, stdin=stdin, env=self.environment)

    def verify_audit(self):
        """Exit status; operators are no auditors unless they make themselves one."""
        me = json.loads(self.ask("whoami", "-o", "json").stdout)["principal"]
        granted = self.ask("admin", "grant", me, "auditor", "--scope", "everything")
        assert granted.returncode == 0, granted.stderr
        return self.ask("audit", "verify").returncode

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.stdout.read()
        return self.process.wait(LIMIT_SECONDS)

    @property
    def log(self):
        return [json.loads(line) for line in (self.home / "log").read_text().splitlines()]


def maintain(*arguments):
    """qubusd's commands beside the daemon."""
    return run(*arguments, binary=QUBUSD)


def contents(*folders):
    """Every file below the folders; long runs of zeros, as an empty log has them, are cut."""
    found = {}
    for folder in map(pathlib.Path, folders):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            if path.is_file():
                found[str(path)] = re.sub(rb"\0{64,}", b"\0", path.read_bytes())
    return found
