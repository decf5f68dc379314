"""The words of findings: commands as a shell takes them, counts, and mistakes of ours."""

from __future__ import annotations

import os
import shlex
import traceback
from collections.abc import Mapping

from gptasst.config.editing import VARIABLES
from gptasst.config.settings import Profile
from gptasst.errors import PLEASE_REPORT


def quoted(word: object) -> str:
    """A path or a name as one word."""
    return shlex.quote(str(word))


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def broken_check(error: Exception) -> str:
    """What is said of a mistake in a check, with the line that helps to find it."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}:{place.lineno}"  # noqa: PTH119  # a name is enough
    return f"unexpected: {type(error).__name__}: {error} ({where}); {PLEASE_REPORT}"


def new_key(profile: Profile) -> str:
    """What puts another key in the place of a profile's."""
    if profile.key_source and profile.key_source.isupper():  # a variable comes before a kept key
        return f"export {profile.key_source}=KEY"
    return "gptasst auth login"


def another_url(environ: Mapping[str, str], profile_name: str, url: str = "URL") -> str:
    """What points a profile at another server."""
    return another_value(environ, profile_name, "base_url", url)


def another_value(environ: Mapping[str, str], profile_name: str, key: str, value: str) -> str:
    """What gives a key of a profile another value; a variable comes before config.toml."""
    variables = [VARIABLES[key]]
    if (profile_name, key) == ("openai", "base_url"):
        variables.append("OPENAI_BASE_URL")
    for variable in variables:
        if environ.get(variable):
            return f"export {variable}={value}"
    return f"gptasst config set profiles.{quoted(profile_name)}.{key} {value}"
