"""Functions and workers, brought together without walking either.

It has no Python face: it is used from Cython by ``cimport`` (see ``functions.pxd``), and seen from
Python in what a `gearfast.broker.broker.Broker` does.
"""
