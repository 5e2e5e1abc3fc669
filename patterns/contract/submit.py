"""The body of `POST /agent/submit`."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: A body with more fields than this is rejected as a whole, and not field by field.
_MAX_FIELDS = 20


class SubmitRequest(BaseModel):
    """The body of `POST /agent/submit`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"prompt": "Compare the three vendors in this contract."}]}
    )

    prompt: Annotated[str, Field(min_length=1, description="The task for the agent.")]

    @model_validator(mode="before")
    @classmethod
    def _limit_fields(cls, body: object) -> object:
        # pydantic creates an error for each unknown field: 100,000 of them would block the server for a second.
        if isinstance(body, dict) and len(body) > _MAX_FIELDS:
            raise ValueError(f"{len(body)} fields are too many")
        return body


CallbackUrl = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2000,
        description="An http or https URL to which the outcome is POSTed, signed as in Standard Webhooks.",
    ),
]


class CallbackSubmitRequest(SubmitRequest):
    """The body of `POST /agent/submit` where a callback is optional."""

    callback_url: CallbackUrl | None = None


class WebhookSubmitRequest(SubmitRequest):
    """The body of `POST /agent/submit` where a callback is required."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"prompt": "Compare the three vendors.", "callback_url": "https://example.com/hooks/agent"}]
        },
    )

    callback_url: CallbackUrl
