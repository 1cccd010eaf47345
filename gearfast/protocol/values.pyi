"""Numbers, durations and moments, as people write them. There is nothing here for Python."""
