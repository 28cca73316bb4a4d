"""What an api takes at most of a prompt's documents and images, found before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator

from harness.catalog.target import Api
from harness.suite.grammar.mistakes import Mistake
from harness.suite.suite import Attachment, Prompt

CONVERSE_DOCUMENTS = 5
CONVERSE_DOCUMENT_BYTES = 4_500_000
CONVERSE_IMAGES = 20
CONVERSE_IMAGE_BYTES = 3_750_000
BODY_BYTES = 25_000_000
"""InvokeModel, the Messages API and chat completions: the whole body, its files in base64."""
SMALL_WINDOW = 200_000
SMALL_WINDOW_PAGES = 100
PAGES = 600
"""PDF pages of one request, by the model's context window in tokens."""


def limit_mistakes(prompt: Prompt, api: Api) -> Iterator[Mistake]:
    """What of the prompt `api` would refuse from any model, paths within the prompt."""
    if api == "converse":
        yield from _converse_mistakes("documents", prompt.documents, CONVERSE_DOCUMENTS, CONVERSE_DOCUMENT_BYTES)
        yield from _converse_mistakes("images", prompt.images, CONVERSE_IMAGES, CONVERSE_IMAGE_BYTES)
    else:
        yield from _body_mistakes(prompt, api)


def page_mistakes(prompt: Prompt, api: Api, window: int) -> Iterator[Mistake]:
    """More PDF pages than a model of this context window (tokens) takes at once; for Converse no limit is known."""
    pages = sum(document.pages or 0 for document in prompt.documents)
    most = SMALL_WINDOW_PAGES if window <= SMALL_WINDOW else PAGES
    if api != "converse" and pages > most:
        told = f"have {pages} pages, and a model with a context window of {window:,} tokens takes {most}"
        yield Mistake(("documents",), f"{told}; send fewer pages")


def _converse_mistakes(key: str, files: tuple[Attachment, ...], most: int, most_bytes: int) -> Iterator[Mistake]:
    if len(files) > most:
        yield Mistake((key,), f"are {len(files)}, and Converse takes {most}; send fewer, or use api invoke")
    for at, file in enumerate(files):
        if file.size > most_bytes:
            told = f"{file.name!r} has {_megabytes(file.size)}, and Converse takes {_megabytes(most_bytes)}"
            yield Mistake((key, at), f"{told}; make it smaller, or use api invoke")


def _body_mistakes(prompt: Prompt, api: Api) -> Iterator[Mistake]:
    """Base64 makes four bytes of three; texts go as they are."""
    files = (*prompt.documents, *prompt.images)
    size = sum(-(-file.size // 3) * 4 for file in files) + sum(len(each.content.encode()) for each in prompt.messages)
    if size > BODY_BYTES:
        told = f"make a body of about {-(-size // 100_000) / 10} MB, and {api} takes {_megabytes(BODY_BYTES)}"
        key = "documents" if prompt.documents else "images" if prompt.images else "prompt"
        yield Mistake((key,), f"{told}; send less, or smaller files")


def _megabytes(size: int) -> str:
    """4500000 → `4.5 MB`, exact, so that what is over a limit never looks like the limit."""
    return f"{size / 1e6:.6f}".rstrip("0").rstrip(".") + " MB"
