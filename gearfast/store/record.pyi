"""A job as a store keeps it; there is nothing here for Python (see record.pxd)."""
