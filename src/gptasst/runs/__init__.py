"""One run: resolve, prepare, send."""
