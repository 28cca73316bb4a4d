"""Addresses of runs in a bucket, `s3://BUCKET/PREFIX`, and which names of objects may become names of files."""

from __future__ import annotations

import re
from typing import Self

import msgspec

from harness.errors import HarnessError

SCHEME = "s3://"
MOST_DEPTH = 5
"""Of a file inside a run: RUN/confirm/RUN/plots/FILE has four parts below the run."""
LONGEST_PART = 255
"""Bytes of a file's name."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class BucketAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a bucket. `prefix`: without a slash at either end; empty for the whole bucket."""

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}".rstrip("/")

    def key(self, name: str) -> str:
        """The key of an object below the prefix."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def below(self, name: str) -> Self:
        """The address of what lies under this name."""
        return type(self)(bucket=self.bucket, prefix=self.key(name))

    def split(self) -> tuple[Self, str]:
        """The address above, and the last part of this one: of a run, its results folder and its name."""
        above, _, name = self.prefix.rpartition("/")
        return type(self)(bucket=self.bucket, prefix=above), name


def parse_address(written: str) -> BucketAddress:
    """Parse `s3://BUCKET/PREFIX`. HarnessError: it is something else, or a prefix that no folder can mirror."""
    bucket, _, prefix = written[len(SCHEME) :].partition("/")
    if not written.startswith(SCHEME) or not _BUCKET.fullmatch(bucket):
        raise HarnessError(f"{written}: is not the address of a bucket; write s3://BUCKET or s3://BUCKET/PREFIX")
    prefix = prefix.strip("/")
    if prefix and not all(is_safe_part(part) for part in prefix.split("/")):
        raise HarnessError(
            f"{written}: a part of the prefix is empty, begins with a dot, or has a character that cannot be printed; "
            "choose another prefix"
        )
    return BucketAddress(bucket=bucket, prefix=prefix)


def is_safe_part(part: str) -> bool:
    """Whether a part of a key may be the name of a file or folder: printable, not hidden, not too long.

    A name that begins with a dot is none, so that no key leads out of its folder or replaces what the harness keeps
    there for itself.
    """
    return (
        part.isprintable()
        and not part.startswith(".")
        and 0 < len(part.encode()) <= LONGEST_PART
        and not set(part) & {"/", "\\"}
    )


def is_safe_name(name: str) -> bool:
    """Whether the name of a file inside a run, such as `plots/errors.png`, stays inside the run's folder."""
    parts = name.split("/")
    return len(parts) <= MOST_DEPTH and all(map(is_safe_part, parts))
