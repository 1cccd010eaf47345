"""The command line, `gearfast store`, and the log."""
