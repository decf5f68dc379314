"""Read and write definitions in the formats of other tools."""
