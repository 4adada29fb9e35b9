import pytest
from pydantic import ValidationError

from gentra_lora.service.settings import SECRETS, ServiceSettings


def test_environment_is_read_under_the_projects_prefix(monkeypatch):
    monkeypatch.setenv("GENTRA_PORT", "9000")
    monkeypatch.setenv("GENTRA_API_KEYS", "one, two,")
    monkeypatch.setenv("GENTRA_CORS_ORIGINS", "https://a.example, https://b.example")
    monkeypatch.setenv("GENTRA_CHECKPOINTS", "not ours")
    settings = ServiceSettings()
    assert settings.port == 9000
    assert settings.keys() == [b"one", b"two"]
    assert settings.cors_origins == ["https://a.example", "https://b.example"]


def test_what_is_given_goes_before_the_environment(monkeypatch):
    monkeypatch.setenv("GENTRA_PORT", "9000")
    assert ServiceSettings(port=9001).port == 9001


def test_unset_variables_of_a_compose_file_are_as_if_they_were_not_there(monkeypatch):
    monkeypatch.setenv("GENTRA_API_KEYS", "")
    monkeypatch.setenv("GENTRA_REV", "")
    assert ServiceSettings().keys() == []
    assert ServiceSettings().rev is None


def test_secrets_are_not_shown(monkeypatch):
    monkeypatch.setenv("GENTRA_API_KEYS", "hidden-one")
    monkeypatch.setenv("GENTRA_ADMIN_TOKEN", "hidden-two-of-sixteen")
    assert "hidden" not in repr(ServiceSettings())
    assert set(SECRETS) < set(ServiceSettings.model_fields)


@pytest.mark.parametrize(
    "values", [{"port": 70000}, {"max_queue": 0}, {"time_limit": 0}, {"max_side": 4096}, {"nothing": 1}]
)
def test_impossible_setting_is_refused(values):
    with pytest.raises(ValidationError):
        ServiceSettings(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"admin_token": "fifteen letters"}, "fewer than 16 characters"),
        ({"admin_token": "пароль из шестнадцати"}, "take ASCII alone"),
        ({"api_keys": "ключ"}, "take ASCII alone"),
    ],
)
def test_secret_that_could_be_guessed_or_not_sent_is_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        ServiceSettings(**values)


@pytest.mark.parametrize("values", [{"api_keys": " , "}, {"admin_token": " "}, {"cors_origins": "*"}])
def test_secret_that_holds_none_and_an_origin_of_everyone_are_refused(values):
    with pytest.raises(ValidationError):
        ServiceSettings(**values)


def test_service_listens_to_this_machine_alone_and_asks_no_foreign_page_by_default():
    settings = ServiceSettings()
    assert settings.host == "127.0.0.1"
    assert settings.cors_origins == []
    assert settings.log_prompts is False


def test_every_setting_says_what_it_is():
    assert all(field.description for field in ServiceSettings.model_fields.values())
