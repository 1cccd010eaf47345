"""Jobs by their number, sixteen neighbours to a page.

It has no Python face: it is used from Cython by ``cimport`` (see ``jobtable.pxd``), and seen from
Python through `gearfast.broker.broker.Broker.scan_jobs`.
"""
