"""The benchmarks: they run, are complete, and notice what is wrong."""
