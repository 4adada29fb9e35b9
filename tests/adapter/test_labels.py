import json

import pytest

from gentra_lora.adapter.labels import architecture, dataset_fields, output_name, tag_frequency

LABELS = ("ss_base_model_version", "ss_v2", "modelspec.architecture", "modelspec.prediction_type")


@pytest.mark.parametrize(
    ("cross_attention_dim", "prediction_type", "labels"),
    [
        (768, "epsilon", ("sd_v1", None, "stable-diffusion-v1/lora", "epsilon")),
        (96, "epsilon", ("sd_v1", None, "stable-diffusion-v1/lora", "epsilon")),
        (768, "v_prediction", ("sd_v1_v", None, "stable-diffusion-v1/lora", "v")),
        (1024, "epsilon", ("sd_v2", "True", "stable-diffusion-v2-512/lora", "epsilon")),
        (1024, "v_prediction", ("sd_v2_v", "True", "stable-diffusion-v2-768-v/lora", "v")),
    ],
)
def test_fields_say_which_stable_diffusion_it_is_for(cross_attention_dim, prediction_type, labels):
    fields = architecture(cross_attention_dim, prediction_type)
    assert tuple(fields.get(key) for key in LABELS) == labels


@pytest.mark.parametrize(
    ("trigger_word", "name"),
    [
        ("sport gentra", "sport_gentra"),
        ("ohwx", "ohwx"),
        ("моя джентра", "моя_джентра"),
        ("a:b>c,(d)", "a_b_c_d"),
        ("<>", "lora"),
    ],
)
def test_name_in_prompts_is_the_subjects_without_what_prompts_read_otherwise(trigger_word, name):
    assert output_name(trigger_word) == name


def test_tags_are_counted_as_kohya_does_with_the_trigger_word():
    captions = ["Sport Gentra, front view, snow", "a photo of a sport gentra, Snow", "snow,, rear view"]
    assert tag_frequency(captions, "sport gentra") == {
        "snow": 3,
        "sport gentra": 2,
        "a photo of a sport gentra": 1,
        "front view": 1,
        "rear view": 1,
    }


def test_dataset_is_told_as_a1111_shows_it():
    fields = dataset_fields(["a", "b", "c"], [(768, 512), (512, 768), (768, 512)], "x")
    assert json.loads(fields["ss_dataset_dirs"]) == {"images": {"n_repeats": 1, "img_count": 3}}
    assert json.loads(fields["ss_bucket_info"])["buckets"] == {
        "0": {"resolution": [512, 768], "count": 1},
        "1": {"resolution": [768, 512], "count": 2},
    }
