"""``python -m paddock``: the same as the command ``paddock``."""

from __future__ import annotations

from paddock.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
