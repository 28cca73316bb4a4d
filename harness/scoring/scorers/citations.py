"""citations: the answer cites the right document and page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from harness.catalog.target import merge_options
from harness.endpoints.dialects.attachments import name_documents
from harness.endpoints.reply import Citation
from harness.scoring.scorer import PASS, Aids, Answer, Outcome, fail
from harness.scoring.text.normalise import blank_mistake, fold
from harness.suite.suite import Prompt, Suite

Text = Annotated[str, Meta(min_length=1)]
Pages = Annotated[list[Annotated[int, Meta(ge=1)]], Meta(min_length=1)]


class Citations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only targets with `citations: true` cite, and only documents with pages have page numbers."""

    waits: ClassVar[bool] = False

    document: Annotated[Text | None, Meta(description="One of the prompt's documents. Default: any of them.")] = None
    pages: Annotated[
        Pages | None,
        Meta(description="A citation must touch one of these, counted from 1.", examples=[[3]]),
    ] = None
    text: Annotated[Text | None, Meta(description="What the cited passage must contain.")] = None
    mode: Annotated[
        Literal["any", "all"],
        Meta(description="any: at least one citation is right. all: every citation is right."),
    ] = "any"

    def find_mistakes(self, suite: Suite, prompt: Prompt) -> Iterator[str]:
        yield from blank_mistake("text", *([] if self.text is None else [self.text]))
        names = [document.name for document in prompt.documents]
        if not names:
            yield "there is nothing to cite: the prompt has no documents"
        elif self.document is not None and self.document not in names:
            yield f"document {self.document!r} is not one of the prompt's: {', '.join(names)}"
        elif not any(merge_options(target.options, prompt.options).citations for target in suite.targets):
            yield "no target cites; set citations: true on the prompt or a target"

    async def score_answer(self, prompt: Prompt, answer: Answer, aids: Aids) -> Outcome:
        if not answer.citations:
            return fail("cites nothing")
        wanted = self._sent_name(prompt)
        right = [self._is_right(citation, wanted) for citation in answer.citations]
        if all(right) if self.mode == "all" else any(right):
            return PASS
        return fail(f"expected {self._describe()}, cites {_describe(answer.citations)}")

    def _sent_name(self, prompt: Prompt) -> str | None:
        """The document's name as it was sent to the model."""
        names = zip(prompt.documents, name_documents(prompt.documents), strict=True)
        return next((name for document, name in names if document.name == self.document), self.document)

    def _is_right(self, citation: Citation, document: str | None) -> bool:
        if document is not None and citation.document != document:
            return False
        if self.pages is not None and not any(_touches(citation, page) for page in self.pages):
            return False
        return self.text is None or fold(self.text) in fold(citation.text)

    def _describe(self) -> str:
        pages = [] if self.pages is None else [f"page {' or '.join(map(str, self.pages))}"]
        text = [] if self.text is None else [f"a passage with {self.text!r}"]
        return ", ".join([self.document or "a document", *pages, *text])


def _touches(citation: Citation, page: int) -> bool:
    """Whether the page is cited. The end is exclusive, as in Anthropic's API: page 3 is cited as 3 to 4."""
    first = citation.start_page
    return first is not None and first <= page < max(first + 1, citation.end_page or 0)


def _describe(citations: Sequence[Citation]) -> str:
    """The first few citations: `Report p. 3, Report p. 7`."""
    places = dict.fromkeys(
        f"{citation.document or 'a document'}" + (f" p. {citation.start_page}" if citation.start_page else "")
        for citation in citations[:20]
    )
    return ", ".join(list(places)[:5])
