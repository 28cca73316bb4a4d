"""Information about an AWS account: identity, access, quotas, logging."""
