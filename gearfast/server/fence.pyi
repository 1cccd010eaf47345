"""Answers that wait for the store; there is nothing here for Python (see fence.pxd)."""
