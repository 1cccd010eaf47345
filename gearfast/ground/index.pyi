"""A hash table that grows and shrinks one bucket at a time, and the keyed hash that feeds it.

It has no Python face: it is used from Cython by ``cimport`` (see ``index.pxd``), and seen from
Python through `gearfast.broker.broker.Broker.scan_jobs` and its sisters.
"""
