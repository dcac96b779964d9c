"""A request to the console as its pages see it, and what a page can answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from starlette.datastructures import ImmutableMultiDict

from serving.application.permissions import Actor
from serving.application.workspace import Workspace
from serving.console.formats import Formats
from serving.console.host import ConsoleHost
from serving.console.texts import text
from serving.console.visitors import Visitor
from serving.project.language import Language

Fields = ImmutableMultiDict[str, str]
PageValues = dict[str, object]
"""What a template shows, by the names it has there."""


@dataclass(frozen=True, eq=False)
class Visit:
    """One request: who asks, in which language, with which query and form."""

    host: ConsoleHost
    visitor: Visitor
    language: Language
    path: str
    query: Fields
    form: Fields
    """The fields of a posted form, whose CSRF token was checked; empty for a page that is looked at."""
    is_fragment: bool = False
    """Whether htmx asked, so that a part of the page is enough."""

    @property
    def actor(self) -> Actor:
        return self.visitor.actor

    @property
    def shared(self) -> Workspace:
        """The project for use cases that read stored scores and records, not the event store."""
        return self.host.service.workspace

    @cached_property
    def workspace(self) -> Workspace:
        """The project with a store of its own."""
        return self.host.service.workspace_for_one_call()

    @property
    def formats(self) -> Formats:
        """How numbers, money and dates are written in this language."""
        project = self.host.service.project
        return Formats(self.language, project.words.currency or None, project.timeline)

    def text(self, key: str, **values: object) -> str:
        """The words of a page in the visitor's language."""
        return text(key, self.language, **values)

    def may(self, permission: str) -> bool:
        """Whether the visitor has a permission, for what a page offers; the use case checks it again."""
        return permission in self.actor.permissions


@dataclass(frozen=True)
class Page:
    """A page to be rendered."""

    template: str
    values: Mapping[str, object] = field(default_factory=dict)
    status: int = 200
    fragment: str | None = None
    """The block of the template that suffices where htmx asks."""
    address: str | None = None
    """What the browser is to show as the address where htmx asked; as it was asked for where None."""
    replaces_address: bool = False
    """Whether that takes the place of the address shown before, so that going back does not stop at it."""
    listed: int | None = None
    """How many customers the list at `address` has; the menu and customers' pages lead back to it."""


@dataclass(frozen=True)
class Redirect:
    """Another address to go to after a form was taken; `notice` is shown there once."""

    path: str
    notice: str | None = None
    """A key of the texts."""
    values: Mapping[str, str | int | float] = field(default_factory=dict)
    """What the notice names."""


@dataclass(frozen=True, eq=False)
class Download:
    """A CSV file, sent line by line."""

    lines: Iterator[str]
    name: str


@dataclass(frozen=True)
class SignedInTo:
    """A new session for this browser, and where it goes on."""

    path: str
    token: str


@dataclass(frozen=True)
class SignedOut:
    """The end of this browser's session."""


Answer = Page | Redirect | Download | SignedInTo | SignedOut
