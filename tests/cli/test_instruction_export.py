"""`gptasst instruction export`: what comes back is the same, as far as the format has room."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from skills_ref import read_properties, validate

from gptasst.definitions.toml import dump_definition
from gptasst.definitions.types import Definition, ModelSettings, Variable
from tests.conftest import Cli, Write

WHOLE = """
description = "Rewrites: 'all' of it --- # \\"yes\\""
model = "gpt-6-luna"
default_text = "Rewrite {{what}}."
unwrap_fence = true
schema = '{"type": "object"}'
instructions = '''
# Rules

Costs $5 in {{lang}}s.BLANKS
  - keep "{{ this }}"

Ends here.
'''
format = 2

[tools]
web_search = true

[settings]
temperature = 0.2
max_output_tokens = 500
reasoning_effort = "low"
verbosity = "high"

[variables.lang]
default = "no"

[variables.what]
""".replace("BLANKS", "  ")


def definition(path: str) -> dict[str, Any]:
    return tomllib.loads(Path(path).read_text("utf-8"))


@pytest.fixture
def written(cli: Cli, write: Write) -> Any:
    """Export an instruction; what the document says of it."""

    def export(form: str, text: str = WHOLE, name: str = "Mine") -> Any:
        write(f"instructions/{name}.toml", text)
        ran = cli("instruction", "export", name, "--format", form, "-o", "out", "--json")
        assert ran.code == 0, ran
        return ran.json

    return export


def test_a_skill(written: Any, write: Write, cli: Cli) -> None:
    write("docs/a.md", "a")
    write("docs/sub/b.md", "b")
    done = written("skill", f'knowledge = ["docs"]\n{WHOLE}', "MyOwn Rules")
    assert done["paths"] == [
        f"out/my-own-rules/{file}"
        for file in ("SKILL.md", "references/a.md", "references/sub/b.md")
    ]
    assert validate(Path("out/my-own-rules")) == []
    assert read_properties(Path("out/my-own-rules")).description == (
        "Rewrites: 'all' of it --- # \"yes\""
    )
    assert [(each["kind"], each["name"]) for each in done["left_behind"]] == [
        ("key", "default_text"),
        ("key", "model"),
        ("key", "unwrap_fence"),
        ("key", "schema"),
        ("variable", "lang"),
        ("variable", "what"),
        ("tool", "web_search"),
        ("setting", "reasoning_effort"),
        ("setting", "temperature"),
        ("setting", "max_output_tokens"),
        ("setting", "verbosity"),
    ]
    cli("instruction", "import", "out", "--project")
    assert definition("instructions/my-own-rules.toml") == {
        "description": definition("instructions/MyOwn Rules.toml")["description"],
        "instructions": definition("instructions/MyOwn Rules.toml")["instructions"],
        "knowledge": ["out/my-own-rules/references"],
    }


def test_a_skill_comes_back_byte_for_byte(cli: Cli, write: Write) -> None:
    skill = "---\nname: pdf-forms\ndescription: Fills forms, merges files of PDF's.\n---\n\nDo.\n"
    write("pdf-forms/SKILL.md", skill)
    write("pdf-forms/references/a.md", "a\r\n")
    write("pdf-forms/references/b/c.md", "c")
    cli("instruction", "import", "pdf-forms", "--project")
    assert cli("instruction", "export", "pdf-forms", "--format", "skill", "-o", "out").code == 0
    for file in ("SKILL.md", "references/a.md", "references/b/c.md"):
        assert Path("out/pdf-forms", file).read_bytes() == Path("pdf-forms", file).read_bytes()


@pytest.mark.parametrize(
    "template",
    [
        "system: You speak like a Victorian adventurer\nprompt: 'Summarize this: $input'\n",
        "system: |\n  As $voice, for $$5.  \n\n    - ${voice}s\ndefaults:\n  voice: GlaDOS\n",
        "prompt: |\n  Suggest a recipe for $ingredients\n\n  From this country: $country\n",
        "model: gpt-6-luna\nsystem: Roast the user, be succinct\noptions:\n  temperature: 0.3\n",
        "system: Dogs\nschema_object:\n  type: object\n  properties:\n    a:\n      type: string\n",
        "prompt: 'Summarize: $input'\nextract: true\n",
    ],
)
def test_a_template_of_llm_comes_back_byte_for_byte(cli: Cli, write: Write, template: str) -> None:
    write("t.yaml", template)
    assert cli("instruction", "import", "t.yaml", "--project").code == 0
    assert cli("instruction", "export", "t", "--format", "llm", "-o", "out").code == 0
    assert Path("out/t.yaml").read_text("utf-8") == template


def test_llm(written: Any, cli: Cli) -> None:
    done = written("llm")
    template = yaml.safe_load(Path("out/Mine.yaml").read_text("utf-8"))
    assert template == {
        "model": "gpt-6-luna",
        "system": '# Rules\n\nCosts $$5 in ${lang}s.  \n  - keep "{{ this }}"\n\nEnds here.\n',
        "prompt": "Rewrite $what.",
        "defaults": {"lang": "no"},
        "options": {"temperature": 0.2, "max_tokens": 500},
        "extract": True,
        "schema_object": {"type": "object"},
    }
    assert [each["name"] for each in done["left_behind"]] == [
        "description",
        "web_search",
        "reasoning_effort",
        "verbosity",
    ]


def test_prompt_yml(written: Any, cli: Cli) -> None:
    done = written("prompt-yml", WHOLE.replace("{{ this }}", "this"))
    assert done["paths"] == ["out/Mine.prompt.yml"]
    prompt = yaml.safe_load(Path("out/Mine.prompt.yml").read_text("utf-8"))
    assert json.loads(prompt["jsonSchema"]) == {"name": "mine", "schema": {"type": "object"}}
    assert prompt["messages"][1] == {"role": "user", "content": "Rewrite {{what}}."}
    assert prompt["modelParameters"] == {"temperature": 0.2, "maxTokens": 500}
    before = definition("instructions/Mine.toml")
    cli("instruction", "import", "out/Mine.prompt.yml", "--project", "--force")
    after = definition("instructions/Mine.toml")
    for key in ("description", "model", "default_text", "instructions", "format"):
        assert after[key] == before[key]


def test_fabric(written: Any, cli: Cli) -> None:
    written("fabric")
    before = definition("instructions/Mine.toml")
    assert Path("out/Mine/system.md").read_text("utf-8") == before["instructions"]
    assert Path("out/Mine/user.md").read_text("utf-8") == before["default_text"]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("fabric", "{{x}}"),
        ("prompt-yml", "{{x}}"),
        ("prompt-yml", "{{ lang }}"),
        ("fabric", "{{a.b}}"),
    ],
)
def test_text_does_not_become_a_variable(cli: Cli, write: Write, form: str, text: str) -> None:
    write("b.toml", f"instructions = 'Keep {text} in {{{{lang}}}}.'\n[variables.lang]\n")
    ran = cli("instruction", "export", "b.toml", "--format", form, "-o", "out", "--json")
    assert (ran.code, Path("out").exists()) == (2, False)
    assert (
        f"`{text}` is text in `b`, and would be a variable in the format {form}"
        in (ran.error["message"])
    )
    write("b.toml", "instructions = 'Keep {{}} in {{lang}}.'\n[variables.lang]\n")
    assert cli("instruction", "export", "b.toml", "--format", form, "-o", "out").code == 0


def test_what_is_there_stays(written: Any, cli: Cli, write: Write) -> None:
    write("out/Mine.yaml", "mine")
    words = ("instruction", "export", "Translator", "--format", "llm", "-o", "out", "--json")
    assert cli(*words).code == 0
    assert cli(*words).code == 0  # says the same
    write("out/Translator.yaml", "mine")
    ran = cli(*words)
    assert (ran.code, ran.error["code"]) == (2, "name_taken")
    assert Path("out/Translator.yaml").read_text() == "mine"
    assert cli(*words, "--force").code == 0
    assert Path("out/Translator.yaml").read_text() != "mine"


@pytest.mark.parametrize("word", ["references/../secret.md", "references/in/../../secret.md"])
def test_knowledge_stays_in_the_skill(cli: Cli, write: Write, word: str) -> None:
    Path("references/in").mkdir(parents=True)
    write("secret.md", "hidden\n")
    write("e.toml", f'name = "e"\ninstructions = "Do it."\nknowledge = ["{word}"]\n')
    assert cli("instruction", "export", "e.toml", "--format", "skill", "-o", "out").code == 0
    files = sorted(path.as_posix() for path in Path("out").rglob("*.md"))
    assert files == ["out/e/SKILL.md", "out/e/references/secret.md"]


def test_a_name_does_not_lead_out_of_the_directory(cli: Cli, write: Write) -> None:
    write("e.toml", 'name = ".."\ninstructions = "Do it."\n')
    ran = cli("instruction", "export", "e.toml", "--format", "fabric", "-o", "in/out")
    assert (ran.code, Path("in").exists()) == (2, False)


def test_wrong_words(cli: Cli) -> None:
    ran = cli("instruction", "export", "Translator", "--format", "xml", "--json")
    assert (ran.code, ran.error["hint"]) == (2, "one of: skill, llm, prompt-yml, fabric")
    assert cli("instruction", "export", "Nothing", "--format", "llm").code == 3


@pytest.mark.parametrize("name", ["MarkdownLinter", "IssueTriage", "Translator"])
def test_shipped_ones_are_right_skills(cli: Cli, name: str) -> None:
    ran = cli("instruction", "export", name, "--format", "skill", "-o", "out", "-q")
    assert validate(Path(ran.lines[0]).parent) == []


# What TOML keeps: lines end in LF, and a text is not blank.
_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t")).filter(
    lambda text: bool(text.strip())
)
_BRACES = st.sampled_from(["{{a}}", "{{b}}s", "$", "$$", "$a", "${a}", "{{ a }}", "\n", " ", "x"])
_TEMPLATES = st.lists(_BRACES | _TEXT, min_size=1).map("".join).filter(lambda text: "x" in text)
_DEFINITIONS = st.builds(
    Definition,
    name=st.just("t"),
    instructions=_TEMPLATES,
    description=_TEXT.filter(lambda text: len(text) < 1000 and not text.endswith("\n")),
    model=st.none() | st.just("gpt-6-luna"),
    default_text=st.none() | _TEMPLATES,
    unwrap_fence=st.booleans(),
    settings=st.builds(ModelSettings, temperature=st.none() | st.floats(0, 2)),
    variables=st.just((Variable("a", "d: no"), Variable("b"))),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=_DEFINITIONS, form=st.sampled_from(["skill", "llm"]))
def test_what_a_format_holds_comes_back(
    cli: Cli, write: Write, made: Definition, form: str
) -> None:
    text = dump_definition(made)
    write("t.toml", text)
    ran = cli("instruction", "export", "t.toml", "--format", form, "-o", "out", "--force", "-q")
    assert ran.code == 0, ran
    again = cli("instruction", "import", ran.lines[0], "--project", "--force")
    assert again.code == 0, again
    before, after = tomllib.loads(text), definition("instructions/t.toml")
    held = {"skill": ("instructions", "description")}.get(
        form, ("instructions", "default_text", "model", "unwrap_fence", "settings")
    )
    for key in held:
        assert after.get(key) == before.get(key), key
