"""What an operator says of functions. There is nothing here for Python."""
