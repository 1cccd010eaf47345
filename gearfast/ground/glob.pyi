"""Patterns of names."""

def matches(pattern: bytes, name: bytes) -> bool:
    """Say whether a name fits: ``*`` is any run of bytes, ``?`` any one, ``[a-z]`` one of these, ``[!a-z]`` none."""
