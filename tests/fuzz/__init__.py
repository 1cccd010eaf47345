"""A fuzzer of the whole server but its sockets: players speak as an input has them, and all is held against the rules.

`script` says what an input's bytes mean, `stage` plays it, and the other compiled rooms watch. In the ordinary build
the corpus is played by tests/fuzz/test_fuzz.py; `make fuzz` has libFuzzer look for new inputs, under sanitizers.
"""
