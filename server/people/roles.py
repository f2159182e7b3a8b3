"""Roles and what they may do (`reliability.md` section 6); pure.

                 live calls   finished calls      rules    users, keys   audit         trends
    agent        own          own                 -        -             own entries   own
    supervisor   team         team                try      -             -             team
    coach        -            team                try      -             -             team, agents
    auditor      -            metadata            read     -             all           teams
    admin        -            with a reason       all      all           all           teams
    local        all          all                 all      -             all           all

Rules are the whole server's, so only who answers for it saves them. Everybody sees what is stored
about them and may ask for its erasure, which an admin decides.

All of it ends at one's own tenant, and what is the whole server's is for the tenant `default`.

`local` is the one person at this machine while no user exists. Whatever is not granted is denied.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from server.people.tenants import DEFAULT_TENANT


class Role(StrEnum):
    """What somebody is to the centre."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    COACH = "coach"
    AUDITOR = "auditor"
    ADMIN = "admin"
    LOCAL = "local"


class Action(StrEnum):
    """What can be asked of the server."""

    LIST_CALLS = "list_calls"
    """See that calls were, when and how long; which ones is the reach's matter."""
    WATCH_LIVE = "watch_live"
    READ_CONTENT = "read_content"
    """Words, events and reports of finished calls."""
    COACH_SELF = "coach_self"
    """Answer cues and pause capture in one's own live call."""
    NUDGE = "nudge"
    """Send a line to the agent of a live call, and handle alerts."""
    SWAP_ROLES = "swap_roles"
    """Say that the agent's side of a live call is the customer's."""
    ANNOUNCE_CALLS = "announce_calls"
    """Tell of a stream that can say no more than an id."""
    READ_RULES = "read_rules"
    TRY_RULES = "try_rules"
    """Replay finished calls under changed rules, to see what would be shown."""
    EDIT_RULES = "edit_rules"
    """Save changed rules, for every call that starts from then on."""
    READ_TRENDS = "read_trends"
    """Figures over many calls, of whole teams or of oneself."""
    READ_AGENT_TRENDS = "read_agent_trends"
    """Figures over many calls of one agent."""
    READ_OWN_DATA = "read_own_data"
    """See, take away and ask to erase what is stored about oneself."""
    DECIDE_ERASURE = "decide_erasure"
    """Carry out or decline what people ask to have erased."""
    MANAGE_PEOPLE = "manage_people"
    READ_AUDIT = "read_audit"
    READ_PROMISES = "read_promises"
    """See what was promised; others than the agent see what was confirmed."""
    ANSWER_PROMISES = "answer_promises"
    """Confirm, correct, keep or cancel what one promised."""
    PRACTISE = "practise"
    """Practise; nobody else sees it."""
    WRITE_TONE = "write_tone"
    """Have a written reply of one's own looked at; nothing is kept."""
    READ_API = "read_api"
    """Read what the interfaces of this server are."""
    READ_METRICS = "read_metrics"
    """Read what the server measures of itself."""


class Reach(StrEnum):
    """Whose calls an action extends to."""

    OWN = "own"
    TEAM = "team"
    ALL = "all"
    ALL_WITH_REASON = "all_with_reason"
    """All, each look with a reason that is written into the audit log."""


_EVERYBODY = {
    Action.PRACTISE: Reach.OWN,
    Action.READ_OWN_DATA: Reach.OWN,
    Action.WRITE_TONE: Reach.OWN,
    Action.READ_API: Reach.ALL,
}
GRANTS: dict[Role, dict[Action, Reach]] = {
    Role.AGENT: {
        **_EVERYBODY,
        Action.LIST_CALLS: Reach.OWN,
        Action.WATCH_LIVE: Reach.OWN,
        Action.READ_CONTENT: Reach.OWN,
        Action.READ_PROMISES: Reach.OWN,
        Action.ANSWER_PROMISES: Reach.OWN,
        Action.COACH_SELF: Reach.OWN,
        Action.SWAP_ROLES: Reach.OWN,
        Action.READ_RULES: Reach.ALL,
        Action.READ_AUDIT: Reach.OWN,
        Action.READ_TRENDS: Reach.OWN,
        Action.READ_AGENT_TRENDS: Reach.OWN,
    },
    Role.SUPERVISOR: {
        **_EVERYBODY,
        Action.LIST_CALLS: Reach.TEAM,
        Action.WATCH_LIVE: Reach.TEAM,
        Action.READ_CONTENT: Reach.TEAM,
        Action.READ_PROMISES: Reach.TEAM,
        Action.NUDGE: Reach.TEAM,
        Action.SWAP_ROLES: Reach.TEAM,
        Action.READ_RULES: Reach.ALL,
        Action.TRY_RULES: Reach.TEAM,
        Action.READ_TRENDS: Reach.TEAM,
    },
    Role.COACH: {
        **_EVERYBODY,
        Action.LIST_CALLS: Reach.TEAM,
        Action.READ_CONTENT: Reach.TEAM,
        Action.READ_RULES: Reach.ALL,
        Action.TRY_RULES: Reach.TEAM,
        Action.READ_TRENDS: Reach.TEAM,
        Action.READ_AGENT_TRENDS: Reach.TEAM,
    },
    Role.AUDITOR: {
        **_EVERYBODY,
        Action.LIST_CALLS: Reach.ALL,
        Action.READ_CONTENT: Reach.ALL_WITH_REASON,
        Action.READ_RULES: Reach.ALL,
        Action.READ_AUDIT: Reach.ALL,
        Action.READ_TRENDS: Reach.ALL,
    },
    Role.ADMIN: {
        **_EVERYBODY,
        Action.LIST_CALLS: Reach.ALL,
        Action.READ_CONTENT: Reach.ALL_WITH_REASON,
        Action.READ_RULES: Reach.ALL,
        Action.ANNOUNCE_CALLS: Reach.ALL,
        Action.TRY_RULES: Reach.ALL,
        Action.EDIT_RULES: Reach.ALL,
        Action.READ_TRENDS: Reach.ALL,
        Action.DECIDE_ERASURE: Reach.ALL,
        Action.MANAGE_PEOPLE: Reach.ALL,
        Action.READ_METRICS: Reach.ALL,
        Action.READ_AUDIT: Reach.ALL,
    },
    Role.LOCAL: {action: Reach.ALL for action in Action if action is not Action.MANAGE_PEOPLE},
}


SERVER_WIDE = frozenset({Action.ANNOUNCE_CALLS, Action.EDIT_RULES, Action.READ_METRICS})
"""What is the same for all tenants; only the tenant `default` has it."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is signed in."""

    id: str
    name: str
    role: Role
    teams: tuple[str, ...] = ()
    agent: str | None = None
    """Under which name calls carry them."""
    tenant: str = DEFAULT_TENANT

    def may(self, action: Action) -> bool:
        """Whether the role has the action at all, for some calls."""
        return action in GRANTS[self.role] and reaches(self.tenant, action)

    def may_with(self, action: Action, call: Whose, reason: str | None = None) -> bool:
        """Whether the action extends to this call."""
        if call.tenant != self.tenant:
            return False
        reach = GRANTS[self.role].get(action)
        if reach is Reach.ALL_WITH_REASON:
            return bool(reason and reason.strip())
        if reach is Reach.ALL:
            return True
        if reach is Reach.OWN:
            return call.agent is not None and call.agent == self.agent
        if reach is Reach.TEAM:
            return call.team is not None and call.team in self.teams
        return False


class Whose(msgspec.Struct, frozen=True, kw_only=True):
    """To whom a call belongs."""

    agent: str | None
    team: str | None
    tenant: str = DEFAULT_TENANT


def reaches(tenant: str, action: Action) -> bool:
    """Whether an action is for a tenant at all."""
    return tenant == DEFAULT_TENANT or action not in SERVER_WIDE


LOCAL_PERSON = Person(id="local", name="This machine", role=Role.LOCAL)
