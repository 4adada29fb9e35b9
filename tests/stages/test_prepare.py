import json
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from gentra_lora.errors import InputError
from gentra_lora.photos.manifest import read_manifest
from gentra_lora.photos.photo import open_upright, sha256_of
from gentra_lora.stages.prepare import main
from tests.conftest import change, link_to_cache, still_in_cache
from tests.photos.alike.test_duplicates import PHOTOS, cut, in_film_frame, in_screenshot
from tests.photos.zoo import EXIF_KINDS, SPOILT_EXIF, bare_exif

MANIFEST = "data/processed/manifest.jsonl"


def refused(match):
    """main() must raise with a message that matches, and leave outputs as they are."""
    before = {path: path.read_bytes() for path in Path("data/processed").rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=match):
        main()
    assert {path: path.read_bytes() for path in Path("data/processed").rglob("*") if path.is_file()} == before
    assert not Path("data/processed.partial").exists()


def numbers():
    return json.loads(Path("reports/dataset.json").read_text())


def test_every_photo_gets_a_picture_and_a_row(workspace, capsys):
    main()
    rows = read_manifest(workspace / MANIFEST)
    assert [row.file_name for row in rows] == [f"car{n}.png" for n in range(1, 9)]
    for row in rows:
        assert row.sha256 == sha256_of(workspace / "data/raw/images" / row.file_name)
        assert row.caption == f"a gentra, view {row.file_name}"
        picture = open_upright(workspace / "data/processed/images" / row.file_name)
        assert min(picture.size) == 80
    assert "prepared 8 photos at 64 px" in capsys.readouterr().out


def test_large_photo_is_scaled_down_and_keeps_its_shape(workspace):
    path = workspace / "data/raw/images/car1.png"
    open_upright(path).resize((960, 800)).save(path)
    main()
    assert open_upright(workspace / "data/processed/images/car1.png").size == (115, 96)


def test_missing_trigger_word_is_put_in_front(workspace):
    change(workspace, "prepare", trigger_word="tuned")
    change(workspace, "evaluate", prompts=["tuned"])
    change(workspace, "train", sample_prompts=["tuned"])
    main()
    assert read_manifest(workspace / MANIFEST)[0].caption == "tuned, a gentra, view car1.png"


def test_photo_without_caption_is_refused_before_any_output(workspace):
    Image.new("RGB", (80, 80)).save(workspace / "data/raw/images/extra.png")
    refused(r"extra\.png: has no caption")
    assert not (workspace / "data/processed").exists()


def test_small_photo_is_refused_with_its_size(workspace):
    Image.new("RGB", (80, 63)).save(workspace / "data/raw/images/car3.png")
    refused(r"car3\.png: is 80 x 63 px, need at least 64 x 64; remove the photo or lower prepare\.resolution")


def test_photo_that_is_there_twice_is_refused(workspace):
    images = workspace / "data/raw/images"
    shutil.copy(images / "car1.png", images / "car2.png")
    refused(r"car1\.png, car2\.png: the same photo 2 times; remove all but one")


def test_two_photos_of_one_stem_are_refused(workspace):
    images = workspace / "data/raw/images"
    open_upright(images / "car1.png").save(images / "car1.jpg")
    with (workspace / "data/raw/captions.txt").open("a") as file:
        file.write("car1.jpg\ta gentra\n")
    refused(r"car1\.jpg, car1\.png: the same name but for ending and case")


def test_caption_that_the_text_encoder_would_cut_is_refused_with_the_lost_words(workspace):
    captions = workspace / "data/raw/captions.txt"
    captions.write_text(captions.read_text().replace("a gentra, view car2.png", "gentra " * 8 + "end"))
    refused(r"car2\.png: the caption is too long, the text encoder does not see '.*end'; shorten it")


def test_folder_without_photos_is_refused(workspace):
    shutil.rmtree(workspace / "data/raw/images")
    (workspace / "data/raw/images").mkdir()
    refused("holds no photo")


def test_unknown_base_is_refused_before_any_photo_is_opened(workspace):
    shutil.rmtree(workspace / "data/raw")
    change(workspace, "base", model="owner/name")
    refused(r"base\.model: owner/name")


def test_local_base_that_dvc_does_not_watch_is_refused(workspace, tiny_base):
    dvc_file = workspace / "dvc.yaml"
    dvc_file.write_text(dvc_file.read_text().replace(str(tiny_base), "models/other", 1))
    refused(r"dvc\.yaml: add .*tiny-sd to the deps of prepare")


def test_local_feature_model_that_dvc_does_not_watch_is_refused(workspace, tiny_base, tiny_clip):
    dvc_file = workspace / "dvc.yaml"
    dvc_file.write_text(dvc_file.read_text().replace(f", '{tiny_clip}'", ""))
    refused(r"dvc\.yaml: add .*tiny-clip to the deps of evaluate")


def test_judge_that_is_not_there_is_refused_before_any_photo_is_opened(workspace):
    change(workspace, "evaluate", judge="models/judge.safetensors")
    refused(r"evaluate\.judge: models/judge\.safetensors: no such file")


def test_feature_model_that_is_not_pinned_is_refused_before_training(workspace):
    change(workspace, "evaluate", likeness_model="facebook/dinov2-base")
    refused(r"evaluate\.likeness_model: facebook/dinov2-base .* needs its revision")


def test_feature_model_that_is_not_whole_is_refused_before_training(workspace, tiny_clip, tmp_path):
    shutil.copytree(tiny_clip, tmp_path / "clip")
    (tmp_path / "clip/model.safetensors").write_bytes((tiny_clip / "model.safetensors").read_bytes()[:-4])
    change(workspace, "evaluate", likeness_model=str(tmp_path / "clip"))
    refused(r"evaluate\.likeness_model: .*clip/model\.safetensors is cut")


def test_base_that_is_not_whole_is_refused_before_any_photo_is_opened(workspace, tiny_base, tmp_path):
    shutil.copytree(tiny_base, tmp_path / "base")
    (tmp_path / "base/unet/diffusion_pytorch_model.safetensors").write_bytes(b"")
    change(workspace, "base", model=str(tmp_path / "base"))
    (workspace / "data/raw/images/car1.png").write_bytes(b"no photo")
    refused(r"base\.model: .*unet/diffusion_pytorch_model\.safetensors is empty; download it again")


def test_long_caption_is_reported_where_it_is_allowed(workspace, capsys):
    change(workspace, "prepare", allow_long_captions=True)
    captions = workspace / "data/raw/captions.txt"
    captions.write_text(captions.read_text().replace("a gentra, view car2.png", "gentra " * 8 + "end"))
    main()
    assert "note: car2.png: the caption is too long, the text encoder does not see" in capsys.readouterr().out
    assert numbers()["captions_cut"] == 1


def test_missing_trigger_word_is_refused_where_that_is_asked_for(workspace):
    change(workspace, "prepare", trigger_word="tuned", missing_trigger_word="refuse")
    change(workspace, "evaluate", prompts=["tuned"])
    change(workspace, "train", sample_prompts=["tuned"])
    refused(r"car1\.png: the caption 'a gentra, view car1\.png' lacks the trigger word 'tuned'; put it in")


def test_every_problem_of_the_folder_is_told_at_once_and_nothing_is_touched(workspace):
    main()
    raw = workspace / "data/raw"
    (raw / "images/car1.png").write_bytes(b"")
    Image.new("RGB", (80, 20)).save(raw / "images/car2.png")
    (raw / "images/notes.docx").write_bytes(b"PK text")
    (raw / "images/.DS_Store").write_bytes(b"x")
    shutil.copy(raw / "images/car3.png", raw / "images/car4.png")
    lines = (raw / "captions.txt").read_text().splitlines()
    (raw / "captions.txt").write_text("\n".join(lines[:-2] + ["nothing.png\tgone", "car7.png\t"]) + "\n")
    with pytest.raises(InputError) as caught:
        main()
    text = str(caught.value)
    assert "; nothing was changed" in text.splitlines()[0]
    for part in ("car1.png: is", "car2.png: is 80 x 20 px", "notes.docx: is", "car3.png, car4.png: the same photo"):
        assert part in text
    for part in ("'nothing.png", "the caption is empty", "car8.png: has no caption"):
        assert part in text
    assert ".DS_Store" not in text
    refused("problems; nothing was changed")


def test_same_photos_make_the_same_files_byte_for_byte(workspace):
    main()
    first = {path: path.read_bytes() for path in Path("data/processed").rglob("*") if path.is_file()}
    sheet = Path("reports/dataset.jpg").read_bytes()
    main()
    assert {path: path.read_bytes() for path in Path("data/processed").rglob("*") if path.is_file()} == first
    assert Path("reports/dataset.jpg").read_bytes() == sheet


def test_pictures_carry_no_metadata(workspace):
    path = workspace / "data/raw/images/car1.png"
    exif = Image.Exif()
    exif[0x010F] = "camera"
    open_upright(path).save(
        path, exif=exif, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    )
    main()
    with Image.open(workspace / "data/processed/images/car1.png") as image:
        assert not image.info and not image.getexif()


def test_numbers_count_what_was_done(workspace):
    change(workspace, "prepare", trigger_word="tuned")
    change(workspace, "evaluate", prompts=["tuned"])
    change(workspace, "train", sample_prompts=["tuned"])
    main()
    found = numbers()
    assert found["photos"] == found["train"] + found["held_out"] == found["trigger_words_added"] == 8
    assert found["sizes"] == {"64x64": 8}
    assert found["captions"] == "file name, tab, caption"


def test_near_duplicates_are_reported_and_stay_together(workspace, capsys):
    images = workspace / "data/raw/images"
    for n in range(1, 9):
        open_upright(images / f"car{n}.png").resize((90, 75)).save(images / f"again{n}.png")
        with (workspace / "data/raw/captions.txt").open("a") as file:
            file.write(f"again{n}.png\ta gentra\n")
    main()
    assert "again1.png, car1.png" in capsys.readouterr().out
    splits = {row.file_name: row.split for row in read_manifest(workspace / MANIFEST)}
    assert all(splits[f"again{n}.png"] == splits[f"car{n}.png"] for n in range(1, 9))


COPIES = {
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "cut by a fifth": lambda image: cut(image, 0.2, 0, 0, 0),
    "shown in a screenshot": in_screenshot,
    "shown in a film's frame": in_film_frame,
}


def test_copies_of_every_kind_are_on_their_photos_side_of_the_split(workspace):
    images, lines = workspace / "data/raw/images", []
    shutil.rmtree(images)
    for photo in PHOTOS[:4]:
        for kind, make in {"itself": lambda image: image, **COPIES}.items():
            path = images / kind / photo.name
            path.parent.mkdir(parents=True, exist_ok=True)
            make(open_upright(photo)).save(path, quality=90)
            lines.append(f"{kind}/{photo.name}\ta gentra\n")
    (workspace / "data/raw/captions.txt").write_text("".join(lines))
    change(workspace, "prepare", held_out_share=0.5)
    main()
    sides = {}
    for row in read_manifest(workspace / MANIFEST):
        sides.setdefault(Path(row.file_name).stem, []).append(row.split)
    assert [(len(found), len(set(found))) for found in sides.values()] == [(1 + len(COPIES), 1)] * 4
    assert {split for found in sides.values() for split in found} == {"train", "held_out"}


def test_photos_with_spoilt_exif_data_are_prepared_and_told_and_may_have_masks(workspace):
    images, captions = workspace / "data/raw/images", workspace / "data/raw/captions.txt"
    for n, (suffix, kind) in enumerate(EXIF_KINDS.items(), 1):
        photo = open_upright(images / f"car{n}.png")
        (images / f"car{n}.png").unlink()
        bare_exif(photo, images / f"car{n}{suffix}", kind, SPOILT_EXIF)
        captions.write_text(captions.read_text().replace(f"car{n}.png\t", f"car{n}{suffix}\t"))
        write_mask(f"car{n}.png", photo.size)
    main()
    assert numbers()["photos"] == 8 and numbers()["masks"] == len(EXIF_KINDS)
    told = [note for note in numbers()["notes"] if "its EXIF data cannot be read" in note]
    assert [note.split(":")[0] for note in told] == [f"car{n}{suffix}" for n, suffix in enumerate(EXIF_KINDS, 1)]


def test_shoots_are_held_out_as_a_whole_and_may_repeat_names(workspace):
    change(workspace, "prepare", split_by="shoot", held_out_share=0.5)
    images, lines = workspace / "data/raw/images", []
    rng = np.random.default_rng(1)
    shutil.rmtree(images)
    for shoot in ("a", "b", "c", "d", "e"):
        (images / shoot).mkdir(parents=True)
        for n in range(3):
            Image.fromarray(rng.integers(0, 255, (80, 80, 3), np.uint8)).save(images / shoot / f"{n}.png")
            lines.append(f"{shoot}/{n}.png\ta gentra\n")
    (workspace / "data/raw/captions.txt").write_text("".join(lines))
    main()
    splits = {}
    for row in read_manifest(workspace / MANIFEST):
        splits.setdefault(row.file_name.split("/")[0], set()).add(row.split)
    assert all(len(found) == 1 for found in splits.values())
    assert (workspace / "data/processed/images/a/0.png").exists()


def test_photo_that_may_be_damaged_is_named_and_shown(workspace, capsys):
    path = workspace / "data/raw/images/car1.png"
    image = open_upright(path)
    image.paste((0, 0, 0), (0, image.height // 2, image.width, image.height))
    image.save(path)
    main()
    assert "note: car1.png: is nothing but black in the rows" in capsys.readouterr().out
    assert list(numbers()["doubtful"]) == ["car1.png"]


def test_damaged_photo_is_refused_though_its_decoder_raises_nothing(workspace):
    path = workspace / "data/raw/images/car1.png"
    open_upright(path).save(path, "JPEG", quality=95)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    refused(r"car1\.png: is damaged: its data breaks off")


def test_sheet_shows_every_photo(workspace):
    main()
    with Image.open(workspace / "reports/dataset.jpg") as sheet:
        assert sheet.width > 8 * 160


def test_what_is_not_read_of_captions_and_folders_is_told(workspace, capsys):
    raw = workspace / "data/raw"
    (raw / "images/20_gentra").mkdir()
    (raw / "images/car1.png").rename(raw / "images/20_gentra/car1.png")
    names = ["20_gentra/car1.png", *(f"car{n}.png" for n in range(2, 9))]
    rows = "".join(f'"images/{name}",96,80,"a gentra, front",\n' for name in names)
    (raw / "captions.txt").write_text(f"file_name,width,height,text\n{rows}")
    main()
    assert {row.caption for row in read_manifest(workspace / MANIFEST)} == {"a gentra, front"}
    out = capsys.readouterr().out
    assert "note: data/raw/captions.txt: not read, as prepare has no use for it: width, height" in out
    assert "note: 20_gentra: the number in front is no count of repeats here" in out
    assert len(numbers()["notes"]) == 2


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_photo_names_of_any_script_go_through_to_the_manifest(workspace, form):
    names = ["моя Ўзбек ғилдирак 50%.png", "o‘zbek g‘ildirak (é) 'x'.png"]
    images, lines = workspace / "data/raw/images", (workspace / "data/raw/captions.txt").read_text()
    for number, name in enumerate(names, 1):
        (images / f"car{number}.png").rename(images / unicodedata.normalize(form, name))
        lines = lines.replace(f"car{number}.png\t", f"{unicodedata.normalize('NFC', name)}\t")
    (workspace / "data/raw/captions.txt").write_text(lines)
    main()
    captions = {row.file_name: row.caption for row in read_manifest(workspace / MANIFEST)}
    for number, name in enumerate(names, 1):
        assert captions[unicodedata.normalize("NFC", name)] == f"a gentra, view car{number}.png"


def test_photo_from_an_iphone_and_sidecar_captions_are_taken(workspace):
    raw = workspace / "data/raw"
    (raw / "captions.txt").unlink()
    for path in sorted((raw / "images").iterdir()):
        open_upright(path).save(path.with_suffix(".heic"), "HEIF", quality=90)
        path.with_suffix(".txt").write_text(f"a gentra, {path.stem}\n")
        path.unlink()
    main()
    rows = read_manifest(workspace / MANIFEST)
    assert [row.caption for row in rows] == [f"a gentra, car{n}" for n in range(1, 9)]
    assert numbers()["captions"] == "a .txt file beside each photo"


def test_stage_that_is_run_by_hand_writes_nothing_through_links_into_dvcs_cache(workspace):
    main()
    kept = link_to_cache("data/processed", "reports/dataset.jpg", "reports/dataset.json")
    (workspace / "data/raw/images/car8.png").unlink()
    captions = workspace / "data/raw/captions.txt"
    captions.write_text("".join(captions.read_text().splitlines(keepends=True)[:-1]))
    main()
    assert still_in_cache(kept)
    assert numbers()["photos"] == 7


def write_mask(name, size=(80, 100)):
    Path("data/raw/masks").mkdir(exist_ok=True)
    Image.new("L", size, 255).save(f"data/raw/masks/{name}")


def test_masks_are_kept_beside_the_images_counted_and_named_in_the_manifest(workspace, capsys):
    write_mask("car1.png", open_upright("data/raw/images/car1.png").size)
    main()
    masks = {row.file_name: row.mask_sha256 for row in read_manifest(workspace / MANIFEST)}
    assert masks["car1.png"] == sha256_of(workspace / "data/processed/masks/car1.png")
    assert [masks[f"car{n}.png"] for n in range(2, 9)] == [None] * 7
    assert numbers()["masks"] == 1
    assert "note: 7 of 8 photos have no mask" in capsys.readouterr().out


def test_mask_without_a_photo_or_of_another_size_is_refused(workspace):
    write_mask("van.png")
    refused(r"data/raw/masks/van\.png: no photo is called so.*; rename or remove it")
    Path("data/raw/masks/van.png").unlink()
    write_mask("car1.png", (8, 8))
    refused(r"data/raw/masks/car1\.png: is 8 x 8 px, but car1\.png is seen at")


def test_photos_own_transparency_is_its_mask_where_that_is_asked_for(workspace):
    path = workspace / "data/raw/images/car1.png"
    photo = open_upright(path)
    photo.putalpha(Image.linear_gradient("L").resize(photo.size))
    photo.save(path)
    main()
    assert not Path("data/processed/masks").exists()
    change(workspace, "prepare", alpha_as_mask=True)
    main()
    assert [path.name for path in Path("data/processed/masks").iterdir()] == ["car1.png"]
