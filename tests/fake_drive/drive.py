"""FakeDrive: the whole server with what a test sets up, sees and breaks."""

import tempfile
from pathlib import Path
from threading import Thread

from .api import Api
from .certificates import server_context
from .credentials import client_secret, service_account_key, user_credentials, write
from .faults import Faults
from .oauth import Accounts
from .proxy import Proxy
from .store import Store

OWNER = "owner@example.com"
SERVICE_ACCOUNT = "reader@fake-drive.iam.gserviceaccount.com"


class FakeDrive:
    """A Drive of one user, and service accounts that read what is shared with them.

    Paths of items are titles from the user's root, joined by "/"; of twins the one with the lowest id is taken.
    `requests` is the log: clear it to begin anew.

    Args:
        page_size: the most items of a page, whatever a client asks for.
        latency: seconds before each answer.
        patience: seconds without a byte of a body that is due, until the server ends the connection.
    """

    owner = OWNER
    service_account = SERVICE_ACCOUNT
    client_id = Accounts.client_id
    client_secret = Accounts.client_secret

    def __init__(self, page_size=1000, latency=0.0, patience=60.0):
        self._page_size = page_size
        self._latency = latency
        self._patience = patience

    def start(self):
        self._folder = tempfile.TemporaryDirectory()
        self._store = Store()
        self._accounts = Accounts(OWNER)
        self._faults = Faults()
        api = Api(self._store, self._accounts, self._page_size)
        context = server_context(Path(self._folder.name))
        self._proxy = Proxy(context, api, self._faults, self._latency, self._patience)
        self._thread = Thread(target=self._proxy.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def stop(self):
        try:
            self._proxy.stop()
        finally:
            self._thread.join()
            self._folder.cleanup()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def requests(self):
        return self._proxy.log

    def environment(self):
        """Return the variables that send httplib2 (with PySocks) and requests here.

        Both spellings: the lower one, where it is set, wins.
        """
        proxy, authority = f"http://127.0.0.1:{self._proxy.server_address[1]}", f"{self._folder.name}/ca.pem"
        proxies = {"HTTPS_PROXY": proxy, "https_proxy": proxy, "NO_PROXY": "", "no_proxy": ""}
        authorities = dict.fromkeys(("HTTPLIB2_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), authority)
        return proxies | authorities | {"GDRIVE_NON_INTERACTIVE": "1"}

    def credentials_file(self, path, expired=False):
        """Write the user's credentials as PyDrive2 saves them, with a refresh token, and return the path."""
        with self._store.lock:
            return write(path, user_credentials(self._accounts, expired))

    def client_file(self, path):
        return write(path, client_secret(self._accounts))

    def service_account_file(self, path, email=SERVICE_ACCOUNT):
        with self._store.lock:
            return write(path, service_account_key(self._accounts, email))

    def folder(self, title, parent="root"):
        """Create a folder of the user's and return its id."""
        with self._store.lock:
            return self._store.add(title, [self._store.find(parent, OWNER).id], OWNER).id

    def files(self, folder_id="root"):
        """Return {relative path: bytes} of all files below a folder, those in the trash left out."""
        with self._store.lock:
            folder = self._store.find(folder_id, OWNER)
            return {path: item.content for path, item in self._store.walk(folder.id) if not item.is_folder}

    def put(self, path, content):
        """Create a file, and the folders above it that are not there."""
        with self._store.lock:
            self._store.put(path, OWNER, content)

    def tamper(self, path, content):
        """Give a file other content, and the checksum that goes with it."""
        with self._store.lock:
            self._store.at(path, OWNER).hold(content)

    def delete(self, path):
        with self._store.lock:
            self._store.remove(self._store.at(path, OWNER))

    def duplicate_folder(self, path):
        """Move every second child of a folder to a twin of it and return the twin's id.

        So two first pushes at once leave it.
        """
        with self._store.lock:
            folder = self._store.at(path, OWNER)
            twin = self._store.add(folder.title, folder.parents, OWNER)
            for child in self._store.children(folder.id)[1::2]:
                child.parents = [twin.id]
            return twin.id

    def flag(self, path):
        """Mark a file as malware: only its owner may load it, and must acknowledge that."""
        with self._store.lock:
            self._store.at(path, OWNER).flagged = True

    def share(self, folder_id, principal):
        """Let a principal (an email) read a folder and all below it."""
        with self._store.lock:
            self._store.find(folder_id, OWNER).readers.add(principal)

    def fault(self, kind, times=1, match=""):
        """Let the next `times` requests (None: all) fail whose line matches a regular expression; kinds: faults.KINDS.

        The line is that of Request.line, e.g. "GET www.googleapis.com/drive/v2/files/1abc?alt=media".
        """
        self._faults.add(kind, times, match)
