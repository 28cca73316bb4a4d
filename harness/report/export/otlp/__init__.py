"""A run as OpenTelemetry's traces and metrics, by the semantic conventions for generative AI."""
