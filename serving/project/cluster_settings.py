"""`[cluster]`: where the work on the events is done, when it is not this machine."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ClusterSettings(BaseModel):
    """`[cluster]`: the Dask cluster that features, scores, plans and reports are computed on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field(
        default="",
        description="the scheduler of a Dask cluster, such as tcp://10.0.0.5:8786, or local:2 for two worker "
        "processes of this machine; this process does the work when empty (docs/scale.md)",
    )
    worker_memory: str = Field(
        default="",
        pattern=r"^(\d+(\.\d+)? ?[MG]i?B)?$",
        description='the most memory that a worker process of "local:2" may hold, such as "4GB"; its share '
        "of the memory of the machine when empty",
    )
