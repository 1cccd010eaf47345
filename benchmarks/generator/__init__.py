"""The rooms of the load generator, compiled; `benchmarks.load` is its door."""
