"""GET /v1/sentences: the templates of alerts' sentences in one language, for whoever fills them in itself."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from services.api.access import read
from services.api.answers import Answer
from services.api.documents import Document
from services.api.history.forms.answer import unchanged
from services.api.parameters import Parameters
from services.api.problems import documented
from services.domain.errors import InvalidInput
from services.domain.sentences.language import LANGUAGES, language_of

router = APIRouter(tags=["alerts"], dependencies=[Depends(read)])


class SentencesParameters(Parameters):
    """In which language."""

    language: str = Field(
        "en", max_length=35, description=f"One of {', '.join(LANGUAGES)}; es-MX is es."
    )


class SentencesDocument(Document):
    """How one language says what alerts say."""

    language: str = Field(description="Its tag (RFC 5646), in small letters.")
    name: str = Field(description="The language's own name.")
    decimal: str = Field(description="Decimal sign.")
    group: str = Field(description="Sign between groups of three digits.")
    grouped_from: int = Field(description="From which number on digits are grouped.")
    plurals: dict[str, str] = Field(
        description="Form of a plural: the counts that take it, as CLDR writes its rules; all others take `other`."
    )
    time: str = Field(description="Template of a moment: weekday, day, month, clock.")
    weekdays: list[str] = Field(description="Monday to Sunday.")
    months: list[str] = Field(description="January to December.")
    spans: dict[str, dict[str, str]] = Field(
        description="Unit of time: form of a plural: template."
    )
    sentences: dict[str, str] = Field(
        description="Template by key; what lacks one is said in English. {name} takes the value of that name; {name^} "
        "begins it with a capital letter."
    )


_LASTING: Final = "private, no-cache"


@router.get(
    "/v1/sentences",
    summary="The templates of sentences",
    responses={
        200: {"model": SentencesDocument, "description": "Every template in that language"},
        304: {"description": "Nothing has changed since the answer that If-None-Match names"},
        **documented(401, 403, 422, 503),
    },
)
def sentences(request: Request, chosen: Annotated[SentencesParameters, Query()]) -> Response:
    """Give what `said` of an alert and of its events is filled into, in a language."""
    code = language_of(chosen.language)
    if code is None:
        raise InvalidInput("language", chosen.language, f"one of {', '.join(LANGUAGES)}")
    language = LANGUAGES[code]
    headers = {"ETag": f'"{language.version}"', "Cache-Control": _LASTING}
    if unchanged(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    names = SentencesDocument.model_fields.keys() - {"language"}
    words = {name: getattr(language, name) for name in names}
    return Answer({"language": code, **words}, headers=headers)
