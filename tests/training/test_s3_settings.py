"""What s3a and delta-rs are told of S3 follows the variables that all of its clients know."""

from __future__ import annotations

import pytest

from ringlake.base.s3 import endpoint, hadoop_settings, is_s3, use_endpoint

OWN = {"AWS_ENDPOINT_URL_S3": "http://store:9000", "AWS_ENDPOINT_URL": "https://other", "AWS_REGION": "eu-1"}


@pytest.mark.parametrize(
    ("place", "wanted"),
    [("s3://b/lake", True), ("S3A://b", True), ("/s3/lake", False), ("gs://b", False), ("s3:/b", False)],
)
def test_places_on_s3(place: str, wanted: bool) -> None:
    assert is_s3(place) is wanted


def test_the_endpoint_of_s3_goes_before_that_of_all_services() -> None:
    assert endpoint(OWN) == "http://store:9000"
    assert endpoint({"AWS_ENDPOINT_URL": "https://other", "AWS_ENDPOINT_URL_S3": ""}) == "https://other"
    assert endpoint({}) is None


def test_delta_rs_may_speak_without_tls_only_where_the_user_named_such_a_server() -> None:
    own, tls, told = dict(OWN), {"AWS_ENDPOINT_URL": "https://other"}, OWN | {"AWS_ALLOW_HTTP": "false"}
    for variables in (own, tls, told):
        use_endpoint(variables)
    assert own["AWS_ALLOW_HTTP"] == "true"
    assert "AWS_ALLOW_HTTP" not in tls
    assert told["AWS_ALLOW_HTTP"] == "false"


def test_settings_of_s3a_have_no_secret() -> None:
    secrets = {"AWS_ACCESS_KEY_ID": "who", "AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_SESSION_TOKEN": "t0ken"}
    found = hadoop_settings(OWN | secrets)
    assert found["spark.hadoop.fs.s3a.endpoint"] == "http://store:9000"
    assert found["spark.hadoop.fs.s3a.path.style.access"] == "true"
    assert found["spark.hadoop.fs.s3a.endpoint.region"] == "eu-1"
    assert not any(secret in str(found) for secret in secrets.values())
    assert {key for key in hadoop_settings({}) if "endpoint" in key or "style" in key} == set()
