"""Upload local files to a project, each content once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gptasst.api.files import FileGateway
from gptasst.api.types import Purpose, UploadRequest
from gptasst.errors import InvalidInput, NotFound, UsageError
from gptasst.inputs.encoding import as_utf8
from gptasst.inputs.reading import Refusal
from gptasst.inputs.screening import SCREENED, Screening, all_secret, refusal, secret_error
from gptasst.inputs.words import names_a_file
from gptasst.project_files.types import UploadedFile, UploadOutcome, UploadPlan
from gptasst.uploads.cache import FileCache
from gptasst.uploads.project_cache import LASTING, ProjectCache
from gptasst.uploads.types import KnowledgeSource, OnTransfer, knowledge_upload, search_problem
from gptasst.uploads.uploader import Uploader

# Check up to this many ids one by one; for more, read the whole list.
_FEW = 3


class UploadService:
    """Uploads files to stay on the server.

    Args:
        files: the project's files.
        cache: the cache of local files.
        project: the project's part of the cache.
        uploader: uploads contents.
    """

    def __init__(
        self, files: FileGateway, cache: FileCache, project: ProjectCache, uploader: Uploader
    ) -> None:
        self._files = files
        self._cache = cache
        self._project = project
        self._uploader = uploader

    def plan(
        self,
        words: Sequence[str],
        purpose: Purpose,
        expires_after: int | None = None,
        screening: Screening = SCREENED,
    ) -> UploadPlan:
        """Find out which contents are on the server. Sends nothing.

        Args:
            words: names of files, patterns or directories.
            purpose: `assistants` for knowledge, `user_data` for inputs.
            expires_after: seconds until the server deletes them; `None` keeps them.
            screening: the check for secrets.

        Raises:
            InvalidInput: a word matches no file, a secret one, or one that can't be uploaded for
                this purpose.
            UsageError: knowledge can't expire.
        """
        if purpose == "assistants" and expires_after is not None:
            raise UsageError(
                "knowledge can't expire: it would vanish from its assistants",
                hint="use --expires with --purpose user_data",
            )
        screened = screening.files(words, by_name_only=True)
        screened.refuse_unreadable()
        paths = screened.paths
        hashes = self._cache.sha256_all(paths)
        requests = [
            _request(
                KnowledgeSource(str(path), path, hashes[path].size, hashes[path].sha256),
                purpose,
                expires_after,
            )
            for path in paths
        ]
        self._uploader.learn()
        known = self._known(requests, expires_after)
        plan = UploadPlan(tuple(requests), known, screened.left_out)
        return _without_secrets(plan, words, screening)

    def carry_out(self, plan: UploadPlan, report: OnTransfer) -> UploadOutcome:
        """Upload the missing files.

        Raises:
            GptasstError: see `errors`; finished uploads are remembered.
        """
        missing = plan.missing
        stale = self._expiring(plan.requests[0].expires_after) if plan.requests else set()
        uploaded = self._uploader.upload_all(missing, report, stale)
        ids = dict(plan.known)
        ids |= {request.sha256: file_id for request, file_id in uploaded.ids.items()}
        new = {id(request) for request in missing if uploaded.ids.get(request) is not None}
        new -= {id(r) for r in missing if uploaded.ids.get(r) in uploaded.known}
        failures = {request.sha256: refusal.reason for request, refusal in uploaded.failed}
        return UploadOutcome(
            tuple(
                _uploaded(request, ids[request.sha256], new=id(request) in new)
                for request in plan.requests
                if request.sha256 in ids
            ),
            tuple(
                Refusal(str(request.file), failures[request.sha256])
                for request in plan.requests
                if request.sha256 in failures
            ),
            plan.left_out,
        )

    def _known(
        self, requests: Sequence[UploadRequest], expires_after: int | None
    ) -> dict[str, str]:
        """Ids by content. Ids that the server no longer has are dropped."""
        stale = self._expiring(expires_after)
        uploads = self._project.uploads({(r.sha256, r.purpose) for r in requests})
        ids = {
            sha256: [file_id for file_id in known if file_id not in stale]
            for (sha256, _), known in uploads.items()
        }
        there = self._existing({file_id for known in ids.values() for file_id in known})
        gone = [file_id for known in ids.values() for file_id in known if file_id not in there]
        self._project.forget_uploads(gone)
        found = {
            sha256: next((file_id for file_id in known if file_id in there), None)
            for sha256, known in ids.items()
        }
        return {sha256: file_id for sha256, file_id in found.items() if file_id is not None}

    def _existing(self, ids: Collection[str]) -> set[str]:
        if len(ids) > _FEW:
            return {file.id for file in self._files.list()}.intersection(ids)
        there = set()
        for file_id in ids:
            try:
                there.add(self._files.get(file_id).id)
            except NotFound:
                continue
        return there

    def _expiring(self, expires_after: int | None) -> set[str]:
        """Uploads that expire too early: before half of the requested time."""
        lasting = LASTING if expires_after is None else timedelta(seconds=expires_after / 2)
        wanted = datetime.now(UTC) + lasting
        return {
            upload.file_id
            for upload in self._project.all_uploads()
            if upload.expires_at is not None and upload.expires_at < wanted
        }


def _without_secrets(plan: UploadPlan, words: Sequence[str], screening: Screening) -> UploadPlan:
    """The plan without files that contain a secret; files on the server are not checked again."""
    named = {Path(word) for word in words if names_a_file(word)}
    taken, left_out = [], list(plan.left_out)
    for request in plan.requests:
        reason = None if request.sha256 in plan.known else screening.of_file(request.file)
        if reason is None:
            taken.append(request)
            continue
        refused = Refusal(str(request.file), refusal(str(request.file), reason))
        if request.file in named:
            raise secret_error(refused.reason)
        left_out.append(refused)
    if left_out and not taken and not screening.allow_secrets:
        raise all_secret(left_out)
    return replace(plan, requests=tuple(taken), left_out=tuple(left_out))


def planned_files(plan: UploadPlan) -> tuple[UploadedFile, ...]:
    """The files of a plan before it is carried out."""
    missing = {id(request) for request in plan.missing}
    return tuple(
        _uploaded(request, plan.known.get(request.sha256), new=id(request) in missing)
        for request in plan.requests
    )


def _uploaded(request: UploadRequest, file_id: str | None, *, new: bool) -> UploadedFile:
    return UploadedFile(
        path=str(request.file),
        id=file_id,
        filename=request.filename,
        size=request.size,
        sha256=request.sha256,
        purpose=request.purpose,
        new=new,
    )


def _request(source: KnowledgeSource, purpose: Purpose, expires_after: int | None) -> UploadRequest:
    if purpose == "assistants":
        problem = search_problem(source)
        request = knowledge_upload(source)
    else:
        problem = None if source.size else f"`{source.path}` is empty"
        request = UploadRequest(
            file=source.file,
            filename=as_utf8(source.file.name),
            size=source.size,
            sha256=source.sha256,
            purpose=purpose,
            expires_after=expires_after,
        )
    if problem:
        raise InvalidInput(problem)
    return request
