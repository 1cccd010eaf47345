"""The life of a stored job, on a store that does what a test says."""
