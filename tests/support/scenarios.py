"""Stories: what takes its time is lived through once, side by side with the others, and tests look at what was seen.

A test module with a function `live_through(world)` has a story to tell. Most of each is waiting (for a grace
period, for a broker that comes back), so that a few at once take hardly longer than the longest.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

#: Gives what a module's story came to, by the module's `__name__`, once it is over. Raises what went wrong in it.
Told = Callable[[str], Any]


#: The first test that looks at a story waits for the whole of it, and for those that came before.
STORY_SECONDS = 300


def has_a_story(item: pytest.Item) -> bool:
    """Whether the module of a test tells a story."""
    return isinstance(item, pytest.Function) and hasattr(item.module, "live_through")


def put_stories_last(items: list[pytest.Item], folder: Path) -> None:
    """Let the other tests of a folder run before those that look at a story."""
    places = [place for place, item in enumerate(items) if folder in item.path.parents]
    for place, item in zip(places, sorted((items[place] for place in places), key=has_a_story), strict=True):
        items[place] = item
        if has_a_story(item) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(STORY_SECONDS))


@contextmanager
def lived_through(session: pytest.Session, folder: Path, world: object, *, at_once: int) -> Iterator[Told]:
    """Begin the stories of all modules in `folder` that take part in this run of pytest."""
    modules = {
        item.module.__name__: item.module.live_through
        for item in session.items
        if isinstance(item, pytest.Function) and folder in item.path.parents and has_a_story(item)
    }
    with ThreadPoolExecutor(at_once, thread_name_prefix="story") as threads:
        stories: dict[str, Future[Any]] = {name: threads.submit(live, world) for name, live in modules.items()}
        try:
            yield lambda name: stories[name].result()
        finally:
            threads.shutdown(cancel_futures=True)
