"""What an AWS account says of itself: identity, access, quotas, logging."""
