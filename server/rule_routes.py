"""Cue rules over HTTP: read them, try a change on past calls, save it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.exceptions import ServiceUnavailableException, ValidationException
from litestar.params import JSONBody

from conversation.rules import RuleError
from server.aside import AsideError, Trial, TryRules, database_of
from server.call_routes import within_reach
from server.people.roles import GRANTS, Action, Person, Reach
from server.rule_edits import Changes, Draft, described, draft, save
from server.store import CallFilter, Journal

MOST_CALLS = 50
"""Calls of one trial; each takes about a second of a core."""
_MOST_RULES = 100


class Proposal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody would change."""

    changes: Changes
    calls: int = 20
    """How many of the newest calls to try it on."""


@get("/v1/rules", opt={"action": Action.READ_RULES})
async def list_rules(state: State) -> list[dict[str, Any]]:
    """List the cue rules of new calls, with reason, condition, limits and what was changed."""
    calls = state.calls
    return await asyncio.to_thread(described, calls.rule_source, calls.disabled_rules)


@post("/v1/rules/trial", opt={"action": Action.TRY_RULES}, status_code=200)
async def try_rules(
    data: JSONBody[Proposal], state: State, request: Request[Any, Any, Any]
) -> Trial:
    """Replay the asker's newest finished calls before and after a change; nothing is saved."""
    if not 1 <= data.calls <= MOST_CALLS:
        raise ValidationException(f"calls is 1 to {MOST_CALLS}, not {data.calls}.")
    wanted = await _draft(state, data)
    person: Person = request.state["sign_in"].person
    journal: Journal = request.state["journal"]
    which = within_reach(CallFilter(live=False), person)
    page = await asyncio.to_thread(journal.find_calls, which, limit=data.calls)
    job = TryRules(
        database=database_of(journal.engine),
        tenant=journal.tenant,
        call_ids=[row.call_id for row in page.calls],
        before=wanted.before,
        after=wanted.after,
        overlay=wanted.overlay,
        rules=sorted(data.changes),
    )
    try:
        trial = msgspec.json.decode(await state.aside.run(job), type=Trial)
    except AsideError as error:
        raise ServiceUnavailableException(str(error)) from error
    if GRANTS[person.role].get(Action.READ_CONTENT) is Reach.ALL_WITH_REASON:
        _forget_words(trial)
    return trial


@post("/v1/rules", opt={"action": Action.EDIT_RULES}, status_code=204)
async def save_rules(
    data: JSONBody[Proposal], state: State, request: Request[Any, Any, Any]
) -> None:
    """Save a change for every call that starts from now on."""
    wanted = await _draft(state, data)
    try:
        rules = await asyncio.to_thread(save, state.calls.rule_source, wanted)
    except RuleError as error:
        raise ServiceUnavailableException(str(error)) from error
    person: Person = request.state["sign_in"].person
    what = ", ".join(f"{rule}.{key}" for rule, keys in data.changes.items() for key in keys)
    audit, now = state.access.audit, state.access.now()
    await asyncio.to_thread(audit.add, person, "edit_rules", rules.sha256[:12], now, what)


async def _draft(state: State, data: Proposal) -> Draft:
    if not 1 <= len(data.changes) <= _MOST_RULES:
        raise ValidationException(f"changes names 1 to {_MOST_RULES} rules.")
    try:
        return await asyncio.to_thread(draft, state.calls.rule_source, data.changes)
    except RuleError as error:
        raise ValidationException(str(error)) from error


def _forget_words(trial: Trial) -> None:
    """Leave out what was said, for those who may read calls only with a reason."""
    for rule in trial.rules:
        rule.gone = [msgspec.structs.replace(e, evidence_line="") for e in rule.gone]
        rule.come = [msgspec.structs.replace(e, evidence_line="") for e in rule.come]


RULE_ROUTES = (list_rules, try_rules, save_rules)
