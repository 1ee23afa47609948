"""The Locust chart: each option reaches the manifests, each rule between values refuses with its reason."""

import pytest
import yaml
from cases import with_values
from render import ROOT, HelmRefused, Manifest, one, render
from validation import KUBERNETES_VERSIONS, errors, restricted_violations

from slo_tuner.access.settings import OWN_HEADERS
from slo_tuner.load.locust_settings import read_settings

TARGET = {"target": {"address": "triton:8001"}}
JOB = {**TARGET, "job": {"enabled": True}}
LADDER = {**TARGET, "job": {"enabled": True, "command": "ladder", "models": ["original", "tftrt_fp16"]}}
SWEEP = {**TARGET, "job": {"enabled": True, "command": "sweep", "through": {"gateway": "{{ .Release.Name }}-gw:80"}}}
OPEN = {**TARGET, "load": {"mode": "open", "ratePerS": 250.5}}
WORKERS = {**TARGET, "swarm": {"enabled": False}, "job": {"enabled": True, "workers": 4}}
CLAIM = {**TARGET, "job": {"enabled": True, "results": "persistentVolumeClaim"}}
CLAIM["job"]["persistentVolumeClaim"] = {"claimName": "results"}

KINDS = ["swarm", "job", "ladder", "sweep", "open", "claim", "workers"]


def locust(values: dict) -> list[Manifest]:
    return render(values, chart="locust", release="load")


def environment(values: dict) -> dict[str, str]:
    return one(locust(values), "ConfigMap")["data"]


def with_component(manifests: list[Manifest], component: str) -> Manifest:
    """The Job of a component."""
    jobs = [item for item in manifests if item["kind"] == "Job"]
    (found,) = [item for item in jobs if item["metadata"]["labels"]["app.kubernetes.io/component"] == component]
    return found


def container(manifest: Manifest) -> dict:
    return manifest["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("kube_version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("values", [TARGET, JOB, LADDER, SWEEP, OPEN, CLAIM, WORKERS], ids=KINDS)
def test_manifests_fit_the_kubernetes_schemas(values: dict, kube_version: str) -> None:
    manifests = render(values, chart="locust", kube_version=f"{kube_version}.0")
    assert errors(manifests, kube_version) == []


@pytest.mark.parametrize("values", [TARGET, JOB, CLAIM, WORKERS], ids=["swarm", "job", "claim", "workers"])
def test_every_pod_is_restricted(values: dict) -> None:
    assert restricted_violations(locust(values)) == []


def test_defaults_are_the_published_method() -> None:
    manifests = locust(TARGET)
    assert one(manifests, "Deployment", "-worker")["spec"]["replicas"] == 10
    data = one(manifests, "ConfigMap")["data"]
    assert (data["LOCUST_USERS"], data["LOCUST_SPAWN_RATE"], data["SLO_TUNER_USER_RATE_PER_S"]) == ("3000", "5", "10")
    assert (data["SLO_TUNER_MODE"], data["SLO_TUNER_OBJECTIVE"]) == ("closed", "p95<=100ms")


def test_open_mode_offers_a_total_rate_and_no_user_rate() -> None:
    data = environment(OPEN)
    assert data["SLO_TUNER_RATE_PER_S"] == "250.5"
    assert "SLO_TUNER_USER_RATE_PER_S" not in data


def test_model_and_address_stand_in_the_config_map() -> None:
    data = environment({"target": {"address": "{{ .Release.Name }}-triton:8001", "model": "tftrt_fp16"}})
    assert data["SLO_TUNER_ADDRESS"] == "load-triton:8001"
    assert data["SLO_TUNER_MODEL"] == "tftrt_fp16"


def test_large_user_numbers_are_not_written_as_floats() -> None:
    assert environment({**TARGET, "load": {"users": 3000000}})["LOCUST_USERS"] == "3000000"


@pytest.mark.parametrize("part", ["-master", "-worker"])
def test_another_model_restarts_master_and_workers(part: str) -> None:
    def checksum(model: str) -> str:
        deployment = one(locust({"target": {"address": "t:8001", "model": model}}), "Deployment", part)
        return deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert checksum("original") == checksum("original") != checksum("tftrt_fp16")


def test_workers_find_the_master_by_its_service() -> None:
    manifests = locust(TARGET)
    service = one(manifests, "Service", "-master")
    arguments = container(one(manifests, "Deployment", "-worker"))["args"]
    assert arguments == ["--master-host", service["metadata"]["name"], "--master-port", "5557"]
    labels = one(manifests, "Deployment", "-master")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()


def test_pods_get_no_api_token_except_the_job_that_writes_its_results() -> None:
    manifests = locust(JOB)
    for part in ("-master", "-worker"):
        assert one(manifests, "Deployment", part)["spec"]["template"]["spec"]["automountServiceAccountToken"] is False
    assert one(manifests, "Job")["spec"]["template"]["spec"]["automountServiceAccountToken"] is True
    role = one(manifests, "Role")["rules"]
    assert role[1]["resourceNames"] == ["load-locust-results"]


def test_job_measures_the_model_and_saves_a_config_map() -> None:
    command = container(one(locust(JOB), "Job"))
    assert command["command"] == ["slo-tuner", "measure"]
    assert command["args"] == [
        "original",
        "--address=triton:8001",
        "--protocol=grpc",
        "--objective=p95<=100ms",
        "--output=/results",
        "--save-configmap=load-locust-results",
    ]


def test_job_tunes_the_target_s_model() -> None:
    command = container(one(locust({**TARGET, "job": {"enabled": True, "command": "tune"}}), "Job"))
    assert command["command"] == ["slo-tuner", "tune"]
    assert command["args"][0] == "original"
    assert not any(argument.startswith("--models") for argument in command["args"])


def test_job_compares_the_models_of_the_ladder() -> None:
    command = container(one(locust(LADDER), "Job"))
    assert command["command"] == ["slo-tuner", "ladder"]
    assert command["args"][0] == "--models=original,tftrt_fp16"


def test_job_sweeps_through_the_target_and_every_other_address() -> None:
    command = container(one(locust(SWEEP), "Job"))
    assert command["command"] == ["slo-tuner", "sweep"]
    assert command["args"][:3] == ["original", "--through=direct=triton:8001", "--through=gateway=load-gw:80"]
    assert not any(argument.startswith("--address") for argument in command["args"])


def test_the_job_waits_for_as_many_workers_as_there_are_pods() -> None:
    manifests = locust(WORKERS)
    job, workers = with_component(manifests, "job"), with_component(manifests, "job-worker")
    arguments = container(job)["args"]
    assert arguments[-3:] == ["--workers=4", "--workers-at=*:5557", "--workers-within-s=300"]
    assert (workers["spec"]["parallelism"], workers["spec"]["completions"]) == (4, 4)


def test_the_job_s_workers_find_it_by_its_service() -> None:
    manifests = locust(WORKERS)
    service, workers = one(manifests, "Service", "-job"), with_component(manifests, "job-worker")
    assert container(workers)["command"] == ["slo-tuner", "worker"]
    assert container(workers)["args"] == [f"{service['metadata']['name']}:5557"]
    labels = with_component(manifests, "job")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert not service["spec"]["selector"].items() <= workers["spec"]["template"]["metadata"]["labels"].items()


def test_the_job_s_workers_are_never_replaced_and_get_no_token() -> None:
    workers = with_component(locust(WORKERS), "job-worker")["spec"]
    assert (workers["backoffLimit"], workers["template"]["spec"]["restartPolicy"]) == (0, "Never")
    assert workers["template"]["spec"]["automountServiceAccountToken"] is False


def test_only_workers_reach_the_port_that_they_come_to() -> None:
    policy = one(locust(WORKERS), "NetworkPolicy")["spec"]
    (rule,) = [rule for rule in policy["ingress"] if rule["ports"] == [{"port": 5557, "protocol": "TCP"}]]
    (peer,) = rule["from"]
    (expression,) = peer["podSelector"]["matchExpressions"]
    assert expression["values"] == ["worker", "job-worker"]
    assert peer["podSelector"]["matchLabels"] == policy["podSelector"]["matchLabels"]


def test_a_job_that_makes_its_load_itself_has_no_workers() -> None:
    manifests = locust(JOB)
    assert [item["metadata"]["name"] for item in manifests if item["kind"] == "Service"] == [
        "load-locust",
        "load-locust-master",
    ]
    assert not any(argument.startswith("--workers") for argument in container(one(manifests, "Job"))["args"])
    own = {**JOB, "job": {"enabled": True, "extraArgs": ["--workers=2"]}}
    assert container(one(locust(own), "Job"))["args"][-1] == "--workers=2"


def test_a_tuner_has_time_to_leave_the_server_as_it_was() -> None:
    tune = one(locust({**TARGET, "job": {"enabled": True, "command": "tune"}}), "Job")
    assert tune["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 300


def test_job_keeps_results_in_a_claim_without_a_token() -> None:
    manifests = locust(CLAIM)
    pod = one(manifests, "Job")["spec"]["template"]["spec"]
    assert pod["volumes"][1]["persistentVolumeClaim"] == {"claimName": "results"}
    assert pod["automountServiceAccountToken"] is False
    assert not [item for item in manifests if item["kind"] in ("Role", "ServiceAccount")]


def test_a_changed_setting_makes_a_new_job() -> None:
    names = {
        one(locust({**JOB, "objective": objective}), "Job")["metadata"]["name"]
        for objective in ("p95<=50ms", "p95<=1s")
    }
    assert len(names) == 2


def test_twenty_workers_file_is_the_published_load_of_the_last_model() -> None:
    manifests = render(TARGET, chart="locust", files=["locust-20-workers"])
    assert one(manifests, "Deployment", "-worker")["spec"]["replicas"] == 20
    assert one(manifests, "ConfigMap")["data"]["LOCUST_SPAWN_RATE"] == "15"
    assert one(manifests, "ConfigMap")["data"]["LOCUST_USERS"] == "3000"


def test_network_policy_lets_only_named_ones_open_the_web_ui() -> None:
    policy = one(locust({**TARGET, "networkPolicy": {"webUiNamespaces": ["tools"]}}), "NetworkPolicy")
    web = next(rule for rule in policy["spec"]["ingress"] if rule["ports"][0]["port"] == 8089)
    assert web["from"][1]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "tools"}


def test_only_the_job_that_writes_results_reaches_the_api_server() -> None:
    def ports(values: dict) -> set[int]:
        egress = one(locust(values), "NetworkPolicy")["spec"]["egress"]
        return {port["port"] for rule in egress for port in rule.get("ports", [])}

    assert 6443 in ports(JOB)
    assert 6443 not in ports(TARGET)
    assert 6443 not in ports(CLAIM)


def test_a_digest_wins_over_the_tag() -> None:
    digest = "sha256:" + "a" * 64
    image = {"registry": "registry.example/team", "tag": "1.0", "digest": digest}
    deployment = one(locust({**TARGET, "image": image}), "Deployment", "-worker")
    assert container(deployment)["image"] == f"registry.example/team/locust@{digest}"


def test_every_pod_uses_the_products_own_image_at_the_chart_version() -> None:
    about = yaml.safe_load((ROOT / "charts/locust/Chart.yaml").read_text())
    for manifest in locust({**JOB, "job": WORKERS["job"]}):
        if manifest["kind"] in ("Deployment", "Job"):
            assert container(manifest)["image"] == f"locust:{about['appVersion']}"


EXAMPLES = {
    "config map": ({"configMap": {"name": "rows"}, "source": "configMap", "path": "rows.jsonl"}, "rows.jsonl"),
    "claim": ({"persistentVolumeClaim": {"claimName": "models"}, "source": "persistentVolumeClaim"}, ""),
    "image": ({"image": {"reference": "r.example/m:1"}, "source": "image", "path": "models"}, "models"),
}


@pytest.mark.parametrize(("examples", "path"), EXAMPLES.values(), ids=EXAMPLES)
def test_everything_that_makes_requests_finds_the_rows(examples: dict, path: str) -> None:
    manifests = locust({**JOB, "examples": examples})
    where = f"/examples/{path}".rstrip("/")
    assert one(manifests, "ConfigMap")["data"]["SLO_TUNER_EXAMPLES"] == where
    assert f"--examples={where}" in container(one(manifests, "Job"))["args"]
    for manifest in (one(manifests, "Job"), *(one(manifests, "Deployment", part) for part in ("-master", "-worker"))):
        mount = next(one for one in container(manifest)["volumeMounts"] if one["name"] == "examples")
        assert mount == {"name": "examples", "mountPath": "/examples", "readOnly": True}
        assert "examples" in [volume["name"] for volume in manifest["spec"]["template"]["spec"]["volumes"]]
    assert errors(manifests) == []
    assert restricted_violations(manifests) == []


def test_requests_are_generated_without_examples() -> None:
    manifests = locust(JOB)
    assert "SLO_TUNER_EXAMPLES" not in one(manifests, "ConfigMap")["data"]
    assert not [argument for argument in container(one(manifests, "Job"))["args"] if "examples" in argument]


GUARDED = {
    **JOB,
    "target": {"address": "grpcs://gateway.example:443", "controlAddress": "grpcs://{{ .Release.Name }}-gw:443"},
    "job": WORKERS["job"],
    "access": {
        "tls": {"caSecret": "ca", "clientSecret": "me", "serverName": "inference.example"},
        "headers": {"x-tenant": "a b", "x-trace": "1"},
        "token": {"secret": "tokens", "key": "mine"},
        "retries": True,
    },
}


def test_every_pod_gets_what_a_guarded_server_asks_for_and_no_manifest_holds_a_secret() -> None:
    manifests = locust(GUARDED)
    data = one(manifests, "ConfigMap")["data"]
    said = {name.removeprefix("SLO_TUNER_"): value for name, value in data.items() if "/access/" in value}
    assert said == {
        "CA": "/access/ca/ca.crt",
        "CLIENT_CERTIFICATE": "/access/client/tls.crt",
        "CLIENT_KEY": "/access/client/tls.key",
        "TOKEN_FILE": "/access/token/token",
    }
    assert data["SLO_TUNER_HEADERS"] == "x-tenant=a b\nx-trace=1" and data["SLO_TUNER_RETRIES"] == "true"
    assert data["SLO_TUNER_SERVER_NAME"] == "inference.example"
    pods = [manifest for manifest in manifests if manifest["kind"] in ("Deployment", "Job")]
    assert len(pods) == 4
    for manifest in pods:
        mounts = {one["name"]: one["mountPath"] for one in container(manifest)["volumeMounts"]}
        secrets = {
            volume["name"]: (volume["secret"]["secretName"], [item["key"] for item in volume["secret"]["items"]])
            for volume in manifest["spec"]["template"]["spec"]["volumes"]
            if "secret" in volume
        }
        assert secrets == {
            "ca": ("ca", ["ca.crt"]),
            "client-certificate": ("me", ["tls.crt", "tls.key"]),
            "token": ("tokens", ["mine"]),
        }
        assert {name: path for name, path in mounts.items() if name in secrets} == {
            "ca": "/access/ca",
            "client-certificate": "/access/client",
            "token": "/access/token",
        }
    arguments = container(with_component(manifests, "job"))["args"]
    assert arguments[1:3] == ["--address=grpcs://gateway.example:443", "--control-address=grpcs://load-gw:443"]
    assert errors(manifests) == [] and restricted_violations(manifests) == []


def test_settings_of_the_chart_are_those_that_the_load_reads() -> None:
    data = environment({**GUARDED, "access": {**GUARDED["access"], "tls": {"enabled": True}, "token": {}}})
    settings = read_settings(data)
    assert (settings.address, settings.control_address) == ("grpcs://gateway.example:443", "grpcs://load-gw:443")
    assert settings.access.headers == (("x-tenant", "a b"), ("x-trace", "1")) and settings.access.retries


@pytest.mark.parametrize("name", sorted({*OWN_HEADERS, "Grpc-Timeout", "trace-BIN"}))
def test_headers_that_the_load_can_not_send_are_refused_before(name: str) -> None:
    with pytest.raises(HelmRefused, match=f"access.headers holds {name}: the load sets this one itself"):
        locust({**TARGET, "access": {"headers": {name: "x"}}})


def test_another_secret_makes_a_new_job() -> None:
    names = {
        with_component(locust({**GUARDED, "access": {"token": {"secret": name}}}), "job")["metadata"]["name"]
        for name in ("a", "b")
    }
    assert len(names) == 2


CHANGES = [
    {"global": {"imageRegistry": "mirror.example.com"}},
    {"nameOverride": "other"},
    {"target": {"controlAddress": "b:8001"}},
    {"objective": "p95<=1s"},
    {"workers": {"resources": {"limits": {"memory": "2Gi"}}}},
    {"placement": {"priorityClassName": "low"}},
    {"networkPolicy": {"enabled": False}},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_job_of_the_same_name_never_changes(change: dict) -> None:
    """An upgrade that changed it would be refused, as a Job's template can't be changed."""
    start = with_values(WORKERS, {"fullnameOverride": "load"})
    before, after = (
        {item["metadata"]["name"]: item["spec"] for item in locust(values) if item["kind"] == "Job"}
        for values in (start, with_values(start, change))
    )
    assert len(before) == len(after) == 2
    assert [name for name in before if name in after and before[name] != after[name]] == []


def test_a_job_and_its_workers_are_made_anew_together() -> None:
    """The workers end with the Job: a new Job would wait for ever for those of the old one."""
    names = [
        {item["metadata"]["name"] for item in locust(with_values(WORKERS, change)) if item["kind"] == "Job"}
        for change in ({}, {"job": {"resources": {"limits": {"memory": "3Gi"}}}})
    ]
    assert not names[0] & names[1]


def test_addresses_are_checked_as_by_the_triton_chart() -> None:
    ours, triton = (
        (ROOT / f"charts/{chart}/templates/_addresses.tpl").read_text(encoding="utf-8")
        for chart in ("locust", "triton")
    )
    assert ours == triton.replace("triton.", "locust.")


RULES = [
    ({**TARGET, "networkPolicy": {"targetCidrs": ["10.0.0.0/33"]}}, "networkPolicy.targetCidrs holds 10.0.0.0/33"),
    ({**TARGET, "networkPolicy": {"webUiCidrs": ["1.2.3/8"]}}, "networkPolicy.webUiCidrs holds 1.2.3/8: a range of"),
    (
        {**TARGET, "placement": {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}},
        "placement.tolerations holds the operator Exists with the value b",
    ),
    (
        {**TARGET, "placement": {"tolerations": [{"effect": "NoSchedule"}]}},
        "placement.tolerations holds one without a key",
    ),
    (
        {**TARGET, "placement": {"tolerations": [{"key": "a", "tolerationSeconds": 1}]}},
        "placement.tolerations holds tolerationSeconds, so its effect must be NoExecute",
    ),
    (
        {**TARGET, "examples": {"persistentVolumeClaim": {"claimName": "a"}}},
        "examples.persistentVolumeClaim.claimName is given, so examples.source must be persistentVolumeClaim: it is ",
    ),
    (
        {**TARGET, "examples": {"source": "image", "image": {"reference": "a"}}},
        "examples.image.reference a has no version",
    ),
    ({**TARGET, "load": {"ratePerS": 5}}, "load.ratePerS is 5, so load.mode must be open"),
    ({**TARGET, "job": {"models": ["a"]}}, "job.models is given, so job.command must be ladder: it is measure"),
    (
        {**TARGET, "job": {"persistentVolumeClaim": {"claimName": "a"}}},
        "job.persistentVolumeClaim.claimName is given, so job.results must be persistentVolumeClaim: it is configMap",
    ),
    ({"target": {"address": "https://a:443"}}, "give the server as HOST:PORT, or grpcs://HOST:PORT"),
    ({"target": {"address": "a:1", "controlAddress": "b"}}, 'target.controlAddress is "b"'),
    ({**TARGET, "access": {"tls": {"caSecret": "x"}}}, "access.tls.caSecret is x, and no address is behind TLS"),
    ({"target": {"address": "a:1", "protocol": "http"}, "access": {"retries": True}}, "target.protocol must be grpc"),
    ({**TARGET, "job": {"extraArgs": ["--token-file=/x"]}}, "job.extraArgs holds --token-file=/x"),
    ({**TARGET, "job": {"extraArgs": ["--toke=/x"]}}, "job.extraArgs holds --toke=/x"),
    (
        {**TARGET, "access": {"headers": {"AUTHORIZATION": "x"}}},
        "access.headers holds AUTHORIZATION, which a ConfigMap",
    ),
    ({**TARGET, "access": {"headers": {"X-A": "1", "x-a": "2"}}}, "access.headers holds x-a twice"),
    ({"target": {"address": "-a:1"}}, "give the server as HOST:PORT"),
    ({**TARGET, "examples": {"source": "configMap", "path": "a"}}, "examples.configMap.name must name one"),
    ({**TARGET, "examples": {"source": "configMap", "configMap": {"name": "a"}}}, "examples.path must name its entry"),
    ({**TARGET, "examples": {"source": "persistentVolumeClaim"}}, "examples.persistentVolumeClaim.claimName must"),
    ({**TARGET, "examples": {"source": "image"}}, "examples.image.reference must name one"),
    ({**TARGET, "examples": {"path": "a"}}, "examples.source must be configMap, persistentVolumeClaim or image"),
    ({**TARGET, "job": {"extraArgs": ["--examples=/x"]}}, "job.extraArgs holds --examples=/x"),
    ({}, 'target.address is "": give the server as HOST:PORT'),
    ({"target": {"address": "a:65536"}}, 'target.address is "a:65536": a port from 1 to 65535 is allowed'),
    ({"target": {"address": "a:1", "controlAddress": "b:0"}}, 'target.controlAddress is "b:0": a port from 1'),
    ({**SWEEP, "job": {**SWEEP["job"], "through": {"gw": "g:70000"}}}, 'job.through.gw is "g:70000": a port from 1'),
    *(
        ({**TARGET, "objective": objective}, f"objective is {objective}: a quantile from 50, a limit above 0")
        for objective in ("p49.9<=1s", "p95<=0.0ms", "p95<=1s, errors <= 100 %")
    ),
    ({"target": {"address": "triton"}}, "give the server as HOST:PORT"),
    *(
        ({**TARGET, part: {"resources": {"requests": {"memory": "9Gi"}}}}, f"{part}.resources.requests.memory is 9Gi")
        for part in ("master", "workers", "job")
    ),
    ({**TARGET, "load": {"mode": "open"}}, "load.ratePerS must be the requests per second to offer"),
    ({**TARGET, "image": {"tag": "latest"}}, "image.tag is latest"),
    ({**TARGET, "swarm": {"enabled": False}}, "swarm.enabled and job.enabled are both false"),
    ({**JOB, "swarm": {"enabled": False}, "load": {"autostart": True}}, "load.autostart is true"),
    ({**TARGET, "job": {"enabled": True, "command": "ladder"}}, "job.models must name the models"),
    ({**TARGET, "job": {"enabled": True, "command": "sweep"}}, "job.through must name an address"),
    ({**TARGET, "job": {"enabled": True, "through": {"gateway": "a:80"}}}, "job.command must be sweep"),
    (
        {**TARGET, "job": {"enabled": True, "command": "sweep", "through": {"b": "c"}}},
        'job.through.b is "c": give',
    ),
    ({**TARGET, "job": {"enabled": True, "results": "persistentVolumeClaim"}}, "claimName must name a claim"),
    ({**TARGET, "job": {"extraArgs": ["--output=/x"]}}, "job.extraArgs holds --output=/x"),
    ({**TARGET, "job": {"extraArgs": ["--workers-at=*:1"]}}, "job.extraArgs holds --workers-at=*:1"),
    ({**TARGET, "job": {"workers": 2, "extraArgs": ["--workers=4"]}}, "job.extraArgs holds --workers=4"),
    ({**TARGET, "webUi": {"service": {"type": "LoadBalancer"}}}, "networkPolicy.webUiCidrs must name"),
    ({**TARGET, "fullnameOverride": "1load"}, "does not begin with a letter"),
]


@pytest.mark.parametrize(("values", "reason"), RULES, ids=[reason[:40] for _, reason in RULES])
def test_a_wrong_combination_is_refused_with_its_reason(values: dict, reason: str) -> None:
    with pytest.raises(HelmRefused) as refused:
        locust(values)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        {**TARGET, "unknown": 1},
        {"target": {"address": "triton:8001", "protocol": "rest"}},
        {**TARGET, "objective": "fast"},
        {**TARGET, "workers": {"replicas": 0}},
        {**TARGET, "load": {"runTime": "10 minutes"}},
        {**TARGET, "access": {"headers": {"x-a": "two\nlines"}}},
        {**TARGET, "placement": {"tolerations": [{"key": "a", "unknown": "b"}]}},
        {**TARGET, "job": {"enabled": True, "command": "sweep", "through": {"direct": "other:8001"}}},
    ],
    ids=[
        "unknown",
        "protocol",
        "objective",
        "workers",
        "run time",
        "two lines",
        "toleration",
        "name of the target",
    ],
)
def test_the_schema_refuses_what_is_no_value(values: dict) -> None:
    with pytest.raises(HelmRefused, match="schema"):
        locust(values)


def test_image_volumes_need_kubernetes_1_31() -> None:
    values = {**TARGET, "examples": {"source": "image", "image": {"reference": "rows:1"}}}
    with pytest.raises(HelmRefused, match=r"examples\.source is image, which needs Kubernetes 1\.31 or later"):
        render(values, chart="locust", kube_version="1.30.0")
    assert errors(render(values, chart="locust", kube_version="1.31.0"), "1.31") == []


@pytest.mark.parametrize("release", ["r", "locust", "r" * 53, "my.release", "r." * 26 + "r"])
def test_names_fit_for_any_release_name(release: str) -> None:
    assert errors(render({**JOB, "job": WORKERS["job"]}, chart="locust", release=release)) == []


@pytest.mark.parametrize("name", ["yes", "no", "null", "on"])
def test_a_name_that_yaml_reads_as_something_else_stays_a_name(name: str) -> None:
    assert errors(locust({**JOB, "fullnameOverride": name, "nameOverride": name})) == []
