# Stage 1 builds wheels; nothing of its tools reaches the image that runs.
FROM debian:bookworm-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml setup.py constraints.txt README.md ./
COPY media media
COPY server server
COPY client_demo client_demo
COPY config config
RUN python3 -m venv /opt/vendue \
    && /opt/vendue/bin/pip install --no-cache-dir -c constraints.txt . \
    && /opt/vendue/bin/pip uninstall -q -y pip setuptools

# Stage 2: Python, the virtual environment, an unprivileged user, a volume for the store.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin vendue \
    && install -d -m 0700 -o vendue -g vendue /data
COPY --from=build /opt/vendue /opt/vendue
COPY config/vendue.toml /etc/vendue/vendue.toml
ENV PATH=/opt/vendue/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    VENDUE_DATA_DIR=/data
USER vendue
WORKDIR /data
VOLUME /data
# Pages, API, signalling and WebSockets; all video.
EXPOSE 8080/tcp 8080/udp
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:%s/healthz' % os.environ.get('VENDUE_HTTP__PORT', 8080), timeout=2)"]
ENTRYPOINT ["vendue"]
CMD ["serve", "--config", "/etc/vendue/vendue.toml"]
