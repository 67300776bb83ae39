# The compiled binary alone: no shell, no package manager, a user of its own.
FROM oven/bun:1.4.5-debian AS build
WORKDIR /build
COPY package.json bun.lock bunfig.toml tsconfig.json ./
COPY scripts ./scripts
COPY src ./src
# What -version says: --build-arg BUILD_COMMIT=$(git rev-parse --short=12 HEAD)
ARG BUILD_COMMIT
RUN bun run build

# What the image holds: the binary, the C library it names, a user, and the folder of the data.
FROM debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171 AS image
COPY --from=build /build/dist/number-dispenser /usr/local/bin/number-dispenser
RUN set -eu; \
    mkdir -p /image/data /image/etc /image/tmp /image/usr/local/bin; \
    cp /usr/local/bin/number-dispenser /image/usr/local/bin/; \
    ldd /usr/local/bin/number-dispenser | grep -o '/[^ ]*' | xargs -I{} cp --parents -L {} /image; \
    echo 'dispenser:x:6380:6380::/data:/sbin/nologin' >/image/etc/passwd; \
    echo 'dispenser:x:6380:' >/image/etc/group; \
    echo 'hosts: files dns' >/image/etc/nsswitch.conf; \
    chmod 1777 /image/tmp; \
    chown 6380:6380 /image/data

FROM scratch
COPY --from=image /image /
USER 6380:6380
WORKDIR /data
VOLUME /data
EXPOSE 6380
# Inside the container every client comes from elsewhere: who may reach the port is decided by what is published,
# as in the official image of Redis.
ENV PATH=/usr/local/bin \
    NUMBER_DISPENSER_DATA=/data \
    NUMBER_DISPENSER_PROTECTED_MODE=false
# Where a password is set, it takes it from NUMBER_DISPENSER_PASSWORD.
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s CMD ["number-dispenser", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["number-dispenser"]
