"""The extensions of a flexible server: what the admin may create, and what exists on Azure only."""

from collections.abc import Sequence
from pathlib import Path

# What Azure allow-lists is the customer's choice; these are the contrib extensions that most customers choose.
DEFAULT_ALLOWED = (
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "earthdistance",
    "fuzzystrmatch",
    "hstore",
    "intarray",
    "ltree",
    "pg_stat_statements",
    "pg_trgm",
    "pgcrypto",
    "postgres_fdw",
    "tablefunc",
    "unaccent",
)

# Extensions that Azure keeps in its own databases, with their comments there. Empty here: only their names matter.
SYSTEM = {
    "azure": "azure extension for PostgreSQL service",
    "pg_availability": "pg_availability - availability and monitoring extension for PostgreSQL service",
    "pg_qs": "Query Store",
    "pgaadauth": "Azure Active Directory Authentication",
    "pgms_stats": "PG Microsoft Stats",
    "pgms_wait_sampling": "PG Microsoft Wait Sampling",
}

# Extensions that Azure offers and these binaries do not have (uuid-ossp needs a library that many machines lack):
# listed as available, and always refused.
ELSEWHERE = ("azure_storage", "pg_cron", "pgaudit", "pg_partman", "postgis", "timescaledb", "uuid-ossp", "vector")


def has_control_path(binaries: Path) -> bool:
    """Whether that PostgreSQL, 18 or newer, takes control files from elsewhere than its own folder."""
    return "extension_control_path" in (binaries.parent / "share" / "postgresql.conf.sample").read_text()


def write_control_files(binaries: Path, share: Path) -> None:
    """Write the control files that make PostgreSQL's extensions behave as Azure's.

    Members of azure_pg_admin may create any allow-listed extension, also one that PostgreSQL leaves to superusers:
    each control file is copied with `trusted = true`, with its scripts left where they are.

    Args:
        binaries: the `bin` folder of PostgreSQL.
        share: a folder for the setting `extension_control_path`, or PostgreSQL's own; its folder `extension` is filled.
    """
    folder = share / "extension"
    folder.mkdir(parents=True, exist_ok=True)
    system = binaries.parent / "share" / "extension"
    scripts = "" if folder == system else f"directory = '{system}'\n"
    for control in list(system.glob("*.control")):
        text = control.read_text()
        folder.joinpath(control.name).write_text(f"{text}\ntrusted = true\n{scripts}")
    for name, comment in SYSTEM.items():
        _write_empty(folder, name, comment, "-- The name is all that matters here.\n")
    for name in ELSEWHERE:
        refusal = f"DO $$BEGIN PERFORM pg_catalog.azure_refuse_extension('{name}'); END$$;\n"
        _write_empty(folder, name, "available on Azure only", refusal)


def _write_empty(folder: Path, name: str, comment: str, script: str) -> None:
    folder.joinpath(f"{name}.control").write_text(f"comment = '{comment}'\ndefault_version = '1.0'\ntrusted = true\n")
    folder.joinpath(f"{name}--1.0.sql").write_text(script)


def check_allowed(allowed: Sequence[str]) -> None:
    """Refuse an allow-list that this server could not keep.

    Raises:
        ValueError: it names extensions that exist on Azure only.
    """
    missing = sorted({*SYSTEM, *ELSEWHERE} & {name.lower() for name in allowed})
    if missing:
        raise ValueError(f"no allow-listing of {', '.join(missing)}: these extensions exist on Azure only")
