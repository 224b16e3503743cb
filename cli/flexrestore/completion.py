"""Names for the shell's completion, from the service; where it cannot be asked there are none."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import httpx
import typer

from flexrestore.session import Session, Surroundings
from flexrestore.settings import Settings
from flexrestore.trouble import Json, Trouble

_PATIENCE = httpx.Timeout(2)


def instances(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Backup instances: by their aliases, or by their servers where they have none."""

    def named(document: Json) -> Iterator[tuple[str, str]]:
        for one in document["instances"]:
            for name in one["aliases"] or (one["server"],):
                yield name, one["server"]

    return _names(ctx, incomplete, "instances", named)


def targets(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Target servers, by alias."""
    return _names(ctx, incomplete, "targets", lambda found: ((one["alias"], one["host"]) for one in found["targets"]))


def _names(
    ctx: typer.Context, incomplete: str, path: str, named: Callable[[Json], Iterator[tuple[str, str]]]
) -> list[tuple[str, str]]:
    outer, nearer = (_settings(one.params) for one in (ctx.find_root(), ctx))
    try:
        with Session.open(outer.below(nearer), ctx.find_root().obj or Surroundings()) as session:
            found = list(named(session.service.get(path, tries=1, timeout=_PATIENCE).body))
    except (Trouble, typer.BadParameter, KeyError):
        return []  # a person who presses the tabulator key is told nothing but names
    return [one for one in found if one[0].startswith(incomplete)]


def _settings(params: dict[str, Any]) -> Settings:
    given: dict[str, Any] = {one.name: params.get(one.name) for one in fields(Settings)}
    return Settings(**given)
