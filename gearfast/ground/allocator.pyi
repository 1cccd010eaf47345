"""How much free memory the process keeps; there is nothing here for Python (see allocator.pxd)."""
