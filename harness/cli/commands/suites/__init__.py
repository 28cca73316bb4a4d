"""Commands that write and check suite files."""
