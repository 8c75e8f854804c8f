from __future__ import annotations

import os
import subprocess

import pytest

from telemetry_core.git import git_fields

pytestmark = pytest.mark.needs("git")


def git(directory, *arguments):
    identity = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    identity |= {
        f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["git", "-C", str(directory), *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **identity},
    )
    return done.stdout.strip()


def look(directory, monkeypatch):
    monkeypatch.chdir(directory)
    git_fields.cache_clear()
    return git_fields()


@pytest.fixture(autouse=True)
def _forget():
    yield
    git_fields.cache_clear()


@pytest.fixture
def repository(tmp_path):
    """A repository with one commit on the branch `work/one`."""
    made = tmp_path / "project"
    made.mkdir()
    git(made, "init", "-q")
    git(made, "checkout", "-q", "-b", "work/one")
    git(made, "commit", "-q", "--allow-empty", "-m", "first")
    return made


def test_branch_commit_and_name_are_read(repository, monkeypatch):
    """From any directory inside, by what git itself says of the commit."""
    inside = repository / "a/b"
    inside.mkdir(parents=True)
    assert look(inside, monkeypatch) == {
        "git_repo": "project",
        "git_branch": "work/one",
        "git_commit_hash": git(repository, "rev-parse", "HEAD"),
    }


def test_packed_refs_are_read(repository, monkeypatch):
    """After `git pack-refs` the branch has no file of its own."""
    git(repository, "pack-refs", "--all")
    assert not (repository / ".git/refs/heads/work/one").exists()
    fields = look(repository, monkeypatch)
    assert fields["git_commit_hash"] == git(repository, "rev-parse", "HEAD")


def test_a_detached_head_has_a_commit_and_no_branch(repository, monkeypatch):
    """As on most CI machines."""
    git(repository, "checkout", "-q", "--detach")
    fields = look(repository, monkeypatch)
    assert fields["git_commit_hash"] == git(repository, "rev-parse", "HEAD")
    assert "git_branch" not in fields


def test_a_worktree_has_its_own_branch_and_the_common_commits(repository, tmp_path, monkeypatch):
    """Its .git is a file that leads elsewhere; remote and refs are the main repository's."""
    git(repository, "remote", "add", "origin", "https://host/x.git")
    git(repository, "worktree", "add", "-q", "-b", "two", str(tmp_path / "tree"))
    assert look(tmp_path / "tree", monkeypatch) == {
        "git_repo": "https://host/x.git",
        "git_branch": "two",
        "git_commit_hash": git(repository, "rev-parse", "HEAD"),
    }


def test_a_repository_without_commits_has_a_branch_only(tmp_path, monkeypatch):
    """A branch that is not born yet has no commit, and that is no error."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "symbolic-ref", "HEAD", "refs/heads/unborn")
    fields = look(tmp_path, monkeypatch)
    assert fields["git_branch"] == "unborn"
    assert "git_commit_hash" not in fields


def test_outside_of_a_repository_there_is_nothing(tmp_path, monkeypatch):
    """No .git, a broken one, one that would make us wait, no working directory: no fields."""
    assert look(tmp_path, monkeypatch) == {}
    (tmp_path / ".git").write_text("nonsense")
    assert look(tmp_path, monkeypatch) == {}
    (tmp_path / ".git").unlink()
    (tmp_path / ".git").mkdir()
    os.mkfifo(tmp_path / ".git/HEAD")
    assert look(tmp_path, monkeypatch) == {"git_repo": tmp_path.name}


def test_only_a_commit_is_taken_for_one(repository, tmp_path, monkeypatch):
    """A HEAD that points outside of the repository gives nobody's file away."""
    (tmp_path / "secret").write_text("password")
    (repository / ".git/HEAD").write_text(f"ref: {tmp_path}/secret\n")
    assert "git_commit_hash" not in look(repository, monkeypatch)
    (repository / ".git/HEAD").write_text("password\n")
    assert "git_commit_hash" not in look(repository, monkeypatch)


def test_reftable_repositories_claim_no_branch(repository, monkeypatch):
    """Their HEAD file holds a placeholder, which is no branch."""
    (repository / ".git/HEAD").write_text("ref: refs/heads/.invalid\n")
    assert look(repository, monkeypatch) == {"git_repo": "project"}


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://user:s3cret@host/x.git", "https://host/x.git"),
        ("https://s3cret@host/x.git", "https://host/x.git"),
        ("https://user:s3@cret@host/x.git", "https://host/x.git"),
        ("https://host/x@v2.git", "https://host/x@v2.git"),
        ("git@host:x.git", "git@host:x.git"),
    ],
)
def test_credentials_never_leave_the_remote_address(repository, monkeypatch, url, kept):
    """What stands between the scheme and the host is cut; the rest stays."""
    git(repository, "remote", "add", "other", "https://elsewhere/y.git")
    git(repository, "remote", "add", "origin", url)
    assert look(repository, monkeypatch)["git_repo"] == kept


def test_it_looks_once_a_process(repository, tmp_path, monkeypatch):
    """A second run costs no file access, and sees what the first saw."""
    first = look(repository, monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert git_fields() is first
