"""Checks of the AWS account before a run, so that no money is spent on a run that cannot work."""
