"""Examples of how people are told: routes, deliveries, and a feed for emergency services."""

from __future__ import annotations

from typing import Any, Final

from services.api.examples.alerts import ALERT, EVENT
from services.domain.sentences.problem import problem, said_of

_AT: Final = "2026-01-01T02:20:03Z"
_PROBLEM: Final = problem("answered", answer="503 Service Unavailable: ")
ROUTES: Final[dict[str, Any]] = {
    "items": [
        {
            "name": "duty",
            "health": "good",
            "channel": "webhook",
            "from_severity": "warning",
            "language": "en",
            "escalates_to": "manager",
            "waiting": 0,
            "refused": 0,
            "sent_day": 3,
            "given_up_day": 0,
            "last_sent_at": _AT,
            "last_failed_at": "2026-01-01T02:20:01Z",
            "last_problem": _PROBLEM,
            "last_problem_said": said_of(_PROBLEM),
            "can_test": True,
        }
    ]
}
TEST: Final[dict[str, Any]] = {
    "route": "duty",
    "sent_at": "2026-01-01T08:00:00Z",
    "receipt": None,
    "receipt_said": None,
}
DELIVERIES: Final[dict[str, Any]] = {
    "items": [
        {
            "event_id": EVENT["id"],
            "alert_id": ALERT["id"],
            "event": "raised",
            "rule": ALERT["rule"],
            "subject": ALERT["subject"],
            "route": "duty",
            "round": 0,
            "reason": "routed",
            "state": "sent",
            "attempts": 2,
            "created_at": "2026-01-01T02:20:00Z",
            "held_until": None,
            "next_attempt_at": None,
            "sent_at": _AT,
            "given_up_at": None,
            "problem": None,
            "problem_said": None,
            "receipt": None,
            "receipt_said": None,
            "digest_id": None,
            "failures": [
                {
                    "attempt": 1,
                    "at": "2026-01-01T02:20:01Z",
                    "problem": _PROBLEM,
                    "problem_said": said_of(_PROBLEM),
                }
            ],
        }
    ],
    "next": None,
    "has_more": False,
}

CAP_IDENTIFIER: Final = "citygauge-0d5f3a2e-56a1-5d3b-8c57-1f0c1d9e4b22"
CAP_SENDER: Final = "water@city.example"
CAP_HEADLINE: Final = f"Burst: {ALERT['sentence'].partition('.')[0]}."
CAP: Final = f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{CAP_IDENTIFIER}</identifier>\
<sender>{CAP_SENDER}</sender><sent>2026-01-01T02:20:00-00:00</sent><status>Actual</status><msgType>Alert</msgType>\
<source>Citygauge</source><scope>Public</scope><incidents>{ALERT["group_id"]}</incidents><info>\
<language>en</language><category>Infra</category><event>burst</event><responseType>Assess</responseType>\
<urgency>Immediate</urgency><severity>Severe</severity><certainty>Likely</certainty>\
<effective>2026-01-01T02:20:00-00:00</effective><onset>2026-01-01T02:10:00-00:00</onset>\
<expires>2026-01-02T02:20:00-00:00</expires><headline>{CAP_HEADLINE}</headline>\
<description>{ALERT["sentence"]}</description><area><areaDesc>14 Mill Street, Zone 3</areaDesc>\
<circle>39.469900,-0.376300 0.2</circle></area></info></alert>
"""
