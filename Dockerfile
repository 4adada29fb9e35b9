# The service. docs/service.md says how to run it.
FROM python:3.11-slim

# DVC reads revisions with git.
RUN apt-get update && apt-get install --no-install-recommends -y git && rm -rf /var/lib/apt/lists/*
# A repository that is mounted belongs to another user, and git would not read it.
RUN git config --system --add safe.directory '*'

WORKDIR /app
COPY requirements-serve.lock ./
# PyPI's torch brings CUDA. Without a GPU: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH_INDEX=""
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r requirements-serve.lock

COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir --no-deps . && rm -rf build
COPY models/nano-sd models/nano-sd

# All that is written goes to /data; the rest may be read-only.
RUN useradd --uid 10001 --home-dir /data --create-home gentra
USER 10001
VOLUME /data
ENV HOME=/data GENTRA_WEIGHTS_DIR=/data/weights HF_HOME=/data/huggingface DVC_SITE_CACHE_DIR=/data/dvc
ENV GENTRA_HOST=0.0.0.0 GENTRA_PORT=8000 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

EXPOSE 8000
HEALTHCHECK --start-period=30s CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://localhost:{os.environ[\"GENTRA_PORT\"]}/healthz')"]
ENTRYPOINT ["gentra-lora", "serve"]
