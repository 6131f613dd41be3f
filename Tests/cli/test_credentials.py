"""Keys and tokens on the command line; none of it needs a daemon."""

import os
import stat

from conftest import clean_environment, run

SERVER_KEY = "0" * 40
ENDPOINT = "curve://127.0.0.1:9"


def health(*arguments, **environment):
    return run("health", "--endpoint", ENDPOINT, *arguments, env=clean_environment(**environment))


def test_keygen_makes_a_private_file_and_prints_the_public_key(short_dir):
    path = short_dir / "client.key"
    done = run("keygen", path)
    assert done.returncode == 0 and done.stderr == ""
    key = done.stdout.strip()
    assert len(key) == 40 and done.stdout == key + "\n"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert f'public = "{key}"' in path.read_text()
    again = run("keygen", path)
    assert again.returncode == 64 and "never overwritten" in again.stderr


def test_a_key_file_that_others_may_read_is_refused_by_its_mode(short_dir):
    path = short_dir / "client.key"
    run("keygen", path)
    path.chmod(0o644)
    for done in (health("--server-key", SERVER_KEY, "--key-file", path),
                 health(QUBUS_SERVER_KEY=SERVER_KEY, QUBUS_KEY_FILE=str(path))):
        assert done.returncode == 65 and "invalid_key" in done.stderr
        assert f"{path} has mode 0644" in done.stderr
    secret = path.read_text().split('secret = "')[1][:40]
    assert secret not in done.stdout + done.stderr


def test_what_is_missing_is_named():
    assert "QUBUS_SERVER_KEY" in health().stderr
    assert "qubus keygen FILE" in health("--server-key", SERVER_KEY).stderr


def test_keys_for_an_endpoint_without_encryption_are_refused(short_dir):
    done = run("health", "--endpoint", f"ipc://{short_dir}/none.sock", "--server-key", SERVER_KEY)
    assert done.returncode == 64 and "is not encrypted" in done.stderr


def test_a_token_is_never_shown(short_dir):
    for arguments, environment in ((["--token", "with space"], {}), ([], {"QUBUS_TOKEN": "with space"})):
        done = run("health", "--endpoint", f"ipc://{short_dir}/none.sock", *arguments,
                   env=clean_environment(**environment))
        assert done.returncode == 64 and "token" in done.stderr.lower()
        assert "with space" not in done.stdout + done.stderr
