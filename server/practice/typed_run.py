"""A typed run: the trainee on one side, the scenario on the other."""

from __future__ import annotations

from conversation.events import Channel
from server.practice.director import Director
from server.practice.text_call import TextCall

ROLES = ("agent", "customer")
_NO_MODEL = "..."


class TypedRun:
    """One run; `take` what the trainee says until it is `over`."""

    def __init__(self, director: Director, call: TextCall, role: str) -> None:
        self.director = director
        self.call = call
        self.role = role
        self.over = False
        if role == "agent":
            self._customer_speaks()

    @property
    def line(self) -> str:
        """What the customer says now; whose role it is says it in words of their own."""
        return self.director.stage.says

    def take(self, text: str) -> str | None:
        """Take what the trainee says and return what the other side answers, None at the end."""
        if self.role == "agent":
            self.director.answer(self.call.say(Channel.AGENT, text))
            self._customer_speaks()
            return self.line
        self.call.say(Channel.CUSTOMER, text)
        if self.director.over:
            self.over = True
            return None
        reply = self.director.stage.model_reply or _NO_MODEL
        self.director.answer(self.call.say(Channel.AGENT, reply))
        return reply

    def _customer_speaks(self) -> None:
        self.call.say(Channel.CUSTOMER, self.line)
        self.over = self.director.over
