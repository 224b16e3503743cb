"""What can be known of the way that databases will be loaded before their files are: for plans, in words."""

from dataclasses import dataclass

from shared.contracts.imports import LoadMethod
from shared.contracts.plan import DatabaseOutlook
from shared.figures import counted, listed
from shared.postgres.staging import (
    SHARED_FROM,
    SLICED_FROM,
    Route,
    Slicing,
    Staging,
    WantedRoute,
    choose,
    choose_width,
    in_words,
    room,
)

_KINDS = (
    Slicing("", tells_places=True),
    Slicing(""),
    Slicing("its rows are INSERT statements, or of foreign tables"),
    Slicing("", whole_rows=True),
)
"""What an archive may be: it tells where its data lie, or not; it cannot be sliced; it is not compressed."""
_WAYS = {
    LoadMethod.STAGED_PARALLEL: "downloaded first",
    LoadMethod.SLICED: "in slices, straight from the container",
    LoadMethod.STREAMED: "streamed, front to back",
}


@dataclass(frozen=True)
class Means:
    """What loads have at hand, and what the operator wants."""

    staging: Staging
    wanted: WantedRoute
    jobs: int
    """As wanted; 0 for as many as can be."""
    lanes: int
    """As wanted; 0 for as many as a file is worth."""
    max_jobs: int
    """Of one load."""
    max_connections: int
    """Of the server."""

    def width(self, size: int) -> tuple[int, int]:
        """Connections of each process, and processes, for an archive of so many bytes."""
        return choose_width(self.jobs, self.lanes, size, self.max_jobs, self.max_connections)


def rule(means: Means, *, rows: bool = True) -> str:
    """How archives are loaded, and on what it depends; without `rows` none are wanted."""
    if not rows:
        return "No rows are wanted: of each archive no more is read than its table of contents."
    if means.wanted == "streamed":
        return "Each file is streamed, front to back, over one connection, as the operator wants it."
    jobs, lanes = means.width(0)
    _, most = means.width(1 << 60)
    if jobs * most <= 1:
        return "Each file is streamed, front to back, over one connection."
    limit = room(means.staging)
    fitting = f"Archives of up to {in_words(limit)} are downloaded first" if limit else "No archive is downloaded first"
    over = f"over {counted(jobs, 'connection')} each"
    if means.wanted == "staged":
        return f"{fitting} and loaded {over}, as the operator wants it; all others are streamed, over one connection."
    if most > lanes:
        over += f", and of {in_words(SHARED_FROM)} and more by up to {most} function instances"
    elif most > 1:
        over += f", by up to {most} function instances"
    sliced = f"loaded in slices, straight from the container, {over}"
    last = "Tar archives and plain SQL are streamed, over one connection."
    if means.wanted == "sliced":
        return f"Archives are {sliced}, as the operator wants it. {last}"
    early = f"those of {in_words(SLICED_FROM)} and more that tell where their data lie"
    others = listed(["larger ones", "those without compression", *([early] if limit > SLICED_FROM else [])])
    others = others if limit else "all of them"
    return f"{fitting}; {others} are {sliced}. {last}"


def foresee(database: str, size: int, means: Means, *, rows: bool = True) -> DatabaseOutlook:
    """The way that a file of so many bytes will take, or on what it depends."""
    if not rows:
        how = "no rows are wanted: its table of contents is enough"
        return DatabaseOutlook(database=database, size=size, methods=(LoadMethod.DEFINITIONS,), how=how)
    jobs, lanes = means.width(size)
    routes = [choose(size, means.staging, jobs, kind, means.wanted, lanes) for kind in _KINDS]
    tells, tells_not, cannot, bare = routes
    methods = tuple(dict.fromkeys(route.method for route in routes))
    parts = [_way(tells)]
    if tells_not.method is not tells.method:
        parts = [f"where it tells where its data lie: {parts[0]}", f"else {_way(tells_not)}"]
    if cannot.method not in {tells.method, tells_not.method}:
        parts.append(f"{_WAYS[cannot.method]}, where it cannot be sliced")
    if bare.method not in {tells.method, tells_not.method}:
        parts.append(f"{_WAYS[bare.method]}, where it is not compressed")
    return DatabaseOutlook(database=database, size=size, methods=methods, how="; ".join(parts))


def _way(route: Route) -> str:
    return f"{_WAYS[route.method]} ({route.reason})"
