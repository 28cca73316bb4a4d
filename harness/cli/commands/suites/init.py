"""`harness init`: writes a starter suite, and a workflow that runs it every night."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

FOLDER = Path("suites")
WORKFLOW = Path(".github/workflows/harness.yaml")
NIGHTLY = "nightly"
"""The suite's name if there is a workflow but no name."""
ACTION = Path("docs/schedule")
"""The action's place in harness's own repository."""
FOREIGN_ACTION = "OWNER/harness/docs/schedule@v1"
NEXT = """\
  1. Edit {suite}, then: harness validate {suite}
  2. Let GitHub assume a role in your AWS account, and print what the role must be allowed to do:
       harness doctor {suite} --print-policy
  3. Put the role's ARN into the repository's variable HARNESS_ROLE (Settings → Secrets and variables → Actions →
     Variables). No secret is needed. HARNESS_REGION is us-east-1 unless you set it.
  4. Commit both files. Actions → harness → Run workflow, endpoint `simulator`, rehearses it without AWS.
docs/schedule/README.md in harness explains each step."""


def init(
    name: Annotated[str | None, typer.Argument(help="Name of the suite. With --ci: nightly, if you give none.")] = None,
    ci: Annotated[
        Literal["github"] | None,
        typer.Option(help="Also write the workflow that runs the suite every night and for pull requests."),
    ] = None,
) -> None:
    """Write suites/NAME.yaml, a commented suite that is ready to run.

    \b
    harness init support-triage
    harness run suites/support-triage.yaml
    harness init --ci github

    With --ci github, also writes .github/workflows/harness.yaml, for the suite that is there or else for a new one, and
    says what to set up. Overwrites nothing.
    """
    from harness.suite.write import starter_suite

    if name is None and ci is None:
        raise typer.BadParameter("name the suite, such as `harness init support-triage`")
    name = NIGHTLY if name is None else name
    text = starter_suite(name)
    path = FOLDER / f"{name}.yaml"
    if ci is None:
        _write_new(path, text)
        typer.echo(f"Wrote {path}. Edit it, then:\n  harness validate {path}\n  harness run {path}")
        return
    _write_new(WORKFLOW, github_workflow(name), "add the suite to it by hand, or remove it")
    written = [str(WORKFLOW)]
    if not path.exists():
        _write_new(path, text)
        written.append(str(path))
    typer.echo(f"Wrote {' and '.join(written)}. Next:\n{NEXT.format(suite=path)}")
    if not (ACTION / "action.yml").is_file():
        typer.echo(f"In {WORKFLOW}, replace OWNER by the account on GitHub that has your copy of harness.")


def github_workflow(name: str) -> str:
    """The workflow for suites/NAME.yaml, with the action of this repository if it is harness's own."""
    from importlib.resources import files

    text = files("harness.cli.commands.suites").joinpath("github.yaml").read_text(encoding="utf-8")
    action = f"./{ACTION}" if (ACTION / "action.yml").is_file() else FOREIGN_ACTION
    return text.replace("suites/NAME.yaml", f"suites/{name}.yaml").replace("ACTION", action)


def _write_new(path: Path, text: str, remedy: str = "choose another name or remove it") -> None:
    """Create a file. HarnessError: it exists or cannot be written."""
    from harness.errors import HarnessError
    from harness.store.files import new_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path, mode=0o666) as file:
            file.write(text.encode())
    except FileExistsError as error:
        raise HarnessError(f"{error.filename} already exists; {remedy}") from error
    except OSError as error:
        raise HarnessError(f"{path} cannot be written: {error.strerror}") from error
