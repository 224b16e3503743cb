"""Signatures of webhook messages, against the vector that the libraries of Standard Webhooks are tested with."""

import base64

import pytest

from shared.signing import signatures, signing_key

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def sign(*secrets: str) -> str:
    return signatures(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')


def test_the_published_vector() -> None:
    assert sign(SECRET) == SIGNATURE


def test_each_secret_signs_while_they_are_exchanged() -> None:
    new, old = sign(OTHER, SECRET).split(" ")

    assert old == SIGNATURE
    assert new != old


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        SECRET.removeprefix("whsec_"),
        SECRET + "!",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
    ],
)
def test_what_is_no_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="base64 of 24 to 64 random bytes") as caught:
        signing_key(secret)

    assert not secret or secret not in str(caught.value).replace("whsec_ and", "")
