"""A command line becomes a running process."""
