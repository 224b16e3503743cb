"""Schemas, types, functions, sequences: what tables are made of."""

from random import Random

from local.random_database.draft import Draft
from local.random_database.kinds import Kind, Values
from local.random_database.naming import Naming, identifier, literal


def add_schemas(draft: Draft) -> None:
    """Schemas that every role can look into."""
    for _ in draft.several(3):
        name = draft.naming.new("schema")
        draft.schemas.append(name)
        draft.say(f"CREATE SCHEMA {identifier(name)}")
        draft.say(f"GRANT USAGE ON SCHEMA {identifier(name)} TO PUBLIC")
        draft.add("SCHEMA", identifier(name), "USAGE", "CREATE")
    if draft.maybe(20):
        draft.say("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        draft.say("GRANT USAGE ON SCHEMA public TO PUBLIC")


def add_extensions(draft: Draft) -> None:
    """Some of those that are allowed."""
    for name in draft.some(("citext", "hstore", "btree_gist", "pg_trgm"), 15):
        draft.say(f"CREATE EXTENSION {name} SCHEMA {identifier(draft.pick(draft.schemas))}")


def add_types(draft: Draft) -> None:
    """Enums, domains, composite types, ranges, also of each other."""
    makers = (_enum, _domain, _composite, _range)
    for _ in draft.several(4):
        draft.pick(makers)(draft)


def _enum(draft: Draft) -> None:
    _, _, name = draft.qualified()
    labels = [draft.naming.new(f"label {name}") for _ in range(3)]
    draft.say(f"CREATE TYPE {name} AS ENUM ({', '.join(map(literal, labels[:2]))})")
    draft.say(f"ALTER TYPE {name} ADD VALUE {literal(labels[2])} BEFORE {literal(labels[0])}")
    _use(draft, name, lambda chance, _: literal(chance.choice(labels)))
    draft.add("TYPE", name, "USAGE")


def _domain(draft: Draft) -> None:
    _, _, name = draft.qualified()
    kind = draft.pick(draft.kinds)
    default = f" DEFAULT {draft.value(kind)}" if draft.maybe(40) else ""
    constraint = identifier(draft.naming.new(f"constraint {name}"))
    check = f" CONSTRAINT {constraint} CHECK (VALUE IS DISTINCT FROM NULL OR VALUE IS NULL)" if draft.maybe(50) else ""
    draft.say(f"CREATE DOMAIN {name} AS {kind.type}{default}{check}")
    _use(draft, name, kind.values, btree=kind.btree)
    draft.add("DOMAIN", name, "USAGE")


def _composite(draft: Draft) -> None:
    _, _, name = draft.qualified()
    parts = [draft.pick(draft.kinds) for _ in range(2)]
    fields = [f"{identifier(draft.naming.new(f'column {name}'))} {part.type}" for part in parts]
    draft.say(f"CREATE TYPE {name} AS ({', '.join(fields)})")

    def row(chance: Random, naming: Naming) -> str:
        values = (f"({part.values(chance, naming)})::{part.type}" for part in parts)
        return f"ROW({', '.join(values)})"

    _use(draft, name, row, btree=all(part.btree for part in parts))
    draft.add("TYPE", name, "USAGE")


def _range(draft: Draft) -> None:
    schema, _, name = draft.qualified()
    # The server makes up a name for its array type too, and that of a long name may be taken.
    multirange = identifier(f"multirange {len(draft.statements)}")
    draft.say(
        f"CREATE TYPE {name} AS RANGE (SUBTYPE = pg_catalog.float8, SUBTYPE_DIFF = pg_catalog.float8mi,"
        f" MULTIRANGE_TYPE_NAME = {identifier(schema)}.{multirange})"
    )
    _use(draft, name, lambda chance, _: literal(chance.choice(("[1.5,2)", "empty", "(,)"))))
    draft.add("TYPE", name, "USAGE")


def _use(draft: Draft, name: str, values: Values, *, btree: bool = True) -> None:
    draft.kinds.append(Kind(name, values, btree=btree))


def add_functions(draft: Draft) -> None:
    """Functions in all languages, with bodies that hold odd texts; procedures, aggregates, operators."""
    makers = (_sql_function, _plpgsql_function, _atomic_function, _procedure, _aggregate, _operator)
    for _ in draft.several(4):
        draft.pick(makers)(draft)


def _options(draft: Draft) -> str:
    return " ".join(
        draft.some(
            ("STABLE", "SECURITY DEFINER", "STRICT", "PARALLEL SAFE", "COST 7", "SET search_path = pg_catalog"), 25
        )
    )


def _sql_function(draft: Draft) -> None:
    _, _, name = draft.qualified()
    kind = draft.pick(draft.kinds)
    argument = identifier(draft.naming.new(f"argument {name}"))
    draft.say(
        f"CREATE FUNCTION {name}({argument} {kind.type} DEFAULT NULL, VARIADIC rest pg_catalog.int4[] DEFAULT '{{}}')"
        f" RETURNS TABLE (a {kind.type}, b text) LANGUAGE sql {_options(draft)}"
        f" AS {literal(f'SELECT $1, {literal(draft.naming.text())}')}"
    )
    draft.add("FUNCTION", f"{name}({kind.type}, pg_catalog.int4[])", "EXECUTE")


def _plpgsql_function(draft: Draft) -> None:
    _, _, name = draft.qualified()
    body = f"BEGIN\n/* {draft.pick(('its', 'a;b', '$$', chr(92)))} */ RETURN {literal(draft.naming.text())};\nEND"
    draft.say(f"CREATE FUNCTION {name}() RETURNS text LANGUAGE plpgsql {_options(draft)} AS {literal(body)}")
    draft.add("FUNCTION", f"{name}()", "EXECUTE")


def _atomic_function(draft: Draft) -> None:
    _, _, name = draft.qualified()
    draft.say(
        f"CREATE FUNCTION {name}(a integer) RETURNS integer LANGUAGE sql"
        f" BEGIN ATOMIC SELECT CASE WHEN a > 0 THEN 1 END; SELECT a + length({literal(draft.naming.text())}); END"
    )
    draft.add("FUNCTION", f"{name}(integer)", "EXECUTE")


def _procedure(draft: Draft) -> None:
    _, _, name = draft.qualified()
    draft.say(f"CREATE PROCEDURE {name}(INOUT a text) LANGUAGE plpgsql AS 'BEGIN a := a || ''x''; END'")
    draft.add("PROCEDURE", f"{name}(text)", "EXECUTE")


def _aggregate(draft: Draft) -> None:
    _, _, name = draft.qualified()
    draft.say(f"CREATE AGGREGATE {name}(integer) (SFUNC = int4_sum, STYPE = bigint, INITCOND = '-5')")
    draft.add("AGGREGATE", f"{name}(integer)")


def _operator(draft: Draft) -> None:
    schema, _, name = draft.qualified()
    sign = draft.pick(("@@@", "|&|", "~#", "<#?>"))
    operator = f"{identifier(schema)}.{sign}"
    if operator in draft.operators:
        return
    draft.operators.add(operator)
    draft.say(f"CREATE FUNCTION {name}(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 < $2'")
    draft.say(f"CREATE OPERATOR {operator} (FUNCTION = {name}, LEFTARG = text, RIGHTARG = text)")
    draft.add("FUNCTION", f"{name}(text, text)", "EXECUTE")
    draft.add("OPERATOR", f"{operator} (text, text)")


def add_sequences(draft: Draft) -> None:
    """Sequences that count in odd ways and stand at odd values."""
    options = (
        ("AS smallint", ("1", "32767")),
        ("INCREMENT -3 MINVALUE -100 MAXVALUE 5 START 5 CYCLE", ("5", "-100")),
        ("MINVALUE 9223372036854775800 CACHE 50", ("9223372036854775807",)),
        ("START 1000 INCREMENT 7", ("1", "1000", "77")),
    )
    for _ in draft.several(2):
        _, _, name = draft.qualified()
        option, values = draft.pick(options)
        draft.say(f"CREATE SEQUENCE {name} {option}")
        if draft.maybe(70):
            called = draft.pick(("true", "false"))
            draft.say(f"SELECT setval({literal(name)}::regclass, {draft.pick(values)}, {called})")
        draft.add("SEQUENCE", name, "USAGE", "SELECT", "UPDATE")


def add_large_objects(draft: Draft) -> None:
    """Large objects of some sizes."""
    for number in draft.several(3):
        oid = 100_000 + number * 7
        size = draft.pick((0, 1, 5000))
        draft.say(f"SELECT lo_from_bytea({oid}, convert_to(repeat('x\\y', {size}), 'SQL_ASCII'))")
        draft.add("LARGE OBJECT", str(oid), "SELECT", "UPDATE")


def add_searching(draft: Draft) -> None:
    """Text search configurations, collations, publications: kinds that few databases have."""
    if draft.maybe(15):
        _, _, name = draft.qualified("configuration")
        draft.say(f"CREATE TEXT SEARCH CONFIGURATION {name} (COPY = pg_catalog.simple)")
        draft.add("TEXT SEARCH CONFIGURATION", name)
    if draft.maybe(15):
        _, _, name = draft.qualified("collation")
        draft.say(f"CREATE COLLATION {name} (LOCALE = 'C')")
        draft.add("COLLATION", name)
    if draft.maybe(15) and draft.tables:
        name = identifier(draft.naming.new("publication"))
        plain = [table.sql for table in draft.tables if table.logged]
        draft.say(f"CREATE PUBLICATION {name}" + (f" FOR TABLE {plain[0]}" if plain else ""))
        draft.add("PUBLICATION", name, owned=False)
