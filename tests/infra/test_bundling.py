"""What goes to Lambda."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lambdas.core.errors import ConfigurationError
from stacks.constructs import bundling
from stacks.constructs.bundling import AWS_TARGET, BundleTarget, FunctionBundle, find_uv, host_target
from tests.infra.templates import PROJECT, Synthesis

NEEDS = {
    "extract": {"msgspec", "spotipy"},
    "import_chart": {"msgspec"},
    "transform": {"msgspec", "arro3"},
    "enrich": {"msgspec", "spotipy", "arro3"},
    "report": {"msgspec", "jinja2"},
}
"""What each function brings with it, of what not all of them need."""
FUNCTIONS = tuple(NEEDS)
SHIPS = {"report": ("queries",)}
"""Folders of the project that a function reads."""
MAX_BYTES = 60 * 2**20
# The tags of shared objects that Lambda's arm64 Python 3.14 loads: its own, or the stable ABI.
_LOADABLE = (".cpython-314-aarch64-linux-gnu.so", ".abi3.so")


def _bundle(project: Path, function: str, *, cache: Path, target: BundleTarget = AWS_TARGET) -> FunctionBundle:
    """The bundle as the stacks have it."""
    return FunctionBundle(project=project, function=function, target=target, cache=cache, ships=SHIPS.get(function, ()))


def test_every_function_is_bundled_for_lambda_whole_small_and_without_what_the_runtime_has(tmp_path: Path) -> None:
    for function in FUNCTIONS:
        asset = tmp_path / function
        _bundle(PROJECT, function, cache=tmp_path / "cache").write(asset)

        assert (asset / "lambdas" / function / "handler.py").is_file()
        assert (asset / "lambdas" / "core" / "schema.py").is_file()
        assert (asset / "lambdas" / "__init__.py").is_file()
        assert {path.name for path in (asset / "lambdas").iterdir() if path.is_dir()} == {"core", function}

        top = {path.name for path in asset.iterdir()}
        assert top & {"msgspec", "spotipy", "arro3", "jinja2"} == NEEDS[function]
        assert not top & {"boto3", "botocore", "pytest", "bin", ".lock", "tests", "stacks"}
        shipped = _files(asset / "queries")
        assert shipped == (_questions() if function == "report" else {})
        files = [path for path in asset.rglob("*") if path.is_file()]
        assert not [path for path in files if path.suffix == ".pyc" or path.name.startswith("requirements")]
        assert not [path for path in files if path.is_symlink()]

        shared_objects = [path for path in files if path.suffix == ".so"]
        assert shared_objects
        for path in shared_objects:
            assert path.name.endswith(_LOADABLE), path.name
            # ELF's machine field: 183 is AArch64.
            assert int.from_bytes(path.read_bytes()[18:20], "little") == 183, path.name
        assert sum(path.stat().st_size for path in files) < MAX_BYTES


def _questions() -> dict[str, bytes]:
    """The files of queries/, which are deployed as named queries and views, too."""
    return _files(PROJECT / "queries")


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_function_ships_what_its_stack_says(synthesis: Synthesis) -> None:
    for function in FUNCTIONS:
        wanted = _bundle(PROJECT, function, cache=PROJECT / ".local").asset_hash()
        environment = f'"CODE_VERSION": "{wanted}"'
        templates = [file.read_text("utf-8") for file in synthesis.files if "devcompute" in file.name]
        assert [environment in text for text in templates] == [True], function


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of the functions and a core, without anything to install."""
    for folder in ("core", *FUNCTIONS):
        (tmp_path / "lambdas" / folder).mkdir(parents=True)
        (tmp_path / "lambdas" / folder / "__init__.py").touch()
        (tmp_path / "lambdas" / folder / "code.py").write_text(f"NAME = {folder!r}\n")
    (tmp_path / "lambdas" / "__init__.py").touch()
    for function in FUNCTIONS:
        (tmp_path / "lambdas" / function / "requirements.txt").write_text("")
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "top.sql").write_text("SELECT 1\n")
    return tmp_path


def _hashes(project: Path, target: BundleTarget = AWS_TARGET) -> dict[str, str]:
    return {
        function: _bundle(project, function, cache=project / "cache", target=target).asset_hash()
        for function in FUNCTIONS
    }


CHANGES: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "its own code": (lambda p: (p / "lambdas/extract/code.py").write_text("NAME = 1\n"), {"extract"}),
    "its lock": (lambda p: (p / "lambdas/transform/requirements.txt").write_text("# new\n"), {"transform"}),
    "the core": (lambda p: (p / "lambdas/core/code.py").write_text("NAME = 1\n"), set(FUNCTIONS)),
    "a new file": (lambda p: (p / "lambdas/extract/more.py").touch(), {"extract"}),
    "a renamed file": (lambda p: (p / "lambdas/core/code.py").rename(p / "lambdas/core/c.py"), set(FUNCTIONS)),
    "a question": (lambda p: (p / "queries/top.sql").write_text("SELECT 2\n"), {"report"}),
    "a new question": (lambda p: (p / "queries/more.sql").touch(), {"report"}),
    "what is not shipped": (lambda p: (p / "lambdas/extract/requirements.in").write_text("x\n"), set()),
    "bytecode": (lambda p: (p / "lambdas/core/code.pyc").write_text("x"), set()),
    "an editor's file": (lambda p: (p / "lambdas/core/.code.py.swp").write_text("x"), set()),
}


@pytest.mark.parametrize(("change", "touched"), CHANGES.values(), ids=CHANGES)
def test_a_change_gives_a_new_asset_to_the_functions_it_touches_and_no_others(
    project: Path, change: Callable[[Path], object], touched: set[str]
) -> None:
    before = _hashes(project)
    change(project)
    after = _hashes(project)
    assert {function for function in FUNCTIONS if before[function] != after[function]} == touched


def test_the_same_sources_have_the_same_hash_wherever_they_lie(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "clone"
    shutil.copytree(project, elsewhere)
    assert _hashes(elsewhere) == _hashes(project)


def test_another_target_is_another_asset(project: Path) -> None:
    assert not set(_hashes(project).values()) & set(_hashes(project, host_target()).values())


def test_dependencies_are_installed_once_for_a_lock_and_target(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = FunctionBundle(project=project, function="extract", target=host_target(), cache=project / "cache")
    installed = bundle.install_dependencies()
    monkeypatch.setattr(bundling, "find_uv", lambda: pytest.fail("installed again"))
    assert bundle.install_dependencies() == installed
    assert [path.name for path in (project / "cache").iterdir()] == [installed.name]


@pytest.mark.parametrize(
    ("requirements", "reason"),
    [
        ("msgspec==0.22.0\n", "hash"),
        ("this is no requirement\n", "requirements.txt"),
    ],
)
def test_a_lock_that_cannot_be_installed_is_one_line_and_leaves_nothing_behind(
    project: Path, requirements: str, reason: str
) -> None:
    (project / "lambdas/extract/requirements.txt").write_text(requirements)
    bundle = FunctionBundle(project=project, function="extract", target=host_target(), cache=project / "cache")
    with pytest.raises(ConfigurationError) as raised:
        bundle.install_dependencies()
    line = str(raised.value)
    assert "the dependencies of the extract function cannot be installed" in line
    assert reason in line
    assert "\n" not in line
    assert not list((project / "cache").iterdir())


def test_without_uv_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="uv, which installs .* run `make setup`"):
        find_uv()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_functions_lock_pins_everything_with_hashes_and_leaves_out_the_runtimes_own(function: str) -> None:
    lock = (PROJECT / "lambdas" / function / "requirements.txt").read_text()
    named = [line.split()[0] for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert all("==" in name for name in named)
    assert not [name for name in named if name.startswith(("boto3", "botocore"))]
    assert lock.count("--hash=sha256:") >= len(named)
    wanted = (PROJECT / "lambdas" / function / "requirements.in").read_text().splitlines()
    assert {name.split("==")[0] for name in named} >= {line for line in wanted if not line.startswith("#")}
