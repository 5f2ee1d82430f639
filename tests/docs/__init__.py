"""The documentation is true: its operations are valid, and what stands beside them is what the server answers."""
