"""Several workers' metrics as one exposition."""

from prometheus_client.parser import text_string_to_metric_families

from server.routes.health import merged

WEB = "# HELP jobs_total Jobs\n# TYPE jobs_total counter\njobs_total 3.0\n# TYPE up gauge\nup 1.0\n"
MEDIA = '# HELP jobs_total Jobs\n# TYPE jobs_total counter\njobs_total{kind="a"} 4.0\n'


def test_each_sample_says_whose_it_is() -> None:
    families = list(
        text_string_to_metric_families(merged([("web-0", WEB), ("media-0", MEDIA), ("media-1", "")]))
    )
    samples = {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}
    assert samples == {
        ("jobs_total", ("worker", "web-0")): 3.0,
        ("jobs_total", ("kind", "a"), ("worker", "media-0")): 4.0,
        ("up", ("worker", "web-0")): 1.0,
    }
    assert len({family.name for family in families}) == len(families)
