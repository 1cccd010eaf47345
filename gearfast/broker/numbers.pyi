"""Jobs by their number, sixteen neighbours to a page.

It has no Python face: it is used from Cython by ``cimport`` (see ``numbers.pxd``), and seen from
Python through `gearfast.broker.broker.Broker.scan_jobs`.
"""
