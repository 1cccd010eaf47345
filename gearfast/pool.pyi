"""Memory for job records, in chunks of blocks of like size.

It has no Python face: it is used from Cython by ``cimport`` (see ``pool.pxd``).
"""
