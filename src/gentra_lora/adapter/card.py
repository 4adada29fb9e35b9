"""What A1111 and its kin show of an adapter from a file beside it: NAME.json for NAME.safetensors."""

from collections.abc import Mapping


def card_of(header: Mapping[str, str]) -> dict[str, str | float]:
    """Return the card of an adapter by its file's header, under A1111's names."""
    return {
        "description": header.get("modelspec.description", ""),
        "sd version": "SD2" if header.get("ss_v2") == "True" else "SD1",
        "activation text": header.get("modelspec.trigger_phrase", ""),
        "preferred weight": 1.0,  # what it was trained and evaluated at
        "negative text": "",
        "notes": f"trained on {header.get('gentra.base', 'an unknown base')}",
    }
