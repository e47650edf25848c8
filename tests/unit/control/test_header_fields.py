"""The first eight bytes: what they may say, and that in public they say nothing but the instance-ID."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.control.header_fields import PLAIN, HeaderFields, lisp_header
from lispfast.control.policy import header
from lispfast.model.encapsulation import Encapsulation

U24 = st.integers(0, 0xFFFFFF)
U12 = st.integers(0, 0xFFF)
FIELDS = st.builds(
    HeaderFields,
    nonce=st.none() | U24,
    echo=st.booleans(),
    versions=st.none() | st.tuples(U12, U12),
    status_bits=st.none() | st.integers(0, 2**32 - 1),
)


def read(head):
    """A slow reading of RFC 9300 section 5.3, bit by bit."""
    bits = "".join(f"{byte:08b}" for byte in head)
    flags = {name for name, bit in zip("NLEVIRKK", bits[:8], strict=True) if bit == "1"}
    return flags, int(bits[8:32], 2), int(bits[8:20], 2), int(bits[20:32], 2), int(bits[32:56], 2), bits[32:]


@given(FIELDS, U24)
def test_a_header_reads_as_it_was_meant(fields, iid):
    flags, word, source, destination, instance, tail = read(lisp_header(iid, fields))
    assert ("I" in flags) == bool(iid)
    assert ("N" in flags) == (fields.nonce is not None)
    assert ("E" in flags) == (fields.nonce is not None and fields.echo)
    assert ("V" in flags) == (fields.nonce is None and fields.versions is not None)
    assert ("L" in flags) == (fields.status_bits is not None)
    assert not flags & {"R", "K"}
    if fields.nonce is not None:
        assert word == fields.nonce
    elif fields.versions is not None:
        assert (source, destination) == fields.versions
    else:
        assert word == 0
    if iid:
        assert (instance, int(tail[24:], 2)) == (iid, (fields.status_bits or 0) & 0xFF)
    else:
        assert int(tail, 2) == (fields.status_bits or 0)


@pytest.mark.parametrize(("iid", "expected"), [(0, "00" * 8), (0xABCDEF, "08000000abcdef00")])
def test_a_plain_header_has_an_instance_id_at_the_most(iid, expected):
    assert lisp_header(iid).hex() == expected == lisp_header(iid, PLAIN).hex()


@given(FIELDS, U24)
def test_the_gpe_forms_carry_none_of_it(fields, iid):
    for form in set(Encapsulation) - {Encapsulation.LISP}:
        assert header(iid, form, fields) == header(iid, form)
        assert not header(iid, form, fields)[0] & 0xF0
