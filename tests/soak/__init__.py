"""Everything at once, for as long as one likes, and then nothing: `python -m tests.soak --minutes 10`."""
