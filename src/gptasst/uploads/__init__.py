"""Upload each content once, and remember its id."""
