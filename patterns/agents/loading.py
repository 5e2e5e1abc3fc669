"""The agent that `KIT_AGENT` names."""

import importlib
import os
import sys
from typing import Any, cast

from patterns.agents.running import Agent
from patterns.agents.simulated import simulated_agent
from patterns.contract.settings import Settings, SettingsError


def load_agent(settings: Settings) -> Agent:
    """The agent that `KIT_AGENT` names.

    Raises `SettingsError` when there is no such module, or nothing callable in it.
    """
    if settings.agent == "simulated":
        return simulated_agent(settings)
    module_name, colon, attribute = settings.agent.partition(":")
    if not (module_name and colon and attribute):
        raise SettingsError(f"KIT_AGENT={settings.agent}: write it as module:callable, or leave it out")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does: the agent may be a file beside the user
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part, None)
    except SettingsError as error:  # the module says itself what it needs
        raise SettingsError(f"KIT_AGENT={settings.agent}: {error}") from error
    except BaseException as error:  # whatever a user's module raises, SystemExit and KeyboardInterrupt too
        said = " ".join(str(error).split())
        reason = f"{type(error).__name__}: {said}" if said else type(error).__name__
        raise SettingsError(f"KIT_AGENT={settings.agent}: cannot import {module_name}: {reason}") from error
    if not callable(found):
        raise SettingsError(f"KIT_AGENT={settings.agent}: {module_name} has no callable {attribute}")
    return cast("Agent", found)
