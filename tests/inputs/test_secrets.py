"""Which names and contents count as secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptasst.inputs.screening import (
    LOOKED_AT,
    secret_content,
    secret_file,
    secret_name,
    secret_text,
)

NAMES = """
.env .ENV .env.local .env.production .env~ .env-old .env.md prod.env .envrc
id_rsa ID_RSA id_dsa id_ecdsa id_ed25519 id_ed25519_sk id_rsa.bak id_rsa_work ssh_host_rsa_key
server.pem server.key AuthKey.p8 store.p12 store.pfx putty.ppk trust.jks app.keystore x.keytab
passwords.kdbx old.kdb login.keychain-db Default.keyring secring.gpg wallet.dat
credentials credentials.json .credentials.json credentials.toml credentials.tfrc.json
secrets.toml secrets.yaml secret.json service-account.json service_account_prod.json
client_secret_42.apps.json application_default_credentials.json keys.json
.netrc _netrc .pgpass pgpass.conf .my.cnf .npmrc .pypirc .git-credentials .htpasswd .dockercfg
.vault-token .vault_pass.txt terraform.tfstate accessTokens.json .s3cfg .boto
rclone.conf kubeconfig terraform.rc
.aws/credentials .docker/config.json .kube/config .config/gh/hosts.yml /etc/shadow
"""
HARMLESS = """
.env.example .env.sample .env.template .env.local.dist example.env my.sample.env .environment
environment.md env id_rsa.pub id_ed25519_sk.pub server.pem.example id_mapping.py rapid_rsa
credentials.md credentials.py secrets.py secretary.json tokens.json key.md monkey keyboard.js
config config.json docker/config.json hosts.yml shadow README.md .gitignore certificate.crt
"""


BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"


@pytest.mark.parametrize("name", NAMES.split())
def test_names(name: str) -> None:
    assert secret_name(Path(name))
    assert secret_name(Path("some/where", name)) or name.startswith("/")


@pytest.mark.parametrize(
    "name", [".env\n", ".env.a\nb", "a\nb.pem", "a\nb.env", "server.pem.", "server.key ", ".env. "]
)
def test_odd_names(name: str) -> None:
    assert secret_name(Path(name))


@pytest.mark.parametrize("name", HARMLESS.split())
def test_names_that_are_harmless(name: str) -> None:
    assert secret_name(Path(name)) is None


@pytest.mark.parametrize(
    "header",
    [
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----",
        "-----BEGIN EC PRIVATE KEY-----",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
        "PuTTY-User-Key-File-3: ssh-ed25519",
        "AGE-SECRET-KEY-1QQQ",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_contents(header: str, encoding: str) -> None:
    text = f'{{"private_key": "{header}\\n{BODY}"}}'
    assert secret_text(text)
    assert secret_content(text.encode(encoding))


def test_a_header_whose_body_may_still_come() -> None:
    assert secret_text("-----BEGIN PRIVATE KEY-----\n")


@pytest.mark.parametrize(
    "text",
    [
        f"-----BEGIN PUBLIC KEY-----\n{BODY}",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n" + BODY,
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA...\n-----END RSA PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n" + "x" * 64 + "\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----",
        "a private key begins with BEGIN PRIVATE KEY",
        "",
        " " * LOOKED_AT + f"-----BEGIN PRIVATE KEY-----\n{BODY}",  # only the beginning is read
    ],
)
def test_contents_that_are_harmless(text: str) -> None:
    assert secret_text(text) is None
    assert secret_content(text.encode()) is None


def test_links_that_go_round() -> None:
    Path("a").symlink_to("b")
    Path("b").symlink_to("a")
    assert secret_file(Path("a")) is None


def test_the_list_in_the_documentation() -> None:
    """What is promised there is true: each name in it counts."""
    page = Path(__file__).parents[2].joinpath("docs/how-to/secrets.md").read_text("utf-8")
    (line,) = (row for row in page.splitlines() if row.startswith("| refused by name |"))
    named = [word for word in line.split("`")[1::2] if "/" not in word]
    assert len(named) > 10
    for name in named:
        assert secret_name(Path(name.replace("*", "x")))
