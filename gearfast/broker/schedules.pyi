"""Jobs that come again and again. There is nothing here for Python."""
