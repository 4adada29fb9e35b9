import json

from gentra_lora.provenance import adapter_metadata, photos_digest, versions


def metadata(**changed):
    values = {
        "train_params": {"rank": 8, "lora_alpha": 4.0},
        "base": "nano@1",
        "trigger_word": "sport gentra",
        "resolution": 768,
        "prediction_type": "epsilon",
        "photos": ["b", "a"],
        "steps": 300,
    }
    return adapter_metadata(**(values | changed))


def test_header_holds_only_strings_as_safetensors_demands():
    assert all(isinstance(value, str) for value in metadata().values())


def test_header_names_rank_alpha_and_trigger_where_user_interfaces_look():
    header = metadata()
    assert (header["ss_network_dim"], header["ss_network_alpha"]) == ("8", "4")
    assert header["modelspec.trigger_phrase"] == "sport gentra"
    assert json.loads(header["ss_tag_frequency"]) == {"images": {"sport gentra": 2}}
    assert "lora_adapter_metadata" not in header


def test_header_is_the_same_for_the_same_run():
    assert metadata() == metadata()


def test_photos_digest_does_not_depend_on_their_order():
    assert photos_digest(["a", "b"]) == photos_digest(["b", "a"])
    assert photos_digest(["a", "b"]) != photos_digest(["a", "c"])


def test_versions_name_what_can_change_a_result():
    assert versions().keys() == {"torch", "diffusers", "transformers", "peft", "accelerate"}
