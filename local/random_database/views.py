"""Views on tables and on views, materialized ones, rules."""

from local.random_database.draft import Draft, Relation
from local.random_database.naming import identifier, literal

_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRIGGER")


def add_views(draft: Draft) -> None:
    """Some of each; materialized ones read only what every role sees alike."""
    for _ in draft.several(5):
        _view(draft)
    if draft.tables and draft.maybe(15):
        table = draft.pick(draft.tables)
        name = identifier(draft.naming.new(f"rule {table.sql}"))
        draft.say(f"CREATE RULE {name} AS ON DELETE TO {table.sql} DO INSTEAD NOTHING")
        draft.add("RULE", f"{name} ON {table.sql}", owned=False)


def _view(draft: Draft) -> None:
    bases = [*draft.tables, *draft.views]
    if not bases:
        return
    base = draft.pick(bases)
    schema, name, qualified = draft.qualified()
    materialized = not base.hides_rows and draft.maybe(40)
    columns = [column for column in base.columns if draft.maybe(70)] or base.columns[:1]
    query = f"SELECT {', '.join(column.sql for column in columns)} FROM {base.sql}"
    view = Relation(schema, name, "VIEW", list(columns), hides_rows=base.hides_rows)
    if materialized:
        view.kind = "MATERIALIZED VIEW"
        data = draft.pick(("", "", " WITH NO DATA"))
        draft.say(f"CREATE MATERIALIZED VIEW {qualified} AS {query}{data}")
        # What has no contents cannot be read by another one.
        view.hides_rows = bool(data)
        if draft.maybe(40) and columns[0].kind.btree:
            index = identifier(draft.naming.new(f"relation {schema}"))
            draft.say(f"CREATE INDEX {index} ON {qualified} ({columns[0].sql})")
    else:
        _plain(draft, view, base, query)
    draft.views.append(view)
    draft.add(view.kind, qualified, *_RIGHTS)


def _plain(draft: Draft, view: Relation, base: Relation, query: str) -> None:
    where = f" WHERE {view.columns[0].sql}::text IS DISTINCT FROM {literal(draft.naming.text())}"
    # Such a view depends on the primary key: pg_dump makes it twice.
    grouped = f" GROUP BY {base.primary[0].sql}" if base.primary and draft.maybe(40) else ""
    options = draft.pick(("", "", " WITH (security_barrier = true)", " WITH (security_invoker = true)"))
    check = " WITH LOCAL CHECK OPTION" if not grouped and base.kind == "TABLE" and draft.maybe(20) else ""
    view.hides_rows = view.hides_rows or "invoker" in options
    draft.say(f"CREATE VIEW {view.sql}{options} AS {query}{where}{grouped}{check}")
