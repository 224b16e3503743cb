"""A database while it is being thought up: its statements so far, and what later ones can refer to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from local.random_database.kinds import Kind
from local.random_database.naming import Naming, identifier


@dataclass
class Column:
    """A column of a table."""

    name: str
    kind: Kind
    generated: bool = False
    """Whether no statement gives it a value."""
    key: bool = False
    """Whether each row has another value, that of the row's number."""

    @property
    def sql(self) -> str:
        """Its name as SQL."""
        return identifier(self.name)


@dataclass
class Relation:
    """A table or a view."""

    schema: str
    name: str
    kind: str
    """As ALTER, COMMENT and GRANT name it: `TABLE`, `VIEW`, `MATERIALIZED VIEW`."""
    columns: list[Column]
    rows: int = 0
    primary: list[Column] = field(default_factory=list)
    partition_key: Column | None = None
    logged: bool = True
    hides_rows: bool = False
    """Whether it, or what it reads, shows some roles less than others."""

    @property
    def sql(self) -> str:
        """Its qualified name."""
        return f"{identifier(self.schema)}.{identifier(self.name)}"


@dataclass(frozen=True)
class Thing:
    """Something that has an owner, a comment and perhaps rights; `rights` are those that can be granted on it."""

    kind: str
    sql: str
    rights: tuple[str, ...] = ()
    owned: bool = True


@dataclass
class Draft:
    """What there is so far."""

    chance: Random
    naming: Naming
    shared: Naming
    """Names of what databases of all encodings have in common."""
    admin: str
    roles: list[str] = field(default_factory=list)
    schemas: list[str] = field(default_factory=lambda: ["public"])
    kinds: list[Kind] = field(default_factory=list)
    tables: list[Relation] = field(default_factory=list)
    views: list[Relation] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)
    operators: set[str] = field(default_factory=set)
    trigger_functions: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)

    def say(self, statement: str) -> None:
        """Append a statement."""
        self.statements.append(statement)

    def maybe(self, percent: int) -> bool:
        """True that often."""
        return self.chance.randrange(100) >= 100 - percent

    def some[T](self, items: Sequence[T], percent: int = 40) -> list[T]:
        """Each of them that often."""
        return [item for item in items if self.maybe(percent)]

    def pick[T](self, items: Sequence[T]) -> T:
        """One of them."""
        return items[self.chance.randrange(len(items))]

    def several(self, most: int) -> range:
        """A range of 0 to `most` numbers."""
        return range(self.chance.randrange(most + 1))

    def qualified(self, scope: str = "relation") -> tuple[str, str, str]:
        """A schema, a new name in it, and both as SQL."""
        schema = self.pick(self.schemas)
        name = self.naming.new(f"{scope} {schema}")
        return schema, name, f"{identifier(schema)}.{identifier(name)}"

    def add(self, kind: str, name: str, *rights: str, owned: bool = True) -> None:
        """Note something that can be owned, commented and granted."""
        self.things.append(Thing(kind, name, rights, owned))

    def value(self, kind: Kind) -> str:
        """A literal of a kind."""
        return kind.values(self.chance, self.naming)
