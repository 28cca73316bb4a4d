"""The shipped policy is the one that `harness doctor` prints."""

from __future__ import annotations

import json

from harness.load.preflight.permissions import permissions_of
from harness.load.preflight.policy import least_policy, policy_json
from harness.suite.loader import load_suite
from tests.schedule.conftest import ROOT, SCHEDULE

MANAGED_POLICY_CHARACTERS = 6144
"""IAM's limit, which counts no white space."""


def test_the_policy_is_the_least_one_for_the_quickstart() -> None:
    needed = permissions_of(load_suite(ROOT / "suites" / "quickstart.yaml"), "s3://my-bench/results")
    text = (SCHEDULE / "policy.json").read_text(encoding="utf-8")
    assert policy_json(least_policy(needed)) + "\n" == text
    assert len("".join(text.split())) < MANAGED_POLICY_CHARACTERS
    assert "2012-10-17" == json.loads(text)["Version"]
