"""The fields of records and configs in the reference: what is said of each, beside its type and default in one list.

A field says what it is by `option(...)` in its annotation, by `Field(description=...)` or by a text below it.
"""

import importlib
from typing import Any

from griffe import Alias, Class, Docstring, ExprCall, ExprSubscript, Extension, Module


class Fields(Extension):
    """Runs after griffe_pydantic, which marks the fields. A class with options is imported: their texts are made when it runs."""

    def on_package(self, *, pkg: Module, **kwargs: Any) -> None:
        """Take the text of every field of a package to its list, `extra["inloop"]["text"]`."""
        for member in pkg.members.values():
            if isinstance(member, Module):
                self.on_package(pkg=member)
            elif isinstance(member, Class):
                self._describe(member)

    def _describe(self, cls: Class) -> None:
        for name, field in cls.attributes.items():
            if isinstance(field, Alias) or "pydantic-field" not in field.labels:
                continue
            if _is_option(field.extra.get("inloop", {}).get("annotation")):
                model = getattr(importlib.import_module(cls.module.path), cls.name)
                field.docstring = Docstring(model.model_fields[name].description, parent=field)
            field.extra["inloop"]["text"] = field.docstring.value if field.docstring else ""
            field.docstring = None  # else it would stand below the list once more

    def on_class_members(self, *, cls: Class, **kwargs: Any) -> None:
        """Keep annotations as they are written; griffe_pydantic keeps the types alone."""
        for attribute in cls.attributes.values():
            if isinstance(attribute.annotation, ExprSubscript):
                attribute.extra["inloop"]["annotation"] = attribute.annotation


def _is_option(annotation: ExprSubscript | None) -> bool:
    parts = getattr(annotation.slice, "elements", []) if annotation is not None else []
    return any(isinstance(part, ExprCall) and str(part.function) == "option" for part in parts)
