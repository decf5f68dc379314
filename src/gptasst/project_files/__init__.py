"""The services behind `gptasst file` and `gptasst cache`."""
