"""Language models: which there are, when they end, what they cost."""
