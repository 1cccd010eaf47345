"""The life of a stored job: the contract of stores, batches, and what follows when one fails."""
