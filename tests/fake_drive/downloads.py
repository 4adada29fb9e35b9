"""Downloads: the content of a file, whole or the range of it that was asked for."""

import re

from .messages import Refused, Response, api_error


def download(item, principal, request):
    """Return the response to alt=media.

    Raises:
        Refused: 403 for a folder, and for a flagged file unless its owner acknowledges that.
    """
    if item.is_folder:
        message = "Only files with binary content can be downloaded. Use Export with Docs Editors files."
        raise Refused(api_error(403, "fileNotDownloadable", message))
    acknowledged = request.query.get("acknowledgeAbuse") == "true" and principal == item.owner
    if item.flagged and not acknowledged:
        message = "This file has been identified as malware or spam and cannot be downloaded."
        raise Refused(api_error(403, "cannotDownloadAbusiveFile", message))
    size, headers = len(item.content), {"Content-Type": item.mime_type}
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if not match:
        return Response(200, item.content, headers)
    start, end = int(match[1]), min(int(match[2] or size), size - 1)
    if start >= size:
        return Response(416, headers={"Content-Range": f"bytes */{size}"})
    return Response(206, item.content[start : end + 1], headers | {"Content-Range": f"bytes {start}-{end}/{size}"})
