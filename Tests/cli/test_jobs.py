"""The other commands on jobs and on the service."""

import json
import signal
import subprocess

import pytest
from conftest import LIMIT_SECONDS, PROGRAMS, QUBUS

BELL = PROGRAMS / "bell.qasm"
LONG = PROGRAMS / "long.qasm"


def submit(qubus, *arguments):
    done = qubus("submit", *arguments, "-o", "json")
    assert done.returncode == 0, done.stderr
    return [job["job_id"] for job in json.loads(done.stdout)["jobs"]]


@pytest.fixture
def long_job(qubus):
    (job,) = submit(qubus, LONG, "--shots", 1_000_000, "--name", "long")
    yield job
    assert qubus("cancel", job).returncode == 0


def watching(qubus, *arguments):
    return subprocess.Popen(
        [QUBUS, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=qubus.environment)


def test_a_batch_is_accepted_or_refused_one_by_one(qubus):
    done = qubus("submit", BELL, PROGRAMS / "broken.qasm", BELL, "-o", "json")
    first, second, third = json.loads(done.stdout)["jobs"]
    assert done.returncode == 65 and "broken.qasm:" in done.stderr
    assert first["job_id"] != third["job_id"]
    assert second["error"]["name"] == "program_syntax_error" and "job_id" not in second


def test_watch_resumes_after_a_sequence_number(qubus):
    (job,) = submit(qubus, BELL)
    done = qubus("watch", job)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    rest = qubus("watch", job, "--after", 2, "-o", "jsonl")
    assert [json.loads(line) for line in rest.stdout.splitlines()] == events[2:]


def test_get_list_annotate_and_result_tell_of_the_job(qubus):
    (job,) = submit(qubus, BELL, "--name", "findme", "--tag", "red", "--tag", "blue")
    assert qubus("watch", job).returncode == 0
    assert json.loads(qubus("get", job).stdout)["job_id"] == job
    assert "findme" in qubus("get", job, "-o", "table").stdout
    jobs = json.loads(qubus("list", "--tag", "red", "--status", "succeeded").stdout)["jobs"]
    assert job in [found["job_id"] for found in jobs]
    assert json.loads(qubus("list", "--tag", "green").stdout)["jobs"] == []
    assert len(json.loads(qubus("list", "--limit", 1).stdout)["jobs"]) == 1
    done = qubus("annotate", job, "sample=a=b", "note=ok")
    assert done.returncode == 0 and "a=b" in qubus("get", job, "-o", "table").stdout
    assert sum(json.loads(qubus("result", job).stdout)["counts"].values()) == 1024


def test_explain_is_a_sentence_and_a_message(qubus):
    (job,) = submit(qubus, BELL)
    assert qubus("watch", job).returncode == 0
    told = qubus("explain", job, "-o", "table")
    assert told.returncode == 0 and told.stdout == f"Job {job} is succeeded and waits for nothing.\n"
    answer = json.loads(qubus("explain", job).stdout)
    assert answer["job"]["job_id"] == job and not answer.get("constraints")
    assert qubus("explain", job, "-o", "csv").stdout == "kind,since,delay_microseconds,detail,remedy\n"


def test_replay_is_identical(qubus):
    (job,) = submit(qubus, BELL, "--seed", 3)
    assert qubus("watch", job).returncode == 0
    done = qubus("replay", job, "-o", "json")
    assert done.returncode == 0, done.stderr
    replay = json.loads(done.stdout)
    assert replay["outcome"] == "identical" and replay["replay_job_id"] != job
    assert replay["original_hash"] == replay["replay_hash"] != ""


def test_a_result_asked_for_too_early_says_not_yet(qubus, long_job):
    done = qubus("result", long_job, "-o", "json")
    assert done.returncode == 73
    assert json.loads(done.stdout)["error"]["name"] == "result_not_ready"


def test_a_timeout_leaves_the_job_alone_and_says_how_to_resume(qubus):
    done = qubus("run", LONG, "--shots", 1_000_000, "--timeout", 0.2, "-o", "json")
    answer = json.loads(done.stdout)
    assert done.returncode == 75 and answer["error"]["name"] == "deadline_exceeded"
    assert f"qubus watch {answer['job_id']}" in done.stderr
    assert answer["status"] in ("accepted", "queued", "reserved", "running")
    assert qubus("cancel", answer["job_id"]).returncode == 0


def test_interrupt_detaches_without_canceling(qubus, long_job):
    watch = watching(qubus, "watch", long_job)
    assert json.loads(watch.stdout.readline())["sequence"] in (1, "1")
    watch.send_signal(signal.SIGINT)
    _, err = watch.communicate(timeout=LIMIT_SECONDS)
    assert watch.returncode == 130 and f"qubus watch {long_job}" in err
    assert json.loads(qubus("get", long_job).stdout)["status"] not in ("canceled", "failed")


def test_cancel_is_idempotent_and_ends_a_watch_with_70(qubus):
    (job,) = submit(qubus, LONG, "--shots", 1_000_000)
    watch = watching(qubus, "watch", job)
    while json.loads(watch.stdout.readline())["status"] != "running":
        pass
    first = json.loads(qubus("cancel", job, "--reason", "a test").stdout)
    assert first["outcome"] == "during_run"
    out, _ = watch.communicate(timeout=LIMIT_SECONDS)
    assert watch.returncode == 70 and json.loads(out.splitlines()[-1])["status"] == "canceled"
    assert json.loads(qubus("cancel", job).stdout)["outcome"] == "too_late"


def test_plan_predicts_without_making_a_job(qubus):
    before = json.loads(qubus("list", "--limit", 1000).stdout)["jobs"]
    plan = json.loads(qubus("plan", BELL).stdout)
    assert plan["device"] == "sim.statevector" and int(plan["pubs"][0]["qubit_count"]) == 2
    assert "qubits" in qubus("plan", BELL, "-o", "table").stdout
    assert len(json.loads(qubus("list", "--limit", 1000).stdout)["jobs"]) == len(before)


def test_devices_health_and_version_answer_in_every_format(qubus):
    for command in ("devices", "health", "version"):
        for output in ("table", "json", "jsonl", "csv"):
            done = qubus(command, "-o", output)
            assert done.returncode == 0 and done.stdout.strip(), (command, output, done.stderr)
    names = [device["name"] for device in json.loads(qubus("devices").stdout)["devices"]]
    assert "sim.statevector" in names
    assert json.loads(qubus("version").stdout)["server"]["server_version"]
