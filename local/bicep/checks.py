"""What can be wrong in Bicep files that parse, told as sentences. Each check takes the folder with main.bicep."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pycep
from tree_sitter import Node

from local.bicep.document import Declaration, Document, key_of, properties, string_of, text_of, walk

_FUNCTIONS = frozenset({
    "concat", "empty", "environment", "filter", "guid", "items", "listKeys", "loadJsonContent", "loadTextContent",
    "map", "replace", "resourceGroup", "split", "string", "subscription", "subscriptionResourceId", "tenant",
    "toLower", "toObject", "union", "uniqueString",
})  # fmt: skip
"""The functions of Bicep that infra/ uses."""
_DECORATORS = frozenset({"allowed", "batchSize", "description", "maxLength", "metadata", "minLength", "secure"})
_ANY = "*"
"""In the list of properties: any key."""

type Allowed = Mapping[str, Any]


def documents(folder: Path) -> list[Document]:
    """Every Bicep file of a folder."""
    return [Document.read(path) for path in sorted(folder.rglob("*.bicep"))]


def syntax(folder: Path) -> list[str]:
    """Files that one of the two parsers refuses; each is blind where the other is not."""
    return [f"{_place(folder, one)}: {found}" for one in documents(folder) for found in _refusals(one)]


def _refusals(document: Document) -> Iterator[str]:
    for node in walk(document.root):
        if node.type == "ERROR" or node.is_missing:
            yield f"line {node.start_point[0] + 1}: tree-sitter cannot read {text_of(node)[:40]!r}"
    if refusal := _pycep_refusal(document.text):
        yield f"pycep: {refusal}"


@cache
def _pycep_refusal(text: str) -> str:
    """The first line of what pycep says against a file; empty where it reads it. It takes its time."""
    try:
        pycep.BicepParser().parse(text=text)
    except Exception as error:  # noqa: BLE001 -- whatever pycep raises, it has not read the file
        return str(error).splitlines()[0]
    return ""


def names(folder: Path) -> list[str]:
    """Names that are used and not declared, declared twice, or declared and not used; unknown functions."""
    return [f"{_place(folder, one)}: {found}" for one in documents(folder) for found in _name_errors(one)]


def _name_errors(document: Document) -> Iterator[str]:
    declared = Counter(found.name for found in document.declarations if found.kind != "output")
    outputs = Counter(found.name for found in document.declarations if found.kind == "output")
    for counted in (declared, outputs):
        yield from (f"{name} is declared {count} times" for name, count in counted.items() if count > 1)
    bound = {name for node in walk(document.root) for name in _bound_by(node)}
    used = {text_of(node) for node in _references(document.root)}
    yield from (f"{name} is not declared" for name in sorted(used - set(declared) - bound))
    needed = {found.name for found in document.declarations if found.kind in {"param", "var"} or found.existing}
    yield from (f"{name} is not used" for name in sorted(needed - used))
    for node in walk(document.root):
        if node.type == "call_expression" and (called := node.named_children[0]).type == "identifier":
            known = _DECORATORS if node.parent and node.parent.type == "decorator" else _FUNCTIONS
            if text_of(called) not in known:
                yield f"{text_of(called)}() is no function that is known here"
        if node.type == "object":
            keys = Counter(key_of(one) for one in node.named_children if one.type == "object_property")
            yield from (f"{key} is given {count} times" for key, count in keys.items() if count > 1)


def _bound_by(node: Node) -> Iterator[str]:
    """The names that a loop or a lambda binds."""
    if node.type in {"loop_variable", "loop_enumerator"}:
        yield text_of(node)
    elif node.type == "for_statement" and node.named_children[0].type == "identifier":
        yield text_of(node.named_children[0])
    elif node.type == "lambda_expression":
        yield from (text_of(one) for one in walk(node.named_children[0]) if one.type == "identifier")


def _references(node: Node) -> Iterator[Node]:
    """The identifiers that stand for a value."""
    for number, child in enumerate(node.children):
        if child.type == "identifier":
            is_name = node.type.endswith("_declaration") and child == node.named_children[0]
            is_key = node.type == "object_property" and child == node.named_children[0]
            is_function = node.field_name_for_child(number) == "function"
            if not (is_name or is_key or is_function):
                yield child
        else:
            yield from _references(child)


def modules(folder: Path) -> list[str]:
    """Modules that do not exist or get other parameters than they declare; outputs that are not there or not used."""
    found = []
    used: dict[Path, set[str]] = {}
    for one in documents(folder):
        for module in one.named("module").values():
            path = (one.path.parent / module.target).resolve()
            if not path.is_file():
                found.append(f"{_place(folder, one)}: module {module.name}: there is no {module.target}")
                continue
            asked = set(_outputs_asked(one, module))
            used.setdefault(path, set()).update(asked)
            complaints = _module_errors(one, module, asked, Document.read(path))
            found += [f"{_place(folder, one)}: module {module.name}: {text}" for text in complaints]
    for path, asked in used.items():
        idle = sorted(set(Document.read(path).named("output")) - asked)
        found += [f"{path.relative_to(folder.resolve())}: output {name} is not used" for name in idle]
    return found


def _module_errors(document: Document, module: Declaration, asked: set[str], meant: Document) -> Iterator[str]:
    declared = meant.named("param")
    required = {name for name, parameter in declared.items() if parameter.value is None}
    given = {key for node in document.values(module.value, "params") for key in properties(node)}
    yield from (f"it has no parameter {name}" for name in sorted(given - set(declared)))
    yield from (f"it needs the parameter {name}" for name in sorted(required - given))
    yield from (f"it has no output {name}" for name in sorted(asked - set(meant.named("output"))))


def _outputs_asked(document: Document, module: Declaration) -> Iterator[str]:
    for node in walk(document.root):
        if node.type == "member_expression" and text_of(node).startswith(f"{module.name}.outputs."):
            yield text_of(node).split(".")[2]


def files(folder: Path) -> list[str]:
    """Files that are loaded and not there, or there and not loaded; so with the keys of JSON that is an object."""
    found = []
    loaded = set()
    for one in documents(folder):
        for variable, path in _loads(one):
            loaded.add(path)
            if not path.is_file():
                found.append(f"{_place(folder, one)}: there is no {path.name}")
            elif isinstance(content := json.loads(path.read_text()) if path.suffix == ".json" else None, dict):
                asked = _members(one, variable)
                found += [f"{path.name}: {key} is missing" for key in sorted(asked - set(content))]
                found += [f"{path.name}: {key} is not used" for key in sorted(set(content) - asked)]
    there = {path.resolve() for path in folder.rglob("*") if path.suffix in {".json", ".kql"}}
    idle = there - loaded - {folder.resolve() / "main.parameters.json"}
    return found + [f"{path.name} is not used" for path in sorted(idle)]


def _loads(document: Document) -> Iterator[tuple[str, Path]]:
    """The files that a document loads, each with the declaration that does."""
    for declaration in document.declarations:
        for node in walk(declaration.node):
            if node.type == "call_expression" and text_of(node).startswith("load"):
                path = document.path.parent / string_of(node.named_children[-1].named_children[0])
                yield declaration.name, path.resolve()


def _members(document: Document, name: str) -> set[str]:
    nodes = (node for node in walk(document.root) if node.type == "member_expression")
    return {text_of(node).split(".")[1] for node in nodes if text_of(node).startswith(f"{name}.")}


def property_names(folder: Path, allowed: Mapping[str, Allowed]) -> list[str]:
    """Resource types, versions and properties that the list of allowed ones does not hold."""
    found = []
    for one in documents(folder):
        for resource in one.named("resource").values():
            where = f"{_place(folder, one)}: {resource.name}"
            if resource.target not in allowed:
                found.append(f"{where}: {resource.target} is not in the list of properties")
                continue
            for node in one.objects(resource.value):
                strangers = _strangers(one, node, allowed[resource.target])
                found += [f"{where}: {resource.target} has no property {path}" for path in strangers]
    return found


def _strangers(document: Document, node: Node, allowed: Allowed) -> Iterator[str]:
    for key, value in properties(node).items():
        known = allowed.get(key, allowed.get(_ANY))
        if known is None:
            yield key
            continue
        for inner in document.objects(value) if known else ():
            yield from (f"{key}.{path}" for path in _strangers(document, inner, known))


def _place(folder: Path, document: Document) -> str:
    return str(document.path.resolve().relative_to(folder.resolve()))
