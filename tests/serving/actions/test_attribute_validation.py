"""What an error about an attribute of consent proposes can be pasted as it is."""

from __future__ import annotations

import tomllib

import pytest

from features.errors import ConfigurationError
from serving.actions.playbook import default_text, parse
from serving.actions.rules.attribute_validation import validate_attributes
from serving.project.settings import Settings


@pytest.mark.parametrize("name", ["opt_in", "配信可否", "メール配信許可"])
def test_a_permission_named_as_do_not_contact_is_answered_with_an_entry_that_can_be_pasted(name: str) -> None:
    text = default_text("contract")
    written = parse(
        text.replace('do_not_contact = "do_not_contact"', f"do_not_contact = '{name}'"), "playbook.toml"
    )
    assert written.playbook.do_not_contact == name
    with pytest.raises(ConfigurationError) as refused:
        validate_attributes(written, (), {name})
    entry = tomllib.loads(str(refused.value).partition("\n\n")[2])
    (rule,) = Settings.model_validate(entry).consent
    assert (rule.attribute, rule.says) == (name, "may_contact")
