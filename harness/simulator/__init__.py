"""An embedded Bedrock on loopback."""
