"""What the log holds, and what the process leaves behind when it dies."""

import json
import os
import pwd
import re
import resource
import shutil
import signal
import subprocess

import pytest
from conftest import QUBUSD, ROOT, Daemon, clean_environment, run

# An argument `metadata: […]`, one key set by itself, and the bodies of functions that pass facts on.
METADATA = re.compile(r'metadata:\s*[\w.(]*\[(.*?)\]\s*\)|\[metadataKey: "(\w+)"\]', re.DOTALL)
KEY = re.compile(r'"(\w+)":')


def lines(err):
    return [json.loads(line) for line in err.splitlines()]


def test_the_trace_id_of_an_error_leads_to_its_line_which_has_no_program_text(short_dir):
    started = Daemon(short_dir)
    environment = clean_environment(QUBUS_ENDPOINT=started.endpoint)
    program = "OPENQASM 3.0;\nqubit q;\nwhisper_of_the_lab q;\n"
    failed = run("submit", "-", stdin=program, env=environment)
    assert failed.returncode != 0 and "whisper_of_the_lab" in failed.stderr
    trace_id = re.search(r"Trace: (\w+)", failed.stderr)[1]
    status, _, _, err = started.stop()
    assert status == 0
    told = [line for line in lines(err) if line.get("trace_id") == trace_id]
    assert [line["message"] for line in told] == ["call failed"]
    assert told[0]["method"].startswith("Submit") and told[0]["error"]
    assert "whisper_of_the_lab" not in err


def test_every_field_of_the_log_is_one_that_may_be_logged(short_dir):
    started = Daemon(short_dir, "--log-level", "trace")
    environment = clean_environment(QUBUS_ENDPOINT=started.endpoint)
    run("devices", env=environment)
    _, _, _, err = started.stop()
    assert lines(err) and not [line for line in lines(err) if "fields_left_out" in line]


def keys_logged():
    """Every key of metadata in the sources, with a file that has it."""
    found = {}
    for path in sorted((ROOT / "Sources").rglob("*.swift")):
        text = path.read_text()
        for block, key in METADATA.findall(text):
            for name in KEY.findall(block) + [key] * bool(key):
                found[name] = path.name
        if "Logger.Metadata" in text:
            found.update(dict.fromkeys(KEY.findall(text), path.name))
    return found


def test_the_sources_log_the_listed_fields_and_no_others():
    listing = (ROOT / "Sources/qubusd/Logging/LogField.swift").read_text()
    cases = re.findall(r'^  case (\w+)(?: = "(\w+)")?$', listing, re.MULTILINE)
    listed = {raw or name for name, raw in cases}
    found = keys_logged()
    assert len(found) > 20 and "trace_id" in found, "the sources were not understood"
    assert {key: file for key, file in found.items() if key not in listed} == {}
    assert listed - set(found) == set(), "listed, but logged nowhere"


def test_a_key_that_is_not_listed_would_be_found(monkeypatch, tmp_path):
    (tmp_path / "Sources").mkdir()
    (tmp_path / "Sources/Careless.swift").write_text(
        'logger.info("m", metadata: ["job_id": "\\(id)", "program": "\\(text)"])\n'
        'logger[metadataKey: "token"] = "x"\n'
        'func tell(_ facts: Logger.Metadata) {}\ntell(["result": "1"])\n')
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert set(keys_logged()) == {"job_id", "program", "token", "result"}


def test_the_memory_of_the_daemon_is_nobody_elses(short_dir):
    """PR_SET_DUMPABLE 0 shows in who owns the files of the process: root, whoever runs it."""
    if os.getuid() == 0:
        user = pwd.getpwnam("nobody").pw_uid
        shutil.copy(QUBUSD, short_dir / "qubusd")
        os.chown(short_dir, user, -1)
        binary = str(short_dir / "qubusd")
    else:
        user, binary = os.getuid(), QUBUSD
    child = subprocess.Popen(
        [binary, "--data-dir", str(short_dir / "data")], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env=clean_environment(), user=user, cwd=short_dir)
    try:
        assert child.stdout.readline()
        owners = {os.stat(f"/proc/{child.pid}/{name}").st_uid for name in ("mem", "environ", "maps")}
        with open(f"/proc/{child.pid}/status") as file:
            uids = next(line for line in file if line.startswith("Uid:")).split()[1:]
        assert set(map(int, uids)) == {user}
        assert owners == {0}
        if os.getuid() != 0:
            with pytest.raises(PermissionError):
                open(f"/proc/{child.pid}/mem", "rb").close()
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait()


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGILL, signal.SIGABRT, signal.SIGSEGV])
def test_a_daemon_that_crashes_ends_at_once_and_leaves_no_core_or_backtrace(short_dir, number):
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]

    def allow_cores():
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    child = subprocess.Popen(
        [QUBUSD, "--data-dir", str(short_dir)], cwd=short_dir, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=clean_environment(SWIFT_BACKTRACE="enable=yes"),
        preexec_fn=allow_cores)
    try:
        assert child.stdout.readline()
        with open(f"/proc/{child.pid}/limits") as file:
            limit = next(line for line in file if line.startswith("Max core file size"))
        assert limit.split()[4:6] == ["0", "0"]
        os.kill(child.pid, number)
        _, err = child.communicate(timeout=10)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == -number
    assert b"acktrac" not in err
    assert not [name for name in os.listdir(short_dir) if name.startswith("core")]
