"""The docstrings of compiled classes: what their stubs say, so that `help()` shows what an editor shows.

They stand in the stubs alone. Cython is told of them while it compiles, so nothing is written twice.
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from Cython.Compiler import Pipeline, Visitor
from Cython.Compiler.StringEncoding import EncodedString


def docstrings(stub: ast.AST, inside: str = "") -> Iterator[tuple[str, str]]:
    """Yield the docstrings of a stub: of its classes, functions and properties, by their names inside it."""
    for node in ast.iter_child_nodes(stub):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            name = f"{inside}{node.name}"
            if text := ast.get_docstring(node):
                yield name, text
            yield from docstrings(node, f"{name}.")


class StubDocstrings(Visitor.CythonTransform):
    """A stage of the compiler that takes the docstrings from the stubs."""

    def __call__(self, root: Any) -> Any:
        """Go through a module, or what it uses of another one."""
        stub = Path(*root.full_module_name.split(".")).with_suffix(".pyi")
        self.docs = dict(docstrings(ast.parse(stub.read_text(encoding="utf-8")))) if stub.exists() else {}
        self.place: list[str] = []
        return super().__call__(root)

    def document(self, node: Any, name: str) -> None:
        """Let a node have the docstring of its name."""
        text = self.docs.get(".".join([*self.place, name]))
        if text:
            node.doc = EncodedString(text)

    def visit_CClassDefNode(self, node: Any) -> Any:
        self.document(node, node.class_name)
        self.place.append(node.class_name)
        self.visitchildren(node)
        self.place.pop()
        return node

    def visit_DefNode(self, node: Any) -> Any:
        self.document(node, node.name)
        return node

    def visit_CFuncDefNode(self, node: Any) -> Any:
        if node.overridable:  # cpdef: Python sees it
            self.document(node, node.declared_name())
        return node

    def visit_CVarDefNode(self, node: Any) -> Any:
        if node.visibility in ("readonly", "public"):
            self.document(node, node.declarators[0].declared_name())
        return node

    def visit_CEnumDefNode(self, node: Any) -> Any:
        self.document(node, node.name or "")
        return node

    def visit_Node(self, node: Any) -> Any:
        self.visitchildren(node)
        return node


def take_from_stubs(rooms: Iterable[Path]) -> None:
    """Have Cython, in this process, do so from now on: right after its parser.

    A module that is older than its stub is compiled again.
    """
    for room in rooms:
        made, stub = room.with_suffix(".c"), room.with_suffix(".pyi")
        if made.exists() and stub.exists() and made.stat().st_mtime < stub.stat().st_mtime:
            made.unlink()
    stages: Callable[..., list[object]] = Pipeline.create_pipeline

    def with_ours(context: object, *arguments: object, **more: object) -> list[object]:
        found = stages(context, *arguments, **more)
        return [*found[:2], StubDocstrings(context), *found[2:]]

    Pipeline.create_pipeline = with_ours
