from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.serving import gated
from tests.waiting import PATIENCE


def test_webuiapi_sees_its_picture_come_and_can_interrupt_it(served, webui):
    values = {"prompt": "a gentra", "width": 64, "height": 64, "steps": 3}
    with gated(served) as gate, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(requests.post, f"{webui.baseurl}/txt2img", json=values, timeout=PATIENCE)
        gate.wait()
        begun = webui.get_progress()
        assert 0 < begun["progress"] < 0.1
        assert begun["state"]["sampling_steps"] == 3
        gate.let(1)
        gate.wait(2)
        found = webui.get_progress()
        assert found["progress"] == pytest.approx(1 / 3)
        assert found["current_image"].startswith("iVBOR")
        assert webui.interrupt() == {}
        assert answer.result(PATIENCE).status_code == 409
    assert answer.result().json()["error"] == "cancelled"
    assert webui.get_progress()["progress"] == 0


def test_interrupt_of_nothing_is_no_fault(webui):
    assert webui.interrupt() == {}
