"""An ITR with LISP-SEC between a true Map-Server and a forger who sees every nonce: he is never believed."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lispfast.control import lisp_sec
from lispfast.control.lisp_sec import HmacId, KdfId
from lispfast.model.addresses import EidPrefix
from lispfast.model.settings import Key, KeyType, LispSec, Use
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.lisp_sec import EidData
from lispfast.wire.map_reply import MapReply
from lispfast.wire.message import decode
from lispfast.wire.records import eid_prefix, record_from_mapping

from .mn_helpers import NOWHERE, ON_LTE, ON_WIFI, PEER_RLOC, SERVER, SERVER_2, Bench, mapping, settings

SECRET = Key(b"shared with the Map-Resolvers", KeyType.HMAC_SHA256, 5)
FORGED = ip_address("203.0.113.66")
PEERS = [ip_address(f"10.0.0.{n}") for n in range(2, 5)]
HMACS = st.sampled_from([HmacId.SHA1_96, HmacId.SHA256_128])
KDFS = st.sampled_from([KdfId.HKDF_SHA1_128, KdfId.HKDF_SHA256])


class Required(RuleBasedStateMachine):
    """`required`: whatever is learnt was signed with the key of its question."""

    use = Use.REQUIRED

    def __init__(self) -> None:
        super().__init__()
        configured = settings(
            lisp_sec=LispSec(self.use, (SECRET,)), map_resolvers=(SERVER, SERVER_2), map_request_retries=3
        )
        self.bench = Bench(configured, ON_WIFI)
        self.questions: list[tuple[EidPrefix, int, bytes | None]] = []
        self.replies: list[MapReply] = []
        self.drawn: set[bytes] = set()

    def collect(self) -> None:
        """Every Map-Request that went out, with its key."""
        for _, message in self.bench.messages(EncapsulatedControl):
            request = decode(message.inner().payload)
            data, record = message.authentication, request.records[0]
            key = lisp_sec.unwrap(data.key, [SECRET], request.nonce) if data else None
            assert data or self.use is not Use.REQUIRED
            assert key not in self.drawn, "a key of its own for each Map-Request"
            self.drawn |= {key} if key else set()
            self.questions.append((eid_prefix(record.eid, record.mask_len), request.nonce, key))
        self.bench.sent.clear()
        self.bench.sent_at.clear()

    def question(self, at: int) -> tuple[EidPrefix, int, bytes | None]:
        """One of the newest, which are likely not to be answered yet."""
        return self.questions[-1 - at % min(len(self.questions), 4)]

    def signed(self, at: int, rloc: object, key: bytes | None, hmac_id: HmacId, kdf_id: KdfId) -> MapReply:
        asked, nonce, _ = self.question(at)
        plain = MapReply(nonce, (record_from_mapping(mapping(str(asked), rloc, ttl=1)),))
        if key is None:
            return plain
        eid = lisp_sec.sign_prefixes(key, kdf_id, hmac_id, [asked])
        return lisp_sec.sign_reply(lisp_sec.derive(kdf_id, key), hmac_id, plain, eid)

    @rule(peer=st.sampled_from(PEERS))
    def punt(self, peer):
        self.bench.punt(peer)
        self.collect()

    @rule(seconds=st.sampled_from([0.1, 1.2, 4.0, 31.0, 700.0]))
    def pass_time(self, seconds):
        self.bench.pass_time(seconds)
        self.collect()

    @rule(underlay=st.sampled_from([NOWHERE, ON_LTE, ON_WIFI]))
    def move(self, underlay):
        self.bench.move(underlay)
        self.collect()

    @precondition(lambda self: self.questions and self.bench.node.position.ways)
    @rule(at=st.integers(0, 1000), hmac_id=HMACS, kdf_id=KDFS)
    def the_truth(self, at, hmac_id, kdf_id):
        key = self.question(at)[2]
        reply = self.signed(at, PEER_RLOC, key, hmac_id, kdf_id)
        self.replies.append(reply)
        self.bench.receive(reply, SERVER)
        self.collect()

    @precondition(lambda self: self.questions and self.bench.node.position.ways)
    @rule(at=st.integers(0, 1000), hmac_id=HMACS, kdf_id=KDFS)
    def another_key(self, at, hmac_id, kdf_id):
        self.bench.receive(self.signed(at, FORGED, bytes(16), hmac_id, kdf_id), SERVER)
        self.collect()

    @precondition(lambda self: self.questions and self.bench.node.position.ways)
    @rule(at=st.integers(0, 1000), hmac_id=HMACS, kdf_id=KDFS, how=st.sampled_from(["records", "eid-ad", "hmac"]))
    def the_truth_changed(self, at, hmac_id, kdf_id, how):
        asked, _, key = self.question(at)
        if key is None:
            return
        true = self.signed(at, PEER_RLOC, key, hmac_id, kdf_id)
        forged = replace(true, records=(record_from_mapping(mapping(str(asked), FORGED)),))
        data = true.authentication
        if how == "eid-ad":
            forged = replace(forged, authentication=replace(data, eid=EidData(kdf_id)))
        elif how == "hmac":
            forged = replace(forged, authentication=replace(data, hmac=bytes(len(data.hmac))))
        self.bench.receive(forged, SERVER)
        self.collect()

    @precondition(lambda self: self.questions and self.bench.node.position.ways)
    @rule(at=st.integers(0, 1000), hmac_id=HMACS, kdf_id=KDFS, wide=st.sampled_from(["10.0.0.0/8", "0.0.0.0/0"]))
    def an_etr_vouches_for_itself(self, at, hmac_id, kdf_id, wide):
        """It has the MS-OTK, and not the key that the EID-AD is signed with."""
        _, nonce, key = self.question(at)
        if key is not None:
            ms_key = lisp_sec.derive(kdf_id, key)
            eid = lisp_sec.sign_prefixes(ms_key, kdf_id, hmac_id, [EidPrefix.parse(wide)])
            plain = MapReply(nonce, (record_from_mapping(mapping(wide, FORGED)),))
            self.bench.receive(lisp_sec.sign_reply(ms_key, hmac_id, plain, eid), SERVER)
            self.collect()

    @precondition(lambda self: self.replies and self.bench.node.position.ways)
    @rule(at=st.integers(0, 1000), other=st.integers(0, 1000))
    def an_old_reply_to_another_question(self, at, other):
        reply = self.replies[at % len(self.replies)]
        asked, nonce, key = self.question(other)
        if reply.security and key is not None:
            records = (record_from_mapping(mapping(str(asked), FORGED)),)
            self.bench.receive(replace(reply, nonce=nonce, records=records), SERVER)
            self.collect()

    @invariant()
    def no_forged_locator_is_learnt(self):
        for entry in self.bench.node.cache.entries():
            assert all(locator.address == PEER_RLOC for locator in entry.mapping.locators)

    @invariant()
    def keys_are_kept_for_lookups_alone(self):
        outstanding = sum(len(lookup.sent) for lookup in self.bench.node.resolver.lookups())
        assert len(self.bench.node.resolver.protection) == outstanding

    @invariant()
    def no_key_is_told(self):
        told = repr(self.bench.events)
        self.bench.events.clear()
        assert not any(key.hex() in told or repr(key)[2:-1] in told for key in self.drawn)


class RequiredAndStripped(Required):
    """The forger strips protection too, which `required` does not mind."""

    @precondition(lambda self: self.questions and self.bench.node.position.ways)
    @rule(at=st.integers(0, 1000))
    def stripped(self, at):
        self.bench.receive(self.signed(at, FORGED, None, HmacId.SHA256_128, KdfId.HKDF_SHA256), SERVER)
        self.collect()


class On(Required):
    """`on` gives way to silence and to the truth without protection; a reply that is protected is verified still."""

    use = Use.ON

    @precondition(lambda self: self.questions and self.bench.node.position.ways)
    @rule(at=st.integers(0, 1000))
    def the_truth_without(self, at):
        self.bench.receive(self.signed(at, PEER_RLOC, None, HmacId.SHA256_128, KdfId.HKDF_SHA256), SERVER)
        self.collect()

    @precondition(lambda self: self.questions and self.bench.node.position.ways)
    @rule(at=st.integers(0, 1000), hmac_id=HMACS, kdf_id=KDFS)
    def another_key(self, at, hmac_id, kdf_id):
        """Only to what was protected: nothing verifies what comes to a Map-Request without."""
        if self.question(at)[2] is not None:
            self.bench.receive(self.signed(at, FORGED, bytes(16), hmac_id, kdf_id), SERVER)
            self.collect()


LENGTH = hypothesis_settings(max_examples=30, stateful_step_count=40)
TestRequired = RequiredAndStripped.TestCase
TestRequired.settings = LENGTH
TestOn = On.TestCase
TestOn.settings = LENGTH
