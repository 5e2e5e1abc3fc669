"""An agent to start from: a language model behind any OpenAI-compatible endpoint, and one tool that it may call.

    KIT_AGENT=patterns.agents.llm_agent:answer

- `OPENAI_MODEL`: the name of the model; required.
- `OPENAI_BASE_URL`: the endpoint, including `/v1`; OpenAI's if unset.
- `OPENAI_API_KEY`: its key; optional if `OPENAI_BASE_URL` is set.

It needs the extra `llm` of this package. Importing it without the extra or a setting raises `SettingsError`.
"""

import os
from collections.abc import Callable
from functools import cache
from typing import Literal

from patterns.agents.running import ReportProgress
from patterns.contract.settings import SettingsError

try:
    from openai import AsyncOpenAI
    from pydantic_ai import Agent, RunContext
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
except ImportError as error:
    raise SettingsError(
        f"{error}; install the extra llm: uv sync --extra llm (with pip: pip install 'longjobs-kit[llm]')"
    ) from error

if not os.environ.get("OPENAI_MODEL"):
    raise SettingsError("OPENAI_MODEL is unset; set it to the name of a model of your endpoint")
if not (os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL")):
    raise SettingsError("OPENAI_API_KEY is unset; set it, or set OPENAI_BASE_URL to an endpoint that needs no key")

#: Retries of a request after 429, 5xx or a connection error. The client waits for the `Retry-After` of the response, or
#: else for half a second, doubled each time; a `Retry-After` of more than two minutes fails at once.
MAX_RETRIES = 4

#: Reports a step of the agent, with a description.
Report = Callable[[str], None]
Vendor = Literal["Acme", "Borealis", "Cumulus"]
_VENDORS: dict[Vendor, str] = {
    "Acme": "Acme: 40 euros a month, 99.9 % uptime, support by e-mail.",
    "Borealis": "Borealis: 55 euros a month, 99.95 % uptime, support by phone.",
    "Cumulus": "Cumulus: 25 euros a month, 99.5 % uptime, no support.",
}


async def look_up_vendor(context: RunContext[Report], name: Vendor) -> str:
    """Look up a vendor's price, uptime and support."""
    context.deps(f"Looking up {name}")
    return _VENDORS[name]


@cache
def _model_agent() -> Agent[Report, str]:
    """The agent of this process, with its one HTTP client.

    The first task creates it, because a client belongs to the event loop on which it is used.
    """
    client = AsyncOpenAI(api_key=os.environ.get("OPENAI_API_KEY") or "none", max_retries=MAX_RETRIES)
    provider = OpenAICompatibleProvider("openai-compatible", openai_client=client)
    model = OpenAIChatModel(os.environ["OPENAI_MODEL"], provider=provider)
    return Agent(model, deps_type=Report, instructions="Answer in at most three sentences.", tools=[look_up_vendor])


async def answer(prompt: str, report_progress: ReportProgress) -> str:
    """The model's answer; raises pydantic-ai's `ModelAPIError` when the endpoint fails.

    It does not catch cancellation, which closes the connection to the model.
    """
    percent = 0

    def report(message: str) -> None:
        nonlocal percent
        percent += (100 - percent) // 3  # only the model knows how many steps there will be
        report_progress(percent, message)

    report("Waiting for the model")
    result = await _model_agent().run(prompt, deps=report)
    return str(result.output)
