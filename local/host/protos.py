"""Stand-ins for the protobuf classes of the Functions worker protocol.

`azure-functions-runtime` never serialises them: it builds them by keyword and reads attributes, and asks the two
`WhichOneof` questions below. Constants are the integers of FunctionRpc.proto.
"""

from typing import Any, ClassVar


class Message:
    """A message: the named fields, each None unless given."""

    fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        for field in cls.fields:
            setattr(cls, field, None)

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


class TypedData(Message):
    """A value of exactly one kind."""

    fields = (
        "string", "json", "bytes", "stream", "http", "int", "double", "collection_bytes", "collection_string",
        "collection_double", "collection_sint64", "model_binding_data", "collection_model_binding_data",
    )  # fmt: skip

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.kind = next(iter(values), None)

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - protobuf's own name
        """The kind that is set."""
        return self.kind


class ParameterBinding(Message):
    """A named value of a function's parameter."""

    fields = ("name", "data")

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - protobuf's own name
        """Data always travels inside the message here, never through shared memory."""
        return "data"


class ModelBindingData(Message):
    """A reference to a blob, from which the worker makes an SDK client."""

    fields = ("version", "source", "content_type", "content")


class RpcHttp(Message):
    """An HTTP request, or a response."""

    fields = (
        "method", "url", "headers", "body", "params", "status_code", "query", "enable_content_negotiation",
        "raw_body", "cookies",
    )  # fmt: skip


class _SameSite:
    Lax = 1
    Strict = 2
    ExplicitNone = 3


setattr(_SameSite, "None", 0)  # the proto's name for it is a Python keyword


class RpcHttpCookie(Message):
    """A Set-Cookie of a response."""

    SameSite = _SameSite
    fields = ("name", "value", "domain", "path", "expires", "secure", "http_only", "same_site", "max_age")


class Timestamp(Message):
    """Seconds since the epoch."""

    fields = ("seconds",)


class NullableString(Message):
    """A string that is there."""

    fields = ("value",)


class NullableBool(Message):
    """A truth value that is there."""

    fields = ("value",)


class NullableDouble(Message):
    """A number that is there."""

    fields = ("value",)


class NullableTimestamp(Message):
    """A time that is there."""

    fields = ("value",)


class BindingInfo(Message):
    """A binding's type, direction and data type."""

    # The direction enum has a member `in`, a Python keyword that the library never names.
    out = 1
    inout = 2
    undefined = 0
    string = 1
    binary = 2
    stream = 3
    fields = ("type", "direction", "data_type", "properties")


class RpcRetryOptions(Message):
    """A function's retry policy."""

    fields = ("max_retry_count", "delay_interval", "minimum_interval", "maximum_interval", "retry_strategy")


class RpcFunctionMetadata(Message):
    """What the worker knows of a function."""

    fields = (
        "name", "function_id", "directory", "script_file", "entry_point", "bindings", "raw_bindings", "is_proxy",
        "language", "managed_dependency_enabled", "retry_options", "properties",
    )  # fmt: skip


class RpcException(Message):
    """What a function raised."""

    fields = ("source", "stack_trace", "message")


class StatusResult(Message):
    """Whether a request went well."""

    Failure = 0
    Success = 1
    Cancelled = 2
    fields = ("status", "exception")


class WorkerMetadata(Message):
    """Versions of the worker."""

    fields = ("runtime_name", "runtime_version", "worker_version", "worker_bitness", "custom_properties")


class WorkerInitResponse(Message):
    """The worker's answer to its start."""

    fields = ("capabilities", "worker_metadata", "result")


class FunctionMetadataResponse(Message):
    """The app's functions."""

    fields = ("use_default_metadata_indexing", "function_metadata_results", "result")


class FunctionLoadResponse(Message):
    """The worker's answer to the loading of a function."""

    fields = ("function_id", "result")


class InvocationResponse(Message):
    """What a call of a function came to."""

    fields = ("invocation_id", "return_value", "result", "output_data")
