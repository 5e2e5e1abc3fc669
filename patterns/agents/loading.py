"""Loads the agent that `KIT_AGENT` names."""

import importlib
import os
import sys
from typing import Any, cast

from patterns.agents.running import Agent
from patterns.agents.simulated import simulated_agent
from patterns.contract.settings import Settings, SettingsError


def load_agent(settings: Settings) -> Agent:
    """The agent that `KIT_AGENT` names. Raises `SettingsError` if it cannot be imported, or is not callable."""
    if settings.agent == "simulated":
        return simulated_agent(settings)
    module_name, colon, attribute = settings.agent.partition(":")
    if not (module_name and colon and attribute):
        raise SettingsError(f"KIT_AGENT={settings.agent}: write it as module:callable, or leave it out")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does: the agent may be a file in the current folder
    try:
        agent: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            agent = getattr(agent, part, None)
    except SettingsError as error:  # the module reports a missing setting
        raise SettingsError(f"KIT_AGENT={settings.agent}: {error}") from error
    except BaseException as error:  # a module may raise anything, even SystemExit or KeyboardInterrupt
        message = " ".join(str(error).split())
        reason = f"{type(error).__name__}: {message}" if message else type(error).__name__
        raise SettingsError(f"KIT_AGENT={settings.agent}: cannot import {module_name}: {reason}") from error
    if not callable(agent):
        raise SettingsError(f"KIT_AGENT={settings.agent}: {module_name} has no callable {attribute}")
    return cast("Agent", agent)
