"""`gptasst instruction import`: prompts in the formats of other tools."""

from __future__ import annotations

import json
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, Ran, Write
from tests.loopback import LoopbackServer

PUBLIC = Path("/work/shared/data/prompts")  # prompts that people keep, where they are at hand

AGENT = """---
name: code-reviewer
description: Use it after a change. <example>user: "check it"</example>
tools: Read, Grep, Bash(git diff:*, git log:*), WebSearch
model: sonnet
color: red
---

You are a senior reviewer.
"""
PROMPT_YAML = """
name: Text Summarizer
description: Summarizes input text concisely
model: openai/gpt-6-luna
modelParameters: {temperature: 0.5, maxTokens: 200, presencePenalty: 1}
messages:
  - role: system
    content: You are a summarizer for {{ audience }}.
  - role: user
    content: |
      Summarize the text, beginning with "Summary -":
      <text>
      {{input}}
      </text>
testData:
  - input: The fox jumped.
    audience: children
    expected: A fox jumped.
evaluators:
  - name: Begins right
    string: {startsWith: Summary -}
  - name: Is alike
    uses: github/similarity
"""
TEMPLATE = """
system: In the voice of $voice for $$5
prompt: 'Do this: ${input}s'
defaults: {voice: GlaDOS, n: 1.5}
model: gpt-6-luna
options: {temperature: 1, seed: 3}
extract: true
"""
RETRIEVAL = {"type": "retrieval"}
TASK = 'Summarize the text, beginning with "Summary -":\n<text>\n{{input}}\n</text>\n'
PROMPTY = """---
name: Answers
description: Answers questions
authors: [jane]
model:
  api: chat
  configuration:
    type: azure_openai
    azure_deployment: gpt-35-turbo
    azure_endpoint: ${env:AZURE_OPENAI_ENDPOINT}
    api_key: 0123456789abcdef0123456789abcdef
  parameters:
    max_tokens: 3000
    temperature: 0.2
inputs:
  firstName:
    type: string
    description: of the customer
  lastName:
    type: string
    default: Doe
  unused: x
sample:
  firstName: Jane
  question: Why?
---
system:
You help {{firstName}} {{ lastName }}.{# a comment #}

# Rules
Be brief.

user:
How are you?
assistant:
Well.
user:
{{question}}
"""
DOTPROMPT = """---
model: googleai/gemini-1.5-flash
config:
  temperature: 0.9
  topK: 20
input:
  schema:
    location: string, where it is
    style?: string
    mood(enum, the mood): [happy, sad]
  default:
    location: a restaurant
output:
  schema:
    greeting: string, the greeting
    items(array, things): string
    who(object):
      name: string
      age?: integer
    kind(enum): [A, B]
---
{{!-- said once --}}
{{role "system"}}
You work at {{location}}.
{{role "user"}}
Greet, {{mood}}, {{{style}}}. \\{{literal}}
{{history}}
"""
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "gpt-6-luna",
    "instructions": [
        {"role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
        {"role": "user", "content": "Greet me."},
    ],
    "output": [{"type": "message", "role": "assistant", "content": []}],
    "reasoning": {"effort": "low", "summary": "auto"},
    "text": {
        "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}},
        "verbosity": "low",
    },
    "tools": [
        {"type": "file_search", "vector_store_ids": ["vs_1"], "max_num_results": 5},
        {
            "type": "web_search",
            "search_context_size": "medium",
            "filters": {"allowed_domains": ["https://example.com/docs"]},
            "user_location": {"type": "approximate", "country": "de", "city": None},
        },
        {"type": "code_interpreter", "container": {"file_ids": ["file-1"], "memory_limit": "4g"}},
        {"type": "function", "name": "look_up"},
        {
            "type": "mcp",
            "server_label": "wiki",
            "server_url": "https://mcp.example.com/sse",
            "authorization": "Bearer s3cr3t-t0ken",
            "allowed_tools": {"tool_names": ["ask"]},
            "require_approval": "never",
        },
        {"type": "mcp", "server_label": "drive", "connector_id": "connector_drive"},
    ],
    "tool_choice": {"type": "mcp", "server_label": "wiki"},
    "max_tool_calls": 3,
    "prompt": {"id": "pmpt_1", "version": "2", "variables": {"lang": "French"}},
    "temperature": 1.0,
    "top_p": 0.9,
    "metadata": {"team": "docs"},
    "usage": {"total_tokens": 10},
}


def made(name: str) -> dict[str, Any]:
    """The instruction that was written, by its name."""
    return tomllib.loads(Path(f"instructions/{name}.toml").read_text("utf-8"))


def imported(ran: Ran, name: str | None = None) -> Any:
    """What the document says of one instruction."""
    return next(i for i in ran.json["imported"] if name in (None, i["name"]))


def left(item: Any) -> list[tuple[str, str]]:
    return [(each["kind"], each["name"]) for each in item["left_behind"]]


@pytest.fixture
def take(cli: Cli, write: Write) -> Any:
    """Import one file into the project and give what the document says of it."""

    def import_it(name: str, content: str, *options: str) -> Any:
        ran = cli("instruction", "import", write(name, content), "--project", "--json", *options)
        assert ran.code == 0, ran
        assert cli("instruction", "validate").code == 0
        return imported(ran)

    return import_it


class TestFabric:
    def test_patterns(self, cli: Cli, write: Write) -> None:
        system = "# IDENTITY and PURPOSE\n\nYou translate into {{lang_code}}. You do it well.\n"
        write("patterns/translate/system.md", system + "\nVue has {{ site.title }}.\n")
        write("patterns/translate/user.md", "CONTENT:\r\n")
        write("patterns/translate/README.md", "# What it is\n")
        write("patterns/ask/system.md", "# ROLE\n\nYou ask.\n")
        write("patterns/ask/user.md", "\n")
        ran = cli("instruction", "import", "patterns", "--project")
        assert (ran.code, ran.stderr) == (0, "")
        assert ran.lines[0] == "ask\tfabric\tcreate\t\tinstructions/ask.toml"
        assert made("translate") == {
            "format": 2,
            "description": "You translate into {{lang_code}}.",
            "default_text": "CONTENT:\n",
            "instructions": system + "\nVue has {{ site.title }}.\n",
            "variables": {"lang_code": {}},
        }
        assert made("ask") == {"description": "You ask.", "instructions": "# ROLE\n\nYou ask.\n"}

    @pytest.mark.parametrize("word", ["p/ask", "p/ask/system.md", "p/ask/*.md"])
    def test_named_in_several_ways(self, cli: Cli, write: Write, word: str) -> None:
        write("p/ask/system.md", "You ask.\n")
        write("p/ask/user.md", "Ask.\n")
        assert cli("instruction", "import", word, "--project", "-q").lines == ["ask"]
        assert made("ask")["default_text"] == "Ask.\n"


class TestSkills:
    def test_a_skill(self, cli: Cli, write: Write) -> None:
        head = "---\nname: pdf-forms\ndescription: Fills forms.\nlicense: MIT\nmetadata:\n"
        head += "  author: jane\nallowed-tools: Bash(git:*) WebSearch\n---\n"
        write("skills/pdf/SKILL.md", f"{head}\n# PDF\n\nSee references/a.md. {{{{x}}}}\n")
        write("skills/pdf/references/a.md", "---\nname: n\ndescription: d\n---\nnot an agent\n")
        write("skills/pdf/references/b/c.txt", "c")
        write("skills/pdf/forms.md", "forms")
        write("skills/pdf/scripts/run.py", "x")
        write("skills/pdf/assets/logo.png", b"\x89PNG")
        write("skills/pdf/LICENSE.txt", "MIT")
        ran = cli("instruction", "import", "skills", "--project", "--json")
        assert ran.code == 0
        item = imported(ran)
        assert (item["format"], item["hosted_tools"]) == ("skill", ["web_search"])
        assert made("pdf-forms") == {
            "description": "Fills forms.",
            "instructions": "# PDF\n\nSee references/a.md. {{x}}\n",
            "knowledge": ["skills/pdf/forms.md", "skills/pdf/references"],
            "tools": {"web_search": True},
        }
        assert left(item) == [
            ("key", "license"),
            ("metadata", "author"),
            ("tool", "Bash(git:*)"),
            ("file", "LICENSE.txt"),
            ("file", "assets/logo.png"),
            ("script", "scripts/run.py"),
        ]

    def test_its_knowledge_is_found_from_anywhere(self, cli: Cli, write: Write, home: Path) -> None:
        write("pdf/SKILL.md", "---\nname: pdf\ndescription: d\n---\nDo.\n")
        write("pdf/references/a.md", "a")
        assert cli("instruction", "import", "pdf/SKILL.md").code == 0
        written = (home / "config/instructions/pdf.toml").read_text()
        assert tomllib.loads(written)["knowledge"] == [str(Path("pdf/references").resolve())]

    def test_the_knowledge_is_the_assistants(
        self, cli: Cli, write: Write, server: LoopbackServer
    ) -> None:
        write("pdf/SKILL.md", "---\nname: pdf\ndescription: d\n---\nDo.\n")
        write("pdf/references/a.md", "alpha beta gamma\n")
        ran = cli("instruction", "import", "pdf", "--project")
        (line,) = ran.stderr.splitlines()
        command = shlex.split(line.split("`")[1])
        assert command == "gptasst assistant create pdf -i pdf -f pdf/references".split()
        made = cli(*command[1:], "--json").json["assistant"]
        assert [file["path"] for file in made["knowledge"]] == ["pdf/references/a.md"]


def test_an_agent_of_claude(take: Any) -> None:
    item = take("agents/code-reviewer.md", AGENT)
    assert made("code-reviewer") == {
        "description": 'Use it after a change. <example>user: "check it"</example>',
        "instructions": "You are a senior reviewer.\n",
        "tools": {"web_search": True},
    }
    assert left(item) == [
        ("model", "sonnet"),
        ("tool", "Read"),
        ("tool", "Grep"),
        ("tool", "Bash(git diff:*, git log:*)"),
        ("key", "color"),
    ]
    assert item["notes"][0].startswith(
        "its front matter was read line by line, as it is not valid YAML"
    )


def test_a_prompt_of_github_models(take: Any) -> None:
    item = take("a.prompt.yml", PROMPT_YAML)
    assert (item["name"], item["format"]) == ("Text Summarizer", "prompt-yml")
    assert made("Text Summarizer") == {
        "format": 2,
        "description": "Summarizes input text concisely",
        "model": "gpt-6-luna",
        "default_text": TASK,
        "instructions": "You are a summarizer for {{audience}}.",
        "settings": {"temperature": 0.5, "max_output_tokens": 200},
        "variables": {
            "audience": {},
            "input": {
                "default": "(the input that follows)",
                "description": "what to work on, if a run is not given it as text, file or stdin",
            },
        },
    }
    assert left(item) == [("modelParameters", "presencePenalty")]
    assert (item["cases"], item["cases_path"]) == (1, "instructions/Text Summarizer.cases.toml")
    assert tomllib.loads(Path(item["cases_path"]).read_text("utf-8")) == {
        "case": [
            {
                "name": "test 1",
                "input": "The fox jumped.",
                "vars": {"audience": "children"},
                "matches": ["\\ASummary\\ \\-"],
                "judge": ["Does the answer say the same as this?\n\nA fox jumped."],
            }
        ]
    }


def test_its_tests_run(cli: Cli, write: Write, server: LoopbackServer) -> None:
    write(
        "t.prompt.yml",
        "messages:\n  - {role: system, content: Be brief.}\n"
        "  - {role: user, content: 'Describe a {{animal}}.'}\n"
        "testData: [{animal: dog}, {animal: cat}]\n"
        "evaluators: [{name: a, string: {endsWith: '{{animal}}.'}}, {name: b, llm: {prompt: p}},"
        " {name: c, uses: github/other}, {name: d, string: {isNice: x}}]\n",
    )
    cli("instruction", "import", "t.prompt.yml", "--project")
    server.answer = "It is a dog."
    ran = cli("test", "t")
    assert ran.code == 6
    assert [line.split()[0] for line in ran.lines if " t: test" in line] == ["ok", "FAIL"]
    assert {request.json["instructions"] for request in server.requests} == {"Be brief."}
    asked = json.dumps([request.json["input"] for request in server.requests])
    assert "Describe a cat." in asked


def test_a_schema_and_a_message_that_is_the_input(take: Any) -> None:
    schema = {"name": "n", "strict": True, "schema": {"type": "object", "properties": {"a": {}}}}
    item = take(
        "a.prompt.yaml",
        json.dumps(
            {
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": " {{ input }}\n"},
                ],
                "model": "mistral-ai/mistral-large",
                "responseFormat": "json_schema",
                "jsonSchema": json.dumps(schema),
            }
        ),
    )
    definition = made("a")
    assert json.loads(definition.pop("schema")) == schema["schema"]
    assert definition == {"instructions": "Be brief."}
    assert left(item) == [("model", "mistral-ai/mistral-large")]


def test_evaluators_that_ask_a_model(take: Any) -> None:
    item = take(
        "t.prompt.yml",
        """
messages: [{role: user, content: "{{input}}"}]
testData: [{input: a, expected: b}, {input: c}]
evaluators:
  - name: nice
    llm:
      prompt: Is {{completion}} nice?
      choices: [{choice: yes, score: 1}, {choice: no, score: 0}]
  - {name: alike, uses: github/similarity}
  - {name: rated, llm: {prompt: p, choices: [{choice: 1, score: 1}]}}
""",
    )
    cases = tomllib.loads(Path("instructions/t.cases.toml").read_text("utf-8"))["case"]
    alike = "Does the answer say the same as this?\n\nb"
    assert [case["judge"] for case in cases] == [
        ["Is the answer nice?", alike],
        ["Is the answer nice?"],
    ]
    assert left(item) == [("evaluator", "rated"), ("evaluator", "alike")]


class TestLlm:
    @pytest.mark.parametrize(
        ("template", "definition"),
        [
            (
                TEMPLATE,
                {
                    "format": 2,
                    "instructions": "In the voice of {{voice}} for $5",
                    "default_text": "Do this: {{input}}s",
                    "model": "gpt-6-luna",
                    "unwrap_fence": True,
                    "settings": {"temperature": 1.0},
                },
            ),
            ("system: Summarize $this\n", {"format": 2, "instructions": "Summarize {{this}}"}),
            ("prompt: 'Do: $input'\n", {"format": 2, "instructions": "Do: {{input}}"}),
            (
                "prompt: |\n  Cook $what\n",
                {
                    "format": 2,
                    "instructions": "Do the task in the message.",
                    "default_text": "Cook {{what}}\n",
                },
            ),
            ("just a prompt: no key\n".replace(":", ","), None),
        ],
    )
    def test_templates(self, take: Any, template: str, definition: dict[str, Any] | None) -> None:
        take("t.yaml", template)
        got = made("t")
        got.pop("variables", None)
        assert got == definition or definition is None

    def test_what_is_left_behind(self, take: Any) -> None:
        item = take(
            "t.yaml",
            "system: s\ndefaults: {unused: x}\nfragments: [a.txt]\ntools: [llm_time]\n"
            "functions: |\n  def f(): pass\nschema_object: {type: object}\n"
            "attachments: [b.png]\noptions: {seed: 1, max_tokens: 3}\n",
        )
        assert sorted(left(item)) == [
            ("attachments", "b.png"),
            ("fragments", "a.txt"),
            ("functions", "functions"),
            ("option", "max_tokens"),
            ("option", "seed"),
            ("tools", "llm_time"),
            ("variable", "unused"),
        ]
        assert json.loads(made("t")["schema"]) == {"type": "object"}


def test_prompty(take: Any, cli: Cli) -> None:
    item = take("a.prompty", PROMPTY)
    assert made("Answers") == {
        "format": 2,
        "description": "Answers questions",
        "instructions": "You help {{firstName}} {{lastName}}.\n\n# Rules\nBe brief.\n\n"
        "<example>\nuser: How are you?\nassistant: Well.\n</example>\n",
        "default_text": "{{question}}",
        "settings": {"temperature": 0.2, "max_output_tokens": 3000},
        "variables": {
            "firstName": {"description": "of the customer"},
            "lastName": {"default": "Doe"},
            "question": {"description": "for example: Why?"},
        },
    }
    assert ("model", "gpt-35-turbo") in left(item)
    assert ("model.configuration", "api_key") in left(item)
    assert ("variable", "unused") in left(item)
    assert "0123456789abcdef" not in json.dumps(item)


def test_prompty_of_version_2(take: Any) -> None:
    item = take(
        "a.prompty",
        "---\nname: threaded\nmodel:\n  id: gpt-6-luna\n  options: {temperature: 0.1}\n"
        "inputSchema:\n  properties:\n    - name: q\n      kind: string\n      default: Hello\n"
        "    - name: talk\n      kind: thread\noutputs:\n  - name: n\n    kind: integer\n"
        "template: {format: {kind: mustache}}\n---\n"
        "system:\nBe brief.\n\n{{talk}}\n\nuser:\n{{&q}}\n",
    )
    definition = made("threaded")
    assert json.loads(definition.pop("schema"))["properties"] == {"n": {"type": "integer"}}
    assert definition == {
        "format": 2,
        "model": "gpt-6-luna",
        "instructions": "Be brief.",
        "default_text": "{{q}}",
        "settings": {"temperature": 0.1},
        "variables": {"q": {"default": "Hello"}},
    }
    assert left(item) == [("input", "talk")]


def test_prompty_for_agents(take: Any) -> None:
    item = take(
        "a.prompty",
        """---
id: a
name: Leave
inputs:
  name: {type: string, sample: User, description: of the customer}
  tone: {type: string, required: false}
tools:
  - {id: docs, type: file_search, options: {max_number_results: 2}}
  - {id: code, type: code_interpreter}
  - {id: run, type: openapi}
---
# Job

Help {{name}}{{tone}}.

![thread]
""",
    )
    assert made("Leave") == {
        "format": 2,
        "instructions": "# Job\n\nHelp {{name}}{{tone}}.",
        "tools": {"file_search": True, "code_interpreter": True},
        "variables": {
            "name": {"description": "of the customer; for example: User"},
            "tone": {"default": ""},
        },
    }
    assert left(item) == [
        ("tag", "![thread]"),
        ("file_search", "max_number_results"),
        ("tool", "openapi"),
        ("key", "id"),
    ]


def test_dotprompt(take: Any) -> None:
    item = take("greet.prompt", DOTPROMPT)
    definition = made("greet")
    schema = json.loads(definition.pop("schema"))
    assert definition == {
        "format": 2,
        "instructions": "You work at {{location}}.",
        "default_text": "Greet, {{mood}}, {{style}}. {{literal}}",
        "settings": {"temperature": 0.9},
        "variables": {
            "location": {"default": "a restaurant", "description": "where it is"},
            "style": {"default": ""},
            "mood": {"description": "the mood", "choices": ["happy", "sad"]},
        },
    }
    assert schema["properties"]["items"] == {
        "type": "array",
        "items": {"type": "string"},
        "description": "things",
    }
    assert schema["properties"]["who"] == {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
        "required": ["name"],
        "additionalProperties": False,
    }
    assert schema["properties"]["kind"] == {"enum": ["A", "B"]}
    assert left(item) == [
        ("model", "googleai/gemini-1.5-flash"),
        ("config", "topK"),
        ("tag", "history"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.prompty", "---\nname: x\n---\nsystem:\na\n{% for x in y %}\n", "line 6: the template"),
        ("a.prompty", "---\nname: x\n---\nsystem:\n{{ a.b }}\n", "line 5: the template"),
        ("a.prompty", "---\nname: x\n---\nsystem:\n\n{{a|upper}}\n", "line 6: the template"),
        ("a.prompt", "---\nmodel: m\n---\nHi\n{{#if a}}b{{/if}}\n", "line 5: the template"),
        ("a.prompt", "Hi {{>part}}\n", "line 1: the template has logic, `{{>part}}`"),
        ("a.prompt", "See\n{{media url=x}}\n", "it has media; a definition can't"),
        ("_a.prompt", "Hi\n", "it is a partial"),
        ("a.prompty", "---\nmodel: {api: embedding}\n---\n{{x}}\n", "it is for embeddings"),
        ("a.prompt", "---\na: [\n---\nx\n", "not valid YAML"),
        ("SKILL.md", "# A skill\n", "it has no front matter between lines of `---`"),
        ("SKILL.md", "---\nname: a\n---\n\n", "it has no text below its front matter"),
        ("a.yml", "messages: 5\nmodel: x\n", "not in a known prompt format"),
        ("a.prompt.yml", "messages: []\n", "it has no messages"),
        ("a.yml", "messages:\n  - {role: tool, content: x}\n", "a message of the role `tool`"),
        ("a.yml", "on: push\njobs: {}\n", "a GitHub Actions workflow, not a prompt"),
        ("a.json", '{"id": "pmpt_1", "version": "2"}', "only refers to the stored prompt `pmpt_1`"),
        ("a.json", '{"object": "response", "model": "m"}', "the response has no `instructions`"),
        ("a.json", "{", "not valid JSON"),
        ("a.json", '{"a": 1}', "it is JSON, not in a known prompt format"),
        ("user.md", "x\n", "it belongs to a `system.md`"),
        ("a.md", "---\ntitle: x\n---\ny\n", "its front matter is not a prompt's"),
        ("a.toml", "instructions = 'x'\n", "it needs no import"),
        ("a.txt", "hello\n", "it is text, not in a known prompt format"),
        ("a.md", b"\xff\xfe\x00\xd8x\x00", "it holds binary data"),
        ("a.md", " \n", "it is blank"),
    ],
)  # fmt: skip
def test_what_is_refused(
    cli: Cli, write: Write, name: str, content: str | bytes, reason: str
) -> None:
    write(name, content)
    ran = cli("instruction", "import", name, "--project", "--json")
    assert (ran.code, ran.error["code"]) == (2, "not_imported")
    assert reason in ran.error["message"]
    assert ran.json["refused"][0]["path"] == name
    assert not Path("instructions").exists()


class TestOpenAI:
    def test_a_response(self, take: Any) -> None:
        item = take("answer.json", json.dumps(RESPONSE))
        definition = made("answer")
        assert json.loads(definition.pop("schema")) == {"type": "object"}
        assert definition == {
            "format": 2,
            "model": "gpt-6-luna",
            "instructions": "Be brief.",
            "default_text": "Greet me.",
            "tools": {
                "code_interpreter": {"memory": "4g"},
                "web_search": {"allowed_domains": ["example.com"], "location": {"country": "DE"}},
                "file_search": {"max_results": 5},
                "mcp": [
                    {
                        "label": "wiki",
                        "url": "https://mcp.example.com/sse",
                        "allowed_tools": ["ask"],
                        "approval": "never",
                    }
                ],
            },
            "settings": {
                "reasoning_effort": "low",
                "reasoning_summary": "auto",
                "verbosity": "low",
                "max_tool_calls": 3,
                "tool_choice": "mcp:wiki",
                "top_p": 0.9,
            },
        }
        assert item["hosted_tools"] == ["code_interpreter", "web_search", "mcp:wiki"]
        assert left(item) == [
            ("variable", "lang"),
            ("metadata", "team"),
            ("vector_store", "vs_1"),
            ("file", "file-1"),
            ("function", "look_up"),
            ("mcp", "wiki: authorization"),
            ("mcp", "drive"),
        ]
        assert "s3cr3t" not in json.dumps(item)

    @pytest.mark.parametrize(
        "allowed", [[], {"read_only": True}, {"read_only": True, "tool_names": ["ask"]}]
    )
    def test_a_server_of_which_less_was_allowed_is_asked_for(
        self, take: Any, allowed: object
    ) -> None:
        server: dict[str, Any] = {
            "type": "mcp",
            "server_label": "wiki",
            "server_url": "https://mcp.example.com/",
        }
        server |= {"require_approval": "never", "allowed_tools": allowed}
        item = take("answer.json", json.dumps({**RESPONSE, "tools": [server]}))
        assert made("answer")["tools"]["mcp"][0]["approval"] == "always"
        assert ("mcp", "wiki: allowed_tools") in left(item)

    @pytest.mark.parametrize(
        "saved",
        [
            {
                "object": "prompt",
                "id": "pmpt_1",
                "name": "Translator/2",
                "instructions": "Translate into {{lang}}.",
                "variables": {"lang": {"default": "French"}, "other": None},
                "model": "gpt-6-luna",
            },
            {
                "model": "gpt-6-luna",
                "name": "Translator/2",
                "input": [
                    {"role": "developer", "content": [{"text": "Translate into {{lang}}."}]},
                    {"role": "user", "content": "{{input}}"},
                ],
                "variables": [{"name": "lang", "default": "French"}, {"name": "other"}],
            },
        ],
    )
    def test_a_stored_prompt(self, take: Any, saved: dict[str, Any]) -> None:
        item = take("x.json", json.dumps(saved))
        assert item["notes"][0] == "its name `Translator/2` became `Translator-2`"
        assert made("Translator-2") == {
            "format": 2,
            "model": "gpt-6-luna",
            "instructions": "Translate into {{lang}}.",
            "variables": {"lang": {"default": "French"}},
        }
        assert left(item) == [("variable", "other")]

    def test_assistants(self, cli: Cli, write: Write) -> None:
        both = [
            {"object": "assistant", "name": "A", "instructions": "a", "model": "gpt-4"},
            {"object": "assistant", "name": "B", "instructions": "b", "tools": [RETRIEVAL]},
            {"object": "assistant", "name": "C", "instructions": None},
        ]  # fmt: skip
        write("all.json", json.dumps({"object": "list", "data": both[:2]}))
        ran = cli("instruction", "import", "all.json", "--project", "--json")
        assert [each["name"] for each in ran.json["imported"]] == ["A", "B"]
        assert made("A") == {"instructions": "a"}
        assert "shut down" in imported(ran, "A")["notes"][0]
        assert made("B")["tools"] == {"file_search": True}
        write("c.json", json.dumps(both[2]))
        ran = cli("instruction", "import", "c.json", "--json")
        assert "`C` has no `instructions`" in ran.error["message"]


class TestWriting:
    def test_a_dry_run_shows_the_file_and_writes_nothing(self, cli: Cli, write: Write) -> None:
        write("t.yaml", "system: Be brief.\n")
        ran = cli("instruction", "import", "t.yaml", "--project", "-n")
        assert (ran.code, tomllib.loads(ran.text)) == (0, {"instructions": "Be brief."})
        assert ran.stderr == "would create `instructions/t.toml`\n"
        assert not Path("instructions").exists()

    def test_the_users_own_are_private(self, cli: Cli, write: Write, home: Path) -> None:
        write("t.yaml", "system: Be brief.\n")
        assert cli("instruction", "import", "t.yaml").code == 0
        assert (home / "config/instructions/t.toml").stat().st_mode & 0o777 == 0o600

    def test_what_is_there_is_only_replaced_with_force(self, cli: Cli, write: Write) -> None:
        write("instructions/t.toml", "instructions = 'mine'\n")
        write("t.yaml", "system: Be brief.\n")
        write("u.yaml", "system: Be long.\n")
        ran = cli("instruction", "import", "t.yaml", "u.yaml", "--project", "--json")
        assert (ran.code, ran.error["code"]) == (6, "partly_done")
        assert ran.json["refused"][0]["reason"] == (
            "`instructions/t.toml` already exists with other content; `--force` replaces it"
        )
        assert (made("t"), made("u")) == ({"instructions": "mine"}, {"instructions": "Be long."})
        again = cli("instruction", "import", "t.yaml", "u.yaml", "--project", "--force", "--json")
        assert [each["action"] for each in again.json["imported"]] == ["replace", "unchanged"]
        assert made("t") == {"instructions": "Be brief."}

    def test_never_through_a_link(self, cli: Cli, write: Write) -> None:
        write("t.yaml", "system: Be brief.\n")
        write("victim", "kept")
        Path("instructions").mkdir()
        Path("instructions/t.toml").symlink_to(Path("victim").resolve())
        ran = cli("instruction", "import", "t.yaml", "--project", "--force")
        assert (ran.code, Path("victim").read_text()) == (2, "kept")
        assert "is a symbolic link, which gptasst does not write through" in ran.stderr

    def test_two_of_one_name(self, cli: Cli, write: Write) -> None:
        write("p/one.prompty", "---\nname: Basic Prompt\n---\nsystem:\na\n")
        write("p/two.prompty", "---\nname: basic prompt\n---\nsystem:\nb\n")
        write("p/x/two.prompty", "---\nname: Basic prompt\n---\nsystem:\nc\n")
        ran = cli("instruction", "import", "p", "--project", "--json")
        assert [each["name"] for each in ran.json["imported"]] == ["Basic Prompt", "two"]
        assert ran.code == 6
        assert "has the same name, `Basic prompt`" in ran.json["refused"][0]["reason"]

    @pytest.mark.parametrize(
        ("name", "file"),
        [
            ("../../etc/passwd", "etc-passwd"),
            ("a\x1b[31mb\nc", "a [31mb c"),
            ("-n", "n"),
            ("CON", "CON_"),
            ("x.toml", "x"),
            ("é" * 300, "é" * 100),
            ("///", "t"),
        ],
    )
    def test_names(self, cli: Cli, write: Write, name: str, file: str) -> None:
        write("t.json", json.dumps({"name": name, "model": "m", "instructions": "x"}))
        assert cli("instruction", "import", "t.json", "--project").code == 0
        assert [each.name for each in Path("instructions").iterdir()] == [f"{file}.toml"]

    def test_a_name_from_the_command_line(self, cli: Cli, write: Write) -> None:
        ran = cli("instruction", "import", "-", "--project", "--name", "Mine", stdin=b"system: x\n")
        assert (ran.code, made("Mine")) == (0, {"instructions": "x"})
        ran = cli("instruction", "import", "-", "--project", "--json", stdin=b"system: x\n")
        assert "it has no usable name: `--name` gives it one" in ran.error["message"]
        write("a.yaml", "system: a\n")
        write("b.yaml", "system: b\n")
        ran = cli("instruction", "import", "a.yaml", "b.yaml", "--name", "X", "--json")
        assert (ran.code, ran.error["code"]) == (2, "usage")
        ran = cli("instruction", "import", "a.yaml", "--name", "x/y", "--json")
        assert (ran.code, ran.error["code"]) == (2, "bad_name")

    def test_one_that_hides_another(self, cli: Cli, write: Write) -> None:
        write("Translator.yaml", "system: x\n")
        ran = cli("instruction", "import", "Translator.yaml", "--project")
        assert "Translator: `Translator` hides the instruction `" in ran.stderr


class TestDirectories:
    def test_links_out_of_the_tree_and_secrets(
        self, cli: Cli, write: Write, tmp_path: Path
    ) -> None:
        (tmp_path / "outside.yaml").write_text("system: secret\n")
        write("p/a.yaml", "system: a\n")
        Path("p/link.yaml").symlink_to(tmp_path / "outside.yaml")
        write(
            "p/key.yaml",
            f"system: |\n  -----BEGIN RSA PRIVATE KEY-----\n  {'MIIabcdefghij0123' * 4}\n",
        )
        write("p/.hidden.yaml", "system: x\n")
        ran = cli("instruction", "import", "p", "--project", "--json")
        assert (ran.code, [each["name"] for each in ran.json["imported"]]) == (0, ["a"])
        reasons = {each["path"]: each["reason"] for each in ran.json["skipped"]}
        assert "is a link that leads out" in reasons["p/link.yaml"]
        assert "counts as secret: it holds a private key" in reasons["p/key.yaml"]

    def test_a_secret_that_is_named(self, cli: Cli, write: Write) -> None:
        write(
            "key.yaml",
            f"system: |\n  -----BEGIN RSA PRIVATE KEY-----\n  {'MIIabcdefghij0123' * 4}\n",
        )
        ran = cli("instruction", "import", "key.yaml", "--json")
        assert (ran.code, ran.error["code"]) == (2, "secret")

    def test_what_is_none_is_skipped(self, cli: Cli, write: Write) -> None:
        write("p/a.yaml", "system: a\n")
        write("p/README.md", "# hi\n")
        write("p/main.go", "package main\n")
        write("p/openapi.yaml", "openapi: 3.1.0\n")
        ran = cli("instruction", "import", "p", "--project")
        assert ran.code == 0
        assert ran.stderr.splitlines() == [
            "skipped `p/README.md`: it is text, not in a known prompt format",
            "skipped `p/main.go`: its name is not a prompt's",
            "skipped `p/openapi.yaml`: it is YAML, not in a known prompt format",
        ]

    def test_nothing_there(self, cli: Cli, write: Write) -> None:
        write("p/README.md", "# hi\n")
        ran = cli("instruction", "import", "p", "--json")
        assert (ran.code, ran.error["code"]) == (2, "not_imported")
        assert cli("instruction", "import", "nowhere").code == 2

    def test_a_large_file(self, cli: Cli, write: Write) -> None:
        write("p/a.yaml", "system: a\n")
        write("p/b.md", b"x" * 4_000_001)
        ran = cli("instruction", "import", "p", "--project", "--json")
        assert (ran.code, ran.json["refused"]) == (0, [])
        assert "it is larger than 4,000,000 bytes" in ran.json["skipped"][0]["reason"]

    def test_what_is_broken(self, cli: Cli, write: Write) -> None:
        write("p/a.yaml", "system: a\n")
        write("p/tsconfig.json", "{ // comment\n}")
        write("p/post.md", "---\n- x\n---\nText\n")
        write("p/i18n.yml", "a: b: c\n")
        write("p/bad.prompt.yml", "a: b: c\nmessages:\n")
        write("p/old.json", '{"object": "response", ')
        write("p/s/SKILL.md", b"\xff\xfe\x00\xd8x\x00")
        ran = cli("instruction", "import", "p", "--project", "--json")
        assert (ran.code, [each["name"] for each in ran.json["imported"]]) == (6, ["a"])
        assert {Path(each["path"]).name for each in ran.json["refused"]} == {
            "bad.prompt.yml",
            "old.json",
            "SKILL.md",
        }
        assert len(ran.json["skipped"]) == 3

    def test_hidden_directories_are_named(self, cli: Cli, write: Write) -> None:
        write(".claude/agents/code-reviewer.md", AGENT)
        write(".claude/skills/pdf/SKILL.md", "---\nname: pdf\ndescription: d\n---\nDo.\n")
        ran = cli("instruction", "import", ".claude/agents", ".claude/skills", "-q", "--project")
        assert ran.lines == ["code-reviewer", "pdf"]


def test_an_imported_prompt_runs(cli: Cli, write: Write, server: LoopbackServer) -> None:
    write("t.prompt.yml", PROMPT_YAML.replace("{{ audience }}", "children"))
    write("a.txt", "The fox jumped.\n")
    cli("instruction", "import", "t.prompt.yml", "--project")
    assert cli("run", "Text Summarizer", "a.txt").code == 0
    body = server.requests[-1].json
    assert body["instructions"] == "You are a summarizer for children."
    assert "<text>\n(the input that follows)\n</text>" in json.dumps(body["input"]).replace(
        "\\n", "\n"
    )


def test_a_prompt_of_variables_alone_runs(cli: Cli, write: Write, server: LoopbackServer) -> None:
    write("r.yaml", "prompt: 'Cook $what'\n")
    cli("instruction", "import", "r.yaml", "--project")
    assert cli("run", "r").code == 2
    assert server.requests == []
    assert cli("run", "r", "--var", "what=eggs").code == 0
    assert "Cook eggs" in json.dumps(server.requests[-1].json["input"])
    assert cli("run", "Translator", "--var", "lang=French").code == 2


@pytest.mark.skipif(not PUBLIC.exists(), reason="the public prompts are not at hand")
def test_every_public_prompt(cli: Cli) -> None:
    ran = cli("instruction", "import", PUBLIC, "--project", "--json")
    assert (ran.code, ran.json["refused"]) == (0, [])
    assert len(ran.json["imported"]) == 94
    assert [Path(each["path"]).name for each in ran.json["skipped"]] == ["evals_action.yml"]
    assert cli("instruction", "validate").code == 0


def test_one_bad_assistant_of_a_list_keeps_no_other_out(cli: Cli, write: Write) -> None:
    saved = [
        {"id": "asst_1", "object": "assistant", "name": "Math", "instructions": "You teach."},
        {"id": "asst_2", "object": "assistant", "name": None, "instructions": None, "model": "m"},
    ]
    write("all.json", json.dumps({"object": "list", "data": saved}))
    ran = cli("instruction", "import", "all.json", "--project", "--json")
    assert ran.code == 6
    assert [one["name"] for one in ran.json["imported"]] == ["Math"]
    assert [one["reason"] for one in ran.json["refused"]] == [
        "number 2 (`asst_2`) of 2: `all` has no `instructions`"
    ]


def test_a_folded_description_is_one_line(cli: Cli, write: Write) -> None:
    write("a.md", "---\nname: a\ndescription: >\n  folded\n  text\n---\nDo.\n")
    assert cli("instruction", "import", "a.md", "--project").code == 0
    assert 'description = "folded text"\n' in Path("instructions/a.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.prompt",
            "---\ninput: {schema: {type: object, properties: {q: {enum: 5}}}}\n---\nDo {{q}}",
        ),
        (
            "a.prompt",
            "---\ninput: {schema: {properties: {q: {}}, required: null}}\n---\nDo {{q}}",
        ),
        ("a.prompt", "---\ninput: {schema: {q?: {type: string, enum: null}}}\n---\nDo {{q}}"),
        ("a.prompty", "---\nmodel: {parameters: {tools: true}}\n---\nsystem:\nDo it"),
        ("a.json", f'{{"model": "m", "input": "Do it", "temperature": 1{"0" * 400}}}'),
        (
            "a.prompt.yml",
            "messages: [{role: user, content: Do it}]\n"  # noqa: ISC004
            "testData: [{}]\nevaluators: [{name: e, string: {contains: '{{}}'}}]",
        ),
    ],
)
def test_values_of_wrong_types_stop_no_other_import(
    cli: Cli, write: Write, name: str, content: str
) -> None:
    write(f"there/{name}", content)
    write("there/b.md", AGENT)
    ran = cli("instruction", "import", "there", "--project", "--json")
    assert ran.code in (0, 6), ran
    assert Path("instructions/code-reviewer.toml").exists()


def test_no_name_makes_an_instruction_a_file_of_cases(cli: Cli, write: Write) -> None:
    write("agent.md", AGENT.replace("code-reviewer", "review.cases.toml"))
    assert cli("instruction", "import", "agent.md", "--project").code == 0
    assert Path("instructions/review.toml").exists()
    for words in (("new",), ("import", "agent.md", "--name")):
        ran = cli("instruction", *words, "other.cases")
        assert (ran.code, "ends like a file of cases" in ran.stderr) == (2, True)


def test_cases_of_the_old_one_stay_and_are_named(cli: Cli, write: Write) -> None:
    cases = '[[case]]\nname = "c"\ninput = "x"\ncontains = "x"\n'
    write("instructions/Short.toml", 'instructions = "Old."\n')
    write("instructions/Short.cases.toml", cases)
    write("Short.prompt.yml", "messages:\n- role: system\n  content: New.\n")
    words = ("instruction", "import", "Short.prompt.yml", "--name", "Short", "--project", "--force")
    ran = cli(*words)
    assert "the cases in `instructions/Short.cases.toml` stay: check that they fit" in ran.stderr
    assert Path("instructions/Short.cases.toml").read_text() == cases
    assert "stay" not in cli(*words).stderr  # nothing is written
