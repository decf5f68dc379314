"""Where the key comes from. Whether the server accepts it is the server's to say."""

from __future__ import annotations

from collections.abc import Iterator

from gptasst.doctor.commands import another_url, quoted
from gptasst.doctor.patient import Patient
from gptasst.doctor.types import Finding
from gptasst.errors import GptasstError, InvalidDefinition, NotFound


def key_findings(patient: Patient) -> Iterator[Finding]:
    try:
        profile = patient.profile
        if profile.embedded and profile.chosen == "fallback":
            message = "no key is set, so runs use the embedded model"
            yield Finding("key", "note", message, fix="gptasst auth login")
            return
        status = patient.auth.status()
    except (NotFound, InvalidDefinition):
        return  # without a profile there is nothing to have a key for
    except GptasstError as error:
        if error.exit_code == 4 or error.code == "bad_key_file":
            yield Finding("key", "problem", error.message, fix=_key_fix(patient, error))
        return
    if status.key:
        yield Finding("key", "ok", f"{status.key} from {status.source}")
    else:
        yield Finding("key", "ok", f"{status.endpoint} needs none")


def _key_fix(patient: Patient, error: GptasstError) -> str | None:
    if error.code == "bad_key_file":
        return f"rm {quoted(patient.paths.keys_file)} && gptasst auth login"
    if error.code == "insecure_endpoint":
        name = patient.settings.named(patient.profile_option) or "openai"
        return another_url(patient.environ, name, "https://…")
    variable = error.variable  # it comes before a key that is kept
    if variable and patient.environ.get(variable):
        return f"export {variable}=KEY"
    return "gptasst auth login"
