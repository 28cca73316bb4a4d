"""Checks of the suite `judged`. A function gets a dict: prompt, messages, expect, tags, answer, citations, stop_reason.

It returns True or False, a number of 0 … 1, or one of these with a reason. It runs in a process of its own, without
the environment's secrets, for at most the check's `timeout`.
"""

import re


def polite(case):
    """An answer to a customer greets, keeps to 60 words and promises nothing."""
    answer = case["answer"]
    words = len(answer.split())
    if words > 60:
        return False, f"{words} words, at most 60"
    if not re.match(r"(dear|hello|hi|good (morning|day))\b", answer.strip(), re.IGNORECASE):
        return False, "no greeting"
    if re.search(r"\b(guarantee|promise)", answer, re.IGNORECASE):
        return False, "promises something"
    return True


def coverage(case):
    """The share of the reference's words that the answer has; the check's `pass_at` says how many are enough."""
    wanted = set(re.findall(r"\w{4,}", case["expect"].casefold()))
    missing = sorted(wanted - set(re.findall(r"\w{4,}", case["answer"].casefold())))
    return 1 - len(missing) / len(wanted), f"without {', '.join(missing)}" if missing else ""
