"""Start, stop and start-up errors of qubusd."""

import json
import os
import signal
import stat
import subprocess

import pytest
from conftest import PROGRAMS, QUBUS, QUBUSD, Daemon, clean_environment, run


def refused(*arguments):
    """Starts a daemon that must not come up."""
    return run(*arguments, binary=QUBUSD)


def test_the_ready_line_names_real_endpoints(short_dir):
    daemon = Daemon(
        short_dir / "data", "--listen", f"ipc://{short_dir}/q.sock", "--listen",
        "tcp://127.0.0.1:0")
    assert daemon.ready["event"] == "ready" and daemon.ready["pid"] == daemon.process.pid
    assert daemon.ready["data_dir"] == str(short_dir / "data") and daemon.ready["instance_id"]
    ipc, tcp = daemon.ready["endpoints"]
    assert ipc == f"ipc://{short_dir}/q.sock" and not tcp.endswith(":0")
    for endpoint in (ipc, tcp):
        assert run("health", "--endpoint", endpoint, "-o", "json").returncode == 0
    assert daemon.stop()[0] == 0


def test_without_listen_the_socket_is_in_a_private_data_directory(short_dir):
    daemon = Daemon(short_dir / "data")
    assert daemon.endpoint == f"ipc://{short_dir}/data/qubus.sock"
    assert stat.S_IMODE(os.stat(short_dir / "data").st_mode) == 0o700
    assert daemon.stop()[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_with_0_within_5_seconds(short_dir, number):
    status, seconds, out, err = Daemon(short_dir / "data").stop(number)
    assert status == 0 and seconds < 5 and out == "", err


def test_it_stops_within_5_seconds_under_a_running_job(short_dir):
    daemon = Daemon(short_dir / "data")
    environment = clean_environment(QUBUS_ENDPOINT=daemon.endpoint)
    job = json.loads(
        run("submit", PROGRAMS / "long.qasm", "--shots", "1000000", env=environment).stdout)
    watch = subprocess.Popen(
        [QUBUS, "watch", job["jobs"][0]["job_id"]], stdout=subprocess.PIPE, text=True,
        env=environment)
    try:
        while json.loads(watch.stdout.readline())["status"] != "running":
            pass
        status, seconds, _, err = daemon.stop()
    finally:
        watch.kill()
        watch.communicate()
    assert status == 0 and seconds < 5, err


def test_sighup_is_ignored(short_dir):
    daemon = Daemon(short_dir / "data")
    daemon.process.send_signal(signal.SIGHUP)
    assert run("health", "--endpoint", daemon.endpoint).returncode == 0
    assert daemon.stop()[0] == 0


def test_logs_are_json_lines(short_dir):
    *_, err = Daemon(short_dir / "data", "--log-format", "json").stop()
    records = [json.loads(line) for line in err.splitlines()]
    assert records and all({"time", "level", "message"} <= record.keys() for record in records)


def test_a_second_daemon_on_the_same_directory_is_refused(short_dir):
    daemon = Daemon(short_dir / "data")
    done = refused("--data-dir", short_dir / "data", "--listen", f"ipc://{short_dir}/other.sock")
    assert done.returncode == 75 and "data_directory_locked" in done.stderr
    assert run("health", "--endpoint", daemon.endpoint).returncode == 0
    assert daemon.stop()[0] == 0


def test_a_second_daemon_on_the_same_endpoint_is_refused(short_dir):
    daemon = Daemon(short_dir / "data")
    done = refused("--data-dir", short_dir / "other", "--listen", daemon.endpoint)
    assert done.returncode == 75 and "endpoint_in_use" in done.stderr
    assert run("health", "--endpoint", daemon.endpoint).returncode == 0
    assert daemon.stop()[0] == 0


def test_a_directory_that_cannot_be_made_is_refused(short_dir):
    (short_dir / "file").write_text("")
    done = refused("--data-dir", short_dir / "file" / "data")
    assert done.returncode == 73 and "data_directory_not_writable" in done.stderr


def test_a_network_address_is_refused(short_dir):
    done = refused("--data-dir", short_dir, "--listen", "tcp://0.0.0.0:7400")
    assert done.returncode == 78 and "not a loopback address" in done.stderr


def test_two_server_keys_overlap_and_a_readable_one_is_refused(short_dir):
    listen = ("--listen", "curve://127.0.0.1:0", "--listen", "curve://127.0.0.1:0/next")
    daemon = Daemon(short_dir / "data", *listen)
    keys = list(daemon.ready["server_keys"].values())
    assert len(set(keys)) == 2 and set(daemon.ready["server_keys"]) == set(daemon.ready["endpoints"])
    for name in ("server", "next"):
        assert stat.S_IMODE(os.stat(short_dir / "data" / f"{name}.key").st_mode) == 0o600
        assert (short_dir / "data" / f"{name}.pub").read_text().strip() in keys
    assert daemon.stop()[0] == 0
    again = Daemon(short_dir / "data", *listen)
    assert sorted(again.ready["server_keys"].values()) == sorted(keys)
    assert again.stop()[0] == 0
    secret = (short_dir / "data" / "next.key").read_text().strip()
    os.chmod(short_dir / "data" / "next.key", 0o644)
    done = refused("--data-dir", short_dir / "data", *listen)
    assert done.returncode == 78 and "next.key" in done.stderr and secret not in done.stderr


def test_unknown_flags_end_with_64():
    assert refused("--no-such-flag").returncode == 64


def test_a_daemon_gone_is_a_connection_error(short_dir):
    daemon = Daemon(short_dir / "data")
    assert daemon.stop()[0] == 0
    done = run("health", "--endpoint", daemon.endpoint, "-o", "json")
    assert done.returncode == 69
    assert json.loads(done.stdout)["error"]["name"] == "connection_failed"
    assert "connection_failed [9001]" in done.stderr
