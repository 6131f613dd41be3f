"""qubusd --check-config: what is wrong, and on which line."""

import pytest
from conftest import QUBUSD, clean_environment, run


def check(*arguments, **environment):
    return run(
        "--check-config", *arguments, binary=QUBUSD, env=clean_environment(**environment))


def check_file(path, text, *arguments, **environment):
    path.write_text(text)
    return check("--config", path, *arguments, **environment)


def test_a_right_configuration_is_ok(tmp_path):
    done = check_file(
        tmp_path / "qubus.toml",
        'data_dir = "/tmp/qubus"\nlisten = ["ipc:///tmp/qubus/q.sock", "tcp://[::1]:0"]\n'
        'weight = ["lab=2", "lab/qc=0.5", "lab/qc/ada=3"]\n'
        'threads = 2\nmemory_limit = "1GiB"\nlog_level = "debug"\nlog_format = "json"\n')
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


@pytest.mark.parametrize(
    "text, place, words",
    [
        ("# first\n\ncolour = 1\n", ":3:1: colour:", "unknown key"),
        ("\n[engine]\nthreads = 2\n", ":2:2: engine:", "unknown key"),
        ("threads = 2\nlisten = [\n", ":2:", ""),
        ('data_dir = "/x"\nthreads = "two"\n', ":2:1: threads:", "an integer expected"),
        ("threads = 0\n", ":1:1: threads:", "from 1 to"),
        ('\n  log_level = "loud"\n', ":2:3: log_level:", "none of trace, debug"),
        ('memory_limit = "4 bananas"\n', ":1:1: memory_limit:", "amount of memory"),
        ('listen = [1]\n', ":1:1: listen:", "array of strings"),
        ('a = """\nthreads = 9\n"""\nthreads = -1\n', ":4:1: threads:", "from 1 to"),
        ('listen = "tcp://0.0.0.0:7400"\n', ":1:1: listen:", "not a loopback address"),
        ('listen = "tcp://*:7400"\n', ":1:1: listen:", "not a loopback address"),
        ('listen = "tcp://127.0.0.1:70000"\n', ":1:1: listen:", "port from 0 to 65535"),
        ('listen = "ipc://relative"\n', ":1:1: listen:", "must be absolute"),
        (f'listen = "ipc:///{"x" * 107}"\n', ":1:1: listen:", "limit: 107"),
        ('weight = ["lab=2", "lab=3"]\n', ":1:1: weight:", "two weights"),
        ('weight = "lab=0"\n', ":1:1: weight:", "0.001 to 1000000"),
        ('weight = "lab/qc/ada/x=1"\n', ":1:1: weight:", "tenant/project/principal"),
        ('weight = "lab=nan"\n', ":1:1: weight:", "0.001 to 1000000"),
        ('socket_group = "no such group"\n', ":1:1: socket_group:", "no group"),
    ])
def test_a_mistake_is_named_with_its_line_and_key(tmp_path, text, place, words):
    path = tmp_path / "qubus.toml"
    done = check_file(path, text)
    assert done.returncode == 78 and done.stdout == ""
    assert f"{path}{place}" in done.stderr and words in done.stderr


def test_every_mistake_is_told_at_once(tmp_path):
    done = check_file(tmp_path / "q.toml", "threads = 0\ncolour = 1\n", "--log-level", "loud")
    assert [word in done.stderr for word in ("threads", "colour", "--log-level")] == [True] * 3


def test_a_file_that_is_not_text_is_refused_with_its_line(tmp_path):
    path = tmp_path / "q.toml"
    path.write_bytes(b"threads = 2\ndata_dir = \"\xff\"\n")
    done = check("--config", path)
    assert done.returncode == 78 and f"{path}:2: the file is not UTF-8 text" in done.stderr


def test_a_missing_file_is_refused(tmp_path):
    done = check("--config", tmp_path / "none.toml")
    assert done.returncode == 78 and "No such file" in done.stderr


def test_flags_win_over_environment_over_file(tmp_path):
    path, right, wrong = tmp_path / "q.toml", "threads = 1\n", "threads = 0\n"
    # A wrong value is told wherever it stands; its source shows which one was read.
    assert "q.toml:1:1" in check_file(path, wrong, "--threads", "2", QUBUS_THREADS="2").stderr
    assert "variable QUBUS_THREADS" in check_file(path, right, QUBUS_THREADS="0").stderr
    assert "flag --threads" in check_file(path, right, "--threads", "0").stderr
    assert check_file(path, right, "--threads", "3", QUBUS_THREADS="2").returncode == 0


def test_the_environment_names_a_file_and_several_endpoints(tmp_path):
    (tmp_path / "q.toml").write_text("colour = 1\n")
    assert "q.toml:1:1: colour" in check(QUBUS_CONFIG=str(tmp_path / "q.toml")).stderr
    done = check(QUBUS_LISTEN="ipc:///tmp/a.sock,tcp://10.0.0.1:1")
    assert done.returncode == 78 and "QUBUS_LISTEN: 'tcp://10.0.0.1:1'" in done.stderr


def test_an_unknown_flag_is_a_usage_error():
    done = check("--bogus")
    assert done.returncode == 64 and "--bogus" in done.stderr


def test_a_data_directory_too_long_for_its_socket_is_refused():
    done = check("--data-dir", "/tmp/" + "x" * 100)
    assert done.returncode == 78 and "limit: 107" in done.stderr
