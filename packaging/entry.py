"""Where the frozen agent begins."""

import sys

from agent.cli.main import main

sys.exit(main())
