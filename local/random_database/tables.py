"""Tables with columns, rows, constraints, indexes, partitions, foreign keys, triggers, row security."""

from collections.abc import Iterator

from local.random_database.draft import Column, Draft, Relation
from local.random_database.kinds import KINDS
from local.random_database.naming import identifier, literal

_TABLE_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN")
_KEY_KINDS = tuple(kind for kind in KINDS if kind.key)
_INTEGER = KINDS[0]


def add_tables(draft: Draft) -> None:
    """One to four tables with all that belongs to each."""
    for _ in range(1 + draft.chance.randrange(4)):
        makers = (_plain_table, _plain_table, _partitioned_table)
        table = draft.pick(makers)(draft)
        draft.tables.append(table)
        draft.add("TABLE", table.sql, *_TABLE_RIGHTS)
        _fill(draft, table)
        _constrain(draft, table)
        _index(draft, table)
    if draft.maybe(20):
        _inherit(draft)
    for _ in draft.several(3):
        _foreign_key(draft)
    for table in draft.tables:
        _trigger(draft, table)
        _secure(draft, table)


def _columns(draft: Draft, schema: str, table: str, *, partitioned: bool) -> tuple[list[Column], list[str]]:
    """Columns and their definitions; the first one numbers the rows, or is what partitions are made by."""
    scope = f"column {table}"
    key = Column(draft.naming.new(scope), _INTEGER if partitioned else draft.pick(_KEY_KINDS), key=True)
    columns, definitions = [key], [f"{key.sql} {key.kind.type}"]
    for _ in range(draft.chance.randrange(6)):
        column = Column(draft.naming.new(scope), draft.pick(draft.kinds))
        columns.append(column)
        definitions.append(f"{column.sql} {column.kind.type}{_column_options(draft, column, schema)}")
    if draft.maybe(25):
        identity = Column(draft.naming.new(scope), _INTEGER, generated=True)
        options = draft.pick(("ALWAYS AS IDENTITY", "BY DEFAULT AS IDENTITY (MINVALUE -10 START -5 INCREMENT 3)"))
        columns.append(identity)
        definitions.append(f"{identity.sql} integer GENERATED {options}")
    if draft.maybe(25) and key.kind.type == "integer":
        computed = Column(draft.naming.new(scope), _INTEGER, generated=True)
        columns.append(computed)
        stored = draft.pick(("STORED", "VIRTUAL"))
        definitions.append(f"{computed.sql} integer GENERATED ALWAYS AS ({key.sql} * 2 + 1) {stored}")
    return columns, definitions


def _column_options(draft: Draft, column: Column, schema: str) -> str:
    options = ""
    if column.kind.type == "text" and draft.maybe(20):
        options += ' COLLATE "C"'
    if draft.maybe(25):
        options += f" DEFAULT {draft.value(column.kind)}"
    if draft.maybe(15):
        options += f" CONSTRAINT {identifier(draft.naming.new(f'relation {schema}'))} NOT NULL"
    return options


def _plain_table(draft: Draft) -> Relation:
    schema, name, qualified = draft.qualified()
    columns, definitions = _columns(draft, schema, qualified, partitioned=False)
    dropped = identifier(draft.naming.new(f"column {qualified}"))
    unlogged = draft.pick(("", "", "UNLOGGED "))
    options = draft.pick(("", "", " WITH (fillfactor = 50, autovacuum_enabled = false)"))
    drops = draft.maybe(20)
    parts = [*definitions[:1], f"{dropped} integer", *definitions[1:]] if drops else definitions
    draft.say(f"CREATE {unlogged}TABLE {qualified} ({', '.join(parts)}){options}")
    if drops:
        draft.say(f"ALTER TABLE {qualified} DROP COLUMN {dropped}")
    if draft.maybe(20):
        attribute = draft.pick(("SET STATISTICS 77", "SET (n_distinct = -0.5)"))
        draft.say(f"ALTER TABLE {qualified} ALTER {columns[0].sql} {attribute}")
    return Relation(schema, name, "TABLE", columns, logged=not unlogged)


def _partitioned_table(draft: Draft) -> Relation:
    schema, name, qualified = draft.qualified()
    columns, definitions = _columns(draft, schema, qualified, partitioned=True)
    key = columns[0]
    method, bounds = draft.pick(
        (
            ("RANGE", ("FROM (MINVALUE) TO (3)", "FROM (3) TO (MAXVALUE)")),
            ("LIST", ("IN (1, 2, NULL)", "IN (0)")),
            ("HASH", ("WITH (MODULUS 2, REMAINDER 0)", "WITH (MODULUS 2, REMAINDER 1)")),
        )
    )
    draft.say(f"CREATE TABLE {qualified} ({', '.join(definitions)}) PARTITION BY {method} ({key.sql})")
    for bound in bounds:
        _partition(draft, qualified, f"FOR VALUES {bound}", key)
    if method == "LIST":
        _partition(draft, qualified, "DEFAULT", key)
    return Relation(schema, name, "TABLE", columns, partition_key=key)


def _partition(draft: Draft, parent: str, bound: str, key: Column) -> None:
    _, _, name = draft.qualified()
    if draft.maybe(25):
        _, _, leaf = draft.qualified()
        draft.say(f"CREATE TABLE {name} PARTITION OF {parent} {bound} PARTITION BY RANGE ({key.sql})")
        draft.say(f"CREATE TABLE {leaf} PARTITION OF {name} DEFAULT")
        draft.add("TABLE", leaf, *_TABLE_RIGHTS)
    else:
        draft.say(f"CREATE TABLE {name} PARTITION OF {parent} {bound}")
    draft.add("TABLE", name, *_TABLE_RIGHTS)


def _fill(draft: Draft, table: Relation) -> None:
    given = [column for column in table.columns if not column.generated]
    table.rows = draft.chance.randrange(6)
    if not table.rows:
        return
    rows = (", ".join(_row(draft, given, number)) for number in range(table.rows))
    draft.say(
        f"INSERT INTO {table.sql} ({', '.join(column.sql for column in given)}) VALUES "
        + ", ".join(f"({row})" for row in rows)
    )


def _row(draft: Draft, columns: list[Column], number: int) -> Iterator[str]:
    for column in columns:
        literal_ = column.kind.key(number) if column.key and column.kind.key else draft.value(column.kind)
        yield f"({literal_})::{column.kind.type}"


def _constrain(draft: Draft, table: Relation) -> None:
    key = table.columns[0]
    scope = f"relation {table.schema}"
    if draft.maybe(70):
        name = identifier(draft.naming.new(scope))
        included = [column for column in table.columns[1:2] if not column.generated and draft.maybe(30)]
        include = f" INCLUDE ({included[0].sql})" if included else ""
        draft.say(f"ALTER TABLE {table.sql} ADD CONSTRAINT {name} PRIMARY KEY ({key.sql}){include}")
        table.primary = [key]
    if draft.maybe(30):
        name = identifier(draft.naming.new(scope))
        how = draft.pick(("", " DEFERRABLE INITIALLY DEFERRED")) if table.partition_key is None else ""
        draft.say(f"ALTER TABLE {table.sql} ADD CONSTRAINT {name} UNIQUE NULLS NOT DISTINCT ({key.sql}){how}")
    if draft.maybe(30) and table.partition_key is None:
        name = identifier(draft.naming.new(scope))
        draft.say(f"ALTER TABLE {table.sql} ADD CONSTRAINT {name} EXCLUDE USING btree ({key.sql} WITH =)")
    for _ in draft.several(2):
        name = identifier(draft.naming.new(f"relation {table.schema}"))
        state = draft.pick(("", "", " NOT VALID", " NO INHERIT", " NOT ENFORCED"))
        if state == " NO INHERIT" and table.partition_key:
            state = ""
        column = draft.pick(table.columns)
        draft.say(
            f"ALTER TABLE {table.sql} ADD CONSTRAINT {name} CHECK ({column.sql}::text IS NULL"
            f" OR {column.sql}::text <> {literal('never ' + draft.naming.text())}){state}"
        )


def _index(draft: Draft, table: Relation) -> None:
    for _ in draft.several(3):
        column = draft.pick(table.columns)
        if column.generated:
            column = table.columns[0]
        name = identifier(draft.naming.new(f"relation {table.schema}"))
        kind = column.kind
        choices = [f"USING {method} ({column.sql})" for method in kind.methods]
        if kind.btree:
            choices.append(f"({column.sql} DESC NULLS LAST) WITH (fillfactor = 60)")
        choices.append(f"((({column.sql}) IS NULL), {table.columns[0].sql}) WHERE {column.sql} IS NOT NULL")
        if kind.type == "text":
            choices.append(f"(lower({column.sql}) text_pattern_ops)")
        draft.say(f"CREATE INDEX {name} ON {table.sql} {draft.pick(choices)}")
        draft.add("INDEX", f"{identifier(table.schema)}.{name}", owned=False)
    if len(table.columns) > 2 and draft.maybe(15):
        _, _, name = draft.qualified("statistics")
        fit = [column for column in table.columns if column.kind.btree and not column.generated]
        if len(fit) > 1:
            draft.say(f"CREATE STATISTICS {name} ON {fit[0].sql}, {fit[1].sql} FROM {table.sql}")
            draft.add("STATISTICS", name)


def _inherit(draft: Draft) -> None:
    parents = [table for table in draft.tables if table.partition_key is None]
    if not parents:
        return
    parent = draft.pick(parents)
    _, _, name = draft.qualified()
    own = identifier(draft.naming.new(f"column {parent.sql}"))
    draft.say(f"CREATE TABLE {name} ({own} text DEFAULT {literal(draft.naming.text())}) INHERITS ({parent.sql})")
    draft.add("TABLE", name, *_TABLE_RIGHTS)


def _foreign_key(draft: Draft) -> None:
    """A new column of one table that refers to rows of another one, or of its own; both ways make a cycle."""
    child = draft.pick(draft.tables)
    parents = [table for table in draft.tables if table.primary and table.logged >= child.logged]
    if not parents:
        return
    parent = draft.pick(parents)
    key = parent.primary[0]
    column = Column(draft.naming.new(f"column {child.sql}"), key.kind)
    name = identifier(draft.naming.new(f"relation {child.schema}"))
    draft.say(f"ALTER TABLE {child.sql} ADD {column.sql} {key.kind.type}")
    if parent.rows and key.kind.key:
        number = draft.chance.randrange(parent.rows)
        draft.say(f"UPDATE {child.sql} SET {column.sql} = ({key.kind.key(number)})::{key.kind.type}")
    options = draft.pick(
        ("", " ON DELETE CASCADE", " ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED", " NOT VALID", " NOT ENFORCED")
    )
    draft.say(
        f"ALTER TABLE {child.sql} ADD CONSTRAINT {name} FOREIGN KEY ({column.sql})"
        f" REFERENCES {parent.sql} ({key.sql}){options}"
    )
    child.columns.append(column)


def _trigger(draft: Draft, table: Relation) -> None:
    if not draft.maybe(30):
        return
    if not draft.trigger_functions:
        _, _, name = draft.qualified()
        draft.say(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
        draft.trigger_functions.append(name)
        draft.add("FUNCTION", f"{name}()", "EXECUTE")
    name = identifier(draft.naming.new(f"trigger {table.sql}"))
    draft.say(
        f"CREATE TRIGGER {name} BEFORE INSERT OR UPDATE OF {table.columns[0].sql} ON {table.sql} FOR EACH ROW"
        f" WHEN (NEW.{table.columns[0].sql} IS NOT NULL) EXECUTE FUNCTION {draft.trigger_functions[0]}"
        f"({literal(draft.naming.text())})"
    )
    if draft.maybe(30):
        draft.say(
            f"ALTER TABLE {table.sql} {draft.pick(('DISABLE', 'ENABLE ALWAYS', 'ENABLE REPLICA'))} TRIGGER {name}"
        )
    draft.add("TRIGGER", f"{name} ON {table.sql}", owned=False)


def _secure(draft: Draft, table: Relation) -> None:
    if not draft.maybe(20):
        return
    table.hides_rows = True
    draft.say(f"ALTER TABLE {table.sql} ENABLE ROW LEVEL SECURITY")
    if draft.maybe(40):
        draft.say(f"ALTER TABLE {table.sql} FORCE ROW LEVEL SECURITY")
    for _ in draft.several(2):
        name = identifier(draft.naming.new(f"policy {table.sql}"))
        who = identifier(draft.pick(draft.roles)) if draft.roles and draft.maybe(50) else "PUBLIC"
        kind = draft.pick(("", " AS RESTRICTIVE"))
        draft.say(
            f"CREATE POLICY {name} ON {table.sql}{kind} TO {who} USING ({table.columns[0].sql} IS NOT NULL)"
            f" WITH CHECK (current_user <> {literal(draft.naming.text())})"
        )
        draft.add("POLICY", f"{name} ON {table.sql}", owned=False)
