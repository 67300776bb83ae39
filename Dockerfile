# The compiled binary on a slim Debian, run by a user of its own.
FROM oven/bun:1.4.5-debian AS build
WORKDIR /build
COPY package.json bun.lock bunfig.toml tsconfig.json ./
COPY config ./config
COPY src ./src
# What -version says: --build-arg BUILD_COMMIT=$(git rev-parse --short=12 HEAD)
ARG BUILD_COMMIT
RUN bun run build

FROM debian:bookworm-slim
RUN useradd --system --no-create-home dispenser && mkdir /data && chown dispenser /data
COPY --from=build /build/dist/number-dispenser /usr/local/bin/number-dispenser
USER dispenser
VOLUME /data
EXPOSE 6380
# Inside the container every client comes from elsewhere: who may reach the port is decided by
# what is published, as in the official image of Redis.
ENV NUMBER_DISPENSER_DATA=/data NUMBER_DISPENSER_PROTECTED_MODE=false
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s CMD ["number-dispenser", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["number-dispenser"]
