"""``python -m paddock.node``: the same as ``paddock node``."""

from __future__ import annotations

import sys

from paddock.node.commands import main

sys.exit(main())
