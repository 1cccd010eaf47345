"""Bytes to packets and back, and the names of jobs."""
