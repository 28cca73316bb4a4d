"""Async multi-model evaluation and load-test harness for Claude on Amazon Bedrock."""

import atexit
import gc

__version__ = "0.1.0"

# msgspec 0.22 can crash when the interpreter's last collection takes its types apart (its issue 717), and the exit code
# of a finished command would be lost. What is frozen is not collected; the process ends anyway.
atexit.register(gc.freeze)
