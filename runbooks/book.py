"""A runbook: what is done about a kind of incident, as data. Its keys, and those that come with Relève."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from monitor.core.text import N_, Text
from monitor.core.verdict import Severity
from probes.params import Duration
from runbooks.contract import Action, Subject
from runbooks.registry import load

LIBRARY = Path(__file__).parent / "library"
Word = Annotated[str, Field(min_length=1)]
Span = Annotated[Duration, Field(ge=timedelta(0))]


class Part(BaseModel):
    """A table of a runbook; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Title(Part):
    """What it is called, in each language."""

    fr: Word
    en: Word


class Budget(Part):
    """How often it may be tried on one device before a person is called."""

    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    within: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(hours=24))] = timedelta(hours=1)


class ProofKeys(Part):
    """How long the check has to become OK after the steps, and for how long it must stay so."""

    within: Span = timedelta(minutes=2)
    stays: Span = timedelta(seconds=10)


class StepKeys(BaseModel):
    """One step; all other keys are its own."""

    model_config = ConfigDict(extra="allow", frozen=True)

    step: Word


class BookKeys(Part):
    """The keys of a runbook's file."""

    runbook: Word = Field(description=N_("its name"))
    title: Title
    starts_at: Literal["warning", "critical"] = Field(
        default="critical", description=N_("how bad an incident must be for it to start by itself")
    )
    budget: Budget = Budget()
    cooldown: Span = Field(default=timedelta(seconds=30), description=N_("between two attempts"))
    proof: ProofKeys = ProofKeys()
    steps: Annotated[list[StepKeys], Field(min_length=1, max_length=50)]


class BadBook(Exception):
    """A runbook that cannot be used; `text` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


class Book:
    """A runbook that is right: its keys, and its steps with theirs. `version` is a hash of what it says."""

    def __init__(self, keys: BookKeys) -> None:
        """Prove every step. Raises BadBook or UnknownStep; pydantic's ValidationError for a step's own keys."""
        self.keys = keys
        self.steps = tuple((load(one.step), _own(one)) for one in keys.steps)

    @property
    def name(self) -> str:
        """What it is called in the inventory."""
        return self.keys.runbook

    @property
    def starts_at(self) -> Severity:
        """How bad an incident must be for it to start by itself."""
        return Severity[self.keys.starts_at.upper()]

    def title(self, language: str) -> str:
        """Return what it is called in `language`."""
        return self.keys.title.fr if language == "fr" else self.keys.title.en

    def as_json(self) -> dict[str, Any]:
        """Return the runbook as JSON-ready data, from which `book_from_json` makes it again."""
        data: dict[str, Any] = self.keys.model_dump(mode="json")
        return data

    @property
    def version(self) -> str:
        """Return a short hash of what it says."""
        return sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:12]

    def plan(self, subject: Subject) -> tuple[Action, ...]:
        """Return every action about `subject`, in order. Raises StepFailed when a step cannot apply there."""
        return tuple(action for step, params in self.steps for action in step.actions(params, subject))


def _own(keys: StepKeys) -> Any:
    extra = keys.__pydantic_extra__ or {}
    return load(keys.step).Params.model_validate(extra)


def book_from_json(data: Mapping[str, Any]) -> Book:
    """Return the runbook that `data` says. Raises ValidationError, UnknownStep or BadBook."""
    return Book(BookKeys.model_validate(data))


@cache
def library() -> Mapping[str, Book]:
    """Return the runbooks that come with Relève, by name."""
    books = (book_from_json(yaml.safe_load(path.read_text("utf-8"))) for path in sorted(LIBRARY.glob("*.yaml")))
    return {book.name: book for book in books}
