"""Types of columns with literals of each, and what indexes they can have."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from local.random_database.naming import Naming, literal

type Values = Callable[[Random, Naming], str]


@dataclass(frozen=True)
class Kind:
    """A type.

    Attributes:
        type: as SQL.
        values: gives a literal.
        key: a literal for each number, another for each; None where the type serves as no key.
        btree: whether it can be sorted.
        methods: other index methods that take it without an operator class.
    """

    type: str
    values: Values
    key: Callable[[int], str] | None = None
    btree: bool = True
    methods: tuple[str, ...] = ()


def _one_of(*texts: str) -> Values:
    return lambda chance, _: literal(chance.choice(texts))


def _number(low: int, high: int) -> Values:
    return lambda chance, _: str(chance.choice((low, high, chance.randint(low, high))))


def _text(chance: Random, naming: Naming) -> str:  # noqa: ARG001 -- the shape of all of them
    return literal(naming.text())


def _short(chance: Random, naming: Naming) -> str:  # noqa: ARG001
    return literal(naming.text()[:5])


KINDS: tuple[Kind, ...] = (
    Kind("integer", _number(-(2**31), 2**31 - 1), str, methods=("hash", "brin")),
    Kind("text", _text, lambda n: literal(f"key {n}"), methods=("hash", "spgist")),
    Kind("bigint", _number(-(2**63), 2**63 - 1), lambda n: str(n * 10**12)),
    Kind("smallint", _number(-(2**15), 2**15 - 1), str),
    Kind("numeric", _one_of("NaN", "Infinity", "-1e-40", "123456789012345678901234567890.5"), lambda n: f"{n}.50"),
    Kind("numeric(12,3)", _one_of("0", "-0.001", "NaN", "999999999.999")),
    Kind("double precision", _one_of("NaN", "-Infinity", "0.1", "1e-300", "3.141592653589793")),
    Kind("real", _one_of("NaN", "0.1", "1e-40", "16777217")),
    Kind("boolean", _one_of("t", "f")),
    Kind("varchar(5)", _short),
    Kind("character(5)", _short),
    Kind('"char"', _one_of("a", "", "\\")),
    Kind("name", _short),
    Kind("bytea", _one_of("\\x", "\\x00ff5c27", "\\x5c2e0a")),
    Kind("date", _one_of("infinity", "-infinity", "4713-01-01 BC", "2024-02-29", "5874897-12-31"), methods=("brin",)),
    Kind("timestamp", _one_of("infinity", "2024-02-29 23:59:59.999999", "0044-03-15 BC")),
    Kind("timestamptz(3)", _one_of("-infinity", "2024-03-31 02:30:00+01", "1900-01-01 00:00:00+00")),
    Kind("time", _one_of("24:00:00", "00:00:00.000001")),
    Kind("timetz", _one_of("12:00:00+05:30", "00:00-15:59")),
    Kind("interval", _one_of("1 mon -1 day +00:00:01", "-178000000 years", "infinity", "P1Y2M3DT4H5M6.7S")),
    Kind("uuid", _one_of("00000000-0000-0000-0000-000000000000"), lambda n: f"'{n:032x}'"),
    Kind("jsonb", _one_of('{"a": [1, null, "\\u00e9"], "b\\\\n": {}}', "null", '"\\\\."', "[]"), methods=("gin",)),
    Kind("json", _one_of('{"a":1, "a":2}', " [ 1 ] ", '"x"'), btree=False),
    Kind("inet", _one_of("::1/64", "10.0.0.1", "192.168.0.0/16"), methods=("spgist",)),
    Kind("cidr", _one_of("10.0.0.0/8", "2001:db8::/32")),
    Kind("macaddr8", _one_of("08:00:2b:01:02:03:04:05")),
    Kind("bit(5)", _one_of("10101", "00000")),
    Kind("bit varying", _one_of("", "101010101")),
    Kind("point", _one_of("(1,-2.5)", "(NaN,Infinity)"), btree=False, methods=("gist", "spgist")),
    Kind("box", _one_of("(1,1),(0,0)"), btree=False, methods=("gist",)),
    Kind("path", _one_of("[(0,0),(1,1)]", "((0,0),(1,1),(2,0))"), btree=False),
    Kind("circle", _one_of("<(0,0),1>"), btree=False, methods=("gist",)),
    Kind("line", _one_of("{1,-1,0}"), btree=False),
    Kind("int4range", _one_of("empty", "[1,5)", "(,)", "[,7]"), methods=("gist", "spgist")),
    Kind("tstzrange", _one_of("[2024-01-01,infinity)", "empty"), methods=("gist",)),
    Kind("int8multirange", _one_of("{}", "{[1,3),[7,)}"), methods=("gist",)),
    Kind("tsvector", _one_of("'it''s':1A 'b\\\\c':2", ""), methods=("gin", "gist")),
    Kind("tsquery", _one_of("a & !b <-> 'c d'", "")),
    Kind("money", _one_of("-1.50", "92233720368547758.07")),
    Kind("pg_lsn", _one_of("16/B374D848", "0/0")),
    Kind("oid", _one_of("0", "4294967295")),
    Kind("regtype", _one_of("integer", "pg_catalog.text[]")),
    Kind("integer[]", _one_of("{}", "{1,NULL,3}", "[0:1]={1,2}", "{{1,2},{3,4}}"), methods=("gin",)),
    Kind("text[]", _one_of("{}", '{"a,b","NULL",NULL,"\\\\\\"","{}"}'), methods=("gin",)),
    Kind("jsonb[]", _one_of('{"{\\"a\\": 1}",NULL}')),
)
