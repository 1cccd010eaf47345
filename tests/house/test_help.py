"""`help()` of a compiled class says what its stub says."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peers import PROJECT

STUBS = [stub for stub in sorted((PROJECT / "gearfast").rglob("*.pyi")) if stub.with_suffix(".pyx").exists()]
BORN = ("__new__", "__init__")
"""Python tells of these with the class."""


def told(stub: ast.AST, inside: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield names with their docstrings."""
    for node in ast.iter_child_nodes(stub):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name not in BORN:
            if text := ast.get_docstring(node):
                yield (*inside, node.name), text
            yield from told(node, (*inside, node.name))


def test_there_are_stubs_with_docstrings() -> None:
    assert len(STUBS) > 30
    names = [name for stub in STUBS for name, _ in told(ast.parse(stub.read_text(encoding="utf-8")))]
    assert len(names) > 100
    assert {("Broker",), ("Broker", "cancel_job"), ("InProcessPeer", "submit"), ("PacketReader", "feed")} <= set(names)


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: str(stub.relative_to(PROJECT)))
def test_a_compiled_module_says_what_its_stub_says(stub: Path) -> None:
    module = importlib.import_module(".".join(stub.relative_to(PROJECT).with_suffix("").parts))
    for name, text in told(ast.parse(stub.read_text(encoding="utf-8"))):
        found: object = module
        for part in name:
            found = getattr(found, part)
        # In a .pxd each attribute that Python sees has a line of its own: several in one have the first one's text.
        assert inspect.cleandoc(getattr(found, "__doc__", None) or "") == text, ".".join(name)
