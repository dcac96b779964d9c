"""What a project refuses of a playbook: words, channels and attributes that it does not have."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from serving.actions.contact_rules import consent_rules
from serving.actions.contact_state import ContactRegister
from serving.actions.playbook import FILE, PlaybookFile, PlaybookRefusal
from serving.actions.rules.attribute_validation import validate_attributes
from serving.actions.rules.rule_validation import rule_refusals
from serving.actions.rules.vocabulary import RuleVocabulary
from serving.application.workspace import Workspace
from serving.lists.score_reader import ScoreReader

_CHECKED: dict[tuple[str, RuleVocabulary], tuple[tuple[int, str], ...]] = {}
_MOST_CHECKED = 8
_LOCK = Lock()


@dataclass(frozen=True, eq=False)
class ProjectCheck:
    """Checks playbooks against a project's scores and the plan in use."""

    workspace: Workspace

    def refusals(self, file: PlaybookFile) -> tuple[list[PlaybookRefusal], bool]:
        """What is refused, and whether all could be checked: before the first plan it cannot."""
        reader = self.workspace.scores_or_none()
        if reader is None:
            return [], False
        plan = reader.plan
        found = [PlaybookRefusal(FILE, *one) for one in _wrong_rules(file, self.vocabulary(reader, file))]
        if plan is None or plan.origin.attributes is None:
            return found, False
        attribute = self._refused_attribute(file, plan.origin.attributes)
        if attribute is not None:
            # An attribute may have come since the plan was made: only the store knows.
            rules = consent_rules(self.workspace.project, file.playbook)
            state = ContactRegister(rules, ()).state(self.workspace.store, self.workspace.clock())
            attribute = self._refused_attribute(file, state.attributes)
        return [*found, *([] if attribute is None else [attribute])], True

    def vocabulary(self, reader: ScoreReader, file: PlaybookFile) -> RuleVocabulary:
        """The words that conditions may use; before the first plan every channel that the text names."""
        plan, playbook = reader.plan, file.playbook
        channels = None if plan is None else plan.origin.channels
        if channels is None:
            channels = tuple({name for rule in playbook.rules for name in rule.when.channel or ()})
        subjects = reader.subjects if plan is None else plan.origin.reasons
        indicators = [one.name for one in self.workspace.project.indicators]
        return RuleVocabulary.of(file, reader.scores, indicators, subjects, channels)

    def _refused_attribute(self, file: PlaybookFile, known: tuple[str, ...]) -> PlaybookRefusal | None:
        """The first attribute of a playbook that no customer has; those of kizuna.toml are not its fault."""
        consent = self.workspace.project.settings.consent
        try:
            validate_attributes(file, consent, (*known, *(entry.attribute for entry in consent)))
        except PlaybookRefusal as refusal:
            return refusal
        return None


def _wrong_rules(file: PlaybookFile, words: RuleVocabulary) -> tuple[tuple[int, str], ...]:
    """Line and words of what rules get wrong, kept for the newest texts: one edit asks several times."""
    with _LOCK:
        found = _CHECKED.get((file.text, words))
    if found is None:
        found = tuple((one.line, one.wrong) for one in rule_refusals(file, words))
        with _LOCK:
            _CHECKED[file.text, words] = found
            while len(_CHECKED) > _MOST_CHECKED:
                del _CHECKED[next(iter(_CHECKED))]
    return found
