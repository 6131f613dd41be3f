"""What needs no daemon: help, completion, the catalogue of errors."""

import json
import os
import pathlib

import pytest
from conftest import QUBUS, QUBUSD, clean_environment, run

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"
COMMANDS = [
    "run", "submit", "watch", "get", "explain", "list", "result", "cancel", "change", "resubmit", "pause", "resume", "replay", "annotate", "plan",
    "usage", "archive", "restore",
    "devices", "errors", "health", "version", "keygen", "completion",
    "whoami", "admin", "audit", "quota", "approvals", "queue-policy", "eta-report",
    "reservation",
]
NESTED = [
    "admin tenants", "admin tenants list", "admin tenants create", "admin tenants disable",
    "admin tenants enable", "admin tenants erase", "admin projects", "admin projects list",
    "admin projects create",
    "admin projects owner", "admin projects disable", "admin projects enable", "admin principals",
    "admin principals list", "admin principals create", "admin principals user",
    "admin principals disable", "admin principals enable", "admin keys", "admin keys list",
    "admin keys add", "admin keys revoke", "admin grant", "admin revoke", "admin invite",
    "admin token", "admin token issue", "admin token revoke", "admin token rotate-key", "admin price",
    "admin dedicate", "admin credit", "admin budget", "admin budget list", "admin budget set",
    "audit list", "audit verify", "audit export", "admin quota", "admin quota list", "admin quota set", "admin quota lift",
    "admin weight", "admin hold", "admin release", "admin drain", "admin undrain",
    "admin maintenance",
    "reservation list", "reservation create", "reservation extend", "reservation cancel",
    "admin approval-policy", "admin approval-policy set", "admin approval-policy remove",
    "admin export-policy", "admin export-policy list", "admin export-policy set", "admin export-policy remove",
    "approvals list", "approvals approve", "approvals refuse", "approvals change-device",
]
PAGES = [("qubusd", QUBUSD, []), ("qubus", QUBUS, [])] + [
    ("-".join(["qubus", *command.split()]), QUBUS, command.split()) for command in COMMANDS + NESTED
]


@pytest.mark.parametrize("name, binary, arguments", PAGES, ids=[page[0] for page in PAGES])
def test_help_is_the_golden_page(name, binary, arguments):
    """QUBUS_UPDATE_GOLDEN=1 writes the pages anew."""
    done = run(*arguments, "--help", binary=binary)
    assert done.returncode == 0
    page = GOLDEN / f"{name}.txt"
    if os.environ.get("QUBUS_UPDATE_GOLDEN"):
        page.write_text(done.stdout)
    assert done.stdout == page.read_text()


def test_every_command_has_its_page():
    listed = run("--help").stdout
    assert all(f"\n  {command} " in listed for command in COMMANDS)


@pytest.mark.parametrize("command", NESTED)
def test_every_nested_command_is_listed_by_the_one_above(command):
    *above, name = command.split()
    assert f"\n  {name}" in run(*above, "--help").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command(shell):
    done = run("completion", shell)
    assert done.returncode == 0 and all(command in done.stdout for command in COMMANDS)


def test_an_error_is_found_by_name_and_by_number():
    by_name, by_number = (json.loads(run("errors", key).stdout) for key in ("invalid_shots", "1015"))
    assert by_name == by_number and by_name["name"] == "invalid_shots" and by_name["action"]


def test_the_catalogue_agrees_with_the_registry():
    registry = json.loads(
        (pathlib.Path(__file__).resolve().parents[2] / "proto/errors.json").read_text())
    printed = json.loads(run("errors", "-o", "json").stdout)["errors"]
    assert [(e["number"], e["name"]) for e in printed] == [
        (e["number"], e["name"]) for e in registry["errors"]]


def test_version_answers_without_a_daemon(short_dir):
    done = run(
        "version", "-o", "json",
        env=clean_environment(QUBUS_ENDPOINT=f"ipc://{short_dir}/none.sock"))
    answer = json.loads(done.stdout)
    assert done.returncode == 0 and answer["client_version"] and answer["server"] is None


def test_the_daemon_tells_its_version():
    assert run("--version", binary=QUBUSD).stdout.startswith("qubusd ")
