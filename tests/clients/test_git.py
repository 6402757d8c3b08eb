"""git behind the gateway: a server and a client that nobody here wrote, with a token added."""

import os
import subprocess

import pytest
import requests

from conftest import SECRETS


def token(gateway, scope: str) -> str:
    form = {"grant_type": "client_credentials", "scope": scope}
    answer = requests.post(gateway.endpoint("token"), data=form, auth=("service", SECRETS["service"]), timeout=10)
    answer.raise_for_status()
    return answer.json()["access_token"]


def git(*arguments, bearer=None, folder=None):
    """Runs git as a person would, with nothing of this machine's settings."""
    field = [] if bearer is None else ["-c", f"http.extraHeader=Authorization: Bearer {bearer}"]
    settings = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_AUTHOR_NAME": "Alice",
        "GIT_AUTHOR_EMAIL": "alice@example.com",
        "GIT_COMMITTER_NAME": "Alice",
        "GIT_COMMITTER_EMAIL": "alice@example.com",
    }
    command = ["git", *field, *arguments]
    return subprocess.run(command, cwd=folder, env=os.environ | settings, capture_output=True, text=True, check=False)


@pytest.fixture
def clone(gateway, tmp_path):
    """A clone made through the gateway."""
    work = tmp_path / "work"
    done = git("clone", "--quiet", f"{gateway.url}/git/notes.git", str(work), bearer=token(gateway, "git:read"))
    assert done.returncode == 0, done.stderr
    return work


def commit(folder, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    assert git("add", name, folder=folder).returncode == 0
    assert git("commit", "--quiet", "-m", f"Add {name}", folder=folder).returncode == 0


def test_without_a_token_git_is_refused(gateway, tmp_path):
    done = git("clone", f"{gateway.url}/git/notes.git", str(tmp_path / "x"))
    assert done.returncode != 0
    assert "Authentication failed" in done.stderr or "401" in done.stderr or "could not read" in done.stderr


def test_pushing_needs_the_scope_to_write(gateway, clone):
    commit(clone, "refused.txt", b"refused")
    done = git("push", "origin", "HEAD:refs/heads/refused", folder=clone, bearer=token(gateway, "git:read"))
    assert done.returncode != 0
    assert "403" in done.stderr


def test_what_was_pushed_can_be_cloned(gateway, clone, tmp_path, git_server):
    content = os.urandom(3_000_000)
    commit(clone, "notes.bin", content)
    # a small buffer makes git send the pack chunked
    bearer = token(gateway, "git:write")
    push = ["-c", "http.postBuffer=65536", "push", "origin", "HEAD:refs/heads/main"]
    done = git(*push, folder=clone, bearer=bearer)
    assert done.returncode == 0, done.stderr
    again = tmp_path / "again"
    done = git("clone", "--quiet", f"{gateway.url}/git/notes.git", str(again), bearer=token(gateway, "git:read"))
    assert done.returncode == 0, done.stderr
    assert (again / "notes.bin").read_bytes() == content
    for _, path, fields in git_server.seen:
        assert fields.get("x-auth-client") == "service", path
        assert "authorization" not in fields and bearer not in str(fields)


def test_a_revoked_token_ends_access_at_once(gateway, clone):
    bearer = token(gateway, "git:read")
    assert git("ls-remote", "origin", folder=clone, bearer=bearer).returncode == 0
    requests.post(
        gateway.endpoint("revoke"), data={"token": bearer}, auth=("service", SECRETS["service"]), timeout=10
    ).raise_for_status()
    assert git("ls-remote", "origin", folder=clone, bearer=bearer).returncode != 0
