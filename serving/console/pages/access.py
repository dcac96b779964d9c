"""Access: people and their roles, API keys, and the audit log."""

from __future__ import annotations

from urllib.parse import urlencode

from features.errors import UsageError
from serving.application.access import audit, keys, people
from serving.console.browsers import browser_name
from serving.console.texts import texts
from serving.console.visit import Answer, Page, Redirect, Visit
from serving.presentation.messages.catalog import translated
from serving.schemas.roles import ROLES

PEOPLE, PERSON, KEYS, AUDIT = "/access", "/access/person", "/access/keys", "/access/audit"
SCOPES = ("read", "score", "write", "admin")


def show_people(visit: Visit) -> Answer:
    """Everybody who has an account."""
    return _people(visit)


def submit_person(visit: Visit) -> Answer:
    """A new account: its one-time link is shown once."""
    name, role = visit.form.get("name", ""), visit.form.get("role", "")
    try:
        link = people.invite_person(
            visit.shared, visit.actor, name, role, display_name=visit.form.get("display_name", "")
        )
    except UsageError as error:
        return _people(visit, translated(error.message, visit.language), error.status)
    return _link_page(visit, link)


def show_person(visit: Visit) -> Answer:
    """One account."""
    return _person(visit, visit.query.get("name", ""))


def submit_change(visit: Visit) -> Answer:
    """Another role, a one-time link, disabling, enabling, or signing out everywhere."""
    name, place, who = visit.form.get("name", ""), visit.shared, visit.actor
    try:
        match visit.form.get("do"):
            case "role":
                changed = people.change_role(place, who, name, visit.form.get("role", ""))
                return _changed(changed.name, "access.role_changed")
            case "link":
                return _link_page(visit, people.link_person(place, who, name))
            case "disable":
                return _changed(people.disable_person(place, who, name).name, "access.person_disabled")
            case "enable":
                return _changed(people.enable_person(place, who, name).name, "access.person_enabled")
            case "sign_out":
                return _changed(people.sign_out_person(place, who, name).name, "access.person_signed_out")
            case _:
                return _person(visit, name)
    except UsageError as error:
        return _person(visit, name, translated(error.message, visit.language), error.status)


def show_keys(visit: Visit) -> Answer:
    """Every API key there is or was."""
    return _keys(visit)


def submit_key(visit: Visit) -> Answer:
    """Add, rotate or revoke a key; a new one is shown once."""
    name, place, who = visit.form.get("name", "").strip(), visit.shared, visit.actor
    try:
        match visit.form.get("do"):
            case "add":
                scopes = tuple(visit.form.getlist("scope"))
                if not name or not scopes:
                    return _keys(visit, visit.text("access.key_incomplete"), 422)
                return _keys(visit, new=keys.add_key(place, who, name, scopes).key, name=name)
            case "rotate":
                return _keys(visit, new=keys.rotate_key(place, who, name, 24).key, name=name)
            case "revoke":
                keys.revoke_keys(place, who, name)
                return Redirect(KEYS, "access.key_revoked", {"name": name})
            case _:
                return _keys(visit)
    except UsageError as error:
        return _keys(visit, translated(error.message, visit.language), error.status)


def show_audit(visit: Visit) -> Answer:
    """A page of the audit log."""
    chosen = {name: visit.query.get(name, "").strip() for name in ("who", "action")}
    lookups = visit.query.get("of") == "lookups"
    before = visit.query.get("before", "")
    page = audit.audit_page(
        visit.shared,
        visit.actor,
        lookups=lookups,
        who=chosen["who"],
        action=chosen["action"],
        before=int(before) if before.isdecimal() and len(before) < 18 else None,
    )
    shown = {"of": "lookups"} if lookups else {}
    kept = shown | {name: value for name, value in chosen.items() if value}
    older = None if page.older is None else f"{AUDIT}?{urlencode({**kept, 'before': page.older})}"
    return Page(
        "access_audit.html",
        {
            "entries": [(entry, _action(visit, entry.action)) for entry in page.entries],
            "lookups": lookups,
            "chosen": chosen,
            "older": older,
            "is_first": not before,
        },
    )


def _people(visit: Visit, problem: str | None = None, status: int = 200) -> Page:
    listed = people.list_people(visit.shared, visit.actor)
    values = {"people": listed.people, "roles": ROLES, "problem": problem, "form": visit.form}
    return Page("access.html", values, status)


def _person(visit: Visit, name: str, problem: str | None = None, status: int = 200) -> Page:
    details = people.show_person(visit.shared, visit.actor, name)
    values = {
        "details": details,
        "one": details.account,
        "roles": ROLES,
        "problem": problem,
        "browser_name": browser_name,
    }
    return Page("access_person.html", values, status)


def _keys(
    visit: Visit, problem: str | None = None, status: int = 200, new: str | None = None, name: str = ""
) -> Page:
    listed = keys.list_keys(visit.shared, visit.actor)
    rows = [(key, key.opens(listed.now)) for key in listed.keys]
    in_use = [row for row in rows if row[1]]
    closed = [row for row in rows if not row[1]]
    values = {"keys": in_use + closed, "scopes": SCOPES, "problem": problem, "new": new, "new_name": name}
    return Page("access_keys.html", values, status)


def _link_page(visit: Visit, link: people.AccountLink) -> Page:
    address = f"{visit.visitor.origin}/welcome?{urlencode({'link': link.token})}"
    return Page("access_link.html", {"one": link.account, "address": address, "hours": link.hours})


def _changed(name: str, notice: str) -> Redirect:
    return Redirect(f"{PERSON}?{urlencode({'name': name})}", notice, {"name": name})


def _action(visit: Visit, action: str) -> str:
    """An action of the log in words; as it is written where there are none."""
    key = f"access.action_{action.replace(' ', '_').replace('-', '_')}"
    return visit.text(key) if key in texts() else action
