"""Speed, as ratios between things that are measured side by side in one run."""
