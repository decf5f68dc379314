"""Assistants for files: a named model with instructions and knowledge, run on your files.

Everything that the command line does can be done from Python, too:

    import gptasst

    with gptasst.Client() as client:
        print(client.run("MarkdownLinter", "guide.md").answer)

Importing this package is fast: each name imports its module when it is first used.
"""

import sys

if getattr(sys, "argv", [])[:1] == ["-m"]:  # `python -m`: before anything else is imported
    from gptasst.processes.import_path import is_run_as_module, leave_working_directory_out

    if is_run_as_module():
        leave_working_directory_out()
    del is_run_as_module, leave_working_directory_out
del sys

# `typing` alone takes half as long to import as Python to start.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from gptasst.api.types import Batch, Citation, Purpose, TextDelta, Usage
    from gptasst.apply.types import ApplyPlan, PlannedAssistant
    from gptasst.assistants.types import (
        Assistant,
        AssistantImport,
        AssistantSummary,
        KnowledgeOutcome,
        Revision,
    )
    from gptasst.batches.types import Fetched, Submission
    from gptasst.cases.types import CaseResult, TestReport
    from gptasst.client import Client
    from gptasst.client.asynchronous import AsyncClient
    from gptasst.client.options import Files
    from gptasst.config.profile import Profile, StoreKind
    from gptasst.conversations.types import Conversation, Message, Transcript
    from gptasst.definitions.formats.types import (
        ExportFormat,
        InstructionExport,
        InstructionImport,
    )
    from gptasst.definitions.types import Definition, Instruction, ReasoningEffort
    from gptasst.each.types import FileResult
    from gptasst.errors import (
        AccessDenied,
        GptasstError,
        InvalidDefinition,
        InvalidInput,
        LimitReached,
        NoAnswer,
        NotFound,
        PartlyDone,
        ServiceError,
        StateError,
        UsageError,
    )
    from gptasst.knowledge.types import FoundPassage, KnowledgeFile, KnowledgePlan
    from gptasst.project_files.cache_types import CacheRebuild, CacheStatus, CacheVerification
    from gptasst.project_files.types import FileEntry, UploadOutcome
    from gptasst.runs.types import RunPlan, RunResult

__version__ = "0.1.0"

__all__ = [
    "AccessDenied",
    "ApplyPlan",
    "Assistant",
    "AssistantImport",
    "AssistantSummary",
    "AsyncClient",
    "Batch",
    "CacheRebuild",
    "CacheStatus",
    "CacheVerification",
    "CaseResult",
    "Citation",
    "Client",
    "Conversation",
    "Definition",
    "ExportFormat",
    "Fetched",
    "FileEntry",
    "FileResult",
    "Files",
    "FoundPassage",
    "GptasstError",
    "Instruction",
    "InstructionExport",
    "InstructionImport",
    "InvalidDefinition",
    "InvalidInput",
    "KnowledgeFile",
    "KnowledgeOutcome",
    "KnowledgePlan",
    "LimitReached",
    "Message",
    "NoAnswer",
    "NotFound",
    "PartlyDone",
    "PlannedAssistant",
    "Profile",
    "Purpose",
    "ReasoningEffort",
    "Revision",
    "RunPlan",
    "RunResult",
    "ServiceError",
    "StateError",
    "StoreKind",
    "Submission",
    "TestReport",
    "TextDelta",
    "Transcript",
    "UploadOutcome",
    "Usage",
    "UsageError",
]

# The modules that define them, the lightest first.
_HOMES = (
    "errors",
    "definitions.types",
    "definitions.formats.types",
    "knowledge.types",
    "assistants.types",
    "api.types",
    "runs.types",
    "each.types",
    "config.settings",
    "project_files.cache_types",
    "project_files.types",
    "apply.types",
    "cases.types",
    "batches.types",
    "conversations.types",
    "client.options",
    "client",
    "client.asynchronous",
)


def __getattr__(name: str) -> object:
    from importlib import import_module

    for home in _HOMES if name in __all__ else ():
        module = import_module(f"gptasst.{home}")
        if name in vars(module):
            return globals().setdefault(name, vars(module)[name])
    raise AttributeError(f"module `gptasst` has no attribute `{name}`")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
