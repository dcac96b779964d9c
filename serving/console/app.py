"""The console as an ASGI application: pages with their errors, forms with their token, static files."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from features.catalog.display_names import is_japanese
from features.errors import BodyTooLarge, Forbidden, KizunaError, ModelError
from serving.application.workspace import UNAVAILABLE
from serving.console.host import ConsoleHost
from serving.console.list_visited import forget_list, list_visited, remember_list
from serving.console.pages.sign_in import show_sign_in
from serving.console.rendering import STATIC, bare, render
from serving.console.routes import ROUTES, PageRoute
from serving.console.static_response import file_response
from serving.console.texts import text, texts
from serving.console.visit import (
    Answer,
    Download,
    Fields,
    Page,
    PageValues,
    Redirect,
    SignedInTo,
    SignedOut,
    Visit,
)
from serving.console.visitors import VISIT_COOKIE, Visitor, Visitors, session_cookie
from serving.presentation.messages.catalog import translated
from serving.project.language import LANGUAGES, Language, request_language

LANGUAGE_COOKIE = "kizuna_language"
NOTICE_COOKIE = "kizuna_notice"
A_YEAR = 365 * 86_400
LONGEST_FORM = 2**20
"""Bytes of a posted form."""
HEADERS = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; form-action 'self'; "
    "base-uri 'none'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
"""Headers of every page: nothing from elsewhere, no script in a page, no page in a frame."""
NO_FIELDS: Fields = ImmutableMultiDict()
SIGN_IN = "/sign-in"
MESSAGE = "message.html"
"""The page that says in a sentence what is the matter."""
log = logging.getLogger("kizuna.console")


class Console:
    """Answers the addresses of `ROUTES`; at any other it says that there is no such page."""

    def __init__(self, host: ConsoleHost) -> None:
        self._host = host
        self._visitors = Visitors(host)
        self._routes = {route.path: route for route in ROUTES}

    def serves(self, path: str) -> bool:
        """Whether a path is a page or a file of the console."""
        return path in self._routes or path.startswith(f"/{STATIC}/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path.startswith(f"/{STATIC}/"):
            response = file_response(path)
        else:
            # Whether a request comes from this machine is told by all its headers, those of a proxy too.
            is_open = self._host.is_open(scope)
            believed = self._visitors.proxies.believed(scope)
            response = await self._page(Request(believed, receive), is_open=is_open)
        await response(scope, receive, send)

    async def _page(self, request: Request, *, is_open: bool) -> Response:
        host, visitors = self._host, self._visitors
        language = chosen_language(request, host.service.project.settings.language)
        route = self._routes.get(request.url.path, NO_PAGE)
        who, is_away = visitors.nobody(request), False
        try:
            who = await host.short.run(lambda: visitors.visitor(request, is_open=is_open))
        except UNAVAILABLE as error:
            is_away = True
            log.error("who asks for a page cannot be told: %s", type(error).__name__)
        query: Fields = ImmutableMultiDict(list(request.query_params.multi_items()))
        visit = Visit(host, who, language, route.path, query, NO_FIELDS, "hx-request" in request.headers)
        try:
            if is_away:
                answer: Answer = _message(visit, "away", 503)
            elif who.refused_name:
                answer = _no_role(visit)
            elif not (who.is_signed_in or who.is_open or route.permission == "sign_in"):
                return _with_cookies(_to_sign_in(request), request, language, None)
            else:
                answer = await self._answer(route, visit, request)
            response = await self._response(visit, answer, request)
        except KizunaError as error:
            response = await self._response(visit, error_page(visit, error), request)
        except UNAVAILABLE as error:
            log.error("a page could not be answered: %s", type(error).__name__)
            response = await self._response(visit, _message(visit, "away", 503), request)
        finally:
            if request.method == "POST":
                visitors.forget()
        return _with_cookies(response, request, language, who)

    async def _answer(self, route: PageRoute, visit: Visit, request: Request) -> Answer:
        threads = self._host.long if route.is_long else self._host.short
        if request.method in ("GET", "HEAD"):
            visit.actor.require(route.permission)
            return await threads.run(lambda: route.show(visit))
        submit = route.submit
        if request.method != "POST" or submit is None:
            return _message(visit, "not_found", 405)
        form = await read_form(request)
        if not _same_site(request) or not visit.visitor.sent(form.get("csrf", "")):
            return _message(visit, "form_expired", 403)
        visit.actor.require(route.permission)
        posted = Visit(
            visit.host, visit.visitor, visit.language, visit.path, visit.query, form, visit.is_fragment
        )
        return await threads.run(lambda: submit(posted))

    async def _response(self, visit: Visit, answer: Answer, request: Request) -> Response:
        match answer:
            case Redirect():
                response: Response = RedirectResponse(answer.path, 303)
                if answer.notice is not None:
                    notice = json.dumps([answer.notice, dict(answer.values)])
                    response.set_cookie(NOTICE_COOKIE, _quoted(notice), 60, httponly=True, samesite="strict")
            case SignedInTo():
                name, is_secure = session_cookie(request)
                response = RedirectResponse(answer.path, 303)
                response.set_cookie(name, answer.token, httponly=True, samesite="lax", secure=is_secure)
            case SignedOut():
                name, is_secure = session_cookie(request)
                response = RedirectResponse(SIGN_IN, 303)
                response.delete_cookie(name, httponly=True, samesite="lax", secure=is_secure)
                forget_list(response)
            case Download():
                return await self._host.csv(answer.lines, answer.name)
            case Page():
                if visit.is_fragment and answer.template == MESSAGE:
                    return _failed_part(visit.language, str(answer.values["message"]), answer.status, request)
                shell = self._shell(visit, request)
                html = await self._host.short.run(lambda: render(visit, answer, shell))
                response = HTMLResponse(html, answer.status)
                if visit.is_fragment and answer.address is not None:
                    header = "hx-replace-url" if answer.replaces_address else "hx-push-url"
                    response.headers[header] = answer.address
                if request.method == "GET":
                    remember_list(response, answer)
                if shell["notice"]:
                    response.delete_cookie(NOTICE_COOKIE)
        return response

    def fault(self, request: Request) -> Response:
        """The answer to a page that a fault of the service broke, made without knowing the visitor."""
        language = chosen_language(request, self._host.service.project.settings.language)
        words = text("shell.fault_text", language)
        if "hx-request" in request.headers:
            response = _failed_part(language, words, 500, request)
        else:
            response = HTMLResponse(bare("fault.html", language, address=_address(request)), 500)
        return _with_cookies(response, request, language, None)

    def _shell(self, visit: Visit, request: Request) -> PageValues:
        """What the frame around a page shows."""
        project = self._host.service.project
        other: Language = "en" if is_japanese(visit.language) else "ja"
        parameters = [*((k, v) for k, v in visit.query.multi_items() if k != "language"), ("language", other)]
        path = request.url.path if request.method == "GET" else "/"
        visited = list_visited(request) if visit.may("read_customer") else None
        again = {} if visited is None else {"/list": visited.address}
        return {
            "menu": [
                {
                    "path": again.get(one.path, one.path),
                    "words": one.menu,
                    "is_current": _is_part(visit.path, one.path),
                }
                for one in ROUTES
                if one.menu is not None and visit.may(one.permission)
            ],
            "other_language_address": f"{path}?{urlencode(parameters)}",
            "is_open": visit.visitor.is_open,
            "project_title": project.settings.console.title or project.folder.name,
            "list_visited": visited,
            "simulated_now": self._host.service.clock() if project.simulated else None,
            "notice": _notice(request, visit.language),
        }


def _not_found(visit: Visit) -> Answer:
    """That there is no such page, in the frame; for who is not signed in, where to sign in."""
    if visit.visitor.is_signed_in or visit.visitor.is_open:
        return _message(visit, "not_found", 404)
    entrance = show_sign_in(visit)
    return replace(entrance, status=404) if isinstance(entrance, Page) else entrance


NO_PAGE = PageRoute("", "sign_in", _not_found)
"""What answers an address that is no page."""


def _failed_part(language: Language, message: str, status: int, request: Request) -> Response:
    """What stands in the place of a part of a page that htmx asked for in vain: why, and a way out."""
    shown = _parts(request.headers.get("hx-current-url", "/"))
    address = (f"{shown.path}?{shown.query}" if shown.query else shown.path) or "/"
    address = f"/{address.lstrip('/')}"
    return HTMLResponse(bare("failed_part.html", language, message=message, address=address), status)


def error_page(visit: Visit, error: KizunaError) -> Page:
    """An error as a page in the frame."""
    if isinstance(error, Forbidden):
        return _message(visit, "forbidden", error.status)
    title = "nothing_scored" if isinstance(error, ModelError) else "error"
    return Page(
        MESSAGE,
        {
            "title": visit.text(f"shell.{title}_title"),
            "message": translated(error.message, visit.language),
        },
        error.status,
    )


def _message(visit: Visit, name: str, status: int) -> Page:
    return Page(
        MESSAGE,
        {"title": visit.text(f"shell.{name}_title"), "message": visit.text(f"shell.{name}_text")},
        status,
    )


def _is_part(path: str, of: str) -> bool:
    """Whether a page is this one of the menu or lies below it."""
    return path == of or (of != "/" and path.startswith(f"{of}/"))


def _no_role(visit: Visit) -> Page:
    """What a person sees whom a proxy signed in and who has no role here."""
    name = visit.visitor.refused_name
    title, message = visit.text("shell.no_role_title"), visit.text("shell.no_role_text", name=name)
    return Page(MESSAGE, {"title": title, "message": message}, 403)


def _to_sign_in(request: Request) -> Response:
    """To the sign-in page and from there back; the whole page where htmx asked for a part of it."""
    if "hx-request" not in request.headers:
        address = _address(request) if request.method == "GET" else request.url.path
        return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': address})}", 303)
    shown = _parts(request.headers.get("hx-current-url", "/"))
    address = f"{shown.path}?{shown.query}" if shown.query else shown.path
    headers = {"hx-redirect": f"{SIGN_IN}?{urlencode({'next': address})}"}
    return Response(status_code=401, headers=headers)


def chosen_language(request: Request, otherwise: Language) -> Language:
    """The language of a page: of the address, as chosen before, of the browser, or of the project."""
    named = request.query_params.get("language") or request.cookies.get(LANGUAGE_COOKIE)
    if named in LANGUAGES:
        return named  # type: ignore[return-value]
    return request_language(b"", "", request.headers.get("accept-language", "")) or otherwise


async def read_form(request: Request) -> Fields:
    """The fields of a posted form."""
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > LONGEST_FORM:
            raise BodyTooLarge("cannot take this form: it holds more than 1 MB.")
    pairs = parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True)
    return ImmutableMultiDict(pairs)


def _same_site(request: Request) -> bool:
    """Whether a form comes from a page of this service, as far as the browser says."""
    origin = request.headers.get("origin")
    if origin in (None, "null"):
        return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    return _parts(origin).netloc == request.headers.get("host")


def _parts(address: str) -> SplitResult:
    """The parts of an address in a header; without any where it is none, such as `http://[`."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _with_cookies(response: Response, request: Request, language: Language, who: Visitor | None) -> Response:
    response.headers.update(HEADERS)
    if request.query_params.get("language") in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, language, A_YEAR, httponly=True, samesite="lax")
    if who is not None and not who.token and not request.cookies.get(VISIT_COOKIE):
        is_secure = session_cookie(request)[1] and who.is_https
        response.set_cookie(VISIT_COOKIE, who.secret, httponly=True, samesite="strict", secure=is_secure)
    return response


def _notice(request: Request, language: Language) -> str | None:
    """What the page before wanted said here."""
    try:
        key, values = json.loads(_unquoted(request.cookies.get(NOTICE_COOKIE, "")))
    except (ValueError, TypeError):
        return None
    if not isinstance(key, str) or key not in texts() or not isinstance(values, Mapping):
        return None
    try:
        return text(key, language, **{str(name): value for name, value in values.items()})
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _address(request: Request) -> str:
    return request.url.path if not request.url.query else f"{request.url.path}?{request.url.query}"


def _quoted(value: str) -> str:
    return urlencode({"n": value})


def _unquoted(value: str) -> str:
    return dict(parse_qsl(value)).get("n", "")
