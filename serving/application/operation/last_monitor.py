"""The result of monitoring that was computed last, for pages and the API; nothing is computed here."""

from __future__ import annotations

from serving.application.permissions import Actor, use_case
from serving.application.workspace import NOBODY, Workspace
from serving.schemas.monitor_responses import LastMonitorReply
from serving.state import monitor_file


@use_case("read_report")
def last_monitor(workspace: Workspace, actor: Actor) -> LastMonitorReply:
    """The last result, which says of which moment it is; `kizuna monitor` and the job compute it."""
    workspace.record_access(actor.name, "monitor", NOBODY)
    return LastMonitorReply(monitor_file.load(workspace.project.state))
