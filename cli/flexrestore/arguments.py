"""How a command's function becomes a command: its data classes are spread into options, its session is opened.

A parameter whose type is a data class of `Annotated` fields stands for an option each; several commands share it so.
"""

import inspect
from collections.abc import Callable
from copy import copy
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, get_args, get_type_hints

import typer

from flexrestore.exits import Exit
from flexrestore.session import Session
from flexrestore.settings import Settings
from flexrestore.trouble import Trouble

type Run = Callable[..., None]


def spread(function: Callable[..., None]) -> Run:
    """The function with an option for each field of its data classes."""
    return _with_signature(lambda **given: function(**_gathered(function, given)), function, _parameters(function))


def command(function: Callable[..., Exit | None]) -> Run:
    """The function as a command with the settings' options; it answers the exit code, or nothing for OK."""

    def run(ctx: typer.Context, **given: Any) -> None:
        outer, surroundings = ctx.obj
        nearer = _taken(Settings, given)
        with Session.open(outer.below(nearer), surroundings) as session:
            if session.settings.is_readable:
                session.say("Use https: what you sign in with can be read on the way.", "yellow")
            try:
                code = function(session, **_gathered(function, given))
            except UnicodeEncodeError:
                raise typer.BadParameter("an argument holds bytes that are no text.") from None
            except Trouble as trouble:
                session.complain(trouble)
                code = trouble.exit
        raise typer.Exit(code or Exit.OK)

    own = [one for one in _parameters(function) if one.name != "session"]
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    return _with_signature(run, function, [context, *own, *_behind(_fields(Settings))])


def _with_signature(run: Run, function: Callable[..., Any], parameters: list[inspect.Parameter]) -> Run:
    """The function as typer reads it: name, help, parameters."""
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The function's parameters, data classes spread."""
    spread_out: list[inspect.Parameter] = []
    for one in inspect.signature(function).parameters.values():
        spread_out += _fields(one.annotation) if _is_spread(one.annotation) else [one]
    return [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in spread_out]


def _is_spread(annotation: Any) -> bool:
    return is_dataclass(annotation) and annotation is not Session


def _fields(cls: type) -> list[inspect.Parameter]:
    hints = get_type_hints(cls, include_extras=True)
    return [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name])
        for one in fields(cls)
    ]


def _behind(parameters: list[inspect.Parameter]) -> list[inspect.Parameter]:
    """The options as they stand behind a command: a variable of the environment counts less than one before it."""
    without = []
    for one in parameters:
        kind, option = get_args(one.annotation)
        option = copy(option)
        option.envvar = None
        without.append(one.replace(annotation=Annotated[kind, option]))
    return without


def _gathered(function: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """The function's arguments out of what the command line gives."""
    return {
        name: _taken(one.annotation, given) if _is_spread(one.annotation) else given[name]
        for name, one in inspect.signature(function).parameters.items()
        if name != "session"
    }


def _taken(cls: type, given: dict[str, Any]) -> Any:
    return cls(**{one.name: given[one.name] for one in fields(cls)})
