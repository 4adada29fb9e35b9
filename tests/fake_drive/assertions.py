"""The signed claims by which a service account asks for a token: a JSON Web Token in RS256 (RFC 7519, RFC 7523)."""

import base64
import json
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from .messages import Refused, oauth_error

TOKEN_URI = "https://oauth2.googleapis.com/token"


def read_claims(assertion, keys):
    """Return the claims of an assertion that was signed with the key of its issuer.

    Args:
        keys: private key by the email of the service account.

    Raises:
        Refused: 400 in Google's words for a wrong signature, issuer, audience or time.
    """
    try:
        signed, _, signature = assertion.rpartition(".")
        claims = json.loads(unpadded(signed.partition(".")[2]))
        signature = unpadded(signature)
    except ValueError:
        raise grant_error("Bad Request") from None
    if claims.get("iss") not in keys:
        raise grant_error("Invalid grant: account not found")
    verify(keys[claims["iss"]].public_key(), signature, signed)
    check(claims)
    return claims


def verify(key, signature, signed):
    try:
        key.verify(signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise grant_error("Invalid JWT Signature.") from None


def check(claims):
    if claims.get("aud") != TOKEN_URI:
        raise grant_error("Invalid JWT: Failed audience check.")
    issued, ends, now = claims.get("iat", 0), claims.get("exp", 0), time.time()
    if not (now - 3600 < issued < now + 60 and now < ends <= issued + 3600):
        raise grant_error(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
            "Check your iat and exp values in the JWT claim."
        )


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def grant_error(description):
    return Refused(oauth_error(400, "invalid_grant", description))
