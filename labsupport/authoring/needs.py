"""Which answers a cell goes on with, found by following names from cell to cell."""

from __future__ import annotations

import ast
import symtable


class Page:
    """The names of a page, read from top to bottom, and the exercises behind their values."""

    def __init__(self):
        self._behind: dict[str, set[str]] = {}
        self._inside: dict[str, set[str]] = {}  # what a function looks up when it is called

    def answer(self, source: str, exercise: str) -> None:
        """Read an answer: all that its cell binds hangs on the exercise."""
        for statement in ast.parse(source).body:
            for name in _Statement(statement).bound:
                self._bind(name, {exercise})

    def cell(self, source: str) -> set[str]:
        """Read another cell: the exercises without whose answers it cannot run."""
        needed, bound = set(), set()
        for statement in map(_Statement, ast.parse(source).body):
            behind = self._behind_all(statement.read)
            for name in statement.bound:
                self._bind(name, behind, statement.inside)
            for name in statement.changed:
                self._behind[name] = self._behind.get(name, set()) | behind
            needed |= behind
            bound |= statement.bound
        for name in bound:  # a cell that does not run binds nothing
            self._behind[name] = self._behind[name] | needed
        return needed

    def _bind(self, name: str, behind: set[str], inside: set[str] = frozenset()) -> None:
        self._behind[name], self._inside[name] = behind, inside

    def _behind_all(self, names: set[str]) -> set[str]:
        found, seen, todo = set(), set(), list(names)
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                found |= self._behind.get(name, set())
                todo += self._inside.get(name, ())
        return found


class _Statement(ast.NodeVisitor):
    """What a statement does with the page's names, visited in the order of its execution.

    read: names that it needs from before; bound: names that it gives a value; changed: names whose
    value it changes in part; inside: what the function that it defines will look up.
    """

    def __init__(self, *nodes: ast.AST):
        self.read, self.bound, self.changed, self.inside = set(), set(), set(), set()
        for node in nodes:
            self.visit(node)

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Load):
            self.read |= {node.id} - self.bound
        else:
            self.bound.add(node.id)

    def visit_Assign(self, node):
        self._visit_all(node.value, *node.targets)

    def visit_AugAssign(self, node):
        self.read |= _base(node.target) - self.bound
        self.changed |= _base(node.target)
        self.visit(node.value)

    def visit_For(self, node):
        self._visit_all(node.iter, node.target, *node.body, *node.orelse)

    def visit_Subscript(self, node):
        if not isinstance(node.ctx, ast.Load):
            self.changed |= _base(node)
        self.generic_visit(node)

    visit_Attribute = visit_Subscript

    def visit_Import(self, node):
        self.bound |= {(name.asname or name.name).split(".")[0] for name in node.names}

    visit_ImportFrom = visit_Import

    def visit_ListComp(self, node):
        element = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        parts = [part for g in node.generators for part in (g.iter, g.target, *g.ifs)]
        self.read |= _Statement(*parts, *element).read - self.bound

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    def visit_Lambda(self, node):
        self.read |= _looked_up_in(node) - self.bound

    def visit_FunctionDef(self, node):
        arguments = getattr(node, "args", None)  # a class has none
        self._visit_all(*node.decorator_list, *(arguments.defaults if arguments else node.bases))
        self.inside |= _looked_up_in(node) - {node.name}
        self.bound.add(node.name)

    visit_ClassDef = visit_FunctionDef

    def _visit_all(self, *nodes):
        for node in nodes:
            self.visit(node)


def _base(node: ast.AST) -> set[str]:
    """{"x"} for x, x[0], x.y and so on."""
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def _looked_up_in(node: ast.AST) -> set[str]:
    """The page's names that the code in a function or a class looks up."""
    found, todo = set(), symtable.symtable(ast.unparse(node), "page", "exec").get_children()
    while todo:
        table = todo.pop()
        found |= {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
        todo += table.get_children()
    return found
