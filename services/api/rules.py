"""GET /v1/rules: what each rule is set to, as the one who started the service gave it.

It refuses to change anything: settings are a file that is reviewed, tried with `citygauge tune`, and read at a start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from services.api.access import read
from services.api.answers import Answer
from services.api.documents import Document
from services.api.problems import documented
from services.domain.condition import Rule

router = APIRouter(tags=["alerts"], dependencies=[Depends(read)])


@dataclass(frozen=True, slots=True)
class RuleSetting:
    """One setting of a rule.

    Attributes:
        name: with its unit at the end; value, default: a number or a text; description: a phrase.
    """

    name: str
    value: float | str
    default: float | str
    description: str


Rules = Mapping[Rule, Sequence[RuleSetting]]


class RuleSettingDocument(Document):
    """One setting of a rule."""

    name: str = Field(description="Its name in the settings, with its unit at the end.")
    value: float | str = Field(description="What it is now.")
    default: float | str = Field(description="What it is where nobody set it.")
    description: str = Field(description="What it decides.")


class RuleDocument(Document):
    """One rule with its settings."""

    rule: Rule = Field(description="The rule.")
    settings: list[RuleSettingDocument] = Field(description="What may be set, in its order.")


class RulesDocument(Document):
    """Every rule."""

    items: list[RuleDocument] = Field(description="The rules.")


@router.get(
    "/v1/rules",
    summary="What the rules are set to",
    responses={
        200: {"model": RulesDocument, "description": "Every rule with its settings"},
        **documented(401, 403, 503),
    },
)
def rules(request: Request) -> Answer:
    """Show each rule's settings, as this service's own settings file and environment give them."""
    known: Rules = request.app.state.neighbours.rules
    return Answer({"items": [{"rule": rule, "settings": known.get(rule, ())} for rule in Rule]})
