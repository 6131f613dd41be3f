"""What the log holds, and what the process leaves behind when it dies."""

import json
import os
import re
import resource
import signal
import subprocess

import pytest
from conftest import QUBUSD, Daemon, clean_environment, run


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


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV, signal.SIGILL])
def test_a_daemon_that_crashes_ends_at_once_and_leaves_no_core(short_dir, number):
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]

    def allow_cores():
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    child = subprocess.Popen(
        [QUBUSD, "--data-dir", str(short_dir)], cwd=short_dir, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env=clean_environment(), preexec_fn=allow_cores)
    assert child.stdout.readline()
    with open(f"/proc/{child.pid}/limits") as file:
        limit = next(line for line in file if line.startswith("Max core file size"))
    assert limit.split()[4:6] == ["0", "0"]
    os.kill(child.pid, number)
    _, status = os.waitpid(child.pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == number
    assert not os.WCOREDUMP(status)
    assert not [name for name in os.listdir(short_dir) if name.startswith("core")]
