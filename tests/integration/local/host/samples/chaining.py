"""Function chaining: each step takes what the one before it returned."""

# mypy: disable-error-code="untyped-decorator"
# The durable SDK ships no types.

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def order(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    basket = context.get_input()
    priced = yield context.call_activity("price", basket)
    packed = yield context.call_activity("pack", priced)
    return (yield context.call_activity("bill", packed))


@bp.activity_trigger(input_name="basket")
def price(basket: list) -> dict:  # type: ignore[type-arg]  # the worker library takes plain types only
    return {item: len(item) for item in basket}


@bp.activity_trigger(input_name="priced")
def pack(priced: dict) -> dict:  # type: ignore[type-arg]  # as above
    return {"parcel": sorted(priced), "total": sum(priced.values())}


@bp.activity_trigger(input_name="packed")
def bill(packed: dict) -> str:  # type: ignore[type-arg]  # as above
    return f"{packed['total']} for {' and '.join(packed['parcel'])}"
