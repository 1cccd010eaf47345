"""Submits: what they ask for, and what they are answered (protocol sections 2.4 to 2.6, and 12)."""
