from gentra_lora.adapter.card import card_of


def test_card_says_what_to_write_and_for_which_stable_diffusion():
    header = {
        "modelspec.trigger_phrase": "sport gentra",
        "modelspec.description": "A LoRA.",
        "gentra.base": "nano@1",
    }
    card = card_of(header)
    assert (card["activation text"], card["description"], card["preferred weight"]) == ("sport gentra", "A LoRA.", 1.0)
    assert (card["sd version"], card_of(header | {"ss_v2": "True"})["sd version"]) == ("SD1", "SD2")
    assert card["notes"] == "trained on nano@1"
