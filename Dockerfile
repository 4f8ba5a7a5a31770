# firedrill runs outside the clusters that it drills; this image is for those who run everything
# in containers. The journal has to be on a volume that outlives the container:
#
#   docker run -v firedrill:/var/lib/firedrill -v /etc/firedrill:/etc/firedrill:ro firedrill \
#     run shop-comes-back

FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --profile dist --bin firedrill

# glibc, CA certificates, a user that is not root, and nothing else.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/dist/firedrill /usr/bin/firedrill
ENTRYPOINT ["/usr/bin/firedrill"]
