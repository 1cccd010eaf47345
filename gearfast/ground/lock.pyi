"""The one lock of the process, and how much it is asked for.

It has no Python face: it is used from Cython by ``cimport`` (see ``lock.pxd``).
"""
