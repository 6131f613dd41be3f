"""What only a process of its own shows: import time, Ctrl-C, pyzmq beside, fork."""
import os
import signal
import subprocess
import sys

import pytest


def python(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, **options)


def test_import_takes_less_than_100_ms():
    code = ("import time; start = time.perf_counter(); import qubus; "
            "print(time.perf_counter() - start)")
    best = min(float(python(code).stdout) for _ in range(5))
    assert best < 0.1, f"import qubus took {best * 1000:.0f} ms"


def test_import_brings_neither_numpy_nor_asyncio_nor_matplotlib():
    code = ("import sys, qubus; "
            "print(sorted({'numpy', 'asyncio', 'matplotlib', 'tqdm', 'zmq'} & set(sys.modules)))")
    assert python(code).stdout.strip() == "[]"


BOTH = """
import sys
if sys.argv[2] == "before": import zmq
import qubus
if sys.argv[2] == "after": import zmq
context = zmq.Context()
left, right = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
left.bind("inproc://x"); right.connect("inproc://x")
with qubus.Client(sys.argv[1]) as client:
    for round in range(50):
        left.send(b"%d" % round)
        assert client.submit("OPENQASM 3;", shots=5).result(timeout=10).counts
        assert right.recv() == b"%d" % round
left.close(); right.close(); context.term()
print("both work")
"""


@pytest.mark.parametrize("order", ["before", "after"])
def test_pyzmq_works_beside_whatever_is_imported_first(scripted, order):
    done = python(BOTH, scripted.endpoint, order)
    assert done.stdout.startswith("both work"), done.stderr


WAIT = """
import sys, qubus
client = qubus.Client(sys.argv[1])
job = client.submit("OPENQASM 3;", name="hold")
print(job.id, flush=True)
{wait}
"""


@pytest.mark.parametrize("wait", [
    "job.result()", "job.wait()", "list(job.events())", "job.result(timeout=60, progress=True)"])
def test_ctrl_c_detaches_with_a_hint_how_to_resume(scripted, wait):
    process = subprocess.Popen(
        [sys.executable, "-c", WAIT.format(wait=wait), scripted.endpoint],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # a run in the background hands down an ignored SIGINT
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    job_id = process.stdout.readline().strip()
    # the server has the waiting call once it holds it
    while not scripted._held:
        assert process.poll() is None
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    assert f'client.job("{job_id}").result()' in error
    assert scripted.jobs[job_id].status == 2  # still queued


FORK = """
import os, sys, qubus
client = qubus.Client(sys.argv[1])
job = client.submit("OPENQASM 3;")
child = os.fork()
if child == 0:
    try:
        job.result(timeout=5)
    except qubus.ClientError as error:
        os._exit(7 if error.name == "used_after_fork" else 8)
    os._exit(9)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), job.result(timeout=5).counts)
"""


def test_a_client_used_after_fork_says_so_and_the_parent_goes_on(scripted):
    done = python(FORK, scripted.endpoint)
    assert done.stdout.strip() == "7 {'00': 509, '11': 515}", done.stderr
