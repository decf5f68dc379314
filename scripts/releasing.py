"""Release a version of gptasst. Without --yes it changes nothing but dist/.

A version is made in a clone: its number, the changelog, the files that follow from them, a commit,
a tag. The distributions are built there, twice, from different directories; both must be equal
byte for byte. With --yes the commit and the tag are then taken over here. Nothing is pushed or
uploaded: pushing the tag starts .github/workflows/release.yml, which does that.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
_VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
_SEMANTIC = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?")
_UNRELEASED = "## [Unreleased]\n"


class Refused(Exception):
    """The release can't be made; the message says why."""


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="scripts/release", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("version", nargs="?", help="the new version, such as 0.2.0")
    what.add_argument(
        "--build", action="store_true", help="build the last commit, as the workflow does"
    )
    parser.add_argument("--yes", action="store_true", help="take over the commit and the tag")
    parser.add_argument(
        "--single-file", action="store_true", help="build gptasst.pyz, too; needs shiv"
    )
    options = parser.parse_args(words)
    try:
        if _git(ROOT, "status", "--porcelain"):
            raise Refused("there are changes that are not committed: git status")
        with tempfile.TemporaryDirectory(prefix="gptasst-release-") as folder:
            source = Path(folder, "gptasst")
            subprocess.run(["git", "clone", "-q", "--no-hardlinks", ROOT, source], check=True)
            if options.version:
                _make_version(source, options.version)
            else:
                _check_tag(source)
            built = _build_twice(source, Path(folder))
            if options.single_file:
                built.append(_single_file(source, Path(folder)))
            _put_into_dist(built)
            if options.version and options.yes:
                _take_over(source, options.version)
    except Refused as refused:
        print(f"error: {refused}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as failed:  # it has printed why
        print(f"error: {' '.join(map(str, failed.cmd))} failed", file=sys.stderr)
        return 1
    if options.version:
        _tell_next(options.version, done=options.yes)
    return 0


def _make_version(source: Path, version: str) -> None:
    """Commit and tag the version in the clone."""
    if not _SEMANTIC.fullmatch(version):
        raise Refused(f"{version} is no version: 1.2.3, or 1.2.3rc1")
    if _git(source, "tag", "--list", f"v{version}"):
        raise Refused(f"v{version} is a tag already; a published version is never changed")
    init = source / "src/gptasst/__init__.py"
    init.write_text(_VERSION.sub(f'__version__ = "{version}"', init.read_text("utf-8")), "utf-8")
    changelog = source / "CHANGELOG.md"
    text = changelog.read_text("utf-8")
    head, _, rest = text.partition(_UNRELEASED)
    notes, following, older = rest.partition("\n## [")
    if not notes.strip():
        raise Refused("CHANGELOG.md has nothing under Unreleased")
    today = datetime.now(UTC).date()
    released = f"\n## [{version}] - {today}\n{notes}"
    changelog.write_text(f"{head}{_UNRELEASED}{released}{following}{older}", "utf-8")
    environ = os.environ | {"PYTHONPATH": str(source / "src")}
    for script in ("scripts/derived-files", "scripts/release_files.py"):
        subprocess.run([sys.executable, script], cwd=source, env=environ, check=True)
    for key in ("user.name", "user.email"):
        if value := _git(ROOT, "config", "--get", "--default", "", key):
            _git(source, "config", key, value)
    _git(source, "commit", "-q", "-a", "-m", f"Version {version}")
    _git(source, "tag", "-a", f"v{version}", "-m", f"gptasst {version}\n\n{notes.strip()}")
    print(f"version {version}, {today}:\n\n{notes.strip()}\n")


def _check_tag(source: Path) -> None:
    """A commit that has a tag is built if the tag says what the sources say."""
    found = _VERSION.search((source / "src/gptasst/__init__.py").read_text("utf-8"))
    assert found is not None
    tags = _git(source, "tag", "--points-at", "HEAD", "--list", "v*").split()
    if tags and tags != [f"v{found[1]}"]:
        raise Refused(f"the tag is {', '.join(tags)}, and the version is {found[1]}")
    if tags and f"## [{found[1]}]" not in (source / "CHANGELOG.md").read_text("utf-8"):
        raise Refused(f"CHANGELOG.md has no section {found[1]}")


def _build_twice(source: Path, folder: Path) -> list[Path]:
    """The sdist, and the wheel that is built from it; both equal from two places.

    `SOURCE_DATE_EPOCH` is the time of the commit. Zone, umask, hash seed and directory differ.
    """
    epoch = _git(source, "log", "-1", "--format=%ct")
    results = []
    for place, zone, mask, seed in (("one", "UTC", 0o022, "1"), ("another", "NZ", 0o077, "2")):
        environ = os.environ | {"SOURCE_DATE_EPOCH": epoch, "TZ": zone, "PYTHONHASHSEED": seed}
        work = folder / place
        work.mkdir()
        before = os.umask(mask)
        try:
            with (
                subprocess.Popen(
                    ["git", "archive", "HEAD"], cwd=source, stdout=subprocess.PIPE
                ) as archive,
                tarfile.open(fileobj=archive.stdout, mode="r|") as files,
            ):
                files.extractall(work / "tree", filter="data")
            sdist = _hatchling("sdist", work / "tree", environ)
            with tarfile.open(sdist) as files:
                files.extractall(work, filter="data")
            wheel = _hatchling("wheel", work / sdist.name.removesuffix(".tar.gz"), environ)
        finally:
            os.umask(before)
        results.append([sdist, wheel])
    first, second = results
    for one, other in zip(first, second, strict=True):
        if _sha256(one) != _sha256(other):
            raise Refused(f"{one.name} comes out differently when it is built again")
    _check_wheel(first[1])
    print("built twice, with equal hashes:")
    return first


def _hatchling(target: str, source: Path, environ: dict[str, str]) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target],
        cwd=source, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Refused(f"the {target} can't be built:\n{done.stderr}")
    (built,) = (source / "dist").glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built


def _check_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for part in ("sboms/sbom.cdx.json", "licenses/LICENSE", "METADATA"):
        if not any(name.endswith(f".dist-info/{part}") for name in names):
            raise Refused(f"{wheel.name} has no {part}")


def _single_file(source: Path, folder: Path) -> Path:
    """All that gptasst needs in one file, for this version of Python and this kind of machine."""
    shiv = shutil.which("shiv")
    if shiv is None:
        raise Refused("--single-file needs shiv: pip install shiv")
    out = folder / "gptasst.pyz"
    epoch = _git(source, "log", "-1", "--format=%ct")
    needed = ["--require-hashes", "--requirement", source / "release/constraints.txt"]
    site = folder / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", site]
    environ = os.environ | {"SOURCE_DATE_EPOCH": epoch}
    subprocess.run([*pip, *needed], check=True)
    subprocess.run([*pip, "--no-deps", source], check=True)
    subprocess.run(
        [shiv, "--reproducible", "--site-packages", site, "--console-script", "gptasst",
         "--python", "/usr/bin/env python3", "--output-file", out],
        check=True, env=environ,
    )  # fmt: skip
    return out


def _put_into_dist(built: list[Path]) -> None:
    dist = ROOT / "dist"
    dist.mkdir(exist_ok=True)
    for old in dist.glob("gptasst*"):
        old.unlink()
    lines = []
    for file in built:
        shutil.copy(file, dist / file.name)
        (dist / file.name).chmod(0o755 if file.suffix == ".pyz" else 0o644)
        lines.append(f"{_sha256(file)}  {file.name}\n")
        print(f"  dist/{file.name}  {file.stat().st_size / 1e6:.1f} MB  sha256 {_sha256(file)}")
    (dist / "SHA256SUMS").write_text("".join(lines))


def _take_over(source: Path, version: str) -> None:
    branch = _git(source, "rev-parse", "--abbrev-ref", "HEAD")
    _git(ROOT, "fetch", "-q", str(source), branch, f"refs/tags/v{version}:refs/tags/v{version}")
    _git(ROOT, "merge", "-q", "--ff-only", f"v{version}^{{commit}}")


def _tell_next(version: str, *, done: bool) -> None:
    if done:
        print(f"\ncommitted and tagged here. To publish it: git push origin HEAD v{version}")
    else:
        print(f"\nnothing was changed. To release it: scripts/release {version} --yes")


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _git(directory: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=directory, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Refused(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()
