"""Results that come after their job was taken away are expected, and swallowed.

It has no Python face: it is used from Cython by ``cimport`` (see ``lost.pxd``), and seen from
Python as `gearfast.broker.broker.Reported.LATE`.
"""
