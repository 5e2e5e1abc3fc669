"""The values for the templates of a copied service: commands, requirements and settings."""

import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template

from patterns.cli.copying.imports import Needed
from patterns.cli.copying.requirements import Requirements
from patterns.contract.descriptor import LearnsBy, Pattern, Process
from patterns.contract.settings import Settings, environment_variable

_TEMPLATES = Path(__file__).with_name("service")
#: How long a process may take to exit after KIT_GRACE_SECONDS.
_EXIT_SECONDS = 5
#: The settings in the README; `settings.py` has all of them.
_SETTINGS = (
    *("agent", "workers", "queue_size", "task_timeout_seconds", "task_ttl_seconds", "grace_seconds"),
    *("poll_interval_seconds", "max_wait_seconds", "log", "log_level"),
)


def words(
    pattern: Pattern, package: str, needed: Needed, requirements: Requirements, test_packages: Iterable[str]
) -> dict[str, str]:
    """The values, by their names in the templates."""
    web = ["python", "-m", f"{package}.web.process", f"{package}.{pattern.app.partition('.')[2]}"]
    names = {
        "package": package,
        "project": package.replace("_", "-").strip("-"),
        "title": pattern.title,
        "description": json.dumps(f"{pattern.title}: {pattern.summary}"),
        "summary": pattern.summary,
        "losses": _faults(pattern),
        "web": shlex.join([*web, "--host", "127.0.0.1", "--port", "8000"]),
        "web_in_container": json.dumps([*web, "--host", "0.0.0.0", "--port", "8000"]),
        "stop_seconds": f"{Settings.model_fields['grace_seconds'].default + _EXIT_SECONDS:g}",
        "python": requirements.python,
        "dependencies": _toml(requirements.of(needed.packages)),
        "extras": _extras(needed, requirements),
        "test_dependencies": _toml(requirements.of(test_packages)),
        "settings": _settings(pattern),
        "body": json.dumps(_body(pattern)),
    }
    for process in pattern.processes:
        names |= _process(process, package)
    names["start"] = _text("README-start-redis.md" if pattern.needs else "README-start.md", names)
    names["more"] = "".join(_text(name, names) for name in _sections(pattern, needed))
    return names


def _process(process: Process, package: str) -> dict[str, str]:
    """The values for a process beside the web server. A container has its own host name, so any `{unique}` will do."""
    arguments = [argument.replace("{unique}", process.name) for argument in process.arguments]
    argv = ["python", *(argument.replace("patterns.", f"{package}.") for argument in arguments)]
    environment = "".join(f"{name}={value} " for name, value in process.env.items())
    return {
        process.name: f"{environment}uv run {' '.join(map(_quoted, argv))}",
        f"{process.name}_in_container": json.dumps(argv),
        f"{process.name}_environment": "\n".join(f"      {name}: {value}" for name, value in process.env.items()),
    }


def _quoted(word: str) -> str:
    """A word quoted for a shell, in a readable way: if it contains an apostrophe, in double quotes."""
    return f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else shlex.quote(word)


def _sections(pattern: Pattern, needed: Needed) -> Iterable[str]:
    if pattern.can_call_back:
        yield "README-callbacks.md"
    if "patterns.polling" in needed.sources:
        yield "README-client.md"


def _text(template: str, names: Mapping[str, str]) -> str:
    return Template((_TEMPLATES / template).read_text()).substitute(names)


def _toml(requirements: Iterable[str]) -> str:
    return "\n".join(f"    {json.dumps(requirement)}," for requirement in requirements)


def _extras(needed: Needed, requirements: Requirements) -> str:
    """An extra for each optional module, with the module's name."""
    extras = {name: requirements.of_extra(name) for name in sorted(m.rpartition(".")[2] for m in needed.optional)}
    return "".join(f"{name} = [\n{_toml(lines)}\n]\n" for name, lines in extras.items())


def _faults(pattern: Pattern) -> str:
    return "\n".join(f"- {fault.meaning}" for fault in sorted(pattern.loses_on))


def _body(pattern: Pattern) -> dict[str, str]:
    callback = {"callback_url": "https://example.com/hooks/agent"} if pattern.learns_by is LearnsBy.CALLBACK else {}
    return {"prompt": "Compare the vendors.", **callback}


def _settings(pattern: Pattern) -> str:
    """The rows of a table: variable, default, meaning."""
    names = [
        *_SETTINGS,
        *(["broker_url"] if "redis" in pattern.needs else []),
        *(["webhook_attempts", "webhook_allow_private"] if pattern.can_call_back else []),
    ]
    fields = {name: Settings.model_fields[name] for name in names}
    return "\n".join(
        f"| `{environment_variable(name)}` | {'unset' if field.default is None else f'`{field.default}`'} "
        f"| {field.description} |"
        for name, field in fields.items()
    )
