"""The command line: parse, call a service, pass the result to `output`."""
