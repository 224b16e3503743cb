"""What every contract has in common: frozen, strict about names, camelCase on the wire."""

import re
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

type Json = dict[str, Any]


class Contract(BaseModel):
    """A frozen model whose wire form is plain JSON with camelCase names; unknown names are errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )

    def to_wire(self) -> Json:
        """The JSON object that crosses a durable boundary."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def from_wire(cls, data: Json) -> Self:
        """The model of a JSON object that `to_wire` made."""
        return cls.model_validate(data)


class Published(Contract):
    """A contract that is published as JSON Schema: the docstrings of its fields are the schema's descriptions."""

    model_config = ConfigDict(use_attribute_docstrings=True, json_schema_serialization_defaults_required=True)


def _written_out(value: Any) -> Any:
    """A time, unless it is a number, which pydantic would take for seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and not re.match(r"\d{4}-", value)):
        raise ValueError("is no time with a zone, such as 2026-11-25T10:00:00Z")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]
"""A time that people and systems outside write: ISO 8601 with a zone."""


def wire[T](content: Contract | T) -> Json | T:
    """The wire form of a contract; anything else as it is."""
    return content.to_wire() if isinstance(content, Contract) else content
