"""What every contract has in common: frozen, strict about names, camelCase on the wire."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict
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


def wire[T](content: Contract | T) -> Json | T:
    """The wire form of a contract; anything else as it is."""
    return content.to_wire() if isinstance(content, Contract) else content
