"""Bytes and packets."""
