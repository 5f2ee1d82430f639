import io
import json
import re

import pytest
import zxingcpp
from PIL import Image

from mail.client_setup.profile import profile_url
from mail.client_setup.qr import qr_png, qr_svg, thunderbird_account
from mail.client_setup.settings import client_settings
from mail.servers import MailServer, MailServers
from tests.surroundings import SERVERS

ANNA = client_settings(SERVERS, "anna@nord.example")
PROFILE = profile_url("https://postfach.example", "anna@nord.example")


def read(picture: bytes) -> str:
    """What a phone's camera reads in a picture."""
    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))
    assert found.format == zxingcpp.BarcodeFormat.QRCode
    return str(found.text)


def test_thunderbird_reads_servers_user_and_name_and_no_password() -> None:
    assert json.loads(thunderbird_account(ANNA, name="Anna Müller")) == [
        1,
        [1, 1],
        [0, "imap.mail.example", 993, 3, 1, "anna@nord.example"],
        [
            [
                [0, "smtp.mail.example", 587, 2, 1, "anna@nord.example"],
                ["anna@nord.example", "Anna Müller"],
            ]
        ],
    ]


def test_thunderbird_is_told_an_empty_name_where_there_is_none() -> None:
    assert json.loads(thunderbird_account(ANNA))[3][0][1] == ["anna@nord.example", ""]


@pytest.mark.parametrize(
    "settings",
    [
        client_settings(SERVERS, "änna@nord.example"),
        client_settings(
            MailServers(MailServer("imäp.example", 993, "tls"), SERVERS.pop3, SERVERS.submission),
            "a@nord.example",
        ),
    ],
)
def test_what_thunderbirds_format_can_not_say_is_refused(settings: object) -> None:
    with pytest.raises(ValueError, match="beyond ASCII"):
        thunderbird_account(settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [thunderbird_account(ANNA, name="Anna Müller ☕"), PROFILE])
def test_a_camera_reads_the_picture_of_a_letter(text: str) -> None:
    assert read(qr_png(text)) == text
    assert read(qr_png(text, module=1)) == text


def drawn(svg: bytes) -> Image.Image:
    """The picture that the strokes of a drawing make; each is a row of dark modules."""
    size = re.search(rb'viewBox="0 0 ([0-9]+) ', svg)
    strokes = re.search(rb'stroke="#000" d="([^"]+)"', svg)
    assert size
    assert strokes
    picture = Image.new("1", (int(size[1]), int(size[1])), 1)
    x, y = 0, 0.0
    for command, numbers in re.findall(r"([Mmh])([-0-9. ]+)", strokes[1].decode()):
        first, *second = map(float, numbers.replace("-", " -").split())
        if command == "h":
            picture.paste(0, (x, int(y), x + int(first), int(y) + 1))
            x += int(first)
        else:
            x, y = (int(first), second[0]) if command == "M" else (x + int(first), y + second[0])
    return picture.resize((int(size[1]) * 4, int(size[1]) * 4), Image.Resampling.NEAREST)


def test_a_camera_reads_the_drawing_of_a_page_which_loads_and_runs_nothing() -> None:
    svg = qr_svg(PROFILE)
    (found,) = zxingcpp.read_barcodes(drawn(svg))
    assert found.text == PROFILE
    assert b"<script" not in svg
    assert svg.count(b"http") == svg.count(b'xmlns="http://www.w3.org/2000/svg"') == 1
