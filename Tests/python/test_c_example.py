"""The C examples against the real daemon, examples and library under AddressSanitizer."""
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run_example(build: pathlib.Path, endpoint: str, name: str = "bell") -> subprocess.CompletedProcess:
    return subprocess.run(
        [build / name, endpoint], capture_output=True, text=True, timeout=60,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1"})


def test_the_examples_run_clean_under_sanitizers(daemon, tmp_path):
    subprocess.run(
        ["make", "-s", "-C", ROOT / "bindings/c", f"BUILD={tmp_path}", "SANITIZE=address,undefined"],
        check=True, capture_output=True, text=True, timeout=300)
    run = run_example(tmp_path, daemon.endpoint)
    assert run.returncode == 0, run.stderr
    assert "AddressSanitizer" not in run.stderr and "runtime error" not in run.stderr
    assert "00" in run.stdout and "11" in run.stdout

    run = run_example(tmp_path, daemon.endpoint, "vqe")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "AddressSanitizer" not in run.stderr and "runtime error" not in run.stderr
    assert run.stdout.count("-1.137") >= 2

    refused = run_example(tmp_path, "ipc:///nonexistent/qubus.sock")
    assert refused.returncode != 0
    assert "connection_failed" in refused.stderr + refused.stdout
