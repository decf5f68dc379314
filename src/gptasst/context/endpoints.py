"""The server that a profile means, as the gateway wants it."""

from __future__ import annotations

from gptasst.api.types import Endpoint
from gptasst.config.settings import Profile
from gptasst.errors import AccessDenied, UsageError


def server_endpoint(profile: Profile) -> Endpoint:
    """A profile's server with its key.

    Raises:
        UsageError: the profile is the embedded model.
        AccessDenied: the server wants a key, and there is none; or the embedded model stands in
            for want of one.
    """
    if profile.embedded:
        nothing = "the embedded model has no files and no assistants on a server"
        hint = "--profile NAME means a server"
        if profile.chosen == "fallback":
            hint = f"`gptasst auth login` keeps a key of OpenAI's; {hint}"
            raise AccessDenied(f"no key is set, and {nothing}", hint=hint, code="no_key")
        raise UsageError(nothing, hint=hint, code="no_server")
    profile.require_key()
    assert profile.base_url is not None
    return Endpoint(
        base_url=profile.base_url,
        name=profile.endpoint,
        api_key=profile.api_key,
        key_hint=_key_hint(profile),
        headers=profile.headers,
        timeout=profile.timeout,
        context_window=profile.context,
        openai_environment=profile.name == "openai",
    )


def _key_hint(profile: Profile) -> str:
    if profile.key_source:
        return f"it is read from {profile.key_source}"
    if profile.name == "openai":
        return "OPENAI_API_KEY or GPTASST_API_KEY holds it"
    table = f"[profiles.{profile.name}]"
    return f"`api_key_env` in {table} of config.toml names the variable that holds it"
