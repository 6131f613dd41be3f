"""A thousand secrets in programs, parameters, labels, tokens and results of an encrypted service:
none lies anywhere, whatever happened to the daemon. QUBUS_CANARY_SEED repeats a run."""

import json
import math
import os
import random
import signal
import struct

from at_rest import Service, contents, key_file, maintain

MARK = b"canary_"


class Secrets:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.texts, self.numbers, self.tokens = [], [], []

    def text(self):
        self.texts.append(MARK.decode() + f"{self.random.getrandbits(64):016x}")
        return self.texts[-1]

    def number(self):
        self.numbers.append(self.random.uniform(0.1, 3.0))
        return self.numbers[-1]

    @property
    def count(self):
        return len(self.texts) + len(self.numbers) + len(self.tokens)

    def leaks(self, files):
        """(file, what) for each secret that is there: as text, or as the bytes of a double."""
        found = []
        patterns = [struct.pack("<d", number) for number in self.numbers]
        patterns += [repr(number).encode() for number in self.numbers]
        patterns += [token.encode() for token in self.tokens]
        for name, data in files.items():
            if MARK in data:
                at = data.index(MARK)
                found.append((name, data[at:at + 23]))
            found += [(name, pattern) for pattern in patterns if pattern in data]
        return found


def plant_job(service, secrets):
    theta = secrets.number()
    program = (
        f"OPENQASM 3.0;\n// {secrets.text()}\ninput angle {secrets.text()};\n"
        "include \"stdgates.inc\";\nqubit[2] q;\n")
    name = secrets.texts[-1]
    program += f"ry({name}) q[0];\ncx q[0], q[1];\n"
    done = service.ask(
        "run", "-", "-p", f"{name}={theta!r}", "--observable", "IZ:1", "--name", secrets.text(),
        "--tag", secrets.text(), "--tag", secrets.text(), "-o", "json", stdin=program)
    assert done.returncode == 0, done.stderr
    assert any(abs(value - math.cos(theta)) < 1e-9 for value in numbers(json.loads(done.stdout)))
    secrets.numbers += [
        value for value in numbers(json.loads(done.stdout)) if abs(value - math.cos(theta)) < 1e-9]
    return json.loads(done.stdout)["job_id"]


def numbers(value):
    if isinstance(value, float):
        yield value
    elif isinstance(value, (list, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from numbers(inner)


def plant_error(service, secrets):
    program = f"OPENQASM 3.0;\nqubit q;\n{secrets.text()} q;\n"
    assert service.ask("submit", "-", "-o", "json", stdin=program).returncode != 0


def plant_token(service, secrets):
    issued = service.ask("admin", "token", "issue", "jobs.read", "-o", "json")
    assert issued.returncode == 0, issued.stderr
    secrets.tokens.append(json.loads(issued.stdout)["token"])


def plant(service, secrets, jobs, errors, tokens):
    ids = [plant_job(service, secrets) for _ in range(jobs)]
    for job in ids[:10]:
        done = service.ask("annotate", job, f"{secrets.text()}={secrets.text()}")
        assert done.returncode == 0, done.stderr
    for _ in range(errors):
        plant_error(service, secrets)
    for _ in range(tokens):
        plant_token(service, secrets)
    return ids


def test_no_secret_is_found_after_errors_and_a_crash(short_dir):
    seed = int(os.environ.get("QUBUS_CANARY_SEED", random.getrandbits(32)))
    print("seed", seed)
    secrets = Secrets(seed)
    plain = Service(short_dir)
    priced = plain.ask("admin", "price", "sim.statevector", "--per-job", "1")
    assert priced.returncode == 0, priced.stderr
    first = plant(plain, secrets, jobs=30, errors=10, tokens=2)
    plain.stop(signal.SIGKILL)
    # What is looked for can be found: it lies there as long as nothing is encrypted.
    assert secrets.leaks(contents(plain.data))

    key = key_file(short_dir / "key")
    service = Service(short_dir, "--master-key-file", key)
    second = plant(service, secrets, jobs=95, errors=60, tokens=20)
    assert secrets.count >= 1000
    backup = maintain("backup", "--data-dir", service.data, "--to", short_dir / "backup")
    assert backup.returncode == 0, backup.stderr
    service.ask("submit", "-", stdin=f"OPENQASM 3.0; // {secrets.text()}\nqubit q; x q;\n")
    service.stop(signal.SIGKILL)
    places = [service.data, short_dir / "backup", short_dir / "log"]
    assert secrets.leaks(contents(*places)) == []

    again = Service(short_dir, "--master-key-file", key)
    audit = again.ask("audit", "list", "--limit", "1000", "-o", "json")
    health = again.ask("health", "-o", "json")
    assert secrets.leaks({"audit": audit.stdout.encode(), "health": health.stdout.encode()}) == []
    used = again.ask("usage", "--by", "tag", "-o", "json")
    assert used.stdout.count(MARK.decode()) == 2 * len(first + second), used.stderr
    shown = again.ask("get", first[0], "-o", "json").stdout + again.ask(
        "get", second[-1], "-o", "json").stdout
    assert shown.count(MARK.decode()) >= 6
    assert again.stop() == 0
    assert secrets.leaks(contents(*places)) == []
