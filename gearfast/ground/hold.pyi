"""What the buffers of peers hold, and which of them hold much.

It has no Python face: it is used from Cython by ``cimport`` (see ``hold.pxd``).
"""
