"""A Bicep file as data, by way of tree-sitter."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

_LANGUAGE = Language(tree_sitter_bicep.language())
_DECLARATIONS = {
    "parameter_declaration": "param",
    "variable_declaration": "var",
    "resource_declaration": "resource",
    "module_declaration": "module",
    "output_declaration": "output",
}


@dataclass(frozen=True)
class Declaration:
    """Something that a file gives a name to."""

    kind: str
    """param, var, resource, module or output"""
    name: str
    node: Node

    @property
    def value(self) -> Node | None:
        """What it is: a default, a value, or the body of a resource or module; None for a parameter without default."""
        last = self.node.named_children[-1]
        return None if last.type in {"identifier", "type", "primitive_type"} and self.kind == "param" else last

    @property
    def target(self) -> str:
        """A resource's type with its version, a module's path."""
        return string_of(self.node.named_children[1])

    @property
    def existing(self) -> bool:
        """Whether the resource is only referred to."""
        return any(child.type == "existing" for child in self.node.children)


@dataclass(frozen=True)
class Document:
    """A Bicep file."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Read a file."""
        return cls(path, path.read_text("utf-8"))

    @cached_property
    def root(self) -> Node:
        """The whole file."""
        return Parser(_LANGUAGE).parse(self.text.encode()).root_node

    @cached_property
    def declarations(self) -> tuple[Declaration, ...]:
        """Everything that has a name, in the order of the file."""
        return tuple(
            Declaration(kind, text_of(node.named_children[0]), node)
            for node in self.root.named_children
            if (kind := _DECLARATIONS.get(node.type))
        )

    def named(self, kind: str) -> Mapping[str, Declaration]:
        """The declarations of a kind by their names."""
        return {found.name: found for found in self.declarations if found.kind == kind}

    def resources(self, kind: str) -> list[Declaration]:
        """The resources of a type, whatever its version, that this file makes."""
        made = [found for found in self.named("resource").values() if not found.existing]
        return [found for found in made if found.target.split("@")[0] == kind]

    def objects(self, node: Node | None) -> Iterator[Node]:
        """The objects that an expression may come to: of both branches of a condition, of all parts of a union."""
        if node is not None and node.type == "object":
            yield node
        elif node is not None:
            for one in self._choices(node):
                yield from self.objects(one)

    def _choices(self, node: Node) -> list[Node]:
        """The expressions of which an expression takes its value."""
        match node.type:
            case "ternary_expression":
                return node.named_children[1:]
            case "for_statement" | "if_statement" | "parenthesized_expression":
                return node.named_children[-1:]
            case "array":
                return node.named_children
            case "call_expression" if text_of(node.named_children[0]) in {"union", "concat"}:
                return node.named_children[-1].named_children
            case "identifier" if (found := self.named("var").get(text_of(node))) and found.value:
                return [found.value]
        return []

    def values(self, node: Node | None, *path: str) -> list[Node]:
        """What stands at a path of keys in an expression; several where branches or items differ."""
        if not path:
            return [node] if node is not None else []
        found = (properties(one).get(path[0]) for one in self.objects(node))
        return [value for one in found for value in self.values(one, *path[1:])]

    def strings(self, node: Node | None) -> list[str]:
        """The texts of an array or of a single string; names are followed to their variables."""
        if node is None:
            return []
        if node.type == "string":
            return [string_of(node)]
        if node.type == "array":
            return [text for child in node.named_children for text in self.strings(child)]
        found = self.named("var").get(text_of(node))
        return self.strings(found.value) if found else []


def properties(node: Node) -> dict[str, Node]:
    """An object's properties by their keys; of a key that is given twice, the last."""
    return {key_of(one): one.named_children[1] for one in node.named_children if one.type == "object_property"}


def key_of(node: Node) -> str:
    """The key of an object's property."""
    key = node.named_children[0]
    return string_of(key) if key.type == "string" else text_of(key)


def text_of(node: Node) -> str:
    """The source of a node."""
    return (node.text or b"").decode()


def string_of(node: Node) -> str:
    """A string literal's text; what it interpolates stays as it is written."""
    return text_of(node)[1:-1].replace("\\'", "'")


def walk(node: Node) -> Iterator[Node]:
    """A node and everything within."""
    yield node
    for child in node.named_children:
        yield from walk(child)
