"""Many files, a run for each."""
