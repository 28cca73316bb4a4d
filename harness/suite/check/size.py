"""How many tokens a prompt has, before anything is sent: an estimate, since only the service counts."""

from __future__ import annotations

import msgspec

from harness.catalog.target import Api, Options
from harness.suite.suite import Attachment, Prompt

CHARS_PER_TOKEN = 4
"""English on models up to Opus 4.6; newer tokenizers make about 30 % more tokens of the same text."""
PDF_PAGE_TOKENS = 2300
"""A page that is read with its text and as a picture."""
PDF_PAGE_TEXT_TOKENS = 330
"""A page of which only the text is read, about a seventh."""
IMAGE_TOKENS = 1600
"""The most that an image takes; larger ones are scaled down by the service."""


def prompt_tokens(prompt: Prompt, options: Options, api: Api) -> int:
    """Input tokens of `prompt` under the options that are sent with it, estimated."""
    chars = sum(len(message.content) for message in prompt.messages) + len(options.system or "")
    chars += len(msgspec.json.encode(options.tools)) if options.tools else 0
    visual = sees_pages(options, api)
    attached = sum(_document_tokens(document, visual=visual) for document in prompt.documents)
    return -(-chars // CHARS_PER_TOKEN) + attached + IMAGE_TOKENS * len(prompt.images)


def sees_pages(options: Options, api: Api) -> bool:
    """Whether PDFs are read as pictures too; Converse does that only for answers that cite them."""
    return api != "converse" or bool(options.citations)


def _document_tokens(document: Attachment, *, visual: bool) -> int:
    if document.pages is None:
        return -(-document.size // CHARS_PER_TOKEN)
    return document.pages * (PDF_PAGE_TOKENS if visual else PDF_PAGE_TEXT_TOKENS)
