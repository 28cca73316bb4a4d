"""Estimates the tokens of a prompt, and checks its files against the limits of the apis."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.catalog.target import Api, Options
from harness.suite.grammar.mistakes import Mistake
from harness.suite.suite import Attachment, Prompt

CHARS_PER_TOKEN = 4
"""For English and models up to Opus 4.6; newer tokenizers make about 30 % more tokens of the same text."""
PDF_PAGE_TOKENS = 2300
"""For a page read as text and as an image."""
PDF_PAGE_TEXT_TOKENS = 330
"""For a page read as text only."""
IMAGE_TOKENS = 1600
"""The maximum for an image, as the service scales larger ones down."""


def prompt_tokens(prompt: Prompt, options: Options, api: Api) -> int:
    """Estimated input tokens of `prompt` with these options."""
    chars = sum(len(message.content) for message in prompt.messages) + len(options.system or "")
    chars += len(msgspec.json.encode(options.tools)) if options.tools else 0
    visual = reads_pdf_as_images(options, api)
    attached = sum(_document_tokens(document, visual=visual) for document in prompt.documents)
    return -(-chars // CHARS_PER_TOKEN) + attached + IMAGE_TOKENS * len(prompt.images)


def reads_pdf_as_images(options: Options, api: Api) -> bool:
    """Whether the model sees PDF pages as images too. On Converse, only with citations."""
    return api != "converse" or bool(options.citations)


def _document_tokens(document: Attachment, *, visual: bool) -> int:
    if document.pages is None:
        return -(-document.size // CHARS_PER_TOKEN)
    return document.pages * (PDF_PAGE_TOKENS if visual else PDF_PAGE_TEXT_TOKENS)


CONVERSE_DOCUMENTS = 5
CONVERSE_DOCUMENT_BYTES = 4_500_000
CONVERSE_IMAGES = 20
CONVERSE_IMAGE_BYTES = 3_750_000
BODY_BYTES = 25_000_000
"""InvokeModel, the Messages API and chat completions: the whole body, with files in base64."""
SMALL_WINDOW = 200_000
SMALL_WINDOW_PAGES = 100
PAGES = 600
"""Limits on PDF pages in one request, by the model's context window in tokens."""


def limit_mistakes(prompt: Prompt, api: Api) -> Iterator[Mistake]:
    """Parts of the prompt that `api` refuses for every model. Paths are relative to the prompt."""
    if api == "converse":
        yield from _converse_mistakes("documents", prompt.documents, CONVERSE_DOCUMENTS, CONVERSE_DOCUMENT_BYTES)
        yield from _converse_mistakes("images", prompt.images, CONVERSE_IMAGES, CONVERSE_IMAGE_BYTES)
    else:
        yield from _body_mistakes(prompt, api)


def page_mistakes(prompt: Prompt, api: Api, window: int) -> Iterator[Mistake]:
    """Too many PDF pages for a context window (tokens). No limit is known for Converse."""
    pages = sum(document.pages or 0 for document in prompt.documents)
    most = SMALL_WINDOW_PAGES if window <= SMALL_WINDOW else PAGES
    if api != "converse" and pages > most:
        message = f"have {pages} pages, but a model with a context window of {window:,} tokens takes {most}"
        yield Mistake(("documents",), f"{message}; send fewer pages")


def _converse_mistakes(key: str, files: tuple[Attachment, ...], most: int, most_bytes: int) -> Iterator[Mistake]:
    if len(files) > most:
        yield Mistake((key,), f"there are {len(files)}, but Converse takes {most}; send fewer, or use api invoke")
    for at, file in enumerate(files):
        if file.size > most_bytes:
            message = f"{file.name!r} has {_megabytes(file.size)}, but Converse takes {_megabytes(most_bytes)}"
            yield Mistake((key, at), f"{message}; make it smaller, or use api invoke")


def _body_mistakes(prompt: Prompt, api: Api) -> Iterator[Mistake]:
    """A body that is too large. Files grow by a third in base64; texts do not."""
    files = (*prompt.documents, *prompt.images)
    size = sum(-(-file.size // 3) * 4 for file in files) + sum(len(each.content.encode()) for each in prompt.messages)
    if size > BODY_BYTES:
        message = f"the body would have about {-(-size // 100_000) / 10} MB, but {api} takes {_megabytes(BODY_BYTES)}"
        key = "documents" if prompt.documents else "images" if prompt.images else "prompt"
        yield Mistake((key,), f"{message}; send less, or smaller files")


def _megabytes(size: int) -> str:
    """4500000 → `4.5 MB`, exact, so that a size over a limit never looks equal to it."""
    return f"{size / 1e6:.6f}".rstrip("0").rstrip(".") + " MB"
