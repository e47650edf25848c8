from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from cells import answers, make

from bench.lookup.cellfile import CellFile

FAMILIES = pytest.mark.parametrize("family", [4, 6])
MIXES = pytest.mark.parametrize("mix", ["mixed", "hosts"])
BITS = {4: 32, 6: 128}
MANY = 20_000


@FAMILIES
@MIXES
def test_answers_are_those_of_a_scan_over_all_prefixes(family: int, mix: str, tmp_path: Path) -> None:
    cell = make(tmp_path / "cell", family, 1500, mix)
    keys, expected = cell.hits(1000)
    assert len(keys) == 400
    assert answers(cell, keys) == expected
    misses = cell.misses(1000)
    assert answers(cell, misses) == [0] * 200


@FAMILIES
@MIXES
def test_prefixes_are_distinct_and_have_no_host_bits(family: int, mix: str, tmp_path: Path) -> None:
    cell = make(tmp_path / "cell", family, MANY, mix)
    prefixes = list(cell.prefixes())
    assert [each.number for each in prefixes] == list(range(1, MANY + 1))
    assert len({(each.network, each.length) for each in prefixes}) == MANY
    for each in prefixes:
        assert int.from_bytes(each.network) & ((1 << (BITS[family] - each.length)) - 1) == 0


@pytest.mark.parametrize(("family", "middle", "rest"), [(4, 24, range(16, 32)), (6, 64, range(33, 128))])
def test_shares_of_lengths(family: int, middle: int, rest: range, tmp_path: Path) -> None:
    lengths = Counter(each.length for each in make(tmp_path / "cell", family, MANY, "mixed").prefixes())
    assert lengths[BITS[family]] / MANY == pytest.approx(0.7, abs=0.02)
    assert lengths[middle] / MANY == pytest.approx(0.2, abs=0.02)
    assert set(lengths) == {BITS[family], *rest}
    hosts = make(tmp_path / "hosts", family, MANY, "hosts").prefixes()
    assert {each.length for each in hosts} == {BITS[family]}


def test_ipv6_hosts_are_in_a_thousand_sites_and_half_of_them_in_sequence(tmp_path: Path) -> None:
    cell = make(tmp_path / "cell", 6, MANY, "hosts", keys=4000)
    networks = [each.network for each in cell.prefixes()]
    sites = {network[:6] for network in networks}
    assert len(sites) == 1000
    in_sequence = sum(int.from_bytes(network[8:]) < MANY for network in networks)
    assert in_sequence / MANY == pytest.approx(0.5, abs=0.02)
    inside = sum(key[:6] in sites for key in cell.misses(2000))
    assert inside / 2000 == pytest.approx(0.5, abs=0.02)


def test_a_large_table_has_prefixes_within_prefixes_and_room_for_misses(tmp_path: Path) -> None:
    cell = make(tmp_path / "cell", 4, 1_000_000, "mixed", keys=4000)
    prefixes = {(int.from_bytes(each.network), each.length): each.number for each in cell.prefixes()}
    lengths = Counter(length for _network, length in prefixes)
    assert all(lengths[length] <= (1 << length) // 2 for length in range(16, 32))

    def holding(key: bytes) -> list[int]:
        networks = ((int.from_bytes(key) >> (32 - length) << (32 - length), length) for length in range(32, 15, -1))
        return [prefixes[network] for network in networks if network in prefixes]

    keys, expected = cell.hits(4000)
    found = [holding(key) for key in keys]
    assert [numbers[0] for numbers in found] == expected
    assert sum(len(numbers) > 1 for numbers in found) > 100
    assert [holding(key) for key in cell.misses(2000)] == [[]] * 2000


def test_a_seed_gives_the_same_cell(tmp_path: Path) -> None:
    files = [tmp_path / name for name in "abc"]
    for path, seed in zip(files, (1, 1, 2), strict=True):
        make(path, 6, 100, "mixed", seed=seed)
    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()


def test_another_file_is_no_cell(tmp_path: Path) -> None:
    path = tmp_path / "cell"
    path.write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match="is no cell"):
        CellFile(path)
