"""How queues are declared: what must not change with a setting, and what must."""

import pytest

from patterns.celery_support.brokers import HEARTBEAT_SECONDS, over_rabbitmq, over_redis


@pytest.mark.parametrize("hard_limit", [6.0, 305.0, 36_005.0])
def test_no_setting_changes_how_a_queue_is_declared_or_rabbitmq_would_refuse_it(hard_limit: float) -> None:
    queues, others = over_rabbitmq("kit:", hard_limit)["task_queues"], over_rabbitmq("kit:", 1.0)["task_queues"]

    assert len(queues) == 2
    for queue, other in zip(queues, others, strict=True):
        assert queue.queue_arguments == other.queue_arguments
        assert queue.queue_arguments["x-queue-type"] == "quorum"
        assert queue.durable


@pytest.mark.parametrize("hard_limit", [6.0, 305.0, 36_005.0])
def test_the_consumer_timeout_of_rabbitmq_is_longer_than_a_task_may_run(hard_limit: float) -> None:
    for queue in over_rabbitmq("kit:", hard_limit)["task_queues"]:
        assert queue.consumer_arguments["x-consumer-timeout"] / 1000 > hard_limit + HEARTBEAT_SECONDS


def test_the_visibility_timeout_of_redis_is_longer_than_a_task_may_run() -> None:
    assert over_redis("kit:", 305.0)["broker_transport_options"]["visibility_timeout"] > 305


def test_two_key_prefixes_use_different_queues() -> None:
    ones, others = over_rabbitmq("one:", 305.0)["task_queues"], over_rabbitmq("other:", 305.0)["task_queues"]

    assert len({queue.name for queue in (*ones, *others)}) == 4
    assert len({queue.exchange.name for queue in (*ones, *others)}) == 4
