#!/usr/bin/env python3
"""Write what a release says of the packages that gptasst needs.

`release/constraints.txt` has the versions that are tested, with the hashes of their files, and
`docs/licences.md` their licences: both are written with `--resolve`, which needs `uv`, a network
and the environment that tests run in. `release/sbom.cdx.json` is made from these two, from
pyproject.toml and from the version, in the form of CycloneDX 1.6; the wheel has it (PEP 770).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tomllib
import uuid
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EXTRAS = ("local", "documents", "socks", "keyring", "tokens")  # what people install
# Of packages that are not where tests run: for other systems, or not tested with.
_ELSEWHERE = {"colorama": "BSD-3-Clause", "pywin32-ctypes": "BSD-3-Clause", "socksio": "MIT"}
_PINNED = re.compile(
    r"^([a-z0-9-]+)==(\S+)(?: ; (.+))? \\\n((?:    --hash=.+\n)+)    # via (.+)$", re.MULTILINE
)
_CONSTRAINTS_HEAD = """\
# The versions that are tested, with the hashes of their files: docs/releasing.md.
# Written by `python scripts/release_files.py --resolve`.
"""
_LICENCES_HEAD = """\
# Licences

gptasst is under the [MIT licence](https://opensource.org/license/mit). These are the packages that
it needs, in the versions that are tested, with the licences that they declare. With an extra in the
last column, a package is installed with that extra only.

The embedded model SmolLM2-135M-Instruct is under Apache-2.0, and so is all-MiniLM-L6-v2, which
searches knowledge by meaning. Both are downloaded when they are first used. llama.cpp, in
`xllamacpp`, is under MIT. The pairs of traditional and simplified Chinese characters in
`gptasst.knowledge.chinese` come from OpenCC, under Apache-2.0.

| package | version | licence | for |
| --- | --- | --- | --- |
"""


@dataclass(frozen=True)
class Package:
    """One line of the constraints.

    Attributes:
        name: as the index normalizes it.
        version: the one that is tested.
        marker: on which systems it is needed; empty for all.
        hashes: sha256 of each of its files, in hexadecimal.
        needed_by: names of the packages that need it, `gptasst` among them.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    needed_by: tuple[str, ...]

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.name}@{self.version}"


def packages(root: Path = ROOT) -> list[Package]:
    """What is pinned, by name."""
    text = (root / "release/constraints.txt").read_text("utf-8")
    return [
        Package(
            found[1], found[2], found[3] or "",
            tuple(re.findall(r"sha256:([0-9a-f]{64})", found[4])),
            tuple(sorted(name.partition(" ")[0] for name in found[5].split(", "))),
        )
        for found in _PINNED.finditer(text)
    ]  # fmt: skip


def licences(root: Path = ROOT) -> dict[str, str]:
    """The licence of each package, as the page lists them."""
    text = (root / "docs/licences.md").read_text("utf-8")
    return dict(re.findall(r"^\| `([a-z0-9-]+)` \| \S+ \| (.+?) \|", text, re.MULTILINE))


def sbom(root: Path = ROOT) -> str:
    """The bill of materials: equal for equal files of the repository, with no time in it."""
    text = (root / "src/gptasst/__init__.py").read_text("utf-8")
    version = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    assert version is not None
    own = {"name": "gptasst", "version": version[1], "purl": f"pkg:pypi/gptasst@{version[1]}"}
    pinned, licence = packages(root), licences(root)
    required = _needed_for(pinned, _declared(root)[""])
    components = [
        {
            "type": "library", "bom-ref": package.purl, "name": package.name,
            "version": package.version, "purl": package.purl,
            "scope": "required" if package.name in required else "optional",
            "licenses": [_licence_entry(licence[package.name])],
        }
        for package in pinned
    ]  # fmt: skip
    needs: dict[str, list[str]] = {ref: [] for ref in (own["purl"], *(p.purl for p in pinned))}
    purls = {package.name: package.purl for package in pinned} | {"gptasst": own["purl"]}
    for package in pinned:
        for name in package.needed_by:
            needs[purls[name]].append(package.purl)
    document: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "bom-ref": own["purl"], **own}
            | {"licenses": [_licence_entry("MIT")]},
        },
        "components": components,
        "dependencies": [{"ref": ref, "dependsOn": on} for ref, on in needs.items()],
    }
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))
    document["serialNumber"] = f"urn:uuid:{number}"
    return json.dumps(document, indent=1) + "\n"


def _licence_entry(licence: str) -> dict[str, Any]:
    """One name is an id of SPDX's list here; several are an expression."""
    return {"expression": licence} if " " in licence else {"license": {"id": licence}}


def _declared(root: Path) -> dict[str, list[str]]:
    """The names in pyproject.toml, by extra; those that everybody gets are under an empty name."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    lists = {"": project["dependencies"]} | project["optional-dependencies"]
    return {extra: [_normal(line) for line in lists[extra]] for extra in ("", *EXTRAS)}


def _normal(requirement: str) -> str:
    name = re.match(r"[\w.-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def _needed_for(pinned: list[Package], names: list[str]) -> set[str]:
    """All that these packages need, themselves included."""
    found = set(names)
    while more := {p.name for p in pinned if found & set(p.needed_by)} - found:
        found |= more
    return found


def _resolve() -> None:
    """Pin what is installed here, for all systems and versions of Python."""
    frozen = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--exclude-editable"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    done = subprocess.run(
        ["uv", "pip", "compile", "pyproject.toml", *extras, "--universal", "--python-version",
         "3.11", "--generate-hashes", "--no-header", "--annotation-style", "line",
         "--constraints", "-"],
        cwd=ROOT, input=frozen, check=True, capture_output=True, text=True,
    )  # fmt: skip
    text = re.sub(r", -c -|(?<=# via )-c -, ", "", done.stdout)
    text = text.replace("gptasst (pyproject.toml)", "gptasst")
    (ROOT / "release/constraints.txt").write_text(_CONSTRAINTS_HEAD + text, "utf-8")
    pinned, declared = packages(), _declared(ROOT)
    rows = []
    for package in pinned:
        extra = [e for e in declared if package.name in _needed_for(pinned, declared[e])]
        use = "" if "" in extra else ", ".join(f"`{name}`" for name in extra)
        licence = _ELSEWHERE.get(package.name) or _licence(package.name)
        rows.append(f"| `{package.name}` | {package.version} | {licence} | {use} |\n")
    (ROOT / "docs/licences.md").write_text(_LICENCES_HEAD + "".join(rows), "utf-8")


# Words of older metadata, and the names of SPDX's list.
_SPDX = {
    "MIT License": "MIT", "The MIT License (MIT)": "MIT", "ISC License (ISCL)": "ISC",
    "Apache Software License": "Apache-2.0", "Apache License 2.0": "Apache-2.0",
    "BSD License": "BSD-3-Clause", "BSD": "BSD-3-Clause", "Apache 2.0": "Apache-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0", "Apache-2.0 License": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
}  # fmt: skip


def _licence(name: str) -> str:
    """What an installed package declares, as SPDX names it."""
    about: Any = metadata.metadata(name)  # a message of the standard library
    said = (about.get("License") or "").partition("\n")[0]
    declared = about.get("License-Expression") or (said if " OR " in said else None)
    classified = [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or []
        if line.startswith("License ::") and not line.endswith("OSI Approved")
    ]
    words = [declared] if declared else classified or [said]
    found = " AND ".join(sorted({_SPDX.get(word, word) for word in words}))
    assert re.fullmatch(r"[\w.+()-]+( (AND|OR|WITH) [\w.+()-]+)*", found), (name, words)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolve", action="store_true", help="pin versions and licences anew")
    if parser.parse_args().resolve:
        _resolve()
    (ROOT / "release/sbom.cdx.json").write_text(sbom(), "utf-8")


if __name__ == "__main__":
    main()
