"""Every setting, its default and its environment variable.

Settings are read once, when a process starts. Web processes and Celery workers use the same class, so they cannot
disagree about a name or a default.
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
    """A setting is invalid. The message is one line that names the variable and says what it should be."""


def _redis_url(value: object) -> object:
    if isinstance(value, str) and value and not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("write it as redis://host:port/0, rediss://host:port/0 or unix:///path")
    return value


def _broker_url(value: object) -> object:
    schemes = ("redis://", "rediss://", "unix://", "amqp://", "amqps://")
    if isinstance(value, str) and value and not value.startswith(schemes):
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
    """The kit's settings, from the environment. Use `load_settings`, which raises `SettingsError`."""

    model_config = SettingsConfigDict(env_prefix="KIT_", env_ignore_empty=True, populate_by_name=True)

    agent: str = Field("simulated", description="the agent: simulated, or your own as module:callable")
    agent_steps: Annotated[int, Field(ge=1, le=10_000)] = Field(10, description="steps of the simulated agent")
    agent_step_seconds: NotNegativeFloat = Field(1.0, description="how long each of its steps takes")
    agent_jitter: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="how much a step's length varies: 0.5 is half to one and a half"
    )
    agent_seed: int = Field(0, description="makes the variation repeatable")
    agent_tail: Literal["none", "heavy"] = Field(
        "none", description="heavy: most tasks are shorter, and a few ten times as long"
    )
    agent_behaviour: Literal["work", "fail", "hang", "block", "compute"] = Field(
        "work", description="what it does: work, fail half-way, hang, block its thread, or compute"
    )
    agent_obeys_prompt: bool = Field(
        False, description="for tests: a prompt that starts with 'fail:', 'hang:' or 'block:' sets the behaviour"
    )

    task_timeout_seconds: Seconds = Field(300.0, description="a task that runs longer is stopped, and fails")
    task_ttl_seconds: Seconds = Field(86_400.0, description="how long a finished task is kept")
    workers: PositiveInt = Field(3, description="tasks that run at once, in a web process or in a Celery worker")
    queue_size: PositiveInt = Field(
        1000, description="unfinished tasks, waiting or running, at which submit returns 503"
    )
    poll_interval_seconds: NotNegativeFloat = Field(1.0, description="the Retry-After that clients get")
    max_wait_seconds: NotNegativeFloat = Field(30.0, description="the longest that Prefer: wait holds a response")
    max_body_bytes: PositiveInt = Field(262_144, description="a longer request body gets 413")
    client_seconds: Seconds = Field(30.0, description="how long a client may take to send a request or read a response")
    max_connections: PositiveInt = Field(10_000, description="connections to one web process; more get 503")
    grace_seconds: NotNegativeFloat = Field(10.0, description="how long a server that stops waits for running tasks")

    redis_url: Annotated[str | None, BeforeValidator(_redis_url)] = Field(
        None,
        validation_alias=AliasChoices("REDIS_URL", "redis_url"),
        description="where celery_queue keeps tasks; if unset, `kit serve` starts a private Redis",
    )
    broker_url: Annotated[str | None, BeforeValidator(_broker_url)] = Field(
        None, description="Celery's broker, if it is not REDIS_URL: another Redis, or RabbitMQ (amqp://…)"
    )
    key_prefix: Annotated[str, Field(min_length=1)] = Field(
        "kit:", description="the prefix of every key in Redis and every queue in RabbitMQ"
    )

    webhook_secret: Annotated[str | None, BeforeValidator(_signing_key)] = Field(
        None, description="the key that signs callbacks, whsec_…; if unset, `kit serve` prints a new one at each start"
    )
    webhook_allow_private: bool = Field(False, description="allow callbacks to private and loopback addresses")
    webhook_attempts: PositiveInt = Field(10, description="attempts before a delivery is a dead letter")
    webhook_first_pause_seconds: Seconds = Field(
        1.0, description="the pause before the second attempt; it doubles with each attempt"
    )
    webhook_max_pause_seconds: Seconds = Field(3600.0, description="the longest pause, Retry-After included")
    webhook_timeout_seconds: Seconds = Field(15.0, description="how long one attempt may take")

    log: Annotated[Literal["text", "json"], BeforeValidator(_lower)] = Field(
        "text", description="the format of the log: text for people, json for programs"
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        "warning", description="the lowest level that is logged; info logs each step of each task"
    )

    @property
    def collect_seconds(self) -> float:
        """How long a stopping server keeps answering after its last task has ended, in seconds.

        It covers one `Retry-After`, so that clients poll once more and get the outcome before the process exits.
        """
        return min(math.ceil(self.poll_interval_seconds), 2) + 0.25


def environment_variable(field: str) -> str:
    """The environment variable that sets `field`."""
    return "REDIS_URL" if field == "redis_url" else f"KIT_{field.upper()}"


def load_settings() -> Settings:
    """Read the settings from the environment. Raises `SettingsError`, in one line that names each invalid variable."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(e["loc"], e["msg"], e["input"]) for e in error.errors())) from None


def new_webhook_secret() -> str:
    """A new signing key in the format of Standard Webhooks: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


def _explain(location: tuple[int | str, ...], message: str, value: object) -> str:
    variable = environment_variable(str(location[0]).lower()) if location else "a setting"
    if variable in {"REDIS_URL", "KIT_BROKER_URL", "KIT_WEBHOOK_SECRET"}:
        value = "…"  # it may contain a password
    return (
        f"{variable}={value}: {message.removeprefix('Value error, ').removeprefix('Input ').partition(', unable')[0]}"
    )
