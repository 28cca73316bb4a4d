"""Carries out docs/schedule/Dockerfile without a container builder, and runs a suite with what it makes.

Each stage begins with this machine's files in an overlay, so nothing outside of it changes; a virtual environment keeps
this machine's packages away. Needs root, as `unshare --mount python .ci/check_container.py`: the mounts end with it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCKERFILE = ROOT / "docs/schedule/Dockerfile"


def instructions() -> list[tuple[str, str]]:
    lines = DOCKERFILE.read_text(encoding="utf-8").splitlines()
    return [(line.split()[0], line.partition(" ")[2]) for line in lines if line and not line.startswith("#")]


def is_in_context(path: Path) -> bool:
    """Whether Dockerfile.dockerignore lets a file or folder through; the last line that fits decides."""
    included = True
    for line in DOCKERFILE.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8").split():
        pattern = line.removeprefix("!")
        names = [path.relative_to(ROOT).as_posix(), *(str(each) for each in path.relative_to(ROOT).parents)]
        if any(fnmatch(name, pattern) or fnmatch(f"/{name}", pattern.replace("**", "*")) for name in names):
            included = line.startswith("!")
    return included


def mount_stage(place: Path) -> Path:
    """A root of its own over this machine's files, with its devices and processes."""
    for name in ("upper", "work", "root"):
        (place / name).mkdir(parents=True)
    options = f"lowerdir=/,upperdir={place / 'upper'},workdir={place / 'work'}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, place / "root"], check=True)
    for shared in ("dev", "proc", "etc/resolv.conf"):
        subprocess.run(["mount", "--rbind", f"/{shared}", place / "root" / shared], check=True)
    (place / "root" / "root").chmod(0o755)  # an image's Python is for everyone; this machine's may be in a home
    return place / "root"


def copy(arguments: str, stages: dict[str, Path], stage: Path) -> None:
    words = shlex.split(arguments)
    flags = [each.removeprefix("--from=") for each in words if each.startswith("--")]
    *sources, target = (each for each in words if not each.startswith("--"))
    origin = stages[flags[0]] if flags else ROOT
    for source in sources:
        path, place = origin / source.lstrip("/"), stage / target.lstrip("/")
        assert flags or is_in_context(path), f"COPY {source}: .dockerignore leaves it out"
        if path.is_dir():
            shutil.copytree(
                path, place, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)


def run(stage: Path, command: list[str], env: dict[str, str], user: str = "0", folder: str = "/") -> int:
    line = ["chroot", f"--userspec={user}:{user}", stage, "sh", "-c", f'cd {folder} && exec "$@"', "sh", *command]
    print("  ", shlex.join(command), flush=True)
    return subprocess.run(line, env={**os.environ, **env}, check=False).returncode


def build(scratch: Path) -> None:
    stages: dict[str, Path] = {}
    for instruction, arguments in instructions():
        print(instruction, arguments, flush=True)
        match instruction:
            case "FROM":
                stage, env, user = mount_stage(scratch / str(len(stages))), {}, "0"
                stages[arguments.rpartition(" AS ")[2]] = stage
            case "COPY":
                copy(arguments, stages, stage)
            case "RUN":
                assert run(stage, ["sh", "-ec", arguments], env) == 0
            case "ENV":
                pairs = (each.split("=", 1) for each in arguments.split())
                env = {name: value.replace("$PATH", os.environ["PATH"]) for name, value in pairs}
            case "USER":
                user = arguments
            case "WORKDIR":
                folder = arguments
            case "ENTRYPOINT" | "CMD":
                assert arguments in ('["harness"]', '["--help"]')
            case _:
                sys.exit(f"{DOCKERFILE}: {instruction} is not known here")
    shutil.copy(ROOT / "suites/quickstart.yaml", stage / "bench")
    env["HOME"] = "/"
    assert run(stage, ["harness", "validate", "quickstart.yaml"], env, user, folder) == 0
    ran = run(stage, ["harness", "run", "quickstart.yaml", "--quiet"], env, user, folder)
    assert ran in (0, 4)  # 4: this machine was too busy for the run to be valid
    (report,) = (stage / "bench/results").glob("2*/report.html")
    assert str(report.stat().st_uid) == user, "the run is not the container's user's"


with tempfile.TemporaryDirectory(prefix="container-") as scratch:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", scratch], check=True)
    try:
        build(Path(scratch))
    finally:
        subprocess.run(["umount", "--recursive", "--lazy", scratch], check=True)
print("docs/schedule/Dockerfile: its steps make a harness that runs a suite, not as root")
