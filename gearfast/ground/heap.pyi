"""A binary heap of moments, from which any entry can be taken out.

It has no Python face: it is used from Cython by ``cimport`` (see ``heap.pxd``). Delayed jobs and
the deadlines of running ones wait in it.
"""
