"""`python -m tests.golden` writes the logs and the states that both dashboards must reach."""

from __future__ import annotations

from tests.golden.files import FOLDER, log_text, states_text
from tests.golden.scenes import SCENES


def main() -> None:
    """Write every scene's log and states."""
    for name in SCENES:
        (FOLDER / f"{name}.jsonl").write_text(log_text(name), encoding="utf-8")
        (FOLDER / f"{name}.states.json").write_text(states_text(name), encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main()
