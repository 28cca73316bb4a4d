"""IAM policies: the least one for what a suite needs, and what another lacks of that or grants beyond it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.errors import HarnessError
from harness.load.preflight.facts import Diagnosis
from harness.load.preflight.permissions import PREFIX_KEY, PROFILE_KEY, Kind, Permission

VERSION = "2012-10-17"
LIMIT = 1 << 20
SIDS: dict[Kind, str] = {
    "profile": "InferenceProfiles",
    "behind": "ModelsBehindProfiles",
    "model": "ModelsInRegion",
    "mantle": "Mantle",
    "preflight": "Preflight",
    "list": "ListResults",
    "object": "Results",
}
LIKE = ("StringLike", "ArnLike", "ArnEquals")
EQUALS = "StringEquals"
Answer = Literal["no", "maybe", "yes"]
"""`maybe`: it depends on a condition that cannot be judged from here."""
Texts = str | list[str]


class Statement(
    msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True, forbid_unknown_fields=True
):
    """A statement of a policy for a user or role, as IAM writes it."""

    sid: str = ""
    effect: Literal["Allow", "Deny"]
    action: Texts | None = None
    not_action: Texts | None = None
    resource: Texts | None = None
    not_resource: Texts | None = None
    condition: dict[str, dict[str, Any]] = {}


class Policy(
    msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True, forbid_unknown_fields=True
):
    """A policy document."""

    version: str
    id: str = ""
    statement: list[Statement] | Statement

    @property
    def statements(self) -> list[Statement]:
        return self.statement if isinstance(self.statement, list) else [self.statement]


def least_policy(needed: Iterable[Permission]) -> Policy:
    """The policy that grants what is needed and nothing more.

    A model behind a profile is granted in every Region, but only through that profile, so that nothing breaks when AWS
    adds a Region to it.
    """
    actions: dict[tuple[Kind, str], set[str]] = {}
    for each in needed:
        actions.setdefault((each.kind, _granted(each)), set()).add(each.action)
    grouped: dict[tuple[Kind, tuple[str, ...]], list[str]] = {}
    for (kind, resource), names in actions.items():
        grouped.setdefault((kind, tuple(sorted(names))), []).append(resource)
    statements = [
        Statement(effect="Allow", action=list(names), resource=resources, condition=_condition(kind, resources, needed))
        for (kind, names), resources in sorted(grouped.items(), key=lambda item: list(SIDS).index(item[0][0]))
    ]
    kinds = [kind for kind, _ in sorted(grouped, key=lambda key: list(SIDS).index(key[0]))]
    sids = [f"{SIDS[kind]}{kinds[:i].count(kind) + 1 if kind in kinds[:i] else ''}" for i, kind in enumerate(kinds)]
    named = [msgspec.structs.replace(each, sid=sid) for each, sid in zip(statements, sids, strict=True)]
    return Policy(version=VERSION, statement=list(named))


def _granted(permission: Permission) -> str:
    """The resource to grant: a model behind a profile in any Region."""
    if permission.kind != "behind":
        return permission.resource
    arn, partition, service, _, rest = permission.resource.split(":", 4)
    return ":".join((arn, partition, service, "*", rest))


def _condition(kind: Kind, resources: Sequence[str], needed: Iterable[Permission]) -> dict[str, dict[str, Any]]:
    contexts = [each.context for each in needed if each.kind == kind and _granted(each) in resources]
    if kind == "behind":
        return {"ArnLike": {PROFILE_KEY: list(dict.fromkeys(each[PROFILE_KEY] for each in contexts))}}
    if kind == "list":
        return {"StringLike": {PREFIX_KEY: list(dict.fromkeys(each[PREFIX_KEY] for each in contexts))}}
    return {}


def policy_json(policy: Policy) -> str:
    """The policy as IAM takes it, indented."""
    return msgspec.json.format(msgspec.json.encode(policy), indent=2).decode()


def read_policy(path: Path) -> Policy:
    """The policy in a JSON file. HarnessError: it cannot be read, or is no policy for a user or role."""
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
    except OSError as error:
        raise HarnessError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > LIMIT:
        raise HarnessError(f"{path} is larger than {LIMIT // 1024} KiB, so it is not an IAM policy")
    try:
        return msgspec.json.decode(content, type=Policy)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        hint = (
            "; a policy with a Principal belongs to a resource or is a trust policy"
            if "Principal" in str(error)
            else ""
        )
        raise HarnessError(f"{path}: is not an IAM policy for a role: {error}{hint}") from None


def check_policy(policy: Policy, needed: Sequence[Permission]) -> list[Diagnosis]:
    """What a policy lacks of what is needed, then what it grants beyond that; one `ok` if neither.

    A missing permission is a problem; one that only the preflight needs is a warning, since runs work without it.
    """
    found = [*_missing(policy, needed), *_beyond(policy, needed)]
    if found:
        return found
    count = len({(each.action, each.resource) for each in needed})
    message = f"grants the {count} permissions that the suite needs, and no other"
    return [Diagnosis(check="policy", status="ok", message=message)]


def _missing(policy: Policy, needed: Sequence[Permission]) -> Iterator[Diagnosis]:
    for each in {(each.target, each.action, each.resource): each for each in needed}.values():
        what, answer = f"{each.action} on {each.resource}", _answer(policy, each)
        if answer == "maybe":
            message = f"whether it allows {what} depends on a condition that cannot be checked here"
            yield Diagnosis(target=each.target, check="policy", status="unknown", message=message)
        elif answer == "no":
            yield Diagnosis(
                target=each.target,
                check="policy",
                status="warning" if each.kind == "preflight" else "problem",
                message=f"does not allow {what}",
                remedy="add it; `harness doctor SUITE --print-policy` writes the least policy",
            )


def _answer(policy: Policy, permission: Permission) -> Answer:
    """Whether the policy allows it: allowed by one statement and denied by none."""
    denied = _strongest(policy, permission, "Deny")
    allowed = _strongest(policy, permission, "Allow")
    if denied == "yes" or allowed == "no":
        return "no"
    return "maybe" if "maybe" in (denied, allowed) else "yes"


def _strongest(policy: Policy, permission: Permission, effect: str) -> Answer:
    answers = {
        _conditions_hold(each.condition, permission.context)
        for each in policy.statements
        if each.effect == effect and _names(each, permission)
    }
    return "yes" if "yes" in answers else "maybe" if "maybe" in answers else "no"


def _names(statement: Statement, permission: Permission) -> bool:
    """Whether a statement's actions and resources include the permission's."""
    action, resource = permission.action, permission.resource
    named = any(_action_matches(each, action) for each in _texts(statement.action or statement.not_action))
    covered = any(resource_matches(each, resource) for each in _texts(statement.resource or statement.not_resource))
    return named == (statement.not_action is None) and covered == (statement.not_resource is None)


def _conditions_hold(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> Answer:
    lower = {key.lower(): value for key, value in context.items()}
    answers = [
        _condition_holds(operator, _texts(values), lower.get(key.lower()))
        for operator, by_key in condition.items()
        for key, values in by_key.items()
    ]
    return "no" if "no" in answers else "maybe" if "maybe" in answers else "yes"


def _condition_holds(operator: str, values: Sequence[str], actual: str | None) -> Answer:
    """Whether one of the values is the request's; a wildcard counts only for an operator that knows it."""
    operator = operator.removesuffix("IfExists")
    if actual is None or operator not in (EQUALS, *LIKE):
        return "maybe"
    known = [each for each in values if operator in LIKE or not set("*?") & set(each)]
    return "yes" if any(resource_matches(each, actual) for each in known) else "no"


def _beyond(policy: Policy, needed: Sequence[Permission]) -> Iterator[Diagnosis]:
    """What the policy allows and nothing needs, and wildcards that allow more than is needed."""
    of_results = any(each.kind == "object" for each in needed)
    for statement in policy.statements:
        if statement.effect != "Allow":
            continue
        for action, resource in product(_texts(statement.action), _texts(statement.resource)):
            used = [e for e in needed if _action_matches(action, e.action) and resource_matches(resource, e.resource)]
            if not used:
                is_of_results = action.lower().startswith("s3:") and not of_results
                remedy = "remove it" + (", or name with --results where runs are kept" if is_of_results else "")
                yield _warning(f"grants {action} on {resource}, which nothing in this suite needs", remedy)
            elif wider := _is_wider(action, resource, used):
                yield _warning(f"grants {action} on {resource}, which is more than needed", wider)
        if statement.not_action is not None or statement.not_resource is not None:
            yield _warning("grants all but what NotAction or NotResource names", "name what is allowed instead")


def _is_wider(action: str, resource: str, used: Sequence[Permission]) -> str | None:
    """What to write instead of an action or resource with a wildcard. None: it is as narrow as what is needed."""
    if "*" in action or "?" in action:
        return f"name the actions: {', '.join(sorted({each.action for each in used}))}"
    narrow = sorted({each.resource for each in used})
    own = _name_in(resource)
    if ("*" in own or "?" in own) and all(own != _name_in(each) for each in narrow):
        return f"name the resources: {', '.join(narrow[:3])}{' …' if len(narrow) > 3 else ''}"
    return None


def _name_in(arn: str) -> str:
    """`inference-profile/us.anthropic…` of an ARN; anything else as it is."""
    return arn.split(":", 5)[-1]


def _warning(message: str, remedy: str) -> Diagnosis:
    return Diagnosis(check="policy", status="warning", message=message, remedy=remedy)


def _action_matches(pattern: str, action: str) -> bool:
    return _matches(pattern.lower(), action.lower())


def resource_matches(pattern: str, resource: str) -> bool:
    """Whether a pattern covers a resource: each part of an ARN by itself. Any account stands for the one that calls."""
    ours, theirs = resource.split(":", 5), pattern.split(":", 5)
    if pattern == "*" or len(ours) != 6:
        return _matches(pattern, resource)
    if len(theirs) != 6:
        return False
    any_account = ours[4] == "*" and theirs[4] != ""
    return all(_matches(theirs[i], ours[i]) or (i == 4 and any_account) for i in range(6))


def _matches(pattern: str, text: str) -> bool:
    """IAM's wildcards: `*` for any characters, `?` for one."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def _texts(value: Any) -> list[str]:
    return [] if value is None else [str(each) for each in value] if isinstance(value, list) else [str(value)]
