"""`[cluster]`: how the work on the events is divided, and where it is done, when it is not this process."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

MOST_BUCKETS = 4096


class ClusterSettings(BaseModel):
    """`[cluster]`: the Dask cluster whose workers read the events and compute."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field(
        default="",
        description="the scheduler of a Dask cluster, such as tcp://10.0.0.5:8786, or local:2 for two worker "
        "processes of this machine; this process does the work when empty (docs/scale.md)",
    )
    buckets: int | None = Field(
        default=None,
        description="into how many parts a new store divides the customers, a power of two (docs/scale.md), "
        "16 when absent; one worker works on a whole part, and a store that is there keeps its number",
    )
    worker_memory: str = Field(
        default="",
        pattern=r"^(\d+(\.\d+)? ?[MG]i?B)?$",
        description='the most memory that a worker process of "local:2" may hold, such as "4GB"; its share '
        "of the memory of the machine when empty",
    )

    @field_validator("buckets")
    @classmethod
    def _power_of_two(cls, buckets: int | None) -> int | None:
        if buckets is not None and not (1 <= buckets <= MOST_BUCKETS and buckets.bit_count() == 1):
            raise ValueError(f"write a power of two from 1 to {MOST_BUCKETS}, such as 64")
        return buckets
