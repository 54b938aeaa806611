"""Which modules of the package a file imports, read from its syntax tree."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "lstm_mnist"


def modules(root=ROOT):
    """``{"lstm_mnist.better.search": its path, …}``; a package goes by its own name."""
    found = {}
    for path in sorted((root / "lstm_mnist").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@cache
def imports(path, everywhere=True):
    """Modules of the package that the Python file imports; not ``everywhere``: outside its functions only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree) if everywhere else outside_functions(tree))
    return frozenset(name for node in nodes for name in names_imported(node, path) if name in MODULES)


def outside_functions(node):
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda):
            yield child
            yield from outside_functions(child)


def names_imported(node, path):
    """Dotted names that an import statement may mean: ``from a import b`` may mean the module a or a.b."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        folder = path.parents[node.level - 1].relative_to(ROOT)
        base = ".".join([*folder.parts, *filter(None, [base])])
    below = [f"{base}.{alias.name}" for alias in node.names]
    if base == "lstm_mnist" or all(name in MODULES for name in below):
        return [name if name in MODULES else base for name in below]
    return [base, *below]


def attributes(path):
    """Modules that a file names by ``lstm_mnist.room`` after ``import lstm_mnist``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return names & set(MODULES)
