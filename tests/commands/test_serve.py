import pytest

from gentra_lora.commands import serve as serve_command
from gentra_lora.commands.main import main
from gentra_lora.service import server
from gentra_lora.service.settings import SECRETS, ServiceSettings


@pytest.fixture
def given(monkeypatch):
    """The settings that the server is started with."""
    found = []
    monkeypatch.setattr(server, "serve", found.append)
    return found


def test_each_setting_but_the_secrets_has_a_flag(capsys):
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    told = capsys.readouterr().out
    for name in ServiceSettings.model_fields:
        assert (f"--{name.replace('_', '-')}" in told) == (name not in SECRETS), name


def test_flags_become_settings(given, monkeypatch, tmp_path):
    monkeypatch.setenv("GENTRA_MAX_QUEUE", "3")
    main(["serve", "--rev", "main", "--port", "9000", "--log-prompts", "--weights-dir", str(tmp_path)])
    (settings,) = given
    assert (settings.rev, settings.port, settings.log_prompts, settings.max_queue) == ("main", 9000, True, 3)
    assert settings.weights_dir == tmp_path


@pytest.mark.parametrize(
    ("words", "told"), [(["--port", "x"], "--port"), (["--max-queue", "0"], "--max-queue"), (["--max-side", "9"], "")]
)
def test_impossible_value_is_told_with_its_flag(given, words, told):
    with pytest.raises(SystemExit, match=f"error: {told}.*got"):
        main(["serve", *words])
    assert not given


def test_misspelt_variable_is_refused_before_the_service_is_open(given, monkeypatch):
    monkeypatch.setenv("GENTRA_API_KEY", "secret")
    with pytest.raises(SystemExit, match="GENTRA_API_KEY: is no setting; did you mean GENTRA_API_KEYS"):
        main(["serve"])
    assert not given


def test_variables_of_kubernetes_and_of_training_are_let_be(given, monkeypatch):
    for name in ("GENTRA_CHECKPOINTS", "GENTRA_SERVICE_HOST", "GENTRA_PORT_8000_TCP", "GENTRA_LORA_SERVICE_PORT"):
        monkeypatch.setenv(name, "tcp://x")
    main(["serve"])
    assert given


def test_missing_extra_is_told_with_the_command_that_installs_it(monkeypatch):
    real = serve_command.find_spec
    monkeypatch.setattr(serve_command, "find_spec", lambda name: None if name == "uvicorn" else real(name))
    with pytest.raises(SystemExit, match=r"uvicorn is not installed; pip install 'sport-gentra-lora\[serve\]'"):
        main(["serve"])
