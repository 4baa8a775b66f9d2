"""What a language's file holds, beside English: what it lacks is taken from there, and what is wrong in it is named.

A file is one language: how it writes numbers and times, the templates of alerts' sentences, and the console's words.
Its form is that of en.json: text under names, and counted words as {"one": ..., "other": ...}. It refuses to complete
templates of sentences: a sentence is said in one language as a whole, or in English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.domain.sentences import plurals

SENTENCES: Final = "sentences"
PLURALS: Final = "plurals"
_PLACE: Final = re.compile(r"\{(\w+)\^?\}")
_SIGNS: Final = "{}^ .,;"
_MOMENT: Final = frozenset({"weekday", "day", "month", "clock"})


def completed(given: Mapping[str, Any], english: Mapping[str, Any]) -> dict[str, Any]:
    """The file with English where it has nothing, or nothing of that form; what English does not know is left out.

    Raises:
        ValueError: rules of plurals that cannot be followed.
    """
    whole = {name: _filled_up(given.get(name), text) for name, text in english.items()}
    whole[PLURALS] = _rules(given, english)
    templates = given.get(SENTENCES)
    own = templates.items() if isinstance(templates, Mapping) else ()
    known = english[SENTENCES]
    whole[SENTENCES] = {key: text for key, text in own if key in known and isinstance(text, str)}
    return whole


def _rules(given: Mapping[str, Any], english: Mapping[str, Any]) -> Mapping[str, str]:
    rules: Mapping[str, str] = given.get(PLURALS, english[PLURALS])
    if not isinstance(rules, Mapping) or not _are_texts(list(rules.values())):
        raise ValueError(f"{PLURALS}: these are conditions under names of forms")
    plurals.check(rules)
    return rules


def _filled_up(given: Any, english: Any) -> Any:
    if is_counted(english):
        return given if is_counted(given) or isinstance(given, str) else english
    if isinstance(english, Mapping):
        own = given if isinstance(given, Mapping) else {}
        return {name: _filled_up(own.get(name), text) for name, text in english.items()}
    if isinstance(english, list):
        return given if _are_texts(given) and len(given) == len(english) else english
    return given if type(given) is type(english) else english


def is_counted(words: Any) -> bool:
    """Whether these are the forms of one word for different counts."""
    if not isinstance(words, Mapping) or plurals.OTHER not in words:
        return False
    return words.keys() <= set(plurals.FORMS) and _are_texts(list(words.values()))


def _are_texts(words: Any) -> bool:
    return isinstance(words, list) and all(isinstance(each, str) for each in words)


def findings(given: Mapping[str, Any], english: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a language's file, a sentence each; none for one that says everything.

    Args:
        given, english: the files as they are.
    """
    try:
        rules = _rules(given, english)
    except ValueError as error:
        yield str(error)
        rules = {}
    yield from _beside(given, english, "", {*rules, plurals.OTHER})


def _beside(given: Any, english: Any, path: str, forms: set[str]) -> Iterator[str]:
    if is_counted(english):
        yield from _counted(given, english, path, forms)
    elif isinstance(english, Mapping):
        if not isinstance(given, Mapping):
            yield f"{path}: these are words under names, as in English"
            return
        for name in given.keys() - english.keys():
            yield f"{_under(path, name)}: nothing says this"
        for name, text in english.items():
            here = _under(path, name)
            if name not in given:
                yield f"{here}: missing, so English is said: {text!r:.100}"
            elif here != PLURALS:
                yield from _beside(given[name], text, here, forms)
    elif isinstance(english, list):
        if not _are_texts(given) or len(given) != len(english):
            yield f"{path}: this is a list of {len(english)} words"
    elif type(given) is not type(english):
        yield f"{path}: this is {'text' if isinstance(english, str) else 'a number'}, as in English"
    elif isinstance(english, str):
        yield from _text(given, english, path)


def _text(given: str, english: str, path: str) -> Iterator[str]:
    if path == "time":
        wrong = set(_PLACE.findall(given)) - _MOMENT
        yield from (f"{path}: {{{name}}} is not filled in" for name in sorted(wrong))
        return
    has, wants = set(_PLACE.findall(given)), set(_PLACE.findall(english))
    yield from (f"{path}: {{{name}}} is missing" for name in sorted(wants - has))
    yield from (f"{path}: {{{name}}} is not filled in" for name in sorted(has - wants))
    if english.strip(_SIGNS) and not given.strip(_SIGNS):
        yield f"{path}: it is empty"


def _counted(given: Any, english: Mapping[str, str], path: str, forms: set[str]) -> Iterator[str]:
    if not is_counted(given):
        yield f"{path}: these are forms of a plural, {{{', '.join(sorted(forms))}}}"
        return
    yield from (f"{path}: the form {name} is missing" for name in sorted(forms - given.keys()))
    known = set(_PLACE.findall(" ".join(english.values())))
    yield from _text(given[plurals.OTHER], english[plurals.OTHER], f"{path}.{plurals.OTHER}")
    for name, text in given.items():
        for place in sorted(set(_PLACE.findall(text)) - known):
            yield f"{path}.{name}: {{{place}}} is not filled in"


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
