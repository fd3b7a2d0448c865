"""Where settings come from: a TOML file and the environment, as one nested dictionary.

It knows the names of the keys and nothing of what they mean.
"""

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, cast

PREFIX: Final = "VENDUE_"
# Kubernetes puts such variables into every pod beside a service called "vendue"; they are not settings.
SERVICE_LINK: Final = re.compile(r"VENDUE_(SERVICE_(HOST|PORT(_\w+)?)=.*|PORT_\d+_\w+=.*|PORT=\w+://.*)")


class SettingsError(Exception):
    """Wrong settings; `problems` holds one line for each wrong key, each beginning with the key's name."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_toml(path: Path) -> dict[str, Any]:
    """The file's content. Raises SettingsError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError([f"{path}: {reason}"]) from None


def read_environment(environ: Mapping[str, str], keys: Collection[str]) -> tuple[dict[str, Any], list[str]]:
    """The settings in `environ`, nested like the file, and a complaint for each variable that is none."""
    found: dict[str, Any] = {}
    problems: list[str] = []
    for variable, value in sorted(environ.items()):
        if not variable.startswith(PREFIX) or SERVICE_LINK.fullmatch(f"{variable}={value}"):
            continue
        key = variable.removeprefix(PREFIX).lower().replace("__", ".")
        if key in keys:
            section, _, name = key.rpartition(".")
            merge(found, {section: {name: value}} if section else {name: value})
        else:
            problems.append(f"{variable}: {_unknown(key, keys)}")
    return found, problems


def merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Lay `other` over `into`, section by section."""
    for key, value in other.items():
        old = into.get(key)
        if isinstance(old, dict) and isinstance(value, Mapping):
            merge(cast("dict[str, Any]", old), cast("Mapping[str, Any]", value))
        else:
            into[key] = dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value


def drop_unknown(tree: dict[str, Any], keys: Collection[str]) -> list[str]:
    """Take what is not in `keys` out of `tree`; a complaint for each."""
    sections = {key.split(".")[0] for key in keys if "." in key}
    problems: list[str] = []
    for name, value in list(tree.items()):
        if name in sections and isinstance(value, dict):
            inner = cast("dict[str, Any]", value)
            for key in [key for key in inner if f"{name}.{key}" not in keys]:
                del inner[key]
                problems.append(f"{name}.{key}: {_unknown(f'{name}.{key}', keys)}")
        elif name not in sections and name not in keys:
            del tree[name]
            problems.append(f"{name}: {_unknown(name, keys)}")
    return problems


def _unknown(key: str, keys: Collection[str]) -> str:
    close = difflib.get_close_matches(key, keys, n=1)
    return f"unknown setting (did you mean {close[0]}?)" if close else "unknown setting"
