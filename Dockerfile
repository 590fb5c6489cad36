# The production image: one for web, worker, beat and migrations; docker-compose.yml says which command each runs.
FROM node:24-bookworm-slim AS javascript
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=optional

FROM python:3.11-slim-bookworm AS python
COPY --from=javascript /app/node_modules /app/node_modules
WORKDIR /app
COPY requirements-tools.txt requirements.txt ./
RUN python -m venv /opt/tools && /opt/tools/bin/pip install --no-cache-dir --require-hashes -r requirements-tools.txt
RUN python -m venv --without-pip /opt/venv \
    && /opt/tools/bin/uv pip install --python /opt/venv/bin/python --no-cache --compile-bytecode --require-hashes -r requirements.txt

FROM python:3.11-slim-bookworm
ENV PATH="/opt/venv/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=config.settings DATA_DIR=/data
RUN useradd --system --uid 10001 --no-create-home parley && mkdir /data && chown parley /data
WORKDIR /app
COPY --from=python /opt/venv /opt/venv
COPY --from=javascript /app/node_modules ./node_modules
COPY manage.py ./
COPY config ./config
COPY tenants ./tenants
COPY integrations ./integrations
COPY chat ./chat
COPY analytics ./analytics
COPY dashboards ./dashboards
COPY templates ./templates
# Files are only collected here: nothing is connected to, and none of these values stays in the image.
RUN SECRET_KEY=build ALLOWED_HOSTS=build DATABASE_URL=postgresql:/// MONGODB_URI=mongodb://127.0.0.1/ \
    REDIS_URL=redis:// CELERY_BROKER_URL=redis:// FIELD_ENCRYPTION_KEYS=build:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= python manage.py collectstatic --noinput
USER parley
VOLUME /data
EXPOSE 8000
CMD ["uvicorn", "config.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--loop", "uvloop", "--http", "httptools", \
     "--ws", "websockets-sansio", "--ws-per-message-deflate", "false", "--ws-max-size", "131072", "--no-access-log", \
     "--proxy-headers", "--forwarded-allow-ips", "*", "--timeout-graceful-shutdown", "20"]
