"""Rendering the console's pages: Jinja templates that escape, with the visitor's words and formats."""

from __future__ import annotations

import hashlib
from functools import cache, partial
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from serving.console.texts import text
from serving.console.visit import Page, PageValues, Visit
from serving.project.language import Language

STATIC = "static"


@cache
def environment() -> Environment:
    """The templates; whatever they show is escaped, and a name that nothing has is an error."""
    return Environment(
        loader=PackageLoader("serving.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def render(visit: Visit, page: Page, shell: PageValues) -> str:
    """The HTML of a page; of its fragment alone where htmx asked for one."""
    template = environment().get_template(page.template)
    values = {**shell, **_words(visit), **page.values}
    if visit.is_fragment and page.fragment is not None:
        context = template.new_context(values)
        return "".join(template.blocks[page.fragment](context))
    return template.render(values)


def bare(template: str, language: Language, **values: str) -> str:
    """The HTML of a template without the frame, for when nothing is known of the visitor."""
    words = {"t": partial(text, language=language), "static": static_address, "language": language}
    return environment().get_template(template).render(words | values)


def _words(visit: Visit) -> PageValues:
    """What every template can use."""
    token = visit.visitor.csrf_token
    return {
        "t": partial(text, language=visit.language),
        "f": visit.formats,
        "may": visit.may,
        "who_may": visit.who_may,
        "actor": visit.actor,
        "language": visit.language,
        "visit": visit,
        "csrf": lambda: Markup('<input type="hidden" name="csrf" value="{}">').format(token),
        "static": static_address,
    }


def static_file(name: str) -> bytes | None:
    """A file of the folder `static`, None where there is none of that name."""
    return _static_files().get(name)


def static_address(name: str) -> str:
    """The address of a static file, with a fingerprint so that browsers may keep it for ever."""
    fingerprint = hashlib.sha256(_static_files()[name]).hexdigest()[:12]
    return str(escape(f"/{STATIC}/{name}?v={fingerprint}"))


@cache
def _static_files() -> dict[str, bytes]:
    folder = files("serving.console").joinpath(STATIC)
    return {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith(".md")}
