import pytest

from tests.service.bodies.test_sentences import error_of
from tests.service.http.test_routes_pictures import photo


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; x=y"])
def test_form_without_a_boundary_is_refused(served, kind):
    answer = served.post("/v1/img2img", data=b"--x\r\n", headers={"Content-Type": kind})
    assert answer.status_code in (400, 422)
    error_of(answer)


def test_damaged_form_is_refused(served):
    kind = "multipart/form-data; boundary=x"
    for body in (b"", b"--x\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--", b"\0" * 100):
        answer = served.post("/v1/img2img", data=body, headers={"Content-Type": kind})
        assert answer.status_code in (400, 422), body
        error_of(answer)


def form(*parts, end="--x--\r\n"):
    """Return the bytes of a form of (name, bytes) and a photo."""
    photo_part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + photo() + b"\r\n"
    fields = [
        b'--x\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n' + value + b"\r\n"
        for name, value in parts
    ]
    return photo_part + b"".join(fields) + end.encode()


def sent(served, body, kind="multipart/form-data; boundary=x"):
    return served.post("/v1/img2img", data=body, headers={"Content-Type": kind})


def test_form_in_another_encoding_is_refused_by_its_field(served):
    answer = sent(served, form(("prompt", "фото гентры".encode("cp1251"))))
    assert answer.status_code == 400
    assert "prompt is not UTF-8 at byte 0 (0xF4)" in error_of(answer)["message"]
    other = sent(served, form(("prompt", b"a")), "multipart/form-data; boundary=x; charset=cp1251")
    assert "its charset is cp1251; send UTF-8" in error_of(other)["message"]
    assert sent(served, form(("prompt", "фото гентры".encode()))).status_code == 200


def test_form_whose_end_is_missing_is_refused(served):
    whole = form(("prompt", b"a gentra"), ("strength", b"0.9"))
    assert sent(served, whole).status_code == 200
    for body in (form(("prompt", b"a gentra"), ("strength", b"0.9"), end=""), whole[:-6]):
        answer = sent(served, body)
        assert answer.status_code == 400
        assert "ends before its last boundary" in error_of(answer)["message"]
