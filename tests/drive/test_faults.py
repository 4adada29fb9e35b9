import json
from http.client import IncompleteRead

import pytest
from googleapiclient.errors import HttpError
from httplib2 import Response, ServerNotFoundError
from oauth2client.client import HttpAccessTokenRefreshError
from pydrive2.auth import AuthenticationError, RefreshError
from pydrive2.files import ApiRequestError
from pydrive2.fs.spec import GDriveAuthError

from gentra_lora.drive.faults import reason_of, sentence, told
from gentra_lora.drive.remotes import DriveError

URL = "gdrive://1aBcDeFgHiJkLmNoPqRsT"


def refusal(reason, status=403):
    content = {"error": {"code": status, "message": "m", "errors": [{"reason": reason, "message": "m"}]}}
    return HttpError(Response({"status": status}), json.dumps(content).encode(), uri="https://www.googleapis.com/")


def caused(outer, cause):
    outer.__cause__ = cause
    return outer


@pytest.mark.parametrize(
    ("error", "way_out"),
    [
        (refusal("storageQuotaExceeded"), "the Drive is full; free space there"),
        (refusal("userRateLimitExceeded"), "wait some minutes"),
        (refusal("cannotDownloadAbusiveFile"), "gdrive_acknowledge_abuse true"),
        (refusal("insufficientFilePermissions"), "share it with the role Editor"),
        (refusal("accessNotConfigured"), "the Google Drive API is off"),
        (refusal("notFound", 404), "share it with the account of the log-in"),
        (PermissionError(), "share it with the account of the log-in"),
        (
            FileNotFoundError(2, "No such file", "Confirm a/b exists and you can access it"),
            "the sub-folder is not there",
        ),
        (caused(GDriveAuthError("x"), RefreshError("invalid_grant")), "make a new one with `gentra-lora drive login`"),
        (HttpAccessTokenRefreshError("invalid_grant"), "publishing status is Testing ends its log-ins after 7 days"),
        (caused(GDriveAuthError("x"), AuthenticationError("Non interactive")), "no log-in on this machine"),
        (AttributeError("module 'OpenSSL.crypto' has no attribute 'sign'"), "cannot sign for a service account"),
        (ServerNotFoundError("Unable to find the server"), "Drive cannot be reached"),
        (ConnectionResetError("reset"), "Drive cannot be reached"),
        (IncompleteRead(b"1", 2), "Drive cannot be reached"),
        (HttpError(Response({"status": 429}), b""), "wait some minutes"),
        (HttpError(Response({"status": 502}), b"<html>"), "Drive cannot be reached"),
    ],
)
def test_each_fault_has_one_sentence_with_the_way_out(error, way_out):
    text = sentence(error, URL, None)
    assert text.startswith(f"{URL}: ")
    assert way_out in text
    assert "\n" not in text


def test_same_fault_is_found_below_the_clients_own_errors():
    error = ApiRequestError(refusal("storageQuotaExceeded"))
    assert reason_of(error) == "storageQuotaExceeded"
    assert "the Drive is full" in sentence(caused(RuntimeError("upload"), error), URL, None)


def test_quota_of_a_service_account_is_no_matter_of_space():
    assert "a service account has no storage of its own" in sentence(refusal("storageQuotaExceeded"), URL, "a@b")


def test_folder_that_is_not_shared_is_to_be_shared_with_the_service_account():
    assert "share it with a@b (Viewer)" in sentence(PermissionError(), URL, "a@b")


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file", "a.png"), OSError(28, "No space left")])
def test_fault_of_this_machine_is_not_called_drives(error):
    assert sentence(error, URL, None) is None


def test_unknown_error_is_not_explained_away():
    assert sentence(RuntimeError("odd"), URL, None) is None
    with pytest.raises(RuntimeError, match="odd"), told(URL, None):
        raise RuntimeError("odd")


def test_answer_that_is_no_json_gives_its_status():
    assert reason_of(HttpError(Response({"status": 502}), b"<html>")) == "502"


def test_own_errors_pass_as_they_are():
    with pytest.raises(DriveError, match="mine"), told(URL, None):
        raise DriveError("mine")
