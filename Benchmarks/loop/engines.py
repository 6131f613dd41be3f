"""Processes of one run: the daemon, what measures, and other tenants."""
from __future__ import annotations

import contextlib
import grp
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).parent
CLIENT_PYTHON = ROOT / ".venv/bin/python"
PEER_PYTHON = ROOT / ".venv-bench-engine/bin/python"
PEERS = ("qulacs", "lightning", "aer")
#: Seconds that one answer may take.
PATIENCE = 300


class Stopped(RuntimeError):
    """A program of the run ended or fell silent."""


class Daemon:
    """qubusd on a data directory of its own; other users may connect when we are root."""

    def __init__(self, folder: pathlib.Path, binary: pathlib.Path):
        data, sockets = folder / "data", folder / "s"
        data.mkdir(mode=0o700)
        command = [str(binary), "--data-dir", str(data), "--log-level", "warning"]
        self.is_shared = os.getuid() == 0
        self.group = grp.getgrall()[-1] if self.is_shared else None
        if self.group is not None:
            folder.chmod(0o755)
            command += ["--socket-group", self.group.gr_name, "--listen", f"ipc://{sockets}/q.sock"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise Stopped("qubusd did not start")
        self.endpoint = json.loads(line)["endpoints"][0]

    def as_user(self, number: int, command: list[str]) -> list[str]:
        """The command as another principal; as ourselves without root."""
        if self.group is None:
            return command
        return ["setpriv", f"--reuid={61000 + number}", f"--regid={self.group.gr_gid}",
                "--clear-groups", *command]

    def has_sessions(self) -> bool:
        """Whether this daemon says that it serves sessions."""
        code = "import qubus, sys; print('sessions' in qubus.Client(sys.argv[1]).hello().features)"
        answer = subprocess.run([str(CLIENT_PYTHON), "-c", code, self.endpoint],
                                capture_output=True, text=True, check=True)
        return answer.stdout.strip() == "True"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=15)


class Worker:
    """A process that answers a line of JSON with a line of JSON."""

    def __init__(self, command: list[str]):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(os.cpu_count() or 1)})
        self.first = self._answer()

    def _answer(self) -> dict:
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            raise Stopped(f"{self.process.args[-2:]} did not answer in {PATIENCE} s")
        line = self.process.stdout.readline()
        if not line:
            raise Stopped(f"{self.process.args[-2:]} ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, **request: object) -> dict:
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def finish(self) -> dict | None:
        """Closes its input; gives its last line if it says one more."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            last = self.process.stdout.read()
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None
        return json.loads(last) if last.strip() else None


def python_client(endpoint: str) -> Worker:
    return Worker([str(CLIENT_PYTHON), str(HERE / "client.py"), endpoint])


def peer(name: str) -> Worker:
    return Worker([str(PEER_PYTHON), str(HERE / "peers.py"), name])


def tenants(daemon: Daemon, case: pathlib.Path, count: int) -> list[Worker]:
    """Sessions of other principals that step without a pause."""
    command = [sys.executable if not CLIENT_PYTHON.exists() else str(CLIENT_PYTHON),
               str(HERE / "tenant.py"), daemon.endpoint, str(case)]
    return [Worker(daemon.as_user(number, command)) for number in range(count)]


def compiled(source: pathlib.Path, compiler: str, standard: str, out: pathlib.Path,
             *words: str) -> list[str] | None:
    """A client program over libqubus; None where there is no source or no compiler."""
    if not source.exists() or shutil.which(compiler) is None:
        return None
    library = ROOT / ".build/release"
    subprocess.run(
        [compiler, f"-std={standard}", "-O2", "-D_POSIX_C_SOURCE=200809L", f"-I{ROOT}/include",
         *words, str(source), "-o", str(out), f"-L{library}", "-lqubus", "-lpthread", "-lm",
         f"-Wl,-rpath,{library}"], check=True)
    return [str(out)]


def native_clients(folder: pathlib.Path) -> dict[str, list[str]]:
    """Programs of the other languages, built: name to command."""
    found = {
        "C": compiled(HERE / "loop.c", "cc", "c11", folder / "loop-c"),
        "C++": compiled(HERE / "loop.cpp", "c++", "c++17", folder / "loop-cpp",
                        f"-I{ROOT}/bindings/cpp/include"),
        "Go": go_client(folder),
    }
    return {name: command for name, command in found.items() if command}


def go_client(folder: pathlib.Path) -> list[str] | None:
    source = HERE / "go"
    if not source.exists() or shutil.which("go") is None:
        return None
    library, out = ROOT / ".build/release", folder / "loop-go"
    # The package asks pkg-config: the answer is this build, not an installed one.
    (folder / "qubus.pc").write_text(
        f"Name: qubus\nDescription: this build\nVersion: 0\nCflags: -I{ROOT}/include\n"
        f"Libs: -L{library} -lqubus\n")
    # Go's build cache does not see what pkg-config says, so that CGO_LDFLAGS names the place, too.
    environment = {**os.environ, "PKG_CONFIG_PATH": str(folder), "GOFLAGS": "-mod=mod",
                   "GOPROXY": "off", "CGO_LDFLAGS": f"-L{library} -Wl,-rpath,{library}"}
    subprocess.run(["go", "build", "-o", str(out), "."], cwd=source, check=True, env=environment)
    return [str(out)]


def floor(folder: pathlib.Path) -> dict:
    """A bare ZeroMQ echo between two processes, in microseconds."""
    program = folder / "floor"
    if not program.exists():
        subprocess.run(
            ["cc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O2",
             str(ROOT / "Benchmarks/service/floor.c"), "-o", str(program), "-lzmq"], check=True)
    told = subprocess.run([str(program), str(folder / "floor.sock"), "3000"],
                          capture_output=True, text=True, check=True)
    return json.loads(told.stdout)
