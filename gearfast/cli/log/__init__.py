"""The program's log: a thread writes it, and nothing is written past it."""
