"""Whether a run can be resumed, and with what: its own suite, the files that its folder does not have, its endpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator
from time import sleep

import msgspec

from harness.cli.running.endpoint import is_simulated, trusted_endpoint
from harness.errors import HarnessError, StoreError
from harness.store.journal import is_locked
from harness.store.manifest import Manifest
from harness.store.opening import open_run
from harness.store.records import SCHEMA_VERSION
from harness.store.run_folder import RunFolder
from harness.suite.digest import digest_suite, suite_content
from harness.suite.suite import Attachment, Prompt, Suite

ENDING_S = 15.0
"""How long the workers of a killed process get to end: they first cancel their requests and write them down."""
_PAUSE_S = 0.1


def finish_journals(folder: RunFolder) -> None:
    """Store what a killed or stopped run left in its journals. StoreError: it cannot be resumed, or not be read."""
    manifest = folder.read_manifest()
    if manifest.kind == "sweep":
        raise StoreError(f"{folder.path}: is a sweep, which cannot be resumed; sweep again")
    if manifest.schema_version != SCHEMA_VERSION:
        raise StoreError(
            f"{folder.path}: was recorded with schema {manifest.schema_version}, and this version of harness records "
            f"with schema {SCHEMA_VERSION}; run the suite again"
        )
    for _ in range(int(ENDING_S / _PAUSE_S)):
        if not any(map(is_locked, folder.journals())):
            break
        sleep(_PAUSE_S)
    if manifest.attempts is None and not folder.journals() and not os.path.lexists(folder.attempts_path):
        folder.finalise("interrupted")  # it ended before it sent anything
    open_run(folder.path, recover=True)


def read_own_suite(folder: RunFolder, given: Suite | None) -> Suite:
    """The suite as it ran, with the documents of `given`, the suite that the user named.

    It is `given` itself for a run that stores no texts. HarnessError: either is another one than that of the run's
    attempts, or it is needed and not given.
    """
    suite, manifest = folder.read_suite(), folder.read_manifest()
    if not suite.texts_as_sent:
        return _with_texts(suite, given, folder)
    if digest_suite(suite) != manifest.suite_digest:
        raise StoreError(
            f"{folder.path}: its suite.json has changed since it ran (digest {digest_suite(suite)}, "
            f"then {manifest.suite_digest}); restore it, or run the suite again"
        )
    if given is None:
        return suite
    given = msgspec.structs.replace(given, budget_usd=suite.budget_usd)
    if digest_suite(given) != manifest.suite_digest:
        mine, theirs = suite_content(given), suite_content(suite)
        keys = ", ".join(key for key in dict.fromkeys((*mine, *theirs)) if mine.get(key) != theirs.get(key))
        raise HarnessError(
            f"{folder.path}: its suite differs from the one that you named in: {keys}. Restore that file, use the same "
            "options as for the run (--target, --repeats), or leave it out"
        )
    return _with_documents(suite, given)


def _with_texts(suite: Suite, given: Suite | None, folder: RunFolder) -> Suite:
    """The suite that the user named, in place of a run's own, which was stored without or with redacted texts."""
    if given is None:
        raise StoreError(
            f"{folder.path}: stores no prompts, or redacted ones (load.store_text, load.redact); name the suite's file "
            f"too: harness run SUITE --resume {folder.path}"
        )
    given = msgspec.structs.replace(given, budget_usd=suite.budget_usd, endpoint=suite.endpoint)
    if digest_suite(given) != folder.read_manifest().suite_digest:
        raise HarnessError(
            f"{folder.path}: is not a run of the suite that you named, as it is now; restore its file, and use the "
            "same options as for the run (--target, --repeats)"
        )
    regions = {target.name: target.region for target in suite.targets}
    targets = (msgspec.structs.replace(target, region=regions[target.name]) for target in given.targets)
    return msgspec.structs.replace(given, targets=tuple(targets))


def require_documents(suite: Suite, folder: RunFolder) -> None:
    """StoreError: a document or image has no content, as it is not in the run's folder."""
    for each in _attachments(suite):
        if each.path is None:
            raise StoreError(
                f"{folder.path}: does not hold the documents and images of its suite, such as {each.name}; name the "
                f"suite's file too: harness run SUITE --resume {folder.path}"
            )


def same_endpoint(suite: Suite, manifest: Manifest, given: str | None, folder: RunFolder) -> str:
    """Where to send the rest. HarnessError: a foreign endpoint, or a stand-in for Bedrock instead of Bedrock."""
    endpoint = trusted_endpoint(suite.endpoint, given, folder.path)
    if is_simulated(msgspec.structs.replace(suite, endpoint=endpoint)) != manifest.simulated:
        kinds = "a stand-in for Bedrock", "Bedrock itself"
        was, now = kinds if manifest.simulated else reversed(kinds)
        raise HarnessError(f"{folder.path}: was sent to {was}, and {endpoint} is {now}; use --endpoint")
    return endpoint


def _with_documents(suite: Suite, given: Suite) -> Suite:
    paths = {each.digest: each.path for each in _attachments(given)}

    def found(files: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
        return tuple(msgspec.structs.replace(each, path=paths.get(each.digest)) for each in files)

    def complete(prompt: Prompt) -> Prompt:
        return msgspec.structs.replace(prompt, documents=found(prompt.documents), images=found(prompt.images))

    return msgspec.structs.replace(suite, prompts=tuple(map(complete, suite.prompts)))


def _attachments(suite: Suite) -> Iterator[Attachment]:
    return (each for prompt in suite.prompts for each in (*prompt.documents, *prompt.images))
