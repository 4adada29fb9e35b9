import numpy as np
from PIL import Image

from gentra_lora.evaluation.plan import Plan
from gentra_lora.pictures import sheets
from gentra_lora.pictures.sheets import first_of_each, save_sheets, sheets_of
from tests.tiny_engine import photo_request, request

PROMPTS, DRIFT = ["a car in snow", "a car at night"], ["a van"]


def picture(value):
    return np.full((8, 8, 3), value, np.uint8)


def made():
    requests = [request(prompt=prompt, seed=seed) for prompt in PROMPTS for seed in (1, 2)]
    strips = {0.3: [photo_request(prompt="held out")], 0.7: [photo_request(prompt="held out")]}
    plan = Plan({"prompt": requests, "drift": [request(prompt="a van")]}, {}, strips, ["h.png"])
    drawn = {
        "prompt": {"adapter": [picture(n) for n in range(4)], "base": [picture(100 + n) for n in range(4)]},
        "drift": {"adapter": [picture(50)], "base": [picture(60)]},
    }
    redrawn = {strength: {"adapter": [picture(70)], "base": [picture(80)]} for strength in strips}
    photos = {"h.png": picture(200)}
    return sheets_of(plan, drawn, redrawn, [("step 1, kept", [picture(1)])], [1.0], photos, [picture(250)] * 2)


def values(sheet):
    return {label: [int(made[0, 0, 0]) for made in pictures] for label, pictures in sheet.rows}


def test_each_sheet_pairs_base_and_adapter_of_one_prompt_and_seed():
    grid, scales, strips, drift = made()
    assert (grid.columns, values(grid)) == (
        PROMPTS,
        {"base": [100, 102], "adapter": [0, 2], "adapter, seed 2": [1, 3], "nearest real photo": [250, 250]},
    )
    assert (scales.columns, values(scales)) == (["strength 1"], {"step 1, kept": [1]})
    assert strips.columns == ["held-out photo", "strength 0.3", "strength 0.7"]
    assert values(strips) == {"base: held out": [200, 80, 80], "adapter: held out": [200, 70, 70]}
    assert (drift.columns, values(drift)) == (DRIFT, {"base": [60], "adapter": [50]})


def test_grid_is_of_the_first_prompts_where_there_are_many(monkeypatch):
    monkeypatch.setattr(sheets, "GRID_COLUMNS", 1)
    grid = made()[0]
    shown = {"base": [100], "adapter": [0], "adapter, seed 2": [1], "nearest real photo": [250]}
    assert (grid.columns, values(grid)) == (PROMPTS[:1], shown)


def test_grid_of_one_seed_has_no_second_row():
    plan = Plan({"prompt": [request(prompt=prompt) for prompt in PROMPTS], "drift": [request()]}, {}, {0.3: []}, [])
    drawn = {name: {"adapter": [picture(1)] * 2, "base": [picture(2)] * 2} for name in ("prompt", "drift")}
    grid = sheets_of(plan, drawn, {0.3: {"adapter": [], "base": []}}, [], [], {}, [picture(3)] * 2)[0]
    assert [label for label, _ in grid.rows] == ["base", "adapter", "nearest real photo"]


def test_files_are_the_sheets_and_each_prompts_picture_in_its_own_size(tmp_path):
    save_sheets(tmp_path, made())
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        *("drift.png", "grid.png", "img2img.png"),
        *("prompt_1_a_car_in_snow.png", "prompt_2_a_car_at_night.png", "scales.png"),
    ]
    with Image.open(tmp_path / names[3]) as image:
        assert image.size == (8, 8)


def test_first_of_each_prompt_is_its_first_seed():
    requests = [request(prompt=prompt, seed=seed) for prompt in PROMPTS for seed in (1, 2)]
    assert first_of_each(requests) == (PROMPTS, [0, 2])
