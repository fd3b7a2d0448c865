"""DTLS-SRTP between two of our endpoints: roles, keys, fingerprints, loss, goodbye."""

import random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL
from support.outside import missing

from media.transport import dtls
from media.transport.dtls import DtlsContext, DtlsEndpoint, Fingerprint, Role, State


@pytest.fixture(scope="module")
def ours() -> DtlsContext:
    return DtlsContext()


@pytest.fixture(scope="module", params=["the system's OpenSSL", "ours"])
def theirs(request: pytest.FixtureRequest) -> DtlsContext:
    """The other end, which is mostly the DTLS client: by the one or the other OpenSSL."""
    context = DtlsContext()
    if request.param == "ours":
        context.system = None
    elif context.system is None:
        missing("the system's OpenSSL 3", "Debian: libssl3")
    return context


def by_ours() -> DtlsContext:
    """An end of which a test changes something."""
    context = DtlsContext()
    context.system = None
    return context


def run(passive: DtlsEndpoint, active: DtlsEndpoint) -> list[int]:
    """Carry datagrams both ways until both are silent; returns their sizes."""
    sizes: list[int] = []
    to_passive, to_active = active.start(), passive.start()
    while to_passive or to_active:
        sizes += [len(one) for one in (*to_passive, *to_active)]
        back = [answer for one in to_passive for answer in passive.receive(one)]
        to_passive = [answer for one in (*to_active, *back) for answer in active.receive(one)]
        to_active = []
    return sizes


def test_both_ends_have_the_same_keys_and_prefer_gcm(ours: DtlsContext, theirs: DtlsContext) -> None:
    passive = DtlsEndpoint(ours, Role.PASSIVE, [theirs.fingerprint])
    active = DtlsEndpoint(theirs, Role.ACTIVE, [ours.fingerprint])
    sizes = run(passive, active)
    assert passive.state is active.state is State.CONNECTED
    assert passive.keys is not None
    assert active.keys is not None
    assert passive.keys.send == active.keys.receive != passive.keys.receive == active.keys.send
    assert passive.keys.profile.openssl_name == b"SRTP_AEAD_AES_128_GCM"
    assert len(passive.keys.send) == 16 + 12
    assert max(sizes) <= dtls.MTU


def test_a_peer_that_knows_only_sha1_gets_it(ours: DtlsContext) -> None:
    theirs = by_ours()
    theirs.ssl.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80")
    passive = DtlsEndpoint(ours, Role.PASSIVE, [theirs.fingerprint])
    run(passive, DtlsEndpoint(theirs, Role.ACTIVE, [ours.fingerprint]))
    assert passive.keys is not None
    assert passive.keys.profile.openssl_name == b"SRTP_AES128_CM_SHA1_80"
    assert len(passive.keys.send) == 16 + 14


def test_our_order_of_profiles_decides_when_we_are_the_server(ours: DtlsContext) -> None:
    theirs = by_ours()
    theirs.ssl.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM")
    passive = DtlsEndpoint(ours, Role.PASSIVE, [theirs.fingerprint])
    run(passive, DtlsEndpoint(theirs, Role.ACTIVE, [ours.fingerprint]))
    assert passive.keys is not None
    assert passive.keys.profile.openssl_name == b"SRTP_AEAD_AES_128_GCM"


@pytest.mark.parametrize(
    "expected",
    [
        pytest.param([], id="none"),
        pytest.param([Fingerprint("sha-256", "00:" * 31 + "00")], id="another certificate"),
        pytest.param([Fingerprint("md5", "00")], id="unknown hash"),
    ],
)
def test_a_wrong_certificate_yields_no_keys(
    ours: DtlsContext, theirs: DtlsContext, expected: list[Fingerprint]
) -> None:
    passive = DtlsEndpoint(ours, Role.PASSIVE, expected)
    run(passive, DtlsEndpoint(theirs, Role.ACTIVE, [ours.fingerprint]))
    assert passive.state is State.FAILED
    assert passive.keys is None
    assert "fingerprint" in passive.failure


def test_case_of_hash_and_digits_does_not_matter(ours: DtlsContext, theirs: DtlsContext) -> None:
    expected = Fingerprint("SHA-256", theirs.fingerprint.value.lower())
    passive = DtlsEndpoint(ours, Role.PASSIVE, [expected])
    run(passive, DtlsEndpoint(theirs, Role.ACTIVE, [ours.fingerprint]))
    assert passive.state is State.CONNECTED


def test_an_rsa_server_is_accepted_when_we_are_active(ours: DtlsContext) -> None:
    """GStreamer makes RSA certificates."""
    theirs = DtlsContext()
    key, certificate = rsa_certificate()
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_options(SSL.OP_NO_QUERY_MTU)
    context.set_verify(SSL.VERIFY_PEER, accept_any)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80")
    theirs.ssl = context
    expected = Fingerprint("sha-256", certificate.fingerprint(dtls.hashes.SHA256()).hex(":"))
    active = DtlsEndpoint(ours, Role.ACTIVE, [expected])
    sizes = run(DtlsEndpoint(theirs, Role.PASSIVE, [ours.fingerprint]), active)
    assert active.state is State.CONNECTED
    assert max(sizes) <= dtls.MTU


def accept_any(*_: object) -> bool:
    return True


def rsa_certificate() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gstreamer")])
    now = dtls.dt.datetime.now(tz=dtls.dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dtls.dt.timedelta(days=1))
        .sign(key, dtls.hashes.SHA256())
    )
    return key, certificate


def test_junk_before_and_during_the_handshake_changes_nothing(ours: DtlsContext, theirs: DtlsContext) -> None:
    passive = DtlsEndpoint(ours, Role.PASSIVE, [theirs.fingerprint])
    active = DtlsEndpoint(theirs, Role.ACTIVE, [ours.fingerprint])
    for junk in (b"\x16", b"\x16\xfe\xfd" + bytes(10), b"\x14" * 1200, bytes(range(20, 64)) * 20):
        passive.receive(junk)
    assert passive.state is State.CONNECTING
    run(passive, active)
    assert passive.state is State.CONNECTED
    for junk in (b"\x17\xfe\xfd" + bytes(30), b"\x15" * 600):
        passive.receive(junk)
    assert passive.state is State.CONNECTED


def test_errors_that_others_left_behind_are_not_the_connections(ours: DtlsContext) -> None:
    """The system's OpenSSL is also that of hashlib and ssl: one queue of errors a thread."""
    theirs = DtlsContext()
    system = theirs.system
    if system is None:
        missing("the system's OpenSSL 3", "Debian: libssl3")
    active = DtlsEndpoint(theirs, Role.ACTIVE, [ours.fingerprint])
    run(DtlsEndpoint(ours, Role.PASSIVE, [theirs.fingerprint]), active)
    assert system.functions.SSL_CTX_use_certificate_ASN1(system.context, 4, b"junk") == 0
    active.receive(b"\x17\xfe\xfd" + bytes(30))
    assert active.state is State.CONNECTED


@pytest.mark.parametrize("seed", range(20))
def test_whatever_a_server_says_a_client_raises_nothing(
    ours: DtlsContext, theirs: DtlsContext, seed: int
) -> None:
    """Its flights with bytes changed, cut, doubled, and in any order."""
    rng = random.Random(seed)
    passive = DtlsEndpoint(ours, Role.PASSIVE, [theirs.fingerprint])
    active = DtlsEndpoint(theirs, Role.ACTIVE, [ours.fingerprint])
    said = active.start()
    for _ in range(30):
        answers = [answer for one in said for answer in passive.receive(one)]
        rng.shuffle(answers)
        said = list[bytes]()
        for answer in answers:
            damaged = bytearray(answer)
            for _ in range(rng.randrange(4)):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            said += active.receive(bytes(damaged[: rng.randrange(1, len(damaged) + 1)]))
            said += active.receive(answer) if rng.random() < 0.7 else []
        said += [*active.handle_timeout(), *passive.handle_timeout()]
        active.timeout_s()
    assert active.state in State


def test_close_notify_closes_the_other_end(ours: DtlsContext, theirs: DtlsContext) -> None:
    passive = DtlsEndpoint(ours, Role.PASSIVE, [theirs.fingerprint])
    active = DtlsEndpoint(theirs, Role.ACTIVE, [ours.fingerprint])
    run(passive, active)
    for datagram in active.close():
        passive.receive(datagram)
    assert passive.state is State.CLOSED
    assert passive.receive(b"\x16anything") == []


@pytest.mark.parametrize("settled_role", [Role.PASSIVE, Role.ACTIVE])
def test_a_settled_endpoint_still_says_and_understands_goodbye(
    ours: DtlsContext, theirs: DtlsContext, settled_role: Role
) -> None:
    """Its OpenSSL connection is gone; the other end is plain OpenSSL."""
    for settled_closes in (True, False):
        passive = DtlsEndpoint(ours, Role.PASSIVE, [theirs.fingerprint])
        active = DtlsEndpoint(theirs, Role.ACTIVE, [ours.fingerprint])
        run(passive, active)
        settled, plain = (passive, active) if settled_role is Role.PASSIVE else (active, passive)
        settled.settle()
        assert settled.receive(b"\x16\xfe\xfd" + bytes(60)) == []
        closing, other = (settled, plain) if settled_closes else (plain, settled)
        datagrams = closing.close()
        assert len(datagrams) == 1
        forged = datagrams[0][:-1] + bytes([datagrams[0][-1] ^ 1])
        other.receive(forged)
        other.receive(datagrams[0][:20])
        assert other.state is State.CONNECTED
        other.receive(datagrams[0])
        assert other.state is State.CLOSED


def test_our_order_of_ciphers_decides_when_we_are_the_server(ours: DtlsContext) -> None:
    theirs = by_ours()
    theirs.ssl.set_cipher_list(b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256")
    passive = DtlsEndpoint(ours, Role.PASSIVE, [theirs.fingerprint])
    active = DtlsEndpoint(theirs, Role.ACTIVE, [ours.fingerprint])
    run(passive, active)
    passive.settle()
    assert len(passive.close()[0]) == 13 + 8 + 2 + 16  # a GCM record


def test_a_cipher_without_gcm_keeps_its_connection(ours: DtlsContext) -> None:
    theirs = by_ours()
    theirs.ssl.set_cipher_list(b"ECDHE-ECDSA-CHACHA20-POLY1305")
    passive = DtlsEndpoint(ours, Role.PASSIVE, [theirs.fingerprint])
    active = DtlsEndpoint(theirs, Role.ACTIVE, [ours.fingerprint])
    run(passive, active)
    passive.settle()
    for datagram in active.close():
        passive.receive(datagram)
    assert passive.state is State.CLOSED


def test_a_lost_flight_has_a_timer(ours: DtlsContext, theirs: DtlsContext) -> None:
    active = DtlsEndpoint(theirs, Role.ACTIVE, [ours.fingerprint])
    assert active.start()
    timeout_s = active.timeout_s()
    assert timeout_s is not None
    assert 0 < timeout_s <= 1
    assert active.handle_timeout() == []  # not due yet
