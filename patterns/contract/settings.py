"""Every setting, its default and its environment variable.

A setting is read once, when a process starts. The web process and the Celery worker read the same class,
so they cannot disagree about a name or a default.
"""

import math
import secrets
from base64 import b64decode, b64encode
from typing import Annotated, Literal

from pydantic import AliasChoices, BeforeValidator, Field, PositiveFloat, PositiveInt, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

NotNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seconds = Annotated[PositiveFloat, Field(allow_inf_nan=False)]


class SettingsError(Exception):
    """A setting cannot be used. The message is one line that names the variable and what it should be."""


def _redis_url(value: object) -> object:
    if isinstance(value, str) and value and not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("write it as redis://host:port/0, rediss://host:port/0 or unix:///path")
    return value


def _broker_url(value: object) -> object:
    known = ("redis://", "rediss://", "unix://", "amqp://", "amqps://")
    if isinstance(value, str) and value and not value.startswith(known):
        raise ValueError("write it as amqp://user:password@host:5672/vhost, amqps://…, or as REDIS_URL is written")
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _signing_key(value: object) -> object:
    if isinstance(value, str):
        try:
            key = b64decode(value.removeprefix("whsec_"), validate=True)
        except ValueError:
            key = b""
        if not (value.startswith("whsec_") and 24 <= len(key) <= 64):
            raise ValueError("write it as whsec_ and 24 to 64 bytes in base64, as Standard Webhooks does")
    return value


class Settings(BaseSettings):
    """The kit's settings, from the environment.

    Raises `SettingsError` (by `load_settings`) when a variable holds something that cannot be used.
    """

    model_config = SettingsConfigDict(env_prefix="KIT_", env_ignore_empty=True, populate_by_name=True)

    agent: str = Field("simulated", description="the agent: simulated, or your own as module:callable")
    agent_steps: Annotated[int, Field(ge=1, le=10_000)] = Field(10, description="steps of the simulated agent")
    agent_step_seconds: NotNegativeFloat = Field(1.0, description="how long each of its steps takes")
    agent_jitter: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="how much a step's length varies: 0.5 is half to one and a half"
    )
    agent_seed: int = Field(0, description="makes its variation repeatable")
    agent_tail: Literal["none", "heavy"] = Field(
        "none", description="heavy: most tasks are shorter, and a few ten times as long"
    )
    agent_behaviour: Literal["work", "fail", "hang", "block", "compute"] = Field(
        "work", description="what it does: work, fail half-way, hang, block its thread, or compute"
    )
    agent_obeys_prompt: bool = Field(
        False, description="for tests: a prompt that starts with 'fail:', 'hang:' or 'block:' is obeyed"
    )

    task_timeout_seconds: Seconds = Field(300.0, description="a task that runs longer is ended as failed")
    task_ttl_seconds: Seconds = Field(86_400.0, description="how long a finished record is kept")
    workers: PositiveInt = Field(3, description="tasks at once, in a web process or in a Celery worker")
    queue_size: PositiveInt = Field(1000, description="accepted and unfinished tasks before submit answers 503")
    poll_interval_seconds: NotNegativeFloat = Field(1.0, description="what Retry-After tells a client")
    max_wait_seconds: NotNegativeFloat = Field(30.0, description="the longest that Prefer: wait holds an answer")
    max_body_bytes: PositiveInt = Field(262_144, description="a longer request body gets 413")
    client_seconds: Seconds = Field(30.0, description="how long a client may take to send a request or take an answer")
    max_connections: PositiveInt = Field(10_000, description="more connections to one web process get 503")
    grace_seconds: NotNegativeFloat = Field(10.0, description="how long a stop waits for running tasks")

    redis_url: Annotated[str | None, BeforeValidator(_redis_url)] = Field(
        None,
        validation_alias=AliasChoices("REDIS_URL", "redis_url"),
        description="where records live; without it a private server is started",
    )
    broker_url: Annotated[str | None, BeforeValidator(_broker_url)] = Field(
        None, description="Celery's broker, if it is not REDIS_URL: another Redis, or RabbitMQ as amqp://…"
    )
    key_prefix: Annotated[str, Field(min_length=1)] = Field(
        "kit:", description="what every key in Redis and every queue in RabbitMQ begins with"
    )

    webhook_secret: Annotated[str | None, BeforeValidator(_signing_key)] = Field(
        None, description="the signing key, whsec_…; made at start and printed if unset"
    )
    webhook_allow_private: bool = Field(False, description="allow callbacks to private and loopback addresses")
    webhook_attempts: PositiveInt = Field(10, description="attempts before a delivery is a dead letter")
    webhook_first_pause_seconds: Seconds = Field(1.0, description="the pause before the second attempt; it doubles")
    webhook_max_pause_seconds: Seconds = Field(3600.0, description="the longest pause, Retry-After included")
    webhook_timeout_seconds: Seconds = Field(15.0, description="how long one attempt may take")

    log: Annotated[Literal["text", "json"], BeforeValidator(_lower)] = Field(
        "text", description="how a line of the log looks: text for people, json for programs"
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        "warning", description="which lines are written; info: each task accepted, started, finished, told"
    )

    @property
    def collect_seconds(self) -> float:
        """How long a stop that ends tasks goes on answering after the last of them: a client that obeys `Retry-After`
        has come again by then, and knows the outcome. It would be gone with the process."""
        return min(math.ceil(self.poll_interval_seconds), 2) + 0.25


def environment_variable(field: str) -> str:
    """The environment variable that sets `field`."""
    return "REDIS_URL" if field == "redis_url" else f"KIT_{field.upper()}"


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises `SettingsError` with one line that names each bad variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(e["loc"], e["msg"], e["input"]) for e in error.errors())) from None


def new_webhook_secret() -> str:
    """Make a signing key as Standard Webhooks writes it: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


def _explain(location: tuple[int | str, ...], message: str, given: object) -> str:
    variable = environment_variable(str(location[0]).lower()) if location else "a setting"
    if variable in {"REDIS_URL", "KIT_BROKER_URL", "KIT_WEBHOOK_SECRET"}:
        given = "…"  # it may hold a password
    return (
        f"{variable}={given}: {message.removeprefix('Value error, ').removeprefix('Input ').partition(', unable')[0]}"
    )
