"""What the service is started with: flags of `gentra-lora serve`, or the environment."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

SECRETS = ("api_keys", "admin_token")  # from the environment alone: flags are seen by everyone on the machine
LEAST_TOKEN = 16  # characters
Words = Annotated[list[str], NoDecode]  # comma-separated


class ServiceSettings(BaseSettings):
    """Each field is read from GENTRA_ and its name in capitals, and has a flag of its name but for the two secrets."""

    model_config = SettingsConfigDict(env_prefix="GENTRA_", extra="forbid", env_ignore_empty=True)

    repo: str = Field(".", description="address or path of the repository whose weights are served")
    rev: str | None = Field(None, description="branch, tag, commit, experiment, NAME@VERSION or NAME#STAGE (HEAD)")
    remote: str | None = Field(None, description="gdrive://ID or a folder, in place of the repository's own remote")
    credentials: str | None = Field(None, description="key file for the remote")
    weights: Path | None = Field(None, description="serve this file in place of a revision's")
    weights_dir: Path = Field(Path("weights/served"), description="where pulled weights are kept")
    base: str | None = Field(None, description="base model, where it is not where the revision's params.yaml says")
    base_revision: str | None = Field(None, description="full commit hash of a base that is a hub id")
    allow_other_base: bool = Field(False, description="serve on a base that the adapter was not trained on")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on")
    api_keys: SecretStr | None = Field(None, description="comma-separated; without any, no key is asked for")
    admin_token: SecretStr | None = Field(None, description="for /v1/admin/reload, which is off without it")
    public_url: str | None = Field(None, description="address that browsers use, where it is another")
    cors_origins: Words = Field([], description="comma-separated origins whose pages may call the service")
    trusted_proxies: Words = Field(
        [], description="comma-separated addresses or networks whose X-Forwarded-For is believed"
    )
    log_prompts: bool = Field(False, description="write prompts into the log")

    max_queue: int = Field(16, ge=1, description="requests that may wait; more are answered 429")
    time_limit: float = Field(300, gt=0, description="seconds that a request may take, waiting included")
    drain_seconds: float = Field(20, ge=0, description="seconds that accepted requests are given at the end")
    upload_seconds: float = Field(60, gt=0, description="seconds that a request's body may take to arrive")
    uploads_per_client: int = Field(
        4, ge=1, le=16, description="photos that a client, by its key or else its address, may be sending at once"
    )
    max_side: int = Field(1024, ge=64, le=2048, description="px")
    max_pixels: int = Field(1024 * 1024, ge=64 * 64, description="of one picture")
    max_images: int = Field(4, ge=1, le=16, description="of one request")
    max_sweep: int = Field(25, ge=1, le=64, description="pictures of a sweep over adapter scales and strengths")
    max_upload_bytes: int = Field(25 * 1024 * 1024, ge=1024, description="of one request's body")
    max_photo_pixels: int = Field(50_000_000, ge=64 * 64, le=80_000_000, description="of an uploaded photo")
    jobs_kept: int = Field(100, ge=1, description="finished jobs whose pictures can still be fetched")
    job_seconds_kept: float = Field(600, gt=0, description="and for how long")
    jobs_dir: Path | None = Field(None, description="folder in which finished jobs survive a restart; else none does")
    jobs_dir_bytes: int = Field(2**30, ge=2**20, description="of the pictures in it; the oldest go first")
    jobs_dir_seconds: float = Field(7 * 24 * 3600, gt=0, description="that a job stays in it")

    @field_validator("cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _named(cls, value: list[str]) -> list[str]:
        if "*" in value:
            raise ValueError("name each origin; * would let every page on the web draw here")
        return value

    @field_validator("api_keys", "admin_token")
    @classmethod
    def _some(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().strip(" ,"):
            raise ValueError("is there and holds none; unset it, or give one")
        if value and not value.get_secret_value().isascii():
            raise ValueError("holds letters that a request's header cannot carry; take ASCII alone")
        return value

    @field_validator("admin_token")
    @classmethod
    def _long(cls, value: SecretStr | None) -> SecretStr | None:
        if value and len(value.get_secret_value()) < LEAST_TOKEN:
            raise ValueError(f"has fewer than {LEAST_TOKEN} characters and could be guessed; take a longer one")
        return value

    def keys(self) -> list[bytes]:
        """Return the API keys."""
        text = self.api_keys.get_secret_value() if self.api_keys else ""
        return [key.strip().encode() for key in text.split(",") if key.strip()]
