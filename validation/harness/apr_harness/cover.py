"""Per-test statement coverage through coverage.py's dynamic contexts."""

from __future__ import annotations

import os
import sys
from typing import Any

from apr_harness.channel import Channel


class Cover:
    """Records which lines of the subject each test executes."""

    def __init__(self, root: str, toolbox: str) -> None:
        self.root = os.path.realpath(root)
        sys.path.append(toolbox)
        try:
            import coverage
            import coverage.tracer
        except ImportError:  # ours, in an interpreter that its C part was not built for
            import coverage
        else:
            # The C tracer is the one that supports dynamic contexts on every Python version.
            os.environ.setdefault("COVERAGE_CORE", "ctrace")
        finally:
            sys.path.remove(toolbox)
        self._coverage: Any = coverage.Coverage(
            data_file=None, config_file=False, source=[self.root], messages=False
        )
        self._coverage.start()

    def switch(self, test: str) -> None:
        """From now on, lines belong to `test`; empty: to none."""
        self._coverage.switch_context(test)

    def send(self, channel: Channel) -> None:
        """Stop, and send the contexts of each line file by file."""
        self._coverage.stop()
        data = self._coverage.get_data()
        for path in sorted(data.measured_files()):
            full = os.path.realpath(path)
            if not full.startswith(self.root + os.sep):
                continue
            lines = {
                str(line): sorted(set(contexts))
                for line, contexts in sorted(data.contexts_by_lineno(path).items())
            }
            relative = full[len(self.root) + 1 :].replace(os.sep, "/")
            channel.send(k="coverage", path=relative, lines=lines)
