"""Which job a submission coalesces with (protocol section 3.2).

It has no Python face: it is used from Cython by ``cimport`` (see ``unique.pxd``), and seen from
Python when `gearfast.broker.inprocess.InProcessPeer.submit` returns the handle of a job that was there.
"""
