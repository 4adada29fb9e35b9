import re

from gentra_lora.params import Train
from gentra_lora.training.config import TrainConfig
from tests.conftest import ROOT

FIELDS = {name for kind in TrainConfig.__mro__ for name in vars(kind).get("__annotations__", {})}
FIELDS |= {name for kind in TrainConfig.__mro__ for name, value in vars(kind).items() if isinstance(value, property)}


def test_every_field_is_a_key_of_the_train_block():
    assert not FIELDS - set(Train.model_fields)


def test_every_field_is_read():
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/gentra_lora/training").glob("*.py"))
    read = set(re.findall(r"\bconfig\.(\w+)", source))
    assert read & set(Train.model_fields) == FIELDS
