"""A daemon with the tenants `lab` and `rival`, made through `qubus admin`, and what attackers know."""
from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import qubus
from forged_tokens import forged, signing_key

BELL = """OPENQASM 3; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"""
TURN = """OPENQASM 3; include "stdgates.inc"; input float a; qubit[1] q; ry(a) q[0];"""
#: Its state vector is a result of 1 MiB, which comes in chunks.
LARGE = """OPENQASM 3; include "stdgates.inc"; qubit[16] q; h q;"""
#: In the names and tags of everything that is the tenant lab's.
MARK = "lab-private"
MEBIBYTE = 1 << 20
MEMORY, PLANS = 512 * MEBIBYTE, 128 * MEBIBYTE
#: As docs/security.md says it of these settings.
MEMORY_CAP = MEMORY + PLANS + 1024 * MEBIBYTE


class Service:
    def __init__(self, binary: pathlib.Path, folder: pathlib.Path):
        self.binary, self.folder = binary, folder
        self.data = folder / "data"
        self.log = open(folder / "qubusd.log", "ab")
        self.process = subprocess.Popen(
            [binary, "--data-dir", self.data, "--listen", f"ipc://{folder}/q.sock", "--listen",
             "curve://127.0.0.1:0", "--memory-limit", str(MEMORY), "--session-memory", str(PLANS),
             "--log-level", "notice"], stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"qubusd did not start; see {self.log.name}")
        ready = json.loads(line)
        self.ipc, self.curve = ready["endpoints"]
        self.server_key = ready["server_keys"][self.curve]
        self.key_files: dict[str, str] = {}

    def ask(self, *arguments: object) -> dict:
        """`qubus`, as the user who started the daemon."""
        return json.loads(self._run({"QUBUS_ENDPOINT": self.ipc}, *arguments, "-o", "json").stdout)

    def by(self, principal: str, *arguments: object) -> dict:
        return json.loads(self._run(
            {"QUBUS_ENDPOINT": self.curve, "QUBUS_SERVER_KEY": self.server_key,
             "QUBUS_KEY_FILE": self.key_files[principal]}, *arguments, "-o", "json").stdout)

    def _run(self, settings: dict, *arguments: object) -> subprocess.CompletedProcess:
        others = {k: v for k, v in os.environ.items() if not k.startswith("QUBUS")}
        done = subprocess.run(
            [self.binary.with_name("qubus"), *map(str, arguments)], env={**others, **settings},
            capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(f"qubus {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
        return done

    def member(self, principal: str, *roles: str) -> None:
        self.ask("admin", "principals", "create", principal,
                 *[word for role in roles for word in ("--role", role)])
        self.add_key(principal)

    def add_key(self, principal: str, suffix: str = "") -> str:
        file = self.folder / f"{principal.replace('/', '-')}{suffix}.key"
        public = qubus.generate_key(file)
        self.ask("admin", "keys", "add", f"key:{public}", "--principal", principal)
        self.key_files[principal + suffix] = str(file)
        return public

    def people(self) -> None:
        for tenant in ("lab", "rival"):
            self.ask("admin", "tenants", "create", tenant, "--reason", "soak")
            self.ask("admin", "projects", "create", f"{tenant}/qc")
        for principal in ("lab/qc/ada", "lab/qc/bob", "rival/qc/zoe", "rival/qc/yan"):
            self.member(principal, "submitter")
        self.member("rival/qc/mallory", "submitter", "project_admin")
        self.ask("admin", "grant", "rival/qc/mallory", "tenant_admin")
        self.ask("admin", "grant", "rival/qc/mallory", "auditor", "--scope", "rival")
        self.member("rival/qc/notebook")
        revoked = self.add_key("lab/qc/ada", "-revoked")
        self.ask("admin", "keys", "revoke", f"key:{revoked}", "--reason", "lost")
        me = self.ask("whoami")["principal"]
        self.ask("admin", "grant", me, "auditor", "--scope", "everything")

    def _connect(self, principal: str) -> qubus.Client:
        return qubus.Client(
            self.curve, server_key=self.server_key, key_file=self.key_files[principal])

    def _belongings(self, principal: str, mark: str) -> dict:
        """Jobs of a tenant, and of lab an open session, whose client stays connected."""
        client = self._connect(principal)
        job = client.submit(BELL, shots=100, seed=1, name=mark, tags=[mark])
        job.result(timeout=60)
        large = client.submit(LARGE, statevector=True, name=mark)
        large.result(timeout=60)
        found = {"job": job.id, "large_job": large.id, "mark": mark}
        if mark == MARK:
            self.keeper = client
            self.session = client.session(TURN, observables="Z", name=mark, idle_seconds=86_000)
            self.session.step([0.5])
            found |= {"session": self.session.id, "session_secret": self.session.secret.hex(),
                      "next_sequence": 2}
        else:
            client.close()
        return found

    def facts(self) -> pathlib.Path:
        """Writes what the clients know to a file."""
        lab, rival = self._belongings("lab/qc/ada", MARK), self._belongings("rival/qc/mallory", "rival")
        keys = {name: self._pair(principal) for name, principal in (
            ("mallory", "rival/qc/mallory"), ("notebook", "rival/qc/notebook"),
            ("revoked", "lab/qc/ada-revoked"))}
        good = self.issue("rival/qc/mallory", keys["notebook"][0])
        stolen = self.issue("lab/qc/ada", self._pair("lab/qc/bob")[0])
        brief = self.issue("rival/qc/mallory", keys["notebook"][0], 1)
        time.sleep(1.1)
        tokens = {**forged(good["token"], signing_key(self.data)), "stolen": stolen["token"],
                  "over": brief["token"]}
        lab |= {"key": self._pair("lab/qc/bob")[0], "token_id": stolen["token_id"]}
        path = self.folder / "facts.json"
        path.write_text(json.dumps({
            "curve": self.curve, "server_key": self.server_key, "key_files": self.key_files,
            "keys": keys, "tokens": tokens, "lab": lab, "rival": rival, "bell": BELL, "turn": TURN}))
        return path

    def issue(self, principal: str, key: str, seconds: int = 900) -> dict:
        return self.by(principal, "admin", "token", "issue", "jobs.submit", "jobs.read", "--bound-to",
                       f"key:{key}", "--seconds", seconds)

    def _pair(self, principal: str) -> list[str]:
        text = pathlib.Path(self.key_files[principal]).read_text()
        return [re.search(rf'{half} = "(.{{40}})"', text).group(1) for half in ("public", "secret")]

    def resident_bytes(self) -> int:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) * 1024

    def processor_seconds(self) -> float:
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=60)
        finally:
            self.process.stdout.close()
            self.log.close()
