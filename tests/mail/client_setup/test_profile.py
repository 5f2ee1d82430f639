import plistlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.client_setup.profile import profile, profile_url
from mail.client_setup.settings import client_settings
from mail.client_setup.signing import Signing, SigningError, read_signer
from mail.servers import MailServer, MailServers
from tests.mail.client_setup.certificates import Chain, chain, issue, verified
from tests.surroundings import SERVERS

PUBLIC_URL = "https://postfach.example"
ANNA = client_settings(SERVERS, "anna@nord.example")


def test_a_profile_sets_up_the_account_and_holds_no_password() -> None:
    identifier = "example.postfach.mail.36a24fed-96e5-5d99-af16-0932b198ecfd"
    assert plistlib.loads(profile(ANNA, PUBLIC_URL, name="Anna Müller"), fmt=plistlib.FMT_XML) == {
        "PayloadContent": [
            {
                "EmailAccountDescription": "anna@nord.example",
                "EmailAccountName": "Anna Müller",
                "EmailAccountType": "EmailTypeIMAP",
                "EmailAddress": "anna@nord.example",
                "IncomingMailServerAuthentication": "EmailAuthPassword",
                "IncomingMailServerHostName": "imap.mail.example",
                "IncomingMailServerPortNumber": 993,
                "IncomingMailServerUseSSL": True,
                "IncomingMailServerUsername": "anna@nord.example",
                "OutgoingMailServerAuthentication": "EmailAuthPassword",
                "OutgoingMailServerHostName": "smtp.mail.example",
                "OutgoingMailServerPortNumber": 587,
                "OutgoingMailServerUseSSL": True,
                "OutgoingMailServerUsername": "anna@nord.example",
                "OutgoingPasswordSameAsIncomingPassword": True,
                "PayloadDisplayName": "anna@nord.example",
                "PayloadIdentifier": f"{identifier}.account",
                "PayloadType": "com.apple.mail.managed",
                "PayloadUUID": "05E938A9-9CFC-55C5-BB28-A079E03E2715",
                "PayloadVersion": 1,
            }
        ],
        "PayloadDescription": "IMAP: imap.mail.example, SMTP: smtp.mail.example",
        "PayloadDisplayName": "anna@nord.example",
        "PayloadIdentifier": identifier,
        "PayloadOrganization": "postfach.example",
        "PayloadType": "Configuration",
        "PayloadUUID": "36A24FED-96E5-5D99-AF16-0932B198ECFD",
        "PayloadVersion": 1,
    }


def test_the_same_account_has_the_same_identifiers_whatever_else_changes() -> None:
    elsewhere = MailServers(*[MailServer("other.example", 143, "starttls")] * 3)
    first = plistlib.loads(profile(ANNA, PUBLIC_URL))
    second = plistlib.loads(profile(client_settings(elsewhere, "anna@nord.example"), PUBLIC_URL, name="Anna"))
    assert first != second
    assert first["PayloadUUID"] == second["PayloadUUID"]
    assert first["PayloadContent"][0]["PayloadUUID"] == second["PayloadContent"][0]["PayloadUUID"]
    assert first["PayloadUUID"] != first["PayloadContent"][0]["PayloadUUID"]
    for other in (
        profile(client_settings(SERVERS, "ben@nord.example"), PUBLIC_URL),
        profile(ANNA, "https://other.example"),
    ):
        assert plistlib.loads(other)["PayloadUUID"] != first["PayloadUUID"]


def test_a_profile_without_a_name_leaves_it_to_the_device() -> None:
    assert "EmailAccountName" not in plistlib.loads(profile(ANNA, PUBLIC_URL))["PayloadContent"][0]


@settings(deadline=None)
@given(name=st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=128))
def test_every_name_comes_out_as_it_went_in(name: str) -> None:
    found = plistlib.loads(profile(ANNA, PUBLIC_URL, name=name))
    assert found["PayloadContent"][0]["EmailAccountName"] == name


def test_the_address_of_a_profile_quotes_what_an_address_may_hold() -> None:
    assert profile_url(PUBLIC_URL, "a&b=c+d#e@nord.example") == (
        "https://postfach.example/mail/profile.mobileconfig?emailaddress=a%26b%3Dc%2Bd%23e@nord.example"
    )


# ---------------------------------------------------------------- signed


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_openssl_takes_the_very_bytes_out_of_a_signed_profile(tmp_path: Path, kind: str) -> None:
    files = chain(tmp_path, kind)
    content = profile(ANNA, PUBLIC_URL, name="Anna Müller\r\nand a line")
    signed = read_signer(files.certificates, files.key).sign(content)
    assert content in signed
    assert verified(signed, files.trusted) == content


def test_openssl_believes_neither_a_changed_profile_nor_a_strangers(tmp_path: Path) -> None:
    files = chain(tmp_path)
    signed = read_signer(files.certificates, files.key).sign(profile(ANNA, PUBLIC_URL))
    assert verified(signed.replace(b"imap.mail.example", b"imap.evil.example"), files.trusted) is None
    other = tmp_path / "other.pem"
    other.write_bytes(issue("Other", authority=True).pem)
    assert verified(signed, other) is None


def spoil(files: Chain, what: str) -> None:
    """Makes the files such that nothing can be signed with them."""
    match what:
        case "no certificate":
            files.certificates.unlink()
        case "no certificate in it":
            files.certificates.write_text("nothing")
        case "no key":
            files.key.unlink()
        case "no key in it":
            files.key.write_bytes(files.certificates.read_bytes())
        case "another key":
            files.key.write_bytes(issue("another").key_pem)
        case "another kind of key":
            key = Ed25519PrivateKey.generate()
            files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.mark.parametrize(
    "what,words",
    [
        ("no certificate", "chain.pem: expected a readable file with certificates in PEM"),
        ("no certificate in it", "chain.pem: expected a readable file with certificates in PEM"),
        ("no key", "key.pem: expected a readable file with a private key in PEM, without a password"),
        ("no key in it", "key.pem: expected a readable file with a private key in PEM, without a password"),
        ("another key", "key.pem: expected the private key of the first certificate"),
        ("another kind of key", "key.pem: expected a private key of RSA or of an elliptic curve"),
    ],
)
def test_files_that_sign_nothing_are_refused_with_the_reason(tmp_path: Path, what: str, words: str) -> None:
    files = chain(tmp_path)
    spoil(files, what)
    with pytest.raises(SigningError) as refused:
        Signing(files.certificates, files.key)
    assert str(refused.value) == f"{tmp_path}/{words}"


def test_a_renewed_certificate_is_taken_and_a_bad_one_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "next").mkdir()
    files, following = chain(tmp_path), chain(tmp_path / "next")
    signing = Signing(files.certificates, files.key)
    first = signing.signer()
    assert signing.signer() is first

    following.certificates.replace(files.certificates)
    # The key of the new certificate is not there yet. That is said once.
    assert signing.signer() is first
    assert signing.signer() is first
    assert caplog.messages == [
        f"profiles are signed with the certificate from before: {files.key}: expected the private key of the first certificate"
    ]
    following.key.replace(files.key)
    second = signing.signer()
    assert second.certificate != first.certificate
    assert verified(signing.sign(b"content"), following.trusted) == b"content"

    files.key.unlink()
    assert signing.signer() is second
