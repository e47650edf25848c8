from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import settings as limits

from lispfast.config import parse, render
from lispfast.config.schema import MASKED_KEY
from lispfast.model.settings import Key, Settings

from .samples import NODE, settings
from .strategies import nodes, servers, tunnel_routers


def masked(whole: Settings) -> Settings:
    def mask(key: Key) -> Key:
        return replace(key, secret=MASKED_KEY.encode()) if key.secret else key

    return replace(
        whole,
        map_servers=tuple(
            replace(server, key=mask(server.key), other_keys=tuple(map(mask, server.other_keys)))
            for server in whole.map_servers
        ),
        sites=tuple(
            replace(site, key=mask(site.key), other_keys=tuple(map(mask, site.other_keys))) for site in whole.sites
        ),
        lisp_sec=replace(whole.lisp_sec, keys=tuple(map(mask, whole.lisp_sec.keys))),
        pubsub=replace(whole.pubsub, keys=tuple(map(mask, whole.pubsub.keys))),
    )


@limits(max_examples=60, deadline=None)
@given(nodes() | tunnel_routers() | servers())
def test_what_is_rendered_reads_as_the_same_settings(whole: Settings) -> None:
    loaded = parse(render(whole))
    assert [str(problem) for problem in loaded.errors] == []
    assert loaded.settings == masked(whole)


def test_secrets_never_show() -> None:
    text = render(settings(NODE.replace('"secret"', '"T0p secret"')))
    assert "T0p" not in text
    assert f'key         = "{MASKED_KEY}"' in text


def test_defaults_are_written_out() -> None:
    text = render(settings(NODE))
    for line in ("tunnel-routes       = default", "rloc-probe-interval         = 30", "ttl        = 10"):
        assert line in text
