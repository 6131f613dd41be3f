"""Quotas and approvals from the command line, against daemons of their own."""

import json

from conftest import PROGRAMS
from test_admin import ME, error, lab, service  # noqa: F401

BELL = PROGRAMS / "bell.qasm"


def quotas(answer):
    return {(q["scope"], q["quota"]): q for q in answer["quotas"]}


def test_a_single_user_notices_nothing(service):  # noqa: F811
    assert service.ask("quota")["quotas"] == []
    everything = service.ask("quota", "--all")["quotas"]
    assert len(everything) == 27 and not any("limit" in q for q in everything)
    assert service.ask("admin", "quota")["quotas"] == []
    assert service.call("run", BELL, "--shots", "100").returncode == 0
    used = quotas(service.ask("quota", "--all"))
    assert used[(f"default/default/{ME}", "shots_per_day")]["used"] == 100


def test_shots_of_a_day_are_limited_shown_and_counted_over_a_restart(lab):  # noqa: F811
    member = lab.member("lab/qc/ada", "submitter")
    set_ = lab.ask("admin", "quota", "set", "lab/qc", "shots_per_day", "150", "--reason", "trial")
    assert set_["limit"] == 150 and set_["scope"] == "lab/qc"
    assert lab.by(member, "run", BELL, "--shots", "100").returncode == 0
    planned = json.loads(lab.by(member, "plan", BELL, "--shots", "10", "-o", "json").stdout)
    assert {"key": "lab/qc shots_per_day", "value": "100 of 150"} in planned["quota"]
    refused = lab.by(member, "submit", BELL, "--shots", "51", "-o", "json")
    assert refused.returncode == 75 and error(refused) == "quota_exceeded"
    told = json.loads(refused.stdout)["error"]
    assert told["details"]["used"] == "100" and told["details"]["limit"] == "150"
    assert 0 < told["retry_after_milliseconds"] <= 86_400_000
    assert lab.daemon.stop()[0] == 0
    lab.start()
    own = quotas(json.loads(lab.by(member, "quota", "-o", "json").stdout))
    assert own[("lab/qc", "shots_per_day")]["used"] == 100
    assert own[("lab/qc", "shots_per_day")]["resets_at"]
    assert lab.by(member, "submit", BELL, "--shots", "51").returncode == 75
    assert lab.by(member, "run", BELL, "--shots", "50").returncode == 0
    lab.ask("admin", "quota", "lift", "lab/qc", "shots_per_day")
    assert lab.by(member, "run", BELL, "--shots", "51").returncode == 0
    denied = lab.by(member, "admin", "quota", "set", "lab/qc", "sessions", "9", "-o", "json")
    assert denied.returncode == 77 and error(denied) == "permission_denied"


def test_what_is_no_quota_is_refused(lab):  # noqa: F811
    for arguments, status, name in (
            (("lab", "beds", "1"), 65, "invalid_enum_value"),
            (("Lab", "sessions", "1"), 65, "invalid_name"),
            (("nowhere", "sessions", "1"), 77, "tenant_not_found"),
            (("lab/none", "sessions", "1"), 77, "project_not_found"),
            (("lab/qc/none", "sessions", "1"), 77, "principal_not_found"),
            (("lab", "sessions", str(1 << 60)), 65, "invalid_request"),
            (("lab", "sessions", "--", "-1"), 65, "invalid_request")):
        done = lab.call("admin", "quota", "set", "-o", "json", *arguments)
        assert (done.returncode, error(done)) == (status, name), done.stderr


def test_a_job_beyond_the_policy_waits_until_somebody_else_approves_it(lab):  # noqa: F811
    member = lab.member("lab/qc/ada", "submitter", "approver")
    approver = lab.member("lab/qc/bob", "approver")
    lab.ask("admin", "approval-policy", "set", "lab/qc", "--max-shots", "100")
    assert lab.by(member, "run", BELL, "--shots", "100").returncode == 0
    jobs = [
        json.loads(lab.by(member, "submit", BELL, "--shots", "101", "-o", "json").stdout)
        ["jobs"][0]["job_id"] for _ in range(2)]
    assert lab.daemon.stop()[0] == 0
    lab.start()
    listed = json.loads(lab.by(approver, "approvals", "-o", "json").stdout)["approvals"]
    assert [a["job"]["job_id"] for a in listed] == jobs
    assert listed[0]["job"]["reason"] == "APPROVAL" and "101 shots" in listed[0]["causes"][0]
    own = lab.by(member, "approvals", "approve", jobs[0], "-o", "json")
    assert own.returncode == 77 and error(own) == "permission_denied"
    assert lab.by(approver, "approvals", "approve", jobs[0], "--reason", "fine").returncode == 0
    assert lab.by(member, "watch", jobs[0]).returncode == 0
    silent = lab.by(approver, "approvals", "refuse", jobs[1], "-o", "json")
    assert silent.returncode == 65 and error(silent) == "missing_field"
    assert lab.by(approver, "approvals", "refuse", jobs[1], "--reason", "too dear").returncode == 0
    ended = json.loads(lab.by(member, "get", jobs[1], "-o", "json").stdout)
    assert ended["status"] == "canceled" and ended["reason"] == "APPROVAL_REFUSED"
    assert "too dear" in json.dumps(ended)
    again = lab.by(approver, "approvals", "approve", jobs[1], "-o", "json")
    assert again.returncode == 73 and error(again) == "approval_not_pending"
    policies = lab.by(approver, "approvals", "--policies", "-o", "csv").stdout.splitlines()
    assert policies[1].startswith("lab/qc,,100,")
