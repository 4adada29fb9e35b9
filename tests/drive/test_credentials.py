import json
import socket
import threading
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from gentra_lora.drive import credentials as drive_credentials
from gentra_lora.drive.credentials import CLIENT, SERVICE, USER, CredentialsError, log_in, read_credentials
from tests.waiting import PATIENCE

ROBOT = {"client_email": "robot@project.iam", "client_id": "1", "private_key": "k", "private_key_id": "2"}
KEYS = {
    SERVICE: {"type": "service_account", **ROBOT},
    USER: {"_class": "OAuth2Credentials", "client_id": "c", "client_secret": "s", "refresh_token": "r"},
    CLIENT: {"installed": {"client_id": "c", "client_secret": "s"}},
}


def write(path, fields):
    path.write_text(fields if isinstance(fields, str) else json.dumps(fields))
    return str(path)


@pytest.mark.parametrize("kind", KEYS)
def test_key_is_known_by_what_it_holds(tmp_path, kind):
    assert read_credentials(write(tmp_path / "key.json", KEYS[kind]), kind).kind == kind


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("wanted", KEYS)
def test_key_of_another_kind_is_refused_with_the_way_to_the_right_one(tmp_path, kind, wanted):
    if kind != wanted:
        with pytest.raises(CredentialsError, match=rf"key\.json: is the key of a {kind}, not of a {wanted}; make "):
            read_credentials(write(tmp_path / "key.json", KEYS[kind]), wanted)


def test_key_may_stand_in_the_environment(monkeypatch):
    monkeypatch.setenv("GDRIVE_CREDENTIALS_DATA", json.dumps(KEYS[SERVICE]))
    found = read_credentials(None, SERVICE)
    assert (found.email, found.path, found.place) == ("robot@project.iam", None, "GDRIVE_CREDENTIALS_DATA")


def test_no_key_at_all_is_told(monkeypatch):
    monkeypatch.delenv("GDRIVE_CREDENTIALS_DATA", raising=False)
    with pytest.raises(CredentialsError, match="--credentials: name a key file, or put its text into GDRIVE_CRED"):
        read_credentials(None, USER)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON"),
        ("[]", "is no key that Drive takes"),
        ('{"type": "authorized_user", "client_id": "c"}', "is no key that Drive takes"),
        (json.dumps(KEYS[USER] | {"refresh_token": None}), "holds no refresh_token"),
        (json.dumps(KEYS[USER] | {"client_secret": None}), "holds no client_secret"),
        ('{"installed": {"client_id": "c"}}', "holds no client_secret"),
        ('{"installed": "c"}', "holds no client_id, no client_secret"),
        ('{"type": "service_account"}', "holds no client_email, no client_id, no private_key"),
    ],
)
def test_what_is_no_key_is_refused(tmp_path, text, told):
    with pytest.raises(CredentialsError, match=rf"key\.json: {told}"):
        read_credentials(write(tmp_path / "key.json", text), USER)


def test_missing_file_is_told(tmp_path):
    with pytest.raises(CredentialsError, match=r"none\.json: cannot be read"):
        read_credentials(str(tmp_path / "none.json"), USER)


@pytest.fixture
def client(tmp_path):
    return read_credentials(write(tmp_path / "client.json", KEYS[CLIENT]), CLIENT)


def test_refused_log_in_is_told(client):
    with pytest.raises(CredentialsError, match=r"client\.json: the log-in was not given: access_denied"):
        log_in(client, lambda address: "http://localhost:8080/?error=access_denied")


def test_pasted_address_without_a_code_is_told(client):
    with pytest.raises(CredentialsError, match="no code in the address"):
        log_in(client, lambda address: "https://example.com/")


def test_address_to_open_asks_for_a_lasting_log_in_with_ones_own_client(client):
    asked = []
    with pytest.raises(CredentialsError):
        log_in(client, lambda address: asked.append(address) or "")
    query = {key: values[0] for key, values in parse_qs(urlsplit(asked[0]).query).items()}
    assert (query["client_id"], query["access_type"], query["prompt"]) == ("c", "offline", "consent")
    assert query["redirect_uri"] == "http://localhost:8080/"


def test_browser_on_this_machine_is_waited_for(client, monkeypatch):
    def refuse(address):
        place = parse_qs(urlsplit(address).query)["redirect_uri"][0]
        threading.Thread(target=lambda: urlopen(f"{place}?error=access_denied").close()).start()

    monkeypatch.setattr(drive_credentials.webbrowser, "open", refuse)
    with pytest.raises(CredentialsError, match="access_denied"):
        log_in(client, seconds=PATIENCE)


def test_key_file_beside_another_key_in_the_environment_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("GDRIVE_CREDENTIALS_DATA", json.dumps(KEYS[USER] | {"refresh_token": "other"}))
    with pytest.raises(CredentialsError, match="GDRIVE_CREDENTIALS_DATA holds another key, which would be taken"):
        read_credentials(write(tmp_path / "key.json", KEYS[USER]), USER)


def test_connection_that_sends_nothing_and_other_pages_do_not_end_the_log_in(client, monkeypatch):
    monkeypatch.setattr(drive_credentials._Redirect, "timeout", 1)

    def browse(address):
        place = parse_qs(urlsplit(address).query)["redirect_uri"][0]
        silent = socket.create_connection((urlsplit(place).hostname, urlsplit(place).port))

        def visit():
            urlopen(f"{place}favicon.ico").close()
            urlopen(f"{place}?error=access_denied").close()
            silent.close()

        threading.Thread(target=visit).start()

    monkeypatch.setattr(drive_credentials.webbrowser, "open", browse)
    with pytest.raises(CredentialsError, match="access_denied"):
        log_in(client, seconds=PATIENCE)


def test_nobody_to_paste_the_address_is_told(client):
    def ask(_):
        raise EOFError

    with pytest.raises(CredentialsError, match="nobody is there to paste"):
        log_in(client, ask)


def test_nobody_at_the_browser_does_not_hang(client, monkeypatch):
    monkeypatch.setattr(drive_credentials.webbrowser, "open", lambda address: None)
    with pytest.raises(CredentialsError, match="no log-in within 0.1 s; try again, or add --paste"):
        log_in(client, seconds=0.1)
