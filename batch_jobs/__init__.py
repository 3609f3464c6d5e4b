"""Jobs that run to an end: load, generate, traffic, verify and their like."""
