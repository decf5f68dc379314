"""The command line: parses, calls a service, hands the result to `output`."""
