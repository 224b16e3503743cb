"""Names and texts that SQL, shells, logs and formats stumble over."""

from random import Random

NAME_BYTES = 63

_NAMES = (
    "plain",
    "Mixed Case",
    'quo"te',
    "it's",
    "new\nline",
    "cr\r\nlf",
    "tab\tstop",
    "ünïcødé",
    "名前",
    "🐘",
    "select",
    "user",
    "table",
    "--option",
    "-j8",
    "--",
    "/* comment",
    "%s %(x)s",
    "back\\slash",
    "\\! echo",
    "\\.",
    "$1",
    "$body$",
    ".",
    "a.b",
    " lead",
    "trail ",
    "; DROP",
    "{}",
    "1st",
    "PUBLIC",
    "TABLE DATA",
    "DATABASE x",
    "x" * NAME_BYTES,
    "é" * 31,
)

_TEXTS = (
    "",
    "plain",
    'it\'s "quoted"',
    "back\\slash \\N \\. \\t",
    "\\.",
    "two\nlines\r\n\ttab",
    "ünïcødé 名前 🐘",
    "$$ $body$ $1",
    "-- no comment /* ; */ ;",
    "\\connect postgres",
    "\x01\x7f",
    "long " * 500,
    "NULL",
    "COPY a FROM stdin;\n1\n\\.\n",
)


def identifier(name: str) -> str:
    """The name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """The text as SQL, whatever standard_conforming_strings says."""
    quoted = text.replace("'", "''")
    return f"E'{quoted.replace('\\', '\\\\')}'" if "\\" in quoted else f"'{quoted}'"


class Naming:
    """Picks names, each once in its scope, and texts, all of them in the database's encoding."""

    def __init__(self, chance: Random, encoding: str) -> None:
        self._chance = chance
        self._names = [name for name in _NAMES if _fits(name, encoding)]
        self._texts = [text for text in _TEXTS if _fits(text, encoding)]
        self._taken: set[tuple[str, str]] = set()

    def new(self, scope: str, *, single_line: bool = False) -> str:
        """A name that nothing in the scope has, no longer than a name may be."""
        names = [name for name in self._names if not single_line or name.isprintable()]
        base = name = self._chance.choice(names)
        number = 1
        while (scope, name) in self._taken:
            number += 1
            suffix = str(number)
            name = base.encode()[: NAME_BYTES - len(suffix)].decode("utf-8", "ignore") + suffix
        self._taken.add((scope, name))
        return name

    def text(self) -> str:
        """A text of people."""
        return self._chance.choice(self._texts)


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
