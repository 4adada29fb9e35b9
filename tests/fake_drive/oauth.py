"""Google's accounts: consent, tokens and who they speak for. Whoever calls holds the store's lock."""

import secrets
import time
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from .assertions import grant_error, read_claims
from .messages import Refused, Response, api_error, json_response, oauth_error

DRIVE = "https://www.googleapis.com/auth/drive"
LIFETIME = 3599  # seconds, of an access token


@dataclass
class Grant:
    """What a principal allowed: the scopes, and until when for an access token."""

    principal: str
    scopes: list[str]
    ends: float = float("inf")
    redirect_uri: str = ""  # of a code


class Accounts:
    """The user of the drive with one client of theirs, and service accounts with their keys."""

    client_id = "123456789012-fakedrive.apps.googleusercontent.com"
    client_secret = "GOCSPX-fake-drive"

    def __init__(self, owner):
        self.owner = owner
        self.keys = {}  # private key by the email of the service account
        self.codes, self.refresh_tokens, self.access_tokens = {}, {}, {}

    def new_refresh_token(self, scopes):
        token = f"1//{secrets.token_urlsafe(48)}"
        self.refresh_tokens[token] = Grant(self.owner, scopes)
        return token

    def new_access_token(self, principal, scopes):
        token = f"ya29.{secrets.token_urlsafe(48)}"
        self.access_tokens[token] = Grant(principal, scopes, time.time() + LIFETIME)
        return token

    def principal(self, request):
        """Return whom a request speaks for.

        Raises:
            Refused: 401 without a token that is valid, 403 where Drive is not among its scopes.
        """
        place = {"locationType": "header", "location": "Authorization"}
        if not request.bearer:
            raise Refused(api_error(401, "required", "Login Required", **place))
        grant = self.access_tokens.get(request.bearer)
        if not grant or grant.ends < time.time():
            raise Refused(api_error(401, "authError", "Invalid Credentials", **place))
        if DRIVE not in grant.scopes:
            message = "Insufficient Permission: Request had insufficient authentication scopes."
            raise Refused(api_error(403, "insufficientPermissions", message))
        return grant.principal

    def consent(self, request, _):
        """Answer the page where the user allows: they do, and the browser is sent to the client's own address."""
        asked = request.query
        if asked.get("client_id") != self.client_id:
            raise Refused(Response(401, b"Error 401: invalid_client. The OAuth client was not found."))
        if urlsplit(asked.get("redirect_uri", "")).hostname not in ("localhost", "127.0.0.1"):
            raise Refused(Response(400, b"Error 400: invalid_request. Access blocked: Authorization Error"))
        code = f"4/{secrets.token_urlsafe(48)}"
        scopes = asked.get("scope", "").split()
        self.codes[code] = Grant(self.owner, scopes, redirect_uri=asked["redirect_uri"])
        answer = {"state": asked["state"]} if "state" in asked else {}
        answer |= {"code": code, "scope": " ".join(scopes)}
        return Response(302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(answer)}"})

    def token(self, _, form):
        """Answer the token endpoint."""
        kinds = {
            "refresh_token": self._refreshed,
            "authorization_code": self._exchanged,
            "urn:ietf:params:oauth:grant-type:jwt-bearer": self._asserted,
        }
        if form.get("grant_type") not in kinds:
            raise Refused(oauth_error(400, "unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type')}"))
        grant, extra = kinds[form["grant_type"]](form)
        token = self.new_access_token(grant.principal, grant.scopes)
        answer = {"access_token": token, "expires_in": LIFETIME, "scope": " ".join(grant.scopes)}
        return json_response(answer | {"token_type": "Bearer"} | extra)

    def _check_client(self, form):
        if form.get("client_id") != self.client_id:
            raise Refused(oauth_error(401, "invalid_client", "The OAuth client was not found."))
        if form.get("client_secret") != self.client_secret:
            raise Refused(oauth_error(401, "invalid_client", "Unauthorized"))

    def _refreshed(self, form):
        self._check_client(form)
        if form.get("refresh_token") not in self.refresh_tokens:
            raise grant_error("Token has been expired or revoked.")
        return self.refresh_tokens[form["refresh_token"]], {}

    def _exchanged(self, form):
        """A code is good once, from the address that it was sent to."""
        self._check_client(form)
        grant = self.codes.pop(form.get("code"), None)
        if not grant:
            raise grant_error("Malformed auth code.")
        if form.get("redirect_uri") != grant.redirect_uri:
            raise Refused(oauth_error(400, "redirect_uri_mismatch", "Bad Request"))
        return grant, {"refresh_token": self.new_refresh_token(grant.scopes)}

    def _asserted(self, form):
        claims = read_claims(form.get("assertion", ""), self.keys)
        if not claims.get("scope"):
            raise Refused(oauth_error(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided."))
        return Grant(claims["iss"], claims["scope"].split()), {}

    def revoke(self, request, form):
        """Take back what the token's principal allowed: all of their tokens die with it."""
        token = {**request.query, **form}.get("token")
        grant = self.refresh_tokens.get(token) or self.access_tokens.get(token)
        if not grant:
            raise Refused(oauth_error(400, "invalid_token", "Token expired or revoked"))
        for tokens in (self.refresh_tokens, self.access_tokens):
            for token in [token for token, other in tokens.items() if other.principal == grant.principal]:
                del tokens[token]
        return json_response({})
