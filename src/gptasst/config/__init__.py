"""Settings, profiles, keys and URLs."""
