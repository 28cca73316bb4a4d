"""One run broken down: by prompt, kind of cost, part of the time, level of load, and client."""
