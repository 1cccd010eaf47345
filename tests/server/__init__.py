"""A server inside a program."""
