"""What `deploy/` names exists: images, commands, options, ports, volumes, settings. Nothing is started."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from distributed.cli import dask_scheduler, dask_worker

from serving.cli.main import kizuna
from serving.project.settings import read

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
FILES = sorted(path.relative_to(DEPLOY).as_posix() for path in DEPLOY.rglob("*.yaml"))
ENTRYPOINT = ["kizuna", "-C", "/project"]
OURS = "kizuna"
IMAGES = {"docker.io/library/postgres:16", "docker.io/chrislusf/seaweedfs:4.48"}
DASK = {"scheduler": dask_scheduler.main, "worker": dask_worker.main}
COMPOSE = [name for name in FILES if "/" not in name]
KUBERNETES = [name for name in FILES if "/" in name]


@dataclass(frozen=True)
class Container:
    """A container that a file starts, whatever the format."""

    name: str
    image: str
    command: tuple[str, ...]
    environment: frozenset[str]
    ports: frozenset[int] = frozenset()


def documents(name: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")) if one]


def filled(text: str) -> str:
    """The text with a value for each of its variables, as Compose reads it."""
    return re.sub(r"\$\{(\w+)(?::\?[^}]*)?\}", r"\1", text)


def composed(name: str) -> Iterator[Container]:
    (document,) = documents(name)
    for service, about in document["services"].items():
        if "build" in about:
            folder = (DEPLOY / about["build"]["context"]).resolve()
            assert folder == ROOT
            assert (folder / about["build"]["dockerfile"]).is_file()
        image = OURS if "build" in about else about["image"]
        entrypoint = about.get("entrypoint", ENTRYPOINT if image == OURS else [])
        default = [] if "entrypoint" in about or image != OURS else ["serve"]
        command = (*entrypoint, *(about.get("command") or default))
        yield Container(service, image, command, frozenset(about.get("environment", {})))


def pods(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each workload with the specification of its pods."""
    for document in documents(name):
        spec = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield document, spec["template"]["spec"]


def orchestrated(name: str) -> Iterator[Container]:
    for _, pod in pods(name):
        for one in (*pod.get("initContainers", ()), *pod["containers"]):
            command = (*one.get("command", ENTRYPOINT), *one.get("args", ()))
            names = {entry["name"] for entry in one.get("env", ())}
            if one.get("envFrom"):
                names |= secrets()
            ports = frozenset(entry["containerPort"] for entry in one.get("ports", ()))
            yield Container(one["name"], one["image"], command, frozenset(names), ports)


def secrets() -> set[str]:
    found = [one for one in documents("kubernetes/project.yaml") if one["kind"] == "Secret"]
    return set(found[0]["stringData"])


def containers() -> list[tuple[str, Container]]:
    found = [(name, one) for name in COMPOSE for one in composed(name)]
    return found + [(name, one) for name in KUBERNETES for one in orchestrated(name)]


def check_options(command: click.Command, words: Sequence[str]) -> None:
    """Let click take the words apart, as the program would."""
    command.make_context("test", list(words), resilient_parsing=False)


@pytest.mark.parametrize(("file", "container"), containers(), ids=lambda one: getattr(one, "name", one))
def test_a_container_starts_what_there_is(file: str, container: Container) -> None:
    assert container.image in {OURS, *IMAGES}
    program, *words = container.command or [""]
    match program:
        case "kizuna":
            assert words[:2] == ENTRYPOINT[1:]
            group: click.Command = kizuna
            name, *options = words[2:]
            assert isinstance(group, click.Group)
            check_options(group.commands[name], options)
        case "dask":
            check_options(DASK[words[0]], words[1:])
        case "python":
            compile(words[1], file, "exec")
        case _:
            assert container.image in IMAGES


@pytest.mark.parametrize("name", KUBERNETES)
def test_what_a_pod_refers_to_is_there(name: str) -> None:
    made = {(one["kind"], one["metadata"]["name"]) for file in KUBERNETES for one in documents(file)}
    for workload, pod in pods(name):
        volumes = {volume["name"]: volume for volume in pod.get("volumes", ())}
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            assert {mount["name"] for mount in container.get("volumeMounts", ())} <= set(volumes)
            for source in container.get("envFrom", ()):
                assert ("Secret", source["secretRef"]["name"]) in made
        for volume in volumes.values():
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in made
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in made
        if workload["kind"] == "Deployment":
            labels = workload["spec"]["template"]["metadata"]["labels"]
            assert workload["spec"]["selector"]["matchLabels"] == labels


def test_services_of_kubernetes_lead_to_a_port_that_a_pod_opens() -> None:
    opened = {
        tuple(sorted(workload["spec"]["template"]["metadata"]["labels"].items())): {
            entry["containerPort"] for one in pod["containers"] for entry in one.get("ports", ())
        }
        for name in KUBERNETES
        for workload, pod in pods(name)
        if workload["kind"] == "Deployment"
    }
    services = [one for name in KUBERNETES for one in documents(name) if one["kind"] == "Service"]
    assert len(services) == 2
    for service in services:
        selected = opened[tuple(sorted(service["spec"]["selector"].items()))]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= selected


def test_workers_and_settings_name_the_port_of_the_scheduler() -> None:
    (document,) = documents("cluster.yaml")
    services = document["services"]
    port = services["scheduler"]["entrypoint"][3]
    assert services["worker"]["entrypoint"][2] == f"tcp://scheduler:{port}"
    assert services["kizuna"]["environment"]["KIZUNA_CLUSTER"] == f"tcp://scheduler:{port}"
    ports = [line for service in services.values() for line in service.get("ports", ())]
    assert ports == ["127.0.0.1:3000:3000"], "a scheduler's port is published nowhere"
    of_pods = {one.name: one for name in KUBERNETES for one in orchestrated(name)}
    scheduler, worker = of_pods["scheduler"], of_pods["worker"]
    assert scheduler.ports == {int(scheduler.command[3])}
    assert worker.command[2] == f"tcp://kizuna-scheduler:{scheduler.command[3]}"


def test_a_compose_file_uses_what_it_declares() -> None:
    for name in COMPOSE:
        (document,) = documents(name)
        declared: Mapping[str, Any] = document
        for service in document["services"].values():
            assert set(service.get("depends_on", {})) <= set(document["services"])
            assert set(service.get("networks", ())) <= set(declared.get("networks") or {})
            named = [volume.split(":")[0] for volume in service.get("volumes", ()) if volume[0] not in "/$."]
            assert set(named) <= set(declared.get("volumes") or {})
            used = {one["source"] for one in service.get("configs", ())}
            assert used <= set(declared.get("configs") or {})


def test_the_settings_of_kubernetes_are_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = documents("kubernetes/project.yaml")[0]["data"]["kizuna.toml"]
    for name in re.findall(r"\$\{(\w+)\}", settings):
        assert name in secrets(), "a variable that the settings name comes from the secret"
        monkeypatch.setenv(name, "postgresql://kizuna@localhost/kizuna")
    (tmp_path / "kizuna.toml").write_text(settings, encoding="utf-8")
    assert read(tmp_path).settings.cluster.address == "tcp://kizuna-scheduler:8786"


def test_the_settings_that_the_compose_file_shows_are_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (DEPLOY / "cluster.yaml").read_text(encoding="utf-8")
    shown = [line.removeprefix("#   ") for line in text.splitlines() if re.match(r"#   (\[|\w+ = )", line)]
    (document,) = documents("cluster.yaml")
    environment = document["services"]["kizuna"]["environment"]
    for name in re.findall(r"\$\{(\w+)\}", "\n".join(shown)):
        monkeypatch.setenv(name, filled(environment[name]))
    (tmp_path / "kizuna.toml").write_text("\n".join(shown), encoding="utf-8")
    settings = read(tmp_path).settings
    assert settings.cluster.address == "tcp://scheduler:8786"
    assert settings.records.endswith("@records/kizuna")


@pytest.mark.parametrize("name", ["cluster.yaml", "kubernetes/cluster.yaml"])
def test_workers_are_told_not_to_spill_or_pause(name: str) -> None:
    found = composed(name) if name in COMPOSE else orchestrated(name)
    (worker,) = [one for one in found if one.name == "worker"]
    for what in ("TARGET", "SPILL", "PAUSE"):
        assert f"DASK_DISTRIBUTED__WORKER__MEMORY__{what}" in worker.environment


def test_the_containerfile_copies_what_there_is_and_starts_the_command() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE):
        *sources, _ = line.split()
        assert all((ROOT / source).exists() for source in sources)
    assert 'ENTRYPOINT ["kizuna", "-C", "/project"]' in text
    module = re.findall(r"^RUN python -m ([\w.]+)$", text, re.MULTILINE)
    assert [(ROOT / (one.replace(".", "/") + ".py")).is_file() for one in module] == [True]
