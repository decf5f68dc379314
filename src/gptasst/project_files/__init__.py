"""What `gptasst file` and `gptasst cache` do."""
