"""Jobs of a store, back into a broker; there is nothing here for Python (see replay.pxd)."""
