"""KIT_AGENT: a user's own agent by name, and the error if it cannot be loaded."""

import sys
from pathlib import Path

import pytest

from patterns.agents.loading import load_agent
from patterns.contract.settings import Settings, SettingsError
from tests.support import agents


@pytest.mark.parametrize(
    ("name", "agent"),
    [
        ("tests.support.agents:sync_agent", agents.sync_agent),
        ("tests.support.agents:async_agent", agents.async_agent),
        ("tests.support.agents:callable_agent", agents.callable_agent),
        ("tests.support.agents:callable_agent.method", agents.callable_agent.method),
    ],
)
def test_an_agent_is_found_by_module_and_name(name: str, agent: object) -> None:
    assert load_agent(Settings(agent=name)) == agent


def test_without_a_name_it_is_the_simulated_agent() -> None:
    assert callable(load_agent(Settings()))


def test_a_module_in_the_current_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_agent_beside_me.py").write_text("def run(prompt, report_progress):\n    return 'mine'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [])

    agent = load_agent(Settings(agent="my_agent_beside_me:run"))

    assert agent("hello", lambda percent, message=None: None) == "mine"


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "tests.support.agents",
        "tests.support.agents:",
        ":sync_agent",
        "tests.support.agents:nothing",
        "tests.support.agents:callable_agent.nothing.more",
        "tests.support.agents:__name__",
        "no_such_module:agent",
        "tests/support/agents.py:sync_agent",
        "..agents:sync_agent",
    ],
)
def test_a_name_that_does_not_exist_is_explained_in_one_line(name: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load_agent(Settings(agent=name))

    assert str(raised.value).startswith(f"KIT_AGENT={name}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise ValueError('two\\nlines')", "ValueError"),
        ("def (", "SyntaxError"),
        ("import no_such_package_at_all", "no_such_package_at_all"),
        ("import sys; sys.exit('bye')", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def __getattr__(name):\n    raise LookupError(name)", "LookupError"),
    ],
    ids=["raises", "does not parse", "imports what is not there", "exits", "interrupts", "fails lazily"],
)
def test_a_module_that_breaks_while_it_is_imported_is_explained_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    (tmp_path / "broken_agent.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(SettingsError) as raised:
        load_agent(Settings(agent="broken_agent:run"))

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_module_can_report_a_missing_setting_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "from patterns.contract.settings import SettingsError\nraise SettingsError('MY_KEY is unset')\n"
    (tmp_path / "needy_agent.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(SettingsError) as raised:
        load_agent(Settings(agent="needy_agent:run"))

    assert str(raised.value) == "KIT_AGENT=needy_agent:run: MY_KEY is unset"


@pytest.mark.parametrize("library", ["openai", "pydantic_ai"])
def test_without_its_extra_the_llm_agent_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.delitem(sys.modules, "patterns.agents.llm_agent", raising=False)
    monkeypatch.setitem(sys.modules, library, None)  # importing it fails as if it were not installed

    with pytest.raises(SettingsError) as raised:
        load_agent(Settings(agent="patterns.agents.llm_agent:answer"))

    assert str(raised.value).startswith("KIT_AGENT=patterns.agents.llm_agent:answer: ")
    assert "uv sync --extra llm (with pip: pip install 'longjobs-kit[llm]')" in str(raised.value)
    assert "\n" not in str(raised.value)
