"""Memory for jobs, for what runs them and for those who wait for them, in chunks of blocks of like size.

It has no Python face: it is used from Cython by ``cimport`` (see ``pool.pxd``).
"""
