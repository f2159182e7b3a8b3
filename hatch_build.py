"""Build hook: builds the dashboard once, so that installing a wheel needs no Node."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DashboardBuildHook(BuildHookInterface[Any]):
    """Runs `npm ci` and `npm run build`, unless the sdist already holds the result."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build `server/static`; nothing for editable installs or with `SKIP_DASHBOARD=1`.

        Raises:
            RuntimeError: npm is missing, or no dashboard came out of the build.
        """
        if version == "editable" or os.environ.get("SKIP_DASHBOARD") == "1":
            return
        root = Path(self.root)
        if not (root / "PKG-INFO").exists():
            npm = shutil.which("npm")
            if npm is None:
                raise RuntimeError(
                    "npm is not on the PATH, so the dashboard cannot be built; install Node 20 "
                    "or newer, or set SKIP_DASHBOARD=1 to build without it."
                )
            for arguments in (["ci"], ["run", "build"]):
                subprocess.run([npm, *arguments], cwd=root / "dashboard", check=True)  # noqa: S603
        if not (root / "server" / "static" / "index.html").is_file():
            raise RuntimeError(
                "server/static/index.html is missing; run `npm ci && npm run build` in dashboard/."
            )
