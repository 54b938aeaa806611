"""Which modules of the package a file imports, read from its syntax tree."""

import ast
from functools import cache
from pathlib import Path

from quoted import COPIES

ROOT = Path(__file__).parents[2]


def modules(root=ROOT):
    """``{"lstm_mnist.better.recipes": its path, …}``; a package goes by its own name."""
    found = {}
    for path in sorted((root / "lstm_mnist").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if COPIES in parts:
            continue
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def exports():
    """``{"lstm_mnist.train": "lstm_mnist.training", …}``: where the names that the package hands on come from."""
    tree = ast.parse(MODULES["lstm_mnist"].read_text(encoding="utf-8"))
    froms = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module]
    return {f"lstm_mnist.{alias.name}": f"lstm_mnist.{node.module}" for node in froms for alias in node.names}


EXPORTS = exports()


@cache
def imports(path, everywhere=True):
    """Modules of the package that the Python file imports; not ``everywhere``: outside its functions only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree) if everywhere else outside_functions(tree))
    names = [EXPORTS.get(name, name) for node in nodes for name in names_imported(node, path)]
    return frozenset(name for name in names if name in MODULES)


def outside_functions(node):
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda):
            yield child
            yield from outside_functions(child)


def names_imported(node, path):
    """Dotted names that a statement or an attribute may mean: ``from a import b`` may mean the module a or a.b."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.Attribute):  # lstm_mnist.drawing, after import lstm_mnist
        return [ast.unparse(node)]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        folder = path.parents[node.level - 1].relative_to(ROOT)
        base = ".".join([*folder.parts, *filter(None, [base])])
    below = [f"{base}.{alias.name}" for alias in node.names]
    known = [name for name in below if name in MODULES or name in EXPORTS]
    return known if len(known) == len(below) else [base, *known]
