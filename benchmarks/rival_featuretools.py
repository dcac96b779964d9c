"""The features in featuretools: run by a Python that has it, as it needs an older pandas than Kizuna.

`PYTHON rival_featuretools.py TASK`, called by `benchmarks.features --featuretools PYTHON`. TASK is JSON: the
Parquet files, the as-of instant in microseconds, the windows in days, the columns and where to leave them.
One process: more need Dask, which pays for larger data than this.
"""

# mypy: ignore-errors

import json
import sys
import time
from pathlib import Path

import featuretools as ft
import numpy as np
import pandas as pd
from featuretools.primitives import Count, Max, Mean, Min, NumUnique, Sum, TimeSinceFirst, TimeSinceLast

DAY = 86_400


def entities(files, as_of):
    """Customers with an event before the date, and their events by stream."""
    columns = ["key", "occurred_at", "kind", "value", "detail"]
    events = pd.concat([pd.read_parquet(file, columns=columns) for file in files], ignore_index=True)
    events["occurred_at"] = pd.to_datetime(events["occurred_at"], utc=True).dt.tz_localize(None)
    events = events[events["occurred_at"] < as_of]
    events["day"] = events["occurred_at"].dt.strftime("%Y-%m-%d")
    for column in ("kind", "detail"):
        events[column] = events[column].astype(object)
    back = (events["kind"] == "refund") | (events["value"] < 0)
    of = {
        "purchase": (events["kind"] == "purchase") & ~back,
        "paid": events["kind"].isin(["purchase", "refund"]),
        "usage": events["kind"].isin(["visit", "feature_used", "login"]),
        "inquiry": events["kind"] == "ticket_opened",
    }
    found = ft.EntitySet("shop")
    customers = pd.DataFrame({"key": np.sort(events["key"].unique())})
    found.add_dataframe(dataframe=customers, dataframe_name="customers", index="key")
    for name, mine in of.items():
        stream = events[mine].drop(columns="kind").reset_index(drop=True)
        found.add_dataframe(
            dataframe=stream, dataframe_name=name, index="event", make_index=True, time_index="occurred_at",
            logical_types={
                "key": "Integer", "value": "Double", "detail": "Categorical", "day": "Categorical"
            },
        )  # fmt: skip
        found.add_relationship("customers", "key", name, "key")
    return found, customers["key"]


def wanted(found):
    """What is asked of each window, and of whole history, by the name it has here."""

    def of(stream, column, primitive):
        return ft.Feature(found[stream].ww[column], parent_dataframe_name="customers", primitive=primitive)

    windowed = {f"{stream}_count": of(stream, "event", Count) for stream in ("purchase", "usage", "inquiry")}
    for stream in ("purchase", "usage", "inquiry"):
        windowed[f"{stream}_active_days"] = of(stream, "day", NumUnique)
        windowed[f"{stream}_distinct_detail"] = of(stream, "detail", NumUnique)
    for name, primitive in {"mean": Mean, "min": Min, "max": Max}.items():
        windowed[f"purchase_{name}"] = of("purchase", "value", primitive)
    windowed["purchase_sum"] = of("paid", "value", Sum)
    windowed["usage_sum"] = of("usage", "value", Sum)
    whole = {}
    for stream in ("purchase", "usage", "inquiry"):
        whole[f"{stream}_days_since_last"] = of(stream, "occurred_at", TimeSinceLast)
        whole[f"{stream}_days_since_first"] = of(stream, "occurred_at", TimeSinceFirst)
    return windowed, whole


def rows(task):
    """The matrix, its column names, and the customers."""
    as_of = pd.Timestamp(task["as_of"], unit="us")
    found, keys = entities(task["files"], as_of)
    windowed, whole = wanted(found)
    cutoff = pd.DataFrame({"key": keys, "time": as_of})

    def ask(features, days):
        table = ft.calculate_feature_matrix(
            list(features.values()), found, cutoff_time=cutoff, include_cutoff_time=False,
            training_window=None if days is None else f"{days} days",
        )  # fmt: skip
        return table.loc[keys][[feature.get_name() for feature in features.values()]].to_numpy(dtype=float)

    names, parts = [], []
    for days in task["windows"]:
        said = ask(windowed, days)
        for place, name in enumerate(windowed):
            names.append(f"{name}_{days}d")
            zero = name.endswith(("_count", "_active_days", "_distinct_detail", "_sum"))
            parts.append(np.nan_to_num(said[:, place]) if zero else said[:, place])
    said = ask(whole, None) / DAY
    return np.column_stack([*parts, *said.T]), [*names, *whole], keys.to_numpy()


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    began = time.perf_counter()
    matrix, names, keys = rows(task)
    seconds = time.perf_counter() - began
    order = [names.index(name) for name in task["columns"]]
    answers = Path(task["answers"])
    answers.mkdir(parents=True)
    np.save(answers / "keys.npy", keys)
    np.save(answers / "as_of.npy", np.full(len(keys), task["as_of"]))
    np.save(answers / "matrix.npy", matrix.T[order])
    print(json.dumps({"seconds": seconds, "version": ft.__version__}))
