"""The words of findings: commands as a shell takes them, counts, and mistakes of ours."""

from __future__ import annotations

import os
import shlex
import traceback
from collections.abc import Mapping

from gptasst.settings import Profile


def quoted(word: object) -> str:
    """A path or a name as one word."""
    return shlex.quote(str(word))


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def unexpected(error: Exception) -> str:
    """What is said of a mistake in a check, with the line that helps to find it."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}:{place.lineno}"  # noqa: PTH119  # a name is enough
    return f"unexpected: {type(error).__name__}: {error} ({where}); please report it"


def for_profile(command: str, profile: Profile, option: str | None) -> str:
    """A command of gptasst for the profile that was looked at; `option` is what `--profile` was."""
    return f"{command} --profile {quoted(profile.name)}" if option else command


def new_key(profile: Profile) -> str:
    """What puts another key in the place of a profile's."""
    if profile.key_source and profile.key_source.isupper():  # a variable comes before a kept key
        return f"export {profile.key_source}=KEY"
    return "gptasst auth login" + (
        "" if profile.name == "openai" else f" --profile {quoted(profile.name)}"
    )


def another_url(environ: Mapping[str, str], profile_name: str, url: str = "URL") -> str:
    """What points a profile at another server; a variable comes before config.toml."""
    variables = ["GPTASST_BASE_URL", *(["OPENAI_BASE_URL"] if profile_name == "openai" else [])]
    for variable in variables:
        if environ.get(variable):
            return f"export {variable}={url}"
    return f"gptasst config set profiles.{quoted(profile_name)}.base_url {url}"
