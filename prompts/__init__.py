"""The words: one `.md` template a file, with its declared variables; a folder holds those of one room of agents.

A template starts with a front matter (`variables`, `source`) and consists of one or two sections, `[system]` and
`[user]`, each on a line of its own. Declared and used variables must agree, and a call must give exactly those.
Substitution is one pass over the template, so text that is filled in is never read as template: neither `{{name}}`
nor a section line in a user's prompt has any effect.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Prompt", "PromptError", "load", "names"]

_FOLDER = Path(__file__).parent
_VARIABLE = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)\s*\}\}")
_SECTION = re.compile(r"^\[(system|user)\][ \t]*$", re.MULTILINE)
_FRONT = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)


class PromptError(ValueError):
    """A template is malformed, or it is rendered with the wrong variables."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One template. `sections` are (role, template text) in order; `sha256` is of the whole file."""

    name: str
    text: str
    variables: tuple[str, ...]
    source: str
    sha256: str
    sections: tuple[tuple[str, str], ...]

    def messages(self, **values: object) -> list[tuple[str, str]]:
        """(role, content) of each section with the variables filled in.

        Raises:
            PromptError: a variable is missing or unknown; it names which.
        """
        given, declared = set(values), set(self.variables)
        if given != declared:
            wrong = [f"missing {name!r}" for name in sorted(declared - given)]
            wrong += [f"unknown {name!r}" for name in sorted(given - declared)]
            raise PromptError(f"prompt {self.name!r} takes {list(self.variables)!r}: {', '.join(wrong)}.")
        return [(role, _VARIABLE.sub(lambda match: str(values[match.group(1)]), text)) for role, text in self.sections]

    def render(self, **values: object) -> str:
        """The text of a template that has one section only; raises `PromptError` as `messages` does."""
        messages = self.messages(**values)
        if len(messages) != 1:
            raise PromptError(f"prompt {self.name!r} has {len(messages)} sections: use `messages`.")
        return messages[0][1]


def names() -> list[str]:
    """The names of all templates, as in "opt2i/rewrite_dsg"."""
    return sorted(path.relative_to(_FOLDER).with_suffix("").as_posix() for path in _FOLDER.glob("*/*.md"))


@cache
def load(name: str) -> Prompt:
    """The template `prompts/<name>.md`, checked.

    Raises:
        PromptError: there is no such template, or its front matter, sections and variables do not agree.
    """
    path = _FOLDER / f"{name}.md"
    if name not in names():
        raise PromptError(f"there is no prompt {name!r}; there are {', '.join(names())}.")
    return parse(name, path.read_text(encoding="utf-8"))


def parse(name: str, content: str) -> Prompt:
    """A template from the content of its file."""
    content = content.replace("\r\n", "\n")
    front = _FRONT.match(content)
    if front is None:
        raise PromptError(f"prompt {name!r} must start with a front matter between two lines of '---'.")
    fields: dict[str, str] = {}
    for line in front.group(1).split("\n"):
        key, colon, value = line.partition(":")
        if not colon:
            raise PromptError(f"prompt {name!r}: the front matter line {line!r} is not 'key: value'.")
        fields[key.strip()] = value.strip()
    if set(fields) != {"variables", "source"}:
        raise PromptError(
            f"prompt {name!r}: the front matter needs 'variables' and 'source', it has {sorted(fields)!r}."
        )
    body = front.group(2)
    pieces = _SECTION.split(body)
    if pieces[0].strip() or len(pieces) < 3:
        raise PromptError(f"prompt {name!r}: the text must begin with a line '[system]' or '[user]'.")
    sections = tuple((role, text.strip("\n")) for role, text in zip(pieces[1::2], pieces[2::2], strict=True))
    if [role for role, _ in sections] not in (["user"], ["system", "user"]):
        raise PromptError(f"prompt {name!r}: give one '[user]' section, or '[system]' and then '[user]'.")
    declared = tuple(variable.strip() for variable in fields["variables"].split(",") if variable.strip())
    used = {match.group(1) for match in _VARIABLE.finditer(body)}
    if used != set(declared):
        unused, undeclared = sorted(set(declared) - used), sorted(used - set(declared))
        raise PromptError(f"prompt {name!r}: declared but unused {unused!r}, used but undeclared {undeclared!r}.")
    if "{{" in _VARIABLE.sub("", body):
        raise PromptError(f"prompt {name!r} has a '{{{{' that is no variable: write {{{{lower_case_name}}}}.")
    return Prompt(
        name=name,
        text=body,
        variables=declared,
        source=fields["source"],
        sha256=hashlib.sha256(content.encode("utf-8")).hexdigest(),
        sections=sections,
    )
