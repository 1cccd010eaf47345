"""Functions follow the rules. There is nothing here for Python."""
