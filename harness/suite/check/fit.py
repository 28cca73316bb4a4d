"""Checks every prompt against every target: refused options, limits of the api, the context window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.catalog.limits import LONG_CONTEXT_BETA, context_window
from harness.catalog.models import Model, find_model
from harness.catalog.refusals import refusals
from harness.catalog.target import NO_OPTIONS, Options, Target, merge_options
from harness.suite.check.size import limit_mistakes, page_mistakes, prompt_tokens, reads_pdf_as_images
from harness.suite.grammar.mistakes import KeyPath, Mistake
from harness.suite.suite import Prompt

TOOL_CHOICES = ("auto", "any", "none")


def fit_mistakes(targets: Sequence[tuple[int, Target]], prompts: Sequence[Prompt]) -> list[Mistake]:
    """Requests that the service would refuse. `targets`: with their indices in the suite.

    The path of a mistake is where the key was set: the prompt if it sets it, else the target.
    """
    return list(dict.fromkeys(_misfits(targets, prompts)))


def fit_warnings(targets: Sequence[tuple[int, Target]], prompts: Sequence[Prompt]) -> Iterator[str]:
    """Requests that the service accepts but may not treat as intended."""
    for _, target in targets:
        for prompt in prompts:
            pdfs = [document.name for document in prompt.documents if document.pages is not None]
            if pdfs and not reads_pdf_as_images(merge_options(target.options, prompt.options), target.api):
                yield from (
                    f"Converse without citations reads only the text of {name}; set citations: true, "
                    "or use api invoke, if the model must see charts and layout"
                    for name in pdfs
                )


def _misfits(targets: Sequence[tuple[int, Target]], prompts: Sequence[Prompt]) -> Iterator[Mistake]:
    for index, target in targets:
        model = find_model(target.base_model)
        usual = _option_mistakes(model, target, target.options)
        for at, prompt in enumerate(prompts):
            options, wrong = target.options, usual
            if prompt.options != NO_OPTIONS:
                options = merge_options(target.options, prompt.options)
                wrong = _option_mistakes(model, target, options)
            for each in wrong:
                path = _blamed(each, prompt, ("prompts", at), ("targets", index) if each in usual else ())
                yield Mistake(path, each.message)
            for each in (*limit_mistakes(prompt, target.api), *_size_mistakes(model, target, prompt, options)):
                yield Mistake(("prompts", at, *each.path), each.message)


def _blamed(mistake: Mistake, prompt: Prompt, at_prompt: KeyPath, at_target: KeyPath) -> KeyPath:
    """Where the key was set: on the prompt, or on a target that is wrong even without the prompt's options."""
    (key,) = mistake.path
    own = getattr(prompt.options, str(key)) is not None
    return (*at_prompt, key) if own else (*at_target, key) if at_target else at_prompt


def _option_mistakes(model: Model, target: Target, options: Options) -> list[Mistake]:
    """Mistakes in one request's options, with the key as path."""
    mistakes = [Mistake((key,), message) for key, message in refusals(model, options)]
    if not mistakes and isinstance(options.thinking, int) and options.max_tokens is None:
        message = f"a thinking budget counts towards max_tokens; set max_tokens to more than {options.thinking}"
        mistakes.append(Mistake(("thinking",), message))
    return [*mistakes, *_tool_mistakes(target, options)]


def _tool_mistakes(target: Target, options: Options) -> Iterator[Mistake]:
    names = [tool.name for tool in options.tools or ()]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        yield Mistake(("tools",), f"two tools are named {twice[0]!r}; rename one")
    choice = options.tool_choice
    if choice is None:
        return
    if not names:
        yield Mistake(("tool_choice",), "there are no tools to choose from; add `tools`")
    elif choice not in (*TOOL_CHOICES, *names):
        yield Mistake(("tool_choice",), f"{choice!r} is not one of {', '.join((*TOOL_CHOICES, *names))}")
    elif choice == "none" and target.api == "converse":
        yield Mistake(("tool_choice",), "Converse has no 'none'; leave the tools out, or use api invoke")


def _size_mistakes(model: Model, target: Target, prompt: Prompt, options: Options) -> Iterator[Mistake]:
    """Prompts that exceed the context window by estimate; the service decides close cases."""
    window = context_window(model, options.beta)
    if window is None:
        return
    yield from page_mistakes(prompt, target.api, window)
    tokens = prompt_tokens(prompt, options, target.api)
    if tokens > window:
        larger = context_window(model, [LONG_CONTEXT_BETA]) or 0
        fix = f"set beta: [{LONG_CONTEXT_BETA}]" if tokens <= larger else "shorten it, or use a model with a larger one"
        message = f"has about {tokens:,} tokens, but the context window of {model.name} holds {window:,}; {fix}"
        yield Mistake((), message)
