"""The simulator's dialects, one per api."""

from harness.simulator.dialects.base import Dialect
from harness.simulator.dialects.converse import CONVERSE
from harness.simulator.dialects.invoke import INVOKE
from harness.simulator.dialects.messages import MESSAGES
from harness.simulator.dialects.openai import OPENAI

DIALECTS: dict[str, Dialect] = {"invoke": INVOKE, "converse": CONVERSE, "messages": MESSAGES, "openai": OPENAI}
