"""Settings: from the environment, with a default for each, and a one-line error for each invalid value."""

import pytest

from patterns.contract.settings import Settings, SettingsError, environment_variable, load_settings, new_webhook_secret


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset what the developer has set."""
    for field in Settings.model_fields:
        monkeypatch.delenv(environment_variable(field), raising=False)


def test_every_setting_has_a_default() -> None:
    settings = load_settings()

    assert settings.agent_steps == 10
    assert settings.task_timeout_seconds == 300
    assert settings.task_ttl_seconds == 86_400
    assert settings.workers == 3
    assert settings.queue_size == 1000
    assert settings.poll_interval_seconds == 1
    assert settings.grace_seconds == 10
    assert settings.redis_url is None
    assert settings.webhook_allow_private is False


def test_every_setting_is_explained() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_WORKERS", "7")
    monkeypatch.setenv("KIT_TASK_TIMEOUT_SECONDS", "0.5")
    monkeypatch.setenv("REDIS_URL", "redis://localhost:6379/1")

    settings = load_settings()

    assert settings.workers == 7
    assert settings.task_timeout_seconds == 0.5
    assert settings.redis_url == "redis://localhost:6379/1"


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_WORKERS", "")
    monkeypatch.setenv("REDIS_URL", "")

    assert load_settings() == Settings()


@pytest.mark.parametrize("field", Settings.model_fields)
def test_the_variable_of_each_setting_is_read(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = environment_variable(field)
    assert name == "REDIS_URL" or name.startswith("KIT_")
    value = {"redis_url": "redis://x/1", "broker_url": "amqp://x/1", "webhook_secret": new_webhook_secret()}.get(
        field, "1"
    )
    value = {"agent_behaviour": "fail", "agent_tail": "heavy", "log": "json", "log_level": "info"}.get(field, value)
    monkeypatch.setenv(name, value)

    assert str(getattr(load_settings(), field)) in {value, f"{value}.0", "True"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KIT_WORKERS", "0"),
        ("KIT_WORKERS", "many"),
        ("KIT_WORKERS", "1.5"),
        ("KIT_QUEUE_SIZE", "-1"),
        ("KIT_TASK_TIMEOUT_SECONDS", "0"),
        ("KIT_TASK_TIMEOUT_SECONDS", "inf"),
        ("KIT_TASK_TTL_SECONDS", "nan"),
        ("KIT_GRACE_SECONDS", "-1"),
        ("KIT_AGENT_STEPS", "0"),
        ("KIT_AGENT_JITTER", "2"),
        ("KIT_AGENT_BEHAVIOUR", "dance"),
        ("KIT_WEBHOOK_ALLOW_PRIVATE", "perhaps"),
        ("KIT_MAX_BODY_BYTES", "0"),
        ("KIT_LOG", "xml"),
        ("KIT_LOG_LEVEL", "loud"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "amqp://localhost"),
        ("KIT_BROKER_URL", "localhost:5672"),
        ("KIT_BROKER_URL", "sqs://"),
        ("KIT_WEBHOOK_SECRET", "secret"),
        ("KIT_WEBHOOK_SECRET", "whsec_c2hvcnQ="),
    ],
)
def test_an_invalid_value_is_explained_in_one_line(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as raised:
        load_settings()

    assert str(raised.value).startswith(f"{variable}=")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["redis://r/0", "rediss://r/0", "unix:///tmp/r", "amqp://u:p@r:5672/kit", "amqps://r:5671/"]
)
def test_a_broker_is_a_redis_or_a_rabbitmq(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_BROKER_URL", url)

    assert load_settings().broker_url == url


def test_all_invalid_values_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_WORKERS", "many")
    monkeypatch.setenv("KIT_QUEUE_SIZE", "few")

    with pytest.raises(SettingsError, match=r"KIT_WORKERS=many.*KIT_QUEUE_SIZE=few"):
        load_settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REDIS_URL", "http://u:hunter2@x"),
        ("KIT_BROKER_URL", "http://u:hunter2@x"),
        ("KIT_WEBHOOK_SECRET", "hunter2"),
    ],
)
def test_a_secret_is_not_repeated(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as raised:
        load_settings()

    assert "hunter2" not in str(raised.value)


def test_a_new_signing_key_is_valid_and_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = new_webhook_secret(), new_webhook_secret()
    monkeypatch.setenv("KIT_WEBHOOK_SECRET", first)

    assert load_settings().webhook_secret == first
    assert first != second
