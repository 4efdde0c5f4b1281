"""Installed packages, as far as Python can tell: a folder on the path with a module and the metadata of a distribution."""

import sys
from textwrap import dedent

from inloop.runtime import registry


def install(folder, monkeypatch, name, entry_points, **modules):
    """Put a package into `folder`; `entry_points`: by group, a dict of names and values; `modules`: sources by name."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    sections = [
        "\n".join([f"[{group}]", *(f"{key} = {value}" for key, value in values.items())])
        for group, values in entry_points.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(sections) + "\n", encoding="utf-8")
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(dedent(source), encoding="utf-8")
        monkeypatch.delitem(sys.modules, module, raising=False)
    if str(folder) not in sys.path:
        monkeypatch.syspath_prepend(str(folder))
    registry.plugins.cache_clear()
