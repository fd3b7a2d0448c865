"""Whatever comes in, the transport's parsers raise nothing but their own errors."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from support import offers
from support.examples import examples

from media.errors import ParseError
from media.transport import ice
from media.transport.answer import LocalTransport, NoCommonCodec, answer_publisher, answer_viewer
from media.transport.dtls import DtlsContext, DtlsEndpoint, Fingerprint, Role
from media.transport.ice import Credentials, IceAgent
from media.transport.sdp import SdpError, parse_fragment, parse_offer

LOCAL = LocalTransport(Credentials("u", "p" * 24), Fingerprint("sha-256", "AB"), [("127.0.0.1", 9)])
CONTEXT = DtlsContext()
MANY = examples(400)


def binding_request() -> bytes:
    attributes = [(ice.USERNAME, b"abcd:efgh"), (ice.USE_CANDIDATE, b""), (0x0024, bytes(4))]
    return ice.build(ice.BINDING_REQUEST, bytes(12), attributes, b"password")


@st.composite
def damaged(draw: st.DrawFn, original: bytes) -> bytes:
    """The original with a few bytes changed, cut out or put in."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.sampled_from("scpt")):
            case "s":
                data[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "c":
                del data[at : at + draw(st.integers(1, 40))]
            case "p":
                data[at:at] = draw(st.binary(max_size=20))
            case _:
                del data[at:]
    return bytes(data)


@MANY
@given(st.binary(max_size=1500) | damaged(binding_request()))
def test_stun(data: bytes) -> None:
    agent = IceAgent()
    agent.add(1)
    with contextlib.suppress(ParseError):
        assert agent.receive(data, ("192.0.2.1", 1)) is None


@MANY
@given(st.binary(min_size=1, max_size=1500))
def test_dtls(data: bytes) -> None:
    endpoint = DtlsEndpoint(CONTEXT, Role.PASSIVE, [])
    assert endpoint.keys is None
    endpoint.receive(bytes([20 + data[0] % 44]) + data[1:])
    assert endpoint.keys is None


CHROME = offers.chrome().encode()


@MANY
@given(st.text(max_size=2000).map(str.encode) | damaged(CHROME) | damaged(offers.chrome("recvonly").encode()))
def test_offers(data: bytes) -> None:
    with contextlib.suppress(SdpError):
        offer = parse_offer(data.decode(errors="replace"))
        for answer in (answer_publisher(offer, LOCAL), answer_viewer(offer, LOCAL, lambda: 1)):
            if not isinstance(answer, NoCommonCodec):
                assert answer.sdp.count("\r\nm=") == len(offer.media)
                assert all(line[1:2] == "=" for line in answer.sdp.split("\r\n")[:-1])


LINES = offers.chrome().splitlines(keepends=True)


@MANY
@given(st.lists(st.sampled_from(LINES), max_size=60).map(lambda lines: "v=0\r\n" + "".join(lines)))
def test_shuffled_offers(sdp: str) -> None:
    with contextlib.suppress(SdpError):
        offer = parse_offer(sdp)
        answer_publisher(offer, LOCAL)
        answer_viewer(offer, LOCAL, lambda: 1)


@MANY
@given(st.text(max_size=500) | st.text(alphabet="a=ice-ufrag:pwd\r\nm ", max_size=200))
def test_fragments(text: str) -> None:
    with contextlib.suppress(SdpError):
        parse_fragment(text)
