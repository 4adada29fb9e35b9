"""The three files that a client logs in with: PyDrive2's credentials, a client's secret, a service account's key."""

import datetime
import json
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .assertions import TOKEN_URI
from .oauth import DRIVE, LIFETIME

AUTH_URI = "https://accounts.google.com/o/oauth2/auth"
REVOKE_URI = "https://oauth2.googleapis.com/revoke"
SCOPES = [DRIVE, f"{DRIVE}.appdata"]


def write(path, content):
    path = Path(path)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def user_credentials(accounts, expired):
    """Return what oauth2client's Storage reads, with fresh tokens; an expired access token is not known to anyone."""
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=-60 if expired else LIFETIME)
    token = "ya29.expired" if expired else accounts.new_access_token(accounts.owner, SCOPES)
    return {
        "_class": "OAuth2Credentials",
        "_module": "oauth2client.client",
        "access_token": token,
        "client_id": accounts.client_id,
        "client_secret": accounts.client_secret,
        "id_token": None,
        "id_token_jwt": None,
        "invalid": False,
        "refresh_token": accounts.new_refresh_token(SCOPES),
        "revoke_uri": REVOKE_URI,
        "scopes": SCOPES,
        "token_expiry": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "token_info_uri": "https://oauth2.googleapis.com/tokeninfo",
        "token_response": {"access_token": token, "expires_in": LIFETIME, "token_type": "Bearer"},
        "token_uri": TOKEN_URI,
        "user_agent": None,
    }


def client_secret(accounts):
    """Return Google's client_secret.json of a desktop app."""
    return {
        "installed": {
            "client_id": accounts.client_id,
            "project_id": "fake-drive",
            "auth_uri": AUTH_URI,
            "token_uri": TOKEN_URI,
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_secret": accounts.client_secret,
            "redirect_uris": ["http://localhost"],
        }
    }


def service_account_key(accounts, email):
    """Return Google's key file of a service account, which is made at the first call."""
    if email not in accounts.keys:
        accounts.keys[email] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = accounts.keys[email].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "fake-drive",
        "private_key_id": "0" * 40,
        "private_key": private.decode(),
        "client_email": email,
        "client_id": "100000000000000000000",
        "auth_uri": AUTH_URI,
        "token_uri": TOKEN_URI,
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_x509_cert_url": f"https://www.googleapis.com/robot/v1/metadata/x509/{email}",
        "universe_domain": "googleapis.com",
    }
