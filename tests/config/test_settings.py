"""Profiles: what decides, which key goes where, and errors that name file and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gptasst.config.profile import Profile
from gptasst.config.settings import Settings
from gptasst.errors import AccessDenied, GptasstError, InvalidDefinition, NotFound, UsageError
from tests.conftest import Cli
from tests.loopback import LoopbackServer

CONFIG = """\
[profiles.ollama]
base_url = "http://127.0.0.1:11434/v1/"
model = "qwen3"
timeout = 30

[profiles.azure]
base_url = "https://res.openai.azure.com/openai/v1"
api_key_env = "AZURE_KEY"
headers = { x-team = "docs" }

[profiles.lan]
base_url = "http://10.0.0.5:8000/v1"
api_key_env = "LAN_KEY"

[profiles.openai]
model = "gpt-6.2-sol"
timeout = 40
"""

Configure = Callable[..., Settings]


@pytest.fixture
def configure(home: Path) -> Configure:
    def make(config: str = CONFIG, **environ: str) -> Settings:
        path = home / "config" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(config, "utf-8")
        return Settings(path, environ)

    return make


class TestChoice:
    @pytest.mark.parametrize(
        ("environ", "config", "name", "chosen"),
        [
            ({}, "", "local", "fallback"),
            ({"OPENAI_API_KEY": "sk"}, "", "openai", "key"),
            ({"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}, "", "openai", "key"),
            ({"OPENAI_API_KEY": "sk"}, 'profile = "local"', "local", "named"),
            ({"OPENAI_API_KEY": "sk", "GPTASST_PROFILE": "local"}, "", "local", "named"),
            ({"GPTASST_PROFILE": "openai"}, 'profile = "local"', "openai", "named"),
        ],
    )
    def test_without_an_option(
        self, configure: Configure, environ: dict[str, str], config: str, name: str, chosen: str
    ) -> None:
        profile = configure(config, **environ).profile()
        assert (profile.name, profile.chosen) == (name, chosen)

    def test_option_comes_first(self, configure: Configure) -> None:
        settings = configure('profile = "local"\n' + CONFIG, GPTASST_PROFILE="azure")
        assert settings.profile("ollama").name == "ollama"

    def test_unknown(self, configure: Configure) -> None:
        with pytest.raises(NotFound, match="no profile `olama`") as caught:
            configure().profile("olama")
        assert caught.value.hint == "did you mean `ollama`?"

    def test_unknown_by_variable(self, configure: Configure) -> None:
        with pytest.raises(NotFound, match="no profile `olama`, which GPTASST_PROFILE names"):
            configure(GPTASST_PROFILE="olama").profile()

    def test_without_a_file(self, tmp_path: Path) -> None:
        assert Settings(tmp_path / "none.toml", {}).profile().embedded


class TestPrecedence:
    def test_variables_come_before_the_file(self, configure: Configure) -> None:
        environ = {
            "GPTASST_BASE_URL": "http://127.0.0.1:9/v1",
            "GPTASST_MODEL": "m",
            "GPTASST_TIMEOUT": "2.5",
            "GPTASST_API_KEY": "k",
        }
        profile = configure(**environ).profile("ollama")
        assert (profile.base_url, profile.model) == ("http://127.0.0.1:9/v1", "m")
        assert (profile.timeout, profile.api_key) == (2.5, "k")

    def test_file_comes_before_the_default(self, configure: Configure) -> None:
        profile = configure(OPENAI_API_KEY="sk").profile("openai")
        assert (profile.model, profile.timeout) == ("gpt-6.2-sol", 40)
        assert configure("").profile("openai").model == "gpt-6-luna"

    def test_own_variables_come_before_those_of_openai(self, configure: Configure) -> None:
        urls = {"OPENAI_BASE_URL": "https://a.example/v1", "GPTASST_BASE_URL": "https://b.example"}
        assert configure(**urls).profile("openai").base_url == "https://b.example"
        keys = {"OPENAI_API_KEY": "theirs", "GPTASST_API_KEY": "own"}
        assert configure(**keys).profile("openai").api_key == "own"

    def test_of_openai_come_before_the_file(self, configure: Configure) -> None:
        config = '[profiles.openai]\nbase_url = "https://a.example/v1"'
        profile = configure(config, OPENAI_BASE_URL="https://b.example/v1").profile("openai")
        assert profile.base_url == "https://b.example/v1"

    def test_options_come_before_all(
        self, cli: Cli, server: LoopbackServer, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GPTASST_TIMEOUT", "0.001")
        words = ["run", "DocWriter", "-t", "x", "-m", "gpt-6.2-astra", "--timeout", "60"]
        assert cli(*words).code == 0
        assert server.requests[-1].json["model"] == "gpt-6.2-astra"


class TestStore:
    @pytest.mark.parametrize(
        ("name", "variable", "store"),
        [
            ("openai", "", "openai"),
            ("ollama", "", "local"),
            ("local", "", "local"),
            ("openai", "local", "local"),
            ("ollama", "openai", "openai"),
        ],
    )
    def test_default_and_variable(
        self, configure: Configure, name: str, variable: str, store: str
    ) -> None:
        assert configure(GPTASST_STORE=variable).profile(name).store == store


class TestKeys:
    @pytest.mark.parametrize("name", ["ollama", "azure", "lan", "local"])
    def test_openai_variables_reach_nobody_else(self, configure: Configure, name: str) -> None:
        environ = {"OPENAI_API_KEY": "sk-openai", "OPENAI_BASE_URL": "https://o.example/v1"}
        profile = configure(**environ).profile(name)
        assert profile.api_key is None
        assert "o.example" not in profile.endpoint

    def test_named_variable(self, configure: Configure) -> None:
        profile = configure(AZURE_KEY=" key\n").profile("azure")
        assert (profile.api_key, profile.key_source) == ("key", "AZURE_KEY")
        assert profile.headers.values == {"x-team": "docs"}

    def test_named_variable_is_missing(self, configure: Configure) -> None:
        with pytest.raises(AccessDenied, match="AZURE_KEY is not set"):
            configure().profile("azure").require_key()

    @pytest.mark.parametrize("name", ["ollama", "local"])
    def test_none_is_needed(self, configure: Configure, name: str) -> None:
        configure().profile(name).require_key()

    def test_none_is_needed_at_another_openai_base_url(self, configure: Configure) -> None:
        profile = configure(OPENAI_BASE_URL="http://127.0.0.1:11434/v1").profile()
        profile.require_key()
        assert profile.api_key is None

    def test_not_for_a_server_from_a_variable(self, configure: Configure) -> None:
        elsewhere = {"AZURE_KEY": "key", "GPTASST_BASE_URL": "https://other.example/v1"}
        assert configure(**elsewhere).profile("azure").api_key is None
        same = {"AZURE_KEY": "key", "GPTASST_BASE_URL": "https://res.openai.azure.com/v2"}
        assert configure(**same).profile("azure").api_key == "key"

    @pytest.mark.parametrize("variable", ["LAN_KEY", "GPTASST_API_KEY"])
    def test_refused_over_plain_http(self, configure: Configure, variable: str) -> None:
        with pytest.raises(AccessDenied, match=f"the key in `{variable}` would go to") as caught:
            configure(**{variable: "key"}).profile("lan")
        assert caught.value.code == "insecure_endpoint"

    @pytest.mark.parametrize("name", ["Authorization", "api-key", "X-Auth-Token", "Cookie"])
    def test_headers_refused_over_plain_http(self, tmp_path: Path, name: str) -> None:
        file = tmp_path / "config.toml"
        table = '[profiles.lan]\nbase_url = "http://10.0.0.5/v1"\n[profiles.lan.headers]\n'
        file.write_text(f'{table}"{name}" = "x"\n')
        with pytest.raises(AccessDenied, match=f"the header `{name}` would go to") as caught:
            Settings(file, {}).profile("lan")
        assert caught.value.code == "insecure_endpoint"
        file.write_text(f'{table}"X-Team" = "x"\n')
        assert Settings(file, {}).profile("lan").headers.values == {"X-Team": "x"}

    def test_a_password_refused_over_plain_http(self, configure: Configure) -> None:
        environ = {"GPTASST_BASE_URL": "http://me:pass@10.0.0.5/v1"}
        with pytest.raises(AccessDenied, match="password in the base URL would go to http://10"):
            configure(**environ).profile("ollama")

    def test_plain_http_without_a_key(self, configure: Configure) -> None:
        assert configure().profile("lan").base_url == "http://10.0.0.5:8000/v1"

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.9.9.9"])
    def test_plain_http_on_this_machine(self, configure: Configure, host: str) -> None:
        environ = {"GPTASST_BASE_URL": f"http://{host}:1/v1", "GPTASST_API_KEY": "key"}
        assert configure(**environ).profile("ollama").api_key == "key"

    @pytest.mark.parametrize("host", ["127.evil.example", "localhost.evil.example"])
    def test_host_that_only_looks_like_this_machine(self, configure: Configure, host: str) -> None:
        environ = {"GPTASST_BASE_URL": f"http://{host}/v1", "GPTASST_API_KEY": "key"}
        with pytest.raises(AccessDenied):
            configure(**environ).profile("ollama")

    @pytest.mark.parametrize("key", ["sk-é", "sk-a\nb", "sk-…"])
    def test_what_is_no_key(self, configure: Configure, key: str) -> None:
        with pytest.raises(AccessDenied, match="`OPENAI_API_KEY` holds characters") as caught:
            configure(OPENAI_API_KEY=key).profile("openai")
        assert key not in caught.value.message

    def test_not_in_what_is_printed(self, configure: Configure) -> None:
        profile = configure(OPENAI_API_KEY="sk-secret").profile()
        assert isinstance(profile, Profile)
        assert "sk-secret" not in repr(profile)


class TestOnTheWire:
    @pytest.mark.parametrize("custom", ["x-mine: 1", "Authorization: Basic b3RoZXI="])
    def test_own_key(
        self,
        cli: Cli,
        server: LoopbackServer,
        home: Path,
        monkeypatch: pytest.MonkeyPatch,
        custom: str,
    ) -> None:
        (home / "config").mkdir(parents=True)
        (home / "config" / "config.toml").write_text(
            f'[profiles.mine]\nbase_url = "{server.base_url}"\napi_key_env = "MINE"\n'
        )
        monkeypatch.setenv("MINE", "own-key")
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", custom)
        assert cli("run", "DocWriter", "-t", "x", "--profile", "mine").code == 0
        assert server.requests[0].headers["authorization"] == "Bearer own-key"
        assert "x-mine" not in server.requests[0].headers

    def test_no_key_and_nothing_of_openai(
        self, cli: Cli, server: LoopbackServer, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (home / "config").mkdir(parents=True)
        (home / "config" / "config.toml").write_text(
            f'[profiles.ollama]\nbase_url = "{server.base_url}"\n'
            '[profiles.ollama.headers]\nx-team = "docs"\n'
        )
        monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
        monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-mine: 1")
        monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin")
        assert cli("run", "DocWriter", "-t", "x", "--profile", "ollama").code == 0

        (request,) = server.requests
        ours = {"authorization", "openai-organization", "openai-project", "x-mine"}
        assert ours & set(request.headers) == set()
        assert request.headers["x-team"] == "docs"

        assert cli("run", "DocWriter", "-t", "x", "--profile", "openai").code == 0
        assert ours <= set(server.requests[-1].headers)


class TestMistakes:
    @pytest.mark.parametrize(
        ("config", "line", "problem"),
        [
            ("x = ", 1, "not valid TOML"),
            ('\nprofil = "x"', 2, "unknown key `profil`"),
            ("profiles = 3", 1, "key `profiles` must be a table"),
            ('[profiles.a]\nbase_ulr = "x"', 2, "unknown key `base_ulr` in [profiles.a]"),
            ('[profiles.a]\nmodel = "m"', 1, "missing key `profiles.a.base_url`"),
            ("[profiles.a]\nbase_url = 1", 2, "key `profiles.a.base_url` must be a string"),
            ('[profiles.a]\nbase_url = "http://h"\ntimeout = 0', 3, "must be from"),
            ('[profiles.a]\nbase_url = "http://h"\ntimeout = nan', 3, "must be from"),
            ('[profiles.a]\nbase_url = "http://h"\nstore = "s3"', 3, "which is not one of"),
            ('[profiles.a]\nbase_url = "http://h"\nheaders = { a = 1 }', 3, "must be a string"),
            ('[profiles.a]\nbase_url = "http://h"\napi_key = "sk"', 3, "unknown key `api_key`"),
        ],
    )
    def test_file_and_line(
        self, configure: Configure, home: Path, config: str, line: int, problem: str
    ) -> None:
        with pytest.raises(InvalidDefinition) as caught:
            configure(config).profile("a")
        path = home / "config" / "config.toml"
        assert caught.value.message.startswith(f"{path}:{line}: ")
        assert problem in caught.value.message

    def test_through_the_command(self, cli: Cli, home: Path) -> None:
        (home / "config").mkdir(parents=True)
        (home / "config" / "config.toml").write_text("\n\nprofil = 1\n")
        ran = cli("run", "DocWriter", "-t", "x")
        assert ran.code == 2
        assert ":3: unknown key `profil`\nhint: did you mean `profile`?" in ran.stderr

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("GPTASST_TIMEOUT", "soon"),
            ("GPTASST_TIMEOUT", "0"),
            ("GPTASST_TIMEOUT", "99999999999"),
            ("GPTASST_STORE", "s3"),
            ("GPTASST_BASE_URL", "127.0.0.1:8000"),
            ("GPTASST_BASE_URL", "ftp://host/v1"),
        ],
    )
    def test_variables(self, configure: Configure, variable: str, value: str) -> None:
        with pytest.raises(UsageError, match=value):
            configure(**{variable: value}).profile("ollama")

    def test_not_utf_8(self, tmp_path: Path) -> None:
        (tmp_path / "config.toml").write_bytes(b"# \xff")
        with pytest.raises(GptasstError, match="can't be read"):
            Settings(tmp_path / "config.toml", {})
