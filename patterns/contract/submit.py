"""The body of `POST /agent/submit`."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: More fields than this are refused by their number, and no more by their names.
_MOST_FIELDS = 20


class SubmitRequest(BaseModel):
    """The body of `POST /agent/submit`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"prompt": "Compare the three vendors in this contract."}]}
    )

    prompt: Annotated[str, Field(min_length=1, description="What the agent is asked to do.")]

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, given: object) -> object:
        # Each unknown field is an error of its own: a hundred thousand of them would hold up the server for a second.
        if isinstance(given, dict) and len(given) > _MOST_FIELDS:
            raise ValueError(f"{len(given)} fields are too many")
        return given


CallbackUrl = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2000,
        description="An http or https URL that gets the outcome, signed by Standard Webhooks.",
    ),
]


class CallbackSubmitRequest(SubmitRequest):
    """The body of `POST /agent/submit` where the server calls back whoever asks for it."""

    callback_url: CallbackUrl | None = None


class WebhookSubmitRequest(SubmitRequest):
    """The body of `POST /agent/submit` where the server calls everybody back."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"prompt": "Compare the three vendors.", "callback_url": "https://example.com/hooks/agent"}]
        },
    )

    callback_url: CallbackUrl
