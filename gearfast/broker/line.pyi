"""Jobs that wait for the store; nothing in here is for Python (see line.pxd)."""
