"""What a suite's files hold: YAML with its lines, texts, datasets, documents, traces, prices, judges."""
