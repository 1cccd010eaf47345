"""Functions and jobs as rows, a slice at a time (protocol section 4.2).

It has no Python face: it is used from Cython by ``cimport`` (see ``census.pxd``), and seen from
Python as `gearfast.broker.Broker.scan_functions` and ``scan_jobs``.
"""
