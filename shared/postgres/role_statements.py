"""The statements of a roles file: what `pg_dumpall --roles-only` of PostgreSQL 11 to 18 writes, parsed."""

from dataclasses import dataclass

from shared.postgres.script import Statement, Token, TokenKind, quote_identifier, tokens


@dataclass(frozen=True)
class CreateRole:
    """`CREATE ROLE role`."""

    role: str

    def sql(self) -> str:
        """The statement."""
        return f"CREATE ROLE {quote_identifier(self.role)};"


@dataclass(frozen=True)
class AlterRole:
    """`ALTER ROLE role WITH attributes`."""

    role: str
    flags: dict[str, bool]
    """`{"SUPERUSER": False, "LOGIN": True}`."""
    clauses: tuple[str, ...] = ()
    """CONNECTION LIMIT and VALID UNTIL as they are in the file."""
    password: str | None = None
    """The literal as it is in the file."""

    def sql(self) -> str:
        """The statement."""
        flags = [name if positive else f"NO{name}" for name, positive in self.flags.items()]
        password = [f"PASSWORD {self.password}"] if self.password is not None else []
        return f"ALTER ROLE {quote_identifier(self.role)} WITH {' '.join([*flags, *self.clauses, *password])};"


@dataclass(frozen=True)
class RoleComment:
    """`COMMENT ON ROLE role IS literal`."""

    role: str
    literal: str

    def sql(self) -> str:
        """The statement."""
        return f"COMMENT ON ROLE {quote_identifier(self.role)} IS {self.literal};"


@dataclass(frozen=True)
class RoleSetting:
    """`ALTER ROLE role [IN DATABASE database] SET assignment`."""

    role: str
    assignment: str
    database: str | None = None

    def sql(self) -> str:
        """The statement, for all databases."""
        return f"ALTER ROLE {quote_identifier(self.role)} SET {self.assignment};"


@dataclass(frozen=True)
class Membership:
    """`GRANT role TO member [WITH options] [GRANTED BY grantor]`; an option that is not named is None."""

    role: str
    member: str
    admin: bool | None = None
    inherit: bool | None = None
    set: bool | None = None
    grantor: str | None = None

    def sql(self, server_version: int) -> str:
        """The statement, as granted by whoever runs it; INHERIT and SET exist since PostgreSQL 16."""
        grant = f"GRANT {quote_identifier(self.role)} TO {quote_identifier(self.member)}"
        if server_version < 160_000:
            return f"{grant} WITH ADMIN OPTION;" if self.admin else f"{grant};"
        named = {"ADMIN": self.admin, "INHERIT": self.inherit, "SET": self.set}
        options = ", ".join(f"{name} {str(value).upper()}" for name, value in named.items() if value is not None)
        return f"{grant} WITH {options};" if options else f"{grant};"


@dataclass(frozen=True)
class SecurityLabel:
    """`SECURITY LABEL FOR provider ON ROLE role IS label`."""

    role: str
    provider: str
    label: str

    def sql(self) -> str:
        """The statement."""
        literal = "'" + self.label.replace("'", "''") + "'"
        return (
            f"SECURITY LABEL FOR {quote_identifier(self.provider)} ON ROLE {quote_identifier(self.role)} IS {literal};"
        )


@dataclass(frozen=True)
class ParameterGrant:
    """`GRANT SET ON PARAMETER parameter TO grantee`, or another privilege."""

    parameter: str
    grantee: str


@dataclass(frozen=True)
class SessionSetting:
    """`SET name = value`."""

    name: str
    value: str


@dataclass(frozen=True)
class Unknown:
    """Anything else."""


type RoleStatement = (
    CreateRole
    | AlterRole
    | RoleComment
    | RoleSetting
    | Membership
    | SecurityLabel
    | ParameterGrant
    | SessionSetting
    | Unknown
)

_FLAGS = frozenset({"superuser", "inherit", "createrole", "createdb", "login", "replication", "bypassrls"})


class _Unexpected(Exception):
    """The statement is not one of those that are known."""


def parse(statement: Statement) -> RoleStatement:
    """What the statement says; `Unknown` unless every token of it is understood."""
    words = _Words(statement.text)
    try:
        found = _parse(words)
        words.end()
    except _Unexpected:
        return Unknown()
    return found


class _Words:
    """A statement's tokens, read from the left."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._at = 0

    def take(self, *words: str) -> bool:
        """Move behind these keywords if they are next."""
        following = self._tokens[self._at : self._at + len(words)]
        matches = len(following) == len(words) and all(map(_is, following, words))
        self._at += len(words) if matches else 0
        return matches

    def expect(self, *words: str) -> None:
        """Move behind these keywords."""
        if not self.take(*words):
            raise _Unexpected

    def token(self, *kinds: TokenKind) -> Token:
        """Move behind a token of one of these kinds."""
        if self._at >= len(self._tokens) or self._tokens[self._at].kind not in kinds:
            raise _Unexpected
        self._at += 1
        return self._tokens[self._at - 1]

    def name(self) -> str:
        """Move behind an identifier."""
        return self.token(TokenKind.WORD, TokenKind.NAME).value

    def literal(self) -> str:
        """Move behind a string literal; its source."""
        return self.source(self.token(TokenKind.STRING))

    def source(self, token: Token) -> str:
        """The token as it is written."""
        return self._text[token.start : token.end]

    def end(self) -> None:
        """Nothing but the semicolon may be left."""
        if not self.take(";") or self._at != len(self._tokens):
            raise _Unexpected

    @property
    def at_end(self) -> bool:
        """Whether the semicolon is next."""
        return self._at < len(self._tokens) and _is(self._tokens[self._at], ";")


def _is(token: Token, word: str) -> bool:
    return token.kind in {TokenKind.WORD, TokenKind.PUNCTUATION} and token.value == word


def _parse(words: _Words) -> RoleStatement:
    if words.take("create", "role"):
        return CreateRole(words.name())
    if words.take("alter", "role"):
        return _alter(words)
    if words.take("comment", "on", "role"):
        role = words.name()
        words.expect("is")
        return RoleComment(role, "NULL" if words.take("null") else words.literal())
    if words.take("grant"):
        return _grant(words)
    if words.take("security", "label", "for"):
        return _label(words)
    if words.take("set"):
        name = words.name()
        words.expect("=")
        return SessionSetting(name, words.token(TokenKind.STRING, TokenKind.WORD).value)
    raise _Unexpected


def _alter(words: _Words) -> RoleStatement:
    role = words.name()
    if words.take("with"):
        return _attributes(words, role)
    database = words.name() if words.take("in", "database") else None
    words.expect("set")
    return RoleSetting(role, _assignment(words), database)


def _attributes(words: _Words, role: str) -> AlterRole:
    flags: dict[str, bool] = {}
    clauses: list[str] = []
    password: str | None = None
    while not words.at_end:
        if words.take("connection", "limit"):
            sign = "-" if words.take("-") else ""
            clauses.append(f"CONNECTION LIMIT {sign}{words.token(TokenKind.NUMBER).value}")
        elif words.take("valid", "until"):
            clauses.append(f"VALID UNTIL {words.literal()}")
        elif words.take("password"):
            password = None if words.take("null") else words.literal()
        else:
            word = words.token(TokenKind.WORD).value
            positive = word in _FLAGS
            if (name := word if positive else word.removeprefix("no")) not in _FLAGS:
                raise _Unexpected
            flags[name.upper()] = positive
    return AlterRole(role, flags, tuple(clauses), password)


def _assignment(words: _Words) -> str:
    """`name TO value, value`; the values as they are written."""
    parts = [words.name()]
    while words.take("."):
        parts.append(words.name())
    if not (words.take("to") or words.take("=")):
        raise _Unexpected
    values = [_value(words)]
    while words.take(","):
        values.append(_value(words))
    return f"{'.'.join(map(quote_identifier, parts))} TO {', '.join(values)}"


def _value(words: _Words) -> str:
    sign = "-" if words.take("-") else ""
    return sign + words.source(words.token(TokenKind.STRING, TokenKind.NUMBER, TokenKind.WORD, TokenKind.NAME))


def _grant(words: _Words) -> RoleStatement:
    first = words.name()
    if not words.take("to"):
        return _parameter_grant(words)
    member = words.name()
    options = _options(words) if words.take("with") else {}
    grantor = words.name() if words.take("granted", "by") else None
    return Membership(first, member, **options, grantor=grantor)


def _options(words: _Words) -> dict[str, bool]:
    options: dict[str, bool] = {}
    while True:
        name = words.name()
        if name not in {"admin", "inherit", "set"}:
            raise _Unexpected
        positive = words.take("option") or words.take("true")
        if not positive:
            words.expect("false")
        options[name] = positive
        if not words.take(","):
            return options


def _parameter_grant(words: _Words) -> ParameterGrant:
    while not words.take("on", "parameter"):
        words.token(TokenKind.WORD, TokenKind.PUNCTUATION)
    parameter = words.name()
    while words.take("."):
        parameter += f".{words.name()}"
    words.expect("to")
    grantee = words.name()
    words.take("with", "grant", "option")
    if words.take("granted", "by"):
        words.name()
    return ParameterGrant(parameter, grantee)


def _label(words: _Words) -> SecurityLabel:
    token = words.token(TokenKind.WORD, TokenKind.NAME, TokenKind.STRING)
    words.expect("on", "role")
    role = words.name()
    words.expect("is")
    return SecurityLabel(role, token.value, words.token(TokenKind.STRING).value)
