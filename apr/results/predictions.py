"""A run as a line of predictions, in the form in which SWE-bench's tools read them."""

from __future__ import annotations

import json

from apr.core.run import RepairRun


def render_prediction(run: RepairRun) -> str:
    """One line with the best patch; an empty line of patch says that none was found."""
    model = run.settings.get("llm") or {}
    line = {
        "instance_id": run.bug.name,
        "model_name_or_path": f"apr-{model.get('model', 'template')}",
        "model_patch": run.patches[0].diff if run.patches else "",
    }
    return json.dumps(line) + "\n"
