# syntax=docker/dockerfile:1

# The packages, with whatever is compiled for them, without what only development needs.
FROM node:26-trixie-slim AS packages
WORKDIR /opt/quorate
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:26-trixie-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends tini \
  && rm -rf /var/lib/apt/lists/* \
  && groupadd --gid 10001 quorate \
  && useradd --uid 10001 --gid quorate --home-dir /data --shell /usr/sbin/nologin quorate \
  && install --directory --owner quorate --group quorate --mode 0700 /data
WORKDIR /opt/quorate
COPY --from=packages /opt/quorate/node_modules node_modules
COPY package.json tsconfig.json ./
COPY raft raft
COPY src src
COPY node node
COPY scripts/quorate scripts/quorate
RUN ln -s /opt/quorate/scripts/quorate /usr/local/bin/quorate

USER quorate
ENV QUORATE_DATA=/data QUORATE_HTTP=0.0.0.0:8750 QUORATE_P2P=0.0.0.0:8751
VOLUME /data
# HTTP and libp2p.
EXPOSE 8750 8751 8753
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8750/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

# Jobs are children of children: tini reaps what they leave behind.
ENTRYPOINT ["tini", "--", "quorate"]
CMD ["up"]
