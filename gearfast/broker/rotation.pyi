"""The rotating order in which one worker's functions are served (protocol section 3.4).

It has no Python face: it is used from Cython by ``cimport`` (see ``rotation.pxd``), and seen from
Python in the order of what `gearfast.broker.inprocess.InProcessPeer.grab` returns.
"""
