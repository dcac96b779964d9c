"""Validation of the attributes and channels that a playbook and kizuna.toml name: they must exist."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from features.errors import ConfigurationError
from features.events.attributes import names_permission
from features.events.consent import SPELLINGS, ConsentEntry, channel_name
from features.spelling import nearest_word
from serving.actions.contact_rules import DEFAULT
from serving.actions.playbook import PlaybookFile


def validate_attributes(
    written: PlaybookFile, consent: Sequence[ConsentEntry], known: Collection[str]
) -> None:
    """Refuse an attribute that no customer has, with the attributes there are.

    `do_not_contact` may be missing: as long as nobody has refused, no customer has it.
    """
    playbook = written.playbook
    for place, entry in enumerate(consent, start=1):
        if entry.attribute not in known:
            raise ConfigurationError(
                f"cannot plan: `consent[{place}].attribute` of kizuna.toml is '{entry.attribute}', which no "
                f"customer has. {_there_are(entry.attribute, known)}",
                field=f"consent[{place}].attribute",
            )
    named = playbook.do_not_contact
    configured = named in {entry.attribute for entry in consent}
    if named and named != DEFAULT and not configured:
        if named not in known:
            raise written.refusal(
                (DEFAULT,), f"`{DEFAULT}` is '{named}', which no customer has. {_there_are(named, known)}"
            )
        if names_permission(named):
            raise written.refusal(
                (DEFAULT,),
                f"`{DEFAULT}` is '{named}', whose name says who may be contacted, the opposite. Remove the "
                "line and write into kizuna.toml:\n\n"
                f'[[consent]]\nattribute = {json.dumps(named, ensure_ascii=False)}\nsays = "may_contact"',
            )
    for number, programme in enumerate(playbook.loyalty):
        if programme.members is not None and programme.members.attribute not in known:
            raise written.refusal(
                ("loyalty", number, "members"),
                f"the members of '{programme.name}' are named by the attribute "
                f"'{programme.members.attribute}', which no customer has. "
                f"{_there_are(programme.members.attribute, known)}",
            )


def validate_channels(consent: Sequence[ConsentEntry], known: Collection[str]) -> None:
    """Refuse a channel of `[[consent]]` that no rule, no event and no usual name knows."""
    names = {channel_name(name) for name in known} | set(SPELLINGS)
    for place, entry in enumerate(consent, start=1):
        for channel in entry.channels:
            if channel_name(channel) not in names:
                raise ConfigurationError(
                    f"cannot plan: `consent[{place}].channels` of kizuna.toml names '{channel}', which there "
                    f"is not. The channels are {', '.join(sorted(names))}.",
                    field=f"consent[{place}].channels",
                )


def _there_are(name: str, known: Collection[str]) -> str:
    if not known:
        return "No customer has any attribute: declare it with [[attributes]] and run `kizuna ingest`."
    near = nearest_word(name, known)
    hint = f"Write '{near}' instead" if near else "Write one of them, or ingest it with [[attributes]]"
    return f"The attributes are {', '.join(sorted(known))}. {hint}."
