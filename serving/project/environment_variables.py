"""Environment variables in `kizuna.toml`: every `${NAME}` in its texts is filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import TypeAlias

from features.errors import ConfigurationError

TomlValue: TypeAlias = "dict[str, TomlValue] | list[TomlValue] | str | float | date | time"


def fill_in(value: TomlValue, environment: Mapping[str, str], file: Path) -> TomlValue:
    """The same value with every `${NAME}` in its texts replaced from the environment."""
    if isinstance(value, dict):
        return {key: fill_in(inner, environment, file) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill_in(inner, environment, file) for inner in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name not in environment:
            raise ConfigurationError(
                f"cannot use {file}: it refers to ${{{name}}}, but the environment has no variable {name}. "
                f"Set it, for example with `export {name}=…`."
            )
        return environment[name]

    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", replace, value)
