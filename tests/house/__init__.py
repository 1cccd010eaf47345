"""The house itself: what a program can check of it, of its documents and of its packages."""
