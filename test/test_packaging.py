"""What setup.py installs is all that the tree has."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = {"shuffleseg_core": "shuffleseg_core", "shuffleseg_ros": "shuffleseg_ros",
           "shuffleseg_training": "training"}  # fmt: skip


def test_every_package_is_listed():
    """An editable installation finds a package that a wheel would lack."""
    call = next(
        node
        for node in ast.walk(ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setup"
    )
    listed = next(ast.literal_eval(k.value) for k in call.keywords if k.arg == "packages")
    found = {
        ".".join((package, *file.parent.relative_to(ROOT / folder).parts))
        for package, folder in FOLDERS.items()
        for file in (ROOT / folder).rglob("__init__.py")
    }
    assert set(listed) == found


def test_no_page_has_a_blank_left_to_fill():
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*/**/*.md")):
        if ".venv" not in page.parts:
            text = page.read_text(encoding="utf-8")
            assert "@@" not in text, page
